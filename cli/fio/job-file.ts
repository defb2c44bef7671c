/**
 * Reads a fio job file: sections, `key=value` lines, comments, ${ENVIRONMENT}. `[global]` applies to the jobs after it.
 * All mistakes of a file are told in one UserError, a line each with file, line, key and the nearest known one.
 * Not here: what a key means (keys.ts), sizes of namespaces (targets.ts).
 */
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import { ALIASES, IGNORED, OPTIONS, SYNCHRONOUS, UNSUPPORTED } from './keys.ts';
import { DEFAULT_OPTIONS, type JobOptions, type Triple } from './options.ts';

/** One job of the file with its clones still together. */
export interface Job extends Readonly<JobOptions> {
  readonly name: string;
  /** `FILE:LINE` of the section's head, and of each key that the section has or that `[global]` gives it (`mistakeIn`). */
  readonly where: string;
  readonly places: ReadonlyMap<string, string>;
  /** Largest I/O of each direction, in bytes. */
  readonly bs: Triple;
  readonly random: boolean;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly trims: boolean;
  /** One command at a time, as a system call that waits. */
  readonly synchronous: boolean;
  /** The lines of its section, key and text. */
  readonly given: readonly (readonly [key: string, text: string])[];
}

export interface JobFile {
  readonly jobs: readonly Job[];
  /** The lines of `[global]` sections. */
  readonly globals: readonly (readonly [key: string, text: string])[];
  /** Sentences about keys that were accepted and change nothing, one per key. */
  readonly notes: readonly string[];
}

interface Section {
  readonly name: string;
  readonly line: number;
  readonly options: JobOptions;
  readonly given: [key: string, text: string][];
  readonly places: Map<string, string>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Parses the text of `file`. With `only`, jobs of other names are left out. Throws UserError. */
export function parseJobFile(
  text: string,
  file: string,
  environment: Environment = {},
  only: readonly string[] = [],
): JobFile {
  const sections: Section[] = [];
  const globals: [string, string][] = [];
  const ignored = new Set<string>();
  const mistakes: string[] = [];
  let base: Pick<Section, 'options' | 'places'> = { options: DEFAULT_OPTIONS, places: new Map() };
  let section: Section | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const where = `${file}:${index + 1}`;
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const head = /^\[(.+)\]$/.exec(line);
    if (head !== null) {
      if (section?.name === 'global') base = section;
      const name = head[1]!;
      const given = name === 'global' ? globals : [];
      const { options, places } = base;
      section = { name, line: index + 1, options: { ...options }, given, places: new Map(places) };
      if (name !== 'global') sections.push(section);
      continue;
    }
    if (line.startsWith('['))
      throw new UserError(
        `${where}: "${line}" ${line.includes(']') ? 'is no section; [name] stands alone on its line' : 'lacks the "]" of a section'}`,
      );
    if (section === undefined) throw new UserError(`${where}: "${line}" stands before the first [section]`);
    if (only.length > 0 && section.name !== 'global' && !only.includes(section.name)) continue;
    const [key, value] = keyAndValue(line);
    section.given.push([key, value]);
    section.places.set(key, where);
    const mistake = setFrom(section.options, key, value, environment);
    if (mistake !== null) mistakes.push(`${where}: ${mistake}`);
    if (IGNORED.has(key)) ignored.add(key);
  }
  const chosen = only.length === 0 ? sections : chosenSections(sections, only, file);
  if (mistakes.length > 0) throw new UserError(mistakes.join('\n'));
  if (chosen.length === 0) throw new UserError(`${file}: no job in this file; a job begins with [name]`);
  const notes = [...ignored].map((key) => `note: ${key} changes nothing here: ${IGNORED.get(key)}`);
  const jobs = chosen.map((each) => finish(each, file));
  const misfits = jobs.flatMap(
    (job, index) => contradiction(job) ?? waitProblem(job, jobs.slice(0, index)) ?? [],
  );
  if (misfits.length > 0) throw new UserError(misfits.join('\n'));
  return { jobs, globals, notes };
}

function chosenSections(sections: readonly Section[], only: readonly string[], file: string): Section[] {
  const names = sections.map(({ name }) => name);
  const missing = only.find((name) => !names.includes(name));
  if (missing === undefined) return sections.filter(({ name }) => only.includes(name));
  throw new UserError(`${file}: no job "${missing}" in this file${suggestion(missing, names)}`);
}

/** Key and text of a line; what follows a `;` or `#` is a comment. */
function keyAndValue(line: string): [key: string, text: string] {
  const bare = line.replace(/[;#].*$/, '');
  const equals = bare.indexOf('=');
  return equals === -1 ? [bare.trim(), ''] : [bare.slice(0, equals).trim(), bare.slice(equals + 1).trim()];
}

/** Sets one option from its text in a file; returns what is wrong as a sentence with the key, or null. */
function setFrom(options: JobOptions, key: string, value: string, environment: Environment): string | null {
  const unset = [...value.matchAll(VARIABLE)].find(([, name]) => environment[name!] === undefined);
  if (unset !== undefined) return `${key}=${value}: the environment has no variable ${unset[1]}`;
  const expanded = value.replace(VARIABLE, (_, name: string) => environment[name]!);
  const mistake = setOption(options, key, expanded);
  return mistake === null || !OPTIONS.has(key) ? mistake : `${key}=${expanded}: ${mistake}`;
}

const VARIABLE = /\$\{(\w+)\}/g;

/** Sets one option, or none where its key changes nothing here; returns what is wrong with it as a clause, or null. */
export function setOption(options: JobOptions, key: string, value: string): string | null {
  if (IGNORED.has(key)) return null;
  const rule = OPTIONS.get(key);
  if (rule === undefined) {
    if (UNSUPPORTED.has(key)) return `${key} is a key of fio that Doorbell does not support`;
    return `unknown key "${key}"${suggestion(key, [...OPTIONS.keys(), ...IGNORED.keys()])}`;
  }
  const refused = rule(options, value);
  return refused === null ? null : `${key} ${refused}`;
}

/** A sentence about a job, at the line of the first of `keys` that it has, with that key; else at the job's head. */
export function sentenceAbout(
  { name, where, places }: Pick<Job, 'name' | 'where' | 'places'>,
  sentence: string,
  keys: readonly string[] = sentence.match(/\w+/g) ?? [],
): string {
  const key = keys.flatMap((each) =>
    [...places.keys()].filter((given) => (ALIASES[given] ?? given) === each),
  )[0];
  if (key === undefined) return `${where}: job "${name}": ${sentence}`;
  const isNamed = new RegExp(`\\b${key}\\b`).test(sentence);
  return `${places.get(key)}: job "${name}": ${isNamed ? '' : `${key}: `}${sentence}`;
}

/** Derives what follows from a whole section. */
function finish({ name, line, options, given, places }: Section, file: string): Job {
  const kind = options.rw.replace('rand', '');
  const isMix = kind === 'rw' || kind === 'readwrite';
  const synchronous = SYNCHRONOUS.includes(options.ioengine);
  const iodepth = synchronous ? 1 : options.iodepth;
  const [reads, writes, trims] = options.sizes;
  return {
    ...options,
    iodepth,
    iodepth_batch: Math.min(options.iodepth_batch, iodepth),
    name: given.some(([key]) => key === 'name') ? options.name! : name,
    where: `${file}:${line}`,
    places,
    bs: [reads.max, writes.max, trims.max],
    random: options.rw.startsWith('rand'),
    reads: kind === 'read' || isMix,
    writes: kind === 'write' || kind === 'trimwrite' || isMix,
    trims: kind === 'trim' || kind === 'trimwrite',
    synchronous,
    given,
  };
}

/** Headers of verified blocks are never longer: fio's 40 bytes and a digest of 64. */
const LARGEST_HEADER = 104;

/** Why options do not fit together, as a sentence with its place, or null. */
function contradiction(job: Job): string | null {
  const why = reasonOf(job);
  return why === null ? null : sentenceAbout(job, why);
}

function reasonOf(options: JobOptions): string | null {
  const { verify, verify_interval, verify_offset, sizes, zonemode } = options;
  if (options.time_based && !Number.isFinite(options.runtime_ns)) return 'time_based needs a runtime';
  if (verify === 'pattern' && options.verify_pattern === null) return 'verify=pattern needs a verify_pattern';
  if (zonemode === 'strided' && options.zonesize === 0) return 'zonemode=strided needs a zonesize';
  if (options.sg_write_mode !== 'write' && (zonemode === 'zbd' || verify !== 'none'))
    return `sg_write_mode=${options.sg_write_mode} goes with neither zonemode=zbd nor verify`;
  if (zonemode === 'zbd' && /trimwrite/.test(options.rw)) return 'zonemode=zbd takes no trimwrite';
  if (zonemode === 'zbd' && (options.rw_run !== 1 || options.rw_skip_bytes !== 0))
    return `zonemode=zbd takes no rw=${options.rw} with a colon`;
  if (Number.isFinite(options.latency_target_ns) && options.latency_window_ns === 0)
    return 'latency_target needs a latency_window';
  if (options.steady !== null && options.ss_dur_ns < 1e9)
    return 'steadystate needs a steadystate_duration of 1s or more';
  if (verify === 'none') return null;
  const { min, max, split } = sizes[1];
  const unit = verify_interval === 0 ? min : verify_interval;
  const all = [min, max, ...(split ?? []).map(({ bytes }) => bytes)];
  if (all.some((bytes) => bytes % unit !== 0))
    return `every bs must be a multiple of the ${unit} bytes that are verified`;
  if (unit % 4 !== 0 || unit < 2 * LARGEST_HEADER)
    return 'verify_interval takes a multiple of four, at least 208';
  if (verify_offset > 0 && verify_offset + LARGEST_HEADER > unit)
    return `verify_offset=${verify_offset} leaves no room for a header`;
  return null;
}

function waitProblem(job: Job, before: readonly Job[]): string | null {
  const { wait_for } = job;
  const names = before.map(({ name }) => name);
  if (wait_for === '' || names.includes(wait_for)) return null;
  return sentenceAbout(
    job,
    `wait_for=${wait_for}: no job of that name stands before it${suggestion(wait_for, names)}`,
  );
}

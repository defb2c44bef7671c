/**
 * Reads a fio job file: sections, `key=value` lines, comments, ${ENVIRONMENT}. `[global]` applies to the jobs after it.
 * Every mistake is a UserError with file, line, key and the nearest known one.
 * Not here: what a key means (keys.ts), sizes of namespaces (targets.ts).
 */
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import { IGNORED, OPTIONS, SYNCHRONOUS, UNSUPPORTED } from './keys.ts';
import { DEFAULT_OPTIONS, type JobOptions, type Triple } from './options.ts';

/** One job of the file with its clones still together. */
export interface Job extends Readonly<JobOptions> {
  readonly name: string;
  /** `FILE:LINE` of the section's head, for errors that are found later. */
  readonly where: string;
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
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Parses the text of `file`. With `only`, jobs of other names are left out. Throws UserError for the first mistake. */
export function parseJobFile(
  text: string,
  file: string,
  environment: Environment = {},
  only: readonly string[] = [],
): JobFile {
  const sections: Section[] = [];
  const globals: [string, string][] = [];
  const ignored = new Set<string>();
  let base = DEFAULT_OPTIONS;
  let section: Section | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const where = `${file}:${index + 1}`;
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const head = /^\[(.+)\]$/.exec(line);
    if (head !== null) {
      if (section?.name === 'global') base = section.options;
      const name = head[1]!;
      const given = name === 'global' ? globals : [];
      section = { name, line: index + 1, options: { ...base }, given };
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
    const expanded = expand(value, where, environment);
    const mistake = setOption(section.options, key, expanded);
    if (mistake !== null)
      throw new UserError(`${where}: ${OPTIONS.has(key) ? `${key}=${expanded}: ` : ''}${mistake}`);
    if (IGNORED.has(key)) ignored.add(key);
  }
  const chosen = only.length === 0 ? sections : chosenSections(sections, only, file);
  if (chosen.length === 0) throw new UserError(`${file}: no job in this file; a job begins with [name]`);
  const notes = [...ignored].map((key) => `note: ${key} changes nothing here: ${IGNORED.get(key)}`);
  const jobs = chosen.map((each) => finish(each, file));
  for (const [index, job] of jobs.entries()) refuseWait(job, jobs.slice(0, index));
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

function expand(text: string, where: string, environment: Environment): string {
  return text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = environment[name];
    if (value === undefined) throw new UserError(`${where}: the environment has no variable ${name}`);
    return value;
  });
}

/** Checks what only the whole section can tell, and derives what follows from it. */
function finish({ name, line, options, given }: Section, file: string): Job {
  const where = `${file}:${line}`;
  const refused = contradiction(options);
  if (refused !== null) throw new UserError(`${where}: job "${name}": ${refused}`);
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
    where,
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

/** Why options do not fit together, or null. */
function contradiction(options: JobOptions): string | null {
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

function refuseWait(job: Job, before: readonly Job[]): void {
  const names = before.map(({ name }) => name);
  if (job.wait_for === '' || names.includes(job.wait_for)) return;
  throw new UserError(
    `${job.where}: job "${job.name}": wait_for=${job.wait_for}: no job of that name stands before it` +
      suggestion(job.wait_for, names),
  );
}

/**
 * Reads a fio job file: sections, `key=value` lines, comments, ${ENVIRONMENT}. `[global]` applies to the jobs after it.
 * Every mistake is a UserError with file, line, key and the nearest known one.
 * Not here: what a key means (options.ts), sizes of namespaces (targets.ts).
 */
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../user-error.ts';
import { DEFAULT_OPTIONS, IGNORED, type JobOptions, OPTIONS, SYNCHRONOUS } from './options.ts';

/** One job of the file with its clones still together. */
export interface Job extends Readonly<JobOptions> {
  readonly name: string;
  /** `FILE:LINE` of the section's head, for errors that are found later. */
  readonly where: string;
  readonly random: boolean;
  readonly reads: boolean;
  readonly writes: boolean;
}

export interface JobFile {
  readonly jobs: readonly Job[];
  /** Sentences about keys that were accepted and change nothing, one per key. */
  readonly notes: readonly string[];
}

interface Section {
  readonly name: string;
  readonly line: number;
  readonly options: JobOptions;
}

/** Parses the text of `file`. Throws UserError for the first mistake. */
export function parseJobFile(
  text: string,
  file: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): JobFile {
  const sections: Section[] = [];
  const ignored = new Set<string>();
  let globals = DEFAULT_OPTIONS;
  let section: Section | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const where = `${file}:${index + 1}`;
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const head = /^\[(.+)\]$/.exec(line);
    if (head !== null) {
      if (section?.name === 'global') globals = section.options;
      section = { name: head[1]!, line: index + 1, options: { ...globals } };
      if (section.name !== 'global') sections.push(section);
      continue;
    }
    if (section === undefined) throw new UserError(`${where}: "${line}" stands before the first [section]`);
    const key = setOption(section.options, expand(line, where, environment), where);
    if (key !== null) ignored.add(key);
  }
  if (sections.length === 0) throw new UserError(`${file}: no job in this file; a job begins with [name]`);
  const notes = [...ignored].map((key) => `note: ${key} changes nothing here and is ignored`);
  return { jobs: sections.map((each) => finish(each, file)), notes };
}

/** Sets one option from its line; returns its key when it is one that changes nothing. */
function setOption(options: JobOptions, line: string, where: string): string | null {
  const equals = line.indexOf('=');
  const key = (equals === -1 ? line : line.slice(0, equals)).trim();
  const value = equals === -1 ? '' : line.slice(equals + 1).trim();
  if (IGNORED.has(key)) return key;
  const rule = OPTIONS.get(key);
  if (rule === undefined) {
    throw new UserError(`${where}: unknown key "${key}"${suggestion(key, [...OPTIONS.keys(), ...IGNORED])}`);
  }
  const refused = rule(options, value);
  if (refused !== null) throw new UserError(`${where}: ${key}=${value}: ${key} ${refused}`);
  return null;
}

function expand(
  line: string,
  where: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  return line.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    const value = environment[name];
    if (value === undefined) throw new UserError(`${where}: the environment has no variable ${name}`);
    return value;
  });
}

/** Checks what only the whole section can tell, and derives what follows from it. */
function finish({ name, line, options }: Section, file: string): Job {
  const where = `${file}:${line}`;
  const refuse = (sentence: string): never => {
    throw new UserError(`${where}: job "${name}": ${sentence}`);
  };
  if (options.time_based && !Number.isFinite(options.runtime_ns)) refuse('time_based needs a runtime');
  if (options.verify === 'pattern' && options.verify_pattern === null)
    refuse('verify=pattern needs a verify_pattern');
  const random = options.rw.startsWith('rand');
  const kind = options.rw.replace('rand', '');
  return {
    ...options,
    iodepth: SYNCHRONOUS.includes(options.ioengine) ? 1 : options.iodepth,
    name,
    where,
    random,
    reads: kind !== 'write',
    writes: kind !== 'read',
  };
}

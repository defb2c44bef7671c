/**
 * The options of a fio job that this engine honours, maps or only accepts, each with the rule that reads its text.
 * Names and defaults are fio's (HOWTO, "Job file parameters"). A rule returns the reason why a text is refused.
 * Not here: sections and lines (job-file.ts), what the options do (engine.ts).
 */

import { suggestion } from '../../support/nearest.ts';
import { formatSize, parseSize } from '../../support/numbers.ts';
import { parsePattern, type VerifyPattern } from './pattern.ts';

/** An amount in bytes, or a share of the namespace. */
export type Amount = { readonly bytes: number } | { readonly percent: number };
export type VerifyMethod = 'none' | 'crc32c' | 'pattern';

/** One job as written. Keys are fio's own; those with another unit than fio's carry it in the name. */
export interface JobOptions {
  rw: string;
  /** Bytes of one read and of one write. */
  bs: readonly [read: number, write: number];
  ioengine: string;
  iodepth: number;
  numjobs: number;
  filename: string;
  /** null: up to the end of the namespace. */
  size: Amount | null;
  offset: Amount;
  /** Added to `offset` for each further clone of the job. */
  offset_increment: Amount;
  /** Bytes to move in all; null: `size`. */
  io_size: Amount | null;
  runtime_ns: number;
  time_based: boolean;
  stonewall: boolean;
  rwmixread: number;
  randseed: number;
  norandommap: boolean;
  verify: VerifyMethod;
  verify_pattern: VerifyPattern | null;
  do_verify: boolean;
  /** Completions are found by polling memory; false: by interrupt. fio's libaio waits, a user-space driver polls. */
  hipri: boolean;
  group_reporting: boolean;
  percentile_list: readonly number[];
}

/** fio's defaults, but for `filename` (the first namespace) and `hipri` (a user-space driver polls). */
export const DEFAULT_OPTIONS: JobOptions = {
  rw: 'read',
  bs: [4096, 4096],
  ioengine: 'vfio',
  iodepth: 1,
  numjobs: 1,
  filename: 'nvme0n1',
  size: null,
  offset: { bytes: 0 },
  offset_increment: { bytes: 0 },
  io_size: null,
  runtime_ns: Number.POSITIVE_INFINITY,
  time_based: false,
  stonewall: false,
  rwmixread: 50,
  randseed: 0,
  norandommap: false,
  verify: 'none',
  verify_pattern: null,
  do_verify: true,
  hipri: true,
  group_reporting: false,
  percentile_list: [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99],
};

/** Reads a text into the options; returns why it is refused, or null. A flag without `=value` has an empty text. */
export type OptionRule = (options: JobOptions, text: string) => string | null;

/** Keys of JobOptions whose value is a `Type`. */
type KeysOf<Type> = {
  [Key in keyof JobOptions]: JobOptions[Key] extends Type ? Key : never;
}[keyof JobOptions];

const integer = (key: KeysOf<number>, low: number, high: number): OptionRule => {
  return (options, text) => {
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= low && value <= high)) return `takes a whole number from ${low} to ${high}`;
    options[key] = value;
    return null;
  };
};

const flag = (key: KeysOf<boolean>): OptionRule => {
  return (options, text) => {
    if (!/^[01]?$/.test(text)) return 'takes 0 or 1';
    options[key] = text !== '0';
    return null;
  };
};

const choice = (key: KeysOf<string>, choices: readonly string[]): OptionRule => {
  return (options, text) => {
    if (!choices.includes(text)) return `takes one of ${choices.join(' ')}${suggestion(text, choices)}`;
    options[key] = text as never;
    return null;
  };
};

const amount = (key: 'size' | 'offset' | 'offset_increment' | 'io_size'): OptionRule => {
  return (options, text) => {
    const percent = /^(\d{1,3})%$/.exec(text);
    const bytes = parseSize(text);
    if (percent !== null && Number(percent[1]) <= 100) options[key] = { percent: Number(percent[1]) };
    else if (Number.isSafeInteger(bytes)) options[key] = { bytes };
    else return 'takes a size such as 4096, 64k, 1m, 2g, or a share such as 50%';
    return null;
  };
};

const SMALLEST_BLOCK = 512;
const LARGEST_BLOCK = 0x400_0000;

const blockSize: OptionRule = (options, text) => {
  const parts = text.split(',').map(parseSize);
  const valid = (bytes: number) =>
    Number.isInteger(bytes / SMALLEST_BLOCK) && bytes > 0 && bytes <= LARGEST_BLOCK;
  if (parts.length > 3 || !parts.every(valid)) {
    return `takes one size, or read,write, in multiples of ${SMALLEST_BLOCK} up to ${formatSize(LARGEST_BLOCK)}`;
  }
  options.bs = [parts[0]!, parts[1] ?? parts[0]!];
  return null;
};

const NANOSECONDS: Record<string, number> = { us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9, d: 86_400e9 };

const runtime: OptionRule = (options, text) => {
  const match = /^(\d+)(us|ms|s|m|h|d)?$/.exec(text);
  if (match === null) return 'takes a time such as 10, 10s, 500ms or 100us';
  const time = Number(match[1]) * NANOSECONDS[match[2] ?? 's']!;
  options.runtime_ns = time === 0 ? Number.POSITIVE_INFINITY : time;
  return null;
};

const percentiles: OptionRule = (options, text) => {
  const list = text.split(':').map(Number);
  if (list.length > 20 || !list.every((percent) => percent > 0 && percent <= 100)) {
    return 'takes up to 20 percentages separated by colons, such as 50:99:99.9';
  }
  options.percentile_list = list.sort((a, b) => a - b);
  return null;
};

const verifyPattern: OptionRule = (options, text) => {
  options.verify_pattern = parsePattern(text);
  return options.verify_pattern === null
    ? 'takes a number such as 0xdeadbeef, a "text", %o, or a mix of them'
    : null;
};

const fileName: OptionRule = (options, text) => {
  if (text === '' || text.includes(':'))
    return 'takes one namespace such as nvme0n1, or the path of one image';
  options.filename = text;
  return null;
};

const rwmixwrite: OptionRule = (options, text) => {
  const refused = integer('rwmixread', 0, 100)(options, text);
  if (refused === null) options.rwmixread = 100 - options.rwmixread;
  return refused;
};

/** Engines that hold one command at a time, whatever `iodepth` says. */
export const SYNCHRONOUS = ['sync', 'psync', 'vsync', 'pvsync', 'pvsync2'];
/** Every engine is ours; the names say whether a job keeps a queue. */
const ENGINES = ['vfio', 'emu', 'libaio', 'io_uring', 'posixaio', ...SYNCHRONOUS];
const PATTERNS = ['read', 'write', 'randread', 'randwrite', 'rw', 'readwrite', 'randrw'];

const TABLE: Record<string, OptionRule> = {
  rw: choice('rw', PATTERNS),
  bs: blockSize,
  ioengine: choice('ioengine', ENGINES),
  iodepth: integer('iodepth', 1, 4095),
  numjobs: integer('numjobs', 1, 64),
  filename: fileName,
  size: amount('size'),
  offset: amount('offset'),
  offset_increment: amount('offset_increment'),
  io_size: amount('io_size'),
  runtime,
  time_based: flag('time_based'),
  stonewall: flag('stonewall'),
  rwmixread: integer('rwmixread', 0, 100),
  rwmixwrite,
  randseed: integer('randseed', 0, Number.MAX_SAFE_INTEGER),
  norandommap: flag('norandommap'),
  verify: choice('verify', ['none', 'crc32c', 'pattern']),
  verify_pattern: verifyPattern,
  do_verify: flag('do_verify'),
  hipri: flag('hipri'),
  group_reporting: flag('group_reporting'),
  percentile_list: percentiles,
};

export const OPTIONS: ReadonlyMap<string, OptionRule> = new Map([
  ...Object.entries(TABLE),
  ['readwrite', TABLE.rw!],
  ['blocksize', TABLE.bs!],
  ['io_limit', TABLE.io_size!],
  ['wait_for_previous', TABLE.stonewall!],
]);

/** Options that change nothing here: there is no page cache, no file layout and no host scheduler below this engine. */
export const IGNORED: ReadonlySet<string> = new Set(
  (
    'direct buffered thread invalidate refill_buffers allow_file_create directory create_serialize create_fsync ' +
    'create_on_open nice prio prioclass cpus_allowed name description'
  ).split(' '),
);

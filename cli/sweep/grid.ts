/**
 * The runs of a sweep: every combination of boards, values of job-file keys, and seeds. A run is plain data that says all
 * there is to know, so that any machine can do it, and is named by what it says. Not here: doing one (run.ts).
 */
import { createHash } from 'node:crypto';
import type { Board } from '../../boards/index.ts';
import { UserError } from '../../support/user-error.ts';
import { setOption } from '../fio/job-file.ts';
import { DEFAULT_OPTIONS } from '../fio/options.ts';

/** A key of the job file and the values it takes. */
export interface Axis {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Run {
  /** Hash of board, job and seed: equal runs have equal keys. */
  readonly key: string;
  readonly board: Board;
  /** Name and text of the job file, the settings of this run in it. */
  readonly file: string;
  readonly job: string;
  readonly seed: number;
  /** What sets this run apart from others of its sweep, for people. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface Grid {
  readonly boards: readonly Board[];
  readonly file: string;
  readonly job: string;
  readonly axes: readonly Axis[];
  readonly seeds: readonly number[];
}

/** `iodepth=1 seed=2` */
export const settingsText = (settings: Run['settings']): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/** More runs than that are a slip of the keyboard. */
const MOST_RUNS = 100_000;

/** All runs, the last axis and then the seed turning fastest. Throws UserError for a grid without end. */
export function expand({ boards, file, job, axes, seeds }: Grid): Run[] {
  const count = axes.reduce((product, { values }) => product * values.length, boards.length * seeds.length);
  if (count > MOST_RUNS) throw new UserError(`sweep: ${count} runs; the most is ${MOST_RUNS}`);
  const combinations = axes.reduce<Record<string, string>[]>(
    (all, { key, values }) => all.flatMap((one) => values.map((value) => ({ ...one, [key]: value }))),
    [{}],
  );
  return boards.flatMap((board) =>
    combinations.flatMap((keys) => {
      const text = withSettings(job, keys);
      return seeds.map((seed) => {
        const settings = { board: board.name, ...keys, seed: String(seed) };
        return { key: keyOf(board, text, seed), board, file, job: text, seed, settings };
      });
    }),
  );
}

function keyOf(board: Board, job: string, seed: number): string {
  return createHash('sha256')
    .update(JSON.stringify([board, job, seed]))
    .digest('hex')
    .slice(0, 20);
}

/** The job file with these keys set in every job, in place of what it says itself; line numbers stay. */
export function withSettings(job: string, settings: Readonly<Record<string, string>>): string {
  const additions = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  if (additions.length === 0) return job;
  const lines = job.trimEnd().split(/\r?\n/);
  const isHead = (line: string): boolean => /^\s*\[.+\]\s*$/.test(line);
  return `${lines
    .filter((line) => !additions.some((addition) => sameKey(line, addition)))
    .flatMap((line) => (isHead(line) && !line.includes('[global]') ? [line, ...additions] : [line]))
    .join('\n')}\n`;
}

const keyIn = (line: string): string => line.split('=')[0]!.trim();
const sameKey = (line: string, addition: string): boolean => keyIn(line) === keyIn(addition);

/** `iodepth=1,2,4`, or `iodepth=1..32` for powers of two. Throws UserError. */
export function parseAxis(text: string): Axis {
  const [word = '', ...rest] = text.split('=');
  const key = word.trim();
  const list = rest.join('=');
  if (key === '' || list === '') throw new UserError(`--vary ${text}: it is KEY=VALUE,VALUE,…`);
  const range = /^(\d+)\.\.(\d+)$/.exec(list);
  const values = range === null ? list.split(',') : powers(Number(range[1]), Number(range[2]));
  if (values.length === 0)
    throw new UserError(`--vary ${text}: a range goes up: ${key}=${range![2]}..${range![1]} would`);
  const twice = values.find((value, index) => values.indexOf(value) !== index);
  if (twice !== undefined) throw new UserError(`--vary ${text}: the value ${twice} stands there twice`);
  for (const value of values) {
    const mistake = setOption({ ...DEFAULT_OPTIONS }, key, value);
    if (mistake !== null) throw new UserError(`--vary ${key}=${value}: ${mistake}`);
  }
  return { key, values };
}

/** What to say of `--vary iodepth=1..33`: where the range does not end on one of its values; null otherwise. */
export function rangeNote(text: string): string | null {
  const last = /\.\.(\d+)$/.exec(text)?.[1];
  if (last === undefined) return null;
  const { values } = parseAxis(text);
  if (values.includes(String(Number(last)))) return null;
  return `--vary ${text}: each value of a range is twice the one before: ${values.join(', ')}`;
}

function powers(first: number, last: number): string[] {
  const values: string[] = [];
  for (let value = Math.max(1, first); value <= last; value *= 2) values.push(String(value));
  return values;
}

/** `1..3` or `1,5,7`. Throws UserError. */
export function parseSeeds(text: string): number[] {
  const range = /^(\d+)\.\.(\d+)$/.exec(text);
  const [first, last] = range === null ? [0, -1] : [Number(range[1]), Number(range[2])];
  const seeds =
    range === null
      ? text.split(',').map((word) => (/^\d+$/.test(word) ? Number(word) : Number.NaN))
      : Array.from({ length: Math.min(Math.max(0, last - first + 1), MOST_RUNS + 1) }, (_, n) => first + n);
  if (seeds.length > 0 && seeds.every(Number.isSafeInteger)) return seeds;
  throw new UserError(`--seeds ${text}: it is 1..3 or 1,5,7`);
}

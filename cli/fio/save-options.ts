/**
 * What `--save`, `--save-at`, `--save-only`, `--restore`, `--overwrite-images` and `--record` ask for together, and what
 * does not go together. Not here: doing it (saved-run.ts, recording.ts).
 */
import { resolve } from 'node:path';
import { UserError } from '../../support/user-error.ts';
import type { AnyPace } from '../pace.ts';
import { parseTime } from './rules.ts';
import { OVERWRITE_IMAGES, type SavedRun, type SaveRequest } from './saved-run.ts';

export interface StateOptions {
  readonly save?: string;
  readonly 'save-at'?: string;
  readonly restore?: string;
  readonly record?: string;
}

/** Options that change nothing about the run that is restored. */
const BESIDE_RESTORE = ['restore', 'output', 'output-format', 'record', 'save', 'save-at'];
const ONLY = '--save-only';

/** Throws UserError for what `--restore` has in its file. */
export function refuseBeside(
  options: Readonly<Record<string, unknown>>,
  jobs: readonly string[],
  flags: ReadonlySet<string>,
): void {
  const wrong =
    jobs[0] ??
    Object.keys(options)
      .filter((key) => !BESIDE_RESTORE.includes(key))
      .map((key) => `--${key}`)[0] ??
    [...flags].find((flag) => flag !== ONLY && flag !== OVERWRITE_IMAGES);
  if (wrong === undefined) return;
  throw new UserError(`fio: ${wrong} cannot stand beside --restore: board, jobs and seed are in its file`);
}

/** How the run is to be saved; null: not at all. `saved` is the run that goes on, if one does. Throws UserError. */
export function saveRequest(
  { save: path, 'save-at': at, restore }: StateOptions,
  isLast: boolean,
  pace: AnyPace,
  saved: SavedRun | null,
): SaveRequest | null {
  if (path === undefined && at === undefined && !isLast) return null;
  if (path === undefined || at === undefined)
    throw new UserError('fio: --save FILE and --save-at TIME go together, with or without --save-only');
  if (pace !== 'timed')
    throw new UserError(`--save: a run is saved with --pace timed (the default) alone: ${because(pace)}`);
  if (restore !== undefined && resolve(restore) === resolve(path))
    throw new UserError(`--save ${path}: the run that goes on is in that file; give another one`);
  const at_ns = parseTime(at, 's');
  if (!(at_ns > 0)) throw new UserError(`--save-at ${at}: it takes a time such as 10, 500ms or 2m`);
  if (saved !== null && at_ns <= saved.at_ns)
    throw new UserError(
      `--save-at ${at}: the run was saved at ${saved.at_ns / 1e6} ms and goes on from there`,
    );
  return { path, at_ns, isLast };
}

/** Why a run of another pace cannot be had again, and what to do. */
const because = (pace: AnyPace): string =>
  `with --pace ${pace} the order of events hangs on how fast this computer is just then, so the same run cannot be had ` +
  'again; leave --pace out, and figures are of simulated time';

/** Throws UserError where a trace cannot be recorded. */
export function refuseRecord({ record }: StateOptions, pace: AnyPace, saved: SavedRun | null): void {
  if (record === undefined) return;
  if (pace !== 'timed')
    throw new UserError(
      `--record: a run is recorded with --pace timed (the default) alone: ${because(pace)}`,
    );
  if (saved !== null && !saved.isRecorded)
    throw new UserError('--record: the run was saved without it, so that its trace up to there is not known');
}

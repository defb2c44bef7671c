/**
 * The state of a run in the middle of a stage: the machine, the drivers' queues, and what jobs have counted and are about
 * to do. It is taken between two events, when no thread has anything to do; what loads it has prepared the same stages.
 * Not here: the file and what the run is made of (saved-run.ts), when it is taken (engine.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { UserError } from '../../support/user-error.ts';
import type { AnyMachine } from '../pace.ts';
import type { Clone } from './clone.ts';
import type { Drives } from './drives.ts';
import type { JobLogs } from './logs.ts';
import type { JobStats } from './stats.ts';
import type { Timeouts } from './timeouts.ts';

/** Where a run stands. Times are of the clock that measures. */
export interface Progress {
  /** Number of the stage, from 0. */
  stage: number;
  /** Until when all clones wait, if the machine does not wake one of them before. */
  next: number;
  /** When the present stage began, and when all jobs end. */
  beganAt: number;
  stopAt: number;
  /** Simulated time when the present stage began. */
  startedAt: number;
  /** What earlier stages took. */
  simulated_ns: number;
  measured_ns: number;
  /** Why no further stage begins; empty while they do. What is `saved` ends at once, with its commands under way. */
  ended: '' | 'stopped' | 'exitall' | 'saved';
}

export interface RunState {
  readonly machine: AnyMachine;
  readonly drives: Drives;
  readonly progress: Progress;
  readonly timeouts: Timeouts;
  /** Of every clone so far, and of those of the present stage. */
  readonly stats: readonly JobStats[];
  readonly clones: readonly Clone[];
  /** Log files of clones of earlier stages. */
  readonly logs: readonly JobLogs[];
}

/** Saves or loads a run. Throws ArchiveError for what cannot be saved or does not fit. */
export function archiveRun(a: Archive, run: RunState): void {
  const { machine, drives, progress, timeouts, stats, clones, logs } = run;
  if (machine.pace !== 'timed') throw new UserError('only runs at the timed pace can be saved');
  machine.archive(a);
  a.section('drivers', 1, () => drives.archive(a));
  a.section('jobs', 1, () => {
    Object.assign(progress, a.value(progress));
    timeouts.archive(a);
    a.same(stats.length, 'the number of jobs');
    for (const each of [...stats, ...logs]) each.archive(a);
    for (const clone of clones) clone.archive(a);
  });
}

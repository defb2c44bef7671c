/**
 * Runs jobs on a booted machine: stonewall groups one after the other, the clones of a group side by side as simulated
 * threads. Whenever no thread can go on, the machine runs until something happens; when nothing ever will, that is said.
 * At the functional pace simulated time stands still, so times are the host's. The emulated CPU's clock is one: a store
 * to a doorbell by one thread delays the others by its cost.
 */
import { setImmediate } from 'node:timers/promises';
import { type Archive, ArchiveError } from '../../support/archive.ts';
import { UserError } from '../../support/user-error.ts';
import type { AnyMachine } from '../pace.ts';
import { RunClock } from './clock.ts';
import type { Clone } from './clone.ts';
import type { OnCompletion } from './clone-parts.ts';
import { type DriverOptions, Drives } from './drives.ts';
import type { Job } from './job-file.ts';
import type { JobLogs, LogText } from './logs.ts';
import { archiveRun, type Progress } from './saved-state.ts';
import { plansOf, prepare } from './stage.ts';
import type { JobStats } from './stats.ts';
import type { Targets } from './targets.ts';
import { Timeouts } from './timeouts.ts';

export interface RunOptions {
  readonly machine: AnyMachine;
  readonly jobs: readonly Job[];
  readonly targets: Targets;
  readonly seed: number;
  /** The host's clock in nanoseconds. */
  readonly hostNow: () => number;
  /** What the driver is asked for. */
  readonly driver?: DriverOptions;
  /** Called when the first stage that runs is ready to. */
  readonly onBegin?: () => void;
  /** Called a few times per second of host time while jobs run. */
  readonly onProgress?: (clones: readonly Clone[], elapsed_ns: number) => void;
  /** Called for every completion of every clone. */
  readonly onCompletion?: OnCompletion;
  /** Ends all jobs after exactly so much simulated time, or as much of the host's where that is what is measured. */
  readonly stopAfter_ns?: number;
  /** Ends all jobs as soon as it is aborted. */
  readonly signal?: AbortSignal;
  /** Saves the run on its way; the timed pace only. */
  readonly save?: SaveOptions;
  /** Goes on with a saved run of these jobs on a machine that has just been booted. */
  readonly restore?: RestoreOptions;
}

export interface SaveOptions {
  /** How long the jobs run before: the state is that of the first moment from then on in which no thread can go on. */
  readonly at_ns: number;
  readonly archive: Archive;
  /** Called when all is in `archive`. Returns whether the jobs go on. */
  readonly onSaved: () => boolean;
}

export interface RestoreOptions {
  readonly archive: Archive;
  /** Called when all that was saved has been loaded. */
  readonly onLoaded: () => void;
}

export interface RunResult {
  /** One entry for each clone, in the order of the job file. */
  readonly clones: readonly JobStats[];
  readonly simulated_ns: number;
  readonly host_ns: number;
  /** Log files that jobs asked for. */
  readonly logs: readonly LogText[];
  /** How long jobs had run when all were ended before they were done; null: they were not. */
  readonly stoppedAfter_ns: number | null;
}

/** The host's clock is looked at after so many rounds; progress is told, and signals are heard, after so many ns. */
const ROUNDS = 256;
const LOOK_NS = 100e6;

/** Runs all jobs. Throws UserError for jobs that cannot be and for a machine that falls silent. */
export async function runJobs(options: RunOptions): Promise<RunResult> {
  const { machine, jobs, targets, hostNow } = options;
  const drives = await Drives.open(machine, targets, jobs, options.driver ?? {});
  const clock = new RunClock(machine, hostNow);
  const progress: Progress = { ...BEGINNING };
  const timeouts = new Timeouts(drives, clock);
  const saveAfter_ns = options.save?.at_ns ?? NEVER;
  const run: Run = { options, drives, clock, timeouts, stats: [], logs: [], progress, saveAfter_ns };
  const parts = { ...run, machine, seed: options.seed, onCompletion: options.onCompletion ?? null };
  const first = options.restore?.archive.value(0) ?? 0;
  let host_ns = 0;
  try {
    for (const [number, stage] of plansOf(jobs, drives).entries()) {
      if (progress.ended !== '') break;
      const { clones, workplaces, recorders } = await prepare(stage, parts);
      // Stages before the one that was saved are prepared only, so that the kernel has seen the same calls.
      if (number >= first) {
        if (number === first) options.onBegin?.();
        const hostStart = hostNow();
        beginStage(number, clones, run, number === first ? options.restore : undefined);
        await runStage(clones, run);
        endStage(run);
        host_ns += hostNow() - hostStart;
        if (run.progress.ended === 'saved') break;
        await drain(clones, run);
        for (const recorder of recorders) recorder.end();
      }
      for (const { logs } of recorders) if (logs !== null) run.logs.push(logs);
      for (const workplace of workplaces) await workplace.close();
    }
    // Image files stay as they were saved: drives that are closed end their writes first.
    if (progress.ended !== 'saved') await drives.close();
  } catch (error) {
    // What went wrong first is what the user needs; a drive that hangs will not close cleanly either. State that was
    // refused is in the machine by then, and its writes must not get into image files.
    if (!(error instanceof ArchiveError)) await drives.close().catch(() => {});
    throw error;
  }
  const { simulated_ns, measured_ns } = progress;
  const stoppedAfter_ns = progress.ended === 'stopped' ? measured_ns : null;
  return {
    clones: run.stats,
    simulated_ns,
    host_ns,
    logs: run.logs.flatMap((logs) => logs.texts()),
    stoppedAfter_ns,
  };
}

/** What a run carries from one stage to the next. */
interface Run {
  readonly options: RunOptions;
  readonly drives: Drives;
  readonly clock: RunClock;
  readonly timeouts: Timeouts;
  readonly stats: JobStats[];
  /** Of clones of stages that are over. */
  readonly logs: JobLogs[];
  readonly progress: Progress;
  /** How long jobs run until the run is saved; Infinity where it is not, or has been. */
  saveAfter_ns: number;
}

const NEVER = Number.POSITIVE_INFINITY;
const BEGINNING: Progress = {
  stage: 0,
  next: 0,
  beganAt: 0,
  stopAt: NEVER,
  startedAt: 0,
  simulated_ns: 0,
  measured_ns: 0,
  ended: '',
};

/** A stage begins now, or goes on where it was saved. */
function beginStage(stage: number, clones: readonly Clone[], run: Run, restore?: RestoreOptions): void {
  const { clock, progress } = run;
  const { machine, stopAfter_ns = NEVER } = run.options;
  progress.startedAt = machine.kernel.now();
  progress.beganAt = clock.measured();
  progress.stopAt = progress.beganAt + stopAfter_ns - progress.measured_ns;
  progress.stage = stage;
  run.timeouts.dueAt = progress.beganAt;
  if (restore !== undefined) {
    archiveRun(restore.archive, { ...run, machine, clones });
    restore.onLoaded();
    const { kernel } = machine;
    // It was saved when all clones had done what they could, and before the machine went on.
    if (progress.next > kernel.now()) kernel.relax(progress.next);
  }
}

function endStage({ clock, progress, options }: Run): void {
  const took_ns = Math.min(clock.measured(), progress.stopAt) - progress.beganAt;
  progress.measured_ns += took_ns;
  progress.simulated_ns += clock.isSimulated ? took_ns : options.machine.kernel.now() - progress.startedAt;
}

/** Runs the clones of a stage until all are done. Now and then progress is told, and the host's signals get their turn. */
async function runStage(clones: readonly Clone[], run: Run): Promise<void> {
  const { hostNow, onProgress, signal } = run.options;
  const exits = new Set(clones.filter(({ job }) => job.exitall || job.exitall_on_error));
  const startedAt = hostNow();
  let toldAt = startedAt;
  for (;;) {
    const outcome = advance(clones, exits, run);
    if (outcome === 'done') return;
    if (outcome === 'late' || outcome === 'silent') await endLate(clones, run, outcome === 'silent');
    const now = hostNow();
    if (now - toldAt < LOOK_NS) continue;
    toldAt = now;
    onProgress?.(clones, now - startedAt);
    if (signal === undefined) continue;
    await setImmediate();
    // Later than now, so that a run that is told to stop then ends in the same way.
    if (signal.aborted) run.progress.stopAt = Math.min(run.progress.stopAt, run.clock.measured() + 1);
  }
}

/** Ends commands that are late. Throws when nothing can go on after that. */
async function endLate(clones: readonly Clone[], run: Run, isSilent: boolean): Promise<void> {
  if (!(await run.timeouts.look(clones, isSilent))) throw silence(clones, run.options.machine);
}

/** All clones are done; some can go on; commands may be late; nothing is left to happen. */
type Outcome = 'done' | 'more' | 'late' | 'silent';

/** Lets every clone do what it can, then the machine, for a number of rounds. */
function advance(clones: readonly Clone[], exits: ReadonlySet<Clone>, run: Run): Outcome {
  const { clock } = run;
  const { stopAt, beganAt, measured_ns } = run.progress;
  let saveAt = beganAt + run.saveAfter_ns - measured_ns;
  const { machine } = run.options;
  const { kernel } = machine;
  const { dueAt } = run.timeouts;
  const machineStop = clock.isSimulated ? stopAt : NEVER;
  const limit = clock.isSimulated ? Math.min(stopAt, dueAt) : NEVER;
  for (let round = 0; round < ROUNDS; round++) {
    let running = 0;
    let next = limit;
    for (const clone of clones) {
      if (clone.isDone) continue;
      clone.step();
      if (clone.isDone) {
        if (exits.has(clone)) exitAll(clone, clones, run);
        next = 0; // others may have waited for this one
        continue;
      }
      running++;
      next = Math.min(next, clone.readyAt);
    }
    if (running === 0) return 'done';
    const now = kernel.now();
    if (now >= machineStop) return stopAll(clones, run);
    if (now >= saveAt) {
      run.progress.next = next;
      saveAt = NEVER;
      if (save(clones, run)) return 'done';
    }
    if (now >= limit) return 'late';
    if (next > now && !kernel.relax(next)) return 'silent';
  }
  const measured = clock.measured();
  if (measured >= stopAt) return stopAll(clones, run);
  return measured >= dueAt ? 'late' : 'more';
}

/** Saves the run. Returns true when it ends here. */
function save(clones: readonly Clone[], run: Run): boolean {
  const { machine, save: options } = run.options;
  const { archive, onSaved } = options!;
  run.saveAfter_ns = NEVER;
  archive.value(run.progress.stage);
  archiveRun(archive, { ...run, machine, clones });
  if (onSaved()) return false;
  run.progress.stopAt = run.clock.measured();
  stopAll(clones, run);
  run.progress.ended = 'saved';
  return true;
}

/** Ends every clone at the time to stop: what was done by then counts. */
function stopAll(clones: readonly Clone[], run: Run): 'done' {
  run.progress.ended = 'stopped';
  for (const clone of clones) clone.cut(run.progress.stopAt);
  return 'done';
}

/** Waits for commands that were under way when their clones were ended, so that their memory can go. */
async function drain(clones: readonly Clone[], run: Run): Promise<void> {
  const { kernel } = run.options.machine;
  for (const clone of clones) {
    while (clone.drain() > 0) if (!kernel.relax(NEVER)) await endLate(clones, run, true);
  }
}

/** `exitall`: the end of one job is that of others. */
function exitAll(ended: Clone, clones: readonly Clone[], run: Run): void {
  const { exitall, exit_what } = ended.job;
  if (!exitall && ended.stats.errno === 0) return;
  if (exit_what === 'all') run.progress.ended ||= 'exitall';
  const { group } = ended.stats;
  for (const clone of clones) if (exit_what !== 'group' || clone.stats.group === group) clone.stop();
}

/** Commands are outstanding, and no event is left that could complete them. */
function silence(clones: readonly Clone[], machine: AnyMachine): UserError {
  const waiting = clones.filter((clone) => !clone.isDone || clone.outstanding > 0);
  const commands = waiting.reduce((sum, clone) => sum + clone.outstanding, 0);
  const names = [...new Set(waiting.map(({ stats }) => `"${stats.job.name}"`))].join(', ');
  const because = machine.explain().slice(-3);
  return new UserError(
    `${commands} command${commands === 1 ? '' : 's'} of ${names} will never complete: nothing is left to happen in the ` +
      `machine${because.length === 0 ? '' : `; last it said: ${because.join('; ')}`}`,
    1,
  );
}

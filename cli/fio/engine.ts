/**
 * Runs jobs on a booted machine: stonewall groups one after the other, the clones of a group side by side as simulated
 * threads. Whenever no thread can go on, the machine runs until something happens; when nothing ever will, that is said.
 * At the functional pace simulated time stands still, so times are the host's. The emulated CPU's clock is one: a store
 * to a doorbell by one thread delays the others by its cost.
 */
import type { Machine } from '../../boards/index.ts';
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import { type Random, random } from '../../support/random.ts';
import { UserError } from '../user-error.ts';
import { Clone, type OnCompletion, type RunClock } from './clone.ts';
import { Drives, type Workplace } from './drives.ts';
import type { Job } from './job-file.ts';
import { type Claim, refuseOverlaps, regionOf } from './region.ts';
import { JobStats } from './stats.ts';
import type { Targets } from './targets.ts';
import { type BlockVerifier, headerVerifier, patternVerifier } from './verify.ts';
import { Workload } from './workload.ts';

export interface RunOptions {
  readonly machine: Machine;
  readonly jobs: readonly Job[];
  readonly targets: Targets;
  readonly seed: number;
  /** The host's clock in nanoseconds. */
  readonly hostNow: () => number;
  /** Called a few times per second of host time while jobs run. */
  readonly onProgress?: (clones: readonly Clone[], elapsed_ns: number) => void;
  /** Called for every completion of every clone. */
  readonly onCompletion?: OnCompletion;
}

export interface RunResult {
  /** One entry for each clone, in the order of the job file. */
  readonly clones: readonly JobStats[];
  readonly simulated_ns: number;
  readonly host_ns: number;
}

/** Progress is looked at after this many rounds, and told after this many nanoseconds. */
const PROGRESS_ROUNDS = 4096;
const PROGRESS_NS = 250e6;

/** Runs all jobs. Throws UserError for jobs that cannot be and for a machine that falls silent. */
export async function runJobs(options: RunOptions): Promise<RunResult> {
  const { machine, jobs, targets, hostNow } = options;
  const drives = await Drives.open(machine, targets, jobs);
  const all: JobStats[] = [];
  let simulated_ns = 0;
  let host_ns = 0;
  try {
    for (const [group, members] of groupsOf(jobs).entries()) {
      const { clones, workplaces } = await prepare(members, group, all.length, drives, options);
      all.push(...clones.map(({ stats }) => stats));
      const startedAt = machine.kernel.now();
      const hostStart = hostNow();
      runGroup(clones, options);
      simulated_ns += machine.kernel.now() - startedAt;
      host_ns += hostNow() - hostStart;
      for (const workplace of workplaces) await workplace.close();
    }
    await drives.close();
  } catch (error) {
    // What went wrong first is what the user needs; a drive that hangs will not close cleanly either.
    await drives.close().catch(() => {});
    throw error;
  }
  return { clones: all, simulated_ns, host_ns };
}

/** Jobs that run side by side; a job with stonewall begins the next group. */
function groupsOf(jobs: readonly Job[]): Job[][] {
  const groups: Job[][] = [];
  for (const job of jobs) {
    if (groups.length === 0 || job.stonewall) groups.push([]);
    groups.at(-1)!.push(job);
  }
  return groups;
}

async function prepare(
  members: readonly Job[],
  group: number,
  before: number,
  drives: Drives,
  options: RunOptions,
): Promise<{ clones: Clone[]; workplaces: Workplace[] }> {
  const claims: Claim[] = members.flatMap((job) =>
    Array.from({ length: job.numjobs }, (_, clone) => ({
      job,
      clone,
      region: regionOf(job, clone, drives.roomOf(job)),
    })),
  );
  refuseOverlaps(claims);
  const workplaces: Workplace[] = [];
  for (const { job } of claims) workplaces.push(await drives.workplace(job, bufferBytes(job)));
  const clones = claims.map((claim, index) => {
    const id = before + index + 1;
    const stream = random(options.seed, `fio.${id}.${claim.job.name}.${claim.job.randseed}`);
    return makeClone(claim, group, id, drives, workplaces[index]!, stream, options);
  });
  return { clones, workplaces };
}

/** Room for one I/O of a job, so that each begins at a page. */
const bufferBytes = (job: Job): number => alignUp(Math.max(...job.bs), PAGE_SIZE);

function makeClone(
  { job, region }: Claim,
  group: number,
  id: number,
  drives: Drives,
  { queue, buffer, interrupt }: Workplace,
  stream: Random,
  { machine, hostNow, onCompletion }: RunOptions,
): Clone {
  const { kernel } = machine;
  const simulated = () => kernel.now();
  const clock: RunClock = { simulated, measured: machine.pace === 'timed' ? simulated : hostNow };
  const words = new Uint32Array(buffer.bytes.buffer, buffer.bytes.byteOffset, buffer.bytes.length / 4);
  for (let at = 0; at < words.length; at++) words[at] = stream.next();
  return new Clone({
    stats: new JobStats(job, group, id),
    workload: new Workload(job, region, stream),
    queue,
    ...drives.targetOf(job),
    block_bytes: drives.roomOf(job).block_bytes,
    iova: buffer.iova,
    buffer_bytes: bufferBytes(job),
    verifier: verifierOf(job, buffer.bytes, stream.next()),
    clock,
    host: machine.host,
    interrupt,
    onCompletion: onCompletion ?? null,
  });
}

function verifierOf(job: Job, buffer: Uint8Array, seed: number): BlockVerifier | null {
  const length = job.writes ? job.bs[1] : job.bs[0];
  if (job.verify === 'crc32c') return headerVerifier(buffer, length, seed);
  return job.verify === 'pattern' ? patternVerifier(buffer, length, job.verify_pattern!) : null;
}

/** Lets every clone do what it can, then the machine, until all are done. */
function runGroup(clones: readonly Clone[], { machine, hostNow, onProgress }: RunOptions): void {
  const { kernel } = machine;
  const startedAt = hostNow();
  let toldAt = startedAt;
  for (const clone of clones) clone.begin();
  for (let round = 0; ; round++) {
    let running = 0;
    let next = Number.POSITIVE_INFINITY;
    for (const clone of clones) {
      if (clone.isDone) continue;
      clone.step();
      if (clone.isDone) continue;
      running++;
      next = Math.min(next, clone.readyAt);
    }
    if (running === 0) return;
    if (next > kernel.now() && !kernel.relax(next)) throw silence(clones, machine);
    if (onProgress === undefined || round % PROGRESS_ROUNDS !== 0) continue;
    const now = hostNow();
    if (now - toldAt < PROGRESS_NS) continue;
    toldAt = now;
    onProgress(clones, now - startedAt);
  }
}

/** Commands are outstanding, and no event is left that could complete them. */
function silence(clones: readonly Clone[], machine: Machine): UserError {
  const waiting = clones.filter((clone) => !clone.isDone);
  const commands = waiting.reduce((sum, clone) => sum + clone.outstanding, 0);
  const names = [...new Set(waiting.map(({ stats }) => `"${stats.job.name}"`))].join(', ');
  const because = machine.explain().slice(-3);
  return new UserError(
    `${commands} command${commands === 1 ? '' : 's'} of ${names} will never complete: nothing is left to happen in the ` +
      `machine${because.length === 0 ? '' : `; last it said: ${because.join('; ')}`}`,
    1,
  );
}

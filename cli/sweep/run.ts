/**
 * One run of a sweep, from its description to its result. Nothing of the host is in a result: the same run gives the same
 * bytes on every machine. Not here: where results are kept (store.ts), who runs what (pool.ts, queue.ts).
 */
import { boot, type Machine } from '../../boards/index.ts';
import type { Histogram } from '../../support/histogram.ts';
import { bucketValue } from '../../support/histogram.ts';
import { UserError } from '../../support/user-error.ts';
import { type Breakdown, BreakdownRecorder } from '../breakdown.ts';
import { runJobs } from '../fio/engine.ts';
import { type Job, parseJobFile } from '../fio/job-file.ts';
import { type JobStats, mergeClones } from '../fio/stats.ts';
import { fileOf, findTargets } from '../fio/targets.ts';
import type { Run } from './grid.ts';
import { type Rate, RateRecorder } from './rate.ts';

export interface Latency {
  readonly samples: number;
  readonly min_ns: number;
  readonly max_ns: number;
  readonly mean_ns: number;
  readonly deviation_ns: number;
  /** Pairs of nanoseconds and samples, ascending: fio's buckets. */
  readonly bins: readonly (readonly [ns: number, samples: number])[];
}

export interface DirectionResult {
  readonly ios: number;
  readonly bytes: number;
  /** Simulated time in which this direction was active. */
  readonly elapsed_ns: number;
  /** From the decision to submit until the completion was taken. */
  readonly latency: Latency;
}

export interface JobResult {
  readonly name: string;
  readonly group: number;
  readonly runtime_ns: number;
  readonly software_ns: number;
  readonly read: DirectionResult;
  readonly write: DirectionResult;
  readonly trim: DirectionResult;
  /** Completions over time. */
  readonly rate: Rate;
  readonly errno: number;
  /** Why the job failed; empty when it did not. */
  readonly failure: string;
}

export interface Result {
  readonly key: string;
  readonly settings: Run['settings'];
  readonly simulated_ns: number;
  readonly jobs: readonly JobResult[];
  /** Where the time of the median command went; null when commands overlapped, so that nobody can say. */
  readonly breakdown: Breakdown | null;
}

/** The jobs of a run. Throws UserError for what no run of a sweep can be. */
export function jobsOf({ job, file }: Run): readonly Job[] {
  const { jobs } = parseJobFile(job, file);
  const foreign = jobs.find((each) => !/^(?:\/dev\/)?(?:nvme|ng)\d+n\d+$/.test(fileOf(each, 0)));
  if (foreign !== undefined) {
    throw new UserError(
      `${foreign.where}: ${fileOf(foreign, 0)}: runs of a sweep share no file; name a namespace, such as nvme0n1`,
    );
  }
  return jobs;
}

/** Throws UserError for a job that cannot be. */
export async function execute(run: Run): Promise<Result> {
  const { key, board, seed, settings } = run;
  const jobs = jobsOf(run);
  const targets = findTargets(board, jobs);
  const machine = boot(targets.board, { seed });
  const rates = new Map<Job | number, RateRecorder>();
  const recorder = isSingleFile(jobs) ? recorderFor(machine) : null;
  const { clones, simulated_ns } = await runJobs({
    machine,
    jobs,
    targets,
    seed,
    hostNow: () => 0,
    onCompletion: (created, issued, taken, clone) => {
      const counted = countedAs(clone.stats);
      if (!rates.has(counted)) rates.set(counted, new RateRecorder());
      rates.get(counted)!.record(created, taken);
      recorder?.completed(created, issued, taken);
    },
  });
  const results = mergeClones(clones).map((stats) =>
    jobResult(stats, (rates.get(countedAs(stats)) ?? new RateRecorder()).rate),
  );
  return { key, settings, simulated_ns, jobs: results, breakdown: recorder?.median() ?? null };
}

/** What `mergeClones` makes one: a group that reports together, or the clones of a job. */
const countedAs = ({ job, group }: JobStats): Job | number => (job.group_reporting ? group : job);

/** True when at most one command is in flight at any time. */
const isSingleFile = (jobs: readonly Job[]): boolean =>
  jobs.every((job, index) => job.iodepth === 1 && job.numjobs === 1 && (index === 0 || job.stonewall));

/** Listens to the machine from now on. */
function recorderFor(machine: Machine): BreakdownRecorder | null {
  const timing = machine.controllers[0]?.profile.timing;
  if (timing === undefined || timing === null) return null;
  const { fetch_ns, complete_ns } = timing;
  const recorder = new BreakdownRecorder({ host: machine.host, fetch_ns, complete_ns });
  machine.trace.listen(recorder.listener);
  return recorder;
}

function jobResult(stats: JobStats, rate: Rate): JobResult {
  const { job, group, runtime_ns, software_ns, directions, errno, failure } = stats;
  const [read, write, trim] = directions;
  return {
    name: job.name,
    group,
    runtime_ns,
    software_ns,
    read: directionResult(read),
    write: directionResult(write),
    trim: directionResult(trim),
    rate,
    errno,
    failure,
  };
}

function directionResult({ ios, bytes, elapsed_ns, lat }: JobStats['directions'][0]): DirectionResult {
  return { ios, bytes, elapsed_ns, latency: latencyOf(lat) };
}

function latencyOf(histogram: Histogram): Latency {
  const { count, min, max, mean, deviation, counts } = histogram;
  const bins = Array.from(counts).flatMap((samples, bucket) =>
    samples === 0 ? [] : [[bucketValue(bucket), samples] as const],
  );
  return {
    samples: count,
    min_ns: count === 0 ? 0 : min,
    max_ns: max,
    mean_ns: mean,
    deviation_ns: deviation,
    bins,
  };
}

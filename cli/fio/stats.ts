/**
 * What one job counted, and how the counts of clones become one. Times are nanoseconds of the run's own clock:
 * simulated at the timed pace, the host's at the functional pace. Not here: text (report.ts, json.ts, terse.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { Histogram } from '../../support/histogram.ts';
import type { Job } from './job-file.ts';
import { RateSamples } from './samples.ts';
import type { SteadyState } from './steady-state.ts';

export const READ = 0;
export const WRITE = 1;
export const TRIM = 2;
export type Direction = typeof READ | typeof WRITE | typeof TRIM;
/** A flush: no data and no direction of its own. */
export const SYNC = 3;
/** A zone made empty before it is written again: no data and no I/O of the job either. */
export const RESET = 4;
export const DIRECTIONS: readonly Direction[] = [READ, WRITE, TRIM];

/** One direction of a job. */
export class DirectionStats {
  ios = 0;
  bytes = 0;
  /** How long the phases took in which this direction was active. */
  elapsed_ns = 0;
  /** From the decision to submit until the doorbell, from there until the completion was taken, and both together. */
  readonly slat = new Histogram();
  readonly clat = new Histogram();
  readonly lat = new Histogram();
  /** Bytes and operations per second, sample by sample. */
  readonly bw = new RateSamples();
  readonly iops = new RateSamples();

  merge(other: DirectionStats): void {
    this.ios += other.ios;
    this.bytes += other.bytes;
    this.elapsed_ns = Math.max(this.elapsed_ns, other.elapsed_ns);
    this.slat.merge(other.slat);
    this.clat.merge(other.clat);
    this.lat.merge(other.lat);
    this.bw.merge(other.bw);
    this.iops.merge(other.iops);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.ios = a.value(this.ios);
    this.bytes = a.value(this.bytes);
    this.elapsed_ns = a.value(this.elapsed_ns);
    for (const part of [this.slat, this.clat, this.lat, this.bw, this.iops]) part.archive(a);
  }
}

/** Upper ends of the classes of `IO depths`, the last without one; fio names the classes by their lower ends. */
const DEPTH_CLASSES = 7;
/** Class of a queue depth: 1, 2-3, 4-7, 8-15, 16-31, 32-63, 64 and more. */
export const depthClass = (depth: number): number => Math.min(31 - Math.clz32(depth), DEPTH_CLASSES - 1);
/** Class of a batch: 0, 1-4, 5-8, 9-16, 17-32, 33-64, more. */
export const batchClass = (batch: number): number =>
  batch === 0 ? 0 : batch <= 4 ? 1 : Math.min(31 - Math.clz32(batch - 1), DEPTH_CLASSES - 1);

const noCounts = () => [new DirectionStats(), new DirectionStats(), new DirectionStats()] as const;

/** The counts of one clone of a job, or of several that were merged. */
export class JobStats {
  readonly job: Job;
  /** Number of the reporting group, from 0. */
  readonly group: number;
  /** Position of the first clone among all of them, from 1; stands where fio prints a process id. */
  readonly id: number;
  clones = 1;
  directions = noCounts();
  /** Latencies of flushes. */
  sync = new Histogram();
  /** I/Os by the depth they made, batches by size at submission and at completion. */
  readonly depths = new Float64Array(DEPTH_CLASSES);
  readonly submits = new Float64Array(DEPTH_CLASSES);
  readonly completes = new Float64Array(DEPTH_CLASSES);
  /** Times that the job slept until an interrupt; 0 when it polls. */
  sleeps = 0;
  /** Time that the job's own software took, of `runtime_ns`. */
  software_ns = 0;
  runtime_ns = 0;
  /** Whether the job has become steady; null: that is not asked. */
  steady: SteadyState | null = null;
  /** The depth that `latency_target` allowed, or `iodepth`. */
  latencyDepth: number;
  /** Errno as fio reports it, and the sentence behind it; 0 and empty when all went well. */
  errno = 0;
  failure = '';
  /** Zones that were made empty so that they could be written again. */
  zoneResets = 0;
  /** Errors that `continue_on_error` let pass, and the errno of the first. */
  errors = 0;
  firstErrno = 0;

  constructor(job: Job, group: number, id: number) {
    this.job = job;
    this.group = group;
    this.id = id;
    this.latencyDepth = job.iodepth;
  }

  /** Forgets what was counted so far: the end of `ramp_time`. */
  restart(): void {
    this.directions = noCounts();
    this.sync = new Histogram();
    for (const counts of [this.depths, this.submits, this.completes]) counts.fill(0);
    this.sleeps = 0;
    this.software_ns = 0;
  }

  merge(other: JobStats): void {
    this.clones += other.clones;
    for (const direction of DIRECTIONS) this.directions[direction].merge(other.directions[direction]);
    this.sync.merge(other.sync);
    for (let index = 0; index < DEPTH_CLASSES; index++) {
      this.depths[index] = this.depths[index]! + other.depths[index]!;
      this.submits[index] = this.submits[index]! + other.submits[index]!;
      this.completes[index] = this.completes[index]! + other.completes[index]!;
    }
    this.sleeps += other.sleeps;
    this.software_ns += other.software_ns;
    this.runtime_ns += other.runtime_ns;
    this.latencyDepth = other.latencyDepth;
    this.zoneResets += other.zoneResets;
    this.steady ??= other.steady;
    this.errors += other.errors;
    this.firstErrno ||= other.firstErrno;
    if (this.errno === 0) {
      this.errno = other.errno;
      this.failure = other.failure;
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    for (const direction of this.directions) direction.archive(a);
    this.sync.archive(a);
    a.contents(this.depths, this.submits, this.completes);
    this.zoneResets = a.value(this.zoneResets);
    this.clones = a.value(this.clones);
    this.sleeps = a.value(this.sleeps);
    this.software_ns = a.value(this.software_ns);
    this.runtime_ns = a.value(this.runtime_ns);
    this.latencyDepth = a.value(this.latencyDepth);
    this.errno = a.value(this.errno);
    this.failure = a.value(this.failure);
    this.errors = a.value(this.errors);
    this.firstErrno = a.value(this.firstErrno);
  }
}

/** One entry per printed job: clones and jobs of a group with group_reporting become one, as fio merges them. */
export function mergeClones(all: readonly JobStats[]): JobStats[] {
  const merged: JobStats[] = [];
  for (const stats of all) {
    const last = merged.at(-1);
    const joins =
      last !== undefined &&
      stats.job.group_reporting &&
      last.job.group_reporting &&
      last.group === stats.group;
    if (joins) last.merge(stats);
    else {
      const copy = new JobStats(stats.job, stats.group, stats.id);
      copy.clones = 0;
      copy.merge(stats);
      merged.push(copy);
    }
  }
  return merged;
}

/** What a reporting group moved in one direction, as the `Run status` lines have it. */
export interface GroupSum {
  readonly bytes: number;
  readonly ios: number;
  /** Shortest and longest time of a job. */
  readonly fastest_ns: number;
  readonly longest_ns: number;
  /** Bytes per second: of all, of the slowest and of the fastest job. */
  readonly total: number;
  readonly low: number;
  readonly high: number;
}

export const perSecond = (amount: number, ns: number): number => (ns === 0 ? 0 : (amount * 1e9) / ns);

/** The sum over the jobs of one group; null when none of them was active in this direction. */
export function groupSum(jobs: readonly JobStats[], direction: Direction): GroupSum | null {
  const active = jobs.map(({ directions }) => directions[direction]).filter(({ ios }) => ios > 0);
  if (active.length === 0) return null;
  const bytes = active.reduce((total, each) => total + each.bytes, 0);
  const times = active.map(({ elapsed_ns }) => elapsed_ns);
  const rates = active.map((each) => perSecond(each.bytes, each.elapsed_ns));
  const longest_ns = Math.max(...times);
  return {
    bytes,
    ios: active.reduce((total, { ios }) => total + ios, 0),
    fastest_ns: Math.min(...times),
    longest_ns,
    total: perSecond(bytes, longest_ns),
    low: Math.min(...rates),
    high: Math.max(...rates),
  };
}

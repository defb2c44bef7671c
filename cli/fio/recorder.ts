/**
 * Counts what a clone does: latencies, batches, depths, samples, and entries of its log files where it keeps any.
 * Called for every I/O, so nothing is allocated. Not here: when these things happen (clone.ts), their text (report.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { JobLogs } from './logs.ts';
import {
  batchClass,
  DIRECTIONS,
  type Direction,
  depthClass,
  type JobStats,
  READ,
  SYNC,
  TRIM,
  WRITE,
} from './stats.ts';

export class Recorder {
  readonly stats: JobStats;
  /** The log files of the clone; null: it keeps none. */
  readonly logs: JobLogs | null;
  /** Calls that wait have no submission latency of their own, as fio has it. */
  readonly #hasSlat: boolean;
  readonly #bwWindow_ns: number;
  readonly #iopsWindow_ns: number;
  /** When the next sample of a rate can be due. */
  private lookAt = 0;
  #startedAt = 0;

  constructor(stats: JobStats, logs: JobLogs | null) {
    this.stats = stats;
    this.logs = logs;
    this.#hasSlat = !stats.job.synchronous;
    this.#bwWindow_ns = stats.job.bwavgtime_ns;
    this.#iopsWindow_ns = stats.job.iopsavgtime_ns;
  }

  /** Times count from now. */
  begin(now: number): void {
    this.#startedAt = now;
    for (const { bw, iops } of this.stats.directions) {
      bw.begin(now);
      iops.begin(now);
    }
    this.lookAt = now + Math.min(this.#bwWindow_ns, this.#iopsWindow_ns);
    this.logs?.begin(now);
  }

  /** A command was posted, and `outstanding` are under way with it. */
  posted(outstanding: number): void {
    const { depths } = this.stats;
    const index = depthClass(outstanding);
    depths[index] = depths[index]! + 1;
  }

  /** A doorbell told of `count` commands. */
  rung(count: number): void {
    const { submits } = this.stats;
    const index = batchClass(count);
    submits[index] = submits[index]! + 1;
  }

  /** `count` completions were taken at once. */
  reaped(count: number): void {
    const { completes } = this.stats;
    const index = batchClass(count);
    completes[index] = completes[index]! + 1;
  }

  completed(
    direction: number,
    bytes: number,
    offset: number,
    created: number,
    issued: number,
    now: number,
  ): void {
    const { stats } = this;
    if (direction >= SYNC) {
      if (direction === SYNC) stats.sync.record(now - created);
      return;
    }
    const counts = stats.directions[direction as Direction];
    counts.ios++;
    counts.bytes += bytes;
    if (this.#hasSlat) counts.slat.record(issued - created);
    counts.clat.record(now - issued);
    counts.lat.record(now - created);
    if (this.logs !== null) this.logs.completed(direction as Direction, bytes, offset, created, issued, now);
    if (now >= this.lookAt) this.#sample(now);
  }

  #sample(now: number): void {
    for (const direction of DIRECTIONS) {
      const { bw, iops, bytes, ios } = this.stats.directions[direction];
      if (ios === 0) continue;
      bw.look(now, bytes, this.#bwWindow_ns);
      iops.look(now, ios, this.#iopsWindow_ns);
    }
    this.lookAt = now + Math.min(this.#bwWindow_ns, this.#iopsWindow_ns) / 2;
  }

  /** A phase of the job took `elapsed` ns. */
  endPhase(elapsed: number, isVerifying: boolean): void {
    const { directions, job } = this.stats;
    if (isVerifying || job.reads) directions[READ].elapsed_ns += elapsed;
    else if (directions[READ].ios > 0) directions[READ].elapsed_ns += elapsed; // a backlog that was read back
    if (!isVerifying && job.writes) directions[WRITE].elapsed_ns += elapsed;
    if (!isVerifying && job.trims) directions[TRIM].elapsed_ns += elapsed;
    this.stats.runtime_ns += elapsed;
  }

  /** The job is over, and its log files are whole. */
  end(): void {
    this.logs?.end(this.#startedAt + this.stats.runtime_ns);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.logs?.archive(a);
    this.lookAt = a.value(this.lookAt);
    this.#startedAt = a.value(this.#startedAt);
  }
}

/**
 * `latency_target`: the largest depth at which `latency_percentile` of the I/Os of each `latency_window` stay within the
 * target, found by halving. Not here: latencies themselves (clone.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Job } from './job-file.ts';

export class LatencyTarget {
  /** Commands that may be outstanding now. */
  depth = 1;
  /** The depth is found, and with `latency_run` off the job is over. */
  isFound = false;
  readonly #job: Job;
  #low = 1;
  #high: number;
  #startedAt = 0;
  #within = 0;
  #all = 0;
  /** I/Os that still belong to the depth before. */
  #settling = 0;

  constructor(job: Job) {
    this.#job = job;
    this.#high = job.iodepth;
  }

  begin(now: number): void {
    this.#startedAt = now;
    this.#within = 0;
    this.#all = 0;
  }

  record(latency_ns: number): void {
    if (this.#settling > 0) {
      this.#settling--;
      return;
    }
    this.#all++;
    if (latency_ns <= this.#job.latency_target_ns) this.#within++;
  }

  /** Decides at the end of a window; before that it does nothing. */
  look(now: number): void {
    if (now - this.#startedAt < this.#job.latency_window_ns || this.#all === 0) return;
    const holds = (100 * this.#within) / this.#all >= this.#job.latency_percentile;
    this.begin(now);
    this.#settling = this.depth;
    if (this.isFound) {
      // latency_run goes on at the depth that was found, and yields when it holds no longer.
      if (!holds) this.depth = Math.max(1, this.depth - 1);
      return;
    }
    if (holds) this.#low = this.depth;
    else this.#high = Math.max(1, this.depth - 1);
    this.#low = Math.min(this.#low, this.#high);
    this.isFound = this.#low === this.#high;
    this.depth = Math.ceil((this.#low + this.#high) / 2);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.depth = a.value(this.depth);
    this.isFound = a.value(this.isFound);
    this.#low = a.value(this.#low);
    this.#high = a.value(this.#high);
    this.#startedAt = a.value(this.#startedAt);
    this.#within = a.value(this.#within);
    this.#all = a.value(this.#all);
    this.#settling = a.value(this.#settling);
  }
}

export const targetOf = (job: Job): LatencyTarget | null =>
  Number.isFinite(job.latency_target_ns) ? new LatencyTarget(job) : null;

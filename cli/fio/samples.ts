/**
 * A rate sampled over windows of fixed length, as fio's `bw` and `iops` lines have it: each window that has passed is one
 * sample. Not here: what is counted (clone.ts), lines of log files (logs.ts).
 */
import type { Archive } from '../../support/archive.ts';

export class RateSamples {
  min = Number.POSITIVE_INFINITY;
  max = 0;
  mean = 0;
  count = 0;
  /** Sum of squared distances from the mean (Welford). */
  private squares = 0;
  private startedAt = 0;
  private amount = 0;

  /** Starts the first window. */
  begin(now: number): void {
    this.startedAt = now;
  }

  /** Ends the window when it is over: `total` is what was counted since the job began. */
  look(now: number, total: number, window_ns: number): void {
    const elapsed = now - this.startedAt;
    if (elapsed < window_ns) return;
    const rate = ((total - this.amount) * 1e9) / elapsed;
    this.startedAt = now;
    this.amount = total;
    this.count++;
    if (rate < this.min) this.min = rate;
    if (rate > this.max) this.max = rate;
    const delta = rate - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (rate - this.mean);
  }

  /** Standard deviation of the samples (n - 1); 0 for fewer than two. */
  get deviation(): number {
    return this.count < 2 ? 0 : Math.sqrt(this.squares / (this.count - 1));
  }

  /** Adds a job that ran at the same time: their means add up. */
  merge(other: RateSamples): void {
    if (other.count === 0) return;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
    this.mean += other.mean;
    this.squares += other.squares;
    this.count += other.count;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.min = a.value(this.min);
    this.max = a.value(this.max);
    this.mean = a.value(this.mean);
    this.count = a.value(this.count);
    this.squares = a.value(this.squares);
    this.startedAt = a.value(this.startedAt);
    this.amount = a.value(this.amount);
  }
}

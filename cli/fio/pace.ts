/**
 * When a job may issue its next I/O of each direction: `rate` and `rate_iops`, evenly or as a Poisson process, and
 * whether it keeps the rates that it must (`rate_min`). Times are simulated. Not here: think time and flow (clone.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Random } from '../../support/random.ts';
import type { Job } from './job-file.ts';
import type { Direction, JobStats } from './stats.ts';
import { DIRECTIONS } from './stats.ts';

export class Pacer {
  /** By direction; 0 where nothing limits. */
  readonly dueAt = new Float64Array(DIRECTIONS.length);
  readonly #job: Job;
  readonly #random: Random;
  #epoch = 0;
  readonly #bytes = new Float64Array(DIRECTIONS.length);
  readonly #ios = new Float64Array(DIRECTIONS.length);

  constructor(job: Job, random: Random) {
    this.#job = job;
    this.#random = random;
  }

  begin(now: number): void {
    this.#epoch = now;
    this.#bytes.fill(0);
    this.#ios.fill(0);
    this.dueAt.fill(now);
  }

  /** Before this time no I/O of the job is due. */
  earliest(): number {
    const { reads, writes, trims } = this.#job;
    const [read, write, trim] = this.dueAt;
    const never = Number.POSITIVE_INFINITY;
    return Math.min(reads ? read! : never, writes ? write! : never, trims ? trim! : never);
  }

  /** Counts an I/O that is about to be issued. */
  issued(direction: Direction, bytes: number): void {
    const { rate_bytes, rate_iops, rate_process } = this.#job;
    const iops = rate_iops[direction];
    const rate = rate_bytes[direction];
    if (iops === 0 && rate === 0) return;
    if (rate_process === 'poisson') {
      const mean = 1e9 / (iops === 0 ? rate / bytes : iops);
      this.dueAt[direction] = this.dueAt[direction]! - Math.log(1 - this.#random.unit()) * mean;
      return;
    }
    const total = this.#bytes[direction]! + bytes;
    const count = this.#ios[direction]! + 1;
    this.#bytes[direction] = total;
    this.#ios[direction] = count;
    const byIos = iops === 0 ? 0 : (count * 1e9) / iops;
    const byBytes = rate === 0 ? 0 : (total * 1e9) / rate;
    this.dueAt[direction] = this.#epoch + Math.max(byIos, byBytes);
  }

  /** Puts everything off: time that does not count. */
  postpone(ns: number): void {
    this.#epoch += ns;
    for (const direction of DIRECTIONS) this.dueAt[direction] = this.dueAt[direction]! + ns;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.dueAt, this.#bytes, this.#ios);
    this.#epoch = a.value(this.#epoch);
  }
}

/** A pacer for a job that limits its rates; null for one that does not. */
export const pacerOf = (job: Job, random: Random): Pacer | null =>
  [...job.rate_bytes, ...job.rate_iops].some((rate) => rate > 0) ? new Pacer(job, random) : null;

/** Watches `rate_min` and `rate_iops_min` over cycles of `rate_cycle`. */
export class RateFloor {
  readonly #job: Job;
  #cycleAt = 0;
  readonly #bytes = new Float64Array(DIRECTIONS.length);
  readonly #ios = new Float64Array(DIRECTIONS.length);

  constructor(job: Job) {
    this.#job = job;
  }

  begin(now: number): void {
    this.#cycleAt = now;
  }

  /** Returns why the job is too slow, or null. To be asked now and then with the counts so far. */
  check(now: number, { directions }: JobStats): string | null {
    const { rate_cycle_ns, rate_min_bytes, rate_iops_min } = this.#job;
    const elapsed = now - this.#cycleAt;
    if (elapsed < rate_cycle_ns) return null;
    let wrong: string | null = null;
    for (const direction of DIRECTIONS) {
      const { bytes, ios } = directions[direction];
      const rate = ((bytes - this.#bytes[direction]!) * 1e9) / elapsed;
      const iops = ((ios - this.#ios[direction]!) * 1e9) / elapsed;
      if (rate < rate_min_bytes[direction] && bytes > 0)
        wrong = `${Math.round(rate)} bytes per second, and rate_min asks for ${rate_min_bytes[direction]}`;
      if (iops < rate_iops_min[direction] && ios > 0)
        wrong = `${iops.toFixed(1)} I/Os per second, and rate_iops_min asks for ${rate_iops_min[direction]}`;
      this.#bytes[direction] = bytes;
      this.#ios[direction] = ios;
    }
    this.#cycleAt = now;
    return wrong;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#bytes, this.#ios);
    this.#cycleAt = a.value(this.#cycleAt);
  }
}

export const floorOf = (job: Job): RateFloor | null =>
  [...job.rate_min_bytes, ...job.rate_iops_min].some((rate) => rate > 0) ? new RateFloor(job) : null;

/** Jobs with one `flow_id` share their I/Os in proportion to `flow`. */
export class Flow {
  #weights = 0;
  #ios = 0;

  join(weight: number): void {
    this.#weights += weight;
  }

  /** Takes a job that ends, and what it did, out of the sum. */
  leave(weight: number, ios: number): void {
    this.#weights -= weight;
    this.#ios -= ios;
  }

  issued(): void {
    this.#ios++;
  }

  /** True when a job that issued `ios` is ahead of its share. */
  isAhead(weight: number, ios: number): boolean {
    return ios * this.#weights > weight * (this.#ios + 1);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#weights = a.value(this.#weights);
    this.#ios = a.value(this.#ios);
  }
}

/**
 * What one clone of a job does next: direction, place and size of each I/O, until its amount is reached; then, with
 * do_verify, which blocks it reads back. Knows no queue and no time. Not here: the order of blocks (order.ts).
 */
import type { Random } from '../../support/random.ts';
import type { Job } from './job-file.ts';
import { type BlockOrder, sequential, shuffled, uniform } from './order.ts';
import { type Direction, READ, WRITE } from './stats.ts';
import { ANY_WRITE } from './verify.ts';

/** Where a clone works, in bytes of the namespace. */
export interface Region {
  readonly start: number;
  readonly bytes: number;
}

export class Workload {
  /** The I/O that the last successful `next` chose. `number` counts writes from 1, for verification. */
  direction: Direction = READ;
  offset = 0;
  bytes = 0;
  number = ANY_WRITE;
  /** True while blocks are read back that this workload wrote. */
  isVerifying = false;

  readonly #job: Job;
  readonly #region: Region;
  readonly #random: Random;
  readonly #orders: readonly [BlockOrder, BlockOrder];
  /** Last write of each block, by block number; null when nothing will be read back. */
  readonly #written: Uint32Array | null;
  readonly #blocks: readonly [number, number];
  /** Bytes still to be issued. */
  #left: number;
  #writes = 0;
  #cursor = 0;

  constructor(job: Job, region: Region, random: Random) {
    this.#job = job;
    this.#region = region;
    this.#random = random;
    this.#blocks = [Math.floor(region.bytes / job.bs[READ]), Math.floor(region.bytes / job.bs[WRITE])];
    const { [READ]: reads, [WRITE]: writes } = this.#blocks;
    this.#orders = [this.#order(reads), this.#order(writes)];
    const isReadBack = job.verify !== 'none' && job.writes && job.do_verify;
    this.#written = isReadBack ? new Uint32Array(writes) : null;
    this.#left = job.time_based ? Number.POSITIVE_INFINITY : amountOf(job, region);
  }

  #order(blocks: number): BlockOrder {
    if (!this.#job.random) return sequential(blocks);
    // Verification needs to know which write of a block is the last one, so no block may be in flight twice.
    const isAnywhere = this.#job.norandommap && this.#job.verify === 'none';
    return isAnywhere ? uniform(blocks, this.#random) : shuffled(blocks, this.#random);
  }

  /** Share of the work that has been issued, from 0 to 1; NaN when time decides. */
  get progress(): number {
    if (this.#job.time_based) return Number.NaN;
    const total = amountOf(this.#job, this.#region);
    return (total - this.#left) / total;
  }

  /**
   * Chooses the next I/O. Returns false when there is none in this phase, or none as long as `outstanding` others are in
   * flight: a verified pass over the region ends before the next one begins.
   */
  next(outstanding: number): boolean {
    if (this.isVerifying) return this.#nextWritten();
    const { bs, reads, writes, rwmixread } = this.#job;
    const isRead = reads && (!writes || this.#random.unit() * 100 < rwmixread);
    const direction = isRead ? READ : WRITE;
    const bytes = bs[direction];
    if (this.#left < bytes) return false;
    if (direction === WRITE) {
      const passEnds = this.#written !== null && this.#writes > 0 && this.#writes % this.#blocks[WRITE] === 0;
      if (passEnds && outstanding > 0) return false;
      this.#writes++;
    }
    const block = this.#orders[direction].next();
    if (direction === WRITE && this.#written !== null) this.#written[block] = this.#writes;
    this.#left -= bytes;
    this.direction = direction;
    this.offset = this.#region.start + block * bytes;
    this.bytes = bytes;
    this.number = direction === WRITE ? this.#writes : ANY_WRITE;
    return true;
  }

  #nextWritten(): boolean {
    const written = this.#written!;
    while (this.#cursor < written.length && written[this.#cursor] === 0) this.#cursor++;
    if (this.#cursor >= written.length) return false;
    const bytes = this.#job.bs[WRITE];
    this.direction = READ;
    this.offset = this.#region.start + this.#cursor * bytes;
    this.bytes = bytes;
    this.number = written[this.#cursor++]!;
    return true;
  }

  /** Issues nothing more in this phase. */
  stop(): void {
    this.#left = 0;
    if (this.isVerifying) this.#cursor = Number.POSITIVE_INFINITY;
  }

  /** Goes on to reading back what was written. Returns false when this workload does not, or already has. */
  beginVerifying(): boolean {
    if (this.isVerifying || this.#written === null || this.#writes === 0) return false;
    this.isVerifying = true;
    return true;
  }
}

/** Bytes that one clone moves. */
function amountOf({ io_size }: Job, region: Region): number {
  if (io_size === null) return region.bytes;
  return 'bytes' in io_size ? io_size.bytes : Math.floor((region.bytes * io_size.percent) / 100);
}

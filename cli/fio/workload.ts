/**
 * What one clone of a job does next: direction, place and size of each I/O, until its amount is reached; and which blocks
 * it reads back to verify them, at the end or after every `verify_backlog` writes. Knows no queue and no time.
 * Not here: places (places.ts), which blocks are written and in flight (written.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Random } from '../../support/random.ts';
import type { Job } from './job-file.ts';
import { Places } from './places.ts';
import type { Region } from './region.ts';
import { DIRECTIONS, type Direction, READ, RESET, SYNC, TRIM, WRITE } from './stats.ts';
import { ANY_WRITE, UNCHECKED } from './verify.ts';
import { WrittenBlocks } from './written.ts';
import type { ZoneMap } from './zone-map.ts';
import { GO, RESET_FIRST, WAIT, ZoneWalk } from './zone-walk.ts';

export class Workload {
  /** The I/O that the last successful `next` chose; SYNC is a flush. */
  direction: number = READ;
  offset = 0;
  bytes = 0;
  /** Writes count from 1. Reads: the write that the block must hold, ANY_WRITE, or UNCHECKED. */
  number = UNCHECKED;
  /** True while blocks are read back after the work is done. */
  isVerifying = false;

  readonly #job: Job;
  readonly #region: Region;
  readonly #random: Random;
  readonly #places: readonly Places[];
  /** Null when nothing will be read back and no two I/Os need to keep apart. */
  readonly #written: WrittenBlocks | null;
  /** What a read that is part of the work can be checked for. */
  readonly #readNumber: number;
  readonly #isReadBack: boolean;
  /** By direction, simulated time before which a rate allows none; null without rates. */
  readonly #dueAt: Float64Array | null;
  private left: number;
  #ios = 0;
  #writes = 0;
  #unflushed = 0;
  #loop = 1;
  #trimmed = false;
  /** An I/O was chosen and waits until those it overlaps are done. */
  #isHeld = false;
  #isBacklogRead = false;
  /** Null but for `zonemode=zbd`. */
  readonly #zones: ZoneWalk | null;
  /** An I/O was drawn and has not found its zone yet. */
  #isDrawn = false;

  constructor(
    job: Job,
    region: Region,
    random: Random,
    dueAt: Float64Array | null = null,
    map: ZoneMap | null = null,
  ) {
    this.#job = job;
    this.#zones = map === null ? null : new ZoneWalk(job, region, map, random);
    this.#region = region;
    this.#random = random;
    this.#dueAt = dueAt;
    const mapped = !job.norandommap || job.verify !== 'none';
    this.#places = DIRECTIONS.map((direction) => new Places(job, direction, region.bytes, mapped, random));
    this.#isReadBack = job.verify !== 'none' && job.writes && (job.do_verify || job.verify_backlog > 0);
    const keepsApart = this.#isReadBack || (job.trims && job.writes);
    const unit = Math.min(job.sizes[WRITE].min, job.blockalign?.[WRITE] ?? job.sizes[WRITE].min);
    this.#written = keepsApart ? new WrittenBlocks(region.bytes, unit, job.verify_backlog) : null;
    this.#readNumber = job.verify !== 'none' && !job.writes ? ANY_WRITE : UNCHECKED;
    this.left = job.time_based || job.ramp_ns > 0 ? Number.POSITIVE_INFINITY : region.amount;
    if (job.verify_only) this.#pretend();
  }

  /** `verify_only`: the writes of an earlier run are taken as done. */
  #pretend(): void {
    this.left = this.#region.amount;
    while (this.next(0)) this.settled(this.direction, this.offset, this.bytes);
  }

  /** True when `settled` must be told of every completion. */
  get keepsApart(): boolean {
    return this.#written !== null || this.#zones !== null;
  }

  /** True while choosing an I/O keeps a zone from other jobs. */
  get claimsZones(): boolean {
    return this.#zones !== null && !this.isVerifying;
  }

  /** True when the next I/O waits for a zone that others may be writing. */
  get isBlocked(): boolean {
    return this.#isDrawn;
  }

  /** Zones that were made empty so that they could be written again. */
  get zoneResets(): number {
    return this.#zones?.resets ?? 0;
  }

  /** Share of the work that has been issued, from 0 to 1; NaN when time decides. */
  get progress(): number {
    const share = 1 - this.left / this.#region.amount;
    return Number.isFinite(share) ? share : Number.NaN;
  }

  /**
   * Chooses the next I/O. Returns false when there is none in this phase, or none as long as `outstanding` others are in
   * flight: blocks that will be verified are never in flight twice.
   */
  next(outstanding: number): boolean {
    const written = this.#written;
    if (this.#isHeld) return this.#release();
    if (this.isVerifying) return this.#readBack(written!.nextWritten());
    if (this.#isReadBack && this.#job.verify_backlog > 0 && this.#backlog(outstanding))
      return this.#isBacklogRead;
    return this.#choose(outstanding);
  }

  #choose(outstanding: number): boolean {
    const { fsync, end_fsync, number_ios, trims } = this.#job;
    if (this.#isDrawn) return this.#settle(outstanding);
    if (fsync > 0 && this.#unflushed >= fsync) return this.#flush();
    const direction = this.#trimmed ? WRITE : this.#direction();
    const want = this.#trimmed ? this.bytes : this.#size(direction);
    if (want === 0 || this.#ios >= number_ios) {
      if (!end_fsync || this.#unflushed === 0 || outstanding > 0) return false;
      return this.#flush();
    }
    if (this.#zones !== null) {
      this.#isDrawn = true;
      this.#zones.draw(direction, want);
      return this.#settle(outstanding);
    }
    if (!this.#trimmed) {
      const places = this.#places[direction]!;
      places.choose(want);
      this.offset = this.#region.start + places.offset;
      this.bytes = places.bytes;
    }
    const isPaired = trims && this.#job.writes;
    this.#trimmed = isPaired && direction === TRIM;
    this.direction = direction;
    // The amount of a trimwrite job is what it writes.
    return this.#count(this.#trimmed ? 0 : this.bytes);
  }

  /** Counts the chosen I/O, with what it takes from the amount. */
  #count(amount: number): boolean {
    const { direction } = this;
    this.#ios++;
    if (direction === WRITE) {
      this.#writes++;
      this.#unflushed++;
    }
    this.left = Math.max(0, this.left - amount);
    this.number = direction === WRITE ? this.#writes : this.#readNumber;
    return this.#written === null || direction === READ || this.#release();
  }

  /** Finds the zone of the I/O that was drawn, or the reset of one that comes before it. */
  #settle(outstanding: number): boolean {
    const zones = this.#zones!;
    const verdict = zones.settle(outstanding);
    this.offset = zones.offset;
    this.bytes = zones.bytes;
    this.direction = verdict === RESET_FIRST ? RESET : zones.direction;
    if (verdict === RESET_FIRST) {
      this.number = UNCHECKED;
      return true;
    }
    if (verdict === WAIT) return false;
    this.#isDrawn = false;
    if (verdict === GO) return this.#count(this.bytes);
    this.left = 0;
    return this.#choose(outstanding);
  }

  /** Lets the chosen I/O go when nothing that is in flight overlaps it. */
  #release(): boolean {
    const at = this.offset - this.#region.start;
    this.#isHeld = !this.#written!.take(at, this.bytes, this.direction === WRITE ? this.number : 0);
    return !this.#isHeld;
  }

  #direction(): Direction {
    const { reads, writes, trims, rwmixread } = this.#job;
    if (trims) return TRIM;
    if (!writes) return READ;
    if (!reads) return WRITE;
    const drawn = this.#random.unit() * 100 < rwmixread ? READ : WRITE;
    const other = drawn === READ ? WRITE : READ;
    const due = this.#dueAt;
    return due !== null && due[drawn]! > due[other]! ? other : drawn;
  }

  /** Bytes of the next I/O: as the sizes of its direction have it, no more than is left; 0 when nothing is. */
  #size(direction: Direction): number {
    const { min, max, split } = this.#job.sizes[direction];
    let bytes = max;
    if (split !== null) {
      let drawn = this.#random.unit() * 100;
      let index = 0;
      while (index < split.length - 1 && drawn >= split[index]!.percent) drawn -= split[index++]!.percent;
      bytes = split[index]!.bytes;
    } else if (min !== max) bytes = min * (1 + this.#random.below(Math.floor(max / min)));
    return bytes <= this.left ? bytes : this.left - (this.left % min);
  }

  #flush(): boolean {
    this.#unflushed = 0;
    this.direction = SYNC;
    this.offset = this.#region.start;
    this.bytes = 0;
    this.number = UNCHECKED;
    return true;
  }

  /** Reads back what the backlog holds once it is full. Returns false when there is none to do, and work goes on. */
  #backlog(outstanding: number): boolean {
    const written = this.#written!;
    if (!written.isBacklogFull && !this.#isBacklogRead) return false;
    if (!this.#isBacklogRead && outstanding > 0) return true;
    this.#isBacklogRead = this.#readBack(written.nextOfBacklog());
    return this.#isBacklogRead || outstanding > 0;
  }

  /** Makes the next I/O a read of block `block`; returns false when it is none. */
  #readBack(block: number): boolean {
    if (block < 0) return false;
    const written = this.#written!;
    this.direction = READ;
    this.offset = this.#region.start + block * written.unit;
    this.bytes = written.unit;
    this.number = written.numberOf(block);
    return true;
  }

  /** An I/O has completed. */
  settled(direction: number, offset: number, bytes: number): void {
    if (!this.isVerifying) this.#zones?.settled(direction, offset);
    if (this.#written === null) return;
    if (direction === WRITE || direction === TRIM) this.#written.release(offset - this.#region.start, bytes);
  }

  /** The I/O that was chosen will not be issued after all. */
  abandon(): void {
    this.#zones?.abandon();
  }

  /** The ramp is over: the amount counts from here. */
  restart(): void {
    this.#ios = 0;
    this.left = this.#job.time_based ? Number.POSITIVE_INFINITY : this.#region.amount;
  }

  /** Issues nothing more in this phase. */
  stop(): void {
    this.left = 0;
    this.#isDrawn = false;
    this.#isHeld = false;
    this.#unflushed = 0;
    this.#trimmed = false;
    this.#loop = this.#job.loops;
    if (this.isVerifying) this.#written!.endReading();
  }

  /** Goes on to reading back what was written. Returns false when this workload does not, or already has. */
  beginVerifying(): boolean {
    if (this.isVerifying || !this.#isReadBack || this.#writes === 0) return false;
    this.isVerifying = true;
    this.#written!.beginReading();
    return true;
  }

  /** Goes on to the next of `loops`. Returns false when all are done. */
  beginLoop(): boolean {
    if (this.#loop >= this.#job.loops) return false;
    this.#loop++;
    this.isVerifying = false;
    this.restart();
    this.#zones?.begin();
    return true;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.direction = a.value(this.direction);
    this.offset = a.value(this.offset);
    this.bytes = a.value(this.bytes);
    this.number = a.value(this.number);
    this.isVerifying = a.value(this.isVerifying);
    this.#random.archive(a);
    for (const places of this.#places) places.archive(a);
    this.#written?.archive(a);
    this.#zones?.archive(a);
    this.#isDrawn = a.value(this.#isDrawn);
    this.left = a.value(this.left);
    this.#ios = a.value(this.#ios);
    this.#writes = a.value(this.#writes);
    this.#unflushed = a.value(this.#unflushed);
    this.#loop = a.value(this.#loop);
    this.#trimmed = a.value(this.#trimmed);
    this.#isHeld = a.value(this.#isHeld);
    this.#isBacklogRead = a.value(this.#isBacklogRead);
  }
}

/**
 * Where the I/Os of one clone go with `zonemode=zbd`, as fio has it (HOWTO, "zonemode"): writes to the write pointer of a
 * zone, of which only so many are open; reads to what was written; full zones are reset before they are written again.
 * One write at a time is under way in a zone, as Linux's block layer has it.
 * Not here: directions, sizes and amounts (workload.ts), the account of zones (zone-map.ts), commands (flights.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Random } from '../../support/random.ts';
import type { Job } from './job-file.ts';
import { NONE_EVER, NONE_YET, OpenZones } from './open-zones.ts';
import { type BlockOrder, orderOf } from './order.ts';
import type { Region } from './region.ts';
import { DIRECTIONS, type Direction, READ, RESET, TRIM, WRITE } from './stats.ts';
import type { ZoneMap } from './zone-map.ts';

/** What `settle` found: an I/O, one that must wait for others, a zone that must be reset first, or none ever. */
export const GO = 0;
export const WAIT = 1;
export const RESET_FIRST = 2;
export const END = 3;

export class ZoneWalk {
  /** What was drawn: a read turns into a write while there is nothing to read. */
  direction: Direction = READ;
  /** The I/O that `settle` found, or the zone to reset; in bytes of the namespace. */
  offset = 0;
  bytes = 0;
  /** Zones that were made empty so that they could be written again. */
  resets = 0;
  readonly #job: Job;
  readonly #map: ZoneMap;
  readonly #start: number;
  readonly #end: number;
  readonly #first: number;
  /** One behind the last zone of the region. */
  readonly #last: number;
  readonly #orders: readonly (BlockOrder | null)[];
  readonly #open: OpenZones;
  /** Zones that must be reset before anything is written. */
  #stale: number[] = [];
  /** By direction, where the next I/O of a sequence would begin. */
  readonly #at: Float64Array;
  /** Bytes done in the present zone, and where it begins, for `zoneskip`. */
  #doneInZone = 0;
  #base: number;
  #want = 0;
  #target = 0;
  #mustReset = false;
  /** The zone that the last I/O claimed, and its write pointer before. */
  #claimed = 0;
  #before = 0;

  constructor(job: Job, region: Region, map: ZoneMap, random: Random) {
    this.#job = job;
    this.#map = map;
    this.#start = region.start;
    this.#end = region.start + region.bytes;
    this.#first = map.zoneOf(region.start);
    this.#last = map.zoneOf(this.#end);
    this.#base = region.start;
    this.#at = new Float64Array(DIRECTIONS.length).fill(region.start);
    this.#orders = DIRECTIONS.map((direction) => {
      const blocks = Math.max(1, Math.floor(region.bytes / this.#unit(direction)));
      return job.random ? orderOf(blocks, job.distribution, !job.norandommap, random) : null;
    });
    this.#open = new OpenZones(job, region, map);
    this.begin();
  }

  #unit(direction: number): number {
    return direction === TRIM ? this.#map.zone_bytes : this.#job.sizes[direction as Direction].min;
  }

  /** Before the first I/O, and before each loop: what is verified starts in empty zones, and no more are open than may be. */
  begin(): void {
    const { writes, verify, verify_only } = this.#job;
    const map = this.#map;
    // The writes of an earlier run are gone through again, from empty zones on.
    if (verify_only) for (let zone = this.#first; zone < this.#last; zone++) map.forget(zone);
    if (!writes || verify_only) return;
    if (verify === 'none') this.#stale = map.open.slice(this.#open.limit);
    else
      for (let zone = this.#first; zone < this.#last; zone++)
        if (map.writtenIn(zone) > 0) this.#stale.push(zone);
  }

  /** Draws where the next I/O of up to `want` bytes would go. */
  draw(direction: Direction, want: number): void {
    const { read_beyond_wp, reads, writes } = this.#job;
    const isEmpty = direction === READ && reads && writes && !read_beyond_wp && this.#map.written_bytes === 0;
    const chosen = isEmpty ? WRITE : direction;
    this.direction = chosen;
    this.#want = chosen === TRIM ? this.#map.zone_bytes : want;
    this.#mustReset = chosen === WRITE && this.#isResetDue();
    const order = this.#orders[chosen]!;
    this.#target = order === null ? this.#sequel(chosen) : this.#start + order.next() * this.#unit(chosen);
  }

  /** `zone_reset_threshold` and `zone_reset_frequency`: above so much data, one write in so many resets its zone. */
  #isResetDue(): boolean {
    const { zone_reset_frequency, zone_reset_threshold } = this.#job;
    const map = this.#map;
    if (zone_reset_frequency === 0) return false;
    if (map.written_bytes < (this.#end - this.#start) * zone_reset_threshold) return false;
    if (map.writesToReset === 0) map.writesToReset = Math.floor(1 / zone_reset_frequency);
    map.writesToReset--;
    return map.writesToReset === 0;
  }

  /** Where a sequence goes on: over the rest of a zone that cannot be written, over `zoneskip`, at the end from the start. */
  #sequel(direction: Direction): number {
    const { zoneskip, read_beyond_wp } = this.#job;
    const map = this.#map;
    let at = this.#at[direction]!;
    const zone = map.zoneOf(at - 1);
    const isPast = zone >= this.#first && at >= map.ends[zone]!;
    if (direction === WRITE && isPast) at = map.startOf(zone + 1);
    const isRead = direction === READ && !read_beyond_wp && zone >= this.#first && at >= map.pointers[zone]!;
    if (zoneskip > 0 && (this.#doneInZone >= map.zone_bytes || isPast || isRead) && this.#doneInZone > 0) {
      this.#doneInZone = 0;
      this.#base += map.zone_bytes + zoneskip;
      if (this.#base >= this.#end) this.#base = this.#start;
      at = this.#base;
    }
    return at >= this.#end && this.#mayStartAgain ? this.#start : at;
  }

  /** A sequence that has come to the end of its region goes on at its start where there is more to do than one pass. */
  get #mayStartAgain(): boolean {
    return this.#job.time_based || this.#job.io_size !== null;
  }

  /** Finds the I/O for what was drawn. To be asked again after WAIT, and once the zone is reset after RESET_FIRST. */
  settle(outstanding: number): number {
    if (this.#target >= this.#end) return END;
    if (this.#stale.length > 0) return this.#refresh(outstanding);
    const verdict =
      this.direction === READ
        ? this.#read()
        : this.direction === WRITE
          ? this.#write(outstanding)
          : this.#trim();
    if (verdict !== GO) return verdict;
    this.#at[this.direction] = this.offset + this.bytes;
    this.#doneInZone += this.bytes;
    return GO;
  }

  /** Resets the zones that must be empty at the beginning. */
  #refresh(outstanding: number): number {
    if (outstanding > 0) return WAIT;
    const zone = this.#stale.pop()!;
    this.#map.close(zone);
    return this.#reset(zone) ? RESET_FIRST : this.settle(outstanding);
  }

  /** Empties a zone. Returns true when that takes a command. */
  #reset(zone: number): boolean {
    const map = this.#map;
    this.resets++;
    this.offset = map.startOf(zone);
    this.bytes = 0;
    if (map.isDevice) this.#claim(zone);
    map.empty(zone);
    return map.isDevice;
  }

  /** Keeps a zone from other writers until its I/O is settled. */
  #claim(zone: number): void {
    this.#claimed = zone;
    this.#before = this.#map.pointers[zone]!;
    this.#map.busy[zone] = 1;
  }

  /** The last I/O that `settle` found will not be issued. */
  abandon(): void {
    if (this.direction === READ) return;
    const map = this.#map;
    map.advance(this.#claimed, this.#before - map.pointers[this.#claimed]!);
    map.busy[this.#claimed] = 0;
  }

  // ---- writes -----------------------------------------------------------------------------------------------------

  #write(outstanding: number): number {
    const map = this.#map;
    const zone = this.#open.find(this.#target);
    if (zone < 0) return zone === NONE_YET ? WAIT : END;
    if (map.busy[zone] === 1) return WAIT;
    if (this.#mustReset || this.#open.isFull(zone)) {
      if (outstanding > 0) return WAIT;
      this.#mustReset = false;
      if (this.#reset(zone)) return RESET_FIRST;
    }
    const { min } = this.#job.sizes[WRITE];
    const room = map.ends[zone]! - map.pointers[zone]!;
    this.offset = map.pointers[zone]!;
    this.bytes = this.#want <= room ? this.#want : room - (room % min);
    this.#claim(zone);
    map.advance(zone, this.bytes);
    return GO;
  }

  // ---- reads and trims --------------------------------------------------------------------------------------------

  #read(): number {
    const { random, read_beyond_wp, sizes } = this.#job;
    const { min } = sizes[READ];
    const map = this.#map;
    const drawn = map.zoneOf(this.#target);
    if (read_beyond_wp) {
      this.offset = this.#target;
      this.bytes = Math.min(this.#want, map.startOf(drawn + 1) - this.offset);
      return GO;
    }
    let zone = drawn;
    let at = this.#target;
    if (map.writtenIn(drawn) < min || (!random && at + min > map.pointers[drawn]!)) {
      zone = this.#written(drawn, min);
      if (zone < 0) return this.#rewind();
      if (!random) at = map.startOf(zone);
    }
    const start = map.startOf(zone);
    const range = map.writtenIn(zone);
    if (range <= this.#want) at = start;
    else if (random) {
      const place = (this.#target - map.startOf(drawn)) % (range - this.#want);
      at = start + place - (place % min);
    }
    const room = map.pointers[zone]! - at;
    this.offset = at;
    this.bytes = this.#want <= room ? this.#want : room - (room % min);
    return GO;
  }

  /** The nearest zone with `bytes` written: behind `zone` for a sequence, on either side for a random job; or NONE_EVER. */
  #written(zone: number, bytes: number): number {
    const map = this.#map;
    const has = (each: number) => each >= this.#first && each < this.#last && map.writtenIn(each) >= bytes;
    for (let distance = 1; distance < this.#last - this.#first; distance++) {
      if (has(zone + distance)) return zone + distance;
      if (this.#job.random && has(zone - distance)) return zone - distance;
    }
    return NONE_EVER;
  }

  /** A sequence that has read all there is begins again where time decides, and ends otherwise. */
  #rewind(): number {
    const start = this.#start;
    if (!this.#mayStartAgain || this.#target === start || this.#map.written_bytes === 0) return END;
    this.#target = start;
    return this.#read();
  }

  /** A trim makes a whole zone empty. */
  #trim(): number {
    const map = this.#map;
    let zone = map.zoneOf(this.#target);
    if (this.#job.random && map.writtenIn(zone) === 0) {
      zone = this.#written(zone, 1);
      if (zone < 0) return END;
    }
    if (map.busy[zone] === 1) return WAIT;
    this.#claim(zone);
    map.close(zone);
    map.empty(zone);
    this.offset = map.startOf(zone);
    this.bytes = map.zone_bytes;
    return GO;
  }

  /** An I/O or a reset has completed: others may write the zone, and a full one is not open any more. */
  settled(direction: number, offset: number): void {
    if (direction !== WRITE && direction !== TRIM && direction !== RESET) return;
    const map = this.#map;
    const zone = map.zoneOf(offset);
    map.busy[zone] = 0;
    if (direction === WRITE && map.pointers[zone]! >= map.ends[zone]!) map.close(zone);
  }

  /** Saves or loads what changes while the machine runs and the map that it shares with others (support/archive.ts). */
  archive(a: Archive): void {
    this.#map.archive(a);
    this.#open.archive(a);
    this.direction = a.value(this.direction);
    this.offset = a.value(this.offset);
    this.bytes = a.value(this.bytes);
    this.resets = a.value(this.resets);
    for (const order of this.#orders) order?.archive(a);
    this.#stale = a.value(this.#stale);
    a.contents(this.#at);
    this.#doneInZone = a.value(this.#doneInZone);
    this.#base = a.value(this.#base);
    this.#want = a.value(this.#want);
    this.#target = a.value(this.#target);
    this.#mustReset = a.value(this.#mustReset);
    this.#claimed = a.value(this.#claimed);
    this.#before = a.value(this.#before);
  }
}

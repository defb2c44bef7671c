/**
 * The flash translation layer: where each 4 KiB unit is, which segment is filled, and what garbage collection moves.
 * Flash is a log of stripes, what one die programs at once; stripes make segments, which are erased as a whole. A drive
 * of a board is smaller than a real one, so its segments are too, while their number is like that of a real one: write
 * amplification depends on that and on over-provisioning, not on size. Not here: how long anything takes (nand.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { UNIT_BYTES } from './profile.ts';

/** Segments of a small drive; a large one has segments of LARGEST_SEGMENT bytes. */
const SEGMENTS = 256;
const LARGEST_SEGMENT = 64 * 1024 * 1024;
/** Units in one piece of the map, allocated when the first one is written. */
const CHUNK = 65_536;
/** Not mapped: never written, or discarded. */
export const NOWHERE = -1;
/** Collection runs while fewer segments than this are free. */
const FEW_FREE = 4;
/** What the two ends and the free segments take, besides over-provisioning. */
const WORKING_SEGMENTS = 2 + FEW_FREE;

/** One end of the log: host data and collected data grow at ends of their own. */
interface End {
  segment: number;
  /** Units used in the segment. */
  used: number;
}

export class FlashMap {
  readonly unitsPerStripe: number;
  readonly stripesPerSegment: number;
  readonly segments: number;
  /** Units written by the host, and moved by collection. */
  written = 0;
  moved = 0;
  /** Segments erased. */
  erased = 0;
  private readonly unitsPerSegment: number;
  private readonly chunks: (Int32Array | undefined)[] = [];
  /** By segment: the die of each stripe, which unit is at each place, how many of them count, and whether it is free. */
  private readonly dies: (Int32Array | undefined)[];
  private readonly units: (Int32Array | undefined)[];
  private readonly valid: Int32Array;
  private readonly inUse: Uint8Array;
  private readonly host: End;
  private readonly collector: End;
  #free: number;
  #nextFree = 0;
  /** The segment under collection, the place in it where collection is, and the units of room it owes the host. */
  #victim = NOWHERE;
  #cursor = 0;
  #owed = 0;

  constructor(capacity_bytes: number, overProvisioning: number, stripe_bytes: number) {
    const stripes = Math.max(1, Math.ceil(capacity_bytes / stripe_bytes));
    const largest = Math.max(1, Math.floor(LARGEST_SEGMENT / stripe_bytes));
    this.unitsPerStripe = stripe_bytes / UNIT_BYTES;
    this.stripesPerSegment = Math.min(largest, Math.ceil(stripes / SEGMENTS));
    this.unitsPerSegment = this.unitsPerStripe * this.stripesPerSegment;
    const needed = Math.ceil(stripes / this.stripesPerSegment);
    this.segments = needed + Math.ceil(needed * overProvisioning) + WORKING_SEGMENTS;
    this.dies = Array.from({ length: this.segments });
    this.units = Array.from({ length: this.segments });
    this.valid = new Int32Array(this.segments);
    this.inUse = new Uint8Array(this.segments);
    this.#free = this.segments;
    this.host = { segment: this.#open(), used: 0 };
    this.collector = { segment: this.#open(), used: 0 };
  }

  /** Place of a unit, or NOWHERE. Places of one stripe are consecutive. */
  place(unit: number): number {
    return this.chunks[Math.floor(unit / CHUNK)]?.[unit & (CHUNK - 1)] ?? NOWHERE;
  }

  /** The die of a place whose stripe is full. */
  dieOf(place: number): number {
    const segment = Math.floor(place / this.unitsPerSegment);
    return this.dies[segment]![this.#stripeOf(place, segment)]!;
  }

  /** The full stripe of `place` is programmed on `die`. */
  setDie(place: number, die: number): void {
    const segment = Math.floor(place / this.unitsPerSegment);
    this.dies[segment]![this.#stripeOf(place, segment)] = die;
  }

  /** The dies of a segment, one for each stripe. */
  diesOf(segment: number): Int32Array {
    return this.dies[segment]!;
  }

  #stripeOf(place: number, segment: number): number {
    return Math.floor((place - segment * this.unitsPerSegment) / this.unitsPerStripe);
  }

  /** Whether a place is in a stripe that is still being filled. */
  isOpen(place: number): boolean {
    return this.#isIn(this.host, place) || this.#isIn(this.collector, place);
  }

  #isIn({ segment, used }: End, place: number): boolean {
    const first = segment * this.unitsPerSegment + used - (used % this.unitsPerStripe);
    return place >= first && place < first + this.unitsPerStripe;
  }

  /** Writes a unit. Returns its place when the stripe has become full and is to be programmed, or NOWHERE. */
  write(unit: number): number {
    this.written++;
    return this.#append(this.host, unit);
  }

  /** Units from `first` up to `end` count no more. */
  discard(first: number, end: number): void {
    for (let unit = first; unit < end; unit++) {
      const chunk = this.chunks[Math.floor(unit / CHUNK)];
      if (chunk === undefined) {
        unit = (Math.floor(unit / CHUNK) + 1) * CHUNK - 1;
        continue;
      }
      const place = chunk[unit & (CHUNK - 1)]!;
      if (place !== NOWHERE) this.#invalidate(place);
      chunk[unit & (CHUNK - 1)] = NOWHERE;
    }
  }

  // ---- garbage collection -------------------------------------------------------------------------------------------

  /** Whether free segments are so few that collection has to keep up with the host. */
  get isCollecting(): boolean {
    return this.#free < FEW_FREE;
  }

  /** The host has filled a stripe: collection has to gain as much. */
  demand(): void {
    this.#owed += this.unitsPerStripe;
  }

  /** Whether collection still owes the host room. */
  get isBehind(): boolean {
    return this.#owed > 0;
  }

  /** The next place with a unit that counts in the segment under collection, or NOWHERE when the segment is empty. */
  nextToMove(): number {
    if (this.#victim === NOWHERE) this.#choose();
    const units = this.units[this.#victim]!;
    while (this.#cursor < this.unitsPerSegment && units[this.#cursor] === NOWHERE) {
      this.#cursor++;
      this.#owed--;
    }
    return this.#cursor === this.unitsPerSegment
      ? NOWHERE
      : this.#victim * this.unitsPerSegment + this.#cursor;
  }

  /** The unit at a place of the segment under collection. */
  unitAt(place: number): number {
    return this.units[this.#victim]![place - this.#victim * this.unitsPerSegment]!;
  }

  /** Moves the unit at `place`. Returns its new place when the stripe has become full, or NOWHERE. */
  move(place: number): number {
    this.moved++;
    this.#cursor++;
    return this.#append(this.collector, this.unitAt(place));
  }

  /** The segment under collection is empty and becomes free. Returns it, to be erased. */
  release(): number {
    const segment = this.#victim;
    assert(this.valid[segment] === 0, 'a segment is erased when nothing in it counts');
    this.inUse[segment] = 0;
    this.#free++;
    this.erased++;
    this.#victim = NOWHERE;
    if (!this.isCollecting) this.#owed = 0;
    return segment;
  }

  /** The full segment with the fewest units that count. */
  #choose(): void {
    let best = NOWHERE;
    for (let segment = 0; segment < this.segments; segment++) {
      if (this.inUse[segment] === 0 || segment === this.host.segment || segment === this.collector.segment)
        continue;
      if (best === NOWHERE || this.valid[segment]! < this.valid[best]!) best = segment;
    }
    this.#victim = best;
    this.#cursor = 0;
  }

  // ---- the log ------------------------------------------------------------------------------------------------------

  #append(end: End, unit: number): number {
    const old = this.place(unit);
    if (old !== NOWHERE) this.#invalidate(old);
    const place = end.segment * this.unitsPerSegment + end.used;
    this.#chunk(unit)[unit & (CHUNK - 1)] = place;
    this.units[end.segment]![end.used] = unit;
    this.valid[end.segment]!++;
    end.used++;
    if (end.used % this.unitsPerStripe !== 0) return NOWHERE;
    if (end.used === this.unitsPerSegment) {
      end.segment = this.#open();
      end.used = 0;
    }
    return place;
  }

  #invalidate(place: number): void {
    const segment = Math.floor(place / this.unitsPerSegment);
    this.units[segment]![place - segment * this.unitsPerSegment] = NOWHERE;
    this.valid[segment]!--;
  }

  #chunk(unit: number): Int32Array {
    const index = Math.floor(unit / CHUNK);
    const known = this.chunks[index];
    if (known !== undefined) return known;
    const fresh = new Int32Array(CHUNK).fill(NOWHERE);
    this.chunks[index] = fresh;
    return fresh;
  }

  /** Takes a free segment, in turn, so that all of them wear alike. */
  #open(): number {
    assert(this.#free > 0, 'collection keeps a segment free');
    while (this.inUse[this.#nextFree] === 1) this.#nextFree = (this.#nextFree + 1) % this.segments;
    const segment = this.#nextFree;
    this.inUse[segment] = 1;
    this.#free--;
    this.units[segment] ??= new Int32Array(this.unitsPerSegment);
    this.units[segment]!.fill(NOWHERE);
    this.dies[segment] ??= new Int32Array(this.stripesPerSegment);
    return segment;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.written = a.value(this.written);
    this.moved = a.value(this.moved);
    this.erased = a.value(this.erased);
    a.contents(this.chunks, this.dies, this.units, this.valid, this.inUse);
    Object.assign(this.host, a.value(this.host));
    Object.assign(this.collector, a.value(this.collector));
    this.#free = a.value(this.#free);
    this.#nextFree = a.value(this.#nextFree);
    this.#victim = a.value(this.#victim);
    this.#cursor = a.value(this.#cursor);
    this.#owed = a.value(this.#owed);
  }
}

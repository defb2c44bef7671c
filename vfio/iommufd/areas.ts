/**
 * The areas of an IOAS in ascending order: chunks of a sorted list, so that a million areas are found in O(log n) and
 * moved in pieces of a few hundred. Every area knows the hole in front of it and every chunk a bound of its holes, so
 * that a search for free space skips full chunks whole.
 * Not here: which hole is taken (allocate.ts), what an area maps (area.ts).
 */
import { assert } from '../../support/assert.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import type { Interval } from './intervals.ts';

/** What the list needs of an area: doubles beside its bounds, because a BigInt takes 60 ns to become one. */
export interface Placed extends Interval {
  /** `start` and `last` rounded to doubles. Rounding is monotone, so only equal keys need the exact bounds. */
  readonly startKey: number;
  readonly lastKey: number;
  /** Bytes between the previous area (or address 0) and this one, rounded to a double. The list's own. */
  holeBefore: number;
}

/** A range of a list that keeps nothing else with it. */
export const placed = (start: bigint, last: bigint): Placed => ({
  start,
  last,
  startKey: Number(start),
  lastKey: Number(last),
  holeBefore: 0,
});

interface Chunk<Area> {
  areas: Area[];
  /** No `holeBefore` of the chunk is larger; a search that looks at all of them lowers it to the largest. */
  holeBound: number;
}

const CHUNK_AREAS = 512;

export class AreaList<Area extends Placed> {
  #chunks: Chunk<Area>[] = [];
  #size = 0;
  /** Where the last search ended. */
  #chunkAt = 0;
  #at = 0;
  /** What it looked for, as long as nothing has changed: whoever changes the list has mostly just looked there. */
  #sought: bigint | null = null;

  get size(): number {
    return this.#size;
  }

  /** The first area that ends at or after `address`, or null. */
  firstFrom(address: bigint): Area | null {
    if (address !== this.#sought) this.#search(address, Number(address));
    const before = this.#before();
    if (before !== null && before.last >= address) return before;
    return this.#here();
  }

  /** The first area that shares an address with [start, last], or null. */
  firstIn(start: bigint, last: bigint): Area | null {
    const area = this.firstFrom(start);
    return area !== null && area.start <= last ? area : null;
  }

  /** Adds an area that overlaps no other. */
  insert(area: Area): void {
    this.#search(area.start, area.startKey);
    const before = this.#before();
    const after = this.#here();
    assert(before === null || before.last < area.start, 'an area overlaps the one before it');
    assert(after === null || after.start > area.last, 'an area overlaps the one behind it');
    const chunk = this.#room();
    chunk.areas.splice(this.#at, 0, area);
    this.#size++;
    area.holeBefore = holeBetween(before, area);
    chunk.holeBound = Math.max(chunk.holeBound, area.holeBefore);
    if (after !== null) after.holeBefore = holeBetween(area, after);
    this.#sought = null;
  }

  /** Takes out an area of the list. */
  remove(area: Area): void {
    this.#search(area.start, area.startKey);
    assert(this.#before() === area, 'an area is removed that is not in the list');
    this.#sought = null;
    const chunk = this.#chunks[this.#chunkAt]!;
    this.#at--;
    chunk.areas.splice(this.#at, 1);
    this.#size--;
    const before = this.#before();
    if (chunk.areas.length === 0) this.#chunks.splice(this.#chunkAt, 1);
    const after = this.#here();
    if (after === null) return;
    after.holeBefore = holeBetween(before, after);
    const its = this.#chunks[this.#chunkAt]!.areas[this.#at] === after ? this.#chunkAt : this.#chunkAt + 1;
    const bounded = this.#chunks[its]!;
    bounded.holeBound = Math.max(bounded.holeBound, after.holeBefore);
  }

  /** All areas in ascending order. The list must not change meanwhile. */
  *[Symbol.iterator](): Generator<Area> {
    for (const chunk of this.#chunks) yield* chunk.areas;
  }

  /**
   * Calls `visit` for every hole that meets [start, last] and has `bytes` or more, clipped to it, ascending, until it
   * returns true. Holes that are too small may be visited too.
   */
  findHole(
    start: bigint,
    last: bigint,
    bytes: bigint,
    visit: (start: bigint, last: bigint) => boolean,
  ): void {
    const wanted = Number(bytes);
    const first = this.firstFrom(start);
    let from = start;
    if (first !== null && first.start <= start) {
      if (first.last === U64_MAX) return;
      from = first.last + 1n;
    }
    this.#search(from, Number(from));
    this.#sought = null;
    for (; this.#chunkAt < this.#chunks.length; this.#chunkAt++, this.#at = 0) {
      const chunk = this.#chunks[this.#chunkAt]!;
      if (chunk.holeBound < wanted) continue;
      let largest = 0;
      for (let at = this.#at; at < chunk.areas.length; at++) {
        const area = chunk.areas[at]!;
        largest = Math.max(largest, area.holeBefore);
        if (area.holeBefore < wanted) continue;
        const before = this.#previous(this.#chunkAt, at);
        const holeStart = before === null || before.last < from ? from : before.last + 1n;
        if (holeStart > last) return;
        const holeLast = area.start - 1n < last ? area.start - 1n : last;
        if (holeStart <= holeLast && visit(holeStart, holeLast)) return;
      }
      if (this.#at === 0) chunk.holeBound = largest;
    }
    const end = this.#previous(this.#chunks.length, 0);
    const tail = end === null || end.last < from ? from : end.last + 1n;
    if (tail <= last) visit(tail, last);
  }

  /** Stands at the first area that starts after `address`, of which `key` is the double; or behind the end of its chunk. */
  #search(address: bigint, key: number): void {
    if (address === this.#sought) return;
    this.#sought = address;
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (startsAfter(chunks[middle]!.areas[0]!, key, address)) high = middle;
      else low = middle + 1;
    }
    this.#chunkAt = low === 0 ? 0 : low - 1;
    const areas = chunks[this.#chunkAt]?.areas;
    low = 0;
    high = areas === undefined ? 0 : areas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (startsAfter(areas![middle]!, key, address)) high = middle;
      else low = middle + 1;
    }
    this.#at = low;
  }

  /** The area the search stands at, which may be the first of the next chunk. */
  #here(): Area | null {
    const chunk = this.#chunks[this.#chunkAt];
    return chunk?.areas[this.#at] ?? this.#chunks[this.#chunkAt + 1]?.areas[0] ?? null;
  }

  /** The area in front of where the search stands. */
  #before(): Area | null {
    return this.#previous(this.#chunkAt, this.#at);
  }

  #previous(chunkAt: number, at: number): Area | null {
    if (at > 0) return this.#chunks[chunkAt]!.areas[at - 1]!;
    return chunkAt === 0 ? null : this.#chunks[chunkAt - 1]!.areas.at(-1)!;
  }

  /** The chunk to insert into, with room for one more; a full one is cut in two (at its end when that is the place). */
  #room(): Chunk<Area> {
    const chunk = this.#chunks[this.#chunkAt];
    if (chunk === undefined) {
      const created: Chunk<Area> = { areas: [], holeBound: 0 };
      this.#chunks.push(created);
      return created;
    }
    if (chunk.areas.length < CHUNK_AREAS) return chunk;
    const cut = this.#at === CHUNK_AREAS ? CHUNK_AREAS : CHUNK_AREAS / 2;
    const upper: Chunk<Area> = { areas: chunk.areas.splice(cut), holeBound: chunk.holeBound };
    this.#chunks.splice(this.#chunkAt + 1, 0, upper);
    if (this.#at < cut) return chunk;
    this.#chunkAt++;
    this.#at -= cut;
    return upper;
  }
}

const startsAfter = (area: Placed, key: number, address: bigint): boolean =>
  area.startKey !== key ? area.startKey > key : area.start > address;

/** Differences of doubles are exact below 2^53. */
function holeBetween(before: Placed | null, area: Placed): number {
  if (before === null) return area.startKey;
  if (area.startKey <= Number.MAX_SAFE_INTEGER) return area.startKey - before.lastKey - 1;
  return Number(area.start - before.last - 1n);
}

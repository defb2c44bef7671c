/**
 * Short sorted lists of u64 ranges: what an IOAS must not use (reserved regions, which may overlap one another) and
 * what it may choose from (the allow list, whose ranges do not overlap). A handful of entries, so plain arrays.
 * Not here: mapped areas, of which there may be a million (areas.ts).
 */
import { U64_MAX } from '../uapi/iommufd.ts';

/** A range of IO virtual addresses; both ends are inside. BigInt, because an unattached IOAS spans all of u64. */
export interface Interval {
  readonly start: bigint;
  readonly last: bigint;
}

/** True when some interval of `list` shares an address with [start, last]. */
export function intersects(list: readonly Interval[], start: bigint, last: bigint): boolean {
  for (const interval of list) if (interval.start <= last && interval.last >= start) return true;
  return false;
}

/** Adds `interval` behind every entry that does not start after it. */
export function insertSorted<Entry extends Interval>(list: Entry[], interval: Entry): void {
  const index = list.findIndex((entry) => entry.start > interval.start);
  list.splice(index === -1 ? list.length : index, 0, interval);
}

/** The parts of [start, last] that no interval of the sorted `list` covers, ascending. */
export function* holes(list: readonly Interval[], start: bigint, last: bigint): Generator<Interval> {
  let next = start;
  for (const used of list) {
    if (used.last < next) continue;
    if (used.start > last) break;
    if (used.start > next) yield { start: next, last: used.start - 1n };
    if (used.last === U64_MAX) return;
    next = used.last + 1n;
  }
  if (next <= last) yield { start: next, last };
}

/**
 * A set of block numbers kept as sorted, disjoint ranges: what Write Uncorrectable marked, however much that is.
 * Not here: what the blocks mean (blocks.ts).
 */
import type { Archive } from '../../support/archive.ts';
export class BlockRanges {
  /** First block and end (exclusive) of each range, ascending. */
  readonly #ranges: { first: number; end: number }[] = [];

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  /** The first block at or after `first` and before `end` that is in the set, or -1. */
  find(first: number, end: number): number {
    const range = this.#ranges[this.#indexAfter(first)];
    return range === undefined || range.first >= end ? -1 : Math.max(range.first, first);
  }

  /** The first block at or after `first` and before `end` that is not in the set, or -1. */
  findGap(first: number, end: number): number {
    const range = this.#ranges[this.#indexAfter(first)];
    const gap = range === undefined || range.first > first ? first : range.end;
    return gap < end ? gap : -1;
  }

  /** The ranges that lie between `first` and `end`, cut to fit, ascending. */
  within(first: number, end: number): { readonly first: number; readonly end: number }[] {
    const from = this.#indexAfter(first);
    return this.#ranges
      .slice(from)
      .filter((range) => range.first < end)
      .map((range) => ({ first: Math.max(range.first, first), end: Math.min(range.end, end) }));
  }

  add(first: number, end: number): void {
    if (first >= end) return;
    // Ranges that touch the new one become part of it.
    let from = this.#indexAfter(first);
    if (from > 0 && this.#ranges[from - 1]!.end === first) from--;
    let to = from;
    let low = first;
    let high = end;
    while (to < this.#ranges.length && this.#ranges[to]!.first <= end) {
      low = Math.min(low, this.#ranges[to]!.first);
      high = Math.max(high, this.#ranges[to]!.end);
      to++;
    }
    this.#ranges.splice(from, to - from, { first: low, end: high });
  }

  remove(first: number, end: number): void {
    const from = this.#indexAfter(first);
    const left: { first: number; end: number }[] = [];
    let to = from;
    while (to < this.#ranges.length && this.#ranges[to]!.first < end) {
      const range = this.#ranges[to]!;
      if (range.first < first) left.push({ first: range.first, end: first });
      if (range.end > end) left.push({ first: end, end: range.end });
      to++;
    }
    this.#ranges.splice(from, to - from, ...left);
  }

  clear(): void {
    this.#ranges.length = 0;
  }

  /** Index of the first range that ends after `block`. */
  #indexAfter(block: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end > block) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#ranges);
  }
}

/**
 * The IOTLB: finished translations by domain id and input address, one cache per leaf size. Entries stay until software
 * invalidates them, whatever memory says by then.
 * A 2 MiB or 1 GiB leaf is kept whole; the pages of it in use are kept as 4 KiB entries too, so that the hot path
 * (request-path.ts) looks in one place. Cached tables (table-cache.ts) are dropped with what they lead to.
 * Not here: contexts (context-cache.ts).
 */
import type { Archive } from '../support/archive.ts';
import { PAGE_SIZE } from '../support/numbers.ts';
import { type CachedLeaf, LeafCache } from './leaf-cache.ts';
import { LEAF_BYTES } from './spec/structures.ts';
import { TableCache } from './table-cache.ts';

const LARGE_ENTRIES = 64;
const HUGE_ENTRIES = 16;
/** More leaves than any address width has. */
const EVERYTHING = 2 ** 52;

export class Iotlb {
  /** The 4 KiB entries, which the hot path reads itself. */
  readonly pages: LeafCache;
  /** Where the walks of misses begin. */
  readonly tables = new TableCache();
  readonly #large = new LeafCache(LARGE_ENTRIES, LEAF_BYTES[2]);
  readonly #huge = new LeafCache(HUGE_ENTRIES, LEAF_BYTES[3]);
  readonly #leaves = [this.#large, this.#huge];

  /** `count` entries of 4 KiB, a power of two, besides those for large leaves. */
  constructor(count: number) {
    this.pages = new LeafCache(count, PAGE_SIZE);
  }

  /** Keeps a leaf of the given level and the page of it that was used. Returns the frame of `iova`. */
  insert(domainId: number, iova: number, base: number, level: number, permissions: number): number {
    const first = base / PAGE_SIZE;
    if (level === 2) this.#large.insert(domainId, iova, first, permissions);
    else if (level === 3) this.#huge.insert(domainId, iova, first, permissions);
    const bytes = LEAF_BYTES[level]!;
    const frame = first + Math.floor((iova - Math.floor(iova / bytes) * bytes) / PAGE_SIZE);
    this.pages.insert(domainId, iova, frame, permissions);
    return frame;
  }

  /** The frame of `iova` from a large leaf, which then also gets its page entry; -1 when none allows the access. */
  findLarge(domainId: number, iova: number, isWrite: boolean): number {
    for (const cache of this.#leaves) {
      if (!cache.used) continue;
      const permissions = cache.permissions(domainId, iova);
      if ((permissions & (isWrite ? 2 : 1)) === 0) continue;
      const frame = cache.frame(domainId, iova);
      this.pages.insert(domainId, iova, frame, permissions);
      return frame;
    }
    return -1;
  }

  /** True when some access to `iova` would hit. Changes nothing. */
  holds(domainId: number, iova: number): boolean {
    if (this.pages.permissions(domainId, iova) !== 0) return true;
    for (const cache of this.#leaves) if (cache.used && cache.permissions(domainId, iova) !== 0) return true;
    return false;
  }

  /** Everything that is kept, by domain and address; for looking at. */
  entries(): CachedLeaf[] {
    const all = [this.pages, ...this.#leaves].flatMap((cache) => [...cache.entries()]);
    return all.sort((a, b) => a.domainId - b.domainId || a.iova - b.iova || a.bytes - b.bytes);
  }

  dropAll(): void {
    this.pages.dropAll();
    this.tables.dropAll();
    for (const cache of this.#leaves) cache.dropAll();
  }

  dropDomain(domainId: number): void {
    this.pages.dropRange(domainId, 0, EVERYTHING);
    this.tables.dropDomain(domainId);
    for (const cache of this.#leaves) cache.dropRange(domainId, 0, EVERYTHING);
  }

  /**
   * Drops every entry of the domain that overlaps `count` 4 KiB pages from page `first`; a large one goes whole. With
   * `leavesOnly` cached tables stay.
   */
  dropPages(domainId: number, first: number, count: number, leavesOnly: boolean): void {
    if (!leavesOnly) this.tables.dropRange(domainId, first * PAGE_SIZE, (first + count) * PAGE_SIZE);
    let low = first;
    let high = first + count - 1;
    for (const cache of this.#leaves) {
      if (!cache.used) continue;
      const ratio = cache.leafBytes / PAGE_SIZE;
      const firstLeaf = Math.floor(first / ratio);
      const lastLeaf = Math.floor((first + count - 1) / ratio);
      if (!cache.dropRange(domainId, firstLeaf, lastLeaf)) continue;
      low = Math.min(low, firstLeaf * ratio);
      high = Math.max(high, lastLeaf * ratio + ratio - 1);
    }
    this.pages.dropRange(domainId, low, high);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.pages.archive(a);
    this.tables.archive(a);
    for (const cache of this.#leaves) cache.archive(a);
  }
}

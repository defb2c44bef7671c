/**
 * The IOTLB: finished translations by domain id and input address, one direct-mapped array per leaf size, on typed
 * arrays. Entries stay until software invalidates them, whatever memory says by then.
 * A 2 MiB or 1 GiB leaf is kept whole; the pages of it in use are kept as 4 KiB entries too, so that the hot path
 * (unit.ts) looks in one place. Not here: paging-structure caches (a miss reads every level), context-cache.ts.
 */
import { assert } from '../support/assert.ts';
import { isPowerOfTwo, PAGE_SIZE } from '../support/numbers.ts';
import { LEAF_BYTES } from './spec/structures.ts';

/** Doubles of one entry: a key for reads, a key for writes, the physical base. A denied access has no key. */
export const ENTRY_STRIDE = 4;
export const READ_KEY = 0;
export const WRITE_KEY = 1;
export const BASE = 2;
const NO_KEY = -1;
const LEAF_SIZE = Int32Array.from(LEAF_BYTES);
/** A key is page * DOMAINS + domain id: exact while the page number is below 2^37. */
export const DOMAINS = 0x1_0000;
const PAGES_EXACT = 2 ** 37;
/** Spreads domains that use the same addresses over the array. */
export const DOMAIN_SPREAD = 89;

const LARGE_ENTRIES = 64;
const HUGE_ENTRIES = 16;

/** Translations of one leaf size. */
class PageCache {
  /** ENTRY_STRIDE doubles per entry. */
  readonly entries: Float64Array;
  readonly mask: number;
  readonly pageBytes: number;
  readonly #scale: number;
  /** False while nothing was ever inserted since the last full drop. */
  used = false;

  constructor(count: number, pageBytes: number) {
    assert(isPowerOfTwo(count), 'the number of IOTLB entries is a power of two');
    this.entries = new Float64Array(count * ENTRY_STRIDE).fill(NO_KEY);
    this.mask = count - 1;
    this.pageBytes = pageBytes;
    this.#scale = 1 / pageBytes;
  }

  insert(domainId: number, iova: number, base: number, permissions: number): void {
    const page = Math.floor(iova * this.#scale);
    if (page >= PAGES_EXACT) return;
    const key = page * DOMAINS + domainId;
    const at = this.#slot(page, domainId);
    this.entries[at + READ_KEY] = (permissions & 1) === 0 ? NO_KEY : key;
    this.entries[at + WRITE_KEY] = (permissions & 2) === 0 ? NO_KEY : key;
    this.entries[at + BASE] = base;
    this.used = true;
  }

  /** Offset of the matching entry in `entries`, or -1. `which` is READ_KEY or WRITE_KEY. */
  find(domainId: number, iova: number, which: number): number {
    const page = Math.floor(iova * this.#scale);
    const at = this.#slot(page, domainId);
    return this.entries[at + which] === page * DOMAINS + domainId ? at : -1;
  }

  holds(domainId: number, iova: number): boolean {
    return this.find(domainId, iova, READ_KEY) !== -1 || this.find(domainId, iova, WRITE_KEY) !== -1;
  }

  dropAll(): void {
    if (this.used) this.entries.fill(NO_KEY);
    this.used = false;
  }

  /** Drops what `domainId` has between pages `first` and `last`, inclusive. Returns true when there was something. */
  dropRange(domainId: number, first: number, last: number): boolean {
    if (!this.used) return false;
    let dropped = false;
    if (last - first <= this.mask) {
      for (let page = first; page <= last; page++) {
        const at = this.#slot(page, domainId);
        if (this.#keyAt(at) === page * DOMAINS + domainId) dropped = this.#drop(at);
      }
      return dropped;
    }
    for (let at = 0; at < this.entries.length; at += ENTRY_STRIDE) {
      const key = this.#keyAt(at);
      if (key === NO_KEY) continue;
      const page = Math.floor(key / DOMAINS);
      if (page >= first && page <= last && key - page * DOMAINS === domainId) dropped = this.#drop(at);
    }
    return dropped;
  }

  #slot(page: number, domainId: number): number {
    return ((page + domainId * DOMAIN_SPREAD) & this.mask) * ENTRY_STRIDE;
  }

  /** The key of an entry, whichever access it allows. */
  #keyAt(at: number): number {
    const readKey = this.entries[at + READ_KEY]!;
    return readKey === NO_KEY ? this.entries[at + WRITE_KEY]! : readKey;
  }

  #drop(at: number): true {
    this.entries[at + READ_KEY] = NO_KEY;
    this.entries[at + WRITE_KEY] = NO_KEY;
    return true;
  }
}

export class Iotlb {
  readonly #pages: PageCache;
  readonly #large = new PageCache(LARGE_ENTRIES, LEAF_BYTES[2]);
  readonly #huge = new PageCache(HUGE_ENTRIES, LEAF_BYTES[3]);
  readonly #leaves = [this.#large, this.#huge];

  /** `count` entries of 4 KiB, a power of two, besides those for large leaves. */
  constructor(count: number) {
    this.#pages = new PageCache(count, PAGE_SIZE);
  }

  /** The 4 KiB entries, for the hot path; the array lives as long as the IOTLB. */
  get pageEntries(): Float64Array {
    return this.#pages.entries;
  }

  /** Keeps a leaf of the given level and the page of it that was used. Returns the physical address of `iova`. */
  insert(domainId: number, iova: number, base: number, level: number, permissions: number): number {
    if (level === 2) this.#large.insert(domainId, iova, base, permissions);
    else if (level === 3) this.#huge.insert(domainId, iova, base, permissions);
    const physical = base + (iova & (LEAF_SIZE[level]! - 1));
    this.#pages.insert(domainId, iova, physical - (iova & (PAGE_SIZE - 1)), permissions);
    return physical;
  }

  /** The physical address from a large leaf, which then also gets its page entry; -1 when none matches. */
  findLarge(domainId: number, iova: number, which: number): number {
    if (this.#large.used) {
      const at = this.#large.find(domainId, iova, which);
      if (at !== -1) return this.#refill(this.#large, at, domainId, iova);
    }
    if (this.#huge.used) {
      const at = this.#huge.find(domainId, iova, which);
      if (at !== -1) return this.#refill(this.#huge, at, domainId, iova);
    }
    return -1;
  }

  /** True when some access to `iova` would hit. Changes nothing. */
  holds(domainId: number, iova: number): boolean {
    return (
      this.#pages.holds(domainId, iova) ||
      this.#large.holds(domainId, iova) ||
      this.#huge.holds(domainId, iova)
    );
  }

  dropAll(): void {
    this.#pages.dropAll();
    this.#large.dropAll();
    this.#huge.dropAll();
  }

  dropDomain(domainId: number): void {
    const everything = PAGES_EXACT;
    this.#pages.dropRange(domainId, 0, everything);
    this.#large.dropRange(domainId, 0, everything);
    this.#huge.dropRange(domainId, 0, everything);
  }

  /** Drops every entry of the domain that overlaps `count` 4 KiB pages from page `first`; a large one goes whole. */
  dropPages(domainId: number, first: number, count: number): void {
    let low = first;
    let high = first + count - 1;
    for (const cache of this.#leaves) {
      if (!cache.used) continue;
      const ratio = cache.pageBytes / PAGE_SIZE;
      const firstLeaf = Math.floor(first / ratio);
      const lastLeaf = Math.floor((first + count - 1) / ratio);
      if (!cache.dropRange(domainId, firstLeaf, lastLeaf)) continue;
      low = Math.min(low, firstLeaf * ratio);
      high = Math.max(high, lastLeaf * ratio + ratio - 1);
    }
    this.#pages.dropRange(domainId, low, high);
  }

  #refill(cache: PageCache, at: number, domainId: number, iova: number): number {
    const { entries, pageBytes } = cache;
    const permissions =
      Number(entries[at + READ_KEY] !== NO_KEY) | (Number(entries[at + WRITE_KEY] !== NO_KEY) << 1);
    const physical = entries[at + BASE]! + (iova & (pageBytes - 1));
    this.#pages.insert(domainId, iova, physical - (iova & (PAGE_SIZE - 1)), permissions);
    return physical;
  }
}

/**
 * Paging-structure caches (VT-d 4.1 §6.2.5): for each level that is no leaf, where the next table is, so that a walk
 * begins at the lowest table it knows. Entries stay until software invalidates them without the hint that only leaves
 * have changed (IH). Not here: leaves (leaf-cache.ts), the walk that fills and uses these (walk.ts).
 */
import type { Archive } from '../support/archive.ts';
import { LEAF_BYTES } from './spec/structures.ts';

/** Entries of each level, a power of two. */
const ENTRIES = 32;
/** Level 5 is the highest top table; level 1 has leaves only. An entry of level n leads to a table of level n - 1. */
const LEVELS = 6;
const LOWEST = 2;
const NOTHING = -1;
/** A key is the address divided by what an entry covers, and the domain. */
const DOMAINS = 65_536;

export class TableCache {
  /** By level * ENTRIES + index. */
  private readonly keys = new Float64Array(LEVELS * ENTRIES).fill(NOTHING);
  private readonly words = new Int32Array(LEVELS * ENTRIES);
  private readonly permissions = new Int32Array(LEVELS * ENTRIES);
  /** What the last `find` found: word index of a table, its level, and what the levels above allow. */
  table = 0;
  level = 0;
  allowed = 0;

  /** Keeps that the entry of `level` for `iova` leads to the table at word index `table`. */
  insert(domainId: number, iova: number, level: number, table: number, permissions: number): void {
    const key = keyOf(domainId, iova, level);
    const at = level * ENTRIES + (key & (ENTRIES - 1));
    this.keys[at] = key;
    this.words[at] = table;
    this.permissions[at] = permissions;
  }

  /** Looks for the lowest table on the way to `iova` below a top table of `levels`. False when none is known. */
  find(domainId: number, iova: number, levels: number): boolean {
    for (let level = LOWEST; level <= levels; level++) {
      const key = keyOf(domainId, iova, level);
      const at = level * ENTRIES + (key & (ENTRIES - 1));
      if (this.keys[at] !== key) continue;
      this.table = this.words[at]!;
      this.allowed = this.permissions[at]!;
      this.level = level - 1;
      return true;
    }
    return false;
  }

  dropAll(): void {
    this.keys.fill(NOTHING);
  }

  dropDomain(domainId: number): void {
    for (let at = 0; at < this.keys.length; at++)
      if (this.keys[at]! % DOMAINS === domainId) this.keys[at] = NOTHING;
  }

  /** Drops what the domain has on the way to addresses from `first` up to `end`. */
  dropRange(domainId: number, first: number, end: number): void {
    for (let level = LOWEST; level < LEVELS; level++) {
      const low = keyOf(domainId, first, level);
      const high = keyOf(domainId, end - 1, level);
      for (let at = level * ENTRIES; at < (level + 1) * ENTRIES; at++) {
        const key = this.keys[at]!;
        if (key >= low && key <= high && key % DOMAINS === domainId) this.keys[at] = NOTHING;
      }
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.keys, this.words, this.permissions);
  }
}

/** Bytes that an entry of a level covers, as what divides them. */
const PER_ENTRY = Float64Array.from({ length: LEVELS }, (_, level) =>
  level === 0 ? 1 : 1 / (LEAF_BYTES[1] * 512 ** (level - 1)),
);

const keyOf = (domainId: number, iova: number, level: number): number =>
  Math.floor(iova * PER_ENTRY[level]!) * DOMAINS + domainId;

/**
 * Second-stage tables in RAM, as software builds them: the largest leaf that fits, tables allocated on demand, and table
 * pages that an unmap has emptied set aside until hardware has forgotten them (VT-d 4.1 §9.8).
 * Not here: invalidation and who may free what when (domain.ts), the hardware's walk (walk.ts).
 */
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import { assert } from '../support/assert.ts';
import { highWord, PAGE_MASK, u64 } from '../support/numbers.ts';
import {
  ADDRESS_HIGH_MASK,
  bitsOfLevels,
  LEAF_BYTES,
  PAGE_ENTRY_BYTES,
  PTE,
  TABLE_ENTRIES,
} from './spec/structures.ts';

/** 4 KiB, 2 MiB or 1 GiB. */
export type LeafLevel = 1 | 2 | 3;
/** R and W of an entry. */
export type Permissions = 1 | 2 | 3;

const PRESENT = PTE.R.mask | PTE.W.mask;
const NOTHING = -1;
// Messages of assertions are constants: building one costs more than the map it guards.
const ALREADY_MAPPED = 'the range is mapped already';
/** Bytes that one entry covers, by level. */
const SPAN = Float64Array.of(0, 2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48);

export class PageTable {
  /** Physical address of the top table. */
  readonly root: number;
  readonly levels: number;
  /** First input address beyond the tables. */
  readonly end: number;
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #leafLevelMax: LeafLevel;
  /** Tables unlinked from the tree that hardware may still have cached. */
  #retired: number[] = [];

  /** `root` is a zeroed page of `pages`, which the table owns from now on. */
  constructor(memory: Memory, pages: Pages, root: number, levels: number, leafLevelMax: LeafLevel) {
    this.#memory = memory;
    this.#pages = pages;
    this.root = root;
    this.levels = levels;
    this.end = 2 ** bitsOfLevels(levels);
    this.#leafLevelMax = leafLevelMax;
  }

  get hasRetired(): boolean {
    return this.#retired.length > 0;
  }

  /**
   * Maps pages that are not mapped yet, with no leaf above `leafLevelMax`.
   * Returns the bytes mapped: fewer than `bytes` when no page was left for a table.
   */
  map(
    iova: number,
    physical: number,
    bytes: number,
    permissions: Permissions,
    leafLevelMax: LeafLevel,
  ): number {
    this.#checkRange(iova | physical, iova, bytes);
    let done = 0;
    while (done < bytes) {
      const level = this.#leafLevel(iova + done, physical + done, bytes - done, leafLevelMax);
      const table = this.#tableFor(iova + done, level);
      if (table === NOTHING) break;
      done += this.#fill(table, level, iova + done, physical + done, bytes - done, permissions);
    }
    return done;
  }

  /**
   * Clears every leaf of the range; a leaf that reaches beyond it is a bug of the caller. Tables that the range covers
   * whole are retired, others stay for the next mapping.
   */
  unmap(iova: number, bytes: number): void {
    this.#checkRange(iova, iova, bytes);
    this.#clear(this.root, this.levels, 0, iova, iova + bytes);
  }

  /** The physical address `iova` maps to, or -1. */
  lookup(iova: number): number {
    if (iova >= this.end) return NOTHING;
    let table = this.root;
    for (let level = this.levels; ; level--) {
      const at = this.#word(table, iova, level);
      const low = this.#memory.u32[at]!;
      if ((low & PRESENT) === 0) return NOTHING;
      table = this.#target(at);
      if (isLeaf(low, level)) return table + iova - Math.floor(iova / SPAN[level]!) * SPAN[level]!;
    }
  }

  /** Gives retired tables back; only after an invalidation that also drops cached tables has completed. */
  freeRetired(): void {
    for (const table of this.#retired) this.#pages.free(table, 1);
    this.#retired.length = 0;
  }

  /** Gives every table back. No device may use them any more. */
  free(): void {
    this.#retire(this.root, this.levels);
    this.freeRetired();
  }

  #checkRange(addresses: number, iova: number, bytes: number): void {
    assert(((addresses | bytes) & PAGE_MASK) === 0 && bytes > 0, 'a mapping is whole pages');
    assert(iova + bytes <= this.end, 'the range is beyond the width of the tables');
  }

  #leafLevel(iova: number, physical: number, bytes: number, most: LeafLevel): LeafLevel {
    const limit = Math.min(most, this.#leafLevelMax);
    if (limit === 3 && ((iova | physical) & (LEAF_BYTES[3] - 1)) === 0 && bytes >= LEAF_BYTES[3]) return 3;
    if (limit >= 2 && ((iova | physical) & (LEAF_BYTES[2] - 1)) === 0 && bytes >= LEAF_BYTES[2]) return 2;
    return 1;
  }

  /** The table that holds the entry of `iova` at `leafLevel`, made on the way down; NOTHING when memory ran out. */
  #tableFor(iova: number, leafLevel: LeafLevel): number {
    const ram = this.#memory.u32;
    let table = this.root;
    for (let level = this.levels; level > leafLevel; level--) {
      const at = this.#word(table, iova, level);
      const low = ram[at]!;
      if ((low & PRESENT) !== 0) {
        assert(!isLeaf(low, level), ALREADY_MAPPED);
        table = this.#target(at);
        continue;
      }
      table = this.#pages.allocate(1);
      if (table === NOTHING) return NOTHING;
      ram[at + 1] = highWord(table);
      ram[at] = table | PRESENT;
    }
    return table;
  }

  /** Writes leaves of one table until it or the range ends. Returns the bytes they cover. */
  #fill(
    table: number,
    level: LeafLevel,
    iova: number,
    physical: number,
    bytes: number,
    permissions: number,
  ): number {
    const ram = this.#memory.u32;
    const size = LEAF_BYTES[level];
    const flags = permissions | (level === 1 ? 0 : PTE.PS.mask);
    const first = this.#word(table, iova, level);
    const room = TABLE_ENTRIES - ((first & (TABLE_ENTRIES * 2 - 1)) >>> 1);
    const count = Math.min(room, Math.floor(bytes / size));
    for (let entry = 0; entry < count; entry++) {
      const at = first + entry * 2;
      if ((ram[at]! & PRESENT) !== 0) this.#replace(at, level);
      const target = physical + entry * size;
      ram[at + 1] = highWord(target);
      ram[at] = target | flags;
    }
    return count * size;
  }

  /** A leaf takes the place of a table that earlier unmaps have left empty. */
  #replace(at: number, level: LeafLevel): void {
    const table = this.#target(at);
    const isEmptyTable = !isLeaf(this.#memory.u32[at]!, level) && this.#isEmpty(table, level - 1);
    assert(isEmptyTable, ALREADY_MAPPED);
    this.#memory.u32[at] = 0;
    this.#retire(table, level - 1);
  }

  #clear(table: number, level: number, base: number, from: number, to: number): void {
    const ram = this.#memory.u32;
    const span = SPAN[level]!;
    let start = base + Math.floor((from - base) / span) * span;
    for (; start < to; start += span) {
      const at = this.#word(table, start, level);
      const low = ram[at]!;
      if ((low & PRESENT) === 0) continue;
      const isWhole = from <= start && start + span <= to;
      const isEntryLeaf = isLeaf(low, level);
      if (!isWhole) {
        assert(!isEntryLeaf, 'the unmap would split a leaf');
        this.#clear(this.#target(at), level - 1, start, Math.max(from, start), Math.min(to, start + span));
        continue;
      }
      const target = this.#target(at);
      ram[at] = 0;
      ram[at + 1] = 0;
      if (!isEntryLeaf) this.#retire(target, level - 1);
    }
  }

  #retire(table: number, level: number): void {
    this.#retired.push(table);
    for (let index = 0; level > 1 && index < TABLE_ENTRIES; index++) {
      const at = (table >>> 2) + index * 2;
      const low = this.#memory.u32[at]!;
      if ((low & PRESENT) !== 0 && !isLeaf(low, level)) this.#retire(this.#target(at), level - 1);
    }
  }

  #isEmpty(table: number, level: number): boolean {
    for (let index = 0; index < TABLE_ENTRIES; index++) {
      const at = (table >>> 2) + index * 2;
      const low = this.#memory.u32[at]!;
      if ((low & PRESENT) === 0) continue;
      if (isLeaf(low, level) || !this.#isEmpty(this.#target(at), level - 1)) return false;
    }
    return true;
  }

  /** Word index in RAM of the entry of `iova` in a table of `level`. */
  #word(table: number, iova: number, level: number): number {
    return (table >>> 2) + ((iova / SPAN[level]!) & (TABLE_ENTRIES - 1)) * (PAGE_ENTRY_BYTES / 4);
  }

  #target(at: number): number {
    return u64(this.#memory.u32[at]! & PTE.ADDR.mask, this.#memory.u32[at + 1]! & ADDRESS_HIGH_MASK);
  }
}

const isLeaf = (low: number, level: number): boolean => level === 1 || (low & PTE.PS.mask) !== 0;

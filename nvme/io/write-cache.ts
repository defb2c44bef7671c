/**
 * What a power cut would undo: for each block whose newest contents are only in the volatile write cache, the contents
 * that the medium still has (Base 2.1 §5.1.25.1.4). Bounded: the oldest blocks are written back to make room.
 * A drive whose capacitors write its cache back has none of this. Not here: when blocks become durable (blocks.ts).
 */
import type { Memory } from '../../machine/memory.ts';
import type { BlockStore } from '../block-store.ts';

/** Saved contents of one unit of a store, by the byte offset of the unit. */
type Units = Map<number, Uint8Array>;

export class WriteCache {
  readonly #memory: Memory;
  readonly #capacity: number;
  readonly #stores = new Map<BlockStore, Units>();
  #used_bytes = 0;

  /** `capacity_bytes` of overwritten blocks are remembered. */
  constructor(memory: Memory, capacity_bytes: number) {
    this.#memory = memory;
    this.#capacity = capacity_bytes;
  }

  /** Bytes that a power cut would bring back. */
  get dirty_bytes(): number {
    return this.#used_bytes;
  }

  /** `length` bytes at `offset` of a store, whole units of `unit` bytes, are about to change in the cache only. */
  remember(store: BlockStore, offset: number, length: number, unit: number): void {
    const units = this.#unitsOf(store);
    for (let at = offset; at < offset + length; at += unit) {
      if (units.has(at)) continue;
      const from = store.load(at, unit);
      if (from < 0) continue;
      units.set(at, this.#memory.u8.slice(from, from + unit));
      this.#used_bytes += unit;
      if (this.#used_bytes > this.#capacity) this.#writeBackOldest();
    }
  }

  /** `length` bytes at `offset` are on the medium now. */
  persist(store: BlockStore, offset: number, length: number, unit: number): void {
    const units = this.#unitsOf(store);
    for (let at = offset; at < offset + length; at += unit) if (units.delete(at)) this.#used_bytes -= unit;
  }

  /** Everything of `store` is on the medium now. */
  flush(store: BlockStore): void {
    for (const saved of this.#unitsOf(store).values()) this.#used_bytes -= saved.length;
    this.#stores.delete(store);
  }

  /** Power is lost: every store has what its medium had. */
  lose(): void {
    for (const [store, units] of this.#stores) {
      for (const [offset, saved] of units) {
        const to = store.stage(offset, saved.length);
        if (to < 0) continue;
        this.#memory.u8.set(saved, to);
        store.commit(offset, saved.length);
      }
    }
    this.clear();
  }

  /** Everything is on the medium now. */
  clear(): void {
    this.#stores.clear();
    this.#used_bytes = 0;
  }

  #unitsOf(store: BlockStore): Units {
    const known = this.#stores.get(store);
    if (known !== undefined) return known;
    const units: Units = new Map();
    this.#stores.set(store, units);
    return units;
  }

  #writeBackOldest(): void {
    for (const [store, units] of this.#stores) {
      for (const [offset, saved] of units) {
        units.delete(offset);
        this.#used_bytes -= saved.length;
        return;
      }
      this.#stores.delete(store);
    }
  }
}

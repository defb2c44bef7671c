/**
 * Whole blocks of a namespace between its stores and controller SRAM, with what a medium knows about them: marked as
 * uncorrectable, dirty in the volatile write cache, deallocated. Every command but plain Read and Write works on these.
 * Not here: host memory (transfer.ts), limits and rules of commands (read-write.ts and its neighbours).
 */
import type { Memory } from '../../machine/memory.ts';
import { type BlockStore, STORE_FAILED } from '../block-store.ts';
import type { Features } from '../features.ts';
import type { Health } from '../health.ts';
import type { Media } from '../media.ts';
import { type Namespace, SPECIAL } from '../namespace.ts';
import { STATUS } from '../spec/status.ts';
import type { WriteCache } from './write-cache.ts';

export interface BlocksParts {
  readonly memory: Memory;
  readonly health: Health;
  readonly features: Features;
  readonly media: Media;
  /** What a power cut takes back; null: nothing. */
  readonly cache: WriteCache | null;
}

export class Blocks {
  readonly #memory: Memory;
  readonly #health: Health;
  readonly #features: Features;
  readonly #media: Media;
  readonly #cache: WriteCache | null;

  constructor(parts: BlocksParts) {
    this.#memory = parts.memory;
    this.#health = parts.health;
    this.#features = parts.features;
    this.#media = parts.media;
    this.#cache = parts.cache;
  }

  // ---- data -------------------------------------------------------------------------------------------------------

  /** Whether all `count` blocks from `first` can be read. Returns a status. */
  checkReadable(namespace: Namespace, first: number, count: number): number {
    const bad = namespace.uncorrectable.find(first, first + count);
    if (bad === -1) return STATUS.SUCCESS;
    return this.#health.explain(
      STATUS.UNRECOVERED_READ_ERROR,
      `block ${bad} was marked by Write Uncorrectable`,
    );
  }

  /** Copies `count` blocks from `first` to byte `to` of device-local memory. Returns a status. */
  read(namespace: Namespace, first: number, count: number, to: number): number {
    const unit = namespace.block_bytes;
    return this.#load(namespace.store, first * unit, count * unit, to);
  }

  /** Makes `count` blocks from `first` what is at byte `from` of device-local memory. Returns a status. */
  write(namespace: Namespace, first: number, count: number, from: number): number {
    const unit = namespace.block_bytes;
    this.#remember(namespace.store, first * unit, count * unit, unit);
    const status = this.#save(namespace.store, first * unit, count * unit, from);
    if (status === STATUS.SUCCESS) this.#clearMarks(namespace, first, count);
    return status;
  }

  /** Deallocates `count` blocks from `first`: data read as zeroes, metadata as metadata of a deallocated block. */
  discard(namespace: Namespace, first: number, count: number): number {
    const unit = namespace.block_bytes;
    const { store } = namespace;
    this.#remember(store, first * unit, count * unit, unit);
    if (store.discard(first * unit, count * unit) === STORE_FAILED)
      return this.#storeFailed(store, STATUS.WRITE_FAULT);
    this.#media.discard(namespace.mediaBase + first * unit, count * unit);
    this.#clearMarks(namespace, first, count);
    return STATUS.SUCCESS;
  }

  /** Write Uncorrectable: until they are written, the blocks cannot be read. */
  mark(namespace: Namespace, first: number, count: number): void {
    namespace.uncorrectable.add(first, first + count);
    namespace.setSpecial(SPECIAL.UNCORRECTABLE, true);
  }

  #clearMarks(namespace: Namespace, first: number, count: number): void {
    if (namespace.uncorrectable.isEmpty) return;
    namespace.uncorrectable.remove(first, first + count);
    namespace.setSpecial(SPECIAL.UNCORRECTABLE, !namespace.uncorrectable.isEmpty);
  }

  // ---- durability -------------------------------------------------------------------------------------------------

  /** Makes `count` blocks from `first` survive a loss of power (FUA). Returns a status. */
  persist(namespace: Namespace, first: number, count: number): number {
    const unit = namespace.block_bytes;
    this.#cache?.persist(namespace.store, first * unit, count * unit, unit);
    return this.#flush(namespace.store);
  }

  /** Makes everything of `namespace` survive a loss of power. Returns a status. */
  flush(namespace: Namespace): number {
    this.#cache?.flush(namespace.store);
    return this.#flush(namespace.store);
  }

  #flush(store: BlockStore): number {
    return store.flush() === STORE_FAILED ? this.#storeFailed(store, STATUS.WRITE_FAULT) : STATUS.SUCCESS;
  }

  /** With the cache off, what is written is durable and so is what was written before. */
  #remember(store: BlockStore, offset: number, length: number, unit: number): void {
    if (this.#cache === null) return;
    if (this.#features.writeCache) this.#cache.remember(store, offset, length, unit);
    else this.#cache.flush(store);
  }

  // ---- stores -----------------------------------------------------------------------------------------------------

  #load(store: BlockStore, offset: number, length: number, to: number): number {
    for (let done = 0; done < length; ) {
      const step = Math.min(store.run - ((offset + done) & (store.run - 1)), length - done);
      const local = store.load(offset + done, step);
      if (local < 0) return this.#storeFailed(store, STATUS.UNRECOVERED_READ_ERROR);
      this.#memory.copy(to + done, local, step);
      done += step;
    }
    return STATUS.SUCCESS;
  }

  #save(store: BlockStore, offset: number, length: number, from: number): number {
    for (let done = 0; done < length; ) {
      const step = Math.min(store.run - ((offset + done) & (store.run - 1)), length - done);
      const local = store.stage(offset + done, step);
      if (local < 0) return this.#storeFailed(store, STATUS.WRITE_FAULT);
      this.#memory.copy(local, from + done, step);
      if (store.commit(offset + done, step) === STORE_FAILED)
        return this.#storeFailed(store, STATUS.WRITE_FAULT);
      done += step;
    }
    return STATUS.SUCCESS;
  }

  #storeFailed(store: BlockStore, status: number): number {
    return this.#health.explain(status, store.failure);
  }
}

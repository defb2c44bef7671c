/**
 * Whole blocks of a namespace between its stores and controller SRAM, with what a medium knows about them: marked as
 * uncorrectable, dirty in the volatile write cache, deallocated. Every command but plain Read and Write works on these.
 * Not here: host memory (payload.ts), limits and rules of commands (read-write.ts and its neighbours).
 */
import type { Memory } from '../../machine/memory.ts';
import { type BlockStore, STORE_FAILED } from '../block-store.ts';
import type { Features } from '../features.ts';
import type { Health } from '../health.ts';
import type { Media } from '../media.ts';
import type { Namespace } from '../namespace.ts';
import { ERROR_RECOVERY, FID } from '../spec/features.ts';
import { OTHER_RETRY, STATUS } from '../spec/status.ts';
import type { Buffer, Protection } from './protection.ts';
import type { WriteCache } from './write-cache.ts';

/** TLER counts 100 ms. */
const TLER_UNIT_NS = 100_000_000;

export interface BlocksParts {
  readonly memory: Memory;
  readonly health: Health;
  readonly features: Features;
  readonly media: Media;
  readonly protection: Protection;
  /** What a power cut takes back; null: nothing. */
  readonly cache: WriteCache | null;
}

export class Blocks {
  readonly #memory: Memory;
  readonly #health: Health;
  readonly #features: Features;
  readonly #media: Media;
  readonly #protection: Protection;
  readonly #cache: WriteCache | null;

  constructor(parts: BlocksParts) {
    this.#memory = parts.memory;
    this.#health = parts.health;
    this.#features = parts.features;
    this.#media = parts.media;
    this.#protection = parts.protection;
    this.#cache = parts.cache;
  }

  // ---- data -------------------------------------------------------------------------------------------------------

  /**
   * Whether all `count` blocks from `first` can be read, with as many retries as the host allows. Returns a status.
   * `isLimited`: the command asks for few (LR).
   */
  checkReadable(namespace: Namespace, first: number, count: number, isLimited = false): number {
    const bad = namespace.uncorrectable.find(first, first + count);
    if (bad !== -1) {
      const reason = `block ${bad} was marked by Write Uncorrectable`;
      return this.#health.explainBlock(STATUS.UNRECOVERED_READ_ERROR, reason, bad);
    }
    const weak = namespace.weak.find(first, first + count);
    if (weak !== -1 && namespace.recovery_ns > this.#retryLimit(namespace, isLimited)) {
      const reason = `block ${weak} needs more retries than ${isLimited ? 'LR' : 'TLER'} allows`;
      return this.#health.explainBlock(STATUS.UNRECOVERED_READ_ERROR, reason, weak);
    }
    if (namespace.written === null || !this.#reportsDeallocated(namespace)) return STATUS.SUCCESS;
    const gap = namespace.written.findGap(first, first + count);
    if (gap === -1) return STATUS.SUCCESS;
    const reason = `block ${gap} is deallocated or was never written (DULBE)`;
    return this.#health.explainBlock(STATUS.DEALLOCATED_OR_UNWRITTEN_BLOCK, reason, gap);
  }

  /** Nanoseconds of retries for `count` blocks from `first`. */
  retry_ns(namespace: Namespace, first: number, count: number, isLimited: boolean): number {
    if (namespace.weak.find(first, first + count) === -1) return 0;
    return Math.min(namespace.recovery_ns, this.#retryLimit(namespace, isLimited));
  }

  /** LR allows none, Error Recovery (TLER) so many times 100 ms or, with 0, as many as it takes. §5.1.25.1.3 */
  #retryLimit({ nsid }: Namespace, isLimited: boolean): number {
    const tler = ERROR_RECOVERY.TLER.get(this.#features.value(FID.ERROR_RECOVERY, nsid));
    if (isLimited) return 0;
    return tler === 0 ? Number.POSITIVE_INFINITY : tler * TLER_UNIT_NS;
  }

  #reportsDeallocated({ nsid }: Namespace): boolean {
    return ERROR_RECOVERY.DULBE.get(this.#features.value(FID.ERROR_RECOVERY, nsid)) === 1;
  }

  /** Brings `count` blocks from `first` to device-local memory. Returns a status. */
  read(namespace: Namespace, first: number, count: number, to: Buffer): number {
    const { store, block_bytes, metadata, written } = namespace;
    const status = this.#load(store, first * block_bytes, count * block_bytes, to.data);
    if (status !== STATUS.SUCCESS || metadata === null) return status;
    const { bytes } = metadata;
    const loaded = this.#load(metadata.store, first * bytes, count * bytes, to.metadata);
    const end = first + count;
    for (let gap = written!.findGap(first, end); gap !== -1; ) {
      const next = written!.find(gap, end);
      const after = next === -1 ? end : next;
      this.#protection.blank(metadata, after - gap, to.metadata + (gap - first) * bytes);
      gap = written!.findGap(after, end);
    }
    return loaded;
  }

  /** Makes `count` blocks from `first` what is in device-local memory. Returns a status. */
  write(namespace: Namespace, first: number, count: number, from: Buffer): number {
    const { store, block_bytes, metadata } = namespace;
    this.#remember(namespace, first, count);
    let status = this.#save(store, first * block_bytes, count * block_bytes, from.data);
    if (status === STATUS.SUCCESS && metadata !== null) {
      const { bytes } = metadata;
      status = this.#save(metadata.store, first * bytes, count * bytes, from.metadata);
    }
    if (status === STATUS.SUCCESS) namespace.renew(first, count, true);
    return status;
  }

  /** Makes data and metadata of `count` blocks from `first` zeroes. Returns a status. */
  zero(namespace: Namespace, first: number, count: number): number {
    return this.#empty(namespace, first, count, true);
  }

  /** Deallocates `count` blocks from `first`: they read as if they had never been written. Returns a status. */
  discard(namespace: Namespace, first: number, count: number): number {
    return this.#empty(namespace, first, count, false);
  }

  /** The same, and at once on the medium: a power cut does not bring them back (a zone is reset). Returns a status. */
  erase(namespace: Namespace, first: number, count: number): number {
    this.#cache?.persist(namespace, first, count);
    return this.#clear(namespace, first, count, false);
  }

  #empty(namespace: Namespace, first: number, count: number, isWritten: boolean): number {
    this.#remember(namespace, first, count);
    return this.#clear(namespace, first, count, isWritten);
  }

  #clear(namespace: Namespace, first: number, count: number, isWritten: boolean): number {
    const { store, block_bytes, metadata } = namespace;
    if (store.discard(first * block_bytes, count * block_bytes) === STORE_FAILED)
      return this.#storeFailed(store, STATUS.WRITE_FAULT);
    this.#media.discard(namespace.mediaBase + first * block_bytes, count * block_bytes);
    if (metadata !== null) metadata.store.discard(first * metadata.bytes, count * metadata.bytes);
    namespace.renew(first, count, isWritten);
    return STATUS.SUCCESS;
  }

  /** Write Uncorrectable: until they are written, the blocks cannot be read. */
  mark(namespace: Namespace, first: number, count: number): void {
    this.#remember(namespace, first, count);
    namespace.setUncorrectable(first, count, true);
  }

  // ---- durability -------------------------------------------------------------------------------------------------

  /** Makes `count` blocks from `first` survive a loss of power (FUA). Returns a status. */
  persist(namespace: Namespace, first: number, count: number): number {
    // A zone has no holes after a loss of power, so what lies before these blocks in it becomes durable with them.
    const start = namespace.zones?.startOf(first) ?? first;
    this.#cache?.persist(namespace, start, first + count - start);
    return this.#flush(namespace.store);
  }

  /** Makes everything of `namespace` survive a loss of power. Returns a status. */
  flush(namespace: Namespace): number {
    this.#cache?.flush(namespace);
    return this.#flush(namespace.store);
  }

  #flush(store: BlockStore): number {
    // What could not be made durable is lost; another Flush would find nothing to do and succeed.
    if (store.flush() === STORE_FAILED) return this.#storeFailed(store, STATUS.WRITE_FAULT) | OTHER_RETRY;
    return STATUS.SUCCESS;
  }

  /** With the cache off, what is written is durable and so is what was written before. */
  #remember(namespace: Namespace, first: number, count: number): void {
    if (this.#cache === null) return;
    if (this.#features.writeCache) this.#cache.remember(namespace, first, count);
    else this.#cache.flush(namespace);
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

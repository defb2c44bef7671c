/**
 * What a power cut would undo: for each block whose newest contents are only in the volatile write cache, the contents
 * that the medium still has (Base 2.1 §5.1.25.1.4). Bounded: the oldest blocks are written back to make room.
 * A drive whose capacitors write its cache back has none of this. Not here: when blocks become durable (blocks.ts).
 */

import type { Memory } from '../../machine/memory.ts';
import type { Archive } from '../../support/archive.ts';
import type { BlockStore } from '../block-store.ts';
import type { Namespace } from '../namespace.ts';

/** What the medium has of one block. */
interface Saved {
  readonly data: Uint8Array;
  /** null: the namespace has none. */
  readonly metadata: Uint8Array | null;
  readonly isWritten: boolean;
  readonly isUncorrectable: boolean;
}

type SavedBlocks = Map<number, Saved>;

export class WriteCache {
  readonly #memory: Memory;
  readonly #capacity: number;
  readonly #namespaces = new Map<Namespace, SavedBlocks>();
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

  /** `count` blocks from `first` are about to change in the cache only. */
  remember(namespace: Namespace, first: number, count: number): void {
    const blocks = this.#blocksOf(namespace);
    for (let block = first; block < first + count; block++) {
      if (blocks.has(block)) continue;
      const saved = this.#save(namespace, block);
      if (saved === null) continue;
      blocks.set(block, saved);
      this.#used_bytes += saved.data.length;
      if (this.#used_bytes > this.#capacity) this.#writeBackOldest();
    }
  }

  /** `count` blocks from `first` are on the medium now. */
  persist(namespace: Namespace, first: number, count: number): void {
    const blocks = this.#blocksOf(namespace);
    for (let block = first; block < first + count; block++) {
      if (blocks.delete(block)) this.#used_bytes -= namespace.block_bytes;
    }
  }

  /** Everything of `namespace` is on the medium now. */
  flush(namespace: Namespace): void {
    for (const saved of this.#blocksOf(namespace).values()) this.#used_bytes -= saved.data.length;
    this.#namespaces.delete(namespace);
  }

  /** Power is lost: every namespace has what its medium had. */
  lose(): void {
    for (const [namespace, blocks] of this.#namespaces) {
      for (const [block, saved] of blocks) this.#restore(namespace, block, saved);
      namespace.zones?.loseBlocks([...blocks.keys()]);
    }
    this.clear();
  }

  /** Everything is on the medium now. */
  clear(): void {
    this.#namespaces.clear();
    this.#used_bytes = 0;
  }

  #save(namespace: Namespace, block: number): Saved | null {
    const { store, block_bytes, metadata } = namespace;
    const data = this.#load(store, block, block_bytes);
    if (data === null) return null;
    return {
      data,
      metadata: metadata === null ? null : this.#load(metadata.store, block, metadata.bytes),
      isWritten: namespace.isWritten(block),
      isUncorrectable: namespace.uncorrectable.find(block, block + 1) !== -1,
    };
  }

  #restore(namespace: Namespace, block: number, { data, metadata, ...marks }: Saved): void {
    this.#put(namespace.store, block, data);
    if (metadata !== null) this.#put(namespace.metadata!.store, block, metadata);
    namespace.setWritten(block, 1, marks.isWritten);
    namespace.setUncorrectable(block, 1, marks.isUncorrectable);
  }

  /** Unit `index` of a store, or null when the medium fails. */
  #load(store: BlockStore, index: number, bytes: number): Uint8Array | null {
    const from = store.load(index * bytes, bytes);
    return from < 0 ? null : this.#memory.u8.slice(from, from + bytes);
  }

  #put(store: BlockStore, index: number, bytes: Uint8Array): void {
    const to = store.stage(index * bytes.length, bytes.length);
    if (to < 0) return;
    this.#memory.u8.set(bytes, to);
    store.commit(index * bytes.length, bytes.length);
  }

  #blocksOf(namespace: Namespace): SavedBlocks {
    const known = this.#namespaces.get(namespace);
    if (known !== undefined) return known;
    const blocks: SavedBlocks = new Map();
    this.#namespaces.set(namespace, blocks);
    return blocks;
  }

  #writeBackOldest(): void {
    for (const [namespace, blocks] of this.#namespaces) {
      for (const [block, saved] of blocks) {
        blocks.delete(block);
        this.#used_bytes -= saved.data.length;
        return;
      }
      this.#namespaces.delete(namespace);
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive, namespaces: readonly (Namespace | undefined)[]): void {
    const byNumber = new Map([...this.#namespaces].map(([namespace, blocks]) => [namespace.nsid, blocks]));
    const saved = a.value(byNumber);
    this.#namespaces.clear();
    for (const [nsid, blocks] of saved) this.#namespaces.set(namespaces[nsid]!, blocks);
    this.#used_bytes = a.value(this.#used_bytes);
  }
}

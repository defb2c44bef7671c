/**
 * Media in device-local memory, taken in chunks when they are first written. Unwritten bytes read as zeroes.
 * A power cut of the emulated machine loses nothing here; the process's end loses all (bridge/file-store.ts persists).
 */

import type { Memory } from '../machine/memory.ts';
import type { Archive } from '../support/archive.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from './block-store.ts';
import { ChunkPool } from './chunk-pool.ts';

const LARGEST_INT = 0x7fff_ffff;

export class SparseStore implements BlockStore {
  readonly bytes: number;
  readonly run: number;
  failure = '';
  private readonly memory: Memory;
  /** Chunks per byte: exact, since a chunk is a power of two, and a multiplication is a third of a division. */
  private readonly perByte: number;
  private readonly shift: number;
  /** Chunk number -> its offset in device-local memory; 0 while it was never written. */
  private readonly chunks: Uint32Array;
  /** Offset of a chunk that is never written. */
  private readonly zeroes: number;
  readonly #pool: ChunkPool;

  /** A blank medium. `pool` is where its chunks come from, its own when absent. */
  constructor(memory: Memory, bytes: number, pool = new ChunkPool(memory, bytes)) {
    this.bytes = bytes;
    this.run = pool.chunk_bytes;
    this.perByte = 1 / pool.chunk_bytes;
    this.shift = Math.log2(pool.chunk_bytes);
    this.memory = memory;
    this.chunks = new Uint32Array(Math.ceil(bytes / pool.chunk_bytes));
    this.zeroes = pool.zeroes;
    this.#pool = pool;
  }

  load(offset: number, _length: number): number {
    const chunk = this.chunks[this.#index(offset)]!;
    return (chunk === 0 ? this.zeroes : chunk) + (offset & (this.run - 1));
  }

  stage(offset: number, _length: number): number {
    const index = this.#index(offset);
    const chunk = this.chunks[index]!;
    return chunk === 0 ? this.#take(index, offset) : chunk + (offset & (this.run - 1));
  }

  /** The chunk of a byte. Small offsets are integers all the way. */
  #index(offset: number): number {
    return offset <= LARGEST_INT ? offset >>> this.shift : (offset * this.perByte) | 0;
  }

  commit(_offset: number, _length: number): number {
    return STORE_OK;
  }

  flush(): number {
    return STORE_OK;
  }

  discard(offset: number, length: number): number {
    let at = offset;
    const end = offset + length;
    while (at < end) {
      const index = Math.floor(at / this.run);
      const inside = at & (this.run - 1);
      const step = Math.min(this.run - inside, end - at);
      const chunk = this.chunks[index]!;
      const isWhole = inside === 0 && (step === this.run || at + step === this.bytes);
      if (chunk !== 0 && isWhole) {
        this.chunks[index] = 0;
        this.#pool.give(chunk);
      } else if (chunk !== 0) this.memory.fill(chunk + inside, 0, step);
      at += step;
    }
    return STORE_OK;
  }

  /** Gives chunk `index` memory on its first write. */
  #take(index: number, offset: number): number {
    const chunk = this.#pool.take();
    if (chunk < 0) {
      this.failure = "the board's memory for written blocks is used up; raise its key media";
      return STORE_FAILED;
    }
    this.chunks[index] = chunk;
    return chunk + (offset & (this.run - 1));
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.failure = a.value(this.failure);
    a.contents(this.chunks);
    this.#pool.archive(a);
  }
}

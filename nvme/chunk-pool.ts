/**
 * Equal pieces of device-local memory that several sparse media share: what one gives back, another takes. Device
 * memory itself is never given back, so drives whose namespaces come and go keep one pool.
 * Not here: which piece holds which bytes (sparse-store.ts).
 */

import type { Memory } from '../machine/memory.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';

const SMALLEST_CHUNK = 65_536;
/** A medium has a table of at most this many chunks; larger media have larger chunks. */
const CHUNKS = 1 << 20;

export class ChunkPool {
  /** Size of a chunk, a power of two. */
  readonly chunk_bytes: number;
  /** Offset of a chunk that is never written. */
  readonly zeroes: number;
  private readonly memory: Memory;
  readonly #freed: number[] = [];

  /** Chunks for media of up to `largest_bytes`. */
  constructor(memory: Memory, largest_bytes: number) {
    let chunk_bytes = SMALLEST_CHUNK;
    while (largest_bytes / chunk_bytes > CHUNKS) chunk_bytes *= 2;
    this.chunk_bytes = chunk_bytes;
    this.memory = memory;
    this.zeroes = memory.reserve(chunk_bytes, 4096);
    assert(this.zeroes >= 0, 'there is device memory for one chunk');
  }

  /** The offset of a zeroed chunk, or -1 when there is no memory left. */
  take(): number {
    const reused = this.#freed.pop();
    if (reused === undefined) return this.memory.reserve(this.chunk_bytes, 4096);
    this.memory.fill(reused, 0, this.chunk_bytes);
    return reused;
  }

  give(chunk: number): void {
    this.#freed.push(chunk);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#freed);
  }
}

/**
 * Media in device-local memory, taken in chunks when they are first written. Unwritten bytes read as zeroes.
 * A power cut of the emulated machine loses nothing here; the process's end loses all (bridge/file-store.ts persists).
 */

import type { Memory } from '../machine/memory.ts';
import { assert } from '../support/assert.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from './block-store.ts';

const SMALLEST_CHUNK = 65_536;
/** A table of at most this many chunks; larger media have larger chunks. */
const CHUNKS = 1 << 20;

export class SparseStore implements BlockStore {
  readonly bytes: number;
  readonly run: number;
  failure = '';
  private readonly memory: Memory;
  /** Chunk number -> its offset in device-local memory; 0 while it was never written. */
  private readonly chunks: Uint32Array;
  /** Offset of a chunk that is never written. */
  private readonly zeroes: number;
  readonly #freed: number[] = [];

  constructor(memory: Memory, bytes: number) {
    let run = SMALLEST_CHUNK;
    while (bytes / run > CHUNKS) run *= 2;
    this.bytes = bytes;
    this.run = run;
    this.memory = memory;
    this.chunks = new Uint32Array(Math.ceil(bytes / run));
    this.zeroes = memory.reserve(run, 4096);
    assert(this.zeroes >= 0, 'there is device memory for one chunk');
  }

  load(offset: number, _length: number): number {
    const chunk = this.chunks[Math.floor(offset / this.run)]!;
    return (chunk === 0 ? this.zeroes : chunk) + (offset & (this.run - 1));
  }

  stage(offset: number, _length: number): number {
    const index = Math.floor(offset / this.run);
    const chunk = this.chunks[index]!;
    return chunk === 0 ? this.#take(index, offset) : chunk + (offset & (this.run - 1));
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
      if (chunk !== 0 && step === this.run) {
        this.chunks[index] = 0;
        this.#freed.push(chunk);
      } else if (chunk !== 0) this.memory.fill(chunk + inside, 0, step);
      at += step;
    }
    return STORE_OK;
  }

  /** Gives chunk `index` memory on its first write. */
  #take(index: number, offset: number): number {
    const reused = this.#freed.pop();
    if (reused !== undefined) this.memory.fill(reused, 0, this.run);
    const chunk = reused ?? this.memory.reserve(this.run, 4096);
    if (chunk < 0) {
      this.failure = 'the board has no device memory left for written blocks (raise media in the board)';
      return STORE_FAILED;
    }
    this.chunks[index] = chunk;
    return chunk + (offset & (this.run - 1));
  }
}

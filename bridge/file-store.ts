/**
 * Blocks of a namespace in a file of the host: what is written survives the process, Flush is fdatasync, discarded
 * bytes read as zeroes. Bytes pass through a window of the machine's memory, one transfer at a time.
 * Not here: opening the file for a board (host.ts).
 */

import { closeSync, fdatasyncSync, readSync, writeSync } from 'node:fs';
import type { Memory } from '../machine/memory.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from '../nvme/block-store.ts';
import type { Archive } from '../support/archive.ts';
import { MIB } from '../support/numbers.ts';

/** One transfer, and the size of the window. */
const RUN = MIB;

export class FileStore implements BlockStore {
  readonly bytes: number;
  readonly run = RUN;
  failure = '';
  readonly #fd: number;
  readonly #path: string;
  readonly #isReadOnly: boolean;
  readonly #memory: Memory;
  readonly #window: number;

  /** Takes the descriptor over. `window` is the offset of `FileStore.WINDOW` bytes of device-local memory. */
  constructor(fd: number, path: string, bytes: number, isReadOnly: boolean, memory: Memory, window: number) {
    this.#fd = fd;
    this.#path = path;
    this.bytes = bytes;
    this.#isReadOnly = isReadOnly;
    this.#memory = memory;
    this.#window = window;
  }

  static readonly WINDOW = RUN;

  load(offset: number, length: number): number {
    try {
      let done = 0;
      while (done < length) {
        const count = readSync(this.#fd, this.#memory.u8, this.#window + done, length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      // A file that was truncated meanwhile reads as zeroes behind its end, as a hole does.
      if (done < length) this.#memory.fill(this.#window + done, 0, length - done);
      return this.#window;
    } catch (error) {
      return this.#fail('read', error);
    }
  }

  stage(_offset: number, _length: number): number {
    return this.#window;
  }

  commit(offset: number, length: number): number {
    if (this.#isReadOnly) return this.#fail('write', new Error('the file could only be opened for reading'));
    try {
      let done = 0;
      while (done < length) {
        done += writeSync(this.#fd, this.#memory.u8, this.#window + done, length - done, offset + done);
      }
      return STORE_OK;
    } catch (error) {
      return this.#fail('write', error);
    }
  }

  flush(): number {
    try {
      fdatasyncSync(this.#fd);
      return STORE_OK;
    } catch (error) {
      return this.#fail('flush', error);
    }
  }

  discard(offset: number, length: number): number {
    this.#memory.fill(this.#window, 0, Math.min(RUN, length));
    for (let done = 0; done < length; done += RUN) {
      const failed = this.commit(offset + done, Math.min(RUN, length - done));
      if (failed !== STORE_OK) return failed;
    }
    return STORE_OK;
  }

  /** Closes the file. No other call may follow. */
  close(): void {
    closeSync(this.#fd);
  }

  #fail(verb: string, error: unknown): number {
    this.failure = `cannot ${verb} ${this.#path}: ${(error as Error).message}`;
    return STORE_FAILED;
  }

  archive(a: Archive): void {
    a.require(false, `blocks in ${this.#path} are not part of the machine's state: only memory can be saved`);
  }
}

/**
 * Blocks of a namespace in a file of the host: what is written survives the process, Flush is fdatasync, discarded
 * bytes read as zeroes. Bytes pass through a window of the machine's memory, one transfer at a time.
 * Not here: opening the file for a board (host.ts).
 */

import { closeSync, fdatasyncSync, readSync, writeSync } from 'node:fs';
import type { Memory } from '../machine/memory.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from '../nvme/block-store.ts';
import { type Archive, ArchiveError } from '../support/archive.ts';
import { GIB, MIB } from '../support/numbers.ts';

/** One transfer, and the size of the window. */
const RUN = MIB;
/** Saved state is made in memory. */
const MOST_SAVED = GIB;
const NOTHING = new Uint8Array(RUN);

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
      const done = readWhole(this.#fd, this.#memory.u8, this.#window, length, offset);
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
      writeWhole(this.#fd, this.#memory.u8, this.#window, length, offset);
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

  /**
   * Saves the bytes of the file that are not zero, or notes what it takes to put them back into it: users' data are written
   * over when all else has been loaded. Its own buffer is used: what is in the window may be on its way to or from the
   * medium. Throws ArchiveError.
   */
  archive(a: Archive): void {
    this.failure = a.value(this.failure);
    a.same(this.bytes, `the size of ${this.#path}`);
    const saved = new Uint8Array(RUN);
    const here = new Uint8Array(RUN);
    const changed: Block[] = [];
    let held = 0;
    let isBlank = true;
    for (let offset = 0; offset < this.bytes; offset += RUN) {
      const length = Math.min(RUN, this.bytes - offset);
      this.#readInto(here, offset, length);
      saved.set(here);
      const isEmptyHere = Buffer.compare(here, NOTHING) === 0;
      isBlank &&= isEmptyHere;
      const isEmpty = a.value(isEmptyHere);
      if (isEmpty) saved.fill(0);
      else a.pages(saved, length);
      held += isEmpty ? 0 : length;
      if (held > MOST_SAVED)
        throw new ArchiveError(`${this.#path} holds more than 1 GiB, too much to be saved`);
      if (a.isLoading && Buffer.compare(saved, here) !== 0)
        changed.push({ offset, length, bytes: isEmpty ? NOTHING : saved.slice() });
    }
    if (changed.length === 0) return;
    if (this.#isReadOnly)
      throw new ArchiveError(
        `${this.#path} may only be read, and holds other data than when the run was saved`,
      );
    a.changeLater(this.#path, !isBlank, () => this.#putBack(changed));
  }

  #readInto(bytes: Uint8Array, offset: number, length: number): void {
    try {
      bytes.fill(0, readWhole(this.#fd, bytes, 0, length, offset));
    } catch (error) {
      throw new ArchiveError(`cannot read ${this.#path}: ${(error as Error).message}`);
    }
  }

  #putBack(blocks: readonly Block[]): void {
    try {
      for (const { offset, length, bytes } of blocks) writeWhole(this.#fd, bytes, 0, length, offset);
    } catch (error) {
      throw new ArchiveError(
        `cannot write ${this.#path}: ${(error as Error).message}; only a part of it was put back`,
      );
    }
  }
}

/** What a file is to hold from `offset` on: the first `length` of `bytes`. */
interface Block {
  readonly offset: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Reads to the end of the file at most, and returns how many bytes that was; one call may read fewer. */
function readWhole(fd: number, bytes: Uint8Array, at: number, length: number, offset: number): number {
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, at + done, length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of it; one call may write less. */
function writeWhole(fd: number, bytes: Uint8Array, at: number, length: number, offset: number): void {
  let done = 0;
  while (done < length) done += writeSync(fd, bytes, at + done, length - done, offset + done);
}

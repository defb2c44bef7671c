/**
 * An open file description: what a descriptor, its duplicates and the memory mapped from it share. Every operation has
 * the answer that Linux gives for a file without it, so that a file says only what it can do.
 * Not here: descriptor numbers (file-table.ts), checks that come before the file is asked (kernel.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { EINVAL, ENODEV, ENOTTY } from './uapi/errno.ts';
import type { IoctlFdKind } from './uapi/ioctl.ts';
import { O_RDWR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from './uapi/mman.ts';

/** What mmap asks of a file. `length` is a multiple of the page size, `offset` too. */
export interface MmapRequest {
  readonly length: number;
  /** PROT_*. */
  readonly protection: number;
  /** MAP_*. */
  readonly flags: number;
  readonly offset: number;
}

export type FileKind = IoctlFdKind | 'eventfd' | 'fault-queue' | 'memfd' | 'null' | 'sysfs';

export abstract class OpenFile {
  abstract readonly kind: FileKind;
  /** The O_* flags of open(2). */
  flags = O_RDWR;
  /** Where read(2) and write(2) continue. */
  position = 0;
  /** When the file last became ready, in nanoseconds of the machine: a sleeper wakes some time after it. */
  readyAt = 0;
  #references = 1;

  /** One more descriptor, mapping or kernel object refers to this file. */
  hold(): void {
    assert(this.#references > 0, 'a released file is held');
    this.#references++;
  }

  /** One reference less; the last one releases the file. */
  drop(): void {
    assert(this.#references > 0, 'a file is released twice');
    if (--this.#references === 0) this.release();
  }

  /** False for files that pread and pwrite answer with ESPIPE: those that no path names, such as an eventfd. */
  get positional(): boolean {
    return true;
  }

  /** Runs once, when the last reference goes. */
  protected release(): void {}

  ioctl(_request: number, _argument: number): number {
    return -ENOTTY;
  }

  pread(_target: Uint8Array, _offset: number): number {
    return -EINVAL;
  }

  pwrite(_source: Uint8Array, _offset: number): number {
    return -EINVAL;
  }

  read(target: Uint8Array): number {
    const done = this.pread(target, this.position);
    if (done > 0) this.position += done;
    return done;
  }

  write(source: Uint8Array): number {
    const done = this.pwrite(source, this.position);
    if (done > 0) this.position += done;
    return done;
  }

  /** ftruncate(2): `size` bytes from now on. Returns 0 or a negative errno. */
  truncate(_size: number): number {
    return -EINVAL;
  }

  /** Returns the address of the new mapping, or a negative errno. */
  mmap(_request: MmapRequest): number {
    return -ENODEV;
  }

  /** The POLL* events that hold now. A file without the operation is always ready. */
  poll(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.same(this.kind, 'an open file');
    this.flags = a.value(this.flags);
    this.position = a.value(this.position);
    this.readyAt = a.value(this.readyAt);
    a.same(this.#references, `how many refer to an open file (${this.kind})`);
  }
}

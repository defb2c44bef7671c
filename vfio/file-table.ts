/**
 * Descriptor numbers of the process: the lowest free one is given out, several may name one open file.
 * Not here: what a file can do (file.ts).
 */
import type { Archive } from '../support/archive.ts';
import type { OpenFile } from './file.ts';
import { EBADF, EMFILE } from './uapi/errno.ts';

/** Soft RLIMIT_NOFILE of a login shell. */
const DESCRIPTORS = 1024;

export class FileTable {
  readonly #files: (OpenFile | undefined)[] = [];

  /** The file behind a descriptor, or null (EBADF). */
  get(fd: number): OpenFile | null {
    return this.#files[fd] ?? null;
  }

  /** Gives a file its lowest free number and takes over the caller's reference. Returns -EMFILE when there is none. */
  install(file: OpenFile): number {
    let fd = 0;
    while (this.#files[fd] !== undefined) fd++;
    if (fd >= DESCRIPTORS) return -EMFILE;
    this.#files[fd] = file;
    return fd;
  }

  /** A second number for the file behind `fd`. Returns -EBADF or -EMFILE. */
  duplicate(fd: number): number {
    const file = this.get(fd);
    if (file === null) return -EBADF;
    const copy = this.install(file);
    if (copy >= 0) file.hold();
    return copy;
  }

  /** Frees a number and drops its reference. Returns 0 or -EBADF. */
  close(fd: number): number {
    const file = this.get(fd);
    if (file === null) return -EBADF;
    this.#files[fd] = undefined;
    file.drop();
    return 0;
  }

  /** Closes every descriptor, as the end of the process does. */
  closeAll(): void {
    for (let fd = 0; fd < this.#files.length; fd++) this.close(fd);
  }

  /** Saves or loads every open file; those that are open have to be the same (support/archive.ts). */
  archive(a: Archive): void {
    a.same(
      this.#files.map((file, fd) => (file === undefined ? '' : fd)).join(),
      'the list of open descriptors',
    );
    for (const file of this.#files) file?.archive(a);
  }
}

/**
 * SET_IRQS on the MSI and MSI-X indexes: which eventfd each vector signals. linux-abi 2.4.
 * Not here: checks common to all indexes (irqs.ts), the hardware (msi-vectors.ts).
 */
import type { EventFd } from '../eventfd.ts';
import type { FileTable } from '../file-table.ts';
import { EINVAL, ENOSPC, ERANGE } from '../uapi/errno.ts';
import { eventfdOf } from '../virqfd.ts';
import type { Vectors } from './msi-vectors.ts';

export class MsiIndex {
  readonly #vectors: Vectors;
  readonly #files: FileTable;
  readonly #triggers: (EventFd | undefined)[] = [];
  /** Vectors allocated when the index was enabled; 0 while it is not. */
  enabled = 0;

  constructor(vectors: Vectors, files: FileTable) {
    this.#vectors = vectors;
    this.#files = files;
  }

  get count(): number {
    return this.#vectors.count;
  }

  get dynamic(): boolean {
    return this.#vectors.dynamic;
  }

  /** A message has arrived. */
  signal(vector: number): void {
    this.#triggers[vector]?.signal();
  }

  /**
   * Enables the index for vectors 0 to start + count - 1 and gives the last `count` their eventfds.
   * Returns 0, a negative errno, or how many vectors there are when there are too few.
   */
  enable(start: number, fds: Int32Array): number {
    const wanted = start + fds.length;
    if (wanted === 0) return -ERANGE;
    const granted = this.#vectors.enable(wanted);
    if (granted < wanted) return granted > 0 ? granted : -ENOSPC;
    this.enabled = wanted;
    const error = this.assign(start, fds);
    if (error < 0) this.disable();
    return error;
  }

  /** Gives vectors from `start` on new eventfds. On an error every vector it touched is left without one. */
  assign(start: number, fds: Int32Array): number {
    for (let index = 0; index < fds.length; index++) {
      const error = this.#assignOne(start + index, fds[index]!);
      if (error === 0) continue;
      for (let undone = 0; undone <= index; undone++) this.#assignOne(start + undone, -1);
      return error;
    }
    return 0;
  }

  disable(): void {
    this.#triggers.forEach((trigger) => {
      trigger?.drop();
    });
    this.#triggers.length = 0;
    this.#vectors.disable();
    this.enabled = 0;
  }

  /** The function was reset: its table is empty. */
  restore(): void {
    this.#vectors.restore();
  }

  /** The old eventfd goes first, whatever becomes of the new one; an allocated vector stays allocated. */
  #assignOne(vector: number, fd: number): number {
    const old = this.#triggers[vector];
    if (old !== undefined) {
      this.#vectors.setMasked(vector, true);
      this.#triggers[vector] = undefined;
      old.drop();
    }
    if (fd < 0) return 0;
    if (!this.#vectors.allocated(vector)) {
      if (!this.#vectors.dynamic) return -EINVAL;
      if (!this.#vectors.allocate(vector)) return -ENOSPC;
    }
    const eventfd = eventfdOf(this.#files, fd);
    if (typeof eventfd === 'number') return eventfd;
    eventfd.hold();
    this.#triggers[vector] = eventfd;
    this.#vectors.setMasked(vector, false);
    return 0;
  }
}

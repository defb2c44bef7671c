/**
 * Doorbells in memory: an index is stored where the controller looks for it, and the register is written only when the
 * index passes the event index that the controller left (NVMe Base 2.1 §5.2.5, §B.5). A store to memory costs less than
 * one to a register; a machine without a free core for the controller, such as a virtual one, gains most. It takes the
 * place of the registers in a queue pair, which does not know the difference, so it costs nothing where it is not used.
 * Not here: the command (commands.ts); the admin queue, which always writes its registers.
 */

import { cqHeadDoorbell, DOORBELL_BASE, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import type { Archive } from '../../support/archive.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import type { DmaBuffer, DmaSpace } from '../vfio/dma.ts';
import type { Doorbells } from './queue-pair.ts';

const words = ({ bytes }: DmaBuffer): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, PAGE_SIZE / 4);

export class ShadowDoorbells implements Doorbells {
  /** Pages of indexes and of event indexes, laid out like the registers. */
  readonly indexPage: DmaBuffer;
  readonly eventPage: DmaBuffer;
  /** How many indexes were stored, and for how many of them a register was written. */
  stored = 0;
  rung = 0;
  readonly #registers: Doorbells;
  readonly #dstrd: number;
  readonly #indexes: Int32Array;
  readonly #events: Int32Array;

  /** Throws SysError when there is no memory for the pages. */
  constructor(space: DmaSpace, registers: Doorbells, dstrd: number) {
    this.#registers = registers;
    this.#dstrd = dstrd;
    this.indexPage = space.allocate(PAGE_SIZE);
    this.eventPage = space.allocate(PAGE_SIZE);
    this.#indexes = words(this.indexPage);
    this.#events = words(this.eventPage);
  }

  /** `offset` from the first doorbell on. Doorbells that do not fit the page are registers. */
  write32(offset: number, index: number): void {
    if (offset >= PAGE_SIZE) return this.#registers.write32(offset, index);
    const at = offset >>> 2;
    const old = this.#indexes[at]!;
    this.stored++;
    // The store comes before the load for every thread, or both sides could miss the other's (docs/threads.md).
    Atomics.store(this.#indexes, at, index);
    const event = Atomics.load(this.#events, at);
    if (((index - event - 1) & 0xffff) >= ((index - old) & 0xffff)) return;
    this.rung++;
    this.#registers.write32(offset, index);
  }

  /** The queue pair is about to be created: its indexes are 0. */
  begin(qid: number): void {
    for (const doorbell of [sqTailDoorbell(qid, this.#dstrd), cqHeadDoorbell(qid, this.#dstrd)]) {
      const offset = doorbell - DOORBELL_BASE;
      if (offset >= PAGE_SIZE) return;
      this.#indexes[offset >>> 2] = 0;
      this.#events[offset >>> 2] = 0;
    }
  }

  /** Frees the pages, which the controller must not use any more. */
  close(): void {
    this.indexPage.free();
    this.eventPage.free();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.stored = a.value(this.stored);
    this.rung = a.value(this.rung);
  }
}

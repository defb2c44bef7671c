/**
 * Moves data between device-local memory and host memory for a command's data phase, and remembers what was refused so
 * that the failing command can name it. Not here: where the data are (prp.ts, io/sgl.ts), what they mean.
 */

import type { Memory } from '../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';

// File constants fold; imported bindings do not (slots.ts).
const OK = DMA_OK;
const PAGE = 4096;

export class DataMover {
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  /** The quirk of that name: what cannot be read is zero, what cannot be written is lost. */
  private readonly losesData: boolean;
  /** Where and why the last movement was refused; OK when somebody else knows better. */
  #failedAt = 0;
  #failedWith: DmaResult = OK;

  constructor(memory: Memory, dma: DmaPort, losesData: boolean) {
    this.memory = memory;
    this.dma = dma;
    this.losesData = losesData;
  }

  /** Moves one piece between byte `local` of device-local memory and host memory. */
  move(isToHost: boolean, address: number, local: number, bytes: number): DmaResult {
    const result = isToHost ? this.dma.write(address, local, bytes) : this.dma.read(address, local, bytes);
    return result === OK ? OK : this.refused(isToHost, address, local, bytes, result);
  }

  /** Such a movement was refused. Returns OK where it counts as moved nevertheless. */
  refused(isToHost: boolean, address: number, local: number, bytes: number, result: DmaResult): DmaResult {
    if (this.losesData) return this.#moveWhatCan(isToHost, address, local, bytes);
    this.#failedAt = this.dma.refusedAt;
    this.#failedWith = result;
    return result;
  }

  #moveWhatCan(isToHost: boolean, address: number, local: number, bytes: number): DmaResult {
    for (let done = 0; done < bytes; ) {
      const step = Math.min(bytes - done, PAGE - ((address + done) & (PAGE - 1)));
      if (isToHost) this.dma.write(address + done, local + done, step);
      else if (this.dma.read(address + done, local + done, step) !== OK)
        this.memory.fill(local + done, 0, step);
      done += step;
    }
    return OK;
  }

  /** Why the last movement was refused, once; null when none was. `entryAt` names the entry that points to an address. */
  takeReason(entryAt: (address: number) => string): string | null {
    if (this.#failedWith === OK) return null;
    const at = `0x${this.#failedAt.toString(16)}`;
    const reason = `${entryAt(this.#failedAt)}: the data at IOVA ${at}: ${DMA_SENTENCES[this.#failedWith]}`;
    this.#failedWith = OK;
    return reason;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#failedAt = a.value(this.#failedAt);
    this.#failedWith = a.value(this.#failedWith);
  }
}

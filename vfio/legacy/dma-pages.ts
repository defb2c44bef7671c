/**
 * User memory that a type1 mapping holds for DMA: anonymous pages, pinned and counted against the limit of locked
 * memory, and device registers that the process has mapped, which iommufd refuses. Neither follows later munmaps.
 * Not here: where the pages appear to devices (type1.ts).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { MemoryVma } from '../mapping.ts';
import { BarVma } from '../pci/bar-mapping.ts';
import type { PhysicalRun, PinnedPages, Process } from '../process.ts';
import { EFAULT } from '../uapi/errno.ts';
import { PROT_READ, PROT_WRITE } from '../uapi/mman.ts';

export class DmaPages {
  /** In ascending order of their virtual addresses; neighbours that touch are one run. */
  readonly runs: PhysicalRun[] = [];
  readonly #process: Process;
  readonly #pinned: PinnedPages[] = [];
  #charged_pages = 0;

  private constructor(process: Process) {
    this.#process = process;
  }

  /** Takes whole pages. Returns -EFAULT where nothing usable is mapped, or -ENOMEM over the limit, with nothing held. */
  static pin(process: Process, address: number, bytes: number, writable: boolean): DmaPages | number {
    const pages = new DmaPages(process);
    for (let done = 0; done < bytes; ) {
      const taken = pages.#take(address + done, bytes - done, writable);
      if (taken < 0) {
        pages.release();
        return taken;
      }
      done += taken;
    }
    return pages;
  }

  release(): void {
    for (const pinned of this.#pinned) pinned.release();
    this.#process.addressSpaceLocked.uncharge(this.#charged_pages);
  }

  /** Takes what one mapping has of the range. Returns its bytes, or a negative errno. */
  #take(address: number, bytes: number, writable: boolean): number {
    const vma = this.#process.find(address);
    if (vma === null) return -EFAULT;
    const step = Math.min(bytes, vma.end - address);
    if (vma instanceof BarVma) {
      const isAllowed = (vma.protection & (writable ? PROT_WRITE : PROT_READ)) !== 0;
      if (!isAllowed || !vma.answers) return -EFAULT;
      this.#append({ physical: vma.physical + (address - vma.address), bytes: step });
      return step;
    }
    return vma instanceof MemoryVma ? this.#pin(address, step, writable) : -EFAULT;
  }

  #pin(address: number, bytes: number, writable: boolean): number {
    const { capabilities, memlockLimit_pages, addressSpaceLocked } = this.#process;
    const pages = bytes / PAGE_SIZE;
    const limit = capabilities.ipcLock ? Number.POSITIVE_INFINITY : memlockLimit_pages;
    const charged = addressSpaceLocked.charge(pages, limit);
    if (charged < 0) return charged;
    this.#charged_pages += pages;
    const pinned = this.#process.pin(address, bytes, writable);
    if (typeof pinned === 'number') return pinned;
    this.#pinned.push(pinned);
    for (const run of pinned.runs) this.#append(run);
    return bytes;
  }

  #append(run: PhysicalRun): void {
    const last = this.runs.at(-1);
    if (last === undefined || last.physical + last.bytes !== run.physical) this.runs.push(run);
    else this.runs[this.runs.length - 1] = { physical: last.physical, bytes: last.bytes + run.bytes };
  }
}

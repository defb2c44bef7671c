/**
 * The one user process of the machine: its address space, what the kernel may copy from and to it, and pages pinned
 * for DMA. A pinned page keeps its place and its content after munmap, until it is unpinned.
 * Not here: descriptors (file-table.ts), what backs a stretch of addresses (mapping.ts, pci/bar-mapping.ts).
 */
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import { assert } from '../support/assert.ts';
import { alignDown, alignUp, MIB, PAGE_MASK, PAGE_SIZE } from '../support/numbers.ts';
import { LockedPages } from './locked-memory.ts';
import { Extent, MemoryVma, type Vma } from './mapping.ts';
import { E2BIG, EFAULT, EINVAL, ENOMEM } from './uapi/errno.ts';
import type { Address } from './uapi/kernel.ts';
import { PROT_READ, PROT_WRITE } from './uapi/mman.ts';

/** Where mappings begin and where user addresses end. */
const MMAP_BASE = 0x7f00_0000_0000;
const TASK_SIZE = 0x7fff_ffff_f000;
const HUGE_PAGE = 2 * MIB;

/** Physically contiguous bytes. */
export interface PhysicalRun {
  readonly physical: number;
  readonly bytes: number;
}

/** Pages that cannot go away: from the page of the first byte asked for to the page of the last. */
export class PinnedPages {
  /** In ascending order of their virtual addresses; neighbours that touch are one run. */
  readonly runs: readonly PhysicalRun[];
  readonly #extents: readonly Extent[];
  #released = false;

  constructor(runs: readonly PhysicalRun[], extents: readonly Extent[]) {
    this.runs = runs;
    this.#extents = extents;
    for (const extent of extents) extent.hold();
  }

  release(): void {
    assert(!this.#released, 'pages are unpinned twice');
    this.#released = true;
    for (const extent of this.#extents) extent.drop();
  }
}

export class Process {
  readonly memory: Memory;
  readonly #pages: Pages;
  /** In ascending order of address, never overlapping. */
  readonly #vmas: Vma[] = [];
  /** The mapping that was found last. One that is unmapped has no length and covers nothing. */
  #found: Vma | null = null;
  /** RLIMIT_MEMLOCK in pages; Infinity for the superuser of a default machine. */
  memlockLimit_pages = Number.POSITIVE_INFINITY;
  /** CAP_IPC_LOCK: locked pages are not counted against the limit. CAP_SYS_RESOURCE: the counting mode may be set. */
  readonly capabilities = { ipcLock: true, sysResource: true };
  readonly userLocked = new LockedPages();
  readonly addressSpaceLocked = new LockedPages();

  constructor(memory: Memory, pages: Pages) {
    this.memory = memory;
    this.#pages = pages;
  }

  // ---- the address space ----------------------------------------------------------------------------------------

  /**
   * Maps zeroed anonymous memory, physically contiguous; from 2 MiB on, address and pages are aligned to 2 MiB.
   * Returns the address or -ENOMEM. `length` is a multiple of the page size.
   */
  mapAnonymous(length: number, protection: number): number {
    const align = length >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE;
    const address = this.#findGap(length, align);
    if (address < 0) return address;
    const physical = this.#pages.allocate(length / PAGE_SIZE, align / PAGE_SIZE);
    if (physical < 0) return -ENOMEM;
    const extent = new Extent(this.#pages, physical, length / PAGE_SIZE);
    this.#insert(new MemoryVma(this.memory, extent, { address, length, protection, physical }));
    return address;
  }

  /** Maps what `make` builds for the address found. Returns the address or -ENOMEM. */
  mapObject(length: number, make: (address: Address) => Vma): number {
    const address = this.#findGap(length, PAGE_SIZE);
    if (address >= 0) this.#insert(make(address));
    return address;
  }

  /** munmap(2): holes are fine, mappings are cut where the range ends inside them. Returns 0 or -EINVAL. */
  unmap(address: Address, length: number): number {
    const end = address + alignUp(length, PAGE_SIZE);
    if ((address & PAGE_MASK) !== 0 || length <= 0 || end > TASK_SIZE) return -EINVAL;
    const first = this.#split(address);
    const last = this.#split(end);
    for (const vma of this.#vmas.splice(first, last - first)) vma.close();
    return 0;
  }

  /** Unmaps everything, as the end of the process does. */
  unmapAll(): void {
    for (const vma of this.#vmas.splice(0)) vma.close();
  }

  /** The mapping that covers an address, or null. */
  find(address: Address): Vma | null {
    const recent = this.#found;
    if (recent !== null && address >= recent.address && address < recent.end) return recent;
    const vma = this.#vmas[this.#indexAfter(address) - 1];
    if (vma === undefined || address >= vma.end) return null;
    this.#found = vma;
    return vma;
  }

  // ---- copies between the kernel and the process ----------------------------------------------------------------

  /** Fills `target` from the process's memory. Returns 0, or -EFAULT when a byte of it cannot be read. */
  copyIn(address: Address, target: Uint8Array): number {
    const { u8 } = this.memory;
    const from = this.#within(address, target.length, PROT_READ);
    if (from >= 0) {
      for (let i = 0; i < target.length; i++) target[i] = u8[from + i]!;
      return 0;
    }
    return this.#each(address, target.length, PROT_READ, (physical, done, length) => {
      for (let i = 0; i < length; i++) target[done + i] = u8[physical + i]!;
    });
  }

  /** Writes `source` to the process's memory. Returns 0 or -EFAULT; the bytes before the fault are written. */
  copyOut(address: Address, source: Uint8Array): number {
    const { u8 } = this.memory;
    const to = this.#within(address, source.length, PROT_WRITE);
    if (to >= 0) {
      for (let i = 0; i < source.length; i++) u8[to + i] = source[i]!;
      return 0;
    }
    return this.#each(address, source.length, PROT_WRITE, (physical, done, length) => {
      for (let i = 0; i < length; i++) u8[physical + i] = source[done + i]!;
    });
  }

  /** A copy of a structure of `bytes` bytes, or null when it cannot be read (-EFAULT). */
  load(address: Address, bytes: number): DataView | null {
    const copy = new Uint8Array(bytes);
    return this.copyIn(address, copy) === 0 ? new DataView(copy.buffer) : null;
  }

  /** Writes the first `bytes` bytes of a structure back. Returns 0 or -EFAULT. */
  store(address: Address, struct: DataView, bytes = struct.byteLength): number {
    return this.copyOut(address, new Uint8Array(struct.buffer, struct.byteOffset, bytes));
  }

  /** Writes `length` zeros. Returns 0 or -EFAULT. */
  clear(address: Address, length: number): number {
    const write = (physical: number, _: number, bytes: number) => this.memory.fill(physical, 0, bytes);
    return this.#each(address, length, PROT_WRITE, write);
  }

  /** The tail of a structure that is longer than the kernel's: 0 when it is all zeros, -E2BIG, or -EFAULT before that. */
  checkZero(address: Address, length: number): number {
    const { u8 } = this.memory;
    let nonzero = 0;
    const result = this.#each(address, length, PROT_READ, (physical, _, bytes) => {
      for (let i = 0; i < bytes; i++) nonzero |= u8[physical + i]!;
    });
    return nonzero !== 0 ? -E2BIG : result;
  }

  /** One unsigned 32-bit word, or -EFAULT. */
  read32(address: Address): number {
    const vma = this.find(address);
    if (!(vma instanceof MemoryVma) || (vma.protection & PROT_READ) === 0) return -EFAULT;
    if (address + 4 > vma.end) return this.#read32Across(address);
    return this.memory.view.getUint32(vma.physical + (address - vma.address), true);
  }

  /** Writes one 32-bit word. Returns 0 or -EFAULT. */
  write32(address: Address, value: number): number {
    return this.copyOut(address, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  // ---- pages for devices ------------------------------------------------------------------------------------------

  /**
   * Pins the pages of a range for DMA. Device registers cannot be pinned.
   * Returns -EFAULT when a page is missing, or read-only while `writable` is asked.
   */
  pin(address: Address, length: number, writable: boolean): PinnedPages | number {
    const start = alignDown(address, PAGE_SIZE);
    const bytes = alignUp(address + length, PAGE_SIZE) - start;
    const extents: Extent[] = [];
    const runs: PhysicalRun[] = [];
    for (let done = 0; done < bytes; ) {
      const vma = this.find(start + done);
      const access = writable ? PROT_WRITE : PROT_READ;
      if (!(vma instanceof MemoryVma) || (vma.protection & access) === 0) return -EFAULT;
      const offset = start + done - vma.address;
      const step = Math.min(vma.length - offset, bytes - done);
      const previous = runs.at(-1);
      const physical = vma.physical + offset;
      if (previous !== undefined && previous.physical + previous.bytes === physical) {
        runs[runs.length - 1] = { physical: previous.physical, bytes: previous.bytes + step };
      } else runs.push({ physical, bytes: step });
      extents.push(vma.extent);
      done += step;
    }
    return new PinnedPages(runs, extents);
  }

  // ---- how it is kept ---------------------------------------------------------------------------------------------

  /** Index of the first mapping that begins after `address`. */
  #indexAfter(address: Address): number {
    let low = 0;
    let high = this.#vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#vmas[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(vma: Vma): void {
    this.#vmas.splice(this.#indexAfter(vma.address), 0, vma);
  }

  /** Lowest free address, with an unmapped page on either side so that a run beyond the end is noticed. */
  #findGap(length: number, align: number): number {
    let candidate = MMAP_BASE;
    for (const vma of this.#vmas) {
      if (candidate + length + PAGE_SIZE <= vma.address) break;
      candidate = alignUp(vma.end + PAGE_SIZE, align);
    }
    return candidate + length > TASK_SIZE ? -ENOMEM : candidate;
  }

  /** Makes `address` a border between mappings. Returns the index of the first mapping at or behind it. */
  #split(address: Address): number {
    const index = this.#indexAfter(address - 1);
    const vma = this.#vmas[index - 1];
    if (vma === undefined || vma.end <= address) return index;
    this.#vmas.splice(index, 0, vma.split(address - vma.address));
    return index;
  }

  #read32Across(address: Address): number {
    const word = new Uint8Array(4);
    return this.copyIn(address, word) < 0 ? -EFAULT : new DataView(word.buffer).getUint32(0, true);
  }

  /** Physical address of a range inside one mapping, as nearly every structure is, or -1. */
  #within(address: Address, length: number, access: number): number {
    const vma = this.find(address);
    if (!(vma instanceof MemoryVma) || (vma.protection & access) === 0) return -1;
    return address + length <= vma.end ? vma.physical + (address - vma.address) : -1;
  }

  /** Calls `visit` for each physically contiguous piece of a range, in order, until one may not be accessed. */
  #each(
    address: Address,
    length: number,
    access: number,
    visit: (physical: number, done: number, length: number) => void,
  ): number {
    for (let done = 0; done < length; ) {
      const vma = this.find(address + done);
      if (!(vma instanceof MemoryVma) || (vma.protection & access) === 0) return -EFAULT;
      const offset = address + done - vma.address;
      const step = Math.min(vma.length - offset, length - done);
      visit(vma.physical + offset, done, step);
      done += step;
    }
    return 0;
  }
}

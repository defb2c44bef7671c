/**
 * A stretch of the process's address space and what backs it: the base of all, and memory. An extent is a
 * physically contiguous run of pages that lives until neither an address nor a pin needs it.
 * Not here: where a stretch lies (process.ts), device registers (pci/bar-mapping.ts).
 */
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import { assert } from '../support/assert.ts';
import { hex, PAGE_SIZE } from '../support/numbers.ts';
import type { Address, Mapping } from './uapi/kernel.ts';
import { PROT_READ, PROT_WRITE } from './uapi/mman.ts';

/** The process touched memory that it may not touch, or registers that do not answer: its program would be killed. */
export class MemoryFault extends Error {
  override readonly name = 'MemoryFault';
  readonly signal: 'SIGSEGV' | 'SIGBUS';
  readonly address: Address;

  constructor(signal: 'SIGSEGV' | 'SIGBUS', address: Address, why: string) {
    super(`${signal} at ${hex(address)}: ${why}`);
    this.signal = signal;
    this.address = address;
  }
}

export abstract class Vma implements Mapping {
  readonly address: Address;
  /** PROT_*. */
  readonly protection: number;
  #length: number;

  constructor(address: Address, length: number, protection: number) {
    this.address = address;
    this.#length = length;
    this.protection = protection;
  }

  /** Bytes; 0 once it is unmapped, so that every access through a stale mapping faults. */
  get length(): number {
    return this.#length;
  }

  get end(): Address {
    return this.address + this.#length;
  }

  abstract readonly bytes: Uint8Array | null;
  abstract read8(offset: number): number;
  abstract read16(offset: number): number;
  abstract read32(offset: number): number;
  abstract write8(offset: number, value: number): void;
  abstract write16(offset: number, value: number): void;
  abstract write32(offset: number, value: number): void;

  read64(offset: number): bigint {
    const low = this.read32(offset);
    return (BigInt(this.read32(offset + 4)) << 32n) | BigInt(low);
  }

  write64(offset: number, value: bigint): void {
    this.write32(offset, Number(value & 0xffff_ffffn));
    this.write32(offset + 4, Number((value >> 32n) & 0xffff_ffffn));
  }

  /** Cuts at a byte offset: this keeps what is before it, the result has the rest. */
  split(offset: number): Vma {
    assert(offset > 0 && offset < this.#length, 'a mapping is cut inside itself');
    const rest = this.cut(offset);
    this.#length = offset;
    return rest;
  }

  /** Ends the mapping and lets go of what backs it. */
  close(): void {
    this.#length = 0;
    this.release();
  }

  /** A mapping of everything from `offset` on, with its own hold on what backs it. */
  protected abstract cut(offset: number): Vma;
  protected abstract release(): void;

  /** Throws unless `size` bytes at `offset` may be accessed. */
  protected check(offset: number, size: number, access: number): void {
    if (offset < 0 || offset + size > this.#length) this.#refuse(offset, 'nothing is mapped here');
    if ((this.protection & access) === 0) {
      this.#refuse(
        offset,
        access === PROT_WRITE ? 'the mapping is not writable' : 'the mapping is not readable',
      );
    }
  }

  #refuse(offset: number, why: string): never {
    throw new MemoryFault('SIGSEGV', this.address + offset, why);
  }
}

/** Physically contiguous pages with a count of the mappings and pins that need them. */
export class Extent {
  readonly physical: number;
  pages: number;
  #references = 1;
  private readonly allocator: Pages;

  constructor(allocator: Pages, physical: number, pages: number) {
    this.allocator = allocator;
    this.physical = physical;
    this.pages = pages;
  }

  /** True when one mapping and no pin holds it. */
  get exclusive(): boolean {
    return this.#references === 1;
  }

  hold(): void {
    this.#references++;
  }

  drop(): void {
    assert(this.#references > 0, 'an extent is dropped twice');
    if (--this.#references === 0) this.allocator.free(this.physical, this.pages);
  }

  /** Keeps the first `pages` and returns the others as an extent of their own. Only while it is exclusive. */
  divide(pages: number): Extent {
    assert(this.exclusive, 'a shared extent cannot be divided');
    const rest = new Extent(this.allocator, this.physical + pages * PAGE_SIZE, this.pages - pages);
    this.pages = pages;
    return rest;
  }
}

/** Pages of RAM, present from the start: private ones, or those of a file that is memory. */
export class MemoryVma extends Vma {
  readonly extent: Extent;
  /** Physical address of the first byte. */
  readonly physical: number;
  private readonly memory: Memory;
  #bytes: Uint8Array | null = null;

  constructor(
    memory: Memory,
    extent: Extent,
    place: { address: Address; length: number; protection: number; physical: number },
  ) {
    super(place.address, place.length, place.protection);
    this.memory = memory;
    this.extent = extent;
    this.physical = place.physical;
  }

  override get bytes(): Uint8Array {
    if (this.#bytes?.length !== this.length) {
      this.#bytes = this.memory.u8.subarray(this.physical, this.physical + this.length);
    }
    return this.#bytes!;
  }

  override read8(offset: number): number {
    this.check(offset, 1, PROT_READ);
    return this.memory.u8[this.physical + offset]!;
  }

  override read16(offset: number): number {
    this.check(offset, 2, PROT_READ);
    return this.memory.view.getUint16(this.physical + offset, true);
  }

  override read32(offset: number): number {
    this.check(offset, 4, PROT_READ);
    return this.memory.view.getUint32(this.physical + offset, true);
  }

  override write8(offset: number, value: number): void {
    this.check(offset, 1, PROT_WRITE);
    this.memory.u8[this.physical + offset] = value;
  }

  override write16(offset: number, value: number): void {
    this.check(offset, 2, PROT_WRITE);
    this.memory.view.setUint16(this.physical + offset, value, true);
  }

  override write32(offset: number, value: number): void {
    this.check(offset, 4, PROT_WRITE);
    this.memory.view.setUint32(this.physical + offset, value, true);
  }

  protected override cut(offset: number): MemoryVma {
    return new MemoryVma(this.memory, this.#backingFrom(offset), {
      address: this.address + offset,
      length: this.length - offset,
      protection: this.protection,
      physical: this.physical + offset,
    });
  }

  protected override release(): void {
    this.extent.drop();
  }

  /**
   * An exclusive extent is divided, so that either half can be freed; one that is pinned stays whole and shared. One that
   * was shared may begin before this mapping.
   */
  #backingFrom(offset: number): Extent {
    const { extent, physical } = this;
    if (extent.exclusive) return extent.divide((physical + offset - extent.physical) / PAGE_SIZE);
    extent.hold();
    return extent;
  }
}

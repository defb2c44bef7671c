/**
 * A memory-mapped BAR. Loads and stores become register accesses at the root complex: one test, one call. While the
 * function does not decode memory, sleeps, or is engaged in low power, they are a SIGBUS, and work again afterwards.
 * Not here: which BARs may be mapped (regions.ts), pread and pwrite (bar-access.ts).
 */
import type { PciHost } from '../../machine/pcie/pci-host.ts';
import type { OpenFile } from '../file.ts';
import { MemoryFault, Vma } from '../mapping.ts';
import type { Address } from '../uapi/kernel.ts';
import { PROT_READ, PROT_WRITE } from '../uapi/mman.ts';

/** Whether a function's memory BARs answer user space; one per function, kept by device.ts. */
export interface MemoryGate {
  open: boolean;
}

/** Where a BAR mapping lies and what it shows. */
export interface BarPlace {
  readonly address: Address;
  readonly length: number;
  readonly protection: number;
  /** Physical address of its first byte. */
  readonly physical: number;
}

const TWO_32 = 0x1_0000_0000;

export class BarVma extends Vma {
  override readonly bytes = null;
  private readonly rc: PciHost;
  private readonly gate: MemoryGate;
  /** Physical address of its first byte. */
  readonly physical: number;
  /** The same as a signed integer for stores; 0, where there is no register, when nothing can be at the address. */
  private readonly low: number;
  private readonly file: OpenFile;

  /** Holds `file` for as long as it is mapped: closing the descriptor does not end the device's use. */
  constructor(rc: PciHost, gate: MemoryGate, file: OpenFile, place: BarPlace) {
    super(place.address, place.length, place.protection);
    this.rc = rc;
    this.gate = gate;
    this.physical = place.physical;
    this.low = place.physical < TWO_32 ? place.physical | 0 : 0;
    this.file = file;
    file.hold();
  }

  /** The function answers memory requests, so that touching the mapping is no SIGBUS. */
  get answers(): boolean {
    return this.gate.open;
  }

  override read8(offset: number): number {
    this.#reach(offset, 1, PROT_READ);
    return this.rc.readPart(this.physical + offset, 1);
  }

  override read16(offset: number): number {
    this.#reach(offset, 2, PROT_READ);
    return this.rc.readPart(this.physical + offset, 2);
  }

  override read32(offset: number): number {
    this.#reach(offset, 4, PROT_READ);
    return this.rc.read32(this.physical + offset);
  }

  override write8(offset: number, value: number): void {
    this.#reach(offset, 1, PROT_WRITE);
    this.rc.writePart(this.physical + offset, 1, value);
  }

  override write16(offset: number, value: number): void {
    this.#reach(offset, 2, PROT_WRITE);
    this.rc.writePart(this.physical + offset, 2, value);
  }

  override write32(offset: number, value: number): void {
    this.#reach(offset, 4, PROT_WRITE);
    this.rc.write32(this.low + offset, value);
  }

  protected override cut(offset: number): BarVma {
    return new BarVma(this.rc, this.gate, this.file, {
      address: this.address + offset,
      length: this.length - offset,
      protection: this.protection,
      physical: this.physical + offset,
    });
  }

  protected override release(): void {
    this.file.drop();
  }

  #reach(offset: number, size: 1 | 2 | 4, access: number): void {
    this.check(offset, size, access);
    if (this.gate.open === false) this.#refuse(offset, 'the function does not answer memory requests now');
    if ((offset & (size - 1)) !== 0) this.#refuse(offset, 'registers are accessed at multiples of the size');
  }

  #refuse(offset: number, why: string): never {
    throw new MemoryFault('SIGBUS', this.address + offset, why);
  }
}

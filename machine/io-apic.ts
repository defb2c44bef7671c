/**
 * An I/O APIC: the interrupt wires of PCI arrive at its inputs, level triggered and shared, and leave as messages to the
 * CPU that its redirection table names (Intel 82093AA §3; EOI register of version 20h).
 * Not here: edge triggered inputs, delivery modes other than fixed, remapping of its messages (iommu/), whose format of
 * entries differs only in what software puts into the bits that become the address.
 */
import type { Archive } from '../support/archive.ts';
import { bits } from '../support/bits.ts';
import { type MessageTarget, MSI_BASE } from './interrupts.ts';
import type { RegisterBlock } from './pcie/root-complex.ts';

/** Where a PC has it; further ones follow page by page. */
export const IO_APIC_BASE = 0xfec0_0000;
/** Registers: an index, the window onto what it selects, and the end of an interrupt by its vector. */
export const IO_APIC = { SELECT: 0x00, WINDOW: 0x10, EOI: 0x40, SIZE: 0x1000 } as const;
/** Requester id of its messages, on a bus without functions: f0:1f.0, as the device scope of the DMAR table names it. */
export const IO_APIC_SOURCE = 0xf0f8;
const FUNCTIONS = 8;
/** Physical address of the I/O APIC with number `index`, and the requester id of its messages. */
export const ioApicBase = (index: number): number => IO_APIC_BASE + index * IO_APIC.SIZE;
export const ioApicSource = (index: number): number => IO_APIC_SOURCE - index * FUNCTIONS;
/** Number of the I/O APIC that has a requester id; null for those of functions. */
export const ioApicOf = (requester: number): number | null =>
  requester >>> 8 === IO_APIC_SOURCE >>> 8 ? (IO_APIC_SOURCE - requester) / FUNCTIONS : null;
/** Indexes: version, and two words for each entry of the redirection table. */
export const IO_APIC_INDEX = { VERSION: 0x01, TABLE: 0x10 } as const;
/** The low word of an entry; MODE is bit 2 of the message's address. REMOTE_IRR: sent and not yet ended. */
export const REDIRECTION = bits({ VECTOR: [7, 0], MODE: 11, REMOTE_IRR: 14, LEVEL: 15, MASK: 16 });
/** The high word: bits 19:4 of the message's address. */
export const REDIRECTION_HI = bits({ ADDRESS: [31, 16] });
const VERSION = bits({ VERSION: [7, 0], LAST_ENTRY: [23, 16] });
/** Inputs of one I/O APIC. */
export const INPUTS = 24;
/** INTA to INTD of the root complex are these inputs and the next three. */
export const PCI_INPUT = 16;

export class IoApic implements RegisterBlock {
  readonly #target: MessageTarget;
  readonly #low = new Uint32Array(INPUTS).fill(REDIRECTION.MASK.mask);
  readonly #high = new Uint32Array(INPUTS);
  /** How many functions assert an input. */
  readonly #asserted = new Uint32Array(INPUTS);
  #select = 0;

  constructor(target: MessageTarget) {
    this.#target = target;
  }

  /** One more function asserts an input, or one less. */
  drive(input: number, isAsserted: boolean): void {
    this.#asserted[input]! += isAsserted ? 1 : -1;
    this.#send(input);
  }

  read32(offset: number): number {
    if (offset === IO_APIC.SELECT) return this.#select;
    if (offset !== IO_APIC.WINDOW) return 0;
    if (this.#select === IO_APIC_INDEX.VERSION)
      return VERSION.encode({ VERSION: 0x20, LAST_ENTRY: INPUTS - 1 });
    const index = this.#select - IO_APIC_INDEX.TABLE;
    return ((index & 1) === 0 ? this.#low : this.#high)[index >> 1] ?? 0;
  }

  write32(offset: number, value: number): void {
    if (offset === IO_APIC.SELECT) this.#select = value & 0xff;
    else if (offset === IO_APIC.EOI) this.#end(value & 0xff);
    else if (offset === IO_APIC.WINDOW) this.#writeEntry(this.#select - IO_APIC_INDEX.TABLE, value);
  }

  #writeEntry(index: number, value: number): void {
    const input = index >> 1;
    if (input < 0 || input >= INPUTS) return;
    if ((index & 1) === 1) {
      this.#high[input] = value & REDIRECTION_HI.ADDRESS.mask;
      return;
    }
    const { VECTOR, MODE, LEVEL, MASK } = REDIRECTION;
    const writable = VECTOR.mask | MODE.mask | LEVEL.mask | MASK.mask;
    this.#low[input] = (this.#low[input]! & REDIRECTION.REMOTE_IRR.mask) | (value & writable);
    this.#send(input);
  }

  /** Sends an input's message if it is asserted and nothing is in the way. */
  #send(input: number): void {
    const low = this.#low[input]!;
    const isHeld = (low & (REDIRECTION.MASK.mask | REDIRECTION.REMOTE_IRR.mask)) !== 0;
    if (isHeld || this.#asserted[input] === 0) return;
    this.#low[input] = low | REDIRECTION.REMOTE_IRR.mask;
    const address = (REDIRECTION_HI.ADDRESS.get(this.#high[input]!) << 4) | (REDIRECTION.MODE.get(low) << 2);
    this.#target.deliver((MSI_BASE | address) >>> 0, REDIRECTION.VECTOR.get(low));
  }

  /** The CPU has handled a vector: an input that is still asserted sends it again. */
  #end(vector: number): void {
    for (let input = 0; input < INPUTS; input++) {
      const low = this.#low[input]!;
      if (REDIRECTION.REMOTE_IRR.get(low) === 0 || REDIRECTION.VECTOR.get(low) !== vector) continue;
      this.#low[input] = low & ~REDIRECTION.REMOTE_IRR.mask;
      this.#send(input);
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#low, this.#high, this.#asserted);
    this.#select = a.value(this.#select);
  }
}

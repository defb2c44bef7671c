/**
 * The hardware side of message-signalled interrupts: vectors of the CPU, the device's MSI-X table or MSI registers, the
 * enable bits. A vector is allocated, then programmed and unmasked when somebody wants its interrupts.
 * Not here: which eventfd a vector signals (msi-index.ts).
 */
import type { HandlerId } from '../../machine/clock.ts';
import type { MessageSource, MsiMessage } from '../../machine/interrupts.ts';
import {
  CAPABILITY,
  COMMAND,
  MSIX,
  MSIX_BIR_MASK,
  MSIX_CONTROL,
  MSIX_ENTRY,
  MSIX_VECTOR_CONTROL,
} from '../../machine/pcie/spec.ts';
import { assert } from '../../support/assert.ts';
import { highWord, lowWord } from '../../support/numbers.ts';
import type { PciDevice } from '../pci-device.ts';

/** The vectors of one function, by MSI or by MSI-X. */
export interface Vectors {
  /** How many the function has; 0 without the capability. */
  readonly count: number;
  /** Whether vectors may be allocated one by one after `enable`. */
  readonly dynamic: boolean;
  /** Allocates vectors 0 to `count` - 1 and turns the capability on, all masked. Returns how many there were. */
  enable(count: number): number;
  allocated(vector: number): boolean;
  /** Allocates one more vector. Returns false when the CPU has none left. */
  allocate(vector: number): boolean;
  setMasked(vector: number, masked: boolean): void;
  /** Turns the capability off and frees every vector. */
  disable(): void;
  /** Programs everything again after a reset. */
  restore(): void;
}

/** Where a function keeps its MSI-X table. */
export interface MsixLocation {
  readonly bar: number;
  /** Offset in the BAR, and length in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** The MSI-X table of a function, or null when it has none. */
export function locateMsix(device: PciDevice): MsixLocation | null {
  const at = device.capability(CAPABILITY.MSIX);
  if (at === 0) return null;
  const table = device.read32(at + MSIX.TABLE);
  const vectors = MSIX_CONTROL.TABLE_SIZE.get(device.read16(at + MSIX.CONTROL)) + 1;
  return {
    bar: table & MSIX_BIR_MASK,
    offset: table & ~MSIX_BIR_MASK,
    bytes: vectors * MSIX_ENTRY.SIZE,
  };
}

export class MsixVectors implements Vectors {
  readonly count: number;
  readonly dynamic = true;
  readonly #device: PciDevice;
  readonly #interrupts: MessageSource;
  readonly #handler: HandlerId;
  readonly #capability: number;
  /** Physical address of the table. */
  readonly #table: number;
  readonly #messages: (MsiMessage | undefined)[] = [];
  readonly #unmasked = new Set<number>();
  #enabled = false;

  /** `handler` runs with the vector's number when its message arrives. */
  constructor(device: PciDevice, interrupts: MessageSource, handler: HandlerId) {
    const location = locateMsix(device);
    this.#device = device;
    this.#interrupts = interrupts;
    this.#handler = handler;
    this.#capability = device.capability(CAPABILITY.MSIX);
    this.count = location === null ? 0 : location.bytes / MSIX_ENTRY.SIZE;
    this.#table = location === null ? 0 : (device.resources[location.bar]?.start ?? 0) + location.offset;
  }

  enable(count: number): number {
    for (let vector = 0; vector < count; vector++) {
      if (this.allocate(vector)) continue;
      this.#free();
      return vector;
    }
    this.#enabled = true;
    this.restore();
    return count;
  }

  allocated(vector: number): boolean {
    return this.#messages[vector] !== undefined;
  }

  allocate(vector: number): boolean {
    const message = this.#interrupts.allocate(this.#handler, vector);
    if (message === null) return false;
    this.#messages[vector] = message;
    if (this.#enabled) this.#withDecode(() => this.#program(vector));
    return true;
  }

  setMasked(vector: number, masked: boolean): void {
    if (masked) this.#unmasked.delete(vector);
    else this.#unmasked.add(vector);
    this.#withDecode(() => this.#program(vector));
  }

  disable(): void {
    this.#enabled = false;
    this.#control({ ENABLE: 0, FUNCTION_MASK: 0 });
    this.#unmasked.clear();
    this.#free();
  }

  restore(): void {
    if (!this.#enabled) return;
    this.#withDecode(() => {
      this.#control({ ENABLE: 1, FUNCTION_MASK: 1 });
      for (let vector = 0; vector < this.count; vector++) this.#program(vector);
      this.#control({ ENABLE: 1, FUNCTION_MASK: 0 });
    });
  }

  /** Writes one table entry; a vector without a message, or that nobody wants, is masked. Base §6.1.4.2. */
  #program(vector: number): void {
    const { rc } = this.#device;
    const entry = this.#table + vector * MSIX_ENTRY.SIZE;
    const message = this.#messages[vector];
    rc.write32(entry + MSIX_ENTRY.CONTROL, MSIX_VECTOR_CONTROL.MASK.mask);
    if (message === undefined) return;
    rc.write32(entry + MSIX_ENTRY.ADDRESS, lowWord(message.address));
    rc.write32(entry + MSIX_ENTRY.ADDRESS_HI, highWord(message.address));
    rc.write32(entry + MSIX_ENTRY.DATA, message.data);
    if (this.#unmasked.has(vector)) rc.write32(entry + MSIX_ENTRY.CONTROL, 0);
    rc.read32(entry + MSIX_ENTRY.CONTROL);
  }

  #control(values: { ENABLE: number; FUNCTION_MASK: number }): void {
    const at = this.#capability + MSIX.CONTROL;
    const control = this.#device.read16(at);
    const masked = MSIX_CONTROL.FUNCTION_MASK.set(control, values.FUNCTION_MASK);
    this.#device.write16(at, MSIX_CONTROL.ENABLE.set(masked, values.ENABLE));
  }

  #free(): void {
    for (const message of this.#messages) if (message !== undefined) this.#interrupts.free(message);
    this.#messages.length = 0;
  }

  /** The table answers only while memory decoding is on, which user space may have turned off. */
  #withDecode(action: () => void): void {
    const before = this.#device.updateCommand(COMMAND.MEMORY.mask, COMMAND.MEMORY.mask);
    action();
    this.#device.updateCommand(COMMAND.MEMORY.mask, before);
  }
}

const MSI = { CONTROL: 2, ADDRESS: 4 } as const;
const MSI_ENABLE = 1;
const MSI_64BIT = 1 << 7;

/** MSI registers. The CPU's vectors are given out one by one, so that a function gets one message at most. */
export class MsiVectors implements Vectors {
  readonly count: number;
  readonly dynamic = false;
  readonly #device: PciDevice;
  readonly #interrupts: MessageSource;
  readonly #handler: HandlerId;
  readonly #capability: number;
  #message: MsiMessage | null = null;

  constructor(device: PciDevice, interrupts: MessageSource, handler: HandlerId) {
    this.#device = device;
    this.#interrupts = interrupts;
    this.#handler = handler;
    this.#capability = device.capability(CAPABILITY.MSI);
    this.count =
      this.#capability === 0 ? 0 : 1 << ((device.read16(this.#capability + MSI.CONTROL) >>> 1) & 7);
  }

  enable(count: number): number {
    const message = this.#interrupts.allocate(this.#handler, 0);
    if (message === null) return 0;
    if (count > 1) {
      this.#interrupts.free(message);
      return 1;
    }
    this.#message = message;
    this.restore();
    return count;
  }

  allocated(vector: number): boolean {
    return vector === 0 && this.#message !== null;
  }

  allocate(_vector: number): boolean {
    return false;
  }

  /** MSI has no mask that every function implements; an unwanted message finds no eventfd. */
  setMasked(_vector: number, _masked: boolean): void {}

  disable(): void {
    const at = this.#capability + MSI.CONTROL;
    this.#device.write16(at, this.#device.read16(at) & ~MSI_ENABLE);
    if (this.#message !== null) this.#interrupts.free(this.#message);
    this.#message = null;
  }

  restore(): void {
    if (this.#message === null) return;
    assert(this.#capability !== 0, 'MSI is enabled on a function without it');
    const at = this.#capability;
    const control = this.#device.read16(at + MSI.CONTROL);
    const wide = (control & MSI_64BIT) !== 0;
    this.#device.write32(at + MSI.ADDRESS, lowWord(this.#message.address));
    if (wide) this.#device.write32(at + MSI.ADDRESS + 4, highWord(this.#message.address));
    this.#device.write16(at + MSI.ADDRESS + (wide ? 8 : 4), this.#message.data);
    this.#device.write16(at + MSI.CONTROL, control | MSI_ENABLE);
  }
}

/**
 * Interrupts by wire: which input of which I/O APIC the pin of a function reaches, and the handlers of functions that
 * share it. Inputs of all I/O APICs are numbered through, as GSIs of ACPI are. An input has a vector while it has handlers;
 * they all run, then the I/O APIC is told that the interrupt has ended.
 * Where the kernel remaps interrupts, the message of an input names its entry of the table (VT-d 4.1 §5.1.5.1).
 * Not here: what a handler does (pci/intx-index.ts), messages (pci/msi-vectors.ts).
 */
import { INTERRUPT_ADDRESS } from '../iommu/spec/structures.ts';
import type { Clock, HandlerId } from '../machine/clock.ts';
import type { MessageSource, MsiMessage } from '../machine/interrupts.ts';
import {
  INPUTS,
  IO_APIC,
  IO_APIC_INDEX,
  ioApicBase,
  ioApicSource,
  PCI_INPUT,
  REDIRECTION,
  REDIRECTION_HI,
} from '../machine/io-apic.ts';
import { swizzle } from '../machine/pcie/bridge.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { CONFIG } from '../machine/pcie/spec.ts';
import type { PciDevice } from './pci-device.ts';

interface Line {
  readonly messages: MessageSource;
  readonly message: MsiMessage;
  /** What its entry of the I/O APIC has, and ends. */
  readonly vector: number;
  readonly handlers: Set<() => void>;
}

export interface IrqLineParts {
  readonly clock: Clock;
  /** The messages that an I/O APIC with this requester id may send. */
  readonly messagesOf: (requester: number) => MessageSource;
  readonly rootComplex: PciHost;
  /** Number of the I/O APIC that the wires of a function on bus 0 reach. */
  readonly ioApicOf: (devfn: number) => number;
}

export class IrqLines {
  readonly #parts: IrqLineParts;
  readonly #onInterrupt: HandlerId;
  /** By input. */
  readonly #lines = new Map<number, Line>();

  constructor(parts: IrqLineParts) {
    this.#parts = parts;
    this.#onInterrupt = parts.clock.register((input) => this.#handle(input));
  }

  /** Runs `handler` whenever the line of the device's pin interrupts. False when the CPU has no vector left. */
  request(device: PciDevice, handler: () => void): boolean {
    const input = this.#inputOf(device);
    const line = this.#lines.get(input) ?? this.#open(input);
    line?.handlers.add(handler);
    return line !== null;
  }

  free(device: PciDevice, handler: () => void): void {
    const input = this.#inputOf(device);
    const line = this.#lines.get(input);
    if (line === undefined) return;
    line.handlers.delete(handler);
    if (line.handlers.size > 0) return;
    this.#lines.delete(input);
    this.#program(input, 0, REDIRECTION.MASK.mask);
    line.messages.free(line.message);
  }

  #open(input: number): Line | null {
    const messages = this.#parts.messagesOf(ioApicSource(Math.floor(input / INPUTS)));
    const message = messages.allocate(this.#onInterrupt, input);
    if (message === null) return null;
    const { address, data } = message;
    // The vector of a remapped message is in the table; the one here only tells inputs apart, and Linux takes their numbers.
    const vector = INTERRUPT_ADDRESS.FORMAT.get(address) === 1 ? input % INPUTS : data;
    const line = { messages, message, vector, handlers: new Set<() => void>() };
    this.#lines.set(input, line);
    const high = REDIRECTION_HI.encode({ ADDRESS: (address >>> 4) & 0xffff });
    this.#program(input, high, REDIRECTION.encode({ VECTOR: vector, MODE: (address >>> 2) & 1, LEVEL: 1 }));
    return line;
  }

  #handle(input: number): void {
    const line = this.#lines.get(input);
    if (line === undefined) return;
    for (const handler of line.handlers) handler();
    this.#parts.rootComplex.write32(ioApicBase(Math.floor(input / INPUTS)) + IO_APIC.EOI, line.vector);
  }

  #program(input: number, high: number, low: number): void {
    const { rootComplex } = this.#parts;
    const base = ioApicBase(Math.floor(input / INPUTS));
    const index = IO_APIC_INDEX.TABLE + 2 * (input % INPUTS);
    for (const [select, value] of [
      [index + 1, high],
      [index, low],
    ] as const) {
      rootComplex.write32(base + IO_APIC.SELECT, select);
      rootComplex.write32(base + IO_APIC.WINDOW, value);
    }
  }

  /** Every bridge on the way up turns the pins by the device number below it. */
  #inputOf(device: PciDevice): number {
    let pin = device.read8(CONFIG.INTERRUPT_PIN);
    let top = device;
    for (let at: PciDevice | null = device; at !== null; at = at.bridge) {
      pin = swizzle(pin, at.devfn);
      top = at;
    }
    return this.#parts.ioApicOf(top.devfn) * INPUTS + PCI_INPUT + pin - 1;
  }
}

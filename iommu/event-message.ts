/**
 * One event interrupt of the unit: control, data and address registers, the pending bit, and the message itself
 * (VT-d 4.1 §11.4.7.2-5). Fault events and invalidation completion events are two of these.
 * The unit sends its own messages in compatibility format; they are never remapped (§5.1.6).
 */
import type { MessageTarget } from '../machine/interrupts.ts';
import { EVENT_CONTROL } from './spec/registers.ts';

/** Words from the control register. */
const DATA = 1;
const ADDRESS = 2;
/** Bits of DATA and ADDRESS that exist; the upper address word does not (no extended interrupt mode). */
const DATA_MASK = 0xffff;
const ADDRESS_MASK = 0xffff_fffc;

export class EventMessage {
  readonly #registers: Uint32Array;
  readonly #control: number;
  readonly #interrupts: MessageTarget;

  /** `offset` is that of the control register in the unit's register file. Masked at reset. */
  constructor(registers: Uint32Array, offset: number, interrupts: MessageTarget) {
    this.#registers = registers;
    this.#control = offset >>> 2;
    this.#interrupts = interrupts;
    registers[this.#control] = EVENT_CONTROL.IM.mask;
  }

  /** A new condition: sends the message, or keeps it pending while masked. */
  raise(): void {
    this.#registers[this.#control] = this.#registers[this.#control]! | EVENT_CONTROL.IP.mask;
    this.#send();
  }

  /** Software has serviced every condition: nothing is pending any more. */
  settle(): void {
    this.#registers[this.#control] = EVENT_CONTROL.IP.set(this.#registers[this.#control]!, 0);
  }

  /** A write to one of the four registers, at `offset` bytes from the control register. */
  write(offset: number, value: number): void {
    const word = offset >>> 2;
    if (word === DATA) this.#registers[this.#control + DATA] = value & DATA_MASK;
    else if (word === ADDRESS) this.#registers[this.#control + ADDRESS] = value & ADDRESS_MASK;
    else if (word === 0) {
      const control = this.#registers[this.#control]!;
      this.#registers[this.#control] = EVENT_CONTROL.IM.set(control, EVENT_CONTROL.IM.get(value));
      this.#send();
    }
  }

  #send(): void {
    const control = this.#registers[this.#control]!;
    if (EVENT_CONTROL.IP.get(control) === 0 || EVENT_CONTROL.IM.get(control) === 1) return;
    this.settle();
    this.#interrupts.deliver(
      this.#registers[this.#control + ADDRESS]!,
      this.#registers[this.#control + DATA]!,
    );
  }
}

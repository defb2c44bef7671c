/**
 * Interrupt coalescing: a vector fires when enough completions have gathered or the first of them has waited long
 * enough (Base 2.1 §5.1.25.1.6 and .7). An aggregation time of 0 is no delay, whatever the threshold says.
 * Completions come here only while the host has it on. Not here: how the controller interrupts (interrupt-port.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Archive } from '../support/archive.ts';
import type { Completer, InterruptSink } from './completer.ts';
import { INTERRUPT_COALESCING } from './spec/features.ts';

const TIME_UNIT_NS = 100_000;
const NO_EVENT = -1;
const ADMIN_VECTOR = 0;

export interface CoalescingParts {
  readonly clock: Clock;
  readonly completer: Completer;
  /** Where interrupts go. */
  readonly target: InterruptSink;
  readonly vectors: number;
}

export class Coalescing implements InterruptSink {
  readonly #clock: Clock;
  readonly #completer: Completer;
  readonly #target: InterruptSink;
  readonly #onTime: HandlerId;
  /** By vector: whether it coalesces, completions that wait, and the event at which they have waited long enough. */
  readonly #isOn: Uint8Array;
  readonly #waiting: Uint32Array;
  readonly #event: Float64Array;
  #threshold = 1;
  #time_ns = 0;

  constructor(parts: CoalescingParts) {
    this.#clock = parts.clock;
    this.#completer = parts.completer;
    this.#target = parts.target;
    this.#onTime = parts.clock.register((vector) => this.#fire(vector, false));
    this.#isOn = new Uint8Array(parts.vectors).fill(1);
    this.#waiting = new Uint32Array(parts.vectors);
    this.#event = new Float64Array(parts.vectors).fill(NO_EVENT);
  }

  /** Takes CDW11 of the Interrupt Coalescing feature. */
  configure(cdw11: number): void {
    this.#threshold = INTERRUPT_COALESCING.THR.get(cdw11) + 1;
    this.#time_ns = INTERRUPT_COALESCING.TIME.get(cdw11) * TIME_UNIT_NS;
    this.#route();
    for (let vector = 0; vector < this.#waiting.length; vector++) this.#flush(vector);
  }

  /** Completions come here while there is something to gather. */
  #route(): void {
    this.#completer.interrupts = this.#threshold > 1 && this.#time_ns > 0 ? this : this.#target;
  }

  /**
   * Turns coalescing of one vector on or off (Interrupt Vector Configuration). The admin queue's vector is never
   * delayed (§5.1.25.1.6).
   */
  setVector(vector: number, isOn: boolean): void {
    this.#isOn[vector] = isOn && vector !== ADMIN_VECTOR ? 1 : 0;
    this.#flush(vector);
  }

  /** Controller level reset: what waited is gone with the queues. */
  reset(): void {
    for (let vector = 0; vector < this.#waiting.length; vector++) this.#forget(vector);
  }

  raise(vector: number, isBehindWrite: boolean): void {
    if (this.#isOn[vector] === 0) return this.#target.raise(vector, isBehindWrite);
    const waiting = ++this.#waiting[vector]!;
    if (waiting >= this.#threshold) this.#fire(vector, isBehindWrite);
    else if (waiting === 1) this.#event[vector] = this.#clock.after(this.#time_ns, this.#onTime, vector);
  }

  #flush(vector: number): void {
    if (this.#waiting[vector]! > 0) this.#fire(vector, false);
  }

  #fire(vector: number, isBehindWrite: boolean): void {
    this.#forget(vector);
    this.#target.raise(vector, isBehindWrite);
  }

  #forget(vector: number): void {
    if (this.#event[vector] !== NO_EVENT) this.#clock.cancel(this.#event[vector]!);
    this.#event[vector] = NO_EVENT;
    this.#waiting[vector] = 0;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#isOn, this.#waiting, this.#event);
    this.#threshold = a.value(this.#threshold);
    this.#time_ns = a.value(this.#time_ns);
    this.#route();
  }
}

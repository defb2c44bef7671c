/**
 * How the controller interrupts: by MSI-X, else by MSI, else by its pin, as software has chosen in configuration space
 * (PCIe Transport 1.1 §3.5.1). The pin stays asserted while a completion queue with interrupts has entries that the host
 * has not released; INTMS masks the vectors of MSI and the pin, and means nothing to MSI-X.
 * Not here: messages and their masks (machine/pcie/msi.ts, msix.ts), coalescing (coalescing.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import type { Msi } from '../machine/pcie/msi.ts';
import type { Msix } from '../machine/pcie/msix.ts';
import type { Archive } from '../support/archive.ts';
import type { InterruptSink } from './completer.ts';
import type { CompletionQueues } from './queues.ts';

const MESSAGE_BYTES = 4;
/** INTMS has a bit for each of these. */
const MASKABLE = 32;

export interface InterruptPortParts {
  readonly clock: Clock;
  readonly dma: DmaPort;
  readonly msix: Msix;
  readonly msi: Msi;
  readonly cqs: CompletionQueues;
  /** Asserts or deasserts the pin. */
  readonly pin: (isAsserted: boolean) => void;
}

export class InterruptPort implements InterruptSink {
  /** The pin is in use: it has to be looked at whenever the host releases entries. */
  isPinned = false;
  readonly #parts: InterruptPortParts;
  readonly #onWire: HandlerId;
  /** INTMS. */
  #mask = 0;

  constructor(parts: InterruptPortParts) {
    this.#parts = parts;
    this.#onWire = parts.clock.register(() => this.#drive());
  }

  /** Vectors that completion queues may have: the pin and a single message have one. */
  get vectors(): number {
    const { msix, msi } = this.#parts;
    if (msix.isEnabled) return msix.vectors;
    return msi.isEnabled ? msi.vectors : 1;
  }

  get usesMsix(): boolean {
    return this.#parts.msix.isEnabled;
  }

  get mask(): number {
    return this.#mask;
  }

  /** The host writes INTMS or INTMC: what is unmasked and has entries interrupts now. */
  setMask(mask: number): void {
    const opened = this.#mask & ~mask;
    this.#mask = mask >>> 0;
    const { msix, msi } = this.#parts;
    if (msix.isEnabled) return;
    if (!msi.isEnabled) return this.update();
    for (let vector = 0; vector < Math.min(MASKABLE, msi.vectors); vector++) {
      if ((opened >>> vector) & 1 && this.#hasEntries(vector)) msi.raise(vector);
    }
  }

  raise(vector: number, isBehindWrite: boolean): void {
    const { msix, msi } = this.#parts;
    if (msix.isEnabled) msix.raise(vector, isBehindWrite);
    else if (!msi.isEnabled) this.update();
    else if (((this.#mask >>> vector) & 1) === 0) msi.raise(vector & (msi.vectors - 1), isBehindWrite);
  }

  /** Entries, masks or the way of interrupting have changed: the wire follows what is so when its message arrives. */
  update(): void {
    const { clock, dma } = this.#parts;
    this.isPinned = true;
    clock.run(dma.followDelay(MESSAGE_BYTES), this.#onWire, 0);
  }

  /** Controller level reset; the queues are gone. */
  reset(): void {
    this.#mask = 0;
    this.isPinned = false;
    this.#parts.pin(false);
  }

  #drive(): void {
    const { msix, msi, pin } = this.#parts;
    const isAsserted = !msix.isEnabled && !msi.isEnabled && (this.#mask & 1) === 0 && this.#hasEntries(0);
    this.isPinned = isAsserted;
    pin(isAsserted);
  }

  /** Whether a queue of this vector has entries that the host has not released. */
  #hasEntries(vector: number): boolean {
    const { cqs } = this.#parts;
    for (let cqid = 0; cqid < cqs.count; cqid++) {
      if (cqs.exists(cqid) && cqs.interrupts(cqid, vector) && cqs.head(cqid) !== cqs.tail(cqid)) return true;
    }
    return false;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#parts.msi.archive(a);
    this.isPinned = a.value(this.isPinned);
    this.#mask = a.value(this.#mask);
  }
}

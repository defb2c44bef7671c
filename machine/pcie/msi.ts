/**
 * MSI as the device has it: the registers of its capability, with 64-bit addresses and a mask and pending bit for each
 * message, and the message writes. PCI Express Base 6.0 §6.1.4, §7.7.1.
 * Not here: MSI-X (msix.ts), what becomes of a message (dma-port.ts, interrupts.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Clock, HandlerId } from '../clock.ts';
import type { ConfigSpace } from './config-space.ts';
import { DMA_OK, type DmaPort } from './dma-port.ts';
import { CAPABILITY, MSI, MSI_CONTROL } from './spec.ts';

const MESSAGE_BYTES = 4;
const DATA_MASK = 0xffff;

export interface MsiParts {
  readonly clock: Clock;
  readonly config: ConfigSpace;
  readonly dma: DmaPort;
}

export class Msi {
  /** Messages that reached no interrupt controller. */
  lost = 0;
  readonly #clock: Clock;
  readonly #config: ConfigSpace;
  readonly #dma: DmaPort;
  /** Offset of the capability; 0 when the function has none. */
  readonly #at: number;
  readonly #arrive: HandlerId;

  constructor({ clock, config, dma }: MsiParts) {
    this.#clock = clock;
    this.#config = config;
    this.#dma = dma;
    this.#at = config.findCapability(CAPABILITY.MSI);
    this.#arrive = clock.register((data) => this.#deliver(data));
    if (this.#at === 0) return;
    config.onWrite(this.#at, () => config.notify('interrupts'));
    config.onWrite(this.#at + MSI.MASK, () => this.#sendPending());
  }

  /** Whether software has chosen MSI. */
  get isEnabled(): boolean {
    return this.#at !== 0 && MSI_CONTROL.ENABLE.get(this.#control) === 1;
  }

  /** Messages that software has given the function, a power of two. */
  get vectors(): number {
    const { CAPABLE, GRANTED } = MSI_CONTROL.decode(this.#control);
    return 1 << Math.min(CAPABLE, GRANTED);
  }

  /** Sends a message, or leaves it pending while it is masked. `isBehindWrite` as in msix.ts. */
  raise(vector: number, isBehindWrite = false): void {
    if (!this.isEnabled) return;
    const bit = 1 << vector;
    if ((this.#config.read(this.#at + MSI.MASK, 4) & bit) !== 0) return this.#setPending(bit, true);
    this.#setPending(bit, false);
    const data = this.#config.half(this.#at + MSI.DATA) & ~(this.vectors - 1);
    const dma = this.#dma;
    const delay = isBehindWrite
      ? dma.followDelay(MESSAGE_BYTES)
      : dma.writeDelay(this.#address, MESSAGE_BYTES);
    this.#clock.run(delay, this.#arrive, (data | vector) & DATA_MASK);
  }

  get #control(): number {
    return this.#config.half(this.#at + MSI.CONTROL);
  }

  get #address(): number {
    return this.#config.read(this.#at + MSI.ADDRESS, 4);
  }

  #deliver(data: number): void {
    const isLow = this.#config.read(this.#at + MSI.ADDRESS_HI, 4) === 0;
    if (!isLow || this.#dma.message(this.#address, data) !== DMA_OK) this.lost++;
  }

  #sendPending(): void {
    const pending = this.#config.read(this.#at + MSI.PENDING, 4);
    for (let vector = 0; vector < 32; vector++) if ((pending >>> vector) & 1) this.raise(vector);
  }

  #setPending(bit: number, isPending: boolean): void {
    const pending = this.#config.read(this.#at + MSI.PENDING, 4);
    this.#config.set(this.#at + MSI.PENDING, 4, isPending ? pending | bit : pending & ~bit);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.lost = a.value(this.lost);
  }
}

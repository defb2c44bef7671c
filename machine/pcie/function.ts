/**
 * What a PCIe function is to the fabric: configuration space, BARs, a DMA port and reset. Devices and bridges extend it.
 * Not here: routing (root-complex.ts), register rules of configuration space (config-space.ts).
 */
import type { ConfigSpace } from './config-space.ts';
import type { DmaPort } from './dma-port.ts';

export abstract class PcieFunction {
  /** Short name for traces and errors, such as `nvme0`. */
  readonly name: string;
  readonly config: ConfigSpace;
  /** Device number << 3 | function number on its bus; fixed by where it is plugged. */
  devfn = 0;
  /** Bus number captured from the last configuration write, as PCIe functions learn it (PCIe Base 2.2.6.2). */
  bus = 0;
  /** How this function reaches memory; null for functions that never do. */
  readonly dma: DmaPort | null;
  /** Whether every bridge above forwards requests. */
  #isPathOpen = true;

  constructor(name: string, config: ConfigSpace, dma: DmaPort | null) {
    this.name = name;
    this.config = config;
    this.dma = dma;
    config.listen((change) => {
      if (change === 'reset') this.reset();
      else if (change === 'busMaster') this.masterChanged();
    });
  }

  /** Bus << 8 | devfn: the requester id of everything this function sends. */
  get bdf(): number {
    return (this.bus << 8) | this.devfn;
  }

  /** Whether requests of this function reach the root complex: its own bus-master bit and that of every bridge above. */
  get isForwarded(): boolean {
    return this.#isPathOpen && this.config.busMaster;
  }

  /** Told by the bridge above whenever it begins or ceases to forward requests. */
  setForwarded(isPathOpen: boolean): void {
    this.#isPathOpen = isPathOpen;
    this.masterChanged();
  }

  /** Keeps the port's flag current, so that a request costs one test however many bridges it crosses. */
  protected masterChanged(): void {
    if (this.dma !== null) this.dma.busMaster = this.isForwarded;
  }

  /** One aligned dword of a BAR. Offsets are inside the BAR; a hole reads 0. */
  abstract barRead32(bar: number, offset: number): number;
  /** One aligned dword write to a BAR. */
  abstract barWrite32(bar: number, offset: number, value: number): void;

  /** A read of 1 or 2 bytes, or of unaligned ones inside a dword. Devices that refuse such accesses override it. */
  barReadPart(bar: number, offset: number, size: 1 | 2): number {
    const word = this.barRead32(bar, offset & ~3) >>> ((offset & 3) * 8);
    return size === 1 ? word & 0xff : word & 0xffff;
  }

  /** A write of 1 or 2 bytes: read, merge, write, unless the device knows byte enables and overrides it. */
  barWritePart(bar: number, offset: number, size: 1 | 2, value: number): void {
    const shift = (offset & 3) * 8;
    const mask = ((size === 1 ? 0xff : 0xffff) << shift) >>> 0;
    const word = this.barRead32(bar, offset & ~3);
    this.barWrite32(bar, offset & ~3, ((word & ~mask) | ((value << shift) & mask)) >>> 0);
  }

  /** Function level reset or conventional reset: everything but what the specification calls sticky goes to its default. */
  reset(): void {
    this.config.reset();
  }
}

/**
 * What a PCIe function is to the fabric: configuration space, BARs, a DMA port, an interrupt pin and reset. Devices and
 * bridges extend it.
 * Not here: routing (root-complex.ts), register rules of configuration space (config-space.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { ConfigSpace } from './config-space.ts';
import type { DmaPort } from './dma-port.ts';
import { CAPABILITY, COMMAND, CONFIG, DEVICE_STATUS, PCIE, STATUS } from './spec.ts';

/** Where INTA to INTD (`pin` 1 to 4) of a function lead: told when one is asserted and deasserted. */
export type InterruptWire = (pin: number, isAsserted: boolean) => void;

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
  /** Leads to the bus above; whoever plugs the function in sets it. */
  wire: InterruptWire = () => {};
  #isWireAsserted = false;
  /** Whether every bridge above forwards requests. */
  #isPathOpen = true;

  constructor(name: string, config: ConfigSpace, dma: DmaPort | null) {
    this.name = name;
    this.config = config;
    this.dma = dma;
    if (dma !== null) dma.onPoison = () => this.#notePoison();
    config.listen((change) => {
      if (change === 'reset') this.reset();
      else if (change === 'busMaster') this.masterChanged();
      else if (change === 'interrupts') this.interruptsChanged();
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

  /** Data of a read came poisoned. Base §6.2.3.2.4.3, §7.5.1.1.4, §7.5.3.5. */
  #notePoison(): void {
    const { config } = this;
    const isReported = COMMAND.PARITY.get(config.half(CONFIG.COMMAND)) === 1;
    const errors = STATUS.encode({ PARITY_ERROR: 1, MASTER_PARITY: isReported ? 1 : 0 });
    config.set(CONFIG.STATUS, 2, config.half(CONFIG.STATUS) | errors);
    const capability = config.findCapability(CAPABILITY.PCIE);
    if (capability === 0) return;
    const at = capability + PCIE.DEVICE_STATUS;
    config.set(at, 2, config.half(at) | DEVICE_STATUS.NON_FATAL.mask);
  }

  /** Keeps the port's flag current, so that a request costs one test however many bridges it crosses. */
  protected masterChanged(): void {
    if (this.dma !== null) this.dma.busMaster = this.isForwarded;
  }

  /**
   * Whether the function wants its pin asserted: the status register says so, and the wire follows unless the command
   * register forbids it. Base §7.5.1.1.3, §7.5.1.1.4.
   */
  setInterrupt(isWanted: boolean): void {
    const { config } = this;
    const status = config.half(CONFIG.STATUS);
    config.set(CONFIG.STATUS, 2, STATUS.INTERRUPT.set(status, isWanted ? 1 : 0));
    const isAllowed = COMMAND.INTX_DISABLE.get(config.half(CONFIG.COMMAND)) === 0;
    const isAsserted = isWanted && isAllowed;
    if (isAsserted === this.#isWireAsserted) return;
    this.#isWireAsserted = isAsserted;
    this.wire(config.read(CONFIG.INTERRUPT_PIN, 1), isAsserted);
  }

  /** Software has changed how the function may interrupt. */
  protected interruptsChanged(): void {
    this.setInterrupt(STATUS.INTERRUPT.get(this.config.half(CONFIG.STATUS)) === 1);
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
    this.setInterrupt(false);
    this.config.reset();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.bus = a.value(this.bus);
    this.#isWireAsserted = a.value(this.#isWireAsserted);
    this.#isPathOpen = a.value(this.#isPathOpen);
    this.config.archive(a);
    this.dma?.archive(a);
  }
}

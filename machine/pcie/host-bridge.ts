/**
 * Several root complexes on one bus 0, as the CPU sees them: what firmware wrote into their root ports says who gets an
 * access. A request of a device never comes here: what is below one root complex cannot reach what is below another, as
 * PCI Express allows (Base 6.0 §1.3.1: routing between root ports is optional).
 * Not here: routing below a root port (root-complex.ts).
 */
import type { Clock } from '../clock.ts';
import type { PciHost } from './pci-host.ts';
import { MMIO_BASE, MMIO_END } from './root-complex.ts';
import { BRIDGE } from './spec.ts';

const PAGE_SHIFT = 12;
/** The beginning of the MMIO window as a signed integer, and its size. A file's constants fold. */
const LOW = MMIO_BASE | 0;
const PAGES = (MMIO_END - MMIO_BASE) / (1 << PAGE_SHIFT);
const NOBODY = 0xff;
const BUSES = 256;
const WINDOW_BITS = 0xfff0;
const WINDOW_BYTES = 1 << 20;

/** One root complex, and what of the machine is its own from the start. */
export interface HostPart {
  readonly host: PciHost;
  /** Its root ports on bus 0, by devfn. */
  readonly ports: readonly number[];
  /** Blocks of registers at fixed physical addresses. */
  readonly blocks: readonly { readonly base: number; readonly bytes: number }[];
}

export class HostBridge implements PciHost {
  readonly clock: Clock;
  private readonly hosts: readonly PciHost[];
  private readonly parts: readonly HostPart[];
  /** Who has a page of the MMIO window, a function of bus 0, a bus. */
  private readonly pages = new Uint8Array(PAGES);
  readonly #ports = new Uint8Array(BUSES).fill(NOBODY);
  readonly #buses = new Uint8Array(BUSES);
  private isStale = true;

  constructor(clock: Clock, parts: readonly HostPart[]) {
    this.clock = clock;
    this.parts = parts;
    this.hosts = parts.map(({ host }) => host);
    for (const [index, { ports }] of parts.entries()) for (const devfn of ports) this.#ports[devfn] = index;
  }

  /** Index of the root complex that a function (bus << 8 | devfn) is below. */
  ownerOf(bdf: number): number {
    if (this.isStale) this.#decode();
    return bdf >>> 8 === 0 ? this.#ports[bdf]! : this.#buses[bdf >>> 8]!;
  }

  configRead(bus: number, devfn: number, offset: number, size: 1 | 2 | 4): number {
    const host = this.hosts[this.ownerOf((bus << 8) | devfn)];
    return host === undefined ? allOnes(size) : host.configRead(bus, devfn, offset, size);
  }

  configWrite(bus: number, devfn: number, offset: number, size: 1 | 2 | 4, value: number): void {
    this.hosts[this.ownerOf((bus << 8) | devfn)]?.configWrite(bus, devfn, offset, size, value);
    const isRouting = offset >= BRIDGE.PRIMARY && offset <= BRIDGE.PREFETCHABLE_LIMIT_HI;
    if (bus === 0 && isRouting) this.isStale = true;
  }

  read32(address: number): number {
    return this.#hostAt(address)?.read32(address) ?? allOnes(4);
  }

  readPart(address: number, size: 1 | 2): number {
    return this.#hostAt(address)?.readPart(address, size) ?? allOnes(size);
  }

  write32(address: number, value: number): void {
    this.#hostAt(address)?.write32(address, value);
  }

  writePart(address: number, size: 1 | 2, value: number): void {
    this.#hostAt(address)?.writePart(address, size, value);
  }

  /** An address below the window has a page number that is too large. */
  #hostAt(address: number): PciHost | undefined {
    if (this.isStale === true) this.#decode();
    return this.hosts[this.pages[((address | 0) - LOW) >>> PAGE_SHIFT]!];
  }

  /** Reads bus numbers and windows of every root port again. */
  #decode(): void {
    this.isStale = false;
    this.#buses.fill(NOBODY);
    this.pages.fill(NOBODY);
    for (const [index, { host, ports, blocks }] of this.parts.entries()) {
      for (const { base, bytes } of blocks) this.#give(index, base, base + bytes - 1);
      for (const devfn of ports) {
        const buses = host.configRead(0, devfn, BRIDGE.PRIMARY, 4);
        const [secondary, subordinate] = [(buses >>> 8) & 0xff, (buses >>> 16) & 0xff];
        if (secondary !== 0) this.#buses.fill(index, secondary, subordinate + 1);
        this.#giveWindow(index, host.configRead(0, devfn, BRIDGE.MEMORY_BASE, 4));
        if (host.configRead(0, devfn, BRIDGE.PREFETCHABLE_BASE_HI, 4) === 0)
          this.#giveWindow(index, host.configRead(0, devfn, BRIDGE.PREFETCHABLE_BASE, 4));
      }
    }
  }

  /** A base and limit register: their upper twelve bits are those of the addresses. */
  #giveWindow(index: number, window: number): void {
    const base = (window & WINDOW_BITS) * 65_536;
    const limit = ((window >>> 16) & WINDOW_BITS) * 65_536 + WINDOW_BYTES - 1;
    if (base >= MMIO_BASE && limit >= base) this.#give(index, base, limit);
  }

  #give(index: number, base: number, last: number): void {
    this.pages.fill(index, (base - MMIO_BASE) >>> PAGE_SHIFT, ((last - MMIO_BASE) >>> PAGE_SHIFT) + 1);
  }
}

const allOnes = (size: 1 | 2 | 4): number => 2 ** (8 * size) - 1;

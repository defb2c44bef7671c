/**
 * A PCI function as the kernel knows it: what configuration cycles told about it, and the accessors drivers use.
 * Not here: how it was found (pci-bus.ts), power and reset (pci-reset.ts), what user space may see (pci/config.ts).
 */
import type { PciHost } from '../machine/pcie/pci-host.ts';
import {
  BAR,
  BAR_TYPE_64,
  bdfText,
  CAPABILITY,
  COMMAND,
  CONFIG,
  CONFIG_BYTES,
  HEADER_TYPE,
  PCI_CONFIG_BYTES,
  STATUS,
} from '../machine/pcie/spec.ts';
import { u64 } from '../support/numbers.ts';

/** What a BAR decodes. `start` is 0 when firmware left it unplaced. */
export interface Resource {
  readonly start: number;
  readonly bytes: number;
  readonly io: boolean;
  readonly prefetchable: boolean;
  readonly is64: boolean;
}

/** Index of the expansion ROM among the resources. */
export const ROM_RESOURCE = 6;
const ALL_ONES = 0xffff_ffff;
const CAPABILITIES_MAX = 48;
const TWO_32 = 0x1_0000_0000;

/** Two's complement of a word: the size that a mask of address bits stands for. */
const negate = (mask: number): number => (~mask + 1) >>> 0;

export class PciDevice {
  readonly rc: PciHost;
  readonly bus: number;
  readonly devfn: number;
  /** The bridge whose secondary bus this function is on; null on a root bus. */
  readonly bridge: PciDevice | null;
  readonly vendor: number;
  readonly device: number;
  /** Base class, subclass and programming interface. */
  readonly class: number;
  readonly isBridge: boolean;
  /** BARs 0 to 5 and the ROM; null where nothing is implemented, also for the upper half of a 64-bit BAR. */
  readonly resources: readonly (Resource | null)[];
  /** Offset of the PCI Express capability, or 0. */
  readonly pcie: number;
  /** Bytes of configuration space: 4096 when extended space answers. */
  readonly configBytes: number;

  constructor(rc: PciHost, bus: number, devfn: number, bridge: PciDevice | null) {
    this.rc = rc;
    this.bus = bus;
    this.devfn = devfn;
    this.bridge = bridge;
    this.vendor = this.read16(CONFIG.VENDOR);
    this.device = this.read16(CONFIG.DEVICE);
    this.class = this.read32(CONFIG.REVISION) >>> 8;
    this.isBridge = HEADER_TYPE.LAYOUT.get(this.read8(CONFIG.HEADER_TYPE)) === 1;
    this.resources = this.#sizeBars();
    this.pcie = this.capability(CAPABILITY.PCIE);
    const extended = this.pcie !== 0 && this.read32(CONFIG.EXTENDED) !== ALL_ONES;
    this.configBytes = extended ? CONFIG_BYTES : PCI_CONFIG_BYTES;
  }

  /** Bus << 8 | devfn: the requester id of its DMA. */
  get bdf(): number {
    return (this.bus << 8) | this.devfn;
  }

  /** Domain, bus, device and function as sysfs writes them. */
  get name(): string {
    return `0000:${bdfText(this.bdf)}`;
  }

  read8(offset: number): number {
    return this.rc.configRead(this.bus, this.devfn, offset, 1);
  }

  read16(offset: number): number {
    return this.rc.configRead(this.bus, this.devfn, offset, 2);
  }

  read32(offset: number): number {
    return this.rc.configRead(this.bus, this.devfn, offset, 4);
  }

  write8(offset: number, value: number): void {
    this.rc.configWrite(this.bus, this.devfn, offset, 1, value);
  }

  write16(offset: number, value: number): void {
    this.rc.configWrite(this.bus, this.devfn, offset, 2, value);
  }

  write32(offset: number, value: number): void {
    this.rc.configWrite(this.bus, this.devfn, offset, 4, value);
  }

  /** Changes the bits of `mask` in the command register. Returns what it held before. */
  updateCommand(mask: number, value: number): number {
    const before = this.read16(CONFIG.COMMAND);
    const after = (before & ~mask) | (value & mask);
    if (after !== before) this.write16(CONFIG.COMMAND, after);
    return before;
  }

  /** Offset of the first capability with this id, or 0. */
  capability(id: number): number {
    if (STATUS.CAPABILITIES.get(this.read16(CONFIG.STATUS)) === 0) return 0;
    let at = this.read8(CONFIG.CAPABILITIES) & ~3;
    for (let seen = 0; at >= 0x40 && seen < CAPABILITIES_MAX; seen++) {
      if (this.read8(at) === id) return at;
      at = this.read8(at + 1) & ~3;
    }
    return 0;
  }

  /** Writes all ones to each BAR and reads back which bits stick, with decoding off meanwhile. Base §7.5.1.2.1. */
  #sizeBars(): (Resource | null)[] {
    const command = this.updateCommand(COMMAND.IO.mask | COMMAND.MEMORY.mask, 0);
    const resources: (Resource | null)[] = [];
    const bars = this.isBridge ? 2 : 6;
    while (resources.length < bars) {
      const resource = this.#sizeBar(CONFIG.BAR0 + resources.length * 4);
      resources.push(resource);
      if (resource?.is64) resources.push(null);
    }
    while (resources.length < ROM_RESOURCE) resources.push(null);
    resources.push(this.isBridge ? null : this.#sizeRom());
    this.write16(CONFIG.COMMAND, command);
    return resources;
  }

  #sizeBar(at: number): Resource | null {
    const low = this.read32(at);
    const stuck = this.#probe(at, low);
    if (stuck === 0) return null;
    const io = BAR.IO.get(low) === 1;
    const flags = io ? 3 : 0xf;
    const is64 = !io && BAR.TYPE.get(low) === BAR_TYPE_64;
    const high = is64 ? this.read32(at + 4) : 0;
    const stuckHigh = is64 ? this.#probe(at + 4, high) : ALL_ONES;
    const base = (io ? stuck | 0xffff_0000 : stuck) & ~flags;
    const bytes = stuckHigh === ALL_ONES ? negate(base) : negate(stuckHigh) * TWO_32;
    return {
      start: u64((low & ~flags) >>> 0, high),
      bytes,
      io,
      prefetchable: !io && BAR.PREFETCHABLE.get(low) === 1,
      is64,
    };
  }

  #sizeRom(): Resource | null {
    const mask = 0xffff_f800;
    const value = this.read32(CONFIG.ROM);
    const stuck = (this.#probe(CONFIG.ROM, value) & mask) >>> 0;
    if (stuck === 0) return null;
    return {
      start: (value & mask) >>> 0,
      bytes: negate(stuck),
      io: false,
      prefetchable: false,
      is64: false,
    };
  }

  #probe(at: number, value: number): number {
    this.write32(at, ALL_ONES);
    const stuck = this.read32(at);
    this.write32(at, value);
    return stuck;
  }
}

/**
 * Firmware: numbers the buses depth first, sizes every memory BAR, places them in the MMIO window below 4 GiB, opens
 * the windows of bridges and turns decoding on. It works through configuration cycles only, as firmware does.
 * Bus mastering is left on for bridges and off for everything else: drivers turn that on. I/O BARs are not placed.
 * PCI Firmware 3.3 §3.5; interrupt lines follow the swizzle of PCI-to-PCI Bridge 1.2 §9.1.
 * Not here: what a kernel makes of it (vfio/), the text of it (bridge/, cli/).
 */
import { alignDown, alignUp, formatSize, hex, PAGE_SIZE } from '../../support/numbers.ts';
import type { PciHost } from './pci-host.ts';
import { MMIO_BASE } from './root-complex.ts';
import {
  BAR,
  BAR_TYPE_64,
  BRIDGE,
  BRIDGE_CONTROL,
  BRIDGE_WINDOW_UNIT,
  bdfText,
  COMMAND,
  CONFIG,
  devfn,
  HEADER_TYPE,
} from './spec.ts';

/** A memory BAR and where firmware put it. */
export interface PlacedBar {
  readonly index: number;
  readonly bytes: number;
  readonly is64: boolean;
  readonly prefetchable: boolean;
  address: number;
}

/** What lies below a bridge. */
export interface BridgeBuses {
  readonly secondary: number;
  subordinate: number;
  /** Addresses forwarded downstream, both ends included; null when nothing below has a BAR. */
  window: { readonly base: number; readonly limit: number } | null;
  children: FoundFunction[];
}

/** One function as firmware left it. */
export interface FoundFunction {
  /** Bus << 8 | device << 3 | function. */
  readonly bdf: number;
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** 24 bits: base class, subclass, programming interface. */
  readonly class: number;
  /** 0 for a function without an interrupt pin. */
  readonly interruptLine: number;
  readonly bars: PlacedBar[];
  /** Null for functions that are no bridge. */
  readonly bridge: BridgeBuses | null;
}

/** The functions of bus 0 in ascending order of devfn; those of other buses below their bridges. */
export type Topology = readonly FoundFunction[];

export interface EnumerateOptions {
  /** Where placing starts; everything moves further down when it does not fit between here and 0xfec0_0000. */
  readonly mmioBase?: number | undefined;
  /** Interrupt lines of the four interrupt wires that devices share. */
  readonly interruptLines?: readonly [number, number, number, number];
}

/** The machine's functions do not fit into its buses or its MMIO window; the message says which and by how much. */
export class EnumerationError extends Error {
  override readonly name = 'EnumerationError';
}

const DEFAULT_MMIO_BASE = 0xfe80_0000;
/** I/O APIC, HPET, IOMMU, local APICs and the reset vector own everything above. */
const MMIO_TOP = 0xfec0_0000;
const DEFAULT_LINES = [10, 10, 11, 11] as const;
const NOBODY = 0xffff;
const LAST_BUS = 0xff;
const TWO_32 = 0x1_0000_0000;

/** Enumerates all buses behind `rc`. Throws EnumerationError when resources run out. May run again at any time. */
export function enumerate(rc: PciHost, options: EnumerateOptions = {}): Topology {
  const firmware = new Firmware(rc, options.interruptLines ?? DEFAULT_LINES);
  const found = firmware.scan(0, 0);
  firmware.place(found, options.mmioBase ?? DEFAULT_MMIO_BASE);
  firmware.enable(found);
  return found;
}

/** Something that needs addresses: a BAR, or a bridge window with all that is below it. */
interface Claim {
  readonly bytes: number;
  readonly align: number;
  readonly assign: (base: number) => void;
}

class Firmware {
  readonly #rc: PciHost;
  readonly #lines: readonly number[];
  #lastBus = 0;

  constructor(rc: PciHost, lines: readonly number[]) {
    this.#rc = rc;
    this.#lines = lines;
  }

  /** Finds the functions of one bus, then those below its bridges. `wires` is how far INTA is swizzled above it. */
  scan(bus: number, wires: number): FoundFunction[] {
    const found: FoundFunction[] = [];
    for (let device = 0; device < 32; device++) {
      const last = this.#isMultifunction(bus, device) ? 7 : 0;
      for (let fn = 0; fn <= last; fn++) {
        const bdf = (bus << 8) | devfn(device, fn);
        if (this.#read(bdf, CONFIG.VENDOR, 2) !== NOBODY) found.push(this.#probe(bdf, wires + device));
      }
    }
    // Every bridge of this bus has forgotten old numbers before the first of them gets new ones.
    return found.map((fn) => (isBridge(fn) ? this.#descend(fn, wires) : fn));
  }

  /** Gives every BAR and bridge window an address. */
  place(found: readonly FoundFunction[], mmioBase: number): void {
    const claims = this.#claims(found);
    const { bytes, align } = extent(claims);
    let base = alignUp(mmioBase, align);
    if (base + bytes > MMIO_TOP) base = alignDown(MMIO_TOP - bytes, align);
    if (base < MMIO_BASE) {
      throw new EnumerationError(
        `the functions need ${formatSize(bytes)} of MMIO aligned to ${formatSize(align)}, which does not fit between ` +
          `${hex(MMIO_BASE)} and ${hex(MMIO_TOP)}; the largest is ${largestBar(found)}`,
      );
    }
    assign(claims, base);
  }

  /** Turns decoding on, and forwarding in bridges, once every address is final. */
  enable(found: readonly FoundFunction[]): void {
    for (const { bdf, bridge } of found) {
      const BUS_MASTER = bridge === null ? 0 : 1;
      this.#write(bdf, CONFIG.COMMAND, 2, COMMAND.encode({ IO: 1, MEMORY: 1, SERR: 1, BUS_MASTER }));
      if (bridge === null) continue;
      this.#write(bdf, BRIDGE.CONTROL, 2, BRIDGE_CONTROL.encode({ SERR: 1 }));
      this.enable(bridge.children);
    }
  }

  #probe(bdf: number, swizzle: number): FoundFunction {
    this.#write(bdf, CONFIG.COMMAND, 2, 0);
    const revisionAndClass = this.#read(bdf, CONFIG.REVISION, 4);
    const layout = HEADER_TYPE.LAYOUT.get(this.#read(bdf, CONFIG.HEADER_TYPE, 1));
    if (layout === 1) this.#write(bdf, BRIDGE.PRIMARY, 4, 0);
    const pin = this.#read(bdf, CONFIG.INTERRUPT_PIN, 1);
    const interruptLine = pin === 0 ? 0 : this.#lines[(pin - 1 + swizzle) & 3]!;
    if (pin !== 0) this.#write(bdf, CONFIG.INTERRUPT_LINE, 1, interruptLine);
    return {
      bdf,
      vendor: this.#read(bdf, CONFIG.VENDOR, 2),
      device: this.#read(bdf, CONFIG.DEVICE, 2),
      revision: revisionAndClass & 0xff,
      class: revisionAndClass >>> 8,
      interruptLine,
      bars: this.#sizeBars(bdf, layout === 1 ? 2 : 6),
      bridge: layout === 1 ? { secondary: 0, subordinate: 0, window: null, children: [] } : null,
    };
  }

  /** Writes all ones to each BAR and reads back which bits stick: the lowest one is the size. */
  #sizeBars(bdf: number, count: number): PlacedBar[] {
    const bars: PlacedBar[] = [];
    for (let index = 0; index < count; index++) {
      const low = this.#probeBar(bdf, index);
      if (low === 0 || BAR.IO.get(low) === 1) continue;
      const is64 = BAR.TYPE.get(low) === BAR_TYPE_64;
      const high = is64 ? this.#probeBar(bdf, index + 1) : 0;
      const sized = (low & ~0xf) >>> 0;
      const bytes = sized !== 0 ? TWO_32 - sized : (TWO_32 - high) * TWO_32;
      bars.push({ index, bytes, is64, prefetchable: BAR.PREFETCHABLE.get(low) === 1, address: 0 });
      if (is64) index++;
    }
    return bars;
  }

  #probeBar(bdf: number, index: number): number {
    const offset = CONFIG.BAR0 + 4 * index;
    this.#write(bdf, offset, 4, 0xffff_ffff);
    const probed = this.#read(bdf, offset, 4);
    this.#write(bdf, offset, 4, 0);
    return probed;
  }

  /** Numbers the bus below a bridge and everything behind it. */
  #descend(found: FoundFunction, wires: number): FoundFunction {
    const { bdf } = found;
    if (this.#lastBus === LAST_BUS)
      throw new EnumerationError(`no bus number is left for bridge ${bdfText(bdf)}`);
    const secondary = ++this.#lastBus;
    this.#write(bdf, BRIDGE.PRIMARY, 1, bdf >>> 8);
    this.#write(bdf, BRIDGE.SECONDARY, 1, secondary);
    this.#write(bdf, BRIDGE.SUBORDINATE, 1, LAST_BUS);
    const children = this.scan(secondary, wires + ((bdf >>> 3) & 0x1f));
    this.#write(bdf, BRIDGE.SUBORDINATE, 1, this.#lastBus);
    return { ...found, bridge: { secondary, subordinate: this.#lastBus, window: null, children } };
  }

  #claims(found: readonly FoundFunction[]): Claim[] {
    const claims: Claim[] = [];
    for (const { bdf, bars, bridge } of found) {
      for (const bar of bars) claims.push(this.#barClaim(bdf, bar));
      if (bridge !== null) claims.push(...this.#windowClaim(bdf, bridge));
    }
    // Large alignments first leave no gaps; equal ones keep the order of their functions.
    return claims.sort((one, other) => other.align - one.align);
  }

  /** Small BARs get a page of their own, so that a page of registers can be mapped without its neighbours. */
  #barClaim(bdf: number, bar: PlacedBar): Claim {
    const bytes = alignUp(bar.bytes, PAGE_SIZE);
    const assignBar = (base: number): void => {
      bar.address = base;
      this.#write(bdf, CONFIG.BAR0 + 4 * bar.index, 4, base);
      if (bar.is64) this.#write(bdf, CONFIG.BAR0 + 4 * bar.index + 4, 4, 0);
    };
    return { bytes, align: bytes, assign: assignBar };
  }

  #windowClaim(bdf: number, bridge: BridgeBuses): Claim[] {
    const below = this.#claims(bridge.children);
    const needed = extent(below);
    this.#closeWindows(bdf);
    if (needed.bytes === 0) return [];
    const bytes = alignUp(needed.bytes, BRIDGE_WINDOW_UNIT);
    const assignWindow = (base: number): void => {
      const limit = base + bytes - 1;
      bridge.window = { base, limit };
      this.#write(bdf, BRIDGE.MEMORY_BASE, 2, base >>> 16);
      this.#write(bdf, BRIDGE.MEMORY_LIMIT, 2, limit >>> 16);
      assign(below, base);
    };
    return [{ bytes, align: Math.max(needed.align, BRIDGE_WINDOW_UNIT), assign: assignWindow }];
  }

  /** A window whose limit is below its base forwards nothing. */
  #closeWindows(bdf: number): void {
    for (const base of [BRIDGE.MEMORY_BASE, BRIDGE.PREFETCHABLE_BASE]) this.#write(bdf, base, 4, 0x0000_fff0);
    this.#write(bdf, BRIDGE.PREFETCHABLE_BASE_HI, 4, 0);
    this.#write(bdf, BRIDGE.PREFETCHABLE_LIMIT_HI, 4, 0);
  }

  #isMultifunction(bus: number, device: number): boolean {
    const bdf = (bus << 8) | devfn(device, 0);
    if (this.#read(bdf, CONFIG.VENDOR, 2) === NOBODY) return false;
    return HEADER_TYPE.MULTIFUNCTION.get(this.#read(bdf, CONFIG.HEADER_TYPE, 1)) === 1;
  }

  #read(bdf: number, offset: number, size: 1 | 2 | 4): number {
    return this.#rc.configRead(bdf >>> 8, bdf & 0xff, offset, size);
  }

  #write(bdf: number, offset: number, size: 1 | 2 | 4, value: number): void {
    this.#rc.configWrite(bdf >>> 8, bdf & 0xff, offset, size, value);
  }
}

const isBridge = (found: FoundFunction): boolean => found.bridge !== null;

/** What claims need together when they are laid out from a base that is aligned for all of them. */
function extent(claims: readonly Claim[]): { readonly bytes: number; readonly align: number } {
  let bytes = 0;
  let align = PAGE_SIZE;
  for (const claim of claims) {
    bytes = alignUp(bytes, claim.align) + claim.bytes;
    align = Math.max(align, claim.align);
  }
  return { bytes, align };
}

function assign(claims: readonly Claim[], base: number): void {
  let at = base;
  for (const claim of claims) {
    at = alignUp(at, claim.align);
    claim.assign(at);
    at += claim.bytes;
  }
}

/** The largest BAR below, named for an error message. */
function largestBar(found: readonly FoundFunction[]): string {
  let largest = { text: '', bytes: 0 };
  const visit = (functions: readonly FoundFunction[]): void => {
    for (const { bdf, bars, bridge } of functions) {
      for (const { index, bytes } of bars) {
        if (bytes > largest.bytes)
          largest = { text: `BAR${index} of ${bdfText(bdf)}, ${formatSize(bytes)}`, bytes };
      }
      if (bridge !== null) visit(bridge.children);
    }
  };
  visit(found);
  return largest.text;
}

/**
 * The root complex: configuration cycles through ECAM, the CPU's loads and stores to device registers, and the far end
 * of every DmaPort. Routing follows what software programmed: bus numbers, bridge windows, BARs and decode bits.
 * Not here: what registers mean (the functions), translation (iommu/ through Translator), RAM itself (memory.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Clock } from '../clock.ts';
import type { Memory } from '../memory.ts';
import { Poison } from '../poison.ts';
import type { HostProfile } from '../timing/host.ts';
import type { Link } from '../timing/link.ts';
import { T, type Trace } from '../trace.ts';
import { Bridge, swizzle } from './bridge.ts';
import { DMA_OK, DMA_UNSUPPORTED, type DmaHost, type DmaResult } from './dma-port.ts';
import type { InterruptWire, PcieFunction } from './function.ts';
import type { PciHost } from './pci-host.ts';
import type { Translator } from './translator.ts';

/** The MMIO window below 4 GiB; every BAR lives inside it. */
export const MMIO_BASE = 0xc000_0000;
export const MMIO_END = 0x1_0000_0000;
// File constants fold where exported ones are loaded at every use.
const BASE = MMIO_BASE;
const END = MMIO_END;
const SIZE = END - BASE;
/** The beginning as a signed integer. */
const LOW = BASE | 0;
const PAGE_SHIFT = 12;
const NOBODY = -1;
const ALL_ONES = 0xffff_ffff;
/** Stores the root complex holds before the CPU has to wait, a power of two. */
const POSTED_STORES = 1024;

/** A block of registers at a fixed physical address that is no PCIe function, such as the IOMMU's. */
export interface RegisterBlock {
  read32(offset: number): number;
  write32(offset: number, value: number): void;
}

/** One decoded range of the MMIO window: a BAR of a function, or a register block. */
interface Range {
  readonly base: number;
  /** The same as an integer (`| 0`, or V8 would keep a double): bytes from the beginning of the window. */
  readonly place: number;
  readonly bytes: number;
  readonly bar: number;
  readonly fn: PcieFunction | null;
  readonly block: RegisterBlock | null;
  /** The link a CPU access crosses; null when it crosses none. */
  readonly link: Link | null;
}

const NO_RANGE: Range = { base: 0, place: 0, bytes: 0, bar: 0, fn: null, block: null, link: null };

export interface RootComplexParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly translator: Translator;
  readonly host: HostProfile;
}

export class RootComplex implements DmaHost, PciHost {
  readonly clock: Clock;
  readonly memory: Memory;
  /** RAM that has lost data. */
  readonly poison = new Poison();
  readonly trace: Trace;
  readonly host: HostProfile;
  readonly ramFrames: number;
  /** Sixteen bytes of local memory for requests that have no buffer of their own. */
  readonly scratch: number;
  /** Asked for every request of a device. A board sets it once. */
  translator: Translator;
  /** Where INTA to INTD end. A board sets it once. */
  onWire: InterruptWire = () => {};
  /** Accesses by the CPU that nothing answered. */
  refused = 0;

  /** Functions on bus 0 by devfn. */
  readonly #root = new Map<number, PcieFunction>();
  readonly #blocks: Range[] = [];
  #ranges: Range[] = [];
  #stale = true;
  /** The page that was looked up last, and its range. */
  #lastPage = NOBODY;
  #lastRange = NO_RANGE;
  /** MMIO page -> index into #ranges. */
  readonly #pages = new Int16Array((MMIO_END - MMIO_BASE) / (1 << PAGE_SHIFT)).fill(NOBODY);
  /** Posted stores on their way: a ring of (range, offset, value), delivered in order by one event each. */
  private readonly store: number;
  readonly #postedRange: Range[] = [];
  readonly #postedOffset = new Int32Array(POSTED_STORES);
  readonly #postedValue = new Uint32Array(POSTED_STORES);
  #postedHead = 0;
  #postedTail = 0;

  constructor(parts: RootComplexParts) {
    this.clock = parts.clock;
    this.memory = parts.memory;
    this.trace = parts.trace;
    this.translator = parts.translator;
    this.host = parts.host;
    this.ramFrames = parts.memory.ramBytes >>> PAGE_SHIFT;
    this.scratch = parts.memory.reserve(64);
    this.store = this.clock.register(() => {
      const at = this.#postedHead++ & (POSTED_STORES - 1);
      this.#deliver(this.#postedRange[at]!, this.#postedOffset[at]!, this.#postedValue[at]!);
    });
  }

  // ---- topology -------------------------------------------------------------------------------------------------

  /** Puts a function on bus 0 at `devfn`. Boards call it once per root port or integrated device. */
  plug(devfn: number, fn: PcieFunction): void {
    fn.devfn = devfn;
    this.#root.set(devfn, fn);
    fn.wire = (pin, isAsserted) => this.onWire(swizzle(pin, devfn), isAsserted);
    fn.config.listen((change) => {
      if (change === 'decode') this.decodeChanged();
    });
    this.decodeChanged();
  }

  /** Makes a register block answer at `base`. */
  mapBlock(base: number, bytes: number, block: RegisterBlock): void {
    this.#blocks.push({ base, place: (base - BASE) | 0, bytes, bar: 0, fn: null, block, link: null });
    this.decodeChanged();
  }

  /** A BAR, a bridge window or a decode bit has changed somewhere. */
  decodeChanged(): void {
    this.#stale = true;
  }

  /** The function that answers configuration cycles for a bus number and devfn, or null. */
  functionAt(bus: number, devfn: number): PcieFunction | null {
    if (bus === 0) return this.#root.get(devfn) ?? null;
    for (const fn of this.#root.values()) {
      const found = fn instanceof Bridge ? fn.functionAt(bus, devfn) : null;
      if (found !== null) return found;
    }
    return null;
  }

  // ---- configuration cycles ---------------------------------------------------------------------------------------

  /** A configuration read of 1, 2 or 4 bytes; all ones when no function answers. */
  configRead(bus: number, devfn: number, offset: number, size: 1 | 2 | 4): number {
    const fn = this.functionAt(bus, devfn);
    if (fn === null) return size === 4 ? ALL_ONES : size === 2 ? 0xffff : 0xff;
    return fn.config.read(offset, size);
  }

  /** A configuration write of 1, 2 or 4 bytes. The function captures its bus number from it. */
  configWrite(bus: number, devfn: number, offset: number, size: 1 | 2 | 4, value: number): void {
    const fn = this.functionAt(bus, devfn);
    if (fn === null) return;
    fn.bus = bus;
    if (fn.dma !== null) fn.dma.requester = fn.bdf;
    if (this.trace.on === true) this.trace.emit(T.CONFIG_WRITE, fn.bdf, offset, value, size);
    fn.config.write(offset, size, value);
  }

  // ---- the CPU's loads and stores -----------------------------------------------------------------------------------

  /** A 32-bit load from a device register: a round trip that pushes every posted store ahead of it. */
  read32(address: number): number {
    return this.#load(address, 4);
  }

  /** A load of 1 or 2 bytes. */
  readPart(address: number, size: 1 | 2): number {
    return this.#load(address, size);
  }

  /** A 32-bit store to a device register: posted, in order. See PciHost for the address. */
  write32(address: number, value: number): void {
    const place = ((address | 0) - LOW) | 0;
    const range = this.#rangeOf(place);
    if (range === null) {
      this.#refuse(address >>> 0, 4, true);
      return;
    }
    const link = range.link;
    if (link === null || link.free === true) {
      this.#deliver(range, place - range.place, value);
      return;
    }
    this.clock.advance(this.host.store_ns);
    while (this.#postedTail - this.#postedHead === POSTED_STORES) this.clock.step();
    const at = this.#postedTail++ & (POSTED_STORES - 1);
    this.#postedRange[at] = range;
    this.#postedOffset[at] = place - range.place;
    this.#postedValue[at] = value;
    this.clock.after(link.store(), this.store, 0);
  }

  /** A store of 1 or 2 bytes. */
  writePart(address: number, size: 1 | 2, value: number): void {
    const range = this.#rangeAt(address);
    if (range === null) {
      this.#refuse(address, size, true);
      return;
    }
    this.#drain();
    if (range.fn !== null) range.fn.barWritePart(range.bar, address - range.base, size, value);
  }

  /** True when a store to `address` would reach a register. */
  answers(address: number): boolean {
    return this.#rangeAt(address) !== null;
  }

  #load(address: number, size: 1 | 2 | 4): number {
    const range = this.#rangeAt(address);
    if (range === null) {
      this.#refuse(address, size, false);
      return size === 4 ? ALL_ONES : size === 2 ? 0xffff : 0xff;
    }
    const { link, fn } = range;
    const offset = address - range.base;
    this.#drain();
    const { rootComplex_ns, load_ns } = this.host;
    if (link !== null && !link.free) this.clock.advance(rootComplex_ns + link.store());
    let value: number;
    if (fn === null) value = range.block!.read32(offset & ~3) >>> ((offset & 3) * 8);
    else if (size === 4) value = fn.barRead32(range.bar, offset);
    else value = fn.barReadPart(range.bar, offset, size);
    if (link !== null && !link.free) this.clock.advance(link.write(0, 4) + rootComplex_ns + load_ns);
    if (this.trace.on === true && fn !== null) this.trace.emit(T.MMIO_READ, fn.bdf, range.bar, offset, value);
    return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
  }

  /** Lets every posted store arrive: a load never passes one. */
  #drain(): void {
    while (this.#postedHead !== this.#postedTail) this.clock.step();
  }

  #deliver(range: Range, offset: number, value: number): void {
    if (range.fn === null) {
      range.block!.write32(offset, value);
      return;
    }
    if (this.trace.on === true) this.trace.emit(T.MMIO_WRITE, range.fn.bdf, range.bar, offset, value);
    range.fn.barWrite32(range.bar, offset, value);
  }

  #refuse(address: number, size: number, isWrite: boolean): void {
    this.refused++;
    if (this.trace.on === true) this.trace.emit(T.MMIO_REFUSED, address, size, isWrite ? 1 : 0);
  }

  #rangeAt(address: number): Range | null {
    return address < BASE || address >= END ? null : this.#rangeOf(address - BASE);
  }

  /** By the distance from the beginning of the window, an integer; a negative one is outside. */
  #rangeOf(place: number): Range | null {
    if (this.#stale === true) this.#decode();
    const range = place >>> PAGE_SHIFT === this.#lastPage ? this.#lastRange : this.#lookUp(place);
    const offset = (place - range.place) | 0;
    return offset >= 0 && offset < range.bytes ? range : null;
  }

  /** The range that claims a page, and remembers it. */
  #lookUp(place: number): Range {
    const index = place < 0 || place >= SIZE ? NOBODY : this.#pages[place >>> PAGE_SHIFT]!;
    if (index === NOBODY) return NO_RANGE;
    this.#lastPage = place >>> PAGE_SHIFT;
    this.#lastRange = this.#ranges[index]!;
    return this.#lastRange;
  }

  /** Rebuilds the page map from what software programmed. The first claimant of a page keeps it. */
  #decode(): void {
    this.#stale = false;
    this.#lastPage = NOBODY;
    this.#ranges = [...this.#blocks];
    for (const fn of this.#root.values()) this.#collect(fn, null, MMIO_BASE, MMIO_END - 1);
    this.#pages.fill(NOBODY);
    for (let index = this.#ranges.length - 1; index >= 0; index--) {
      const { base, bytes } = this.#ranges[index]!;
      const first = (base - MMIO_BASE) >>> PAGE_SHIFT;
      this.#pages.fill(index, first, (base + bytes - 1 - MMIO_BASE) / (1 << PAGE_SHIFT) + 1);
    }
  }

  #collect(fn: PcieFunction, link: Link | null, low: number, high: number): void {
    if (fn.config.memoryDecode) {
      for (const { index, address, bytes } of fn.config.bars) {
        if (address < low || address + bytes - 1 > high) continue;
        const place = (address - BASE) | 0;
        this.#ranges.push({ base: address, place, bytes: bytes | 0, bar: index, fn, block: null, link });
      }
    }
    if (!(fn instanceof Bridge) || !fn.config.memoryDecode) return;
    for (const { base, limit } of [fn.memoryWindow, fn.prefetchableWindow]) {
      for (const child of fn.children.values()) {
        this.#collect(child, fn.link ?? link, Math.max(low, base), Math.min(high, limit));
      }
    }
  }

  // ---- the far end of a DmaPort ---------------------------------------------------------------------------------------

  /** Nanoseconds until a DMA read is back at the device. */
  readDelay(link: Link, requester: number, iova: number, length: number): number {
    const { rootComplex_ns, memory_ns } = this.host;
    const translation = this.#translation(requester, iova, length);
    return link.read(iova, length, rootComplex_ns + translation + memory_ns);
  }

  /** Nanoseconds until a DMA write is visible. */
  writeDelay(link: Link, requester: number, iova: number, length: number): number {
    return link.write(iova, length) + this.host.rootComplex_ns + this.#translation(requester, iova, length);
  }

  /** Translations of one request overlap with its data; the slowest of its pages is what it waits for. */
  #translation(requester: number, iova: number, length: number): number {
    let slowest = 0;
    for (let at = iova; at < iova + length; at += 1 << PAGE_SHIFT) {
      slowest = Math.max(slowest, this.translator.cost_ns(requester, at));
    }
    if (this.trace.on === true) this.trace.emit(T.DMA_LATENCY, requester, iova, length, slowest);
    return slowest;
  }

  /** A request to a physical address that is not RAM: another function's BAR, or nothing. */
  peer(physical: number, local: number, length: number, isWrite: boolean): DmaResult {
    for (let done = 0; done < length; done += 4) {
      const range = this.#rangeAt(physical + done);
      if (range === null || range.fn === null || ((physical + done) & 3) !== 0 || length - done < 4) {
        return DMA_UNSUPPORTED;
      }
      const word = (local + done) >>> 2;
      const offset = physical + done - range.base;
      if (isWrite) range.fn.barWrite32(range.bar, offset, this.memory.u32[word]!);
      else this.memory.u32[word] = range.fn.barRead32(range.bar, offset);
    }
    return DMA_OK;
  }

  // ---- state ------------------------------------------------------------------------------------------------------

  /** Saves or loads what changes while the machine runs, of everything that is plugged in too (support/archive.ts). */
  archive(a: Archive): void {
    this.refused = a.value(this.refused);
    this.poison.archive(a);
    a.same([...this.#root.keys()].join(), 'what is plugged into the root complex');
    for (const fn of this.#root.values()) fn.archive(a);
    this.#decode();
    a.contents(this.#postedOffset, this.#postedValue);
    this.#postedHead = a.value(this.#postedHead);
    this.#postedTail = a.value(this.#postedTail);
    for (let posted = this.#postedHead; posted < this.#postedTail; posted++) {
      const at = posted & (POSTED_STORES - 1);
      const range = a.value(this.#indexOf(this.#postedRange[at]));
      a.require(range >= 0, 'a store is on its way to registers that answer no more');
      this.#postedRange[at] = this.#ranges[range]!;
    }
  }

  /** The range that answers where `range`, perhaps of an earlier decoding, does; -1 when none does any more. */
  #indexOf(range: Range | undefined): number {
    return this.#ranges.findIndex(
      ({ base, bar, fn, block }) =>
        range !== undefined &&
        base === range.base &&
        bar === range.bar &&
        fn === range.fn &&
        block === range.block,
    );
  }
}

/**
 * The 4 KiB configuration space of one function: every bit is read-only, writable, or cleared by writing one, and
 * returns to its reset value unless it is sticky. BARs are sized by their write mask, as in hardware.
 * A register with an effect has a hook; whoever depends on decoding or bus mastering listens for changes.
 * Not here: what capabilities mean (capabilities.ts), bridge registers (bridge.ts), who answers where (root-complex.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { hex, isPowerOfTwo, lowWord, u64 } from '../../support/numbers.ts';
import {
  BAR,
  BAR_TYPE_64,
  COMMAND,
  CONFIG,
  CONFIG_BYTES,
  EXTENDED_HEADER,
  HEADER_TYPE,
  PCI_CONFIG_BYTES,
  STATUS,
  STATUS_ERRORS,
} from './spec.ts';

/** A memory BAR as a board declares it. A 64-bit one takes two registers, `index` and `index + 1`. */
export interface BarDescription {
  readonly index: number;
  /** A power of two, 16 bytes or more. */
  readonly bytes: number;
  readonly is64: boolean;
  readonly prefetchable: boolean;
}

/** A memory BAR and where software has put it. */
export interface Bar extends BarDescription {
  /** Infinity while the registers hold a size probe or an address no machine has: it decodes nothing then. */
  readonly address: number;
}

/** The header of a function, as data. */
export interface HeaderDescription {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** 24 bits: base class, subclass, programming interface. */
  readonly class: number;
  /** Type 0 headers only. */
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  /** 0 (default) is a device, 1 a bridge. */
  readonly headerType?: 0 | 1;
  /** 1 to 4 for INTA to INTD; 0 (default) for none. */
  readonly interruptPin?: number;
  /** COMMAND.PARITY cannot be set. */
  readonly parityHardwired?: boolean;
  /** The device has functions beside function 0. */
  readonly multifunction?: boolean;
  readonly bars?: readonly BarDescription[];
}

/** Rules for the bits of a register; a bit named by none of them is read-only, resets to `value`, and is not sticky. */
export interface RegisterRules {
  readonly value?: number;
  readonly writable?: number;
  /** Bits that a written one clears. */
  readonly clear?: number;
  /** Bits that keep their value over a function reset. */
  readonly sticky?: number;
}

/**
 * `decode`: a BAR, a bridge window or memory decoding has changed. `busMaster`: the right to send requests has changed.
 * `reset`: software has asked for a reset of this function; the owner carries it out. `interrupts`: how the function
 * may interrupt has changed.
 */
export type ConfigChange = 'decode' | 'busMaster' | 'reset' | 'interrupts';
/** Runs after a configuration write to its dword; both arguments are the whole dword. */
export type WriteHook = (now: number, old: number) => void;

const TWO_32 = 0x1_0000_0000;
const HEADER_BYTES = 0x40;
const ADDRESS_END = 2 ** 52; // no machine has addresses from here on
const COMMAND_WORD = CONFIG.COMMAND >>> 2;
const LAST_BAR = [5, 1] as const; // by header type
export class ConfigSpace {
  readonly #words = new Uint32Array(CONFIG_BYTES / 4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #halves = new Uint16Array(this.#words.buffer);
  readonly #resetValues = new Uint32Array(CONFIG_BYTES / 4);
  readonly #writable = new Uint32Array(CONFIG_BYTES / 4);
  readonly #clear = new Uint32Array(CONFIG_BYTES / 4);
  readonly #sticky = new Uint32Array(CONFIG_BYTES / 4);
  /** Bytes that belong to a capability. */
  readonly #claimed = new Uint8Array(CONFIG_BYTES);
  readonly #hooks: (WriteHook | undefined)[] = [];
  readonly #listeners: ((change: ConfigChange) => void)[] = [];
  readonly #bars: readonly BarDescription[];
  #asleep = false;

  constructor(header: HeaderDescription) {
    const { headerType = 0, bars = [] } = header;
    this.#bars = bars;
    this.register(CONFIG.VENDOR, 4, { value: header.vendor | (header.device << 16) });
    const PARITY = header.parityHardwired === true ? 0 : 1;
    const command = COMMAND.encode({ IO: 1, MEMORY: 1, BUS_MASTER: 1, PARITY, SERR: 1, INTX_DISABLE: 1 });
    this.register(CONFIG.COMMAND, 2, { writable: command });
    this.register(CONFIG.STATUS, 2, { clear: STATUS_ERRORS });
    this.register(CONFIG.REVISION, 4, { value: header.revision | (header.class << 8) });
    this.register(CONFIG.CACHE_LINE, 1, { writable: 0xff });
    const layout = HEADER_TYPE.encode({ LAYOUT: headerType, MULTIFUNCTION: header.multifunction ? 1 : 0 });
    this.register(CONFIG.HEADER_TYPE, 1, { value: layout });
    this.register(CONFIG.INTERRUPT_PIN, 1, { value: header.interruptPin ?? 0 });
    if ((header.interruptPin ?? 0) !== 0) this.register(CONFIG.INTERRUPT_LINE, 1, { writable: 0xff });
    if (headerType === 0) {
      const subsystem = (header.subsystemVendor ?? 0) | ((header.subsystem ?? 0) << 16);
      this.register(CONFIG.SUBSYSTEM_VENDOR, 4, { value: subsystem });
    }
    for (const bar of bars) this.#declareBar(bar, LAST_BAR[headerType]);
  }

  // ---- declaration: once, when the function is built -----------------------------------------------------------------

  /** Declares the bits of a register of 1, 2 or 4 bytes. A later declaration of the same bytes replaces the first. */
  register(offset: number, size: 1 | 2 | 4, rules: RegisterRules): void {
    const shift = (offset & 3) * 8;
    const lanes = laneMask(size, shift);
    const declare = (words: Uint32Array, value: number | undefined): void => {
      words[offset >>> 2] = (words[offset >>> 2]! & ~lanes) | (((value ?? 0) << shift) & lanes);
    };
    declare(this.#resetValues, rules.value);
    declare(this.#words, rules.value);
    declare(this.#writable, rules.writable);
    declare(this.#clear, rules.clear);
    declare(this.#sticky, rules.sticky);
  }

  /** Runs `hook` after each configuration write that touches the dword of `offset`; a dword has one hook. */
  onWrite(offset: number, hook: WriteHook): void {
    assert(this.#hooks[offset >>> 2] === undefined, `configuration dword ${hex(offset)} has two hooks`);
    this.#hooks[offset >>> 2] = hook;
  }

  /** Calls `listener` for every change, whether a write or a reset brought it about. */
  listen(listener: (change: ConfigChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Bytes behind the header that no capability has become plain memory, which resets leave alone, as QEMU has them. */
  addScratch(): void {
    for (let offset = HEADER_BYTES; offset < CONFIG_BYTES; offset++) {
      if (this.#claimed[offset] === 0) this.register(offset, 1, { writable: 0xff, sticky: 0xff });
    }
  }

  /** Appends a capability of `bytes` bytes at `offset` to the list that starts at 0x34. */
  addCapability(id: number, offset: number, bytes: number): void {
    assert(offset >= 0x40 && offset + bytes <= PCI_CONFIG_BYTES, `a capability cannot be at ${hex(offset)}`);
    this.#claim(offset, bytes);
    let link: number = CONFIG.CAPABILITIES;
    while (this.#bytes[link] !== 0) link = this.#bytes[link]! + 1;
    this.register(link, 1, { value: offset });
    this.register(offset, 2, { value: id });
    this.register(CONFIG.STATUS, 2, { value: STATUS.CAPABILITIES.mask, clear: STATUS_ERRORS });
  }

  /** Appends an extended capability. The first one is at 0x100. */
  addExtendedCapability(id: number, version: number, offset: number, bytes: number): void {
    let last: number = CONFIG.EXTENDED;
    const isFirst = this.#words[last >>> 2] === 0;
    assert(!isFirst || offset === CONFIG.EXTENDED, 'the first extended capability is at 0x100');
    this.#claim(offset, bytes);
    this.register(offset, 4, { value: EXTENDED_HEADER.encode({ ID: id, VERSION: version }) });
    if (isFirst) return;
    const next = (): number => EXTENDED_HEADER.NEXT.get(this.#words[last >>> 2]!);
    while (next() !== 0) last = next();
    this.register(last, 4, { value: EXTENDED_HEADER.NEXT.set(this.#words[last >>> 2]!, offset) });
  }

  // ---- what software sees ----------------------------------------------------------------------------------------

  /** Reads 1, 2 or 4 bytes inside one dword, unsigned. */
  read(offset: number, size: 1 | 2 | 4): number {
    assertInside(offset, size);
    return ((this.#words[offset >>> 2]! & laneMask(size, (offset & 3) * 8)) >>> ((offset & 3) * 8)) >>> 0;
  }

  /** Writes 1, 2 or 4 bytes inside one dword; the byte enables leave its other bytes alone. */
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    assertInside(offset, size);
    const index = offset >>> 2;
    const shift = (offset & 3) * 8;
    const lanes = laneMask(size, shift);
    const written = (value << shift) & lanes;
    const old = this.#words[index]!;
    const enabled = this.#writable[index]! & lanes;
    this.#words[index] = ((old & ~enabled) | (written & enabled)) & ~(written & this.#clear[index]!);
    const now = this.#words[index]!;
    this.#hooks[index]?.(now, old);
    if (now === old) return;
    if (index === COMMAND_WORD) this.#commandChanged(now ^ old);
    else if (this.#isBarWord(index)) this.notify('decode');
  }

  // ---- the device's side -----------------------------------------------------------------------------------------

  /** Sets bits of a register from inside, past all write rules. */
  set(offset: number, size: 1 | 2 | 4, value: number): void {
    assertInside(offset, size);
    if (size === 4) this.#words[offset >>> 2] = value;
    else if (size === 2) this.#halves[offset >>> 1] = value;
    else this.#bytes[offset] = value;
  }

  /** Two aligned bytes, for paths where a `read` would be too much work. */
  half(offset: number): number {
    return this.#halves[offset >>> 1]!;
  }

  /** Offset of a capability in the list, or 0 when the function has none of this id. */
  findCapability(id: number): number {
    let at = this.#bytes[CONFIG.CAPABILITIES]!;
    while (at !== 0 && this.#bytes[at] !== id) at = this.#bytes[at + 1]!;
    return at;
  }

  /** Implemented memory BARs with the address that software has programmed. */
  get bars(): readonly Bar[] {
    return this.#bars.map((bar) => ({ ...bar, address: this.#address(bar) }));
  }

  /** Whether memory requests to this function are answered (or forwarded, by a bridge). */
  get memoryDecode(): boolean {
    return !this.#asleep && COMMAND.MEMORY.get(this.#words[COMMAND_WORD]!) === 1;
  }

  /** Whether this function may send requests (a bridge: may forward them). */
  get busMaster(): boolean {
    return !this.#asleep && COMMAND.BUS_MASTER.get(this.#words[COMMAND_WORD]!) === 1;
  }

  /** In D3hot a function answers configuration requests only and sends none. PCI PM §5.4.1. */
  sleep(asleep: boolean): void {
    if (asleep === this.#asleep) return;
    this.#asleep = asleep;
    this.notify('decode');
    this.notify('busMaster');
  }

  /** Puts every bit that is not sticky back to its reset value, and wakes the function. */
  reset(): void {
    for (let index = 0; index < this.#words.length; index++) {
      const kept = this.#words[index]! & this.#sticky[index]!;
      this.#words[index] = kept | (this.#resetValues[index]! & ~this.#sticky[index]!);
    }
    this.#asleep = false;
    this.notify('decode');
    this.notify('busMaster');
  }

  /** Tells the listeners. Bridges pass on what happened below them. */
  notify(change: ConfigChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #commandChanged(flipped: number): void {
    if ((flipped & COMMAND.MEMORY.mask) !== 0) this.notify('decode');
    if ((flipped & COMMAND.BUS_MASTER.mask) !== 0) this.notify('busMaster');
    if ((flipped & COMMAND.INTX_DISABLE.mask) !== 0) this.notify('interrupts');
  }

  #declareBar(bar: BarDescription, lastIndex: number): void {
    const { index, bytes, is64 } = bar;
    assert(isPowerOfTwo(bytes) && bytes >= 16, `a BAR of ${bytes} bytes is not a power of two from 16 up`);
    assert(is64 || bytes < TWO_32, `BAR${index} of ${bytes} bytes must be 64-bit`);
    assert(
      index >= 0 && index + (is64 ? 1 : 0) <= lastIndex,
      `there is no room for BAR${index} in this header`,
    );
    const taken = this.#bars.some((other) => other.is64 && other.index + 1 === index);
    assert(!taken, `BAR${index} is the high half of the BAR before it`);
    const offset = CONFIG.BAR0 + 4 * index;
    const kind = { TYPE: is64 ? BAR_TYPE_64 : 0, PREFETCHABLE: bar.prefetchable ? 1 : 0 };
    this.register(offset, 4, { value: BAR.encode(kind), writable: bytes < TWO_32 ? -bytes : 0 });
    if (is64) this.register(offset + 4, 4, { writable: bytes <= TWO_32 ? -1 : -(bytes / TWO_32) });
  }

  #isBarWord(index: number): boolean {
    const register = index - (CONFIG.BAR0 >>> 2);
    return this.#bars.some((bar) => register === bar.index || (bar.is64 && register === bar.index + 1));
  }

  /** A size probe leaves the BAR ending at 4 GiB, where no BAR of a PC can be, or beyond all addresses. */
  #address(bar: BarDescription): number {
    const index = (CONFIG.BAR0 >>> 2) + bar.index;
    const low = lowWord(this.#words[index]! & ~0xf);
    const address = u64(low, bar.is64 ? this.#words[index + 1]! : 0);
    return address + bar.bytes === TWO_32 || address >= ADDRESS_END ? Number.POSITIVE_INFINITY : address;
  }

  #claim(offset: number, bytes: number): void {
    assert((offset & 3) === 0 && offset + bytes <= CONFIG_BYTES, `a capability cannot be at ${hex(offset)}`);
    const isFree = this.#claimed.subarray(offset, offset + bytes).every((byte) => byte === 0);
    assert(isFree, `the capability at ${hex(offset)} overlaps another`);
    this.#claimed.fill(1, offset, offset + bytes);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#words);
    this.#asleep = a.value(this.#asleep);
  }
}

/** The byte enables of an access as a mask over its dword. */
function laneMask(size: 1 | 2 | 4, shift: number): number {
  return size === 4 ? -1 : ((1 << (size * 8)) - 1) << shift;
}

function assertInside(offset: number, size: number): void {
  const inside = offset >= 0 && offset + size <= CONFIG_BYTES && (offset & 3) + size <= 4;
  assert(inside, `configuration access of ${size} bytes at ${hex(offset)} leaves its dword or the space`);
}

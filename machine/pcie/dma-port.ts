/**
 * How a device reaches memory. Each request carries the function's requester id to the root complex, is translated
 * page by page, and moves bytes between the address it names and the device's local memory (an offset in Memory).
 * A request that may not proceed comes back as a code, never as an exception; the bytes before it have moved.
 * The `…Delay` methods tell when a request sent now would be done; the effect is a separate call at that time.
 */

import type { Archive } from '../../support/archive.ts';
import { u64 } from '../../support/numbers.ts';
import type { Memory } from '../memory.ts';
import type { Poison } from '../poison.ts';
import type { Link } from '../timing/link.ts';
import { T, type Trace } from '../trace.ts';
import { BLOCKED, INTERRUPT_WINDOW, type Translator } from './translator.ts';

export const DMA_OK = 0;
/** The function's bus-master bit is off. */
export const DMA_MASTER_OFF = 1;
/** The IOMMU blocked the request; its fault registers say why. */
export const DMA_BLOCKED = 2;
/** Nothing answers at the physical address. */
export const DMA_UNSUPPORTED = 3;
/** The data came back, but marked as lost. */
export const DMA_POISONED = 4;
export type DmaResult = 0 | 1 | 2 | 3 | 4;

/** One sentence per code, for error logs and messages. */
export const DMA_SENTENCES = [
  'success',
  'the function is not a bus master (PCI command bit 2 is off)',
  'the IOMMU blocked the request',
  'no memory or device answers at this address',
  'the data came back poisoned, because memory has lost them',
] as const;

const PAGE = 4096;
const PAGE_SHIFT = 12;
const TWO_32 = 0x1_0000_0000;
// File constants fold where exported and imported ones are loaded at every use.
const OK = DMA_OK;
const MASTER_OFF = DMA_MASTER_OFF;
/** Frames of this file, beside those of a Translator: the function's own memory, and none without bus mastering. */
const OWN_PAGE = -3;
const NO_MASTER = -4;

/** No address. */
const NOWHERE = Number.POSITIVE_INFINITY;

/** What a port needs of the root complex, which is its far end. */
export interface DmaHost {
  readonly trace: Trace;
  readonly memory: Memory;
  readonly poison: Poison;
  readonly translator: Translator;
  /** 4 KiB frames of RAM; they begin at physical address 0. */
  readonly ramFrames: number;
  /** Device-local memory for requests that have no buffer of their own. */
  readonly scratch: number;
  readDelay(link: Link, requester: number, iova: number, length: number): number;
  writeDelay(link: Link, requester: number, iova: number, length: number): number;
  /** A request to a physical address that is not RAM. */
  peer(physical: number, local: number, length: number, isWrite: boolean): DmaResult;
}

export class DmaPort {
  /** Requester id, bus << 8 | devfn; the function sets it when it learns its bus number. */
  requester = 0;
  /** Requests leave the function, none is for memory of its own, and no memory is poisoned: the common case is one test. */
  private isOpen = false;
  #busMaster = false;
  /** The link between the function and the root complex; set when the function is plugged in. */
  link: Link;
  /** Where the last read or write that did not succeed stopped: its own address, or that of a later page. */
  refusedAt = 0;
  /** Told when poisoned data came; the function records it. */
  onPoison: () => void = () => {};
  private readonly rc: DmaHost;
  /** Addresses from `ownStart` to below `ownEnd` are the function's own memory, from offset `ownLocal` on. */
  private ownStart = NOWHERE;
  private ownEnd = NOWHERE;
  private ownLocal = 0;

  constructor(rc: DmaHost, link: Link) {
    this.rc = rc;
    this.link = link;
    rc.poison.listeners.push(() => {
      this.busMaster = this.#busMaster;
    });
  }

  /** Follows PCI command bit 2. */
  get busMaster(): boolean {
    return this.#busMaster;
  }

  set busMaster(isOn: boolean) {
    this.#busMaster = isOn;
    this.isOpen = isOn && this.ownStart === NOWHERE && this.rc.poison.isEmpty;
  }

  /**
   * Makes the function take whole pages of addresses for its own memory: requests to them never leave it. `bytes` 0
   * takes nothing.
   */
  setOwnMemory(start: number, bytes: number, local: number): void {
    this.ownStart = bytes === 0 ? NOWHERE : start;
    this.ownEnd = start + bytes;
    this.ownLocal = local;
    this.busMaster = this.#busMaster;
  }

  /** Reads `length` bytes at `iova` into device-local memory at offset `local`. */
  read(iova: number, local: number, length: number): DmaResult {
    const isInPage = (iova & (PAGE - 1)) + length <= PAGE;
    if (isInPage === false || this.isOpen === false) return this.#carefully(iova, local, length, false);
    return this.readAt(iova | 0, (iova / TWO_32) | 0, local, length);
  }

  /** Writes `length` bytes from device-local memory at offset `local` to `iova`. */
  write(iova: number, local: number, length: number): DmaResult {
    const isInPage = (iova & (PAGE - 1)) + length <= PAGE;
    if (isInPage === false || this.isOpen === false) return this.#carefully(iova, local, length, true);
    return this.writeAt(iova | 0, (iova / TWO_32) | 0, local, length);
  }

  /** `read` from an address in two words, as a packet has it: all of a hit is arithmetic on 32-bit integers. */
  readAt(low: number, high: number, local: number, length: number): DmaResult {
    const rc = this.rc;
    const offset = low & (PAGE - 1);
    if (this.isOpen === false || rc.trace.on === true || offset + length > PAGE)
      return this.#carefully(u64(low, high), local, length, false);
    const frame = rc.translator.frame(this.requester, low, high, false);
    if (frame < 0 || frame >= rc.ramFrames)
      return this.#elsewhere(u64(low, high), frame, local, length, false);
    rc.memory.copy(local, (frame << PAGE_SHIFT) | offset, length);
    return OK;
  }

  /** `write` to an address in two words. */
  writeAt(low: number, high: number, local: number, length: number): DmaResult {
    const rc = this.rc;
    const offset = low & (PAGE - 1);
    if (this.isOpen === false || rc.trace.on === true || offset + length > PAGE)
      return this.#carefully(u64(low, high), local, length, true);
    const frame = rc.translator.frame(this.requester, low, high, true);
    if (frame < 0 || frame >= rc.ramFrames)
      return this.#elsewhere(u64(low, high), frame, local, length, true);
    rc.memory.copy((frame << PAGE_SHIFT) | offset, local, length);
    return OK;
  }

  /**
   * Writes 16 bytes at a 16-byte aligned address, in two words, as four dwords, the last one last. This is how a completion
   * entry is posted. When it `publishes`, a reader that sees the last dword sees all, and all that was written before;
   * of writes that do not, only a reader that has seen a later one that does (docs/threads.md).
   */
  write16(
    low: number,
    high: number,
    word0: number,
    word1: number,
    word2: number,
    word3: number,
    publishes = true,
  ): DmaResult {
    const rc = this.rc;
    const frame = this.#frameAt(low, high, true);
    const isRam = frame >= 0 && frame < rc.ramFrames;
    const at =
      isRam === true
        ? ((frame << PAGE_SHIFT) | (low & (PAGE - 1))) >>> 2
        : this.#wordElsewhere(u64(low, high), frame);
    const { i32 } = rc.memory;
    i32[at] = word0;
    i32[at + 1] = word1;
    i32[at + 2] = word2;
    if (publishes === true) rc.memory.publish(at + 3, word3);
    else i32[at + 3] = word3;
    const result =
      isRam === true || frame === OWN_PAGE
        ? OK
        : this.#elsewhere(u64(low, high), frame, rc.scratch, 16, true);
    if (rc.trace.on === true) rc.trace.emit(T.DMA_WRITE, this.requester, u64(low, high), 16, result);
    return result;
  }

  /** Where `write16` puts its dwords first when they are not for RAM. */
  #wordElsewhere(iova: number, frame: number): number {
    return (frame === OWN_PAGE ? this.ownLocal + iova - this.ownStart : this.rc.scratch) >>> 2;
  }

  /**
   * `read` of one aligned dword by an atomic load, and `write` of one by an atomic store: in the one order that all atomic
   * accesses have, a load never passes a store before it (docs/threads.md).
   */
  loadDword(iova: number, local: number): DmaResult {
    const rc = this.rc;
    if (this.isOpen === false || rc.trace.on === true) return this.read(iova, local, 4);
    const frame = this.#frame(iova, false);
    if (frame < 0 || frame >= rc.ramFrames) return this.#elsewhere(iova, frame, local, 4, false);
    const { i32 } = rc.memory;
    i32[local >>> 2] = Atomics.load(i32, ((frame << PAGE_SHIFT) | (iova & (PAGE - 1))) >>> 2);
    return OK;
  }

  /** See `loadDword`. */
  storeDword(iova: number, local: number): DmaResult {
    const rc = this.rc;
    if (this.isOpen === false || rc.trace.on === true) return this.write(iova, local, 4);
    const frame = this.#frame(iova, true);
    if (frame < 0 || frame >= rc.ramFrames) return this.#elsewhere(iova, frame, local, 4, true);
    const { i32 } = rc.memory;
    Atomics.store(i32, ((frame << PAGE_SHIFT) | (iova & (PAGE - 1))) >>> 2, i32[local >>> 2]!);
    return OK;
  }

  /** A 4-byte posted write to an MSI address (the table's words). Goes through interrupt remapping. */
  message(address: number, data: number): DmaResult {
    if (this.busMaster === false) return MASTER_OFF;
    const rc = this.rc;
    if (rc.trace.on === true) rc.trace.emit(T.MSI, this.requester, address, data);
    return rc.translator.interrupt(this.requester, address, data) ? OK : DMA_BLOCKED;
  }

  /** Nanoseconds until a read of `length` bytes sent now has come back. */
  readDelay(iova: number, length: number): number {
    return this.link.free === true || this.#isOwn(iova)
      ? 0
      : this.rc.readDelay(this.link, this.requester, iova, length);
  }

  /** Nanoseconds until a posted write of `length` bytes sent now is visible in memory. */
  writeDelay(iova: number, length: number): number {
    return this.link.free === true || this.#isOwn(iova)
      ? 0
      : this.rc.writeDelay(this.link, this.requester, iova, length);
  }

  /** Like `writeDelay` for a write sent right behind one that becomes visible now: only its own wire time. */
  followDelay(length: number): number {
    return this.link.free === true ? 0 : this.link.follow(length);
  }

  /** Every page is translated once; pages whose frames follow one another in RAM move in one copy. */
  #pages(iova: number, local: number, length: number, isWrite: boolean): DmaResult {
    const { memory, ramFrames } = this.rc;
    let frame = this.#frame(iova, isWrite);
    for (let from = 0; from < length; ) {
      const first = frame;
      const offset = (iova + from) & (PAGE - 1);
      let end = from + PAGE - offset;
      if (first < 0 || first >= ramFrames) {
        if (end > length) end = length;
        const result = this.#elsewhere(iova + from, first, local + from, end - from, isWrite);
        if (result !== OK) return result;
        if (end < length) frame = this.#frame(iova + end, isWrite);
      } else {
        let next = first + 1;
        while (end < length) {
          const known = this.#known(iova + end, length - end, isWrite, next);
          next += known;
          end += known << PAGE_SHIFT;
          if (end >= length) break;
          frame = this.#frame(iova + end, isWrite);
          if (frame !== next || frame >= ramFrames) break;
          next++;
          end += PAGE;
        }
        if (end > length) end = length;
        const physical = (first << PAGE_SHIFT) | offset;
        if (this.isOpen === false) {
          const fit = this.#unpoisoned(physical, end - from, isWrite);
          if (fit < end - from) return this.#poisoned(iova + from + fit);
        }
        if (isWrite) memory.copy(physical, local + from, end - from);
        else memory.copy(local + from, physical, end - from);
      }
      from = end;
    }
    return OK;
  }

  /** How many of `bytes` bytes of RAM can be moved: those before the first poisoned one. Writing heals. */
  #unpoisoned(physical: number, bytes: number, isWrite: boolean): number {
    const { poison } = this.rc;
    if (poison.isEmpty) return bytes;
    if (!isWrite) return poison.before(physical, bytes);
    poison.heal(physical, bytes);
    return bytes;
  }

  #poisoned(iova: number): DmaResult {
    this.refusedAt = iova;
    this.onPoison();
    return DMA_POISONED;
  }

  #isOwn(iova: number): boolean {
    return iova >= this.ownStart && iova < this.ownEnd;
  }

  /** How many pages of a request of `length` more bytes go on in RAM at `frame`, as far as that is known. */
  #known(iova: number, length: number, isWrite: boolean, frame: number): number {
    if (this.isOpen === false) return 0;
    const { translator, ramFrames } = this.rc;
    const pages = (length + PAGE - 1) >>> PAGE_SHIFT;
    const room = ramFrames - frame;
    const limit = pages < room ? pages : room;
    return translator.known(this.requester, iova | 0, (iova / TWO_32) | 0, isWrite, frame, limit);
  }

  /** The frame of one page: as the translator says, OWN_PAGE or NO_MASTER. */
  #frame(iova: number, isWrite: boolean): number {
    return this.#frameAt(iova | 0, (iova / TWO_32) | 0, isWrite);
  }

  #frameAt(low: number, high: number, isWrite: boolean): number {
    if (this.isOpen === false) {
      if (this.#isOwn(u64(low, high))) return OWN_PAGE;
      if (this.busMaster === false) return NO_MASTER;
    }
    return this.rc.translator.frame(this.requester, low, high, isWrite);
  }

  #own(iova: number, local: number, length: number, isWrite: boolean): DmaResult {
    const { memory } = this.rc;
    const own = this.ownLocal + iova - this.ownStart;
    if (isWrite) memory.copy(own, local, length);
    else memory.copy(local, own, length);
    return OK;
  }

  /** A request of several pages, of a function with memory of its own or without bus mastering, or that is traced. */
  #carefully(iova: number, local: number, length: number, isWrite: boolean): DmaResult {
    const { trace } = this.rc;
    const result = this.#pages(iova, local, length, isWrite);
    if (trace.on === true && !this.#isOwn(iova))
      trace.emit(isWrite ? T.DMA_WRITE : T.DMA_READ, this.requester, iova, length, result);
    return result;
  }

  /** At most a page that is not RAM: the own memory, blocked, an interrupt, another function's BAR (peer to peer). */
  #elsewhere(iova: number, frame: number, local: number, length: number, isWrite: boolean): DmaResult {
    const rc = this.rc;
    if (frame === OWN_PAGE) return this.#own(iova, local, length, isWrite);
    this.refusedAt = iova;
    if (frame === NO_MASTER) return MASTER_OFF;
    if (frame === BLOCKED) return DMA_BLOCKED;
    if (frame === INTERRUPT_WINDOW) {
      if (!isWrite || length !== 4 || (iova & 3) !== 0) return DMA_UNSUPPORTED;
      return this.message(iova, rc.memory.u32[local >>> 2]!);
    }
    return rc.peer(frame * PAGE + (iova & (PAGE - 1)), local, length, isWrite);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.requester = a.value(this.requester);
    this.#busMaster = a.value(this.#busMaster);
    this.isOpen = a.value(this.isOpen);
    this.refusedAt = a.value(this.refusedAt);
    this.ownStart = a.value(this.ownStart);
    this.ownEnd = a.value(this.ownEnd);
    this.ownLocal = a.value(this.ownLocal);
  }
}

/**
 * PRP walks: from PRP1 and PRP2 of a command to the pieces of host memory its data occupy (Base 2.1 §4.3.1).
 * The list pages are read through the DmaPort into controller SRAM. Errors are statuses, with the entry at fault.
 * Not here: SGLs, moving the data (engine.ts).
 */

import type { Memory } from '../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { highWord, lowWord, u64 } from '../support/numbers.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import { SEGMENT, SLOT, type Slots, WORD_MASK } from './slots.ts';
import { SQE } from './spec/commands.ts';
import { OTHER_RETRY, STATUS } from './spec/status.ts';

const LARGEST_PAGE = 65_536;
const ENTRY = 8;
// File constants fold; imported bindings do not (slots.ts).
const { SEGMENTS } = SLOT;
const { BYTES: PIECE_BYTES, WORDS: PIECE_WORDS } = SEGMENT;
const { SUCCESS } = STATUS;
const PRP1 = SQE.PRP1 >>> 2;
const WORDS = WORD_MASK;

export class PrpWalker {
  /** Why the last walk failed, as one sentence naming entry and address. Empty after a success. */
  reason = '';
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  private readonly slots: Slots;
  /** The quirk `anyAlignment`: data and lists may begin at any byte. */
  private readonly isAnywhere: boolean;
  /** The status of a list out of reach. */
  private readonly unreadable: number;
  /** SRAM for the list page that is being walked. */
  private readonly list: number;
  /** Page size of the host, 2^(12 + CC.MPS). */
  #page = 4096;

  constructor(memory: Memory, dma: DmaPort, slots: Slots, profile: Pick<ControllerProfile, 'quirks'>) {
    this.memory = memory;
    this.dma = dma;
    this.slots = slots;
    this.isAnywhere = hasQuirk(profile, 'anyAlignment');
    const retry = hasQuirk(profile, 'losesData') ? OTHER_RETRY : 0;
    this.unreadable = STATUS.DATA_TRANSFER_ERROR | retry;
    this.list = memory.reserve(LARGEST_PAGE, 64);
    assert(this.list >= 0, 'device memory holds one PRP list page');
  }

  get page_bytes(): number {
    return this.#page;
  }

  set page_bytes(bytes: number) {
    this.#page = bytes;
  }

  /** Nanoseconds until the lists that `bytes` of data need have been read; 0 when PRP1 and PRP2 say it all. */
  delay(slot: number, bytes: number): number {
    const { u32 } = this.slots;
    const word = this.slots.entry(slot) + PRP1;
    const inFirst = this.#page - (u32[word]! & (this.#page - 1));
    if (bytes <= inFirst + this.#page) return 0;
    const entries = Math.ceil((bytes - inFirst) / this.#page);
    return this.dma.readDelay(u64(u32[word + 2]!, u32[word + 3]!), entries * ENTRY);
  }

  /** Fills the slot's segments for `bytes` of data. Returns a status; on failure `reason` says which entry. */
  walk(slot: number, bytes: number): number {
    const { i32, u32, f64 } = this.slots;
    const page = this.#page;
    const at = this.slots.at(slot);
    const word = this.slots.entry(slot) + PRP1;
    const segment = this.slots.segmentsAt(slot);
    const low = i32[word]!;
    const inFirst = page - (low & (page - 1));
    if ((low & 3) !== 0 && !this.isAnywhere)
      return this.#refuse('PRP1', u32[word]!, u32[word + 1]!, 'is not dword aligned');
    f64[segment >>> 1] = u64(low, i32[word + 1]!);
    if (bytes <= inFirst) {
      i32[segment + PIECE_BYTES] = bytes;
      i32[at + SEGMENTS] = 1;
      return SUCCESS;
    }
    i32[segment + PIECE_BYTES] = inFirst;
    const low2 = u32[word + 2]!;
    const high2 = u32[word + 3]!;
    const rest = bytes - inFirst;
    if (rest > page) return this.#walkList(slot, low2, high2, rest);
    if ((low2 & (page - 1)) !== 0) {
      return this.#refuse('PRP2', low2, high2, 'is the second page and must have offset 0');
    }
    f64[(segment + PIECE_WORDS) >>> 1] = u64(low2, high2);
    i32[segment + PIECE_WORDS + PIECE_BYTES] = rest;
    i32[at + SEGMENTS] = 2;
    return SUCCESS;
  }

  /** Which entry of a walked command points to `address`, for people. */
  entryAt(slot: number, address: number): string {
    const { slots } = this;
    const page = this.#page;
    const pages = (index: number, bytes: number): number =>
      Math.ceil(((slots.segmentAddress(slot, index) & (page - 1)) + bytes) / page);
    let entries = 0;
    let found = 0;
    for (let index = 0; index < slots.segments(slot); index++) {
      const inside = address - slots.segmentAddress(slot, index);
      const bytes = slots.segmentBytes(slot, index);
      if (inside >= 0 && inside < bytes) found = entries + pages(index, inside + 1) - 1;
      entries += pages(index, bytes);
    }
    if (found === 0) return 'PRP1';
    return entries === 2 ? 'PRP2' : `PRP list entry ${found - 1}`;
  }

  /**
   * The list at PRP2, which may start anywhere in its page and goes on in further pages. Pages that follow one another
   * become one segment.
   */
  #walkList(slot: number, listLow: number, listHigh: number, bytes: number): number {
    const { i32, f64 } = this.memory;
    const page = this.#page;
    if ((listLow & 7) !== 0 && !this.isAnywhere)
      return this.#refuse('PRP2', listLow, listHigh, 'is a list and must be qword aligned');
    let list = u64(listLow, listHigh);
    let left = bytes;
    const first = this.slots.segmentsAt(slot);
    let segment = first;
    let piece = i32[first + PIECE_BYTES]!;
    // The address behind the segment, in two words: pages end at pages, so that only a low word of 0 carries.
    const prp1 = this.slots.entry(slot) + PRP1;
    let nextLow = ((i32[prp1]! & -page) + page) | 0;
    let nextHigh = (i32[prp1 + 1]! + (nextLow === 0 ? 1 : 0)) | 0;
    let before = 0;
    while (left > 0) {
      const room = Math.floor((page - (list & (page - 1))) / ENTRY);
      if (room === 0)
        return this.#refuse('PRP2', listLow, listHigh, 'leaves no room for an entry in its page');
      const needed = Math.ceil(left / page);
      const entries = Math.min(room, needed);
      const result = this.dma.read(list, this.list, entries * ENTRY);
      if (result !== DMA_OK) {
        return this.#unreadable(list, result);
      }
      const start = (this.list >>> 2) & WORDS;
      let word = start;
      const end = word + 2 * (needed > room ? entries - 1 : entries);
      while (word < end) {
        // Pages that go on where the last one ended need no other look.
        const from = word;
        while (word < end && i32[word] === nextLow && i32[word + 1] === nextHigh) {
          word += 2;
          nextLow = (nextLow + page) | 0;
          if (nextLow === 0) nextHigh = (nextHigh + 1) | 0;
        }
        const run = ((word - from) >>> 1) * page;
        const joined = left < run ? left : run;
        piece += joined;
        left -= joined;
        if (word >= end) break;
        const low = i32[word]!;
        const high = i32[word + 1]!;
        if ((low & (page - 1)) !== 0)
          return this.#refuseEntry(before + ((word - start) >>> 1), low >>> 0, high >>> 0);
        i32[segment + PIECE_BYTES] = piece;
        segment += PIECE_WORDS;
        f64[segment >>> 1] = u64(low, high);
        piece = left < page ? left : page;
        left -= piece;
        nextLow = (low + page) | 0;
        nextHigh = nextLow === 0 ? (high + 1) | 0 : high;
        word += 2;
      }
      before += (word - start) >>> 1;
      if (needed > room) {
        const low = i32[word]!;
        if ((low & (page - 1)) !== 0) return this.#refuseEntry(before, low >>> 0, i32[word + 1]! >>> 0);
        list = u64(low, i32[word + 1]!);
      }
    }
    i32[segment + PIECE_BYTES] = piece;
    i32[this.slots.at(slot) + SEGMENTS] = (segment - first) / PIECE_WORDS + 1;
    return SUCCESS;
  }

  #unreadable(list: number, result: DmaResult): number {
    const address = hex64(lowWord(list), highWord(list));
    this.reason = `the PRP list at ${address} cannot be read: ${DMA_SENTENCES[result]}`;
    return this.unreadable;
  }

  #refuseEntry(index: number, low: number, high: number): number {
    return this.#refuse(`PRP list entry ${index}`, low, high, 'must have offset 0');
  }

  #refuse(which: string, low: number, high: number, why: string): number {
    this.reason = `${which} = ${hex64(low, high)} ${why} (Base 2.1 §4.3.1)`;
    return STATUS.PRP_OFFSET_INVALID;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#page = a.value(this.#page);
  }
}

const hex64 = (low: number, high: number): string =>
  high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;

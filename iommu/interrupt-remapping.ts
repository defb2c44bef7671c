/**
 * Interrupt remapping: a device's message names an entry of a table in memory, and the entry says which CPU and vector
 * it may raise (VT-d 4.1 §5.1). Entries are cached until software invalidates them.
 * Not here: posted interrupts (CAP.PI is clear, so their format is reserved), extended (x2APIC) destinations.
 */

import { type MessageTarget, MSI_BASE } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { Archive } from '../support/archive.ts';
import { u64 } from '../support/numbers.ts';
import { FAULT, NO_FAULT } from './spec/faults.ts';
import { IRTA } from './spec/registers.ts';
import {
  INTERRUPT_ADDRESS,
  INTERRUPT_DATA,
  INTERRUPT_ENTRY_BYTES,
  IRTE,
  IRTE_DESTINATION,
  IRTE_SOURCE,
  SOURCE_CHECK,
} from './spec/structures.ts';

const ENTRIES_MAX = 0x1_0000;
const ENTRY_WORDS = INTERRUPT_ENTRY_BYTES >>> 2;
/** Requester bits compared, by SQ code. */
const SOURCE_MASKS = [0xffff, 0xfffb, 0xfff9, 0xfff8] as const;

/** Told of every blocked message that is to be recorded. */
export type InterruptFault = (requester: number, index: number, reason: number) => void;

export class InterruptRemapping {
  /** GSTS.IRES: off, every message passes as it is. */
  enabled = false;
  /** GSTS.CFIS: compatibility-format messages pass while remapping is enabled. */
  compatibilityAllowed = false;
  readonly #memory: Memory;
  readonly #interrupts: MessageTarget;
  readonly #onFault: InterruptFault;
  #table = 0;
  #size = 0;
  /** The interrupt entry cache: four words by index, and which indexes hold some. */
  readonly #entries = new Uint32Array(ENTRIES_MAX * ENTRY_WORDS);
  readonly #cached = new Uint8Array(ENTRIES_MAX);

  constructor(memory: Memory, interrupts: MessageTarget, onFault: InterruptFault) {
    this.#memory = memory;
    this.#interrupts = interrupts;
    this.#onFault = onFault;
  }

  /** Latches the table that IRTA names (GCMD.SIRTP). */
  setTable(low: number, high: number): void {
    this.#table = u64(low & IRTA.BASE.mask, high);
    this.#size = 2 ** (IRTA.S.get(low) + 1);
  }

  dropAll(): void {
    this.#cached.fill(0);
  }

  /** Drops 2^mask entries around `index`, whose low bits are ignored. */
  drop(index: number, mask: number): void {
    const count = 2 ** mask;
    const first = Math.floor(index / count) * count;
    this.#cached.fill(0, first, first + count);
  }

  /** Delivers the message of a device, as it is or remapped. Returns false when it was blocked. */
  request(requester: number, address: number, data: number): boolean {
    if (!this.enabled) return this.#deliver(address, data);
    if (INTERRUPT_ADDRESS.FORMAT.get(address) === 0) {
      if (this.compatibilityAllowed) return this.#deliver(address, data);
      return this.#block(requester, 0, FAULT.INTERRUPT_COMPATIBILITY_BLOCKED);
    }
    const hasSubhandle = INTERRUPT_ADDRESS.SHV.get(address) === 1;
    const handle = INTERRUPT_ADDRESS.HANDLE.get(address) | (INTERRUPT_ADDRESS.HANDLE_HIGH.get(address) << 15);
    const index = handle + (hasSubhandle ? INTERRUPT_DATA.SUBHANDLE.get(data) : 0);
    if (hasSubhandle && INTERRUPT_DATA.RESERVED.get(data) !== 0) {
      return this.#block(requester, index, FAULT.INTERRUPT_REQUEST_RESERVED);
    }
    if (index >= this.#size) return this.#block(requester, index, FAULT.INTERRUPT_INDEX_TOO_LARGE);
    const reason = this.#load(requester, index);
    if (reason !== NO_FAULT) return this.#block(requester, index, reason);
    return this.#raise(this.#entries[index * ENTRY_WORDS]!, this.#entries[index * ENTRY_WORDS + 1]!);
  }

  /** Makes sure the entry is cached and that `requester` may use it. Returns a fault reason, or NO_FAULT. */
  #load(requester: number, index: number): number {
    const entries = this.#entries;
    const at = index * ENTRY_WORDS;
    if (this.#cached[index] === 0) {
      const from = this.#table + index * INTERRUPT_ENTRY_BYTES;
      if (from >= this.#memory.ramBytes) return FAULT.INTERRUPT_TABLE_INVALID;
      for (let word = 0; word < ENTRY_WORDS; word++)
        entries[at + word] = this.#memory.u32[(from >>> 2) + word]!;
      if (IRTE.P.get(entries[at]!) === 0) return FAULT.INTERRUPT_ENTRY_NOT_PRESENT;
      const reserved =
        (entries[at]! & (IRTE.RESERVED.mask | IRTE.IM.mask | IRTE.RESERVED_HIGH.mask)) |
        (entries[at + 1]! & (IRTE_DESTINATION.RESERVED.mask | IRTE_DESTINATION.RESERVED_HIGH.mask)) |
        (entries[at + 2]! & IRTE_SOURCE.RESERVED.mask) |
        entries[at + 3]!;
      if (reserved !== 0) return FAULT.INTERRUPT_ENTRY_RESERVED;
      this.#cached[index] = 1;
    }
    return mayUse(requester, entries[at + 2]!) ? NO_FAULT : FAULT.INTERRUPT_SOURCE_REJECTED;
  }

  #raise(word0: number, word1: number): boolean {
    const destination = IRTE_DESTINATION.DST.get(word1);
    const address = MSI_BASE + (destination << 12) + (IRTE.RH.get(word0) << 3) + (IRTE.DM.get(word0) << 2);
    const data = IRTE.V.get(word0) | (IRTE.DLM.get(word0) << 8) | (1 << 14) | (IRTE.TM.get(word0) << 15);
    return this.#deliver(address, data);
  }

  #deliver(address: number, data: number): boolean {
    this.#interrupts.deliver(address, data);
    return true;
  }

  /** Blocks; the entry's FPD silences reasons found once the entry was read. */
  #block(requester: number, index: number, reason: number): boolean {
    const isEntryFault =
      reason === FAULT.INTERRUPT_ENTRY_NOT_PRESENT ||
      reason === FAULT.INTERRUPT_ENTRY_RESERVED ||
      reason === FAULT.INTERRUPT_SOURCE_REJECTED;
    const isSilent = isEntryFault && IRTE.FPD.get(this.#entries[index * ENTRY_WORDS]!) === 1;
    if (!isSilent) this.#onFault(requester, index, reason);
    return false;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.enabled = a.value(this.enabled);
    this.compatibilityAllowed = a.value(this.compatibilityAllowed);
    this.#table = a.value(this.#table);
    this.#size = a.value(this.#size);
    a.contents(this.#entries, this.#cached);
  }
}

/** Source validation (§9.10, SVT and SQ) against word 2 of an entry. */
function mayUse(requester: number, source: number): boolean {
  const id = IRTE_SOURCE.SID.get(source);
  const check = IRTE_SOURCE.SVT.get(source);
  if (check === SOURCE_CHECK.NONE) return true;
  if (check === SOURCE_CHECK.REQUESTER) {
    const mask = SOURCE_MASKS[IRTE_SOURCE.SQ.get(source)]!;
    return (requester & mask) === (id & mask);
  }
  if (check !== SOURCE_CHECK.BUS_RANGE) return false;
  const bus = requester >>> 8;
  return bus >= Math.min(id >>> 8, id & 0xff) && bus <= Math.max(id >>> 8, id & 0xff);
}

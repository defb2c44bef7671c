/**
 * Primary fault logging: the fault status register, the fault recording registers and the fault event
 * (VT-d 4.1 §7.2.1, §11.4.7). Faults that find no free record are lost and set PFO, as on hardware.
 * Not here: which requests fault (walk.ts), what Linux prints about it (fault-handler.ts).
 */
import type { Archive } from '../support/archive.ts';
import { highWord, lowWord } from '../support/numbers.ts';
import type { EventMessage } from './event-message.ts';
import { FAULT_RECORD_BYTES, FRCD_REASON, FRCD_SOURCE, FSTS, REG } from './spec/registers.ts';

const STATUS = REG.FSTS >>> 2;
const WORDS = FAULT_RECORD_BYTES >>> 2;
const PAGE_ADDRESS_MASK = 0xffff_f000;
/** Status bits software clears by writing 1 when there is no device TLB. */
const CLEARABLE = FSTS.PFO.mask | FSTS.IQE.mask;
/** Conditions for which software has already been told. */
const SIGNALLED = FSTS.PPF.mask | FSTS.PFO.mask | FSTS.IQE.mask | FSTS.ICE.mask | FSTS.ITE.mask;

export class FaultLog {
  readonly #registers: Uint32Array;
  readonly #event: EventMessage;
  /** Index of word 0 of the first record. */
  readonly #first: number;
  readonly #count: number;
  #next = 0;

  /** `offset` is that of the first of `count` fault recording registers in the unit's register file. */
  constructor(registers: Uint32Array, event: EventMessage, offset: number, count: number) {
    this.#registers = registers;
    this.#event = event;
    this.#first = offset >>> 2;
    this.#count = count;
  }

  /** Records a blocked DMA request. */
  recordRequest(requester: number, iova: number, reason: number, isWrite: boolean): void {
    const t1 = Number(!isWrite);
    this.#record(requester, lowWord(iova) & PAGE_ADDRESS_MASK, highWord(iova), reason, t1);
  }

  /** Records a blocked interrupt request; the index goes to bits 63:48 of the fault address. */
  recordInterrupt(requester: number, index: number, reason: number): void {
    this.#record(requester, 0, index << 16, reason, 0);
  }

  /** Sets FSTS.IQE; the queue has stopped. */
  recordQueueError(): void {
    const old = this.#registers[STATUS]!;
    this.#registers[STATUS] = old | FSTS.IQE.mask;
    this.#signal(old);
  }

  /** A write to FSTS: clears the bits written as 1. Returns true when IQE went from 1 to 0. */
  clearStatus(value: number): boolean {
    const old = this.#registers[STATUS]!;
    this.#registers[STATUS] = old & ~(value & CLEARABLE);
    this.#settle();
    return (old & value & FSTS.IQE.mask) !== 0;
  }

  /** A write to a word of the fault recording registers, at `offset` bytes from the first: only F can be cleared. */
  writeRecord(offset: number, value: number): void {
    const word = offset >>> 2;
    if ((word & (WORDS - 1)) !== WORDS - 1 || FRCD_REASON.F.get(value) === 0) return;
    const at = this.#first + word;
    this.#registers[at] = FRCD_REASON.F.set(this.#registers[at]!, 0);
    for (let index = 0; index < this.#count; index++) if (this.#isFull(index)) return;
    this.#registers[STATUS] = FSTS.PPF.set(this.#registers[STATUS]!, 0);
    this.#settle();
  }

  #record(requester: number, addressLow: number, addressHigh: number, reason: number, t1: number): void {
    const registers = this.#registers;
    const old = registers[STATUS]!;
    if (FSTS.PFO.get(old) === 1 || this.#holds(requester)) return;
    const index = this.#next;
    if (this.#isFull(index)) {
      registers[STATUS] = old | FSTS.PFO.mask;
      return;
    }
    const at = this.#first + index * WORDS;
    registers[at] = addressLow;
    registers[at + 1] = addressHigh;
    registers[at + 2] = FRCD_SOURCE.SID.set(0, requester);
    registers[at + 3] = FRCD_REASON.encode({ FR: reason, T1: t1, F: 1 });
    this.#next = index + 1 === this.#count ? 0 : index + 1;
    if (FSTS.PPF.get(old) === 1) return;
    registers[STATUS] = FSTS.FRI.set(old | FSTS.PPF.mask, index);
    this.#signal(old);
  }

  /** True when a record of the same requester waits for software: more of them tell nothing new. */
  #holds(requester: number): boolean {
    for (let index = 0; index < this.#count; index++) {
      const source = this.#registers[this.#first + index * WORDS + 2]!;
      if (this.#isFull(index) && FRCD_SOURCE.SID.get(source) === requester) return true;
    }
    return false;
  }

  #isFull(index: number): boolean {
    return FRCD_REASON.F.get(this.#registers[this.#first + index * WORDS + 3]!) === 1;
  }

  #signal(old: number): void {
    if ((old & SIGNALLED) === 0) this.#event.raise();
  }

  #settle(): void {
    if ((this.#registers[STATUS]! & SIGNALLED) === 0) this.#event.settle();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#next = a.value(this.#next);
  }
}

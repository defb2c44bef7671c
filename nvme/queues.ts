/**
 * Submission and completion queues as the controller keeps them: one record each in controller SRAM (device-local
 * memory) with base, size, head, tail, phase, and who uses whom. Queue 0 is the admin pair.
 * Not here: fetching and posting (engine.ts), creation rules (admin-queues.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { assert } from '../support/assert.ts';
import { highWord, lowWord, u64 } from '../support/numbers.ts';
import { WORD_MASK } from './slots.ts';

export const NO_QUEUE = -1;

/** A record, in 32-bit words, as far as both kinds agree. BASE is the I/O virtual address of entry 0, in two words. */
export const QUEUE = { WORDS: 16, EXISTS: 0, SIZE: 1, HEAD: 2, TAIL: 3, BASE: 4, BASE_HIGH: 5 } as const;

/** Of submission queues: FETCH is the next entry not yet asked for. */
export const SQ = { FETCH: 6, CQID: 7 } as const;

/** Of completion queues: the phase tag to write next, who uses it, and the list of slots that wait for room. */
export const CQ = {
  PHASE: 6,
  INTERRUPTS: 7,
  VECTOR: 8,
  USERS: 9,
  WAITING_FIRST: 10,
  WAITING_LAST: 11,
} as const;

const { WORDS, EXISTS, SIZE, HEAD, TAIL, BASE, BASE_HIGH } = QUEUE;
const RECORD_SHIFT = 4;
// File constants fold; imported bindings do not (slots.ts).
const MASK = WORD_MASK;
assert(WORDS === 1 << RECORD_SHIFT, 'a record has 16 words');

/** The high word of an address whose low word was `base` before something was added, and is `low` now. */
export const carried = (base: number, low: number, high: number): number =>
  low >>> 0 < base >>> 0 ? (high + 1) | 0 : high;

class QueueRecords {
  readonly count: number;
  readonly i32: Int32Array;
  private readonly records: number;

  constructor(memory: Memory, count: number) {
    const records = memory.reserve(count * WORDS * 4);
    assert(records >= 0, 'device memory holds the queue records');
    this.count = count;
    this.i32 = memory.i32;
    this.records = records >>> 2;
  }

  /** Word index of a queue's record. */
  at(qid: number): number {
    return (this.records + (qid << RECORD_SHIFT)) & MASK;
  }

  exists(qid: number): boolean {
    return qid < this.count && this.i32[this.at(qid) + EXISTS] === 1;
  }

  /** Whether any queue besides the admin one exists. */
  hasIo(): boolean {
    for (let qid = 1; qid < this.count; qid++) if (this.exists(qid)) return true;
    return false;
  }

  /** I/O virtual address of entry 0. */
  base(qid: number): number {
    const at = this.at(qid);
    return u64(this.i32[at + BASE]!, this.i32[at + BASE_HIGH]!);
  }

  size(qid: number): number {
    return this.i32[this.at(qid) + SIZE]!;
  }

  head(qid: number): number {
    return this.i32[this.at(qid) + HEAD]!;
  }

  tail(qid: number): number {
    return this.i32[this.at(qid) + TAIL]!;
  }

  remove(qid: number): void {
    this.i32.fill(0, this.at(qid), this.at(qid) + WORDS);
  }

  removeAll(): void {
    for (let qid = 0; qid < this.count; qid++) this.remove(qid);
  }

  protected begin(qid: number, base: number, size: number): number {
    const at = this.at(qid);
    this.remove(qid);
    this.i32[at + EXISTS] = 1;
    this.i32[at + SIZE] = size;
    this.i32[at + BASE] = lowWord(base);
    this.i32[at + BASE_HIGH] = highWord(base);
    return at;
  }
}

export class SubmissionQueues extends QueueRecords {
  create(qid: number, base: number, size: number, cqid: number): void {
    this.i32[this.begin(qid, base, size) + SQ.CQID] = cqid;
  }

  cqid(qid: number): number {
    return this.i32[this.at(qid) + SQ.CQID]!;
  }

  /** The host rang: entries up to `tail` are there. False, and nothing changes, when they are more than fit. */
  advance(qid: number, tail: number): boolean {
    const { i32 } = this;
    const at = this.at(qid);
    const size = i32[at + SIZE]!;
    const old = i32[at + TAIL]!;
    const head = i32[at + HEAD]!;
    const waiting = old < head ? old + size - head : old - head;
    const added = tail < old ? tail + size - old : tail - old;
    if (tail >= size || waiting + added >= size) return false;
    i32[at + TAIL] = tail;
    return true;
  }
}

export class CompletionQueues extends QueueRecords {
  create(qid: number, base: number, size: number, interrupts: boolean, vector: number): void {
    const at = this.begin(qid, base, size);
    this.i32[at + CQ.PHASE] = 1;
    this.i32[at + CQ.INTERRUPTS] = interrupts ? 1 : 0;
    this.i32[at + CQ.VECTOR] = vector;
    this.i32[at + CQ.WAITING_FIRST] = NO_QUEUE;
    this.i32[at + CQ.WAITING_LAST] = NO_QUEUE;
  }

  /** Whether the queue interrupts by this vector. */
  interrupts(qid: number, vector: number): boolean {
    const at = this.at(qid);
    return this.i32[at + CQ.INTERRUPTS] === 1 && this.i32[at + CQ.VECTOR] === vector;
  }

  /** Submission queues that complete here. */
  users(qid: number): number {
    return this.i32[this.at(qid) + CQ.USERS]!;
  }

  addUsers(qid: number, change: 1 | -1): void {
    this.i32[this.at(qid) + CQ.USERS]! += change;
  }

  isFull(qid: number): boolean {
    const at = this.at(qid);
    const next = this.i32[at + TAIL]! + 1;
    return (next === this.i32[at + SIZE]! ? 0 : next) === this.i32[at + HEAD]!;
  }

  /** The host has taken the entries up to `head`. False, and nothing changes, when that is more than were posted. */
  release(qid: number, head: number): boolean {
    const { i32 } = this;
    const at = this.at(qid);
    const size = i32[at + SIZE]!;
    const old = i32[at + HEAD]!;
    const tail = i32[at + TAIL]!;
    if (head >= size) return false;
    const released = head < old ? head + size - old : head - old;
    const posted = tail < old ? tail + size - old : tail - old;
    if (released > posted) return false;
    i32[at + HEAD] = head;
    return true;
  }
}

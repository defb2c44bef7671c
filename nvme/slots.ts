/**
 * The commands inside the controller: a slot each in controller SRAM (device-local memory), with the 64-byte submission
 * entry, a record and segments; taken when the entry is fetched and given back when its completion is posted. The I/O
 * path reads and writes them by word offset, through one typed array; everything else uses the methods.
 * Not here: what happens to a command (engine.ts), what it means (nvm.ts, admin.ts).
 */
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { SQE } from './spec/commands.ts';

/** Which way a command's data go, seen from the host. */
export const DATA_NONE = 0;
export const DATA_TO_CONTROLLER = 1;
export const DATA_TO_HOST = 2;

export const NO_SLOT = -1;
const NO_EVENT = -1;

/**
 * A record, in 32-bit words. OFFSET and EVENT are doubles.
 * Hot files take what they need into constants of their own (`const { CID } = SLOT`): the engine folds those, while an
 * imported binding is loaded and checked at every use.
 */
export const SLOT = {
  WORDS: 16,
  /** Media byte offset of an I/O command. */
  OFFSET: 0,
  /** The event that will move the command on. */
  EVENT: 2,
  SQID: 4,
  CQID: 5,
  CID: 6,
  STATUS: 7,
  /** CQE dwords 0 and 1. */
  RESULT: 8,
  RESULT1: 9,
  /** The data phase: DATA_*, its bytes, and how many segments of host memory they take. */
  DIRECTION: 10,
  BYTES: 11,
  SEGMENTS: 12,
  /** NSID of an I/O command that was checked. */
  NAMESPACE: 13,
  /** Next slot that waits for room in the same completion queue. */
  NEXT: 14,
} as const;

/** A segment of host memory, in 32-bit words: its address as a double, then its bytes. */
export const SEGMENT = { WORDS: 4, ADDRESS: 0, BYTES: 2 } as const;

const { WORDS, SQID, CQID, CID, RESULT, RESULT1, DIRECTION, BYTES, SEGMENTS, EVENT } = SLOT;
/** A submission entry has 16 words, and so has a record. */
const ENTRY_SHIFT = 4;
const RECORD_SHIFT = 4;
assert(WORDS === 1 << RECORD_SHIFT && SQE.SIZE === 4 << ENTRY_SHIFT, 'entries and records have 16 words');
/**
 * Changes no word index of a memory below 4 GiB, and tells the compiler that adding a few words to one cannot overflow:
 * without it every access has a test for that.
 */
export const WORD_MASK = 0x3fff_ffff;
const MASK = WORD_MASK;

export class Slots {
  readonly count: number;
  /** Pieces of host memory a command may have; more is a transfer above MDTS. */
  readonly maxSegments: number;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  /** Word index of slot 0's submission entry, record and first segment. */
  private readonly entries: number;
  private readonly records: number;
  private readonly segmentWords: number;
  private readonly segmentStride: number;
  private readonly busy: Uint8Array;
  #free: number;
  #cursor = 0;
  private readonly clock: Clock;
  /** Slots with I/O commands, since when there are any, and for how long there were before. */
  #io = 0;
  private since_ns = 0;
  private before_ns = 0;

  constructor(memory: Memory, clock: Clock, count: number, maxSegments: number) {
    this.clock = clock;
    const entries = memory.reserve(count * SQE.SIZE);
    const records = memory.reserve(count * WORDS * 4);
    const segments = memory.reserve(count * maxSegments * SEGMENT.WORDS * 4);
    assert(entries >= 0 && records >= 0 && segments >= 0, 'device memory holds the command slots');
    this.count = count;
    this.maxSegments = maxSegments;
    this.i32 = memory.i32;
    this.u32 = memory.u32;
    this.f64 = memory.f64;
    this.entries = entries >>> 2;
    this.records = records >>> 2;
    this.segmentWords = segments >>> 2;
    this.segmentStride = maxSegments * SEGMENT.WORDS;
    this.busy = new Uint8Array(count);
    this.#free = count;
    for (let slot = 0; slot < count; slot++) this.f64[(this.at(slot) + EVENT) >>> 1] = NO_EVENT;
  }

  /** Word index of a slot's submission entry; those of consecutive slots follow one another. */
  entry(slot: number): number {
    return (this.entries + (slot << ENTRY_SHIFT)) & MASK;
  }

  /** Word index of a slot's record. */
  at(slot: number): number {
    return (this.records + (slot << RECORD_SHIFT)) & MASK;
  }

  /** Word index of a slot's first segment; the others follow. */
  segmentsAt(slot: number): number {
    return (this.segmentWords + slot * this.segmentStride) & MASK;
  }

  get free(): number {
    return this.#free;
  }

  /** The next free slot, where there is one; `freeRun` says how many follow it. Slots that were just used come first. */
  nextFree(): number {
    const { busy, count } = this;
    if (this.#free === count) this.#cursor = 0;
    while (busy[this.#cursor] === 1) this.#cursor = this.#cursor + 1 === count ? 0 : this.#cursor + 1;
    return this.#cursor;
  }

  /** How many free slots there are in a row from `first`, up to `wanted`. */
  freeRun(first: number, wanted: number): number {
    const { busy, count } = this;
    if (this.#free === count) return Math.min(wanted, count - first);
    let run = 1;
    while (run < wanted && first + run < count && busy[first + run] === 0) run++;
    return run;
  }

  /** Takes `count` free slots from `first` on, whose entries, of submission queue `sqid`, have arrived. */
  take(first: number, count: number, sqid: number, cqid: number): void {
    const { i32, busy } = this;
    const end = first + count;
    for (let slot = first; slot < end; slot++) {
      const at = this.at(slot);
      i32[at + SQID] = sqid;
      i32[at + CQID] = cqid;
      i32[at + CID] = i32[this.entry(slot)]! >>> 16;
      i32[at + RESULT] = 0;
      i32[at + RESULT1] = 0;
      i32[at + DIRECTION] = 0;
      busy[slot] = 1;
    }
    this.#free -= count;
    this.#cursor = end === this.count ? 0 : end;
    if (sqid === 0) return;
    if (this.#io === 0) this.since_ns = this.clock.now;
    this.#io += count;
  }

  give(slot: number): void {
    this.busy[slot] = 0;
    this.#free++;
    if (this.sqid(slot) !== 0 && --this.#io === 0) this.before_ns += this.clock.now - this.since_ns;
  }

  /** Nanoseconds in which there were I/O commands. */
  get busy_ns(): number {
    return this.before_ns + (this.#io === 0 ? 0 : this.clock.now - this.since_ns);
  }

  /** The busy slot of a command, or NO_SLOT. */
  find(sqid: number, cid: number): number {
    for (let slot = 0; slot < this.count; slot++) {
      if (this.isBusy(slot) && this.sqid(slot) === sqid && this.cid(slot) === cid) return slot;
    }
    return NO_SLOT;
  }

  isBusy(slot: number): boolean {
    return this.busy[slot] === 1;
  }

  sqid(slot: number): number {
    return this.i32[this.at(slot) + SQID]!;
  }

  cid(slot: number): number {
    return this.i32[this.at(slot) + CID]!;
  }

  /** The dword at byte `offset` of a slot's submission entry, unsigned: `dword(slot, SQE.CDW10)`. */
  dword(slot: number, offset: number): number {
    return this.u32[this.entry(slot) + (offset >>> 2)]!;
  }

  /** Says which data phase the command has. */
  setData(slot: number, direction: number, bytes: number): void {
    this.i32[this.at(slot) + DIRECTION] = direction;
    this.i32[this.at(slot) + BYTES] = bytes;
  }

  bytes(slot: number): number {
    return this.i32[this.at(slot) + BYTES]!;
  }

  /** Sets dword 0 of the completion. */
  setResult(slot: number, dword0: number): void {
    this.i32[this.at(slot) + RESULT] = dword0;
  }

  segments(slot: number): number {
    return this.i32[this.at(slot) + SEGMENTS]!;
  }

  segmentAddress(slot: number, index: number): number {
    return this.f64[(this.segmentsAt(slot) + index * SEGMENT.WORDS) >>> 1]!;
  }

  segmentBytes(slot: number, index: number): number {
    return this.i32[this.segmentsAt(slot) + index * SEGMENT.WORDS + SEGMENT.BYTES]!;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.busy);
    this.#free = a.value(this.#free);
    this.#cursor = a.value(this.#cursor);
    this.#io = a.value(this.#io);
    this.since_ns = a.value(this.since_ns);
    this.before_ns = a.value(this.before_ns);
  }
}

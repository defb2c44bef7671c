/**
 * The commands inside the controller: one record each in controller SRAM (device-local memory), taken when an entry is
 * fetched and given back when its completion is posted. The I/O path reads and writes records by word offset, through
 * one typed array; everything else uses the methods.
 * Not here: what happens to a command (engine.ts), what it means (nvm.ts, admin.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { assert } from '../support/assert.ts';
import { SQE } from './spec/commands.ts';

/** Which way a command's data go, seen from the host. */
export const DATA_NONE = 0;
export const DATA_TO_CONTROLLER = 1;
export const DATA_TO_HOST = 2;

export const NO_SLOT = -1;
const NO_EVENT = -1;

/**
 * A record, in 32-bit words; the submission entry is its first 16. OFFSET and EVENT are doubles.
 * Hot files take what they need into constants of their own (`const { CID } = SLOT`): the engine folds those, while an
 * imported binding is loaded and checked at every use.
 */
export const SLOT = {
  WORDS: 32,
  SQID: 16,
  CQID: 17,
  CID: 18,
  STATUS: 19,
  /** CQE dwords 0 and 1. */
  RESULT: 20,
  RESULT1: 21,
  /** The data phase: DATA_*, its bytes, and how many segments of host memory they take. */
  DIRECTION: 22,
  BYTES: 23,
  SEGMENTS: 24,
  /** NSID of an I/O command that was checked. */
  NAMESPACE: 25,
  /** Next slot that waits for room in the same completion queue. */
  NEXT: 26,
  BUSY: 27,
  /** Media byte offset of an I/O command. */
  OFFSET: 28,
  /** The event that will move the command on. */
  EVENT: 30,
} as const;

/** A segment of host memory, in 32-bit words: its address as a double, then its bytes. */
export const SEGMENT = { WORDS: 4, ADDRESS: 0, BYTES: 2 } as const;

const { WORDS, SQID, CQID, CID, RESULT, RESULT1, DIRECTION, BYTES, SEGMENTS, BUSY, EVENT } = SLOT;

export class Slots {
  readonly count: number;
  /** Pieces of host memory a command may have; more is a transfer above MDTS. */
  readonly maxSegments: number;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  /** Word index of the first record and of the first segment. */
  private readonly records: number;
  private readonly segmentWords: number;
  private readonly segmentStride: number;
  private readonly freeList: Int32Array;
  private freeTop: number;

  constructor(memory: Memory, count: number, maxSegments: number) {
    const records = memory.reserve(count * WORDS * 4);
    const segments = memory.reserve(count * maxSegments * SEGMENT.WORDS * 4);
    assert(records >= 0 && segments >= 0, 'device memory holds the command slots');
    this.count = count;
    this.maxSegments = maxSegments;
    this.i32 = memory.i32;
    this.u32 = memory.u32;
    this.f64 = memory.f64;
    this.records = records >>> 2;
    this.segmentWords = segments >>> 2;
    this.segmentStride = maxSegments * SEGMENT.WORDS;
    this.freeList = Int32Array.from({ length: count }, (_, index) => count - 1 - index);
    this.freeTop = count;
    for (let slot = 0; slot < count; slot++) this.f64[(this.at(slot) + EVENT) >>> 1] = NO_EVENT;
  }

  /** Word index of a slot's record. */
  at(slot: number): number {
    return this.records + slot * WORDS;
  }

  /** Word index of a slot's first segment; the others follow. */
  segmentsAt(slot: number): number {
    return this.segmentWords + slot * this.segmentStride;
  }

  get free(): number {
    return this.freeTop;
  }

  /**
   * A slot for a submission entry of `sqid` that stands in device-local memory at double index `entry`; there must be
   * a free slot. Entries are copied as doubles: eight moves, no call.
   */
  take(sqid: number, cqid: number, entry: number): number {
    const slot = this.freeList[--this.freeTop]!;
    const at = this.records + slot * WORDS;
    const { i32, f64 } = this;
    const to = at >>> 1;
    f64[to] = f64[entry]!;
    f64[to + 1] = f64[entry + 1]!;
    f64[to + 2] = f64[entry + 2]!;
    f64[to + 3] = f64[entry + 3]!;
    f64[to + 4] = f64[entry + 4]!;
    f64[to + 5] = f64[entry + 5]!;
    f64[to + 6] = f64[entry + 6]!;
    f64[to + 7] = f64[entry + 7]!;
    i32[at + CID] = i32[entry << 1]! >>> 16;
    i32[at + SQID] = sqid;
    i32[at + CQID] = cqid;
    i32[at + RESULT] = 0;
    i32[at + RESULT1] = 0;
    i32[at + DIRECTION] = 0;
    i32[at + BUSY] = 1;
    return slot;
  }

  give(slot: number): void {
    this.i32[this.records + slot * WORDS + BUSY] = 0;
    this.freeList[this.freeTop++] = slot;
  }

  /** The busy slot of a command, or NO_SLOT. */
  find(sqid: number, cid: number): number {
    for (let slot = 0; slot < this.count; slot++) {
      if (this.isBusy(slot) && this.sqid(slot) === sqid && this.cid(slot) === cid) return slot;
    }
    return NO_SLOT;
  }

  isBusy(slot: number): boolean {
    return this.i32[this.at(slot) + BUSY] === 1;
  }

  sqid(slot: number): number {
    return this.i32[this.at(slot) + SQID]!;
  }

  cid(slot: number): number {
    return this.i32[this.at(slot) + CID]!;
  }

  /** The dword at byte `offset` of a slot's submission entry, unsigned: `dword(slot, SQE.CDW10)`. */
  dword(slot: number, offset: number): number {
    return this.u32[this.at(slot) + (offset >>> 2)]!;
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
}

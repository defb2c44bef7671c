/**
 * A submission queue and its completion queue: post, ring, reap. NVMe Base 2.1 §3.3.1, §4.1, §4.2. The hot
 * path of the driver: typed arrays over the mapped queue memory, preallocated slots, nothing allocated per
 * command. A command has a slot from post to completion; as many slots as the queue is deep, so the queue
 * cannot overrun.
 * Not here: creating queues (driver.ts), where they are in memory (queue-memory.ts), promises and waiting
 * (request-queue.ts), the meaning of data (block-device.ts).
 */

import { CDW0, CID_NONE, CQE, SQE } from '../../nvme/spec/commands.ts';
import { cqHeadDoorbell, DOORBELL_BASE, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { formatSize, u64 } from '../../support/numbers.ts';
import type { Mapping } from '../../vfio/uapi/kernel.ts';
import type { DmaRange } from '../vfio/dma.ts';
import { blocksOf, type Command, WORD } from './commands.ts';
import { buildPrps } from './prp.ts';
import { MAX_SLACK, queueViews } from './queue-memory.ts';
import { type FailedCommand, NvmeError } from './status.ts';

/** What `post` returns when every slot is taken. */
export const QUEUE_FULL = -1;
/** A command identifier is 16 bits, and four of them count how often a slot was used. */
export const MAX_DEPTH = 4095;

// Literals, because a constant of another module or of an object costs a load each time; the spec has the
// last word.
const SQE_WORDS = 16;
const CQE_WORDS = 4;
const NO_CID = 0xffff;
const TWO_32 = 0x1_0000_0000;
const LARGEST_INT = 0x7fff_ffff;
const SQE_SHIFT = 4;
const CQE_SHIFT = 2;
const SLOT_SHIFT = 4;
/** Changes no word index, and tells the compiler that adding a few words to one cannot overflow. */
const MASK = 0xf_ffff;
/** The phase tag in the last dword of a completion. */
const PHASE = 0x1_0000;
assert(
  SQE.SIZE === 4 * SQE_WORDS && CQE.SIZE === 4 * CQE_WORDS && CID_NONE === NO_CID,
  'queue entries as specified',
);
assert(WORD.NSID === 1 && WORD.PRP1 === 6 && WORD.CDW10 === 10, 'post writes these dwords by number');

// Everything about a slot is one record in one array, because each array that a loop touches costs it
// registers.
const SLOT_WORDS = 16;
/** Identifier of the command in the slot; of a free slot, the complement of its next one. */
const CID = 0;
/** What was posted, for errors: opcode and count of blocks, namespace, first block (two words). */
const WHAT = 1;
const NSID = 2;
const SLBA = 4;
/** PRP1 and PRP2 as `prepare` left them (two words each). */
const POINTERS = 6;
/** What came back: dword 0, dword 1, and dword 3, which is identifier and status field. */
const RESULT = 10;
const ENDING = 12;
const what = (opcode: number, blocks: number): number => opcode | (blocks << 8);

/**
 * Called by `reap` for each completion; it may post and ring, not reap. `status` is `(SCT << 8) | SC`, 0 for
 * success.
 */
export type OnComplete = (slot: number, status: number) => void;
/** Called for a completion that no outstanding command of the queue explains. */
export type OnStale = (cid: number, status: number, sqid: number) => void;

/** Where indexes go: the registers, or memory that the controller looks at (shadow-doorbells.ts). */
export type Doorbells = Pick<Mapping, 'write32'>;

export interface QueuePairOptions {
  readonly qid: number;
  /** Most commands outstanding at once, 1 to MAX_DEPTH. The submission queue has one entry more. */
  readonly depth: number;
  /** Entries that the completion queue has more, 1 to MAX_SLACK: as many completions are given back at a time. */
  readonly slack: number;
  /** Longest transfer of one command. */
  readonly maxTransfer_bytes: number;
  /** `queueBytes(depth, maxTransfer_bytes)` (queue-memory.ts) of zeroed memory, from a page boundary on. */
  readonly memory: DmaRange;
  /** Written at offsets from DOORBELL_BASE on. */
  readonly doorbells: Doorbells;
  /** CAP.DSTRD. */
  readonly dstrd: number;
  /** `Kernel.ordersLoads`. */
  readonly ordersLoads: boolean;
}

export class QueuePair {
  declare readonly qid: number;
  readonly depth: number;
  readonly maxTransfer_bytes: number;
  /** Where the queues are for the controller. */
  readonly sqIova: number;
  readonly cqIova: number;
  /** Set once, before the first command. The slot is free again when it is called, so it may post. */
  onComplete: OnComplete = () => {};
  onStale: OnStale = () => {};
  /** Whether completions are checked to be for this pair's submission queue, which costs about 1.5 ns each. */
  checksSqid = false;
  /** Completions that matched no outstanding command. */
  staleCount = 0;

  // V8 treats a field that is assigned once as a constant, which a #field without an initializer never is.
  /** Entries of the submission queue and of the completion queue. */
  declare readonly entries: number;
  declare readonly cqEntries: number;
  declare private readonly doorbells: Doorbells;
  declare private readonly tailDoorbell: number;
  declare private readonly headDoorbell: number;
  declare private readonly sq: Int32Array;
  declare private readonly sqPairs: Float64Array;
  declare private readonly cq: Int32Array;
  declare private readonly slots: Int32Array;
  declare private readonly free: Int32Array;
  declare private readonly slack: number;
  declare private readonly ordersLoads: boolean;
  declare private readonly slotMask: number;
  declare private readonly slotStep: number;
  #freeTop = 0;
  #tail = 0;
  #rungTail = 0;
  #head = 0;
  #rungHead = 0;
  #phase = PHASE;
  readonly #lists: Int32Array;
  readonly #listsIova: number;
  readonly #listBytes: number;

  constructor({
    qid,
    depth,
    slack,
    maxTransfer_bytes,
    memory,
    doorbells,
    dstrd,
    ordersLoads,
  }: QueuePairOptions) {
    assert(depth >= 1 && depth <= MAX_DEPTH, `queue depth must be 1 to ${MAX_DEPTH}, got ${depth}`);
    assert(slack >= 1 && slack <= MAX_SLACK, `slack must be 1 to ${MAX_SLACK}, got ${slack}`);
    this.qid = qid;
    this.depth = depth;
    this.maxTransfer_bytes = maxTransfer_bytes;
    this.slack = slack;
    this.ordersLoads = ordersLoads;
    this.entries = depth + 1;
    this.cqEntries = depth + slack;
    this.doorbells = doorbells;
    this.tailDoorbell = sqTailDoorbell(qid, dstrd) - DOORBELL_BASE;
    this.headDoorbell = cqHeadDoorbell(qid, dstrd) - DOORBELL_BASE;

    const views = queueViews(memory, depth, slack, maxTransfer_bytes);
    this.sqIova = views.sqIova;
    this.cqIova = views.cqIova;
    this.#listsIova = views.listsIova;
    this.#listBytes = views.listBytes;
    this.sq = views.sq;
    this.sqPairs = views.sqPairs;
    this.cq = views.cq;
    this.#lists = views.lists;

    this.slotStep = 2 ** Math.ceil(Math.log2(depth));
    this.slotMask = this.slotStep - 1;
    this.slots = new Int32Array(depth * SLOT_WORDS);
    for (let slot = 0; slot < depth; slot++) this.slots[slot * SLOT_WORDS + CID] = ~slot;
    this.free = Int32Array.from({ length: depth }, (_, index) => depth - 1 - index);
    this.#freeTop = depth;
  }

  /** Commands that were posted and have not completed. */
  get outstanding(): number {
    return this.depth - this.#freeTop;
  }

  /**
   * Points a slot at `bytes` bytes of mapped memory, a multiple of four aligned to four, for every `post`
   * that gets the slot from now on. The slot must be free. Throws RangeError when one command cannot transfer
   * so much.
   */
  prepare(slot: number, iova: number, bytes: number): void {
    if (bytes > this.maxTransfer_bytes || (iova & 3) !== 0) this.#refuse(iova, bytes);
    const listAt = slot * this.#listBytes;
    buildPrps(
      this.slots,
      slot * SLOT_WORDS + POINTERS,
      iova,
      bytes,
      this.#lists,
      listAt >>> 2,
      this.#listsIova + listAt,
    );
  }

  #refuse(iova: number, bytes: number): never {
    if ((iova & 3) !== 0)
      throw new RangeError(`a data buffer must be aligned to four bytes, got 0x${iova.toString(16)}`);
    const limit = formatSize(this.maxTransfer_bytes);
    throw new RangeError(`one command moves at most ${limit} (MDTS), got ${formatSize(bytes)}`);
  }

  /**
   * Puts a command on blocks into the submission queue, with the memory that `prepare` gave its slot.
   * `control` holds bits of CDW12 above NLB (FUA). Returns the slot, or QUEUE_FULL. The controller learns of
   * it at the next `ring`.
   */
  post(opcode: number, nsid: number, slba: number, blocks: number, control = 0): number {
    if (this.#freeTop === 0) return QUEUE_FULL;
    const slot = this.free[--this.#freeTop]!;
    this.#write(slot, opcode, nsid, slba, blocks, control);
    return slot;
  }

  /** As `post`, and first points the slot at `bytes` bytes at `iova`. Throws RangeError as `prepare` does. */
  postAt(
    opcode: number,
    nsid: number,
    slba: number,
    blocks: number,
    iova: number,
    bytes: number,
    control = 0,
  ): number {
    if (this.#freeTop === 0) return QUEUE_FULL;
    const slot = this.free[this.#freeTop - 1]!;
    this.prepare(slot, iova, bytes);
    this.#freeTop--;
    this.#write(slot, opcode, nsid, slba, blocks, control);
    return slot;
  }

  #write(slot: number, opcode: number, nsid: number, slba: number, blocks: number, control: number): void {
    const slots = this.slots;
    const sq = this.sq;
    const pairs = this.sqPairs;
    const tail = this.#tail;
    const record = (slot << SLOT_SHIFT) & MASK;
    const word = (tail << SQE_SHIFT) & MASK;
    const pair = word >>> 1;
    const low = slba | 0;
    const high = slba <= LARGEST_INT ? 0 : (slba / TWO_32) | 0;
    const cid = ~slots[record + CID]!;
    slots[record + CID] = cid;
    slots[record + WHAT] = what(opcode, blocks);
    slots[record + NSID] = nsid;
    slots[record + SLBA] = low;
    slots[record + SLBA + 1] = high;
    sq[word] = opcode | (cid << 16);
    sq[word + 1] = nsid;
    pairs[pair + 1] = 0; // CDW2, CDW3
    pairs[pair + 2] = 0; // MPTR
    sq[word + 6] = slots[record + POINTERS]!;
    sq[word + 7] = slots[record + POINTERS + 1]!;
    sq[word + 8] = slots[record + POINTERS + 2]!;
    sq[word + 9] = slots[record + POINTERS + 3]!;
    sq[word + 10] = low;
    sq[word + 11] = high;
    sq[word + 12] = (blocks - 1) | control;
    sq[word + 13] = 0;
    pairs[pair + 7] = 0; // CDW14, CDW15
    this.#tail = tail + 1 === this.entries ? 0 : tail + 1;
  }

  /**
   * Puts any command into the submission queue. With `bytes` above 0 its data pointer becomes that of `bytes`
   * bytes at `iova`, else it stays as built. Returns the slot, or QUEUE_FULL. Throws RangeError as `prepare`
   * does.
   */
  postCommand(command: Command, iova = 0, bytes = 0): number {
    if (this.#freeTop === 0) return QUEUE_FULL;
    const slot = this.free[this.#freeTop - 1]!;
    if (bytes > 0) this.prepare(slot, iova, bytes);
    this.#freeTop--;
    const slots = this.slots;
    const record = slot * SLOT_WORDS;
    const cid = ~slots[record + CID]!;
    slots[record + CID] = cid;
    slots[record + WHAT] = what(CDW0.OPC.get(command[0]!), this.qid === 0 ? 0 : blocksOf(command));
    slots[record + NSID] = command[WORD.NSID]!;
    slots[record + SLBA] = command[WORD.CDW10]!;
    slots[record + SLBA + 1] = command[WORD.CDW11]!;
    const word = this.#tail * SQE_WORDS;
    this.sq.set(command, word);
    this.sq[word] = command[0]! | (cid << 16);
    const pointers = record + POINTERS;
    if (bytes > 0) this.sq.set(slots.subarray(pointers, pointers + 4), word + WORD.PRP1);
    this.#tail = this.#tail + 1 === this.entries ? 0 : this.#tail + 1;
    return slot;
  }

  /** Tells the controller about everything posted since the last call: one doorbell write, or none. */
  ring(): void {
    if (this.#tail === this.#rungTail) return;
    this.#rungTail = this.#tail;
    this.doorbells.write32(this.tailDoorbell, this.#tail);
  }

  /** Takes up to `budget` of the completions that are there, and calls `onComplete` for each. Returns how many there were. */
  reap(budget = this.cqEntries): number {
    const count = this.#ready(budget);
    if (count > 0) {
      if (this.checksSqid === true) this.#takeChecked(count);
      else this.#take(count);
    }
    this.#release();
    return count;
  }

  /**
   * Gives entries back to the controller, with one doorbell write for `slack` of them or more: it needs them only when the
   * queue is full (Base 2.1 §3.3.1.2), and less than `slack` with all that can be outstanding do not fill it.
   */
  #release(): void {
    const taken = this.#head - this.#rungHead;
    if ((taken < 0 ? taken + this.cqEntries : taken) < this.slack) return;
    this.#rungHead = this.#head;
    this.doorbells.write32(this.headDoorbell, this.#head);
  }

  /**
   * How many completions are there, up to `most`. Phase tags are looked at with plain loads; where these are not ordered,
   * an atomic load of each that is new, one after another, makes sure that all of it is seen (docs/threads.md).
   */
  #ready(most: number): number {
    const cq = this.cq;
    let phase = this.#phase;
    let head = this.#head;
    let count = 0;
    while (count < most) {
      const word = ((head << CQE_SHIFT) & MASK) + 3;
      if ((cq[word]! & PHASE) !== phase) break;
      if (this.ordersLoads === false && (Atomics.load(cq, word) & PHASE) !== phase) break;
      count++;
      if (++head === this.cqEntries) {
        head = 0;
        phase ^= PHASE;
      }
    }
    return count;
  }

  /** Takes `count` completions that are there. */
  #take(count: number): void {
    const cq = this.cq;
    const slots = this.slots;
    for (let left = count; left > 0; left--) {
      const word = (this.#head << CQE_SHIFT) & MASK;
      const ending = cq[word + 3]!;
      // The head moves before the callback, which may throw.
      if (++this.#head === this.cqEntries) {
        this.#head = 0;
        this.#phase ^= PHASE;
      }
      const cid = ending & 0xffff;
      const slot = cid & this.slotMask;
      const record = (slot << SLOT_SHIFT) & MASK;
      const status = (ending >>> 17) & 0x7ff;
      if (slots[record + CID] !== cid) {
        this.#stale(cid, status, cq[word + 2]! >>> 16);
        continue;
      }
      const next = cid + this.slotStep;
      slots[record + CID] = ~(next >= NO_CID ? slot : next);
      slots[record + RESULT] = cq[word]!;
      slots[record + RESULT + 1] = cq[word + 1]!;
      slots[record + ENDING] = ending;
      this.free[this.#freeTop++] = slot;
      this.onComplete(slot, status);
    }
  }

  /** As `#take`, but a completion of another submission queue is stale whatever its identifier. */
  #takeChecked(count: number): void {
    for (let left = count; left > 0; left--) {
      const word = this.#head * CQE_WORDS;
      const sqid = this.cq[word + 2]! >>> 16;
      if (sqid === this.qid) {
        this.#take(1);
        continue;
      }
      const ending = this.cq[word + 3]!;
      if (++this.#head === this.cqEntries) {
        this.#head = 0;
        this.#phase ^= PHASE;
      }
      this.#stale(ending & 0xffff, (ending >>> 17) & 0x7ff, sqid);
    }
  }

  /** How many completions `reap` would take now; counts no further than `limit`, which is at most the depth. */
  ready(limit: number): number {
    let head = this.#head;
    let phase = this.#phase;
    let count = 0;
    while (count < limit && (this.cq[head * CQE_WORDS + 3]! & PHASE) === phase) {
      count++;
      if (++head === this.cqEntries) {
        head = 0;
        phase ^= PHASE;
      }
    }
    return count;
  }

  #stale(cid: number, status: number, sqid: number): void {
    this.staleCount++;
    this.onStale(cid, status, sqid);
  }

  // ---- when the controller was reset (recovery.ts) ------------------------------------------------------------------

  /** Identifier of the outstanding command in a slot. */
  cid(slot: number): number {
    return this.slots[slot * SLOT_WORDS + CID]!;
  }

  /** Empty rings, as the controller will think of them when the queues are created again. */
  restart(): void {
    this.#tail = this.#rungTail = this.#head = this.#rungHead = 0;
    this.#phase = PHASE;
    this.cq.fill(0);
  }

  /**
   * Ends every outstanding command with `status`, as `reap` would: the controller must have forgotten them. Returns how
   * many there were.
   */
  giveUp(status: number): number {
    const slots = this.slots;
    const given: number[] = [];
    for (let slot = 0; slot < this.depth; slot++) if (this.cid(slot) >= 0) given.push(slot);
    for (const slot of given) {
      const record = slot * SLOT_WORDS;
      const cid = this.cid(slot);
      const next = cid + this.slotStep;
      slots[record + CID] = ~(next >= NO_CID ? slot : next);
      slots[record + RESULT] = slots[record + RESULT + 1] = 0;
      slots[record + ENDING] = cid | (status << 17);
      this.free[this.#freeTop++] = slot;
      this.onComplete(slot, status);
    }
    return given.length;
  }

  /** DW0 of the last completion of a slot, unsigned. */
  result(slot: number): number {
    return this.slots[slot * SLOT_WORDS + RESULT]! >>> 0;
  }

  /** DW1 of the last completion of a slot, unsigned. */
  resultHigh(slot: number): number {
    return this.slots[slot * SLOT_WORDS + RESULT + 1]! >>> 0;
  }

  /**
   * The last completion of a slot as an error; to be asked for in `onComplete`, before the slot is used
   * again.
   */
  error(slot: number): NvmeError {
    const ending = this.slots[slot * SLOT_WORDS + ENDING]! >>> 0;
    return new NvmeError(this.command(slot, ending & 0xffff), ending >>> 16);
  }

  /** What was posted in a slot, for errors: by default the command that is outstanding there. */
  command(slot: number, cid = this.cid(slot)): FailedCommand {
    const of = (word: number): number => this.slots[slot * SLOT_WORDS + word]! >>> 0;
    return {
      qid: this.qid,
      cid,
      opcode: of(WHAT) & 0xff,
      nsid: of(NSID),
      slba: u64(of(SLBA), of(SLBA + 1)),
      blocks: of(WHAT) >>> 8,
    };
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.staleCount = a.value(this.staleCount);
    a.contents(this.slots, this.free);
    this.#freeTop = a.value(this.#freeTop);
    this.#tail = a.value(this.#tail);
    this.#rungTail = a.value(this.#rungTail);
    this.#head = a.value(this.#head);
    this.#rungHead = a.value(this.#rungHead);
    this.#phase = a.value(this.#phase);
  }
}

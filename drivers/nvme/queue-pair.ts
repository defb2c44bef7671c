/**
 * A submission queue and its completion queue: post, ring, reap. NVMe Base 2.1 §3.3.1, §4.1, §4.2.
 * The hot path of the driver: typed arrays over the mapped queue memory, preallocated slots, nothing allocated per
 * command. A command has a slot from post to completion; as many slots as the queue is deep, so the queue cannot overrun.
 * Not here: creating queues (driver.ts), promises and waiting (request-queue.ts), the meaning of data (block-device.ts).
 */

import { CDW0, CID_NONE, CQE, SQE } from '../../nvme/spec/commands.ts';
import { cqHeadDoorbell, DOORBELL_BASE, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import { assert } from '../../support/assert.ts';
import { alignUp, formatSize, PAGE_SIZE, u64 } from '../../support/numbers.ts';
import type { Mapping } from '../../vfio/uapi/kernel.ts';
import type { DmaRange } from '../vfio/dma.ts';
import { blocksOf, type Command, SQE_WORDS, WORD } from './commands.ts';
import { buildPrps, prpListBytes } from './prp.ts';
import { NvmeError } from './status.ts';

/** What `post` returns when every slot is taken. */
export const QUEUE_FULL = -1;
/** A command identifier is 16 bits, and four of them count how often a slot was used. */
export const MAX_DEPTH = 4095;

const CQE_WORDS = CQE.SIZE / 4;
const TWO_32 = 0x1_0000_0000;
const PHASE = 0x1_0000;
const OPCODE_MASK = CDW0.OPC.mask;
assert(SQE.SIZE === 64 && CQE.SIZE === 16, 'post and reap are written for these entry sizes');
assert(WORD.PRP1 === 6 && WORD.CDW10 === 10, 'post writes these dwords by number');

/**
 * Everything about a slot is one record in one array: an access to a second typed array costs as much as four words.
 * CID is that of the command in the slot, of a free slot the complement of the next one. PRP1 to BLOCKS is what was
 * posted (for errors), DW0 to ENDING what came back; ENDING is dword 3, identifier and status field.
 */
const SLOT = {
  CID: 0,
  OPCODE: 1,
  NSID: 2,
  BLOCKS: 3,
  PRP1: 4,
  PRP2: 6,
  SLBA: 8,
  DW0: 10,
  DW1: 11,
  ENDING: 12,
} as const;
const SLOT_WORDS = 16;

/** Called once per completion, out of `reap`. `status` is `(SCT << 8) | SC`, 0 for success. */
export type OnComplete = (slot: number, status: number) => void;
/** Called for a completion that no outstanding command of the queue explains. */
export type OnStale = (cid: number, status: number) => void;

export interface QueuePairOptions {
  readonly qid: number;
  /** Most commands outstanding at once, 1 to MAX_DEPTH. The queues have one entry more. */
  readonly depth: number;
  /** Longest transfer of one command. */
  readonly maxTransfer_bytes: number;
  /** `queueBytes(depth, maxTransfer_bytes)` of zeroed memory, from a page boundary on. */
  readonly memory: DmaRange;
  /** The doorbells, mapped from DOORBELL_BASE on. */
  readonly doorbells: Mapping;
  /** CAP.DSTRD. */
  readonly dstrd: number;
}

const sqBytes = (depth: number): number => alignUp((depth + 1) * SQE.SIZE, PAGE_SIZE);
const cqBytes = (depth: number): number => alignUp((depth + 1) * CQE.SIZE, PAGE_SIZE);

/** Memory that a queue pair needs: submission queue, completion queue, and a PRP list for every slot. */
export const queueBytes = (depth: number, maxTransfer_bytes: number): number =>
  sqBytes(depth) + cqBytes(depth) + alignUp(depth * prpListBytes(maxTransfer_bytes), PAGE_SIZE);

export class QueuePair {
  readonly qid: number;
  readonly depth: number;
  readonly maxTransfer_bytes: number;
  /** Entries of each queue, and where they are for the controller. */
  readonly entries: number = 0;
  readonly sqIova: number;
  readonly cqIova: number;
  /** Set once, before the first command. The slot is free again when it is called, so it may post. */
  onComplete: OnComplete = () => {};
  onStale: OnStale = () => {};
  /** Completions that matched no outstanding command. */
  staleCount = 0;

  // Fields of the hot path have their type from the start: one that begins as undefined stays slow in V8.
  readonly #doorbells: Mapping;
  #tailDoorbell = 0;
  #headDoorbell = 0;
  #sq = new Int32Array(0);
  #sqPairs = new Float64Array(0);
  #cq = new Int32Array(0);
  #slots = new Int32Array(0);
  #free = new Int32Array(0);
  #freeTop = 0;
  #slotMask = 0;
  #slotStep = 0;
  #tail = 0;
  #rungTail = 0;
  #head = 0;
  #rungHead = 0;
  #phase = PHASE;
  readonly #lists: Int32Array;
  readonly #listsIova: number;
  readonly #listBytes: number;

  constructor({ qid, depth, maxTransfer_bytes, memory, doorbells, dstrd }: QueuePairOptions) {
    assert(depth >= 1 && depth <= MAX_DEPTH, `queue depth must be 1 to ${MAX_DEPTH}, got ${depth}`);
    assert(memory.bytes.length >= queueBytes(depth, maxTransfer_bytes), 'the queue memory is too small');
    this.qid = qid;
    this.depth = depth;
    this.maxTransfer_bytes = maxTransfer_bytes;
    this.entries = depth + 1;
    this.#doorbells = doorbells;
    this.#tailDoorbell = sqTailDoorbell(qid, dstrd) - DOORBELL_BASE;
    this.#headDoorbell = cqHeadDoorbell(qid, dstrd) - DOORBELL_BASE;

    const { buffer, byteOffset } = memory.bytes;
    const cqAt = sqBytes(depth);
    const listsAt = cqAt + cqBytes(depth);
    this.sqIova = memory.iova;
    this.cqIova = memory.iova + cqAt;
    this.#listsIova = memory.iova + listsAt;
    this.#listBytes = prpListBytes(maxTransfer_bytes);
    this.#sq = new Int32Array(buffer, byteOffset, this.entries * SQE_WORDS);
    this.#sqPairs = new Float64Array(buffer, byteOffset, (this.entries * SQE_WORDS) / 2);
    this.#cq = new Int32Array(buffer, byteOffset + cqAt, this.entries * CQE_WORDS);
    this.#lists = new Int32Array(buffer, byteOffset + listsAt, (depth * this.#listBytes) / 4);

    this.#slotStep = 2 ** Math.ceil(Math.log2(depth));
    this.#slotMask = this.#slotStep - 1;
    this.#slots = new Int32Array(depth * SLOT_WORDS);
    for (let slot = 0; slot < depth; slot++) this.#slots[slot * SLOT_WORDS + SLOT.CID] = ~slot;
    this.#free = Int32Array.from({ length: depth }, (_, index) => depth - 1 - index);
    this.#freeTop = depth;
  }

  /** Commands that were posted and have not completed. */
  get outstanding(): number {
    return this.depth - this.#freeTop;
  }

  /**
   * Points a slot at `bytes` bytes of mapped memory, a multiple of four aligned to four, for every `post` that gets the
   * slot from now on. The slot must be free. Throws RangeError when one command cannot transfer so much.
   */
  prepare(slot: number, iova: number, bytes: number): void {
    if (bytes > this.maxTransfer_bytes || (iova & 3) !== 0) this.#refuse(iova, bytes);
    const listAt = slot * this.#listBytes;
    buildPrps(this.#slots, slot * SLOT_WORDS + SLOT.PRP1, iova, bytes, this.#lists, listAt >>> 2, this.#listsIova + listAt);
  }

  #refuse(iova: number, bytes: number): never {
    if ((iova & 3) !== 0)
      throw new RangeError(`a data buffer must be aligned to four bytes, got 0x${iova.toString(16)}`);
    const limit = formatSize(this.maxTransfer_bytes);
    throw new RangeError(`one command moves at most ${limit} (MDTS), got ${formatSize(bytes)}`);
  }

  /**
   * Puts a command on blocks into the submission queue, with the memory that `prepare` gave its slot. `control` holds
   * bits of CDW12 above NLB (FUA). Returns the slot, or QUEUE_FULL. The controller learns of it at the next `ring`.
   */
  post(opcode: number, nsid: number, slba: number, blocks: number, control = 0): number {
    if (this.#freeTop === 0) return QUEUE_FULL;
    const slot = this.#free[--this.#freeTop]!;
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
    const slot = this.#free[this.#freeTop - 1]!;
    this.prepare(slot, iova, bytes);
    this.#freeTop--;
    this.#write(slot, opcode, nsid, slba, blocks, control);
    return slot;
  }

  #write(slot: number, opcode: number, nsid: number, slba: number, blocks: number, control: number): void {
    const slots = this.#slots;
    const sq = this.#sq;
    const pairs = this.#sqPairs;
    const tail = this.#tail;
    const record = slot * SLOT_WORDS;
    const word = tail * SQE_WORDS;
    const pair = word >>> 1;
    const low = slba | 0;
    const high = (slba / TWO_32) | 0;
    const cid = ~slots[record + SLOT.CID]!;
    slots[record + SLOT.CID] = cid;
    slots[record + SLOT.OPCODE] = opcode;
    slots[record + SLOT.NSID] = nsid;
    slots[record + SLOT.BLOCKS] = blocks;
    slots[record + SLOT.SLBA] = low;
    slots[record + SLOT.SLBA + 1] = high;
    sq[word] = opcode | (cid << 16);
    sq[word + 1] = nsid;
    pairs[pair + 1] = 0; // CDW2, CDW3
    pairs[pair + 2] = 0; // MPTR
    sq[word + 6] = slots[record + SLOT.PRP1]!;
    sq[word + 7] = slots[record + SLOT.PRP1 + 1]!;
    sq[word + 8] = slots[record + SLOT.PRP2]!;
    sq[word + 9] = slots[record + SLOT.PRP2 + 1]!;
    sq[word + 10] = low;
    sq[word + 11] = high;
    sq[word + 12] = (blocks - 1) | control;
    sq[word + 13] = 0;
    pairs[pair + 7] = 0; // CDW14, CDW15
    this.#tail = tail + 1 === this.entries ? 0 : tail + 1;
  }

  /**
   * Puts any command into the submission queue. With `bytes` above 0 its data pointer becomes that of `bytes` bytes at
   * `iova`, else it stays as built. Returns the slot, or QUEUE_FULL. Throws RangeError as `prepare` does.
   */
  postCommand(command: Command, iova = 0, bytes = 0): number {
    if (this.#freeTop === 0) return QUEUE_FULL;
    const slot = this.#free[this.#freeTop - 1]!;
    if (bytes > 0) this.prepare(slot, iova, bytes);
    this.#freeTop--;
    const slots = this.#slots;
    const record = slot * SLOT_WORDS;
    const cid = ~slots[record + SLOT.CID]!;
    slots[record + SLOT.CID] = cid;
    slots[record + SLOT.OPCODE] = command[0]! & OPCODE_MASK;
    slots[record + SLOT.NSID] = command[WORD.NSID]!;
    slots[record + SLOT.BLOCKS] = this.qid === 0 ? 0 : blocksOf(command);
    slots[record + SLOT.SLBA] = command[WORD.CDW10]!;
    slots[record + SLOT.SLBA + 1] = command[WORD.CDW11]!;
    const word = this.#tail * SQE_WORDS;
    this.#sq.set(command, word);
    this.#sq[word] = command[0]! | (cid << 16);
    const pointers = record + SLOT.PRP1;
    if (bytes > 0) this.#sq.set(slots.subarray(pointers, pointers + 4), word + WORD.PRP1);
    this.#tail = this.#tail + 1 === this.entries ? 0 : this.#tail + 1;
    return slot;
  }

  /** Tells the controller about everything posted since the last call: one doorbell write, or none. */
  ring(): void {
    if (this.#tail === this.#rungTail) return;
    this.#rungTail = this.#tail;
    this.#doorbells.write32(this.#tailDoorbell, this.#tail);
  }

  /**
   * Takes up to `budget` completions, calls `onComplete` for each, and gives their entries back to the controller with
   * one doorbell write. Returns how many there were.
   */
  reap(budget = this.entries): number {
    const cq = this.#cq;
    const slots = this.#slots;
    const free = this.#free;
    let count = 0;
    while (count < budget) {
      const head = this.#head;
      const word = head * CQE_WORDS;
      const ending = cq[word + 3]!;
      if ((ending & PHASE) !== this.#phase) break;
      if (head + 1 === this.entries) {
        this.#head = 0;
        this.#phase ^= PHASE;
      } else {
        this.#head = head + 1;
      }
      count++;
      const cid = ending & 0xffff;
      const slot = cid & this.#slotMask;
      const status = (ending >>> 17) & 0x7ff;
      const record = slot * SLOT_WORDS;
      if (slots[record + SLOT.CID] !== cid) {
        this.#stale(cid, status);
        continue;
      }
      const next = cid + this.#slotStep;
      slots[record + SLOT.CID] = ~(next >= CID_NONE ? slot : next);
      slots[record + SLOT.DW0] = cq[word]!;
      slots[record + SLOT.DW1] = cq[word + 1]!;
      slots[record + SLOT.ENDING] = ending;
      free[this.#freeTop++] = slot;
      this.onComplete(slot, status);
    }
    if (this.#head !== this.#rungHead) {
      this.#rungHead = this.#head;
      this.#doorbells.write32(this.#headDoorbell, this.#head);
    }
    return count;
  }

  #stale(cid: number, status: number): void {
    this.staleCount++;
    this.onStale(cid, status);
  }

  /** DW0 of the last completion of a slot, unsigned. */
  result(slot: number): number {
    return this.#slots[slot * SLOT_WORDS + SLOT.DW0]! >>> 0;
  }

  /** DW1 of the last completion of a slot, unsigned. */
  resultHigh(slot: number): number {
    return this.#slots[slot * SLOT_WORDS + SLOT.DW1]! >>> 0;
  }

  /** The last completion of a slot as an error; to be asked for in `onComplete`, before the slot is used again. */
  error(slot: number): NvmeError {
    const record = slot * SLOT_WORDS;
    const of = (word: number): number => this.#slots[record + word]! >>> 0;
    const ending = of(SLOT.ENDING);
    const command = {
      qid: this.qid,
      cid: ending & 0xffff,
      opcode: of(SLOT.OPCODE),
      nsid: of(SLOT.NSID),
      slba: u64(of(SLOT.SLBA), of(SLOT.SLBA + 1)),
      blocks: of(SLOT.BLOCKS),
    };
    return new NvmeError(command, ending >>> 16);
  }
}

/**
 * Posting completions: the entry with its phase tag, the interrupt behind it, and the wait while a queue is full
 * (Base 2.1 §4.2, §3.3.1.2). Not here: how a command got its status (engine.ts), head doorbells (controller.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import { T, type Trace } from '../machine/trace.ts';
import { type CompletionQueues, CQ, carried, QUEUE, type SubmissionQueues } from './queues.ts';
import { NO_SLOT, SLOT, type Slots } from './slots.ts';
import { DNR_BY_DEFAULT, OTHER_RETRY } from './spec/status.ts';

// File constants fold; imported bindings do not (slots.ts).
const { BASE, BASE_HIGH, HEAD, SIZE, TAIL } = QUEUE;
const { INTERRUPTS, PHASE, VECTOR, WAITING_FIRST, WAITING_LAST } = CQ;
const { CID, CQID, NEXT, RESULT, RESULT1, SQID, STATUS } = SLOT;
const NONE = NO_SLOT;
const OK = DMA_OK;
const DNR = DNR_BY_DEFAULT;
const CODE = OTHER_RETRY - 1;
/** A completion entry has 16 bytes. */
const ENTRY_SHIFT = 4;

/** Where interrupts go: out, or to what gathers them first. */
export interface InterruptSink {
  /** Asks for an interrupt. `isBehindWrite`: right behind a DMA write, so it costs wire time only. */
  raise(vector: number, isBehindWrite: boolean): void;
}

export interface CompleterParts {
  readonly memory: Memory;
  readonly trace: Trace;
  readonly dma: DmaPort;
  readonly interrupts: InterruptSink;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  /** The entry cannot be written: the controller cannot go on. */
  readonly fatal: (reason: string) => void;
}

export class Completer {
  /** Who takes the interrupts; another one while the host coalesces them. */
  interrupts: InterruptSink;
  private readonly memory: Memory;
  private readonly trace: Trace;
  private readonly dma: DmaPort;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly fatal: (reason: string) => void;

  constructor(parts: CompleterParts) {
    this.memory = parts.memory;
    this.trace = parts.trace;
    this.dma = parts.dma;
    this.interrupts = parts.interrupts;
    this.slots = parts.slots;
    this.sqs = parts.sqs;
    this.cqs = parts.cqs;
    this.fatal = parts.fatal;
  }

  /**
   * Posts the completion of a slot and gives the slot back, or lets it wait for room in its queue. Returns whether it
   * was posted.
   */
  post(slot: number): boolean {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    const queue = this.cqs.at(i32[at + CQID]!);
    const tail = i32[queue + TAIL]!;
    const next = tail + 1 === i32[queue + SIZE]! ? 0 : tail + 1;
    if (next === i32[queue + HEAD]!) {
      this.#wait(slot, queue);
      return false;
    }
    const sqid = i32[at + SQID]!;
    const submission = this.sqs.at(sqid);
    const status = i32[at + STATUS]!;
    const phase = i32[queue + PHASE]!;
    const base = i32[queue + BASE]!;
    const low = (base + (tail << ENTRY_SHIFT)) | 0;
    const result = this.dma.write16(
      low,
      carried(base, low, i32[queue + BASE_HIGH]!),
      i32[at + RESULT]!,
      i32[at + RESULT1]!,
      i32[submission + HEAD]! | (sqid << 16),
      i32[at + CID]! | (phase << 16) | ((status & CODE) << 17) | (DNR[status]! << 31),
    );
    if (result !== OK) {
      this.unwritable(i32[at + CQID]!, tail, result);
      return false;
    }
    i32[queue + TAIL] = next;
    if (next === 0) i32[queue + PHASE] = phase ^ 1;
    if (this.trace.on === true) this.#emit(slot, sqid, status & CODE);
    this.slots.give(slot);
    if (i32[queue + INTERRUPTS] === 1) this.interrupt(i32[at + CQID]!, i32[queue + VECTOR]!);
    return true;
  }

  unwritable(cqid: number, index: number, result: DmaResult): void {
    this.fatal(`entry ${index} of completion queue ${cqid} cannot be written: ${DMA_SENTENCES[result]}`);
  }

  /** The host moved the head of `cqid`: completions that waited for room go out. */
  released(cqid: number): void {
    const { i32 } = this.memory;
    const queue = this.cqs.at(cqid);
    while (i32[queue + WAITING_FIRST] !== NONE && !this.cqs.isFull(cqid)) {
      const slot = i32[queue + WAITING_FIRST]!;
      i32[queue + WAITING_FIRST] = i32[this.slots.at(slot) + NEXT]!;
      this.post(slot);
    }
  }

  /** Whether a slot's completion waits for room. */
  isWaiting(slot: number): boolean {
    const { i32 } = this.memory;
    let waiting = i32[this.cqs.at(i32[this.slots.at(slot) + CQID]!) + WAITING_FIRST]!;
    while (waiting !== NONE && waiting !== slot) waiting = i32[this.slots.at(waiting) + NEXT]!;
    return waiting === slot;
  }

  /** Drops the completions of submission queue `sqid`, which is being deleted, that wait for room in its queue. */
  withdraw(sqid: number): void {
    const { i32 } = this.memory;
    const queue = this.cqs.at(this.sqs.cqid(sqid));
    let waiting = i32[queue + WAITING_FIRST]!;
    i32[queue + WAITING_FIRST] = NONE;
    while (waiting !== NONE) {
      const next = i32[this.slots.at(waiting) + NEXT]!;
      if (this.slots.sqid(waiting) === sqid) this.slots.give(waiting);
      else this.#wait(waiting, queue);
      waiting = next;
    }
  }

  #wait(slot: number, queue: number): void {
    const { i32 } = this.memory;
    i32[this.slots.at(slot) + NEXT] = NONE;
    const last = i32[queue + WAITING_LAST]!;
    if (i32[queue + WAITING_FIRST] === NONE) i32[queue + WAITING_FIRST] = slot;
    else i32[this.slots.at(last) + NEXT] = slot;
    i32[queue + WAITING_LAST] = slot;
  }

  #emit(slot: number, sqid: number, status: number): void {
    this.trace.emit(T.NVME_COMPLETE, this.dma.requester, sqid, this.slots.cid(slot), status);
  }

  interrupt(cqid: number, vector: number): void {
    if (this.trace.on === true) this.trace.emit(T.NVME_INTERRUPT, this.dma.requester, cqid, vector);
    this.interrupts.raise(vector, true);
  }
}

/**
 * Doorbells in host memory: the host writes indexes there and rings the register only when its index passes the event
 * index that the controller left (Base 2.1 §5.2.5, Doorbell Buffer Config). While a queue is being worked on its event
 * index stands still, so the host stays quiet; the controller looks again when it has caught up, then asks to be rung.
 * The completion side asks to be rung twice per turn of the ring. The admin queue always uses the registers.
 * Not here: the registers (controller.ts), the command that sets the buffers up (admin/doorbell-buffer.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { DMA_OK, type DmaPort } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { hex } from '../support/numbers.ts';
import type { Health } from './health.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';

/** How long the controller works on a queue before it looks for further entries, when anything takes time. */
const POLL_NS = 2000;
const ENTRY_BYTES = 4;
const INDEX_MASK = 0xffff;
const UNREADABLE = -1;

export interface ShadowParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly health: Health;
  /** Bytes between two doorbells. */
  readonly stride: number;
  /** Whether nothing takes time. */
  readonly isFree: boolean;
  /** A new tail of a submission queue, or a new head of a completion queue, as if it had been rung. */
  readonly tail: (sqid: number, tail: number) => void;
  readonly head: (cqid: number, head: number) => void;
}

export class ShadowDoorbells {
  /** The buffers are set up. */
  isOn = false;
  readonly #parts: ShadowParts;
  /** Device-local memory for one index. */
  readonly #word: number;
  readonly #onPoll: HandlerId;
  #indexes = 0;
  #events = 0;
  /** Queues whose indexes lie in the buffers, from 1 on. */
  #queues = 0;
  /** Submission queues being worked on, whose event index stands still until the controller looks again. */
  readonly #isPolled: Uint8Array;

  constructor(parts: ShadowParts) {
    this.#parts = parts;
    this.#word = parts.memory.reserve(ENTRY_BYTES);
    assert(this.#word >= 0, 'device memory holds one doorbell');
    this.#isPolled = new Uint8Array(parts.sqs.count);
    this.#onPoll = parts.clock.register((sqid) => this.#poll(sqid));
  }

  /** Takes the buffers, a page of `page_bytes` each, and copies the indexes of existing queues into them. */
  enable(indexes: number, events: number, page_bytes: number): void {
    const { sqs, cqs, stride } = this.#parts;
    this.isOn = true;
    this.#indexes = indexes;
    this.#events = events;
    this.#queues = Math.min(sqs.count, Math.floor(page_bytes / (2 * stride)));
    this.#isPolled.fill(0);
    for (let qid = 1; qid < this.#queues; qid++) {
      if (sqs.exists(qid)) this.#copy(2 * qid, sqs.tail(qid));
      if (cqs.exists(qid)) this.#copy(2 * qid + 1, cqs.head(qid));
    }
  }

  /** Controller level reset. */
  reset(): void {
    this.isOn = false;
    this.#queues = 0;
    this.#isPolled.fill(0);
  }

  /** Whether the indexes of this queue are in host memory. */
  covers(qid: number): boolean {
    return this.isOn === true && qid > 0 && qid < this.#queues;
  }

  /** A queue was created: its indexes are 0 and so are its event indexes. */
  begin(qid: number, isCompletion: boolean): void {
    if (!this.covers(qid)) return;
    this.#isPolled[qid] = isCompletion ? this.#isPolled[qid]! : 0;
    this.#write(this.#events, 2 * qid + (isCompletion ? 1 : 0), 0);
  }

  /** The register of a submission queue's tail was rung with `rung`: the index in memory counts, if it can be read. */
  rungTail(sqid: number, rung: number): void {
    const index = this.#read(2 * sqid);
    this.#parts.tail(sqid, index === UNREADABLE ? rung : index);
    this.#watch(sqid);
  }

  /**
   * The register of a completion queue's head was rung with `rung`. The index may pass the new event index before the host
   * can see that, so it is looked at once more.
   */
  rungHead(cqid: number, rung: number): void {
    const { cqs, head } = this.#parts;
    let index = this.#read(2 * cqid + 1);
    let taken: number;
    do {
      taken = index;
      head(cqid, taken === UNREADABLE ? rung : taken);
      const size = cqs.size(cqid);
      // The host passes it once it has taken one entry more, and a queue holds one entry less than its size.
      const half = cqs.head(cqid) + ((size - 1) >>> 1);
      this.#write(this.#events, 2 * cqid + 1, half >= size ? half - size : half);
      if (taken !== UNREADABLE) index = this.#read(2 * cqid + 1);
    } while (index !== taken);
  }

  /** Looks for further entries when the controller has worked for a while. */
  #watch(sqid: number): void {
    if (this.#isPolled[sqid] === 1) return;
    this.#isPolled[sqid] = 1;
    this.#parts.clock.run(this.#parts.isFree ? 0 : POLL_NS, this.#onPoll, sqid);
  }

  /** Takes what came in the meantime; when nothing did, asks to be rung and looks once more: no index is lost. */
  #poll(sqid: number): void {
    this.#isPolled[sqid] = 0;
    while (this.covers(sqid) && this.#parts.sqs.exists(sqid)) {
      if (!this.#take(sqid)) {
        const isAsked = this.#write(this.#events, 2 * sqid, this.#parts.sqs.tail(sqid));
        if (!isAsked || !this.#take(sqid)) return;
      }
      if (!this.#parts.isFree) return this.#watch(sqid);
    }
  }

  /** Takes a new index as if it had been rung. False when there is none that the queue can take. */
  #take(sqid: number): boolean {
    const { sqs, tail } = this.#parts;
    const before = sqs.tail(sqid);
    const index = this.#read(2 * sqid);
    if (index === UNREADABLE || index === before) return false;
    tail(sqid, index);
    return sqs.tail(sqid) !== before;
  }

  #copy(entry: number, index: number): void {
    this.#write(this.#indexes, entry, index);
    this.#write(this.#events, entry, index);
  }

  #read(entry: number): number {
    const { dma, memory } = this.#parts;
    const address = this.#indexes + entry * this.#parts.stride;
    if (dma.loadDword(address, this.#word) === DMA_OK) return memory.u32[this.#word >>> 2]! & INDEX_MASK;
    this.#refuse(address, 'it cannot be read: the register counts');
    return UNREADABLE;
  }

  /** False when host memory cannot be written. */
  #write(buffer: number, entry: number, index: number): boolean {
    const { dma, memory } = this.#parts;
    memory.u32[this.#word >>> 2] = index;
    const address = buffer + entry * this.#parts.stride;
    if (dma.storeDword(address, this.#word) === DMA_OK) return true;
    this.#refuse(address, 'it cannot be written');
    return false;
  }

  #refuse(address: number, rule: string): void {
    const what = `shadow doorbell or event index at IOVA ${hex(address)}`;
    this.#parts.health.refuseAccess(what, {
      rule,
      section: 'Base 2.1 §5.2.5',
      field: 'IOVA',
      value: address,
    });
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.isOn = a.value(this.isOn);
    this.#indexes = a.value(this.#indexes);
    this.#events = a.value(this.#events);
    this.#queues = a.value(this.#queues);
    a.contents(this.#isPolled);
  }
}

/**
 * Getting submission entries: a burst from the queue whose turn it is in one read, a few reads on their way at a time.
 * Each entry gets a slot and begins. Not here: whose turn it is (arbiter.ts), what happens to a command (engine.ts),
 * doorbells (controller.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { u64 } from '../support/numbers.ts';
import { Arbiter } from './arbiter.ts';
import { carried, QUEUE, SQ, type SubmissionQueues } from './queues.ts';
import type { Slots } from './slots.ts';
import { SQE } from './spec/commands.ts';

/** Entries asked for in one read, and reads on their way at one time. */
const BURST = 16;
const READS = 4;
/** Slots that I/O commands leave to the admin queue, so that an I/O queue nobody reaps cannot lock it out. */
const ADMIN_SLOTS = 1;
// File constants fold; imported bindings do not (slots.ts).
const ENTRY_BYTES = SQE.SIZE;
const ENTRY_SHIFT = 6;
assert(ENTRY_BYTES === 1 << ENTRY_SHIFT, 'an entry has 64 bytes');
const OK = DMA_OK;
const { BASE, BASE_HIGH, EXISTS, HEAD, SIZE, TAIL } = QUEUE;
const { FETCH } = SQ;

export interface FetcherParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  /** From choosing entries to asking for them. */
  readonly fetch_ns: number;
  /** Entries are in `count` free slots from `first` on. */
  readonly begin: (first: number, count: number, sqid: number) => void;
  /** Entries cannot be read: the controller cannot go on. */
  readonly fatal: (reason: string) => void;
}

export class Fetcher {
  readonly arbiter: Arbiter;
  /** Entries per turn (Arbitration feature, AB); 0 means no limit. */
  burst = 0;
  /** False while nothing may be fetched. */
  running = false;
  /** An admin command is being worked on; its data buffer is shared, so the next one waits. */
  isAdminBusy = false;
  private readonly clock: Clock;
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly fetch_ns: number;
  private readonly begin: (first: number, count: number, sqid: number) => void;
  private readonly fatal: (reason: string) => void;
  private readonly onArrived: HandlerId;
  /** Reads on their way, a ring: the link answers them in order. */
  readonly #queues = new Int32Array(READS);
  readonly #firsts = new Int32Array(READS);
  readonly #counts = new Int32Array(READS);
  readonly #events = new Float64Array(READS);
  #readHead = 0;
  #reads = 0;
  /** Entries are being asked for, or none may be. */
  #isPumping = false;
  #isPaused = false;

  constructor(parts: FetcherParts) {
    this.clock = parts.clock;
    this.memory = parts.memory;
    this.dma = parts.dma;
    this.slots = parts.slots;
    this.sqs = parts.sqs;
    this.fetch_ns = parts.fetch_ns;
    this.begin = parts.begin;
    this.fatal = parts.fatal;
    this.arbiter = new Arbiter(parts.sqs.count);
    this.onArrived = parts.clock.register(() => this.#arrived());
  }

  /** The host rang the tail doorbell of `sqid`. */
  ring(sqid: number): void {
    const isFree = this.running === true && this.#isPumping === false && this.#reads < READS;
    if (isFree && this.arbiter.pass()) {
      this.#isPumping = true;
      this.#fetch(sqid);
      this.#isPumping = this.#isPaused === true;
    }
    this.#list(sqid);
    this.pump();
  }

  /** Nothing is asked for until the pause ends; doorbells are taken. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#isPumping = isPaused;
    if (!isPaused) this.pump();
  }

  /** The admin command is done, or held: the next one may come. */
  admit(): void {
    this.isAdminBusy = false;
    if (this.sqs.exists(0)) this.#list(0);
  }

  /** Fetches as long as there are entries, free slots and free reads. Call it when one of them may have come. */
  pump(): void {
    const { arbiter } = this;
    if (arbiter.waiting === 0 || this.#isPumping === true || this.running === false) return;
    this.#isPumping = true;
    let refused = 0;
    while (refused < arbiter.waiting && this.#reads < READS) {
      const sqid = arbiter.next();
      refused = this.#fetch(sqid) ? 0 : refused + 1;
      this.#list(sqid);
    }
    this.#isPumping = this.#isPaused === true;
  }

  /** Asks for entries of the queue whose turn it is. False when it may have none now. */
  #fetch(sqid: number): boolean {
    const { i32 } = this.memory;
    const at = this.sqs.at(sqid);
    const first = i32[at + FETCH]!;
    const count = this.#allowance(sqid, at, first);
    if (count <= 0) return false;
    this.arbiter.charge(count);
    const end = first + count;
    i32[at + FETCH] = end === i32[at + SIZE]! ? 0 : end;
    const isFree = this.fetch_ns === 0 && this.dma.link.free === true;
    const delay = isFree === true ? 0 : this.#delay(at, first, count);
    if (delay === 0) this.#take(sqid, first, count);
    else this.#later(sqid, first, count, delay);
    return true;
  }

  /** Nanoseconds until `count` entries from `first` on of the queue whose record is at `at` are here. */
  #delay(at: number, first: number, count: number): number {
    const { i32 } = this.memory;
    const iova = u64(i32[at + BASE]!, i32[at + BASE_HIGH]!) + first * ENTRY_BYTES;
    return this.fetch_ns + this.dma.readDelay(iova, count * ENTRY_BYTES);
  }

  /** Forgets everything that was asked for. The arbiter is told by the controller, which knows CC.AMS. */
  reset(): void {
    for (let i = 0; i < this.#reads; i++)
      this.clock.cancel(this.#events[(this.#readHead + i) & (READS - 1)]!);
    this.#reads = 0;
    this.#isPaused = false;
    this.#isPumping = false;
    this.isAdminBusy = false;
  }

  /** Lets a queue wait for its turn if it has entries. */
  #list(sqid: number): void {
    const { i32 } = this.memory;
    const at = this.sqs.at(sqid);
    if (i32[at + FETCH] !== i32[at + TAIL] && !(sqid === 0 && this.isAdminBusy === true))
      this.arbiter.add(sqid);
  }

  /** Entries that may be asked for in one read: what was rung, up to the ring's end, in the arbitration burst. */
  #allowance(sqid: number, at: number, first: number): number {
    const { i32 } = this.memory;
    const tail = i32[at + TAIL]!;
    const rung = (tail < first ? i32[at + SIZE]! : tail) - first;
    const free = this.slots.free - (this.#reads === 0 ? 0 : this.#promised());
    if (sqid === 0) return this.isAdminBusy ? 0 : Math.min(1, rung, free);
    const { credit } = this.arbiter;
    return Math.min(rung, free - ADMIN_SLOTS, this.burst === 0 ? BURST : this.burst, BURST, credit);
  }

  /** Slots that reads on their way will need. */
  #promised(): number {
    let sum = 0;
    for (let i = 0; i < this.#reads; i++) sum += this.#counts[(this.#readHead + i) & (READS - 1)]!;
    return sum;
  }

  #later(sqid: number, first: number, count: number, delay: number): void {
    if (sqid === 0) this.isAdminBusy = true;
    const at = (this.#readHead + this.#reads++) & (READS - 1);
    this.#queues[at] = sqid;
    this.#firsts[at] = first;
    this.#counts[at] = count;
    this.#events[at] = this.clock.after(delay, this.onArrived, 0);
  }

  #arrived(): void {
    const at = this.#readHead;
    this.#readHead = (at + 1) & (READS - 1);
    this.#reads--;
    this.#take(this.#queues[at]!, this.#firsts[at]!, this.#counts[at]!);
    this.pump();
  }

  /** The entries are here: they go into free slots, as many as are in a row at a time, and begin. */
  #take(sqid: number, first: number, count: number): void {
    const { i32 } = this.memory;
    const { slots } = this;
    const queue = this.sqs.at(sqid);
    const base = i32[queue + BASE]!;
    const end = first + count;
    let index = first;
    // A queue that is deleted while its entries are on their way wants none of them.
    while (index < end && i32[queue + EXISTS] === 1) {
      const slot = slots.nextFree();
      const run = slots.freeRun(slot, end - index);
      const low = (base + (index << ENTRY_SHIFT)) | 0;
      const high = carried(base, low, i32[queue + BASE_HIGH]!);
      const result = this.dma.readAt(low, high, slots.entry(slot) << 2, run << ENTRY_SHIFT);
      if (result !== OK) {
        return this.#unreadable(sqid, index, result);
      }
      if (sqid === 0) this.isAdminBusy = true;
      index += run;
      i32[queue + HEAD] = index === i32[queue + SIZE]! ? 0 : index;
      this.begin(slot, run, sqid);
    }
  }

  #unreadable(sqid: number, index: number, result: DmaResult): void {
    this.fatal(`entry ${index} of submission queue ${sqid} cannot be read: ${DMA_SENTENCES[result]}`);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.arbiter.archive(a);
    this.burst = a.value(this.burst);
    this.running = a.value(this.running);
    this.isAdminBusy = a.value(this.isAdminBusy);
    this.#isPaused = a.value(this.#isPaused);
    this.#isPumping = this.#isPaused;
    a.contents(this.#queues, this.#firsts, this.#counts, this.#events);
    this.#readHead = a.value(this.#readHead);
    this.#reads = a.value(this.#reads);
  }
}

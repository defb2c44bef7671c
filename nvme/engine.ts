/**
 * The command pipeline: fetch entries in round robin, decode, map the data pointer, move data, execute, post the
 * completion, raise the interrupt. Each step asks what it costs; a step that costs nothing goes on in the same call,
 * otherwise the clock calls the next one. Effects happen at the end of what they cost.
 * Not here: registers and doorbells (controller.ts), what commands mean (nvm.ts, admin.ts).
 */
import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import type { Msix } from '../machine/pcie/msix.ts';
import { T, type Trace } from '../machine/trace.ts';
import { assert } from '../support/assert.ts';
import type { ControllerTiming } from './profile.ts';
import { PrpWalker } from './prp.ts';
import { type CompletionQueues, CQ, QUEUE, SQ, type SubmissionQueues } from './queues.ts';
import { NO_SLOT, SLOT, type Slots } from './slots.ts';
import { opcodeName, SQE } from './spec/commands.ts';
import { DNR_BY_DEFAULT, STATUS } from './spec/status.ts';

/** `execute` keeps the command: it completes later through `complete` (Asynchronous Event Request). */
export const HELD = -1;
/** Entries asked for in one read, and reads on their way at one time. */
const FETCH_BURST = 16;
const FETCHES = 4;
/** Slots that I/O commands leave to the admin queue, so that an I/O queue nobody reaps cannot lock it out. */
const ADMIN_SLOTS = 1;
const ENTRY_BYTES = SQE.SIZE;
// File constants fold; imported bindings do not (slots.ts).
const { SUCCESS } = STATUS;
const { BASE, EXISTS, HEAD, SIZE, TAIL } = QUEUE;
const { CQID: SQ_CQID, FETCH, IN_FLIGHT } = SQ;
const { INTERRUPTS, PHASE, VECTOR, WAITING_FIRST, WAITING_LAST } = CQ;
const { BYTES, CID, CQID, DIRECTION, EVENT, NEXT, RESULT, RESULT1, SQID, STATUS: SLOT_STATUS } = SLOT;
const NONE = NO_SLOT;
const OK = DMA_OK;
const NO_DATA = 0;
const TO_HOST = 2;
const FREE_TIMING = { fetch_ns: 0, decode_ns: 0, complete_ns: 0, cores: 1 } as const;

/** What commands of one kind of queue mean. Every method takes a slot and returns a status. */
export interface CommandSet {
  /** Validates the entry; sets the slot's direction and bytes. */
  check(slot: number): number;
  /** Moves the host's data into the controller. */
  receive(slot: number): number;
  /** Does the work, or keeps the command (HELD). */
  execute(slot: number): number;
  /** Moves the controller's data to the host. */
  send(slot: number): number;
}

/** I/O commands also take the medium's time and can say why they failed. */
export interface IoCommandSet extends CommandSet {
  reason: string;
  delay(slot: number): number;
}

/** Who is told of every command that fails: `who` names it, `reason` is one sentence or empty. */
export interface FailureLog {
  commandFailed(slot: number, status: number, who: string, reason: string): void;
}

export interface EngineParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly dma: DmaPort;
  readonly msix: Msix;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly health: FailureLog;
  readonly timing: ControllerTiming | null;
  /** The controller cannot go on: CSTS.CFS. `reason` is one sentence. */
  readonly fatal: (reason: string) => void;
}

export class Engine {
  readonly prp: PrpWalker;
  /** Set once by the controller; they need the engine and the engine needs them. */
  admin!: CommandSet;
  nvm!: IoCommandSet;
  /** Entries per turn in round robin (Arbitration feature, AB); 0 means no limit. */
  burst = 0;
  /** False while the controller is disabled or failed: nothing is fetched or posted. */
  running = false;

  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  private readonly msix: Msix;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly health: FailureLog;
  readonly #timing: { readonly fetch_ns: number; readonly decode_ns: number; readonly complete_ns: number };
  readonly #fatal: (reason: string) => void;
  private readonly coreFreeAt: Float64Array;
  /** Submission queues with entries to fetch, in turn: a ring of queue ids. */
  /** SRAM for the entries of one read. */
  private readonly fetchBuffer: number;
  private readonly turn: Int32Array;
  private readonly listed: Uint8Array;
  #turnHead = 0;
  #turnCount = 0;
  /** Fetches on their way: queue, first entry, entries; answered in order. */
  readonly #fetchQueue = new Int32Array(FETCHES);
  readonly #fetchFirst = new Int32Array(FETCHES);
  readonly #fetchCount = new Int32Array(FETCHES);
  readonly #fetchEvent = new Float64Array(FETCHES);
  #fetchHead = 0;
  #fetching = 0;
  #isPumping = false;
  /** The admin command being worked on; its data buffer is shared, so the next one waits. */
  #adminSlot = NONE;
  private readonly onFetched: HandlerId;
  private readonly onDecoded: HandlerId;
  private readonly onMapped: HandlerId;
  private readonly onReceived: HandlerId;
  private readonly onExecuted: HandlerId;
  private readonly onSent: HandlerId;
  private readonly onPost: HandlerId;

  constructor(parts: EngineParts) {
    const { clock, timing } = parts;
    this.clock = clock;
    this.trace = parts.trace;
    this.memory = parts.memory;
    this.dma = parts.dma;
    this.msix = parts.msix;
    this.slots = parts.slots;
    this.sqs = parts.sqs;
    this.cqs = parts.cqs;
    this.health = parts.health;
    this.#timing = timing ?? FREE_TIMING;
    this.#fatal = parts.fatal;
    this.coreFreeAt = new Float64Array(timing?.cores ?? 1);
    this.turn = new Int32Array(parts.sqs.count);
    this.listed = new Uint8Array(parts.sqs.count);
    this.fetchBuffer = parts.memory.reserve(FETCH_BURST * ENTRY_BYTES);
    assert(this.fetchBuffer >= 0, 'device memory holds one burst of entries');
    this.prp = new PrpWalker(parts.memory, parts.dma, parts.slots);
    this.onFetched = clock.register(() => this.#fetched());
    this.onDecoded = clock.register((slot) => this.#decoded(slot));
    this.onMapped = clock.register((slot) => this.#mapped(slot));
    this.onReceived = clock.register((slot) => this.#received(slot));
    this.onExecuted = clock.register((slot) => this.#executed(slot));
    this.onSent = clock.register((slot) => this.#sent(slot));
    this.onPost = clock.register((slot) => this.#post(slot));
  }

  // ---- fetch ------------------------------------------------------------------------------------------------------

  /** The host rang the tail doorbell of `sqid`, or something that held fetching back has gone. */
  ring(sqid: number): void {
    this.#list(sqid);
    this.pump();
  }

  /** Fetches as long as there are entries, free slots and free fetch units. */
  pump(): void {
    if (this.#isPumping || !this.running) return;
    this.#isPumping = true;
    const { i32, f64 } = this.memory;
    let refused = 0;
    while (refused < this.#turnCount && this.#fetching < FETCHES) {
      const sqid = this.turn[this.#turnHead]!;
      const at = this.sqs.at(sqid);
      const first = i32[at + FETCH]!;
      const count = this.#allowance(sqid, at, first);
      this.#turnHead = this.#turnHead + 1 === this.turn.length ? 0 : this.#turnHead + 1;
      this.#turnCount--;
      this.listed[sqid] = 0;
      if (count <= 0) {
        this.#list(sqid);
        refused++;
        continue;
      }
      refused = 0;
      const next = first + count;
      i32[at + FETCH] = next === i32[at + SIZE]! ? 0 : next;
      this.#list(sqid);
      const iova = f64[(at + BASE) >>> 1]! + first * ENTRY_BYTES;
      const delay = this.#timing.fetch_ns + this.dma.readDelay(iova, count * ENTRY_BYTES);
      if (delay === 0) this.#take(sqid, first, count);
      else this.#fetchLater(sqid, first, count, delay);
    }
    this.#isPumping = false;
  }

  /** Entries that may be asked for in one read: what was rung, up to the ring's end, in the arbitration burst. */
  #allowance(sqid: number, at: number, first: number): number {
    const i32 = this.memory.i32;
    const tail = i32[at + TAIL]!;
    const rung = (tail < first ? i32[at + SIZE]! : tail) - first;
    const room =
      this.slots.free - (this.#fetching === 0 ? 0 : this.#promised()) - (sqid === 0 ? 0 : ADMIN_SLOTS);
    if (sqid === 0) return this.#adminSlot === NONE && !this.#isFetchingAdmin() ? Math.min(1, rung, room) : 0;
    return Math.min(rung, room, this.burst === 0 ? FETCH_BURST : this.burst, FETCH_BURST);
  }

  /** Puts a queue at the end of the turn if it has entries and is not there yet. */
  #list(sqid: number): void {
    const i32 = this.memory.i32;
    const at = this.sqs.at(sqid);
    if (this.listed[sqid] === 1 || i32[at + FETCH] === i32[at + TAIL]) return;
    if (sqid === 0 && this.#adminSlot !== NONE) return;
    this.listed[sqid] = 1;
    const end = this.#turnHead + this.#turnCount++;
    this.turn[end >= this.turn.length ? end - this.turn.length : end] = sqid;
  }

  #promised(): number {
    let sum = 0;
    for (let i = 0; i < this.#fetching; i++) sum += this.#fetchCount[(this.#fetchHead + i) & (FETCHES - 1)]!;
    return sum;
  }

  #isFetchingAdmin(): boolean {
    for (let i = 0; i < this.#fetching; i++) {
      if (this.#fetchQueue[(this.#fetchHead + i) & (FETCHES - 1)] === 0) return true;
    }
    return false;
  }

  #fetchLater(sqid: number, first: number, count: number, delay: number): void {
    const at = (this.#fetchHead + this.#fetching++) & (FETCHES - 1);
    this.#fetchQueue[at] = sqid;
    this.#fetchFirst[at] = first;
    this.#fetchCount[at] = count;
    this.#fetchEvent[at] = this.clock.after(delay, this.onFetched, 0);
  }

  #fetched(): void {
    const at = this.#fetchHead;
    this.#fetchHead = (at + 1) & (FETCHES - 1);
    this.#fetching--;
    this.#take(this.#fetchQueue[at]!, this.#fetchFirst[at]!, this.#fetchCount[at]!);
    this.pump();
  }

  /** The entries are here, in one read: each gets a slot and goes its way. */
  #take(sqid: number, first: number, count: number): void {
    const { i32, f64 } = this.memory;
    const queue = this.sqs.at(sqid);
    const base = f64[(queue + BASE) >>> 1]!;
    const result = this.dma.read(base + first * ENTRY_BYTES, this.fetchBuffer, count * ENTRY_BYTES);
    if (result !== OK) {
      const entries = count === 1 ? `entry ${first}` : `entries ${first} to ${first + count - 1}`;
      return this.#fatal(`${entries} of submission queue ${sqid} cannot be read: ${DMA_SENTENCES[result]}`);
    }
    const size = i32[queue + SIZE]!;
    const end = this.fetchBuffer + count * ENTRY_BYTES;
    let head = first;
    // A command that completes at once may let the host in, but never back in here: pumping is not nested.
    for (let entry = this.fetchBuffer; entry < end; entry += ENTRY_BYTES) {
      if (i32[queue + EXISTS] === 0) return;
      head = head + 1 === size ? 0 : head + 1;
      i32[queue + HEAD] = head;
      i32[queue + IN_FLIGHT]!++;
      this.#begin(sqid, this.slots.take(sqid, i32[queue + SQ_CQID]!, entry >>> 3));
    }
  }

  #begin(sqid: number, slot: number): void {
    if (sqid === 0) this.#adminSlot = slot;
    if (this.trace.on) this.#emit(T.NVME_FETCH, slot, this.slots.dword(slot, 0) & 0xff);
    const { decode_ns } = this.#timing;
    const delay = decode_ns === 0 ? 0 : this.#core(decode_ns);
    if (delay === 0) this.#decoded(slot);
    else this.#later(slot, delay, this.onDecoded);
  }

  #later(slot: number, delay: number, handler: HandlerId): void {
    this.memory.f64[(this.slots.at(slot) + EVENT) >>> 1] = this.clock.after(delay, handler, slot);
  }

  /** Nanoseconds until a firmware core that is asked now has worked for `work_ns`. */
  #core(work_ns: number): number {
    const free = this.coreFreeAt;
    let core = 0;
    for (let other = 1; other < free.length; other++) if (free[other]! < free[core]!) core = other;
    free[core] = Math.max(free[core]!, this.clock.now) + work_ns;
    return free[core]! - this.clock.now;
  }

  // ---- the way of one command ---------------------------------------------------------------------------------------

  #decoded(slot: number): void {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    const status = i32[at + SQID] === 0 ? this.admin.check(slot) : this.nvm.check(slot);
    if (status !== SUCCESS) return this.fail(slot, status);
    if (i32[at + DIRECTION] === NO_DATA) return this.#execute(slot);
    const delay = this.prp.delay(slot, i32[at + BYTES]!);
    if (delay === 0) this.#mapped(slot);
    else this.#later(slot, delay, this.onMapped);
  }

  /** The PRP lists are here: walk them, then fetch the data or execute. */
  #mapped(slot: number): void {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    const bytes = i32[at + BYTES]!;
    const status = this.prp.walk(slot, bytes);
    if (status !== SUCCESS) return this.fail(slot, status, this.prp.reason);
    if (i32[at + DIRECTION] === TO_HOST) return this.#execute(slot);
    const delay = this.dma.readDelay(this.slots.segmentAddress(slot, 0), bytes);
    if (delay === 0) this.#received(slot);
    else this.#later(slot, delay, this.onReceived);
  }

  /** The host's data arrive. */
  #received(slot: number): void {
    const status = this.slots.sqid(slot) === 0 ? this.admin.receive(slot) : this.nvm.receive(slot);
    if (status !== SUCCESS) return this.fail(slot, status);
    this.#execute(slot);
  }

  #execute(slot: number): void {
    const delay = this.slots.sqid(slot) === 0 ? 0 : this.nvm.delay(slot);
    if (this.trace.on) this.#emit(T.NVME_EXECUTE, slot, delay);
    if (delay === 0) this.#executed(slot);
    else this.#later(slot, delay, this.onExecuted);
  }

  /** The medium or the firmware has done its part. */
  #executed(slot: number): void {
    const slots = this.slots;
    if (this.trace.on) this.#emit(T.NVME_MEDIA, slot, 0);
    const status = slots.sqid(slot) === 0 ? this.admin.execute(slot) : this.nvm.execute(slot);
    if (status === HELD) {
      this.#release(slot);
      return this.pump();
    }
    if (status !== SUCCESS) return this.fail(slot, status);
    if (slots.i32[slots.at(slot) + DIRECTION] !== TO_HOST) return this.complete(slot, SUCCESS);
    const delay = this.dma.writeDelay(slots.segmentAddress(slot, 0), slots.bytes(slot));
    if (delay === 0) this.#sent(slot);
    else this.#later(slot, delay, this.onSent);
  }

  /** The data reach the host. */
  #sent(slot: number): void {
    const status = this.slots.sqid(slot) === 0 ? this.admin.send(slot) : this.nvm.send(slot);
    if (this.trace.on) this.#emit(T.NVME_TRANSFER, slot, this.slots.bytes(slot));
    if (status !== SUCCESS) return this.fail(slot, status);
    this.complete(slot, SUCCESS);
  }

  #emit(point: number, slot: number, value: number): void {
    this.trace.emit(point, this.dma.requester, this.slots.sqid(slot), this.slots.cid(slot), value);
  }

  /**
   * Moves one piece between device-local memory and host memory for a command's data phase.
   * A refusal is remembered so that the failing command can name it.
   */
  move(isToHost: boolean, address: number, local: number, bytes: number): DmaResult {
    const result = isToHost ? this.dma.write(address, local, bytes) : this.dma.read(address, local, bytes);
    if (result !== OK) {
      this.#failedAt = address;
      this.#failedWith = result;
    }
    return result;
  }

  #failedAt = 0;
  #failedWith: DmaResult = DMA_OK;

  /** Why the command failed, taken from whoever knows: the data movement, or the command set. */
  #reason(slot: number): string {
    const reason = this.#failedWith === OK ? this.nvm.reason : this.#dmaReason(slot);
    this.nvm.reason = '';
    return reason;
  }

  #dmaReason(slot: number): string {
    const slots = this.slots;
    let piece = 0;
    for (let index = 0; index < slots.segments(slot); index++) {
      const start = slots.segmentAddress(slot, index);
      if (this.#failedAt >= start && this.#failedAt < start + slots.segmentBytes(slot, index)) piece = index;
    }
    const isPair = slots.segments(slot) === 2;
    const entry = piece === 0 ? 'PRP1' : isPair ? 'PRP2' : `PRP list entry ${piece - 1}`;
    const reason = `${entry}: the data at IOVA 0x${this.#failedAt.toString(16)}: ${DMA_SENTENCES[this.#failedWith]}`;
    this.#failedWith = OK;
    return reason;
  }

  // ---- completion ---------------------------------------------------------------------------------------------------

  /** Completes a command with an error: logged, counted and explained. `reason` is one sentence or empty; by default what is known. */
  fail(slot: number, status: number, reason = this.#reason(slot)): void {
    const slots = this.slots;
    const sqid = slots.sqid(slot);
    const name = opcodeName(sqid === 0, slots.dword(slot, 0) & 0xff);
    this.health.commandFailed(slot, status, `${name} (SQ ${sqid}, CID ${slots.cid(slot)})`, reason);
    if (this.trace.on) this.#emit(T.NVME_REJECT, slot, status);
    this.complete(slot, status);
  }

  /** Completes a command. Its slot is given back when the entry has been posted. */
  complete(slot: number, status: number): void {
    this.slots.i32[this.slots.at(slot) + SLOT_STATUS] = status;
    const { complete_ns } = this.#timing;
    const delay = complete_ns === 0 ? 0 : this.#core(complete_ns) + this.dma.followDelay(16);
    if (delay === 0) this.#post(slot);
    else this.#later(slot, delay, this.onPost);
  }

  /** The host moved the head of `cqid`: completions that waited for room go out. */
  released(cqid: number): void {
    const { i32 } = this.memory;
    const at = this.cqs.at(cqid);
    while (i32[at + WAITING_FIRST] !== NONE && !this.cqs.isFull(cqid)) {
      const slot = i32[at + WAITING_FIRST]!;
      i32[at + WAITING_FIRST] = i32[this.slots.at(slot) + NEXT]!;
      this.#post(slot);
    }
    if (this.#turnCount > 0) this.pump();
  }

  #post(slot: number): void {
    const slots = this.slots;
    const { i32, f64 } = this.memory;
    const at = slots.at(slot);
    const queue = this.cqs.at(i32[at + CQID]!);
    const tail = i32[queue + TAIL]!;
    const next = tail + 1 === i32[queue + SIZE]! ? 0 : tail + 1;
    if (next === i32[queue + HEAD]!) return this.#wait(slot, queue);
    const sqid = i32[at + SQID]!;
    const submission = this.sqs.at(sqid);
    const status = i32[at + SLOT_STATUS]!;
    const phase = i32[queue + PHASE]!;
    const result = this.dma.write16(
      f64[(queue + BASE) >>> 1]! + tail * 16,
      i32[at + RESULT]!,
      i32[at + RESULT1]!,
      i32[submission + HEAD]! | (sqid << 16),
      i32[at + CID]! | (phase << 16) | (status << 17) | (DNR_BY_DEFAULT[status]! << 31),
    );
    if (result !== OK) {
      const cqid = i32[at + CQID]!;
      return this.#fatal(
        `entry ${tail} of completion queue ${cqid} cannot be written: ${DMA_SENTENCES[result]}`,
      );
    }
    i32[queue + TAIL] = next;
    if (next === 0) i32[queue + PHASE] = phase ^ 1;
    if (this.trace.on) this.#emit(T.NVME_COMPLETE, slot, status);
    if (this.#adminSlot === slot) this.#release(slot);
    i32[submission + IN_FLIGHT]!--;
    slots.give(slot);
    if (i32[queue + INTERRUPTS] === 1) {
      if (this.trace.on) this.trace.emit(T.NVME_INTERRUPT, this.dma.requester, sqid, i32[queue + VECTOR]!);
      this.msix.raise(i32[queue + VECTOR]!, true);
    }
    if (this.#turnCount > 0) this.pump();
  }

  #wait(slot: number, queue: number): void {
    const { i32 } = this.memory;
    i32[this.slots.at(slot) + NEXT] = NONE;
    const last = i32[queue + WAITING_LAST]!;
    if (i32[queue + WAITING_FIRST] === NONE) i32[queue + WAITING_FIRST] = slot;
    else i32[this.slots.at(last) + NEXT] = slot;
    i32[queue + WAITING_LAST] = slot;
  }

  /** The admin buffer is free again: the next admin command may come. */
  #release(slot: number): void {
    if (this.#adminSlot !== slot) return;
    this.#adminSlot = NONE;
    if (this.sqs.exists(0)) this.#list(0);
  }

  // ---- ends ---------------------------------------------------------------------------------------------------------

  /** Takes every command of `sqid` out of the pipeline; each completes with `status` (Delete I/O SQ, Abort). */
  abortQueue(sqid: number, status: number): void {
    for (let slot = 0; slot < this.slots.count; slot++) {
      if (this.slots.isBusy(slot) && this.slots.sqid(slot) === sqid) this.abort(slot, status);
    }
  }

  /** Completes one command at once with `status`, whatever it was waiting for. False when it waits to be posted. */
  abort(slot: number, status: number): boolean {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    let waiting = i32[this.cqs.at(i32[at + CQID]!) + WAITING_FIRST]!;
    for (; waiting !== NONE; waiting = i32[this.slots.at(waiting) + NEXT]!) {
      if (waiting === slot) return false;
    }
    this.#cancel(slot);
    i32[at + SLOT_STATUS] = status;
    this.#post(slot);
    return true;
  }

  /** Drops completions that wait for room in `cqid`: it is being deleted, and the host will never make any. */
  forget(cqid: number): void {
    const { i32 } = this.memory;
    let waiting = i32[this.cqs.at(cqid) + WAITING_FIRST]!;
    for (; waiting !== NONE; waiting = i32[this.slots.at(waiting) + NEXT]!) this.slots.give(waiting);
  }

  /** Controller reset: everything in flight is gone without a completion. */
  reset(): void {
    this.running = false;
    const slots = this.slots;
    for (let slot = 0; slot < slots.count; slot++) {
      if (!slots.isBusy(slot)) continue;
      this.#cancel(slot);
      slots.give(slot);
    }
    for (let i = 0; i < this.#fetching; i++) {
      this.clock.cancel(this.#fetchEvent[(this.#fetchHead + i) & (FETCHES - 1)]!);
    }
    this.#fetching = 0;
    this.#turnCount = 0;
    this.listed.fill(0);
    this.sqs.removeAll();
    this.cqs.removeAll();
    this.#adminSlot = NONE;
    assert(slots.free === slots.count, 'every slot is free after a reset');
  }

  #cancel(slot: number): void {
    this.clock.cancel(this.memory.f64[(this.slots.at(slot) + EVENT) >>> 1]!);
  }
}

/**
 * The way of one command: decode, map the data pointer, move data, execute, complete. Each step asks what it costs; a
 * step that costs nothing goes on in the same call, otherwise the clock calls the next one. Effects happen at the end
 * of what they cost. Not here: fetching (fetcher.ts), posting (completer.ts), registers and doorbells (controller.ts),
 * what commands mean (nvm.ts, admin.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { DmaPort, DmaResult } from '../machine/pcie/dma-port.ts';
import type { Jitter } from '../machine/timing/jitter.ts';
import { T, type Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { CidGuard } from './cid-guard.ts';
import { type CommandSet, type FailureLog, HELD, type IoCommandSet } from './command-set.ts';
import { Completer, type InterruptSink } from './completer.ts';
import { Cores } from './cores.ts';
import { DataMover } from './data-mover.ts';
import { Fetcher } from './fetcher.ts';
import type { ControllerProfile } from './profile.ts';
import { PrpWalker } from './prp.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { hasQuirk } from './quirks.ts';
import { ShortWay, type Statistics } from './short-way.ts';
import { DATA_NONE, DATA_TO_CONTROLLER, DATA_TO_HOST, NO_SLOT, SLOT, type Slots } from './slots.ts';
import { codeOf, STATUS } from './spec/status.ts';

// File constants fold; imported bindings do not (slots.ts).
const { SUCCESS } = STATUS;
const KEPT = HELD;
const { BYTES, DIRECTION, EVENT, SQID, STATUS: SLOT_STATUS } = SLOT;
const NO_DATA = DATA_NONE;
const TO_HOST = DATA_TO_HOST;
const TO_CONTROLLER = DATA_TO_CONTROLLER;
const FREE_TIMING = { fetch_ns: 0, decode_ns: 0, complete_ns: 0, cores: 1 } as const;

export interface EngineParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly dma: DmaPort;
  readonly interrupts: InterruptSink;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly health: FailureLog & Statistics;
  readonly profile: Pick<ControllerProfile, 'timing' | 'strict' | 'quirks' | 'map'>;
  /** Chance in the time that a command keeps a core; none when absent. */
  readonly firmware?: Jitter | null;
  /** The controller cannot go on: CSTS.CFS. `reason` is one sentence. */
  readonly fatal: (reason: string) => void;
}

export class Engine {
  readonly prp: PrpWalker;
  readonly data: DataMover;
  readonly fetcher: Fetcher;
  readonly completer: Completer;
  readonly shortWay: ShortWay;
  /** Set once by the controller; they need the engine and the engine needs them. */
  admin!: CommandSet;
  nvm!: IoCommandSet;

  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly health: FailureLog;
  private readonly takesNoTime: boolean;
  /** Data that cannot be moved fail a command. */
  private readonly hasShortWay: boolean;
  /** null: identifiers are not looked at. */
  private readonly guard: CidGuard | null;
  private readonly cores: Cores;
  private readonly onDecoded: HandlerId;
  private readonly onMapped: HandlerId;
  private readonly onReceived: HandlerId;
  private readonly onExecuted: HandlerId;
  private readonly onSent: HandlerId;
  private readonly onPost: HandlerId;
  /** The admin command being worked on. */
  #adminSlot = NO_SLOT;

  constructor(parts: EngineParts) {
    const { clock, memory, trace, dma, interrupts, slots, sqs, cqs, fatal } = parts;
    const { profile } = parts;
    const timing = profile.timing ?? FREE_TIMING;
    this.clock = clock;
    this.trace = trace;
    this.memory = memory;
    this.dma = dma;
    this.slots = slots;
    this.sqs = sqs;
    this.cqs = cqs;
    this.health = parts.health;
    this.guard = profile.strict ? new CidGuard(slots) : null;
    // A medium behind a map is asked before each command, even where it takes no time.
    this.takesNoTime = profile.timing === null && this.guard === null && profile.map === undefined;
    this.cores = new Cores(clock, timing, parts.firmware ?? null);
    this.prp = new PrpWalker(memory, dma, slots, profile);
    const losesData = hasQuirk(profile, 'losesData');
    this.data = new DataMover(memory, dma, losesData);
    this.hasShortWay = !losesData;
    const begin = (first: number, count: number, sqid: number): void => this.#begin(first, count, sqid);
    this.completer = new Completer({ memory, trace, dma, interrupts, slots, sqs, cqs, fatal });
    this.shortWay = new ShortWay({
      ...parts,
      prp: this.prp,
      completer: this.completer,
      refused: (slot, sqid, local, result) => this.#refused(slot, sqid, local, result),
    });
    this.fetcher = new Fetcher({ clock, memory, dma, slots, sqs, fetch_ns: timing.fetch_ns, begin, fatal });
    this.onDecoded = clock.register((slot) => this.#decoded(slot));
    this.onMapped = clock.register((slot) => this.#mapped(slot));
    this.onReceived = clock.register((slot) => this.#received(slot));
    this.onExecuted = clock.register((slot) => this.#executed(slot));
    this.onSent = clock.register((slot) => this.#sent(slot));
    this.onPost = clock.register((slot) => this.#post(slot));
  }

  /** False while the controller is disabled, failed or shut down: nothing is fetched or posted. */
  get running(): boolean {
    return this.fetcher.running;
  }

  set running(isRunning: boolean) {
    this.fetcher.running = isRunning;
  }

  /** Entries have arrived in `count` slots from `first` on. */
  #begin(first: number, count: number, sqid: number): void {
    const end = first + count;
    if (sqid !== 0 && this.takesNoTime === true && this.dma.link.free === true && this.trace.on === false) {
      for (let slot = first; slot < end; slot++) {
        if (this.hasShortWay === true) slot = this.shortWay.run(slot, end, sqid);
        if (slot >= end) break;
        this.#takeSlots(slot, 1, sqid);
        this.#runThrough(slot);
      }
    } else {
      this.#takeSlots(first, count, sqid);
      this.guard?.arrived(first, count);
      for (let slot = first; slot < end; slot++) this.#decode(slot, sqid);
    }
  }

  #takeSlots(first: number, count: number, sqid: number): void {
    this.slots.take(first, count, sqid, this.sqs.cqid(sqid));
  }

  /** Data of a command that goes the short way could not be moved: it ends here. */
  #refused(slot: number, sqid: number, local: number, result: DmaResult): void {
    const { slots } = this;
    this.#takeSlots(slot, 1, sqid);
    this.nvm.check(slot);
    const bytes = slots.bytes(slot);
    this.prp.walk(slot, bytes);
    const isToHost = slots.i32[slots.at(slot) + DIRECTION] === TO_HOST;
    this.data.refused(isToHost, slots.segmentAddress(slot, 0), local, bytes, result);
    this.fail(slot, STATUS.DATA_TRANSFER_ERROR);
  }

  #decode(slot: number, sqid: number): void {
    if (sqid === 0) this.#adminSlot = slot;
    if (this.trace.on === true) this.#emit(T.NVME_FETCH, slot, this.slots.dword(slot, 0) & 0xff);
    const delay = this.cores.decode();
    if (delay === 0) this.#decoded(slot);
    else this.#later(slot, delay, this.onDecoded);
  }

  /**
   * Where neither the controller nor its link takes time an I/O command needs no events: the steps of `#decoded` to
   * `complete` in one go. It is called while entries are being fetched, so that nothing needs to be pumped after it.
   */
  #runThrough(slot: number): void {
    const { nvm } = this;
    let status = nvm.check(slot);
    let reason: string | undefined;
    if (status === SUCCESS) {
      const { i32 } = this.memory;
      const at = this.slots.at(slot);
      const direction = i32[at + DIRECTION]!;
      if (direction !== NO_DATA) {
        status = this.prp.walk(slot, i32[at + BYTES]!);
        if (status !== SUCCESS) reason = this.prp.reason;
      }
      if (status === SUCCESS && direction === TO_CONTROLLER) status = nvm.receive(slot);
      if (status === SUCCESS) status = nvm.execute(slot);
      if (status === SUCCESS && direction === TO_HOST) status = nvm.send(slot);
    }
    if (status !== SUCCESS) {
      if (status !== KEPT) this.fail(slot, status, reason);
      return;
    }
    this.memory.i32[this.slots.at(slot) + SLOT_STATUS] = SUCCESS;
    if (this.fetcher.running === true) this.completer.post(slot);
  }

  #later(slot: number, delay: number, handler: HandlerId): void {
    this.memory.f64[(this.slots.at(slot) + EVENT) >>> 1] = this.clock.after(delay, handler, slot);
  }

  // ---- the way of one command ---------------------------------------------------------------------------------------

  #decoded(slot: number): void {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    if (this.guard !== null && !this.guard.claim(slot)) return this.#refuseIdentifier(slot);
    const status = i32[at + SQID] === 0 ? this.admin.check(slot) : this.nvm.check(slot);
    if (status === SUCCESS) this.accept(slot);
    else if (status !== KEPT) this.fail(slot, status);
  }

  #refuseIdentifier(slot: number): void {
    const reason = `CID ${this.slots.cid(slot)} is in use (Base 2.1 §4.1.1)`;
    this.fail(slot, STATUS.COMMAND_ID_CONFLICT, reason);
  }

  /** The command was checked: its data pointer is looked at, if it has one. */
  accept(slot: number): void {
    const { i32 } = this.memory;
    const at = this.slots.at(slot);
    if (i32[at + DIRECTION] === NO_DATA) return this.#execute(slot);
    const delay = this.prp.delay(slot, i32[at + BYTES]!);
    if (delay === 0) this.#mapped(slot);
    else this.#later(slot, delay, this.onMapped);
  }

  /** The PRP lists are here. */
  #mapped(slot: number): void {
    const status = this.prp.walk(slot, this.slots.bytes(slot));
    if (status === SUCCESS) this.mapped(slot);
    else this.fail(slot, status, this.prp.reason);
  }

  /** The pieces of host memory are known: fetch the data, or execute. */
  mapped(slot: number): void {
    const { slots } = this;
    if (slots.i32[slots.at(slot) + DIRECTION] === TO_HOST) return this.#execute(slot);
    const delay = this.dma.readDelay(slots.segmentAddress(slot, 0), slots.bytes(slot));
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
    if (this.trace.on === true) this.#emit(T.NVME_EXECUTE, slot, delay);
    if (delay === 0) this.#executed(slot);
    else this.#later(slot, delay, this.onExecuted);
  }

  /** The medium or the firmware has done its part. */
  #executed(slot: number): void {
    const slots = this.slots;
    if (this.trace.on === true) this.#emit(T.NVME_MEDIA, slot, 0);
    const isAdmin = slots.sqid(slot) === 0;
    const status = isAdmin ? this.admin.execute(slot) : this.nvm.execute(slot);
    if (status === KEPT) {
      if (!isAdmin) return;
      this.#adminSlot = NO_SLOT;
      this.fetcher.admit();
      return this.fetcher.pump();
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
    if (this.trace.on === true) this.#emit(T.NVME_TRANSFER, slot, this.slots.bytes(slot));
    if (status !== SUCCESS) return this.fail(slot, status);
    this.complete(slot, SUCCESS);
  }

  #emit(point: number, slot: number, value: number): void {
    this.trace.emit(point, this.dma.requester, this.slots.sqid(slot), this.slots.cid(slot), value);
  }

  /** Why the command failed, taken from whoever knows: the data movement, or the command set. */
  #reason(slot: number): string {
    const reason = this.data.takeReason((address) => this.prp.entryAt(slot, address)) ?? this.nvm.reason;
    this.nvm.reason = '';
    return reason;
  }

  // ---- ends -------------------------------------------------------------------------------------------------------

  /**
   * Completes a command with an error: logged, counted and explained. `reason` is one sentence or empty; by default
   * what is known.
   */
  fail(slot: number, status: number, reason = this.#reason(slot)): void {
    const { slots } = this;
    const sqid = slots.sqid(slot);
    this.health.commandFailed(slot, codeOf(status), reason);
    if (sqid !== 0) this.nvm.drop(slot);
    this.complete(slot, status);
  }

  /** Completes a command. Its slot is given back when the entry has been posted. */
  complete(slot: number, status: number): void {
    this.memory.i32[this.slots.at(slot) + SLOT_STATUS] = status;
    const work = this.cores.complete();
    const delay = work === 0 ? 0 : work + this.dma.followDelay(16);
    if (delay === 0) this.#post(slot);
    else this.#later(slot, delay, this.onPost);
  }

  #post(slot: number): void {
    if (this.fetcher.running === true && this.completer.post(slot)) this.#goOn();
  }

  /** Posts the completion of a held command although nothing else goes on any more. */
  postLast(slot: number): void {
    this.memory.i32[this.slots.at(slot) + SLOT_STATUS] = SUCCESS;
    this.completer.post(slot);
  }

  /** Slots have become free, and with them perhaps the way for entries that waited. */
  #goOn(): void {
    if (this.#adminSlot !== NO_SLOT && !this.slots.isBusy(this.#adminSlot)) {
      this.#adminSlot = NO_SLOT;
      this.fetcher.admit();
    }
    this.fetcher.pump();
  }

  /** The host moved the head of `cqid`. */
  released(cqid: number): void {
    this.completer.released(cqid);
    this.#goOn();
  }

  /** Takes every command of `sqid` out of the pipeline; each completes with `status` (Delete I/O SQ, Abort). */
  abortQueue(sqid: number, status: number): void {
    for (let slot = 0; slot < this.slots.count; slot++) {
      if (this.slots.isBusy(slot) && this.slots.sqid(slot) === sqid) this.abort(slot, status);
    }
  }

  /** Completes one command at once with `status`, whatever it was waiting for. False when it waits to be posted. */
  abort(slot: number, status: number): boolean {
    if (this.completer.isWaiting(slot)) return false;
    if (this.slots.sqid(slot) !== 0) this.nvm.drop(slot);
    this.#cancel(slot);
    this.memory.i32[this.slots.at(slot) + SLOT_STATUS] = status;
    this.#post(slot);
    return true;
  }

  /**
   * A fault to look for: the firmware loses one command of `sqid` that it works on, which then never completes by
   * itself; Abort or a reset ends it. Returns its CID, or null when none is being worked on.
   */
  lose(sqid: number): number | null {
    for (let slot = 0; slot < this.slots.count; slot++) {
      if (!this.slots.isBusy(slot) || this.slots.sqid(slot) !== sqid) continue;
      if (this.clock.cancel(this.memory.f64[(this.slots.at(slot) + EVENT) >>> 1]!))
        return this.slots.cid(slot);
    }
    return null;
  }

  /** Controller reset: everything in flight is gone without a completion. */
  reset(): void {
    const { slots } = this;
    this.running = false;
    for (let slot = 0; slot < slots.count; slot++) {
      if (!slots.isBusy(slot)) continue;
      this.#cancel(slot);
      slots.give(slot);
    }
    this.fetcher.reset();
    this.sqs.removeAll();
    this.cqs.removeAll();
    this.#adminSlot = NO_SLOT;
    assert(slots.free === slots.count, 'every slot is free after a reset');
  }

  #cancel(slot: number): void {
    this.clock.cancel(this.memory.f64[(this.slots.at(slot) + EVENT) >>> 1]!);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.slots.archive(a);
    this.fetcher.archive(a);
    this.prp.archive(a);
    this.guard?.archive(a);
    this.cores.archive(a);
    this.#adminSlot = a.value(this.#adminSlot);
    this.data.archive(a);
  }
}

/**
 * Plain Read and Write, the short way: PRPs, blocks without metadata, nothing to be careful about. `check` recognises
 * them; data move between host memory and the namespace's store without a stop. Everything else, failures included, goes
 * the careful way through io/commands.ts. NVM Command Set 1.1 §3.3.
 */

import { DMA_OK } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { type BlockStore, STORE_FAILED } from './block-store.ts';
import type { DataMover } from './data-mover.ts';
import type { Health } from './health.ts';
import type { Context } from './io/command.ts';
import { IoCommands } from './io/commands.ts';
import type { Media } from './media.ts';
import type { Namespace } from './namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST, SEGMENT, SLOT, type Slots } from './slots.ts';
import { NVM, SQE } from './spec/commands.ts';
import { STATUS } from './spec/status.ts';

/** Opcode, FUSE and PSDT: the low half of CDW0. */
const OPCODE_AND_FLAGS = 0xffff;
const NLB_MASK = 0xffff;
const NLB_BITS = 16;
// File constants fold; imported bindings do not (slots.ts).
const { SUCCESS } = STATUS;
const { BYTES, DIRECTION, NAMESPACE, OFFSET, SEGMENTS } = SLOT;
const { BYTES: PIECE_BYTES, WORDS: PIECE_WORDS } = SEGMENT;
const { READ, WRITE } = NVM;
const NSID = SQE.NSID >>> 2;
const PRP1 = SQE.PRP1 >>> 2;
const CDW10 = SQE.CDW10 >>> 2;
const CDW11 = SQE.CDW11 >>> 2;
const CDW12 = SQE.CDW12 >>> 2;
const CDW13 = SQE.CDW13 >>> 2;
const TO_CONTROLLER = DATA_TO_CONTROLLER;
const TO_HOST = DATA_TO_HOST;
const OK = DMA_OK;

export class NvmCommands {
  /** Why the last call failed, when the status alone does not say; the engine takes it. */
  reason = '';
  private readonly slots: Slots;
  private readonly mover: DataMover;
  private readonly media: Media;
  private readonly health: Health;
  private readonly namespaces: readonly (Namespace | undefined)[];
  private readonly careful: IoCommands;
  private readonly context: Context;
  private readonly maxTransfer: number;
  /** Whether writes may be lost later, so that none is plain. */
  private readonly isCacheLost: boolean;
  /** Largest plain transfer: 0 while every command has to go the careful way. */
  private plainLimit: number;

  constructor(context: Context) {
    this.slots = context.slots;
    this.mover = context.engine.data;
    this.media = context.media;
    this.health = context.health;
    this.namespaces = context.namespaces;
    this.context = context;
    this.careful = new IoCommands(context);
    this.maxTransfer = context.maxTransfer;
    this.isCacheLost = context.profile.dirty_bytes > 0;
    this.plainLimit = this.isCacheLost ? 0 : this.maxTransfer;
    this.health.condition.onSleep = () => this.#setLimit();
  }

  /** Controller level reset. */
  reset(): void {
    this.careful.reset();
    this.#setLimit();
  }

  /** Power is lost: what only the volatile write cache had is gone. */
  losePower(): void {
    const { cache, features } = this.context;
    if (features.writeCache) cache?.lose();
    else cache?.clear();
  }

  /** Normal shutdown: everything that was written is durable. */
  flush(): void {
    for (const namespace of this.namespaces)
      if (namespace !== undefined) this.context.blocks.flush(namespace);
  }

  // ---- check ------------------------------------------------------------------------------------------------------

  /** Validates the entry; sets namespace, direction, bytes and offset of the slot. Returns a status, or HELD. */
  check(slot: number): number {
    const { i32, f64 } = this.slots;
    const entry = this.slots.entry(slot);
    const namespace = this.plain(entry);
    if (namespace === null) return this.#carefully(slot);
    const at = this.slots.at(slot);
    i32[at + NAMESPACE] = namespace.nsid;
    i32[at + DIRECTION] = (i32[entry]! & OPCODE_AND_FLAGS) === READ ? TO_HOST : TO_CONTROLLER;
    i32[at + BYTES] = ((i32[entry + CDW12]! & NLB_MASK) + 1) * namespace.block_bytes;
    f64[(at + OFFSET) >>> 1] = i32[entry + CDW10]! * namespace.block_bytes;
    return SUCCESS;
  }

  /** The namespace of a plain command whose entry begins at word `entry`, below block 2^31; null when it is none. */
  plain(entry: number): Namespace | null {
    const { i32 } = this.slots;
    const kind = i32[entry]! & OPCODE_AND_FLAGS;
    const nsid = i32[entry + NSID]!;
    if ((kind !== READ && kind !== WRITE) || nsid < 0 || nsid >= this.namespaces.length) return null;
    const namespace = this.namespaces[nsid];
    const cdw12 = i32[entry + CDW12]!;
    if (namespace === undefined || ((cdw12 >>> NLB_BITS) | i32[entry + CDW13]! | namespace.special) !== 0)
      return null;
    const first = i32[entry + CDW10]!;
    const count = (cdw12 & NLB_MASK) + 1;
    if (first < 0 || i32[entry + CDW11] !== 0 || first + count > namespace.blocks) return null;
    if (count * namespace.block_bytes > this.plainLimit) return null;
    // Pages begin at whole blocks, so that no failure between two of them leaves half a block written.
    if (kind === WRITE && (i32[entry + PRP1]! & (namespace.block_bytes - 1)) !== 0) return null;
    return namespace;
  }

  #carefully(slot: number): number {
    this.health.condition.wake();
    const status = this.careful.check(slot);
    this.#setLimit();
    return status;
  }

  #setLimit(): void {
    const isCareful = this.isCacheLost || this.careful.isWaiting || this.health.condition.isAsleep;
    this.plainLimit = isCareful ? 0 : this.maxTransfer;
  }

  /** The command failed or is being aborted. */
  drop(slot: number): void {
    this.careful.drop(slot);
    this.#setLimit();
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  /** Nanoseconds the medium needs for the command. */
  delay(slot: number): number {
    if (this.media.free === true) return 0;
    return this.context.health.condition.delay(this.#mediumDelay(slot));
  }

  #mediumDelay(slot: number): number {
    const at = this.slots.at(slot);
    const nsid = this.slots.i32[at + NAMESPACE]!;
    if (nsid <= 0) return this.careful.delay(slot);
    const offset = this.namespaces[nsid]!.mediaBase + this.slots.f64[(at + OFFSET) >>> 1]!;
    const bytes = this.slots.i32[at + BYTES]!;
    const isRead = this.slots.i32[at + DIRECTION] === TO_HOST;
    return isRead ? this.media.read(offset, bytes) : this.media.write(offset, bytes);
  }

  // ---- data and effect ----------------------------------------------------------------------------------------------

  /** Brings a plain Write's data into the store. All others fetch theirs when they execute. */
  receive(slot: number): number {
    const { i32, f64 } = this.slots;
    const at = this.slots.at(slot);
    const nsid = i32[at + NAMESPACE]!;
    if (nsid <= 0) return SUCCESS;
    const { store } = this.namespaces[nsid]!;
    let offset = f64[(at + OFFSET) >>> 1]!;
    let segment = this.slots.segmentsAt(slot);
    const end = segment + i32[at + SEGMENTS]! * PIECE_WORDS;
    for (; segment < end; segment += PIECE_WORDS) {
      let address = f64[segment >>> 1]!;
      let left = i32[segment + PIECE_BYTES]!;
      while (left > 0) {
        const untilRun = store.run - (offset & (store.run - 1));
        const step = left < untilRun ? left : untilRun;
        const local = store.stage(offset, step);
        if (local < 0) return this.#storeFailed(store, STATUS.WRITE_FAULT);
        if (this.mover.move(false, address, local, step) !== OK) return STATUS.DATA_TRANSFER_ERROR;
        if (store.commit(offset, step) === STORE_FAILED) return this.#storeFailed(store, STATUS.WRITE_FAULT);
        offset += step;
        address += step;
        left -= step;
      }
    }
    this.health.wrote(i32[at + BYTES]!);
    return SUCCESS;
  }

  /** Does what remains when medium and data are there. Returns a status, or HELD. */
  execute(slot: number): number {
    return this.slots.i32[this.slots.at(slot) + NAMESPACE]! > 0 ? SUCCESS : this.careful.execute(slot);
  }

  /** Sends Read's data to the host. */
  send(slot: number): number {
    const { i32, f64 } = this.slots;
    const at = this.slots.at(slot);
    const nsid = i32[at + NAMESPACE]!;
    if (nsid <= 0) return this.careful.send(slot);
    const { store } = this.namespaces[nsid]!;
    let offset = f64[(at + OFFSET) >>> 1]!;
    let segment = this.slots.segmentsAt(slot);
    const end = segment + i32[at + SEGMENTS]! * PIECE_WORDS;
    for (; segment < end; segment += PIECE_WORDS) {
      let address = f64[segment >>> 1]!;
      let left = i32[segment + PIECE_BYTES]!;
      while (left > 0) {
        const untilRun = store.run - (offset & (store.run - 1));
        const step = left < untilRun ? left : untilRun;
        const local = store.load(offset, step);
        if (local < 0) return this.#storeFailed(store, STATUS.UNRECOVERED_READ_ERROR);
        if (this.mover.move(true, address, local, step) !== OK) return STATUS.DATA_TRANSFER_ERROR;
        offset += step;
        address += step;
        left -= step;
      }
    }
    this.health.read(i32[at + BYTES]!);
    return SUCCESS;
  }

  #storeFailed(store: BlockStore, status: number): number {
    this.reason = store.failure;
    return status;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.reason = a.value(this.reason);
    this.context.archive(a);
    this.careful.archive(a);
    this.plainLimit = a.value(this.plainLimit);
  }
}

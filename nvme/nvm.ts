/**
 * The NVM command set: Read, Write, Flush, Compare, Write Zeroes and Dataset Management over a namespace's store.
 * `check` refuses what can be refused before data move; the engine then maps the data pointer and calls the rest.
 * Not here: admin commands (admin.ts), SGL, metadata and protection information, fused commands: refused as invalid.
 * NVM Command Set 1.1 §3.3.
 */
import type { Memory } from '../machine/memory.ts';
import { DMA_OK } from '../machine/pcie/dma-port.ts';
import { assert } from '../support/assert.ts';
import { u64 } from '../support/numbers.ts';
import { STORE_FAILED } from './block-store.ts';
import type { Engine } from './engine.ts';
import type { Health } from './health.ts';
import type { Media } from './media.ts';
import type { Namespace } from './namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST, SEGMENT, SLOT, type Slots } from './slots.ts';
import { DSM_CDW10, DSM_CDW11, DSM_RANGE, NSID_BROADCAST, NVM, SQE } from './spec/commands.ts';
import { STATUS } from './spec/status.ts';

/** CDW0 bits that must be zero here: FUSE, its reserved neighbours, PSDT. */
const REFUSED_FLAGS = 0xff00;
const CDW12_FUA = 1 << 30;
const NLB_MASK = 0xffff;
// File constants fold; imported bindings do not (slots.ts).
const { SUCCESS } = STATUS;
const { BYTES, DIRECTION, NAMESPACE, OFFSET, SEGMENTS } = SLOT;
const { BYTES: PIECE_BYTES, WORDS: PIECE_WORDS } = SEGMENT;
const { READ, WRITE, WRITE_ZEROES, COMPARE, FLUSH, DATASET_MANAGEMENT } = NVM;
const NSID = SQE.NSID >>> 2;
const CDW10 = SQE.CDW10 >>> 2;
const CDW11 = SQE.CDW11 >>> 2;
const CDW12 = SQE.CDW12 >>> 2;
const TO_CONTROLLER = DATA_TO_CONTROLLER;
const TO_HOST = DATA_TO_HOST;
const OK = DMA_OK;
/** In a slot's namespace word: a Flush of all of them. */
const ALL_NAMESPACES = 0;

export interface NvmParts {
  readonly memory: Memory;
  readonly slots: Slots;
  readonly engine: Engine;
  readonly media: Media;
  readonly health: Health;
  /** By nsid; index 0 and holes are undefined. */
  readonly namespaces: readonly (Namespace | undefined)[];
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

export class NvmCommands {
  /** Why the last call failed, when the status alone does not say; the engine takes it. */
  reason = '';
  private readonly memory: Memory;
  private readonly slots: Slots;
  private readonly engine: Engine;
  private readonly media: Media;
  private readonly health: Health;
  private readonly namespaces: readonly (Namespace | undefined)[];
  private readonly maxTransfer: number;
  /** SRAM for data that are looked at and not stored: Compare's and Dataset Management's. */
  private readonly buffer: number;

  constructor(parts: NvmParts) {
    this.memory = parts.memory;
    this.slots = parts.slots;
    this.engine = parts.engine;
    this.media = parts.media;
    this.health = parts.health;
    this.namespaces = parts.namespaces;
    this.maxTransfer = parts.maxTransfer_bytes;
    this.buffer = parts.memory.reserve(parts.maxTransfer_bytes, 4096);
    assert(this.buffer >= 0, 'device memory holds one transfer');
  }

  // ---- check ------------------------------------------------------------------------------------------------------

  /** Validates the entry and sets direction, bytes and offset of the slot. Returns a status. */
  check(slot: number): number {
    const slots = this.slots;
    const at = slots.at(slot);
    const entry = slots.entry(slot);
    const cdw0 = slots.u32[entry]!;
    const opcode = cdw0 & 0xff;
    if (opcode === FLUSH) return this.#checkFlush(slot);
    const isKnown =
      opcode === READ ||
      opcode === WRITE ||
      opcode === COMPARE ||
      opcode === WRITE_ZEROES ||
      opcode === DATASET_MANAGEMENT;
    if (!isKnown) return STATUS.INVALID_OPCODE;
    if ((cdw0 & REFUSED_FLAGS) !== 0)
      return this.#refuse('FUSE and PSDT must be 0: no fused commands, no SGLs');
    const nsid = slots.u32[entry + NSID]!;
    const namespace = nsid < this.namespaces.length ? this.namespaces[nsid] : undefined;
    if (namespace === undefined) return this.#missing(nsid);
    slots.i32[at + NAMESPACE] = nsid;
    if (opcode === DATASET_MANAGEMENT) return this.#checkRanges(slot);
    return this.#checkBlocks(at, entry, opcode, namespace);
  }

  #checkBlocks(at: number, entry: number, opcode: number, namespace: Namespace): number {
    const { i32, u32, f64 } = this.slots;
    const first = u64(i32[entry + CDW10]!, i32[entry + CDW11]!);
    const count = (u32[entry + CDW12]! & NLB_MASK) + 1;
    const bytes = count * namespace.block_bytes;
    if (opcode !== WRITE_ZEROES) {
      if (bytes > this.maxTransfer)
        return this.#refuse(`${bytes} bytes are more than MDTS allows (${this.maxTransfer})`);
      i32[at + DIRECTION] = opcode === READ ? TO_HOST : TO_CONTROLLER;
    }
    if (first + count > namespace.blocks) {
      this.reason = `block ${first + count - 1} is beyond the last one, ${namespace.blocks - 1}`;
      return STATUS.LBA_OUT_OF_RANGE;
    }
    const isWrite = opcode === WRITE || opcode === WRITE_ZEROES;
    if (isWrite && namespace.readOnly) return STATUS.NAMESPACE_WRITE_PROTECTED;
    i32[at + BYTES] = bytes;
    f64[(at + OFFSET) >>> 1] = first * namespace.block_bytes;
    return SUCCESS;
  }

  #checkFlush(slot: number): number {
    const nsid = this.slots.dword(slot, SQE.NSID);
    this.slots.i32[this.slots.at(slot) + NAMESPACE] = nsid === NSID_BROADCAST ? ALL_NAMESPACES : nsid;
    if ((this.slots.dword(slot, SQE.OPC) & REFUSED_FLAGS) !== 0)
      return this.#refuse('FUSE and PSDT must be 0');
    return nsid === NSID_BROADCAST || this.namespaces[nsid] !== undefined ? SUCCESS : this.#missing(nsid);
  }

  #checkRanges(slot: number): number {
    const ranges = DSM_CDW10.NR.get(this.slots.dword(slot, SQE.CDW10)) + 1;
    this.slots.setData(slot, TO_CONTROLLER, ranges * DSM_RANGE.SIZE);
    return SUCCESS;
  }

  #missing(nsid: number): number {
    const isInactive = nsid > 0 && nsid < this.namespaces.length;
    this.reason = isInactive ? `namespace ${nsid} is not active` : `NSID 0x${nsid.toString(16)} is not valid`;
    return isInactive ? STATUS.INVALID_FIELD : STATUS.INVALID_NAMESPACE_OR_FORMAT;
  }

  #refuse(reason: string): number {
    this.reason = reason;
    return STATUS.INVALID_FIELD;
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  /** Nanoseconds the medium needs for the command. */
  delay(slot: number): number {
    if (this.media.free) return 0;
    const offset = this.#offset(slot);
    const bytes = this.slots.bytes(slot);
    switch (this.#opcode(slot)) {
      case READ:
      case COMPARE:
        return this.media.read(offset, bytes);
      case WRITE:
        return this.media.write(offset, bytes);
      case FLUSH:
        return this.media.flush();
      default:
        return this.media.write(0, 1);
    }
  }

  #opcode(slot: number): number {
    return this.slots.i32[this.slots.entry(slot)]! & 0xff;
  }

  #namespace(slot: number): Namespace {
    return this.namespaces[this.slots.i32[this.slots.at(slot) + NAMESPACE]!]!;
  }

  /** Media byte offset of the command's first block. */
  #offset(slot: number): number {
    return this.slots.f64[(this.slots.at(slot) + OFFSET) >>> 1]!;
  }

  // ---- data and effect ----------------------------------------------------------------------------------------------

  /** Brings Write's data into the store. Compare and Dataset Management fetch theirs when they execute. */
  receive(slot: number): number {
    if (this.#opcode(slot) !== WRITE) return SUCCESS;
    const { i32, f64 } = this.slots;
    const at = this.slots.at(slot);
    const { store } = this.#namespace(slot);
    let offset = this.#offset(slot);
    let segment = this.slots.segmentsAt(slot);
    const end = segment + i32[at + SEGMENTS]! * PIECE_WORDS;
    for (; segment < end; segment += PIECE_WORDS) {
      let address = f64[segment >>> 1]!;
      let left = i32[segment + PIECE_BYTES]!;
      while (left > 0) {
        const untilRun = store.run - (offset & (store.run - 1));
        const step = left < untilRun ? left : untilRun;
        const local = store.stage(offset, step);
        if (local < 0) return this.#storeFailed(store.failure, STATUS.WRITE_FAULT);
        if (this.engine.move(false, address, local, step) !== OK) return STATUS.DATA_TRANSFER_ERROR;
        if (store.commit(offset, step) === STORE_FAILED)
          return this.#storeFailed(store.failure, STATUS.WRITE_FAULT);
        offset += step;
        address += step;
        left -= step;
      }
    }
    this.health.wrote(i32[at + BYTES]!);
    return SUCCESS;
  }

  /** Sends Read's data to the host. */
  send(slot: number): number {
    const { i32, f64 } = this.slots;
    const at = this.slots.at(slot);
    const { store } = this.#namespace(slot);
    let offset = this.#offset(slot);
    let segment = this.slots.segmentsAt(slot);
    const end = segment + i32[at + SEGMENTS]! * PIECE_WORDS;
    for (; segment < end; segment += PIECE_WORDS) {
      let address = f64[segment >>> 1]!;
      let left = i32[segment + PIECE_BYTES]!;
      while (left > 0) {
        const untilRun = store.run - (offset & (store.run - 1));
        const step = left < untilRun ? left : untilRun;
        const local = store.load(offset, step);
        if (local < 0) return this.#storeFailed(store.failure, STATUS.UNRECOVERED_READ_ERROR);
        if (this.engine.move(true, address, local, step) !== OK) return STATUS.DATA_TRANSFER_ERROR;
        offset += step;
        address += step;
        left -= step;
      }
    }
    this.health.read(i32[at + BYTES]!);
    return SUCCESS;
  }

  /** Does what remains when medium and data are there. Returns a status. */
  execute(slot: number): number {
    const opcode = this.#opcode(slot);
    if (opcode === READ) return SUCCESS;
    const nsid = this.slots.i32[this.slots.at(slot) + NAMESPACE]!;
    if (opcode === FLUSH) return this.#flush(nsid);
    if (opcode === COMPARE) return this.#compare(slot);
    if (opcode === DATASET_MANAGEMENT) return this.#deallocate(slot);
    const { store } = this.#namespace(slot);
    if (
      opcode === WRITE_ZEROES &&
      store.discard(this.#offset(slot), this.slots.bytes(slot)) === STORE_FAILED
    ) {
      return this.#storeFailed(store.failure, STATUS.WRITE_FAULT);
    }
    const isForced = (this.slots.dword(slot, SQE.CDW12) & CDW12_FUA) !== 0;
    return isForced ? this.#flush(nsid) : SUCCESS;
  }

  #flush(nsid: number): number {
    for (const namespace of nsid === ALL_NAMESPACES ? this.namespaces : [this.namespaces[nsid]]) {
      if (namespace !== undefined && namespace.store.flush() === STORE_FAILED) {
        return this.#storeFailed(namespace.store.failure, STATUS.WRITE_FAULT);
      }
    }
    return SUCCESS;
  }

  #compare(slot: number): number {
    const { store } = this.#namespace(slot);
    const status = this.#fetch(slot);
    if (status !== SUCCESS) return status;
    const { u8 } = this.memory;
    const length = this.slots.bytes(slot);
    this.health.compared(length);
    for (let done = 0; done < length; ) {
      const offset = this.#offset(slot) + done;
      const step = Math.min(store.run - (offset & (store.run - 1)), length - done);
      const local = store.load(offset, step);
      if (local < 0) return this.#storeFailed(store.failure, STATUS.UNRECOVERED_READ_ERROR);
      for (let i = 0; i < step; i++) {
        if (u8[local + i] !== u8[this.buffer + done + i]) {
          this.reason = `byte ${done + i} of the compared data differs`;
          return STATUS.COMPARE_FAILURE;
        }
      }
      done += step;
    }
    return SUCCESS;
  }

  #deallocate(slot: number): number {
    const slots = this.slots;
    const namespace = this.#namespace(slot);
    const status = this.#fetch(slot);
    if (status !== SUCCESS) return status;
    const { u32 } = this.memory;
    const isDeallocate = DSM_CDW11.AD.get(slots.dword(slot, SQE.CDW11)) === 1;
    const ranges = slots.bytes(slot) / DSM_RANGE.SIZE;
    for (const isChecking of [true, false]) {
      for (let range = 0; range < ranges; range++) {
        const word = (this.buffer + range * DSM_RANGE.SIZE) >>> 2;
        const count = u32[word + (DSM_RANGE.NLB >>> 2)]!;
        const first = u64(u32[word + (DSM_RANGE.SLBA >>> 2)]!, u32[word + (DSM_RANGE.SLBA >>> 2) + 1]!);
        if (isChecking && first + count > namespace.blocks) {
          this.reason = `range ${range} ends at block ${first + count}, the namespace at ${namespace.blocks}`;
          return STATUS.LBA_OUT_OF_RANGE;
        }
        if (isChecking || !isDeallocate) continue;
        if (namespace.readOnly) return STATUS.NAMESPACE_WRITE_PROTECTED;
        namespace.store.discard(first * namespace.block_bytes, count * namespace.block_bytes);
      }
    }
    return SUCCESS;
  }

  /** Brings the command's data into the buffer. */
  #fetch(slot: number): number {
    const slots = this.slots;
    let done = 0;
    for (let index = 0; index < slots.segments(slot); index++) {
      const bytes = slots.segmentBytes(slot, index);
      if (this.engine.move(false, slots.segmentAddress(slot, index), this.buffer + done, bytes) !== OK) {
        return STATUS.DATA_TRANSFER_ERROR;
      }
      done += bytes;
    }
    return SUCCESS;
  }

  #storeFailed(failure: string, status: number): number {
    this.reason = failure;
    return status;
  }
}

/**
 * The short way of plain reads and writes where nothing takes time: entries of a burst go from controller SRAM to their
 * completions in one loop, and what is the same for all of them is looked up once. It takes a command whose data are in
 * one page of host memory and one run of the medium; at any other it stops, and the engine takes that one through its
 * stages. Not here: what makes a command plain (nvm.ts), slots, which no command of this way needs.
 */
import type { Memory } from '../machine/memory.ts';
import { DMA_OK, type DmaPort, type DmaResult } from '../machine/pcie/dma-port.ts';
import { PAGE_SIZE } from '../support/numbers.ts';
import { STORE_OK } from './block-store.ts';
import type { Completer } from './completer.ts';
import type { Namespace } from './namespace.ts';
import type { PrpWalker } from './prp.ts';
import { type CompletionQueues, CQ, carried, QUEUE, SQ, type SubmissionQueues } from './queues.ts';
import type { Slots } from './slots.ts';
import { CDW0, NVM, SQE } from './spec/commands.ts';

// File constants fold; imported bindings do not (slots.ts).
const { BASE, BASE_HIGH, HEAD, SIZE, TAIL } = QUEUE;
const { INTERRUPTS, PHASE, VECTOR } = CQ;
const { CQID } = SQ;
const { READ } = NVM;
const OK = DMA_OK;
const STORED = STORE_OK;
const OPCODE = CDW0.OPC.mask;
const PRP1 = SQE.PRP1 >>> 2;
const CDW10 = SQE.CDW10 >>> 2;
const CDW12 = SQE.CDW12 >>> 2;
const NLB_MASK = 0xffff;
/** Behind every slot: the controller has failed. */
const NO_MORE = 0x3fff_ffff;
/** log2 of the bytes of a completion entry. */
const ENTRY_SHIFT = 4;
const ENTRY_BYTES = 1 << ENTRY_SHIFT;
/** Bits of an entry's index that tell where in its page it is: queues begin with a page. */
const IN_PAGE = PAGE_SIZE / ENTRY_BYTES - 1;

/** Which commands are plain. */
export interface PlainCommands {
  /** The namespace of a plain Read or Write whose entry begins at word `entry`; null for any other command. */
  plain(entry: number): Namespace | null;
}

/** Who counts what was read and written. */
export interface Statistics {
  read(bytes: number, commands: number): void;
  wrote(bytes: number, commands: number): void;
}

export interface ShortWayParts {
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly prp: PrpWalker;
  readonly completer: Completer;
  readonly health: Statistics;
  /** The data of the command in `slot` could not be moved from or to `local`: it fails. */
  readonly refused: (slot: number, sqid: number, local: number, result: DmaResult) => void;
}

export class ShortWay {
  /** Set once, as the engine's. */
  nvm!: PlainCommands;
  private readonly memory: Memory;
  private readonly dma: DmaPort;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly prp: PrpWalker;
  private readonly completer: Completer;
  private readonly health: Statistics;
  private readonly refused: ShortWayParts['refused'];
  /** Why the last data could not be moved, and where they are or should go. */
  #refusal: DmaResult = OK;
  #refusedAt = 0;

  constructor(parts: ShortWayParts) {
    this.memory = parts.memory;
    this.dma = parts.dma;
    this.slots = parts.slots;
    this.sqs = parts.sqs;
    this.cqs = parts.cqs;
    this.prp = parts.prp;
    this.completer = parts.completer;
    this.health = parts.health;
    this.refused = parts.refused;
  }

  /**
   * Runs the commands of `sqid` whose entries are in slots from `first` to below `end`, which nobody has taken. Returns
   * the slot of the first that has to go by stages, or `end`. Data move first, then completions are posted.
   */
  run(first: number, end: number, sqid: number): number {
    if (end - first === 1) return this.#runOne(first, sqid);
    const { i32 } = this.memory;
    const cqid = i32[this.sqs.at(sqid) + CQID]!;
    const room = this.#room(this.cqs.at(cqid));
    const moved = this.#move(first, end - first < room ? end : first + room);
    const interrupts = i32[this.cqs.at(cqid) + INTERRUPTS]! === 1;
    const next =
      interrupts === true ? this.#postEach(first, moved, sqid, cqid) : this.#post(first, moved, sqid, cqid);
    if (this.#refusal === OK) return next;
    if (next === moved) return this.#refuse(moved, sqid);
    this.#refusal = OK;
    return next + 1;
  }

  /** `run` for a single entry, without what loops set up. */
  #runOne(slot: number, sqid: number): number {
    const { i32 } = this.memory;
    const sq = this.sqs.at(sqid);
    const cqid = i32[sq + CQID]!;
    const cq = this.cqs.at(cqid);
    const tail = i32[cq + TAIL]!;
    const next = tail + 1 === i32[cq + SIZE]! ? 0 : tail + 1;
    const entry = this.slots.entry(slot);
    const namespace = next === i32[cq + HEAD]! ? null : this.nvm.plain(entry);
    if (namespace === null) return slot;
    const isRead = (i32[entry]! & OPCODE) === READ;
    const bytes = this.#moveOne(entry, namespace, isRead);
    if (bytes === 0) return this.#refusal === OK ? slot : this.#refuse(slot, sqid);
    if (isRead === true) this.health.read(bytes, 1);
    else this.health.wrote(bytes, 1);
    const base = i32[cq + BASE]!;
    const low = (base + (tail << ENTRY_SHIFT)) | 0;
    const high = carried(base, low, i32[cq + BASE_HIGH]!);
    const phase = i32[cq + PHASE]!;
    const fetched = i32[sq + HEAD]! | (sqid << 16);
    const posted = this.dma.write16(low, high, 0, 0, fetched, (i32[entry]! >>> 16) | (phase << 16));
    if (posted !== OK) {
      this.completer.unwritable(cqid, tail, posted);
      return NO_MORE;
    }
    i32[cq + TAIL] = next;
    if (next === 0) i32[cq + PHASE] = phase ^ 1;
    if (i32[cq + INTERRUPTS]! === 1) this.completer.interrupt(cqid, i32[cq + VECTOR]!);
    return slot + 1;
  }

  /** The data of the command in `slot` could not be moved: `#refusal` says why. Returns the next slot. */
  #refuse(slot: number, sqid: number): number {
    const why = this.#refusal;
    this.#refusal = OK;
    this.refused(slot, sqid, this.#refusedAt, why);
    return slot + 1;
  }

  /** How many completions fit into the queue whose record is at `cq`. */
  #room(cq: number): number {
    const { i32 } = this.memory;
    const taken = i32[cq + TAIL]! - i32[cq + HEAD]!;
    const size = i32[cq + SIZE]!;
    return taken < 0 ? -taken - 1 : size - taken - 1;
  }

  /** Moves the data of plain commands. Returns the slot of the first that is not one, or could not be moved: `#refusal`. */
  #move(first: number, end: number): number {
    let slot = first;
    let read_bytes = 0;
    let written_bytes = 0;
    let writes = 0;
    for (; slot < end; slot++) {
      const entry = this.slots.entry(slot);
      const namespace = this.nvm.plain(entry);
      if (namespace === null) break;
      const isRead = (this.memory.i32[entry]! & OPCODE) === READ;
      const bytes = this.#moveOne(entry, namespace, isRead);
      if (bytes === 0) break;
      if (isRead === true) read_bytes += bytes;
      else {
        written_bytes += bytes;
        writes++;
      }
    }
    if (slot - first > writes) this.health.read(read_bytes, slot - first - writes);
    if (writes > 0) this.health.wrote(written_bytes, writes);
    return slot;
  }

  /** Moves the data of one, whose entry begins at word `entry`. Returns how many bytes they are; 0 when they are not moved. */
  #moveOne(entry: number, namespace: Namespace, isRead: boolean): number {
    const { i32 } = this.memory;
    const { store } = namespace;
    const low = i32[entry + PRP1]!;
    const high = i32[entry + PRP1 + 1]!;
    const bytes = ((i32[entry + CDW12]! & NLB_MASK) + 1) << namespace.blockShift;
    const offset = i32[entry + CDW10]! * namespace.block_bytes;
    const page = this.prp.page_bytes;
    if ((low & 3) !== 0 || bytes > page - (low & (page - 1))) return 0;
    if ((offset & (store.run - 1)) + bytes > store.run) return 0;
    const local = isRead === true ? store.load(offset, bytes) : store.stage(offset, bytes);
    if (local < 0) return 0;
    const result =
      isRead === true ? this.dma.writeAt(low, high, local, bytes) : this.dma.readAt(low, high, local, bytes);
    if (result !== OK) {
      this.#refusal = result;
      this.#refusedAt = local;
      return 0;
    }
    return isRead === true || store.commit(offset, bytes) === STORED ? bytes : 0;
  }

  /** Posts the completions of slots from `first` to below `end`, with an interrupt for each. Returns `end`, or NO_MORE. */
  #postEach(first: number, end: number, sqid: number, cqid: number): number {
    const vector = this.memory.i32[this.cqs.at(cqid) + VECTOR]!;
    for (let slot = first; slot < end; slot++) {
      if (this.#postPiece(slot, slot + 1, sqid, cqid) === NO_MORE) return NO_MORE;
      this.completer.interrupt(cqid, vector);
    }
    return end;
  }

  /**
   * Posts the completions of slots from `first` to below `end`, in pieces that end with a page of the queue, or with the
   * queue. Returns `end`, or NO_MORE.
   */
  #post(first: number, end: number, sqid: number, cqid: number): number {
    const { i32 } = this.memory;
    const cq = this.cqs.at(cqid);
    const size = i32[cq + SIZE]!;
    let slot = first;
    while (slot < end) {
      const tail = i32[cq + TAIL]!;
      const pageEnd = (tail | IN_PAGE) + 1;
      const room = (pageEnd < size ? pageEnd : size) - tail;
      slot = this.#postPiece(slot, end - slot < room ? end : slot + room, sqid, cqid);
    }
    return slot;
  }

  /**
   * As `#post`, into one page: all or, where it cannot be reached, none. The entry of the first is written last and
   * publishes all: a host on another core that polls for it leaves the lines of the others alone meanwhile, and one that
   * looks at entries in order has to see it before them.
   */
  #postPiece(first: number, end: number, sqid: number, cqid: number): number {
    const { i32 } = this.memory;
    const cq = this.cqs.at(cqid);
    const base = i32[cq + BASE]!;
    const tail = i32[cq + TAIL]!;
    const start = (base + (tail << ENTRY_SHIFT)) | 0;
    const high = carried(base, start, i32[cq + BASE_HIGH]!);
    const phase = i32[cq + PHASE]!;
    const fetched = i32[this.sqs.at(sqid) + HEAD]! | (sqid << 16);
    const next = (tail + end - first) | 0;
    let low = (start + ((end - first) << ENTRY_SHIFT)) | 0;
    for (let slot = end - 1; slot >= first; slot--) {
      low = (low - ENTRY_BYTES) | 0;
      const cid = i32[this.slots.entry(slot)]! >>> 16;
      const isLast = slot === first;
      const posted = this.dma.write16(low, high, 0, 0, fetched, cid | (phase << 16), isLast);
      if (posted !== OK) {
        this.completer.unwritable(cqid, tail, posted);
        return NO_MORE;
      }
    }
    const isWrapped = next === i32[cq + SIZE]!;
    i32[cq + TAIL] = isWrapped === true ? 0 : next;
    if (isWrapped === true) i32[cq + PHASE] = phase ^ 1;
    return end;
  }
}

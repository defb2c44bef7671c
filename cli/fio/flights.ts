/**
 * The I/Os of a clone that are under way: what each of them is, and the commands that it consists of. Typed arrays by
 * number of the I/O; its number is also that of its data buffer. Nothing is allocated per I/O.
 * Not here: when to post and what to do with what arrives (clone.ts).
 */

import type { QueuePair } from '../../drivers/nvme/index.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import type { Archive } from '../../support/archive.ts';
import { commandsOf, TRIM_BYTES, type TrimRanges, type WriteMode, withPlace } from './commands.ts';
import { READ, SYNC, WRITE } from './stats.ts';

export interface FlightParts {
  readonly queue: QueuePair;
  readonly nsid: number;
  readonly block_bytes: number;
  /** Longest transfer of one command; a longer I/O is several. */
  readonly maxTransfer_bytes: number;
  /** A data buffer for each I/O, `buffer_bytes` apart. */
  readonly iova: number;
  readonly buffer_bytes: number;
  readonly ranges: TrimRanges;
  readonly writeMode: WriteMode;
  /** The namespace has zones: a trim resets one. */
  readonly isZoned: boolean;
}

export class Flights {
  readonly created: Float64Array;
  readonly issued: Float64Array;
  readonly offset: Float64Array;
  readonly bytes: Float64Array;
  readonly number: Float64Array;
  readonly direction: Uint8Array;
  readonly #parts: FlightParts;
  readonly #queue: QueuePair;
  readonly #commands: ReturnType<typeof commandsOf>;
  readonly #writeControl: number;
  readonly #depth: number;
  /** I/Os that are not under way. */
  readonly #free: Int32Array;
  #freeTop: number;
  /** The I/O that a slot of the queue works for. */
  readonly #ioOf: Int32Array;
  /** Commands of an I/O that have not completed. */
  readonly #left: Int32Array;

  /** Room for `depth` I/Os; `writeControl` holds the bits of CDW12 above NLB that writes carry. */
  constructor(parts: FlightParts, depth: number, writeControl: number) {
    const perIo = () => new Float64Array(depth);
    this.created = perIo();
    this.issued = perIo();
    this.offset = perIo();
    this.bytes = perIo();
    this.number = perIo();
    this.direction = new Uint8Array(depth);
    this.#parts = parts;
    this.#queue = parts.queue;
    this.#commands = commandsOf(parts.nsid);
    this.#writeControl = writeControl;
    this.#depth = depth;
    this.#free = Int32Array.from({ length: depth }, (_, io) => io);
    this.#freeTop = depth;
    this.#ioOf = new Int32Array(parts.queue.depth);
    this.#left = new Int32Array(depth);
  }

  get outstanding(): number {
    return this.#depth - this.#freeTop;
  }

  /** Takes the number of an I/O that is not under way; there must be one. */
  take(): number {
    return this.#free[--this.#freeTop]!;
  }

  /** The I/O is over; what it was stays until its number is taken again. */
  give(io: number): void {
    this.#free[this.#freeTop++] = io;
  }

  /** Where the data of an I/O lie in the clone's buffer. */
  bufferAt(io: number): number {
    return io * this.#parts.buffer_bytes;
  }

  /** Posts the commands of an I/O. */
  post(io: number, direction: number, offset: number, bytes: number, number: number): void {
    this.offset[io] = offset;
    this.bytes[io] = bytes;
    this.number[io] = number;
    this.direction[io] = direction;
    this.#left[io] = 0;
    if (direction === READ) this.#postData(NVM.READ, 0, io, offset, bytes);
    else if (direction === WRITE) {
      const { opcode, hasData } = this.#parts.writeMode;
      if (hasData) this.#postData(opcode, this.#writeControl, io, offset, bytes);
      else this.#postBlocks(opcode, io, offset, bytes);
    } else this.#postOther(direction, io, offset, bytes);
  }

  /** As many commands as the longest transfer asks for; the queue has room for those of every I/O. */
  #postData(opcode: number, control: number, io: number, offset: number, bytes: number): void {
    const { nsid, block_bytes, maxTransfer_bytes, iova, buffer_bytes } = this.#parts;
    const at = iova + io * buffer_bytes;
    for (let done = 0; done < bytes; ) {
      const part = bytes - done <= maxTransfer_bytes ? bytes - done : maxTransfer_bytes;
      const lba = (offset + done) / block_bytes;
      this.#track(this.#queue.postAt(opcode, nsid, lba, part / block_bytes, at + done, part, control), io);
      done += part;
    }
  }

  /** Commands on blocks that transfer none. */
  #postBlocks(opcode: number, io: number, offset: number, bytes: number): void {
    const { nsid, block_bytes, maxTransfer_bytes } = this.#parts;
    for (let done = 0; done < bytes; done += maxTransfer_bytes) {
      const blocks = Math.min(maxTransfer_bytes, bytes - done) / block_bytes;
      this.#track(this.#queue.post(opcode, nsid, (offset + done) / block_bytes, blocks), io);
    }
  }

  #postOther(direction: number, io: number, offset: number, bytes: number): void {
    const { block_bytes, ranges, isZoned } = this.#parts;
    const { flush, trim, reset } = this.#commands;
    if (direction === SYNC) this.#track(this.#queue.postCommand(flush), io);
    else if (isZoned) this.#track(this.#queue.postCommand(withPlace(reset, offset / block_bytes)), io);
    else {
      const iova = ranges.fill(io, offset / block_bytes, bytes / block_bytes);
      this.#track(this.#queue.postCommand(trim, iova, TRIM_BYTES), io);
    }
  }

  #track(slot: number, io: number): void {
    this.#ioOf[slot] = io;
    this.#left[io] = this.#left[io]! + 1;
  }

  /** Slots of the queue whose commands have not completed. */
  underWay(): number[] {
    return [...this.#ioOf.keys()].filter((slot) => this.#queue.cid(slot) >= 0);
  }

  /** The I/O of a slot. */
  ioOf(slot: number): number {
    return this.#ioOf[slot]!;
  }

  /** A command of the I/O has completed. Returns true when it was the last. */
  isLast(io: number): boolean {
    const left = this.#left[io]! - 1;
    this.#left[io] = left;
    return left === 0;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.created, this.issued, this.offset, this.bytes, this.number, this.direction);
    a.contents(this.#free, this.#ioOf, this.#left);
    this.#freeTop = a.value(this.#freeTop);
  }
}

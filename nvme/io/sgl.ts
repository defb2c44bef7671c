/**
 * SGL walks: from the descriptor in a command to the pieces of host memory its data occupy (Base 2.1 §4.3.2). Data
 * block, bit bucket, segment and last segment; a list must describe exactly the bytes of the command.
 * Not here: moving the data (transfer.ts), PRPs (../prp.ts), keyed and transport descriptors, which belong to fabrics.
 */
import type { Memory } from '../../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort } from '../../machine/pcie/dma-port.ts';
import { assert } from '../../support/assert.ts';
import { hex, u64 } from '../../support/numbers.ts';
import type { ControllerProfile } from '../profile.ts';
import { hasQuirk } from '../quirks.ts';
import { SGL_DESCRIPTOR, SGL_ID, SGL_SUBTYPE, SGL_TYPE } from '../spec/commands.ts';
import { SGLS } from '../spec/identify.ts';
import { STATUS } from '../spec/status.ts';

/** A piece without an address: its bytes are discarded. */
export const BIT_BUCKET = -1;

export interface Piece {
  /** I/O virtual address, or BIT_BUCKET. */
  readonly address: number;
  readonly bytes: number;
}

/** Descriptors of one list; a list that goes on beyond them is a loop or may as well be one. */
const MOST_DESCRIPTORS = 65_536;
const CHUNK_BYTES = 4096;
const DESCRIPTOR_BYTES = SGL_DESCRIPTOR.SIZE;
/** SGLS.SUPPORT when addresses and lengths must be whole dwords. */
const DWORDS_ONLY = 2;

/** A segment to be read. */
interface Segment {
  readonly address: number;
  readonly bytes: number;
  readonly isLast: boolean;
}

export class SglWalker {
  /** What the last successful walk found, in order. */
  pieces: Piece[] = [];
  /** Why the last walk failed, as one sentence. */
  reason = '';
  readonly #memory: Memory;
  readonly #dma: DmaPort;
  /** The SGLS word of Identify: what the controller supports. */
  readonly #sgls: number;
  readonly #takesLonger: boolean;
  /** The quirk of that name. */
  readonly #takesLongBlock: boolean;
  /** SRAM for descriptors that are being looked at. */
  readonly #buffer: number;
  #left_bytes = 0;
  #descriptors = 0;
  #isToHost = false;
  #lengthStatus: number = STATUS.DATA_SGL_LENGTH_INVALID;
  #next: Segment | null = null;

  constructor(memory: Memory, dma: DmaPort, { sgls, quirks }: Pick<ControllerProfile, 'sgls' | 'quirks'>) {
    this.#memory = memory;
    this.#dma = dma;
    this.#sgls = sgls;
    this.#takesLonger = SGLS.LONGER_THAN_DATA.get(sgls) === 1;
    this.#takesLongBlock = hasQuirk({ quirks }, 'takesLongBlock');
    this.#buffer = memory.reserve(CHUNK_BYTES);
    assert(this.#buffer >= 0, 'device memory holds one chunk of SGL descriptors');
  }

  /**
   * Nanoseconds until the segment that the descriptor at byte `at` of device-local memory names has been read; 0 when
   * the descriptor says it all. Further segments arrive with the data.
   */
  delay(at: number): number {
    const segment = this.#segmentOf(at);
    return segment === null ? 0 : this.#dma.readDelay(segment.address, segment.bytes);
  }

  /**
   * Follows the descriptor at byte `at` of device-local memory through all segments. Fills `pieces` for `bytes` of
   * data; `lengthStatus` says that they are not. Returns a status.
   */
  walk(
    at: number,
    bytes: number,
    isToHost: boolean,
    lengthStatus: number = STATUS.DATA_SGL_LENGTH_INVALID,
  ): number {
    this.pieces = [];
    this.#left_bytes = bytes;
    this.#descriptors = 0;
    this.#isToHost = isToHost;
    this.#lengthStatus = lengthStatus;
    this.#next = null;
    let status = this.#take(at, true, false);
    while (status === STATUS.SUCCESS && this.#next !== null) status = this.#walkSegment(this.#next);
    if (status !== STATUS.SUCCESS) return status;
    if (this.#left_bytes > 0)
      return this.#refuse(lengthStatus, `the list ends ${this.#left_bytes} bytes before the data`);
    return STATUS.SUCCESS;
  }

  #walkSegment(segment: Segment): number {
    this.#next = null;
    for (let done = 0; done < segment.bytes; done += CHUNK_BYTES) {
      const chunk = Math.min(CHUNK_BYTES, segment.bytes - done);
      const result = this.#dma.read(segment.address + done, this.#buffer, chunk);
      if (result !== DMA_OK) {
        const where = hex(segment.address + done);
        return this.#refuse(
          STATUS.DATA_TRANSFER_ERROR,
          `the SGL segment at ${where} cannot be read: ${DMA_SENTENCES[result]}`,
        );
      }
      for (let offset = 0; offset < chunk; offset += DESCRIPTOR_BYTES) {
        const isFinal = done + offset + DESCRIPTOR_BYTES === segment.bytes;
        const status = this.#take(this.#buffer + offset, isFinal, segment.isLast);
        if (status !== STATUS.SUCCESS) return status;
      }
    }
    if (this.#next === null && !segment.isLast) {
      return this.#refuse(
        STATUS.INVALID_SGL_SEGMENT_DESCRIPTOR,
        'a segment that is not the last one must end with a segment descriptor',
      );
    }
    return STATUS.SUCCESS;
  }

  /** One descriptor: data become a piece, a segment becomes `#next`. */
  #take(at: number, isFinal: boolean, isInLast: boolean): number {
    if (++this.#descriptors > MOST_DESCRIPTORS) {
      return this.#refuse(
        STATUS.INVALID_SGL_DESCRIPTOR_COUNT,
        `the list has more than ${MOST_DESCRIPTORS} descriptors`,
      );
    }
    const id = this.#memory.u8[at + SGL_DESCRIPTOR.ID]!;
    const type = SGL_ID.TYPE.get(id);
    const isBucket = type === SGL_TYPE.BIT_BUCKET && SGLS.BIT_BUCKET.get(this.#sgls) === 1;
    if (SGL_ID.SUBTYPE.get(id) !== SGL_SUBTYPE.ADDRESS)
      return this.#refuseType(`subtype ${SGL_ID.SUBTYPE.get(id)} is not an address`);
    if (type === SGL_TYPE.DATA_BLOCK || isBucket) return this.#takeData(at, isBucket);
    if (type !== SGL_TYPE.SEGMENT && type !== SGL_TYPE.LAST_SEGMENT)
      return this.#refuseType(`type ${type} is not supported`);
    if (isInLast) {
      return this.#refuse(
        STATUS.INVALID_SGL_SEGMENT_DESCRIPTOR,
        'the last segment contains a segment descriptor',
      );
    }
    if (!isFinal) {
      return this.#refuse(
        STATUS.INVALID_SGL_DESCRIPTOR_COUNT,
        'a segment descriptor stands before the end of its segment',
      );
    }
    return this.#takeSegment(this.#segmentOf(at)!);
  }

  #takeSegment(segment: Segment): number {
    const { address, bytes } = segment;
    if (bytes === 0 || (bytes & (DESCRIPTOR_BYTES - 1)) !== 0) {
      return this.#refuse(
        STATUS.INVALID_SGL_SEGMENT_DESCRIPTOR,
        `a segment of ${bytes} bytes is not a whole number of ${DESCRIPTOR_BYTES}-byte descriptors`,
      );
    }
    if ((address & 7) !== 0) {
      return this.#refuse(
        STATUS.INVALID_SGL_SEGMENT_DESCRIPTOR,
        `the segment at ${hex(address)} is not qword aligned`,
      );
    }
    this.#next = segment;
    return STATUS.SUCCESS;
  }

  #takeData(at: number, isBucket: boolean): number {
    const { address, bytes } = this.#addressAndLength(at);
    // A source has nothing to discard: its bit buckets have length 0.
    if (isBucket && !this.#isToHost) return STATUS.SUCCESS;
    if (!isBucket && SGLS.SUPPORT.get(this.#sgls) === DWORDS_ONLY && ((address | bytes) & 3) !== 0) {
      return this.#refuse(
        STATUS.SGL_GRANULARITY_INVALID,
        `${bytes} bytes at ${hex(address)} are not whole dwords`,
      );
    }
    if (bytes > this.#left_bytes && !this.#takesLonger && !(this.#takesLongBlock && this.#left_bytes > 0)) {
      return this.#refuse(
        this.#lengthStatus,
        `the list describes ${bytes - this.#left_bytes} bytes more than there are data`,
      );
    }
    const used = Math.min(bytes, this.#left_bytes);
    if (used > 0) this.pieces.push({ address: isBucket ? BIT_BUCKET : address, bytes: used });
    this.#left_bytes -= used;
    return STATUS.SUCCESS;
  }

  #segmentOf(at: number): Segment | null {
    const type = SGL_ID.TYPE.get(this.#memory.u8[at + SGL_DESCRIPTOR.ID]!);
    if (type !== SGL_TYPE.SEGMENT && type !== SGL_TYPE.LAST_SEGMENT) return null;
    return { ...this.#addressAndLength(at), isLast: type === SGL_TYPE.LAST_SEGMENT };
  }

  #addressAndLength(at: number): { address: number; bytes: number } {
    const { u32 } = this.#memory;
    const word = at >>> 2;
    return { address: u64(u32[word]!, u32[word + 1]!), bytes: u32[word + 2]! };
  }

  #refuseType(what: string): number {
    return this.#refuse(
      STATUS.SGL_DESCRIPTOR_TYPE_INVALID,
      `SGL descriptor ${this.#descriptors - 1}: ${what}`,
    );
  }

  #refuse(status: number, reason: string): number {
    this.reason = `${reason} (Base 2.1 §4.3.2)`;
    return status;
  }
}

/**
 * A namespace as a block device: read, write, compare, flush, trim and write zeroes as promises, in blocks.
 * Long ranges are split into commands that run side by side. Ordinary memory goes through bounce buffers; a
 * DmaBuffer is read and written in place. For people, not for benchmarks: those post on a QueuePair
 * themselves (queue-pair.ts).
 */
import { DSM_RANGE, NVM, RW_CDW12 } from '../../nvme/spec/commands.ts';
import type { DmaPool, DmaRange } from '../vfio/dma.ts';
import { type Command, deallocate, flush, MAX_BLOCKS, opcodeOf, transfer, writeZeroes } from './commands.ts';
import type { NamespaceInfo } from './identify.ts';
import type { RequestQueue } from './request-queue.ts';
import { isMiscompare } from './status.ts';
import { ZoneWrites } from './zone-writes.ts';
import { Zones } from './zones.ts';

/** NLB of a Dataset Management range has 32 bits. */
const MAX_TRIM_BLOCKS = 0xffff_ffff;

/** What all namespaces of a controller share. */
export interface BlockIo {
  readonly requests: RequestQueue;
  /** Bounce buffers. */
  readonly pool: DmaPool;
  /** A page for what commands wait for that hold bounce buffers. */
  readonly spare: () => DmaPool;
}

export interface WriteOptions {
  /** Force Unit Access: the data are on the medium, not in a cache, when the promise resolves. */
  readonly fua?: boolean;
}

export class BlockDevice {
  readonly nsid: number;
  /** Size in blocks. */
  readonly blocks: number;
  /** Bytes of a block. */
  readonly blockSize: number;
  /** The zones of a zoned namespace: writes go to the write pointer of one; null for any other namespace. */
  readonly zones: Zones | null;
  readonly #zoneWrites: ZoneWrites | null;
  readonly #metadata_bytes: number;
  readonly #io: () => Promise<BlockIo>;

  constructor(info: NamespaceInfo, io: () => Promise<BlockIo>) {
    this.nsid = info.nsid;
    this.blocks = info.blocks;
    this.blockSize = info.blockSize;
    this.#metadata_bytes = info.metadata_bytes;
    this.#io = io;
    this.zones = info.zones === null ? null : new Zones(info, info.zones, io);
    this.#zoneWrites = this.zones === null ? null : new ZoneWrites(this.zones);
  }

  /** Size in bytes. */
  get bytes(): number {
    return this.blocks * this.blockSize;
  }

  /**
   * Resolves with a copy of `blocks` blocks from `lba` on. Rejects with RangeError for blocks that the namespace does not
   * have, and with NvmeError or ControllerError, as all do.
   */
  async read(lba: number, blocks: number): Promise<Uint8Array> {
    this.#checkRange(lba, blocks);
    const data = new Uint8Array(blocks * this.blockSize);
    await this.#bounce(NVM.READ, lba, data, 0);
    return data;
  }

  /** Writes whole blocks from `lba` on. */
  async write(lba: number, data: Uint8Array, options: WriteOptions = {}): Promise<void> {
    this.#checkData(lba, data);
    await this.#bounce(NVM.WRITE, lba, data, control(options));
  }

  /** Resolves with whether the blocks from `lba` on hold `data`; the controller compares. */
  async compare(lba: number, data: Uint8Array): Promise<boolean> {
    this.#checkData(lba, data);
    try {
      await this.#bounce(NVM.COMPARE, lba, data, 0);
      return true;
    } catch (error) {
      if (isMiscompare(error)) return false;
      throw error;
    }
  }

  /** Reads into mapped memory, without a copy; `offset` is a multiple of four bytes. */
  readInto(lba: number, blocks: number, buffer: DmaRange, offset = 0): Promise<void> {
    return this.#direct(NVM.READ, lba, blocks, buffer, offset, 0);
  }

  /** Writes from mapped memory, without a copy; `offset` is a multiple of four bytes. */
  writeFrom(
    lba: number,
    blocks: number,
    buffer: DmaRange,
    offset = 0,
    options: WriteOptions = {},
  ): Promise<void> {
    return this.#direct(NVM.WRITE, lba, blocks, buffer, offset, control(options));
  }

  /** Resolves when everything written before is on the medium. */
  async flush(): Promise<void> {
    const { requests } = await this.#io();
    await requests.execute(flush(this.nsid));
  }

  /** Tells the controller that the blocks are not needed any more; what they then hold is up to it. */
  async trim(lba: number, blocks: number): Promise<void> {
    this.#checkRange(lba, blocks);
    const { requests, pool } = await this.#io();
    await this.#split(lba, blocks, MAX_TRIM_BLOCKS, async (slba, count) => {
      const piece = await pool.take();
      try {
        const view = new DataView(piece.bytes.buffer, piece.bytes.byteOffset, DSM_RANGE.SIZE);
        DSM_RANGE.set(view, 0, 'CATTR', 0);
        DSM_RANGE.set(view, 0, 'NLB', count);
        DSM_RANGE.set(view, 0, 'SLBA', slba);
        await requests.execute(deallocate(this.nsid, 1), { iova: piece.iova, bytes: DSM_RANGE.SIZE });
      } finally {
        pool.give(piece);
      }
    });
  }

  /** Makes the blocks read as zeroes. With `deallocate` the controller may give their space back too. */
  async writeZeroes(lba: number, blocks: number, { deallocate = false } = {}): Promise<void> {
    this.#checkRange(lba, blocks);
    const { requests } = await this.#io();
    await this.#split(lba, blocks, MAX_BLOCKS, async (slba, count) => {
      const command = writeZeroes(this.nsid, slba, count, deallocate);
      await this.#execute(requests, command, slba, count, null);
    });
  }

  async #direct(
    opcode: number,
    lba: number,
    blocks: number,
    buffer: DmaRange,
    offset: number,
    control: number,
  ): Promise<void> {
    this.#checkRange(lba, blocks);
    if (offset < 0 || offset + blocks * this.blockSize > buffer.bytes.length) {
      throw new RangeError(
        `${blocks} blocks of ${this.blockSize} bytes do not fit into the buffer at byte ${offset}`,
      );
    }
    const { requests } = await this.#io();
    const most = Math.min(MAX_BLOCKS, Math.floor(requests.queue.maxTransfer_bytes / this.blockSize));
    await this.#split(lba, blocks, most, async (slba, count, at) => {
      const data = { iova: buffer.iova + offset + at, bytes: count * this.blockSize };
      await this.#execute(requests, transfer(opcode, this.nsid, slba, count, control), slba, count, data);
    });
  }

  /** Moves `data` through bounce buffers: into them before the command, or out of them after a Read. */
  async #bounce(opcode: number, lba: number, data: Uint8Array, control: number): Promise<void> {
    const { requests, pool } = await this.#io();
    const most = Math.min(MAX_BLOCKS, Math.floor(pool.pieceBytes / this.blockSize));
    await this.#split(lba, data.length / this.blockSize, most, async (slba, count, at) => {
      const piece = await pool.take();
      try {
        const bytes = count * this.blockSize;
        const isRead = opcode === NVM.READ;
        if (!isRead) piece.bytes.set(data.subarray(at, at + bytes));
        const command = transfer(opcode, this.nsid, slba, count, control);
        await this.#execute(requests, command, slba, count, { iova: piece.iova, bytes });
        if (isRead) data.set(piece.bytes.subarray(0, bytes), at);
      } finally {
        pool.give(piece);
      }
    });
  }

  async #execute(
    requests: RequestQueue,
    command: Command,
    slba: number,
    blocks: number,
    data: { readonly iova: number; readonly bytes: number } | null,
  ): Promise<void> {
    const opcode = opcodeOf(command);
    const isWrite = opcode === NVM.WRITE || opcode === NVM.WRITE_ZEROES;
    if (this.#zoneWrites !== null && isWrite)
      await this.#zoneWrites.run({ requests, command, slba, blocks, data });
    else await requests.execute(command, data ?? {});
  }

  /**
   * Runs `run(first block, blocks, byte offset)` for pieces of up to `most` blocks, all at once, and waits
   * for every one of them even when one fails: until then the controller may use their memory. Rejects with
   * the first failure. In zones one piece follows the other, as writes there must.
   */
  async #split(
    lba: number,
    blocks: number,
    most: number,
    run: (slba: number, count: number, at: number) => Promise<void>,
  ): Promise<void> {
    if (most < 1) {
      throw new RangeError(
        `namespace ${this.nsid} has blocks of ${this.blockSize} bytes, more than one command may transfer (maxTransfer_bytes, MDTS)`,
      );
    }
    const pieces: Promise<void>[] = [];
    for (let done = 0; done < blocks; done += most) {
      const piece = run(lba + done, Math.min(most, blocks - done), done * this.blockSize);
      if (this.zones !== null) await piece;
      pieces.push(piece);
    }
    for (const piece of await Promise.allSettled(pieces)) if (piece.status === 'rejected') throw piece.reason;
  }

  #checkRange(lba: number, blocks: number): void {
    if (this.#metadata_bytes !== 0) {
      throw new Error(
        `namespace ${this.nsid} has ${this.#metadata_bytes} bytes of metadata per block, ` +
          'which this driver does not handle',
      );
    }
    if (!(Number.isSafeInteger(lba) && lba >= 0 && Number.isSafeInteger(blocks) && blocks >= 0))
      throw new RangeError(`a range is a block number and a count of blocks, got ${lba} and ${blocks}`);
    if (lba + blocks <= this.blocks) return;
    throw new RangeError(
      `namespace ${this.nsid} has ${this.blocks} blocks, got a range of ${blocks} from block ${lba} on`,
    );
  }

  #checkData(lba: number, data: Uint8Array): void {
    if ((data.length & (this.blockSize - 1)) !== 0) {
      throw new RangeError(`data are whole blocks of ${this.blockSize} bytes, got ${data.length} bytes`);
    }
    this.#checkRange(lba, data.length / this.blockSize);
  }
}

const control = ({ fua = false }: WriteOptions): number => (fua ? RW_CDW12.FUA.mask | 0 : 0);

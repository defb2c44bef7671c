/**
 * The zones of a namespace: report them, append to one, open, close, finish and reset them. NVMe ZNS 1.2 §3.4.
 * Not here: reading and writing at the write pointer (block-device.ts).
 */
import { NVM } from '../../nvme/spec/commands.ts';
import {
  ZONE,
  ZONE_ACTION,
  ZONE_DESCRIPTOR,
  ZONE_REPORT,
  ZONE_STATE,
  type ZoneStateName,
  zoneStateName,
} from '../../nvme/spec/zones.ts';
import type { DmaPool } from '../vfio/dma.ts';
import { transfer, zoneReport, zoneSend } from './commands.ts';
import type { NamespaceInfo, ZoneInfo } from './identify.ts';
import type { RequestQueue } from './request-queue.ts';
import { ControllerError, CutOffError } from './status.ts';

/** One zone as a report has it. */
export interface Zone {
  /** Its first block, by which it is named. */
  readonly start: number;
  /** Blocks of it that can be written. */
  readonly capacity: number;
  readonly state: ZoneStateName;
  /** The next block to be written; behind the last one of a full zone. */
  readonly pointer: number;
}

interface ZoneIo {
  readonly requests: RequestQueue;
  readonly pool: DmaPool;
  readonly spare: () => DmaPool;
}

export class Zones {
  readonly info: ZoneInfo;
  readonly #namespace: NamespaceInfo;
  readonly #io: () => Promise<ZoneIo>;

  constructor(namespace: NamespaceInfo, info: ZoneInfo, io: () => Promise<ZoneIo>) {
    this.info = info;
    this.#namespace = namespace;
    this.#io = io;
  }

  get count(): number {
    return Math.floor(this.#namespace.blocks / this.info.blocks);
  }

  /** Resolves with all zones in the order of their blocks. Rejects with NvmeError or ControllerError, as all do. */
  async report(): Promise<Zone[]> {
    const { requests, pool } = await this.#io();
    const zones: Zone[] = [];
    const piece = await pool.take();
    try {
      const view = new DataView(piece.bytes.buffer, piece.bytes.byteOffset, pool.pieceBytes);
      const { count } = this;
      const room = Math.floor((pool.pieceBytes - ZONE_REPORT.SIZE) / ZONE_DESCRIPTOR.SIZE);
      while (zones.length < count) {
        const asked = Math.min(room, count - zones.length);
        const bytes = ZONE_REPORT.SIZE + asked * ZONE_DESCRIPTOR.SIZE;
        const slba = zones.length * this.info.blocks;
        await requests.execute(zoneReport(this.#namespace.nsid, slba, bytes), { iova: piece.iova, bytes });
        for (let index = 0; index < asked; index++)
          zones.push(zoneAt(view, ZONE_REPORT.SIZE + index * ZONE_DESCRIPTOR.SIZE));
      }
    } finally {
      pool.give(piece);
    }
    return zones;
  }

  /** Resolves with the zone that has a block, even while all bounce buffers are taken. Rejects as `report` does. */
  async at(block: number): Promise<Zone> {
    const { requests, spare } = await this.#io();
    const pool = spare();
    const piece = await pool.take();
    try {
      const bytes = ZONE_REPORT.SIZE + ZONE_DESCRIPTOR.SIZE;
      await requests.execute(zoneReport(this.#namespace.nsid, block, bytes), { iova: piece.iova, bytes });
      const view = new DataView(piece.bytes.buffer, piece.bytes.byteOffset, bytes);
      return zoneAt(view, ZONE_REPORT.SIZE);
    } finally {
      pool.give(piece);
    }
  }

  /**
   * Appends whole blocks to the zone that begins at block `start`; resolves with the block where the controller put them.
   * One command: at most `info.maxAppend_bytes`, and no more than one command of the drive moves. Rejects with
   * ControllerError too when nobody knows whether it was done: it is not sent again.
   */
  async append(start: number, data: Uint8Array): Promise<number> {
    const { nsid, blockSize } = this.#namespace;
    const { requests, pool } = await this.#io();
    const most = Math.min(this.info.maxAppend_bytes, pool.pieceBytes);
    if (data.length === 0 || data.length % blockSize !== 0 || data.length > most) {
      throw new RangeError(
        `one append takes whole blocks of ${blockSize} bytes, up to ${most} bytes, got ${data.length}`,
      );
    }
    const piece = await pool.take();
    try {
      piece.bytes.set(data);
      const command = transfer(NVM.ZONE_APPEND, nsid, start, data.length / blockSize);
      const { dw0, dw1 } = await requests.execute(command, {
        iova: piece.iova,
        bytes: data.length,
        isOnce: true,
      });
      return (dw0 >>> 0) + (dw1 >>> 0) * 2 ** 32;
    } catch (error) {
      if (!(error instanceof CutOffError)) throw error;
      throw new ControllerError(`${error.message}; it was not sent again, because it may have been done`);
    } finally {
      pool.give(piece);
    }
  }

  /** Makes a zone that begins at block `start` empty; its blocks are gone. */
  reset(start: number): Promise<void> {
    return this.#act(ZONE_ACTION.RESET, start);
  }

  /** Makes all zones empty that are not. */
  async resetAll(): Promise<void> {
    const { requests } = await this.#io();
    await requests.execute(zoneSend(this.#namespace.nsid, 0, ZONE_ACTION.RESET, true));
  }

  open(start: number): Promise<void> {
    return this.#act(ZONE_ACTION.OPEN, start);
  }

  close(start: number): Promise<void> {
    return this.#act(ZONE_ACTION.CLOSE, start);
  }

  /** Makes a zone full, whatever is written in it. */
  finish(start: number): Promise<void> {
    return this.#act(ZONE_ACTION.FINISH, start);
  }

  async #act(action: number, start: number): Promise<void> {
    const { requests } = await this.#io();
    await requests.execute(zoneSend(this.#namespace.nsid, start, action));
  }
}

function zoneAt(view: DataView, at: number): Zone {
  const { STATE, ZCAP, ZSLBA, WP } = ZONE_DESCRIPTOR.decode(view, at);
  const state = ZONE_STATE.ZS.get(STATE);
  const start = Number(ZSLBA);
  const capacity = Number(ZCAP);
  // A full zone, and one that cannot be written any more, has no write pointer.
  const hasPointer = state <= ZONE.CLOSED;
  return {
    start,
    capacity,
    state: zoneStateName(state) ?? 'offline',
    pointer: hasPointer ? Number(WP) : start + capacity,
  };
}

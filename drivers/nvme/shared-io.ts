/**
 * What the namespaces of a controller share: a queue pair with its promises, and bounce buffers, made when the first
 * command comes. Not here: the commands (block-device.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { KIB, PAGE_SIZE } from '../../support/numbers.ts';
import { DmaPool, type DmaSpace } from '../vfio/dma.ts';
import type { BlockIo } from './block-device.ts';
import type { NvmeSettings } from './options.ts';
import type { QueuePair } from './queue-pair.ts';
import type { Recovery } from './recovery.ts';
import { RequestQueue } from './request-queue.ts';

/**
 * Bounce buffers of the namespaces: as long as a command that is worth a copy, and enough to keep a drive
 * busy.
 */
const BOUNCE_BYTES = 128 * KIB;
const BOUNCE_COUNT = 16;

export interface SharedIoParts {
  readonly space: DmaSpace;
  readonly settings: NvmeSettings;
  readonly recovery: Recovery;
  readonly maxTransfer_bytes: number;
  /** By CRD. */
  readonly retryDelays_ns: readonly number[];
  readonly createQueuePair: () => Promise<QueuePair>;
  readonly waitOn: (vector: number, deadline: number) => Promise<boolean> | undefined;
}

export class SharedIo {
  readonly #parts: SharedIoParts;
  #io: Promise<BlockIo> | null = null;
  #requests: RequestQueue | null = null;
  /** Made when a report is first needed during a recovery. */
  #spare: DmaPool | null = null;

  constructor(parts: SharedIoParts) {
    this.#parts = parts;
  }

  /** Rejects as creating a queue pair does; the next command then tries again. */
  open(): Promise<BlockIo> {
    this.#io ??= this.#create();
    return this.#io;
  }

  async #create(): Promise<BlockIo> {
    const { space, settings, recovery, maxTransfer_bytes, retryDelays_ns, createQueuePair, waitOn } =
      this.#parts;
    const pool = new DmaPool(space, Math.min(BOUNCE_BYTES, maxTransfer_bytes), BOUNCE_COUNT);
    try {
      const queue = await createQueuePair();
      const requests = new RequestQueue({
        kernel: space.kernel,
        queue,
        wait: (deadline) => waitOn(queue.qid, deadline),
        rescuer: recovery,
        timeout_ns: settings.timeout_ns,
        retries: settings.retries,
        retryDelays_ns,
      });
      recovery.protect(requests);
      this.#requests = requests;
      return { requests, pool, spare: () => this.#spareOf(space) };
    } catch (error) {
      pool.close();
      this.#io = null;
      throw error;
    }
  }

  #spareOf(space: DmaSpace): DmaPool {
    this.#spare ??= new DmaPool(space, PAGE_SIZE, 1);
    return this.#spare;
  }

  /** Rejects everything outstanding and to come. */
  async end(reason: Error): Promise<void> {
    (await this.#io?.catch(() => null))?.requests.end(reason);
  }

  /** Frees the bounce buffers, which the controller must not use any more. */
  async close(): Promise<void> {
    (await this.#io?.catch(() => null))?.pool.close();
    this.#spare?.close();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.same(this.#requests !== null, 'whether namespaces have been used with promises');
    a.same(this.#spare !== null, 'whether a reset has cut off writes in zones');
    this.#requests?.archive(a);
  }
}

/**
 * The admin queue: commands that return data, features, and the creation of I/O queues. NVMe Base 2.1 §5.
 * Not here: enabling the controller (controller.ts), what to do with the answers (driver.ts).
 */

import { FEATURE_SELECT, FEATURES, FID, HOST_BEHAVIOR, NUMBER_OF_QUEUES } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_SIZE, LIST_ENTRIES } from '../../nvme/spec/identify.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { type DmaBuffer, DmaPool, type DmaSpace } from '../vfio/dma.ts';
import {
  asyncEventRequest,
  type Command,
  createCompletionQueue,
  createSubmissionQueue,
  deleteCompletionQueue,
  deleteSubmissionQueue,
  doorbellBufferConfig,
  getFeatures,
  getLogPage,
  type IdentifyOf,
  identify,
  lendHostMemory,
  setFeatures,
} from './commands.ts';
import type { Controller } from './controller.ts';
import type { HostMemory } from './host-memory.ts';
import { namespaceList } from './identify.ts';
import { queueBytes } from './queue-memory.ts';
import { type Doorbells, QueuePair } from './queue-pair.ts';
import { type Completion, RequestQueue, type Rescuer, type WaitForCompletion } from './request-queue.ts';
import type { ShadowDoorbells } from './shadow-doorbells.ts';

/** Commands outstanding at once, as many as Linux allows. */
const DEPTH = 31;
/** Pages for the data of admin commands; more commands with data than this wait for each other. */
const DATA_PAGES = 4;
const NO_DATA = new Uint8Array();

/** What Get Features returned: DW0, and the data of features that have some. */
export interface FeatureValue {
  readonly value: number;
  readonly data: Uint8Array;
}

export interface AdminQueueOptions {
  readonly space: DmaSpace;
  readonly controller: Controller;
  readonly doorbells: Doorbells;
  readonly wait: WaitForCompletion;
  readonly rescuer: Rescuer;
  readonly timeout_ns: number;
}

export class AdminQueue {
  readonly queue: QueuePair;
  readonly requests: RequestQueue;
  readonly #memory: DmaBuffer;
  readonly #pages: DmaPool;

  /** Allocates the queue. The controller does not know of it before `enable`. */
  constructor({ space, controller, doorbells, wait, rescuer, timeout_ns }: AdminQueueOptions) {
    const maxTransfer_bytes = PAGE_SIZE;
    this.#memory = space.allocate(queueBytes(DEPTH, maxTransfer_bytes));
    this.#pages = new DmaPool(space, PAGE_SIZE, DATA_PAGES);
    const memory = this.#memory;
    const dstrd = controller.dstrd;
    this.queue = new QueuePair({
      qid: 0,
      depth: DEPTH,
      slack: 1,
      maxTransfer_bytes,
      memory,
      doorbells,
      dstrd,
      ordersLoads: space.kernel.ordersLoads === true,
    });
    this.requests = new RequestQueue({ kernel: space.kernel, queue: this.queue, wait, timeout_ns, rescuer });
  }

  /**
   * The controller was reset: requests for events will be sent again after `requests.resume`, other commands fail;
   * `trouble` says why.
   */
  halt(trouble: string): void {
    this.queue.restart();
    this.requests.hold(trouble);
    this.queue.giveUp(STATUS.ABORTED_BY_HOST);
  }

  /** Runs a command that returns up to one page, and gives a copy of it. */
  async #read(command: Command, bytes: number): Promise<DataView> {
    const page = await this.#pages.take();
    try {
      await this.requests.execute(command, { iova: page.iova, bytes });
      return new DataView(page.bytes.slice(0, bytes).buffer);
    } finally {
      this.#pages.give(page);
    }
  }

  identify(cns: number, nsid = 0, of: IdentifyOf = {}): Promise<DataView> {
    return this.#read(identify(cns, nsid, of), IDENTIFY_SIZE);
  }

  /** Numbers of all active namespaces, ascending. */
  async activeNamespaces(): Promise<number[]> {
    const all: number[] = [];
    for (;;) {
      const list = namespaceList(await this.identify(CNS.ACTIVE_NAMESPACES, all.at(-1) ?? 0));
      all.push(...list);
      if (list.length < LIST_ENTRIES.NAMESPACES) return all;
    }
  }

  /** The first `bytes` bytes of a log page; reading it lets the next event of its kind through. */
  async getLogPage(lid: number, bytes: number, nsid = 0): Promise<Uint8Array> {
    const log = new Uint8Array(bytes);
    for (let offset = 0; offset < bytes; offset += PAGE_SIZE) {
      const part = Math.min(PAGE_SIZE, bytes - offset);
      const view = await this.#read(getLogPage(lid, part, nsid, offset), part);
      log.set(new Uint8Array(view.buffer), offset);
    }
    return log;
  }

  /** `select` is one of FEATURE_SELECT. */
  async getFeature(fid: number, nsid: number, select: number): Promise<FeatureValue> {
    const command = getFeatures(fid, select, nsid);
    const bytes = select === FEATURE_SELECT.CAPABILITIES ? 0 : (FEATURES[fid]?.get_bytes ?? 0);
    if (bytes === 0) return { value: (await this.requests.execute(command)).dw0, data: NO_DATA };
    const page = await this.#pages.take();
    try {
      page.bytes.fill(0, 0, bytes);
      const { dw0 } = await this.requests.execute(command, { iova: page.iova, bytes });
      return { value: dw0, data: page.bytes.slice(0, bytes) };
    } finally {
      this.#pages.give(page);
    }
  }

  async setFeatures(fid: number, value: number, nsid = 0): Promise<number> {
    return (await this.requests.execute(setFeatures(fid, value, nsid))).dw0;
  }

  /** Tells the controller that the host waits before it retries when it is asked to (ACRE). Base 2.1 §5.1.25.1.14 */
  async enableRetryDelays(): Promise<void> {
    const page = await this.#pages.take();
    try {
      page.bytes.fill(0, 0, HOST_BEHAVIOR.SIZE);
      const view = new DataView(page.bytes.buffer, page.bytes.byteOffset, HOST_BEHAVIOR.SIZE);
      HOST_BEHAVIOR.set(view, 0, 'ACRE', 1);
      await this.requests.execute(setFeatures(FID.HOST_BEHAVIOR, 0), {
        iova: page.iova,
        bytes: HOST_BEHAVIOR.SIZE,
      });
    } finally {
      this.#pages.give(page);
    }
  }

  /** Queue pairs that are created from here on have their doorbells in memory. */
  async setDoorbellBuffers({ indexPage, eventPage }: ShadowDoorbells): Promise<void> {
    await this.requests.execute(doorbellBufferConfig(indexPage.iova, eventPage.iova));
  }

  /** Lends memory to the controller until it is reset or the memory is taken back. */
  async setHostMemory({ list, bytes }: HostMemory): Promise<void> {
    await this.requests.execute(lendHostMemory(list.iova, bytes));
  }

  /** Asks for `count` queue pairs and returns how many the controller grants. */
  async requestQueues(count: number): Promise<number> {
    const value = NUMBER_OF_QUEUES.encode({ NSQR: count - 1, NCQR: count - 1 });
    const granted = await this.setFeatures(FID.NUMBER_OF_QUEUES, value);
    return Math.min(NUMBER_OF_QUEUES.NSQR.get(granted), NUMBER_OF_QUEUES.NCQR.get(granted)) + 1;
  }

  /** Creates both queues or none; `vector` -1 makes them without interrupts. */
  async createQueues({ qid, entries, cqEntries, sqIova, cqIova }: QueuePair, vector: number): Promise<void> {
    await this.requests.execute(createCompletionQueue(qid, cqEntries, cqIova, vector));
    try {
      await this.requests.execute(createSubmissionQueue(qid, entries, sqIova, qid));
    } catch (error) {
      await this.requests.execute(deleteCompletionQueue(qid)).catch(() => {});
      throw error;
    }
  }

  async deleteQueues(qid: number): Promise<void> {
    await this.requests.execute(deleteSubmissionQueue(qid));
    await this.requests.execute(deleteCompletionQueue(qid));
  }

  /** Resolves when the controller reports an event. */
  nextEvent(): Promise<Completion> {
    return this.requests.execute(asyncEventRequest(), { isBackground: true });
  }

  /** Frees the memory of the queue, which the controller must not use any more. */
  close(): void {
    this.#pages.close();
    this.#memory.free();
  }
}

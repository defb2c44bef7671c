/**
 * The I/O queue pairs of a controller: creating them, deleting them, and creating them again after a reset.
 * Not here: the queues themselves (queue-pair.ts), the admin commands (admin-queue.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { DmaBuffer, DmaSpace } from '../vfio/dma.ts';
import type { AdminQueue } from './admin-queue.ts';
import type { Controller } from './controller.ts';
import { checkQueueOptions, type IoQueueOptions, type NvmeSettings } from './options.ts';
import { MAX_SLACK, queueBytes } from './queue-memory.ts';
import { type Doorbells, MAX_DEPTH, type OnStale, QueuePair } from './queue-pair.ts';
import type { ShadowDoorbells } from './shadow-doorbells.ts';
import { NvmeError } from './status.ts';

export interface IoQueuesParts {
  readonly bdf: string;
  readonly space: DmaSpace;
  readonly admin: AdminQueue;
  readonly controller: Controller;
  readonly settings: NvmeSettings;
  /** The registers. */
  readonly doorbells: Doorbells;
  readonly onStale: (queue: QueuePair) => OnStale;
  /** The controller cannot be reset any more, and may still use its memory. */
  readonly isLost: () => boolean;
}

interface IoQueue {
  readonly queue: QueuePair;
  readonly memory: DmaBuffer;
  /** -1: it polls. */
  readonly vector: number;
  /** The controller has both queues. */
  isCreated: boolean;
}

export class IoQueues {
  /** How many there can be at once; known once the controller was asked. */
  max = 0;
  /** Doorbells in memory; null: the registers. */
  shadow: ShadowDoorbells | null = null;
  /** Whether the driver has interrupts to give. */
  canInterrupt = false;
  readonly #parts: IoQueuesParts;
  readonly #queues = new Map<number, IoQueue>();

  constructor(parts: IoQueuesParts) {
    this.#parts = parts;
  }

  /** Numbers of those that exist. */
  get qids(): Iterable<number> {
    return this.#queues.keys();
  }

  /** Those that exist. */
  *all(): Generator<QueuePair> {
    for (const { queue } of this.#queues.values()) yield queue;
  }

  /** Rejects with RangeError, SysError or NvmeError. */
  async create(options: IoQueueOptions, maxTransfer_bytes: number): Promise<QueuePair> {
    checkQueueOptions(options);
    const { admin, controller, settings, space, onStale, isLost } = this.#parts;
    const qid = this.#freeQid(options.preferred ?? []);
    const mostDepth = Math.min(controller.maxEntries - 1, MAX_DEPTH);
    const depth = options.depth ?? Math.min(settings.depth, mostDepth);
    if (!(depth >= 1 && depth <= mostDepth)) {
      throw new RangeError(`the depth of a queue pair is 1 to ${mostDepth} here (CAP.MQES), got ${depth}`);
    }
    const wantsInterrupts = options.interrupts ?? this.canInterrupt;
    if (wantsInterrupts && !this.canInterrupt) {
      throw new RangeError('a queue pair can interrupt only when the driver was opened with interrupts');
    }
    const memory = space.allocate(queueBytes(depth, maxTransfer_bytes));
    const { dstrd } = controller;
    const doorbells = this.shadow ?? this.#parts.doorbells;
    // Pins, MSI and coalescing look at what the host has not given back, so a queue with interrupts gives back at every reap.
    const slack = wantsInterrupts ? 1 : Math.min(MAX_SLACK, controller.maxEntries - depth);
    const ordersLoads = space.kernel.ordersLoads === true;
    const queue = new QueuePair({
      qid,
      depth,
      slack,
      maxTransfer_bytes,
      memory,
      doorbells,
      dstrd,
      ordersLoads,
    });
    queue.onStale = onStale(queue);
    const vector = wantsInterrupts ? qid : -1;
    const entry: IoQueue = { queue, memory, vector, isCreated: false };
    this.#queues.set(qid, entry);
    this.shadow?.begin(qid);
    try {
      await admin.createQueues(queue, vector);
    } catch (error) {
      // A controller that refused, or was reset, does not know the memory; one that hangs may still use it.
      if (error instanceof NvmeError || !isLost()) this.#forget(qid);
      throw error;
    }
    entry.isCreated = true;
    return queue;
  }

  /** After a reset: every pair again, in the same memory and empty. Rejects as `create` does. */
  async recreate(): Promise<void> {
    for (const { queue, vector, isCreated } of this.#queues.values()) {
      if (!isCreated) continue;
      queue.restart();
      this.shadow?.begin(queue.qid);
      await this.#parts.admin.createQueues(queue, vector);
    }
  }

  async delete(queue: QueuePair): Promise<void> {
    await this.#parts.admin.deleteQueues(queue.qid);
    this.#forget(queue.qid);
  }

  /** Frees the memory of all, which the controller must not use any more. */
  free(): void {
    for (const qid of [...this.#queues.keys()]) this.#forget(qid);
    this.shadow?.close();
  }

  #forget(qid: number): void {
    this.#queues.get(qid)?.memory.free();
    this.#queues.delete(qid);
  }

  #freeQid(preferred: readonly number[]): number {
    const wanted = preferred.find((qid) => qid <= this.max && !this.#queues.has(qid));
    if (wanted !== undefined) return wanted;
    for (let qid = 1; qid <= this.max; qid++) if (!this.#queues.has(qid)) return qid;
    throw new RangeError(`all ${this.max} I/O queue pairs of ${this.#parts.bdf} are in use`);
  }

  /** Saves or loads every queue pair (support/archive.ts). */
  archive(a: Archive): void {
    a.same([...this.#queues.keys()].join(), 'the list of queue pairs');
    for (const { queue } of this.#queues.values()) queue.archive(a);
    this.shadow?.archive(a);
  }
}

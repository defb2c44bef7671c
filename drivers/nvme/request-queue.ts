/**
 * Promises over a queue pair: a command goes in, its completion comes out, and commands that find the queue
 * full wait in line. One loop serves the queue while commands are outstanding, by polling or by interrupt.
 * Commands of one turn of the program share one doorbell write. Not here: the queue itself (queue-pair.ts),
 * data buffers.
 */
import { opcodeName } from '../../nvme/spec/commands.ts';
import type { Kernel } from '../../vfio/uapi/kernel.ts';
import type { Command } from './commands.ts';
import { QUEUE_FULL, type QueuePair } from './queue-pair.ts';
import { ControllerError } from './status.ts';

/** The two words of a completion that a command may use. */
export interface Completion {
  readonly dw0: number;
  readonly dw1: number;
}

export interface RequestOptions {
  /**
   * Data buffer of the command: mapped memory, contiguous for the device. Without it the command has no data.
   */
  readonly iova?: number;
  readonly bytes?: number;
  /** The command may stay outstanding forever (Asynchronous Event Request): nothing waits for it. */
  readonly isBackground?: boolean;
}

interface Request {
  readonly command: Command;
  readonly iova: number;
  readonly bytes: number;
  readonly isBackground: boolean;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: Error) => void;
  /** In ns of the kernel's clock; Infinity until the command is posted, and for background commands. */
  deadline: number;
}

/**
 * Comes back when the queue may have a completion, at the latest at `deadline` (ns of the kernel's clock).
 */
export type WaitForCompletion = (deadline: number) => Promise<unknown> | unknown;

export interface RequestQueueOptions {
  readonly kernel: Kernel;
  readonly queue: QueuePair;
  readonly wait: WaitForCompletion;
  /** How long a command may take before the controller counts as hung. */
  readonly timeout_ns: number;
  /** Why the controller may be silent, for the error. */
  readonly diagnose: () => string;
}

export class RequestQueue {
  readonly queue: QueuePair;
  readonly #kernel: Kernel;
  readonly #wait: WaitForCompletion;
  readonly #timeout_ns: number;
  readonly #diagnose: () => string;
  /** The request in each slot. */
  readonly #requests: (Request | undefined)[];
  readonly #backlog: Request[] = [];
  #foreground = 0;
  #isServing = false;
  #isFlushPending = false;
  /** Set once the queue is closed or its controller hangs; every later command fails with it. */
  #ended: Error | null = null;

  constructor({ kernel, queue, wait, timeout_ns, diagnose }: RequestQueueOptions) {
    this.#kernel = kernel;
    this.queue = queue;
    this.#wait = wait;
    this.#timeout_ns = timeout_ns;
    this.#diagnose = diagnose;
    this.#requests = new Array(queue.depth).fill(undefined);
    queue.onComplete = (slot, status) => this.#complete(slot, status);
  }

  /**
   * Resolves with the completion. Rejects with NvmeError, or with ControllerError when there is none in time.
   */
  execute(
    command: Command,
    { iova = 0, bytes = 0, isBackground = false }: RequestOptions = {},
  ): Promise<Completion> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const deadline = Number.POSITIVE_INFINITY;
      this.#backlog.push({ command, iova, bytes, isBackground, resolve, reject, deadline });
      if (!isBackground) this.#foreground++;
      void this.#flushSoon();
      if (!this.#isServing) void this.#serve();
    });
  }

  /** Takes completions that are there now, without waiting. Returns how many. */
  poll(): number {
    const count = this.queue.reap();
    if (count > 0) this.#flush();
    return count;
  }

  /**
   * Rejects everything outstanding and everything to come. The queue's memory may go after the controller let
   * go of it.
   */
  end(reason: Error): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    for (const request of this.#backlog.splice(0)) this.#reject(request, reason);
    for (const [slot, request] of this.#requests.entries()) {
      this.#requests[slot] = undefined;
      if (request !== undefined) this.#reject(request, reason);
    }
  }

  #reject(request: Request, reason: Error): void {
    if (!request.isBackground) this.#foreground--;
    request.reject(reason);
  }

  async #flushSoon(): Promise<void> {
    if (this.#isFlushPending) return;
    this.#isFlushPending = true;
    await null;
    this.#isFlushPending = false;
    try {
      this.#flush();
    } catch (error) {
      this.end(error as Error); // the doorbell is gone: SIGBUS on a real machine
    }
  }

  /** Posts as much of the backlog as has slots, with one doorbell write. */
  #flush(): void {
    let posted = 0;
    for (const request of this.#backlog) {
      const slot = this.#post(request);
      if (slot === QUEUE_FULL) break;
      posted++;
    }
    this.#backlog.splice(0, posted);
    this.queue.ring();
  }

  #post(request: Request): number {
    const { command, iova, bytes, isBackground } = request;
    try {
      const slot = this.queue.postCommand(command, iova, bytes);
      if (slot === QUEUE_FULL) return QUEUE_FULL;
      if (!isBackground) request.deadline = this.#kernel.now() + this.#timeout_ns;
      this.#requests[slot] = request;
      return slot;
    } catch (error) {
      this.#reject(request, error as Error);
      return 0;
    }
  }

  #complete(slot: number, status: number): void {
    const request = this.#requests[slot];
    if (request === undefined) return; // ended meanwhile
    this.#requests[slot] = undefined;
    if (status !== 0) {
      this.#reject(request, this.queue.error(slot));
      return;
    }
    if (!request.isBackground) this.#foreground--;
    request.resolve({ dw0: this.queue.result(slot), dw1: this.queue.resultHigh(slot) });
  }

  /** Runs while commands are outstanding. Between two looks at the queue the program gets its turn. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      while (this.#foreground > 0) {
        await null;
        if (this.poll() > 0 || this.#foreground === 0) continue;
        const deadline = this.#earliestDeadline();
        if (this.#kernel.now() >= deadline) this.#expire(deadline);
        else await this.#wait(deadline);
      }
    } catch (error) {
      this.end(error as Error);
    } finally {
      this.#isServing = false;
    }
  }

  #earliestDeadline(): number {
    let earliest = this.#kernel.now() + this.#timeout_ns;
    for (const request of this.#requests) {
      if (request !== undefined && request.deadline < earliest) earliest = request.deadline;
    }
    return earliest;
  }

  #expire(deadline: number): void {
    const hung = this.#requests.find((request) => request?.deadline === deadline)!;
    const name = opcodeName(this.queue.qid === 0, hung.command[0]! & 0xff);
    const where = this.queue.qid === 0 ? 'the admin queue' : `queue ${this.queue.qid}`;
    const time = `${this.#timeout_ns / 1e6} ms`;
    this.end(new ControllerError(`${name} on ${where} did not complete within ${time}; ${this.#diagnose()}`));
  }
}

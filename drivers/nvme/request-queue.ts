/**
 * Promises over a queue pair: a command goes in, its completion comes out, and commands that find the queue
 * full wait in line. One loop serves the queue while commands are outstanding, by polling or by interrupt.
 * Commands of one turn of the program share one doorbell write. A failure that may pass is tried again. Not here: the
 * queue itself (queue-pair.ts), data buffers, what to do about commands that do not complete (recovery.ts).
 */
import { STATUS } from '../../nvme/spec/status.ts';
import type { Archive } from '../../support/archive.ts';
import type { Kernel } from '../../vfio/uapi/kernel.ts';
import type { Command } from './commands.ts';
import type { QueuePair } from './queue-pair.ts';
import { ControllerError, CutOffError, type NvmeError, subject } from './status.ts';

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
  /**
   * Not sent again once it may have begun but rejected with CutOffError, because nobody knows whether it took effect and a
   * second time does something else (Zone Append, writes in zones).
   */
  readonly isOnce?: boolean;
  /** Posted no earlier than so long from now. */
  readonly delay_ns?: number;
  /** What the command is for, should it not complete: the sentence about that begins so. */
  readonly cause?: string;
}

interface Request {
  readonly command: Command;
  readonly iova: number;
  readonly bytes: number;
  readonly isBackground: boolean;
  readonly isOnce: boolean;
  readonly cause: string;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: Error) => void;
  /** In ns of the kernel's clock; Infinity until the command is posted, and for background commands. */
  deadline: number;
  /** Posted no earlier, in ns of the kernel's clock. */
  notBefore: number;
  retriesLeft: number;
  /** The controller was asked to abort it. */
  isAborted: boolean;
  /** What is wrong with it, for the error: a clause. */
  trouble: string;
}

/**
 * Comes back when the queue may have a completion, at the latest at `deadline` (ns of the kernel's clock); with false
 * when an interrupt should have come and none did.
 */
export type WaitForCompletion = (deadline: number) => Promise<unknown> | unknown;

/** What `rescue` is told when no command is late. */
export const NONE_LATE = -1;

/** Who is asked when commands do not complete. */
export interface Rescuer {
  /** The controller is neither on its way up nor down: what fails may be sent again. */
  readonly isOn: boolean;
  /**
   * Nothing has completed for WATCH_NS, or the command in slot `late` is beyond its time. Resolves when the queue may be
   * looked at again.
   */
  rescue(requests: RequestQueue, late: number): Promise<void>;
  /** A completion was found that no interrupt told of. */
  foundSilent(requests: RequestQueue): void;
}

export interface RequestQueueOptions {
  readonly kernel: Kernel;
  readonly queue: QueuePair;
  readonly wait: WaitForCompletion;
  readonly rescuer: Rescuer;
  /** How long a command may take before the rescuer is asked what to do. */
  readonly timeout_ns: number;
  /** How often a command is sent again after a failure that may pass. */
  readonly retries?: number;
  /** By CRD (0 to 3): how long to wait before that. */
  readonly retryDelays_ns?: readonly number[];
}

/** How long a queue may be silent before the controller's state is looked at. */
const WATCH_NS = 100e6;
const NEVER = Number.POSITIVE_INFINITY;
/** Failures that tell that the controller has not begun the command. */
const NOT_BEGUN: readonly number[] = [
  STATUS.NAMESPACE_NOT_READY,
  STATUS.ADMIN_MEDIA_NOT_READY,
  STATUS.FORMAT_IN_PROGRESS,
  STATUS.SANITIZE_IN_PROGRESS,
  STATUS.TOO_MANY_ACTIVE_ZONES,
  STATUS.TOO_MANY_OPEN_ZONES,
];

export class RequestQueue {
  readonly queue: QueuePair;
  readonly timeout_ns: number;
  /** How often a command is sent again. */
  readonly retries: number;
  readonly #kernel: Kernel;
  readonly #wait: WaitForCompletion;
  readonly #rescuer: Rescuer;
  readonly #retryDelays_ns: readonly number[];
  /** The request in each slot. */
  readonly #requests: (Request | undefined)[];
  #backlog: Request[] = [];
  #foreground = 0;
  #isServing = false;
  #isFlushPending = false;
  /** Since when nothing has completed although something is outstanding. */
  #silentSince = NEVER;
  /** Resolves when commands may be posted again; null: they may. */
  #held: Promise<void> | null = null;
  #release: () => void = () => {};
  /** Why commands were given up. */
  #trouble = '';
  /** Set once the queue is closed or its controller lost; every later command fails with it. */
  #ended: Error | null = null;

  constructor(options: RequestQueueOptions) {
    this.queue = options.queue;
    this.timeout_ns = options.timeout_ns;
    this.#kernel = options.kernel;
    this.#wait = options.wait;
    this.#rescuer = options.rescuer;
    this.retries = options.retries ?? 0;
    this.#retryDelays_ns = options.retryDelays_ns ?? [];
    this.#requests = new Array(this.queue.depth).fill(undefined);
    this.queue.checksSqid = true;
    this.queue.onComplete = (slot, status) => this.#complete(slot, status);
  }

  /**
   * Resolves with the completion. Rejects with NvmeError, or with ControllerError when the controller lost the command.
   */
  execute(
    command: Command,
    {
      iova = 0,
      bytes = 0,
      isBackground = false,
      isOnce = false,
      delay_ns = 0,
      cause = '',
    }: RequestOptions = {},
  ): Promise<Completion> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#backlog.push({
        command,
        iova,
        bytes,
        isBackground,
        isOnce,
        cause,
        resolve,
        reject,
        deadline: NEVER,
        notBefore: this.#after(delay_ns),
        retriesLeft: this.retries,
        isAborted: false,
        trouble: '',
      });
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
    this.resume();
  }

  // ---- recovery -----------------------------------------------------------------------------------------------------

  /** Posts nothing until `resume`. `trouble` is why commands will be given up: a clause. */
  hold(trouble: string): void {
    this.#trouble = trouble;
    this.#held ??= new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  resume(): void {
    this.#held = null;
    this.#release();
    if (this.#ended === null) this.#flush();
  }

  /** Says what is wrong with the command in a slot, and gives it its time once more. Returns its cause and it as a subject. */
  blame(slot: number, trouble: string): string {
    const request = this.#requests[slot]!;
    request.trouble = trouble;
    request.deadline = this.#kernel.now() + this.timeout_ns;
    return request.cause + subject(this.queue.command(slot), request.iova);
  }

  /** The controller is about to be asked to abort the command in a slot. False when it was before. */
  markAborted(slot: number): boolean {
    const request = this.#requests[slot]!;
    const isFirst = !request.isAborted;
    request.isAborted = true;
    return isFirst;
  }

  // ---- posting ------------------------------------------------------------------------------------------------------

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

  /** Posts as much of the backlog as is due and has slots, with one doorbell write. */
  #flush(): void {
    if (this.#held !== null || this.#backlog.length === 0) return;
    const waiting = this.#backlog;
    this.#backlog = [];
    let isFull = false;
    for (const request of waiting) {
      isFull ||= this.queue.outstanding === this.queue.depth;
      const isDue = request.notBefore === 0 || request.notBefore <= this.#kernel.now();
      if (isFull || !isDue) this.#backlog.push(request);
      else this.#post(request);
    }
    this.queue.ring();
  }

  #post(request: Request): void {
    const { command, iova, bytes, isBackground } = request;
    try {
      const slot = this.queue.postCommand(command, iova, bytes);
      if (!isBackground) request.deadline = this.#kernel.now() + this.timeout_ns;
      this.#requests[slot] = request;
    } catch (error) {
      this.#reject(request, error as Error);
    }
  }

  // ---- completing ---------------------------------------------------------------------------------------------------

  #complete(slot: number, status: number): void {
    const request = this.#requests[slot];
    if (request === undefined) return; // ended meanwhile
    this.#requests[slot] = undefined;
    if (status !== 0) {
      const error = this.queue.error(slot);
      if (this.#again(request, error)) return;
      return this.#reject(request, this.#failure(request, error));
    }
    if (!request.isBackground) this.#foreground--;
    request.resolve({ dw0: this.queue.result(slot), dw1: this.queue.resultHigh(slot) });
  }

  /** Puts a command that failed back in line if it may be sent again. A request for events always is after a reset. */
  #again(request: Request, { status, dnr, crd }: NvmeError): boolean {
    if (this.#ended !== null || !this.#rescuer.isOn) return false;
    if (request.isBackground) {
      if (status !== STATUS.ABORTED_BY_HOST) return false;
    } else {
      if (dnr || status === STATUS.COMPARE_FAILURE || request.retriesLeft === 0) return false;
      if (request.isOnce && !NOT_BEGUN.includes(status)) return false;
      request.retriesLeft--;
      request.notBefore = this.#after(this.#delayOf(crd));
    }
    request.isAborted = false;
    this.#backlog.push(request);
    return true;
  }

  /** By CRD. */
  #delayOf(crd: number): number {
    return crd === 0 ? 0 : (this.#retryDelays_ns[crd] ?? 0);
  }

  /** A moment on the kernel's clock; 0 for at once. */
  #after(delay_ns: number): number {
    return delay_ns === 0 ? 0 : this.#kernel.now() + delay_ns;
  }

  /** What to say of a command that is not sent again. */
  #failure({ isAborted, isOnce, trouble, iova, retriesLeft }: Request, error: NvmeError): Error {
    const { status, dnr, crd } = error;
    const isGivenUp = status === STATUS.ABORTED_BY_HOST;
    const hasTrouble = isGivenUp || (isAborted && status === STATUS.COMMAND_ABORT_REQUESTED);
    const isCutOff = isGivenUp || (isOnce && !dnr && !NOT_BEGUN.includes(status));
    if (!hasTrouble && !isCutOff) return error;
    const sent = this.retries - retriesLeft + 1;
    const times = sent === 1 ? '' : `; it was sent ${sent} times`;
    const sentence = hasTrouble
      ? `${subject(error.command, iova)} ${trouble || this.#trouble}${times}`
      : error.message;
    if (!isCutOff) return new ControllerError(sentence);
    return new CutOffError(sentence, hasTrouble ? null : error, this.#delayOf(crd));
  }

  // ---- waiting ------------------------------------------------------------------------------------------------------

  /** Runs while commands are outstanding. Between two looks at the queue the program gets its turn. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    let isSilent = false;
    try {
      while (this.#foreground > 0) {
        await null;
        if (this.#held !== null) {
          await this.#held;
        } else if (this.poll() > 0) {
          this.#silentSince = NEVER;
          if (isSilent) this.#rescuer.foundSilent(this);
          isSilent = false;
        } else if (this.#foreground > 0) {
          isSilent = await this.#idle();
        }
      }
    } catch (error) {
      this.end(error as Error);
    } finally {
      this.#isServing = false;
    }
  }

  /** Waits for a completion, or has somebody look why there is none. Resolves with whether an interrupt was missed. */
  async #idle(): Promise<boolean> {
    const now = this.#kernel.now();
    if (this.#silentSince === NEVER) this.#silentSince = now;
    const look = this.#silentSince + WATCH_NS;
    const late = this.#requests.findIndex((request) => request !== undefined && request.deadline <= now);
    if (late >= 0 || now >= look) {
      this.#silentSince = NEVER;
      await this.#rescuer.rescue(this, late >= 0 ? late : NONE_LATE);
      return false;
    }
    let until = look;
    for (const request of this.#requests) {
      if (request !== undefined && request.deadline < until) until = request.deadline;
    }
    let due = NEVER;
    for (const { notBefore } of this.#backlog) if (notBefore > now && notBefore < due) due = notBefore;
    const isTold = await this.#wait(Math.min(until, due));
    if (this.#backlog.length > 0) this.#flush();
    // What completes when a wait ends for the sake of a retry may have its interrupt still on the way.
    return isTold === false && until < due;
  }

  /**
   * Saves or loads which slots have requests. Only background ones may be under way: those of one queue are alike, so that
   * it does not matter which of them has which slot. Promises cannot be saved.
   */
  archive(a: Archive): void {
    this.queue.archive(a);
    const isQuiet = this.#foreground === 0 && this.#backlog.length === 0;
    a.require(
      isQuiet && this.#held === null && this.#ended === null,
      `queue ${this.queue.qid} has commands that a program waits for`,
    );
    this.#silentSince = a.value(this.#silentSince);
    this.#trouble = a.value(this.#trouble);
    const slots = [...this.#requests.keys()].filter((slot) => this.#requests[slot] !== undefined);
    a.same(slots.length, `the number of requests in queue ${this.queue.qid}`);
    const requests = slots.map((slot) => this.#requests[slot]);
    this.#requests.fill(undefined);
    for (const [index, slot] of a.value(slots).entries()) this.#requests[slot] = requests[index];
  }
}

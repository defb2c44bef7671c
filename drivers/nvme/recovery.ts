/**
 * What the driver does about commands that do not complete, in the order of Linux's nvme_timeout(): look at the queue
 * (request-queue.ts has), look at CSTS, abort the command, reset the controller and send everything again, give up.
 * A controller that is silent is looked at before commands are late, so a failed one is found in WATCH_NS.
 * Not here: which failures of commands are tried again (request-queue.ts), what a reset has to set up (driver.ts).
 */
import { ABORT_RESULT } from '../../nvme/spec/commands.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { VfioDevice } from '../vfio/device.ts';
import type { AdminQueue } from './admin-queue.ts';
import { abort } from './commands.ts';
import type { Controller } from './controller.ts';
import type { QueuePair } from './queue-pair.ts';
import { NONE_LATE, type RequestQueue, type Rescuer } from './request-queue.ts';
import { ControllerError, subject } from './status.ts';

export interface RecoveryParts {
  readonly device: VfioDevice;
  readonly controller: Controller;
  /** The I/O queue pairs that exist. */
  readonly queues: () => Iterable<QueuePair>;
  /** Enables the controller, which has been reset, and creates everything that it had. */
  readonly restart: () => Promise<void>;
  readonly warn: (sentence: string) => void;
}

export class Recovery implements Rescuer {
  /** Set once by the driver. */
  admin!: AdminQueue;
  /** False while the driver brings the controller up or down: then a command that does not complete ends it. */
  isOn = false;
  readonly #parts: RecoveryParts;
  /** Queues of requests that go on after a reset. */
  readonly #held: RequestQueue[] = [];
  #resetting: Promise<void> | null = null;
  #isRestarting = false;
  /** Why the controller is being reset. */
  #reason = '';
  #end: ControllerError | null = null;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Commands of `requests` survive a reset. */
  protect(requests: RequestQueue): void {
    this.#held.push(requests);
  }

  /** Why the controller cannot be used any more; null while it can. */
  get end(): ControllerError | null {
    return this.#end;
  }

  /** Resolves when no reset is under way. */
  async settled(): Promise<void> {
    await this.#resetting;
  }

  foundSilent({ queue }: RequestQueue): void {
    this.#warn(`an interrupt of ${nameOf(queue)} was lost: its completion was found by looking`);
  }

  async rescue(requests: RequestQueue, late: number): Promise<void> {
    const { controller } = this.#parts;
    const isAdmin = requests === this.admin.requests;
    if (this.#end !== null) return;
    if (this.#resetting !== null && !isAdmin) return this.#resetting;
    if (controller.isGone) return this.#giveUp(controller.diagnose());
    if (late === NONE_LATE && !controller.hasFailed) return;
    if (late === NONE_LATE) return this.#fix(isAdmin, `the controller failed: ${controller.diagnose()}`);
    const trouble = `did not complete within ${requests.timeout_ns / 1e6} ms; ${controller.diagnose()}`;
    const sentence = `${requests.blame(late, trouble)} ${trouble}`;
    if (isAdmin || !this.#isUp || controller.hasFailed || !requests.markAborted(late))
      return this.#fix(isAdmin, sentence);
    return this.#abort(requests.queue, late, sentence);
  }

  /**
   * A command that a program posted is late: asks the controller to end it, or resets one that has failed. Resolves with
   * what was wrong, as a sentence. Rejects with ControllerError when the controller is lost, else with RangeError when no
   * command is outstanding in the slot.
   */
  async abort(queue: QueuePair, slot: number): Promise<string> {
    if (this.#end !== null) throw this.#end;
    if (!(queue.cid(slot) >= 0))
      throw new RangeError(`no command is outstanding in slot ${slot} of ${nameOf(queue)}`);
    const { controller } = this.#parts;
    const { timeout_ns } = this.admin.requests;
    const sentence = `${subject(queue.command(slot))} did not complete within ${timeout_ns / 1e6} ms; ${controller.diagnose()}`;
    if (controller.isGone) this.#giveUp(controller.diagnose());
    else if (controller.hasFailed) await this.#begin(sentence);
    else await this.#abort(queue, slot, sentence);
    if (this.#end !== null) throw this.#end;
    return sentence;
  }

  get #isUp(): boolean {
    return this.isOn && !this.#isRestarting;
  }

  /** Resets the controller if it is up, else gives it up. The reset needs the loop of the admin queue, so that does not wait. */
  #fix(isAdmin: boolean, reason: string): Promise<void> | undefined {
    if (!this.#isUp) {
      this.#giveUp(reason);
      return undefined;
    }
    const done = this.#begin(reason);
    return isAdmin ? undefined : done;
  }

  /** Asks the controller to end a command: `why` is a sentence. Whether it did or not, the command has its time once more. */
  async #abort(queue: QueuePair, slot: number, why: string): Promise<void> {
    this.#warn(`${why}; aborting it`);
    const command = abort(queue.qid, queue.cid(slot));
    const answer = await this.admin.requests.execute(command, { cause: `${why}, and ` }).catch(() => null);
    if (answer === null) return this.settled(); // the Abort did not complete either, and the controller was reset
    if (ABORT_RESULT.NOT_ABORTED.get(answer.dw0) === 1)
      this.#warn('the controller did not abort the command');
  }

  /**
   * Resets the controller and sets up again what it had. Commands of the namespaces are sent again; those that programs
   * posted on queue pairs end with ABORTED_BY_HOST. Rejects with ControllerError when the controller is lost.
   */
  async reset(reason: string): Promise<void> {
    if (this.#end !== null) throw this.#end;
    await this.#begin(reason);
    if (this.#end !== null) throw this.#end;
  }

  /** Never rejects. */
  #begin(reason: string): Promise<void> {
    this.#resetting ??= this.#reset(reason).finally(() => {
      this.#resetting = null;
    });
    return this.#resetting;
  }

  async #reset(reason: string): Promise<void> {
    const { queues, restart } = this.#parts;
    const trouble = `was given up by a reset of the controller: ${reason}`;
    this.#reason = reason;
    this.#warn(`${reason}; resetting the controller`);
    this.#isRestarting = true;
    for (const requests of this.#held) requests.hold(trouble);
    try {
      this.#stop();
      this.admin.halt(trouble);
      await restart();
    } catch (error) {
      return this.#giveUp((error as Error).message);
    } finally {
      this.#isRestarting = false;
    }
    for (const queue of queues()) queue.giveUp(STATUS.ABORTED_BY_HOST);
    for (const requests of this.#held) requests.resume();
    this.#warn('the controller was reset and goes on');
  }

  /** Clears CC.EN, or resets the whole function when the controller does not obey. Throws ControllerError. */
  #stop(): void {
    const { controller, device } = this.#parts;
    try {
      controller.disable();
    } catch (error) {
      if (controller.isGone) throw error;
      this.#warn(`${(error as Error).message}; resetting the function (FLR)`);
      device.reset();
      controller.disable();
    }
  }

  /** Nothing helps: the device is silenced, and every command ends, now and later. */
  #giveUp(reason: string): void {
    if (this.#end !== null) return;
    const { device, queues } = this.#parts;
    const why = this.#isRestarting ? `${this.#reason}; and the reset failed: ${reason}` : reason;
    const sentence = this.isOn
      ? `${device.bdf} cannot be used any more: ${why}; close the driver, and open it again when the device is back`
      : `${device.bdf}: ${reason}`;
    this.#end = new ControllerError(sentence);
    // Who opens the driver is told by what that rejects with.
    if (this.isOn) this.#parts.warn(sentence);
    this.#silence();
    for (const requests of [this.admin.requests, ...this.#held]) requests.end(this.#end);
    for (const queue of queues()) queue.giveUp(STATUS.ABORTED_BY_HOST);
  }

  #silence(): void {
    try {
      this.#parts.device.setBusMaster(false);
    } catch {
      // A device that is gone has no configuration space either.
    }
  }

  #warn(sentence: string): void {
    this.#parts.warn(`${this.#parts.device.bdf}: ${sentence}`);
  }
}

const nameOf = ({ qid }: QueuePair): string => (qid === 0 ? 'the admin queue' : `queue ${qid}`);

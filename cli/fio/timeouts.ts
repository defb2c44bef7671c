/**
 * Commands of jobs that do not complete: what a job posts has a time limit, as Linux gives every request one. One that is
 * late is aborted, and when that did not end it, the controller is reset, which ends all that it had; each is an I/O error
 * of its job, with the cause. A drive that is lost, pulled out for one, is the end of the jobs on it. Not here: aborting and resetting (drivers/nvme/recovery.ts), what an error does to a job
 * (clone.ts).
 */
import { ControllerError } from '../../drivers/nvme/index.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { Archive } from '../../support/archive.ts';
import type { RunClock } from './clock.ts';
import { type Clone, EIO } from './clone.ts';
import type { Drives } from './drives.ts';

/** A command that was aborted. */
interface Aborted {
  readonly issued: number;
  /** What was wrong with it. */
  readonly sentence: string;
}

export class Timeouts {
  /** When to look next, on the clock that measures. */
  dueAt = 0;
  readonly #drives: Drives;
  readonly #clock: RunClock;
  /** By drive, queue and identifier. */
  readonly #aborted = new Map<string, Aborted>();

  constructor(drives: Drives, clock: RunClock) {
    this.#drives = drives;
    this.#clock = clock;
  }

  /**
   * Looks for late commands and ends them; all that are under way are late when nothing is left to happen (`isSilent`).
   * Resolves with whether the jobs can go on. A drive that is lost fails its jobs, and no others.
   */
  async look(clones: readonly Clone[], isSilent: boolean): Promise<boolean> {
    const { timeout_ns } = this.#drives;
    const limit = isSilent ? Number.POSITIVE_INFINITY : this.#clock.measured() - timeout_ns;
    const late = clones.filter((clone) => clone.underWay().some((slot) => clone.issuedAt(slot) <= limit));
    for (const clone of late) {
      await this.#end(clone, limit).catch((error: unknown) => {
        if (!(error instanceof ControllerError)) throw error;
        lose(
          clones.filter(({ drive }) => drive === clone.drive),
          error.message,
        );
      });
    }
    for (const clone of clones) if (late.length > 0) clone.rouse();
    const now = this.#clock.measured();
    const issued = clones.flatMap((clone) => clone.underWay().map((slot) => clone.issuedAt(slot)));
    this.dueAt = Math.max(now + 1, Math.min(now, ...issued) + timeout_ns);
    if (late.length > 0 || isSilent) return late.length > 0;
    return issued.length > 0 || clones.some(({ isDone, readyAt }) => !isDone && Number.isFinite(readyAt));
  }

  /** Ends the commands of a clone that were issued by `limit`. Rejects with ControllerError when its drive is lost. */
  async #end(clone: Clone, limit: number): Promise<void> {
    const { drive, queue } = clone;
    const driver = this.#drives.driver(drive);
    for (const slot of clone.underWay()) {
      const issued = clone.issuedAt(slot);
      // A reset for another command may have ended this one.
      if (issued > limit || queue.cid(slot) < 0) continue;
      const key = `${drive}:${queue.qid}:${queue.cid(slot)}`;
      const before = this.#aborted.get(key);
      if (before?.issued === issued) {
        await driver.reset(`${before.sentence}, and Abort did not end it`);
        return;
      }
      this.#aborted.set(key, { issued, sentence: await driver.abort(queue, slot) });
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.dueAt = a.value(this.dueAt);
    a.contents(this.#aborted);
  }
}

/** The drive of these clones is lost: nothing that they post will complete. */
function lose(clones: readonly Clone[], why: string): void {
  for (const clone of clones) {
    clone.queue.giveUp(STATUS.ABORTED_BY_HOST);
    clone.fail(EIO, why);
  }
}

/**
 * Abort and Asynchronous Event Request: the commands about other commands (Base 2.1 §5.1.1, §5.1.2).
 * Not here: which events there are and who waits for them (events.ts), how a command is taken out (engine.ts).
 */

import { HELD } from '../command-set.ts';
import { hasQuirk } from '../quirks.ts';
import { NO_SLOT } from '../slots.ts';
import { ABORT_CDW10, ABORT_RESULT, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, AdminParts } from './command.ts';

type Parts = Pick<AdminParts, 'profile' | 'slots' | 'sqs' | 'engine' | 'events' | 'health'>;

/**
 * A held event request or a command on its way completes as aborted, before the Abort does. Admin commands run one at
 * a time, so there is never a second Abort to count against ACL.
 */
export class Abort implements AdminCommand {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** QEMU refuses a queue that is not there; the result says that nothing was aborted. */
  check(slot: number): number {
    const { profile, slots, sqs, health } = this.#parts;
    const { SQID } = ABORT_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const isThere = SQID < profile.maxQueuePairs && sqs.exists(SQID);
    if (isThere || !hasQuirk(profile, 'abortWantsQueue')) return STATUS.SUCCESS;
    slots.setResult(slot, ABORT_RESULT.encode({ NOT_ABORTED: 1 }));
    return health.explain(STATUS.INVALID_FIELD, `there is no submission queue ${SQID}`, SQE.CDW10);
  }

  execute(slot: number): number {
    const { slots, engine, events } = this.#parts;
    const { SQID, CID } = ABORT_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const target = slots.find(SQID, CID);
    const canAbort = target !== NO_SLOT && target !== slot && (SQID !== 0 || events.release(target));
    const isAborted = canAbort && engine.abort(target, STATUS.COMMAND_ABORT_REQUESTED);
    slots.setResult(slot, ABORT_RESULT.encode({ NOT_ABORTED: isAborted ? 0 : 1 }));
    return STATUS.SUCCESS;
  }
}

/** Asynchronous Event Request: held until an event is there; refused beyond AERL (Base 2.1 §5.1.2). */
export class EventRequest implements AdminCommand {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  check(): number {
    const { events, health } = this.#parts;
    if (!events.isFull) return STATUS.SUCCESS;
    return health.explain(STATUS.AER_LIMIT_EXCEEDED, 'as many as AERL allows are outstanding');
  }

  execute(slot: number): number {
    return this.#parts.events.hold(slot) ? HELD : STATUS.SUCCESS;
  }
}

/**
 * Create and Delete of I/O queues (Base 2.1 §5.2.1 to §5.2.4). Queues are physically contiguous (CAP.CQR is 1), and
 * priorities are kept but mean nothing to round robin.
 * Not here: the queues at work (engine.ts), the admin queue, which the registers make (controller.ts).
 */
import { hex, u64 } from '../support/numbers.ts';
import type { AdminCommand, AdminParts } from './admin/command.ts';
import type { Features } from './features.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { hasQuirk } from './quirks.ts';
import {
  CQES,
  CREATE_CQ_CDW11,
  CREATE_QUEUE_CDW10,
  CREATE_SQ_CDW11,
  DELETE_QUEUE_CDW10,
  SQE,
  SQES,
} from './spec/commands.ts';
import { CC } from './spec/registers.ts';
import { STATUS } from './spec/status.ts';

export interface QueueParts
  extends Pick<
    AdminParts,
    'profile' | 'slots' | 'sqs' | 'cqs' | 'engine' | 'health' | 'shadow' | 'interrupts' | 'cc'
  > {
  readonly features: Features;
}

/** A command that always succeeds once it was checked. */
const command = (check: (slot: number) => number, execute: (slot: number) => void): AdminCommand => ({
  check,
  execute: (slot) => {
    execute(slot);
    return STATUS.SUCCESS;
  },
});

export class AdminQueues {
  readonly createCq = command(
    (slot) => this.#checkCreateCq(slot),
    (slot) => this.#createCq(slot),
  );
  readonly deleteCq = command(
    (slot) => this.#checkDeleteCq(slot),
    (slot) => this.#deleteCq(slot),
  );
  readonly createSq = command(
    (slot) => this.#checkCreateSq(slot),
    (slot) => this.#createSq(slot),
  );
  readonly deleteSq = command(
    (slot) => this.#checkDeleteSq(slot),
    (slot) => this.#deleteSq(slot),
  );
  readonly #parts: QueueParts;
  /** The quirk `missingCqIsInvalid`. */
  readonly #isInvalidCq: boolean;
  /** The quirk of that name. */
  readonly #pcLast: boolean;

  constructor(parts: QueueParts) {
    this.#parts = parts;
    this.#isInvalidCq = hasQuirk(parts.profile, 'missingCqIsInvalid');
    this.#pcLast = hasQuirk(parts.profile, 'pcLast');
  }

  // ---- completion queues ------------------------------------------------------------------------------------------

  #checkCreateCq(slot: number): number {
    const { slots, cqs, features, interrupts, cc } = this.#parts;
    const cdw11 = slots.dword(slot, SQE.CDW11);
    if (CC.IOCQES.get(cc()) !== CQES)
      return this.#badSize(`CC.IOCQES is ${CC.IOCQES.get(cc())}, not ${CQES}`);
    const pc = CREATE_CQ_CDW11.PC.get(cdw11);
    const status = this.#checkCreate(slot, cqs, features.completionQueues, pc);
    if (status !== STATUS.SUCCESS) return status;
    const vector = CREATE_CQ_CDW11.IV.get(cdw11);
    if (vector < interrupts.vectors) return this.#checkContiguous(pc);
    const how = interrupts.usesMsix ? '' : ' (MSI-X is off)';
    const reason = `vector ${vector} is beyond the last, ${interrupts.vectors - 1}${how}`;
    return this.#explain(STATUS.INVALID_INTERRUPT_VECTOR, reason, SQE.CDW11 + 2);
  }

  #createCq(slot: number): void {
    const { slots, cqs, shadow } = this.#parts;
    const { QID, QSIZE } = CREATE_QUEUE_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const { IEN, IV } = CREATE_CQ_CDW11.decode(slots.dword(slot, SQE.CDW11));
    cqs.create(QID, this.#base(slot), QSIZE + 1, IEN === 1, IV);
    shadow.begin(QID, true);
  }

  #checkDeleteCq(slot: number): number {
    const { cqs } = this.#parts;
    const qid = this.#deleted(slot);
    if (qid === 0 || !cqs.exists(qid)) {
      const reason = `there is no I/O completion queue ${qid}`;
      if (!this.#isInvalidCq) return this.#badId(reason);
      return this.#explain(STATUS.COMPLETION_QUEUE_INVALID, reason, SQE.CDW10);
    }
    if (cqs.users(qid) === 0) return STATUS.SUCCESS;
    const reason = `${cqs.users(qid)} submission queue(s) still complete to queue ${qid}`;
    return this.#explain(STATUS.INVALID_QUEUE_DELETION, reason, SQE.CDW10);
  }

  #deleteCq(slot: number): void {
    this.#parts.cqs.remove(this.#deleted(slot));
  }

  // ---- submission queues ------------------------------------------------------------------------------------------

  #checkCreateSq(slot: number): number {
    const { slots, sqs, cqs, features, cc } = this.#parts;
    const cdw11 = slots.dword(slot, SQE.CDW11);
    if (CC.IOSQES.get(cc()) !== SQES)
      return this.#badSize(`CC.IOSQES is ${CC.IOSQES.get(cc())}, not ${SQES}`);
    const cqid = CREATE_SQ_CDW11.CQID.get(cdw11);
    const isUnknown = cqid === 0 || cqid > features.completionQueues;
    if (isUnknown && !this.#isInvalidCq) {
      const reason = `CQID ${cqid} is not from 1 to ${features.completionQueues}`;
      return this.#explain(STATUS.INVALID_QUEUE_IDENTIFIER, reason, SQE.CDW11 + 2);
    }
    if (cqid === 0 || !cqs.exists(cqid)) {
      const reason = `completion queue ${cqid} was not created`;
      return this.#explain(STATUS.COMPLETION_QUEUE_INVALID, reason, SQE.CDW11 + 2);
    }
    const pc = CREATE_SQ_CDW11.PC.get(cdw11);
    const status = this.#checkCreate(slot, sqs, features.submissionQueues, pc);
    return status === STATUS.SUCCESS ? this.#checkContiguous(pc) : status;
  }

  #createSq(slot: number): void {
    const { slots, sqs, cqs, engine, shadow } = this.#parts;
    const { QID, QSIZE } = CREATE_QUEUE_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const { CQID, QPRIO } = CREATE_SQ_CDW11.decode(slots.dword(slot, SQE.CDW11));
    sqs.create(QID, this.#base(slot), QSIZE + 1, CQID);
    shadow.begin(QID, false);
    engine.fetcher.arbiter.setPriority(QID, QPRIO);
    cqs.addUsers(CQID, 1);
  }

  #checkDeleteSq(slot: number): number {
    const qid = this.#deleted(slot);
    if (qid !== 0 && this.#parts.sqs.exists(qid)) return STATUS.SUCCESS;
    return this.#badId(`there is no I/O submission queue ${qid}`);
  }

  /**
   * Commands that were fetched complete as aborted before the deletion does, as far as the completion queue has room:
   * none completes after it. Entries never fetched are forgotten. Base 2.1 §3.7.3
   */
  #deleteSq(slot: number): void {
    const { sqs, cqs, engine } = this.#parts;
    const qid = this.#deleted(slot);
    engine.abortQueue(qid, STATUS.ABORTED_SQ_DELETION);
    engine.completer.withdraw(qid);
    cqs.addUsers(sqs.cqid(qid), -1);
    sqs.remove(qid);
  }

  // ---- rules ------------------------------------------------------------------------------------------------------

  /** What both kinds of queue have in common. `last` is the largest identifier. */
  #checkCreate(
    slot: number,
    queues: SubmissionQueues | CompletionQueues,
    last: number,
    isContiguous: number,
  ): number {
    const { slots, profile, cc } = this.#parts;
    const { QID, QSIZE } = CREATE_QUEUE_CDW10.decode(slots.dword(slot, SQE.CDW10));
    if (QID === 0 || QID > last) return this.#badId(`QID ${QID} is not from 1 to ${last}`);
    if (queues.exists(QID)) return this.#badId(`queue ${QID} exists already`);
    if (QSIZE === 0 || QSIZE >= profile.maxQueueEntries) {
      return this.#badSize(
        `${QSIZE + 1} entries are not from 2 to ${profile.maxQueueEntries} (CAP.MQES + 1)`,
      );
    }
    const contiguous = this.#pcLast ? STATUS.SUCCESS : this.#checkContiguous(isContiguous);
    if (contiguous !== STATUS.SUCCESS) return contiguous;
    const page = 4096 << CC.MPS.get(cc());
    if ((slots.dword(slot, SQE.PRP1) & (page - 1)) === 0) return STATUS.SUCCESS;
    const reason = `PRP1 = ${hex(this.#base(slot))} is not aligned to a page of ${page} bytes`;
    return this.#explain(STATUS.PRP_OFFSET_INVALID, reason, SQE.PRP1);
  }

  #checkContiguous(isContiguous: number): number {
    if (isContiguous === 1) return STATUS.SUCCESS;
    return this.#explain(STATUS.INVALID_FIELD, 'PC is 0, but CAP.CQR wants contiguous queues', SQE.CDW11);
  }

  #base(slot: number): number {
    const { slots } = this.#parts;
    return u64(slots.dword(slot, SQE.PRP1), slots.dword(slot, SQE.PRP1 + 4));
  }

  #deleted(slot: number): number {
    return DELETE_QUEUE_CDW10.QID.get(this.#parts.slots.dword(slot, SQE.CDW10));
  }

  #badId(reason: string): number {
    return this.#explain(STATUS.INVALID_QUEUE_IDENTIFIER, reason, SQE.CDW10);
  }

  #badSize(reason: string): number {
    return this.#explain(STATUS.INVALID_QUEUE_SIZE, reason, SQE.CDW10 + 2);
  }

  #explain(status: number, reason: string, byte: number): number {
    return this.#parts.health.explain(status, reason, byte);
  }
}

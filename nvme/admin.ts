/**
 * The admin command set: which opcode goes where, what all admin commands have in common, Abort and Asynchronous Event
 * Request (Base 2.1 §5.1, §5.2). The engine works on one admin command at a time, so they share one data buffer.
 * Not here: queues (admin-queues.ts), Identify, features, logs; commands whose support Identify denies.
 */
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { DMA_OK } from '../machine/pcie/dma-port.ts';
import { assert } from '../support/assert.ts';
import { AdminQueues } from './admin-queues.ts';
import { ADMIN_EFFECTS } from './effects.ts';
import { type Engine, HELD } from './engine.ts';
import type { Events } from './events.ts';
import { Features } from './features.ts';
import type { Health } from './health.ts';
import { Identify } from './identify.ts';
import { Logs } from './logs.ts';
import type { Namespace } from './namespace.ts';
import type { ControllerProfile } from './profile.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { NO_SLOT, type Slots } from './slots.ts';
import { ABORT_CDW10, ABORT_RESULT, ADMIN, CDW0, FUSE, PSDT, SQE } from './spec/commands.ts';
import { STATUS } from './spec/status.ts';

export interface AdminParts {
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly engine: Engine;
  readonly health: Health;
  readonly events: Events;
  /** By nsid; index 0 and inactive ones are undefined, and the last index is the largest valid NSID. */
  readonly namespaces: readonly (Namespace | undefined)[];
  /** The CC register. */
  readonly cc: () => number;
}

/** Commands that do not use the NSID field, which must then be 0. Base 2.1 §3.2.1.2 */
const WITHOUT_NAMESPACE: readonly number[] = [
  ADMIN.DELETE_SQ,
  ADMIN.CREATE_SQ,
  ADMIN.DELETE_CQ,
  ADMIN.CREATE_CQ,
  ADMIN.ABORT,
  ADMIN.ASYNC_EVENT_REQUEST,
];

export class AdminCommands {
  readonly features: Features;
  readonly #slots: Slots;
  readonly #engine: Engine;
  readonly #health: Health;
  readonly #events: Events;
  readonly #queues: AdminQueues;
  readonly #identify: Identify;
  readonly #logs: Logs;
  /** Device-local memory for the data of the command that is worked on. */
  readonly #buffer: number;

  constructor(parts: AdminParts) {
    const { profile, memory } = parts;
    const maxTransfer_bytes = 4096 << (profile.mdts + profile.pageMin);
    this.#slots = parts.slots;
    this.#engine = parts.engine;
    this.#health = parts.health;
    this.#events = parts.events;
    this.features = new Features(parts);
    this.#queues = new AdminQueues({ ...parts, features: this.features });
    this.#identify = new Identify(parts);
    this.#logs = new Logs({ ...parts, maxTransfer_bytes });
    this.#buffer = memory.reserve(Math.max(maxTransfer_bytes, this.#logs.largest_bytes), 4096);
    assert(this.#buffer >= 0, 'device memory holds one admin transfer');
    this.reset();
  }

  /** Controller level reset: events and requests are gone, features are back at saved or default values. */
  reset(): void {
    this.#events.reset();
    this.#health.reset();
    this.features.reset();
  }

  /** Refuses what can be refused before data move; sets the data phase. Returns a status. */
  check(slot: number): number {
    const cdw0 = this.#slots.dword(slot, SQE.OPC);
    const opcode = CDW0.OPC.get(cdw0);
    if (ADMIN_EFFECTS[opcode] === undefined) {
      return this.#health.explain(
        STATUS.INVALID_OPCODE,
        'this controller does not have the command',
        SQE.OPC,
      );
    }
    if (CDW0.FUSE.get(cdw0) !== FUSE.NONE)
      return this.#refuse('admin commands are never fused (FUSE)', SQE.FLAGS);
    if (CDW0.PSDT.get(cdw0) !== PSDT.PRP) {
      return this.#refuse('admin commands on PCI Express use PRPs (PSDT 0)', SQE.FLAGS, 6);
    }
    if (WITHOUT_NAMESPACE.includes(opcode) && this.#slots.dword(slot, SQE.NSID) !== 0) {
      return this.#refuse('the command does not use NSID, which must be 0', SQE.NSID);
    }
    return this.#checkOpcode(slot, opcode);
  }

  #checkOpcode(slot: number, opcode: number): number {
    switch (opcode) {
      case ADMIN.DELETE_SQ:
        return this.#queues.checkDeleteSq(slot);
      case ADMIN.CREATE_SQ:
        return this.#queues.checkCreateSq(slot);
      case ADMIN.GET_LOG_PAGE:
        return this.#logs.check(slot);
      case ADMIN.DELETE_CQ:
        return this.#queues.checkDeleteCq(slot);
      case ADMIN.CREATE_CQ:
        return this.#queues.checkCreateCq(slot);
      case ADMIN.IDENTIFY:
        return this.#identify.check(slot);
      case ADMIN.SET_FEATURES:
        return this.features.checkSet(slot);
      case ADMIN.GET_FEATURES:
        return this.features.checkGet(slot);
      case ADMIN.ASYNC_EVENT_REQUEST:
        if (!this.#events.isFull) return STATUS.SUCCESS;
        return this.#health.explain(STATUS.AER_LIMIT_EXCEEDED, 'as many as AERL allows are outstanding');
      default:
        return STATUS.SUCCESS;
    }
  }

  /** Does the work; data for the host stay in the buffer. Returns a status, or HELD. */
  execute(slot: number): number {
    const opcode = CDW0.OPC.get(this.#slots.dword(slot, SQE.OPC));
    switch (opcode) {
      case ADMIN.DELETE_SQ:
        this.#queues.deleteSq(slot);
        break;
      case ADMIN.CREATE_SQ:
        this.#queues.createSq(slot);
        break;
      case ADMIN.GET_LOG_PAGE:
        this.#logs.write(slot, this.#buffer);
        break;
      case ADMIN.DELETE_CQ:
        this.#queues.deleteCq(slot);
        break;
      case ADMIN.CREATE_CQ:
        this.#queues.createCq(slot);
        break;
      case ADMIN.IDENTIFY:
        this.#identify.write(slot, this.#buffer);
        break;
      case ADMIN.ABORT:
        this.#abort(slot);
        break;
      case ADMIN.SET_FEATURES:
        return this.features.set(slot, this.#buffer);
      case ADMIN.GET_FEATURES:
        this.features.get(slot, this.#buffer);
        break;
      default:
        return this.#events.hold(slot) ? HELD : STATUS.SUCCESS;
    }
    return STATUS.SUCCESS;
  }

  /** Brings the host's data into the buffer. */
  receive(slot: number): number {
    return this.#move(slot, false);
  }

  /** Sends the buffer to the host. */
  send(slot: number): number {
    return this.#move(slot, true);
  }

  #move(slot: number, isToHost: boolean): number {
    const slots = this.#slots;
    let local = this.#buffer;
    for (let index = 0; index < slots.segments(slot); index++) {
      const bytes = slots.segmentBytes(slot, index);
      const result = this.#engine.move(isToHost, slots.segmentAddress(slot, index), local, bytes);
      if (result !== DMA_OK) return STATUS.DATA_TRANSFER_ERROR;
      local += bytes;
    }
    return STATUS.SUCCESS;
  }

  /**
   * Abort (§5.1.1): a held event request or a command on its way completes as aborted, before the Abort does. Admin
   * commands run one at a time, so there is never a second Abort to count against ACL.
   */
  #abort(slot: number): void {
    const { SQID, CID } = ABORT_CDW10.decode(this.#slots.dword(slot, SQE.CDW10));
    const target = this.#slots.find(SQID, CID);
    const canAbort = target !== NO_SLOT && target !== slot && (SQID !== 0 || this.#events.release(target));
    const isAborted = canAbort && this.#engine.abort(target, STATUS.COMMAND_ABORT_REQUESTED);
    this.#slots.setResult(slot, ABORT_RESULT.encode({ NOT_ABORTED: isAborted ? 0 : 1 }));
  }

  #refuse(reason: string, byte: number, bit = 0): number {
    return this.#health.explain(STATUS.INVALID_FIELD, reason, byte, bit);
  }
}

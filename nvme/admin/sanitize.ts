/**
 * Sanitize: all user data of the drive gone beyond recovery, in the background; until it has succeeded hardly any
 * command is taken (Base 2.1 §5.1.22, §8.1.24). The operation outlives resets. Blocks are always deallocated at its
 * end (SANICAP.NDI), so a host that forbids it is refused, or told afterwards, as the Sanitize Config feature says.
 * Not here: media verification, which is announced as absent.
 */

import type { HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import type { Features } from '../features.ts';
import { sanitizeCapabilities } from '../identify-controller.ts';
import { ADMIN, GET_LOG_CDW10, SANITIZE_CDW10, SQE } from '../spec/commands.ts';
import { FID, SANITIZE_CONFIG } from '../spec/features.ts';
import {
  ASYNC_EVENT,
  LID,
  SANITIZE_IDLE,
  SANITIZE_LOG,
  SANITIZE_STATUS,
  SELF_TEST_OUTCOME,
  SSI,
  SSTAT,
} from '../spec/logs.ts';
import { SANITIZE_ACTION } from '../spec/management.ts';
import {
  PERSISTENT_EVENT_TYPE,
  SANITIZE_COMPLETION_EVENT,
  SANITIZE_START_EVENT,
} from '../spec/persistent-events.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand } from './command.ts';
import type { Firmware } from './firmware.ts';
import type { ManagementParts } from './namespace-management.ts';
import type { SanitizeMethod } from './profile.ts';

const NANOSECONDS_PER_SECOND = 1_000_000_000;
const PROGRESS_UNITS = 65_536;
const MOST_PASSES = 16;
const UNKNOWN_TIME = 0xffff_ffff;

/** What may be done while a sanitize operation runs or has failed. Base 2.1 §8.1.24.4 */
const ALLOWED: readonly number[] = [
  ADMIN.DELETE_SQ,
  ADMIN.CREATE_SQ,
  ADMIN.DELETE_CQ,
  ADMIN.CREATE_CQ,
  ADMIN.IDENTIFY,
  ADMIN.ABORT,
  ADMIN.SET_FEATURES,
  ADMIN.GET_FEATURES,
  ADMIN.ASYNC_EVENT_REQUEST,
  ADMIN.KEEP_ALIVE,
  ADMIN.SANITIZE,
];
const ALLOWED_LOGS: readonly number[] = [
  LID.SUPPORTED_LOGS,
  LID.ERROR,
  LID.SMART,
  LID.CHANGED_NAMESPACES,
  LID.RESERVATION_NOTIFICATION,
  LID.SANITIZE_STATUS,
];

const METHODS: Readonly<Record<number, SanitizeMethod>> = {
  [SANITIZE_ACTION.BLOCK_ERASE]: 'block',
  [SANITIZE_ACTION.OVERWRITE]: 'overwrite',
  [SANITIZE_ACTION.CRYPTO_ERASE]: 'crypto',
};

export interface SanitizeParts extends ManagementParts {
  readonly features: Features;
  readonly firmware: Firmware;
}

export class Sanitize implements AdminCommand {
  /** A test sets it: the next operation ends in failure. */
  failsNext = false;
  readonly #parts: SanitizeParts;
  readonly #onDone: HandlerId;
  #status: number = SANITIZE_STATUS.NEVER;
  /** The last operation failed, and neither another one nor the host has ended that state. */
  #isFailed = false;
  /** CDW10 of the command that started the last operation. */
  #cdw10 = 0;
  #startedAt = 0;
  #duration_ns = 0;
  /** Host writes counted when the last operation succeeded; -1 before. */
  #writesThen = -1;

  constructor(parts: SanitizeParts) {
    this.#parts = parts;
    this.#onDone = parts.clock.register(() => this.#done());
  }

  get isRunning(): boolean {
    return this.#status === SANITIZE_STATUS.IN_PROGRESS;
  }

  /** Refuses admin commands that a running or failed operation does not let through. Returns a status. */
  gate(slot: number, opcode: number): number {
    const { slots, health } = this.#parts;
    if (!this.isRunning && !this.#isFailed) return STATUS.SUCCESS;
    const lid = GET_LOG_CDW10.LID.get(slots.dword(slot, SQE.CDW10));
    if (opcode === ADMIN.GET_LOG_PAGE ? ALLOWED_LOGS.includes(lid) : ALLOWED.includes(opcode)) {
      return STATUS.SUCCESS;
    }
    return this.isRunning
      ? health.explain(STATUS.SANITIZE_IN_PROGRESS, 'a sanitize operation runs')
      : health.explain(STATUS.SANITIZE_FAILED, 'the last sanitize operation failed');
  }

  check(slot: number): number {
    const { slots, health, profile, namespaces, firmware } = this.#parts;
    const { SANACT, AUSE, EMVS, NDAS } = SANITIZE_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const invalid = (reason: string, byte = 0) =>
      health.explain(STATUS.INVALID_FIELD, reason, SQE.CDW10 + byte);
    if (this.isRunning)
      return health.explain(STATUS.SANITIZE_IN_PROGRESS, 'a sanitize operation runs already');
    const isRestricted = this.#isFailed && SANITIZE_CDW10.AUSE.get(this.#cdw10) === 0;
    if (isRestricted && (SANACT === SANITIZE_ACTION.EXIT_FAILURE || AUSE === 1)) {
      const reason = 'after a failure without AUSE only another operation without AUSE helps';
      return health.explain(STATUS.SANITIZE_FAILED, reason, SQE.CDW10);
    }
    if (SANACT === SANITIZE_ACTION.EXIT_FAILURE) return STATUS.SUCCESS;
    const method = METHODS[SANACT];
    if (method === undefined) return invalid(`SANACT ${SANACT} is not supported`);
    if (!profile.admin.sanitize.includes(method)) return invalid(`no ${method} method (SANICAP)`);
    if (EMVS === 1) return invalid('no media verification (SANICAP.VERS)', 1);
    if (NDAS === 1 && !this.#onlyWarns()) return invalid('blocks are always deallocated (SANICAP.NDI)', 1);
    if (firmware.isPending) {
      return health.explain(STATUS.FIRMWARE_NEEDS_CONTROLLER_RESET, 'a firmware image waits for its reset');
    }
    const fixed = namespaces.list('allocated').find((namespace) => namespace.readOnly);
    if (fixed === undefined) return STATUS.SUCCESS;
    return health.explain(STATUS.NAMESPACE_WRITE_PROTECTED, `namespace ${fixed.nsid} is write protected`);
  }

  /** NODRM: a host that forbids deallocation is told afterwards instead of being refused. */
  #onlyWarns(): boolean {
    return SANITIZE_CONFIG.NODRM.get(this.#parts.features.value(FID.SANITIZE_CONFIG)) === 1;
  }

  execute(slot: number): number {
    const { slots, namespaces, clock, history, profile, selfTest } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const action = SANITIZE_CDW10.SANACT.get(cdw10);
    if (action === SANITIZE_ACTION.EXIT_FAILURE) {
      this.#isFailed = false;
      namespaces.openAll('sanitize');
      return STATUS.SUCCESS;
    }
    const capabilities = sanitizeCapabilities(profile);
    const start = { SANICAP: capabilities, CDW10: cdw10, CDW11: slots.dword(slot, SQE.CDW11) };
    history.add(PERSISTENT_EVENT_TYPE.SANITIZE_START, SANITIZE_START_EVENT, start);
    this.#status = SANITIZE_STATUS.IN_PROGRESS;
    this.#isFailed = false;
    this.#cdw10 = cdw10;
    this.#startedAt = clock.now;
    this.#duration_ns = this.#duration(METHODS[action]!, cdw10);
    selfTest.abort(SELF_TEST_OUTCOME.ABORTED_SANITIZE);
    const reason = 'a sanitize operation runs';
    namespaces.closeAll('sanitize', { status: STATUS.SANITIZE_IN_PROGRESS, reason });
    clock.run(this.#duration_ns, this.#onDone, 0);
    return STATUS.SUCCESS;
  }

  #duration(method: SanitizeMethod, cdw10: number): number {
    const operations = this.#parts.profile.timing?.operations;
    if (operations === undefined) return 0;
    if (method === 'crypto') return operations.cryptoErase_ns;
    return method === 'block' ? operations.blockErase_ns : operations.overwritePass_ns * passesOf(cdw10);
  }

  #done(): void {
    const { namespaces, health, history, events } = this.#parts;
    let isEmptied = true;
    for (const namespace of namespaces.list('allocated')) {
      if (!namespaces.erase(namespace)) isEmptied = false;
    }
    this.#isFailed = this.failsNext || !isEmptied;
    this.failsNext = false;
    const { FAILED, SUCCESS, SUCCESS_DEALLOCATED } = SANITIZE_STATUS;
    const isUnwanted = SANITIZE_CDW10.NDAS.get(this.#cdw10) === 1;
    this.#status = this.#isFailed ? FAILED : isUnwanted ? SUCCESS_DEALLOCATED : SUCCESS;
    if (this.#isFailed) {
      const reason = 'the last sanitize operation failed';
      namespaces.closeAll('sanitize', { status: STATUS.SANITIZE_FAILED, reason });
    } else {
      this.#writesThen = health.writeCommands;
      namespaces.openAll('sanitize');
    }
    const end = { SPROG: SANITIZE_IDLE, SSTAT: this.#sstat() };
    history.add(PERSISTENT_EVENT_TYPE.SANITIZE_COMPLETION, SANITIZE_COMPLETION_EVENT, end);
    const { SANITIZE_COMPLETED, SANITIZE_COMPLETED_DEALLOCATED } = ASYNC_EVENT;
    events.raise(isUnwanted && !this.#isFailed ? SANITIZE_COMPLETED_DEALLOCATED : SANITIZE_COMPLETED);
  }

  // ---- the log page -------------------------------------------------------------------------------------------------

  /** Writes the Sanitize Status page at byte `at` of `view`, which is zeroed. Base 2.1 §5.1.12.1.33 */
  writeLog(view: DataView, at: number): void {
    const set = (name: Parameters<typeof SANITIZE_LOG.set>[2], value: number) =>
      SANITIZE_LOG.set(view, at, name, value);
    set('SPROG', this.isRunning ? this.#progress() : SANITIZE_IDLE);
    set('SSTAT', this.#sstat());
    set('SCDW10', this.#cdw10);
    set('SSI', this.#state());
    const operations = this.#parts.profile.timing?.operations;
    const seconds = (ns: number | undefined) =>
      ns === undefined ? UNKNOWN_TIME : Math.ceil(ns / NANOSECONDS_PER_SECOND);
    for (const [name, ns] of [
      ['ETO', operations?.overwritePass_ns],
      ['ETBE', operations?.blockErase_ns],
      ['ETCE', operations?.cryptoErase_ns],
    ] as const) {
      set(name, seconds(ns));
      set(`${name}ND`, UNKNOWN_TIME);
    }
    set('ETPVDS', UNKNOWN_TIME);
  }

  #progress(): number {
    const elapsed = this.#parts.clock.now - this.#startedAt;
    return Math.min(Math.floor((elapsed * PROGRESS_UNITS) / this.#duration_ns), SANITIZE_IDLE - 1);
  }

  #sstat(): number {
    const { SUCCESS, SUCCESS_DEALLOCATED } = SANITIZE_STATUS;
    const isDone = this.#status === SUCCESS || this.#status === SUCCESS_DEALLOCATED;
    const isOverwrite = SANITIZE_CDW10.SANACT.get(this.#cdw10) === SANITIZE_ACTION.OVERWRITE;
    const passes = passesOf(this.#cdw10);
    const part = this.isRunning ? this.#progress() / PROGRESS_UNITS : 0;
    return SSTAT.encode({
      STATUS: this.#status,
      PASSES: isOverwrite ? (isDone ? passes : Math.floor(part * passes)) : 0,
      GDE: isDone && this.#writesThen === this.#parts.health.writeCommands ? 1 : 0,
    });
  }

  #state(): number {
    const isUnrestricted = SANITIZE_CDW10.AUSE.get(this.#cdw10) === 1;
    if (this.isRunning) return isUnrestricted ? SSI.UNRESTRICTED : SSI.RESTRICTED;
    if (!this.#isFailed) return SSI.IDLE;
    return isUnrestricted ? SSI.UNRESTRICTED_FAILURE : SSI.RESTRICTED_FAILURE;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.failsNext = a.value(this.failsNext);
    this.#status = a.value(this.#status);
    this.#isFailed = a.value(this.#isFailed);
    this.#cdw10 = a.value(this.#cdw10);
    this.#startedAt = a.value(this.#startedAt);
    this.#duration_ns = a.value(this.#duration_ns);
    this.#writesThen = a.value(this.#writesThen);
  }
}

/** Passes of an overwrite; OWPASS 0 stands for 16. */
const passesOf = (cdw10: number): number => SANITIZE_CDW10.OWPASS.get(cdw10) || MOST_PASSES;

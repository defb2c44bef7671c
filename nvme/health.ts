/**
 * What the controller counts: SMART's counters, the error log, and the last refusals as sentences a person can read.
 * The I/O path only increments numbers here. Not here: the layout rules of Get Log Page (logs.ts), how events reach the
 * host (events.ts), temperature, wear and power states (condition/).
 */

import type { Clock } from '../machine/clock.ts';
import type { Rejection, Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import { u64 } from '../support/numbers.ts';
import { Condition } from './condition/condition.ts';
import { USUAL_POWER } from './condition/profile.ts';
import { ErrorLog, NO_COMMAND } from './error-log.ts';
import type { Events } from './events.ts';
import type { Lookups } from './map/profile.ts';
import type { ControllerProfile } from './profile.ts';
import { fatalField, rejection, rejectionSentence, statusTitle } from './rejection.ts';
import type { Slots } from './slots.ts';
import { type EntryField, fieldAt, impliedField, sectionOf } from './spec/command-fields.ts';
import { CDW0, opcodeName, PSDT, SQE } from './spec/commands.ts';
import { ASYNC_EVENT, PARAMETER_LOCATION, PARAMETER_UNKNOWN, SMART_LOG } from './spec/logs.ts';
import { DNR_BY_DEFAULT, SCT, STATUS, statusField, statusSentence } from './spec/status.ts';

const REJECTIONS_KEPT = 64;
/** A data unit is 1000 blocks of 512 bytes. Base 2.1 §5.1.12.1.3 */
const DATA_UNIT_BYTES = 512_000;
const HOUR_NS = 3_600_000_000_000;
const MINUTE_NS = 60_000_000_000;
/** Failures that say nothing about the controller or the command's form: no error log entry. */
const NOT_LOGGED: readonly number[] = [
  STATUS.COMPARE_FAILURE,
  STATUS.RESERVATION_CONFLICT,
  STATUS.NAMESPACE_NOT_READY,
  STATUS.FORMAT_IN_PROGRESS,
];

/** A rule that an access breaks. */
type Broken = Pick<Rejection, 'rule' | 'section' | 'field' | 'value'>;

export interface HealthParts {
  readonly slots: Slots;
  readonly clock: Clock;
  readonly profile: Pick<
    ControllerProfile,
    'errorLogEntries' | 'power' | 'warningTemperature_K' | 'criticalTemperature_K'
  >;
  readonly trace: Trace;
  /** The function's place on the bus, which it learns late. */
  readonly bdf: () => number;
}

const READ = 0;
const WRITTEN = 1;

export class Health {
  /** Set once by the controller, before anything happens. */
  events!: Events;
  readonly errors: ErrorLog;
  readonly condition: Condition;
  readCommands = 0;
  writeCommands = 0;
  mediaErrors = 0;
  /** Where pages of the mapping table were found, of a controller that does not keep all of it. */
  readonly lookups: Lookups = { controller: 0, host: 0, medium: 0 };
  powerCycles = 1;
  /** Power losses without a finished shutdown. */
  unsafeShutdowns = 0;
  /** Commands that were fetched and not completed. */
  readonly slots: Slots;
  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly bdf: () => number;
  /** Read and written. Not a field each: when one outgrows 31 bits, all code that knew it is compiled again. */
  private readonly bytes = new Float64Array(2);
  readonly #rejections: string[] = [];
  /** What `explain` said about the command that is about to fail. */
  #reason = '';
  #parameter = PARAMETER_UNKNOWN;
  /** The block at fault; null: the first one of the command. */
  #block: number | null = null;

  constructor(parts: HealthParts) {
    this.slots = parts.slots;
    this.clock = parts.clock;
    this.trace = parts.trace;
    this.bdf = parts.bdf;
    const { clock, profile } = parts;
    this.errors = new ErrorLog(profile.errorLogEntries);
    this.condition = new Condition({
      clock,
      profile: profile.power ?? USUAL_POWER,
      warning_K: profile.warningTemperature_K,
      critical_K: profile.criticalTemperature_K,
      moved: this,
    });
  }

  // ---- I/O counters -----------------------------------------------------------------------------------------------

  get read_bytes(): number {
    return this.bytes[READ]!;
  }

  get written_bytes(): number {
    return this.bytes[WRITTEN]!;
  }

  read(bytes: number, commands = 1): void {
    this.readCommands += commands;
    this.bytes[READ] = this.bytes[READ]! + bytes;
  }

  wrote(bytes: number, commands = 1): void {
    this.writeCommands += commands;
    this.bytes[WRITTEN] = this.bytes[WRITTEN]! + bytes;
  }

  /** Compare counts as a read. Base 2.1 §5.1.12.1.3 */
  compared(bytes: number): void {
    this.read(bytes);
  }

  // ---- failures ---------------------------------------------------------------------------------------------------

  /** The last refusals, oldest first: what was refused, the status, and why. */
  get rejections(): readonly string[] {
    return this.#rejections;
  }

  /**
   * Remembers why the command being checked fails, for its error log entry and its sentence.
   * `byte` and `bit` locate the bad field in the submission entry. Returns `status`, so that a check can end with it.
   */
  explain(status: number, reason: string, byte = -1, bit = 0): number {
    this.#reason = reason;
    this.#parameter = byte === -1 ? PARAMETER_UNKNOWN : PARAMETER_LOCATION.encode({ BYTE: byte, BIT: bit });
    return status;
  }

  /** The same for a failure of one block: the LBA of its error log entry. */
  explainBlock(status: number, reason: string, block: number): number {
    this.#block = block;
    return this.explain(status, reason);
  }

  /** A command fails; `reason` is a sentence; when empty, what `explain` was told counts. */
  commandFailed(slot: number, status: number, reason: string): void {
    const why = reason || this.#reason || statusSentence(status).replace(/\.$/, '');
    this.#reject(this.slots.sqid(slot), this.slots.cid(slot), status, this.#rejectionOf(slot, status, why));
    if (status >>> 8 === SCT.MEDIA && status !== STATUS.COMPARE_FAILURE) this.mediaErrors++;
    if (!NOT_LOGGED.includes(status)) {
      const slots = this.slots;
      const isIo = slots.sqid(slot) !== 0;
      this.errors.add({
        sqid: slots.sqid(slot),
        cid: slots.cid(slot),
        statusField: statusField(status, DNR_BY_DEFAULT[status]! << 15),
        parameter: this.#parameter,
        lba: isIo ? this.#blockOf(slot) : 0n,
        nsid: slots.dword(slot, SQE.NSID),
        opcode: slots.dword(slot, SQE.OPC) & 0xff,
      });
    }
    this.#reason = '';
    this.#parameter = PARAMETER_UNKNOWN;
    this.#block = null;
  }

  #blockOf(slot: number): bigint {
    if (this.#block !== null) return BigInt(this.#block);
    return (BigInt(this.slots.dword(slot, SQE.CDW11)) << 32n) | BigInt(this.slots.dword(slot, SQE.CDW10));
  }

  /** The host wrote to the doorbell of a queue that does not exist, or a value that queue cannot take (§5.1.2.1). */
  doorbellError(kind: 'register' | 'value', qid: number, isCompletion: boolean, value: number): void {
    this.refuseAccess(`doorbell of queue ${qid}`, {
      rule: kind === 'register' ? 'the queue does not exist' : 'the value is not one this queue can take',
      section: 'PCIe Transport 1.1 §3.1.2',
      field: isCompletion ? `CQ${qid}HDBL` : `SQ${qid}TDBL`,
      value,
    });
    this.#addError(qid, STATUS.INVALID_FIELD);
    const { INVALID_DOORBELL_REGISTER, INVALID_DOORBELL_VALUE } = ASYNC_EVENT;
    this.events.raise(kind === 'register' ? INVALID_DOORBELL_REGISTER : INVALID_DOORBELL_VALUE);
  }

  /** The controller fails for a reason that belongs to no command. */
  controllerFailed(status: number): void {
    this.#addError(NO_COMMAND, status);
  }

  #addError(sqid: number, status: number): void {
    this.errors.add({
      sqid,
      cid: NO_COMMAND,
      statusField: statusField(status),
      parameter: PARAMETER_UNKNOWN,
      lba: 0n,
      nsid: 0,
      opcode: 0,
    });
  }

  /** An access to a register or doorbell breaks a rule, and is ignored unless told otherwise. */
  refuseAccess(what: string, why: Broken, isIgnored = true): void {
    const status = isIgnored ? 'ignored' : '';
    this.#reject(NO_COMMAND, NO_COMMAND, 0, { ...why, what, status });
  }

  /** The controller cannot go on, for a reason that may end with its section. */
  failed(reason: string): void {
    const known = { what: '', status: 'fatal', ...fatalField(reason), section: 'Base 2.1 §3.1.4.6' };
    this.#reject(NO_COMMAND, NO_COMMAND, 0, rejection(reason, known));
  }

  #reject(sqid: number, cid: number, status: number, words: Rejection): void {
    if (this.#rejections.length === REJECTIONS_KEPT) this.#rejections.shift();
    this.#rejections.push(rejectionSentence(words));
    this.trace.reject(this.bdf(), sqid, cid, status, words);
  }

  /** The field at fault: what `explain` was told of, else what the status and the reason imply. */
  #fieldOf(slot: number, status: number, reason: string): EntryField {
    const { slots } = this;
    const cdw0 = slots.dword(slot, SQE.OPC);
    if (this.#parameter === PARAMETER_UNKNOWN)
      return impliedField(status, reason, CDW0.PSDT.get(cdw0) !== PSDT.PRP);
    const { BYTE, BIT } = PARAMETER_LOCATION.decode(this.#parameter);
    return fieldAt(slots.sqid(slot) === 0, CDW0.OPC.get(cdw0), BYTE, BIT);
  }

  /** A failed command in words: its name, the field that `explain` was told of, and the section of either. */
  #rejectionOf(slot: number, status: number, reason: string): Rejection {
    const { slots } = this;
    const isAdmin = slots.sqid(slot) === 0;
    const opcode = slots.dword(slot, SQE.OPC) & 0xff;
    const what = `${opcodeName(isAdmin, opcode)} (SQ ${slots.sqid(slot)}, CID ${slots.cid(slot)})`;
    const known = { what, status: statusTitle(status), section: sectionOf(isAdmin, opcode) };
    const { name: field, offset, mask, low, is64 } = this.#fieldOf(slot, status, reason);
    const word = slots.dword(slot, offset);
    const value = is64 ? u64(word, slots.dword(slot, offset + 4)) : (word & mask) >>> low;
    return rejection(reason, { ...known, field, value });
  }

  get powerOnHours(): number {
    return Math.floor(this.clock.now / HOUR_NS);
  }

  // ---- condition --------------------------------------------------------------------------------------------------

  /** Controller level reset. */
  reset(): void {
    this.condition.reset();
  }

  /** Writes the SMART / Health Information page at byte `at` of `view`, which is zeroed. Base 2.1 §5.1.12.1.3 */
  writeSmart(view: DataView, at: number): void {
    this.condition.writeSmart(view, at);
    const counter = (offset: number, value: number) => view.setBigUint64(at + offset, BigInt(value), true);
    counter(SMART_LOG.DATA_UNITS_READ, Math.ceil(this.read_bytes / DATA_UNIT_BYTES));
    counter(SMART_LOG.DATA_UNITS_WRITTEN, Math.ceil(this.written_bytes / DATA_UNIT_BYTES));
    counter(SMART_LOG.HOST_READS, this.readCommands);
    counter(SMART_LOG.HOST_WRITES, this.writeCommands);
    counter(SMART_LOG.BUSY_TIME, Math.floor(this.slots.busy_ns / MINUTE_NS));
    counter(SMART_LOG.POWER_CYCLES, this.powerCycles);
    counter(SMART_LOG.POWER_ON_HOURS, this.powerOnHours);
    counter(SMART_LOG.UNSAFE_SHUTDOWNS, this.unsafeShutdowns);
    counter(SMART_LOG.MEDIA_ERRORS, this.mediaErrors);
    counter(SMART_LOG.ERROR_LOG_ENTRIES, this.errors.count);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.errors.archive(a);
    this.readCommands = a.value(this.readCommands);
    this.writeCommands = a.value(this.writeCommands);
    a.contents(this.bytes);
    this.mediaErrors = a.value(this.mediaErrors);
    this.powerCycles = a.value(this.powerCycles);
    this.unsafeShutdowns = a.value(this.unsafeShutdowns);
    a.contents(this.#rejections);
    this.#reason = a.value(this.#reason);
    this.#parameter = a.value(this.#parameter);
    this.#block = a.value(this.#block);
    this.condition.archive(a);
  }
}

/**
 * Set Features and Get Features: which features there are, what may be asked of each
 * (Base 2.1 §4.4, §5.1.11, §5.1.25). Write Atomicity is kept and returned, no more yet.
 * Not here: which values are allowed (feature-rules.ts) and what they change (feature-effects.ts), the stored values
 * (feature-values.ts, feature-data.ts, host-memory.ts).
 */
import type { Archive } from '../support/archive.ts';
import { hex } from '../support/numbers.ts';
import type { AdminCommand, AdminParts } from './admin/command.ts';
import { applyFeature } from './admin/feature-effects.ts';
import { HostMemory } from './admin/host-memory.ts';
import type { KeepAlive } from './admin/keep-alive.ts';
import type { PersistentEvents } from './admin/persistent-events.ts';
import { type FeatureData, HostBehavior, HostIdentifier, type Timestamp } from './feature-data.ts';
import {
  createValues,
  isChangeable,
  isDefaultZero,
  isOfNamespace,
  isOtherTemperature,
  nameOf,
  selectorProblem,
  valueProblem,
  valueToKeep,
} from './feature-rules.ts';
import type { FeatureValues } from './feature-values.ts';
import { isExtendedFormat } from './lba-format.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST } from './slots.ts';
import { GET_FEATURES_CDW10, NSID_BROADCAST, SET_FEATURES_CDW10, SQE } from './spec/commands.ts';
import {
  COMMAND_SET_PROFILE,
  ERROR_RECOVERY,
  FEATURE_CAPABILITIES,
  FEATURE_SELECT,
  FEATURES,
  FID,
  HOST_MEMORY_ATTRIBUTES,
  INTERRUPT_VECTOR,
  NUMBER_OF_QUEUES,
  POWER_MANAGEMENT,
  TEMPERATURE_THRESHOLD,
  WRITE_PROTECTION,
} from './spec/features.ts';
import { PERSISTENT_EVENT_TYPE, TIMESTAMP_EVENT } from './spec/persistent-events.ts';
import { STATUS } from './spec/status.ts';

const NS_PER_MS = 1_000_000;
/** Features whose sections want Invalid Field where others have Invalid Namespace or Format. §5.1.25.1.28, .29 */
const OF_RESERVATIONS: readonly number[] = [FID.RESERVATION_NOTIFICATION, FID.RESERVATION_PERSISTENCE];

export interface FeatureParts extends AdminParts {
  readonly timestamp: Timestamp;
  readonly keepAlive: KeepAlive;
  readonly history: PersistentEvents;
}

const quirksOf = (profile: ControllerProfile) => ({
  saveFirst: hasQuirk(profile, 'savesBeforeFeature'),
  keepsFeatures: hasQuirk(profile, 'keepsFeatures'),
  zeroDefaults: hasQuirk(profile, 'zeroDefaults'),
});

export class Features {
  readonly setCommand: AdminCommand = {
    check: (slot) => this.#checkSet(slot),
    execute: (slot, at) => this.#set(slot, at),
  };
  readonly getCommand: AdminCommand = {
    check: (slot) => this.#checkGet(slot),
    execute: (slot, at) => {
      this.#get(slot, at);
      return STATUS.SUCCESS;
    },
  };
  readonly #parts: FeatureParts;
  readonly #values: Readonly<Record<number, FeatureValues>>;
  readonly #data: Readonly<Record<number, FeatureData>>;
  /** null: the controller asks for no host memory. */
  readonly #hostMemory: HostMemory | null;
  readonly #absent: readonly number[];
  readonly #quirks: ReturnType<typeof quirksOf>;
  #resetAt_ns = 0;
  readonly host = new HostIdentifier();
  readonly behavior: HostBehavior;

  constructor(parts: FeatureParts) {
    this.#parts = parts;
    const { admin, absent } = parts.profile;
    const { hostMemory } = admin;
    this.#quirks = quirksOf(parts.profile);
    this.#absent = absent.features.map((name) => FID[name]);
    this.#values = createValues(parts.profile, parts.namespaces);
    this.#hostMemory = hostMemory === null ? null : new HostMemory(parts, hostMemory);
    this.behavior = new HostBehavior(
      parts.namespaces.formats.some(isExtendedFormat),
      hasQuirk(parts.profile, 'rawHostBehavior'),
    );
    this.#data = {
      [FID.TIMESTAMP]: parts.timestamp,
      [FID.HOST_BEHAVIOR]: this.behavior,
      [FID.HOST_IDENTIFIER]: this.host,
    };
  }

  // ---- what others ask ------------------------------------------------------------------------------------------

  /** Identifiers of the features there are. */
  get supported(): number[] {
    return Object.keys(FEATURES)
      .map(Number)
      .filter((fid) => this.#exists(fid));
  }

  /** Largest identifiers of I/O submission and completion queues that were granted. */
  get submissionQueues(): number {
    return NUMBER_OF_QUEUES.NSQR.get(this.value(FID.NUMBER_OF_QUEUES)) + 1;
  }

  get completionQueues(): number {
    return NUMBER_OF_QUEUES.NCQR.get(this.value(FID.NUMBER_OF_QUEUES)) + 1;
  }

  /** The volatile write cache is there and on. */
  get writeCache(): boolean {
    return this.#parts.profile.writeCache && this.value(FID.VOLATILE_WRITE_CACHE) === 1;
  }

  /** The current value of a feature without a buffer; `index` is the vector or NSID where it has several. */
  value(fid: number, index = 0): number {
    return this.#values[fid]!.get(index);
  }

  /** Controller level reset: saved values come back, else defaults. */
  reset(): void {
    this.#resetAt_ns = this.#parts.clock.now;
    if (!this.#quirks.keepsFeatures) for (const values of Object.values(this.#values)) values.reset();
    for (const data of Object.values(this.#data)) data.reset();
    this.#hostMemory?.reset();
    for (const fid of Object.keys(this.#values)) this.#apply(Number(fid));
  }

  /** A namespace was created: what the host set for an earlier one of this NSID does not count. */
  forget(nsid: number): void {
    for (const [fid, values] of Object.entries(this.#values)) {
      if (isOfNamespace(Number(fid))) values.forget(nsid);
    }
  }

  // ---- Set Features -----------------------------------------------------------------------------------------------

  /** Refuses what Set Features may not do; sets the data phase. Returns a status. */
  #checkSet(slot: number): number {
    const { slots, health } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    const isUnknown = !this.#exists(fid);
    if (isUnknown && !this.#quirks.saveFirst) return this.#unknown(fid);
    if (SET_FEATURES_CDW10.SV.get(cdw10) === 1 && !this.#isSaveable(fid)) {
      return health.explain(STATUS.FEATURE_NOT_SAVEABLE, `${nameOf(fid)} cannot be saved`, SQE.CDW10 + 3, 7);
    }
    if (isUnknown) return this.#unknown(fid);
    const status = this.#checkScope(slot, fid);
    if (status !== STATUS.SUCCESS) return status;
    if (!isChangeable(this.#parts.profile, fid)) {
      return health.explain(STATUS.FEATURE_NOT_CHANGEABLE, `${nameOf(fid)} cannot be changed`, SQE.CDW10);
    }
    const problem = valueProblem(this.#parts.profile, fid, cdw11);
    if (problem !== null) return this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    if (fid === FID.NUMBER_OF_QUEUES && this.#hasQueues()) {
      return health.explain(STATUS.COMMAND_SEQUENCE_ERROR, 'the number of queues is fixed once one exists');
    }
    if (fid === FID.COMMAND_SET_PROFILE && COMMAND_SET_PROFILE.IOCSCI.get(cdw11) !== 0) {
      const reason = `there is no combination ${cdw11} of command sets (Identify CNS 1Ch)`;
      return health.explain(STATUS.IO_COMMAND_SET_COMBINATION_REJECTED, reason, SQE.CDW11);
    }
    if (fid === FID.ERROR_RECOVERY && ERROR_RECOVERY.DULBE.get(cdw11) === 1) {
      const unaware = this.#indices(slot, fid, cdw11).find(
        (nsid) => this.#parts.namespaces.attached(nsid)!.written === null,
      );
      if (unaware !== undefined)
        return this.#refuse(`namespace ${unaware} has no DULBE (NSFEAT.DAE is 0)`, SQE.CDW11 + 2);
    }
    if (fid === FID.NAMESPACE_WRITE_PROTECTION && cdw11 === WRITE_PROTECTION.NONE) {
      const fixed = this.#indices(slot, fid, cdw11).find((nsid) => this.#isMediumReadOnly(nsid));
      if (fixed !== undefined) {
        const reason = `the medium of namespace ${fixed} is read-only`;
        return health.explain(STATUS.FEATURE_NOT_CHANGEABLE, reason, SQE.NSID);
      }
    }
    const data = this.#data[fid];
    if (data === undefined) return STATUS.SUCCESS;
    slots.setData(slot, DATA_TO_CONTROLLER, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  /** Takes the new value; a buffer is at byte `at` of device-local memory. Returns a status. */
  #set(slot: number, at: number): number {
    const { slots } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    if (fid === FID.HOST_MEMORY_BUFFER) return this.#hostMemory!.set(slot, at);
    const data = this.#data[fid];
    if (data !== undefined) return this.#setData(slot, fid, data, at);
    if (isOtherTemperature(this.#parts.profile, fid, cdw11)) return STATUS.SUCCESS;
    const isSaved = SET_FEATURES_CDW10.SV.get(cdw10) === 1;
    const value = valueToKeep(this.#parts.profile, fid, cdw11);
    if (fid === FID.NUMBER_OF_QUEUES) slots.setResult(slot, value);
    for (const index of this.#indices(slot, fid, cdw11)) {
      this.#values[fid]!.set(index, value, isSaved);
      const namespace = this.#parts.namespaces.attached(index);
      if (fid === FID.RESERVATION_PERSISTENCE && namespace !== undefined)
        namespace.reservations.persists = value === 1;
    }
    this.#apply(fid);
    return STATUS.SUCCESS;
  }

  #setData(slot: number, fid: number, data: FeatureData, at: number): number {
    const { slots, memory, timestamp, clock, history } = this.#parts;
    const before = timestamp.now();
    const problem = data.set(new DataView(memory.buffer, at, slots.bytes(slot)));
    if (problem !== null) return this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.PRP1);
    if (fid !== FID.TIMESTAMP) return STATUS.SUCCESS;
    const event = { PREVIOUS: before, SINCE_RESET: Math.floor((clock.now - this.#resetAt_ns) / NS_PER_MS) };
    history.add(PERSISTENT_EVENT_TYPE.TIMESTAMP_CHANGE, TIMESTAMP_EVENT, event);
    return STATUS.SUCCESS;
  }

  #apply(fid: number): void {
    const current = (index: number) => this.value(fid, index);
    applyFeature(this.#parts, fid, current, this.#values[fid]!.count);
  }

  // ---- Get Features -----------------------------------------------------------------------------------------------

  /** Refuses what Get Features cannot answer; sets the data phase. Returns a status. */
  #checkGet(slot: number): number {
    const { slots } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = GET_FEATURES_CDW10.FID.get(cdw10);
    const select = GET_FEATURES_CDW10.SEL.get(cdw10);
    if (!this.#exists(fid)) return this.#unknown(fid);
    if (select > FEATURE_SELECT.CAPABILITIES)
      return this.#refuse(`SEL is ${select}, at most 3`, SQE.CDW10 + 1);
    if (select === FEATURE_SELECT.CAPABILITIES) return STATUS.SUCCESS;
    if (isOfNamespace(fid)) {
      const nsid = slots.dword(slot, SQE.NSID);
      if (nsid === NSID_BROADCAST) {
        const reason = 'one namespace must be named, not all (FFFFFFFFh)';
        return OF_RESERVATIONS.includes(fid) ? this.#refuse(reason, SQE.NSID) : this.#badNamespace(reason);
      }
      const status = this.#checkNamespace(nsid);
      if (status !== STATUS.SUCCESS) return status;
    }
    const problem = selectorProblem(this.#parts.profile, fid, cdw11);
    if (problem !== null) return this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    const data = this.#data[fid];
    if (select !== FEATURE_SELECT.CURRENT && this.#quirks.zeroDefaults) return STATUS.SUCCESS;
    if (fid === FID.HOST_MEMORY_BUFFER) slots.setData(slot, DATA_TO_HOST, HOST_MEMORY_ATTRIBUTES.SIZE);
    else if (data !== undefined) slots.setData(slot, DATA_TO_HOST, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  /** Puts the value into the slot's result, or the buffer at byte `at` of device-local memory. */
  #get(slot: number, at: number): void {
    const { slots, memory } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const fid = GET_FEATURES_CDW10.FID.get(cdw10);
    const select = GET_FEATURES_CDW10.SEL.get(cdw10);
    if (select === FEATURE_SELECT.CAPABILITIES) {
      slots.setResult(
        slot,
        FEATURE_CAPABILITIES.encode({
          SAVEABLE: this.#isSaveable(fid) ? 1 : 0,
          NAMESPACE_SPECIFIC: isOfNamespace(fid) ? 1 : 0,
          CHANGEABLE: isChangeable(this.#parts.profile, fid) ? 1 : 0,
        }),
      );
      return;
    }
    if (fid === FID.HOST_MEMORY_BUFFER) return this.#getHostMemory(slot, select, at);
    const data = this.#data[fid];
    const isDefault = select !== FEATURE_SELECT.CURRENT && this.#quirks.zeroDefaults;
    if (isDefault && (data !== undefined || isDefaultZero(fid))) return slots.setResult(slot, 0);
    if (data !== undefined) {
      const bytes = slots.bytes(slot);
      memory.fill(at, 0, bytes);
      data.get(new DataView(memory.buffer, at, bytes), select);
      return;
    }
    const { profile } = this.#parts;
    if (isOtherTemperature(profile, fid, slots.dword(slot, SQE.CDW11))) return slots.setResult(slot, 0);
    const [index] = this.#indices(slot, fid, slots.dword(slot, SQE.CDW11));
    if (fid === FID.RESERVATION_PERSISTENCE && select === FEATURE_SELECT.CURRENT) {
      // The namespace knows: Reservation Register changes it too.
      slots.setResult(slot, this.#parts.namespaces.attached(index!)!.reservations.persists ? 1 : 0);
      return;
    }
    const value = this.#values[fid]!.get(index!, select);
    const isState = fid === FID.POWER_MANAGEMENT && select === FEATURE_SELECT.CURRENT;
    slots.setResult(
      slot,
      isState ? POWER_MANAGEMENT.PS.set(value, this.#parts.health.condition.state) : value,
    );
  }

  /** The attributes are those of now; by default, and saved, there is no buffer. */
  #getHostMemory(slot: number, select: number, at: number): void {
    const { slots, memory } = this.#parts;
    memory.fill(at, 0, HOST_MEMORY_ATTRIBUTES.SIZE);
    if (select !== FEATURE_SELECT.CURRENT) return;
    this.#hostMemory!.write(memory.view, at);
    slots.setResult(slot, this.#hostMemory!.value);
  }

  // ---- rules ------------------------------------------------------------------------------------------------------

  #exists(fid: number): boolean {
    if (this.#absent.includes(fid)) return false;
    if (fid === FID.HOST_MEMORY_BUFFER) return this.#hostMemory !== null;
    return this.#values[fid] !== undefined || this.#data[fid] !== undefined;
  }

  #isSaveable(fid: number): boolean {
    return this.#values[fid]?.isSaveable ?? false;
  }

  #hasQueues(): boolean {
    const { sqs, cqs } = this.#parts;
    return sqs.hasIo() || cqs.hasIo();
  }

  /** Which of a feature's values the command means: its vector, threshold or namespaces. */
  #indices(slot: number, fid: number, cdw11: number): readonly number[] {
    if (fid === FID.INTERRUPT_VECTOR) return [INTERRUPT_VECTOR.IV.get(cdw11)];
    if (fid === FID.TEMPERATURE_THRESHOLD) return [TEMPERATURE_THRESHOLD.THSEL.get(cdw11)];
    if (!isOfNamespace(fid)) return [0];
    const nsid = this.#parts.slots.dword(slot, SQE.NSID);
    if (nsid !== NSID_BROADCAST) return [nsid];
    return this.#parts.namespaces.list('attached').map((namespace) => namespace.nsid);
  }

  #isMediumReadOnly(nsid: number): boolean {
    return this.#parts.namespaces.attached(nsid)!.isMediumReadOnly;
  }

  /** Whether Set Features may name the NSID it names (§4.4). */
  #checkScope(slot: number, fid: number): number {
    const { slots, health, namespaces } = this.#parts;
    const nsid = slots.dword(slot, SQE.NSID);
    if (nsid === NSID_BROADCAST) return STATUS.SUCCESS;
    if (isOfNamespace(fid)) return this.#checkNamespace(nsid);
    if (nsid === 0) return STATUS.SUCCESS;
    if (!namespaces.isValid(nsid)) return this.#checkNamespace(nsid);
    const reason = `${nameOf(fid)} belongs to the controller, so NSID must be 0 or FFFFFFFFh`;
    return health.explain(STATUS.FEATURE_NOT_NAMESPACE_SPECIFIC, reason, SQE.NSID);
  }

  #checkNamespace(nsid: number): number {
    const { namespaces } = this.#parts;
    if (!namespaces.isValid(nsid)) return this.#badNamespace(`NSID ${hex(nsid)} is not valid`);
    if (namespaces.attached(nsid) === undefined)
      return this.#refuse(`namespace ${nsid} is not active`, SQE.NSID);
    return STATUS.SUCCESS;
  }

  #unknown(fid: number): number {
    return this.#refuse(
      `feature ${hex(fid, 2)} (${FEATURES[fid]?.name ?? 'reserved'}) is not supported`,
      SQE.CDW10,
    );
  }

  #refuse(reason: string, byte: number): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }

  #badNamespace(reason: string): number {
    return this.#parts.health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    for (const values of Object.values(this.#values)) values.archive(a);
    for (const data of Object.values(this.#data)) data.archive(a);
    this.#hostMemory?.archive(a);
    this.#parts.keepAlive.archive(a);
    this.#resetAt_ns = a.value(this.#resetAt_ns);
  }
}

/**
 * Set Features and Get Features: which features there are, which values they take, and what a new value changes
 * (Base 2.1 §4.4, §5.1.11, §5.1.25). Interrupt coalescing and Write Atomicity are kept and returned, no more yet.
 * Not here: which values are allowed (feature-rules.ts), the stored values (feature-values.ts, feature-data.ts).
 */
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { hex } from '../support/numbers.ts';
import type { Engine } from './engine.ts';
import type { Events } from './events.ts';
import { type FeatureData, HostBehavior, HostIdentifier, Timestamp } from './feature-data.ts';
import {
  createValues,
  isOfNamespace,
  nameOf,
  selectorProblem,
  valueProblem,
  valueToKeep,
} from './feature-rules.ts';
import type { FeatureValues } from './feature-values.ts';
import type { Health } from './health.ts';
import type { Namespace } from './namespace.ts';
import type { ControllerProfile } from './profile.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST, type Slots } from './slots.ts';
import { GET_FEATURES_CDW10, NSID_BROADCAST, SET_FEATURES_CDW10, SQE } from './spec/commands.ts';
import {
  ARBITRATION,
  FEATURE_CAPABILITIES,
  FEATURE_SELECT,
  FEATURES,
  FID,
  INTERRUPT_VECTOR,
  NUMBER_OF_QUEUES,
  TEMPERATURE_THRESHOLD,
  THSEL,
} from './spec/features.ts';
import { STATUS } from './spec/status.ts';

/** ARBITRATION.AB that stands for no limit. */
const NO_BURST_LIMIT = 7;

export interface FeatureParts {
  readonly profile: ControllerProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly engine: Engine;
  readonly health: Health;
  readonly events: Events;
  readonly namespaces: readonly (Namespace | undefined)[];
}

export class Features {
  readonly #parts: FeatureParts;
  readonly #values: Readonly<Record<number, FeatureValues>>;
  readonly #data: Readonly<Record<number, FeatureData>>;
  readonly host = new HostIdentifier();

  constructor(parts: FeatureParts) {
    this.#parts = parts;
    this.#values = createValues(parts.profile, parts.namespaces.length);
    this.#data = {
      [FID.TIMESTAMP]: new Timestamp(parts.clock),
      [FID.HOST_BEHAVIOR]: new HostBehavior(),
      [FID.HOST_IDENTIFIER]: this.host,
    };
  }

  // ---- what others ask ------------------------------------------------------------------------------------------

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
    for (const values of Object.values(this.#values)) values.reset();
    for (const data of Object.values(this.#data)) data.reset();
    for (const fid of [FID.ARBITRATION, FID.ASYNC_EVENT, FID.TEMPERATURE_THRESHOLD]) this.#apply(fid);
  }

  // ---- Set Features -----------------------------------------------------------------------------------------------

  /** Refuses what Set Features may not do; sets the data phase. Returns a status. */
  checkSet(slot: number): number {
    const { slots, health } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    if (!this.#exists(fid)) return this.#unknown(fid);
    if (SET_FEATURES_CDW10.SV.get(cdw10) === 1 && !this.#isSaveable(fid)) {
      return health.explain(STATUS.FEATURE_NOT_SAVEABLE, `${nameOf(fid)} cannot be saved`, SQE.CDW10 + 3, 7);
    }
    const status = this.#checkScope(slot, fid);
    if (status !== STATUS.SUCCESS) return status;
    const problem = valueProblem(this.#parts.profile, fid, cdw11);
    if (problem !== null) return this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    if (fid === FID.NUMBER_OF_QUEUES && this.#hasQueues()) {
      return health.explain(STATUS.COMMAND_SEQUENCE_ERROR, 'the number of queues is fixed once one exists');
    }
    const data = this.#data[fid];
    if (data === undefined) return STATUS.SUCCESS;
    slots.setData(slot, DATA_TO_CONTROLLER, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  /** Takes the new value; a buffer is at byte `at` of device-local memory. Returns a status. */
  set(slot: number, at: number): number {
    const { slots, memory } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    const data = this.#data[fid];
    if (data !== undefined) {
      const problem = data.set(new DataView(memory.buffer, at, slots.bytes(slot)));
      return problem === null ? STATUS.SUCCESS : this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.PRP1);
    }
    const isSaved = SET_FEATURES_CDW10.SV.get(cdw10) === 1;
    const value = valueToKeep(this.#parts.profile, fid, cdw11);
    if (fid === FID.NUMBER_OF_QUEUES) slots.setResult(slot, value);
    for (const index of this.#indices(slot, fid, cdw11)) this.#values[fid]!.set(index, value, isSaved);
    this.#apply(fid);
    return STATUS.SUCCESS;
  }

  /** What a changed value changes elsewhere. */
  #apply(fid: number): void {
    const { engine, events, health } = this.#parts;
    if (fid === FID.ARBITRATION) {
      const { AB, HPW, MPW, LPW } = ARBITRATION.decode(this.value(fid));
      engine.fetcher.burst = AB === NO_BURST_LIMIT ? 0 : 1 << AB;
      engine.fetcher.arbiter.setWeights(HPW + 1, MPW + 1, LPW + 1);
    } else if (fid === FID.ASYNC_EVENT) events.enabled = this.value(fid);
    else if (fid === FID.TEMPERATURE_THRESHOLD) {
      const kelvin = (index: number) => TEMPERATURE_THRESHOLD.TMPTH.get(this.value(fid, index));
      health.setThresholds(kelvin(THSEL.OVER), kelvin(THSEL.UNDER));
    }
  }

  // ---- Get Features -----------------------------------------------------------------------------------------------

  /** Refuses what Get Features cannot answer; sets the data phase. Returns a status. */
  checkGet(slot: number): number {
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
      if (nsid === NSID_BROADCAST)
        return this.#badNamespace('one namespace must be named, not all (FFFFFFFFh)');
      const status = this.#checkNamespace(nsid);
      if (status !== STATUS.SUCCESS) return status;
    }
    const problem = selectorProblem(this.#parts.profile, fid, cdw11);
    if (problem !== null) return this.#refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    const data = this.#data[fid];
    if (data === undefined) return STATUS.SUCCESS;
    slots.setData(slot, DATA_TO_HOST, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  /** Puts the value into the slot's result, or the buffer at byte `at` of device-local memory. */
  get(slot: number, at: number): void {
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
          CHANGEABLE: 1,
        }),
      );
      return;
    }
    const data = this.#data[fid];
    if (data !== undefined) {
      const bytes = slots.bytes(slot);
      memory.fill(at, 0, bytes);
      data.get(new DataView(memory.buffer, at, bytes), select);
      return;
    }
    const [index] = this.#indices(slot, fid, slots.dword(slot, SQE.CDW11));
    slots.setResult(slot, this.#values[fid]!.get(index!, select));
  }

  // ---- rules ------------------------------------------------------------------------------------------------------

  #exists(fid: number): boolean {
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
    return nsid === NSID_BROADCAST ? [...this.#parts.namespaces.keys()] : [nsid];
  }

  /** Whether Set Features may name the NSID it names (§4.4). */
  #checkScope(slot: number, fid: number): number {
    const { slots, health, namespaces } = this.#parts;
    const nsid = slots.dword(slot, SQE.NSID);
    if (nsid === NSID_BROADCAST) return STATUS.SUCCESS;
    if (isOfNamespace(fid)) return this.#checkNamespace(nsid);
    if (nsid === 0) return STATUS.SUCCESS;
    if (nsid >= namespaces.length) return this.#checkNamespace(nsid);
    const reason = `${nameOf(fid)} belongs to the controller, so NSID must be 0 or FFFFFFFFh`;
    return health.explain(STATUS.FEATURE_NOT_NAMESPACE_SPECIFIC, reason, SQE.NSID);
  }

  #checkNamespace(nsid: number): number {
    const { namespaces } = this.#parts;
    if (nsid === 0 || nsid >= namespaces.length) return this.#badNamespace(`NSID ${hex(nsid)} is not valid`);
    if (namespaces[nsid] === undefined) return this.#refuse(`namespace ${nsid} is not active`, SQE.NSID);
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
}

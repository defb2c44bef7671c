/**
 * Set Features: what may be asked of each feature (Base 2.1 §4.4, §5.1.25).
 * Not here: which values are allowed (../feature-rules.ts) and what they change (feature-effects.ts).
 */
import type { FeatureData } from '../feature-data.ts';
import {
  isChangeable,
  isOfNamespace,
  isOtherTemperature,
  nameOf,
  valueProblem,
  valueToKeep,
} from '../feature-rules.ts';
import type { FeatureParts, Features } from '../features.ts';
import { hasQuirk } from '../quirks.ts';
import { DATA_TO_CONTROLLER } from '../slots.ts';
import { NSID_BROADCAST, SET_FEATURES_CDW10, SQE } from '../spec/commands.ts';
import { COMMAND_SET_PROFILE, ERROR_RECOVERY, FID, WRITE_PROTECTION } from '../spec/features.ts';
import { PERSISTENT_EVENT_TYPE, TIMESTAMP_EVENT } from '../spec/persistent-events.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand } from './command.ts';
import { FeatureCommand } from './feature-command.ts';

export class SetFeatures extends FeatureCommand implements AdminCommand {
  /** The quirk `savesBeforeFeature`. */
  readonly #savesFirst: boolean;

  constructor(parts: FeatureParts, features: Features) {
    super(parts, features);
    this.#savesFirst = hasQuirk(parts.profile, 'savesBeforeFeature');
  }

  /** Refuses what Set Features may not do; sets the data phase. Returns a status. */
  check(slot: number): number {
    const { slots, health } = this.parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    const isUnknown = !this.features.has(fid);
    if (isUnknown && !this.#savesFirst) return this.unknown(fid);
    if (SET_FEATURES_CDW10.SV.get(cdw10) === 1 && !this.features.isSaveable(fid)) {
      return health.explain(STATUS.FEATURE_NOT_SAVEABLE, `${nameOf(fid)} cannot be saved`, SQE.CDW10 + 3, 7);
    }
    if (isUnknown) return this.unknown(fid);
    const status = this.#checkScope(slot, fid);
    if (status !== STATUS.SUCCESS) return status;
    if (!isChangeable(this.parts.profile, fid)) {
      return health.explain(STATUS.FEATURE_NOT_CHANGEABLE, `${nameOf(fid)} cannot be changed`, SQE.CDW10);
    }
    const problem = valueProblem(this.parts.profile, fid, cdw11);
    if (problem !== null) return this.refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    if (fid === FID.NUMBER_OF_QUEUES && this.#hasQueues()) {
      return health.explain(STATUS.COMMAND_SEQUENCE_ERROR, 'the number of queues is fixed once one exists');
    }
    if (fid === FID.COMMAND_SET_PROFILE && COMMAND_SET_PROFILE.IOCSCI.get(cdw11) !== 0) {
      const reason = `there is no combination ${cdw11} of command sets (Identify CNS 1Ch)`;
      return health.explain(STATUS.IO_COMMAND_SET_COMBINATION_REJECTED, reason, SQE.CDW11);
    }
    if (fid === FID.ERROR_RECOVERY && ERROR_RECOVERY.DULBE.get(cdw11) === 1) {
      const unaware = this.indices(slot, fid, cdw11).find(
        (nsid) => this.parts.namespaces.attached(nsid)!.written === null,
      );
      if (unaware !== undefined)
        return this.refuse(`namespace ${unaware} has no DULBE (NSFEAT.DAE is 0)`, SQE.CDW11 + 2);
    }
    if (fid === FID.NAMESPACE_WRITE_PROTECTION && cdw11 === WRITE_PROTECTION.NONE) {
      const fixed = this.indices(slot, fid, cdw11).find((nsid) => this.#isMediumReadOnly(nsid));
      if (fixed !== undefined) {
        const reason = `the medium of namespace ${fixed} is read-only`;
        return health.explain(STATUS.FEATURE_NOT_CHANGEABLE, reason, SQE.NSID);
      }
    }
    const data = this.features.data(fid);
    if (data === undefined) return STATUS.SUCCESS;
    slots.setData(slot, DATA_TO_CONTROLLER, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  /** Takes the new value; a buffer is at byte `at` of device-local memory. Returns a status. */
  execute(slot: number, at: number): number {
    const { slots } = this.parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = SET_FEATURES_CDW10.FID.get(cdw10);
    if (fid === FID.HOST_MEMORY_BUFFER) return this.features.hostMemory!.set(slot, at);
    const data = this.features.data(fid);
    if (data !== undefined) return this.#setData(slot, fid, data, at);
    if (isOtherTemperature(this.parts.profile, fid, cdw11)) return STATUS.SUCCESS;
    const isSaved = SET_FEATURES_CDW10.SV.get(cdw10) === 1;
    const value = valueToKeep(this.parts.profile, fid, cdw11);
    if (fid === FID.NUMBER_OF_QUEUES) slots.setResult(slot, value);
    for (const index of this.indices(slot, fid, cdw11)) {
      this.features.values(fid)!.set(index, value, isSaved);
      const namespace = this.parts.namespaces.attached(index);
      if (fid === FID.RESERVATION_PERSISTENCE && namespace !== undefined)
        namespace.reservations.persists = value === 1;
    }
    this.features.apply(fid);
    return STATUS.SUCCESS;
  }

  #setData(slot: number, fid: number, data: FeatureData, at: number): number {
    const { slots, memory, timestamp, history } = this.parts;
    const before = timestamp.now();
    const problem = data.set(new DataView(memory.buffer, at, slots.bytes(slot)));
    if (problem !== null) return this.refuse(`${nameOf(fid)}: ${problem}`, SQE.PRP1);
    if (fid !== FID.TIMESTAMP) return STATUS.SUCCESS;
    const event = { PREVIOUS: before, SINCE_RESET: this.features.sinceReset_ms };
    history.add(PERSISTENT_EVENT_TYPE.TIMESTAMP_CHANGE, TIMESTAMP_EVENT, event);
    return STATUS.SUCCESS;
  }

  #hasQueues(): boolean {
    const { sqs, cqs } = this.parts;
    return sqs.hasIo() || cqs.hasIo();
  }

  #isMediumReadOnly(nsid: number): boolean {
    return this.parts.namespaces.attached(nsid)!.isMediumReadOnly;
  }

  /** Whether Set Features may name the NSID it names (§4.4). */
  #checkScope(slot: number, fid: number): number {
    const { slots, health, namespaces } = this.parts;
    const nsid = slots.dword(slot, SQE.NSID);
    if (nsid === NSID_BROADCAST) return STATUS.SUCCESS;
    if (isOfNamespace(fid)) return this.checkNamespace(nsid);
    if (nsid === 0) return STATUS.SUCCESS;
    if (!namespaces.isValid(nsid)) return this.checkNamespace(nsid);
    const reason = `${nameOf(fid)} belongs to the controller, so NSID must be 0 or FFFFFFFFh`;
    return health.explain(STATUS.FEATURE_NOT_NAMESPACE_SPECIFIC, reason, SQE.NSID);
  }
}

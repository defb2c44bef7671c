/** Get Features: current, default and saved values, and capabilities (Base 2.1 §4.4, §5.1.11). */
import {
  isChangeable,
  isDefaultZero,
  isOfNamespace,
  isOtherTemperature,
  nameOf,
  selectorProblem,
} from '../feature-rules.ts';
import type { FeatureParts, Features } from '../features.ts';
import { hasQuirk } from '../quirks.ts';
import { DATA_TO_HOST } from '../slots.ts';
import { GET_FEATURES_CDW10, NSID_BROADCAST, SQE } from '../spec/commands.ts';
import {
  FEATURE_CAPABILITIES,
  FEATURE_SELECT,
  FID,
  HOST_MEMORY_ATTRIBUTES,
  POWER_MANAGEMENT,
} from '../spec/features.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand } from './command.ts';
import { FeatureCommand } from './feature-command.ts';

/** Features whose sections want Invalid Field where others have Invalid Namespace or Format. §5.1.25.1.28, .29 */
const OF_RESERVATIONS: readonly number[] = [FID.RESERVATION_NOTIFICATION, FID.RESERVATION_PERSISTENCE];

export class GetFeatures extends FeatureCommand implements AdminCommand {
  /** The quirk of that name. */
  readonly #zeroDefaults: boolean;

  constructor(parts: FeatureParts, features: Features) {
    super(parts, features);
    this.#zeroDefaults = hasQuirk(parts.profile, 'zeroDefaults');
  }

  /** Refuses what Get Features cannot answer; sets the data phase. Returns a status. */
  check(slot: number): number {
    const { slots } = this.parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cdw11 = slots.dword(slot, SQE.CDW11);
    const fid = GET_FEATURES_CDW10.FID.get(cdw10);
    const select = GET_FEATURES_CDW10.SEL.get(cdw10);
    if (!this.features.has(fid)) return this.unknown(fid);
    if (select > FEATURE_SELECT.CAPABILITIES)
      return this.refuse(`SEL is ${select}, at most 3`, SQE.CDW10 + 1);
    if (select === FEATURE_SELECT.CAPABILITIES) return STATUS.SUCCESS;
    if (isOfNamespace(fid)) {
      const nsid = slots.dword(slot, SQE.NSID);
      if (nsid === NSID_BROADCAST) {
        const reason = 'one namespace must be named, not all (FFFFFFFFh)';
        return OF_RESERVATIONS.includes(fid) ? this.refuse(reason, SQE.NSID) : this.badNamespace(reason);
      }
      const status = this.checkNamespace(nsid);
      if (status !== STATUS.SUCCESS) return status;
    }
    const problem = selectorProblem(this.parts.profile, fid, cdw11);
    if (problem !== null) return this.refuse(`${nameOf(fid)}: ${problem}`, SQE.CDW11);
    const data = this.features.data(fid);
    if (select !== FEATURE_SELECT.CURRENT && this.#zeroDefaults) return STATUS.SUCCESS;
    if (fid === FID.HOST_MEMORY_BUFFER) slots.setData(slot, DATA_TO_HOST, HOST_MEMORY_ATTRIBUTES.SIZE);
    else if (data !== undefined) slots.setData(slot, DATA_TO_HOST, data.bytes(cdw11));
    return STATUS.SUCCESS;
  }

  execute(slot: number, at: number): number {
    this.#get(slot, at);
    return STATUS.SUCCESS;
  }

  /** Puts the value into the slot's result, or the buffer at byte `at` of device-local memory. */
  #get(slot: number, at: number): void {
    const { slots, memory } = this.parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const fid = GET_FEATURES_CDW10.FID.get(cdw10);
    const select = GET_FEATURES_CDW10.SEL.get(cdw10);
    if (select === FEATURE_SELECT.CAPABILITIES) {
      slots.setResult(
        slot,
        FEATURE_CAPABILITIES.encode({
          SAVEABLE: this.features.isSaveable(fid) ? 1 : 0,
          NAMESPACE_SPECIFIC: isOfNamespace(fid) ? 1 : 0,
          CHANGEABLE: isChangeable(this.parts.profile, fid) ? 1 : 0,
        }),
      );
      return;
    }
    if (fid === FID.HOST_MEMORY_BUFFER) return this.#getHostMemory(slot, select, at);
    const data = this.features.data(fid);
    const isDefault = select !== FEATURE_SELECT.CURRENT && this.#zeroDefaults;
    if (isDefault && (data !== undefined || isDefaultZero(fid))) return slots.setResult(slot, 0);
    if (data !== undefined) {
      const bytes = slots.bytes(slot);
      memory.fill(at, 0, bytes);
      data.get(new DataView(memory.buffer, at, bytes), select);
      return;
    }
    const { profile } = this.parts;
    if (isOtherTemperature(profile, fid, slots.dword(slot, SQE.CDW11))) return slots.setResult(slot, 0);
    const [index] = this.indices(slot, fid, slots.dword(slot, SQE.CDW11));
    if (fid === FID.RESERVATION_PERSISTENCE && select === FEATURE_SELECT.CURRENT) {
      // The namespace knows: Reservation Register changes it too.
      slots.setResult(slot, this.parts.namespaces.attached(index!)!.reservations.persists ? 1 : 0);
      return;
    }
    const value = this.features.values(fid)!.get(index!, select);
    const isState = fid === FID.POWER_MANAGEMENT && select === FEATURE_SELECT.CURRENT;
    slots.setResult(
      slot,
      isState ? POWER_MANAGEMENT.PS.set(value, this.parts.health.condition.state) : value,
    );
  }

  /** The attributes are those of now; by default, and saved, there is no buffer. */
  #getHostMemory(slot: number, select: number, at: number): void {
    const { slots, memory } = this.parts;
    memory.fill(at, 0, HOST_MEMORY_ATTRIBUTES.SIZE);
    if (select !== FEATURE_SELECT.CURRENT) return;
    this.features.hostMemory!.write(memory.view, at);
    slots.setResult(slot, this.features.hostMemory!.value);
  }
}

/**
 * What Set Features and Get Features have in common: which of a feature's values a command means, and which NSIDs it may
 * name (Base 2.1 §4.4). Not here: the features (../features.ts), the commands (set-features.ts, get-features.ts).
 */
import { hex } from '../../support/numbers.ts';
import { isOfNamespace } from '../feature-rules.ts';
import type { FeatureParts, Features } from '../features.ts';
import { NSID_BROADCAST, SQE } from '../spec/commands.ts';
import { FEATURES, FID, INTERRUPT_VECTOR, TEMPERATURE_THRESHOLD } from '../spec/features.ts';
import { STATUS } from '../spec/status.ts';

export abstract class FeatureCommand {
  protected readonly parts: FeatureParts;
  protected readonly features: Features;

  constructor(parts: FeatureParts, features: Features) {
    this.parts = parts;
    this.features = features;
  }

  /** Which of a feature's values the command means: its vector, threshold or namespaces. */
  protected indices(slot: number, fid: number, cdw11: number): readonly number[] {
    if (fid === FID.INTERRUPT_VECTOR) return [INTERRUPT_VECTOR.IV.get(cdw11)];
    if (fid === FID.TEMPERATURE_THRESHOLD) return [TEMPERATURE_THRESHOLD.THSEL.get(cdw11)];
    if (!isOfNamespace(fid)) return [0];
    const nsid = this.parts.slots.dword(slot, SQE.NSID);
    if (nsid !== NSID_BROADCAST) return [nsid];
    return this.parts.namespaces.list('attached').map((namespace) => namespace.nsid);
  }

  protected checkNamespace(nsid: number): number {
    const { namespaces } = this.parts;
    if (!namespaces.isValid(nsid)) return this.badNamespace(`NSID ${hex(nsid)} is not valid`);
    if (namespaces.attached(nsid) === undefined)
      return this.refuse(`namespace ${nsid} is not active`, SQE.NSID);
    return STATUS.SUCCESS;
  }

  protected unknown(fid: number): number {
    return this.refuse(
      `feature ${hex(fid, 2)} (${FEATURES[fid]?.name ?? 'reserved'}) is not supported`,
      SQE.CDW10,
    );
  }

  protected refuse(reason: string, byte: number): number {
    return this.parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }

  protected badNamespace(reason: string): number {
    return this.parts.health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
  }
}

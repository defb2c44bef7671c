/**
 * The features of a controller: which there are, their values, and what a reset makes of them (Base 2.1 §4.4, §5.1.25).
 * Write Atomicity is kept and returned, no more yet. Not here: the commands (admin/set-features.ts, admin/get-features.ts),
 * which values are allowed (feature-rules.ts) and what they change (admin/feature-effects.ts), the stored values
 * (feature-values.ts, feature-data.ts, admin/host-memory.ts).
 */
import type { Archive } from '../support/archive.ts';
import type { AdminParts } from './admin/command.ts';
import { applyFeature } from './admin/feature-effects.ts';
import { HostMemory } from './admin/host-memory.ts';
import type { KeepAlive } from './admin/keep-alive.ts';
import type { PersistentEvents } from './admin/persistent-events.ts';
import { type FeatureData, HostBehavior, HostIdentifier, type Timestamp } from './feature-data.ts';
import { createValues, isOfNamespace } from './feature-rules.ts';
import type { FeatureValues } from './feature-values.ts';
import { isExtendedFormat } from './lba-format.ts';
import { hasQuirk } from './quirks.ts';
import { FEATURES, FID, NUMBER_OF_QUEUES } from './spec/features.ts';

const NS_PER_MS = 1_000_000;

export interface FeatureParts extends AdminParts {
  readonly timestamp: Timestamp;
  readonly keepAlive: KeepAlive;
  readonly history: PersistentEvents;
}

export class Features {
  readonly #parts: FeatureParts;
  readonly #values: Readonly<Record<number, FeatureValues>>;
  readonly #data: Readonly<Record<number, FeatureData>>;
  /** null: the controller asks for no host memory. */
  readonly hostMemory: HostMemory | null;
  readonly #absent: readonly number[];
  /** The quirk `keepsFeatures`. */
  readonly #keeps: boolean;
  #resetAt_ns = 0;
  readonly host = new HostIdentifier();
  readonly behavior: HostBehavior;

  constructor(parts: FeatureParts) {
    this.#parts = parts;
    const { admin, absent } = parts.profile;
    const { hostMemory } = admin;
    this.#keeps = hasQuirk(parts.profile, 'keepsFeatures');
    this.#absent = absent.features.map((name) => FID[name]);
    this.#values = parts.subsystem.share(createValues(parts.profile, parts.namespaces));
    this.hostMemory = hostMemory === null ? null : new HostMemory(parts, hostMemory);
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
      .filter((fid) => this.has(fid));
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
    if (!this.#keeps) this.#resetValues();
    for (const data of Object.values(this.#data)) data.reset();
    this.hostMemory?.reset();
    for (const fid of Object.keys(this.#values)) this.apply(Number(fid));
  }

  /** What belongs to namespaces stays while other controllers use these. */
  #resetValues(): void {
    const { resetsNamespaces } = this.#parts.subsystem;
    for (const [fid, values] of Object.entries(this.#values))
      if (resetsNamespaces || !isOfNamespace(Number(fid))) values.reset();
  }

  /** A namespace was created: what the host set for an earlier one of this NSID does not count. */
  forget(nsid: number): void {
    for (const [fid, values] of Object.entries(this.#values)) {
      if (isOfNamespace(Number(fid))) values.forget(nsid);
    }
  }

  // ---- what the commands ask --------------------------------------------------------------------------------------

  /** Whether the controller has the feature. */
  has(fid: number): boolean {
    if (this.#absent.includes(fid)) return false;
    if (fid === FID.HOST_MEMORY_BUFFER) return this.hostMemory !== null;
    return this.#values[fid] !== undefined || this.#data[fid] !== undefined;
  }

  isSaveable(fid: number): boolean {
    return this.#values[fid]?.isSaveable ?? false;
  }

  /** The values of a feature without a buffer. */
  values(fid: number): FeatureValues | undefined {
    return this.#values[fid];
  }

  /** A feature with a buffer; host memory is not one of them. */
  data(fid: number): FeatureData | undefined {
    return this.#data[fid];
  }

  get sinceReset_ms(): number {
    return Math.floor((this.#parts.clock.now - this.#resetAt_ns) / NS_PER_MS);
  }

  /** The feature has another value, which takes effect. */
  apply(fid: number): void {
    const current = (index: number) => this.value(fid, index);
    applyFeature(this.#parts, fid, current, this.#values[fid]!.count);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts), what subsystem.ts has aside. */
  archive(a: Archive): void {
    for (const [fid, values] of Object.entries(this.#values))
      if (!isOfNamespace(Number(fid))) values.archive(a);
    for (const data of Object.values(this.#data)) data.archive(a);
    this.hostMemory?.archive(a);
    this.#parts.keepAlive.archive(a);
    this.#resetAt_ns = a.value(this.#resetAt_ns);
  }
}

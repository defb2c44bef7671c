/**
 * The remapping units of a machine as one IOMMU: which unit a requester is below (the device scopes of the DMAR table),
 * and domains that requesters below several units have. Each unit has tables, queue and domain ids of its own.
 * Not here: what is done in one unit (driver.ts), in which units a change is invalidated (domain.ts).
 */
import type { MessageSource } from '../machine/interrupts.ts';
import type { Archive } from '../support/archive.ts';
import type { Capabilities, CapabilityWords } from './capabilities.ts';
import type { Domain } from './domain.ts';
import { type Iommu, IommuDriver } from './driver.ts';
import type { FaultReport } from './fault-handler.ts';

export class IommuUnits implements Iommu {
  readonly capabilities: Capabilities;
  readonly words: CapabilityWords;
  readonly #units: readonly IommuDriver[];
  readonly #unitOf: (requester: number) => number;

  /** Units that can do the same, at least one; `unitOf` is the index of the one that a requester is below. */
  constructor(units: readonly IommuDriver[], unitOf: (requester: number) => number) {
    const { capabilities, words } = units[0]!;
    this.capabilities = capabilities;
    this.words = words;
    this.#units = units;
    this.#unitOf = unitOf;
  }

  /** As `IommuDriver.boot`. */
  boot(): number {
    return IommuDriver.bootAll(this.#units);
  }

  /** The last faults of every unit, oldest first in each. */
  get faults(): readonly FaultReport[] {
    return this.#units.flatMap(({ faults }) => faults);
  }

  /** Lines of faults that a unit has recorded and not reported yet. */
  get pendingFaults(): string[] {
    return this.#units.flatMap(({ pendingFaults }) => pendingFaults);
  }

  messagesOf(requester: number): MessageSource {
    return this.#of(requester).messagesOf(requester);
  }

  createDomain(): Domain | null {
    return this.#units[0]!.createDomain();
  }

  attach(requester: number, domain: Domain): number {
    return this.#of(requester).attach(requester, domain);
  }

  detach(requester: number): void {
    this.#of(requester).detach(requester);
  }

  #of(requester: number): IommuDriver {
    return this.#units[this.#unitOf(requester)]!;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    for (const unit of this.#units) unit.archive(a);
  }
}

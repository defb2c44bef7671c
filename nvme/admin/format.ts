/**
 * Format NVM: another block size, and all data gone (Base 2.1 §5.1.10). The namespace is out of use from the beginning
 * of the operation to its end, when the command completes; a reset takes the command away but not the operation.
 * Not here: which formats there are and what protects them (formats.ts).
 */

import type { HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import { hex } from '../../support/numbers.ts';
import { HELD } from '../command-set.ts';
import type { Features } from '../features.ts';
import { formatAttributes } from '../identify-controller.ts';
import { hasQuirk } from '../quirks.ts';
import { NO_SLOT } from '../slots.ts';
import { FORMAT_CDW10, NSID_BROADCAST, SQE } from '../spec/commands.ts';
import { SELF_TEST_OUTCOME } from '../spec/logs.ts';
import { SECURE_ERASE } from '../spec/management.ts';
import {
  FORMAT_COMPLETION_EVENT,
  FORMAT_START_EVENT,
  PERSISTENT_EVENT_TYPE,
} from '../spec/persistent-events.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand } from './command.ts';
import { formatRefusal } from './formats.ts';
import type { ManagementParts } from './namespace-management.ts';

type FormatParts = ManagementParts & { readonly features: Features };

export class Format implements AdminCommand {
  readonly #parts: FormatParts;
  readonly #onDone: HandlerId;
  /** Namespaces being formatted. */
  #targets: readonly number[] = [];
  /** The command that waits for them. */
  #slot = NO_SLOT;
  /** Why the medium could not be emptied; empty when it could. */
  #failure = '';

  constructor(parts: FormatParts) {
    this.#parts = parts;
    this.#onDone = parts.clock.register(() => this.#done());
  }

  /** Controller level reset: the operation goes on without its command. */
  reset(): void {
    this.#slot = NO_SLOT;
  }

  check(slot: number): number {
    const { slots, health, namespaces, features } = this.#parts;
    const nsid = slots.dword(slot, SQE.NSID);
    const status = this.#checkNamespace(nsid);
    if (status !== STATUS.SUCCESS) return status;
    const { LBAFL, LBAFU, PI, SES } = FORMAT_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const format = LBAFL | (LBAFU << 4);
    const invalid = (reason: string, byte: number) =>
      health.explain(STATUS.INVALID_FIELD, reason, SQE.CDW10 + byte);
    const refusal = formatRefusal(namespaces, features, format, PI);
    if (refusal !== null) return health.explain(refusal.status, refusal.reason, SQE.CDW10);
    const { block_bytes } = namespaces.formats[format]!;
    const torn = this.#named(nsid).find(
      (each) => namespaces.attached(each)!.zones?.fits(block_bytes) === false,
    );
    if (torn !== undefined) {
      const reason = `zones of namespace ${torn} are not whole blocks of ${block_bytes} bytes`;
      return health.explain(STATUS.INVALID_FORMAT, reason, SQE.CDW10);
    }
    if (SES > SECURE_ERASE.CRYPTOGRAPHIC) return invalid(`SES ${SES} is reserved`, 1);
    if (SES === SECURE_ERASE.CRYPTOGRAPHIC && !this.#parts.profile.admin.sanitize.includes('crypto')) {
      return invalid('there is no cryptographic erase (FNA bit 2)', 1);
    }
    return STATUS.SUCCESS;
  }

  #checkNamespace(nsid: number): number {
    const { health, namespaces } = this.#parts;
    const explain = (status: number, reason: string) => health.explain(status, reason, SQE.NSID);
    if (nsid !== NSID_BROADCAST && !namespaces.isValid(nsid)) {
      return explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, `NSID ${hex(nsid)} is not valid`);
    }
    const targets = this.#named(nsid);
    if (targets.length === 0) return explain(STATUS.INVALID_FIELD, `namespace ${hex(nsid)} is not active`);
    const refusal = namespaces.closure(NSID_BROADCAST);
    if (refusal !== null) return explain(refusal.status, refusal.reason);
    const fixed = targets.find((each) => namespaces.attached(each)!.readOnly);
    if (fixed === undefined) return STATUS.SUCCESS;
    return explain(STATUS.NAMESPACE_WRITE_PROTECTED, `namespace ${fixed} is write protected`);
  }

  /** The attached namespaces that an NSID names. */
  #named(nsid: number): number[] {
    const { namespaces } = this.#parts;
    const all = namespaces.list('attached').map((namespace) => namespace.nsid);
    return nsid === NSID_BROADCAST ? all : all.filter((each) => each === nsid);
  }

  execute(slot: number): number {
    const { slots, namespaces, profile, clock, health, history, selfTest } = this.#parts;
    const nsid = slots.dword(slot, SQE.NSID);
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const { LBAFL, LBAFU, MSET, PI, PIL } = FORMAT_CDW10.decode(cdw10);
    const use = { isExtended: MSET === 1, protection: PI, isFirst: PIL === 1 };
    const start = { NSID: nsid, FNA: formatAttributes(profile), CDW10: cdw10 };
    history.add(PERSISTENT_EVENT_TYPE.FORMAT_START, FORMAT_START_EVENT, start);
    this.#targets = this.#named(nsid);
    this.#failure = '';
    for (const target of this.#targets) {
      const namespace = namespaces.attached(target)!;
      const reason = `namespace ${target} is being formatted`;
      namespaces.close(target, { status: STATUS.FORMAT_IN_PROGRESS, reason });
      selfTest.abortFor(target, SELF_TEST_OUTCOME.ABORTED_FORMAT);
      if (!namespaces.erase(namespace)) this.#failure = namespace.store.failure;
      namespaces.format(namespace, namespaces.formats[LBAFL | (LBAFU << 4)]!, use);
    }
    const delay = (profile.timing?.operations.format_ns ?? 0) * this.#targets.length;
    if (delay > 0) this.#slot = slot;
    clock.run(delay, this.#onDone, 0);
    if (delay > 0) return HELD;
    return this.#failure === '' ? STATUS.SUCCESS : health.explain(STATUS.INTERNAL_ERROR, this.#failure);
  }

  #done(): void {
    const { profile, engine, namespaces, history } = this.#parts;
    for (const nsid of this.#targets) {
      namespaces.open(nsid);
      if (!hasQuirk(profile, 'formatsSilently')) namespaces.changed(nsid);
      history.add(PERSISTENT_EVENT_TYPE.FORMAT_COMPLETION, FORMAT_COMPLETION_EVENT, { NSID: nsid });
    }
    this.#targets = [];
    const slot = this.#slot;
    this.#slot = NO_SLOT;
    if (slot === NO_SLOT || !engine.running) return;
    if (this.#failure === '') engine.complete(slot, STATUS.SUCCESS);
    else engine.fail(slot, STATUS.INTERNAL_ERROR, this.#failure);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#targets = a.value(this.#targets);
    this.#slot = a.value(this.#slot);
    this.#failure = a.value(this.#failure);
  }
}

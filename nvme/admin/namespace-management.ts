/**
 * Namespace Management and Namespace Attachment: create and delete namespaces, attach and detach them (Base 2.1
 * §5.1.20, §5.1.21). The whole request is checked before anything changes. There is one controller to attach to.
 * Not here: what a namespace is and who may use it (namespace.ts, namespaces.ts).
 */
import { hex } from '../../support/numbers.ts';
import type { Features } from '../features.ts';
import { CONTROLLER_ID } from '../limits.ts';
import { hasQuirk } from '../quirks.ts';
import { DATA_TO_CONTROLLER } from '../slots.ts';
import {
  NAMESPACE_ATTACHMENT_CDW10,
  NAMESPACE_MANAGEMENT_CDW10,
  NAMESPACE_MANAGEMENT_CDW11,
  NSID_BROADCAST,
  SQE,
} from '../spec/commands.ts';
import { CSI, DPS, FLBAS, LIST_ENTRIES, NMIC } from '../spec/identify.ts';
import { SELF_TEST_OUTCOME } from '../spec/logs.ts';
import {
  CONTROLLER_LIST_SIZE,
  NAMESPACE_ATTACHMENT,
  NAMESPACE_CREATE,
  NAMESPACE_MANAGEMENT,
} from '../spec/management.ts';
import { NAMESPACE_EVENT, PERSISTENT_EVENT_TYPE } from '../spec/persistent-events.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, CommandParts } from './command.ts';
import { formatRefusal } from './formats.ts';
import type { PersistentEvents } from './persistent-events.ts';
import type { SelfTest } from './self-test.ts';

export interface ManagementParts extends CommandParts {
  readonly history: PersistentEvents;
  readonly selfTest: SelfTest;
}

export class NamespaceManagement implements AdminCommand {
  readonly #parts: ManagementParts & { readonly features: Features };

  constructor(parts: ManagementParts & { readonly features: Features }) {
    this.#parts = parts;
  }

  check(slot: number): number {
    const { slots, health } = this.#parts;
    const select = NAMESPACE_MANAGEMENT_CDW10.SEL.get(slots.dword(slot, SQE.CDW10));
    if (select === NAMESPACE_MANAGEMENT.CREATE) return this.#checkCreate(slot);
    if (select === NAMESPACE_MANAGEMENT.DELETE) return this.#checkDelete(slots.dword(slot, SQE.NSID));
    return health.explain(STATUS.INVALID_FIELD, `SEL ${select} is neither create nor delete`, SQE.CDW10);
  }

  execute(slot: number, at: number): number {
    const { slots } = this.#parts;
    const select = NAMESPACE_MANAGEMENT_CDW10.SEL.get(slots.dword(slot, SQE.CDW10));
    if (select === NAMESPACE_MANAGEMENT.CREATE) return this.#create(slot, at);
    return this.#delete(slots.dword(slot, SQE.NSID));
  }

  #checkCreate(slot: number): number {
    const { slots, health } = this.#parts;
    const csi = NAMESPACE_MANAGEMENT_CDW11.CSI.get(slots.dword(slot, SQE.CDW11));
    if (csi !== CSI.NVM) {
      const reason = `command set ${csi} is not there, only NVM, 0`;
      return health.explain(STATUS.IO_COMMAND_SET_NOT_SUPPORTED, reason, SQE.CDW11 + 3);
    }
    slots.setData(slot, DATA_TO_CONTROLLER, NAMESPACE_CREATE.SIZE);
    return STATUS.SUCCESS;
  }

  #create(slot: number, at: number): number {
    const { slots, health, memory, namespaces, features } = this.#parts;
    const wanted = NAMESPACE_CREATE.decode(memory.view, at);
    const refuse = (status: number, reason: string) => health.explain(status, reason, SQE.PRP1);
    if (wanted.NSZE === 0n || wanted.NCAP === 0n) return refuse(STATUS.INVALID_FIELD, 'NSZE or NCAP is 0');
    if (wanted.NSZE < wanted.NCAP) return refuse(STATUS.INVALID_FIELD, 'NCAP is more than NSZE');
    if (wanted.NSZE !== wanted.NCAP) {
      return refuse(STATUS.THIN_PROVISIONING_NOT_SUPPORTED, 'NCAP must equal NSZE (NSFEAT.THINP is 0)');
    }
    const format = FLBAS.FIDXL.get(wanted.FLBAS) | (FLBAS.FIDXU.get(wanted.FLBAS) << 4);
    const { PIT, PIP } = DPS.decode(wanted.DPS);
    const refusal = formatRefusal(namespaces, features, format, PIT);
    if (refusal !== null) return refuse(refusal.status, refusal.reason);
    const { block_bytes } = namespaces.formats[format]!;
    const use = { isExtended: FLBAS.EXTENDED.get(wanted.FLBAS) === 1, protection: PIT, isFirst: PIP === 1 };
    const { NMIC: nmic, ANAGRPID, NVMSETID, ENDGID } = wanted;
    if (NMIC.DISPERSED.get(nmic) === 1) return refuse(STATUS.INVALID_FIELD, 'no dispersed namespaces (NMIC)');
    if (ANAGRPID !== 0) return refuse(STATUS.ANA_GROUP_INVALID, 'there are no ANA groups (ANAGRPID)');
    if (NVMSETID !== 0 || ENDGID !== 0)
      return refuse(STATUS.INVALID_FIELD, 'there are no NVM sets (NVMSETID, ENDGID)');
    const left = namespaces.unallocated_bytes;
    if (wanted.NCAP * BigInt(block_bytes) > BigInt(left)) {
      const reason = `${wanted.NCAP} blocks of ${block_bytes} bytes do not fit into the ${left} bytes that are left`;
      return refuse(STATUS.NAMESPACE_INSUFFICIENT_CAPACITY, reason);
    }
    const bytes = Number(wanted.NCAP) * block_bytes;
    const isShared = NMIC.SHARED.get(nmic) === 1;
    const namespace = namespaces.create(bytes, namespaces.formats[format]!, use, isShared);
    if (namespace === null) {
      return refuse(STATUS.NAMESPACE_IDENTIFIER_UNAVAILABLE, `all ${namespaces.largest} NSIDs are taken`);
    }
    features.forget(namespace.nsid);
    slots.setResult(slot, namespace.nsid);
    this.#record(NAMESPACE_MANAGEMENT.CREATE, namespace.nsid);
    return STATUS.SUCCESS;
  }

  #checkDelete(nsid: number): number {
    const { namespaces, health } = this.#parts;
    const refusal = namespaces.closure(nsid);
    if (refusal !== null) return health.explain(refusal.status, refusal.reason, SQE.NSID);
    return nsid === NSID_BROADCAST ? STATUS.SUCCESS : checkAllocated(this.#parts, nsid);
  }

  #delete(nsid: number): number {
    const { namespaces, selfTest } = this.#parts;
    const all = namespaces.list('allocated').map((namespace) => namespace.nsid);
    for (const each of nsid === NSID_BROADCAST ? all : [nsid]) {
      this.#record(NAMESPACE_MANAGEMENT.DELETE, each);
      selfTest.abortFor(each, SELF_TEST_OUTCOME.ABORTED_NAMESPACE_REMOVED);
      namespaces.delete(each);
    }
    return STATUS.SUCCESS;
  }

  #record(action: number, nsid: number): void {
    const { namespaces, history } = this.#parts;
    const namespace = namespaces.allocated(nsid)!;
    history.add(PERSISTENT_EVENT_TYPE.CHANGE_NAMESPACE, NAMESPACE_EVENT, {
      CDW10: action,
      NSZE: namespace.blocks,
      NCAP: namespace.blocks,
      FLBAS: FLBAS.encode({ FIDXL: namespaces.formatOf(namespace) }),
      NMIC: NMIC.encode({ SHARED: namespace.isShared ? 1 : 0 }),
      NSID: nsid,
    });
  }
}

export class NamespaceAttachment implements AdminCommand {
  readonly #parts: CommandParts;
  /** The quirk `privateNamespaces`. */
  readonly #isPrivate: boolean;

  constructor(parts: CommandParts) {
    this.#parts = parts;
    this.#isPrivate = hasQuirk(parts.profile, 'privateNamespaces');
  }

  #refusePrivate(nsid: number): number {
    const { namespaces, health } = this.#parts;
    const isValid = nsid === NSID_BROADCAST || namespaces.isValid(nsid);
    const status = isValid ? STATUS.INVALID_FIELD : STATUS.INVALID_NAMESPACE_OR_FORMAT;
    return health.explain(status, `namespace ${hex(nsid)} is not shared`, SQE.NSID);
  }

  check(slot: number): number {
    const { slots, health, namespaces } = this.#parts;
    const select = NAMESPACE_ATTACHMENT_CDW10.SEL.get(slots.dword(slot, SQE.CDW10));
    if (this.#isPrivate) return this.#refusePrivate(slots.dword(slot, SQE.NSID));
    if (select !== NAMESPACE_ATTACHMENT.ATTACH && select !== NAMESPACE_ATTACHMENT.DETACH) {
      return health.explain(STATUS.INVALID_FIELD, `SEL ${select} is neither attach nor detach`, SQE.CDW10);
    }
    const nsid = slots.dword(slot, SQE.NSID);
    const status = checkAllocated(this.#parts, nsid);
    if (status !== STATUS.SUCCESS) return status;
    const refusal = namespaces.closure(nsid);
    if (refusal !== null) return health.explain(refusal.status, refusal.reason, SQE.NSID);
    slots.setData(slot, DATA_TO_CONTROLLER, CONTROLLER_LIST_SIZE);
    return STATUS.SUCCESS;
  }

  execute(slot: number, at: number): number {
    const { slots, health, namespaces, memory } = this.#parts;
    const problem = listProblem(memory.view, at);
    if (problem !== null) return health.explain(STATUS.CONTROLLER_LIST_INVALID, problem, SQE.PRP1);
    const nsid = slots.dword(slot, SQE.NSID);
    const select = NAMESPACE_ATTACHMENT_CDW10.SEL.get(slots.dword(slot, SQE.CDW10));
    const isAttach = select === NAMESPACE_ATTACHMENT.ATTACH;
    const isAttached = namespaces.attached(nsid) !== undefined;
    if (isAttach && isAttached) {
      const reason = `namespace ${nsid} is attached to controller ${CONTROLLER_ID} already`;
      return health.explain(STATUS.NAMESPACE_ALREADY_ATTACHED, reason, SQE.NSID);
    }
    if (!isAttach && !isAttached) {
      const reason = `namespace ${nsid} is not attached to controller ${CONTROLLER_ID}`;
      return health.explain(STATUS.NAMESPACE_NOT_ATTACHED, reason, SQE.NSID);
    }
    namespaces.setAttached(nsid, isAttach);
    return STATUS.SUCCESS;
  }
}

/** Why the controller list at byte `at` cannot be used, or null. */
function listProblem(view: DataView, at: number): string | null {
  const count = view.getUint16(at, true);
  if (count === 0 || count > LIST_ENTRIES.CONTROLLERS) return `a list of ${count} controllers`;
  let last = -1;
  for (let entry = 1; entry <= count; entry++) {
    const id = view.getUint16(at + 2 * entry, true);
    if (id <= last) return `controller ${id} stands behind ${last}, the list must ascend`;
    if (id !== CONTROLLER_ID) return `there is no controller ${id} in this subsystem`;
    last = id;
  }
  return null;
}

function checkAllocated({ namespaces, health }: CommandParts, nsid: number): number {
  if (!namespaces.isValid(nsid)) {
    const reason = `NSID ${hex(nsid)} is not valid, the largest is ${namespaces.largest}`;
    return health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
  }
  if (namespaces.allocated(nsid) !== undefined) return STATUS.SUCCESS;
  return health.explain(STATUS.INVALID_FIELD, `namespace ${nsid} is not allocated`, SQE.NSID);
}

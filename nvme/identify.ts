/**
 * The Identify command: which structures there are, which NSIDs and command sets each accepts, and the lists of
 * namespaces, controllers and command sets (Base 2.1 §5.1.13).
 * Not here: the bytes of the controller and namespace structures (identify-controller.ts, identify-namespace.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { hex } from '../support/numbers.ts';
import type { Health } from './health.ts';
import { CONTROLLER_ID, writeController, writeNvmController } from './identify-controller.ts';
import { writeDescriptors, writeIndependentNamespace, writeNamespace } from './identify-namespace.ts';
import type { Namespace } from './namespace.ts';
import type { ControllerProfile } from './profile.ts';
import { DATA_TO_HOST, type Slots } from './slots.ts';
import { IDENTIFY_CDW10, IDENTIFY_CDW11, NSID_BROADCAST, SQE } from './spec/commands.ts';
import { CNS, CSI, IDENTIFY_SIZE, LIST_ENTRIES } from './spec/identify.ts';
import { STATUS } from './spec/status.ts';

/** From here on an NSID cannot be followed by another one in a list. Base 2.1 §5.1.13.2.2 */
const LAST_LIST_NSID = 0xffff_fffd;
/** CNTID that means the controller that executes the command. */
const THIS_CONTROLLER = 0xffff;

interface Structure {
  /** `unused`; `active`: must be attached; `valid`: an inactive one gives zeroes; `list`: where a list starts. */
  readonly nsid: 'unused' | 'active' | 'valid' | 'list';
  /** CDW11.CSI counts, and only the NVM command set is there. */
  readonly isOfCommandSet: boolean;
  /** Writes the structure at byte `at` of device-local memory, which is zeroed. */
  readonly write: (at: number, slot: number) => void;
}

export interface IdentifyParts {
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly slots: Slots;
  readonly health: Health;
  readonly memory: Memory;
  /** By nsid; its length says which NSIDs are valid. */
  readonly namespaces: readonly (Namespace | undefined)[];
}

export class Identify {
  readonly #slots: Slots;
  readonly #health: Health;
  readonly #memory: Memory;
  readonly #namespaces: readonly (Namespace | undefined)[];
  readonly #structures: Readonly<Record<number, Structure>>;

  constructor(parts: IdentifyParts) {
    const { profile, serial, namespaces, memory } = parts;
    const { view } = memory;
    this.#slots = parts.slots;
    this.#health = parts.health;
    this.#memory = memory;
    this.#namespaces = namespaces;
    const one = (write: (at: number, namespace: Namespace) => void) => (at: number, slot: number) => {
      const namespace = namespaces[this.#nsid(slot)];
      if (namespace !== undefined) write(at, namespace);
    };
    const ofNamespace = one((at, namespace) => writeNamespace(view, at, namespace));
    const list = (at: number, slot: number) => this.#writeNamespaces(at, this.#nsid(slot));
    const controllers = (at: number, slot: number) => this.#writeControllers(at, slot);
    const nothing = () => {};
    this.#structures = {
      [CNS.NAMESPACE]: { nsid: 'valid', isOfCommandSet: false, write: ofNamespace },
      [CNS.CONTROLLER]: {
        nsid: 'unused',
        isOfCommandSet: false,
        write: (at) => writeController(view, at, profile, serial, namespaces.length - 1),
      },
      [CNS.ACTIVE_NAMESPACES]: { nsid: 'list', isOfCommandSet: false, write: list },
      [CNS.NAMESPACE_DESCRIPTORS]: {
        nsid: 'active',
        isOfCommandSet: false,
        write: one((at, namespace) => writeDescriptors(view, at, namespace, serial)),
      },
      [CNS.COMMAND_SET_NAMESPACE]: { nsid: 'valid', isOfCommandSet: true, write: nothing },
      [CNS.COMMAND_SET_CONTROLLER]: {
        nsid: 'unused',
        isOfCommandSet: true,
        write: (at) => writeNvmController(view, at, profile),
      },
      [CNS.COMMAND_SET_ACTIVE_NAMESPACES]: { nsid: 'list', isOfCommandSet: true, write: list },
      [CNS.INDEPENDENT_NAMESPACE]: {
        nsid: 'valid',
        isOfCommandSet: false,
        write: one((at, namespace) => writeIndependentNamespace(view, at, namespace)),
      },
      [CNS.ALLOCATED_NAMESPACES]: { nsid: 'list', isOfCommandSet: false, write: list },
      [CNS.ALLOCATED_NAMESPACE]: { nsid: 'valid', isOfCommandSet: false, write: ofNamespace },
      [CNS.ATTACHED_CONTROLLERS]: { nsid: 'active', isOfCommandSet: false, write: controllers },
      [CNS.CONTROLLERS]: { nsid: 'unused', isOfCommandSet: false, write: controllers },
      [CNS.COMMAND_SETS]: {
        nsid: 'unused',
        isOfCommandSet: false,
        write: (at) => view.setUint32(at, 1 << CSI.NVM, true),
      },
    };
  }

  /** Refuses an unknown structure, NSID or command set; sets the data phase. Returns a status. */
  check(slot: number): number {
    const cdw10 = this.#slots.dword(slot, SQE.CDW10);
    const cns = IDENTIFY_CDW10.CNS.get(cdw10);
    const csi = IDENTIFY_CDW11.CSI.get(this.#slots.dword(slot, SQE.CDW11));
    const structure = this.#structures[cns];
    if (structure === undefined) {
      return this.#refuse(`CNS ${hex(cns, 2)} is not supported (Base 2.1 §5.1.13.1)`, SQE.CDW10);
    }
    if (structure.isOfCommandSet && csi !== CSI.NVM) {
      return this.#refuse(`CSI ${csi} is not supported: the only command set is NVM, 0`, SQE.CDW11 + 3);
    }
    const cntid = IDENTIFY_CDW10.CNTID.get(cdw10);
    if (cns === CNS.COMMAND_SETS && cntid !== THIS_CONTROLLER && cntid !== CONTROLLER_ID) {
      return this.#refuse(`CNTID ${hex(cntid, 4)} is not a controller of this subsystem`, SQE.CDW10 + 2);
    }
    this.#slots.setData(slot, DATA_TO_HOST, IDENTIFY_SIZE);
    return this.#checkNsid(structure, cns, this.#nsid(slot));
  }

  /** Writes the structure at byte `at` of device-local memory. */
  write(slot: number, at: number): void {
    this.#memory.fill(at, 0, IDENTIFY_SIZE);
    const cns = IDENTIFY_CDW10.CNS.get(this.#slots.dword(slot, SQE.CDW10));
    this.#structures[cns]!.write(at, slot);
  }

  #checkNsid(structure: Structure, cns: number, nsid: number): number {
    const largest = this.#namespaces.length - 1;
    if (structure.nsid === 'unused') return STATUS.SUCCESS;
    if (structure.nsid === 'list') {
      if (nsid <= LAST_LIST_NSID) return STATUS.SUCCESS;
      return this.#badNamespace(`no list of namespaces starts after NSID ${hex(nsid)}`);
    }
    if (nsid === NSID_BROADCAST && cns === CNS.ATTACHED_CONTROLLERS) {
      return this.#refuse(
        'the controllers of all namespaces together are not a list (NSID FFFFFFFFh)',
        SQE.NSID,
      );
    }
    if (nsid === 0 || nsid > largest) {
      return this.#badNamespace(`NSID ${hex(nsid)} is not valid, the largest is ${largest}`);
    }
    if (structure.nsid === 'active' && this.#namespaces[nsid] === undefined) {
      return this.#refuse(`namespace ${nsid} is not active`, SQE.NSID);
    }
    return STATUS.SUCCESS;
  }

  /** The NSIDs above `after` in ascending order; zeroes end the list. */
  #writeNamespaces(at: number, after: number): void {
    let entry = 0;
    for (let nsid = after + 1; nsid < this.#namespaces.length && entry < LIST_ENTRIES.NAMESPACES; nsid++) {
      if (this.#namespaces[nsid] !== undefined) this.#memory.view.setUint32(at + 4 * entry++, nsid, true);
    }
  }

  /** Count and identifiers of the controllers from CDW10.CNTID on: this one or none. */
  #writeControllers(at: number, slot: number): void {
    const first = IDENTIFY_CDW10.CNTID.get(this.#slots.dword(slot, SQE.CDW10));
    if (first > CONTROLLER_ID) return;
    this.#memory.view.setUint16(at, 1, true);
    this.#memory.view.setUint16(at + 2, CONTROLLER_ID, true);
  }

  #nsid(slot: number): number {
    return this.#slots.dword(slot, SQE.NSID);
  }

  #refuse(reason: string, byte: number): number {
    return this.#health.explain(STATUS.INVALID_FIELD, reason, byte);
  }

  #badNamespace(reason: string): number {
    return this.#health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
  }
}

/**
 * The Identify command: which structures there are, which NSIDs and command sets each accepts, and the lists of
 * namespaces, controllers and command sets (Base 2.1 §5.1.13).
 * Not here: the bytes of the controller and namespace structures (identify-controller.ts, identify-namespace.ts).
 */
import { hex } from '../support/numbers.ts';
import { present } from './absences.ts';
import type { AdminCommand, AdminParts } from './admin/command.ts';
import type { Firmware } from './admin/firmware.ts';
import { writePrimaryCapabilities } from './admin/virtualization.ts';
import { writeController, writeNvmController } from './identify-controller.ts';
import {
  writeCommon,
  writeDescriptors,
  writeIndependentNamespace,
  writeNamespace,
  writeNvmNamespace,
} from './identify-namespace.ts';
import type { Namespace } from './namespace.ts';
import { hasQuirk } from './quirks.ts';
import { DATA_TO_HOST } from './slots.ts';
import { IDENTIFY_CDW10, IDENTIFY_CDW11, NSID_BROADCAST, SQE } from './spec/commands.ts';
import { CNS, CSI, IDENTIFY_SIZE, LIST_ENTRIES } from './spec/identify.ts';
import { STATUS } from './spec/status.ts';
import { writeZonedNamespace } from './zones/identify.ts';

/** From here on an NSID cannot be followed by another one in a list. Base 2.1 §5.1.13.2.2 */
const LAST_LIST_NSID = 0xffff_fffd;
/** Structures about a namespace that differ by command set. */
const OF_NAMESPACE_AND_SET: readonly number[] = [
  CNS.COMMAND_SET_NAMESPACE,
  CNS.COMMAND_SET_ALLOCATED_NAMESPACE,
];
/** CNTID that means the controller that executes the command. */
const THIS_CONTROLLER = 0xffff;

interface Structure {
  /**
   * What NSID must be. `active`: attached; `valid`: an NSID without a namespace gives zeroes; `any`: as `valid`, and
   * FFFFFFFFh asks for what all namespaces have in common; `list`: where a list starts; `unused`: anything.
   */
  readonly nsid: 'unused' | 'active' | 'valid' | 'any' | 'list';
  /** CDW11.CSI counts. */
  readonly isOfCommandSet?: boolean;
  /** Writes the structure at byte `at` of device-local memory, which is zeroed. */
  readonly write: (at: number, slot: number) => void;
}

export interface IdentifyParts
  extends Pick<AdminParts, 'profile' | 'serial' | 'slots' | 'health' | 'memory' | 'namespaces'> {
  readonly firmware: Firmware;
}

export class Identify implements AdminCommand {
  readonly #parts: IdentifyParts;
  readonly #structures: Readonly<Record<number, Structure>>;
  /** NSID FFFFFFFFh asks for what all namespaces have in common. */
  readonly #answersAll: boolean;
  /** The quirks `nsidBeforeCsi` and `takesAnyController`. */
  readonly #nsidFirst: boolean;
  readonly #takesAnyController: boolean;

  constructor(parts: IdentifyParts) {
    this.#parts = parts;
    const { profile } = parts;
    this.#structures = present(
      { ...this.#ofController(), ...this.#ofNamespaces() },
      profile.absent,
      'identify',
    );
    this.#answersAll = profile.admin.namespaceManagement && !hasQuirk(profile, 'wantsOneNamespace');
    this.#nsidFirst = hasQuirk(profile, 'nsidBeforeCsi');
    this.#takesAnyController = hasQuirk(profile, 'takesAnyController');
  }

  #ofController(): Record<number, Structure> {
    const { profile, serial, firmware, namespaces, memory } = this.#parts;
    const { view } = memory;
    const state = () => ({ serial, revision: firmware.revision, namespaces });
    const controllers = (at: number, slot: number) => this.#writeControllers(at, slot);
    return {
      [CNS.CONTROLLER]: { nsid: 'unused', write: (at) => writeController(view, at, profile, state()) },
      [CNS.COMMAND_SET_CONTROLLER]: {
        nsid: 'unused',
        isOfCommandSet: true,
        // Zones have no limit on Append but MDTS (ZASL 0).
        write: (at, slot) => {
          if (this.#csi(slot) === CSI.NVM) writeNvmController(view, at, profile);
        },
      },
      [CNS.CONTROLLERS]: { nsid: 'unused', write: controllers },
      ...this.#ofVirtualization(),
      [CNS.COMMAND_SETS]: { nsid: 'unused', write: (at) => view.setUint32(at, this.#commandSets(), true) },
      [CNS.ATTACHED_CONTROLLERS]: {
        nsid: 'valid',
        write: (at, slot) => {
          if (namespaces.attached(this.#nsid(slot)) !== undefined) controllers(at, slot);
        },
      },
    };
  }

  /** There are no secondary controllers: their list is empty. */
  #ofVirtualization(): Record<number, Structure> {
    const { profile, memory } = this.#parts;
    const { namespaceManagement, virtualization } = profile.admin;
    const { maxQueuePairs, msixVectors } = profile;
    const capabilities = (at: number) =>
      writePrimaryCapabilities(memory.view, at, maxQueuePairs + 1, msixVectors);
    const secondaries: Structure = { nsid: 'unused', write: () => {} };
    return {
      ...(virtualization ? { [CNS.PRIMARY_CAPABILITIES]: { nsid: 'unused', write: capabilities } } : {}),
      ...(virtualization || namespaceManagement ? { [CNS.SECONDARY_CONTROLLERS]: secondaries } : {}),
    };
  }

  #ofNamespaces(): Record<number, Structure> {
    const { profile, serial, namespaces, memory } = this.#parts;
    const { view } = memory;
    type Write = (at: number, namespace: Namespace) => void;
    const attached = (write: Write) => (at: number, slot: number) => {
      const namespace = namespaces.attached(this.#nsid(slot));
      if (namespace !== undefined) write(at, namespace);
    };
    const allocated = (write: Write) => (at: number, slot: number) => {
      const namespace = namespaces.allocated(this.#nsid(slot));
      if (namespace !== undefined) write(at, namespace);
    };
    const whole: Write = (at, namespace) => writeNamespace(view, at, namespace, namespaces.formats, profile);
    const independent: Write = (at, namespace) =>
      writeIndependentNamespace(view, at, namespace, namespaces.refusal(namespace.nsid) === null, profile);
    const list = (which: 'attached' | 'allocated') => (at: number, slot: number) =>
      this.#writeNamespaces(at, this.#nsid(slot), namespaces.list(which));
    const listOfSet = (which: 'attached' | 'allocated') => (at: number, slot: number) => {
      const isZoned = this.#csi(slot) === CSI.ZONED;
      const all = namespaces.list(which).filter(({ zones }) => (zones !== null) === isZoned);
      this.#writeNamespaces(at, this.#nsid(slot), all);
    };
    const ofSet = (find: (nsid: number) => Namespace | undefined) => (at: number, slot: number) => {
      const nsid = this.#nsid(slot);
      const namespace = find(nsid);
      if (namespace === undefined && nsid !== NSID_BROADCAST) return;
      if (this.#csi(slot) === CSI.NVM) writeNvmNamespace(view, at, namespaces.formats);
      else if (namespace?.zones != null) writeZonedNamespace(view, at, namespace.zones, namespaces.formats);
    };
    const attachedOfSet = ofSet((nsid) => namespaces.attached(nsid));
    const allocatedOfSet = ofSet((nsid) => namespaces.allocated(nsid));
    return {
      [CNS.NAMESPACE]: {
        nsid: 'any',
        write: (at, slot) => {
          if (this.#nsid(slot) === NSID_BROADCAST) writeCommon(view, at, namespaces.formats, profile);
          else attached(whole)(at, slot);
        },
      },
      [CNS.ACTIVE_NAMESPACES]: { nsid: 'list', write: list('attached') },
      [CNS.NAMESPACE_DESCRIPTORS]: {
        nsid: 'active',
        write: attached((at, namespace) =>
          writeDescriptors(view, at, namespace, profile.namespaceUuids ? serial : null),
        ),
      },
      [CNS.COMMAND_SET_NAMESPACE]: { nsid: 'any', isOfCommandSet: true, write: attachedOfSet },
      [CNS.COMMAND_SET_ACTIVE_NAMESPACES]: {
        nsid: 'list',
        isOfCommandSet: true,
        write: listOfSet('attached'),
      },
      [CNS.INDEPENDENT_NAMESPACE]: { nsid: 'valid', write: attached(independent) },
      [CNS.ALLOCATED_NAMESPACES]: { nsid: 'list', write: list('allocated') },
      [CNS.ALLOCATED_NAMESPACE]: { nsid: 'valid', write: allocated(whole) },
      [CNS.COMMAND_SET_ALLOCATED_NAMESPACES]: {
        nsid: 'list',
        isOfCommandSet: true,
        write: listOfSet('allocated'),
      },
      [CNS.COMMAND_SET_ALLOCATED_NAMESPACE]: { nsid: 'valid', isOfCommandSet: true, write: allocatedOfSet },
      [CNS.INDEPENDENT_ALLOCATED_NAMESPACE]: { nsid: 'valid', write: allocated(independent) },
    };
  }

  /** Refuses an unknown structure, NSID or command set; sets the data phase. Returns a status. */
  check(slot: number): number {
    const { slots } = this.#parts;
    const cdw10 = slots.dword(slot, SQE.CDW10);
    const cns = IDENTIFY_CDW10.CNS.get(cdw10);
    const csi = IDENTIFY_CDW11.CSI.get(slots.dword(slot, SQE.CDW11));
    const structure = this.#structures[cns];
    if (structure === undefined) {
      return this.#refuse(`CNS ${hex(cns, 2)} is not supported (Base 2.1 §5.1.13.1)`, SQE.CDW10);
    }
    const set = structure.isOfCommandSet === true ? this.#checkSet(csi) : STATUS.SUCCESS;
    if (set !== STATUS.SUCCESS && !this.#nsidFirst) return set;
    const cntid = IDENTIFY_CDW10.CNTID.get(cdw10);
    if (
      cns === CNS.COMMAND_SETS &&
      !this.#takesAnyController &&
      cntid !== THIS_CONTROLLER &&
      cntid !== this.#parts.namespaces.place.id
    ) {
      return this.#refuse(`CNTID ${hex(cntid, 4)} is not a controller of this subsystem`, SQE.CDW10 + 2);
    }
    slots.setData(slot, DATA_TO_HOST, IDENTIFY_SIZE);
    const status = this.#checkNsid(structure, cns, this.#nsid(slot));
    if (status === STATUS.SUCCESS && set !== STATUS.SUCCESS) return set;
    if (status !== STATUS.SUCCESS || csi !== CSI.ZONED || !OF_NAMESPACE_AND_SET.includes(cns)) return status;
    const namespace = this.#parts.namespaces.allocated(this.#nsid(slot));
    if (namespace === undefined || namespace.zones !== null) return status;
    const code = this.#nsidFirst ? STATUS.INVALID_FIELD : STATUS.INVALID_IO_COMMAND_SET;
    return this.#parts.health.explain(code, `namespace ${namespace.nsid} has no zones`, SQE.CDW11 + 3);
  }

  #csi(slot: number): number {
    return IDENTIFY_CDW11.CSI.get(this.#parts.slots.dword(slot, SQE.CDW11));
  }

  #checkSet(csi: number): number {
    if (csi <= CSI.ZONED && ((this.#commandSets() >>> csi) & 1) === 1) return STATUS.SUCCESS;
    return this.#refuse(`CSI ${csi} is not supported (Identify CNS 1Ch)`, SQE.CDW11 + 3);
  }

  /** The one combination of command sets, as a bit for each (CNS 1Ch). */
  #commandSets(): number {
    const { namespaces, profile } = this.#parts;
    return (1 << CSI.NVM) | (namespaces.hasZones || profile.zonedCommandSet ? 1 << CSI.ZONED : 0);
  }

  /** Writes the structure at byte `at` of device-local memory. */
  execute(slot: number, at: number): number {
    const { memory, slots } = this.#parts;
    memory.fill(at, 0, IDENTIFY_SIZE);
    const cns = IDENTIFY_CDW10.CNS.get(slots.dword(slot, SQE.CDW10));
    this.#structures[cns]!.write(at, slot);
    return STATUS.SUCCESS;
  }

  #checkNsid(structure: Structure, cns: number, nsid: number): number {
    const { namespaces } = this.#parts;
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
    if (nsid === NSID_BROADCAST && structure.nsid === 'any' && this.#answersAll) return STATUS.SUCCESS;
    if (!namespaces.isValid(nsid)) {
      return this.#badNamespace(`NSID ${hex(nsid)} is not valid, the largest is ${namespaces.largest}`);
    }
    if (structure.nsid === 'active' && namespaces.attached(nsid) === undefined) {
      return this.#refuse(`namespace ${nsid} is not active`, SQE.NSID);
    }
    return STATUS.SUCCESS;
  }

  /** The NSIDs above `after` in ascending order; zeroes end the list. */
  #writeNamespaces(at: number, after: number, all: readonly Namespace[]): void {
    const { memory } = this.#parts;
    const list = all.filter(({ nsid }) => nsid > after);
    list.slice(0, LIST_ENTRIES.NAMESPACES).forEach(({ nsid }, entry) => {
      memory.view.setUint32(at + 4 * entry, nsid, true);
    });
  }

  /** Count and identifiers of the subsystem's controllers from CDW10.CNTID on. */
  #writeControllers(at: number, slot: number): void {
    const { slots, memory } = this.#parts;
    const first = IDENTIFY_CDW10.CNTID.get(slots.dword(slot, SQE.CDW10));
    const { count } = this.#parts.namespaces.place;
    memory.view.setUint16(at, Math.max(0, count - first), true);
    for (let id = first; id < count; id++) memory.view.setUint16(at + 2 * (id - first + 1), id, true);
  }

  #nsid(slot: number): number {
    return this.#parts.slots.dword(slot, SQE.NSID);
  }

  #refuse(reason: string, byte: number): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }

  #badNamespace(reason: string): number {
    return this.#parts.health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
  }
}

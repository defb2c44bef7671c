/**
 * Zone Append, Zone Management Send and Zone Management Receive (NVMe ZNS 1.2 §3.4). Not here: what zones are and may
 * do (zones.ts), Write and Read of zones (../io/read-write.ts).
 */
import type { Access, Context, IoCommand } from '../io/command.ts';
import { PROTECTION } from '../io/metadata.ts';
import { isProtected } from '../io/payload.ts';
import type { ProtectionFields } from '../io/protection.ts';
import { BlockCommand, CONTROL } from '../io/read-write.ts';
import type { Namespace } from '../namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST, SLOT } from '../slots.ts';
import { RW_CDW12, RW_CDW13, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import {
  ZONE_ACTION,
  ZONE_APPEND_PIREMAP,
  ZONE_DESCRIPTOR,
  ZONE_RECEIVE_CDW13,
  ZONE_REPORT,
  ZONE_REPORT_ACTION,
  ZONE_SEND_CDW13,
} from '../spec/zones.ts';
import { matches, writeDescriptor } from './report.ts';
import type { Zones } from './zones.ts';

const TWO_32 = 2 ** 32;
const ACTIONS: readonly number[] = Object.values(ZONE_ACTION);

/** Writes at the write pointer of a zone, and says where that was. */
export class ZoneAppend extends BlockCommand implements IoCommand {
  readonly access: Access = 'write';
  readonly known = [
    [SQE.CDW12, RW_CDW12.NLB.mask | CONTROL | ZONE_APPEND_PIREMAP],
    [SQE.CDW13, RW_CDW13.DSPEC.mask],
  ] as const;

  check(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { payload } = context;
    const zones = namespace.zones!;
    const first = context.first(slot);
    const count = context.count(slot);
    const fields = payload.fields(slot, namespace);
    context.setPlace(slot, first * namespace.block_bytes);
    let status = context.setData(slot, DATA_TO_CONTROLLER, payload.bytes(namespace, count, fields));
    if (status === STATUS.SUCCESS) status = context.checkRange(namespace, first, 1);
    if (status !== STATUS.SUCCESS) return status;
    if (first !== zones.startOf(first)) {
      const reason = `block ${first} is not the start of a zone, ${zones.startOf(first)} is`;
      return context.refuse(reason, SQE.CDW10);
    }
    status = payload.checkPointer(slot, namespace, fields);
    return status === STATUS.SUCCESS ? this.#checkProtection(slot, namespace, first, fields) : status;
  }

  /** Type 1 needs its reference tags remapped to where the blocks land, type 3 has none (§5.3.1). */
  #checkProtection(slot: number, namespace: Namespace, first: number, fields: ProtectionFields): number {
    if (!isProtected(namespace)) return STATUS.SUCCESS;
    const { protection } = namespace.metadata!;
    const isRemapped = this.#isRemapped(slot);
    if (isRemapped ? protection !== PROTECTION.TYPE3 : protection !== PROTECTION.TYPE1)
      return this.context.payload.checkFields(namespace, first, fields);
    const reason = `PIREMAP is ${isRemapped ? 1 : 0}, which protection type ${protection} does not allow`;
    return this.context.refuse(reason, SQE.CDW12 + 3, STATUS.INVALID_PROTECTION_INFORMATION);
  }

  #isRemapped(slot: number): boolean {
    return (this.context.dword(slot, SQE.CDW12) & ZONE_APPEND_PIREMAP) !== 0;
  }

  delay(slot: number, namespace: Namespace): number {
    return this.context.writeTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { blocks, payload, here, health, slots } = context;
    const zones = namespace.zones!;
    const count = context.count(slot);
    const zone = zones.zoneOf(context.first(slot));
    const first = zones.pointer(zone);
    const fields = payload.fields(slot, namespace);
    let status = context.checkZone(zones.writeProblem(first, count));
    if (status === STATUS.SUCCESS) status = payload.fetch(slot, namespace, count, here, fields);
    if (status === STATUS.SUCCESS) status = payload.protect(namespace, first, count, here, fields);
    if (status !== STATUS.SUCCESS) return status;
    if (isProtected(namespace) && this.#isRemapped(slot)) {
      const landed = payload.fieldsAfter(namespace, fields, first - zones.start(zone));
      payload.protection.remap(namespace.metadata!, count, here, landed.reference);
    }
    status = blocks.write(namespace, first, count, here);
    if (status !== STATUS.SUCCESS) return status;
    zones.advance(first, count);
    health.wrote(count * namespace.block_bytes);
    slots.setResult(slot, first >>> 0);
    slots.i32[slots.at(slot) + SLOT.RESULT1] = Math.floor(first / TWO_32);
    return context.isForced(slot) ? blocks.persist(namespace, first, count) : STATUS.SUCCESS;
  }
}

/** Opens, closes, finishes, resets or takes a zone offline, or all that can be; sets a descriptor extension. */
export class ZoneManagementSend implements IoCommand {
  readonly access: Access = 'write';
  readonly known = [
    [SQE.CDW12, 0],
    [SQE.CDW13, ZONE_SEND_CDW13.encode({ ZSA: 0xff, ALL: 1 })],
    [SQE.CDW14, 0],
    [SQE.CDW15, 0],
  ] as const;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  check(slot: number, namespace: Namespace): number {
    const context = this.#context;
    const zones = namespace.zones!;
    const { ZSA, ALL } = ZONE_SEND_CDW13.decode(context.dword(slot, SQE.CDW13));
    if (!ACTIONS.includes(ZSA)) return context.refuse(`action ${ZSA} is not supported`, SQE.CDW13);
    const { extension_bytes = 0 } = zones.options;
    if (ZSA === ZONE_ACTION.SET_EXTENSION) {
      if (ALL === 1) return context.refuse('one extension cannot be that of all zones', SQE.CDW13 + 1);
      if (extension_bytes === 0) return context.refuse('zones have no descriptor extension', SQE.CDW13);
      context.slots.setData(slot, DATA_TO_CONTROLLER, extension_bytes);
    }
    if (ALL === 1) return STATUS.SUCCESS;
    const first = context.first(slot);
    const range = context.checkRange(namespace, first, 1);
    if (range !== STATUS.SUCCESS) return range;
    if (first === zones.startOf(first)) return STATUS.SUCCESS;
    return context.refuse(`block ${first} is not the start of a zone`, SQE.CDW10);
  }

  delay(): number {
    return this.#context.media.flush();
  }

  execute(slot: number, namespace: Namespace): number {
    const context = this.#context;
    const zones = namespace.zones!;
    const { ZSA, ALL } = ZONE_SEND_CDW13.decode(context.dword(slot, SQE.CDW13));
    if (ALL === 1) return this.#actOnAll(ZSA, namespace);
    const zone = zones.zoneOf(context.first(slot));
    let status = context.checkZone(zones.actionProblem(ZSA, zone));
    if (status !== STATUS.SUCCESS) return status;
    if (ZSA !== ZONE_ACTION.SET_EXTENSION) return this.#act(ZSA, namespace, zone);
    status = context.transfer.fetch(slot, context.data);
    if (status !== STATUS.SUCCESS) return status;
    zones.act(ZSA, zone);
    const { data, memory } = context;
    zones.setExtension(zone, memory.u8.slice(data, data + zones.options.extension_bytes!));
    return STATUS.SUCCESS;
  }

  #actOnAll(action: number, namespace: Namespace): number {
    const zones = namespace.zones!;
    const problem = action === ZONE_ACTION.OPEN ? zones.openAllProblem() : null;
    if (problem !== null) return this.#context.checkZone(problem);
    for (const zone of zones.selected(action)) {
      const status = this.#act(action, namespace, zone);
      if (status !== STATUS.SUCCESS) return status;
    }
    return STATUS.SUCCESS;
  }

  #act(action: number, namespace: Namespace, zone: number): number {
    const zones = namespace.zones!;
    if (action === ZONE_ACTION.RESET) {
      const status = this.#context.blocks.erase(namespace, zones.start(zone), zones.size);
      if (status !== STATUS.SUCCESS) return status;
    }
    zones.act(action, zone);
    return STATUS.SUCCESS;
  }
}

/** Reports zones from the one with SLBA on, all or those in one state, with or without extensions. */
export class ZoneManagementReceive implements IoCommand {
  readonly access: Access = 'read';
  readonly known = [
    [SQE.CDW13, ZONE_RECEIVE_CDW13.encode({ ZRA: 0xff, ZRASF: 0xff, PARTIAL: 1 })],
    [SQE.CDW14, 0],
    [SQE.CDW15, 0],
  ] as const;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  check(slot: number, namespace: Namespace): number {
    const context = this.#context;
    const zones = namespace.zones!;
    const { ZRA, ZRASF } = ZONE_RECEIVE_CDW13.decode(context.dword(slot, SQE.CDW13));
    const bytes = (context.dword(slot, SQE.CDW12) + 1) * 4;
    if (ZRA > ZONE_REPORT_ACTION.EXTENDED) return context.refuse(`action ${ZRA} is reserved`, SQE.CDW13);
    const { extension_bytes = 0 } = zones.options;
    if (ZRA === ZONE_REPORT_ACTION.EXTENDED && extension_bytes === 0)
      return context.refuse('zones have no descriptor extension', SQE.CDW13);
    if (!matches.has(ZRASF)) return context.refuse(`ZRASF ${ZRASF} is reserved`, SQE.CDW13 + 1);
    if (bytes < ZONE_REPORT.SIZE)
      return context.refuse(`${bytes} bytes do not hold the header of a report`, SQE.CDW12);
    const range = context.checkRange(namespace, context.first(slot), 1);
    return range === STATUS.SUCCESS ? context.setData(slot, DATA_TO_HOST, bytes) : range;
  }

  delay(): number {
    return 0;
  }

  execute(): number {
    return STATUS.SUCCESS;
  }

  send(slot: number, namespace: Namespace): number {
    const context = this.#context;
    const { memory, data, slots, transfer } = context;
    const zones = namespace.zones!;
    const { ZRA, ZRASF, PARTIAL } = ZONE_RECEIVE_CDW13.decode(context.dword(slot, SQE.CDW13));
    const { extension_bytes = 0 } = zones.options;
    const extension = ZRA === ZONE_REPORT_ACTION.EXTENDED ? extension_bytes : 0;
    const bytes = slots.bytes(slot);
    const room = Math.floor((bytes - ZONE_REPORT.SIZE) / (ZONE_DESCRIPTOR.SIZE + extension));
    memory.fill(data, 0, bytes);
    const listed = this.#select(zones, zones.zoneOf(context.first(slot)), ZRASF);
    const shown = listed.slice(0, room);
    ZONE_REPORT.set(memory.view, data, 'ZONES', PARTIAL === 1 ? shown.length : listed.length);
    shown.forEach((zone, index) => {
      const at = data + ZONE_REPORT.SIZE + index * (ZONE_DESCRIPTOR.SIZE + extension);
      writeDescriptor(memory.view, at, zones, zone);
      const kept = extension > 0 ? zones.extension(zone) : undefined;
      if (kept !== undefined) memory.u8.set(kept, at + ZONE_DESCRIPTOR.SIZE);
    });
    return transfer.deliver(slot, data);
  }

  #select(zones: Zones, from: number, filter: number): number[] {
    const isListed = matches.get(filter)!;
    const all = Array.from({ length: zones.count - from }, (_, index) => from + index);
    return all.filter((zone) => isListed(zones.state(zone)));
  }
}

/** A drive with a zoned namespace, and what tests do with its zones. */
import { expect } from 'vitest';
import type { ZoneBoard } from '../../boards/board.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { ZONE, ZONE_ACTION, ZONE_DESCRIPTOR, ZONE_REPORT } from '../../nvme/spec/zones.ts';
import type { Entry } from './entry.ts';
import { type IoRig, ioRig } from './io-rig.ts';

export const KIB = 1024;
export const BLOCK = 512;
/** Blocks of a zone, and of its capacity. */
export const ZSZE = 256;
export const ZCAP = 200;
export const ZONES = 8;
export const ALL = 1 << 8;
export const PRACT = 1 << 29;

export const ZONED: ZoneBoard = { zone: ZSZE * BLOCK, capacity: ZCAP * BLOCK };

/** A drive with a zoned namespace. */
export function zonedRig(zones: Partial<ZoneBoard> = {}, options: Parameters<typeof ioRig>[0] = {}): IoRig {
  const namespace = {
    nsid: 1,
    bytes: ZONES * ZSZE * BLOCK,
    block_bytes: BLOCK,
    zones: { ...ZONED, ...zones },
  };
  return ioRig({ namespaces: [namespace], ...options });
}

/** Zone Management Send on a zone. */
export const act = (
  rig: IoRig,
  action: number,
  zone: number,
  flags = 0,
  entry: Partial<Entry> = {},
): string =>
  rig.status({ opcode: NVM.ZONE_MANAGEMENT_SEND, cdw10: zone * ZSZE, cdw13: action | flags, ...entry });

export interface Described {
  readonly state: number;
  readonly pointer: bigint;
}

/** A report: how many zones match, and those that were described. */
export function report(rig: IoRig, { first = 0, filter = 0, partial = 0, room = ZONES } = {}) {
  const page = rig.allocate();
  const dwords = (ZONE_REPORT.SIZE + room * ZONE_DESCRIPTOR.SIZE) / 4 - 1;
  const cdw13 = (filter << 8) | (partial << 16);
  const entry = { opcode: NVM.ZONE_MANAGEMENT_RECEIVE, cdw10: first, cdw12: dwords, cdw13, prp1: page };
  expect(rig.status(entry)).toBe('SUCCESS');
  const view = rig.view(page);
  const matching = Number(ZONE_REPORT.get(view, 0, 'ZONES'));
  const zones = Array.from({ length: Math.min(matching, room) }, (_, index) =>
    ZONE_DESCRIPTOR.decode(view, ZONE_REPORT.SIZE + index * ZONE_DESCRIPTOR.SIZE),
  );
  return { matching, zones };
}

export const states = (rig: IoRig): number[] => report(rig).zones.map(({ STATE }) => STATE >>> 4);

export function zone(rig: IoRig, index: number): Described {
  const { STATE, WP } = report(rig).zones[index]!;
  return { state: STATE >>> 4, pointer: WP };
}

/** Brings zone `index` into a state. */
export function enter(rig: IoRig, index: number, state: number): void {
  if (state === ZONE.IMPLICITLY_OPEN) rig.write(index * ZSZE, 1, 0x11);
  if (state === ZONE.EXPLICITLY_OPEN) act(rig, ZONE_ACTION.OPEN, index);
  if (state === ZONE.CLOSED) {
    rig.write(index * ZSZE, 1, 0x11);
    act(rig, ZONE_ACTION.CLOSE, index);
  }
  if (state === ZONE.FULL) act(rig, ZONE_ACTION.FINISH, index);
  if (state === ZONE.READ_ONLY || state === ZONE.OFFLINE)
    rig.controller.namespace(1)!.zones!.degrade(index, state);
}

export function append(rig: IoRig, index: number, count: number, byte: number, entry: Partial<Entry> = {}) {
  const data = rig.prps(rig.filled(count * BLOCK, byte), count * BLOCK);
  return rig.io({ opcode: NVM.ZONE_APPEND, ...rig.at(index * ZSZE, count), ...data, ...entry });
}

export const { EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL, READ_ONLY, OFFLINE } = ZONE;
export const FROM = [EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL, READ_ONLY, OFFLINE];

/** Brings a zone into every state, in the order of FROM. */
export function enterAll(rig: IoRig): void {
  for (const [index, state] of FROM.entries()) enter(rig, index, state);
}

/** Zoned namespaces: group Z of the conformance cases (NVMe ZNS 1.2 §2, §3.4, §4.1.5). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ZoneBoard } from '../../boards/board.ts';
import { checkNamespace } from '../../boards/namespaces.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CNS, CSI } from '../../nvme/spec/identify.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import {
  IDENTIFY_ZONED_NAMESPACE,
  ZONE,
  ZONE_ACTION,
  ZONE_APPEND_PIREMAP,
  ZONE_DESCRIPTOR,
  ZONE_REPORT,
  ZONED_FORMAT,
} from '../../nvme/spec/zones.ts';
import type { Entry } from './harness.ts';
import { BROADCAST, FUA, type IoRig, ioRig, lossyProfile } from './io-rig.ts';

const KIB = 1024;
const BLOCK = 512;
/** Blocks of a zone, and of its capacity. */
const ZSZE = 256;
const ZCAP = 200;
const ZONES = 8;
const ALL = 1 << 8;
const PRACT = 1 << 29;

const ZONED: ZoneBoard = { zone: ZSZE * BLOCK, capacity: ZCAP * BLOCK };

/** A drive with a zoned namespace. */
function zonedRig(zones: Partial<ZoneBoard> = {}, options: Parameters<typeof ioRig>[0] = {}): IoRig {
  const namespace = {
    nsid: 1,
    bytes: ZONES * ZSZE * BLOCK,
    block_bytes: BLOCK,
    zones: { ...ZONED, ...zones },
  };
  return ioRig({ namespaces: [namespace], ...options });
}

/** Zone Management Send on a zone. */
const act = (rig: IoRig, action: number, zone: number, flags = 0, entry: Partial<Entry> = {}): string =>
  rig.status({ opcode: NVM.ZONE_MANAGEMENT_SEND, cdw10: zone * ZSZE, cdw13: action | flags, ...entry });

interface Described {
  readonly state: number;
  readonly pointer: bigint;
}

/** A report: how many zones match, and those that were described. */
function report(rig: IoRig, { first = 0, filter = 0, partial = 0, room = ZONES } = {}) {
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

const states = (rig: IoRig): number[] => report(rig).zones.map(({ STATE }) => STATE >>> 4);

function zone(rig: IoRig, index: number): Described {
  const { STATE, WP } = report(rig).zones[index]!;
  return { state: STATE >>> 4, pointer: WP };
}

/** Brings zone `index` into a state. */
function enter(rig: IoRig, index: number, state: number): void {
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

function append(rig: IoRig, index: number, count: number, byte: number, entry: Partial<Entry> = {}) {
  const data = rig.prps(rig.filled(count * BLOCK, byte), count * BLOCK);
  return rig.io({ opcode: NVM.ZONE_APPEND, ...rig.at(index * ZSZE, count), ...data, ...entry });
}

describe('writes', () => {
  test('Z1 at the write pointer only', () => {
    const rig = zonedRig();
    expect(rig.write(ZSZE, 4, 0x11)).toBe('SUCCESS');
    expect(rig.write(ZSZE + 5, 1, 0x11)).toBe('ZONE_INVALID_WRITE');
    expect(rig.write(ZSZE + 3, 1, 0x11)).toBe('ZONE_INVALID_WRITE');
    expect(rig.write(ZSZE + 4, 1, 0x22)).toBe('SUCCESS');
    expect([rig.read(ZSZE, 4), rig.read(ZSZE + 4)]).toEqual([[0x11], [0x22]]);
    expect(zone(rig, 1)).toEqual({ state: ZONE.IMPLICITLY_OPEN, pointer: BigInt(ZSZE + 5) });
  });

  test('Z2 Z3 up to the capacity and no further; then the zone is full', () => {
    const rig = zonedRig();
    expect(rig.write(0, ZCAP + 1, 0x11)).toBe('ZONE_BOUNDARY_ERROR');
    expect(rig.write(0, ZCAP - 1, 0x11)).toBe('SUCCESS');
    expect(rig.write(ZCAP - 1, 2, 0x11)).toBe('ZONE_BOUNDARY_ERROR');
    expect(rig.write(ZCAP - 1, 1, 0x11)).toBe('SUCCESS');
    expect(zone(rig, 0)).toEqual({ state: ZONE.FULL, pointer: 2n ** 64n - 1n });
    expect(rig.write(ZCAP, 1, 0x11)).toBe('ZONE_IS_FULL');
    expect(rig.read(ZCAP, ZSZE - ZCAP)).toEqual([0]);
  });

  test.each([
    ['Z4', ZONE.READ_ONLY, 'ZONE_IS_READ_ONLY', [0]],
    ['Z4', ZONE.OFFLINE, 'ZONE_IS_OFFLINE', 'ZONE_IS_OFFLINE'],
    ['Z3', ZONE.FULL, 'ZONE_IS_FULL', [0]],
  ])('%s a zone in state %i: writes are %s, reads %o', (_, state, status, read) => {
    const rig = zonedRig();
    enter(rig, 0, state);
    expect(rig.write(0, 1, 0x11)).toBe(status);
    expect(statusName(append(rig, 0, 1, 0x11).status)).toBe(status);
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(0) })).toBe(status);
    expect(rig.read(0)).toEqual(read);
  });

  test('Write Zeroes, Write Uncorrectable and Copy move the write pointer, deallocation does not', () => {
    const rig = zonedRig();
    rig.write(0, 2, 0x11);
    const range = rig.allocate();
    rig.view(range).setUint16(16, 1, true);
    expect(rig.status({ opcode: NVM.COPY, cdw10: ZSZE, prp1: range })).toBe('SUCCESS');
    expect(rig.status({ opcode: NVM.COPY, cdw10: ZSZE, prp1: range })).toBe('ZONE_INVALID_WRITE');
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(ZSZE + 2) })).toBe('SUCCESS');
    expect(rig.status({ opcode: NVM.WRITE_UNCORRECTABLE, ...rig.at(ZSZE + 3) })).toBe('SUCCESS');
    expect(rig.deallocate([[ZSZE, 1]])).toBe('SUCCESS');
    expect(zone(rig, 1).pointer).toBe(BigInt(ZSZE + 4));
    expect([rig.read(ZSZE), rig.read(ZSZE + 1), rig.read(ZSZE + 3)]).toEqual([
      [0],
      [0x11],
      'UNRECOVERED_READ_ERROR',
    ]);
  });

  test('a write whose data cannot be fetched leaves the zone as it was', () => {
    const rig = zonedRig();
    const prp1 = rig.allocate();
    rig.blocked.add(prp1 / 4096);
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0), prp1 })).toBe('DATA_TRANSFER_ERROR');
    expect(zone(rig, 0)).toEqual({ state: ZONE.EMPTY, pointer: 0n });
  });

  test('Z10 reads beyond the write pointer are zeroes; over the end of a zone as OZCS says', () => {
    const rig = zonedRig();
    rig.write(0, 1, 0x11);
    expect([rig.read(1, 4), rig.read(ZSZE - 1, 2)]).toEqual([[0], 'ZONE_BOUNDARY_ERROR']);
    expect(zonedRig({ readsAcross: true }).read(ZSZE - 1, 2)).toEqual([0]);
  });
});

describe('Zone Append', () => {
  test('Z6 the blocks land at the write pointer, and DW0 and DW1 say where', () => {
    const rig = zonedRig();
    expect(append(rig, 2, 3, 0x11)).toMatchObject({ status: STATUS.SUCCESS, dw0: 2 * ZSZE, dw1: 0 });
    expect(append(rig, 2, 1, 0x22)).toMatchObject({ status: STATUS.SUCCESS, dw0: 2 * ZSZE + 3, dw1: 0 });
    expect([rig.read(2 * ZSZE, 3), rig.read(2 * ZSZE + 3)]).toEqual([[0x11], [0x22]]);
  });

  test.each<[string, Partial<Entry>, string]>([
    ['ZSLBA not the start of a zone', { cdw10: 1 }, 'INVALID_FIELD'],
    ['more than MDTS (ZASL 0)', { cdw12: 1024 }, 'INVALID_FIELD'],
    ['more than is left of the zone', { cdw12: ZCAP }, 'ZONE_BOUNDARY_ERROR'],
    ['beyond the namespace', { cdw10: ZONES * ZSZE }, 'LBA_OUT_OF_RANGE'],
  ])('Z6 %s', (_, entry, status) => {
    expect(statusName(append(zonedRig(), 0, 1, 0, entry).status)).toBe(status);
  });

  test('many at a time on one zone, timed: every block is written once', () => {
    const rig = zonedRig({}, { timed: true });
    const prp1 = rig.filled(BLOCK, 0x11);
    for (let index = 0; index < 60; index++) rig.post(1, { opcode: NVM.ZONE_APPEND, nsid: 1, prp1 });
    rig.ring(1);
    const landed = rig.reapAll(1).map(({ dw0 }) => dw0);
    expect(landed.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });

  test('PIREMAP gives type 1 the reference tags of where the blocks land; without it is refused', () => {
    const metadata = { bytes: 8, protection: 1 };
    const namespace = { nsid: 1, bytes: ZONES * ZSZE * BLOCK, block_bytes: BLOCK, zones: ZONED, metadata };
    const rig = ioRig({ namespaces: [namespace] });
    const at = (control: number) => ({ ...rig.at(ZSZE, 2, control), cdw14: ZSZE });
    append(rig, 1, 2, 0x11, at(PRACT | ZONE_APPEND_PIREMAP));
    append(rig, 1, 2, 0x11, at(PRACT | ZONE_APPEND_PIREMAP));
    const mptr = rig.allocate();
    rig.status({ opcode: NVM.READ, ...rig.at(ZSZE, 4), ...rig.prps(rig.allocate(), 2048), mptr });
    expect([0, 1, 2, 3].map((block) => rig.view(mptr).getUint32(8 * block + 4))).toEqual([
      256, 257, 258, 259,
    ]);
    expect(append(rig, 1, 2, 0x11, at(PRACT)).status).toBe(STATUS.INVALID_PROTECTION_INFORMATION);
  });
});

const BF = 'INVALID_ZONE_STATE_TRANSITION';
const { EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL, READ_ONLY, OFFLINE } = ZONE;
const FROM = [EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL, READ_ONLY, OFFLINE];

/** Brings a zone into every state, in the order of FROM. */
function enterAll(rig: IoRig): void {
  for (const [index, state] of FROM.entries()) enter(rig, index, state);
}

describe('management', () => {
  test.each<[string, number, (number | string)[]]>([
    ['Close', ZONE_ACTION.CLOSE, [BF, CLOSED, CLOSED, CLOSED, BF, BF, BF]],
    ['Finish', ZONE_ACTION.FINISH, [FULL, FULL, FULL, FULL, FULL, BF, BF]],
    [
      'Open',
      ZONE_ACTION.OPEN,
      [EXPLICITLY_OPEN, EXPLICITLY_OPEN, EXPLICITLY_OPEN, EXPLICITLY_OPEN, BF, BF, BF],
    ],
    ['Reset', ZONE_ACTION.RESET, [EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, BF, BF]],
    ['Offline', ZONE_ACTION.OFFLINE, [BF, BF, BF, BF, BF, OFFLINE, OFFLINE]],
    ['Set Descriptor Extension', ZONE_ACTION.SET_EXTENSION, [CLOSED, BF, BF, BF, BF, BF, BF]],
  ])('Z7 %s in every state', (_, action, expected) => {
    const rig = zonedRig({ extension_bytes: 64 });
    enterAll(rig);
    const prp1 = rig.allocate();
    const outcomes = FROM.map((_, index) => act(rig, action, index, 0, { prp1 }));
    expect(outcomes).toEqual(expected.map((each) => (each === BF ? BF : 'SUCCESS')));
    expect(states(rig).slice(0, FROM.length)).toEqual(
      expected.map((each, index) => (each === BF ? FROM[index] : each)),
    );
  });

  test.each<[string, number, number[]]>([
    ['Close', ZONE_ACTION.CLOSE, [EMPTY, CLOSED, CLOSED, CLOSED, FULL, READ_ONLY, OFFLINE]],
    ['Finish', ZONE_ACTION.FINISH, [EMPTY, FULL, FULL, FULL, FULL, READ_ONLY, OFFLINE]],
    [
      'Open',
      ZONE_ACTION.OPEN,
      [EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, EXPLICITLY_OPEN, FULL, READ_ONLY, OFFLINE],
    ],
    ['Reset', ZONE_ACTION.RESET, [EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, READ_ONLY, OFFLINE]],
    [
      'Offline',
      ZONE_ACTION.OFFLINE,
      [EMPTY, IMPLICITLY_OPEN, EXPLICITLY_OPEN, CLOSED, FULL, OFFLINE, OFFLINE],
    ],
  ])('Z8 %s of all zones', (_, action, expected) => {
    const rig = zonedRig();
    enterAll(rig);
    expect(act(rig, action, 0, ALL, { cdw10: 3 })).toBe('SUCCESS');
    expect(states(rig).slice(0, FROM.length)).toEqual(expected);
  });

  test.each<[string, number, number, Partial<Entry>, string]>([
    ['an action that is not there', 6, 0, {}, 'INVALID_FIELD'],
    ['a block within a zone', ZONE_ACTION.OPEN, 0, { cdw10: 1 }, 'INVALID_FIELD'],
    ['a zone that is not there', ZONE_ACTION.OPEN, ZONES, {}, 'LBA_OUT_OF_RANGE'],
    ['an extension where zones have none', ZONE_ACTION.SET_EXTENSION, 0, {}, 'INVALID_FIELD'],
    ['Z11 a random write area, which no zone has', ZONE_ACTION.OPEN | (1 << 9), 0, {}, 'INVALID_FIELD'],
    ['Z11 a flush of one', 0x11, 0, {}, 'INVALID_FIELD'],
  ])('Z7 %s', (_, action, index, entry, status) => {
    expect(act(zonedRig(), action, index, 0, entry)).toBe(status);
  });

  test('Z12 a reset empties the blocks, their metadata and the extension', () => {
    const rig = zonedRig({ extension_bytes: 64 });
    const prp1 = rig.filled(64, 0x5a);
    act(rig, ZONE_ACTION.SET_EXTENSION, 0, 0, { prp1 });
    rig.write(0, 4, 0x11);
    expect(report(rig).zones[0]).toMatchObject({ ATTRIBUTES: 0x80 });
    act(rig, ZONE_ACTION.RESET, 0);
    expect(report(rig).zones[0]).toMatchObject({ ATTRIBUTES: 0, STATE: ZONE.EMPTY << 4, WP: 0n });
    expect(rig.read(0, 4)).toEqual([0]);
    expect(rig.write(0, 1, 0x22)).toBe('SUCCESS');
  });

  test('Format empties every zone, and counts zones in the new blocks', () => {
    const rig = zonedRig();
    rig.write(0, 1, 0x11);
    rig.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1, cdw10: 1 });
    expect(
      report(rig).zones.map(({ STATE, ZCAP: capacity, ZSLBA }) => [STATE >>> 4, capacity, ZSLBA]),
    ).toEqual(Array.from({ length: ZONES }, (_, index) => [ZONE.EMPTY, 25n, BigInt(index * 32)]));
  });
});

test('a format whose blocks do not fill zones is refused, and Identify has no zones for it', () => {
  const zones = { zone: 9 * BLOCK };
  const rig = ioRig({ namespaces: [{ nsid: 1, bytes: 90 * BLOCK, block_bytes: BLOCK, zones }] });
  const { status } = rig.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1, cdw10: 1 });
  expect(statusName(status)).toBe('INVALID_FORMAT');
  const page = rig.allocate();
  rig.submitAdmin({ opcode: ADMIN.IDENTIFY, nsid: 1, prp1: page, cdw10: 5, cdw11: CSI.ZONED << 24 });
  const sizes = [0, 1].map((index) =>
    ZONED_FORMAT.get(rig.view(page), IDENTIFY_ZONED_NAMESPACE.LBAFE + index * ZONED_FORMAT.SIZE, 'ZSZE'),
  );
  expect(sizes).toEqual([9n, 0n]);
});

test('with CC.CSS 000b there are no commands of zones, and writes keep to the write pointer', () => {
  const rig = zonedRig();
  rig.disable();
  rig.enable();
  rig.createCq(1, 64);
  rig.createSq(1, 64, 1);
  expect(rig.status({ opcode: NVM.ZONE_MANAGEMENT_RECEIVE, cdw12: 127, prp1: rig.allocate() })).toBe(
    'INVALID_OPCODE',
  );
  expect([rig.write(1, 1, 0x11), rig.write(0, 1, 0x11)]).toEqual(['ZONE_INVALID_WRITE', 'SUCCESS']);
});

describe('limits', () => {
  const open = (rig: IoRig, index: number) => act(rig, ZONE_ACTION.OPEN, index);

  test('Z5 MAR: no more active zones', () => {
    const rig = zonedRig({ maxActive: 2, maxOpen: 2 });
    expect([open(rig, 0), open(rig, 1)]).toEqual(['SUCCESS', 'SUCCESS']);
    act(rig, ZONE_ACTION.CLOSE, 0);
    expect([open(rig, 2), rig.write(2 * ZSZE, 1, 0x11)]).toEqual(Array(2).fill('TOO_MANY_ACTIVE_ZONES'));
    act(rig, ZONE_ACTION.FINISH, 0);
    expect(open(rig, 2)).toBe('SUCCESS');
  });

  test('Z5 MOR: an implicitly open zone is closed for another one, explicitly open ones are not', () => {
    const rig = zonedRig({ maxActive: 4, maxOpen: 2 });
    rig.write(0, 1, 0x11);
    open(rig, 1);
    expect(rig.write(2 * ZSZE, 1, 0x11)).toBe('SUCCESS');
    expect(states(rig).slice(0, 3)).toEqual([CLOSED, EXPLICITLY_OPEN, IMPLICITLY_OPEN]);
    expect(open(rig, 2)).toBe('SUCCESS');
    expect(rig.write(1, 1, 0x11)).toBe('TOO_MANY_OPEN_ZONES');
    expect(act(rig, ZONE_ACTION.OPEN, 0, ALL)).toBe('TOO_MANY_OPEN_ZONES');
    expect(states(rig).slice(0, 3)).toEqual([CLOSED, EXPLICITLY_OPEN, EXPLICITLY_OPEN]);
  });

  test('Z5 whatever a host does, zones stay within their limits and no written block is lost', () => {
    const step = fc.record({
      zone: fc.nat({ max: ZONES - 1 }),
      action: fc.constantFrom(0, 0, 1, 2, 3, 4),
      count: fc.integer({ min: 1, max: 90 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const rig = zonedRig({ maxActive: 4, maxOpen: 2 });
        const written = new Map<number, number>();
        for (const { zone: index, action, count } of steps) {
          if (action !== 0) {
            const status = act(rig, action, index);
            if (action === ZONE_ACTION.RESET && status === 'SUCCESS') written.delete(index);
            continue;
          }
          const { status, dw0 } = append(rig, index, count, 0x40 + index);
          if (status === STATUS.SUCCESS) written.set(index, dw0 + count - index * ZSZE);
        }
        const now = states(rig);
        const isOpen = (state: number) => state === IMPLICITLY_OPEN || state === EXPLICITLY_OPEN;
        expect(now.filter(isOpen).length).toBeLessThanOrEqual(2);
        expect(now.filter((state) => isOpen(state) || state === CLOSED).length).toBeLessThanOrEqual(4);
        for (const [index, count] of written) expect(rig.read(index * ZSZE, count)).toEqual([0x40 + index]);
      }),
      { numRuns: 15 },
    );
  });
});

describe('reports', () => {
  test('Z9 as many as fit; with PARTIAL the count is that of the described ones', () => {
    const rig = zonedRig();
    const all = report(rig, { first: 2 * ZSZE + 7, room: 2 });
    expect([all.matching, all.zones.map(({ ZSLBA }) => ZSLBA)]).toEqual([6, [512n, 768n]]);
    expect(report(rig, { room: 2, partial: 1 }).matching).toBe(2);
    expect(report(rig, { first: 7 * ZSZE, partial: 1 }).zones).toHaveLength(1);
    expect(all.zones[0]).toMatchObject({ TYPE: 2, ZCAP: BigInt(ZCAP), WP: 512n });
  });

  test('Z9 zones of one state', () => {
    const rig = zonedRig();
    enterAll(rig);
    const counts = [1, 2, 3, 4, 5, 6, 7, 9].map((filter) => report(rig, { filter }).matching);
    expect(counts).toEqual([2, 1, 1, 1, 1, 1, 1, 0]);
  });

  test('Z9 the extended report has the extension behind each descriptor', () => {
    const rig = zonedRig({ extension_bytes: 128 });
    act(rig, ZONE_ACTION.SET_EXTENSION, 1, 0, { prp1: rig.filled(128, 0x5a) });
    const prp1 = rig.allocate();
    const entry = { opcode: NVM.ZONE_MANAGEMENT_RECEIVE, cdw12: (64 + 2 * 192) / 4 - 1, cdw13: 1 };
    expect(rig.status({ ...entry, prp1 })).toBe('SUCCESS');
    expect(new Set(rig.bytes(prp1 + 64 + 64, 128))).toEqual(new Set([0]));
    expect(new Set(rig.bytes(prp1 + 64 + 192 + 64, 128))).toEqual(new Set([0x5a]));
    expect(rig.bytes(prp1 + 64 + 2 * 192, 1)[0]).toBe(0);
  });

  test.each<[string, Partial<Entry>, string]>([
    ['less room than a header', { cdw12: 14 }, 'INVALID_FIELD'],
    ['an extended report of zones without extension', { cdw13: 1 }, 'INVALID_FIELD'],
    ['a reserved action', { cdw13: 2 }, 'INVALID_FIELD'],
    ['a reserved filter', { cdw13: 8 << 8 }, 'INVALID_FIELD'],
    ['beyond the namespace', { cdw10: ZONES * ZSZE }, 'LBA_OUT_OF_RANGE'],
    ['more than MDTS', { cdw12: 0xffff_ffff }, 'INVALID_FIELD'],
  ])('Z9 %s', (_, entry, status) => {
    const rig = zonedRig();
    const receive = { opcode: NVM.ZONE_MANAGEMENT_RECEIVE, cdw12: 127, prp1: rig.allocate() };
    expect(rig.status({ ...receive, ...entry })).toBe(status);
  });
});

describe('power', () => {
  test('a loss of power closes open zones; those without data are empty', () => {
    const rig = zonedRig();
    enterAll(rig);
    rig.powerCycle();
    expect(states(rig)).toEqual([EMPTY, CLOSED, EMPTY, CLOSED, FULL, READ_ONLY, OFFLINE, EMPTY]);
    expect(zone(rig, 1).pointer).toBe(BigInt(ZSZE + 1));
  });

  test('a controller reset changes no zone', () => {
    const rig = zonedRig();
    enterAll(rig);
    rig.disable();
    rig.start();
    expect(states(rig).slice(0, FROM.length)).toEqual(FROM);
  });

  test('N9 what the cache loses is gone from the end of a zone: no holes, FUA holds what is before it', () => {
    const rig = zonedRig({}, { profile: lossyProfile });
    rig.write(0, 4, 0x11);
    rig.write(4, 1, 0x22, rig.at(4, 1, FUA));
    rig.write(5, ZCAP - 5, 0x33);
    expect(zone(rig, 0).state).toBe(FULL);
    append(rig, 1, 3, 0x44);
    rig.powerCycle();
    expect([zone(rig, 0), zone(rig, 1)]).toEqual([
      { state: CLOSED, pointer: 5n },
      { state: EMPTY, pointer: BigInt(ZSZE) },
    ]);
    expect([rig.read(0, 4), rig.read(4), rig.read(5)]).toEqual([[0x11], [0x22], [0]]);
    expect(rig.write(5, 1, 0x55)).toBe('SUCCESS');
  });

  test('a reset of a zone is durable at once', () => {
    const rig = zonedRig({}, { profile: lossyProfile });
    rig.write(0, 4, 0x11);
    rig.flush();
    act(rig, ZONE_ACTION.RESET, 0);
    rig.write(0, 1, 0x22);
    rig.powerCycle();
    expect([zone(rig, 0).state, rig.read(0, 4)]).toEqual([EMPTY, [0]]);
  });
});

describe('Identify', () => {
  const identify = (rig: IoRig, cns: number, csi: number, nsid = 1) => {
    const page = rig.allocate();
    const { status } = rig.submitAdmin({
      opcode: ADMIN.IDENTIFY,
      nsid,
      prp1: page,
      cdw10: cns,
      cdw11: csi << 24,
    });
    return { status: statusName(status), view: rig.view(page), bytes: rig.bytes(page, 4096) };
  };

  test('A15 A17 CNS 03h, 05h, 06h, 07h and 1Ch', () => {
    const namespaces = [
      {
        nsid: 1,
        bytes: ZONES * ZSZE * BLOCK,
        block_bytes: BLOCK,
        zones: { ...ZONED, maxActive: 4, maxOpen: 2, extension_bytes: 64 },
      },
      { nsid: 2, bytes: ZONES * ZSZE * BLOCK, block_bytes: BLOCK },
    ];
    const rig = ioRig({ namespaces });
    const { view } = identify(rig, CNS.COMMAND_SET_NAMESPACE, CSI.ZONED);
    expect(IDENTIFY_ZONED_NAMESPACE.decode(view, 0)).toMatchObject({ ZOC: 0, OZCS: 0, MAR: 3, MOR: 1 });
    const formats = [0, 1].map((index) =>
      ZONED_FORMAT.decode(view, IDENTIFY_ZONED_NAMESPACE.LBAFE + index * ZONED_FORMAT.SIZE),
    );
    expect(formats).toMatchObject([
      { ZSZE: 256n, ZDES: 1 },
      { ZSZE: 32n, ZDES: 1 },
    ]);
    expect(identify(rig, CNS.COMMAND_SET_CONTROLLER, CSI.ZONED)).toMatchObject({ status: 'SUCCESS' });
    expect([...identify(rig, CNS.NAMESPACE_DESCRIPTORS, 0).bytes.subarray(20, 25)]).toEqual([4, 1, 0, 0, 2]);
    expect(identify(rig, CNS.COMMAND_SET_ACTIVE_NAMESPACES, CSI.ZONED, 0).view.getUint32(0, true)).toBe(1);
    expect(identify(rig, CNS.COMMAND_SET_ACTIVE_NAMESPACES, CSI.NVM, 0).view.getUint32(0, true)).toBe(2);
    const combinations = rig.submitAdmin({
      opcode: ADMIN.IDENTIFY,
      prp1: rig.allocate(),
      cdw10: 0xffff_001c,
    });
    expect(combinations.status).toBe(STATUS.SUCCESS);
    expect(identify(rig, CNS.COMMAND_SETS, 0).view.getUint32(0, true)).toBe(0b101);
  });

  test('A16 CNS 05h with CSI 2 of a namespace without zones: 1:2C, without any zones: 0:02', () => {
    const plain = { bytes: ZONES * ZSZE * BLOCK, block_bytes: BLOCK };
    const rig = ioRig({
      namespaces: [
        { nsid: 1, ...plain, zones: ZONED },
        { nsid: 2, ...plain },
      ],
    });
    expect(identify(rig, CNS.COMMAND_SET_NAMESPACE, CSI.ZONED, 2).status).toBe('INVALID_IO_COMMAND_SET');
    expect(identify(ioRig(), CNS.COMMAND_SET_NAMESPACE, CSI.ZONED).status).toBe('INVALID_FIELD');
  });

  test('log 05h has the commands of zones where there are zones', () => {
    const supported = (rig: IoRig) => {
      const page = rig.allocate();
      rig.submitAdmin({ opcode: ADMIN.GET_LOG_PAGE, nsid: BROADCAST, prp1: page, cdw10: 0x03ff_0005 });
      return rig.view(page).getUint32(1024 + 4 * NVM.ZONE_APPEND, true) & 1;
    };
    expect([supported(zonedRig()), supported(ioRig())]).toEqual([1, 0]);
  });

  test('commands of zones on a namespace without zones: Invalid Opcode', () => {
    const rig = ioRig();
    for (const opcode of [NVM.ZONE_APPEND, NVM.ZONE_MANAGEMENT_SEND, NVM.ZONE_MANAGEMENT_RECEIVE])
      expect(rig.status({ opcode })).toBe('INVALID_OPCODE');
  });

  test.each<[string, ZoneBoard, string]>([
    ['zones that do not fill it', { zone: '96k' }, 'not a whole number of 98304-byte zones'],
    ['a capacity above the size', { zone: '64k', capacity: '128k' }, 'cannot have a capacity of 131072'],
    ['zones of half a block', { zone: 768 }, 'whole blocks of 512 bytes'],
    [
      'more open than active zones',
      { zone: '64k', maxActive: 2, maxOpen: 3 },
      'maxOpen must be from 1 to maxActive',
    ],
  ])('a board cannot have %s', (_, zones, text) => {
    expect(checkNamespace({ size: 128 * KIB, zones })).toContain(text);
  });
});

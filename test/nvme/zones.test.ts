/** Zoned namespaces: group Z of the conformance cases (NVMe ZNS 1.2 §2, §3.4, §4.1.5). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CSI } from '../../nvme/spec/identify.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import {
  IDENTIFY_ZONED_NAMESPACE,
  ZONE,
  ZONE_ACTION,
  ZONE_APPEND_PIREMAP,
  ZONED_FORMAT,
} from '../../nvme/spec/zones.ts';
import type { Entry } from './entry.ts';
import { type IoRig, ioRig } from './io-rig.ts';

import {
  ALL,
  act,
  append,
  BLOCK,
  CLOSED,
  EMPTY,
  EXPLICITLY_OPEN,
  enter,
  enterAll,
  FROM,
  FULL,
  IMPLICITLY_OPEN,
  OFFLINE,
  PRACT,
  READ_ONLY,
  report,
  states,
  ZCAP,
  ZONED,
  ZONES,
  ZSZE,
  zone,
  zonedRig,
} from './zone-rig.ts';

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

test('zoned namespaces have no fused operations', () => {
  const rig = zonedRig();
  const prp1 = rig.allocate();
  rig.post(1, { opcode: NVM.COMPARE, nsid: 1, flags: 1, prp1 });
  rig.post(1, { opcode: NVM.WRITE, nsid: 1, flags: 2, prp1 });
  rig.ring(1);
  expect(rig.statuses()).toEqual(['INVALID_FIELD', 'ABORTED_FAILED_FUSED']);
  expect(states(rig)[0]).toBe(ZONE.EMPTY);
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

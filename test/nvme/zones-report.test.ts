/** Zoned namespaces: reports, loss of power, Identify: the rest of group Z (NVMe ZNS 1.2 §2.1, §3.4.2, §4.1.5). */
import { describe, expect, test } from 'vitest';
import type { ZoneBoard } from '../../boards/board.ts';
import { checkNamespace } from '../../boards/namespaces.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CNS, CSI } from '../../nvme/spec/identify.ts';
import { CC, REG, SHN } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { IDENTIFY_ZONED_NAMESPACE, ZONE_ACTION, ZONED_FORMAT } from '../../nvme/spec/zones.ts';
import type { Entry } from './entry.ts';
import { BROADCAST, FUA, type IoRig, ioRig, lossyProfile } from './io-rig.ts';

import {
  act,
  append,
  BLOCK,
  CLOSED,
  EMPTY,
  EXPLICITLY_OPEN,
  enterAll,
  FROM,
  FULL,
  KIB,
  OFFLINE,
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

  test('a shutdown closes them when no other controller of the drive is at work', () => {
    const rig = zonedRig();
    const peer = ioRig({ joins: rig });
    act(rig, ZONE_ACTION.OPEN, 0);
    const shutDown = ({ controller }: IoRig) =>
      controller.barWrite32(0, REG.CC, CC.SHN.set(controller.barRead32(0, REG.CC), SHN.NORMAL));
    shutDown(rig);
    expect(zone(peer, 0).state).toBe(EXPLICITLY_OPEN);
    shutDown(peer);
    rig.disable();
    rig.start();
    expect(zone(rig, 0).state).toBe(EMPTY);
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

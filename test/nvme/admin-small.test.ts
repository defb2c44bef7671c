/**
 * Admin commands of one test or two: directives, Keep Alive, Get LBA Status, telemetry, persistent events, host memory,
 * and commands that Identify denies. Cases A17, A18, A22, A29, A49, A64, A65, A82 to A87.
 */
import { describe, expect, test } from 'vitest';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID, HOST_MEMORY_DESCRIPTOR } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, PRIMARY_CAPABILITIES } from '../../nvme/spec/identify.ts';
import { ERROR_LOG_ENTRY, LID, TELEMETRY_HEADER } from '../../nvme/spec/logs.ts';
import { LBA_STATUS, LBA_STATUS_DESCRIPTOR } from '../../nvme/spec/management.ts';
import {
  PERSISTENT_EVENT,
  PERSISTENT_EVENT_LOG,
  PERSISTENT_EVENT_TYPE,
} from '../../nvme/spec/persistent-events.ts';
import { CSTS, REG } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { BROADCAST, getFeature, getLog, identify, listen, setFeature } from './admin-commands.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness, PAGE, ready } from './harness.ts';
import { ioRig } from './io-rig.ts';

const name = (harness: Harness, entry: Entry) => statusName(harness.submitAdmin(entry).status);

describe('Identify of command sets', () => {
  test('A17 CNS 06h, CSI 0: no limit of Verify, Write Zeroes or Dataset Management below MDTS', () => {
    const { status, view } = identify(ready(), CNS.COMMAND_SET_CONTROLLER);
    expect(status).toBe(STATUS.SUCCESS);
    expect([0, 1, 2, 4, 8].map((at) => view.getUint8(at))).toEqual([0, 0, 0, 0, 0]);
  });

  test.each([
    ['A17', CNS.COMMAND_SET_CONTROLLER],
    ['A18', CNS.COMMAND_SET_ACTIVE_NAMESPACES],
    ['A18', CNS.COMMAND_SET_ALLOCATED_NAMESPACES],
  ])('%s CNS %i of the Key Value set, which is not there', (_, cns) => {
    const harness = ready();
    const entry: Entry = { opcode: ADMIN.IDENTIFY, prp1: harness.allocate(), cdw10: cns, cdw11: 1 << 24 };
    expect(name(harness, entry)).toBe('INVALID_FIELD');
  });

  test('A18 CNS 07h and 1Ah with CSI 0 list the namespaces of the NVM set', () => {
    for (const cns of [CNS.COMMAND_SET_ACTIVE_NAMESPACES, CNS.COMMAND_SET_ALLOCATED_NAMESPACES])
      expect(identify(ready(), cns).view.getUint32(0, true)).toBe(1);
  });

  test('A22 CNS 1Ch: one combination; feature 19h selects it and no other', () => {
    const harness = ready();
    for (const cntid of [0, 0xffff]) {
      const { view } = identify(harness, CNS.COMMAND_SETS, { cdw10: (cntid << 16) >>> 0 });
      expect([view.getUint32(0, true) & 1, view.getUint32(8, true)]).toEqual([1, 0]);
    }
    expect(statusName(setFeature(harness, FID.COMMAND_SET_PROFILE, 0).status)).toBe('SUCCESS');
    expect(statusName(setFeature(harness, FID.COMMAND_SET_PROFILE, 1).status)).toBe(
      'IO_COMMAND_SET_COMBINATION_REJECTED',
    );
  });
});

describe('Abort', () => {
  test('A29 aborts run one at a time, so that however many are posted none exceeds ACL', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, aborts: 1 } });
    expect(IDENTIFY_CONTROLLER.get(identify(harness, CNS.CONTROLLER).view, 0, 'ACL')).toBe(0);
    for (let cid = 100; cid < 110; cid++) harness.post(0, { opcode: ADMIN.ABORT, cid, cdw10: 1 });
    harness.ring(0);
    expect(harness.reapAll(0)).toMatchObject(Array(10).fill({ status: STATUS.SUCCESS, dw0: 1 }));
  });
});

describe('commands that Identify denies', () => {
  test.each<[string, number]>([
    ['A81', ADMIN.SECURITY_SEND],
    ['', 0x1d],
    ['', 0x24],
  ])('%s opcode %i is invalid: there is no security, no management interface, no lockdown', (_, opcode) => {
    expect(name(ready(), { opcode })).toBe('INVALID_OPCODE');
  });

  test.each([
    ['reserved action', 0, 0, 'INVALID_FIELD'],
    ['a secondary controller on line', 0x1_0009, 0, 'INVALID_CONTROLLER_IDENTIFIER'],
    ['resources for another controller', 0x1_0001, 0, 'INVALID_CONTROLLER_IDENTIFIER'],
    ['resources of type 2', 0x201, 0, 'INVALID_RESOURCE_IDENTIFIER'],
    ['more than the 0 that are flexible', 0x101, 1, 'INVALID_RESOURCE_COUNT'],
    ['as many as there are', 0x101, 0, 'SUCCESS'],
  ])('A82 Virtualization Management: %s', (_, cdw10, cdw11, expected) => {
    expect(name(ready(), { opcode: ADMIN.VIRTUALIZATION_MANAGEMENT, cdw10, cdw11 })).toBe(expected);
  });

  test('Identify 14h: queues and vectors are all private', () => {
    const { view } = identify(ready(), CNS.PRIMARY_CAPABILITIES);
    const { CRT, VQFRT, VQPRT, VIFRT, VIPRT } = PRIMARY_CAPABILITIES.decode(view, 0);
    expect({ CRT, VQFRT, VQPRT, VIFRT, VIPRT }).toEqual({ CRT: 3, VQFRT: 0, VQPRT: 65, VIFRT: 0, VIPRT: 65 });
  });

  test('A83 the function has no SR-IOV capability, so there is no offline virtual function', () => {
    const harness = ready();
    const ids: number[] = [];
    for (let at = 0x100; at !== 0; at = harness.configRead(at, 4) >>> 20) ids.push(harness.configRead(at, 2));
    expect(ids).not.toContain(0x10);
  });

  test('what a profile leaves out is refused as an opcode, a log page, a feature', () => {
    const harness = ready({ profile: { ...QEMU, timing: null } });
    for (const opcode of [ADMIN.SANITIZE, ADMIN.DEVICE_SELF_TEST, ADMIN.FIRMWARE_COMMIT, ADMIN.KEEP_ALIVE])
      expect(name(harness, { opcode })).toBe('INVALID_OPCODE');
    for (const lid of [LID.SELF_TEST, LID.TELEMETRY_HOST, LID.PERSISTENT_EVENTS, LID.SANITIZE_STATUS])
      expect(statusName(getLog(harness, lid, 512).status)).toBe('INVALID_FIELD');
    for (const fid of [FID.HOST_MEMORY_BUFFER, FID.KEEP_ALIVE, FID.SANITIZE_CONFIG])
      expect(statusName(getFeature(harness, fid).status)).toBe('INVALID_FIELD');
  });
});

describe('Directives (Base 2.1 §8.1.8)', () => {
  const receive = (cdw11: number, nsid = 1): Entry => ({
    opcode: ADMIN.DIRECTIVE_RECEIVE,
    nsid,
    cdw10: 1023,
    cdw11,
  });
  const send = (cdw11: number, cdw12 = 0): Entry => ({ opcode: ADMIN.DIRECTIVE_SEND, nsid: 1, cdw11, cdw12 });

  test('A84 Identify is the only directive, supported and enabled', () => {
    const harness = ready();
    const prp1 = harness.allocate();
    harness.memory.fill(prp1, 0xee, PAGE);
    expect(name(harness, { ...receive(1), prp1 })).toBe('SUCCESS');
    const set = [...harness.bytes(prp1, PAGE)].flatMap((byte, at) => (byte === 0 ? [] : [[at, byte]]));
    expect(set).toEqual([
      [0, 1],
      [32, 1],
    ]);
  });

  test.each<[string, Entry, string]>([
    ['streams, return parameters', receive(0x0101), 'INVALID_FIELD'],
    ['streams, allocate resources', receive(0x0103), 'INVALID_FIELD'],
    ['a reserved type', receive(0x0901), 'INVALID_FIELD'],
    ['an operation Identify lacks', receive(0x0002), 'INVALID_FIELD'],
    ['NSID 0', receive(1, 0), 'INVALID_NAMESPACE_OR_FORMAT'],
    ['enable streams', send(1, 0x0101), 'INVALID_FIELD'],
    ['disable Identify', send(1, 0), 'INVALID_FIELD'],
    ['release a stream', send(0x0101), 'INVALID_FIELD'],
  ])('A84 %s is refused', (_, entry, expected) => {
    const harness = ready();
    expect(name(harness, { ...entry, prp1: harness.allocate() })).toBe(expected);
  });
});

describe('Keep Alive (Base 2.1 §3.9)', () => {
  const MS = 1e6;
  const isFailed = (harness: Harness) => CSTS.CFS.get(harness.read32(REG.CSTS)) === 1;
  const keepAlive = (harness: Harness) => {
    harness.post(0, { opcode: ADMIN.KEEP_ALIVE });
    harness.kick(0);
  };

  test('A85 the timer in granules of KAS; the command restarts it; expiry is fatal and in the error log', () => {
    const harness = ready();
    harness.post(0, { opcode: ADMIN.SET_FEATURES, cdw10: FID.KEEP_ALIVE, cdw11: 250 });
    harness.post(0, { opcode: ADMIN.GET_FEATURES, cdw10: FID.KEEP_ALIVE });
    harness.kick(0);
    expect([harness.reap(0, false)?.status, harness.reap(0, false)?.dw0]).toEqual([STATUS.SUCCESS, 300]);
    harness.clock.advance(290 * MS);
    keepAlive(harness);
    harness.clock.advance(290 * MS);
    expect(isFailed(harness)).toBe(false);
    harness.clock.advance(20 * MS);
    expect(isFailed(harness)).toBe(true);
    expect(harness.controller.health.rejections.at(-1)).toContain('no Keep Alive came for 300 ms');
    harness.disable();
    harness.enable();
    const entry = ERROR_LOG_ENTRY.decode(getLog(harness, LID.ERROR, 64).view, 0);
    expect([entry.STATUS >>> 1, entry.CID]).toEqual([STATUS.KEEP_ALIVE_EXPIRED, 0xffff]);
  });

  test('A85 KATO 0 turns it off, and so does a reset', () => {
    const harness = ready();
    const set = (cdw11: number) => {
      harness.post(0, { opcode: ADMIN.SET_FEATURES, cdw10: FID.KEEP_ALIVE, cdw11 });
      harness.kick(0);
    };
    set(100);
    set(0);
    harness.clock.advance(1000 * MS);
    expect(isFailed(harness)).toBe(false);
    set(100);
    harness.write32(REG.CC, 0);
    harness.enable();
    harness.clock.advance(1000 * MS);
    expect(isFailed(harness)).toBe(false);
  });
});

describe('Get LBA Status (NVM Command Set 1.1 §4.2.1)', () => {
  const status = (cdw10: number, length: number, atype = 0x10, mndw = 63): Entry => ({
    opcode: ADMIN.GET_LBA_STATUS,
    nsid: 1,
    cdw10,
    cdw12: mndw,
    cdw13: length | (atype << 24),
  });
  const ranges = (view: DataView) =>
    Array.from({ length: LBA_STATUS.get(view, 0, 'NLSD') }, (_, index) => {
      const { DSLBA, NLB } = LBA_STATUS_DESCRIPTOR.decode(view, 8 + 16 * index);
      return [Number(DSLBA), NLB + 1];
    });

  test('A86 the blocks that cannot be read, inside of the range, and whether all were told', () => {
    const rig = ioRig();
    for (const [first, count] of [
      [10, 2],
      [20, 1],
      [30, 4],
    ] as const)
      rig.io({ opcode: NVM.WRITE_UNCORRECTABLE, ...rig.at(first, count) });
    const prp1 = rig.allocate();
    const ask = (entry: Entry) => {
      expect(name(rig, { ...entry, prp1 })).toBe('SUCCESS');
      return [ranges(rig.view(prp1)), LBA_STATUS.get(rig.view(prp1), 0, 'CMPC')];
    };
    const all = [
      [10, 2],
      [20, 1],
      [30, 4],
    ];
    expect(ask(status(0, 0))).toEqual([all, 2]);
    expect(ask(status(11, 21, 0x11))).toEqual([
      [
        [11, 1],
        [20, 1],
        [30, 2],
      ],
      2,
    ]);
    expect(ask(status(0, 0, 0x10, 9))).toEqual([[all[0], all[1]], 1]);
    rig.write(30, 4, 1);
    expect(ask(status(21, 0))).toEqual([[], 2]);
  });

  test.each<[string, Entry, string]>([
    ['allocated blocks (ATYPE 02h)', status(0, 0, 2), 'INVALID_FIELD'],
    ['a reserved type', status(0, 0, 0), 'INVALID_FIELD'],
    ['a range beyond the end', status(32_767, 2), 'LBA_OUT_OF_RANGE'],
    ['no namespace', { ...status(0, 0), nsid: 0 }, 'INVALID_NAMESPACE_OR_FORMAT'],
  ])('%s is refused', (_, entry, expected) => {
    const harness = ready();
    expect(name(harness, { ...entry, prp1: harness.allocate() })).toBe(expected);
  });
});

describe('Telemetry (Base 2.1 §8.1.26)', () => {
  const log = (harness: Harness, lid: number, lsp = 0, isRetained = false) => {
    const page = getLog(harness, lid, 512, {
      cdw10: lid | (lsp << 8) | (isRetained ? 0x8000 : 0) | (127 << 16),
    });
    return TELEMETRY_HEADER.decode(page.view, 0);
  };

  test('A87 the host creates a picture: its generation counts up, its blocks can be read', () => {
    const harness = ready();
    expect(log(harness, LID.TELEMETRY_HOST).HOST_GENERATION_OR_SCOPE).toBe(0);
    const first = log(harness, LID.TELEMETRY_HOST, 1);
    expect([first.LID, first.HOST_GENERATION_OR_SCOPE]).toEqual([LID.TELEMETRY_HOST, 1]);
    expect(first.AREA1_LAST).toBeGreaterThan(0);
    expect(log(harness, LID.TELEMETRY_HOST).HOST_GENERATION_OR_SCOPE).toBe(1);
    const { buffer } = getLog(harness, LID.TELEMETRY_HOST, 512, { cdw12: 512 });
    expect(harness.text(buffer, 30)).toContain('read commands');
    expect(statusName(getLog(harness, LID.TELEMETRY_HOST, 256).status)).toBe('INVALID_FIELD');
    expect(statusName(getLog(harness, LID.TELEMETRY_HOST, 512, { cdw12: 256 }).status)).toBe('INVALID_FIELD');
  });

  test('A87 the controller takes one when it fails: a notice, kept until read without RAE', () => {
    const harness = ready();
    harness.blocked.add(harness.read32(REG.ASQ) / PAGE);
    harness.post(0, { opcode: ADMIN.ABORT });
    harness.ring(0);
    harness.disable();
    harness.blocked.clear();
    harness.enable();
    expect(log(harness, LID.TELEMETRY_CONTROLLER, 0, true)).toMatchObject({
      CONTROLLER_AVAILABLE: 1,
      CONTROLLER_GENERATION: 1,
    });
    expect(log(harness, LID.TELEMETRY_CONTROLLER)).toMatchObject({ CONTROLLER_AVAILABLE: 1 });
    expect(log(harness, LID.TELEMETRY_CONTROLLER)).toMatchObject({ CONTROLLER_AVAILABLE: 0 });
  });
});

describe('Persistent events (Base 2.1 §5.1.12.1.14)', () => {
  const events = (view: DataView) => {
    const { TNEV, TLL } = PERSISTENT_EVENT_LOG.decode(view, 0);
    const types: number[] = [];
    let at: number = PERSISTENT_EVENT_LOG.SIZE;
    for (; at < Number(TLL); ) {
      const { TYPE, EHL, EL } = PERSISTENT_EVENT.decode(view, at);
      types.push(TYPE);
      at += EHL + 3 + EL;
    }
    expect([types.length, at]).toEqual([TNEV, Number(TLL)]);
    return types;
  };
  const read = (harness: Harness, lsp: number) => {
    const numd = (2 * PAGE) / 4 - 1;
    return getLog(harness, LID.PERSISTENT_EVENTS, 2 * PAGE, {
      cdw10: LID.PERSISTENT_EVENTS | (lsp << 8) | (numd << 16),
    });
  };

  test('one context at a time, also where log pages are short (fuzz seed 203)', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, quirks: ['shortLogs'] } });
    expect(read(harness, 1).status).toBe(STATUS.SUCCESS);
    harness.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1 });
    expect(statusName(read(harness, 1).status)).toBe('COMMAND_SEQUENCE_ERROR');
  });

  test('newest first, over resets, read from a context that stands still', () => {
    const harness = ready();
    harness.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1 });
    harness.disable();
    harness.enable();
    const { POWER_ON_OR_RESET, FORMAT_START, FORMAT_COMPLETION } = PERSISTENT_EVENT_TYPE;
    const expected = [POWER_ON_OR_RESET, FORMAT_COMPLETION, FORMAT_START, POWER_ON_OR_RESET];
    expect(statusName(read(harness, 0).status)).toBe('COMMAND_SEQUENCE_ERROR');
    expect(events(read(harness, 1).view)).toEqual(expected);
    harness.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1 });
    expect(events(read(harness, 0).view)).toEqual(expected);
    expect(statusName(read(harness, 1).status)).toBe('COMMAND_SEQUENCE_ERROR');
    expect(read(harness, 2).status).toBe(STATUS.SUCCESS);
    expect(events(read(harness, 1).view)).toHaveLength(expected.length + 2);
  });
});

describe('Host Memory Buffer (Base 2.1 §8.1.12)', () => {
  const PAGES = 256;
  /** Set Features with a list of pieces; `extra` changes the entry. */
  const enable = (
    harness: Harness,
    pieces: readonly [address: number, pages: number][],
    extra: Partial<Entry> = {},
  ) => {
    const list = harness.allocate();
    pieces.forEach(([address, pages], index) => {
      HOST_MEMORY_DESCRIPTOR.set(harness.view(list), 16 * index, 'BADD', BigInt(address));
      HOST_MEMORY_DESCRIPTOR.set(harness.view(list), 16 * index, 'BSIZE', pages);
    });
    const hsize = pieces.reduce((sum, [, pages]) => sum + pages, 0);
    const rest = { cdw12: hsize, cdw13: list, cdw15: pieces.length, ...extra };
    return statusName(setFeature(harness, FID.HOST_MEMORY_BUFFER, 1, rest).status);
  };

  test('A65 enabled once, its attributes come back, and off again; a reset takes it away', () => {
    const harness = ready();
    const memory = harness.allocate(PAGES);
    const pieces: [number, number][] = [
      [memory, 100],
      [memory + 100 * PAGE, 156],
    ];
    expect(enable(harness, pieces)).toBe('SUCCESS');
    const prp1 = harness.allocate();
    expect(getFeature(harness, FID.HOST_MEMORY_BUFFER, { prp1 }).dw0).toBe(1);
    expect([harness.view(prp1).getUint32(0, true), harness.view(prp1).getUint32(12, true)]).toEqual([256, 2]);
    expect(enable(harness, pieces)).toBe('COMMAND_SEQUENCE_ERROR');
    expect(setFeature(harness, FID.HOST_MEMORY_BUFFER, 0).status).toBe(STATUS.SUCCESS);
    expect(enable(harness, pieces, { cdw11: 3 })).toBe('SUCCESS');
    harness.disable();
    harness.enable();
    expect(getFeature(harness, FID.HOST_MEMORY_BUFFER, { prp1 }).dw0).toBe(0);
  });

  test.each<[string, Partial<Entry>, number, string]>([
    ['less than HMMIN', { cdw12: 255 }, 256, 'INVALID_FIELD'],
    ['more than the pieces have', { cdw12: 257 }, 256, 'INVALID_FIELD'],
    ['no descriptors', { cdw15: 0 }, 256, 'INVALID_FIELD'],
    ['more descriptors than HMMAXD', { cdw15: 65 }, 256, 'INVALID_FIELD'],
    ['a list at an odd address', { cdw13: 0x1008 }, 256, 'INVALID_FIELD'],
    ['a piece of no pages', {}, 0, 'INVALID_FIELD'],
    ['a list DMA cannot reach', { cdw13: 0x20_0000 }, 256, 'DATA_TRANSFER_ERROR'],
  ])('A65 %s is refused', (_, extra, pages, expected) => {
    const harness = ready();
    harness.blocked.add(0x200);
    expect(enable(harness, [[harness.allocate(PAGES), pages]], extra)).toBe(expected);
  });

  test('A65 a piece that does not begin at a page', () => {
    const harness = ready();
    expect(enable(harness, [[harness.allocate(PAGES + 1) + 512, PAGES]])).toBe('INVALID_FIELD');
  });
});

describe('features that a host changes at its own risk', () => {
  test('A49 write protection of a read-only medium cannot be lifted: 1:0E', () => {
    const harness = ready({ namespaces: [{ nsid: 1, bytes: 65_536, block_bytes: 512, readOnly: true }] });
    const set = (value: number) =>
      statusName(setFeature(harness, FID.NAMESPACE_WRITE_PROTECTION, value, { nsid: 1 }).status);
    expect([set(0), set(1), set(2)]).toEqual(['FEATURE_NOT_CHANGEABLE', 'SUCCESS', 'INVALID_FIELD']);
  });

  test('write protection stops writes at once and survives a reset', () => {
    const rig = ioRig();
    setFeature(rig, FID.NAMESPACE_WRITE_PROTECTION, 1, { nsid: 1 });
    expect(rig.write(0, 1, 1)).toBe('NAMESPACE_WRITE_PROTECTED');
    rig.disable();
    rig.start();
    expect(rig.write(0, 1, 1)).toBe('NAMESPACE_WRITE_PROTECTED');
    setFeature(rig, FID.NAMESPACE_WRITE_PROTECTION, 0, { nsid: 1 });
    expect(rig.write(0, 1, 1)).toBe('SUCCESS');
  });

  test('A64 Host Identifier: both lengths are taken (CTRATT.HIDS); reserved bits are not', () => {
    const harness = ready();
    const set = (cdw11: number) =>
      statusName(setFeature(harness, FID.HOST_IDENTIFIER, cdw11, { prp1: harness.allocate() }).status);
    expect([set(0), set(1), set(2)]).toEqual(['SUCCESS', 'SUCCESS', 'INVALID_FIELD']);
  });

  test('a namespace notice waits for a request, then for its log to be read', () => {
    const harness = ready();
    listen(harness, 50);
    harness.reapAll(0);
    for (const cid of [1, 2]) harness.post(0, { opcode: ADMIN.FORMAT_NVM, nsid: 1, cid });
    harness.ring(0);
    expect(harness.reapAll(0).map(({ cid }) => cid)).toEqual([50, 1, 2]);
    expect(getLog(harness, LID.CHANGED_NAMESPACES, 8, { nsid: BROADCAST }).status).toBe(STATUS.SUCCESS);
  });
});

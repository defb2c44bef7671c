/** Admin commands through registers and queues: group A of the conformance cases (identify, logs, abort, events). */
import { describe, expect, test } from 'vitest';
import { GENERIC } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM, opcodeName } from '../../nvme/spec/commands.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import { ERROR_LOG_ENTRY, LID, SMART_LOG } from '../../nvme/spec/logs.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { getLog, identify } from './admin-commands.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness, PAGE, ready, SERIAL } from './harness.ts';

const BROADCAST = 0xffff_ffff;
/** Namespace 2 is missing: valid and not active. */
const TWO_NAMESPACES = [
  { nsid: 1, bytes: 4 * 1024 ** 2, block_bytes: 512, eui64: '0123456789abcdef' },
  { nsid: 3, bytes: 8 * 1024 ** 2, block_bytes: 4096, readOnly: true },
];

describe('what every admin command is checked for', () => {
  test.each<[string, Entry, number, string]>([
    ['A1', { opcode: 0x7e }, STATUS.INVALID_OPCODE, 'reserved opcode'],
    ['A2', { opcode: 0xc0 }, STATUS.INVALID_OPCODE, 'vendor opcode'],
    ['A3', { opcode: ADMIN.IDENTIFY, flags: 0x40, cdw10: 1 }, STATUS.INVALID_FIELD, 'SGL in PSDT'],
    ['A4', { opcode: ADMIN.IDENTIFY, flags: 0x01, cdw10: 1 }, STATUS.INVALID_FIELD, 'FUSE'],
    ['', { opcode: ADMIN.ABORT, nsid: 1 }, STATUS.INVALID_FIELD, 'NSID where none is used'],
    ['A81', { opcode: ADMIN.SECURITY_RECEIVE }, STATUS.INVALID_OPCODE, 'a command Identify denies'],
  ])('%s %o -> %i, %s', (_, entry: Entry, status) => {
    const completion = ready().submitAdmin(entry);
    expect(statusName(completion.status)).toBe(statusName(status));
    expect(completion.dnr).toBe(true);
  });

  test('a refusal is one sentence with command, status and reason', () => {
    const harness = ready();
    harness.submitAdmin({ opcode: ADMIN.IDENTIFY, cid: 5, cdw10: 0xfe });
    harness.submitAdmin({ opcode: ADMIN.IDENTIFY, cid: 6, cdw10: CNS.CONTROLLER, prp1: 0x10_0002 });
    expect(harness.controller.health.rejections).toEqual([
      'Identify (SQ 0, CID 5): Invalid Field: CNS 0xfe is not supported (CDW10.CNS = 0xfe, Base 2.1 §5.1.13.1)',
      'Identify (SQ 0, CID 6): PRP Offset Invalid: PRP1 = 0x100002 is not dword aligned (Base 2.1 §4.3.1)',
    ]);
  });

  test('refusals are kept in bounded number, the newest last', () => {
    const harness = ready();
    for (let cid = 0; cid < 200; cid++) harness.submitAdmin({ opcode: 0x7e, cid });
    const { rejections } = harness.controller.health;
    expect(rejections).toHaveLength(64);
    expect(rejections.at(-1)).toContain('CID 199');
  });
});

describe('Identify (Base 2.1 §5.1.13)', () => {
  test('A6 controller: names padded with spaces, entry sizes, limits of the profile', () => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const { status, buffer, view } = identify(harness, CNS.CONTROLLER);
    expect(status).toBe(STATUS.SUCCESS);
    expect(harness.text(buffer + IDENTIFY_CONTROLLER.SN, 20)).toBe(SERIAL.padEnd(20));
    expect(harness.text(buffer + IDENTIFY_CONTROLLER.MN, 40)).toBe(GENERIC.model.padEnd(40));
    expect(harness.text(buffer + IDENTIFY_CONTROLLER.FR, 8)).toBe(GENERIC.firmware.padEnd(8));
    const { VID, SSVID, SQES, CQES, MDTS, VER, NN, AERL, ELPE, IEEE } = IDENTIFY_CONTROLLER.decode(view, 0);
    expect({ VID, SSVID, SQES, CQES, MDTS, VER, NN, AERL, ELPE }).toEqual({
      VID: 0x1b36,
      SSVID: 0x1af4,
      SQES: 0x66,
      CQES: 0x44,
      MDTS: 7,
      VER: 0x2_0000,
      NN: 256,
      AERL: 3,
      ELPE: 63,
    });
    expect([...IEEE]).toEqual([0x00, 0x54, 0x52]);
  });

  test('the qemu personality has the identity of the conformance machine', () => {
    const harness = ready({ profile: { ...QEMU, timing: null } });
    expect([harness.read32(0), harness.read32(4), harness.read32(8)]).toEqual([
      0x0f01_07ff, 0x0040_1820, 0x0001_0400,
    ]);
    const { buffer } = identify(harness, CNS.CONTROLLER);
    expect(harness.text(buffer + IDENTIFY_CONTROLLER.MN, 40)).toBe('QEMU NVMe Ctrl'.padEnd(40));
  });

  test('A7 namespace: size in its own blocks, format, EUI-64 in big endian, write protection', () => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const first = IDENTIFY_NAMESPACE.decode(identify(harness, CNS.NAMESPACE, { nsid: 1 }).view, 0);
    expect([first.NSZE, first.NCAP, first.NUSE, first.NSATTR]).toEqual([8192n, 8192n, 8192n, 0]);
    expect([...first.EUI64]).toEqual([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
    expect([first.NLBAF, first.FLBAS, first.LBAF[2], first.LBAF[6]]).toEqual([7, 0, 9, 12]);
    const third = IDENTIFY_NAMESPACE.decode(identify(harness, CNS.NAMESPACE, { nsid: 3 }).view, 0);
    expect([third.NSZE, third.FLBAS, third.NSATTR]).toEqual([2048n, 1, 1]);
  });

  test.each<[string, number, number, string]>([
    ['A8', CNS.NAMESPACE, 2, 'inactive'],
    ['A8', CNS.NAMESPACE, 256, 'inactive, the largest'],
    ['A19', CNS.INDEPENDENT_NAMESPACE, 2, 'inactive'],
    ['', CNS.ALLOCATED_NAMESPACE, 2, 'not allocated'],
    ['', CNS.SECONDARY_CONTROLLERS, 0, 'no secondary controllers'],
  ])('%s CNS %i of NSID %i is a page of zeroes: %s', (_, cns, nsid) => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const { status, buffer } = identify(harness, cns, { nsid });
    expect(status).toBe(STATUS.SUCCESS);
    expect(harness.bytes(buffer, PAGE).every((byte) => byte === 0)).toBe(true);
  });

  test.each([
    ['A9', CNS.NAMESPACE, { nsid: 0 }, STATUS.INVALID_NAMESPACE_OR_FORMAT],
    ['A10', CNS.NAMESPACE, { nsid: 257 }, STATUS.INVALID_NAMESPACE_OR_FORMAT],
    ['', CNS.ALLOCATED_NAMESPACE, { nsid: BROADCAST }, STATUS.INVALID_NAMESPACE_OR_FORMAT],
    ['A14', CNS.ACTIVE_NAMESPACES, { nsid: 0xffff_fffe }, STATUS.INVALID_NAMESPACE_OR_FORMAT],
    ['A14', CNS.ACTIVE_NAMESPACES, { nsid: BROADCAST }, STATUS.INVALID_NAMESPACE_OR_FORMAT],
    ['', CNS.NAMESPACE_DESCRIPTORS, { nsid: 2 }, STATUS.INVALID_FIELD],
    ['A16', CNS.COMMAND_SET_NAMESPACE, { nsid: 1, cdw11: 0x0200_0000 }, STATUS.INVALID_FIELD],
    ['A21', CNS.ATTACHED_CONTROLLERS, { nsid: BROADCAST }, STATUS.INVALID_FIELD],
    ['A22', CNS.COMMAND_SETS, { cdw10: 7 << 16 }, STATUS.INVALID_FIELD],
    ['A23', 0xfe, {}, STATUS.INVALID_FIELD],
    ['A25', CNS.CONTROLLER, { prp1: 0x10_0001 }, STATUS.PRP_OFFSET_INVALID],
  ])('%s CNS %i %o is refused', (_, cns, entry: Partial<Entry>, status) => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const completion = identify(harness, cns, entry);
    expect(statusName(completion.status)).toBe(statusName(status));
    expect(harness.bytes(completion.buffer, PAGE).every((byte) => byte === 0xee)).toBe(true);
  });

  test('A11 CNS 00h of FFFFFFFFh: what all namespaces have in common, if namespaces can be managed', () => {
    const common = identify(ready(), CNS.NAMESPACE, { nsid: BROADCAST });
    expect(common.status).toBe(STATUS.SUCCESS);
    const { NSZE, NLBAF, LBAF } = IDENTIFY_NAMESPACE.decode(common.view, 0);
    expect([NSZE, NLBAF, LBAF[2], LBAF[6]]).toEqual([0n, 7, 9, 12]);
    const admin = { ...FUNCTIONAL.admin, namespaceManagement: false };
    const fixed = identify(ready({ profile: { ...FUNCTIONAL, admin } }), CNS.NAMESPACE, { nsid: BROADCAST });
    expect(statusName(fixed.status)).toBe('INVALID_NAMESPACE_OR_FORMAT');
  });

  test.each([
    ['A12', 0, [1, 3]],
    ['A13', 1, [3]],
    ['A13', 2, [3]],
    ['A13', 3, []],
    ['', 0xffff_fffd, []],
  ])('%s active namespaces after NSID %i', (_, nsid, expected: number[]) => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    for (const cns of [CNS.ACTIVE_NAMESPACES, CNS.COMMAND_SET_ACTIVE_NAMESPACES, CNS.ALLOCATED_NAMESPACES]) {
      const { view } = identify(harness, cns, { nsid });
      const list = Array.from({ length: 1024 }, (_, entry) => view.getUint32(4 * entry, true));
      expect(list.slice(0, expected.length)).toEqual(expected);
      expect(list.slice(expected.length).every((entry) => entry === 0)).toBe(true);
    }
  });

  test('A15 descriptors: EUI-64 when given, a UUID of its own, and the command set', () => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const headers = (nsid: number) => {
      const { view } = identify(harness, CNS.NAMESPACE_DESCRIPTORS, { nsid });
      const found: [number, number, string][] = [];
      for (let at = 0; view.getUint8(at) !== 0; at += 4 + view.getUint8(at + 1)) {
        const length = view.getUint8(at + 1);
        const bytes = Array.from({ length }, (_, i) =>
          view
            .getUint8(at + 4 + i)
            .toString(16)
            .padStart(2, '0'),
        );
        found.push([view.getUint8(at), length, bytes.join('')]);
      }
      return found;
    };
    const first = headers(1);
    const third = headers(3);
    expect(first.map(([type, length]) => [type, length])).toEqual([
      [1, 8],
      [3, 16],
      [4, 1],
    ]);
    expect(first[0]![2]).toBe('0123456789abcdef');
    expect(first[1]![2]).toMatch(/^[0-9a-f]{12}8[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
    expect(third.map(([type]) => type)).toEqual([3, 4]);
    expect(third[0]![2]).not.toBe(first[1]![2]);
  });

  test('A20 controller lists: one controller, whose identifier is 0', () => {
    const harness = ready();
    const all = identify(harness, CNS.CONTROLLERS).view;
    expect([all.getUint16(0, true), all.getUint16(2, true)]).toEqual([1, 0]);
    expect(identify(harness, CNS.CONTROLLERS, { cdw10: 1 << 16 }).view.getUint16(0, true)).toBe(0);
    expect(identify(harness, CNS.ATTACHED_CONTROLLERS, { nsid: 1 }).view.getUint16(0, true)).toBe(1);
  });

  test('A24 a buffer that crosses a page goes on at PRP2', () => {
    const harness = ready();
    const whole = identify(harness, CNS.CONTROLLER);
    const first = harness.allocate();
    const second = harness.allocate();
    const entry = { opcode: ADMIN.IDENTIFY, cdw10: CNS.CONTROLLER, prp1: first + 0x800, prp2: second };
    expect(harness.submitAdmin(entry).status).toBe(STATUS.SUCCESS);
    const halves = [...harness.bytes(first + 0x800, 0x800), ...harness.bytes(second, 0x800)];
    expect(halves).toEqual([...harness.bytes(whole.buffer, PAGE)]);
  });

  test('A26 a buffer DMA cannot reach: Data Transfer Error without DNR, and the page is named', () => {
    const harness = ready();
    harness.blocked.add(0x200);
    const completion = identify(harness, CNS.CONTROLLER, { prp1: 0x20_0000 });
    expect(completion.status).toBe(STATUS.DATA_TRANSFER_ERROR);
    expect(completion.dnr).toBe(false);
    expect(harness.controller.health.rejections.at(-1)).toContain('IOVA 0x200000');
  });
});

describe('Get Log Page (Base 2.1 §5.1.12)', () => {
  test('A37 errors: newest first, with queue, command, status, place and opcode; the count goes up', () => {
    const harness = ready();
    harness.submitAdmin({ opcode: 0x7e, cid: 11 });
    identify(harness, 0xfe, { cid: 12, nsid: 9 });
    const { view } = getLog(harness, LID.ERROR, 64 * 3);
    const newest = ERROR_LOG_ENTRY.decode(view, 0);
    expect(newest).toMatchObject({
      ERROR_COUNT: 2n,
      SQID: 0,
      CID: 12,
      STATUS: 0x8004,
      PARAMETER_LOCATION: 40,
      NSID: 9,
      OPC: ADMIN.IDENTIFY,
      VERSION: 1,
    });
    expect(ERROR_LOG_ENTRY.decode(view, 64)).toMatchObject({
      ERROR_COUNT: 1n,
      CID: 11,
      STATUS: 0x8002,
      OPC: 0x7e,
    });
    expect(ERROR_LOG_ENTRY.get(view, 128, 'ERROR_COUNT')).toBe(0n);
  });

  test('the error log is a ring: after 70 failures it holds the newest 64', () => {
    const harness = ready();
    for (let cid = 1; cid <= 70; cid++) harness.submitAdmin({ opcode: 0x7e, cid });
    const { view } = getLog(harness, LID.ERROR, 64 * 64);
    const counts = Array.from({ length: 64 }, (_, age) =>
      Number(ERROR_LOG_ENTRY.get(view, 64 * age, 'ERROR_COUNT')),
    );
    expect(counts).toEqual(Array.from({ length: 64 }, (_, age) => 70 - age));
  });

  test('an I/O failure has its first block and namespace in the error log', () => {
    const harness = ready();
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
    const read = { opcode: NVM.READ, nsid: 1, prp1: harness.allocate(), cdw10: 0xffff_fff0, cdw11: 0x12 };
    expect(harness.submit(1, 1, read).status).toBe(STATUS.LBA_OUT_OF_RANGE);
    const entry = ERROR_LOG_ENTRY.decode(getLog(harness, LID.ERROR, 64).view, 0);
    expect(entry).toMatchObject({ SQID: 1, NSID: 1, LBA: 0x12_ffff_fff0n, OPC: NVM.READ });
  });

  test('A38 A40 SMART counts commands and units of 1000 blocks of 512 bytes, rounded up', () => {
    const harness = ready();
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
    const prp1 = harness.allocate();
    const rw = (opcode: number) => harness.submit(1, 1, { opcode, nsid: 1, prp1, cdw12: 7 }).status;
    expect(rw(NVM.WRITE)).toBe(STATUS.SUCCESS);
    for (let i = 0; i < 126; i++) rw(NVM.READ);
    harness.submitAdmin({ opcode: 0x7e });
    const { view } = getLog(harness, LID.SMART, SMART_LOG.SIZE);
    const counter = (offset: number) => Number(view.getBigUint64(offset, true));
    expect(counter(SMART_LOG.HOST_READS)).toBe(126);
    expect(counter(SMART_LOG.DATA_UNITS_READ)).toBe(2);
    expect(counter(SMART_LOG.HOST_WRITES)).toBe(1);
    expect(counter(SMART_LOG.DATA_UNITS_WRITTEN)).toBe(1);
    expect(counter(SMART_LOG.ERROR_LOG_ENTRIES)).toBe(1);
    expect(counter(SMART_LOG.POWER_CYCLES)).toBe(1);
    expect(view.getUint16(SMART_LOG.TEMPERATURE, true)).toBe(310);
  });

  test('A41 firmware slots: slot 1 is active and holds the revision of Identify', () => {
    const harness = ready();
    const { view, buffer } = getLog(harness, LID.FIRMWARE_SLOT, 512);
    expect(view.getUint8(0)).toBe(1);
    expect(harness.text(buffer + 8, 8)).toBe(GENERIC.firmware.padEnd(8));
  });

  test('A42 the effects log names exactly the commands that are not refused as invalid opcodes', () => {
    const harness = ready();
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
    const { view } = getLog(harness, LID.COMMAND_EFFECTS, 4096);
    const named = (at: number) =>
      Array.from({ length: 256 }, (_, opcode) => opcode).filter(
        (opcode) => view.getUint32(at + 4 * opcode, true) & 1,
      );
    const taken = (sqid: number) =>
      Array.from({ length: 256 }, (_, opcode) => opcode).filter((opcode) => {
        if (sqid === 0 && opcode === ADMIN.ASYNC_EVENT_REQUEST) return true;
        return harness.submit(sqid, sqid, { opcode, flags: 1 }).status !== STATUS.INVALID_OPCODE;
      });
    const names = (isAdmin: boolean, opcodes: number[]) =>
      opcodes.map((opcode) => opcodeName(isAdmin, opcode));
    expect(names(true, named(0))).toEqual(names(true, taken(0)));
    expect(names(false, named(1024))).toEqual(names(false, taken(1)));
  });

  test('A43 A44 the supported logs are exactly those that are not refused', () => {
    const harness = ready();
    const { view } = getLog(harness, LID.SUPPORTED_LOGS, 1024);
    for (let lid = 0; lid < 256; lid++) {
      const isSupported = (view.getUint32(4 * lid, true) & 1) === 1;
      const expected = isSupported ? STATUS.SUCCESS : STATUS.INVALID_LOG_PAGE;
      const lsp = lid === LID.PERSISTENT_EVENTS ? 2 : 0;
      const { status } = getLog(harness, lid, 512, { cdw10: lid | (lsp << 8) | (127 << 16) });
      expect(statusName(status), `LID ${lid}`).toBe(statusName(expected));
      harness.pages.free(harness.allocate(2), 2);
    }
  });

  test.each<[string, Partial<Entry>, string]>([
    ['A45', { cdw12: 2 }, 'offset in the middle of a dword'],
    ['A45', { cdw12: 516 }, 'offset beyond the page'],
    ['A45', { cdw13: 1 }, 'offset beyond 4 GiB'],
    ['A39', { nsid: 1 }, 'a page per namespace'],
    ['', { cdw14: 1 << 23 }, 'an index as offset'],
    ['', { cdw11: 2 }, 'more than MDTS'],
  ])('%s %o is an invalid field: %s', (_, entry) => {
    expect(statusName(getLog(ready(), LID.SMART, 512, entry).status)).toBe('INVALID_FIELD');
  });

  test('A45 A46 any part of a page is the same bytes; beyond the end are zeroes, beyond the length nothing', () => {
    const harness = ready();
    const whole = getLog(harness, LID.COMMAND_EFFECTS, 4096);
    const part = getLog(harness, LID.COMMAND_EFFECTS, 64, { cdw12: 1024 });
    expect([...harness.bytes(part.buffer, 64)]).toEqual([...harness.bytes(whole.buffer + 1024, 64)]);
    expect(harness.bytes(part.buffer + 64, 4096).every((byte) => byte === 0xee)).toBe(true);
    const long = getLog(harness, LID.SMART, 1024, { cdw12: 256 });
    expect(long.status).toBe(STATUS.SUCCESS);
    expect(harness.bytes(long.buffer + 256, 768).every((byte) => byte === 0)).toBe(true);
    expect(getLog(harness, LID.SMART, 4, { cdw12: 512 }).view.getUint32(0, true)).toBe(0);
  });
});

describe('Abort (Base 2.1 §5.1.1)', () => {
  const abort = (sqid: number, cid: number): Entry => ({
    opcode: ADMIN.ABORT,
    cid: 99,
    cdw10: sqid | (cid << 16),
  });

  test('A27 a held event request completes as aborted, before the Abort', () => {
    const harness = ready();
    harness.post(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid: 7 });
    harness.post(0, abort(0, 7));
    harness.ring(0);
    const completions = harness.reapAll(0).map(({ cid, status, dw0 }) => [cid, statusName(status), dw0]);
    expect(completions).toEqual([
      [7, 'COMMAND_ABORT_REQUESTED', 0],
      [99, 'SUCCESS', 0],
    ]);
  });

  test.each([
    ['A28', 0, 1234, 'unknown command'],
    ['', 5, 0, 'unknown queue'],
    ['', 0, 99, 'itself'],
  ])('%s SQ %i CID %i is not aborted: %s', (_, sqid, cid) => {
    const completion = ready().submitAdmin(abort(sqid, cid));
    expect([completion.status, completion.dw0]).toEqual([STATUS.SUCCESS, 1]);
  });

  test('an I/O command that waits for the medium is aborted and moves no data', () => {
    const harness = ready({ timed: true });
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
    const prp1 = harness.allocate();
    harness.memory.fill(prp1, 0xee, PAGE);
    harness.post(1, { opcode: NVM.READ, cid: 3, nsid: 1, prp1, cdw12: 7 });
    harness.post(0, abort(1, 3));
    harness.ringTail(1, 1);
    harness.clock.advance(300);
    harness.ring(0);
    expect(harness.reap(0)).toMatchObject({ cid: 99, dw0: 0 });
    expect(harness.reap(1)).toMatchObject({ cid: 3, status: STATUS.COMMAND_ABORT_REQUESTED, dnr: false });
    expect(harness.bytes(prp1, PAGE).every((byte) => byte === 0xee)).toBe(true);
    expect(harness.submit(1, 1, { opcode: NVM.READ, nsid: 1, prp1, cdw12: 7 }).status).toBe(STATUS.SUCCESS);
  });
});

describe('asynchronous events (Base 2.1 §5.1.2)', () => {
  const REQUEST: Entry = { opcode: ADMIN.ASYNC_EVENT_REQUEST };
  const badDoorbell = (harness: Harness) => harness.ringTail(9, 1);

  test('A30 requests are held up to AERL + 1; one more is refused', () => {
    const harness = ready();
    for (let i = 0; i < 4; i++) harness.post(0, { ...REQUEST, cid: i });
    harness.post(0, { ...REQUEST, cid: 4 });
    harness.ring(0);
    expect(harness.reapAll(0)).toMatchObject([{ cid: 4, status: STATUS.AER_LIMIT_EXCEEDED }]);
  });

  test('D3 D1 doorbells of a queue that is not there, and values out of range, complete a request', () => {
    const harness = ready();
    harness.post(0, { ...REQUEST, cid: 1 });
    harness.ring(0);
    badDoorbell(harness);
    harness.settle();
    expect(harness.reap(0)).toMatchObject({ cid: 1, status: STATUS.SUCCESS, dw0: 0x0001_0000 });
    getLog(harness, LID.ERROR, 64);
    harness.post(0, { ...REQUEST, cid: 2 });
    harness.ring(0);
    harness.ringTail(0, 64);
    harness.settle();
    expect(harness.reap(0)).toMatchObject({ cid: 2, dw0: 0x0001_0100 });
  });

  test('D7 without a request the event waits, and the error log has it at once', () => {
    const harness = ready();
    badDoorbell(harness);
    const entry = ERROR_LOG_ENTRY.decode(getLog(harness, LID.ERROR, 64, {}, true).view, 0);
    expect(entry).toMatchObject({ ERROR_COUNT: 1n, SQID: 9, CID: 0xffff });
    expect(harness.submitAdmin(REQUEST).dw0).toBe(0x0001_0000);
  });

  test.each([
    ['kept (RAE 1)', true, 0],
    ['read (RAE 0)', false, 1],
  ])(
    'A32 a second event of the type is reported only once its log was read: %s',
    (_, isRetained, reported) => {
      const harness = ready();
      for (const cid of [1, 2]) harness.post(0, { ...REQUEST, cid });
      harness.ring(0);
      badDoorbell(harness);
      badDoorbell(harness);
      harness.ringTail(0, 64);
      harness.settle();
      expect(harness.reapAll(0)).toMatchObject([{ cid: 1 }]);
      harness.post(0, {
        opcode: ADMIN.GET_LOG_PAGE,
        cid: 50,
        prp1: harness.allocate(),
        cdw10: LID.ERROR | (isRetained ? 0x8000 : 0),
      });
      harness.ring(0);
      const events = harness.reapAll(0).filter(({ cid }) => cid !== 50);
      expect(events).toHaveLength(reported);
    },
  );

  test('A34 the temperature crosses its threshold: an event when the host wants it, and the SMART bit', () => {
    const harness = ready();
    const set = (fid: number, cdw11: number) =>
      harness.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: fid, cdw11 });
    const warning = () => getLog(harness, LID.SMART, 512).view.getUint8(0);
    expect(warning()).toBe(0);
    set(0x04, 300);
    expect(warning()).toBe(2);
    harness.post(0, { ...REQUEST, cid: 1 });
    harness.ring(0);
    expect(harness.reap(0)).toBeNull();
    set(0x04, 343);
    set(0x0b, 0x02);
    harness.controller.health.condition.temperature_K = 350;
    harness.settle();
    expect(harness.reap(0)).toMatchObject({ cid: 1, dw0: 0x0002_0101 });
  });

  test('A35 spare below its threshold', () => {
    const harness = ready();
    harness.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: 0x0b, cdw11: 0x01 });
    harness.controller.health.condition.spare_percent = 5;
    expect(harness.submitAdmin(REQUEST).dw0).toBe(0x0002_0201);
    expect(getLog(harness, LID.SMART, 512).view.getUint8(0)).toBe(1);
  });

  test('a reset forgets requests and events', () => {
    const harness = ready();
    badDoorbell(harness);
    harness.disable();
    harness.enable();
    for (let cid = 0; cid < 4; cid++) harness.post(0, { ...REQUEST, cid });
    harness.ring(0);
    expect(harness.reap(0)).toBeNull();
  });

  test('a condition that outlives a reset is reported again when the host saved its wish', () => {
    const harness = ready();
    const cdw10 = 0x8000_000b >>> 0;
    harness.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10, cdw11: 0x02 });
    harness.controller.health.condition.temperature_K = 350;
    expect(harness.submitAdmin(REQUEST).dw0).toBe(0x0002_0101);
    harness.disable();
    harness.enable();
    expect(harness.submitAdmin(REQUEST).dw0).toBe(0x0002_0101);
  });

  test('commands go on after a request is held, when everything takes time', () => {
    const harness = ready({ timed: true });
    harness.post(0, { ...REQUEST, cid: 1 });
    harness.post(0, { opcode: ADMIN.IDENTIFY, cid: 2, cdw10: CNS.CONTROLLER, prp1: harness.allocate() });
    harness.ring(0);
    expect(harness.reap(0)).toMatchObject({ cid: 2, status: STATUS.SUCCESS });
  });
});

test('a transfer of the largest size works: MDTS bytes of log page, most of them zeroes', () => {
  const harness = ready({ profile: FUNCTIONAL });
  const pages = 128;
  const buffer = harness.allocate(pages);
  const list = harness.allocate();
  for (let page = 1; page < pages; page++)
    harness.view(list).setUint32(8 * (page - 1), buffer + page * PAGE, true);
  harness.memory.fill(buffer, 0xee, pages * PAGE);
  const numd = (pages * PAGE) / 4 - 1;
  const entry = {
    opcode: ADMIN.GET_LOG_PAGE,
    prp1: buffer,
    prp2: list,
    cdw10: LID.SMART | ((numd & 0xffff) << 16),
    cdw11: numd >>> 16,
  };
  expect(harness.submitAdmin(entry).status).toBe(STATUS.SUCCESS);
  expect(harness.bytes(buffer + 512, pages * PAGE - 512).every((byte) => byte === 0)).toBe(true);
});

/** Device Self-test and Firmware: cases A36, A41, A79 and A80 (Base 2.1 §5.1.5, §5.1.8, §5.1.9, §3.11, §8.1.7). */
import { describe, expect, test } from 'vitest';
import { firmwareImage } from '../../nvme/admin/firmware-image.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { ADMIN } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER } from '../../nvme/spec/identify.ts';
import { AFI, LID, SELF_TEST_LOG, SELF_TEST_RESULT, SELF_TEST_STATUS } from '../../nvme/spec/logs.ts';
import { CSTS, REG } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { BROADCAST, deleteNamespace, getLog, identify, listen } from './admin-commands.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness, type HarnessOptions, PAGE, ready } from './harness.ts';

const MINUTE = 60e9;
const name = (harness: Harness, entry: Entry) => statusName(harness.submitAdmin(entry).status);

describe('Device Self-test', () => {
  const SHORT = 1;
  const EXTENDED = 2;
  const ABORT = 0xf;
  const selfTest = (code: number, nsid = 0): Entry => ({ opcode: ADMIN.DEVICE_SELF_TEST, nsid, cdw10: code });
  /** Sends a command and reads the page, without letting the test run to its end. */
  const now = (harness: Harness, ...entries: Entry[]) => {
    const buffer = harness.allocate();
    for (const entry of entries) harness.post(0, entry);
    harness.post(0, { opcode: ADMIN.GET_LOG_PAGE, prp1: buffer, cdw10: LID.SELF_TEST | (140 << 16) });
    harness.kick(0);
    harness.clock.advance(1_000_000);
    const statuses = entries.map(() => statusName(harness.reap(0, false)!.status));
    expect(harness.reap(0, false)!.status).toBe(STATUS.SUCCESS);
    return { statuses, ...page(harness.view(buffer)) };
  };
  const page = (view: DataView) => {
    const { OPERATION, COMPLETION } = SELF_TEST_LOG.decode(view, 0);
    const results = Array.from({ length: 20 }, (_, index) => {
      const { STATUS: status, NSID } = SELF_TEST_RESULT.decode(view, 4 + 28 * index);
      const { RESULT, CODE } = SELF_TEST_STATUS.decode(status);
      return [CODE, RESULT, NSID];
    });
    return {
      running: OPERATION,
      percent: COMPLETION,
      results: results.filter(([, result]) => result !== 0xf),
    };
  };

  test('A79 a short test: progress, 1:1D for a second one, then a result without error', () => {
    const harness = ready({ timed: true });
    const started = now(harness, selfTest(SHORT, BROADCAST), selfTest(EXTENDED));
    expect(started).toMatchObject({
      statuses: ['SUCCESS', 'SELF_TEST_IN_PROGRESS'],
      running: SHORT,
      percent: 0,
    });
    harness.clock.advance(MINUTE / 2);
    expect(now(harness)).toMatchObject({ running: SHORT, percent: 50, results: [] });
    harness.clock.advance(MINUTE);
    expect(now(harness)).toMatchObject({ running: 0, percent: 0, results: [[SHORT, 0, BROADCAST]] });
  });

  test('A79 aborted: result 1; with nothing to abort there is success and no result', () => {
    const harness = ready({ timed: true });
    expect(now(harness, selfTest(ABORT))).toMatchObject({ statuses: ['SUCCESS'], results: [] });
    const aborted = now(harness, selfTest(EXTENDED), selfTest(ABORT));
    expect(aborted).toMatchObject({ running: 0, percent: 0, results: [[EXTENDED, 1, 0]] });
  });

  test('a controller reset aborts a short test (2) and not an extended one; others abort it with their number', () => {
    const harness = ready({ timed: true });
    now(harness, selfTest(SHORT));
    harness.disable();
    harness.enable();
    expect(now(harness).results).toEqual([[SHORT, 2, 0]]);
    now(harness, selfTest(EXTENDED, BROADCAST));
    harness.write32(0x14, 0);
    harness.enable();
    expect(now(harness).results[0]).toEqual([EXTENDED, 0, BROADCAST]);
  });

  test.each<[string, Entry, number]>([
    ['Format', { opcode: ADMIN.FORMAT_NVM, nsid: 1 }, 4],
    ['deletion of the namespace', { opcode: ADMIN.NAMESPACE_MANAGEMENT, nsid: 1, cdw10: 1 }, 3],
    ['Sanitize', { opcode: ADMIN.SANITIZE, cdw10: 2 }, 9],
  ])('%s ends a test with result %#', (_, entry, result) => {
    const harness = ready({ timed: true });
    harness.post(0, selfTest(EXTENDED, 1));
    harness.post(0, entry);
    harness.ring(0);
    harness.reapAll(0);
    expect(page(getLog(harness, LID.SELF_TEST, 564).view).results).toEqual([[EXTENDED, result, 1]]);
  });

  test('a failure, and only the newest twenty results', () => {
    const harness = ready();
    for (let i = 0; i < 21; i++) harness.submitAdmin(selfTest(SHORT));
    harness.controller.admin.selfTest.failsNext = true;
    harness.submitAdmin(selfTest(SHORT));
    const { results } = page(getLog(harness, LID.SELF_TEST, 564).view);
    expect(results).toHaveLength(20);
    expect(results[0]).toEqual([SHORT, 6, 0]);
    expect(results[19]).toEqual([SHORT, 0, 0]);
  });

  test.each([
    [0, 0, 'INVALID_FIELD'],
    [3, 0, 'INVALID_FIELD'],
    [SHORT, 300, 'INVALID_NAMESPACE_OR_FORMAT'],
    [SHORT, 2, 'INVALID_FIELD'],
  ])('code %i on NSID %i is %s', (code, nsid, expected) => {
    expect(name(ready(), selfTest(code, nsid))).toBe(expected);
  });

  test('deleting another namespace leaves it alone', () => {
    const harness = ready({
      timed: true,
      namespaces: [1, 2].map((nsid) => ({ nsid, bytes: 65_536, block_bytes: 512 })),
    });
    now(harness, selfTest(EXTENDED, 1));
    deleteNamespace(harness, 2);
    expect(page(getLog(harness, LID.SELF_TEST, 564).view).results).toEqual([[EXTENDED, 0, 1]]);
  });
});

describe('Firmware', () => {
  const download = (harness: Harness, image: Uint8Array, offset = 0, bytes = image.length): string => {
    const pages = Math.ceil(bytes / PAGE);
    const prp1 = harness.allocate(pages);
    harness.bytes(prp1, bytes).set(image.subarray(offset, offset + bytes));
    const cdw10 = bytes / 4 - 1;
    return name(harness, {
      opcode: ADMIN.FIRMWARE_DOWNLOAD,
      prp1,
      prp2: prp1 + PAGE,
      cdw10,
      cdw11: offset / 4,
    });
  };
  const commit = (action: number, slot: number): Entry => ({
    opcode: ADMIN.FIRMWARE_COMMIT,
    cdw10: slot | (action << 3),
  });
  const STORE = 0;
  const STORE_AND_ACTIVATE = 1;
  const ACTIVATE = 2;
  const NOW = 3;
  const slots = (harness: Harness) => {
    const { view, buffer } = getLog(harness, LID.FIRMWARE_SLOT, 512);
    const text = (slot: number) =>
      harness
        .text(buffer + 8 * slot, 8)
        .trim()
        .replaceAll('\0', '');
    return { ...AFI.decode(view.getUint8(0)), revisions: [1, 2, 3].map(text) };
  };
  const revision = (harness: Harness) => {
    const { buffer } = identify(harness, CNS.CONTROLLER);
    return harness.text(buffer + IDENTIFY_CONTROLLER.FR, 8).trim();
  };
  const fixed = (firmware: object): HarnessOptions => ({
    profile: {
      ...FUNCTIONAL,
      admin: { ...FUNCTIONAL.admin, firmware: { ...GENERIC.admin.firmware!, ...firmware } },
    },
  });

  test('A80 pieces in any order, stored and activated at the next reset', () => {
    const harness = ready();
    const image = firmwareImage('2.0', 3 * PAGE);
    for (const piece of [2, 0, 1]) expect(download(harness, image, piece * PAGE, PAGE)).toBe('SUCCESS');
    expect(name(harness, commit(STORE_AND_ACTIVATE, 2))).toBe('SUCCESS');
    expect(slots(harness)).toEqual({ ACTIVE: 1, NEXT: 2, revisions: ['1.0', '2.0', ''] });
    expect(revision(harness)).toBe('1.0');
    harness.disable();
    harness.enable();
    expect(revision(harness)).toBe('2.0');
    expect(slots(harness)).toEqual({ ACTIVE: 2, NEXT: 0, revisions: ['1.0', '2.0', ''] });
  });

  test('A80 stored only; activated later from its slot; slot 0 leaves the choice to the drive', () => {
    const harness = ready();
    download(harness, firmwareImage('2.0'));
    expect(name(harness, commit(STORE, 0))).toBe('SUCCESS');
    expect(slots(harness)).toMatchObject({ ACTIVE: 1, NEXT: 0, revisions: ['1.0', '2.0', ''] });
    expect(name(harness, commit(ACTIVATE, 3))).toBe('INVALID_FIRMWARE_IMAGE');
    expect(name(harness, commit(ACTIVATE, 2))).toBe('SUCCESS');
    harness.disable();
    harness.enable();
    expect(revision(harness)).toBe('2.0');
  });

  test('A36 A80 activated at once: notice 2/1 with log 03h, and Identify follows', () => {
    const harness = ready();
    download(harness, firmwareImage('3.1'));
    listen(harness, 77);
    harness.reapAll(0);
    harness.post(0, { ...commit(NOW, 3), cid: 5 });
    harness.ring(0);
    const done = harness.reapAll(0);
    expect(done.find(({ cid }) => cid === 77)?.dw0).toBe(0x0003_0102);
    expect(done.find(({ cid }) => cid === 5)?.status).toBe(STATUS.SUCCESS);
    expect(revision(harness)).toBe('3.1');
  });

  describe('activated after a pause', () => {
    const NOT_PAUSED = 1;
    const PAUSED = CSTS.encode({ RDY: 1, PP: 1 });
    /** A commit is under way: a request for events was answered, and the controller pauses. */
    const pausing = () => {
      const harness = ready({ timed: true });
      download(harness, firmwareImage('3.1'));
      listen(harness, 77);
      harness.post(0, { ...commit(NOW, 3), cid: 5 });
      harness.post(0, { opcode: ADMIN.GET_FEATURES, cdw10: FID.ARBITRATION, cid: 6 });
      harness.kick(0);
      for (let step = 0; step < 100 && harness.read32(REG.CSTS) !== PAUSED; step++) harness.clock.step();
      harness.clock.advance(100_000_000);
      return harness;
    };

    test('A80 CSTS.PP is 1, no command is taken, and both complete in turn when MTFA is over', () => {
      const harness = pausing();
      const { view } = identify(ready({ timed: true }), CNS.CONTROLLER);
      expect(IDENTIFY_CONTROLLER.get(view, 0, 'MTFA')).toBe(3);
      expect(harness.reap(0, false)).toMatchObject({ cid: 77, dw0: 0x0003_0102 });
      expect(harness.reap(0, false)).toBeNull();
      expect(harness.read32(REG.CSTS)).toBe(PAUSED);
      harness.clock.advance(250_000_000);
      expect(harness.read32(REG.CSTS)).toBe(NOT_PAUSED);
      expect(harness.reapAll(0).map(({ cid, status }) => [cid, status])).toEqual([
        [5, STATUS.SUCCESS],
        [6, STATUS.SUCCESS],
      ]);
      expect([revision(harness), slots(harness).ACTIVE]).toEqual(['3.1', 3]);
    });

    test('A80 a reset in the pause ends it, and the image is active after it', () => {
      const harness = pausing();
      harness.disable();
      expect(harness.read32(REG.CSTS)).toBe(0);
      harness.enable();
      expect([revision(harness), slots(harness).ACTIVE]).toEqual(['3.1', 3]);
    });
  });

  test('A80 a drive that activates at resets only commits and says 1:11', () => {
    const harness = ready(fixed({ activatesNow: false }));
    download(harness, firmwareImage('3.1'));
    expect(name(harness, commit(NOW, 3))).toBe('FIRMWARE_NEEDS_CONTROLLER_RESET');
    expect(slots(harness)).toMatchObject({ ACTIVE: 1, NEXT: 3 });
    expect(name(harness, { opcode: ADMIN.SANITIZE, cdw10: 2 })).toBe('FIRMWARE_NEEDS_CONTROLLER_RESET');
  });

  test.each<[string, number, number, string]>([
    ['a slot beyond the last', STORE, 4, 'INVALID_FIRMWARE_SLOT'],
    ['the read-only slot', STORE, 1, 'INVALID_FIRMWARE_SLOT'],
    ['a reserved action', 4, 2, 'INVALID_FIELD'],
    ['a boot partition', 6, 2, 'INVALID_FIELD'],
  ])('A80 commit to %s (action %i, slot %i) is %s', (_, action, slot, expected) => {
    const harness = ready();
    download(harness, firmwareImage('2.0'));
    expect(name(harness, commit(action, slot))).toBe(expected);
  });

  test('A80 no image, a broken one, an incomplete one, one that a reset took away: 1:07', () => {
    const harness = ready();
    expect(name(harness, commit(STORE, 2))).toBe('INVALID_FIRMWARE_IMAGE');
    const broken = firmwareImage('2.0', 2 * PAGE);
    broken[PAGE + 5] = 1;
    download(harness, broken);
    expect(name(harness, commit(STORE, 2))).toBe('INVALID_FIRMWARE_IMAGE');
    download(harness, firmwareImage('2.0', 2 * PAGE), 0, PAGE);
    expect(name(harness, commit(STORE, 2))).toBe('INVALID_FIRMWARE_IMAGE');
    download(harness, firmwareImage('2.0'));
    harness.disable();
    harness.enable();
    expect(name(harness, commit(STORE, 2))).toBe('INVALID_FIRMWARE_IMAGE');
    expect(slots(harness).revisions).toEqual(['1.0', '', '']);
  });

  test('A80 download: overlap 1:14, granularity, size', () => {
    const harness = ready();
    const image = firmwareImage('2.0', 2 * PAGE);
    expect(download(harness, image)).toBe('SUCCESS');
    expect(download(harness, image, PAGE, PAGE)).toBe('OVERLAPPING_RANGE');
    const piece = { opcode: ADMIN.FIRMWARE_DOWNLOAD, prp1: harness.allocate() };
    expect(name(harness, { ...piece, cdw10: 511 })).toBe('INVALID_FIELD');
    expect(name(harness, { ...piece, cdw10: 1023, cdw11: 512 })).toBe('INVALID_FIELD');
    expect(name(harness, { ...piece, cdw10: 1023, cdw11: 1024 ** 2 / 4 })).toBe('INVALID_FIELD');
  });
});

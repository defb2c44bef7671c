/** Format NVM and Sanitize: cases A71 to A78 (Base 2.1 §5.1.10, §5.1.22, §8.1.24). */
import { describe, expect, test } from 'vitest';
import { GENERIC } from '../../nvme/profile.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import { LID, SANITIZE_LOG, SANITIZE_STATUS, SSI, SSTAT } from '../../nvme/spec/logs.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { BROADCAST, createNamespace, getLog, identify, listen, setFeature } from './admin-commands.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness } from './harness.ts';
import { ioRig } from './io-rig.ts';

const MIB = 1024 ** 2;
const SECOND = 1e9;
const NAMESPACES = [
  { nsid: 1, bytes: MIB, block_bytes: 512 },
  { nsid: 2, bytes: MIB, block_bytes: 512 },
];
const format = (cdw10: number, nsid = 1): Entry => ({ opcode: ADMIN.FORMAT_NVM, nsid, cdw10 });
const sanitize = (cdw10: number, cdw11 = 0): Entry => ({ opcode: ADMIN.SANITIZE, cdw10, cdw11 });
const name = (harness: Harness, entry: Entry) => statusName(harness.submitAdmin(entry).status);
const sizeOf = (harness: Harness, nsid: number) => {
  const { NSZE, FLBAS } = IDENTIFY_NAMESPACE.decode(identify(harness, CNS.NAMESPACE, { nsid }).view, 0);
  return [Number(NSZE), FLBAS];
};

describe('Format NVM', () => {
  test('A71 another block size: NSZE follows, data are gone, the other namespace stays', () => {
    const rig = ioRig({ namespaces: NAMESPACES });
    rig.write(0, 8, 1);
    rig.write(0, 8, 2, { nsid: 2 });
    expect(name(rig, format(1))).toBe('SUCCESS');
    expect([sizeOf(rig, 1), sizeOf(rig, 2)]).toEqual([
      [256, 1],
      [2048, 0],
    ]);
    expect(rig.read(0, 8, { nsid: 2 })).toEqual([2]);
    expect(rig.read(256, 1, { cdw12: 0 })).toBe('LBA_OUT_OF_RANGE');
    expect(name(rig, format(0))).toBe('SUCCESS');
    expect(rig.read(0, 8)).toEqual([0]);
  });

  test('A71 the namespace is in the changed list, and its notice comes', () => {
    const rig = ioRig({ namespaces: NAMESPACES });
    listen(rig, 77);
    rig.post(0, format(1));
    rig.ring(0);
    expect(rig.reapAll(0).find(({ cid }) => cid === 77)?.dw0).toBe(0x0004_0002);
    expect(getLog(rig, LID.CHANGED_NAMESPACES, 8).view.getUint32(0, true)).toBe(1);
  });

  test.each<[string, Entry, string, string]>([
    ['A72', format(8), 'INVALID_FORMAT', 'LBAF beyond NLBAF'],
    ['A72', format(1 << 12), 'INVALID_FORMAT', 'LBAFU'],
    ['A73', format(1 << 5), 'INVALID_FORMAT', 'PI without metadata'],
    ['A73', format(4 << 5), 'INVALID_FIELD', 'PI 4'],
    ['A76', format(3 << 9), 'INVALID_FIELD', 'SES reserved'],
    ['', format(0, 3), 'INVALID_FIELD', 'inactive'],
    ['', format(0, 0), 'INVALID_NAMESPACE_OR_FORMAT', 'NSID 0'],
    ['', format(0, 300), 'INVALID_NAMESPACE_OR_FORMAT', 'NSID beyond NN'],
  ])('%s %o is %s: %s', (_, entry, expected) => {
    const rig = ioRig({ namespaces: NAMESPACES });
    rig.write(0, 1, 5);
    expect(name(rig, entry)).toBe(expected);
    expect(rig.read(0)).toEqual([5]);
  });

  test('A75 FFFFFFFFh formats every attached namespace (FNA bits 0 and 3 are 0)', () => {
    const rig = ioRig({ namespaces: NAMESPACES });
    for (const nsid of [1, 2]) rig.write(0, 1, nsid, { nsid });
    expect(name(rig, format(1 << 9, BROADCAST))).toBe('SUCCESS');
    expect([rig.read(0), rig.read(0, 1, { nsid: 2 })]).toEqual([[0], [0]]);
  });

  test('A76 a cryptographic erase needs FNA bit 2', () => {
    const admin = { ...FUNCTIONAL.admin, sanitize: ['block'] as const };
    expect(name(ioRig({ profile: { ...FUNCTIONAL, admin } }), format(2 << 9))).toBe('INVALID_FIELD');
    const rig = ioRig();
    rig.write(0, 1, 5);
    expect(name(rig, format(2 << 9))).toBe('SUCCESS');
    expect(rig.read(0)).toEqual([0]);
  });

  test('a write-protected namespace is not formatted', () => {
    const rig = ioRig({ namespaces: [{ ...NAMESPACES[0]!, readOnly: true }] });
    expect(name(rig, format(0))).toBe('NAMESPACE_WRITE_PROTECTED');
  });

  test('A74 while it runs I/O and a second Format are refused; the command completes at its end', () => {
    const rig = ioRig({ timed: true, namespaces: NAMESPACES });
    const cid = rig.post(0, format(1));
    rig.kick(0);
    rig.clock.advance(0.1 * SECOND);
    rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: rig.allocate(), cid: 9 });
    rig.post(1, { opcode: NVM.READ, nsid: 2, prp1: rig.allocate(), cid: 10 });
    rig.kick(1);
    rig.clock.advance(0.1 * SECOND);
    expect(rig.reap(1, false)).toMatchObject({ cid: 9, status: STATUS.FORMAT_IN_PROGRESS, dnr: false });
    expect(rig.reap(1, false)).toMatchObject({ cid: 10, status: STATUS.SUCCESS });
    rig.post(0, format(0));
    rig.kick(0);
    rig.clock.advance(0.1 * SECOND);
    expect(rig.reap(0, false)).toMatchObject({ status: STATUS.FORMAT_IN_PROGRESS });
    rig.clock.advance(2 * SECOND);
    expect(rig.reap(0, false)).toMatchObject({ cid, status: STATUS.SUCCESS });
    expect(sizeOf(rig, 1)).toEqual([256, 1]);
  });

  test('a reset takes the command away, not the operation', () => {
    const rig = ioRig({ timed: true, namespaces: NAMESPACES });
    rig.post(0, format(1));
    rig.kick(0);
    rig.clock.advance(0.1 * SECOND);
    rig.disable();
    rig.start();
    expect(sizeOf(rig, 1)).toEqual([256, 1]);
    expect(rig.reap(0)).toBeNull();
  });
});

describe('Sanitize', () => {
  const BLOCK_ERASE = 2;
  const OVERWRITE = 3;
  const CRYPTO_ERASE = 4;
  const AUSE = 8;
  const log = (harness: Harness) => {
    const { view } = getLog(harness, LID.SANITIZE_STATUS, 512);
    const { SPROG, SSTAT: sstat, SCDW10, SSI: state } = SANITIZE_LOG.decode(view, 0);
    return { SPROG, ...SSTAT.decode(sstat), SCDW10, SSI: state };
  };

  test('A77 before the first: never, idle', () => {
    expect(log(ioRig())).toMatchObject({
      SPROG: 0xffff,
      STATUS: SANITIZE_STATUS.NEVER,
      GDE: 0,
      SSI: SSI.IDLE,
    });
  });

  test.each([
    ['block erase', BLOCK_ERASE],
    ['overwrite', OVERWRITE | (1 << 4)],
    ['crypto erase', CRYPTO_ERASE],
  ])('A77 %s: data gone, log 81h says so, event 6/1, and a write ends GDE', (_, action) => {
    const rig = ioRig({ namespaces: NAMESPACES });
    for (const nsid of [1, 2]) rig.write(0, 4, 9, { nsid });
    listen(rig, 77);
    rig.post(0, sanitize(action));
    rig.ring(0);
    expect(rig.reapAll(0).find(({ cid }) => cid === 77)?.dw0).toBe(0x0081_0106);
    expect(log(rig)).toMatchObject({
      SPROG: 0xffff,
      STATUS: SANITIZE_STATUS.SUCCESS,
      GDE: 1,
      SCDW10: action,
    });
    expect([rig.read(0, 4), rig.read(0, 4, { nsid: 2 })]).toEqual([[0], [0]]);
    rig.write(0, 1, 1);
    expect(log(rig).GDE).toBe(0);
  });

  test('A77 while it runs: progress, I/O 0:1D, the commands of §8.1.24.4 only, through a reset', () => {
    const rig = ioRig({ timed: true });
    const advance = (seconds: number) => rig.clock.advance(seconds * SECOND);
    rig.post(0, sanitize(BLOCK_ERASE | AUSE));
    rig.kick(0);
    advance(2.5);
    expect(rig.reap(0, false)).toMatchObject({ status: STATUS.SUCCESS });
    const commands: [Entry, string][] = [
      [sanitize(BLOCK_ERASE), 'SANITIZE_IN_PROGRESS'],
      [format(0), 'SANITIZE_IN_PROGRESS'],
      [
        { opcode: ADMIN.GET_LOG_PAGE, prp1: rig.allocate(), cdw10: LID.FIRMWARE_SLOT },
        'SANITIZE_IN_PROGRESS',
      ],
      [{ opcode: ADMIN.GET_LOG_PAGE, prp1: rig.allocate(), cdw10: LID.SMART }, 'SUCCESS'],
      [{ opcode: ADMIN.IDENTIFY, prp1: rig.allocate(), cdw10: CNS.CONTROLLER }, 'SUCCESS'],
      [{ opcode: ADMIN.GET_FEATURES, cdw10: FID.ARBITRATION }, 'SUCCESS'],
    ];
    const buffer = rig.allocate();
    rig.post(0, { opcode: ADMIN.GET_LOG_PAGE, prp1: buffer, cdw10: LID.SANITIZE_STATUS | (127 << 16) });
    for (const [entry] of commands) rig.post(0, entry);
    rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: rig.allocate() });
    rig.kick(0);
    rig.kick(1);
    advance(0.001);
    expect(SANITIZE_LOG.get(rig.view(buffer), 0, 'SPROG')).toBe(16_384);
    expect(SANITIZE_LOG.get(rig.view(buffer), 0, 'SSI')).toBe(SSI.UNRESTRICTED);
    rig.reap(0, false);
    for (const [entry, expected] of commands)
      expect(statusName(rig.reap(0, false)!.status), JSON.stringify(entry)).toBe(expected);
    expect(rig.reap(1, false)).toMatchObject({ status: STATUS.SANITIZE_IN_PROGRESS, dnr: false });
    rig.disable();
    rig.start();
    expect(log(rig)).toMatchObject({ STATUS: SANITIZE_STATUS.SUCCESS });
  });

  test.each([
    ['unrestricted', AUSE, 'SUCCESS'],
    ['restricted', 0, 'SANITIZE_FAILED'],
  ])('A78 a failure, %s: 0:1C until it is left', (_, ause, exit) => {
    const rig = ioRig();
    rig.controller.admin.sanitize.failsNext = true;
    expect(name(rig, sanitize(BLOCK_ERASE | ause))).toBe('SUCCESS');
    expect(log(rig).STATUS).toBe(SANITIZE_STATUS.FAILED);
    expect(rig.read(0)).toBe('SANITIZE_FAILED');
    expect(name(rig, format(0))).toBe('SANITIZE_FAILED');
    expect(name(rig, sanitize(1))).toBe(exit);
    if (exit !== 'SUCCESS') {
      expect(name(rig, sanitize(BLOCK_ERASE | AUSE))).toBe('SANITIZE_FAILED');
      expect(name(rig, sanitize(BLOCK_ERASE))).toBe('SUCCESS');
    }
    expect(rig.read(0)).toEqual([0]);
  });

  test.each<[string, number, string]>([
    ['reserved action', 6, 'INVALID_FIELD'],
    ['no action', 0, 'INVALID_FIELD'],
    ['exit media verification', 5, 'INVALID_FIELD'],
    ['media verification after it (EMVS)', 2 | (1 << 10), 'INVALID_FIELD'],
  ])('%s (CDW10 %i) is %s', (_, cdw10, expected) => {
    expect(name(ioRig(), sanitize(cdw10))).toBe(expected);
  });

  test('No-Deallocate: an error in NODRM 0, a warning (status 4, event 6/2) in NODRM 1', () => {
    const NDAS = 1 << 9;
    const rig = ioRig();
    listen(rig, 77);
    rig.reapAll(0);
    rig.post(0, sanitize(BLOCK_ERASE | NDAS));
    rig.ring(0);
    expect(rig.reapAll(0).find(({ cid }) => cid === 77)?.dw0).toBe(0x0081_0206);
    expect(log(rig).STATUS).toBe(SANITIZE_STATUS.SUCCESS_DEALLOCATED);
    setFeature(rig, FID.SANITIZE_CONFIG, 0);
    expect(name(rig, sanitize(BLOCK_ERASE | NDAS))).toBe('INVALID_FIELD');
  });

  test('a method the drive lacks', () => {
    const admin = { ...GENERIC.admin, sanitize: ['block'] as const };
    const rig = ioRig({ profile: { ...FUNCTIONAL, admin } });
    expect(name(rig, sanitize(CRYPTO_ERASE))).toBe('INVALID_FIELD');
    expect(name(rig, sanitize(BLOCK_ERASE))).toBe('SUCCESS');
  });

  test('created namespaces that are not attached are emptied too', () => {
    const rig = ioRig({ namespaces: [NAMESPACES[0]!], capacity_bytes: 4 * MIB });
    createNamespace(rig, 1024);
    const { store } = rig.controller.namespaces.allocated(2)!;
    rig.memory.fill(store.stage(0, 512), 7, 512);
    rig.submitAdmin(sanitize(BLOCK_ERASE));
    expect(rig.memory.u8[store.load(0, 512)]).toBe(0);
  });
});

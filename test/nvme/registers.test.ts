/**
 * Registers and configuration space, enabling in all its ways, and resets while commands are in flight: the rest of
 * groups R, I and T (Base 2.1 §3.1.4, §3.5 to §3.7; admin-lifecycle.test.ts has the others).
 */
import { describe, expect, test } from 'vitest';
import { COMMAND, CONFIG, PM, PM_CONTROL, POWER_STATE } from '../../machine/pcie/spec.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CNS } from '../../nvme/spec/identify.ts';
import { CAP_HI, CC, CRTO, CSTS, NSSR_MAGIC, REG, SHN, SHST } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { CC_NORMAL, FUNCTIONAL, Harness, type HarnessOptions, PAGE, ready } from './harness.ts';
import { IoRig, ioRig, lossyRig } from './io-rig.ts';

const BAR = 0xfe80_0000;
const PM_AT = 0x60;
const READY = CSTS.encode({ RDY: 1 });
const FAILED = CSTS.encode({ CFS: 1 });
const identify = (harness: Harness): Entry => ({
  opcode: ADMIN.IDENTIFY,
  cdw10: CNS.CONTROLLER,
  prp1: harness.allocate(),
});
const flr = (harness: Harness) => harness.configWrite(0x88, 2, 0x8000);
const powerState = (harness: Harness, state: number) =>
  harness.configWrite(PM_AT + PM.CONTROL, 2, PM_CONTROL.encode({ POWER_STATE: state, NO_SOFT_RESET: 1 }));

describe('registers', () => {
  test('R2 CAP as two dwords is CAP as one qword: low half first, and either half alone', () => {
    const harness = new Harness();
    const [low, high] = [harness.read32(REG.CAP), harness.read32(REG.CAP_HI)];
    expect([harness.read32(REG.CAP_HI), harness.read32(REG.CAP)]).toEqual([high, low]);
    expect(CAP_HI.MPSMIN.get(high)).toBeLessThanOrEqual(CAP_HI.MPSMAX.get(high));
  });

  test('R5 R26 what is not there reads 0: reserved offsets, boot partitions, the persistent memory region', () => {
    const harness = ready();
    const { BPINFO, BPRSEL, BPMBL, NSSD, PMRCAP, PMRCTL, PMRSTS } = REG;
    for (const offset of [
      0x18,
      0x6c,
      0x100,
      0xdfc,
      0xffc,
      BPINFO,
      BPRSEL,
      BPMBL,
      NSSD,
      PMRCAP,
      PMRCTL,
      PMRSTS,
    ]) {
      harness.write32(offset, 0xffff_ffff);
      expect(harness.read32(offset)).toBe(0);
    }
    const { BPS, PMRS, NSSS } = CAP_HI.decode(harness.read32(REG.CAP_HI));
    expect([BPS, PMRS, NSSS]).toEqual([0, 0, 0]);
  });

  test('as QEMU: parts fill the rest with zeroes, reserved bits stay, resets leave the queues', () => {
    const harness = new Harness({ profile: { ...QEMU, timing: null } });
    harness.write32(REG.AQA, 0xffff_ffff);
    harness.rc.writePart(BAR + REG.AQA + 2, 2, 0x1f);
    expect(harness.read32(REG.AQA)).toBe(0xffff_ffff);
    harness.rc.writePart(BAR + REG.AQA, 2, 0x1f);
    harness.write32(REG.ASQ, 0x1234_5678);
    harness.rc.writePart(BAR + REG.ASQ, 1, 0xaa);
    flr(harness);
    harness.configure();
    expect([harness.read32(REG.AQA), harness.read32(REG.ASQ)]).toEqual([0x1f, 0x1234_00aa]);
  });

  test('R6 parts of a register are merged and told; a strict profile ignores the write', () => {
    for (const strict of [false, true]) {
      const harness = new Harness({ profile: { ...FUNCTIONAL, strict } });
      harness.rc.writePart(BAR + REG.AQA + 2, 2, 0x1f);
      expect(harness.read32(REG.AQA)).toBe(strict ? 0 : 0x1f_0000);
      expect(harness.rc.readPart(BAR + REG.VS + 2, 1)).toBe(2);
      expect(harness.controller.health.rejections).toHaveLength(2);
      expect(harness.controller.health.rejections[0]).toContain('write of 2 byte(s) at offset 0x26');
    }
  });

  test('R7 a dword at an odd address is ignored', () => {
    const harness = new Harness();
    harness.write32(REG.AQA + 2, 0x001f_001f);
    expect(harness.read32(REG.AQA)).toBe(0);
    expect(harness.controller.health.rejections.at(-1)).toContain('offset 0x26');
  });

  test('R14 NSSR resets the subsystem: NSSRO, which writing 1 clears; registers as after power on', () => {
    const harness = ready();
    const { COMMAND: command } = CONFIG;
    harness.write32(REG.NSSR, NSSR_MAGIC);
    expect(harness.read32(REG.CSTS)).toBe(CSTS.encode({ NSSRO: 1 }));
    expect([REG.CC, REG.AQA, REG.ASQ, REG.NSSR].map((offset) => harness.read32(offset))).toEqual([
      0, 0, 0, 0,
    ]);
    expect(COMMAND.BUS_MASTER.get(harness.configRead(command, 2))).toBe(1);
    expect(harness.enable()).toBe(CSTS.encode({ RDY: 1, NSSRO: 1 }));
    harness.write32(REG.CSTS, 0);
    expect(CSTS.NSSRO.get(harness.read32(REG.CSTS))).toBe(1);
    harness.write32(REG.CSTS, CSTS.NSSRO.mask);
    expect(harness.read32(REG.CSTS)).toBe(READY);
  });

  test('R15 R16 another value, or a drive without it: nothing', () => {
    const harness = ready();
    harness.write32(REG.NSSR, NSSR_MAGIC + 1);
    expect(harness.read32(REG.CSTS)).toBe(READY);
    const without = ready({ profile: { ...FUNCTIONAL, subsystemReset: false } });
    without.write32(REG.NSSR, NSSR_MAGIC);
    expect([without.read32(REG.CSTS), CAP_HI.NSSRS.get(without.read32(REG.CAP_HI))]).toEqual([READY, 0]);
  });

  test('R18 R19 the class of an NVMe controller; BAR0 is 64-bit, not prefetchable, as large as its mask says', () => {
    const harness = new Harness();
    expect(harness.configRead(CONFIG.REVISION, 4) >>> 8).toBe(0x01_0802);
    harness.configWrite(CONFIG.BAR0, 4, 0xffff_ffff);
    harness.configWrite(CONFIG.BAR0 + 4, 4, 0xffff_ffff);
    expect(harness.configRead(CONFIG.BAR0, 4)).toBe((-FUNCTIONAL.bar_bytes | 4) >>> 0);
    expect(harness.configRead(CONFIG.BAR0 + 4, 4)).toBe(0xffff_ffff);
  });

  test('R23 in D3hot the BAR is dead; back in D0 the controller is as it was (No_Soft_Reset)', () => {
    const harness = ready();
    powerState(harness, POWER_STATE.D3HOT);
    expect(harness.read32(REG.CSTS)).toBe(0xffff_ffff);
    powerState(harness, POWER_STATE.D0);
    expect(harness.read32(REG.CSTS)).toBe(READY);
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('CRTO: both ready times in the units of CAP.TO, and none before version 2.0', () => {
    expect(CRTO.decode(new Harness().read32(REG.CRTO))).toEqual({ CRWMT: 15, CRIMT: 15 });
    const old = { ...FUNCTIONAL, version: 0x1_0400, readyModes: 0 };
    const harness = new Harness({ profile: old });
    expect([harness.read32(REG.CRTO), CAP_HI.CRMS.get(harness.read32(REG.CAP_HI))]).toEqual([0, 0]);
  });
});

describe('enabling', () => {
  test.each([
    ['I4', 0x1000, 'I4 a page of 8 KiB: ASQ at 4 KiB is not aligned to it', 1, FAILED],
    ['I9', 0x2000, 'at 8 KiB it is', 1, READY],
    ['I9', 0x8000, 'with pages of 64 KiB 32 KiB is not enough', 4, FAILED],
    ['I9', 0x1_0000, 'and 64 KiB is', 4, READY],
  ])('%s admin queues at %i: %s', (_, base, __, MPS, expected) => {
    const harness = new Harness();
    harness.write32(REG.AQA, 0x0003_0003);
    harness.write32(REG.ASQ, 0x40_0000 + base);
    harness.write32(REG.ACQ, 0x60_0000);
    harness.write32(REG.CC, CC.MPS.set(CC_NORMAL, MPS));
    expect(harness.read32(REG.CSTS)).toBe(expected);
  });

  test.each([[1], [2], [3], [4]])('pages of 4096 << %i bytes: admin data and I/O', (MPS) => {
    const page = PAGE << MPS;
    const harness = new Harness();
    expect(harness.enable({ cc: CC.MPS.set(CC_NORMAL, MPS) })).toBe(READY);
    const queue = () => harness.pages.allocate(page / PAGE, page / PAGE);
    harness.createCq(1, 16, { base: queue() });
    harness.createSq(1, 16, 1, queue());
    const data = queue();
    harness.memory.fill(data, 0x5a, page);
    const rw = { nsid: 1, prp1: data + 512, cdw12: page / 512 - 2 };
    expect(harness.submit(1, 1, { opcode: NVM.WRITE, ...rw }).status).toBe(STATUS.SUCCESS);
    harness.memory.fill(data, 0, page);
    expect(harness.submit(1, 1, { opcode: NVM.READ, ...rw }).status).toBe(STATUS.SUCCESS);
    expect([harness.bytes(data, page).indexOf(0x5a), harness.bytes(data, page).lastIndexOf(0x5a)]).toEqual([
      512,
      page - 1,
    ]);
    const second = { opcode: NVM.READ, nsid: 1, prp1: data + 512, prp2: data + PAGE, cdw12: page / 512 - 1 };
    expect(statusName(harness.submit(1, 1, second).status)).toBe('PRP_OFFSET_INVALID');
  });

  test('I7 I8 entry sizes that no queue has are refused when the controller is enabled, smaller ones with the queue', () => {
    for (const sizes of [{ IOSQES: 7 }, { IOCQES: 5 }]) {
      const harness = new Harness();
      expect(harness.enable({ cc: CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4, ...sizes }) })).toBe(FAILED);
    }
    const harness = new Harness();
    expect(harness.enable({ cc: CC.encode({ EN: 1, IOSQES: 6 }) })).toBe(READY);
    expect(statusName(harness.createCq(1, 4).status)).toBe('INVALID_QUEUE_SIZE');
  });

  test('I12 EN goes to 0 and to 1 again at once, and twice before it is ready', () => {
    const harness = ready({ timed: true });
    harness.write32(REG.CC, 0);
    harness.write32(REG.CC, CC_NORMAL);
    harness.write32(REG.CC, 0);
    expect(harness.read32(REG.CSTS)).toBe(0);
    expect(harness.enable()).toBe(READY);
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('I23 with CC.CSS 111b there are no I/O queues: their commands do not exist, admin commands do', () => {
    const harness = new Harness();
    expect(harness.enable({ cc: CC.CSS.set(CC_NORMAL, 7) })).toBe(READY);
    expect(statusName(harness.createCq(1, 4).status)).toBe('INVALID_OPCODE');
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('I24 with CC.CRIME the controller is ready before the medium: I/O 0:82, admin commands on media 0:24', () => {
    const harness = new Harness({ timed: true });
    harness.enable();
    harness.disable();
    const { ready_ns, mediaReady_ns } = harness.controller.profile.timing!;
    harness.write32(REG.CC, CC.CRIME.set(CC_NORMAL, 1));
    harness.clock.advance(ready_ns + 5000);
    expect(harness.read32(REG.CSTS)).toBe(READY);
    harness.restart();
    const now = (sqid: number, cqid: number, entry: Entry) => {
      harness.post(sqid, entry);
      harness.kick(sqid);
      harness.clock.advance(20_000);
      return statusName(harness.reap(cqid, false)!.status);
    };
    const queue = { prp1: harness.allocate(), cdw10: 1 | (7 << 16) };
    expect(now(0, 0, { opcode: ADMIN.CREATE_CQ, ...queue, cdw11: 1 })).toBe('SUCCESS');
    expect(now(0, 0, { opcode: ADMIN.FORMAT_NVM, nsid: 1 })).toBe('ADMIN_MEDIA_NOT_READY');
    expect(now(0, 0, identify(harness))).toBe('SUCCESS');
    harness.clock.advance(mediaReady_ns);
    expect(
      now(0, 0, {
        opcode: ADMIN.GET_LBA_STATUS,
        nsid: 1,
        prp1: harness.allocate(),
        cdw12: 9,
        cdw13: 0x1000_0000,
      }),
    ).toBe('SUCCESS');
  });
});

describe('shutdown', () => {
  test('I14 I15 SHST goes through in progress; cached writes are durable at its end and not before', () => {
    for (const isWaited of [false, true]) {
      const rig = new IoRig({ timed: true, profile: lossyTimed() });
      rig.write(0, 1, 7);
      rig.write32(REG.CC, CC.SHN.set(CC_NORMAL, SHN.NORMAL));
      expect(CSTS.SHST.get(rig.read32(REG.CSTS))).toBe(SHST.IN_PROGRESS);
      if (isWaited) rig.settle();
      expect(CSTS.SHST.get(rig.read32(REG.CSTS))).toBe(isWaited ? SHST.COMPLETE : SHST.IN_PROGRESS);
      const before = rig.controller.health.unsafeShutdowns;
      rig.powerCycle();
      expect([rig.controller.health.unsafeShutdowns - before, rig.read(0)]).toEqual(
        isWaited ? [0, [7]] : [1, [0]],
      );
    }
  });

  test('a reset while it is in progress ends it', () => {
    const harness = ready({ timed: true });
    harness.write32(REG.CC, CC.SHN.set(CC_NORMAL, SHN.NORMAL));
    harness.write32(REG.CC, 0);
    expect(harness.enable()).toBe(READY);
  });

  test('I19 SHN while EN is 0 completes too', () => {
    const harness = new Harness();
    harness.write32(REG.CC, CC.encode({ SHN: SHN.NORMAL }));
    expect(CSTS.SHST.get(harness.read32(REG.CSTS))).toBe(SHST.COMPLETE);
    harness.write32(REG.CC, 0);
    expect(harness.enable()).toBe(READY);
  });
});

describe('resets with commands in flight', () => {
  const DEPTH = 64;

  /** A timed controller with 64 reads on their way, `after_ns` after the doorbell. */
  function busy(after_ns: number, options: HarnessOptions = {}): { rig: IoRig; buffer: number } {
    const rig = new IoRig({ timed: true, ...options });
    const buffer = rig.filled(DEPTH * PAGE, 0xee);
    for (let i = 0; i < DEPTH - 1; i++) {
      rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: buffer + i * PAGE, cdw10: 8 * i, cdw12: 7 });
    }
    rig.kick(1);
    rig.clock.advance(after_ns);
    return { rig, buffer };
  }

  /** Nothing more is written after the reset, and the controller can be used again. */
  function expectQuiet(rig: IoRig, buffer: number): void {
    const data = rig.bytes(buffer, DEPTH * PAGE).slice();
    const done = rig.reapAll(1).length;
    rig.settle();
    expect(rig.bytes(buffer, DEPTH * PAGE).every((byte, at) => byte === data[at])).toBe(true);
    expect(done).toBeLessThan(DEPTH - 1);
    expect(rig.reapAll(1)).toEqual([]);
    rig.configure();
    rig.start();
    expect(rig.read(0)).toEqual([0]);
  }

  test.each([
    ['T14 a function level reset', flr],
    ['T15 a conventional reset', (rig: Harness) => rig.controller.reset()],
    ['R14 a subsystem reset', (rig: Harness) => rig.write32(REG.NSSR, NSSR_MAGIC)],
    ['T13 a controller reset', (rig: Harness) => rig.write32(REG.CC, 0)],
  ])('%s, at many moments', (_, reset) => {
    for (const after_ns of [100, 800, 3000, 9000]) {
      const { rig, buffer } = busy(after_ns);
      reset(rig);
      expectQuiet(rig, buffer);
    }
  });

  test('T13 a hundred resets under load', () => {
    const { rig } = busy(2000);
    for (let round = 0; round < 100; round++) {
      if (round % 2 === 0) rig.write32(REG.CC, 0);
      else {
        flr(rig);
        rig.configure();
      }
      rig.start();
      for (let i = 0; i < 32; i++) rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: 0x30_0000, cdw12: 7 });
      rig.kick(1);
      rig.clock.advance(round * 70);
    }
    rig.settle();
    expect(rig.reapAll(1)).toHaveLength(32);
  });

  test('T1 a submission queue that DMA cannot reach is fatal and named', () => {
    const { rig } = busy(50_000);
    rig.reapAll(1);
    const queue = rig.allocate();
    rig.createSq(2, 16, 1, queue);
    rig.blocked.add(queue / PAGE);
    rig.post(2, { opcode: NVM.FLUSH, nsid: 1 });
    rig.ring(2);
    expect(rig.read32(REG.CSTS)).toBe(CSTS.encode({ RDY: 1, CFS: 1 }));
    expect(rig.controller.health.rejections.at(-1)).toContain('submission queue 2 cannot be read');
  });

  test('T2 a completion queue that DMA cannot reach is fatal; blocks written before stay written', () => {
    const rig = ioRig();
    const queue = rig.allocate();
    rig.createCq(2, 16, { base: queue });
    rig.createSq(2, 16, 2);
    rig.blocked.add(queue / PAGE);
    rig.post(2, { opcode: NVM.WRITE, nsid: 1, prp1: rig.filled(512, 3), cdw12: 0 });
    rig.ring(2);
    expect(CSTS.CFS.get(rig.read32(REG.CSTS))).toBe(1);
    rig.disable();
    rig.blocked.clear();
    rig.start();
    expect(rig.read(0)).toEqual([3]);
  });

  test('T3 a data page that goes away under a command: 0:04, and no write to it afterwards', () => {
    const { rig, buffer } = busy(500);
    for (let page = 0; page < DEPTH; page++) rig.blocked.add(buffer / PAGE + page);
    rig.settle();
    const statuses = rig.reapAll(1).map(({ status }) => statusName(status));
    expect(new Set(statuses)).toEqual(new Set(['DATA_TRANSFER_ERROR']));
    expect(rig.bytes(buffer, DEPTH * PAGE).every((byte) => byte === 0xee)).toBe(true);
  });

  test('T7 without interrupts the completions are found by looking', () => {
    const rig = ioRig();
    rig.createCq(2, 16, { ien: 1 });
    rig.createSq(2, 16, 2);
    rig.configWrite(0x42, 2, 0);
    expect(rig.submit(2, 2, { opcode: NVM.FLUSH, nsid: 1 }).status).toBe(STATUS.SUCCESS);
  });
});

const lossyTimed = () => ({
  ...lossyRig().controller.profile,
  timing: new Harness({ timed: true }).controller.profile.timing,
});

/** Registers, enable, disable, shutdown and reset: groups R and I of the conformance cases (Base 2.1 §3.1, §3.5, §3.6). */
import { describe, expect, test } from 'vitest';
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CNS } from '../../nvme/spec/identify.ts';
import { CAP_HI, CAP_LO, CC, CSTS, REG, SHN, SHST } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { CC_NORMAL, type EnableOptions, FUNCTIONAL, Harness, PAGE, ready } from './harness.ts';

const READY = CSTS.encode({ RDY: 1 });
const FAILED = CSTS.encode({ CFS: 1 });
const identify = (harness: Harness) => ({
  opcode: ADMIN.IDENTIFY,
  cdw10: CNS.CONTROLLER,
  prp1: harness.allocate(),
});

describe('registers', () => {
  test('R1 R3 CAP and VS say what the profile says', () => {
    const harness = new Harness();
    expect(CAP_LO.decode(harness.read32(REG.CAP))).toEqual({ MQES: 4095, CQR: 1, AMS: 1, TO: 15 });
    const { CSS, MPSMIN, MPSMAX, DSTRD } = CAP_HI.decode(harness.read32(REG.CAP_HI));
    expect({ CSS, MPSMIN, MPSMAX, DSTRD }).toEqual({ CSS: 0xc1, MPSMIN: 0, MPSMAX: 4, DSTRD: 0 });
    expect(harness.read32(REG.VS)).toBe(0x2_0000);
  });

  test.each([[REG.CAP], [REG.CAP_HI], [REG.VS], [REG.CSTS], [REG.CMBLOC], [0x18], [0x1000]])(
    'R4 R13 R17 offset %i cannot be written',
    (offset) => {
      const harness = new Harness();
      const before = harness.read32(offset);
      harness.write32(offset, 0xffff_ffff);
      expect(harness.read32(offset)).toBe(before);
    },
  );

  test('R8 INTMS sets and INTMC clears one mask; both read it', () => {
    const harness = new Harness();
    harness.write32(REG.INTMS, 5);
    harness.write32(REG.INTMC, 1);
    expect([harness.read32(REG.INTMS), harness.read32(REG.INTMC)]).toEqual([4, 4]);
  });

  test('R10 R11 R12 AQA and the queue addresses: reserved bits stay 0, and enabled they stand still', () => {
    const harness = new Harness();
    harness.write32(REG.AQA, 0xffff_ffff);
    harness.write32(REG.ASQ, 0x1234_5fff);
    expect([harness.read32(REG.AQA), harness.read32(REG.ASQ)]).toEqual([0x0fff_0fff, 0x1234_5000]);
    harness.enable();
    const asq = harness.read32(REG.ASQ);
    harness.write32(REG.ASQ, 0x7000_0000);
    harness.write32(REG.AQA, 0);
    expect([harness.read32(REG.ASQ), harness.read32(REG.AQA)]).toEqual([asq, 0x003f_003f]);
  });

  test('R20 without memory decoding the BAR reads all ones', () => {
    const harness = new Harness();
    harness.configWrite(CONFIG.COMMAND, 2, COMMAND.encode({ BUS_MASTER: 1 }));
    expect(harness.read32(REG.VS)).toBe(0xffff_ffff);
  });

  test('R21 without bus mastering the first fetch is fatal, and says why', () => {
    const harness = ready();
    harness.configWrite(CONFIG.COMMAND, 2, COMMAND.encode({ MEMORY: 1 }));
    harness.post(0, identify(harness));
    harness.ring(0);
    expect(CSTS.CFS.get(harness.read32(REG.CSTS))).toBe(1);
    expect(harness.controller.health.rejections.at(-1)).toContain('not a bus master');
  });
});

describe('enable', () => {
  test.each<[string, EnableOptions, number, string]>([
    ['I1', {}, READY, 'as it should be'],
    ['I2', { asqs: 1 }, FAILED, 'AQA.ASQS 0'],
    ['I3', { acqs: 1 }, FAILED, 'AQA.ACQS 0'],
    ['I4', { cc: CC.MPS.set(CC_NORMAL, 5) }, FAILED, 'CC.MPS above MPSMAX'],
    ['I5', { cc: CC.CSS.set(CC_NORMAL, 1) }, FAILED, 'CC.CSS not in CAP.CSS'],
    ['I6', { cc: CC.AMS.set(CC_NORMAL, 2) }, FAILED, 'CC.AMS reserved'],
    ['I6', { cc: CC.AMS.set(CC_NORMAL, 7) }, FAILED, 'CC.AMS vendor specific, not in CAP.AMS'],
    ['I1', { cc: CC.AMS.set(CC_NORMAL, 1) }, READY, 'weighted round robin, which CAP.AMS has'],
    ['Q37', { asqs: 4096, acqs: 4096 }, READY, 'admin queues of 4096 entries'],
  ])('%s %o gives CSTS %i: %s', (_, options, csts) => {
    const harness = new Harness();
    expect(harness.enable(options)).toBe(csts);
    if (csts === FAILED) expect(harness.controller.health.rejections.at(-1)).toContain('fatal');
  });

  test('I6 a profile without weighted round robin refuses it', () => {
    const harness = new Harness({ profile: { ...FUNCTIONAL, weightedArbitration: false } });
    expect(CAP_LO.AMS.get(harness.read32(REG.CAP))).toBe(0);
    expect(harness.enable({ cc: CC.AMS.set(CC_NORMAL, 1) })).toBe(FAILED);
  });

  test('I4 a profile with larger smallest pages refuses 4 KiB', () => {
    expect(new Harness({ profile: { ...FUNCTIONAL, pageMin: 1, mdts: 6 } }).enable()).toBe(FAILED);
  });

  test('readiness takes its time', () => {
    const harness = new Harness({ timed: true });
    harness.enable();
    harness.disable();
    harness.write32(REG.CC, CC_NORMAL);
    harness.clock.advance(1_000_000);
    expect(harness.read32(REG.CSTS)).toBe(0);
    harness.clock.advance(2_000_000);
    expect(harness.read32(REG.CSTS)).toBe(READY);
  });

  test('I10 I11 a reset keeps AQA, ASQ and ACQ and forgets I/O queues; phase and SQHD start again', () => {
    const harness = ready();
    for (let i = 0; i < 70; i++) harness.submitAdmin(identify(harness));
    harness.createCq(1, 8);
    const kept = [REG.AQA, REG.ASQ, REG.ACQ].map((offset) => harness.read32(offset));
    expect(harness.disable()).toBe(0);
    expect([REG.AQA, REG.ASQ, REG.ACQ].map((offset) => harness.read32(offset))).toEqual(kept);
    harness.enable();
    expect(harness.submitAdmin(identify(harness)).sqhd).toBe(1);
    expect(harness.createCq(1, 8).status).toBe(STATUS.SUCCESS);
  });

  test('I13 page size, command set and arbitration stand still while enabled', () => {
    const harness = ready();
    harness.write32(REG.CC, CC.MPS.set(CC_NORMAL, 2));
    expect(CC.MPS.get(harness.read32(REG.CC))).toBe(0);
  });

  test('I20 a reset with commands in flight: nothing is written afterwards', () => {
    const harness = ready({ timed: true });
    harness.createCq(1, 128);
    harness.createSq(1, 128, 1);
    const prp1 = harness.allocate();
    harness.memory.fill(prp1, 0xee, PAGE);
    for (let i = 0; i < 64; i++) harness.post(1, { opcode: NVM.READ, nsid: 1, prp1, cdw12: 7 });
    harness.ringTail(1, 64);
    harness.clock.advance(1200);
    expect(harness.disable()).toBe(0);
    expect(harness.reapAll(1)).toEqual([]);
    expect(harness.bytes(prp1, PAGE).every((byte) => byte === 0xee)).toBe(true);
    expect(harness.enable()).toBe(READY);
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('I21 a failed enable is undone by EN 0', () => {
    const harness = new Harness();
    expect(harness.enable({ asqs: 1 })).toBe(FAILED);
    expect(harness.disable()).toBe(0);
    expect(harness.enable()).toBe(READY);
  });

  test('I22 admin queues of several pages', () => {
    const harness = new Harness();
    harness.enable({ asqs: 256, acqs: 1024 });
    for (let i = 0; i < 300; i++) expect(harness.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 5 }).dw0).toBe(1);
  });
});

describe('shutdown and function reset', () => {
  test.each([
    ['I14', SHN.NORMAL],
    ['I16', SHN.ABRUPT],
  ])('%s CC.SHN %i: in progress, then complete', (_, shn) => {
    const harness = ready({ timed: true });
    harness.write32(REG.CC, CC.SHN.set(CC_NORMAL, shn));
    expect(harness.read32(REG.CSTS)).toBe(CSTS.encode({ RDY: 1, SHST: SHST.IN_PROGRESS }));
    harness.settle();
    expect(harness.read32(REG.CSTS)).toBe(CSTS.encode({ RDY: 1, SHST: SHST.COMPLETE }));
  });

  test('I18 I19 after shutdown nothing is processed until the next enable', () => {
    const harness = ready();
    harness.write32(REG.CC, CC.SHN.set(CC_NORMAL, SHN.NORMAL));
    harness.post(0, identify(harness));
    harness.ring(0);
    expect(harness.reap(0)).toBeNull();
    harness.write32(REG.CC, 0);
    expect(harness.read32(REG.CSTS)).toBe(0);
    expect(harness.enable()).toBe(READY);
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('R22 FLR clears registers, BAR and command; configured again the controller works', () => {
    const harness = ready();
    harness.configWrite(0x80 + 8, 2, 0x8000);
    harness.settle();
    expect(harness.configRead(CONFIG.COMMAND, 2)).toBe(0);
    harness.configure();
    expect([REG.CC, REG.CSTS, REG.AQA].map((offset) => harness.read32(offset))).toEqual([0, 0, 0]);
    expect(harness.enable()).toBe(READY);
    expect(harness.submitAdmin(identify(harness)).status).toBe(STATUS.SUCCESS);
  });

  test('a completion queue page DMA cannot reach is fatal, and says which entry', () => {
    const harness = ready();
    harness.blocked.add(harness.read32(REG.ACQ) / PAGE);
    harness.post(0, identify(harness));
    harness.ring(0);
    expect(harness.read32(REG.CSTS)).toBe(CSTS.encode({ RDY: 1, CFS: 1 }));
    expect(harness.controller.health.rejections.at(-1)).toContain(
      'entry 0 of completion queue 0 cannot be written',
    );
  });
});

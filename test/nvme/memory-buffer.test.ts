/** The Controller Memory Buffer: cases R24, R25, R27 and N28 (Base 2.1 §3.1.4.11 to §3.1.4.19, §8.2.1). */
import { describe, expect, test } from 'vitest';
import { ADMIN, CQE, NVM, SQE } from '../../nvme/spec/commands.ts';
import { CAP_HI, CMBLOC, CMBMSC, CMBSZ, REG } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { u64 } from '../../support/numbers.ts';
import type { Entry } from './entry.ts';
import { CC_NORMAL, FUNCTIONAL, Harness, PAGE, ready } from './harness.ts';

/** Where the host puts the buffer: an address that nothing else answers. */
const CBA = 0x7_0000_0000;
const BYTES = 64 * 1024;
const PROFILE = { ...FUNCTIONAL, memoryBuffer_bytes: BYTES };
const FLR = 0x8000;

function setBase(harness: Harness, base: number, control = { CRE: 1, CMSE: 1 }): void {
  harness.write32(REG.CMBMSC_HI, Math.floor(base / 2 ** 32));
  harness.write32(REG.CMBMSC, ((base >>> 0) | CMBMSC.encode(control)) >>> 0);
}

/** An enabled controller whose buffer answers at CBA. */
function withBuffer(profile = PROFILE): Harness {
  const harness = new Harness({ profile });
  setBase(harness, CBA);
  harness.enable();
  return harness;
}

/** Puts a submission entry into the buffer through BAR2. */
function writeEntry(harness: Harness, offset: number, { opcode, cid = 0, ...entry }: Entry): void {
  const words = [opcode | (cid << 16), entry.nsid ?? 0];
  const at = (field: number, value: number) => {
    words[field >>> 2] = value >>> 0;
    words[(field >>> 2) + 1] = Math.floor(value / 2 ** 32);
  };
  at(SQE.PRP1, entry.prp1 ?? 0);
  at(SQE.PRP2, entry.prp2 ?? 0);
  words[SQE.CDW10 >>> 2] = entry.cdw10 ?? 0;
  words[SQE.CDW12 >>> 2] = entry.cdw12 ?? 0;
  for (let word = 0; word < 16; word++) harness.writeBuffer(offset + 4 * word, words[word] ?? 0);
}

/** Addresses of DMA requests while `action` runs. */
function requests(harness: Harness, action: () => void): number[] {
  const seen: number[] = [];
  const { rc } = harness;
  const { frame } = rc.translator;
  rc.translator = {
    ...rc.translator,
    frame: (requester, low, high, isWrite) => {
      seen.push(u64(low, high));
      return frame(requester, low, high, isWrite);
    },
  };
  action();
  return seen;
}

describe('registers', () => {
  test('R24 location and size read 0 until CMBMSC.CRE is 1', () => {
    const harness = new Harness({ profile: PROFILE });
    expect(CAP_HI.CMBS.get(harness.read32(REG.CAP_HI))).toBe(1);
    expect([harness.read32(REG.CMBLOC), harness.read32(REG.CMBSZ)]).toEqual([0, 0]);
    harness.write32(REG.CMBMSC, 1);
    expect(CMBLOC.decode(harness.read32(REG.CMBLOC))).toMatchObject({ BIR: 2, OFST: 0 });
    expect(CMBSZ.decode(harness.read32(REG.CMBSZ))).toEqual({
      SQS: 1,
      CQS: 1,
      LISTS: 1,
      RDS: 1,
      WDS: 1,
      SZU: 0,
      SZ: BYTES / PAGE,
    });
    harness.write32(REG.CMBLOC, 0xffff_ffff);
    expect(CMBLOC.BIR.get(harness.read32(REG.CMBLOC))).toBe(2);
  });

  test('R24 without a buffer all of it reads 0', () => {
    const harness = new Harness({ profile: { ...FUNCTIONAL, memoryBuffer_bytes: 0 } });
    setBase(harness, CBA);
    expect(CAP_HI.CMBS.get(harness.read32(REG.CAP_HI))).toBe(0);
    for (const offset of [REG.CMBLOC, REG.CMBSZ, REG.CMBMSC, REG.CMBMSC_HI, REG.CMBSTS])
      expect(harness.read32(offset)).toBe(0);
    expect(harness.readBuffer(0)).toBe(0xffff_ffff);
  });

  test('R25 an address range that would end beyond 2^64 is invalid and turns the buffer off', () => {
    const harness = new Harness({ profile: PROFILE });
    harness.write32(REG.CMBMSC_HI, 0xffff_ffff);
    harness.write32(REG.CMBMSC, 0xffff_1003);
    expect(harness.read32(REG.CMBSTS)).toBe(1);
    harness.write32(REG.CMBMSC, 0xffff_0003);
    expect(harness.read32(REG.CMBSTS)).toBe(0);
  });

  test('CMBMSC keeps its value over a controller reset and loses it in a function reset; reserved bits are 0', () => {
    const harness = withBuffer();
    harness.write32(REG.CMBMSC, 0xffff_ffff);
    expect(harness.read32(REG.CMBMSC)).toBe(0xffff_f003);
    harness.disable();
    expect([harness.read32(REG.CMBMSC), harness.read32(REG.CMBMSC_HI)]).toEqual([0xffff_f003, 7]);
    harness.configWrite(0x88, 2, FLR);
    harness.configure();
    expect([harness.read32(REG.CMBMSC), harness.read32(REG.CMBMSC_HI)]).toEqual([0, 0]);
  });
});

describe('BAR2', () => {
  test('R27 accesses at the end of the buffer, beyond it, and of parts of a dword', () => {
    const harness = withBuffer({ ...PROFILE, memoryBuffer_bytes: 3 * PAGE });
    const last = 3 * PAGE - 4;
    harness.writeBuffer(last, 0x1122_3344);
    harness.writeBuffer(last + 4, 0x5566_7788);
    expect([harness.readBuffer(last), harness.readBuffer(last + 4)]).toEqual([0x1122_3344, 0]);
    harness.rc.writePart(0xe000_0000 + last + 3, 1, 0xaa);
    expect(harness.readBuffer(last)).toBe(0xaa22_3344);
    harness.rc.writePart(0xe000_0000 + last + 4, 2, 0xffff);
    expect(harness.readBuffer(last + 4)).toBe(0);
    harness.writeBuffer(0x4000, 1);
    expect(harness.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 5 }).status).toBe(STATUS.SUCCESS);
  });
});

describe('in use', () => {
  const SQ = 0x1000;
  const DATA = 0x4000;
  const LIST = 0x8000;
  const CQ = 0xa000;

  /** Queue pair 1 with its submission queue in the buffer. */
  const pair = (): Harness => {
    const harness = withBuffer();
    harness.createCq(1, 16);
    harness.createSq(1, 16, 1, CBA + SQ);
    return harness;
  };

  test('a submission queue in the buffer is fetched without a request on the link', () => {
    const harness = pair();
    const buffer = harness.allocate();
    writeEntry(harness, SQ, { opcode: NVM.READ, nsid: 1, cid: 3, prp1: buffer });
    const seen = requests(harness, () => harness.ringTail(1, 1));
    expect(harness.reap(1)).toMatchObject({ cid: 3, status: STATUS.SUCCESS, sqhd: 1 });
    expect(seen.filter((iova) => iova >= CBA)).toEqual([]);
    expect(seen).toHaveLength(2); // data and completion
  });

  test('data and PRP lists in the buffer; data that begin in RAM and go on in the buffer', () => {
    const harness = pair();
    for (let word = 0; word < 3 * 1024; word++)
      harness.writeBuffer(DATA + 4 * word, 0x0101_0101 * (word >>> 10));
    harness.writeBuffer(LIST, DATA + PAGE);
    harness.writeBuffer(LIST + 4, CBA / 2 ** 32);
    harness.writeBuffer(LIST + 8, DATA + 2 * PAGE);
    harness.writeBuffer(LIST + 12, CBA / 2 ** 32);
    const command = { nsid: 1, prp1: CBA + DATA, prp2: CBA + LIST, cdw12: 23 };
    writeEntry(harness, SQ, { opcode: NVM.WRITE, cid: 1, ...command });
    const seen = requests(harness, () => harness.ringTail(1, 1));
    expect(harness.reap(1)).toMatchObject({ cid: 1, status: STATUS.SUCCESS });
    expect(seen.filter((iova) => iova >= CBA)).toEqual([]);
    const ram = harness.allocate();
    writeEntry(harness, SQ + 64, {
      opcode: NVM.READ,
      nsid: 1,
      cid: 2,
      prp1: ram,
      prp2: CBA + DATA,
      cdw10: 8,
      cdw12: 15,
    });
    harness.ringTail(1, 2);
    expect(harness.reap(1)).toMatchObject({ cid: 2, status: STATUS.SUCCESS });
    expect([harness.view(ram).getUint32(0, true), harness.readBuffer(DATA)]).toEqual([
      0x0101_0101, 0x0202_0202,
    ]);
  });

  test('a completion queue in the buffer, and completions that the host reads by BAR2', () => {
    const harness = withBuffer();
    harness.createCq(1, 4, { base: CBA + CQ });
    harness.createSq(1, 4, 1);
    harness.post(1, { opcode: NVM.FLUSH, nsid: 1, cid: 9 });
    harness.ring(1);
    expect(harness.readBuffer(CQ + CQE.CID)).toBe(0x0001_0009);
  });

  test('bus mastering is not needed for what stays inside', () => {
    const harness = withBuffer();
    harness.createCq(1, 4, { base: CBA + CQ });
    harness.createSq(1, 4, 1, CBA + SQ);
    harness.configWrite(4, 2, 2);
    writeEntry(harness, SQ, { opcode: NVM.READ, nsid: 1, cid: 5, prp1: CBA + DATA });
    harness.ringTail(1, 1);
    expect(harness.readBuffer(CQ + CQE.CID)).toBe(0x0001_0005);
  });

  test('admin queues in the buffer', () => {
    const harness = new Harness({ profile: PROFILE });
    setBase(harness, CBA);
    harness.write32(REG.AQA, 0x0003_0003);
    for (const [register, offset] of [
      [REG.ASQ, SQ],
      [REG.ACQ, CQ],
    ] as const) {
      harness.write32(register, offset);
      harness.write32(register + 4, CBA / 2 ** 32);
    }
    harness.write32(REG.CC, CC_NORMAL);
    writeEntry(harness, SQ, { opcode: ADMIN.ABORT, cid: 8, cdw10: 5 });
    harness.ringTail(0, 1);
    expect([harness.readBuffer(CQ), harness.readBuffer(CQ + CQE.CID)]).toEqual([1, 0x0001_0008]);
  });

  test('N28 with CMSE 0 the addresses are like all others: a request leaves (§3.1.4.16; QEMU answers 0:12)', () => {
    const harness = withBuffer();
    setBase(harness, CBA, { CRE: 1, CMSE: 0 });
    const buffer = { opcode: ADMIN.IDENTIFY, cdw10: 1, prp1: CBA };
    const seen = requests(harness, () => {
      expect(harness.submitAdmin(buffer).status).toBe(STATUS.DATA_TRANSFER_ERROR);
    });
    expect(seen).toContain(CBA);
  });

  test('the buffer costs no time on the link', () => {
    const time = (prp1: number) => {
      const harness = new Harness({ timed: true });
      setBase(harness, CBA);
      harness.enable();
      const before = harness.clock.now;
      harness.submitAdmin({ opcode: ADMIN.IDENTIFY, cdw10: 1, prp1 });
      return harness.clock.now - before;
    };
    expect(time(CBA)).toBeLessThan(time(0x20_0000));
  });
});

test('a board without a buffer announces none to Identify or CAP', () => {
  const harness = ready({ profile: { ...FUNCTIONAL, memoryBuffer_bytes: 0 } });
  expect(harness.configRead(0x18, 4)).toBe(0);
});

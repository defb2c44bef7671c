/** Fault recording and the fault interrupt: cases 57 to 67 and 133 of vtd-cases. */
import { describe, expect, test } from 'vitest';
import { formatFault } from '../../iommu/fault-handler.ts';
import { REG } from '../../iommu/spec/registers.ts';
import { DEVICE, IOVA, REFERENCE, Rig } from './rig.ts';

const UNMAPPED = 0xabc_1000;
const PFO = 1;
const PPF = 2;

describe('fault records', () => {
  test('57: a second fault of one requester is dropped', () => {
    const rig = new Rig().start();
    rig.dma(UNMAPPED);
    rig.dma(UNMAPPED + 4096, true);
    expect(rig.fault()?.address).toBe(UNMAPPED);
    expect(rig.read(REG.FSTS)).toBe(PPF);
  });

  test('58: a fault of another requester without a free record overflows', () => {
    const rig = new Rig().start();
    rig.dma(UNMAPPED);
    rig.dma(UNMAPPED, false, DEVICE + 8);
    expect(rig.read(REG.FSTS)).toBe(PPF | PFO);
  });

  test('59 to 61: three records, one message, and again after all are cleared', () => {
    const rig = new Rig({ ...REFERENCE, faultRecords: 8 }).start();
    const events = rig.countEvents(REG.FECTL);
    for (const requester of [DEVICE, DEVICE + 8, DEVICE + 16]) rig.dma(UNMAPPED, false, requester);
    expect([0, 1, 2].map((index) => rig.fault(index)?.sid)).toEqual([DEVICE, DEVICE + 8, DEVICE + 16]);
    expect([rig.read(REG.FSTS), events.count]).toEqual([PPF, 1]);
    rig.clearFault(0);
    expect(rig.read(REG.FSTS)).toBe(PPF);
    rig.clearFault(1);
    rig.clearFault(2);
    expect(rig.read(REG.FSTS) & PPF).toBe(0);
    rig.dma(UNMAPPED);
    expect(rig.fault(3)?.sid).toBe(DEVICE);
    expect([rig.read(REG.FSTS), events.count]).toEqual([0x300 | PPF, 2]);
  });

  test('62: nothing is recorded while PFO is set', () => {
    const rig = new Rig().start();
    rig.dma(UNMAPPED);
    rig.dma(UNMAPPED, false, DEVICE + 8);
    rig.clearFault();
    rig.dma(UNMAPPED);
    expect(rig.fault()).toBeNull();
    rig.write(REG.FSTS, PFO);
    rig.dma(UNMAPPED);
    expect(rig.fault()?.sid).toBe(DEVICE);
  });

  test('63: a masked event waits in IP', () => {
    const rig = new Rig().start();
    const events = rig.countEvents(REG.FECTL);
    rig.write(REG.FECTL, 0x8000_0000);
    rig.dma(UNMAPPED);
    expect([rig.read(REG.FECTL), events.count]).toEqual([0xc000_0000, 0]);
    rig.write(REG.FECTL, 0);
    expect([rig.read(REG.FECTL), events.count]).toEqual([0, 1]);
  });

  test('64: clearing the record takes the pending event back', () => {
    const rig = new Rig().start();
    const events = rig.countEvents(REG.FECTL);
    rig.write(REG.FECTL, 0x8000_0000);
    rig.dma(UNMAPPED);
    rig.clearFault();
    expect(rig.read(REG.FECTL)).toBe(0x8000_0000);
    rig.write(REG.FECTL, 0);
    expect(events.count).toBe(0);
  });

  test('65: no new message while an earlier condition stands', () => {
    const rig = new Rig().start();
    const events = rig.countEvents(REG.FECTL);
    rig.enableQueue();
    rig.submit([0n, 0n]);
    expect(events.count).toBe(1);
    rig.dma(UNMAPPED);
    expect(rig.fault()?.sid).toBe(DEVICE);
    expect(events.count).toBe(1);
  });

  test.each([
    [true, 0xabc_123, 0x8000_0005],
    [false, 0xabc_123, 0xc000_0006],
  ])('66: words of a record (write %s)', (isWrite, iova, word3) => {
    const rig = new Rig().start();
    rig.dma(iova, isWrite);
    expect([0, 4, 8, 12].map((word) => rig.read(0x220 + word))).toEqual([0xabc_000, 0, DEVICE, word3]);
  });

  test('addresses above 4 GiB are recorded whole', () => {
    const rig = new Rig().start();
    rig.dma(0x7654_3210_9876);
    expect(rig.fault()?.address).toBe(0x7654_3210_9000);
  });

  test('a translation that worked is not blocked by faults of others', () => {
    const rig = new Rig().start();
    rig.dma(UNMAPPED);
    expect(rig.dma(IOVA)).toBeGreaterThan(0);
  });
});

describe('what Linux prints', () => {
  test.each([
    [
      0x20,
      0xffff_f000,
      0x05,
      true,
      'DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0xfffff000 [fault reason 0x05] PTE Write access is not set',
    ],
    [
      0x100,
      0xdead_b000,
      0x06,
      false,
      'DMAR: [DMA Read NO_PASID] Request device [01:00.0] fault addr 0xdeadb000 [fault reason 0x06] PTE Read access is not set',
    ],
    [
      0x20,
      7,
      0x22,
      true,
      'DMAR: [INTR-REMAP] Request device [00:04.0] fault index 0x7 [fault reason 0x22] Present field in the IRTE entry is clear',
    ],
    [
      0x20,
      0x1000,
      0x0e,
      true,
      'DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0x1000 [fault reason 0x0e] Unknown',
    ],
    [
      0x3a09,
      0x1000,
      0x04,
      false,
      'DMAR: [DMA Read NO_PASID] Request device [3a:01.1] fault addr 0x1000 [fault reason 0x04] Access beyond MGAW',
    ],
  ])('%#', (requester, address, reason, isWrite, line) => {
    expect(formatFault(requester, address, reason, isWrite)).toBe(line);
  });
});

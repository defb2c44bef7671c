/** Registers and the enable protocol: cases 1 to 18 of vtd-cases. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_UNIT, encodeCapabilities } from '../../iommu/capabilities.ts';
import { REG } from '../../iommu/spec/registers.ts';
import { CONTEXTS, DEVICE, GCMD, IOVA, PAGE, Rig, ROOT, RW } from './rig.ts';

const BLOCKED = -1;
const IVA = 0xf0;
const IOTLB = 0xf8;

describe('capabilities', () => {
  test('the default unit is cap d2008c222f0686 ecap f00f4a', () => {
    const words = encodeCapabilities(DEFAULT_UNIT);
    expect(words).toEqual({ capLow: 0x222f_0686, capHigh: 0x00d2_008c, ecapLow: 0x00f0_0f4a, ecapHigh: 0 });
    const rig = new Rig({});
    expect([rig.read(REG.CAP), rig.read(REG.CAP + 4)]).toEqual([0x222f_0686, 0x00d2_008c]);
    expect([rig.read(REG.ECAP), rig.read(REG.ECAP + 4)]).toEqual([0x00f0_0f4a, 0]);
  });

  test('a change of an option changes its bits only', () => {
    const { capLow } = encodeCapabilities({ ...DEFAULT_UNIT, cachingMode: false });
    expect(capLow).toBe(0x222f_0606);
  });
});

describe('reset and GCMD', () => {
  test('1: reset values', () => {
    const rig = new Rig();
    const values = [REG.VER, REG.GSTS, REG.FECTL, REG.IECTL].map((offset) => rig.read(offset));
    expect(values).toEqual([0x10, 0, 0x8000_0000, 0x8000_0000]);
  });

  test('2: GCMD reads as zero', () => {
    const rig = new Rig().start();
    expect(rig.read(REG.GCMD)).toBe(0);
  });

  test('3: RTADDR without SRTP changes nothing', () => {
    const rig = new Rig().start();
    rig.write(REG.RTADDR, 0x30_0000);
    expect(rig.dma(IOVA)).toBe(PAGE);
  });

  test('4: RTPS stays', () => {
    const rig = new Rig();
    rig.setRoot(ROOT);
    expect(rig.read(REG.GSTS)).toBe(0x4000_0000);
    rig.write(REG.GCMD, 0);
    expect(rig.read(REG.GSTS)).toBe(0x4000_0000);
  });

  test('5, 6: TE decides between tables and pass-through', () => {
    const rig = new Rig().start();
    expect(rig.dma(0x7000)).toBe(BLOCKED);
    rig.uncommand(GCMD.TE);
    expect(rig.dma(0x7000)).toBe(0x7000);
    expect(rig.read(REG.GSTS)).toBe(0x4000_0000);
  });

  test('7: TE off and on empties the caches', () => {
    const rig = new Rig().start();
    expect(rig.dma(IOVA)).toBe(PAGE);
    rig.map(IOVA, 0x50_0000 | RW);
    expect(rig.dma(IOVA)).toBe(PAGE);
    rig.uncommand(GCMD.TE);
    rig.command(GCMD.TE);
    expect(rig.dma(IOVA)).toBe(0x50_0000);
  });

  test('8, 9: QIE on and off', () => {
    const rig = new Rig();
    rig.enableQueue();
    expect([rig.read(REG.GSTS), rig.read(REG.IQH)]).toEqual([GCMD.QIE, 0]);
    rig.submit([0x11n, 0n]);
    expect(rig.read(REG.IQH)).toBe(0x10);
    rig.uncommand(GCMD.QIE);
    expect([rig.read(REG.GSTS), rig.read(REG.IQH)]).toEqual([0, 0]);
  });

  test('17: SRTP beside an unchanged TE only moves the root', () => {
    const rig = new Rig().start();
    const other = 0x30_0000;
    rig.words(other, CONTEXTS | 1, 0, 0, 0);
    rig.setRoot(other);
    expect(rig.read(REG.GSTS)).toBe(0xc000_0000);
    expect(rig.dma(IOVA)).toBe(PAGE);
  });

  test('18: the state Linux ends in', () => {
    const rig = new Rig();
    rig.enableQueue();
    rig.command(0, GCMD.SIRTP);
    rig.command(GCMD.IRE);
    rig.setRoot(ROOT);
    rig.command(GCMD.TE);
    expect(rig.read(REG.GSTS)).toBe(0xc700_0000);
  });

  test('136: nothing answers beyond the last register', () => {
    const rig = new Rig();
    expect(rig.read(0x230)).toBe(0xffff_ffff);
  });
});

describe('register-based invalidation', () => {
  const staleRig = (): Rig => {
    const rig = new Rig().start();
    rig.dma(IOVA);
    rig.map(IOVA, 0x50_0000 | RW);
    return rig;
  };

  test('10: not carried out while QIES is set', () => {
    const rig = staleRig();
    rig.enableQueue();
    rig.write(REG.CCMD + 4, 0xa000_0000);
    expect(rig.read(REG.CCMD + 4) >>> 31).toBe(1);
    rig.write(IOTLB + 4, 0x9000_0000);
    expect(rig.read(IOTLB + 4) >>> 31).toBe(1);
    expect(rig.dma(IOVA)).toBe(PAGE);
  });

  test('11: context global', () => {
    const rig = new Rig().start();
    rig.write(REG.CCMD, 0);
    rig.write(REG.CCMD + 4, 0xa000_0000);
    expect(rig.read(REG.CCMD + 4)).toBe(0x2800_0000);
  });

  test('12: context device with FM=11 drops the eight functions of the device only', () => {
    const rig = new Rig().start();
    for (const requester of [DEVICE, DEVICE + 7, DEVICE + 8]) {
      rig.context(requester, {});
      rig.dma(IOVA, false, requester);
      rig.context(requester, { low: 0 });
    }
    rig.write(REG.CCMD, (DEVICE << 16) | 2);
    rig.write(REG.CCMD + 4, 0xe000_0003);
    rig.write(IOTLB + 4, 0x9000_0000);
    expect([DEVICE, DEVICE + 7, DEVICE + 8].map((requester) => rig.dma(IOVA, false, requester))).toEqual([
      BLOCKED,
      BLOCKED,
      PAGE,
    ]);
  });

  test('13: a reserved context granularity does nothing and says so', () => {
    const rig = new Rig().start();
    rig.write(REG.CCMD + 4, 0x8000_0000);
    expect(rig.read(REG.CCMD + 4)).toBe(0);
  });

  test('14: an address mask beyond MAMV does nothing and says so', () => {
    const rig = staleRig();
    rig.write(IVA, 19);
    rig.write(IVA + 4, 0);
    rig.write(IOTLB + 4, 0xb000_0002);
    expect(rig.read(IOTLB + 4)).toBe(0x3000_0002);
    expect(rig.dma(IOVA)).toBe(PAGE);
  });

  test('15, 16: domain-selective on the upper word, other domains are kept', () => {
    const rig = staleRig();
    rig.context(0x28, { domain: 3 });
    const other = rig.dma(IOVA, false, 0x28);
    rig.map(IOVA, 0x60_0000 | RW);
    rig.write(IOTLB, 0);
    expect(rig.dma(IOVA)).toBe(PAGE);
    rig.write(IOTLB + 4, 0xa000_0002);
    expect(rig.read(IOTLB + 4)).toBe(0x2400_0002);
    expect(rig.dma(IOVA)).toBe(0x60_0000);
    expect(rig.dma(IOVA, false, 0x28)).toBe(other);
  });

  test('page-selective', () => {
    const rig = staleRig();
    rig.write(IVA, IOVA);
    rig.write(IOTLB + 4, 0xb000_0002);
    expect(rig.read(IOTLB + 4)).toBe(0x3600_0002);
    expect(rig.dma(IOVA)).toBe(0x50_0000);
  });
});

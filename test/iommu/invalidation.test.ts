/** What stays cached, and what queued invalidation drops: cases 68 to 87 of vtd-cases. */
import { describe, expect, test } from 'vitest';
import { REG } from '../../iommu/spec/registers.ts';
import { FREE_HOST } from '../../machine/timing/host.ts';
import {
  contextDevice,
  contextGlobal,
  DEVICE,
  DOMAIN,
  IOVA,
  iotlbDomain,
  iotlbGlobal,
  iotlbPages,
  PAGE,
  PS,
  R,
  REFERENCE,
  Rig,
  RW,
  wait,
  waitInterrupt,
} from './rig.ts';

const BLOCKED = -1;
const STATUS = 0x50_0000;
const IQE = 0x10;

const started = (): Rig => {
  const rig = new Rig().start();
  rig.enableQueue();
  return rig;
};

describe('stale entries', () => {
  test('68, 69: a context entry stays until its device is invalidated, the IOTLB until its domain is', () => {
    const rig = started();
    rig.dma(IOVA);
    rig.context(DEVICE, { low: 0 });
    rig.map(IOVA + 4096, PAGE | RW);
    expect(rig.dma(IOVA + 4096)).toBe(PAGE);
    rig.submit(contextDevice(DOMAIN, DEVICE));
    expect(rig.dma(IOVA)).toBe(BLOCKED);
    rig.context(DEVICE, { table: 0x30_0000 });
    expect(rig.dma(IOVA)).toBe(PAGE);
    rig.submit(iotlbDomain(DOMAIN));
    expect(rig.dma(IOVA)).toBe(BLOCKED);
    expect(rig.fault()?.reason).toBe(0x02);
  });

  test('pages that are known to follow one another: as many as were asked for, may be accessed and still are cached', () => {
    const rig = started();
    const frame = PAGE / 4096;
    const known = (isWrite = false, first = frame, limit = 9) =>
      rig.unit.known(DEVICE, IOVA, 0, isWrite, first, limit);
    const permissions = [RW, RW, R, RW];
    for (const [index, bits] of permissions.entries())
      rig.map(IOVA + index * 4096, (PAGE + index * 4096) | bits);
    rig.map(IOVA + 4 * 4096, (PAGE + 8 * 4096) | RW);
    for (let page = 0; page < 5; page++) {
      expect(known()).toBe(page);
      rig.dma(IOVA + page * 4096);
    }
    expect([known(), known(true), known(false, frame + 1), known(false, frame, 2)]).toEqual([4, 2, 0, 2]);
    rig.submit(iotlbPages(DOMAIN, IOVA + 4096));
    expect(known()).toBe(1);
    rig.submit(contextDevice(DOMAIN, DEVICE));
    expect(known()).toBe(0);
  });

  test('70, 71: a cleared entry answers until its page is invalidated', () => {
    const rig = started();
    rig.dma(IOVA, true);
    rig.map(IOVA, 0);
    expect(rig.dma(IOVA, true)).toBe(PAGE);
    rig.submit(iotlbPages(DOMAIN, IOVA));
    expect(rig.dma(IOVA, true)).toBe(BLOCKED);
    expect(rig.fault()?.reason).toBe(0x05);
  });

  test.each([
    ['72: one page below', iotlbPages(DOMAIN, IOVA - 4096), false],
    ['one page above', iotlbPages(DOMAIN, IOVA + 4096), false],
    ['the page', iotlbPages(DOMAIN, IOVA), true],
    ['low address bits are ignored', iotlbPages(DOMAIN, IOVA + 0x2000, 3), true],
    ['the neighbouring block of eight', iotlbPages(DOMAIN, IOVA + 0x3000, 3), false],
    ['2^18 pages', iotlbPages(DOMAIN, 0, 18), true],
    ['2^18 pages elsewhere', iotlbPages(DOMAIN, 0x4000_0000, 18), false],
    ['74: another domain', iotlbPages(3, IOVA), false],
    ['another domain whole', iotlbDomain(3), false],
    ['the domain', iotlbDomain(DOMAIN), true],
    ['everything', iotlbGlobal, true],
    ['contexts only', contextGlobal, false],
  ] as const)('page-selective: %s', (_, descriptor, isDropped) => {
    const rig = started();
    rig.dma(IOVA);
    rig.map(IOVA, 0);
    rig.submit(descriptor);
    expect(rig.dma(IOVA)).toBe(isDropped ? BLOCKED : PAGE);
  });

  test.each([
    [2, 0x20_0000],
    [3, 0x4000_0000],
  ])('73: a page inside a leaf of level %i drops all of it', (level, bytes) => {
    const rig = started();
    const iova = 0x8000_0000;
    rig.words(rig.entry(iova, level), PS | RW, 0);
    const inside = [0x1000, bytes / 2, bytes - 4096];
    for (const offset of inside) expect(rig.dma(iova + offset)).toBe(offset);
    rig.words(rig.entry(iova, level), 0, 0);
    for (const offset of inside) expect(rig.dma(iova + offset)).toBe(offset);
    rig.submit(iotlbPages(DOMAIN, iova + 0x5000));
    for (const offset of inside) expect(rig.dma(iova + offset)).toBe(BLOCKED);
  });

  test('a large leaf answers for pages not seen before', () => {
    const rig = started();
    rig.words(rig.entry(0x8000_0000, 2), PS | R, 0);
    expect(rig.dma(0x8000_0000)).toBe(0);
    rig.words(rig.entry(0x8000_0000, 2), 0, 0);
    expect(rig.dma(0x8000_7123)).toBe(0x7123);
    expect(rig.dma(0x8000_7123)).toBe(0x7123);
    expect(rig.dma(0x8000_7123, true)).toBe(BLOCKED);
  });

  test('76: absent to present needs nothing without caching mode', () => {
    const rig = started();
    rig.map(IOVA, 0);
    expect(rig.dma(IOVA)).toBe(BLOCKED);
    rig.map(IOVA, PAGE | RW);
    expect(rig.dma(IOVA)).toBe(PAGE);
  });

  test('a hit that lacks the permission looks into memory before it faults', () => {
    const rig = started();
    rig.map(IOVA, PAGE | R);
    expect(rig.dma(IOVA)).toBe(PAGE);
    rig.map(IOVA, PAGE | RW);
    expect(rig.dma(IOVA, true)).toBe(PAGE);
  });
});

describe('the queue', () => {
  test('79: a wait writes its status after what comes before it', () => {
    const rig = started();
    rig.submit(contextGlobal, iotlbGlobal, wait(STATUS, 2));
    expect(rig.memory.u32[STATUS / 4]).toBe(2);
    expect(rig.read(REG.IQH)).toBe(0x30);
  });

  test('80: completion event, masked and acknowledged', () => {
    const rig = started();
    rig.submit(waitInterrupt);
    expect([rig.read(REG.ICS), rig.read(REG.IECTL)]).toEqual([1, 0xc000_0000]);
    rig.write(REG.ICS, 1);
    expect([rig.read(REG.ICS), rig.read(REG.IECTL)]).toEqual([0, 0x8000_0000]);
  });

  test('81: one event until it is acknowledged', () => {
    const rig = started();
    const events = rig.countEvents(REG.IECTL);
    rig.submit(waitInterrupt, waitInterrupt);
    expect(events.count).toBe(1);
    rig.write(REG.ICS, 1);
    rig.submit(waitInterrupt);
    expect(events.count).toBe(2);
  });

  test.each([
    ['83: type 0', [0n, 0n], 3],
    ['87: type 6 in a 128-bit queue', [0x26n, 0n], 3],
    ['87: type 7', [0x37n, 0n], 3],
    ['87: type 8', [0x8n, 0n], 3],
    ['type 3 without device TLBs', [0x3n, 0n], 3],
    ['a type of more than four bits', [0x201n, 0n], 3],
    ['84: reserved bit in an IOTLB descriptor', [0x1d2n, 0n], 4],
    ['reserved bit in its second half', [0xd2n, 0x80n], 4],
    ['reserved bit in a context descriptor', [0x11n, 1n], 4],
    ['reserved bit in a wait descriptor', [0x125n, BigInt(STATUS)], 4],
    ['unaligned status address', [0x25n, BigInt(STATUS + 1)], 4],
    ['address mask beyond MAMV', [0xf2n, 19n], 4],
    ['granularity 0', [0xc2n, 0n], 4],
  ] as const)('%s stops the queue', (_, descriptor, code) => {
    const rig = started();
    rig.submit(contextGlobal, descriptor, wait(STATUS, 2));
    expect(rig.read(REG.IQERCD)).toBe(code);
    expect(rig.read(REG.FSTS)).toBe(IQE);
    expect(rig.read(REG.IQH)).toBe(0x10);
    expect(rig.memory.u32[STATUS / 4]).toBe(0);
  });

  test('84: fixed in place and cleared, the queue goes on', () => {
    const rig = started();
    rig.submit([0x1d2n, 0n], wait(STATUS, 2));
    rig.words(0x10_8000, 0xd2);
    rig.write(REG.FSTS, IQE);
    expect(rig.memory.u32[STATUS / 4]).toBe(2);
    expect([rig.read(REG.IQH), rig.read(REG.FSTS)]).toEqual([0x20, 0]);
  });

  test('82: tail beyond the queue', () => {
    const rig = started();
    rig.write(REG.IQT, 0x1000);
    expect([rig.read(REG.IQERCD), rig.read(REG.IQH)]).toEqual([1, 0]);
  });

  test('85: 256-bit descriptors need scalable mode', () => {
    const rig = new Rig();
    rig.enableQueue(0x10_8800);
    rig.write(REG.IQT, 0x20);
    expect(rig.read(REG.IQERCD)).toBe(5);
  });

  test('a queue outside memory', () => {
    const rig = new Rig();
    rig.enableQueue(0xf000_0000);
    rig.write(REG.IQT, 0x10);
    expect(rig.read(REG.IQERCD)).toBe(2);
  });

  test('86: wraps', () => {
    const rig = started();
    for (let index = 0; index < 255; index++) rig.submit(iotlbGlobal);
    rig.submit(iotlbGlobal, wait(STATUS, 9));
    expect(rig.read(REG.IQH)).toBe(0x10);
    expect(rig.memory.u32[STATUS / 4]).toBe(9);
  });

  test('descriptors queued before QIE run when it is set', () => {
    const rig = new Rig();
    rig.write(REG.IQA, 0x10_8000);
    rig.words(0x10_8000, 0x25, 7, STATUS, 0);
    rig.write(REG.IQT, 0x10);
    expect(rig.memory.u32[STATUS / 4]).toBe(0);
    rig.command(0x0400_0000);
    expect(rig.memory.u32[STATUS / 4]).toBe(7);
  });
});

test('a cached table answers until it is invalidated without the hint that only leaves have changed', () => {
  const rig = started();
  rig.dma(IOVA);
  const level2 = rig.entry(IOVA, 2);
  rig.words(level2, 0, 0);
  const hint = 1 << 6;
  rig.submit(iotlbPages(DOMAIN, IOVA, hint));
  expect(rig.dma(IOVA)).toBe(PAGE);
  rig.submit(iotlbPages(DOMAIN, IOVA));
  expect(rig.dma(IOVA)).toBe(BLOCKED);
});

describe('what a translation costs', () => {
  const host = { ...FREE_HOST, iotlbHit_ns: 5, walkRead_ns: 80 };

  test.each([
    [1, 4],
    [2, 3],
    [3, 2],
  ])('a leaf of level %i takes %i reads, two more for the context, none on a hit', (level, reads) => {
    const rig = new Rig(REFERENCE, host).start();
    const iova = 0x8000_0000;
    rig.words(rig.entry(iova, level), RW | (level > 1 ? PS : 0), 0);
    expect(rig.unit.cost_ns(DEVICE, iova)).toBe(5 + (reads + 2) * 80);
    rig.dma(IOVA);
    // The top table is on the way to both, and its entry for both is another one.
    expect(rig.unit.cost_ns(DEVICE, iova)).toBe(5 + (reads - 1) * 80);
    rig.dma(iova);
    expect(rig.unit.cost_ns(DEVICE, iova)).toBe(5);
  });

  test('the neighbour of a translated page takes one read, until tables are invalidated', () => {
    const rig = new Rig(REFERENCE, host).start();
    rig.enableQueue();
    const next = IOVA + 0x1000;
    rig.map(next, 0x60_0000 | RW);
    rig.dma(IOVA);
    expect(rig.unit.cost_ns(DEVICE, next)).toBe(5 + 80);
    const leavesOnly = 1 << 6;
    rig.submit(iotlbPages(DOMAIN, IOVA, leavesOnly));
    expect(rig.unit.cost_ns(DEVICE, IOVA)).toBe(5 + 80);
    rig.submit(iotlbPages(DOMAIN, IOVA));
    expect(rig.unit.cost_ns(DEVICE, next)).toBe(5 + 4 * 80);
  });

  test('asking changes nothing', () => {
    const rig = new Rig(REFERENCE, host).start();
    rig.unit.cost_ns(DEVICE, IOVA);
    rig.unit.cost_ns(DEVICE + 8, 0x7000);
    expect(rig.read(REG.FSTS)).toBe(0);
    rig.map(IOVA, 0x60_0000 | RW);
    expect(rig.dma(IOVA)).toBe(0x60_0000);
  });

  test('nothing while translation is off', () => {
    expect(new Rig(REFERENCE, host).unit.cost_ns(DEVICE, IOVA)).toBe(0);
  });
});

/** Root, context and second-stage entries to page or fault: cases 19 to 56 of vtd-cases. */
import { describe, expect, test } from 'vitest';
import type { UnitOptions } from '../../iommu/capabilities.ts';
import { REG } from '../../iommu/spec/registers.ts';
import { CONTEXTS, DEVICE, IOVA, PAGE, PS, R, REFERENCE, Rig, ROOT, RW, W } from './rig.ts';

const BLOCKED = -1;
const INTERRUPT_WINDOW = -2;
const CONTEXT_ENTRY = CONTEXTS + DEVICE * 16;

interface Case {
  readonly name: string;
  readonly prepare: (rig: Rig) => void;
  readonly iova?: number;
  readonly write?: boolean;
  /** A fault reason, or the physical address. */
  readonly reason?: number;
  readonly physical?: number;
  readonly options?: Partial<UnitOptions>;
}

const run = ({ prepare, options, iova = IOVA, write = false, reason, physical }: Case): void => {
  const rig = new Rig({ ...REFERENCE, ...options }).start();
  prepare(rig);
  const result = rig.dma(iova, write);
  if (physical !== undefined) expect(result).toBe(physical);
  else {
    expect(result).toBe(BLOCKED);
    expect(rig.fault()).toEqual({
      sid: DEVICE,
      address: Math.floor(iova / 4096) * 4096,
      reason,
      isRead: !write,
    });
  }
};

describe('root and context entries', () => {
  const cases: Case[] = [
    { name: '19: root absent, write', prepare: (rig) => rig.words(ROOT, 0), write: true, reason: 0x01 },
    { name: '20: root absent, read', prepare: (rig) => rig.words(ROOT, 0), reason: 0x01 },
    { name: '21: root table beyond memory', prepare: (rig) => rig.setRoot(0, 0x1_0000), reason: 0x08 },
    { name: '22: root bit 1', prepare: (rig) => rig.words(ROOT, CONTEXTS | 3), reason: 0x0a },
    { name: '23: root upper quad', prepare: (rig) => rig.words(ROOT + 8, 1), reason: 0x0a },
    { name: '24: context table unreadable', prepare: (rig) => rig.words(ROOT, 0xf000_0001), reason: 0x09 },
    { name: '25: context absent', prepare: (rig) => rig.context(DEVICE, { low: 0 }), reason: 0x02 },
    { name: '28: context bit 4', prepare: (rig) => rig.context(DEVICE, { low: 0x11 }), reason: 0x0b },
    { name: 'context bit 71', prepare: (rig) => rig.words(CONTEXT_ENTRY + 8, 0x282), reason: 0x0b },
    { name: 'context bits above DID', prepare: (rig) => rig.words(CONTEXT_ENTRY + 12, 1), reason: 0x0b },
    {
      name: 'context pointer above HAW',
      prepare: (rig) => rig.context(DEVICE, { high: 0x1_0000 }),
      reason: 0x0b,
    },
    { name: '29: AW=3 not in SAGAW', prepare: (rig) => rig.context(DEVICE, { width: 3 }), reason: 0x03 },
    { name: '30: TT=11', prepare: (rig) => rig.context(DEVICE, { type: 3 }), reason: 0x03 },
    {
      name: '31: TT=01 without device TLB',
      prepare: (rig) => rig.context(DEVICE, { type: 1 }),
      reason: 0x03,
    },
    {
      name: 'DID beyond ND',
      prepare: (rig) => rig.context(DEVICE, { domain: 16 }),
      options: { domainIdBits: 4 },
      reason: 0x0b,
    },
    {
      name: '32: TT=10 without pass-through',
      prepare: (rig) => rig.context(DEVICE, { type: 2 }),
      options: { passThrough: false },
      reason: 0x03,
    },
    {
      name: '33: TT=10 narrower',
      prepare: (rig) => rig.context(DEVICE, { type: 2, width: 1 }),
      reason: 0x03,
    },
    {
      name: '34: pass-through',
      prepare: (rig) => rig.context(DEVICE, { type: 2 }),
      iova: 0x1234_5678,
      write: true,
      physical: 0x1234_5678,
    },
    { name: 'TTM=01 is not supported', prepare: (rig) => rig.setRoot(ROOT | 0x400), reason: 0x30 },
    { name: '37: 39 bits', prepare: (rig) => rig.context(DEVICE, { width: 1 }), iova: 2 ** 39, reason: 0x04 },
    { name: '38: 48 bits', prepare: () => {}, iova: 2 ** 48, reason: 0x04 },
    {
      name: '38: the last page of 48 bits',
      prepare: (rig) => rig.map(2 ** 48 - 4096, PAGE | RW),
      iova: 2 ** 48 - 1,
      physical: PAGE + 4095,
    },
    {
      name: '39: top table unreadable',
      prepare: (rig) => rig.context(DEVICE, { table: 0xf000_0000 }),
      reason: 0x03,
    },
  ];
  test.each(cases)('$name', run);

  test('26: FPD silences a fault of the context entry, 27: but not one of the root entry', () => {
    const rig = new Rig().start();
    rig.context(DEVICE, { low: 2 });
    expect(rig.dma(IOVA)).toBe(BLOCKED);
    expect([rig.fault(), rig.read(REG.FSTS)]).toEqual([null, 0]);
    rig.words(ROOT, 0);
    expect(rig.dma(IOVA)).toBe(BLOCKED);
    expect(rig.fault()?.reason).toBe(0x01);
  });

  test('134: FPD silences page faults of a cached context', () => {
    const rig = new Rig().start();
    rig.context(DEVICE, { low: 3 });
    expect(rig.dma(IOVA)).toBe(PAGE);
    for (let page = 0; page < 10; page++) expect(rig.dma(0x7000_0000 + page * 4096)).toBe(BLOCKED);
    expect(rig.read(REG.FSTS)).toBe(0);
  });
});

describe('second-stage entries', () => {
  const pte =
    (low: number, high = 0) =>
    (rig: Rig) =>
      rig.map(IOVA, low, high);
  const at =
    (level: number, low: number, high = 0) =>
    (rig: Rig) => {
      const entry = rig.entry(IOVA, level);
      rig.words(entry, low, high);
    };
  const or = (level: number, bits: number) => (rig: Rig) => {
    const entry = rig.entry(IOVA, level) / 4;
    rig.memory.u32[entry] = rig.memory.u32[entry]! | bits;
  };
  const cases: Case[] = [
    { name: '40: level 3 table unreadable', prepare: at(4, 0xf000_0003), reason: 0x07 },
    { name: '40: table above 4 GiB unreadable', prepare: at(4, 0x10_3003, 1), reason: 0x07 },
    { name: '41: absent, write', prepare: pte(0), write: true, reason: 0x05 },
    { name: '41: absent, read', prepare: pte(0), reason: 0x06 },
    { name: '42: read-only, write', prepare: pte(PAGE | R), write: true, reason: 0x05 },
    { name: '42: read-only, read', prepare: pte(PAGE | R), physical: PAGE },
    { name: '42: write-only, read', prepare: pte(PAGE | W), reason: 0x06 },
    { name: '42: write-only, write', prepare: pte(PAGE | W), write: true, physical: PAGE },
    { name: '44: SNP without SC', prepare: pte(PAGE | RW | 0x800), reason: 0x0c },
    {
      name: '44: SNP with SC',
      prepare: pte(PAGE | RW | 0x800),
      options: { snoopControl: true },
      physical: PAGE,
    },
    { name: '44: SNP in an absent entry', prepare: pte(0x800), reason: 0x06 },
    { name: '45: address bit 48', prepare: pte(PAGE | RW, 0x1_0000), reason: 0x0c },
    { name: 'bit 62', prepare: pte(PAGE | RW, 0x4000_0000), reason: 0x0c },
    { name: '46: PS at level 4', prepare: or(4, PS), reason: 0x0c },
    { name: '47: 2M leaf not supported', prepare: at(2, PS | RW), options: { leaf2M: false }, reason: 0x0c },
    { name: '1G leaf not supported', prepare: at(3, PS | RW), options: { leaf1G: false }, reason: 0x0c },
    { name: '48: 2M leaf misaligned', prepare: at(2, 0x1000 | PS | RW), reason: 0x0c },
    { name: '48: 2M leaf', prepare: at(2, 0x80_0000 | PS | RW), iova: IOVA + 8, physical: 0x94_5008 },
    { name: '49: 1G leaf', prepare: at(3, 0x4000_0000 | PS | RW), iova: IOVA + 8, physical: 0x5234_5008 },
    {
      name: '50: read cleared above',
      prepare: (rig) => rig.words(rig.entry(IOVA, 2), 0x20_1000 | W),
      reason: 0x06,
    },
    { name: '51: PS at level 1 is ignored', prepare: pte(PAGE | RW | PS), physical: PAGE },
    { name: '52: ignored bits', prepare: pte(PAGE | RW | 0x778, 0xbff0_0000), physical: PAGE },
    { name: '53: output in the interrupt range', prepare: pte(0xfee0_1003), write: true, reason: 0x0e },
    { name: '54: 2M leaf over the interrupt range', prepare: at(2, 0xfee0_0000 | PS | RW), reason: 0x0e },
  ];
  test.each(cases)('$name', run);

  test.each([
    [1, 3, 'three levels'],
    [2, 4, 'four levels'],
    [3, 5, 'five levels'],
  ])('AW=%i walks %i levels', (width, levels) => {
    const rig = new Rig({ ...REFERENCE, tableBits: [39, 48, 57], guestAddressBits: 57 }).start();
    const top = 0x30_0000;
    rig.context(0x28, { table: top, width, domain: 5 });
    const iova = 2 ** (12 + 9 * (levels - 1)) * 3 + 0x5000;
    rig.words(rig.entry(iova, 1, top, levels), 0x50_0000 | RW, 0);
    expect(rig.dma(iova + 0x123, true, 0x28)).toBe(0x50_0123);
    expect(rig.dma(iova + 0x124, true, 0x28)).toBe(0x50_0124);
  });

  test('physical addresses above 4 GiB come out whole', () => {
    const rig = new Rig().start();
    rig.map(IOVA, 0x7000 | RW, 0x5bc);
    expect(rig.dma(IOVA + 1)).toBe(0x5bc_0000_7001);
    expect(rig.dma(IOVA + 2)).toBe(0x5bc_0000_7002);
  });

  test('addresses beyond 8 TiB, which no board has, become one frame that nothing answers', () => {
    const rig = new Rig().start();
    rig.map(IOVA, 0x7000 | RW, 0xabc);
    expect(rig.unit.frame(DEVICE, IOVA, 0, false)).toBe(0x7fff_ffff);
    expect(rig.unit.frame(DEVICE, IOVA, 0, false)).toBe(0x7fff_ffff);
  });
});

describe('the interrupt window', () => {
  test('55: is never translated, whether or not translation is on, and never faults', () => {
    const rig = new Rig().start();
    rig.map(0xfee0_0000, PAGE | RW);
    expect(rig.dma(0xfee0_0000, true)).toBe(INTERRUPT_WINDOW);
    expect(rig.dma(0xfeef_ffff)).toBe(INTERRUPT_WINDOW);
    expect(rig.read(REG.FSTS)).toBe(0);
    expect(new Rig().dma(0xfee0_1234, true)).toBe(INTERRUPT_WINDOW);
  });

  test('a cached 1G leaf around it does not cover it', () => {
    const rig = new Rig().start();
    rig.words(rig.entry(0xc000_0000, 3), 0x4000_0000 | PS | RW);
    expect(rig.dma(0xfedf_f000)).toBe(0x7edf_f000);
    expect(rig.dma(0xfee0_0000)).toBe(INTERRUPT_WINDOW);
    expect(rig.dma(0xfef0_0000)).toBe(0x7ef0_0000);
  });

  test('55: a message passes as it is while remapping is off', () => {
    const rig = new Rig().start();
    const seen: number[] = [];
    const message = rig.interrupts.allocate(
      rig.clock.register((argument) => seen.push(argument)),
      77,
    )!;
    expect(rig.unit.interrupt(DEVICE, message.address, message.data)).toBe(true);
    expect(seen).toEqual([77]);
  });
});

test('requests of two domains at one address stay apart', () => {
  const rig = new Rig().start();
  const top = 0x30_0000;
  rig.context(0x28, { table: top, domain: 3 });
  rig.words(rig.entry(IOVA, 1, top), 0x50_0000 | RW, 0);
  expect([rig.dma(IOVA), rig.dma(IOVA, false, 0x28)]).toEqual([PAGE, 0x50_0000]);
  expect([rig.dma(IOVA + 4), rig.dma(IOVA + 4, false, 0x28)]).toEqual([PAGE + 4, 0x50_0004]);
});

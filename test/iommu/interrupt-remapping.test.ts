/** Interrupt remapping: cases 89 to 100 of vtd-cases. */
import { beforeEach, describe, expect, test } from 'vitest';
import { REG } from '../../iommu/spec/registers.ts';
import { DEVICE, GCMD, Rig } from './rig.ts';

const TABLE = 0x60_0000;
const CPU = 1;
const BASE = 0xfee0_0000;

/** The address of a remappable message (VT-d §5.1.2.2). */
const addressOf = (handle: number, hasSubhandle = false): number =>
  BASE + ((handle & 0x7fff) << 5) + 0x10 + (hasSubhandle ? 8 : 0) + ((handle >>> 15) << 2);

let rig: Rig;
/** Vectors that arrived, as cpu << 8 | vector. */
let arrived: number[];
let vectors: number[];

beforeEach(() => {
  rig = new Rig().start();
  arrived = [];
  vectors = [];
  for (let index = 0; index < 4; index++) {
    const handler = rig.clock.register(() => arrived.push(index));
    vectors.push(rig.interrupts.allocate(handler, 0)!.data);
  }
  rig.enableQueue();
  rig.write(REG.IRTA, TABLE | 3);
  rig.write(REG.IRTA + 4, 0);
  rig.command(0, GCMD.SIRTP);
  rig.command(GCMD.IRE);
});

/** Writes entry `index` so that it raises the test's vector number `which`. */
const entry = (index: number, which: number, word2 = (1 << 18) | DEVICE, extra = 0): void =>
  rig.words(TABLE + index * 16, (vectors[which]! << 16) | 1 | extra, 0, word2, 0);
const fire = (address: number, data = 0, requester = DEVICE): boolean =>
  rig.unit.interrupt(requester, address, data);

describe('delivery', () => {
  test('89: the entry decides, the data is ignored', () => {
    entry(5, 2);
    expect(addressOf(5)).toBe(0xfee0_00b0);
    expect(fire(addressOf(5), vectors[0]!)).toBe(true);
    expect(arrived).toEqual([2]);
  });

  test('90: handle and subhandle add up', () => {
    entry(7, 1);
    expect(fire(addressOf(4, true), 3)).toBe(true);
    expect(arrived).toEqual([1]);
  });

  test('96: compatibility format needs CFIS', () => {
    expect(fire(BASE, vectors[0]!)).toBe(false);
    expect(rig.fault()?.reason).toBe(0x25);
    rig.command(GCMD.CFI);
    expect(fire(BASE, vectors[0]!)).toBe(true);
    expect(arrived).toEqual([0]);
  });

  test('the destination comes from the entry', () => {
    const spurious = rig.interrupts.spurious;
    rig.words(TABLE, (vectors[0]! << 16) | 1, CPU << 8, 0, 0);
    expect(fire(addressOf(0))).toBe(true);
    expect([arrived.length, rig.interrupts.spurious]).toEqual([0, spurious + 1]);
  });
});

describe('blocked', () => {
  const blocked = (reason: number, index: number): void => {
    expect(arrived).toEqual([]);
    expect(rig.fault()).toEqual({ sid: DEVICE, address: index * 2 ** 48, reason, isRead: false });
  };

  test('91: index beyond the table', () => {
    expect(fire(addressOf(16))).toBe(false);
    blocked(0x21, 16);
  });

  test('92: absent entry', () => {
    expect(fire(addressOf(7))).toBe(false);
    blocked(0x22, 7);
  });

  test('92: absent entry with FPD is silent', () => {
    rig.words(TABLE, 2);
    expect(fire(addressOf(0))).toBe(false);
    expect(rig.fault()).toBeNull();
  });

  test.each([
    ['93: bit 12', [0x1001, 0, 0, 0]],
    ['posted format', [0x8001, 0, 0, 0]],
    ['93: bit 32 without EIME', [1, 1, 0, 0]],
    ['bits above SVT', [1, 0, 1 << 20, 0]],
    ['the last word', [1, 0, 0, 1]],
  ])('reserved: %s', (_, words) => {
    rig.words(TABLE, ...words);
    expect(fire(addressOf(0))).toBe(false);
    blocked(0x24, 0);
  });

  test('97: reserved data bits', () => {
    entry(0, 0);
    expect(fire(addressOf(0, true), 0x1_0000)).toBe(false);
    blocked(0x20, 0);
  });

  test('100: table outside memory', () => {
    rig.write(REG.IRTA, 3);
    rig.write(REG.IRTA + 4, 0x1_0000);
    rig.command(0, GCMD.SIRTP);
    expect(fire(addressOf(0))).toBe(false);
    blocked(0x23, 0);
  });

  test.each([
    ['94: SQ=0, exact', (1 << 18) | DEVICE, true],
    ['94: SQ=0, another device', (1 << 18) | 0x28, false],
    ['94: SQ=3, another function', (1 << 18) | (3 << 16) | (DEVICE + 5), true],
    ['SVT=0, anybody', 0x999, true],
    ['95: bus range around', (2 << 18) | 0x0003, true],
    ['95: bus range elsewhere', (2 << 18) | 0x0103, false],
    ['SVT=3 is reserved', (3 << 18) | DEVICE, false],
  ])('%s', (_, word2, passes) => {
    entry(3, 0, word2);
    expect(fire(addressOf(3))).toBe(passes);
    expect(rig.fault()?.reason).toBe(passes ? undefined : 0x26);
  });
});

describe('the entry cache', () => {
  const iecGlobal = [0x4n, 0n] as const;
  const iec = (index: number, mask: number) =>
    [(BigInt(index) << 32n) | (BigInt(mask) << 27n) | 0x14n, 0n] as const;

  test('98: an entry stays until its index is invalidated', () => {
    entry(5, 0);
    fire(addressOf(5));
    entry(5, 1);
    fire(addressOf(5));
    rig.submit(iec(4, 0));
    fire(addressOf(5));
    rig.submit(iec(5, 0));
    fire(addressOf(5));
    expect(arrived).toEqual([0, 0, 0, 1]);
  });

  test('99: a mask drops an aligned block', () => {
    for (const index of [7, 8, 15]) {
      entry(index, 0);
      fire(addressOf(index));
      entry(index, 1);
    }
    rig.submit(iec(8, 3));
    for (const index of [7, 8, 15]) fire(addressOf(index));
    expect(arrived.slice(3)).toEqual([0, 1, 1]);
    rig.submit(iecGlobal);
    fire(addressOf(7));
    expect(arrived.at(-1)).toBe(1);
  });
});

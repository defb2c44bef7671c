import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { runs } from '../runs.ts';

describe('Memory', () => {
  test('all views show the same little-endian bytes', () => {
    const memory = new Memory(65_536, 0);
    memory.u32[2] = 0x8765_4321;
    expect([...memory.u8.subarray(8, 12)]).toEqual([0x21, 0x43, 0x65, 0x87]);
    expect([memory.u16[5], memory.i32[2], memory.view.getUint32(8, true)]).toEqual([
      0x8765,
      0x8765_4321 | 0,
      0x8765_4321,
    ]);
  });

  test('copy moves overlapping ranges either way', () => {
    const memory = new Memory(65_536, 0);
    memory.u8.set([1, 2, 3, 4, 5], 100);
    memory.copy(102, 100, 5);
    expect([...memory.u8.subarray(100, 107)]).toEqual([1, 2, 1, 2, 3, 4, 5]);
    memory.copy(101, 102, 5);
    expect([...memory.u8.subarray(100, 107)]).toEqual([1, 1, 2, 3, 4, 5, 5]);
  });

  test('fill touches its range only', () => {
    const memory = new Memory(65_536, 0);
    memory.fill(10, 0x1ff, 3);
    expect([...memory.u8.subarray(9, 14)]).toEqual([0, 0xff, 0xff, 0xff, 0]);
  });

  test('device memory lies behind RAM, aligned, until it runs out', () => {
    const memory = new Memory(65_536, 65_536);
    const first = memory.reserve(100);
    const second = memory.reserve(100, 4096);
    expect(first).toBe(65_536);
    expect(second).toBe(65_536 + 4096);
    expect(memory.localFree).toBe(65_536 - 4096 - 100);
    expect(memory.reserve(65_536)).toBe(-1);
    expect(memory.reserve(memory.localFree, 1)).toBe(second + 100);
    expect(memory.reserve(1, 1)).toBe(-1);
  });

  test.each([
    [0, 0, '64 KiB'],
    [1000, 0, '64 KiB'],
    [65_536, 2 ** 32, 'below 4 GiB'],
  ])('RAM of %d bytes with %d of device memory cannot be', (ram, local, sentence) => {
    expect(() => new Memory(ram, local)).toThrow(sentence);
  });
});

describe('Pages', () => {
  const RAM_PAGES = 64;
  const make = () => {
    const memory = new Memory(RAM_PAGES * PAGE_SIZE, 0);
    return { memory, pages: new Pages(memory, 8 * PAGE_SIZE) };
  };

  test('hands out zeroed pages above the reserved ones, first fit', () => {
    const { memory, pages } = make();
    memory.fill(8 * PAGE_SIZE, 0xee, PAGE_SIZE);
    const first = pages.allocate(2);
    expect(first).toBe(8 * PAGE_SIZE);
    expect(memory.u8.subarray(first, first + 2 * PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
    expect(pages.allocate(4, 16)).toBe(16 * PAGE_SIZE);
    expect(pages.allocate(1)).toBe(10 * PAGE_SIZE);
  });

  test('a page cannot be freed twice', () => {
    const { pages } = make();
    const at = pages.allocate(4);
    pages.free(at, 4);
    expect(() => pages.free(at, 1)).toThrow('freed twice');
    expect(() => pages.free(at + PAGE_SIZE, 1)).toThrow('freed twice');
  });

  test('any history of runs: aligned, never overlapping, found when it exists, and whole again in the end', () => {
    const step = fc.record({
      free: fc.boolean(),
      which: fc.nat(),
      pages: fc.integer({ min: 1, max: 12 }),
      align: fc.nat(3),
    });
    const play = (steps: { free: boolean; which: number; pages: number; align: number }[]): void => {
      const { pages } = make();
      const taken = new Array<boolean>(RAM_PAGES).fill(false).fill(true, 0, 8);
      const runs: { first: number; pages: number }[] = [];
      const isFree = (first: number, count: number) =>
        first + count <= RAM_PAGES && taken.slice(first, first + count).every((page) => !page);
      for (const { free, which, pages: count, align } of steps) {
        if (free && runs.length > 0) {
          const [run] = runs.splice(which % runs.length, 1);
          pages.free(run!.first * PAGE_SIZE, run!.pages);
          taken.fill(false, run!.first, run!.first + run!.pages);
          continue;
        }
        const unit = 1 << align;
        let expected = 0;
        while (expected < RAM_PAGES && !isFree(expected, count)) expected += unit;
        const at = pages.allocate(count, unit);
        expect(at).toBe(expected < RAM_PAGES ? expected * PAGE_SIZE : -1);
        if (at === -1) continue;
        taken.fill(true, expected, expected + count);
        runs.push({ first: expected, pages: count });
      }
      expect(pages.free_pages).toBe(taken.filter((page) => !page).length);
      for (const run of runs) pages.free(run.first * PAGE_SIZE, run.pages);
      expect(pages.allocate(RAM_PAGES - 8)).toBe(8 * PAGE_SIZE);
    };
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), play), { numRuns: runs(200, 20_000) });
  });
});

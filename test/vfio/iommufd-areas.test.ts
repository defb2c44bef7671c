/** The area list and the IOVA allocator against naive models. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocateIova } from '../../vfio/iommufd/allocate.ts';
import { AreaList, type Placed, placed } from '../../vfio/iommufd/areas.ts';
import { holes, type Interval, insertSorted } from '../../vfio/iommufd/intervals.ts';
import { EINVAL, ENOSPC, EOVERFLOW } from '../../vfio/uapi/errno.ts';
import { U64_MAX } from '../../vfio/uapi/iommufd.ts';

/** Addresses that meet: small ones, and ones above 2^53 that differ by less than a double can tell. */
const address = fc.oneof(
  fc.bigInt(0n, 2000n),
  fc.bigInt(2n ** 60n, 2n ** 60n + 2000n),
  fc.bigInt(U64_MAX - 500n, U64_MAX),
);
const range = fc
  .tuple(address, fc.bigInt(1n, 40n))
  .map(([start, bytes]) => ({ start, last: start + bytes - 1n > U64_MAX ? U64_MAX : start + bytes - 1n }));

/** The same answer by looking at every interval. */
function naiveHoles(used: readonly Interval[], start: bigint, last: bigint): Interval[] {
  const sorted = [...used].sort((a, b) => (a.start < b.start ? -1 : 1));
  return [...holes(sorted, start, last)];
}

describe('holes', () => {
  test.each([
    ['nothing used', [], [[0n, 99n]]],
    [
      'used at both ends',
      [
        [0n, 9n],
        [90n, 99n],
      ],
      [[10n, 89n]],
    ],
    [
      'overlapping and adjacent',
      [
        [10n, 30n],
        [20n, 25n],
        [31n, 40n],
      ],
      [
        [0n, 9n],
        [41n, 99n],
      ],
    ],
    ['used to the end of the space', [[50n, U64_MAX]], [[0n, 49n]]],
    ['all used', [[0n, 200n]], []],
  ] as const)('%s', (_, used, expected) => {
    const list = used.map(([start, last]) => ({ start, last }));
    expect([...holes(list, 0n, 99n)].map((hole) => [hole.start, hole.last])).toEqual(expected);
  });
});

describe('AreaList', () => {
  test('agrees with a plain array under random inserts, removals and searches', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), range), { maxLength: 900 }), range, (steps, window) => {
        const list = new AreaList<Placed>();
        const model: Placed[] = [];
        for (const [add, { start, last }] of steps) {
          const hit = list.firstIn(start, last);
          expect(hit).toBe(model.find((area) => area.start <= last && area.last >= start) ?? null);
          if (add && hit === null) {
            const area = placed(start, last);
            list.insert(area);
            insertSorted(model, area);
          } else if (!add && hit !== null) {
            list.remove(hit);
            model.splice(model.indexOf(hit), 1);
          }
        }
        expect([...list]).toEqual(model);
        expect(list.size).toBe(model.length);
        const found: Interval[] = [];
        list.findHole(window.start, U64_MAX, 5n, (start, last) => {
          if (last - start + 1n >= 5n) found.push({ start, last });
          return false;
        });
        const expected = naiveHoles(model, window.start, U64_MAX).filter((h) => h.last - h.start + 1n >= 5n);
        expect(found).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  test('keeps order over many chunks, filled from both ends and from the middle', () => {
    const list = new AreaList<Placed>();
    for (let i = 0n; i < 3000n; i++)
      list.insert(placed(((i * 7919n) % 3000n) * 16n, ((i * 7919n) % 3000n) * 16n + 7n));
    expect(list.size).toBe(3000);
    let next = 0n;
    for (const area of list) {
      expect(area.start).toBe(next);
      next += 16n;
    }
    for (let i = 0n; i < 3000n; i += 2n) list.remove(list.firstIn(i * 16n, i * 16n)!);
    expect([...list].map((area) => area.start)).toEqual(
      Array.from({ length: 1500 }, (_, i) => BigInt(i) * 32n + 16n),
    );
    const large = (bytes: bigint): bigint => {
      let found = -1n;
      list.findHole(0n, 40_000n, bytes, (start, last) => {
        if (last - start + 1n >= bytes) found = start;
        return found >= 0n;
      });
      return found;
    };
    expect(large(24n)).toBe(24n);
    expect(large(25n)).toBe(-1n);
    list.remove(list.firstIn(30_000n, 30_010n)!);
    expect(large(25n)).toBe(29_976n);
    list.insert(placed(29_976n, 29_976n));
    expect(large(55n)).toBe(29_977n);
    expect(large(56n)).toBe(-1n);
  });
});

describe('allocateIova', () => {
  const space = (areas: Interval[], reserved: Interval[] = [], allowed: Interval[] = [], alignment = 1n) => {
    const list = new AreaList<Placed>();
    for (const { start, last } of areas) list.insert(placed(start, last));
    return { areas: list, reserved, allowed, alignment };
  };

  test.each([
    ['a page', 0x7000_1000n, 0x1000n, [], 0x1000n],
    ['the second page', 0x7000_1000n, 0x1000n, [[0x1000n, 0x1fffn]], 0x2000n],
    ['2 MiB at a 2 MiB aligned address', 0x7020_0000n, 0x20_0000n, [], 0x20_0000n],
    ['2 MiB at a 4 KiB aligned address', 0x7020_1000n, 0x20_0000n, [], 0x1000n],
    ['12 KiB aligns as 16 KiB', 0x7000_4000n, 0x3000n, [], 0x4000n],
    ['4 GiB aligns as 2 MiB', 0x1_0000_0000n, 0x1_0000_0000n, [], 0x20_0000n],
    ['the offset in the page is kept', 0x7000_0200n, 0x400n, [], 0x1200n],
    ['address 0 aligns by length alone', 0n, 0x2000n, [], 0x2000n],
  ] as const)('%s', (_, user, length, used, expected) => {
    const areas = used.map(([start, last]) => ({ start, last }));
    expect(allocateIova(space(areas), user, length)).toBe(expected);
  });

  test.each([
    ['half the space', space([]), 0n, U64_MAX / 2n, -EOVERFLOW],
    ['less aligned than the IOAS', space([], [], [], 4096n), 0x7000_0800n, 0x1000n, -EINVAL],
    [
      'a full allow list',
      space([{ start: 0x8000n, last: 0x8fffn }], [], [{ start: 0x8000n, last: 0x8fffn }]),
      0n,
      4096n,
      -ENOSPC,
    ],
    [
      'an allow list that is reserved',
      space([], [{ start: 0n, last: 0xffffn }], [{ start: 0x8000n, last: 0x8fffn }]),
      0n,
      4096n,
      -ENOSPC,
    ],
  ] as const)('%s is refused', (_, where, user, length, expected) => {
    expect(allocateIova(where, user, length)).toBe(expected);
  });

  test('takes the lowest address that a search of every candidate takes', () => {
    const small = fc
      .tuple(fc.bigInt(0n, 4000n), fc.bigInt(1n, 200n))
      .map(([start, bytes]) => ({ start: start + 4096n, last: start + 4096n + bytes }));
    fc.assert(
      fc.property(
        fc.array(small, { maxLength: 40 }),
        fc.array(small, { maxLength: 3 }),
        fc.integer({ min: 0, max: 6 }),
        fc.bigInt(1n, 300n),
        (wanted, reserved, shift, length) => {
          const where = space(
            [],
            reserved.sort((a, b) => (a.start < b.start ? -1 : 1)),
          );
          const used: Interval[] = [...reserved];
          for (const area of wanted) {
            if (where.areas.firstIn(area.start, area.last) !== null) continue;
            where.areas.insert(placed(area.start, area.last));
            used.push(area);
          }
          const user = 0x10000n + (1n << BigInt(shift + 6));
          let alignment = 1n;
          while (alignment < length) alignment <<= 1n;
          if (alignment > 1n << BigInt(shift + 6)) alignment = 1n << BigInt(shift + 6);
          const offset = user & 0xfffn;
          const place = (from: bigint) => ((from + alignment - 1n) & ~(alignment - 1n)) | offset;
          const free = naiveHoles(used, place(4096n), U64_MAX - 4096n);
          const hole = free.find(
            ({ start, last }) => place(start) < last && place(start) + length - 1n <= last,
          );
          const expected = place(hole!.start);
          expect(allocateIova(where, user, length)).toBe(expected);
        },
      ),
    );
  });
});

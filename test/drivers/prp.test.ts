import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildPrps, pagesOf, prpListBytes } from '../../drivers/nvme/prp.ts';

const PAGE = 4096;
const LIST_IOVA = 0x10_0000_0000;

/**
 * Builds for a list that starts `listOffset` bytes into its page, and gives pointers and list as addresses.
 */
function build(iova: number, bytes: number, listOffset = 0) {
  const pointers = new Int32Array(4);
  const list = new Int32Array(prpListBytes(bytes) + PAGE);
  const entries = buildPrps(pointers, 0, iova, bytes, list, listOffset / 4, LIST_IOVA + listOffset);
  const addresses = (words: Int32Array) =>
    [...new BigUint64Array(words.buffer)].map((address) => Number(address));
  return { pointers: addresses(pointers), list: addresses(list), entries };
}

/** What a controller makes of it (Base 2.1 §4.3.1): page by page, one list entry at a time. */
function walk({ pointers, list }: ReturnType<typeof build>, bytes: number): number[] {
  const [prp1, prp2] = pointers as [number, number];
  const pages = [prp1];
  const count = Math.ceil(((prp1 % PAGE) + bytes) / PAGE);
  if (count === 2) pages.push(prp2);
  for (let entry = prp2; count > 2 && pages.length < count; entry += 8) {
    const address = list[(entry - LIST_IOVA) / 8]!;
    if (entry % PAGE === PAGE - 8 && count - pages.length > 1) entry = address - 8;
    else pages.push(address);
  }
  return pages;
}

describe('PRP lists (Base 2.1 §4.3.1)', () => {
  test.each([
    // offset, bytes, list entries, PRP2 is
    [0, 512, 0, 'unused', 'inside one page'],
    [0, 4096, 0, 'unused', 'one whole page'],
    [0x200, 4096, 0, 'page', 'crosses one boundary'],
    [0, 8192, 0, 'page', 'two pages'],
    [4, 8192, 2, 'list', 'three pages for one dword'],
    [0, 8193, 2, 'list', 'the third page by a byte'],
    [0, 512 * PAGE + 1, 512, 'list', 'a full list page without a chain'],
    [0, 513 * PAGE + 1, 514, 'list', 'one page more needs a chain'],
  ])('offset %i, %i bytes: %i entries, PRP2 %s (%s)', (offset, bytes, entries, prp2) => {
    const iova = 0x7_1234_5000 + offset;
    const built = build(iova, bytes);
    expect(built.entries).toBe(entries);
    expect(built.pointers[0]).toBe(iova);
    expect(built.pointers[1]).toBe({ unused: 0, page: 0x7_1234_6000, list: LIST_IOVA }[prp2]);
  });

  test('name every page of any range in order, wherever the list starts', () => {
    const page = fc.integer({ min: 1, max: 2 ** 40 });
    const dword = fc.integer({ min: 0, max: 1023 });
    const bytes = fc
      .integer({ min: 1, max: 1500 })
      .chain((pages) => fc.integer({ min: 1, max: pages * PAGE }));
    const listEntry = fc.constantFrom(0, 1, 509, 510, 511);
    fc.assert(
      fc.property(page, dword, bytes, listEntry, (frame, word, length, entry) => {
        const iova = frame * PAGE + word * 4;
        const expected: number[] = [];
        for (let at = iova; at < iova + length; at = (Math.floor(at / PAGE) + 1) * PAGE) expected.push(at);
        expect(walk(build(iova, length, entry * 8), length)).toEqual(expected);
        expect(pagesOf(iova, length)).toBe(expected.length);
      }),
    );
  });

  test('fit into prpListBytes at the worst offset, and lists of less than a page never cross one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 * 1024 * 1024 }), (length) => {
        const room = prpListBytes(length);
        expect(build(PAGE - 4, length).entries * 8).toBeLessThanOrEqual(room);
        expect(room < PAGE ? PAGE % room : room % PAGE).toBe(0);
      }),
    );
  });
});

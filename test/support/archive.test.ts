/** Archives: what goes in comes out, and what does not fit is said. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Archive, ArchiveError } from '../../support/archive.ts';
import { crc32c } from '../../support/crc32c.ts';

/** What `load` makes of what `save` saved. */
function passed(save: (a: Archive) => void, load: (a: Archive) => void): void {
  const a = Archive.save();
  save(a);
  load(Archive.load(a.finish()));
}

const typed = fc.oneof(
  ...[fc.int8Array(), fc.uint8Array(), fc.int16Array(), fc.uint16Array(), fc.int32Array(), fc.uint32Array()],
  fc.float64Array(),
);
const leaf = fc.oneof(
  fc.double(),
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.bigInt(),
  fc.constantFrom(null, undefined),
  typed,
);
const plain = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.tuple(fc.double(), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
    fc.array(fc.string(), { maxLength: 3 }).map((each) => new Set(each)),
  ),
})).value;

describe('values', () => {
  test('plain data come back as they were, in their order', () => {
    fc.assert(
      fc.property(fc.array(plain, { maxLength: 5 }), (values) => {
        passed(
          (a) => expect(values.map((value) => a.value(value))).toEqual(values),
          (a) => expect(values.map(() => a.value<unknown>(undefined))).toStrictEqual(values),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('large arrays that repeat come back whole', () => {
    const words = new Int32Array(20_001).fill(-1);
    words.set([7, 8], 2047);
    words[20_000] = 3;
    passed(
      (a) => a.value(words),
      (a) => expect(a.value(new Int32Array(0))).toEqual(words),
    );
    const empty = Archive.save();
    empty.value(new Float64Array(1 << 17));
    expect(empty.finish().length).toBeLessThan(8192);
  });

  test('containers keep their identity', () => {
    const [array, map, set, bytes] = [[1], new Map([[1, 2]]), new Set(['a']), new Uint8Array(3)];
    passed(
      (a) => a.contents([4, 5], new Map([[6, 7]]), new Set(['b']), Uint8Array.of(1, 2, 3)),
      (a) => a.contents(array, map, set, bytes),
    );
    expect([array, map, set, bytes]).toEqual([
      [4, 5],
      new Map([[6, 7]]),
      new Set(['b']),
      Uint8Array.of(1, 2, 3),
    ]);
  });

  test('memory comes back, and what was not zero before is', () => {
    const [saved, loaded] = [new Uint8Array(16_384), new Uint8Array(16_384)];
    saved[4100] = 1;
    saved[16_383] = 0x80;
    loaded.fill(9, 0, 9000);
    passed(
      (a) => a.pages(saved, saved.length),
      (a) => a.pages(loaded, loaded.length),
    );
    expect(loaded).toEqual(saved);
  });
});

describe('what does not fit', () => {
  const body = (a: Archive): void => a.section('room', 1, () => a.value([1, 2]));
  test.each<[string, (a: Archive) => void]>([
    ['(hall): "room" is there where "hall" belongs', (a) => a.section('hall', 1, () => {})],
    ['(room): it is there in version 1, and here in version 2', (a) => a.section('room', 2, () => {})],
    ['(room): 23 bytes are there, and 0 were read', (a) => a.section('room', 1, () => {})],
    ['(room): array is there where number belongs', (a) => a.section('room', 1, () => a.value(1))],
    ['(state): section is there where number belongs', (a) => a.value(1)],
    ['(state): section is there where pages belongs', (a) => a.pages(new Uint8Array(4096), 4096)],
    [
      '(room): it ends too early',
      (a) => {
        body(a);
        body(a);
      },
    ],
  ])('%s', (sentence, load) => {
    expect(() => passed(body, load)).toThrow(
      new ArchiveError(`it is state of another version or machine ${sentence}`),
    );
  });

  test('a larger memory', () => {
    const memory = new Uint8Array(8192).fill(1);
    const load = (a: Archive): void => a.pages(memory, 4096);
    expect(() => passed((a) => a.pages(memory, 8192), load)).toThrow('(state): the memory there is larger');
  });

  test('a size that is another one', () => {
    const load = (a: Archive): void => a.same(2, 'the number of drives');
    expect(() => passed((a) => a.same(1, ''), load)).toThrow('the number of drives is 1 there and 2 here');
    const short = (a: Archive): void => a.contents(new Uint8Array(2));
    expect(() => passed((a) => a.contents(new Uint8Array(3)), short)).toThrow(
      'the length of a table is 3 there and 2 here',
    );
  });

  test('what cannot be saved is refused when it is saved, and only then', () => {
    expect(() => Archive.save().require(false, 'no')).toThrow(new ArchiveError('no'));
    passed(
      () => {},
      (a) => a.require(false, 'no'),
    );
    expect(() => Archive.save().value(new (class Part {})())).toThrow('is no plain data');
  });

  test('bytes that are no state, or not all of it', () => {
    const a = Archive.save();
    body(a);
    const bytes = a.finish().slice();
    const changed = (at: number, value: number): Uint8Array => bytes.with(at, value);
    expect(() => Archive.load(new Uint8Array(3))).toThrow(new ArchiveError('it is no saved state'));
    expect(() => Archive.load(changed(0, 0))).toThrow('it is no saved state');
    expect(() => Archive.load(changed(4, bytes[4]! ^ 1))).toThrow(
      /^it is state of format 0x[0-9a-f]+, and this version reads format 0x[0-9a-f]+$/,
    );
    expect(() => Archive.load(bytes.subarray(0, 20))).toThrow(/^it is cut off: 20 of \d+ bytes are there$/);
    expect(() => Archive.load(changed(bytes.length - 1, 0xee))).toThrow(
      'it is damaged: its checksum does not fit',
    );
    expect(crc32c(bytes, 16)).toBe(new DataView(bytes.buffer).getUint32(12, true));
  });
});

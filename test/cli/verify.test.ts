/** Verified blocks: each way in which a block can be wrong has its own sentence, and orders visit what they should. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { sequential, shuffled, uniform } from '../../cli/fio/order.ts';
import { parsePattern } from '../../cli/fio/pattern.ts';
import { READ } from '../../cli/fio/stats.ts';
import { ANY_WRITE, headerVerifier, patternVerifier } from '../../cli/fio/verify.ts';
import { Workload } from '../../cli/fio/workload.ts';
import { random } from '../../support/random.ts';

const LENGTH = 4096;
const OFFSET = 5 * 2 ** 32 + 8192;

describe('verify=crc32c', () => {
  const buffer = new Uint8Array(2 * LENGTH);
  const blocks = headerVerifier(buffer, LENGTH, 77);
  const written = (at: number, offset: number, number: number) => {
    buffer.fill(0);
    blocks.fill(at, offset, number);
  };

  test.each([
    ['the very block', () => written(LENGTH, OFFSET, 3), null],
    ['never written', () => buffer.fill(0), /^no header, the block begins with 0x00000000/],
    [
      'another place',
      () => written(LENGTH, OFFSET - 4096, 3),
      /^misplaced: this is the block of offset 21474840576$/,
    ],
    [
      'an older write',
      () => written(LENGTH, OFFSET, 2),
      /^stale: holds write 2 of seed 0x4d, the last one was 3 of seed 0x4d$/,
    ],
    [
      'a flipped bit in the data',
      () => {
        written(LENGTH, OFFSET, 3);
        buffer[2 * LENGTH - 1]! ^= 1;
      },
      /^bad crc32c/,
    ],
    [
      'a flipped bit in the header',
      () => {
        written(LENGTH, OFFSET, 3);
        buffer[LENGTH + 8]! ^= 1;
      },
      /^the header is damaged$/,
    ],
    [
      'another seed',
      () => headerVerifier(buffer, LENGTH, 78).fill(LENGTH, OFFSET, 3),
      /^stale: .* of seed 0x4e/,
    ],
    [
      'another length',
      () => headerVerifier(buffer, 512, 77).fill(LENGTH, OFFSET, 3),
      /^written as 512 bytes, read as 4096$/,
    ],
  ])('%s', (_, prepare, expected) => {
    prepare();
    const wrong = blocks.check(LENGTH, OFFSET, 3);
    if (expected === null) expect(wrong).toBeNull();
    else expect(wrong).toMatch(expected);
  });

  test('without knowledge of the last write, age and seed do not matter', () => {
    headerVerifier(buffer, LENGTH, 78).fill(0, OFFSET, 9);
    expect(blocks.check(0, OFFSET, ANY_WRITE)).toBeNull();
  });

  test('two writes of one block differ in their payload', () => {
    blocks.fill(0, OFFSET, 1);
    blocks.fill(LENGTH, OFFSET, 2);
    expect(buffer.subarray(32, LENGTH)).not.toEqual(buffer.subarray(LENGTH + 32));
  });
});

describe('verify=pattern', () => {
  test('a pattern with %o knows its place', () => {
    const buffer = new Uint8Array(64);
    const blocks = patternVerifier(buffer, 64, parsePattern('"ab"%o0x01')!);
    blocks.fill(0, 64, 1);
    expect(Buffer.from(buffer.subarray(0, 13)).toString('hex')).toBe('61624000000000000000016162');
    expect(blocks.check(0, 64, 1)).toBeNull();
    expect(blocks.check(0, 128, 1)).toBe('bad pattern at byte 2 of the block: got 0x40, expected 0x80');
  });
});

describe('orders', () => {
  const take = (order: { next(): number }, count: number) =>
    Array.from({ length: count }, () => order.next());

  test('a shuffled pass visits every block once, and the next one in another order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), fc.integer(), (blocks, seed) => {
        const order = shuffled(blocks, random(seed, 'order'));
        const all = Array.from({ length: blocks }, (_, block) => block);
        const passes = [take(order, blocks), take(order, blocks)];
        for (const pass of passes) expect(pass.toSorted((a, b) => a - b)).toEqual(all);
        if (blocks > 20) expect(passes[0]).not.toEqual(passes[1]);
      }),
    );
  });

  test('a shuffled pass has no trend: neighbours are far apart', () => {
    const pass = take(shuffled(10_000, random(1, 'order')), 10_000);
    const steps = pass.slice(1).map((block, index) => Math.abs(block - pass[index]!));
    const mean = steps.reduce((a, b) => a + b) / steps.length;
    expect(mean / 10_000).toBeCloseTo(1 / 3, 1); // the expected distance of two random points
  });

  test('sequential wraps, uniform stays inside', () => {
    expect(take(sequential(3), 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
    expect(take(uniform(5, random(1, 'order')), 200).every((block) => block >= 0 && block < 5)).toBe(true);
  });
});

describe('workload', () => {
  const workload = (lines: string) => {
    const job = parseJobFile(`[a]\n${lines}`, 'x.fio').jobs[0]!;
    return new Workload(job, { start: 65_536, bytes: 40_960 }, random(1, 'workload'));
  };
  const drain = (load: Workload, outstanding = 0) => {
    const all: { direction: number; offset: number; number: number }[] = [];
    while (load.next(outstanding))
      all.push({ direction: load.direction, offset: load.offset, number: load.number });
    return all;
  };

  test('size bounds the region, io_size the amount', () => {
    expect(drain(workload('bs=4k')).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 10 }, (_, index) => 65_536 + 4096 * index),
    );
    expect(drain(workload('bs=4k\nio_size=100k'))).toHaveLength(25);
    expect(drain(workload('bs=4k\nio_size=50%'))).toHaveLength(5);
  });

  test('what was written is read back once, by its last write', () => {
    const load = workload('rw=randwrite\nverify=crc32c\nio_size=60k');
    const last = new Map<number, number>();
    for (const { offset, number } of drain(load)) last.set(offset, number);
    expect(load.beginVerifying()).toBe(true);
    const reads = drain(load);
    expect(reads.every(({ direction }) => direction === READ)).toBe(true);
    expect(new Map(reads.map(({ offset, number }) => [offset, number]))).toEqual(last);
    expect(load.beginVerifying()).toBe(false);
  });

  test('a verified pass waits for the one before it', () => {
    const load = workload('rw=write\nverify=crc32c\nio_size=80k');
    expect(drain(load, 1)).toHaveLength(10);
    expect(drain(load, 0)).toHaveLength(10);
  });

  test.each(['rw=read\nverify=crc32c', 'rw=write', 'rw=write\nverify=crc32c\ndo_verify=0'])(
    '%j reads nothing back',
    (lines) => {
      const load = workload(lines);
      drain(load);
      expect(load.beginVerifying()).toBe(false);
    },
  );

  test('rwmixread holds over many', () => {
    const reads = drain(workload('rw=randrw\nrwmixread=70\nio_size=40m')).filter(
      ({ direction }) => direction === READ,
    );
    expect(reads.length / 10_240).toBeCloseTo(0.7, 1);
  });
});

/** Verified blocks: each way in which a block can be wrong has its own sentence, and orders visit what they should. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { HASHES } from '../../cli/fio/options.ts';
import { orderOf, shuffled, uniform } from '../../cli/fio/order.ts';
import { parsePattern } from '../../cli/fio/pattern.ts';
import { regionOf } from '../../cli/fio/region.ts';
import { READ, SYNC, TRIM, WRITE } from '../../cli/fio/stats.ts';
import { ANY_WRITE, type HeaderOptions, headerVerifier, patternVerifier } from '../../cli/fio/verify.ts';
import { Workload } from '../../cli/fio/workload.ts';
import { random } from '../../support/random.ts';

const LENGTH = 4096;
const OFFSET = 5 * 2 ** 32 + 8192;

const withHeader = (buffer: Uint8Array, changed: Partial<HeaderOptions> = {}) =>
  headerVerifier(buffer, {
    method: 'crc32c',
    interval: 0,
    headerOffset: 0,
    pattern: null,
    seed: 77,
    ...changed,
  });

describe('verify=crc32c', () => {
  const buffer = new Uint8Array(2 * LENGTH);
  const blocks = withHeader(buffer);
  const written = (at: number, offset: number, number: number) => {
    buffer.fill(0);
    blocks.fill(at, offset, LENGTH, number);
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
      () => withHeader(buffer, { seed: 78 }).fill(LENGTH, OFFSET, LENGTH, 3),
      /^stale: .* of seed 0x4e/,
    ],
    [
      'another length',
      () => withHeader(buffer).fill(LENGTH, OFFSET, 512, 3),
      /^written as 512 bytes, read as 4096$/,
    ],
  ])('%s', (_, prepare, expected) => {
    prepare();
    const wrong = blocks.check(LENGTH, OFFSET, LENGTH, 3);
    if (expected === null) expect(wrong).toBeNull();
    else expect(wrong).toMatch(expected);
  });

  test('without knowledge of the last write, age and seed do not matter', () => {
    withHeader(buffer, { seed: 78 }).fill(0, OFFSET, LENGTH, 9);
    expect(blocks.check(0, OFFSET, LENGTH, ANY_WRITE)).toBeNull();
  });

  test('two writes of one block differ in their payload', () => {
    blocks.fill(0, OFFSET, LENGTH, 1);
    blocks.fill(LENGTH, OFFSET, LENGTH, 2);
    expect(buffer.subarray(44, LENGTH)).not.toEqual(buffer.subarray(LENGTH + 44));
  });
});

describe('every method', () => {
  const buffer = new Uint8Array(new SharedArrayBuffer(LENGTH));
  const methods = ['crc32c', ...HASHES] as const;

  test.each(methods)('%s finds a flipped bit anywhere behind the header', (method) => {
    const blocks = withHeader(buffer, { method });
    fc.assert(
      fc.property(fc.integer({ min: 40, max: LENGTH - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        blocks.fill(0, OFFSET, LENGTH, 5);
        expect(blocks.check(0, OFFSET, LENGTH, 5)).toBeNull();
        buffer[at]! ^= 1 << bit;
        expect(blocks.check(0, OFFSET, LENGTH, 5)).toMatch(new RegExp(`^bad ${method}: `));
      }),
      { numRuns: 20 },
    );
  });

  test('verify_interval gives every part a header, and the wrong one is named', () => {
    const blocks = withHeader(buffer, { interval: 512 });
    blocks.fill(0, OFFSET, LENGTH, 5);
    expect(blocks.check(0, OFFSET, LENGTH, 5)).toBeNull();
    for (let part = 0; part < LENGTH; part += 512)
      expect(Buffer.from(buffer.subarray(part, part + 2)).toString('hex')).toBe('caac');
    buffer[1024 + 100]! ^= 1;
    expect(blocks.check(0, OFFSET, LENGTH, 5)).toMatch(/^bad crc32c: .* \(1024 bytes into the block\)$/);
  });

  test('verify_offset moves the header', () => {
    const blocks = withHeader(buffer, { headerOffset: 256, pattern: parsePattern('0x55') });
    blocks.fill(0, OFFSET, LENGTH, 5);
    expect(Buffer.from(buffer.subarray(0, 44)).toString('hex')).toBe('55'.repeat(44));
    expect(Buffer.from(buffer.subarray(256, 258)).toString('hex')).toBe('caac');
    expect(blocks.check(0, OFFSET, LENGTH, 5)).toBeNull();
  });

  test('another method than the one that wrote is told', () => {
    withHeader(buffer, { method: 'md5' }).fill(0, OFFSET, LENGTH, 5);
    expect(withHeader(buffer).check(0, OFFSET, LENGTH, 5)).toBe(
      'written with another verify method (2) than crc32c',
    );
  });
});

describe('verify=pattern', () => {
  test('a pattern with %o knows its place', () => {
    const buffer = new Uint8Array(64);
    const blocks = patternVerifier(buffer, parsePattern('"ab"%o0x01')!);
    blocks.fill(0, 64, 64, 1);
    expect(Buffer.from(buffer.subarray(0, 13)).toString('hex')).toBe('61624000000000000000016162');
    expect(blocks.check(0, 64, 64, 1)).toBeNull();
    expect(blocks.check(0, 128, 64, 1)).toBe('bad pattern at byte 2 of the block: got 0x40, expected 0x80');
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

  test('uniform stays inside', () => {
    expect(take(uniform(5, random(1, 'order')), 200).every((block) => block >= 0 && block < 5)).toBe(true);
  });

  /** How often each block comes up in `count` draws, most popular first. */
  const popularity = (kind: 'zipf' | 'pareto', value: number, blocks = 1000, count = 40_000) => {
    const hits = new Array<number>(blocks).fill(0);
    for (const block of take(orderOf(blocks, { kind, value }, true, random(1, kind)), count)) hits[block]!++;
    return hits.sort((a, b) => b - a).map((times) => times / count);
  };
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

  test.each([0.5, 0.9, 1.2, 2])(
    'zipf:%d: the block of rank r is chosen in proportion to 1/r^theta',
    (theta) => {
      const shares = popularity('zipf', theta);
      const weights = Array.from({ length: 1000 }, (_, rank) => (rank + 1) ** -theta);
      expect(shares[0]).toBeCloseTo(weights[0]! / sum(weights), 1);
      expect(sum(shares.slice(0, 100))).toBeCloseTo(sum(weights.slice(0, 100)) / sum(weights), 1);
    },
  );

  test('pareto:0.2: a fifth of the blocks gets four fifths of the accesses', () => {
    expect(sum(popularity('pareto', 0.2).slice(0, 200))).toBeCloseTo(0.8, 1);
  });

  test('normal:10: two thirds within a tenth of the middle', () => {
    const drawn = take(orderOf(1000, { kind: 'normal', value: 10 }, true, random(1, 'normal')), 5000);
    expect(drawn.filter((block) => Math.abs(block - 500) <= 100).length / 5000).toBeCloseTo(0.68, 1);
  });

  test('zoned:50/5:30/15:20/80: each part of the region gets its share', () => {
    const zones = [
      { access: 50, size: 5 },
      { access: 30, size: 15 },
      { access: 20, size: 80 },
    ];
    const drawn = take(orderOf(1000, { kind: 'zoned', zones }, true, random(1, 'zoned')), 10_000);
    const share = (from: number, to: number) =>
      drawn.filter((block) => block >= from && block < to).length / 10_000;
    expect([share(0, 50), share(50, 200), share(200, 1000)].map((each) => each.toFixed(1))).toEqual([
      '0.5',
      '0.3',
      '0.2',
    ]);
  });
});

describe('workload', () => {
  const workload = (lines: string) => {
    const job = parseJobFile(`[a]\nfilename=x\noffset=64k\nsize=40k\n${lines}`, 'x.fio').jobs[0]!;
    const region = regionOf(
      job,
      0,
      { bytes: 106_496, block_bytes: 512, zone_bytes: 0, maxOpenZones: 0, maxTransfer_bytes: 4096 },
      'x',
    );
    return new Workload(job, region, random(1, 'workload'));
  };
  /** Every I/O of a phase; each completes at once, or stays in flight. */
  const drain = (load: Workload, completes = true) => {
    const all: { direction: number; offset: number; bytes: number; number: number }[] = [];
    while (load.next(completes ? 0 : all.length)) {
      const { direction, offset, bytes, number } = load;
      all.push({ direction, offset, bytes, number });
      if (completes && load.keepsApart) load.settled(direction, offset, bytes);
    }
    return all;
  };
  const offsets = (lines: string) => drain(workload(lines)).map(({ offset }) => (offset - 65_536) / 4096);

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

  test('a block that will be verified is never in flight twice', () => {
    const load = workload('rw=write\nverify=crc32c\nio_size=80k');
    const first = drain(load, false);
    expect(first).toHaveLength(10);
    load.settled(WRITE, 65_536, 4096);
    expect(load.next(9)).toBe(true);
    expect([load.offset, load.number]).toEqual([65_536, 11]);
  });

  test('sequences skip, go back and wrap', () => {
    expect(offsets('rw=read:4k')).toEqual([0, 2, 4, 6, 8, 0, 2, 4, 6, 8]);
    expect(offsets('rw=read:-8k')).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0, 8]);
  });

  test('rw=randread:4 goes on for three blocks after each jump', () => {
    const all = offsets('rw=randread:4\nio_size=400k\nnorandommap');
    let sequential = 0;
    for (let at = 1; at < all.length; at++) if (all[at] === all[at - 1]! + 1) sequential++;
    expect(sequential).toBeGreaterThan(50);
    expect(sequential).toBeLessThan(85);
  });

  test('zonemode=strided does zonesize of each zone', () => {
    expect(offsets('zonemode=strided\nzonesize=8k\nzoneskip=8k')).toEqual([0, 1, 4, 5]);
  });

  test('bssplit has the shares it says, a range every multiple, and both stay inside', () => {
    const split = drain(workload('rw=randread\nbssplit=512/25:4k/75\nio_size=4m'));
    expect(split.filter(({ bytes }) => bytes === 512).length / split.length).toBeCloseTo(0.25, 1);
    const range = drain(workload('rw=randread\nbs=4k-16k\nio_size=8m'));
    expect(new Set(range.map(({ bytes }) => bytes / 4096))).toEqual(new Set([1, 2, 3, 4]));
    expect(range.every(({ offset, bytes }) => offset + bytes <= 65_536 + 40_960)).toBe(true);
    expect(range.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(8 * 2 ** 20);
  });

  test('sizes of every kind are read back by their last write', () => {
    const load = workload('rw=randwrite\nverify=md5\nbs=4k-16k\nio_size=400k');
    const last = new Map<number, number>();
    for (const { offset, bytes, number } of drain(load))
      for (let at = offset; at < offset + bytes; at += 4096) last.set(at, number);
    load.beginVerifying();
    expect(new Map(drain(load).map(({ offset, number }) => [offset, number]))).toEqual(last);
  });

  test('trimwrite trims every block before it writes it', () => {
    const all = drain(workload('rw=trimwrite'));
    expect(all).toHaveLength(20);
    for (let at = 0; at < 20; at += 2) {
      expect([all[at]!.direction, all[at + 1]!.direction]).toEqual([TRIM, WRITE]);
      expect(all[at + 1]!.offset).toBe(all[at]!.offset);
    }
  });

  test('fsync flushes after so many writes, end_fsync at the end', () => {
    const directions = (lines: string) => drain(workload(lines)).map(({ direction }) => direction);
    expect(directions('rw=write\nfsync=4\nsize=20k')).toEqual([1, 1, 1, 1, SYNC, 1]);
    expect(directions('rw=write\nend_fsync=1\nsize=12k')).toEqual([1, 1, 1, SYNC]);
  });

  test('verify_backlog reads back after so many writes, and the rest at the end', () => {
    const load = workload('rw=write\nverify=crc32c\nverify_backlog=4');
    const work = drain(load).map(({ direction }) => direction);
    expect(work.join('')).toBe('11110000111100001' + '1');
    load.beginVerifying();
    expect(drain(load).map(({ offset }) => (offset - 65_536) / 4096)).toEqual([8, 9]);
  });

  test('verify_only knows what the same job wrote', () => {
    const lines = 'rw=randwrite\nverify=crc32c\nio_size=60k';
    const wrote = workload(lines);
    drain(wrote);
    wrote.beginVerifying();
    const only = workload(`${lines}\nverify_only`);
    expect(drain(only)).toEqual([]);
    expect(only.beginVerifying()).toBe(true);
    expect(drain(only)).toEqual(drain(wrote));
  });

  test('loops and number_ios', () => {
    const load = workload('rw=read\nloops=2\nnumber_ios=3');
    expect(drain(load)).toHaveLength(3);
    expect(load.beginLoop()).toBe(true);
    expect(drain(load)).toHaveLength(3);
    expect(load.beginLoop()).toBe(false);
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

/** The histogram against fio's bucket rule and against sorted lists of samples. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUCKETS, bucketOf, bucketValue, Histogram } from '../../support/histogram.ts';
import { isSame } from '../compare.ts';

describe('buckets (fio stat.c, plat_val_to_idx)', () => {
  test.each([
    ['zero', 0, 0, 0],
    ['the last exact value of the first octaves', 127, 127, 127],
    ['the first bucket of two values', 128, 128, 129],
    ['its other value', 129, 128, 129],
    ['a microsecond', 1000, 317, 1004],
    ['ten microseconds', 10_000, 526, 10_048],
    ['beyond 32 bits', 2 ** 33, 1792, 2 ** 33 + 2 ** 26],
    ['beyond the last octave', 2 ** 50, BUCKETS - 1, 127.5 * 2 ** 27],
  ])('%s', (_, value, bucket, middle) => {
    expect(bucketOf(value)).toBe(bucket);
    expect(bucketValue(bucket)).toBe(middle);
  });

  test('a value is known to within 1/64, and order is kept', () => {
    const value = fc.integer({ min: 0, max: 2 ** 33 });
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(Math.abs(bucketValue(bucketOf(a)) - a)).toBeLessThanOrEqual(a / 64);
        expect(Math.sign(bucketOf(a) - bucketOf(b)) * Math.sign(a - b)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

const filled = (samples: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const sample of samples) histogram.record(sample);
  return histogram;
};

describe('statistics', () => {
  const samples = fc.array(fc.integer({ min: 0, max: 1e10 }), { minLength: 1, maxLength: 200 });

  test('extremes, mean, deviation and percentiles are those of the list', () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 100 }), (list, percent) => {
        const histogram = filled(list);
        const sorted = list.toSorted((a, b) => a - b);
        const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
        const squares = list.reduce((sum, value) => sum + (value - mean) ** 2, 0);
        expect(histogram.min).toBe(sorted[0]);
        expect(histogram.max).toBe(sorted.at(-1));
        expect(histogram.mean).toBeCloseTo(mean, -3);
        expect(histogram.deviation).toBeCloseTo(
          list.length < 2 ? 0 : Math.sqrt(squares / (list.length - 1)),
          -4,
        );
        const exact = sorted[Math.ceil((percent / 100) * list.length) - 1]!;
        expect(bucketOf(histogram.percentile(percent))).toBe(bucketOf(exact));
      }),
    );
  });

  test('merging is the same as recording everything in one', () => {
    fc.assert(
      fc.property(samples, samples, (first, second) => {
        const merged = filled(first);
        merged.merge(filled(second));
        const together = filled([...first, ...second]);
        expect(isSame(merged.counts, together.counts)).toBe(true);
        expect([merged.count, merged.min, merged.max]).toEqual([together.count, together.min, together.max]);
        expect(merged.mean).toBeCloseTo(together.mean, -2);
        expect(merged.deviation / (together.deviation || 1)).toBeCloseTo(together.deviation === 0 ? 0 : 1, 6);
      }),
    );
  });

  test('without samples there is nothing to tell', () => {
    const empty = new Histogram();
    expect([empty.count, empty.percentile(50), empty.deviation]).toEqual([0, 0, 0]);
  });
});

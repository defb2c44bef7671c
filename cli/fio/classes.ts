/** The classes into which fio sorts latencies, depths and batches, with their names and shares. Not here: counting. */
import { bucketValue, type Histogram } from '../../support/histogram.ts';

/** Upper ends of the classes of a latency, in each unit; milliseconds go on with 2000 and what is beyond. */
export const LATENCY_CLASSES: readonly number[] = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];
export const DEPTH_NAMES = ['1', '2', '4', '8', '16', '32', '>=64'] as const;
export const BATCH_NAMES = ['0', '4', '8', '16', '32', '64', '>=64'] as const;
const BEYOND = LATENCY_CLASSES.length + 1;

/**
 * Shares in percent of the latencies below 2, 4, 10 ... 1000, by unit: ns, us, ms. The last two of ms are those below
 * 2000 and those beyond.
 */
export function latencyShares(
  histograms: readonly Histogram[],
): readonly [ns: number[], us: number[], ms: number[]] {
  const total = histograms.reduce((sum, { count }) => sum + count, 0);
  const zeros = (length: number) => new Array<number>(length).fill(0);
  const shares: [number[], number[], number[]] = [
    zeros(LATENCY_CLASSES.length),
    zeros(LATENCY_CLASSES.length),
    zeros(BEYOND + 1),
  ];
  for (const { counts } of histograms) {
    for (const [bucket, samples] of counts.entries()) {
      if (samples === 0) continue;
      const unit = bucketValue(bucket) < 1e3 ? 0 : bucketValue(bucket) < 1e6 ? 1 : 2;
      const value = bucketValue(bucket) / 1000 ** unit;
      const index = LATENCY_CLASSES.findIndex((limit) => value < limit);
      const place = index >= 0 ? index : value < 2000 ? LATENCY_CLASSES.length : BEYOND;
      shares[unit]![place]! += (100 * samples) / total;
    }
  }
  return shares;
}

/** Counts as percent of `total`, no less than a tenth for what happened at all. */
export const sharesOf = (counts: Float64Array, total: number): number[] =>
  Array.from(counts, (value) => {
    const share = total === 0 ? 0 : (100 * value) / total;
    return share > 0 && share < 0.1 ? 0.1 : share;
  });

export const sum = (counts: Float64Array): number => counts.reduce((total, value) => total + value, 0);

/** Seconds, milliseconds as whole numbers. */
export const milliseconds = (ns: number): number => Math.round(ns / 1e6);

/**
 * Latency histogram with fio's bucket rule: values below 128 exactly, above it 64 linear buckets per power of two,
 * so a value is known to better than 1.6 %. Recording allocates nothing; merging is exact.
 * Not here: text and JSON of it (cli/fio/report.ts).
 */
import type { Archive } from './archive.ts';

/** Linear buckets per power of two, as a power of two: FIO_IO_U_PLAT_BITS. */
const BITS = 6;
const PER_OCTAVE = 1 << BITS;
/** FIO_IO_U_PLAT_GROUP_NR: in nanoseconds the last octave begins at 8.6 s, and everything above ends in its last bucket. */
const OCTAVES = 29;
export const BUCKETS = OCTAVES * PER_OCTAVE;

/** The bucket of a value of zero or more; fractions are dropped. */
export function bucketOf(value: number): number {
  // A value beyond 32 bits keeps its leading bits and counts the octaves that were shifted out.
  let octave = 0;
  let word = Math.floor(value);
  while (word >= 0x1_0000_0000) {
    word = Math.floor(word / 2);
    octave++;
  }
  const shift = 31 - Math.clz32(word) - BITS;
  if (shift <= 0) return word;
  octave += shift;
  return Math.min(((octave + 1) << BITS) + ((word >>> shift) & (PER_OCTAVE - 1)), BUCKETS - 1);
}

/** The value a bucket stands for: itself below 128, the bucket's middle above. */
export function bucketValue(bucket: number): number {
  if (bucket < 2 * PER_OCTAVE) return bucket;
  const octave = (bucket >>> BITS) - 1;
  return (PER_OCTAVE + (bucket & (PER_OCTAVE - 1)) + 0.5) * 2 ** octave;
}

export class Histogram {
  /** Samples by bucket. */
  readonly counts = new Float64Array(BUCKETS);
  count = 0;
  /** Smallest and largest sample; Infinity and 0 while there is none. */
  min = Number.POSITIVE_INFINITY;
  max = 0;
  mean = 0;
  /** Sum of squared distances from the mean (Welford). */
  private squares = 0;

  /** Adds one sample of zero or more. */
  record(value: number): void {
    const bucket = bucketOf(value);
    this.counts[bucket] = this.counts[bucket]! + 1;
    this.count++;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.squares += delta * (value - this.mean);
  }

  /** Standard deviation of the samples (n - 1); 0 for fewer than two. */
  get deviation(): number {
    return this.count < 2 ? 0 : Math.sqrt(this.squares / (this.count - 1));
  }

  /** The value below or at which `percent` of the samples lie, as fio takes it; 0 without samples. */
  percentile(percent: number): number {
    const target = (percent / 100) * this.count;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS && this.count > 0; bucket++) {
      seen += this.counts[bucket]!;
      if (seen >= target && seen > 0) return bucketValue(bucket);
    }
    return 0;
  }

  /** Adds all samples of another histogram. */
  merge(other: Histogram): void {
    if (other.count === 0) return;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.counts[bucket] = this.counts[bucket]! + other.counts[bucket]!;
    }
    const count = this.count + other.count;
    const delta = other.mean - this.mean;
    this.squares += other.squares + (delta * delta * this.count * other.count) / count;
    this.mean += (delta * other.count) / count;
    this.count = count;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.counts);
    this.count = a.value(this.count);
    this.min = a.value(this.min);
    this.max = a.value(this.max);
    this.mean = a.value(this.mean);
    this.squares = a.value(this.squares);
  }
}

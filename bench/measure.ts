/** How benchmarks measure and name what they found. Not here: what is measured. */

/** One number of a run, as the JSON file has it: the best sample, and the median one where there were samples. */
export interface Metric {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly detail: string;
  readonly median?: number;
}

/** Nanoseconds per operation: the best sample, which nothing else on the host disturbed, and the median. */
export interface Time {
  readonly best: number;
  readonly median: number;
}

/** `npm run bench -- --quick`: shorter, and less certain. */
export const isQuick = process.argv.includes('--quick');
export const WARM_UP_MS = isQuick ? 200 : 1000;
/** Short samples, many of them. */
const SAMPLE_MS = 2;
export const SAMPLES = isQuick ? 60 : 500;

export const metric = (name: string, value: number | Time, unit: string, detail: string): Metric =>
  typeof value === 'number'
    ? { name, value, unit, detail }
    : { name, value: value.best, unit, detail, median: value.median };

/** Time of one operation of `run(count)`: warmed up, then samples of about 2 ms. */
export function timeOf(run: (count: number) => void): Time {
  let count = 64;
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) {
    const start = performance.now();
    run(count);
    if (performance.now() - start < SAMPLE_MS) count *= 2;
  }
  const samples = new Float64Array(SAMPLES);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = process.hrtime.bigint();
    run(count);
    samples[sample] = Number(process.hrtime.bigint() - start) / count;
  }
  return summary(samples);
}

/** The same for operations that have to be awaited. */
export async function timeOfAsync(run: (count: number) => Promise<void>): Promise<Time> {
  let count = 64;
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) {
    const start = performance.now();
    await run(count);
    if (performance.now() - start < SAMPLE_MS) count *= 2;
  }
  const samples = new Float64Array(SAMPLES);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = process.hrtime.bigint();
    await run(count);
    samples[sample] = Number(process.hrtime.bigint() - start) / count;
  }
  return summary(samples);
}

function summary(samples: Float64Array): Time {
  samples.sort();
  return { best: samples[0]!, median: samples[samples.length >>> 1]! };
}

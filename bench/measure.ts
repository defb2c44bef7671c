/** How benchmarks measure and name what they found. Not here: what is measured. */

/** One number of a run, as the JSON file has it. */
export interface Metric {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly detail: string;
}

export const metric = (name: string, value: number, unit: string, detail: string): Metric => ({
  name,
  value,
  unit,
  detail,
});

const WARM_UP_MS = 1000;
/** Short samples, many of them: the best one is the one that nothing else on the host disturbed. */
const SAMPLE_MS = 2;
const SAMPLES = 500;

/** Nanoseconds per operation of `run(count)`: warmed up for a second, then the best of 500 samples of about 2 ms. */
export function bestOf(run: (count: number) => void): number {
  let count = 64;
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) {
    const start = performance.now();
    run(count);
    if (performance.now() - start < SAMPLE_MS) count *= 2;
  }
  let best = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = process.hrtime.bigint();
    run(count);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

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
const SAMPLES = 15;

/** Nanoseconds per operation of `run(count)`: warmed up for a second, then the best of 15 samples. */
export function bestOf(run: (count: number) => void, count: number): number {
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) run(Math.ceil(count / 4));
  let best = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = process.hrtime.bigint();
    run(count);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

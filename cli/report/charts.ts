/**
 * Results of sweeps as the data of charts: plain numbers, ready for the page. Times in microseconds.
 * Not here: drawing (page.js), the page around it (html.ts).
 */
import type { Breakdown } from '../breakdown.ts';
import { PARTS } from '../breakdown.ts';
import type { Result } from '../sweep/run.ts';
import { activeOf, iopsOf, percentile } from '../sweep/table.ts';

export interface Line {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly isLogarithmic: boolean;
  readonly lines: readonly Line[];
}

export interface Bar {
  readonly name: string;
  readonly parts: readonly { readonly name: string; readonly ns: number }[];
}

/** More lines than that cannot be told apart. */
const MOST_LINES = 24;

/** One job of one run in one direction, named by what sets it apart from the others. */
interface Curve {
  readonly name: string;
  readonly settings: Result['settings'];
  readonly iops: number;
  readonly latency: Parameters<typeof percentile>[0];
  readonly rate: Result['jobs'][0]['rate'];
}

function curvesOf(results: readonly Result[]): Curve[] {
  const varied = variedKeys(results);
  const jobs = new Set(results.flatMap((result) => result.jobs.map(({ name }) => name)));
  return results.flatMap(({ settings, jobs: all }) =>
    all.flatMap((job) =>
      activeOf(job).map(([direction, counts]) => ({
        name: [
          ...varied.map((key) => `${key}=${settings[key]}`),
          ...(jobs.size > 1 ? [job.name] : []),
          direction,
        ].join(' '),
        settings,
        iops: iopsOf(counts),
        latency: counts.latency,
        rate: job.rate,
      })),
    ),
  );
}

/** Settings that are not the same in all runs. */
export const variedKeys = (results: readonly Result[]): string[] =>
  Object.keys(results[0]?.settings ?? {}).filter(
    (key) => new Set(results.map(({ settings }) => settings[key])).size > 1,
  );

/** Every chart that these results have something for. */
export function chartsOf(results: readonly Result[]): Chart[] {
  const curves = curvesOf(results);
  const shown = curves.slice(0, MOST_LINES);
  const cdf = {
    id: 'cdf',
    title: 'Latency: share of I/Os that took at most so long',
    x: 'µs',
    y: '%',
    isLogarithmic: true,
    lines: shown.map(cumulative),
  };
  const time = {
    id: 'iops',
    title: 'IOPS over simulated time',
    x: 'ms',
    y: 'IOPS',
    isLogarithmic: false,
    lines: shown.map(({ name, rate }) => ({
      name,
      x: rate.ios.map((_, index) => ((index + 0.5) * rate.width_ns) / 1e6),
      y: rate.ios.map((ios) => (ios / rate.width_ns) * 1e9),
    })),
  };
  return [cdf, time, ...sweepCharts(results, curves)];
}

function cumulative({ name, latency }: Curve): Line {
  let seen = 0;
  const y = latency.bins.map(([, samples]) => {
    seen += samples;
    return (100 * seen) / latency.samples;
  });
  return { name, x: latency.bins.map(([ns]) => ns / 1000), y };
}

/** IOPS and latency over the first key that takes different numbers. */
function sweepCharts(results: readonly Result[], curves: readonly Curve[]): Chart[] {
  const isNumber = (key: string): boolean =>
    results.every(({ settings }) => /^\d+$/.test(settings[key] ?? ''));
  const key = variedKeys(results).find((each) => each !== 'seed' && isNumber(each));
  if (key === undefined) return [];
  const groups = new Map<string, Curve[]>();
  for (const curve of curves) {
    const name = curve.name.replace(`${key}=${curve.settings[key]}`, '').trim();
    groups.set(name, [...(groups.get(name) ?? []), curve]);
  }
  const chart = (id: string, title: string, y: string, value: (curve: Curve) => number): Chart => ({
    id,
    title,
    x: key,
    y,
    isLogarithmic: false,
    lines: [...groups].slice(0, MOST_LINES).map(([name, members]) => {
      const sorted = members.toSorted((a, b) => Number(a.settings[key]) - Number(b.settings[key]));
      return { name, x: sorted.map(({ settings }) => Number(settings[key])), y: sorted.map(value) };
    }),
  });
  return [
    chart('sweep-iops', `IOPS over ${key}`, 'IOPS', ({ iops }) => iops),
    chart(
      'sweep-p99',
      `99th percentile of latency over ${key}`,
      'µs',
      ({ latency }) => percentile(latency, 99) / 1000,
    ),
  ];
}

/** Where the time of the median command went, for runs that had one command at a time in flight. */
export function barsOf(results: readonly Result[]): Bar[] {
  const varied = variedKeys(results);
  return results.flatMap(({ settings, breakdown }) =>
    breakdown === null
      ? []
      : [
          {
            name: varied.map((key) => `${key}=${settings[key]}`).join(' ') || 'run',
            parts: PARTS.map((name) => ({ name, ns: Math.max(0, breakdown[name as keyof Breakdown]) })),
          },
        ],
  );
}

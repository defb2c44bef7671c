/** Results of a sweep as a plain table: a line for each job of each run. */
import { alignColumns } from '../columns.ts';
import type { DirectionResult, JobResult, Latency, Result } from './run.ts';

/** The latency below or at which `percent` of the samples lie; 0 without samples. */
export function percentile({ samples, bins }: Latency, percent: number): number {
  let seen = 0;
  for (const [ns, count] of bins) {
    seen += count;
    if (seen >= (percent / 100) * samples) return ns;
  }
  return bins.at(-1)?.[0] ?? 0;
}

/** I/Os per second of simulated time. */
export const iopsOf = ({ ios, elapsed_ns }: DirectionResult): number =>
  elapsed_ns === 0 ? 0 : (ios / elapsed_ns) * 1e9;

const micro = (ns: number): string => (ns / 1000).toFixed(2);

/** The directions in which a job did something. */
export const activeOf = (job: JobResult): (readonly [name: string, DirectionResult])[] =>
  (['read', 'write', 'trim'] as const)
    .map((name) => [name, job[name]] as const)
    .filter(([, { ios }]) => ios > 0);

/** Lines of a table: one row for each job and direction of each point; settings first, then IOPS, MB/s and latencies in µs. */
export function resultTable(results: readonly Result[]): string[] {
  const keys = Object.keys(results[0]?.settings ?? {});
  const head = [...keys, 'job', '', 'IOPS', 'MB/s', 'mean us', 'p50 us', 'p99 us', 'p99.9 us'];
  const rows = results.flatMap(({ settings, jobs }) =>
    jobs.flatMap((job) =>
      activeOf(job).map(([name, direction]) => [
        ...keys.map((key) => settings[key] ?? ''),
        job.name,
        name,
        iopsOf(direction).toFixed(0),
        ((direction.bytes / direction.elapsed_ns) * 1000).toFixed(1),
        micro(direction.latency.mean_ns),
        ...[50, 99, 99.9].map((percent) => micro(percentile(direction.latency, percent))),
      ]),
    ),
  );
  const failures = results.flatMap(({ settings, jobs }) =>
    jobs.flatMap(({ name, failure }) =>
      failure === '' ? [] : [`${Object.values(settings).join(' ')} ${name}: ${failure}`],
    ),
  );
  return [...alignColumns([head, ...rows], keys.length + 2), ...failures];
}

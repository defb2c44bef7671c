/** The two tables at the end of first-light: what each job reached, and where one read's time went. */
import { type Breakdown, PARTS } from './breakdown.ts';
import { alignColumns } from './columns.ts';
import { type DirectionStats, type JobStats, READ, WRITE } from './fio/stats.ts';

/** One job of first-light. `breakdown` is that of its median command, when one command at a time was in flight. */
export interface Measured {
  readonly stats: JobStats;
  readonly host_ns: number;
  readonly breakdown: Breakdown | null;
}

const PERCENTILES = [50, 99, 99.9];

/** Rows of IOPS, bandwidth and latencies in simulated time, and of I/Os per second of host time where no trace slowed it. */
export function resultTable(measured: readonly Measured[]): string[] {
  const rows = measured.flatMap(({ stats, host_ns, breakdown }) => {
    const [reads, writes] = [stats.directions[READ], stats.directions[WRITE]];
    const ios = reads.ios + writes.ios;
    const host = breakdown === null ? `${((ios * 1e6) / host_ns).toFixed(0)}k` : 'traced';
    const failed = stats.errno === 0 ? [] : [[`${stats.job.name} FAILED: ${stats.failure}`]];
    const row = (direction: DirectionStats, what: string): string[][] =>
      direction.ios === 0 ? [] : [[`${stats.job.name}${what}`, ...cells(direction), host]];
    const isVerified = stats.job.writes && stats.job.verify !== 'none';
    return [...row(writes, ''), ...row(reads, isVerified ? ' (verify)' : ''), ...failed];
  });
  return alignColumns([['job', 'IOPS', 'MB/s', 'p50 us', 'p99 us', 'p99.9 us', 'host IOPS'], ...rows]);
}

function cells({ ios, bytes, elapsed_ns, lat }: DirectionStats): string[] {
  const seconds = elapsed_ns / 1e9;
  const percentiles = PERCENTILES.map((percent) => (lat.percentile(percent) / 1e3).toFixed(2));
  return [`${(ios / seconds / 1e3).toFixed(1)}k`, (bytes / seconds / 1e6).toFixed(0), ...percentiles];
}

/** One column per job that has a breakdown: nanoseconds and share of each part. */
export function breakdownTable(measured: readonly Measured[]): string[] {
  const shown = measured.filter(({ breakdown }) => breakdown !== null);
  const line = (name: string, value: (breakdown: Breakdown) => number): string[] => [
    name,
    ...shown.flatMap(({ breakdown }) => {
      const ns = value(breakdown!);
      return [ns.toFixed(0), `${((100 * ns) / breakdown!.latency).toFixed(1)}%`];
    }),
  ];
  return alignColumns([
    ['', ...shown.flatMap(({ stats }) => [stats.job.name, ''])],
    ...PARTS.map((part) => line(part, (breakdown) => breakdown[part])),
    line('in all', ({ latency }) => latency),
  ]);
}

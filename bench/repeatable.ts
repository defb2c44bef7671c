/**
 * Jobs whose trace and report must be the same on every machine, and what a run of one comes to: hashes. Used by
 * `npm run check:node-versions` and by test/cli/golden.test.ts, which runs less of each.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface RepeatableJob {
  readonly board: string;
  /** The job but for how much it does: `long`, or `short`. */
  readonly text: string;
  readonly long: string;
  readonly short: string;
}

/** Transcendental functions, sorting, hashing and floating point, and three kinds of media. */
export const REPEATABLE_JOBS: readonly RepeatableJob[] = [
  {
    board: 'pc',
    text: 'rw=randrw\niodepth=16\nrandom_distribution=zipf:1.2\nrate_iops=200000\nrate_process=poisson',
    long: 'io_size=16m',
    short: 'io_size=128k',
  },
  {
    board: '970pro',
    text: 'rw=randwrite\nbs=4k-64k\niodepth=32\nverify=sha256',
    long: 'size=16m',
    short: 'size=256k',
  },
  {
    board: 'zns',
    text: 'zonemode=zbd\nrw=randwrite\nbs=64k\nsize=8z\niodepth=4\nnumjobs=2\nrandom_distribution=normal:20',
    long: '',
    short: 'io_size=512k',
  },
];

/** Options of `doorbell fio` for a run that keeps a recording and a JSON report. */
export const repeatableOptions = (board: string, record: string, report: string): string[] => [
  ...['--board', board, '--seed', '7', '--record', record],
  ...['--output', report, '--output-format', 'json+'],
];

/** The hash of a recording's trace, and of its report without dates and host times. */
export function hashesOf(record: string, report: string): string {
  const { places } = JSON.parse(readFileSync(record, 'utf8')) as { places: { hash: string }[] };
  const stable = readFileSync(report, 'utf8').replace(
    /"(timestamp|timestamp_ms|time|host_ns)"\s*:\s*[^\n]*/g,
    '',
  );
  return `${places.at(-1)!.hash} ${createHash('sha256').update(stable).digest('hex').slice(0, 12)}`;
}

/**
 * Measures a device as its reviewers did: a board with that device alone, and for each figure a fio job on it. Each
 * figure has a machine of its own, so that none finds what another left. Not here: what was published (boards/devices/).
 */
import { boardWith, boot, type Device, type Measure } from '../../boards/index.ts';
import { runJobs } from '../fio/engine.ts';
import { parseJobFile } from '../fio/job-file.ts';
import { type DirectionStats, READ, WRITE } from '../fio/stats.ts';
import { findTargets } from '../fio/targets.ts';

/** Simulated milliseconds of each figure. */
export interface Effort {
  readonly latency_ms: number;
  readonly rate_ms: number;
}

export const FULL: Effort = { latency_ms: 20, rate_ms: 40 };
/** Enough for figures within a few percent of FULL, in a second of host time. */
export const SHORT: Effort = { latency_ms: 4, rate_ms: 5 };

interface Plan {
  readonly lines: string;
  /** `latency` is the mean in µs, `iops` thousands, `rate` MB/s. */
  readonly take: 'latency' | 'iops' | 'rate';
  /** Lines of a job before, which is not measured. */
  readonly first?: string;
  readonly size?: string;
}

const many = (rw: string, bs: string): string => `rw=${rw}\nbs=${bs}\niodepth=64\nnumjobs=8\ngroup_reporting`;
const one = (rw: string, bs: string, depth: number): string => `rw=${rw}\nbs=${bs}\niodepth=${depth}`;

const PLANS: Readonly<Record<Measure, Plan>> = {
  'read-qd1': { lines: one('randread', '4k', 1), take: 'latency' },
  'write-qd1': { lines: one('randwrite', '4k', 1), take: 'latency' },
  'read-512-qd1': { lines: one('randread', '512', 1), take: 'latency' },
  'read-qd16': { lines: one('randread', '4k', 16), take: 'iops' },
  'read-qd32': { lines: one('randread', '4k', 32), take: 'iops' },
  'read-saturated': { lines: many('randread', '4k'), take: 'iops' },
  'read-512-saturated': { lines: many('randread', '512'), take: 'iops' },
  // The write buffer is filled first: what it takes at once is not a rate.
  'write-saturated': {
    lines: many('randwrite', '4k'),
    first: 'rw=randwrite\nbs=4k\niodepth=128\nio_size=32m',
    take: 'iops',
  },
  // Six times the drive at random brings it into its steady state; a small drive gets there as a large one does.
  'write-steady': {
    lines: 'rw=randwrite\nbs=4k\niodepth=128\nnorandommap',
    first: 'rw=randwrite\nbs=4k\niodepth=128\nio_size=384m\nnorandommap',
    size: '64m',
    take: 'iops',
  },
  'read-sequential': { lines: one('read', '128k', 32), take: 'rate' },
  'write-sequential': {
    lines: one('write', '128k', 32),
    first: 'rw=write\nbs=128k\niodepth=32\nio_size=32m',
    take: 'rate',
  },
};

/** The figure of one measure in its unit. */
export async function measure(device: Device, which: Measure, effort: Effort, seed: number): Promise<number> {
  const { lines, first, size, take } = PLANS[which];
  const board = boardWith(device, size);
  const runtime = take === 'latency' ? effort.latency_ms : effort.rate_ms;
  const text = [
    ...(first === undefined ? [] : ['[first]', first]),
    ...['[measured]', 'stonewall', lines, `runtime=${runtime}ms`, 'time_based'],
  ].join('\n');
  const { jobs } = parseJobFile(text, `calibrate:${which}`);
  const options = { machine: boot(board, { seed }), jobs, targets: findTargets(board, jobs), seed };
  const { clones } = await runJobs({ ...options, hostNow: () => 0 });
  const measured = clones.filter(({ job }) => job.name === 'measured');
  const parts = measured.map(({ directions, job }) => directions[job.writes ? WRITE : READ]);
  return figureOf(parts, take);
}

function figureOf(parts: readonly DirectionStats[], take: Plan['take']): number {
  if (take === 'latency') return parts[0]!.lat.mean / 1e3;
  const elapsed_ns = Math.max(...parts.map((part) => part.elapsed_ns));
  const sum = (of: (part: DirectionStats) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  return take === 'iops'
    ? (sum(({ ios }) => ios) / elapsed_ns) * 1e6
    : (sum(({ bytes }) => bytes) / elapsed_ns) * 1e3;
}

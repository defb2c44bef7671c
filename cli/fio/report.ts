/**
 * The human report of a run in fio's own layout (fio 3.33, stat.c), so that people and their scripts can read it,
 * and at its end what fio cannot know: simulated against host time. Numbers come from stats.ts.
 * Not here: output for programs (json.ts, terse.ts), disk statistics.
 */
import type { Histogram } from '../../support/histogram.ts';
import { BATCH_NAMES, DEPTH_NAMES, LATENCY_CLASSES, latencyShares, sharesOf, sum } from './classes.ts';
import { binaryBytes, count, decimalBytes, duration, shorten, timeUnit } from './format.ts';
import type { Job } from './job-file.ts';
import type { SizeChoice } from './options.ts';
import type { RateSamples } from './samples.ts';
import { groupsOf } from './stage.ts';
import {
  DIRECTIONS,
  type Direction,
  type DirectionStats,
  type GroupSum,
  groupSum,
  type JobStats,
  mergeClones,
  perSecond,
} from './stats.ts';
import { meanOf, type SteadyState } from './steady-state.ts';

const NAMES = ['read', 'write', 'trim'] as const;
const LATENCY_DIGITS = 6;

/** The lines that announce the jobs before they run. */
export function heading(jobs: readonly Job[], version: string): string[] {
  const groups = groupsOf(jobs);
  const range = ({ min, max }: SizeChoice) => `${binaryBytes(min)}-${binaryBytes(max)}`;
  const lines = jobs.flatMap((job, index) => {
    const [read, write, trim] = job.sizes;
    const line =
      `${job.name}: (g=${groups[index]}): rw=${job.rw}, bs=(R) ${range(read)}, (W) ${range(write)}, ` +
      `(T) ${range(trim)}, ioengine=${job.ioengine}, iodepth=${job.iodepth}`;
    return job.numjobs > 1 ? [line, '...'] : [line];
  });
  const threads = jobs.reduce((total, job) => total + job.numjobs, 0);
  return [...lines, version, `Starting ${threads} thread${threads === 1 ? '' : 's'}`];
}

/** The report of all clones; `date` stands behind each job's head as fio has it. */
export function report(all: readonly JobStats[], date: string): string[] {
  const jobs = mergeClones(all);
  const membersOf = (group: number) => jobs.filter((job) => job.group === group);
  const groups = [...new Set(jobs.map(({ group }) => group))];
  const summaries = groups.flatMap((group) => groupSummary(group, membersOf(group)));
  return ['', ...jobs.flatMap((job) => jobLines(job, membersOf(job.group), date)), ...summaries];
}

function jobLines(stats: JobStats, group: readonly JobStats[], date: string): string[] {
  const { job, directions, depths, submits, completes, errno, failure, sync } = stats;
  const issued = directions.map(({ ios }) => ios);
  const cpu = stats.runtime_ns === 0 ? 0 : (100 * stats.software_ns) / stats.runtime_ns;
  const target = Number.isFinite(job.latency_target_ns) ? job.latency_target_ns : 0;
  const errors = `     errors    : total=${stats.errors}, first_error=${stats.firstErrno}/<${stats.firstErrno === 0 ? 'Success' : failureName(stats.firstErrno)}>`;
  return [
    `${job.name}: (groupid=${stats.group}, jobs=${stats.clones}): err=${String(errno).padStart(2)}` +
      `${failure === '' ? '' : ` (${failure})`}: pid=${stats.id}: ${date}`,
    ...(job.description === '' ? [] : [`  Description  : [${job.description}]`]),
    ...DIRECTIONS.flatMap((direction) =>
      directionLines(directions[direction], direction, stats, groupSum(group, direction)),
    ),
    ...latencyClasses(directions.map(({ clat }) => clat)),
    ...syncLines(sync, job),
    `  cpu          : usr=${cpu.toFixed(2)}%, sys=0.00%, ctx=${stats.sleeps}, majf=0, minf=0`,
    `  IO depths    : ${shares(depths, DEPTH_NAMES, issued[0]! + issued[1]! + issued[2]!)}`,
    `     submit    : ${shares(submits, BATCH_NAMES, sum(submits))}`,
    `     complete  : ${shares(completes, BATCH_NAMES, sum(completes))}`,
    `     issued rwts: total=${issued.join(',')},${sync.count} short=0,0,0,0 dropped=0,0,0,0`,
    ...(job.continue_on_error === 'none' ? [] : [errors]),
    `     latency   : target=${target}, window=${job.latency_window_ns / 1000}, ` +
      `percentile=${job.latency_percentile.toFixed(2)}%, depth=${stats.latencyDepth}`,
    ...(stats.steady === null ? [] : [steadyLine(stats.steady)]),
  ];
}

function steadyLine({ criterion, isAttained, measured, bw, iops }: SteadyState): string {
  const { of, isSlope, isPercent } = criterion;
  const rate = meanOf(bw);
  const value = `${measured.toFixed(3)}${isPercent ? '%' : ''}`;
  return (
    `  steadystate  : attained=${isAttained ? 'yes' : 'no'}, bw=${binaryBytes(rate)}/s (${decimalBytes(rate)}/s), ` +
    `iops=${count(meanOf(iops))}, ${of} ${isSlope ? 'slope' : 'mean dev'}=${value}`
  );
}

const EILSEQ = 84;
/** The sentence of the two errors that a job can survive. */
const failureName = (errno: number): string =>
  errno === EILSEQ ? 'Invalid or incomplete multibyte or wide character' : 'Input/output error';

function syncLines(sync: Histogram, job: Job): string[] {
  if (sync.count === 0) return [];
  return [
    '  fsync/fdatasync/sync_file_range:',
    latencyLine('  sync', sync),
    ...percentileLines(sync, 'sync', job.percentile_list),
  ];
}

function directionLines(
  stats: DirectionStats,
  direction: Direction,
  { job, zoneResets }: JobStats,
  group: GroupSum | null,
): string[] {
  if (stats.ios === 0 || group === null) return [];
  const { slat, clat, lat, bytes, ios, elapsed_ns, bw, iops } = stats;
  const name = NAMES[direction];
  const rate = perSecond(bytes, elapsed_ns);
  const zones = name === 'write' ? `; ${zoneResets} zone resets` : '';
  const percentiles = (histogram: Histogram, kind: string, isWanted: boolean) =>
    isWanted && histogram.count > 0 ? percentileLines(histogram, kind, job.percentile_list) : [];
  return [
    `  ${name}: IOPS=${count(perSecond(ios, elapsed_ns))}, BW=${binaryBytes(rate)}/s (${decimalBytes(rate)}/s)` +
      `(${binaryBytes(bytes)}/${duration(elapsed_ns)})${zones}`,
    ...(slat.count === 0 ? [] : [latencyLine('  slat', slat)]),
    latencyLine('  clat', clat),
    latencyLine('   lat', lat),
    ...percentiles(slat, 'slat', job.slat_percentiles),
    ...percentiles(clat, 'clat', job.clat_percentiles),
    ...percentiles(lat, 'lat', job.lat_percentiles),
    ...sampleLines(bw, iops, group),
  ];
}

const KIB = 1024;
/** Above this mean rate, fio shows MiB/s. */
const KIB_LIMIT = KIB * KIB * KIB;

function sampleLines(bw: RateSamples, iops: RateSamples, group: GroupSum): string[] {
  const lines: string[] = [];
  if (bw.count > 0) {
    const [unit, size] = bw.mean > KIB_LIMIT ? ['MiB', KIB * KIB] : ['KiB', KIB];
    const whole = (value: number) => String(Math.floor(value / size)).padStart(5);
    const fixed = (value: number) => (value / size).toFixed(2).padStart(5);
    const share = Math.min(100, (100 * bw.mean) / group.total);
    lines.push(
      `   bw (  ${unit}/s): min=${whole(bw.min)}, max=${whole(bw.max)}, per=${share.toFixed(2)}%, ` +
        `avg=${fixed(bw.mean)}, stdev=${fixed(bw.deviation)}, samples=${bw.count}`,
    );
  }
  if (iops.count > 0) {
    const whole = (value: number) => String(Math.floor(value)).padStart(5);
    const fixed = (value: number) => value.toFixed(2).padStart(5);
    lines.push(
      `   iops        : min=${whole(iops.min)}, max=${whole(iops.max)}, avg=${fixed(iops.mean)}, ` +
        `stdev=${fixed(iops.deviation)}, samples=${iops.count}`,
    );
  }
  return lines;
}

function latencyLine(name: string, histogram: Histogram): string {
  const { min, max, mean, deviation } = histogram;
  const unit = timeUnit(min, max, deviation);
  const short = (ns: number) => shorten(ns / unit.ns, LATENCY_DIGITS, 1000);
  const fixed = (ns: number) => (ns / unit.ns).toFixed(2).padStart(5);
  return (
    `  ${name} (${unit.name}): min=${short(min)}, max=${short(max)}, ` +
    `avg=${fixed(mean)}, stdev=${fixed(deviation)}`
  );
}

function percentileLines(histogram: Histogram, name: string, percentiles: readonly number[]): string[] {
  const values = percentiles.map((percent) => Math.floor(histogram.percentile(percent)));
  const largest = Math.max(...values);
  const unit = timeUnit(Math.min(...values), largest);
  const width = Math.max(5, String(Math.floor(largest / unit.ns)).length);
  const perLine = Math.floor((80 - 7) / (2 + 10 + width));
  const cells = percentiles.map((percent, index) => {
    let value = values[index]!;
    for (let step = 0; step < unit.steps; step++) value = Math.ceil(value / 1000);
    return ` ${percent.toFixed(2).padStart(5)}th=[${String(value).padStart(width)}]`;
  });
  const lines = [`    ${name} percentiles (${unit.name}):`];
  for (let at = 0; at < cells.length; at += perLine) {
    const comma = at + perLine < cells.length ? ',' : '';
    lines.push(`     |${cells.slice(at, at + perLine).join(',')}${comma}`);
  }
  return lines;
}

/** Shares of completion latencies below 2, 4, 10 ... 1000 ns, then us, then ms; five to a line. */
function latencyClasses(histograms: readonly Histogram[]): string[] {
  const units = ['nsec', 'usec', 'msec'];
  const names = [...LATENCY_CLASSES.map((limit) => `${limit}=`), '2000=', '>=2000='];
  return latencyShares(histograms).flatMap((shares, row) => {
    const cells = shares.flatMap((share, index) =>
      share === 0 ? [] : [`${names[index]}${Math.max(0.01, share).toFixed(2)}%`],
    );
    const lines: string[] = [];
    for (let at = 0; at < cells.length; at += 5)
      lines.push(`  lat (${units[row]})   : ${cells.slice(at, at + 5).join(', ')}`);
    return lines;
  });
}

const shares = (counts: Float64Array, names: readonly string[], total: number): string =>
  sharesOf(counts, total)
    .map((share, index) => `${names[index]}=${share.toFixed(1)}%`)
    .join(', ');

/** `Run status group N (all jobs)`: the sum over the jobs, their slowest and fastest, and the time they took. */
function groupSummary(group: number, jobs: readonly JobStats[]): string[] {
  const lines = DIRECTIONS.flatMap((direction) => {
    const sums = groupSum(jobs, direction);
    if (sums === null) return [];
    const { bytes, total, low, high, fastest_ns, longest_ns } = sums;
    return [
      `${NAMES[direction].toUpperCase().padStart(7)}: bw=${binaryBytes(total)}/s (${decimalBytes(total)}/s), ` +
        `${binaryBytes(low)}/s-${binaryBytes(high)}/s (${decimalBytes(low)}/s-${decimalBytes(high)}/s), ` +
        `io=${binaryBytes(bytes)} (${decimalBytes(bytes)}), run=${range(duration(fastest_ns), duration(longest_ns))}`,
    ];
  });
  return lines.length === 0 ? [] : ['', `Run status group ${group} (all jobs):`, ...lines];
}

/** `51-52msec`; both units where they differ. */
function range(from: string, to: string): string {
  const unit = to.replace(/^\d+/, '');
  return from.endsWith(unit) ? `${from.slice(0, -unit.length)}-${to}` : `${from}-${to}`;
}

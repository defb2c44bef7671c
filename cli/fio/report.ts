/**
 * The human report of a run in fio's own layout (fio 3.33, stat.c), so that people and their scripts can read it,
 * and at its end what fio cannot know: simulated against host time. Numbers come from stats.ts.
 * Not here: JSON output, bandwidth samples over time, disk statistics.
 */
import { bucketValue, type Histogram } from '../../support/histogram.ts';
import { binaryBytes, count, decimalBytes, duration, shorten, timeUnit } from './format.ts';
import type { Job } from './job-file.ts';
import { type DirectionStats, type JobStats, mergeClones } from './stats.ts';

const NAMES = ['read', 'write'] as const;
const LATENCY_DIGITS = 6;
const CLASSES = [2, 4, 10, 20, 50, 100, 250, 500, 750, 1000];
const DEPTH_NAMES = ['1', '2', '4', '8', '16', '32', '>=64'];
const BATCH_NAMES = ['0', '4', '8', '16', '32', '64', '>=64'];

/** The lines that announce the jobs before they run. */
export function heading(jobs: readonly Job[], version: string): string[] {
  let group = 0;
  const lines: string[] = [];
  for (const [index, job] of jobs.entries()) {
    if (job.stonewall && index > 0) group++;
    const [read, write] = job.bs;
    lines.push(
      `${job.name}: (g=${group}): rw=${job.rw}, bs=(R) ${read}B-${read}B, (W) ${write}B-${write}B, ` +
        `(T) ${read}B-${read}B, ioengine=${job.ioengine}, iodepth=${job.iodepth}`,
    );
    if (job.numjobs > 1) lines.push('...');
  }
  const threads = jobs.reduce((sum, job) => sum + job.numjobs, 0);
  return [...lines, version, `Starting ${threads} thread${threads === 1 ? '' : 's'}`];
}

/** The report of all clones; `date` stands behind each job's head as fio has it. */
export function report(all: readonly JobStats[], date: string): string[] {
  const jobs = mergeClones(all);
  const groups = [...new Set(jobs.map(({ group }) => group))];
  const summaries = groups.flatMap((group) =>
    groupSummary(
      group,
      jobs.filter((job) => job.group === group),
    ),
  );
  return ['', ...jobs.flatMap((job) => jobLines(job, date)), ...summaries];
}

function jobLines(stats: JobStats, date: string): string[] {
  const { job, directions, depths, submits, completes, errno, failure } = stats;
  const [read, write] = directions;
  const classes = directions.map(({ clat }) => clat);
  const cpu = stats.runtime_ns === 0 ? 0 : (100 * stats.software_ns) / stats.runtime_ns;
  return [
    `${job.name}: (groupid=${stats.group}, jobs=${stats.clones}): err=${String(errno).padStart(2)}` +
      `${failure === '' ? '' : ` (${failure})`}: pid=${stats.id}: ${date}`,
    ...directions.flatMap((direction, index) =>
      directionLines(direction, NAMES[index]!, job.percentile_list),
    ),
    ...latencyClasses(classes),
    `  cpu          : usr=${cpu.toFixed(2)}%, sys=0.00%, ctx=${stats.sleeps}, majf=0, minf=0`,
    `  IO depths    : ${shares(depths, DEPTH_NAMES, read.ios + write.ios)}`,
    `     submit    : ${shares(submits, BATCH_NAMES, sum(submits))}`,
    `     complete  : ${shares(completes, BATCH_NAMES, sum(completes))}`,
    `     issued rwts: total=${read.ios},${write.ios},0,0 short=0,0,0,0 dropped=0,0,0,0`,
    `     latency   : target=0, window=0, percentile=100.00%, depth=${job.iodepth}`,
  ];
}

function directionLines(stats: DirectionStats, name: string, percentiles: readonly number[]): string[] {
  if (stats.ios === 0) return [];
  const seconds = stats.elapsed_ns / 1e9;
  const rate = seconds === 0 ? 0 : stats.bytes / seconds;
  const iops = seconds === 0 ? 0 : stats.ios / seconds;
  const zones = name === 'write' ? '; 0 zone resets' : '';
  return [
    `  ${name}: IOPS=${count(iops)}, BW=${binaryBytes(rate)}/s (${decimalBytes(rate)}/s)` +
      `(${binaryBytes(stats.bytes)}/${duration(stats.elapsed_ns)})${zones}`,
    latencyLine('  slat', stats.slat),
    latencyLine('  clat', stats.clat),
    latencyLine('   lat', stats.lat),
    ...percentileLines(stats.clat, percentiles),
  ];
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

function percentileLines(histogram: Histogram, percentiles: readonly number[]): string[] {
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
  const lines = [`    clat percentiles (${unit.name}):`];
  for (let at = 0; at < cells.length; at += perLine) {
    const comma = at + perLine < cells.length ? ',' : '';
    lines.push(`     |${cells.slice(at, at + perLine).join(',')}${comma}`);
  }
  return lines;
}

/** Shares of completion latencies below 2, 4, 10 ... 1000 ns, then us, then ms; five to a line. */
function latencyClasses(histograms: readonly Histogram[]): string[] {
  const total = histograms.reduce((sum, { count }) => sum + count, 0);
  const units = ['nsec', 'usec', 'msec'];
  const counts = units.map(() => new Array<number>(CLASSES.length + 2).fill(0));
  for (const { counts: buckets } of histograms) {
    for (const [bucket, samples] of buckets.entries()) {
      if (samples === 0) continue;
      const unit = bucketValue(bucket) < 1e3 ? 0 : bucketValue(bucket) < 1e6 ? 1 : 2;
      const value = bucketValue(bucket) / 1000 ** unit;
      const index = CLASSES.findIndex((limit) => value < limit);
      const beyond = value < 2000 ? CLASSES.length : CLASSES.length + 1;
      counts[unit]![index === -1 ? beyond : index]! += samples;
    }
  }
  const names = [...CLASSES.map((limit) => `${limit}=`), '2000=', '>=2000='];
  return units.flatMap((unit, row) => {
    const cells = counts[row]!.flatMap((samples, index) => {
      const share = Math.max(0.01, (100 * samples) / total);
      return samples === 0 ? [] : [`${names[index]}${share.toFixed(2)}%`];
    });
    const lines: string[] = [];
    for (let at = 0; at < cells.length; at += 5)
      lines.push(`  lat (${unit})   : ${cells.slice(at, at + 5).join(', ')}`);
    return lines;
  });
}

const sum = (counts: Float64Array): number => counts.reduce((total, value) => total + value, 0);

function shares(counts: Float64Array, names: readonly string[], total: number): string {
  return names
    .map((name, index) => {
      const share = total === 0 ? 0 : (100 * counts[index]!) / total;
      return `${name}=${(share > 0 && share < 0.1 ? 0.1 : share).toFixed(1)}%`;
    })
    .join(', ');
}

/** `Run status group N (all jobs)`: the sum over the jobs, their slowest and fastest, and the time they took. */
function groupSummary(group: number, jobs: readonly JobStats[]): string[] {
  const lines = NAMES.flatMap((name, index) => {
    const active = jobs.map((job) => job.directions[index]!).filter(({ ios }) => ios > 0);
    if (active.length === 0) return [];
    const bytes = active.reduce((total, direction) => total + direction.bytes, 0);
    const times = active.map(({ elapsed_ns }) => elapsed_ns);
    const rates = active.map((direction) => perSecond(direction.bytes, direction.elapsed_ns));
    const total = perSecond(bytes, Math.max(...times));
    const low = Math.min(...rates);
    const high = Math.max(...rates);
    const [from, to] = [duration(Math.min(...times)), duration(Math.max(...times))];
    return [
      `${name.toUpperCase().padStart(7)}: bw=${binaryBytes(total)}/s (${decimalBytes(total)}/s), ` +
        `${binaryBytes(low)}/s-${binaryBytes(high)}/s (${decimalBytes(low)}/s-${decimalBytes(high)}/s), ` +
        `io=${binaryBytes(bytes)} (${decimalBytes(bytes)}), run=${range(from, to)}`,
    ];
  });
  return lines.length === 0 ? [] : ['', `Run status group ${group} (all jobs):`, ...lines];
}

const perSecond = (bytes: number, ns: number): number => (ns === 0 ? 0 : (bytes * 1e9) / ns);

/** `51-52msec`; both units where they differ. */
function range(from: string, to: string): string {
  const unit = to.replace(/^\d+/, '');
  return from.endsWith(unit) ? `${from.slice(0, -unit.length)}-${to}` : `${from}-${to}`;
}

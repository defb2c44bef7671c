/**
 * The report as `--output-format=terse` has it: one line of semicolons for each job, version 3 of fio's terse format
 * (HOWTO, "Terse output"). It has no trims and no flushes. Latencies are in microseconds, rates in KiB/s.
 */
import type { Histogram } from '../../support/histogram.ts';
import { latencyShares, milliseconds, sharesOf } from './classes.ts';
import { type Direction, groupSum, type JobStats, mergeClones, perSecond, READ, WRITE } from './stats.ts';

const TERSE_VERSION = 3;
/** Percentiles that a line has room for; those that a job does not have are `0%=0`. */
const PERCENTILES = 20;
const KIB = 1024;

/** One line for each job that is printed. */
export function terseReport(all: readonly JobStats[], version: string): string[] {
  const jobs = mergeClones(all);
  return jobs.map((stats) => {
    const group = jobs.filter((other) => other.group === stats.group);
    return [
      TERSE_VERSION,
      version,
      stats.job.name,
      stats.group,
      stats.errno,
      ...directionFields(stats, READ, group),
      ...directionFields(stats, WRITE, group),
      ...jobFields(stats),
      ...(stats.job.continue_on_error === 'none' ? [] : [stats.errors, stats.firstErrno]),
      ...(stats.job.description === '' ? [] : [stats.job.description]),
    ].join(';');
  });
}

const usec = (ns: number): number => Math.floor(ns / 1000);

function directionFields(
  stats: JobStats,
  direction: Direction,
  group: readonly JobStats[],
): (string | number)[] {
  const { bytes, ios, elapsed_ns, slat, clat, lat, bw } = stats.directions[direction];
  const { percentile_list, clat_percentiles } = stats.job;
  const total = groupSum(group, direction)?.total ?? 0;
  const share = total === 0 ? 0 : Math.min(100, (100 * bw.mean) / total);
  const low = bw.count === 0 ? 0 : Math.floor(bw.min / KIB);
  return [
    Math.floor(bytes / KIB),
    Math.floor(perSecond(bytes, elapsed_ns) / KIB),
    Math.floor(perSecond(ios, elapsed_ns)),
    milliseconds(elapsed_ns),
    ...latencyFields(slat),
    ...latencyFields(clat),
    ...percentileFields(clat, clat_percentiles ? percentile_list : []),
    ...latencyFields(lat),
    low,
    Math.floor(bw.max / KIB),
    `${share.toFixed(6)}%`,
    (bw.mean / KIB).toFixed(6),
    (bw.deviation / KIB).toFixed(6),
  ];
}

function latencyFields({ count, min, max, mean, deviation }: Histogram): (string | number)[] {
  const low = count === 0 ? 0 : usec(min);
  return [low, usec(max), (mean / 1000).toFixed(6), (deviation / 1000).toFixed(6)];
}

function percentileFields(histogram: Histogram, percentiles: readonly number[]): string[] {
  return Array.from({ length: PERCENTILES }, (_, index) => {
    const percent = percentiles[index];
    return percent === undefined ? '0%=0' : `${percent.toFixed(6)}%=${usec(histogram.percentile(percent))}`;
  });
}

function jobFields(stats: JobStats): (string | number)[] {
  const { directions, depths, runtime_ns, software_ns, sleeps } = stats;
  const ios = directions.reduce((total, each) => total + each.ios, 0);
  const [ns, us, ms] = latencyShares(directions.map(({ clat }) => clat));
  const cpu = runtime_ns === 0 ? 0 : (100 * software_ns) / runtime_ns;
  // Terse output has no class below 2 us: what is shorter counts there.
  const shortest = ns.reduce((total, share) => total + share, 0) + us[0]!;
  return [
    `${cpu.toFixed(6)}%`,
    '0.000000%',
    sleeps,
    0,
    0,
    ...sharesOf(depths, ios).map((share) => `${share.toFixed(1)}%`),
    ...[shortest, ...us.slice(1), ...ms].map((share) => `${share.toFixed(2)}%`),
  ];
}

/**
 * The report as `--output-format=json` and `json+` have it: fio's keys (3.33, stat.c) in fio's order, every latency in ns.
 * `emulator` at the end is ours: what fio cannot know. json+ adds every histogram's bins. Not here: the numbers (stats.ts).
 */
import { bucketValue, type Histogram } from '../../support/histogram.ts';
import {
  BATCH_NAMES,
  DEPTH_NAMES,
  LATENCY_CLASSES,
  latencyShares,
  milliseconds,
  sharesOf,
  sum,
} from './classes.ts';
import type { JobFile } from './job-file.ts';
import type { RateSamples } from './samples.ts';
import {
  type DirectionStats,
  type GroupSum,
  groupSum,
  type JobStats,
  mergeClones,
  perSecond,
  READ,
  TRIM,
  WRITE,
} from './stats.ts';
import { criterionName } from './steady-criterion.ts';
import { meanOf, type SteadyState } from './steady-state.ts';

export interface JsonOptions {
  readonly version: string;
  /** Of the host, for the time stamp. */
  readonly date: Date;
  /** `date` as ctime has it. */
  readonly time: string;
  readonly withBins: boolean;
  /** Seconds that the run took by its own clock. */
  readonly elapsed_s: number;
  /** What stands under `emulator`. */
  readonly emulator: Readonly<Record<string, unknown>>;
}

/** The report of all clones as one value, to be written as JSON. */
export function jsonReport(all: readonly JobStats[], { globals }: JobFile, options: JsonOptions): unknown {
  const jobs = mergeClones(all);
  const { date } = options;
  return {
    'fio version': options.version,
    timestamp: Math.floor(date.getTime() / 1000),
    timestamp_ms: date.getTime(),
    time: options.time,
    'global options': given(globals),
    jobs: jobs.map((stats) => {
      const group = jobs.filter((other) => other.group === stats.group);
      return jobReport(stats, group, options);
    }),
    emulator: options.emulator,
  };
}

/** Options with a value, as they were written, the file's name last; flags have none, and fio leaves them out. */
function given(lines: readonly (readonly [string, string])[]): Record<string, string> {
  const written = lines.filter(([key, text]) => text !== '' && key !== 'name');
  const isFile = ([key]: readonly [string, string]) => key === 'filename';
  return Object.fromEntries([...written.filter((line) => !isFile(line)), ...written.filter(isFile)]);
}

function jobReport(stats: JobStats, group: readonly JobStats[], options: JsonOptions): unknown {
  const { job, directions, sync, depths, submits, completes } = stats;
  const direction = (which: typeof READ | typeof WRITE | typeof TRIM) =>
    directionReport(directions[which], stats, groupSum(group, which), options.withBins);
  const [ns, us, ms] = latencyShares(directions.map(({ clat }) => clat));
  const limits = LATENCY_CLASSES.map(String);
  const ios = directions.reduce((total, each) => total + each.ios, 0);
  const survives = job.continue_on_error !== 'none';
  return {
    jobname: job.name,
    groupid: stats.group,
    error: stats.errno,
    eta: 0,
    elapsed: Math.ceil(options.elapsed_s),
    'job options': given(job.given),
    read: direction(READ),
    write: direction(WRITE),
    trim: direction(TRIM),
    sync: { total_ios: sync.count, lat_ns: latency(sync, job.percentile_list, true, options.withBins) },
    job_runtime: milliseconds(stats.runtime_ns),
    usr_cpu: stats.runtime_ns === 0 ? 0 : (100 * stats.software_ns) / stats.runtime_ns,
    sys_cpu: 0,
    ctx: stats.sleeps,
    majf: 0,
    minf: 0,
    iodepth_level: named(DEPTH_NAMES, sharesOf(depths, ios)),
    iodepth_submit: named(BATCH_NAMES, sharesOf(submits, sum(submits))),
    iodepth_complete: named(BATCH_NAMES, sharesOf(completes, sum(completes))),
    latency_ns: named(limits, ns),
    latency_us: named(limits, us),
    latency_ms: named([...limits, '2000', '>=2000'], ms),
    ...(survives ? { total_err: stats.errors, first_error: stats.firstErrno } : {}),
    latency_depth: stats.latencyDepth,
    latency_target: Number.isFinite(job.latency_target_ns) ? job.latency_target_ns : 0,
    latency_percentile: job.latency_percentile,
    latency_window: job.latency_window_ns / 1000,
    ...(job.description === '' ? {} : { desc: job.description }),
    ...(stats.steady === null ? {} : { steadystate: steadyReport(stats.steady) }),
  };
}

function steadyReport({
  criterion,
  duration_s,
  isAttained,
  measured,
  maxDeviation,
  slope,
  iops,
  bw,
}: SteadyState) {
  return {
    ss: criterionName(criterion),
    duration: duration_s,
    attained: isAttained ? 1 : 0,
    criterion: `${measured.toFixed(6)}${criterion.isPercent ? '%' : ''}`,
    max_deviation: maxDeviation,
    slope,
    data: {
      bw_mean: Math.floor(meanOf(bw)),
      iops_mean: Math.floor(meanOf(iops)),
      iops: iops.map(Math.floor),
      bw: bw.map(Math.floor),
    },
  };
}

const named = (names: readonly string[], values: readonly number[]): Record<string, number> =>
  Object.fromEntries(names.map((name, index) => [name, values[index]!]));

const KIB = 1024;

function directionReport(
  { bytes, ios, elapsed_ns, slat, clat, lat, bw, iops }: DirectionStats,
  { job }: JobStats,
  group: GroupSum | null,
  withBins: boolean,
): unknown {
  const rate = perSecond(bytes, elapsed_ns);
  const list = job.percentile_list;
  const share = group === null || group.total === 0 ? 0 : Math.min(100, (100 * bw.mean) / group.total);
  const bandwidth = rates(bw, KIB);
  const operations = rates(iops, 1);
  return {
    io_bytes: bytes,
    io_kbytes: Math.floor(bytes / KIB),
    bw_bytes: Math.floor(rate),
    bw: Math.floor(rate / KIB),
    iops: perSecond(ios, elapsed_ns),
    runtime: milliseconds(elapsed_ns),
    total_ios: ios,
    short_ios: 0,
    drop_ios: 0,
    slat_ns: latency(slat, list, job.slat_percentiles, withBins),
    clat_ns: latency(clat, list, job.clat_percentiles, withBins),
    lat_ns: latency(lat, list, job.lat_percentiles, withBins),
    bw_min: bandwidth.min,
    bw_max: bandwidth.max,
    bw_agg: share,
    bw_mean: bandwidth.mean,
    bw_dev: bandwidth.deviation,
    bw_samples: bw.count,
    iops_min: operations.min,
    iops_max: operations.max,
    iops_mean: operations.mean,
    iops_stddev: operations.deviation,
    iops_samples: iops.count,
  };
}

function rates({ count, min, max, mean, deviation }: RateSamples, unit: number) {
  if (count === 0) return { min: 0, max: 0, mean: 0, deviation: 0 };
  return {
    min: Math.floor(min / unit),
    max: Math.floor(max / unit),
    mean: mean / unit,
    deviation: deviation / unit,
  };
}

function latency(
  histogram: Histogram,
  percentiles: readonly number[],
  withPercentiles: boolean,
  withBins: boolean,
): Record<string, unknown> {
  const { count, min, max, mean, deviation } = histogram;
  const summary = {
    min: count === 0 ? 0 : Math.round(min),
    max: Math.round(max),
    mean,
    stddev: deviation,
    N: count,
  };
  if (count === 0 || !withPercentiles) return summary;
  const percentile = Object.fromEntries(
    percentiles.map((percent) => [percent.toFixed(6), Math.floor(histogram.percentile(percent))]),
  );
  return withBins ? { ...summary, percentile, bins: binsOf(histogram) } : { ...summary, percentile };
}

/** Samples by the value of their bucket. */
function binsOf({ counts }: Histogram): Record<string, number> {
  const bins: Record<string, number> = {};
  for (const [bucket, samples] of counts.entries()) if (samples > 0) bins[bucketValue(bucket)] = samples;
  return bins;
}

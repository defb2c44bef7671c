/**
 * What a fio job can ask of this engine, as values, with fio's defaults (HOWTO, "Job file parameters").
 * Not here: how the texts are read (rules.ts, keys.ts), what the options do (workload.ts, clone.ts).
 */
import type { VerifyPattern } from './pattern.ts';
import type { SteadyCriterion } from './steady-criterion.ts';

/** An amount in bytes, a share of the namespace, or a number of zones. */
export type Amount = { readonly bytes: number } | { readonly percent: number } | { readonly zones: number };
/** One value for reads, one for writes, one for trims. */
export type Triple<Value = number> = readonly [read: Value, write: Value, trim: Value];

/** Sizes that the I/Os of one direction have, in bytes. */
export interface SizeChoice {
  readonly min: number;
  readonly max: number;
  /** Sizes with their shares in percent (bssplit); null: every multiple of `min` up to `max` is as likely. */
  readonly split: readonly { readonly bytes: number; readonly percent: number }[] | null;
}

/** A part of the region with its share of the accesses, both in percent. */
export interface AccessZone {
  readonly access: number;
  readonly size: number;
}

/** Where a random job goes: `value` is theta, the power or the deviation in percent. */
export type Distribution =
  | { readonly kind: 'random' }
  | { readonly kind: 'zipf' | 'pareto' | 'normal'; readonly value: number }
  | { readonly kind: 'zoned'; readonly zones: readonly AccessZone[] };

export const HASHES = [
  'md5',
  'sha1',
  'sha256',
  'sha512',
  'sha3-224',
  'sha3-256',
  'sha3-384',
  'sha3-512',
] as const;
/** Contents of verified blocks. `crc32c-intel` is crc32c, `0` is none. */
export const VERIFY_METHODS = [
  'none',
  '0',
  'crc32c',
  'crc32c-intel',
  ...HASHES,
  'meta',
  'pattern',
  'null',
] as const;
export type VerifyMethod = 'none' | 'crc32c' | (typeof HASHES)[number] | 'meta' | 'pattern' | 'null';

/** Which errors a job survives. */
export const ERROR_CLASSES = ['none', 'read', 'write', 'io', 'verify', 'all'] as const;
export const EXIT_SCOPES = ['group', 'stonewall', 'all'] as const;
export const ZONE_MODES = ['none', 'strided', 'zbd'] as const;

/** One job as written. Keys are fio's own; those with another unit than fio's carry it in the name. */
export interface JobOptions {
  /** Stands where the section's name would, when that section gives it. */
  name: string | null;
  description: string;
  wait_for: string;

  rw: string;
  /** Random jobs: I/Os in sequence after each jump (`rw=randread:8`). */
  rw_run: number;
  /** Sequential jobs: bytes added after each I/O; may be negative (`rw=read:-8k`). */
  rw_skip_bytes: number;
  sizes: Triple<SizeChoice>;
  /** Random offsets are multiples of this; null: of the smallest size. */
  blockalign: Triple | null;
  rwmixread: number;
  randseed: number;
  norandommap: boolean;
  distribution: Distribution;
  /** Share of the I/Os of a random job that go to random places; the others follow the one before. */
  percentage_random: Triple;

  ioengine: string;
  iodepth: number;
  iodepth_batch: number;
  iodepth_batch_complete_min: number;
  /** Infinity: as many as there are. */
  iodepth_batch_complete_max: number;
  /** Once full, the queue drains to this before more is submitted; 0: as soon as there is room. */
  iodepth_low: number;
  /** Completions are found by polling memory; false: by interrupt. fio's libaio waits, a user-space driver polls. */
  hipri: boolean;
  /** What a write is (`ioengine=sg`): a key of WRITE_MODES. */
  sg_write_mode: string;
  cpus_allowed: readonly number[];
  cpus_allowed_policy: string;

  numjobs: number;
  /** null: a file of its own in `directory`, or the first namespace without one. */
  filename: string | null;
  directory: string | null;
  /** null: up to the end of the namespace. */
  size: Amount | null;
  filesize: Amount | null;
  offset: Amount;
  /** Added to `offset` for each further clone of the job. */
  offset_increment: Amount;
  /** Bytes to move in all; null: `size`. */
  io_size: Amount | null;
  number_ios: number;
  loops: number;

  runtime_ns: number;
  time_based: boolean;
  ramp_ns: number;
  startdelay_ns: readonly [low: number, high: number];
  stonewall: boolean;
  new_group: boolean;
  exitall: boolean;
  exit_what: string;
  exitall_on_error: boolean;
  continue_on_error: string;
  /** Errnos of reads, writes and verification that count as none. */
  ignored: Readonly<Record<'read' | 'write' | 'verify', readonly number[]>>;

  rate_bytes: Triple;
  rate_iops: Triple;
  rate_min_bytes: Triple;
  rate_iops_min: Triple;
  rate_cycle_ns: number;
  rate_process: string;
  rate_ignore_thinktime: boolean;
  thinktime_ns: number;
  thinktime_blocks: number;
  thinktime_blocks_type: string;
  flow: number;
  flow_id: number;
  flow_sleep_ns: number;

  /** A flush after so many writes; 0: none. */
  fsync: number;
  end_fsync: boolean;
  /** Writes reach the media before they complete (FUA). */
  sync: boolean;

  verify: VerifyMethod;
  verify_pattern: VerifyPattern | null;
  /** Bytes that carry one header; 0: the whole block. */
  verify_interval: number;
  /** The header changes places with the data here. */
  verify_offset: number;
  do_verify: boolean;
  verify_only: boolean;
  /** Writes after which what was written is read back; 0: at the end. */
  verify_backlog: number;
  buffer_pattern: VerifyPattern | null;
  zero_buffers: boolean;

  zonemode: string;
  zonesize: number;
  zonerange: number;
  zoneskip: number;
  /** Of a zone made up on a namespace without; 0: all of it can be written. */
  zonecapacity: number;
  /** Reads go anywhere, and not only to what is written. */
  read_beyond_wp: boolean;
  /** Most open zones of all jobs, and of one clone; 0: what the drive allows, and no limit. */
  max_open_zones: number;
  job_max_open_zones: number;
  ignore_zone_limits: boolean;
  /** Share of the region above which writes reset zones, and how many writes do, as a share; 0: none. */
  zone_reset_threshold: number;
  zone_reset_frequency: number;

  /** Infinity: the depth is what `iodepth` says. */
  latency_target_ns: number;
  latency_window_ns: number;
  latency_percentile: number;
  latency_run: boolean;
  max_latency_ns: number;
  /** When a job counts as steady, and ends; null: that is not asked. */
  steady: SteadyCriterion | null;
  ss_dur_ns: number;
  ss_ramp_ns: number;

  write_bw_log: string | null;
  write_iops_log: string | null;
  write_lat_log: string | null;
  /** 0: every I/O is an entry. */
  log_avg_ns: number;
  log_max_value: boolean;
  log_offset: boolean;
  log_prio: boolean;
  per_job_logs: boolean;
  bwavgtime_ns: number;
  iopsavgtime_ns: number;

  group_reporting: boolean;
  clat_percentiles: boolean;
  lat_percentiles: boolean;
  slat_percentiles: boolean;
  percentile_list: readonly number[];
}

const fixed = (bytes: number): SizeChoice => ({ min: bytes, max: bytes, split: null });
const DEFAULT_BLOCK = 4096;
const NOTHING: Triple = [0, 0, 0];

/** fio's defaults, but for `filename` (the first namespace) and `hipri` (a user-space driver polls). */
export const DEFAULT_OPTIONS: JobOptions = {
  name: null,
  description: '',
  wait_for: '',
  rw: 'read',
  rw_run: 1,
  rw_skip_bytes: 0,
  sizes: [fixed(DEFAULT_BLOCK), fixed(DEFAULT_BLOCK), fixed(DEFAULT_BLOCK)],
  blockalign: null,
  rwmixread: 50,
  randseed: 0,
  norandommap: false,
  distribution: { kind: 'random' },
  percentage_random: [100, 100, 100],
  ioengine: 'vfio',
  iodepth: 1,
  iodepth_batch: 1,
  iodepth_batch_complete_min: 1,
  iodepth_batch_complete_max: Number.POSITIVE_INFINITY,
  iodepth_low: 0,
  hipri: true,
  sg_write_mode: 'write',
  cpus_allowed: [],
  cpus_allowed_policy: 'shared',
  numjobs: 1,
  filename: null,
  directory: null,
  size: null,
  filesize: null,
  offset: { bytes: 0 },
  offset_increment: { bytes: 0 },
  io_size: null,
  number_ios: Number.POSITIVE_INFINITY,
  loops: 1,
  runtime_ns: Number.POSITIVE_INFINITY,
  time_based: false,
  ramp_ns: 0,
  startdelay_ns: [0, 0],
  stonewall: false,
  new_group: false,
  exitall: false,
  exit_what: 'group',
  exitall_on_error: false,
  continue_on_error: 'none',
  ignored: { read: [], write: [], verify: [] },
  rate_bytes: NOTHING,
  rate_iops: NOTHING,
  rate_min_bytes: NOTHING,
  rate_iops_min: NOTHING,
  rate_cycle_ns: 1e9,
  rate_process: 'linear',
  rate_ignore_thinktime: false,
  thinktime_ns: 0,
  thinktime_blocks: 1,
  thinktime_blocks_type: 'complete',
  flow: 0,
  flow_id: 0,
  flow_sleep_ns: 0,
  fsync: 0,
  end_fsync: false,
  sync: false,
  verify: 'none',
  verify_pattern: null,
  verify_interval: 0,
  verify_offset: 0,
  do_verify: true,
  verify_only: false,
  verify_backlog: 0,
  buffer_pattern: null,
  zero_buffers: false,
  zonemode: 'none',
  zonesize: 0,
  zonerange: 0,
  zoneskip: 0,
  zonecapacity: 0,
  read_beyond_wp: false,
  max_open_zones: 0,
  job_max_open_zones: 0,
  ignore_zone_limits: false,
  zone_reset_threshold: 0,
  zone_reset_frequency: 0,
  latency_target_ns: Number.POSITIVE_INFINITY,
  latency_window_ns: 0,
  latency_percentile: 100,
  latency_run: false,
  max_latency_ns: Number.POSITIVE_INFINITY,
  steady: null,
  ss_dur_ns: 0,
  ss_ramp_ns: 0,
  write_bw_log: null,
  write_iops_log: null,
  write_lat_log: null,
  log_avg_ns: 0,
  log_max_value: false,
  log_offset: false,
  log_prio: false,
  per_job_logs: true,
  bwavgtime_ns: 500e6,
  iopsavgtime_ns: 500e6,
  group_reporting: false,
  clat_percentiles: true,
  lat_percentiles: false,
  slat_percentiles: false,
  percentile_list: [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99],
};

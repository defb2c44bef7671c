/**
 * Every key of a job file: those that this engine honours with the rule that reads them, those that it accepts although
 * they change nothing here, and those of fio's that it knows and cannot do. Names are fio's (3.33), aliases included.
 */
import { WRITE_MODES } from './commands.ts';
import {
  bytePattern,
  distribution,
  fileName,
  one,
  pattern,
  percentiles,
  rwmixwrite,
  steadiness,
  sync,
  verify,
} from './key-rules.ts';
import { ERROR_CLASSES, EXIT_SCOPES, ZONE_MODES } from './options.ts';
import {
  amount,
  blockAligns,
  blockSizes,
  blockSplits,
  bytes,
  choice,
  cpuList,
  cpuMask,
  flag,
  ignoredErrors,
  integer,
  type OptionRule,
  percentages,
  rates,
  share,
  time,
  timeRange,
  words,
} from './rules.ts';

/** Engines that hold one command at a time, whatever `iodepth` says. */
export const SYNCHRONOUS: readonly string[] = [
  ...['sync', 'psync', 'vsync', 'pvsync', 'pvsync2', 'mmap', 'libpmem', 'dev-dax', 'libzbc', 'sg'],
];
/** Every engine is ours; the names say whether a job keeps a queue. */
export const ENGINES: readonly string[] = [
  ...['vfio', 'emu', 'libaio', 'io_uring', 'io_uring_cmd', 'posixaio', 'null', 'xnvme'],
  ...SYNCHRONOUS,
];

const MANY = 1e9;

const TABLE: Record<string, OptionRule> = {
  name: words('name'),
  description: words('description'),
  wait_for: words('wait_for'),
  rw: pattern,
  bs: blockSizes,
  bssplit: blockSplits,
  blockalign: blockAligns,
  rwmixread: integer('rwmixread', 0, 100),
  rwmixwrite,
  randseed: integer('randseed', 0, Number.MAX_SAFE_INTEGER),
  norandommap: flag('norandommap'),
  random_distribution: distribution,
  percentage_random: percentages('percentage_random'),
  ioengine: choice('ioengine', ENGINES),
  iodepth: integer('iodepth', 1, 4095),
  iodepth_batch: integer('iodepth_batch', 1, 4095),
  iodepth_batch_complete_min: integer('iodepth_batch_complete_min', 0, 4095),
  iodepth_batch_complete_max: integer('iodepth_batch_complete_max', 1, 4095),
  iodepth_low: integer('iodepth_low', 0, 4095),
  hipri: flag('hipri'),
  sg_write_mode: choice('sg_write_mode', Object.keys(WRITE_MODES)),
  cpus_allowed: cpuList,
  cpumask: cpuMask,
  cpus_allowed_policy: choice('cpus_allowed_policy', ['shared', 'split']),
  numjobs: integer('numjobs', 1, 64),
  filename: fileName,
  directory: words('directory'),
  size: amount('size'),
  filesize: amount('filesize'),
  offset: amount('offset'),
  offset_increment: amount('offset_increment'),
  io_size: amount('io_size'),
  number_ios: integer('number_ios', 1, MANY),
  loops: integer('loops', 1, MANY),
  nrfiles: one('a job works on one file; with numjobs and directory each clone has its own'),
  runtime: time('runtime_ns', 's', true),
  time_based: flag('time_based'),
  ramp_time: time('ramp_ns', 's'),
  startdelay: timeRange('startdelay_ns', 's'),
  stonewall: flag('stonewall'),
  new_group: flag('new_group'),
  exitall: flag('exitall'),
  exit_what: choice('exit_what', EXIT_SCOPES),
  exitall_on_error: flag('exitall_on_error'),
  continue_on_error: choice('continue_on_error', ERROR_CLASSES),
  ignore_error: ignoredErrors,
  rate: rates('rate_bytes'),
  rate_iops: rates('rate_iops'),
  rate_min: rates('rate_min_bytes'),
  rate_iops_min: rates('rate_iops_min'),
  rate_cycle: time('rate_cycle_ns', 'ms'),
  rate_process: choice('rate_process', ['linear', 'poisson']),
  rate_ignore_thinktime: flag('rate_ignore_thinktime'),
  thinktime: time('thinktime_ns', 'us'),
  thinktime_blocks: integer('thinktime_blocks', 1, MANY),
  thinktime_blocks_type: choice('thinktime_blocks_type', ['complete', 'issue']),
  flow: integer('flow', 0, 1000),
  flow_id: integer('flow_id', 0, MANY),
  flow_sleep: time('flow_sleep_ns', 'us'),
  fsync: integer('fsync', 0, MANY),
  end_fsync: flag('end_fsync'),
  sync,
  verify,
  verify_pattern: bytePattern('verify_pattern'),
  verify_interval: bytes('verify_interval'),
  verify_offset: bytes('verify_offset'),
  do_verify: flag('do_verify'),
  verify_only: flag('verify_only'),
  verify_backlog: integer('verify_backlog', 0, MANY),
  buffer_pattern: bytePattern('buffer_pattern'),
  zero_buffers: flag('zero_buffers'),
  zonemode: choice('zonemode', ZONE_MODES),
  zonesize: bytes('zonesize'),
  zonerange: bytes('zonerange'),
  zoneskip: bytes('zoneskip'),
  zonecapacity: bytes('zonecapacity'),
  read_beyond_wp: flag('read_beyond_wp'),
  max_open_zones: integer('max_open_zones', 0, 4096),
  job_max_open_zones: integer('job_max_open_zones', 0, 4096),
  ignore_zone_limits: flag('ignore_zone_limits'),
  zone_reset_threshold: share('zone_reset_threshold'),
  zone_reset_frequency: share('zone_reset_frequency'),
  latency_target: time('latency_target_ns', 'us', true),
  latency_window: time('latency_window_ns', 'us'),
  latency_percentile: (options, text) => {
    const percent = Number(text);
    if (!(percent > 0 && percent <= 100)) return 'takes a percentage such as 99.9';
    options.latency_percentile = percent;
    return null;
  },
  latency_run: flag('latency_run'),
  max_latency: time('max_latency_ns', 'us', true),
  steadystate: steadiness,
  steadystate_duration: time('ss_dur_ns', 's'),
  steadystate_ramp_time: time('ss_ramp_ns', 's'),
  write_bw_log: words('write_bw_log'),
  write_iops_log: words('write_iops_log'),
  write_lat_log: words('write_lat_log'),
  log_avg_msec: time('log_avg_ns', 'ms'),
  log_max_value: flag('log_max_value'),
  log_offset: flag('log_offset'),
  log_prio: flag('log_prio'),
  per_job_logs: flag('per_job_logs'),
  bwavgtime: time('bwavgtime_ns', 'ms'),
  iopsavgtime: time('iopsavgtime_ns', 'ms'),
  group_reporting: flag('group_reporting'),
  clat_percentiles: flag('clat_percentiles'),
  lat_percentiles: flag('lat_percentiles'),
  slat_percentiles: flag('slat_percentiles'),
  percentile_list: percentiles,
};

/** Other names of the same keys. */
export const ALIASES: Readonly<Record<string, string>> = {
  readwrite: 'rw',
  blocksize: 'bs',
  bsrange: 'bs',
  blocksize_range: 'bs',
  ba: 'blockalign',
  io_limit: 'io_size',
  wait_for_previous: 'stonewall',
  timeout: 'runtime',
  poll: 'hipri',
  iodepth_batch_submit: 'iodepth_batch',
  iodepth_batch_complete: 'iodepth_batch_complete_min',
  ratemin: 'rate_min',
  ratecycle: 'rate_cycle',
  fdatasync: 'fsync',
  header_interval: 'verify_interval',
  ss: 'steadystate',
  ss_dur: 'steadystate_duration',
  ss_ramp: 'steadystate_ramp_time',
};

/** Keys that are honoured, by every name they have. */
export const OPTIONS: ReadonlyMap<string, OptionRule> = new Map([
  ...Object.entries(TABLE),
  ...Object.entries(ALIASES).map(([alias, key]): [string, OptionRule] => [alias, TABLE[key]!]),
]);

const list = (text: string): string[] => text.trim().split(/\s+/);

/** Why keys are accepted although they change nothing: what they are about does not exist here. */
export const IGNORED_BECAUSE: readonly { readonly because: string; readonly keys: readonly string[] }[] = [
  {
    because: 'there is no page cache and no file system below this engine',
    keys: list(`direct buffered atomic invalidate pre_read allow_file_create allow_mounted_write create_serialize
      create_fsync create_on_open create_only fallocate fadvise_hint overwrite unlink unlink_each_loop fill_device
      fsync_on_close write_hint openfiles lockfile file_service_type`),
  },
  {
    because: 'jobs are simulated threads with a clock, memory and a processor of their own',
    keys: list(`thread threads nice prio prioclass numa_cpu_nodes numa_mem_policy mem iomem hugepage-size lockmem
      clocksource gtod_cpu gtod_reduce disable_lat disable_clat disable_slat disable_bw_measurement disable_bw
      cgroup cgroup_weight cgroup_nodelete uid gid ioscheduler thinktime_spin`),
  },
  {
    because: 'every driver of this engine submits the same way',
    keys: list(`io_submit_mode registerfiles fixedbufs nonvectored sqthread_poll sqthread_poll_cpu userspace_reap
      nowait cmd_type serialize_overlap cmdprio cmdprio_class cmdprio_percentage cmdprio_bssplit xnvme_async`),
  },
  {
    because: 'the drive does not look at what it stores',
    keys: list(`refill_buffers scramble_buffers buffer_compress_percentage buffer_compress_chunk dedupe_percentage
      dedupe_mode dedupe_working_set_percentage dedupe_global`),
  },
  {
    because: 'runs are repeatable by --seed, and every block is visited without a map',
    keys: list('randrepeat allrandrepeat random_generator softrandommap'),
  },
  {
    because: 'a block that fails is told in one sentence, at once',
    keys: list('verify_fatal verify_dump verify_async verify_backlog_batch experimental_verify error_dump'),
  },
  {
    because: 'reports are whole and come at the end',
    keys: list(`disk_util significant_figures kb_base unit_base stats log_compression log_store_compressed log_entries
      log_unix_epoch log_alternate_epoch`),
  },
];

export const IGNORED: ReadonlyMap<string, string> = new Map(
  IGNORED_BECAUSE.flatMap(({ because, keys }) => keys.map((key): [string, string] => [key, because])),
);

/** Keys of fio that are a mistake here, because leaving them out would make another job of it. */
export const UNSUPPORTED: ReadonlySet<string> = new Set(
  list(`opendir filename_format unique_filename bs_unaligned rw_sequencer file_append offset_align
    allow_overlap sync_file_range write_barrier verify_state_load verify_state_save trim_percentage
    trim_verify_zero trim_backlog trim_backlog_batch write_iolog read_iolog read_iolog_chunked replay_no_stall
    replay_redirect replay_scale replay_align replay_time_scale replay_skip merge_blktrace_file exec_prerun
    exec_postrun thinktime_iotime write_hist_log log_hist_msec log_hist_coarseness
    block_error_percentiles unified_rw_reporting profile uri program cpuload cpumode hostname port donorname`),
);

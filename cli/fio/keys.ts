/**
 * Every key of a job file: those that this engine honours with the rule that reads them, those that it accepts although
 * they change nothing here, and those of fio's that it knows and cannot do. Names are fio's (3.33), aliases included.
 */
import { suggestion } from '../../support/nearest.ts';
import { type AccessZone, ERROR_CLASSES, EXIT_SCOPES, VERIFY_METHODS, ZONE_MODES } from './options.ts';
import { parsePattern } from './pattern.ts';
import {
  amount,
  blockAligns,
  blockSizes,
  blockSplits,
  bytes,
  choice,
  cpuList,
  flag,
  integer,
  type OptionRule,
  rates,
  share,
  time,
  timeRange,
  words,
} from './rules.ts';

/** Engines that hold one command at a time, whatever `iodepth` says. */
export const SYNCHRONOUS: readonly string[] = ['sync', 'psync', 'vsync', 'pvsync', 'pvsync2', 'mmap'];
/** Every engine is ours; the names say whether a job keeps a queue. */
export const ENGINES: readonly string[] = [
  ...['vfio', 'emu', 'libaio', 'io_uring', 'io_uring_cmd', 'posixaio', 'null', 'xnvme'],
  ...SYNCHRONOUS,
];
const PATTERNS = [
  ...['read', 'write', 'trim', 'randread', 'randwrite', 'randtrim'],
  ...['rw', 'readwrite', 'randrw', 'trimwrite', 'randtrimwrite'],
];

/** `randread`, `randread:8` (I/Os per jump) or `read:-8k` (bytes between I/Os). */
const pattern: OptionRule = (options, text) => {
  const [name = '', ...modifiers] = text.split(':');
  const refused = choice('rw', PATTERNS)(options, name);
  if (refused !== null) return refused;
  const match = /^(-?)(.+)$/.exec(modifiers.join(':'));
  options.rw_run = 1;
  options.rw_skip_bytes = 0;
  if (match === null) return null;
  const isRandom = name.startsWith('rand');
  const rule = isRandom ? integer('rw_run', 1, 1e9) : bytes('rw_skip_bytes');
  if ((isRandom && match[1] === '-') || rule(options, match[2]!) !== null)
    return 'takes behind the colon I/Os per jump (rw=randread:8) or bytes between I/Os (rw=read:8k)';
  if (match[1] === '-') options.rw_skip_bytes = -options.rw_skip_bytes;
  return null;
};

const percentiles: OptionRule = (options, text) => {
  const list = text.split(':').map(Number);
  if (list.length > 20 || !list.every((percent) => percent > 0 && percent <= 100)) {
    return 'takes up to 20 percentages separated by colons, such as 50:99:99.9';
  }
  options.percentile_list = list.sort((a, b) => a - b);
  return null;
};

const bytePattern = (key: 'verify_pattern' | 'buffer_pattern'): OptionRule => {
  return (options, text) => {
    options[key] = parsePattern(text);
    return options[key] === null ? 'takes a number such as 0xdeadbeef, a "text", %o, or a mix of them' : null;
  };
};

const fileName: OptionRule = (options, text) => {
  if (text === '' || /(?<!\\):/.test(text))
    return 'takes one namespace such as nvme0n1, or the path of one image';
  options.filename = text.replaceAll('\\:', ':');
  return null;
};

const rwmixwrite: OptionRule = (options, text) => {
  const refused = integer('rwmixread', 0, 100)(options, text);
  if (refused === null) options.rwmixread = 100 - options.rwmixread;
  return refused;
};

/** `50/5:30/15:20/80`: shares of accesses and of the region; a missing size shares what is left. */
function accessZones(text: string): AccessZone[] | null {
  const parts = text.split(':').map((part) => part.split('/'));
  const sizes = parts.map(([, size]) => (size === undefined || size === '' ? null : Number(size)));
  const sum = sizes.reduce<number>((total, size) => total + (size ?? 0), 0);
  const open = sizes.filter((size) => size === null).length;
  const zones = parts.map(([access], index) => ({
    access: Number(access),
    size: sizes[index] ?? (100 - sum) / open,
  }));
  const accesses = zones.reduce((total, { access }) => total + access, 0);
  return accesses === 100 && sum <= 100 && zones.every(({ size }) => size > 0) ? zones : null;
}

const distribution: OptionRule = (options, text) => {
  const [kind = '', ...rest] = text.split(':');
  const value = Number(rest[0]);
  if (kind === 'random' && rest.length === 0) options.distribution = { kind };
  else if (kind === 'zipf' && value > 0 && value !== 1 && value < 100) options.distribution = { kind, value };
  else if (kind === 'pareto' && value > 0 && value < 1) options.distribution = { kind, value };
  else if (kind === 'normal' && value > 0 && value <= 100) options.distribution = { kind, value };
  else {
    const zones = kind === 'zoned' ? accessZones(rest.join(':')) : null;
    if (zones === null) {
      return (
        'takes random, zipf:THETA (above 0, not 1), pareto:POWER (between 0 and 1), normal:DEVIATION (percent) or ' +
        `zoned:ACCESS/SIZE:... (percent)${suggestion(kind, ['random', 'zipf', 'pareto', 'normal', 'zoned'])}`
      );
    }
    options.distribution = { kind: 'zoned', zones };
  }
  return null;
};

const verify: OptionRule = (options, text) => {
  const refused = choice('verify', VERIFY_METHODS)(options, text);
  if (text === '0') options.verify = 'none';
  if (text === 'crc32c-intel') options.verify = 'crc32c';
  return refused;
};

const sync: OptionRule = (options, text) => {
  if (!['', '0', '1', 'none', 'sync', 'dsync'].includes(text)) return 'takes none, sync or dsync';
  options.sync = text !== '0' && text !== 'none';
  return null;
};

const one = (what: string): OptionRule => {
  return (_, text) => (text === '1' ? null : `takes only 1 here: ${what}`);
};

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
  ioengine: choice('ioengine', ENGINES),
  iodepth: integer('iodepth', 1, 4095),
  iodepth_batch: integer('iodepth_batch', 1, 4095),
  iodepth_batch_complete_min: integer('iodepth_batch_complete_min', 0, 4095),
  iodepth_batch_complete_max: integer('iodepth_batch_complete_max', 1, 4095),
  iodepth_low: integer('iodepth_low', 0, 4095),
  hipri: flag('hipri'),
  cpus_allowed: cpuList,
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
  nrfiles: one('a job works on one file'),
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
  list(`opendir filename_format unique_filename bs_unaligned ignore_error rw_sequencer file_append offset_align
    percentage_random allow_overlap sync_file_range write_barrier verify_state_load verify_state_save trim_percentage
    trim_verify_zero trim_backlog trim_backlog_batch write_iolog read_iolog read_iolog_chunked replay_no_stall
    replay_redirect replay_scale replay_align replay_time_scale replay_skip merge_blktrace_file exec_prerun
    exec_postrun thinktime_iotime write_hist_log log_hist_msec log_hist_coarseness
    block_error_percentiles unified_rw_reporting profile steadystate ss steadystate_duration ss_dur
    steadystate_ramp_time ss_ramp cpumask uri program cpuload cpumode hostname port donorname`),
);

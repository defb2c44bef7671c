/** What the keys of a job file do, each through the whole machine: rates, pauses, batches, order of jobs, logs, trims. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot, pc } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { READ, TRIM, WRITE } from '../../cli/fio/stats.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { T } from '../../machine/trace.ts';
import { doorbell } from './doorbell.ts';
import { linesOf } from './log-lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-features-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs jobs below the command line, for their numbers. */
interface More {
  readonly stopAfter_ns?: number;
  readonly signal?: AbortSignal;
  readonly pace?: 'timed' | 'functional';
}

async function run(text: string, more: More = {}) {
  const { jobs } = parseJobFile(text, 'x.fio');
  const targets = findTargets(pc, jobs, true);
  const machine = boot(targets.board, { pace: more.pace ?? 'timed', seed: 1 });
  const writes: number[] = [];
  machine.trace.listen((_, point, _bdf, qid, isCompletion) => {
    if (point === T.NVME_DOORBELL && isCompletion === 0) writes.push(qid);
  });
  const hostNow = () => performance.now() * 1e6;
  const result = await runJobs({ machine, jobs, targets, seed: 1, hostNow, ...more });
  return { ...result, stats: result.clones[0]!, doorbells: writes };
}

describe('rates', () => {
  test.each([
    ['rate_iops=2000', 2000, 4096],
    ['rate=8m', 2048, 4096],
    ['rate_iops=2000\nrate_process=poisson', 2000, 4096],
    ['rate_iops=2000\niodepth=8', 2000, 4096],
  ])('%j holds', async (lines, iops) => {
    const { stats } = await run(`[a]\nrw=randread\nruntime=200ms\ntime_based\n${lines}`);
    const { ios, elapsed_ns } = stats.directions[READ];
    expect(Math.abs((ios * 1e9) / elapsed_ns / iops - 1)).toBeLessThan(0.1);
  });

  test('reads and writes have a rate each', async () => {
    const { stats } = await run('[a]\nrw=randrw\nruntime=100ms\ntime_based\nrate_iops=3000,1000');
    expect(stats.directions[READ].ios / stats.directions[WRITE].ios).toBeCloseTo(3, 0);
  });

  test('a rate_min that is missed ends the job', async () => {
    const { stats } = await run(
      '[a]\nrw=randread\nruntime=1s\ntime_based\nrate_iops=1000\nrate_iops_min=2000\nrate_cycle=10',
    );
    expect(stats.errno).toBe(5);
    expect(stats.failure).toMatch(/^1\d{3}\.\d I\/Os per second, and rate_iops_min asks for 2000$/);
  });

  test('flow shares I/Os between jobs', async () => {
    const { clones } = await run(
      '[global]\nrw=randread\nruntime=5ms\ntime_based\niodepth=4\n[a]\nflow=1\n[b]\nflow=3',
    );
    expect(clones[1]!.directions[READ].ios / clones[0]!.directions[READ].ios).toBeCloseTo(3, 1);
  });
});

describe('time', () => {
  test('thinktime pauses after so many blocks', async () => {
    const { stats } = await run('[a]\nrw=read\nnumber_ios=20\nthinktime=1000\nthinktime_blocks=5');
    expect(stats.runtime_ns / 1e6).toBeCloseTo(4, 0);
  });

  test('startdelay holds a job back, ramp_time is not counted', async () => {
    const { simulated_ns, clones } = await run(
      '[a]\nrw=randread\nstartdelay=3ms\nruntime=2ms\ntime_based\n[b]\nrw=randread\nramp_time=4ms\nruntime=2ms\ntime_based',
    );
    expect(simulated_ns / 1e6).toBeCloseTo(6, 1);
    for (const { runtime_ns } of clones) expect(runtime_ns / 1e6).toBeCloseTo(2, 1);
    const [a, b] = clones.map(({ directions }) => directions[READ].ios);
    expect(Math.abs(a! / b! - 1)).toBeLessThan(0.05);
  });

  test('a pause ends with the runtime', async () => {
    const { simulated_ns } = await run('[a]\nrw=read\nruntime=3ms\ntime_based\nrate_iops=1');
    expect(simulated_ns / 1e6).toBeCloseTo(3, 1);
  });

  test('--stop-after ends all jobs at that time, whatever is under way, and those that have not begun never do', async () => {
    const { simulated_ns, clones, stats, stoppedAfter_ns } = await run(
      '[a]\nrw=randread\nbs=128k\niodepth=32\nruntime=1s\ntime_based\n[b]\nstonewall\nrw=read',
      { stopAfter_ns: 2e6 },
    );
    expect([simulated_ns, stoppedAfter_ns, stats.runtime_ns, clones.length]).toEqual([2e6, 2e6, 2e6, 1]);
    const { ios, lat } = stats.directions[READ];
    expect(ios).toBeGreaterThan(10);
    expect(lat.max).toBeLessThanOrEqual(2e6);
  });

  test('steadystate ends a job when its rate has settled: a group together, a job alone by itself', async () => {
    const job = (name: string, lines: string) =>
      `[${name}]\nrw=randread\nrate_iops=100\ntime_based\nruntime=20s\nss_ramp=500ms\nss_dur=2s\n${lines}\n`;
    const { clones, stats } = await run(
      `${job('group', 'numjobs=2\ngroup_reporting\nss=iops:5%')}${job('slope', 'new_group\nss=bw_slope:1k')}` +
        `${job('never', 'new_group\nss=iops:0\nruntime=4s')}`,
    );
    expect(clones.map(({ runtime_ns }) => Math.round(runtime_ns / 1e8))).toEqual([25, 25, 25, 40]);
    expect(clones.map(({ steady }) => steady!.isAttained)).toEqual([true, true, true, false]);
    expect(stats.steady!.iops.map(Math.round)).toEqual([200, 200]);
    expect(stats.steady).toBe(clones[1]!.steady);
  });

  test('sg_write_mode: writes that compare, verify or zero', async () => {
    const job = (name: string, lines: string) =>
      `[${name}]\nstonewall\nioengine=sg\nrw=write\nbs=4k\nbuffer_pattern=0x5a\n${lines}\n`;
    const jobs = [
      job('write', 'number_ios=8'),
      job('same', 'number_ios=7\nsg_write_mode=verify_bytchk_01'),
      job('other', 'number_ios=9\nsg_write_mode=verify_bytchk_11'),
      job('check', 'number_ios=8\nsg_write_mode=verify_bytchk_00'),
      job('zero', 'number_ios=4\nsg_write_mode=write_same_ndob'),
      job('zeroes', 'number_ios=4\nsg_write_mode=verify_bytchk_01\nzero_buffers'),
      job('rest', 'number_ios=5\nsg_write_mode=verify_bytchk_01\nzero_buffers'),
    ];
    const { clones } = await run(jobs.join(''));
    expect(clones.map(({ errno }) => errno)).toEqual([0, 0, 5, 0, 0, 0, 5]);
    expect(clones[2]!.failure).toMatch(/^Compare of blocks 64 to 71 .* COMPARE_FAILURE/);
  });

  test('percentage_random mixes places that follow with random ones', async () => {
    const { logs } = await run(
      '[a]\nrw=randread\npercentage_random=25\nnumber_ios=400\nwrite_lat_log=x\nlog_offset=1',
    );
    const places = linesOf(logs, '_lat').map((line) => Number(line.split(', ')[4]));
    const following = places.filter(
      (place, index) => index > 0 && place === places[index - 1]! + 4096,
    ).length;
    expect(Math.abs(following / 400 - 0.75)).toBeLessThan(0.07);
  });

  test('a signal ends all jobs; a run that stops at that time is the same', async () => {
    const text =
      '[a]\nrw=randread\niodepth=4\nruntime=1h\ntime_based\n[b]\nrw=write\nverify=crc32c\nruntime=1h';
    const interrupt = new AbortController();
    setTimeout(() => interrupt.abort(), 20);
    const first = await run(text, { signal: interrupt.signal });
    const second = await run(text, { stopAfter_ns: first.stoppedAfter_ns! });
    expect(first.clones.map(({ errno }) => errno)).toEqual([0, 0]);
    const figures = ({ clones }: typeof first) =>
      clones.map(({ directions, runtime_ns }) => [
        runtime_ns,
        ...directions.map(({ ios, lat }) => [ios, lat.mean]),
      ]);
    expect(figures(second)).toEqual(figures(first));
  });

  test('latency_target finds the largest depth that holds it', async () => {
    const depthFor = async (target: string) => {
      const text = `[a]\nrw=randread\niodepth=64\nlatency_target=${target}\nlatency_window=1ms\nlatency_percentile=99\nio_size=1g`;
      return (await run(text)).stats.latencyDepth;
    };
    const [tight, wide] = [await depthFor('20us'), await depthFor('40us')];
    expect(tight).toBeGreaterThan(2);
    expect(wide).toBeGreaterThan(1.5 * tight);
    const held = (await run(`[a]\nrw=randread\niodepth=${tight}\nio_size=4m`)).stats.directions[READ].lat;
    const missed = (await run(`[a]\nrw=randread\niodepth=${tight + 2}\nio_size=4m`)).stats.directions[READ]
      .lat;
    expect(held.percentile(98)).toBeLessThan(20_400);
    expect(missed.percentile(99)).toBeGreaterThan(20_000);
  });

  test('max_latency ends a job', async () => {
    expect((await run('[a]\nrw=randread\nmax_latency=5')).stats.failure).toMatch(/max_latency is 5000$/);
  });
});

describe('order of jobs', () => {
  test('wait_for begins after the other job, in its own group', async () => {
    const { simulated_ns, clones } = await run(
      '[global]\nruntime=2ms\ntime_based\n[a]\nrw=write\nnumjobs=2\n[b]\nnew_group\nwait_for=a\nrw=randread',
    );
    expect(simulated_ns / 1e6).toBeCloseTo(4, 1);
    expect(clones.map(({ group }) => group)).toEqual([0, 0, 1]);
  });

  test.each([
    ['group', [1, 3, 3]],
    ['stonewall', [1, 1, 3]],
    ['all', [1, 1]],
  ])('exit_what=%s', async (what, expected) => {
    const { clones } = await run(
      `[global]\nrw=randread\ntime_based\n[a]\nruntime=1ms\nexitall\nexit_what=${what}\n[b]\nnew_group\nruntime=3ms\n[c]\nstonewall\nruntime=3ms`,
    );
    expect(clones.map(({ runtime_ns }) => Math.round(runtime_ns / 1e6))).toEqual(expected);
  });

  test('loops do all of it again', async () => {
    const { stats } = await run('[a]\nrw=write\nsize=64k\nverify=crc32c\nloops=3');
    expect(stats.directions.map(({ ios }) => ios)).toEqual([48, 48, 0]);
  });

  test('cpus_allowed chooses the queue pair', async () => {
    const { doorbells } = await run(
      '[a]\nrw=read\nnumber_ios=1\ncpus_allowed=4\n[b]\nrw=read\nnumber_ios=1\ncpus_allowed=2',
    );
    expect(doorbells.filter((qid) => qid > 0)).toEqual([5, 3]);
  });
});

describe('commands', () => {
  test('trims deallocate: what was there reads as zeros', async () => {
    const image = join(folder, 'trim.img');
    const job = (lines: string) => {
      const path = join(folder, 'trim.fio');
      writeFileSync(path, `[a]\nfilename=${image}\nsize=64k\n${lines}`);
      return doorbell('fio', path);
    };
    expect((await job('rw=write\nbuffer_pattern=0x5a')).status).toBe(0);
    expect(readFileSync(image).every((byte) => byte === 0x5a)).toBe(true);
    const { out, status } = await job('rw=trim\nio_size=32k\nbs=16k');
    expect(status).toBe(0);
    expect(out).toContain('issued rwts: total=0,0,2,0');
    const bytes = readFileSync(image);
    expect(bytes.subarray(0, 32_768).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(32_768).every((byte) => byte === 0x5a)).toBe(true);
  });

  test('trimwrite and fsync are counted apart, and verified', async () => {
    const { stats } = await run('[a]\nrw=randtrimwrite\nsize=128k\niodepth=8\nverify=md5\nfsync=8');
    expect([
      stats.failure,
      stats.directions[TRIM].ios,
      stats.directions[WRITE].ios,
      stats.sync.count,
    ]).toEqual(['', 32, 32, 4]);
    expect(stats.directions[READ].ios).toBe(32);
  });

  test.each(['timed', 'functional'] as const)(
    'I/Os longer than MDTS are several commands, at the %s pace',
    async (pace) => {
      const { stats, doorbells } = await run('[a]\nrw=randrw\nbs=2m\nsize=32m\niodepth=4\nverify=crc32c', {
        pace,
      });
      expect([stats.errno, stats.directions[READ].bytes]).toEqual([0, 32 * 2 ** 20]);
      expect(doorbells.length).toBeGreaterThan(0);
    },
  );

  test('batches: submitted together, taken together', async () => {
    const { stats, doorbells } = await run(
      '[a]\nrw=randread\niodepth=16\niodepth_batch=8\niodepth_batch_complete_min=8\niodepth_batch_complete_max=8\nnumber_ios=160',
    );
    expect(doorbells.filter((qid) => qid > 0)).toHaveLength(20);
    expect(Array.from(stats.submits)).toEqual([0, 0, 20, 0, 0, 0, 0]);
    expect(Array.from(stats.completes)).toEqual([0, 0, 20, 0, 0, 0, 0]);
  });

  test('iodepth_low drains the queue before it is filled again', async () => {
    const { stats } = await run('[a]\nrw=randread\niodepth=16\niodepth_low=1\nnumber_ios=160');
    const even = (await run('[a]\nrw=randread\niodepth=16\nnumber_ios=160')).stats;
    expect(stats.depths[4]!).toBeLessThan(40);
    expect(even.depths[4]!).toBeGreaterThan(140);
  });
});

describe('verify', () => {
  test.each([
    'verify=sha256\nbs=4k-16k',
    'verify=crc32c\nverify_interval=512\nverify_offset=128',
    'verify=crc32c\nverify_backlog=16',
    'verify=pattern\nverify_pattern=0xff%o"abcd"-21',
    'verify=meta\nrandom_distribution=zipf:1.1\nio_size=1m',
    'verify=md5\nbssplit=4k/50:8k/50\nloops=2',
  ])('%j finds what it wrote', async (lines) => {
    const { stats } = await run(`[a]\nrw=randwrite\nsize=256k\niodepth=16\n${lines}`);
    expect([stats.errno, stats.failure]).toEqual([0, '']);
    expect(stats.directions[READ].ios).toBeGreaterThan(10);
  });

  test('continue_on_error=verify counts what is wrong and goes on', async () => {
    const image = join(folder, 'wrong.img');
    const path = join(folder, 'wrong.fio');
    const job = (lines: string) => {
      writeFileSync(path, `[a]\nfilename=${image}\nsize=64k\nverify=crc32c\n${lines}`);
      return doorbell('fio', path, '--output-format', 'json');
    };
    await job('rw=write\ndo_verify=0');
    const bytes = readFileSync(image);
    for (const block of [3, 7]) bytes[block * 4096 + 99]! ^= 1;
    writeFileSync(image, bytes);
    const { status, out } = await job('rw=read\ncontinue_on_error=verify');
    const [report] = (
      JSON.parse(out) as { jobs: { total_err: number; first_error: number; read: { total_ios: number } }[] }
    ).jobs;
    expect([status, report!.total_err, report!.first_error, report!.read.total_ios]).toEqual([0, 2, 84, 16]);
    expect((await job('rw=read\nignore_error=,,EILSEQ')).status).toBe(0);
    expect((await job('rw=read\nignore_error=EILSEQ,5')).status).toBe(1);
  });

  test('verify_only in a later run finds the writes of an earlier one', async () => {
    const image = join(folder, 'only.img');
    const path = join(folder, 'only.fio');
    const job = (lines: string) => {
      writeFileSync(
        path,
        `[a]\nfilename=${image}\nrw=randwrite\nsize=128k\nio_size=256k\nverify=crc32c\n${lines}`,
      );
      return doorbell('fio', path);
    };
    expect((await job('do_verify=0')).status).toBe(0);
    const { status, out } = await job('verify_only');
    expect(status).toBe(0);
    expect(out).toContain('issued rwts: total=32,0,0,0');
  });
});

describe('samples and logs', () => {
  test('a sample for every bwavgtime', async () => {
    const { stats } = await run('[a]\nrw=randread\nruntime=10ms\ntime_based\nbwavgtime=1\niopsavgtime=1');
    const { bw, iops, bytes, elapsed_ns } = stats.directions[READ];
    expect(bw.count).toBeGreaterThanOrEqual(8);
    expect(bw.mean / ((bytes * 1e9) / elapsed_ns)).toBeCloseTo(1, 1);
    expect(iops.mean / (bw.mean / 4096)).toBeCloseTo(1, 3);
  });

  test.each(['', '\nlog_avg_msec=1'])('a ramp is not in the logs%j', async (averaged) => {
    const { stats, logs } = await run(
      `[a]\nrw=randread\nruntime=3ms\nramp_time=3ms\ntime_based\nwrite_lat_log=x${averaged}`,
    );
    const times = linesOf(logs, '_clat').map((line) => Number(line.split(', ')[0]));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(averaged === '' ? [stats.directions[READ].ios] : [3, 4]).toContain(times.length);
  });

  test('a log of many entries is whole and in order, piece by piece', async () => {
    const { logs } = await run(
      '[a]\nrw=read\nnumber_ios=60000\nsize=1m\nloops=1000\niodepth=8\nwrite_lat_log=x\nlog_offset=1',
      { pace: 'functional' },
    );
    const log = logs.find(({ path }) => path === 'x_lat.1.log')!;
    const pieces = [...log.pieces()];
    expect(pieces.length).toBeGreaterThan(5);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(2 ** 21);
    const lines = linesOf(logs, 'x_lat');
    expect(lines.length).toBe(log.length);
    expect(lines.map((line) => Number(line.split(', ')[4]))).toEqual(
      lines.map((_, index) => (index % 256) * 4096),
    );
  });

  test('averaged logs add up to the job', async () => {
    const { stats, logs } = await run(
      '[a]\nrw=randread\nruntime=20ms\ntime_based\nwrite_iops_log=x\nwrite_lat_log=x\nlog_avg_msec=5',
    );
    const of = (kind: string) => linesOf(logs, `x_${kind}.1.log`);
    const iops = of('iops')
      .slice(0, 4)
      .map((line) => Number(line.split(', ')[1]));
    expect(iops.reduce((sum, value) => sum + value * 0.005, 0) / stats.directions[READ].ios).toBeCloseTo(
      1,
      1,
    );
    expect(of('iops')[0]).toMatch(/^5, \d+, 0, 0, 0$/);
    expect(Number(of('lat')[0]!.split(', ')[1]) / stats.directions[READ].lat.mean).toBeCloseTo(1, 1);
  });
});

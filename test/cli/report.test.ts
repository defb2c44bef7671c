/** The report against fio 3.33: numbers as its num2str prints them, and a whole report whose layout is fio's. */
import { describe, expect, test } from 'vitest';
import { binaryBytes, count, decimalBytes, duration, shorten, timeUnit } from '../../cli/fio/format.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { heading, report } from '../../cli/fio/report.ts';
import { batchClass, depthClass, JobStats, READ, WRITE } from '../../cli/fio/stats.ts';

describe('numbers, as fio 3.33 printed them', () => {
  test.each([
    ['IOPS 80313', count(80_313), '80.3k'],
    ['IOPS 126030', count(126_030), '126k'],
    ['IOPS 9999', count(9999), '9999'],
    ['IOPS 10089', count(10_089), '10.1k'],
    ['16 MiB', binaryBytes(16 * 1024 ** 2), '16.0MiB'],
    ['16 MiB in powers of 1000', decimalBytes(16 * 1024 ** 2), '16.8MB'],
    ['314 MiB/s', binaryBytes(329_000_000), '314MiB'],
    ['a latency of seven digits', shorten(1_458_700, 6, 1000), '1458.7k'],
    ['one of six', shorten(999_999, 6, 1000), '999999'],
    ['a short one', shorten(2, 6, 1000), '2'],
    ['51 ms', duration(51e6), '51msec'],
    ['1 ms', duration(1.25e6), '1250usec'],
  ])('%s', (_, text, expected) => expect(text).toBe(expected));

  test.each([
    [1409, 1_458_700, 34_557, 'nsec'],
    [2001, 4_983_000, 143_310, 'usec'],
    [2001, 4_983_000, 900, 'nsec'],
    [2001, 50_000, 9000, 'nsec'],
    [3e6, 2e8, 2e6, 'msec'],
  ])('min %i, max %i, stdev %i are shown in %s', (min, max, deviation, expected) => {
    expect(timeUnit(min, max, deviation).name).toBe(expected);
  });

  test.each([
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
    [31, 4],
    [32, 5],
    [63, 5],
    [64, 6],
    [4095, 6],
  ])('depth %i is in class %i', (depth, expected) => expect(depthClass(depth)).toBe(expected));
  test.each([
    [0, 0],
    [1, 1],
    [4, 1],
    [5, 2],
    [8, 2],
    [9, 3],
    [32, 4],
    [33, 5],
    [64, 5],
    [65, 6],
  ])('a batch of %i is in class %i', (batch, expected) => expect(batchClass(batch)).toBe(expected));
});

const { jobs } = parseJobFile(
  '[first]\nrw=randrw\niodepth=4\n[second]\nstonewall\nrw=write\nbs=8k\nnumjobs=2\ngroup_reporting',
  'x.fio',
);

function sample(job: (typeof jobs)[number], group: number, id: number): JobStats {
  const stats = new JobStats(job, group, id);
  const directions = job.reads ? [READ, WRITE] : [WRITE];
  for (const direction of directions) {
    const counts = stats.directions[direction as typeof READ];
    for (let io = 1; io <= 1000; io++) {
      const ns = (direction === READ ? 9000 : 2500) + 37 * io;
      counts.ios++;
      counts.bytes += job.bs[direction]!;
      counts.slat.record(150);
      counts.clat.record(ns);
      counts.lat.record(ns + 150);
      stats.depths[2]!++;
      stats.submits[1]!++;
      stats.completes[1]!++;
    }
    counts.elapsed_ns = 20e6;
  }
  stats.runtime_ns = 20e6;
  stats.software_ns = 5e6;
  return stats;
}

test('the announcement has one line per job and dots for its clones', () => {
  expect(heading(jobs, 'doorbell-fio')).toMatchInlineSnapshot(`
    [
      "first: (g=0): rw=randrw, bs=(R) 4096B-4096B, (W) 4096B-4096B, (T) 4096B-4096B, ioengine=vfio, iodepth=4",
      "second: (g=1): rw=write, bs=(R) 8192B-8192B, (W) 8192B-8192B, (T) 8192B-8192B, ioengine=vfio, iodepth=1",
      "...",
      "doorbell-fio",
      "Starting 3 threads",
    ]
  `);
});

test('a report reads like one of fio', () => {
  const [first, second] = jobs;
  const clones = [sample(first!, 0, 1), sample(second!, 1, 2), sample(second!, 1, 3)];
  expect(report(clones, 'Sun Nov 22 10:56:38 2026').join('\n')).toMatchInlineSnapshot(`
    "
    first: (groupid=0, jobs=1): err= 0: pid=1: Sun Nov 22 10:56:38 2026
      read: IOPS=50.0k, BW=195MiB/s (205MB/s)(4000KiB/20msec)
        slat (nsec): min=150, max=150, avg=150.00, stdev= 0.00
        clat (nsec): min=9037, max=46000, avg=27518.50, stdev=10686.32
         lat (nsec): min=9187, max=46150, avg=27668.50, stdev=10686.32
        clat percentiles (nsec):
         |  1.00th=[ 9408],  5.00th=[10816], 10.00th=[12736], 20.00th=[16512],
         | 30.00th=[20096], 40.00th=[23680], 50.00th=[27520], 60.00th=[31104],
         | 70.00th=[35072], 80.00th=[38656], 90.00th=[42240], 95.00th=[44288],
         | 99.00th=[45824], 99.50th=[45824], 99.90th=[45824], 99.95th=[45824],
         | 99.99th=[45824]
      write: IOPS=50.0k, BW=195MiB/s (205MB/s)(4000KiB/20msec); 0 zone resets
        slat (nsec): min=150, max=150, avg=150.00, stdev= 0.00
        clat (nsec): min=2537, max=39500, avg=21018.50, stdev=10686.32
         lat (nsec): min=2687, max=39650, avg=21168.50, stdev=10686.32
        clat percentiles (nsec):
         |  1.00th=[ 2864],  5.00th=[ 4320], 10.00th=[ 6176], 20.00th=[ 9920],
         | 30.00th=[13632], 40.00th=[17280], 50.00th=[21120], 60.00th=[24704],
         | 70.00th=[28288], 80.00th=[32128], 90.00th=[35584], 95.00th=[37632],
         | 99.00th=[39168], 99.50th=[39168], 99.90th=[39680], 99.95th=[39680],
         | 99.99th=[39680]
      lat (usec)   : 4=2.00%, 10=9.40%, 20=27.00%, 50=61.60%
      cpu          : usr=25.00%, sys=0.00%, ctx=0, majf=0, minf=0
      IO depths    : 1=0.0%, 2=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, >=64=0.0%
         submit    : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         complete  : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         issued rwts: total=1000,1000,0,0 short=0,0,0,0 dropped=0,0,0,0
         latency   : target=0, window=0, percentile=100.00%, depth=4
    second: (groupid=1, jobs=2): err= 0: pid=2: Sun Nov 22 10:56:38 2026
      write: IOPS=100k, BW=781MiB/s (819MB/s)(15.6MiB/20msec); 0 zone resets
        slat (nsec): min=150, max=150, avg=150.00, stdev= 0.00
        clat (nsec): min=2537, max=39500, avg=21018.50, stdev=10683.65
         lat (nsec): min=2687, max=39650, avg=21168.50, stdev=10683.65
        clat percentiles (nsec):
         |  1.00th=[ 2864],  5.00th=[ 4320], 10.00th=[ 6176], 20.00th=[ 9920],
         | 30.00th=[13632], 40.00th=[17280], 50.00th=[21120], 60.00th=[24704],
         | 70.00th=[28288], 80.00th=[32128], 90.00th=[35584], 95.00th=[37632],
         | 99.00th=[39168], 99.50th=[39168], 99.90th=[39680], 99.95th=[39680],
         | 99.99th=[39680]
      lat (usec)   : 4=4.00%, 10=16.20%, 20=27.00%, 50=52.80%
      cpu          : usr=25.00%, sys=0.00%, ctx=0, majf=0, minf=0
      IO depths    : 1=0.0%, 2=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, >=64=0.0%
         submit    : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         complete  : 0=0.0%, 4=100.0%, 8=0.0%, 16=0.0%, 32=0.0%, 64=0.0%, >=64=0.0%
         issued rwts: total=0,2000,0,0 short=0,0,0,0 dropped=0,0,0,0
         latency   : target=0, window=0, percentile=100.00%, depth=1

    Run status group 0 (all jobs):
       READ: bw=195MiB/s (205MB/s), 195MiB/s-195MiB/s (205MB/s-205MB/s), io=4000KiB (4096kB), run=20-20msec
      WRITE: bw=195MiB/s (205MB/s), 195MiB/s-195MiB/s (205MB/s-205MB/s), io=4000KiB (4096kB), run=20-20msec

    Run status group 1 (all jobs):
      WRITE: bw=781MiB/s (819MB/s), 781MiB/s-781MiB/s (819MB/s-819MB/s), io=15.6MiB (16.4MB), run=20-20msec"
  `);
});

test('an error stands in the head of its job, behind its errno', () => {
  const stats = sample(jobs[0]!, 0, 1);
  stats.errno = 84;
  stats.failure = 'verify: block at offset 0: stale';
  expect(report([stats], 'today')[1]).toBe(
    'first: (groupid=0, jobs=1): err=84 (verify: block at offset 0: stale): pid=1: today',
  );
});

test.each([
  [81 * 1024, '   bw (  KiB/s): min=   81, max=   81, per=0.04%, avg=81.00, stdev= 0.00, samples=2'],
  [2 ** 30, '   bw (  KiB/s): min=1048576, max=1048576, per=100.00%, avg=1048576.00, stdev= 0.00, samples=2'],
  [5011 * 2 ** 20, '   bw (  MiB/s): min= 5011, max= 5011, per=100.00%, avg=5011.00, stdev= 0.00, samples=2'],
])('samples of %i bytes per second', (rate, line) => {
  const stats = sample(jobs[0]!, 0, 1);
  const counts = stats.directions[READ];
  counts.bw.begin(0);
  for (const half of [1, 2]) counts.bw.look(half * 500e6, (rate * half) / 2, 500e6);
  expect(report([stats], 'today')).toContain(line);
});

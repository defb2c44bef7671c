/** Job files: what they mean, and the sentence for every mistake. The real fio judges the syntax of those we ship. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { parsePattern } from '../../cli/fio/pattern.ts';

const parse = (text: string, environment = {}) => parseJobFile(text, 'x.fio', environment);
const job = (lines: string) => parse(`[a]\n${lines}`).jobs[0]!;

const MIB = 1024 ** 2;
const SPLIT = [
  { bytes: 4096, percent: 10 },
  { bytes: 65_536, percent: 50 },
  { bytes: 32_768, percent: 40 },
];
const ZONES = [
  { access: 50, size: 5 },
  { access: 50, size: 95 },
];

describe('meaning', () => {
  test.each([
    ['bs=8k', { bs: [8192, 8192, 8192] }],
    ['bs=4k,16k', { bs: [4096, 16_384, 16_384] }],
    ['blocksize=512', { bs: [512, 512, 512] }],
    ['size=64m', { size: { bytes: 64 * 1024 ** 2 } }],
    ['size=50%', { size: { percent: 50 } }],
    ['io_size=1g', { io_size: { bytes: 1024 ** 3 } }],
    ['offset=0x1000', { offset: { bytes: 4096 } }],
    ['runtime=10', { runtime_ns: 10e9 }],
    ['runtime=250ms', { runtime_ns: 250e6 }],
    ['runtime=100us', { runtime_ns: 100e3 }],
    ['runtime=2m', { runtime_ns: 120e9 }],
    ['runtime=0', { runtime_ns: Number.POSITIVE_INFINITY }],
    ['time_based\nruntime=1', { time_based: true }],
    ['stonewall=0', { stonewall: false }],
    ['rwmixwrite=30', { rwmixread: 70 }],
    ['hipri=0', { hipri: false }],
    ['percentile_list=99:50:99.9', { percentile_list: [50, 99, 99.9] }],
    ['ioengine=psync\niodepth=32', { iodepth: 1 }],
    ['ioengine=libaio\niodepth=32', { iodepth: 32 }],
    ['rw=randrw', { random: true, reads: true, writes: true }],
    ['rw=write', { random: false, reads: false, writes: true }],
    ['readwrite=randread', { random: true, reads: true, writes: false }],
    ['  rw  =  read  ', { rw: 'read' }],
    ['rw=trimwrite', { reads: false, writes: true, trims: true }],
    ['rw=randread:8', { rw: 'randread', rw_run: 8 }],
    ['rw=read:-8k', { rw: 'read', rw_skip_bytes: -8192 }],
    ['bs=4k-16k,,8k', { bs: [16_384, 4096, 8192] }],
    ['bs=,8k', { bs: [4096, 8192, 8192] }],
    ['bs=,8k,', { bs: [4096, 8192, 4096] }],
    ['size=100k ; a comment', { size: { bytes: 102_400 } }],
    ['bssplit=4k/10:64k/50:32k/', { sizes: [{ min: 4096, max: 65_536, split: SPLIT }, {}, {}] }],
    ['random_distribution=zipf', { distribution: { kind: 'zipf', value: 1.1 } }],
    ['random_distribution=pareto', { distribution: { kind: 'pareto', value: 0.2 } }],
    ['random_distribution=normal', { distribution: { kind: 'normal', value: 100 / 12 } }],
    ['random_distribution=zipf:1.2', { distribution: { kind: 'zipf', value: 1.2 } }],
    ['random_distribution=zoned:50/5:50/', { distribution: { kind: 'zoned', zones: ZONES } }],
    ['rate=1m,2m', { rate_bytes: [MIB, 2 * MIB, 2 * MIB] }],
    ['rate_iops=,500', { rate_iops: [0, 500, 500] }],
    ['thinktime=5', { thinktime_ns: 5000 }],
    ['ramp_time=2', { ramp_ns: 2e9 }],
    ['startdelay=1-3', { startdelay_ns: [1e9, 3e9] }],
    ['latency_target=5ms\nlatency_window=10ms', { latency_target_ns: 5e6, latency_window_ns: 10e6 }],
    ['cpus_allowed=0,2-4', { cpus_allowed: [0, 2, 3, 4] }],
    ['cpumask=0x15', { cpus_allowed: [0, 2, 4] }],
    ['ignore_error=EIO:5,ENOSPC', { ignored: { read: [5, 5], write: [28], verify: [] } }],
    ['percentage_random=50,10', { percentage_random: [50, 10, 10] }],
    ['ss=bw_slope:1k\nss_dur=3', { steady: { of: 'bw', isSlope: true, limit: 1024, isPercent: false } }],
    ['size=4z', { size: { zones: 4 } }],
    ['verify=crc32c-intel', { verify: 'crc32c' }],
    ['sync=dsync', { sync: true }],
    ['name=b', { name: 'b' }],
  ])('%s', (lines, expected) => expect(job(lines)).toMatchObject(expected));

  test('[global] applies to the jobs after it, and jobs do not touch each other', () => {
    const { jobs } = parse('[global]\nbs=8k\n[a]\niodepth=4\n[b]\n[global]\nbs=16k\n[c]');
    expect(jobs.map(({ name, bs, iodepth }) => [name, bs[0], iodepth])).toEqual([
      ['a', 8192, 4],
      ['b', 8192, 1],
      ['c', 16_384, 1],
    ]);
  });

  test('comments, blank lines, Windows line ends and the environment', () => {
    const text = '; one\r\n# two\r\n\r\n[a]\r\nbs=$' + '{SIZE}\r\n';
    expect(parse(text, { SIZE: '2k' }).jobs[0]!.bs).toEqual([2048, 2048, 2048]);
  });

  test('keys that change nothing are noted once', () => {
    expect(parse('[global]\ndirect=1\n[a]\ndirect=1\nthread').notes).toEqual([
      'note: direct changes nothing here: there is no page cache and no file system below this engine',
      'note: thread changes nothing here: jobs are simulated threads with a clock, memory and a processor of their own',
    ]);
  });
});

describe('mistakes name file, line, key and what would do', () => {
  test.each([
    ['rwx=read', 'x.fio:2: unknown key "rwx"; did you mean "rw"?'],
    ['iodpeth=4', 'x.fio:2: unknown key "iodpeth"; did you mean "iodepth"?'],
    ['blah=4', /^x.fio:2: unknown key "blah"$/],
    ['zzzzzzzz=4', 'x.fio:2: unknown key "zzzzzzzz"'],
    [
      'bs=4k\nrw=randreed',
      'x.fio:3: rw=randreed: rw takes one of read write trim randread randwrite randtrim rw readwrite randrw trimwrite randtrimwrite; did you mean "randread"?',
    ],
    ['iodepth=0', 'x.fio:2: iodepth=0: iodepth takes a whole number from 1 to 4095'],
    ['iodepth=many', 'x.fio:2: iodepth=many: iodepth takes a whole number from 1 to 4095'],
    [
      'bs=1000',
      'x.fio:2: bs=1000: bs takes one size or range such as 4k-16k, or read,write,trim, in multiples of 512 up to 64MiB',
    ],
    [
      'size=big',
      'x.fio:2: size=big: size takes a size such as 4096, 64k, 1m, 2g, a share such as 50%, or zones such as 4z',
    ],
    [
      'size=150%',
      'x.fio:2: size=150%: size takes a size such as 4096, 64k, 1m, 2g, a share such as 50%, or zones such as 4z',
    ],
    ['runtime=soon', 'x.fio:2: runtime=soon: runtime takes a time such as 10, 10s, 500ms or 100us'],
    ['stonewall=yes', 'x.fio:2: stonewall=yes: stonewall takes 0 or 1'],
    [
      'filename=a:b',
      'x.fio:2: filename=a:b: filename takes one namespace such as nvme0n1, or the path of one image; each further file takes a job of its own',
    ],
    [`bs=\${NOPE}`, `x.fio:2: bs=\${NOPE}: the environment has no variable NOPE`],
    ['time_based', 'x.fio:2: job "a": time_based needs a runtime'],
    [
      'nrfiles=2',
      'x.fio:2: nrfiles=2: nrfiles takes only 1 here: a job works on one file; with numjobs and directory each clone has its own',
    ],
    ['read_iolog=x', 'x.fio:2: read_iolog is a key of fio that Doorbell does not support'],
    ['bssplit=4k/60:8k/60', /^x.fio:2: bssplit=.* takes sizes with shares that add up to 100/],
    ['random_distribution=zipf:1', /takes random, zipf:THETA \(above 0, not 1\).*\(percent\)$/],
    ['random_distribution=zipf:', /takes random, .*\(percent\)$/],
    ['random_distribution=zoned', /takes random, .*\(percent\)$/],
    ['random_distribution=zipff', /did you mean "zipf"\?$/],
    ['ioengine=rbd', /^x.fio:2: ioengine=rbd: ioengine takes one of vfio emu libaio/],
    [
      'rate=fast',
      'x.fio:2: rate=fast: rate takes one rate per second such as 10m or 2000, or read,write,trim',
    ],
    ['zonemode=strided', 'x.fio:2: job "a": zonemode=strided needs a zonesize'],
    ['ss=iops', /^x.fio:2: ss=iops: ss takes iops, bw, iops_slope or bw_slope with a limit/],
    ['ss=iops:2%', 'x.fio:2: job "a": ss: steadystate needs a steadystate_duration of 1s or more'],
    [
      'ignore_error=EFOO',
      /^x.fio:2: ignore_error=EFOO: ignore_error takes errors of reads, writes and verification/,
    ],
    [
      'sg_write_mode=write_same\nverify=meta',
      'x.fio:2: job "a": sg_write_mode=write_same goes with neither zonemode=zbd nor verify',
    ],
    ['latency_target=1ms', 'x.fio:2: job "a": latency_target needs a latency_window'],
    ['wait_for=b', 'x.fio:2: job "a": wait_for=b: no job of that name stands before it'],
    [
      'verify=md5\nbs=4k\nverify_interval=1000',
      'x.fio:3: job "a": every bs must be a multiple of the 1000 bytes that are verified',
    ],
    ['verify=pattern', 'x.fio:2: job "a": verify=pattern needs a verify_pattern'],
    [
      'verify=crc7',
      'x.fio:2: verify=crc7: verify takes one of none 0 crc32c crc32c-intel md5 sha1 sha256 sha512 sha3-224 sha3-256 sha3-384 sha3-512 meta pattern null',
    ],
  ])('%s', (lines, sentence) =>
    expect(() => job(lines)).toThrow(
      expect.objectContaining({
        message: typeof sentence === 'string' ? sentence : expect.stringMatching(sentence),
        status: 2,
      }),
    ),
  );

  test.each([
    ['', 'x.fio: no job in this file; a job begins with [name]'],
    ['[global]\nbs=4k', 'x.fio: no job in this file; a job begins with [name]'],
    ['[a', 'x.fio:1: "[a" lacks the "]" of a section'],
    ['[a] b', 'x.fio:1: "[a] b" is no section; [name] stands alone on its line'],
    ['bs=4k', 'x.fio:1: "bs=4k" stands before the first [section]'],
  ])('file %j', (text, sentence) => expect(() => parse(text)).toThrow(sentence));

  test('all of a file at once; what keys mean together has the line of its key, also in [global]', () => {
    expect(() => parse('[global]\nrwx=read\nbs=1\n[a]\n[b]\niodepth=0')).toThrow(
      expect.objectContaining({
        message: [
          'x.fio:2: unknown key "rwx"; did you mean "rw"?',
          'x.fio:3: bs=1: bs takes one size or range such as 4k-16k, or read,write,trim, in multiples of 512 up to 64MiB',
          'x.fio:6: iodepth=0: iodepth takes a whole number from 1 to 4095',
        ].join('\n'),
      }),
    );
    expect(() => parse('[global]\nlatency_target=1ms\n[a]\nlatency_window=1s\n[b]\n[c]\ntime_based')).toThrow(
      expect.objectContaining({
        message: [
          'x.fio:2: job "b": latency_target needs a latency_window',
          'x.fio:7: job "c": time_based needs a runtime',
        ].join('\n'),
      }),
    );
  });
});

describe('verify_pattern, as bytes that fio 3.33 writes for it', () => {
  test.each([
    ['0xdeadbeef', 'deadbeef'],
    ['0xabc', '0abc'],
    ['305419896', '78563412'],
    ['300', '2c01'],
    ['5', '05'],
    ['-1', 'ffffffff'],
    ['"abcd"-5', '61626364fbffffff'],
    ['"ab"%o0x01', '6162000000000000000001'],
  ])('%s', (text, hex) => expect(Buffer.from(parsePattern(text)!.bytes).toString('hex')).toBe(hex));

  test('%o is remembered as a place', () => expect(parsePattern('"ab"%o')!.offsets).toEqual([2]));
  test.each(['', 'abc', '"open', '0x'])('%j is none', (text) => expect(parsePattern(text)).toBeNull());
});

const scenarios = join(import.meta.dirname, '../../scenarios');
const shipped = readdirSync(scenarios).filter((name) => name.endsWith('.fio'));
const hasFio = spawnSync('fio', ['--version']).status === 0;

describe.each(shipped)('shipped job file %s', (name) => {
  const path = join(scenarios, name);
  test('is one that we accept', () => {
    expect(parseJobFile(readFileSync(path, 'utf8'), path).jobs.length).toBeGreaterThan(0);
  });
  test.skipIf(!hasFio)('is one that fio accepts', () => {
    const { status, stdout, stderr } = spawnSync('fio', ['--parse-only', path], { encoding: 'utf8' });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

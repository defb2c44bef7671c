/** Job files: what they mean, and the sentence for every mistake. The real fio judges the syntax of those we ship. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { parsePattern } from '../../cli/fio/pattern.ts';

const parse = (text: string, environment = {}) => parseJobFile(text, 'x.fio', environment);
const job = (lines: string) => parse(`[a]\n${lines}`).jobs[0]!;

describe('meaning', () => {
  test.each([
    ['bs=8k', { bs: [8192, 8192] }],
    ['bs=4k,16k', { bs: [4096, 16_384] }],
    ['blocksize=512', { bs: [512, 512] }],
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
    expect(parse(text, { SIZE: '2k' }).jobs[0]!.bs).toEqual([2048, 2048]);
  });

  test('keys that change nothing are noted once', () => {
    expect(parse('[global]\ndirect=1\n[a]\ndirect=1\nthread').notes).toEqual([
      'note: direct changes nothing here and is ignored',
      'note: thread changes nothing here and is ignored',
    ]);
  });
});

describe('mistakes name file, line, key and what would do', () => {
  test.each([
    ['rwx=read', 'x.fio:2: unknown key "rwx"; did you mean "rw"?'],
    ['iodpeth=4', 'x.fio:2: unknown key "iodpeth"; did you mean "iodepth"?'],
    ['zzzzzzzz=4', 'x.fio:2: unknown key "zzzzzzzz"'],
    [
      'bs=4k\nrw=randreed',
      'x.fio:3: rw=randreed: rw takes one of read write randread randwrite rw readwrite randrw; did you mean "randread"?',
    ],
    ['iodepth=0', 'x.fio:2: iodepth=0: iodepth takes a whole number from 1 to 4095'],
    ['iodepth=many', 'x.fio:2: iodepth=many: iodepth takes a whole number from 1 to 4095'],
    ['bs=1000', 'x.fio:2: bs=1000: bs takes one size, or read,write, in multiples of 512 up to 64MiB'],
    ['size=big', 'x.fio:2: size=big: size takes a size such as 4096, 64k, 1m, 2g, or a share such as 50%'],
    ['size=150%', 'x.fio:2: size=150%: size takes a size such as 4096, 64k, 1m, 2g, or a share such as 50%'],
    ['runtime=soon', 'x.fio:2: runtime=soon: runtime takes a time such as 10, 10s, 500ms or 100us'],
    ['stonewall=yes', 'x.fio:2: stonewall=yes: stonewall takes 0 or 1'],
    [
      'filename=a:b',
      'x.fio:2: filename=a:b: filename takes one namespace such as nvme0n1, or the path of one image',
    ],
    [`bs=\${NOPE}`, 'x.fio:2: the environment has no variable NOPE'],
    ['time_based', 'x.fio:1: job "a": time_based needs a runtime'],
    ['verify=pattern', 'x.fio:1: job "a": verify=pattern needs a verify_pattern'],
    ['verify=md5', 'x.fio:2: verify=md5: verify takes one of none crc32c pattern'],
  ])('%s', (lines, sentence) =>
    expect(() => job(lines)).toThrow(expect.objectContaining({ message: sentence, status: 2 })),
  );

  test.each([
    ['', 'x.fio: no job in this file; a job begins with [name]'],
    ['[global]\nbs=4k', 'x.fio: no job in this file; a job begins with [name]'],
    ['bs=4k', 'x.fio:1: "bs=4k" stands before the first [section]'],
  ])('file %j', (text, sentence) => expect(() => parse(text)).toThrow(sentence));
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

/**
 * The real fio as the judge: the same jobs through both give the same keys in the same order, the same columns and the
 * same files. Skipped where fio is missing (.ci/run installs Debian's); its version is in the name of the suite.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { doorbell, type Printed } from './doorbell.ts';

const found = spawnSync('fio', ['--version'], { encoding: 'utf8' });
const hasFio = found.status === 0;
const folder = mkdtempSync(join(tmpdir(), 'doorbell-real-fio-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Every kind of job that the layouts depend on, with their files in the working directory. */
const JOBS = `[global]
size=256k
[mixed]
description=both directions
filename=FOLDER/a.img
ioengine=libaio
rw=randrw
iodepth=4
fsync=8
slat_percentiles=1
lat_percentiles=1
continue_on_error=all
[trims]
stonewall
filename=FOLDER/b.img
ioengine=libaio
rw=trimwrite
numjobs=2
group_reporting
[calls]
new_group
filename=FOLDER/c.img
ioengine=psync
rw=read
clat_percentiles=0
percentile_list=50:99.9
rate_iops=2000
[target]
filename=FOLDER/d.img
ioengine=libaio
rw=randread
iodepth=8
latency_target=100ms
latency_window=5ms
latency_percentile=95
latency_run=1
`;

/** Paths of all keys in their order; the bins are as many as there are latencies, so they count as one. */
function paths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => paths(item, `${path}[${index}]`));
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`];
  if (path.endsWith('/bins')) return [path];
  return Object.entries(value).flatMap(([key, item]) => paths(item, `${path}/${key}`));
}

interface Report {
  readonly disk_util?: unknown;
  readonly emulator?: unknown;
  readonly jobs: readonly { readonly jobname: string }[];
}

/** A test's own files, so that all of them can run at once: fio waits most of its time. */
class Files {
  readonly folder = mkdtempSync(join(folder, 'test-'));
  readonly path = (name: string): string => join(this.folder, name);
  readonly read = (name: string): string => readFileSync(this.path(name), 'utf8');

  /** Writes a job file and returns its path. FOLDER stands for the folder. */
  job(name: string, text: string): string {
    writeFileSync(this.path(name), text.replaceAll('FOLDER', this.folder));
    return this.path(name);
  }

  /** Real fio, in the folder: its exit status and what it prints. */
  real(...argv: string[]): Promise<Printed> {
    return new Promise((resolve) => {
      const child = execFile('fio', argv, { cwd: this.folder }, (_, out, err) =>
        resolve({ status: child.exitCode ?? -1, out, err }),
      );
    });
  }
}

describe
  .skipIf(!hasFio)
  .concurrent(`against ${found.stdout?.trim() || 'fio, which is not installed'}`, () => {
    /** Real fio trims only block devices: the trim job's shape is taken from a job that writes. */
    const everyJob = (files: Files) => files.job('jobs.fio', JOBS.replace('rw=trimwrite', 'rw=write'));
    /** What both print for a format, theirs first. */
    const both = async (format: string) => {
      const files = new Files();
      const job = everyJob(files);
      await files.real(job, `--output-format=${format}`, `--output=${files.path('theirs')}`);
      await doorbell('fio', job, '--output-format', format, '--output', files.path('ours'));
      return [files.read('theirs'), files.read('ours')] as const;
    };

    test.each(['json', 'json+'])(
      '--output-format=%s has the same keys and types in the same order',
      async (format) => {
        const [theirs, ours] = (await both(format)).map((text) => JSON.parse(text) as Report);
        const { disk_util: _, ...comparable } = theirs!;
        const { emulator, ...same } = ours!;
        expect(paths(same)).toEqual(paths(comparable));
        expect(emulator).toMatchObject({ board: 'pc', seed: 1, pace: 'timed' });
      },
    );

    test('--output-format=terse has the same columns', async () => {
      const columns = (text: string) =>
        text
          .trim()
          .split('\n')
          // without the host's disk: its name and eight figures
          .map((line) => line.replace(/;[a-z]+\d*(;\d+){7};[\d.]+%(?=;|$)/, '').split(';'));
      const [theirs, ours] = (await both('terse')).map(columns);
      expect(ours!.map((line) => line.length)).toEqual(theirs!.map((line) => line.length));
      const shape = (line: string[]) => line.map((cell) => cell.replace(/\d+/g, '9'));
      for (const [index, line] of ours!.entries()) {
        expect(shape(line.slice(5)).map(String)).toEqual(shape(theirs![index]!.slice(5)));
        expect([line[0], line[2], line[3]]).toEqual([
          theirs![index]![0],
          theirs![index]![2],
          theirs![index]![3],
        ]);
      }
    });

    test('the normal layout has the same lines', async () => {
      const shape = (text: string) =>
        text
          .slice(text.indexOf('\n\n'))
          .split('\n')
          .filter((line) => !/^Time: |Disk stats|^ {2}vd|^ {2}sd|^ {2}nvme|^ {2}lat \(|th=\[/.test(line))
          .map((line) => line.replace(/\((nsec|usec|msec)\)/, '(time)').replace(/[=<(:].*/, ''))
          .filter((line) => line !== '');
      const [theirs, ours] = await both('normal');
      expect(shape(ours)).toEqual(shape(theirs));
    });

    test('our job files are ones that fio parses, and it parses as we do', async () => {
      const files = new Files();
      expect(await files.real('--parse-only', everyJob(files))).toEqual({ status: 0, out: '', err: '' });
    });

    test.each([
      'crc32c',
      'crc32c\nverify_interval=1024',
      'crc32c\nverify_offset=512',
      'meta',
      'pattern\nverify_pattern=0xcafe%o',
    ])('verify=%s: fio verifies what we wrote, and we what it wrote', async (method) => {
      const files = new Files();
      const image = files.path('verified.img');
      const lines = (rw: string) =>
        `[a]\nfilename=${image}\nioengine=psync\nsize=128k\nbs=4k\nrw=${rw}\ndo_verify=0\nverify=${method}\n`;
      const write = files.job('write.fio', lines('randwrite'));
      const check = files.job('check.fio', lines('read').replace('do_verify=0', 'do_verify=1'));
      expect((await doorbell('fio', write)).status).toBe(0);
      expect((await files.real(check)).status).toBe(0);
      const bytes = readFileSync(image);
      bytes[8192 + 30]! ^= 1;
      writeFileSync(image, bytes);
      expect((await files.real(check)).status).toBeGreaterThan(0);

      rmSync(image);
      expect((await files.real(write)).status).toBe(0);
      expect((await doorbell('fio', check)).status).toBe(0);
    });

    test('log files have the same names and columns', async () => {
      const files = new Files();
      const text =
        '[a]\nfilename=FOLDER/l.img\nioengine=libaio\nrw=randrw\nsize=64k\nwrite_lat_log=FOLDER/NAME\nwrite_bw_log=FOLDER/NAME\nwrite_iops_log=FOLDER/NAME\nlog_offset=1\n';
      const shapes = async (name: string, run: (path: string) => unknown) => {
        await run(files.job(`${name}.fio`, text.replaceAll('NAME', name)));
        const logs = readdirSync(files.folder).filter((each) => each.startsWith(`${name}_`));
        return logs.sort().map((log) => {
          const [first] = files.read(log).split('\n');
          return [log.slice(name.length), first!.split(', ').length, first!.split(', ')[3]];
        });
      };
      const theirs = await shapes('theirs', (path) => files.real(path));
      expect(theirs.length).toBeGreaterThan(0);
      expect(await shapes('mine', (path) => doorbell('fio', path))).toEqual(theirs);
    });
  });

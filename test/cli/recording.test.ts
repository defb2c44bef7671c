/** `fio --record` and `fio --replay`: the same run again, and where another one parts from it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-recording-'));
afterAll(() => rmSync(folder, { recursive: true }));
const job = join(folder, 'job.fio');
const recording = join(folder, 'run.json');

beforeAll(async () => {
  writeFileSync(job, '[a]\nrw=randrw\nbs=4k\niodepth=8\nsize=4m\nfilename=nvme0n1\n');
  expect((await doorbell('fio', job, '--seed', '5', '--record', recording)).status).toBe(0);
});

interface Recording {
  seed: number;
  job: string;
  places: { records: number; hash: string }[];
}
const change = (name: string, edit: (recording: Recording) => void): string => {
  const copy = JSON.parse(readFileSync(recording, 'utf8')) as Recording;
  edit(copy);
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(copy));
  return path;
};

test('what the driver is asked for is a part of the run', async () => {
  const shadowed = join(folder, 'shadowed.json');
  const plain = join(folder, 'plain.json');
  const brief = join(folder, 'brief.fio');
  writeFileSync(brief, '[a]\nrw=randread\nio_size=256k\n');
  expect((await doorbell('fio', brief, '--record', plain)).status).toBe(0);
  const options = ['--shadowDoorbells', '--hostMemory', '--timeout', '2s'];
  expect((await doorbell('fio', brief, ...options, '--record', shadowed)).status).toBe(0);
  const hashOf = (path: string) => (JSON.parse(readFileSync(path, 'utf8')) as Recording).places.at(-1)!.hash;
  expect(hashOf(shadowed)).not.toBe(hashOf(plain));
  expect((await doorbell('fio', '--replay', shadowed)).out).toMatch(/^the same run: /);
});

test('a replay is the same run, without the job file', async () => {
  rmSync(job);
  const { status, out } = await doorbell('fio', '--replay', recording);
  expect(out).toMatch(/^the same run: \d{5,} trace records, hash [0-9a-f]{16}$/);
  expect(status).toBe(0);
});

test('another seed is another run from the beginning', async () => {
  const path = change('seed.json', (copy) => {
    copy.seed = 6;
  });
  const { status, out } = await doorbell('fio', '--replay', path);
  expect(out).toMatch(/^another run: it is the same up to record 0 /);
  expect(status).toBe(1);
});

test('a run that is longer parts where the recorded one ended', async () => {
  const path = change('longer.json', (copy) => {
    copy.job = `${copy.job}[b]\nstonewall\nrw=read\nbs=4k\nio_size=64k\nfilename=nvme0n1\n`;
  });
  const places = (JSON.parse(readFileSync(recording, 'utf8')) as Recording).places;
  const { out } = await doorbell('fio', '--replay', path);
  expect(Number(/up to record (\d+)/.exec(out)![1])).toBeLessThanOrEqual(places.at(-1)!.records);
  expect(out).toMatch(/^another run/);
});

test.each([
  [['--replay', '/none'], /^doorbell: --replay \/none: ENOENT/],
  [
    ['--replay', import.meta.filename],
    /it is no recording \(doorbell-recording-2\); "doorbell fio JOB\.fio --record FILE"/,
  ],
  [['--replay', recording, '--seed', '1'], /^doorbell: fio: --replay stands alone/],
  [['--replay', recording, '--hostMemory'], /^doorbell: fio: --replay stands alone/],
  [['x.fio', '--replay', recording], /^doorbell: fio: --replay stands alone/],
])('%j', async (argv, sentence) => {
  const { status, err } = await doorbell('fio', ...argv);
  expect(status).toBe(2);
  expect(err).toMatch(sentence);
});

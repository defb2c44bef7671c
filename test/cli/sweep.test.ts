/** `doorbell sweep` and `doorbell worker`: the grid, going on after an interruption, and many processes with one result. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { pc } from '../../boards/index.ts';
import { expand, parseAxis, parseSeeds, rangeNote, withSettings } from '../../cli/sweep/grid.ts';
import type { Result } from '../../cli/sweep/run.ts';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-sweep-'));
afterAll(() => rmSync(folder, { recursive: true }));
const job = join(folder, 'job.fio');
writeFileSync(job, '[global]\nbs=4k\nfilename=nvme0n1\n[a]\nrw=randread\niodepth=1\nio_size=256k\n');
const results = (name: string): Buffer => readFileSync(join(folder, name, 'results.json'));

describe('a grid', () => {
  test.each([
    ['iodepth=1,2,4', ['1', '2', '4']],
    ['iodepth=1..32', ['1', '2', '4', '8', '16', '32']],
    ['bs=4k,8k,4k', null],
    ['iodepth', null],
    ['iodepth=', null],
  ])('--vary %s', (text, values) => {
    if (values === null) expect(() => parseAxis(text)).toThrow(`--vary ${text}: `);
    else expect(parseAxis(text).values).toEqual(values);
  });

  test.each([
    [
      'iodepth=1..33',
      '--vary iodepth=1..33: each value of a range is twice the one before: 1, 2, 4, 8, 16, 32',
    ],
    ['iodepth=3..24', null],
    ['iodepth=1,33', null],
  ])('--vary %s is noted when it ends before its end', (text, note) => {
    expect(rangeNote(text)).toBe(note);
  });

  test.each([
    ['1..3', [1, 2, 3]],
    ['7,5', [7, 5]],
    ['3..1', null],
    ['one', null],
  ])('--seeds %s', (text, seeds) => {
    if (seeds === null) expect(() => parseSeeds(text)).toThrow(`--seeds ${text}: `);
    else expect(parseSeeds(text)).toEqual(seeds);
  });

  test('sets keys in every job, whatever the job says itself', () => {
    const text = '[global]\nbs=4k\n[a]\nrw=read\niodepth=1\n[b]\nrw=write\n';
    expect(withSettings(text, { iodepth: '8' })).toBe(
      '[global]\nbs=4k\n[a]\niodepth=8\nrw=read\n[b]\niodepth=8\nrw=write\n',
    );
  });

  test('names a run by what it says: equal runs have equal keys, others do not', () => {
    const grid = {
      boards: [pc],
      file: 'x',
      job: '[a]\nrw=read\n',
      axes: [parseAxis('iodepth=1,2')],
      seeds: [1, 2],
    };
    const keys = expand(grid).map(({ key }) => key);
    expect(new Set(keys).size).toBe(4);
    expect(expand({ ...grid, file: 'y' }).map(({ key }) => key)).toEqual(keys);
    expect(expand({ ...grid, boards: [{ ...pc, ram: '512m' }] })[0]!.key).not.toBe(keys[0]);
  });

  test('without end is refused', () => {
    const seeds = Array.from({ length: 100_001 }, (_, seed) => seed);
    expect(() => expand({ boards: [pc], file: 'x', job: '[a]\n', axes: [], seeds })).toThrow('100001 runs');
  });
});

const sweep = (name: string, ...argv: string[]) => doorbell('sweep', job, '-o', join(folder, name), ...argv);

describe('a sweep on this machine', () => {
  test('gives a table, and a result for each run in the order of the grid', async () => {
    const { status, out } = await sweep('here', '--vary', 'iodepth=1,4', '--seeds', '1,2');
    expect(status).toBe(0);
    expect(out.split('\n')).toHaveLength(5);
    const all = JSON.parse(String(results('here'))) as Result[];
    expect(all.map(({ settings }) => [settings.iodepth, settings.seed])).toEqual([
      ['1', '1'],
      ['1', '2'],
      ['4', '1'],
      ['4', '2'],
    ]);
    expect(all.every(({ jobs }) => jobs[0]!.read.ios === 64)).toBe(true);
  });

  test('goes on where it stopped, to the same bytes', async () => {
    const whole = results('here');
    const runs = join(folder, 'here/runs');
    rmSync(join(runs, readdirSync(runs)[0]!));
    const { err } = await sweep('here', '--vary', 'iodepth=1,4', '--seeds', '1,2');
    expect(err).toBe('3 of 4 runs have a result already');
    expect(results('here').equals(whole)).toBe(true);
  });

  test('does not replace a sweep with other runs, and adds to one that it contains', async () => {
    const whole = results('here');
    const { status, err } = await sweep('here', '--vary', 'iodepth=4', '--seeds', '1,2');
    expect(status).toBe(2);
    expect(err).toMatch(
      /here holds a sweep of 4 runs, and 2 of them are not in this grid \(such as board=pc iodepth=1 seed=1\)/,
    );
    expect(results('here').equals(whole)).toBe(true);
    const more = await sweep('here', '--vary', 'iodepth=1,4', '--seeds', '1,2,3');
    expect(more).toMatchObject({ status: 0, err: '4 of 6 runs have a result already' });
  });

  test.each([
    [['--vary', 'iodeth=1,2'], 'doorbell: --vary iodeth=1: unknown key "iodeth"; did you mean "iodepth"?'],
    [
      ['--vary', 'iodeth=1..4', '--vary', 'bs=4q'],
      /^doorbell: --vary iodeth=1: unknown key .*\n--vary bs=4q: bs takes .*$/,
    ],
    [['--vary', 'iodepth=0,x'], 'doorbell: --vary iodepth=0: iodepth takes a whole number from 1 to 4095'],
    [['--vary', 'iodepth=4..1'], 'doorbell: --vary iodepth=4..1: a range goes up: iodepth=1..4 would'],
    [['--vary', 'iodepth=1,1'], 'doorbell: --vary iodepth=1,1: the value 1 stands there twice'],
    [['--vary', 'filename=/tmp/x'], /runs of a sweep share no file; name a namespace, such as nvme0n1$/],
    [
      ['--boards', 'pcc'],
      'doorbell: --board pcc: neither a board (pc, workstation, zns, optane-p4800x, optane-p5800x, 970pro, 990pro, kioxia-cm7, null) nor a file; did you mean "pc"?',
    ],
    [['--threads', '0'], 'doorbell: --threads 0: it is a number from 1 to 999'],
    [['--queue', 'localhost'], 'doorbell: --queue localhost: it is redis://HOST:PORT'],
  ])('%j', async (argv, sentence) => {
    const { status, err } = await sweep('mistakes', ...argv);
    expect(status).toBe(2);
    if (typeof sentence === 'string') expect(err).toBe(sentence);
    else expect(err).toMatch(sentence);
  });
});

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.skipIf(!hasRedis)('a sweep on many processes (needs redis-server)', () => {
  test('survives a worker that is killed in the middle, and equals the local one byte for byte', async () => {
    const grid = ['--vary', 'iodepth=1..4', '--vary', 'io_size=6m,7m'];
    const port = await freePort();
    const url = `redis://127.0.0.1:${port}`;
    const children: ChildProcess[] = [];
    const start = (command: string, ...argv: string[]): ChildProcess => {
      const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      return child;
    };
    const program = join(import.meta.dirname, '../../cli/doorbell.js');
    const worker = (): ChildProcess =>
      start(process.execPath, program, 'worker', '--queue', url, '--threads', '1');
    try {
      start('redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder);
      const distributed = sweep('many', ...grid, '--queue', url);
      const victim = worker();
      await new Promise((resolve) => victim.stdout!.once('data', resolve));
      victim.kill('SIGKILL');
      worker();
      const both = await Promise.all([distributed, sweep('alone', ...grid)]);
      expect(both.map(({ status }) => status)).toEqual([0, 0]);
      expect(results('many').equals(results('alone'))).toBe(true);
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});

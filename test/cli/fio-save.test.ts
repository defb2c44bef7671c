/**
 * A run that was saved in the middle and goes on in another machine is the run that was not interrupted: the same trace,
 * the same report, the same logs, byte for byte. Not here: whether every field is archived (archive.test.ts).
 */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Board, type BootOptions, boot } from '../../boards/index.ts';
import { type RunOptions, runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { jsonReport } from '../../cli/fio/json.ts';
import { TraceRecorder } from '../../cli/fio/recording.ts';
import { report } from '../../cli/fio/report.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { replaceFile } from '../../cli/replace-file.ts';
import { Archive } from '../../support/archive.ts';
import { runs } from '../runs.ts';
import { doorbell } from './doorbell.ts';
import { CASES, type Case, FOUR, joined, small } from './save-cases.ts';

/** A run and everything that it gives out. */
async function run(
  { job, board, prepare }: Case,
  doors: (recorder: TraceRecorder) => Pick<RunOptions, 'save' | 'restore'> = () => ({}),
  options: BootOptions = {},
): Promise<string> {
  const file = parseJobFile(job, 'x.fio');
  const targets = findTargets(board, file.jobs);
  const machine = boot(targets.board, options);
  prepare?.(machine);
  const recorder = new TraceRecorder(machine.trace);
  const result = await runJobs({
    machine,
    jobs: file.jobs,
    targets,
    seed: 1,
    hostNow: () => 0,
    ...doors(recorder),
  });
  const { clones, logs, simulated_ns } = result;
  const json = jsonReport(clones, file, {
    version: 'x',
    date: new Date(0),
    time: '',
    withBins: true,
    elapsed_s: simulated_ns / 1e9,
    emulator: {},
  });
  const { dmesg } = machine.kernel;
  return JSON.stringify(
    [recorder.end(), json, report(clones, ''), logs, dmesg.lines, machine.explain()],
    null,
    1,
  );
}

/** Runs a case and saves it on the way: what it gives out, and its state, empty where it was over before. */
async function saveAt(one: Case, at_ns: number): Promise<{ output: string; state: Uint8Array }> {
  let state: Uint8Array = new Uint8Array(0);
  const archive = Archive.save();
  const output = await run(one, (recorder) => ({
    save: {
      at_ns,
      archive,
      onSaved: () => {
        recorder.archive(archive);
        state = archive.finish();
        return true;
      },
    },
  }));
  return { output, state };
}

const goOn = (one: Case, state: Uint8Array, options: BootOptions = {}): Promise<string> =>
  run(
    one,
    (recorder) => {
      const archive = Archive.load(state);
      const onLoaded = () => {
        recorder.archive(archive);
        archive.complete();
      };
      return { restore: { archive, onLoaded } };
    },
    options,
  );

describe('T18 a run that goes on is the run that was not interrupted', () => {
  test.each(Object.entries(CASES))('%s', async (_, one) => {
    const { output, state } = await saveAt(one, one.at_ns);
    expect(state.length).toBeGreaterThan(0);
    expect(await goOn(one, state)).toBe(output);
  });

  test('what two controllers share is saved once', () => {
    const sizeOf = (board: Board, marks: number): number => {
      const machine = boot(board);
      const namespace = machine.controllers[0]!.namespace(1)!;
      for (let mark = 0; mark < marks; mark++) namespace.setUncorrectable(2 * mark, 1, true);
      const archive = Archive.save();
      machine.archive(archive);
      return archive.finish().length;
    };
    const growth = (board: Board) => sizeOf(board, 500) - sizeOf(board, 1);
    expect(growth(joined())).toBe(growth(small()));
  });

  test('and being saved changes nothing', async () => {
    const one = CASES['drives behind a switch']!;
    expect((await saveAt(one, one.at_ns)).output).toBe(await run(one));
  });

  test('whenever it is saved', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const arbitrary = fc.record({ name: fc.constantFrom(...Object.keys(CASES)), share });
    const property = fc.asyncProperty(arbitrary, async ({ name, share: part }) => {
      const one = CASES[name]!;
      const { output, state } = await saveAt(one, 2 * part * one.at_ns);
      if (state.length > 0) expect(await goOn(one, state)).toBe(output);
    });
    // In the first of two stages: the second does not save again.
    const early = { name: 'a second stage, clones, groups and logs of the first', share: 0 };
    await fc.assert(property, { numRuns: runs(2, 300), examples: [[early]] });
  });
});

describe('on the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-save-'));
  afterAll(() => {
    rmSync(folder, { recursive: true });
    delete process.env.LOGS;
  });
  const path = (name: string): string => join(folder, name);
  const state = path('state');
  const job = path('job.fio');
  const board = path('board.json');
  const fio = (...argv: string[]) => doorbell('fio', ...argv);

  beforeAll(async () => {
    writeFileSync(job, '[a]\nrw=randrw\nsize=256k\niodepth=4\nwrite_lat_log=$' + '{LOGS}/a\n');
    writeFileSync(board, JSON.stringify(small()));
    process.env.LOGS = folder;
    const save = ['--save', state, '--save-at', '100us', '--record', path('recording')];
    const { status } = await fio(job, '--board', board, '--seed', '7', ...save, '--output', path('report'));
    expect(status).toBe(0);
  });

  test('in another process, without its files, the report, the log and the recording are those of the run', async () => {
    const log = path('a_clat.1.log');
    const entries = readFileSync(log, 'utf8');
    for (const name of [log, job, board]) rmSync(name);
    const again = ['--restore', state, '--record', path('again'), '--output', path('report-again')];
    const env = { ...process.env, LOGS: '/nowhere' };
    const { status, stderr } = spawnSync(process.execPath, ['cli/doorbell.js', 'fio', ...again], { env });
    expect(status, stderr.toString()).toBe(0);
    expect(readFileSync(log, 'utf8')).toBe(entries);
    expect(readFileSync(path('again'), 'utf8')).toBe(readFileSync(path('recording'), 'utf8'));
    const timeless = (name: string) =>
      readFileSync(path(name), 'utf8').replace(/pid=.*|[\d.]+ ms of host.*/g, '');
    expect(timeless('report-again')).toBe(timeless('report'));
    expect((await fio('--replay', path('again'))).out).toMatch(/^the same run/);
  });

  test('a run that goes on is saved again, and ends there where that is asked', async () => {
    const later = path('later');
    const { out } = await fio('--restore', state, '--save', later, '--save-at', '150us', '--save-only');
    expect(out).toContain(`saved; doorbell fio --restore ${later} goes on`);
    expect(out).not.toContain('READ: bw');
    const { out: report } = await fio('--restore', later, '--output-format', 'terse');
    const { out: whole } = await fio('--restore', state, '--output-format', 'terse');
    expect(report).toBe(whole);
  });

  test.each([
    [
      ['--restore', state, '--seed', '1'],
      /^doorbell: fio: --seed cannot stand beside --restore: board, jobs/,
    ],
    [['x.fio', '--restore', state], /^doorbell: fio: x\.fio cannot stand beside --restore/],
    [['--restore', state, '--in-memory'], /^doorbell: fio: --in-memory cannot stand beside --restore/],
    [['x.fio', '--overwrite-images'], /^doorbell: fio: --overwrite-images goes with --restore$/],
    [['--restore', '/none'], /^doorbell: --restore \/none: ENOENT/],
    [['--restore', path('report')], /^doorbell: --restore \S+: it is no saved run; doorbell fio JOB --save/],
    [['--restore', path('cut')], /^doorbell: --restore \S+: it is cut off or damaged$/],
    [
      ['--restore', path('other')],
      /^doorbell: --restore \S+: it is state of format 0x\S+63, and this version reads format 0x/,
    ],
    [['--restore', path('older')], /^doorbell: --restore \S+: Doorbell 0\.0\.1 saved it, and this is \d/],
    [['--restore', state, '--save', state, '--save-at', '1s'], /: the run that goes on is in that file/],
    [
      ['--restore', state, '--save', path('b'), '--save-at', '1us'],
      /the run was saved at 0\.1 ms and goes on/,
    ],
    [['x.fio', '--save', path('b')], /^doorbell: fio: --save FILE and --save-at TIME go together/],
    [['x.fio', '--save-at', '1'], /^doorbell: fio: --save FILE and --save-at TIME go together/],
    [['x.fio', '--save', path('b'), '--save-at', 'now'], /^doorbell: --save-at now: it takes a time/],
    [
      ['x.fio', '--pace', 'functional', '--save', path('b'), '--save-at', '1'],
      /a run is saved with --pace timed \(the default\) alone: with --pace functional .* leave --pace out/,
    ],
    [['x.fio', '--save', path('b'), '--save-at', '9'], /nothing was saved, the jobs were over before 9$/],
  ])('%j', async (argv, sentence) => {
    const bytes = readFileSync(state);
    writeFileSync(path('cut'), bytes.subarray(0, bytes.length / 2));
    const other = gunzipSync(bytes);
    other[4] = 99;
    writeFileSync(path('other'), gzipSync(other));
    const older = Archive.save();
    older.value('0.0.1');
    writeFileSync(path('older'), gzipSync(older.finish()));
    writeFileSync(path('x.fio'), '[a]\nrw=read\nsize=4k\n');
    const { err } = await fio(
      ...argv.map((word) => (word.endsWith('.fio') && !argv.includes('--restore') ? path(word) : word)),
    );
    expect(err).toMatch(sentence);
  });

  describe('an image', () => {
    const [image, job, saved] = [path('image'), path('image.fio'), path('image.saved')];
    const elsewhere = path('elsewhere');
    const command = join(import.meta.dirname, '../../cli/doorbell.js');
    const filled = (byte: number) => Buffer.alloc(256 * 1024, byte);
    /** The job's figures, or null where the run ends when it is saved; nothing but `said` on stderr. */
    const jobOf = async (said: string, ...argv: string[]) => {
      const { out, err, status } = await fio(...argv, '--output-format=json');
      expect({ err, status }).toEqual({ err: said, status: 0 });
      return out.startsWith('{') ? JSON.parse(out).jobs[0] : null;
    };
    let whole: { write: unknown };
    let written: Buffer;
    let half: Buffer;

    beforeAll(async () => {
      mkdirSync(elsewhere);
      writeFileSync(job, `[a]\nrw=randwrite\nbs=4k\nsize=256k\niodepth=8\nverify=crc32c\nfilename=image\n`);
      const inFolder = (...argv: string[]) =>
        spawnSync(process.execPath, [command, 'fio', job, ...argv], { cwd: folder });
      expect(inFolder('--output', 'whole', '--output-format', 'json').status).toBe(0);
      whole = JSON.parse(readFileSync(path('whole'), 'utf8')).jobs[0];
      written = readFileSync(image);
      rmSync(image);
      expect(inFolder('--save', saved, '--save-at', '80us', '--save-only').status).toBe(0);
      half = readFileSync(image);
      expect(Buffer.compare(half, written)).not.toBe(0);
    });

    test.each([
      ['what it held when the run was saved', () => writeFileSync(image, half)],
      ['only zeroes', () => writeFileSync(image, filled(0))],
      ['nothing, as it is not there', () => rmSync(image)],
    ])('that holds %s goes on from what it held', async (_, prepare) => {
      prepare();
      expect((await jobOf('', '--restore', saved)).write).toEqual(whole.write);
      expect(Buffer.compare(readFileSync(image), written)).toBe(0);
    });

    test('that holds other data is overwritten only where that is asked for', async () => {
      writeFileSync(image, filled(0xff));
      const { err, status } = await fio('--restore', saved);
      expect({ err, status }).toEqual({
        err:
          `doorbell: --restore ${saved}: ${image} holds other data than when the run was saved; --overwrite-images ` +
          'puts its content back, and what it holds now is lost',
        status: 2,
      });
      expect(Buffer.compare(readFileSync(image), filled(0xff))).toBe(0);
      const note = `note: --restore overwrites image files with what they held when the run was saved: ${image}`;
      expect((await jobOf(note, '--restore', saved, '--overwrite-images')).write).toEqual(whole.write);
      expect(Buffer.compare(readFileSync(image), written)).toBe(0);
    });

    test('is the one that it was, and no other of that name in another folder', () => {
      writeFileSync(image, half);
      writeFileSync(join(elsewhere, 'image'), filled(0xee));
      const again = [command, 'fio', '--restore', saved, '--overwrite-images', '--output', '/dev/null'];
      const { status, stderr } = spawnSync(process.execPath, again, { cwd: elsewhere });
      expect({ status, err: String(stderr) }).toEqual({ status: 0, err: '' });
      expect(Buffer.compare(readFileSync(join(elsewhere, 'image')), filled(0xee))).toBe(0);
      expect(Buffer.compare(readFileSync(image), written)).toBe(0);
    });
  });

  test('an image that takes long to read is told of before it is', async () => {
    const image = path('large');
    writeFileSync(image, '');
    truncateSync(image, 5 * 2 ** 30);
    writeFileSync(path('large.fio'), `[a]\nrw=read\nio_size=4k\nfilename=${image}\n`);
    const { err } = await fio(path('large.fio'), '--save', path('b'), '--save-at', '9');
    expect(err.split('\n')[0]).toBe(
      `note: ${image} is read whole, 5GiB with its holes: a run with it takes long to save and restore`,
    );
  });

  test('a file that is there stays whole until the run is saved, and nothing is left beside it', async () => {
    const kept = path('kept');
    writeFileSync(path('short.fio'), '[a]\nrw=read\nsize=4k\n');
    const save = (at: string) => fio(path('short.fio'), '--save', kept, '--save-at', at);
    const beside = () => readdirSync(folder).filter((name) => name.startsWith('kept'));
    expect((await save('9')).status).toBe(1);
    expect(beside()).toEqual([]);
    writeFileSync(kept, 'of another run');
    symlinkSync(kept, path('kept-link'));
    expect((await save('9')).status).toBe(1);
    expect(readFileSync(kept, 'utf8')).toBe('of another run');
    replaceFile(path('kept-link'), new Uint8Array([49]));
    expect(readFileSync(kept, 'utf8')).toBe('1');
    expect(beside()).toEqual(['kept', 'kept-link']);
    expect((await fio(path('short.fio'), '--save', folder, '--save-at', '9')).err).toMatch(
      /: it is a folder$/,
    );
  });
});

test('a running job makes no system call but read(2), so that what the kernel has set up stands still', async () => {
  const { job, board } = CASES['interrupts and a log of every I/O']!;
  const { jobs } = parseJobFile(job, 'x.fio');
  const targets = findTargets(board, jobs);
  const machine = boot(targets.board);
  let calls: string[] = [];
  machine.kernel.onCall = (name) => calls.push(name);
  const during: string[] = [];
  const onCompletion = (): void => {
    if (during.length > 0) during.push(...calls);
    else during.push('completion');
    calls = [];
  };
  await runJobs({ machine, jobs, targets, seed: 1, hostNow: () => 0, onCompletion });
  expect(calls).toContain('close');
  expect([...new Set(during)]).toEqual(['completion', 'read']);
});

test('a machine of another kind does not take the state', async () => {
  const { state } = await saveAt(CASES['verification as it goes']!, 100e3);
  const load = (board: Board, options: BootOptions) => {
    const archive = Archive.load(state);
    archive.value(0);
    boot(board, options).archive(archive);
  };
  expect(() => load(FOUR, {})).toThrow(
    'it does not fit this machine (machine): the board is pc there and workstation here',
  );
  expect(() => load(small({ size: '4m' }), {})).toThrow(
    /the CRC-32C of the board's description is \d+ there/,
  );
  expect(() => load(small(), { seed: 2 })).toThrow('the seed is 1 there and 2 here');
  expect(() => load(small(), {})).toThrow('(page allocator): the list of free pages is');
});

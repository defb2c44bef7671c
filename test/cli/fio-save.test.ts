/**
 * A run that was saved in the middle and goes on in another machine is the run that was not interrupted: the same trace,
 * the same report, the same logs, byte for byte. Not here: whether every field is archived (archive.test.ts).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { samsung970pro } from '../../boards/devices/samsung-970pro.ts';
import {
  type Board,
  type BootOptions,
  boot,
  type Machine,
  type NamespaceBoard,
  type NvmeBoard,
  pc,
  workstation,
} from '../../boards/index.ts';
import { type RunOptions, runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { jsonReport } from '../../cli/fio/json.ts';
import { TraceRecorder } from '../../cli/fio/recording.ts';
import { report } from '../../cli/fio/report.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { Archive } from '../../support/archive.ts';
import { runs } from '../runs.ts';
import { doorbell } from './doorbell.ts';

const drive = pc.rootPorts[0]!.device as NvmeBoard;

/** A board with little memory, so that little is to be saved. */
function small(namespace: Partial<NamespaceBoard> = {}, profile = drive.profile): Board {
  const device = { ...drive, profile, namespaces: [{ size: '8m', ...namespace }] };
  return { ...pc, ram: '16m', media: '24m', rootPorts: [{ ...pc.rootPorts[0]!, device }] };
}

interface Case {
  readonly job: string;
  readonly board: Board;
  /** Simulated time at which it is saved. */
  readonly at_ns: number;
  /** Done to the machine before its jobs begin. */
  readonly prepare?: (machine: Machine) => void;
}

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

/** Runs a case and saves it on the way, where it may end: what it gives out, and its state. */
async function saveAt(
  one: Case,
  at_ns: number,
  isLast = true,
): Promise<{ output: string; state: Uint8Array }> {
  let state: Uint8Array = new Uint8Array(0);
  const archive = Archive.save();
  const output = await run(one, (recorder) => ({
    save: {
      at_ns,
      archive,
      onSaved: () => {
        recorder.archive(archive);
        state = archive.finish();
        return !isLast;
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
      return { restore: { archive, onLoaded: () => recorder.archive(archive) } };
    },
    options,
  );

const global = '[global]\nsize=2m\nbs=4k\niodepth=8\n';
const BOTH = { ...workstation, ram: '16m', media: '64m' };

/** One of each thing that has state. */
const CASES: Readonly<Record<string, Case>> = {
  'interrupts and a log of every I/O': {
    job: `${global}hipri=0\n[a]\nrw=randrw\nsize=512k\nwrite_lat_log=x\nwrite_bw_log=x`,
    board: small(),
    at_ns: 100e3,
  },
  'polling, depth 1, averaged logs': {
    job: `${global}[a]\nrw=randread\niodepth=1\nsize=128k\nwrite_iops_log=x\nlog_avg_msec=1`,
    board: small(),
    at_ns: 150e3,
  },
  'garbage collection': {
    job: `${global}[a]\nrw=randwrite\nbs=16k\nsize=2m\nio_size=5m\nnorandommap`,
    board: small({ size: '2m' }, samsung970pro.controller),
    at_ns: 1.5e6,
  },
  'verification as it goes': {
    job: `${global}[a]\nrw=randwrite\nsize=256k\nverify=crc32c\nverify_backlog=16`,
    board: small(),
    at_ns: 120e3,
  },
  'verification at the end': {
    job: `${global}[a]\nrw=randwrite\nsize=128k\nverify=pattern\nverify_pattern=0xabcd%o\nloops=2`,
    board: small(),
    at_ns: 150e3,
  },
  'rates, thinking and a Poisson process': {
    job: `${global}[a]\nrw=randrw\nsize=256k\nrate_iops=20000,10000\nrate_process=poisson\nthinktime=50\nthinktime_blocks=8\n[b]\nrw=read\nsize=128k\noffset=4m\nrate=20m\nrate_iops_min=10`,
    board: small(),
    at_ns: 2e6,
  },
  'a second stage, clones, groups and logs of the first': {
    job: `${global}size=64k\nhipri=0\ngroup_reporting\n[a]\nrw=write\nnumjobs=2\noffset_increment=1m\nwrite_lat_log=x\n[b]\nstonewall\nrw=randread\nnumjobs=2\nsize=128k\n[c]\nwait_for=b\nrw=write\nfsync=4`,
    board: small(),
    at_ns: 150e3,
  },
  'flows and distributions': {
    job: `${global}random_distribution=zipf:1.2\n[a]\nrw=randread\nflow=3\nsize=256k\n[b]\nrw=randwrite:4\nflow=1\nrandom_distribution=normal:10\nsize=128k`,
    board: small(),
    at_ns: 100e3,
  },
  'drives behind a switch': {
    job: `${global}size=128k\n[a]\nrw=randwrite\nfilename=nvme0n1\n[b]\nrw=randrw\nfilename=nvme2n1\n[c]\nrw=read\nfilename=nvme3n1`,
    board: BOTH,
    at_ns: 40e3,
  },
  'trims before writes, strided zones': {
    job: `${global}[a]\nrw=randtrimwrite\nsize=256k\n[b]\nrw=read\noffset=4m\nsize=256k\nzonemode=strided\nzonesize=16k\nzonerange=64k`,
    board: small({ tracksBlocks: true }),
    at_ns: 250e3,
  },
  'a zoned namespace': {
    job: `${global}zonemode=zbd\n[a]\nrw=randwrite\nsize=2m\nio_size=512k\nbs=16k\nmax_open_zones=2\nzone_reset_threshold=.1\nzone_reset_frequency=.5\n[b]\nstonewall\nrw=randrw\nsize=2m\nio_size=384k`,
    board: small({ zones: { zone: '256k', maxActive: 4, maxOpen: 2 } }),
    at_ns: 700e3,
  },
  'metadata that the job does not give': {
    job: `${global}[a]\nrw=randrw\nsize=128k\ncontinue_on_error=all`,
    board: small({ block_bytes: 4096, metadata: { bytes: 8, isExtended: false } }),
    at_ns: 60e3,
  },
  'a write cache that power cuts empty': {
    job: `${global}[a]\nrw=randwrite\nsize=256k\nfsync=16`,
    board: small({}, { ...drive.profile, dirty_bytes: 262_144 }),
    at_ns: 70e3,
  },
  'a ramp, a latency target and a time to stop': {
    job: `${global}[a]\nrw=randread\nramp_time=200us\nruntime=600us\ntime_based\nlatency_target=100us\nlatency_window=100us\niodepth=16`,
    board: small(),
    at_ns: 450e3,
  },
  'bad blocks, weak blocks, a slow link': {
    job: `${global}[a]\nrw=randread\nsize=512k\ncontinue_on_error=all\n[b]\nrw=randread\nsize=1m\nio_size=128k\nhipri=0`,
    board: small(),
    at_ns: 500e3,
    prepare: (machine) => {
      const namespace = machine.controllers[0]!.namespace(1)!;
      namespace.setUncorrectable(40, 8, true);
      namespace.setUncorrectable(800, 16, true);
      namespace.weaken(400, 300, 80_000);
      machine.controllers[0]!.dma!.link.retrain(1, 1, 1000);
    },
  },
};

describe('a run that goes on is the run that was not interrupted', () => {
  test.each(Object.entries(CASES))('%s', async (_, one) => {
    const { state } = await saveAt(one, one.at_ns);
    expect(state.length).toBeGreaterThan(0);
    expect(await goOn(one, state)).toBe(await run(one));
  });

  test('and being saved changes nothing', async () => {
    const one = CASES['drives behind a switch']!;
    expect((await saveAt(one, one.at_ns, false)).output).toBe(await run(one));
  });

  test('whenever it is saved', async () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const arbitrary = fc.record({ name: fc.constantFrom(...Object.keys(CASES)), share });
    const property = fc.asyncProperty(arbitrary, async ({ name, share: part }) => {
      const one = CASES[name]!;
      const { state } = await saveAt(one, 2 * part * one.at_ns);
      if (state.length > 0) expect(await goOn(one, state)).toBe(await run(one));
    });
    await fc.assert(property, { numRuns: runs(2, 300) });
  });
});

describe('on the command line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-save-'));
  afterAll(() => rmSync(folder, { recursive: true }));
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

  test('the report, the log and the recording are those of the run that was saved, without its files', async () => {
    const log = path('a_clat.1.log');
    const entries = readFileSync(log, 'utf8');
    process.env.LOGS = '/nowhere';
    for (const name of [log, job, board]) rmSync(name);
    const again = ['--record', path('again'), '--output', path('report-again')];
    expect((await fio('--restore', state, ...again)).status).toBe(0);
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
    [['--restore', '/none'], /^doorbell: --restore \/none: ENOENT/],
    [['--restore', path('report')], /^doorbell: --restore \S+: it is no saved run; doorbell fio JOB --save/],
    [['--restore', path('cut')], /^doorbell: --restore \S+: it is cut off or damaged$/],
    [
      ['--restore', path('other')],
      /^doorbell: --restore \S+: it is state of format 99, and this version reads/,
    ],
    [['--restore', state, '--save', state, '--save-at', '1s'], /: the run that goes on is in that file/],
    [
      ['--restore', state, '--save', path('b'), '--save-at', '1us'],
      /the run was saved at 0\.1 ms and goes on/,
    ],
    [['x.fio', '--save', path('b')], /^doorbell: fio: --save FILE and --save-at TIME go together/],
    [['x.fio', '--save-at', '1'], /^doorbell: fio: --save FILE and --save-at TIME go together/],
    [['x.fio', '--save', path('b'), '--save-at', 'now'], /^doorbell: --save-at now: it takes a time/],
    [['x.fio', '--pace', 'functional', '--save', path('b'), '--save-at', '1'], /only runs at the timed pace/],
    [['x.fio', '--save', path('b'), '--save-at', '9'], /nothing was saved, the jobs were over before 9$/],
    [
      ['image.fio', '--save', path('b'), '--save-at', '9'],
      /blocks in \S+image cannot be saved, only those in/,
    ],
  ])('%j', async (argv, sentence) => {
    const bytes = readFileSync(state);
    writeFileSync(path('cut'), bytes.subarray(0, bytes.length / 2));
    const other = gunzipSync(bytes);
    other[4] = 99;
    writeFileSync(path('other'), gzipSync(other));
    writeFileSync(path('x.fio'), '[a]\nrw=read\nsize=4k\n');
    writeFileSync(path('image.fio'), `[a]\nrw=write\nsize=64k\nfilename=${path('image')}\n`);
    const { err } = await fio(
      ...argv.map((word) => (word.endsWith('.fio') && !argv.includes('--restore') ? path(word) : word)),
    );
    expect(err).toMatch(sentence);
  });
});

test('a machine of another kind does not take the state', async () => {
  const { state } = await saveAt(CASES['interrupts and a log of every I/O']!, 100e3);
  const load = (board: Board, options: BootOptions) => {
    const archive = Archive.load(state);
    archive.value(0);
    boot(board, options).archive(archive);
  };
  expect(() => load(BOTH, {})).toThrow(
    'it does not fit this machine (machine): the board is pc there and workstation here',
  );
  expect(() => load(small({ size: '4m' }), {})).toThrow(
    /the CRC-32C of the board's description is \d+ there/,
  );
  expect(() => load(small(), { seed: 2 })).toThrow('the seed is 1 there and 2 here');
  expect(() => load(small(), {})).toThrow('(page allocator): the list of free pages is');
});

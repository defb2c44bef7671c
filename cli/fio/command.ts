/**
 * `doorbell fio`: reads the job file, boots the board, runs the jobs, prints the report. Exit status 1: a job failed;
 * 128, fio's: a signal ended the jobs.
 */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { OpenStore } from '../../boards/hardware.ts';
import { openStore } from '../../bridge/host.ts';
import { SparseStore } from '../../nvme/sparse-store.ts';
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import { parseArguments, parseSeed } from '../arguments.ts';
import { findBoard } from '../board-option.ts';
import type { Output } from '../output.ts';
import { type AnyMachine, type AnyPace, boot, parsePace, parseWorkers, switchOff } from '../pace.ts';
import { DRIVER_FLAGS, driverOptions, refuseUnoffered } from './driver-options.ts';
import { Drives } from './drives.ts';
import { type RunOptions, type RunResult, runJobs } from './engine.ts';
import { INTERRUPTED, Interrupt } from './interrupt.ts';
import { type JobFile, parseJobFile } from './job-file.ts';
import { jsonReport } from './json.ts';
import { replay, TraceRecorder, writeRecording } from './recording.ts';
import { heading, report } from './report.ts';
import { parseTime } from './rules.ts';
import { refuseBeside, refuseRecord, saveRequest } from './save-options.ts';
import { OVERWRITE_IMAGES, type RunParts, readSavedRun, saidOf, stateDoors } from './saved-run.ts';
import { plansOf } from './stage.ts';
import { statusLine } from './status-line.ts';
import { findTargets } from './targets.ts';
import { terseReport } from './terse.ts';

const FORMATS = ['normal', 'terse', 'json', 'json+'] as const;
type Format = (typeof FORMATS)[number];
const VERSION = 'doorbell-fio';
/** Entries of logs that take a second or more to write. */
const MANY_ENTRIES = 2e6;
const KEYS = [
  'board',
  'pace',
  'workers',
  'seed',
  'output',
  'output-format',
  'section',
  'stop-after',
  'timeout',
  'record',
  'replay',
  'save',
  'save-at',
  'restore',
] as const;
type Options = Readonly<Partial<Record<(typeof KEYS)[number], string>>>;
/** Options without a value. */
const FLAGS: readonly string[] = [
  '--parse-only',
  '--in-memory',
  '--save-only',
  OVERWRITE_IMAGES,
  ...DRIVER_FLAGS,
];

const isFlag = (word: string): boolean => FLAGS.includes(word);

/** Returns the exit status. Throws UserError. */
export async function fioCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments(
    'fio',
    argv.filter((word) => !isFlag(word)),
    KEYS,
    FLAGS,
  );
  const flags = new Set(argv.filter(isFlag));
  const [path, ...others] = rest;
  if (options.replay !== undefined) {
    if (rest.length > 0 || Object.keys(options).length > 1 || flags.size > 0)
      throw new UserError('fio: --replay stands alone; board, jobs and seed are those of the recording');
    return replay(options.replay, output);
  }
  const overwritesImages = flags.has(OVERWRITE_IMAGES);
  if (options.restore !== undefined) refuseBeside(options, rest, flags);
  else if (overwritesImages) throw new UserError(`fio: ${OVERWRITE_IMAGES} goes with --restore`);
  else if (path === undefined || others.length > 0)
    throw new UserError('fio: give one job file: doorbell fio JOB.fio');
  const pace = parsePace(options.pace);
  const workers = parseWorkers(options.workers, pace);
  const formats = parseFormats(options['output-format']);
  const saved = options.restore === undefined ? null : readSavedRun(options.restore);
  const parts = saved ?? (await partsOf(path!, options, flags));
  const { file, targets, input } = parts;
  const { seed } = input;
  if (saved === null) for (const note of [...file.notes, ...targets.notes]) output.error(note);
  if (flags.has('--parse-only')) {
    await checkJobs(parts);
    return 0;
  }
  const request = saveRequest(options, flags.has('--save-only'), pace, saved);
  refuseRecord(options, pace, saved);
  if (options.record !== undefined) writeText(`--record ${options.record}`, options.record, []);
  const machine = boot(targets.board, { pace, workers, seed, openStore });
  const isRecorded = options.record !== undefined || saved?.isRecorded === true;
  const recorder = isRecorded ? new TraceRecorder(machine.trace) : null;
  const note = (sentence: string): void => output.error(`note: ${sentence}`);
  const state = stateDoors(request, saved && { ...saved, overwritesImages }, parts, recorder, note);
  const lines = formats.includes('normal') ? heading(file.jobs, VERSION) : [];
  const onBegin = (): void => {
    if (options.output === undefined) output.lines(lines);
  };
  const result = await saidOf(options, run({ machine, parts, output, doors: { ...state.doors, onBegin } }));
  output.status('');
  if (state.isSaved && request!.isLast) {
    output.lines([`saved; doorbell fio --restore ${request!.path} goes on`]);
    return 0;
  }
  if (options.record !== undefined) {
    const { stoppedAfter_ns } = result;
    writeRecording(options.record, { ...input, stopAfter_ns: stoppedAfter_ns }, recorder!.end());
  }
  const body = formats.flatMap((format) => formatted(format, { result, file, machine, seed }));
  if (options.output === undefined) output.lines(body);
  else writeText(`--output ${options.output}`, options.output, [`${[...lines, ...body].join('\n')}\n`]);
  writeLogs(result, output);
  if (result.isInterrupted) return INTERRUPTED;
  if (result.stoppedAfter_ns !== null)
    output.error(
      `note: stopped after ${Number((result.stoppedAfter_ns / 1e6).toFixed(6))} ms, before the jobs were done`,
    );
  if (request !== null && !state.isSaved) {
    const when = options['save-at'];
    throw new UserError(`--save ${request.path}: nothing was saved, the jobs were over before ${when}`, 1);
  }
  return result.clones.some(({ errno }) => errno !== 0) ? 1 : 0;
}

/** Throws UserError for jobs that do not fit into their namespaces. Image files are not opened. */
async function checkJobs({ file, targets, input }: RunParts): Promise<void> {
  const openStore: OpenStore = (_, bytes, memory) => new SparseStore(memory, bytes);
  const machine = boot(targets.board, {
    pace: 'functional',
    workers: undefined,
    seed: input.seed,
    openStore,
  });
  const drives = await Drives.open(machine, targets, file.jobs, input.driver);
  try {
    plansOf(file.jobs, drives);
  } finally {
    await drives.close();
  }
}

interface Running {
  readonly machine: AnyMachine;
  readonly parts: RunParts;
  readonly output: Output;
  readonly doors: Pick<RunOptions, 'save' | 'restore' | 'onBegin'>;
}

/** Runs the jobs; a signal ends them, and their report tells of what was done by then. */
async function run(running: Running): Promise<RunResult & { readonly isInterrupted: boolean }> {
  const { machine, parts, output, doors } = running;
  const { input, file, targets } = parts;
  const onProgress = output.isTerminal
    ? { onProgress: (...now: Parameters<typeof statusLine>) => output.status(statusLine(...now)) }
    : {};
  const interrupt = new Interrupt(output);
  try {
    const result = await runJobs({
      machine,
      jobs: file.jobs,
      targets,
      seed: input.seed,
      hostNow,
      stopAfter_ns: input.stopAfter_ns ?? Number.POSITIVE_INFINITY,
      driver: { ...input.driver, onWarning: (sentence) => output.error(`note: ${sentence}`) },
      signal: interrupt.signal,
      ...onProgress,
      ...doors,
    });
    return { ...result, isInterrupted: interrupt.signal.aborted };
  } finally {
    interrupt.close();
    await switchOff(machine);
  }
}

/** What a job file on the command line is a run of. Throws UserError. */
async function partsOf(path: string, options: Options, flags: ReadonlySet<string>): Promise<RunParts> {
  const section = options.section?.split(',') ?? null;
  const stopAfter_ns = parseStopAfter(options['stop-after']);
  const job = readText(path);
  const file = parseJobFile(job, path, process.env, section ?? undefined);
  const board = await findBoard(options.board ?? 'pc');
  const driver = driverOptions(flags, options.timeout);
  const input = { board, file: path, job, section, seed: parseSeed(options.seed), stopAfter_ns, driver };
  const targets = findTargets(board, file.jobs, flags.has('--in-memory'));
  refuseUnoffered(driver, targets);
  return { input, file, targets };
}

interface Ran {
  readonly result: RunResult;
  readonly file: JobFile;
  readonly machine: AnyMachine;
  readonly seed: number;
}

/** The lines of one output format. */
function formatted(format: Format, { result, file, machine, seed }: Ran): string[] {
  const { clones, simulated_ns, host_ns } = result;
  const date = new Date();
  if (format === 'terse') return terseReport(clones, VERSION);
  const board = machine.board.name;
  if (format === 'normal')
    return [...report(clones, ctime(date)), ...timeLines(result, machine.pace, seed, board)];
  const emulator = { board, seed, pace: machine.pace, simulated_ns, host_ns: Math.round(host_ns) };
  const elapsed_s = (machine.pace === 'timed' ? simulated_ns : host_ns) / 1e9;
  const options = {
    version: VERSION,
    date,
    time: ctime(date),
    withBins: format === 'json+',
    elapsed_s,
    emulator,
  };
  return [JSON.stringify(jsonReport(clones, file, options), null, 2)];
}

function parseFormats(text = 'normal'): Format[] {
  return text.split(',').map((word) => {
    const format = FORMATS.find((name) => name === word);
    if (format !== undefined) return format;
    throw new UserError(
      `--output-format ${text}: it takes ${FORMATS.join(', ')}${suggestion(word, FORMATS)}`,
    );
  });
}

function parseStopAfter(text: string | undefined): number | null {
  const ns = text === undefined ? null : parseTime(text, 's');
  if (ns === null || ns > 0) return ns;
  throw new UserError(`--stop-after ${text}: it takes a time such as 10, 500ms or 2m`);
}

/** A date as ctime(3) writes it: `Sun Nov 22 10:56:38 2026`. */
function ctime(date: Date): string {
  const [weekday, month, day, year, time] = date.toString().split(' ');
  return `${weekday} ${month} ${day} ${time} ${year}`;
}

/** The host's clock in nanoseconds. */
export const hostNow = (): number => performance.now() * 1e6;

/** Parses the job file at `path` with the environment of this process; only the jobs named, or all. Throws UserError. */
export const readJobFile = (path: string, only?: readonly string[]): JobFile =>
  parseJobFile(readText(path), path, process.env, only);

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`fio: cannot read ${path}: ${(error as Error).message}`);
  }
}

/** Behind the report, which is not lost when a signal ends the process here. Throws UserError. */
function writeLogs({ logs }: RunResult, output: Output): void {
  const entries = logs.reduce((sum, { length }) => sum + length, 0);
  if (output.isTerminal && entries > MANY_ENTRIES) output.error(`writing ${logs.length} logs`);
  for (const log of logs) writeText(`log ${log.path}`, log.path, log.pieces());
}

function writeText(what: string, path: string, pieces: Iterable<string>): void {
  try {
    const file = openSync(path, 'w');
    try {
      for (const piece of pieces) writeFileSync(file, piece);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UserError(`${what}: ${(error as Error).message}`);
  }
}

/** What fio cannot know: how simulated and host time compare. */
export function timeLines(result: RunResult, pace: AnyPace, seed: number, board: string): string[] {
  const { clones, simulated_ns, host_ns } = result;
  const ios = clones.reduce(
    (sum, { directions }) => sum + directions[0].ios + directions[1].ios + directions[2].ios,
    0,
  );
  const perIo = ios === 0 ? 0 : host_ns / ios;
  const host = `${(host_ns / 1e6).toFixed(1)} ms of host time, ${perIo.toFixed(0)} ns per I/O`;
  const run = `board ${board}, seed ${seed}`;
  if (pace !== 'timed') {
    const how = pace === 'threaded' ? 'the hardware has threads of its own' : 'nothing costs simulated time';
    return ['', `Time: ${pace} pace, ${how}; all figures are host time: ${host}; ${run}`];
  }
  const ratio = simulated_ns === 0 ? 0 : host_ns / simulated_ns;
  return [
    '',
    `Time: simulated ${(simulated_ns / 1e6).toFixed(3)} ms in ${host} (${ratio.toFixed(1)}x); ${run}`,
  ];
}

/**
 * `doorbell fio`: reads the job file, boots the board, runs the jobs, prints the report. Exit status 1: a job failed;
 * 128, fio's: a signal ended the jobs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { openStore } from '../../bridge/host.ts';
import { suggestion } from '../../support/nearest.ts';
import { parseArguments, parseSeed } from '../arguments.ts';
import { findBoard } from '../board-option.ts';
import type { Output } from '../output.ts';
import { type AnyMachine, type AnyPace, boot, parsePace, switchOff } from '../pace.ts';
import { UserError } from '../user-error.ts';
import { type RunResult, runJobs } from './engine.ts';
import { INTERRUPTED, Interrupt } from './interrupt.ts';
import { type JobFile, parseJobFile } from './job-file.ts';
import { jsonReport } from './json.ts';
import { type RunInput, replay, TraceRecorder, writeRecording } from './recording.ts';
import { heading, report } from './report.ts';
import { parseTime } from './rules.ts';
import { statusLine } from './status-line.ts';
import { findTargets } from './targets.ts';
import { terseReport } from './terse.ts';

const FORMATS = ['normal', 'terse', 'json', 'json+'] as const;
type Format = (typeof FORMATS)[number];
const VERSION = 'doorbell-fio';
const KEYS = [
  'board',
  'pace',
  'seed',
  'output',
  'output-format',
  'section',
  'stop-after',
  'record',
  'replay',
] as const;
/** Options without a value. */
const FLAGS = ['--parse-only', '--in-memory'] as const;

const isFlag = (word: string): boolean => FLAGS.some((flag) => flag === word);

/** Returns the exit status. Throws UserError. */
export async function fioCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments(
    'fio',
    argv.filter((word) => !isFlag(word)),
    KEYS,
  );
  const flags = new Set(argv.filter(isFlag));
  const [path, ...others] = rest;
  if (options.replay !== undefined) {
    if (rest.length > 0 || Object.keys(options).length > 1)
      throw new UserError('fio: --replay stands alone; board, jobs and seed are those of the recording');
    return replay(options.replay, output);
  }
  if (path === undefined || others.length > 0)
    throw new UserError('fio: give one job file: doorbell fio JOB.fio');
  const pace = parsePace(options.pace);
  const seed = parseSeed(options.seed);
  const formats = parseFormats(options['output-format']);
  const stopAfter_ns = parseStopAfter(options['stop-after']);
  const file = readJobFile(path, options.section?.split(','));
  const board = await findBoard(options.board ?? 'pc');
  const targets = findTargets(board, file.jobs, flags.has('--in-memory'));
  for (const note of [...file.notes, ...targets.notes]) output.error(note);
  if (flags.has('--parse-only')) return 0;
  if (options.record !== undefined && pace !== 'timed')
    throw new UserError(
      '--record: only runs at the timed pace can be done again; at others the host has a say',
    );
  if (options.record !== undefined) writeLines(`--record ${options.record}`, options.record, []);
  const machine = boot(targets.board, { pace, seed, openStore });
  const recorder = options.record === undefined ? null : new TraceRecorder(machine.trace);
  const lines = formats.includes('normal') ? heading(file.jobs, VERSION) : [];
  if (options.output === undefined) output.lines(lines);
  const onProgress = output.isTerminal
    ? { onProgress: (...now: Parameters<typeof statusLine>) => output.status(statusLine(...now)) }
    : {};
  const interrupt = new Interrupt(output);
  const result = await runJobs({
    machine,
    jobs: file.jobs,
    targets,
    seed,
    hostNow,
    stopAfter_ns,
    signal: interrupt.signal,
    ...onProgress,
  }).finally(() => {
    interrupt.close();
    switchOff(machine);
  });
  output.status('');
  if (recorder !== null) {
    const input: RunInput = {
      board,
      file: path,
      job: readFileSync(path, 'utf8'),
      section: options.section?.split(',') ?? null,
      seed,
      stopAfter_ns: result.stoppedAfter_ns,
    };
    writeRecording(options.record!, input, recorder.end());
  }
  for (const { path: log, lines: entries } of result.logs) writeLines(`log ${log}`, log, entries);
  const body = formats.flatMap((format) => formatted(format, { result, file, machine, seed }));
  if (options.output === undefined) output.lines(body);
  else writeLines(`--output ${options.output}`, options.output, [...lines, ...body]);
  if (interrupt.signal.aborted) return INTERRUPTED;
  if (result.stoppedAfter_ns !== null)
    output.error(`note: stopped after ${options['stop-after']}, before the jobs were done`);
  return result.clones.some(({ errno }) => errno !== 0) ? 1 : 0;
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

function parseStopAfter(text: string | undefined): number {
  const ns = text === undefined ? Number.POSITIVE_INFINITY : parseTime(text, 's');
  if (ns > 0) return ns;
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
export function readJobFile(path: string, only?: readonly string[]): JobFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`fio: cannot read ${path}: ${(error as Error).message}`);
  }
  return parseJobFile(text, path, process.env, only);
}

function writeLines(what: string, path: string, lines: readonly string[]): void {
  try {
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
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
    const how = pace === 'threaded' ? 'the hardware has a thread of its own' : 'nothing costs simulated time';
    return ['', `Time: ${pace} pace, ${how}; all figures are host time: ${host}; ${run}`];
  }
  const ratio = simulated_ns === 0 ? 0 : host_ns / simulated_ns;
  return [
    '',
    `Time: simulated ${(simulated_ns / 1e6).toFixed(3)} ms in ${host} (${ratio.toFixed(1)}x); ${run}`,
  ];
}

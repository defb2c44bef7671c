/** `doorbell fio`: reads the job file, boots the board, runs the jobs, prints the report. Exit status 1: a job failed. */
import { readFileSync, writeFileSync } from 'node:fs';
import { boot, type Pace } from '../../boards/index.ts';
import { openStore } from '../../bridge/host.ts';
import { suggestion } from '../../support/nearest.ts';
import { parseArguments, parseSeed } from '../arguments.ts';
import { findBoard } from '../board-option.ts';
import type { Output } from '../output.ts';
import { UserError } from '../user-error.ts';
import { type RunResult, runJobs } from './engine.ts';
import { type JobFile, parseJobFile } from './job-file.ts';
import { heading, report } from './report.ts';
import { statusLine } from './status-line.ts';
import { findTargets } from './targets.ts';

const PACES: readonly Pace[] = ['timed', 'functional'];

/** Returns the exit status. Throws UserError. */
export async function fioCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('fio', argv, ['board', 'pace', 'seed', 'output']);
  const [path, ...others] = rest;
  if (path === undefined || others.length > 0)
    throw new UserError('fio: give one job file: doorbell fio JOB.fio');
  const pace = parsePace(options.pace);
  const seed = parseSeed(options.seed);
  const { jobs, notes } = readJobFile(path);
  const targets = findTargets(await findBoard(options.board ?? 'pc'), jobs);
  const machine = boot(targets.board, { pace, seed, openStore });
  for (const note of notes) output.error(note);
  const lines = heading(jobs, 'doorbell-fio');
  if (options.output === undefined) output.lines(lines);
  const onProgress = output.isTerminal
    ? { onProgress: (...now: Parameters<typeof statusLine>) => output.status(statusLine(...now)) }
    : {};
  const result = await runJobs({ machine, jobs, targets, seed, hostNow, ...onProgress });
  output.status('');
  const body = [
    ...report(result.clones, ctime(new Date())),
    ...timeLines(result, pace, seed, targets.board.name),
  ];
  if (options.output === undefined) output.lines(body);
  else writeOutput(options.output, [...lines, ...body]);
  return result.clones.some(({ errno }) => errno !== 0) ? 1 : 0;
}

/** A date as ctime(3) writes it: `Sun Nov 22 10:56:38 2026`. */
function ctime(date: Date): string {
  const [weekday, month, day, year, time] = date.toString().split(' ');
  return `${weekday} ${month} ${day} ${time} ${year}`;
}

/** The host's clock in nanoseconds. */
export const hostNow = (): number => performance.now() * 1e6;

function parsePace(text = 'timed'): Pace {
  const pace = PACES.find((name) => name === text);
  if (pace !== undefined) return pace;
  throw new UserError(`--pace ${text}: it is ${PACES.join(' or ')}${suggestion(text, PACES)}`);
}

/** Parses the job file at `path` with the environment of this process. Throws UserError. */
export function readJobFile(path: string): JobFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`fio: cannot read ${path}: ${(error as Error).message}`);
  }
  return parseJobFile(text, path, process.env);
}

function writeOutput(path: string, lines: readonly string[]): void {
  try {
    writeFileSync(path, `${lines.join('\n')}\n`);
  } catch (error) {
    throw new UserError(`--output ${path}: ${(error as Error).message}`);
  }
}

/** What fio cannot know: how simulated and host time compare. */
export function timeLines(result: RunResult, pace: Pace, seed: number, board: string): string[] {
  const { clones, simulated_ns, host_ns } = result;
  const ios = clones.reduce((sum, { directions }) => sum + directions[0].ios + directions[1].ios, 0);
  const perIo = ios === 0 ? 0 : host_ns / ios;
  const host = `${(host_ns / 1e6).toFixed(1)} ms of host time, ${perIo.toFixed(0)} ns per I/O`;
  const run = `board ${board}, seed ${seed}`;
  if (pace === 'functional')
    return [
      '',
      `Time: functional pace, nothing costs simulated time; all figures are host time: ${host}; ${run}`,
    ];
  const ratio = simulated_ns === 0 ? 0 : host_ns / simulated_ns;
  return [
    '',
    `Time: simulated ${(simulated_ns / 1e6).toFixed(3)} ms in ${host} (${ratio.toFixed(1)}x); ${run}`,
  ];
}

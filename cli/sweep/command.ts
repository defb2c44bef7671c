/** `doorbell sweep` and `doorbell worker`: a grid of runs on all cores, or on all machines that share a queue. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { allOf, UserError } from '../../support/user-error.ts';
import { parseArguments } from '../arguments.ts';
import { findBoard } from '../board-option.ts';
import type { Output } from '../output.ts';
import { writeReport } from '../report/command.ts';
import { expand, parseAxis, parseSeeds, type Run, rangeNote, settingsText } from './grid.ts';
import { Pool } from './pool.ts';
import { checkQueue, runByQueue, serveQueue } from './queue.ts';
import { jobsOf, type Result } from './run.ts';
import { Store } from './store.ts';
import { resultTable } from './table.ts';

/** Returns the exit status. Throws UserError. */
export async function sweepCommand(argv: readonly string[], output: Output): Promise<number> {
  const { varied, others } = takeVaried(argv);
  const { options, rest } = parseArguments('sweep', others, [
    'boards',
    'seeds',
    'output',
    'report',
    'queue',
    'threads',
  ]);
  const [file, ...more] = rest;
  if (file === undefined || more.length > 0)
    throw new UserError('sweep: give one job file: doorbell sweep JOB.fio --vary iodepth=1..32 -o FOLDER');
  const boards = [];
  for (const name of (options.boards ?? 'pc').split(',')) boards.push(await findBoard(name));
  const runs = expand({
    boards,
    file,
    job: readText(file),
    axes: allOf(varied.map((text) => () => parseAxis(text))),
    seeds: parseSeeds(options.seeds ?? '1'),
  });
  for (const run of runs) jobsOf(run);
  for (const text of varied) {
    const note = rangeNote(text);
    if (note !== null) output.error(`note: ${note}`);
  }
  const threads = parseThreads(options.threads);
  if (options.queue !== undefined) checkQueue(options.queue);
  const folder = options.output ?? `${file.replace(/\.fio$/, '')}.sweep`;
  const store = new Store(folder);
  store.begin(runs);
  const missing = store.missing(runs);
  const progress = new Progress(output, runs.length, runs.length - missing.length);
  const take = (result: Result): void => {
    store.put(result);
    progress.one(result.settings);
  };
  if (options.queue !== undefined) await runByQueue(options.queue, missing, take);
  else await runHere(missing, threads, take);
  const results = store.merge(runs);
  output.status('');
  output.lines(resultTable(results));
  if (options.report !== undefined) writeReport(options.report, folder, results, output);
  return results.some(({ jobs }) => jobs.some(({ errno }) => errno !== 0)) ? 1 : 0;
}

async function runHere(runs: readonly Run[], threads: number, take: (result: Result) => void): Promise<void> {
  if (runs.length === 0) return;
  const pool = new Pool(Math.min(threads, runs.length));
  try {
    await Promise.all(runs.map(async (run) => take(await pool.run(run))));
  } finally {
    await pool.close();
  }
}

/** `[#######     ]  7/12  iodepth=4 seed=1` on a terminal. */
class Progress {
  static readonly #WIDTH = 24;
  readonly #output: Output;
  readonly #all: number;
  #done: number;

  constructor(output: Output, all: number, done: number) {
    this.#output = output;
    this.#all = all;
    this.#done = done;
    if (done > 0) output.error(`${done} of ${all} runs have a result already`);
  }

  one(settings: Run['settings']): void {
    this.#done++;
    const filled = Math.round((Progress.#WIDTH * this.#done) / this.#all);
    const bar = '#'.repeat(filled).padEnd(Progress.#WIDTH);
    this.#output.status(`[${bar}] ${this.#done}/${this.#all}  ${settingsText(settings)}`);
  }
}

/** `doorbell worker`: does runs of a queue until it is interrupted. Throws UserError. */
export async function workerCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('worker', argv, ['queue', 'threads']);
  if (options.queue === undefined || rest.length > 0)
    throw new UserError('worker: say where the queue is: doorbell worker --queue redis://HOST:PORT');
  const threads = parseThreads(options.threads);
  const pool = new Pool(threads);
  const interrupted = new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  try {
    await serveQueue(options.queue, pool, threads, interrupted, (settings) => {
      output.lines([settingsText(settings)]);
    });
  } finally {
    await pool.close();
  }
  return 0;
}

function parseThreads(text: string | undefined): number {
  if (text === undefined) return availableParallelism();
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UserError(`--threads ${text}: it is a number from 1 to 999`);
}

/** `--vary` may stand more than once; `-o` is short for `--output`. */
function takeVaried(argv: readonly string[]): { varied: string[]; others: string[] } {
  const varied: string[] = [];
  const others: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '--vary') {
      const value = argv[++index];
      if (value === undefined) throw new UserError('sweep: --vary needs a value: --vary iodepth=1,2,4');
      varied.push(value);
    } else if (word.startsWith('--vary=')) varied.push(word.slice('--vary='.length));
    else others.push(word === '-o' ? '--output' : word);
  }
  return { varied, others };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(`sweep: cannot read ${path}: ${(error as Error).message}`);
  }
}

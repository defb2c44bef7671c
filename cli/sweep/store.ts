/**
 * The folder of a sweep: `sweep.json` says which runs there are, `runs/KEY.json` is the result of each, `results.json` is
 * all of them when all are there. A file is whole or absent, so that an interrupted sweep goes on where it stopped.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../support/user-error.ts';
import { type Run, settingsText } from './grid.ts';
import type { Result } from './run.ts';

export class Store {
  readonly #folder: string;

  /** Makes the folder where it is missing. Throws UserError. */
  constructor(folder: string) {
    this.#folder = folder;
    try {
      mkdirSync(join(folder, 'runs'), { recursive: true });
    } catch (error) {
      throw new UserError(`sweep: cannot make ${folder}: ${(error as Error).message}`);
    }
  }

  /** Notes which runs the sweep has. Throws UserError when the folder belongs to a sweep with runs that are not among them. */
  begin(runs: readonly Run[]): void {
    const keys = new Set(runs.map(({ key }) => key));
    const before = this.#noted();
    const foreign = before.filter(({ key }) => !keys.has(key));
    if (foreign.length > 0) {
      throw new UserError(
        `sweep: ${this.#folder} holds a sweep of ${before.length} runs, and ${foreign.length} of them are not in this ` +
          `grid (such as ${settingsText(foreign[0]!.settings)}); give this one a folder of its own with -o, or vary ` +
          'what that one did and more',
      );
    }
    this.#write(
      'sweep.json',
      runs.map(({ key, settings }) => ({ key, settings })),
    );
  }

  /** The runs of the sweep that the folder belongs to; none when it is new. */
  #noted(): Pick<Run, 'key' | 'settings'>[] {
    const path = join(this.#folder, 'sweep.json');
    if (!existsSync(path)) return [];
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Run[];
    } catch (error) {
      throw new UserError(`sweep: cannot read ${path}: ${(error as Error).message}`);
    }
  }

  /** The runs that have no result yet, each once. */
  missing(runs: readonly Run[]): Run[] {
    const once = new Map(runs.map((run) => [run.key, run]));
    return [...once.values()].filter(({ key }) => !existsSync(this.#path(key)));
  }

  put(result: Result): void {
    this.#write(join('runs', `${result.key}.json`), result);
  }

  /** All results in the order of the runs, and as `results.json`. Every run must have one. */
  merge(runs: readonly Run[]): Result[] {
    const results = runs.map(({ key, settings }) => {
      const result = JSON.parse(readFileSync(this.#path(key), 'utf8')) as Result;
      return { ...result, settings };
    });
    this.#write('results.json', results);
    return results;
  }

  #path(key: string): string {
    return join(this.#folder, 'runs', `${key}.json`);
  }

  #write(name: string, value: unknown): void {
    const path = join(this.#folder, name);
    writeFileSync(`${path}.part`, `${JSON.stringify(value)}\n`);
    renameSync(`${path}.part`, path);
  }
}

/** The results of a finished sweep; `path` is its folder or a `results.json`. Throws UserError. */
export function readResults(path: string): Result[] {
  const file = path.endsWith('.json') ? path : join(path, 'results.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Result[];
  } catch (error) {
    throw new UserError(`cannot read the results of a sweep in ${path}: ${(error as Error).message}`);
  }
}

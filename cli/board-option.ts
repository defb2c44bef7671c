/** Boards by name or file: the shipped ones, one for each device profile, and a module or JSON file of the user's own. */
import { existsSync, statSync } from 'node:fs';
import { sentenceOf } from '../boards/check.ts';
import {
  type Board,
  BoardError,
  boardWith,
  DEVICES,
  deviceNamed,
  pc,
  workstation,
  zns,
} from '../boards/index.ts';
import { readBoard } from '../boards/personality.ts';
import { suggestion } from '../support/nearest.ts';
import type { Problem } from '../support/shape.ts';
import { UserError } from '../support/user-error.ts';
import { JsonFile, type Place } from './json-file.ts';
import { loadModule } from './load-module.ts';
import { ModuleSource } from './module-source.ts';

export const BOARDS: readonly Board[] = [pc, workstation, zns];

/**
 * Finds a board. A module may export it under any name; what is most like a board counts. Throws UserError, also for a
 * board in a file that cannot exist.
 */
export async function findBoard(text: string): Promise<Board> {
  const shipped = BOARDS.find(({ name }) => name === text);
  if (shipped !== undefined) return shipped;
  const device = deviceNamed(text);
  if (device !== undefined) return boardWith(device);
  if (!existsSync(text)) {
    const names = [...BOARDS, ...DEVICES].map(({ name }) => name);
    throw new UserError(
      `--board ${text}: neither a board (${names.join(', ')}) nor a file${suggestion(text, names)}`,
    );
  }
  const what = `--board ${text}`;
  const isJson = text.endsWith('.json') && !statSync(text).isDirectory();
  const json = isJson ? new JsonFile(what, text) : null;
  const values = json === null ? await loadModule(what, text, BOARD_FILE) : { default: json.value };
  const [name, board] = Object.entries(values).reduce(
    (best, each) => (likeness(each[1]) > likeness(best[1]) ? each : best),
    ['', undefined],
  );
  if (likeness(board) === 0) throw new UserError(`${what}: no board in it; a board has ${KEYS.join(', ')}`);
  try {
    return readBoard(board);
  } catch (error) {
    if (!(error instanceof BoardError)) throw error;
    throw new UserError(sentences(what, error.problems, json ?? (await ModuleSource.read(text, name))));
  }
}

const BOARD_FILE = 'a board is a .json, .ts or .mjs file';

/** A line for each problem, in the order of the file where its lines are known. */
function sentences(
  what: string,
  problems: readonly Problem[],
  source: { find(steps: readonly string[]): Place } | null,
): string {
  const told = problems.map((problem) => ({ problem, line: source === null ? 0 : lineOf(problem, source) }));
  return told
    .toSorted((one, other) => one.line - other.line)
    .map(({ problem, line }) => `${what}${line === 0 ? '' : `:${line}`}: ${sentenceOf(problem)}`)
    .join('\n');
}

/** The line of a problem: of the first key inside of its place that the sentence names, or of the place. */
function lineOf({ path, problem }: Problem, source: { find(steps: readonly string[]): Place }): number {
  const steps = stepsOf(path.replace(/ \(.*\)$/, ''));
  const named = problem.match(/[a-z][\w.[\]]*/gi) ?? [];
  const inside = named.map((key) => source.find([...steps, ...stepsOf(key)]));
  return (inside.find(({ isWhole }) => isWhole) ?? source.find(steps)).line;
}

/** `rootPorts[0].at` as keys and indexes. */
const stepsOf = (path: string): string[] => path.match(/[^.[\]]+/g) ?? [];

const KEYS = ['name', 'description', 'ram', 'media', 'host', 'iommu', 'rootPorts'];

/** How many keys of a board `value` has. */
const likeness = (value: unknown): number =>
  typeof value === 'object' && value !== null ? KEYS.filter((key) => key in value).length : 0;

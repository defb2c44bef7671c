/** Boards by name or file: the shipped ones, one for each device profile, and a module or JSON file of the user's own. */
import { existsSync, statSync } from 'node:fs';
import { type Board, BoardError, boardWith, DEVICES, pc, workstation, zns } from '../boards/index.ts';
import { readBoard } from '../boards/personality.ts';
import { suggestion } from '../support/nearest.ts';
import { UserError } from '../support/user-error.ts';
import { JsonFile } from './json-file.ts';
import { loadModule } from './load-module.ts';
import { ModuleSource } from './module-source.ts';
import { sentencesOf } from './problems.ts';

export const BOARDS: readonly Board[] = [pc, workstation, zns];

/**
 * Finds a board. A module may export it under any name; what is most like a board counts. Throws UserError, also for a
 * board in a file that cannot exist.
 */
export async function findBoard(text: string): Promise<Board> {
  const shipped = BOARDS.find(({ name }) => name === text);
  if (shipped !== undefined) return shipped;
  const device = DEVICES.find(({ name }) => name === text);
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
    throw new UserError(sentencesOf(what, error.problems, json ?? (await ModuleSource.read(text, name))));
  }
}

const BOARD_FILE = 'a board is a .json, .ts or .mjs file';

const KEYS = ['name', 'description', 'ram', 'media', 'host', 'iommu', 'rootPorts'];

/** How many keys of a board `value` has. */
const likeness = (value: unknown): number =>
  typeof value === 'object' && value !== null ? KEYS.filter((key) => key in value).length : 0;

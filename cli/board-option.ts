/** Boards by name or file: the shipped ones, one for each device profile, and a module or JSON file of the user's own. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Board, boardWith, DEVICES, deviceNamed, pc, workstation } from '../boards/index.ts';
import { suggestion } from '../support/nearest.ts';
import { UserError } from './user-error.ts';

export const BOARDS: readonly Board[] = [pc, workstation];

/** Finds a board. A module may export it under any name; the first one counts. Throws UserError. */
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
  const values = text.endsWith('.json') ? [parseJson(text)] : Object.values(await load(text));
  const board = values.find(isBoard);
  if (board === undefined)
    throw new UserError(`--board ${text}: no board in it; a board has name, ram, media, host and rootPorts`);
  return board;
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`--board ${path}: ${(error as Error).message}`);
  }
}

async function load(path: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UserError(`--board ${path}: ${(error as Error).message}`);
  }
}

const KEYS = ['name', 'ram', 'media', 'host', 'iommu', 'rootPorts'];

const isBoard = (value: unknown): value is Board =>
  typeof value === 'object' && value !== null && KEYS.every((key) => key in value);

/** Case files of a folder, checked as far as a reader needs: each is a JSON array of cases with a name and steps. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../support/user-error.ts';
import type { Case } from './cases.ts';

export interface CaseFile {
  /** File name without its folder and ending. */
  readonly name: string;
  readonly cases: readonly Case[];
}

/** Every `*.json` of `folder`, by name. Throws UserError for a folder or a file that cannot be used. */
export function readCaseFiles(folder: string): CaseFile[] {
  const names = namesIn(folder).filter((name) => name.endsWith('.json'));
  if (names.length === 0) throw new UserError(`conformance: there is no .json file in ${folder}`);
  return names
    .sort()
    .map((name) => ({ name: name.slice(0, -'.json'.length), cases: readCases(join(folder, name)) }));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw new UserError(`conformance: ${(error as Error).message}`);
  }
}

function readCases(path: string): Case[] {
  const cases = parse(path);
  if (!Array.isArray(cases) || !cases.every(isCase)) {
    throw new UserError(`conformance: ${path} is not an array of cases with a name and steps`);
  }
  return cases;
}

function parse(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UserError(`conformance: ${path}: ${(error as Error).message}`);
  }
}

function isCase(value: unknown): value is Case {
  const { name, steps } = (value ?? {}) as Partial<Case>;
  return typeof name === 'string' && Array.isArray(steps);
}

/** Programs in documents are programs: README's first block is an example, and the examples run as their reader would run them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { moduleOf } from '../built.ts';
import { readmeProgram } from './readme.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'doorbell-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(path: string) {
  const argv = ['--import', 'tsx', path];
  return spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8', timeout: 45_000 });
}

/** In a checkout the package's name stands for this one; package.test.ts runs README's program on an installed one. */
function runHere(name: string, program: string) {
  const path = join(folder, name);
  writeFileSync(path, program.replaceAll("from 'doorbell'", `from '${moduleOf('index')}'`));
  return run(path);
}

const example = (name: string): string => readFileSync(join(root, 'examples', name), 'utf8');

test("README's first program is examples/hello.ts, and imports the package by its name", () => {
  expect(example('hello.ts')).toBe(readmeProgram());
  expect(readmeProgram()).toMatch(/from 'doorbell'/);
});

test.each(readdirSync(join(root, 'examples')))('examples/%s runs', (name) => {
  const { status, stdout, stderr } = runHere(name.replace(/\.ts$/, '.mts'), example(name));
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).not.toBe('');
  if (name === 'hello.ts') expect(stdout).toMatch(/^hello, block 7\n\d+ ns of simulated time\n$/);
});

/** Programs in documents are programs: README's first block is an example, and the examples run as their reader would run them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readmeProgram } from './readme.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'doorbell-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(path: string) {
  const argv = ['--import', 'tsx', path];
  return spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8', timeout: 45_000 });
}

/** In a checkout the package's name stands for the sources; package.test.ts runs README's program on the built package. */
function runOnSources(name: string, program: string) {
  const door = pathToFileURL(join(root, 'index.ts')).href;
  const path = join(folder, name);
  writeFileSync(path, program.replaceAll("from 'doorbell'", `from '${door}'`));
  return run(path);
}

const example = (name: string): string => readFileSync(join(root, 'examples', name), 'utf8');

test("README's first program is examples/hello.ts, and imports the package by its name", () => {
  expect(example('hello.ts')).toBe(readmeProgram());
  expect(readmeProgram()).toMatch(/from 'doorbell'/);
});

test.each(readdirSync(join(root, 'examples')))('examples/%s runs', (name) => {
  const { status, stdout, stderr } = runOnSources(name.replace(/\.ts$/, '.mts'), example(name));
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).not.toBe('');
  if (name === 'hello.ts') expect(stdout).toMatch(/^hello, block 7\n\d+ ns of simulated time\n$/);
});

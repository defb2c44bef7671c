/** Programs in documents are programs: README's first block and the examples run as their reader would run them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { readmeProgram } from './readme.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'doorbell-docs-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(path: string) {
  const argv = ['--import', 'tsx', path];
  return spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8', timeout: 45_000 });
}

describe("README's first program", () => {
  test('imports the package by its name, and runs', () => {
    const program = readmeProgram();
    expect(program).toMatch(/from 'doorbell'/);
    const path = join(folder, 'readme.mts');
    // In a checkout the name stands for the sources; package.test.ts runs the same block on the built package.
    const door = pathToFileURL(join(root, 'index.ts')).href;
    writeFileSync(path, program.replaceAll("from 'doorbell'", `from '${door}'`));
    const { status, stdout, stderr } = run(path);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).not.toBe('');
  });
});

describe('examples', () => {
  test.each(readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts')))('%s runs', (name) => {
    const { status, stdout, stderr } = run(join(root, 'examples', name));
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).not.toBe('');
    if (name === 'hello.ts') {
      expect(stdout).toMatch(
        /^0000:01:00\.0 .*, 524288 blocks of 512 bytes: Hello from the other side of a PCIe link\.\n$/,
      );
    }
  });
});

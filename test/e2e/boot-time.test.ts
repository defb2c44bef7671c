/**
 * From a board to the first block read: processor time of a fresh process, counted after its imports. Processor time
 * grows little when other tests run beside it, and a quiet machine needs a fraction of the bound.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const BOUND_MS = 300;

test.each(['timed', 'functional'])('boot to first I/O at the %s pace takes little time', (pace) => {
  const program = join(import.meta.dirname, 'first-io.ts');
  const argv = ['--import', 'tsx', program, pace];
  const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 45_000 });
  expect(stderr).toBe('');
  const { cpu_ms } = JSON.parse(stdout) as { cpu_ms: number };
  expect(cpu_ms).toBeGreaterThan(0);
  expect(cpu_ms).toBeLessThan(BOUND_MS);
});

/**
 * From a board to the first block read: 300 ms of process time is the promise, measured by `npm run bench`. In here a
 * fresh process has three times as much, because it shares two cores with the other tests.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const BOUND_MS = 900;

test.each(['timed', 'functional'])('boot to first I/O at the %s pace takes little time', (pace) => {
  const program = join(import.meta.dirname, 'first-io.ts');
  const argv = ['--import', 'tsx', program, pace];
  const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 15_000 });
  expect(stderr).toBe('');
  const { cpu_ms } = JSON.parse(stdout) as { cpu_ms: number };
  expect(cpu_ms).toBeGreaterThan(0);
  expect(cpu_ms).toBeLessThan(BOUND_MS);
});

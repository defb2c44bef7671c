/**
 * From a board to the first block read: processor time of a fresh process, counted after its imports. Processor time
 * grows little when other tests run beside it, and a quiet machine needs a fraction of the bound.
 */
import { expect, test } from 'vitest';
import { moduleOf, runModule } from '../built.ts';

const BOUND_MS = 300;

/** Prints the processor time from a board to its first block read. */
const PROGRAM = `
  import { boot, pc } from '${moduleOf('boards/index')}';
  import { NvmeDriver } from '${moduleOf('drivers/nvme/index')}';
  const start = process.cpuUsage();
  const driver = await NvmeDriver.open(boot(pc, { pace: process.argv[1] }).kernel);
  await driver.namespace(1).read(0, 1);
  const { user, system } = process.cpuUsage(start);
  console.log(JSON.stringify({ cpu_ms: (user + system) / 1000 }));
`;

test.each(['timed', 'functional'])('boot to first I/O at the %s pace takes little time', (pace) => {
  const { stdout, stderr } = runModule(PROGRAM, pace);
  expect(stderr).toBe('');
  const { cpu_ms } = JSON.parse(stdout) as { cpu_ms: number };
  expect(cpu_ms).toBeGreaterThan(0);
  expect(cpu_ms).toBeLessThan(BOUND_MS);
});

/** A run is a function of its board, its seed and its program: the same three give the same trace, record for record. */
import { describe, expect, test } from 'vitest';
import { boot, type Machine, type Pace, pc, workstation } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { findNvme, NvmeDriver } from '../../drivers/nvme/index.ts';
import { traceHash } from '../../machine/trace.ts';
import { pattern } from './rig.ts';

/** Two drives at once, with everything that takes time: bring-up, transfers of several commands, shutdown. */
async function drivesAtWork(machine: Machine, interrupts: boolean): Promise<void> {
  const bdfs = findNvme(machine.kernel).slice(0, 2);
  const drivers = await Promise.all(bdfs.map((bdf) => NvmeDriver.open(machine.kernel, { bdf, interrupts })));
  await Promise.all(
    drivers.map(async (driver, number) => {
      const disk = driver.namespace(1);
      await disk.write(number, pattern(300 * 512));
      await Promise.all(Array.from({ length: 20 }, (_, index) => disk.read(index * 7, 1 + index)));
      await disk.flush();
    }),
  );
  for (const driver of drivers) await driver.close();
}

const JOBS = parseJobFile(
  `[global]
   filename=nvme0n1
   [mixed]
   rw=randrw
   bs=4k
   iodepth=8
   size=1m
   verify=crc32c
   [reader]
   rw=randread
   iodepth=4
   io_size=512k
   offset=8m
   hipri=1`,
  'mixed.fio',
).jobs;

async function fio(machine: Machine, seed: number): Promise<number[]> {
  // The host's clock stands still: at the functional pace it is measured, and only measured.
  const { clones } = await runJobs({
    machine,
    jobs: JOBS,
    targets: findTargets(pc, JOBS),
    seed,
    hostNow: () => 0,
  });
  expect(clones.map(({ failure }) => failure)).toEqual(['', '']);
  return clones.flatMap(({ directions }) => directions.map(({ lat }) => lat.mean));
}

interface Run {
  readonly hash: string;
  readonly records: number;
  readonly end_ns: number;
}

async function traced(machine: Machine, program: (machine: Machine) => Promise<unknown>): Promise<Run> {
  const { listener, text } = traceHash();
  let records = 0;
  machine.trace.listen(listener);
  machine.trace.listen(() => void records++);
  await program(machine);
  return { hash: text(), records, end_ns: machine.clock.now };
}

describe.each([{ interrupts: false }, { interrupts: true }])(
  'two drives side by side, with $interrupts interrupts',
  ({ interrupts }) => {
    const run = (seed: number) =>
      traced(boot(workstation, { seed }), (machine) => drivesAtWork(machine, interrupts));

    test('the same seed gives the same trace, another one another', async () => {
      const first = await run(1);
      expect(first.records).toBeGreaterThan(1000);
      expect(await run(1)).toEqual(first);
      expect((await run(2)).hash).not.toBe(first.hash);
    });
  },
);

describe.each<Pace>(['timed', 'functional'])('a fio job at the %s pace', (pace) => {
  const run = (seed: number) => traced(boot(pc, { pace, seed }), (machine) => fio(machine, seed));

  test('the same seed gives the same trace, another one another', async () => {
    const first = await run(7);
    expect(first.records).toBeGreaterThan(5000);
    expect(await run(7)).toEqual(first);
    expect((await run(8)).hash).not.toBe(first.hash);
  });
});

test('who listens changes nothing: the same latencies and the same end without a trace', async () => {
  const run = async (isTraced: boolean) => {
    const machine = boot(pc, { seed: 7 });
    if (isTraced) machine.trace.listen(() => {});
    return [...(await fio(machine, 7)), machine.clock.now];
  };
  expect(await run(true)).toEqual(await run(false));
});

test('a trace of one record more has another hash', () => {
  const [one, two] = [traceHash(), traceHash()];
  for (const { listener } of [one, two]) listener(10, 1, 2, 3, 4, 5);
  expect(one.text()).toBe(two.text());
  two.listener(10, 1, 2, 3, 4, 5);
  expect(one.text()).not.toBe(two.text());
});

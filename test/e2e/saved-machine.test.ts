/**
 * A machine that a program saves between two commands and loads into another one, with state that no fio job has: host
 * memory that is lent, doorbells in memory, two controllers of a drive, a power state, a temperature that falls.
 * Not here: jobs (cli/fio-save.test.ts), whether every field is archived (archive.test.ts).
 */
import { expect, test } from 'vitest';
import { type Board, boot, type NvmeBoard, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import { EVERY_POWER_STATE } from '../../nvme/condition/profile.ts';
import { GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';
import { FID, THERMAL_MANAGEMENT } from '../../nvme/spec/features.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { Archive } from '../../support/archive.ts';
import { pattern } from './rig.ts';

/** A page of the map describes so many blocks; the drive has room for one. */
const REGION = (4 * 1024 ** 2) / 512;
const profile = {
  ...GENERIC,
  timing: OPTANE_P4800X,
  admin: { ...NO_ADMIN_OPTION, doorbellBuffer: true, hostMemory: GENERIC.admin.hostMemory },
  dirty_bytes: 0,
  map: { cachedPages: 1 },
  power: { ...EVERY_POWER_STATE, settling_ns: 1e6 },
};
const [port] = pc.rootPorts;
const drive = { ...(port!.device as NvmeBoard), profile, namespaces: [{ size: '16m' }] };
const BOARD: Board = {
  ...pc,
  ram: '32m',
  media: '24m',
  rootPorts: [
    { ...port!, device: drive },
    { ...port!, at: '05.0', device: { ...drive, namespaces: [], joins: true } },
  ],
};
const OPTIONS = { hostMemory: true, shadowDoorbells: true, interrupts: false };

async function opened() {
  const machine = boot(BOARD);
  const drivers: NvmeDriver[] = [];
  for (const bdf of ['0000:01:00.0', '0000:02:00.0']) {
    const driver = await NvmeDriver.open(machine.kernel, { bdf, ...OPTIONS });
    // The first transfers take memory by system calls, which the machine that loads has to have made too.
    await driver.namespace(1).write(0, pattern(16 * 512));
    drivers.push(driver);
  }
  const [left, right] = drivers as [NvmeDriver, NvmeDriver];
  const archive = (a: Archive): void => {
    machine.archive(a);
    for (const driver of drivers) driver.archive(a);
  };
  return { machine, left, right, archive };
}

type Opened = Awaited<ReturnType<typeof opened>>;

/** Leaves state in everything that can have some. */
async function use({ machine, left, right }: Opened): Promise<void> {
  for (const region of [0, 1, 2, 1])
    await left.namespace(1).write(region * REGION, pattern(16 * 512, region));
  await right.namespace(1).read(2 * REGION, 8);
  await left.setFeatures(FID.POWER_MANAGEMENT, 1);
  await left.setFeatures(FID.THERMAL_MANAGEMENT, THERMAL_MANAGEMENT.encode({ TMT1: 320, TMT2: 340 }));
  machine.controllers[0]!.health.condition.temperature_K = 345;
  await left.namespace(1).read(0, 8);
}

/** Goes on, and tells what came of it. */
async function told({ machine, left, right }: Opened): Promise<unknown[]> {
  const found: unknown[] = [await left.getFeatures(FID.POWER_MANAGEMENT)];
  for (const region of [1, 0, 2, 1, 2]) {
    found.push(await left.namespace(1).read(region * REGION, 4), machine.clock.now);
    await right.namespace(1).write(region * REGION + 1, pattern(512, 9));
  }
  for (const driver of [left, right]) {
    const { stored, rung } = driver.shadowDoorbells!;
    found.push(stored, rung, driver.hostMemory_bytes, await driver.getLogPage(LID.SMART, 512));
  }
  found.push(...machine.controllers.map(({ health }) => ({ ...health.lookups })), machine.clock.now);
  await right.close();
  await left.close();
  return [...found, machine.explain(), machine.kernel.dmesg.lines];
}

test('goes on as the one that was saved: host memory, shadow doorbells, joined controllers, power and heat', async () => {
  const whole = await opened();
  await use(whole);
  const saved = Archive.save();
  whole.archive(saved);
  const bytes = saved.finish();
  const other = await opened();
  const loaded = Archive.load(bytes);
  other.archive(loaded);
  loaded.complete();
  const expected = await told(whole);
  expect(await told(other)).toEqual(expected);
  const { host, medium } = whole.machine.controllers[0]!.health.lookups;
  expect(Math.min(host, medium), 'pages of the map come from both').toBeGreaterThan(0);
  expect(whole.left.shadowDoorbells!.stored).toBeGreaterThan(0);
});

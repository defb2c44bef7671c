/**
 * Host memory that the driver lends, on the whole machine: it is used, stays lent after a reset, and is the host's again
 * when the driver has closed. Not here: what the controller does with it (test/nvme/host-map.test.ts).
 */
import { expect, test } from 'vitest';
import { NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { pattern, pcWith, start, WAYS } from './rig.ts';

const MIB = 1024 ** 2;
const OPTIONS = { hostMemory: true };
/** The drive has room for one page of its map, which describes 4 MiB. */
const BOARD = pcWith({ profile: { ...GENERIC, map: { cachedPages: 1 } } });
const REGION = (4 * MIB) / 512;

test.each(WAYS)('data and lookups at the $pace pace, interrupts: $interrupts', async (way) => {
  const { machine, driver } = await start(way, BOARD, OPTIONS);
  const disk = driver.namespace(1);
  const { lookups } = machine.controllers[0]!.health;
  expect(driver.hostMemory_bytes).toBe(16 * MIB);
  for (const region of [0, 1, 2]) await disk.write(region * REGION, pattern(64 * 512, region));
  const visit = async () => {
    Object.assign(lookups, { controller: 0, host: 0, medium: 0 });
    for (const region of [0, 1, 2, 0, 1, 2])
      expect(Buffer.compare(await disk.read(region * REGION, 64), pattern(64 * 512, region))).toBe(0);
    return lookups.host;
  };
  await visit();
  const before = await visit();
  await driver.reset();
  await visit();
  expect([before, await visit()]).toEqual([6, 6]);
  await driver.close();
  expect(machine.explain()).toEqual([]);
});

test('the driver takes less where the process may not have so much, and says so where the drive wants none', async () => {
  const hostMemory = {
    preferred_bytes: 1024 * MIB,
    minimum_bytes: MIB,
    descriptorMinimum_bytes: 0,
    maxDescriptors: 1,
  };
  const large = pcWith({ profile: { ...GENERIC, admin: { ...GENERIC.admin, hostMemory } } });
  const { driver } = await start(WAYS[0]!, large, OPTIONS);
  expect(driver.hostMemory_bytes).toBeLessThanOrEqual(128 * MIB);
  expect(driver.hostMemory_bytes).toBeGreaterThanOrEqual(MIB);
  await driver.close();
  const none = pcWith({ profile: { ...GENERIC, admin: NO_ADMIN_OPTION } });
  await expect(start(WAYS[0]!, none, OPTIONS)).rejects.toThrow('wants no host memory (HMPRE is 0)');
});

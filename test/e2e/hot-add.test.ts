/** Case T16: a drive comes back to its slot while the machine runs, and a program finds and uses it. */
import { describe, expect, test } from 'vitest';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { hotAdd, hotRemoval } from '../../scenarios/kit/events.ts';
import { pattern, start, WAYS } from './rig.ts';

const NAME = '0000:01:00.0';
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await null;
};

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test('T16 a drive that is pulled out and put back is found under its name, with its data', async () => {
    const { machine, driver } = await start(way);
    const { kernel } = machine;
    const data = pattern(32 * 512);
    await driver.namespace(1).write(100, data);
    await driver.namespace(1).flush();
    hotRemoval(0).happen(machine);
    await expect(driver.namespace(1).read(0, 1)).rejects.toThrow('cannot be used any more');
    hotAdd(0).happen(machine);
    await turns();
    expect(kernel.readdir('/dev/vfio/devices'), 'the old one has a user').toEqual([]);
    await driver.close().catch(() => {});
    await turns();
    expect(kernel.readdir('/dev/vfio/devices')).toEqual(['vfio0']);
    expect(kernel.readlink(`/sys/bus/pci/devices/${NAME}`)).toBe(
      '/sys/devices/pci0000:00/0000:00:04.0/0000:01:00.0',
    );
    for (let round = 0; round < 2; round++) {
      const again = await NvmeDriver.open(kernel, { interrupts: way.interrupts });
      expect(Buffer.compare(await again.namespace(1).read(100, 32), data)).toBe(0);
      await again.close();
    }
    expect(machine.controllers[0]!.health.powerCycles).toBe(2);
  });
});

test('an empty slot, a slot whose function is known, and a name that is none', async () => {
  const { machine, driver } = await start({ pace: 'functional', interrupts: false });
  const { kernel } = machine;
  expect(await kernel.addDevice(NAME)).toBe(false);
  expect(await kernel.addDevice('0000:01:00.1')).toBe(false);
  expect(await kernel.addDevice('0000:77:00.0')).toBe(false);
  await expect(kernel.addDevice('nvme0')).rejects.toThrow('nvme0 is not the name of a PCI function');
  await driver.close();
});

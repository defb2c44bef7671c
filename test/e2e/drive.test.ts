/**
 * A drive's whole life through every real layer, at every pace and in both ways of waiting: found, opened, used with
 * every command that the driver knows, shut down, opened again.
 */
import { describe, expect, test } from 'vitest';
import { boot, workstation } from '../../boards/index.ts';
import { findNvme, NvmeDriver } from '../../drivers/nvme/index.ts';
import { KIB, MIB } from '../../support/numbers.ts';
import { isSame } from '../compare.ts';
import { pattern, start, WAYS } from './rig.ts';

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test('a drive is what its board says', async () => {
    const { driver } = await start(way);
    expect(driver.bdf).toBe('0000:01:00.0');
    expect(driver.info).toMatchObject({ model: 'Doorbell NVMe Controller', serial: 'DOORBELL0' });
    expect(driver.namespaces.map(({ nsid, bytes, blockSize }) => [nsid, bytes, blockSize])).toEqual([
      [1, 256 * MIB, 512],
      [2, 64 * MIB, 512],
    ]);
    await driver.close();
  });

  test('what is written is read back, from one block to more than a command moves', async () => {
    const { driver } = await start(way);
    const disk = driver.namespace(1);
    expect(driver.maxTransfer_bytes).toBeLessThan(MIB);
    for (const [lba, bytes] of [
      [0, 512],
      [7, 4 * KIB],
      [1001, 128 * KIB + 512],
      [disk.blocks - 2 * KIB, MIB],
    ] as const) {
      const data = pattern(bytes, lba);
      await disk.write(lba, data);
      expect(isSame(await disk.read(lba, bytes / 512), data)).toBe(true);
    }
    expect(isSame(await disk.read(6, 1), new Uint8Array(512)), 'the neighbour is untouched').toBe(true);
    await driver.close();
  });

  test('buffers of the device are read and written in place, at any offset', async () => {
    const { driver } = await start(way);
    const disk = driver.namespace(1);
    const buffer = driver.allocate(64 * KIB);
    const data = pattern(20 * KIB);
    buffer.bytes.set(data, 1028);
    await disk.writeFrom(99, 40, buffer, 1028, { fua: true });
    buffer.bytes.fill(0);
    await disk.readInto(99, 40, buffer, 8);
    expect(isSame(buffer.bytes.slice(8, 8 + data.length), data)).toBe(true);
    expect(buffer.bytes[7], 'nothing before').toBe(0);
    expect(buffer.bytes[8 + data.length], 'nothing behind').toBe(0);
    await driver.close();
  });

  test('compare, trim and write zeroes do what they say, where they say it', async () => {
    const { driver } = await start(way);
    const disk = driver.namespace(1);
    const data = pattern(64 * 512);
    await disk.write(0, data);
    expect(await disk.compare(0, data)).toBe(true);
    expect(await disk.compare(1, data)).toBe(false);
    await disk.trim(8, 3);
    await disk.writeZeroes(16, 5);
    await disk.writeZeroes(32, 2, { deallocate: true });
    await disk.flush();
    const expected = data.slice();
    for (const [lba, blocks] of [
      [8, 3],
      [16, 5],
      [32, 2],
    ] as const)
      expected.fill(0, lba * 512, (lba + blocks) * 512);
    expect(isSame(await disk.read(0, 64), expected)).toBe(true);
    await driver.close();
  });

  test('two namespaces share a drive and no block', async () => {
    const { driver } = await start(way);
    const [first, second] = [driver.namespace(1), driver.namespace(2)];
    const data = [pattern(32 * KIB, 1), pattern(32 * KIB, 2)] as const;
    await Promise.all([first.write(0, data[0]), second.write(0, data[1])]);
    expect(isSame(await first.read(0, 64), data[0])).toBe(true);
    expect(isSame(await second.read(0, 64), data[1])).toBe(true);
    await second.writeZeroes(0, 64);
    expect(await first.compare(0, data[0])).toBe(true);
    await driver.close();
  });

  test('four drives, alone and behind a switch, keep their data apart', async () => {
    const machine = boot(workstation, { pace: way.pace });
    const found = findNvme(machine.kernel);
    expect(found).toHaveLength(4);
    const drivers = await Promise.all(
      found.map((bdf) => NvmeDriver.open(machine.kernel, { bdf, interrupts: way.interrupts })),
    );
    expect(drivers.map(({ info }) => info.serial)).toEqual([
      'DOORBELL0',
      'DOORBELL1',
      'DOORBELL2',
      'DOORBELL3',
    ]);
    const data = drivers.map((_, number) => pattern(256 * KIB, number + 1));
    await Promise.all(drivers.map((driver, number) => driver.namespace(1).write(77, data[number]!)));
    const read = await Promise.all(drivers.map((driver) => driver.namespace(1).read(77, 512)));
    expect(read.map((bytes, number) => isSame(bytes, data[number]!))).toEqual([true, true, true, true]);
    for (const driver of drivers) await driver.close();
  });

  test('a shutdown is clean, leaves nothing mapped, and the next driver finds the data', async () => {
    const { machine, driver } = await start(way);
    await driver.close();
    const idle = machine.pages.free_pages;
    const data = pattern(8 * KIB);
    for (const round of [0, 1, 2]) {
      const again = await NvmeDriver.open(machine.kernel, { interrupts: way.interrupts });
      const disk = again.namespace(1);
      if (round > 0) expect(isSame(await disk.read(5, 16), data)).toBe(true);
      else await disk.write(5, data);
      await again.close();
      expect(machine.pages.free_pages, `pages after round ${round}`).toBe(idle);
    }
    expect(machine.explain()).toEqual([]);
  });
});

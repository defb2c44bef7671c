/** Case T5: memory that has lost data gives a drive poisoned completions, and the command that needed them fails alone. */
import { describe, expect, test } from 'vitest';
import { CAPABILITY, CONFIG, DEVICE_STATUS, PCIE, STATUS } from '../../machine/pcie/spec.ts';
import type { MemoryVma } from '../../vfio/mapping.ts';
import { pattern, sentence, start, WAYS } from './rig.ts';

const BLOCKS = 16;
const BYTES = BLOCKS * 512;
/** A line of the fourth block, which is in the first of two pages, and one in the second. */
const PLACES = [3 * 512 + 64, 4096 + 512] as const;

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test.each(PLACES)(
    'T5 a write whose data come poisoned at byte %i fails with 0:04, and nothing lost is stored',
    async (place) => {
      const { machine, driver } = await start(way, undefined, { retries: 0 });
      const disk = driver.namespace(1);
      const old = pattern(BYTES, 1);
      await disk.write(0, old);
      const buffer = driver.allocate(BYTES);
      buffer.bytes.set(pattern(BYTES, 2));
      const { physical } = machine.kernel.mapping(buffer.address) as MemoryVma;
      machine.rootComplex.poison.add(physical + place, 1);

      expect(await sentence(disk.writeFrom(0, BLOCKS, buffer))).toMatch(
        /^NvmeError: Write of blocks 0 to 15 .* failed with DATA_TRANSFER_ERROR \(0\/0x04\).* It may be retried/,
      );
      const line = (buffer.iova + (place & ~63)).toString(16);
      expect(machine.explain().at(-1)).toContain(`the data at IOVA 0x${line}: the data came back poisoned`);
      const block = Math.floor(place / 512);
      const stored = await disk.read(block, 1);
      expect(Buffer.compare(stored, old.subarray(block * 512, (block + 1) * 512))).toBe(0);

      const { config } = machine.controllers[0]!;
      expect(STATUS.PARITY_ERROR.get(config.read(CONFIG.STATUS, 2))).toBe(1);
      const device = config.read(config.findCapability(CAPABILITY.PCIE) + PCIE.DEVICE_STATUS, 2);
      expect(DEVICE_STATUS.NON_FATAL.get(device)).toBe(1);
      await driver.close();
    },
  );

  test('what a drive writes heals the memory, and other commands never notice', async () => {
    const { machine, driver } = await start(way, undefined, { retries: 0 });
    const disk = driver.namespace(1);
    const data = pattern(BYTES, 3);
    await disk.write(0, data);
    const buffer = driver.allocate(BYTES);
    const { physical } = machine.kernel.mapping(buffer.address) as MemoryVma;
    for (const place of PLACES) machine.rootComplex.poison.add(physical + place, 64);
    await disk.write(100, data);
    await disk.readInto(0, BLOCKS, buffer);
    expect(machine.rootComplex.poison.isEmpty).toBe(true);
    await disk.writeFrom(200, BLOCKS, buffer);
    expect(Buffer.compare(await disk.read(200, BLOCKS), data)).toBe(0);
    expect(machine.explain()).toEqual([]);
    await driver.close();
  });
});

/**
 * A kernel that remaps interrupts: what a driver sees of it, which is nothing, until a message is not its own. Case X9.
 * Not here: every rule of an entry (test/iommu/), the same without a kernel.
 */
import { describe, expect, test } from 'vitest';
import { type Machine, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { CONFIG, MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import { pattern, start, WAYS } from './rig.ts';

const BOARD = { ...pc, remapsInterrupts: true };
const BAR_MASK = ~0xf;
/** Remappable format: bit 4 of the address. */
const FORMAT = 0x10;

/** Physical address of a field of an entry of the drive's MSI-X table. */
function msix({ rootComplex, controllers }: Machine, vector: number, field: number): number {
  const { bdf, profile } = controllers[0]!;
  const bar = (rootComplex.configRead(bdf >>> 8, bdf & 0xff, CONFIG.BAR0, 4) & BAR_MASK) >>> 0;
  return bar + profile.msixTable + vector * MSIX_ENTRY.SIZE + field;
}

describe.each(WAYS.filter(({ interrupts }) => interrupts))('at the $pace pace', (way) => {
  test('interrupts arrive through entries of the table, and are given back', async () => {
    const { machine, driver } = await start(way, BOARD);
    expect(machine.kernel.dmesg.lines.join('\n')).toContain('DMAR-IR: Enabled IRQ remapping in xapic mode');
    const data = pattern(16 * 512);
    await driver.namespace(1).write(0, data);
    expect(Buffer.compare(await driver.namespace(1).read(0, 16), data)).toBe(0);
    const queue = await driver.createQueuePair();
    const entry = () => machine.rootComplex.read32(msix(machine, queue.qid, MSIX_ENTRY.ADDRESS));
    const address = entry();
    expect(address & FORMAT).toBe(FORMAT);
    expect(machine.rootComplex.read32(msix(machine, queue.qid, MSIX_ENTRY.DATA))).toBe(0);
    await driver.close();
    const again = await NvmeDriver.open(machine.kernel, { interrupts: true });
    expect(entry(), 'the entries were given back').toBe(address);
    await again.close();
    expect(machine.explain()).toEqual([]);
  });

  test.each([
    ['X9 names an entry that is not there', 0xfee0_0018 | (0x1234 << 5), 'fault index 0x1234', '0x22'],
    ['X9 is in compatibility format', 0xfee0_0000, 'fault index 0x0', '0x25'],
  ])(
    'a message that %s is blocked and logged, and the driver finds its completion by looking',
    async (_, address, index, reason) => {
      const warnings: string[] = [];
      const { machine, driver } = await start(way, BOARD, { onWarning: (warning) => warnings.push(warning) });
      await driver.namespace(1).read(0, 1);
      machine.rootComplex.write32(msix(machine, 1, MSIX_ENTRY.ADDRESS), address >>> 0);
      await driver.namespace(1).read(0, 1);
      machine.clock.advance(1e6);
      expect(machine.explain()).toEqual([
        expect.stringMatching(
          new RegExp(
            `DMAR: \\[INTR-REMAP\\] Request device \\[01:00.0\\] ${index} \\[fault reason ${reason}\\]`,
          ),
        ),
      ]);
      if (way.pace === 'timed')
        expect(warnings).toEqual([expect.stringContaining('an interrupt of queue 1 was lost')]);
      await driver.close();
    },
  );
});

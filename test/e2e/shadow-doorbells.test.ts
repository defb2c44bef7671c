/**
 * Doorbells in memory through the driver, on the whole machine: nothing is lost, the registers are written less often,
 * also after a reset. Not here: the controller's side (test/nvme/shadow-doorbells.test.ts), two threads (test/threads/).
 */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { Machine } from '../../boards/index.ts';
import type { NvmeDriver } from '../../drivers/nvme/index.ts';
import { GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { pattern, pcWith, sentence, start, WAYS } from './rig.ts';

const OPTIONS = { shadowDoorbells: true };
const TIMED = { pace: 'timed', interrupts: false } as const;
const BOARD = pcWith({ profile: { ...GENERIC, timing: OPTANE_P4800X } });

/** Posts bursts of flushes on a queue pair of `depth`, a ring for each, and waits for all after each. Returns how many ended well. */
async function flushes(machine: Machine, driver: NvmeDriver, depth: number, bursts: readonly number[]) {
  const queue = await driver.createQueuePair({ depth, interrupts: false });
  let good = 0;
  queue.onComplete = (_slot, status) => {
    if (status === 0) good++;
  };
  const { kernel } = machine;
  for (const burst of bursts) {
    for (let i = 0; i < burst && queue.post(NVM.FLUSH, 1, 0, 1) >= 0; i++) queue.ring();
    const deadline = kernel.now() + 1e9;
    while (queue.outstanding > 0 && kernel.now() < deadline) if (queue.reap() === 0) kernel.relax(deadline);
  }
  await driver.deleteQueuePair(queue);
  return { good, stale: queue.staleCount };
}

test.each(WAYS)('data and admin commands at the $pace pace, interrupts: $interrupts', async (way) => {
  const { driver } = await start(way, pcWith({ profile: QEMU }), OPTIONS);
  const data = pattern(64 * 512);
  await driver.namespace(1).write(3, data);
  expect(Buffer.compare(await driver.namespace(1).read(3, 64), data)).toBe(0);
  await driver.close();
});

test('whatever the bursts, every command completes once, and registers are written for some only (property)', async () => {
  const depths = fc.constantFrom(1, 2, 7, 31);
  const bursts = fc.array(fc.integer({ min: 1, max: 31 }), { minLength: 1, maxLength: 12 });
  const { machine, driver } = await start(TIMED, BOARD, OPTIONS);
  await fc.assert(
    fc.asyncProperty(depths, bursts, async (depth, sizes) => {
      const { good, stale } = await flushes(machine, driver, depth, sizes);
      expect([good, stale]).toEqual([sizes.reduce((sum, size) => sum + Math.min(size, depth), 0), 0]);
    }),
    { numRuns: 8 },
  );
  expect(driver.shadowDoorbells!.rung).toBeLessThan(driver.shadowDoorbells!.stored);
  await driver.close();
});

test('a busy queue rings for less than half of its doorbells, and a reset changes nothing of that', async () => {
  const { machine, driver } = await start(TIMED, BOARD, OPTIONS);
  const registers = vi.spyOn(driver.doorbells, 'write32');
  for (const round of [1, 2]) {
    const { stored } = driver.shadowDoorbells!;
    registers.mockClear();
    const { good } = await flushes(machine, driver, 31, Array(20).fill(31));
    expect(good, `round ${round}`).toBe(620);
    const rung = registers.mock.calls.filter(([offset]) => offset >= 8).length;
    expect(rung).toBeLessThan((driver.shadowDoorbells!.stored - stored) / 2);
    await driver.reset();
  }
  await driver.close();
});

test('doorbells beyond the page are registers', async () => {
  const place = { msixTable: 0x1_8000, msixPba: 0x1_c000, bar_bytes: 0x2_0000 };
  const profile = { ...GENERIC, ...place, doorbellStride: 9, maxQueuePairs: 16 };
  const { driver } = await start(TIMED, pcWith({ profile }), OPTIONS);
  expect(await driver.namespace(1).read(0, 1)).toHaveLength(512);
  expect(driver.shadowDoorbells!.stored).toBe(0);
  await driver.close();
});

test('a controller that does not offer it is named', async () => {
  const profile = { ...GENERIC, admin: { ...GENERIC.admin, doorbellBuffer: false } };
  expect(await sentence(start(TIMED, pcWith({ profile }), OPTIONS))).toBe(
    'ControllerError: 0000:01:00.0 does not offer Doorbell Buffer Config (OACS bit 8 is 0), so shadowDoorbells must be false',
  );
});

/**
 * Shadow doorbells between two threads: the driver stores indexes in memory and rings only when the controller asked for
 * it; the controller asks and looks once more. A lost doorbell would be a command that never completes.
 */
import { expect, test } from 'vitest';
import { bootThreaded } from '../../bridge/threads.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { random } from '../../support/random.ts';
import { pcWith } from '../e2e/rig.ts';
import { runs } from '../runs.ts';

const DEPTH = 8;
const HANGS_MS = 30_000;

test('no doorbell is lost, and most need not be rung', async () => {
  const machine = bootThreaded(pcWith({ profile: { ...QEMU, timing: null } }));
  const driver = await NvmeDriver.open(machine.kernel, { shadowDoorbells: true });
  const queue = await driver.createQueuePair({ depth: DEPTH });

  const ios = runs(5_000, 5_000_000);
  const draw = random(1, 'shadow');
  let done = 0;
  let failed = 0;
  queue.onComplete = (_slot, status) => {
    done++;
    if (status !== 0) failed++;
  };
  let hangsAt = performance.now() + HANGS_MS;
  for (let posted = 0; done < ios; ) {
    for (let more = draw.below(DEPTH) + 1; more > 0 && posted < ios && queue.outstanding < DEPTH; more--) {
      queue.post(NVM.WRITE_ZEROES, 1, draw.below(64) * 8, 8);
      posted++;
    }
    queue.ring();
    if (queue.reap() > 0) hangsAt = performance.now() + HANGS_MS;
    else if (performance.now() > hangsAt) throw new Error(`hangs after ${done} of ${posted} commands`);
  }
  expect(failed).toBe(0);
  expect(driver.shadowDoorbells!.rung, 'doorbells rung for two indexes per command').toBeLessThan(ios);
  await driver.close();
  await machine.close();
});

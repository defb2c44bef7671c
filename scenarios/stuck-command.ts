/** A command that the firmware has lost. */
import { defineScenario, NvmeDriver, pc, stuckCommand, whole } from './kit/index.ts';

export default defineScenario({
  name: 'stuck-command',
  teaches: [
    'A command may never complete although the drive is alive: other queues and the admin queue work on.',
    'Only a timeout finds it, and the driver must then take the slot back from the controller before reusing it.',
    'A controller reset does that for all queues at once; afterwards the drive is as new.',
  ],
  settings: { timeout_us: 2000 },
  takes: { timeout_us: whole(100, 1_000_000) },
  board: () => pc,
  events: () => [stuckCommand(4, 1)],
  async program({ machine, begin, elapsed_ns, settings }) {
    const timeout_ns = settings.timeout_us * 1000;
    const driver = await NvmeDriver.open(machine.kernel, { timeout_ns });
    await driver.namespace(1).read(0, 8);
    begin();
    const failed = await driver
      .namespace(1)
      .read(8, 8)
      .then(
        () => '',
        (error: Error) => error.message,
      );
    const noticed_us = elapsed_ns() / 1000;
    const admin = (await driver.getFeatures(7)) !== undefined;
    await driver.close().catch(() => {});
    const again = await NvmeDriver.open(machine.kernel);
    const data = await again.namespace(1).read(8, 8);
    await again.close();
    return { failed, noticed_us, admin, again: data.length > 0 };
  },
  expect: {
    'the read fails after the timeout, and says so': ({ failed, noticed_us }, { timeout_us }) =>
      failed.includes(`did not complete within ${timeout_us / 1000} ms`) && noticed_us >= timeout_us,
    'the admin queue still answers': ({ admin }) => admin,
    'after a reset the same block can be read': ({ again }) => again,
  },
});

/** A drive that is given addresses which nobody has mapped. */
import { boardWith, defineScenario, device, loop, NvmeDriver, whole } from './kit/index.ts';

export default defineScenario({
  name: 'fault-storm',
  teaches: [
    'A driver with a wrong address causes a fault for each command, faster than any log can take them.',
    'The IOMMU keeps one waiting fault of a device: until the kernel has read it, further ones leave no trace.',
    'So the first lines matter: later ones may be missing, and the count of lines is not the count of faults.',
  ],
  settings: { commands: 200, depth: 32 },
  takes: { commands: whole(2, 100_000), depth: whole(2, 1023) },
  board: () => boardWith(device('null')),
  async program({ machine, begin, settings }) {
    const driver = await NvmeDriver.open(machine.kernel);
    const queue = await driver.createQueuePair({ depth: settings.depth });
    await driver.namespace(1).read(0, 1);
    begin();
    const { depth, commands: reads } = settings;
    const { failures } = loop(machine, driver, queue, {
      depth,
      blocks: 8,
      reads,
      buffer_iova: 0x7_0000_0000,
    });
    machine.clock.advance(1_000_000);
    const lines = machine.kernel.dmesg.lines.filter((line) => line.includes('DMAR: ['));
    const works = (await driver.namespace(1).read(0, 1)).length > 0;
    await driver.close();
    return { failed: failures.length, first: failures[0] ?? '', logged: lines.length, works };
  },
  expect: {
    'every command fails with a data transfer error': ({ failed, first }, { commands }) =>
      failed === commands && first.includes('DATA_TRANSFER_ERROR'),
    'the log has some of the faults, not all': ({ logged }, { commands }) => logged > 0 && logged < commands,
    'with good addresses the drive works on': ({ works }) => works,
  },
});

/** A drive is pulled out under load and put back: what a program that goes on has to do. */
import { defineScenario, hotAdd, hotRemoval, NvmeDriver, pc, whole } from './kit/index.ts';

const BLOCKS = 8;
const NODES = '/dev/vfio/devices';

export default defineScenario({
  name: 'swapped-drive',
  teaches: [
    'A drive that was pulled out does not come back to the program that had it: its commands end, and its file is of no more use.',
    'The kernel waits for that file to be closed; only then the function leaves, and what is in the slot by now gets a node.',
    'The node may have the same name as before. What Flush or FUA made durable is there; the controller starts from power on.',
  ],
  settings: { out_us: 200, back_us: 5000 },
  takes: { out_us: whole(50, 100_000), back_us: whole(1000, 1_000_000) },
  board: () => pc,
  events: ({ out_us, back_us }) => [hotRemoval(out_us), hotAdd(out_us + back_us)],
  async program({ machine, begin, elapsed_ns, settings }) {
    const { kernel, clock } = machine;
    const driver = await NvmeDriver.open(kernel, { timeout_ns: 1e6 });
    const data = new Uint8Array(BLOCKS * driver.namespace(1).blockSize).fill(0x5a);
    await driver.namespace(1).write(0, data, { fua: true });
    begin();
    let reads = 0;
    let told = '';
    while (told === '') {
      await driver
        .namespace(1)
        .read(0, BLOCKS)
        .then(
          () => reads++,
          (error: Error) => {
            told = error.message;
          },
        );
    }
    const noticed_us = elapsed_ns() / 1000;
    clock.advance((settings.out_us + settings.back_us + 1) * 1000 - elapsed_ns());
    const held = kernel.readdir(NODES);
    await driver.close().catch(() => {});
    await kernel.wait(kernel.eventfd(0, 0), 1, kernel.now() + 1e6);
    const nodes = kernel.readdir(NODES);
    const again = await NvmeDriver.open(kernel);
    const read = await again.namespace(1).read(0, BLOCKS);
    await again.close();
    const isSame = read.every((byte, index) => byte === data[index]);
    return { reads, told, noticed_us, held, nodes, isSame };
  },
  expect: {
    'reads come back until the drive is gone, and the next one says so': ({ reads, told }) =>
      reads > 0 && told.includes('cannot be used any more'),
    'that takes no longer than its timeout': ({ noticed_us }, { out_us }) => noticed_us <= out_us + 1100,
    'while the old file is open, the new drive has no node': ({ held }) => String(held) === '',
    'then it has one, under the old name': ({ nodes }) => String(nodes) === 'vfio0',
    'what was durable is there': ({ isSame }) => isSame,
  },
});

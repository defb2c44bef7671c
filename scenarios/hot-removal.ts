/** A drive is pulled out while it works. */
import { defineScenario, hotRemoval, loop, NvmeDriver, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'hot-removal',
  teaches: [
    'A drive that is gone does not answer: reads of its registers return all ones, its commands never complete.',
    'No error comes by itself; a driver notices by a timeout, or by a register that cannot be all ones.',
    'What it has in flight is lost, and memory must stay mapped until then: but nothing can touch it any more.',
  ],
  settings: { depth: 16, after_us: 200 },
  takes: { depth: whole(1, 1023), after_us: whole(50, 100_000) },
  board: () => pc,
  events: ({ after_us }) => [hotRemoval(after_us)],
  async program({ machine, begin, settings }) {
    const driver = await NvmeDriver.open(machine.kernel, { timeout_ns: 1e6 });
    const queue = await driver.createQueuePair({ depth: settings.depth });
    begin();
    const load = { depth: settings.depth, blocks: 8, until_us: settings.after_us + 500 };
    const { done_us, lost } = loop(machine, driver, queue, load);
    const told = await driver
      .namespace(1)
      .read(0, 1)
      .then(
        () => '',
        (error: Error) => error.message,
      );
    return { done: done_us.length, last_us: done_us.at(-1) ?? 0, lost, told };
  },
  expect: {
    'reads came back until the drive was gone': ({ done, last_us }, { after_us }) =>
      done > 0 && last_us <= after_us + 1,
    'all that were in flight are lost': ({ lost }, { depth }) => lost === depth,
    'the driver says that nothing answers': ({ told }) => told.includes('nothing answers'),
  },
});

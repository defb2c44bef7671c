/** A link that loses three of its four lanes. */
import {
  boardWith,
  defineScenario,
  device,
  loop,
  NvmeDriver,
  oneOf,
  rateBetween,
  retrain,
  whole,
} from './kit/index.ts';

const PCI_EXPRESS = 0x10;
const LINK_STATUS = 0x12;

export default defineScenario({
  name: 'link-retrain',
  teaches: [
    'A link with a bad lane retrains: for some microseconds nothing passes, then it works on with fewer lanes.',
    'Nothing is lost and no error is reported; throughput is just a quarter of what it was.',
    'The only trace is the Link Status register, which lspci -vv shows beside Link Capabilities.',
  ],
  settings: { lanes: 1, down_us: 100 },
  takes: { lanes: oneOf(1, 2, 4), down_us: whole(50, 100_000) },
  board: () => boardWith(device('null')),
  events: ({ lanes, down_us }) => [retrain(500, 4, lanes as 1 | 2 | 4, down_us)],
  async program({ machine, begin, settings }) {
    const driver = await NvmeDriver.open(machine.kernel);
    const queue = await driver.createQueuePair({ depth: 4 });
    begin();
    const end = 1500 + settings.down_us;
    const result = loop(machine, driver, queue, { depth: 4, blocks: 64, until_us: end });
    const { config } = machine.controllers[0]!;
    const status = config.read(config.findCapability(PCI_EXPRESS) + LINK_STATUS, 2);
    return {
      before: rateBetween(result, 100, 500),
      while_down: rateBetween(result, 500 + settings.down_us / 2, 500 + settings.down_us),
      after: rateBetween(result, 600 + settings.down_us, end),
      failures: result.failures,
      width: (status >> 4) & 0x3f,
    };
  },
  expect: {
    'nothing passes while the link is down': ({ while_down }) => while_down === 0,
    'no read fails': ({ failures }) => failures.length === 0,
    'afterwards the rate is that of the lanes': ({ before, after }, { lanes }) =>
      Math.abs(after / before / (lanes / 4) - 1) < 0.05,
    'Link Status shows the width': ({ width }, { lanes }) => width === lanes,
  },
});

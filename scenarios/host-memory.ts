/** A drive without memory for its mapping table, with and without memory of the host. */
import {
  type Board,
  boardWith,
  boot,
  defineScenario,
  device,
  type Machine,
  NvmeDriver,
  whole,
} from './kit/index.ts';

/** What one page of the mapping table describes. */
const REGION_BYTES = 4 * 1024 ** 2;
const REGIONS = 64;

/** A Samsung 970 PRO that had to do without DRAM: so many pages of its table fit into the controller. */
function withoutDram(pages: number): Board {
  const drive = device('970pro');
  return boardWith({ ...drive, controller: { ...drive.controller, map: { cachedPages: pages } } });
}

/** Reads a block of each region, twice round, and gives the mean of the second round in microseconds. */
async function meanRead_us({ kernel }: Machine, hostMemory: boolean) {
  const driver = await NvmeDriver.open(kernel, { hostMemory });
  const disk = driver.namespace(1);
  const step = REGION_BYTES / disk.blockSize;
  const round = async (): Promise<number> => {
    const from = kernel.now();
    for (let region = 0; region < REGIONS; region++) await disk.read(region * step, 8);
    return (kernel.now() - from) / REGIONS / 1000;
  };
  await round();
  const mean_us = await round();
  const lent_MiB = driver.hostMemory_bytes / 1024 ** 2;
  await driver.close();
  return { mean_us, lent_MiB };
}

export default defineScenario({
  name: 'host-memory',
  teaches: [
    'Flash needs a table of where each block is; a drive without DRAM keeps a part of it and reads the rest from flash.',
    'A driver can lend it memory of the host: what has no room goes there and comes back by DMA.',
    'A read whose part of the table is on the medium takes two reads of flash, one whose part is in host memory about one.',
  ],
  settings: { pages: 4 },
  takes: { pages: whole(1, 32) },
  board: ({ pages }) => withoutDram(pages),
  async program({ machine, seed, settings: { pages } }) {
    const without = await meanRead_us(machine, false);
    const lent = await meanRead_us(boot(withoutDram(pages), { seed }), true);
    return { without_us: without.mean_us, with_us: lent.mean_us, lent_MiB: lent.lent_MiB };
  },
  expect: {
    'the drive gets what it prefers': ({ lent_MiB }) => lent_MiB === 16,
    'without host memory each read waits for flash once more': ({ without_us, with_us }) =>
      without_us - with_us > 25,
  },
});

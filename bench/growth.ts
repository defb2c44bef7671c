/** What an I/O and a mapping cost as namespaces and mappings grow. Not here: outstanding commands (the depth rows). */

import { pc } from '../boards/pc.ts';
import { DMA_BIDIRECTIONAL } from '../drivers/vfio/dma.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { PAGE_SIZE } from '../support/numbers.ts';
import { ioRig, runner } from './io.ts';
import { type Metric, metric, timeOf } from './measure.ts';
import { drive, openRig } from './rig.ts';

const OPTIONS = { bytes: 4096, depth: 32 };

/** Reads of the last of `count` namespaces. */
export async function benchNamespaces(count: number): Promise<Metric[]> {
  const namespaces = Array.from({ length: count }, () => ({ size: '1m' }));
  const rootPorts = [{ ...pc.rootPorts[0]!, device: drive(namespaces) }];
  const rig = await openRig({ board: { rootPorts } });
  const { queue, counter } = await ioRig(OPTIONS, rig);
  const time = timeOf(runner(queue, counter, NVM.READ, OPTIONS));
  counter.check(rig);
  await rig.nvme.close();
  return [
    metric(`growth.namespaces.${count}.ns`, time, 'ns', `4 KiB read at depth 32 among ${count} namespaces`),
  ];
}

/** Reads, and one mapping made and undone, while `count` others of 4 KiB exist. */
export async function benchMappings(count: number): Promise<Metric[]> {
  const rig = await openRig({ board: { ram: '512m' } });
  const { space } = rig.nvme;
  const page = space.allocate(PAGE_SIZE);
  const started = performance.now();
  for (let i = 0; i < count; i++) space.map(page.address, PAGE_SIZE, DMA_BIDIRECTIONAL);
  const filled = ((performance.now() - started) * 1e6) / count;
  const { queue, counter } = await ioRig(OPTIONS, rig);
  const read = timeOf(runner(queue, counter, NVM.READ, OPTIONS));
  const map = timeOf((times) => {
    for (let i = 0; i < times; i++)
      space.unmap(space.map(page.address, PAGE_SIZE, DMA_BIDIRECTIONAL), PAGE_SIZE);
  });
  counter.check(rig);
  const beside = `beside ${count.toLocaleString('en-US')} mappings`;
  return [
    metric(`growth.mappings.${count}.read.ns`, read, 'ns', `4 KiB read at depth 32 ${beside}`),
    metric(
      `growth.mappings.${count}.map.ns`,
      map,
      'ns',
      `map and unmap one page ${beside}, address chosen by the kernel`,
    ),
    metric(`growth.mappings.${count}.fill.ns`, filled, 'ns', 'each of those mappings when it was made'),
  ];
}

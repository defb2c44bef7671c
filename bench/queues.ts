/** Reads over several queue pairs of one drive, and over several drives. Not here: one queue (io.ts). */
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import type { QueuePair } from '../drivers/nvme/queue-pair.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { Counter } from './io.ts';
import { type Metric, metric, timeOf } from './measure.ts';
import { BLOCK, drive, fill, HOT, openRig, POSITIONS, places } from './rig.ts';

const BYTES = 4096;
const DEPTH = 32;
const FIRST_DEVICE = 4;

interface Lane {
  readonly queue: QueuePair;
  readonly counter: Counter;
}

async function lane(nvme: NvmeDriver): Promise<Lane> {
  const queue = await nvme.createQueuePair({ depth: DEPTH });
  const buffers = nvme.allocate(DEPTH * BYTES);
  for (let slot = 0; slot < DEPTH; slot++) queue.prepare(slot, buffers.iova + slot * BYTES, BYTES);
  const counter = new Counter(queue);
  counter.meetError(queue);
  return { queue, counter };
}

/** Posts a batch to every lane, rings all, reaps all. Returns I/Os per call: the batches of all lanes. */
function turn(lanes: readonly Lane[]) {
  const slbas = places(HOT, BYTES).map((place) => place / BLOCK);
  let position = 0;
  return (ios: number): void => {
    for (let done = 0; done < ios; done += lanes.length * DEPTH) {
      for (const { queue } of lanes) {
        for (let i = 0; i < DEPTH; i++) {
          queue.post(NVM.READ, 1, slbas[position]!, BYTES / BLOCK);
          position = (position + 1) & (POSITIONS - 1);
        }
        queue.ring();
      }
      for (const { queue } of lanes) while (queue.outstanding > 0) queue.reap();
    }
  };
}

/** Time of one I/O of `turn`, which does whole turns only. */
function timeOfTurns(lanes: readonly Lane[]) {
  const perTurn = lanes.length * DEPTH;
  const run = turn(lanes);
  const time = timeOf((turns) => run(turns * perTurn));
  if (lanes.some(({ counter }) => counter.failed > 0)) throw new Error('reads failed');
  return { best: time.best / perTurn, median: time.median / perTurn };
}

/** 4 KiB reads at depth 32 on each of `pairs` queue pairs. */
export async function benchPairs(pairs: number): Promise<Metric[]> {
  const rig = await openRig({ queuePairs: pairs + 1 });
  await fill(rig.nvme, HOT);
  const lanes: Lane[] = [];
  for (let pair = 0; pair < pairs; pair++) lanes.push(await lane(rig.nvme));
  const time = timeOfTurns(lanes);
  await rig.nvme.close();
  return [
    metric(`functional.read.4096.qd32.pairs${pairs}.ns`, time, 'ns', `${pairs} queue pairs, 32 deep each`),
  ];
}

/** 4 KiB reads at depth 32 on each of `count` drives behind ports of their own. */
export async function benchControllers(count: number): Promise<Metric[]> {
  const port = pc.rootPorts[0]!;
  const rootPorts = Array.from({ length: count }, (_, index) => ({
    ...port,
    at: `${(FIRST_DEVICE + index).toString(16).padStart(2, '0')}.0`,
    device: drive([{ size: '64m' }], `BENCH${index}`),
  }));
  const { machine, nvme: first } = await openRig({ board: { rootPorts, media: '2g' } });
  const drivers = [first];
  for (const { bdf } of machine.controllers.slice(1)) {
    const bus = (bdf >>> 8).toString(16).padStart(2, '0');
    drivers.push(await NvmeDriver.open(machine.kernel, { bdf: `0000:${bus}:00.0` }));
  }
  const lanes: Lane[] = [];
  for (const driver of drivers) {
    await fill(driver, HOT);
    lanes.push(await lane(driver));
  }
  const time = timeOfTurns(lanes);
  for (const driver of drivers) await driver.close();
  return [metric(`functional.read.4096.qd32.drives${count}.ns`, time, 'ns', `${count} drives, 32 deep each`)];
}

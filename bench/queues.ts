/** Reads over several queue pairs of one drive, and over several drives. Not here: one queue (io.ts). */
import type { Board } from '../boards/board.ts';
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { findNvme, NvmeDriver } from '../drivers/nvme/index.ts';
import type { QueuePair } from '../drivers/nvme/queue-pair.ts';
import { NVM } from '../nvme/spec/commands.ts';
import type { Kernel } from '../vfio/uapi/kernel.ts';
import { Counter } from './io.ts';
import { type Metric, metric, type Time, timeOf } from './measure.ts';
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
function timeOfTurns(lanes: readonly Lane[], timer = timeOf): Time {
  const perTurn = lanes.length * DEPTH;
  const run = turn(lanes);
  const time = timer((turns) => run(turns * perTurn));
  return { best: time.best / perTurn, median: time.median / perTurn };
}

/** 4 KiB reads at depth 32 on each of `pairs` queue pairs. */
export async function benchPairs(pairs: number): Promise<Metric[]> {
  const rig = await openRig({ queuePairs: pairs + 1 });
  await fill(rig.nvme, HOT);
  const lanes: Lane[] = [];
  for (let pair = 0; pair < pairs; pair++) lanes.push(await lane(rig.nvme));
  const time = timeOfTurns(lanes);
  if (lanes.some(({ counter }) => counter.failed > 0)) throw new Error('reads failed');
  await rig.nvme.close();
  return [
    metric(`functional.read.4096.qd32.pairs${pairs}.ns`, time, 'ns', `${pairs} queue pairs, 32 deep each`),
  ];
}

/** `count` drives behind root ports of their own. */
export function boardOf(count: number): Board {
  const port = pc.rootPorts[0]!;
  const rootPorts = Array.from({ length: count }, (_, index) => ({
    ...port,
    at: `${(FIRST_DEVICE + index).toString(16).padStart(2, '0')}.0`,
    device: drive([{ size: '64m' }], `BENCH${index}`),
  }));
  return { ...pc, rootPorts, media: '2g' };
}

/** Time of one 4 KiB read, depth 32 on every drive of a machine. */
export async function onDrives(kernel: Kernel, timer = timeOf): Promise<Time> {
  const drivers: NvmeDriver[] = [];
  const lanes: Lane[] = [];
  for (const bdf of findNvme(kernel)) {
    const driver = await NvmeDriver.open(kernel, { bdf });
    drivers.push(driver);
    await fill(driver, HOT);
    lanes.push(await lane(driver));
  }
  const time = timeOfTurns(lanes, timer);
  if (lanes.some(({ counter }) => counter.failed > 0)) throw new Error('reads failed');
  for (const driver of drivers) await driver.close();
  return time;
}

/** 4 KiB reads at depth 32 on each of `count` drives behind ports of their own. */
export async function benchControllers(count: number): Promise<Metric[]> {
  const { kernel } = boot(boardOf(count), { pace: 'functional', seed: 1 });
  const time = await onDrives(kernel);
  return [metric(`functional.read.4096.qd32.drives${count}.ns`, time, 'ns', `${count} drives, 32 deep each`)];
}

/** How many simulated I/Os a second of host time runs at the timed pace. Not here: simulated results (cli/fio). */
import { NVM } from '../nvme/spec/commands.ts';
import { type Metric, metric, timeOf } from './measure.ts';
import { BLOCK, openRig } from './rig.ts';

const BLOCKS = 8;
const PLACES = 4096;
const COUNTED = 10_000;

/** 4 KiB reads at `depth`: the driver posts, rings and reaps while the machine's clock runs. */
export async function benchTimed(depth: number): Promise<Metric[]> {
  const { machine, nvme } = await openRig({ pace: 'timed' });
  const { kernel, clock } = machine;
  const bytes = BLOCKS * BLOCK;
  const queue = await nvme.createQueuePair({ depth });
  const buffers = nvme.allocate(depth * bytes);
  for (let slot = 0; slot < depth; slot++) queue.prepare(slot, buffers.iova + slot * bytes, bytes);
  let completed = 0;
  let position = 0;
  queue.onComplete = (_slot, status) => {
    if (status !== 0) throw new Error('a read failed');
    completed++;
  };
  const run = (ios: number): void => {
    const end = completed + ios;
    while (completed < end) {
      while (queue.outstanding < depth) {
        position = (position + 1021) & (PLACES - 1);
        queue.post(NVM.READ, 1, position * BLOCKS, BLOCKS);
      }
      queue.ring();
      while (queue.reap() === 0) kernel.relax(Number.POSITIVE_INFINITY);
    }
  };
  const { best, median } = timeOf(run);
  let events = 0;
  const step = clock.step.bind(clock);
  clock.step = () => {
    events++;
    return step();
  };
  run(COUNTED);
  const perIo = events / COUNTED;
  while (queue.outstanding > 0) if (queue.reap() === 0) kernel.relax(Number.POSITIVE_INFINITY);
  await nvme.close();
  const name = `timed.read.4096.qd${depth}`;
  return [
    metric(
      `${name}.host-iops`,
      { best: 1e9 / best, median: 1e9 / median },
      'I/Os per host second',
      `${best.toFixed(0)} ns of host time each`,
    ),
    metric(
      `${name}.host-events`,
      (1e9 / best) * perIo,
      'events per host second',
      `${perIo.toFixed(1)} events an I/O`,
    ),
  ];
}

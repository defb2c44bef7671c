/** How many simulated I/Os a second of host time runs at the timed pace. Not here: simulated results (cli/fio). */
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { random } from '../support/random.ts';
import { bestOf, type Metric, metric } from './measure.ts';

const BYTES = 4096;
const BLOCKS = 8;
const DEPTH = 32;

/** 4 KiB random reads at depth 32: the driver posts, rings and reaps while the machine's clock runs. */
export async function benchTimed(): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'timed', seed: 1 });
  const { kernel } = machine;
  const nvme = await NvmeDriver.open(kernel, {});
  const queue = await nvme.createQueuePair({ depth: DEPTH });
  const buffers = nvme.allocate(DEPTH * BYTES);
  for (let slot = 0; slot < DEPTH; slot++) queue.prepare(slot, buffers.iova + slot * BYTES, BYTES);
  const draw = random(1, 'bench.positions');
  const positions = Int32Array.from({ length: 4096 }, () => draw.below(4096) * BLOCKS);
  let completed = 0;
  let position = 0;
  queue.onComplete = (_slot, status) => {
    if (status !== 0) throw new Error('a read failed');
    completed++;
  };
  const run = (ios: number): void => {
    const end = completed + ios;
    while (completed < end) {
      while (queue.outstanding < DEPTH) {
        position = (position + 1) & 4095;
        queue.post(NVM.READ, 1, positions[position]!, BLOCKS);
      }
      queue.ring();
      while (queue.reap() === 0) kernel.relax(Number.POSITIVE_INFINITY);
    }
  };
  const ns = bestOf(run);
  while (queue.outstanding > 0) if (queue.reap() === 0) kernel.relax(Number.POSITIVE_INFINITY);
  await nvme.close();
  return [
    metric(
      'timed.read.4096.qd32.host-iops',
      1e9 / ns,
      'I/Os per host second',
      `${ns.toFixed(0)} ns of host time each`,
    ),
  ];
}

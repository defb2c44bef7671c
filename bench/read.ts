/**
 * Random reads through the whole stack at the functional pace: driver, BAR, root complex, IOMMU, controller, PRP, copy,
 * completion entry. Beside it the bare memory.copy of the same bytes over the same working set.
 * Not here: the table and the JSON file (main.ts), micro parts (micro.ts).
 */
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { formatSize } from '../support/numbers.ts';
import { random } from '../support/random.ts';
import { bestOf, type Metric, metric } from './measure.ts';

/** Bytes of media that the reads are spread over, all written once: they stay in the second-level cache of most hosts. */
export const WORKING_SET = 256 * 1024;
export const BLOCK = 512;
/** Positions are drawn before the clock starts. */
export const POSITIONS = 1 << 16;
/** Places that the bare copy writes to in turn, as many as the deepest queue has buffers. */
const COPIES = 32;

/** Measures reads of `bytes` bytes at queue depth `depth`. */
export async function benchRead(bytes: number, depth: number): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'functional', seed: 1 });
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const queue = await nvme.createQueuePair({ depth });
  const buffers = nvme.allocate(depth * bytes);
  await fill(nvme);
  for (let slot = 0; slot < depth; slot++) queue.prepare(slot, buffers.iova + slot * bytes, bytes);

  const draw = random(1, 'bench.positions');
  const blocks = bytes / BLOCK;
  const positions = Int32Array.from({ length: POSITIONS }, () => draw.below(WORKING_SET / bytes) * blocks);
  let completed = 0;
  let failed = 0;
  queue.onComplete = (_slot, status) => {
    completed++;
    if (status !== 0) failed++;
  };
  let position = 0;
  const run = (ios: number): void => {
    const end = completed + ios;
    while (completed < end) {
      for (let i = 0; i < depth; i++) {
        queue.post(NVM.READ, 1, positions[position]!, blocks);
        position = (position + 1) & (POSITIONS - 1);
      }
      queue.ring();
      while (queue.outstanding > 0) queue.reap();
    }
  };
  // The error path is met before timing, so that it cannot make the optimised code bail out in the middle.
  queue.post(NVM.READ, 9, 0, blocks);
  queue.ring();
  queue.reap();
  failed = 0;

  const ns = bestOf(run);
  if (failed > 0) throw new Error(`${failed} reads failed: ${machine.explain().at(-1)}`);
  const detail = `random read of ${formatSize(WORKING_SET)}, ${(bytes / ns).toFixed(2)} GB/s`;
  await nvme.close();
  return [metric(`functional.read.${bytes}.qd${depth}.ns`, ns, 'ns', detail)];
}

export async function fill(nvme: NvmeDriver): Promise<void> {
  const namespace = nvme.namespace(1);
  const chunk = new Uint8Array(65_536);
  for (let at = 0; at < WORKING_SET; at += chunk.length) {
    chunk.fill(at / chunk.length);
    await namespace.write(at / BLOCK, chunk);
  }
}

/** The bare memory.copy of `bytes` bytes from random places of the same working set. */
export function benchCopy(bytes: number): Metric[] {
  const { memory } = boot(pc, { pace: 'functional', seed: 1 });
  const source = memory.reserve(WORKING_SET, 4096);
  const target = memory.reserve(COPIES * bytes, 4096);
  memory.fill(source, 0xa5, WORKING_SET);
  const draw = random(1, 'bench.positions');
  const positions = Int32Array.from({ length: POSITIONS }, () => draw.below(WORKING_SET / bytes) * bytes);
  const run = (copies: number): void => {
    for (let i = 0; i < copies; i++) {
      memory.copy(target + (i & (COPIES - 1)) * bytes, source + positions[i & (POSITIONS - 1)]!, bytes);
    }
  };
  const ns = bestOf(run);
  return [
    metric(
      `copy.${bytes}.ns`,
      ns,
      'ns',
      `memory.copy over the same ${formatSize(WORKING_SET)}, ${(bytes / ns).toFixed(2)} GB/s`,
    ),
  ];
}

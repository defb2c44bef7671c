/**
 * The threaded pace: reads with the hardware in a thread of its own, and the shortest exchange with it, from doorbell to
 * completion entry, beside the bare ping-pong of two threads in the same process: hosts move cores about.
 * Not here: the reads at the functional pace (io.ts).
 */
import { Worker } from 'node:worker_threads';
import { pc } from '../boards/pc.ts';
import { bootThreaded } from '../bridge/threads.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { formatSize } from '../support/numbers.ts';
import { random } from '../support/random.ts';
import { type Metric, metric, type Time, timeOf } from './measure.ts';
import { BLOCK, fill, HOT, POSITIONS } from './rig.ts';

/** Words of ball and answer, 256 bytes apart; a ball of -1 ends the game. */
const BALL = 0;
const ANSWER = 64;
const ANSWERER = `
  const words = require('node:worker_threads').workerData;
  for (let last = 0; last !== -1; ) {
    const ball = Atomics.load(words, ${BALL});
    if (ball !== last) Atomics.store(words, ${ANSWER}, (last = ball));
  }`;

/** Time of one round trip between two threads that spin on a word each. */
function barePingPong(): Time {
  const words = new Int32Array(new SharedArrayBuffer(1024));
  const worker = new Worker(ANSWERER, { eval: true, workerData: words });
  let ball = 0;
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) {
      ball = (ball + 1) & 0x3fff_ffff;
      Atomics.store(words, BALL, ball);
      while (Atomics.load(words, ANSWER) !== ball);
    }
  };
  const time = timeOf(run);
  Atomics.store(words, BALL, -1);
  void worker.terminate();
  return time;
}

/** Flush commands one at a time, which move no data: doorbell, entry, completion. */
export async function benchPingPong(): Promise<Metric[]> {
  const machine = bootThreaded(pc);
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const queue = await nvme.createQueuePair({ depth: 1 });
  const run = (count: number): void => {
    for (let i = 0; i < count; i++) {
      queue.post(NVM.FLUSH, 1, 0, 1);
      queue.ring();
      while (queue.reap() === 0);
    }
  };
  const time = timeOf(run);
  await nvme.close();
  await machine.close();
  const bare = barePingPong();
  const ratio = `${(time.best / bare.best).toFixed(2)} times the bare one`;
  return [
    metric('atomics.pingpong.ns', bare, 'ns', 'two threads, a word each'),
    metric('threaded.pingpong.ns', time, 'ns', `Flush at depth 1, doorbell to completion, ${ratio}`),
  ];
}

/** Random reads of `bytes` bytes at queue depth `depth`, topped up as completions come. */
export async function benchThreadedRead(bytes: number, depth: number): Promise<Metric[]> {
  const machine = bootThreaded(pc);
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const queue = await nvme.createQueuePair({ depth });
  const buffers = nvme.allocate(depth * bytes);
  await fill(nvme, HOT);
  for (let slot = 0; slot < depth; slot++) queue.prepare(slot, buffers.iova + slot * bytes, bytes);
  const draw = random(1, 'bench.positions');
  const blocks = bytes / BLOCK;
  const positions = Int32Array.from({ length: POSITIONS }, () => draw.below(HOT / bytes) * blocks);
  const batch = Math.min(depth, +(process.env.BATCH ?? 8));
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
      if (depth - queue.outstanding >= batch) {
        for (let i = 0; i < batch; i++) {
          queue.post(NVM.READ, 1, positions[position]!, blocks);
          position = (position + 1) & (POSITIONS - 1);
        }
        queue.ring();
      }
      queue.reap();
    }
  };
  const time = timeOf(run);
  while (queue.outstanding > 0) queue.reap();
  if (failed > 0) throw new Error(`${failed} reads failed: ${machine.explain().at(-1)}`);
  const detail = `random read of ${formatSize(HOT)}, ${(bytes / time.best).toFixed(2)} GB/s`;
  await nvme.close();
  await machine.close();
  return [metric(`threaded.read.${bytes}.qd${depth}.ns`, time, 'ns', detail)];
}

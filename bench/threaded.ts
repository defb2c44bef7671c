/**
 * The threaded pace: reads with the hardware in a thread of its own, and the shortest exchange with it, from doorbell to
 * completion entry. Beside each the bare ping-pong of two threads in the same process: hosts move cores about, and
 * every figure of two threads moves with them. Not here: the reads at the functional pace (io.ts).
 */
import { Worker } from 'node:worker_threads';
import { pc } from '../boards/pc.ts';
import { bootThreaded } from '../bridge/threads.ts';
import { NvmeDriver, type QueuePair } from '../drivers/nvme/index.ts';
import { NVM } from '../nvme/spec/commands.ts';
import { formatSize } from '../support/numbers.ts';
import { random } from '../support/random.ts';
import { CORES, onOwnCore } from './cores.ts';
import { isQuick, type Metric, metric, type Time, WARM_UP_MS } from './measure.ts';
import { boardOf, onDrives } from './queues.ts';
import { BLOCK, fill, HOT, POSITIONS, rungOf } from './rig.ts';

const MEASURE_MS = isQuick ? 500 : 3000;
/** Two threads on a busy host seldom run side by side for long, so samples are short: so many rounds. */
const ROUNDS = 50;
/** Commands that are posted for one doorbell, where the queue is deep enough. */
const BATCH = 16;

/** Words of ball and answer, 256 bytes apart; a ball of -1 ends the game. */
const BALL = 0;
const ANSWER = 64;
const ANSWERER = `
  const words = require('node:worker_threads').workerData;
  for (let last = 0; last !== -1; ) {
    const ball = Atomics.load(words, ${BALL});
    if (ball !== last) Atomics.store(words, ${ANSWER}, (last = ball));
  }`;

/** Time per round of `run(rounds)`: warmed up, then the best and the median of short samples. */
function timeOfShort(run: (rounds: number) => void): Time {
  const samples: number[] = [];
  const warmUntil = performance.now() + WARM_UP_MS;
  while (performance.now() < warmUntil) run(ROUNDS);
  for (let now = performance.now(), until = now + MEASURE_MS; now < until; ) {
    run(ROUNDS);
    const end = performance.now();
    samples.push(((end - now) * 1e6) / ROUNDS);
    now = end;
  }
  samples.sort((one, other) => one - other);
  return { best: samples[0]!, median: samples[samples.length >>> 1]! };
}

/** One round trip between two threads that spin on a word each. */
function barePingPong(): Time {
  const words = new Int32Array(new SharedArrayBuffer(1024));
  const worker = onOwnCore(() => new Worker(ANSWERER, { eval: true, workerData: words }));
  let ball = 0;
  const time = timeOfShort((rounds) => {
    for (let i = 0; i < rounds; i++) {
      ball = (ball + 1) & 0x3fff_ffff;
      Atomics.store(words, BALL, ball);
      while (Atomics.load(words, ANSWER) !== ball);
    }
  });
  Atomics.store(words, BALL, -1);
  void worker.terminate();
  return time;
}

/** What `measure` says of a queue of a threaded machine that is prepared for reads of `bytes` bytes. */
async function onQueue(
  bytes: number,
  depth: number,
  measure: (queue: QueuePair) => Time,
  shadowDoorbells = false,
): Promise<Time & { readonly rung: string }> {
  const machine = onOwnCore(() => bootThreaded(pc));
  const nvme = await NvmeDriver.open(machine.kernel, { shadowDoorbells });
  const queue = await nvme.createQueuePair({ depth });
  const buffers = nvme.allocate(depth * bytes);
  await fill(nvme, HOT);
  for (let slot = 0; slot < depth; slot++) queue.prepare(slot, buffers.iova + slot * bytes, bytes);
  let failed = 0;
  queue.onComplete = (_slot, status) => {
    if (status !== 0) failed++;
  };
  const time = measure(queue);
  while (queue.outstanding > 0) queue.reap();
  if (failed > 0) throw new Error(`${failed} reads failed: ${machine.explain().at(-1)}`);
  const rung = rungOf(nvme);
  await nvme.close();
  await machine.close();
  return { ...time, rung };
}

const ratio = (time: Time, bare: Time): string =>
  `${(time.best / bare.best).toFixed(2)} times the bare ping-pong`;

/** One block at depth 1 from the same place, and the bare exchange. */
export async function benchPingPong(): Promise<Metric[]> {
  const time = await onQueue(BLOCK, 1, (queue) =>
    timeOfShort((rounds) => {
      for (let i = 0; i < rounds; i++) {
        queue.post(NVM.READ, 1, 0, 1);
        queue.ring();
        while (queue.reap() === 0);
      }
    }),
  );
  const bare = barePingPong();
  return [
    metric('atomics.pingpong.ns', bare, 'ns', 'two threads that spin on a word each'),
    metric('threaded.pingpong.ns', time, 'ns', `doorbell to completion of one block, ${ratio(time, bare)}`),
  ];
}

/** Random reads of `bytes` bytes at queue depth `depth`, topped up as completions come. */
export async function benchThreadedRead(
  bytes: number,
  depth: number,
  shadowDoorbells = false,
): Promise<Metric[]> {
  const draw = random(1, 'bench.positions');
  const blocks = bytes / BLOCK;
  const positions = Int32Array.from({ length: POSITIONS }, () => draw.below(HOT / bytes) * blocks);
  const batch = Math.min(depth, BATCH);
  let position = 0;
  const read = (queue: QueuePair): Time =>
    timeOfShort((rounds) => {
      for (let round = 0; round < rounds; round++) {
        while (queue.depth - queue.outstanding < batch) queue.reap();
        for (let i = 0; i < batch; i++) {
          queue.post(NVM.READ, 1, positions[position]!, blocks);
          position = (position + 1) & (POSITIONS - 1);
        }
        queue.ring();
      }
    });
  const perBatch = await onQueue(bytes, depth, read, shadowDoorbells);
  const time = { best: perBatch.best / batch, median: perBatch.median / batch };
  const speed = `${(bytes / time.best).toFixed(2)} GB/s`;
  const detail = `random read of ${formatSize(HOT)}, ${speed}, ${ratio(time, barePingPong())}${perBatch.rung}`;
  const suffix = shadowDoorbells ? '.shadow' : '';
  return [metric(`threaded.read.${bytes}.qd${depth}${suffix}.ns`, time, 'ns', detail)];
}

/** 4 KiB reads at depth 32 on each of two drives, which share a hardware thread or have one each. */
export async function benchThreadedDrives(workers: 'shared' | 'each'): Promise<Metric[]> {
  const machine = onOwnCore(() => bootThreaded(boardOf(2), { workers }));
  const time = await onDrives(machine.kernel, timeOfShort);
  await machine.close();
  const detail = `two drives, 32 deep each, ${workers === 'each' ? 'a thread for each' : 'one thread'}, ${CORES} cores`;
  return [metric(`threaded.read.4096.qd32.drives2.${workers}.ns`, time, 'ns', detail)];
}

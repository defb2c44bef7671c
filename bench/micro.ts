/** Micro parts with benchmark.js: translation, doorbell, event queue. Not here: whole I/Os (io.ts, timed.ts). */
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { DMA_BIDIRECTIONAL } from '../drivers/vfio/dma.ts';
import { Clock } from '../machine/clock.ts';
import { T } from '../machine/trace.ts';
import { DOORBELL_BASE, sqTailDoorbell } from '../nvme/spec/registers.ts';
import { random } from '../support/random.ts';
import { isQuick, type Metric, metric, type Time, WARM_UP_MS } from './measure.ts';

/** Operations inside one benchmark.js call, so that its own call costs nothing. */
const BATCH = 1000;
const PAGE = 4096;
/** More pages than the IOTLB has entries, each mapped by a 4 KiB leaf: every access walks. */
const MISS_PAGES = 4096;
const HIT_PAGES = 64;

/** Time of one operation of `batch`, which does BATCH of them: many short samples of benchmark.js. */
async function timeOfOperation(name: string, batch: () => void): Promise<Time> {
  // Not for all variants: see chart.ts.
  const { default: Benchmark } = await import('benchmark');
  const until = performance.now() + WARM_UP_MS;
  while (performance.now() < until) batch();
  const limits = { minTime: 0.004, minSamples: isQuick ? 50 : 200, maxTime: isQuick ? 0.3 : 1.5 };
  const bench = new Benchmark(name, batch, limits);
  bench.run();
  if (bench.error !== undefined) throw bench.error;
  const samples = bench.stats.sample.map((seconds) => (seconds * 1e9) / BATCH).sort((a, b) => a - b);
  return { best: samples[0]!, median: samples[samples.length >>> 1]! };
}

/** Translations of `pages` pages in turn, with the share of them that walks. */
export async function benchTranslation(name: string, pages: number): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'functional', seed: 1 });
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const iovas = Int32Array.from({ length: pages }, () => nvme.space.allocate(PAGE, DMA_BIDIRECTIONAL).iova);
  const { iommu, trace } = machine;
  const requester = machine.controllers[0]!.bdf;
  let next = 0;
  let blocked = 0;
  const batch = (): void => {
    // Locals: a captured variable would be stored at every turn.
    let page = next;
    let lowest = 0;
    for (let i = 0; i < BATCH; i++) {
      const frame = iommu.frame(requester, iovas[page]!, 0, true);
      if (frame < lowest) lowest = frame;
      page = page + 1 === pages ? 0 : page + 1;
    }
    next = page;
    if (lowest < 0) blocked++;
  };
  const time = await timeOfOperation(name, batch);
  let walks = 0;
  const stop = trace.listen((_time, point) => {
    if (point === T.IOMMU_WALK) walks++;
  });
  const batches = Math.ceil(pages / BATCH) * 4;
  for (let i = 0; i < batches; i++) batch();
  stop();
  if (blocked > 0) throw new Error('translations were blocked');
  await nvme.close();
  const misses = ((100 * walks) / (batches * BATCH)).toFixed(0);
  return [metric(`${name}.ns`, time, 'ns', `${pages} pages of 4 KiB in turn, ${misses} % walk`)];
}

export const benchIommu = async (): Promise<Metric[]> => [
  ...(await benchTranslation('iommu.hit', HIT_PAGES)),
  ...(await benchTranslation('iommu.miss', MISS_PAGES)),
];

/** A doorbell store that changes nothing: BAR mapping, root complex decode, controller dispatch. */
export async function benchDoorbell(): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'functional', seed: 1 });
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const { qid } = await nvme.createQueuePair();
  const offset = sqTailDoorbell(qid, 0) - DOORBELL_BASE;
  const { doorbells } = nvme;
  const time = await timeOfOperation('doorbell', () => {
    for (let i = 0; i < BATCH; i++) doorbells.write32(offset, 0);
  });
  await nvme.close();
  const rate = `${(1000 / time.best).toFixed(1)} million a second`;
  return [metric('doorbell.ns', time, 'ns', `tail doorbell of queue 1, unchanged value, ${rate}`)];
}

/** One event run and one scheduled while `pending` others wait, and `far` ones that are a quarter of an hour ahead. */
export async function benchEvents(pending: number, far = 0, name = `${pending}`): Promise<Metric[]> {
  const clock = new Clock();
  const draw = random(1, 'bench.events');
  const delays = Float64Array.from({ length: 4096 }, () => 1 + draw.below(2000));
  let at = 0;
  const handler = clock.register(() => {
    at = (at + 1) & 4095;
    clock.after(delays[at]!, handler, 0);
  });
  for (let i = 0; i < pending; i++) clock.after(draw.below(2000), handler, 0);
  for (let i = 0; i < far; i++) clock.after(1e12 + draw.below(1e9), handler, 0);
  const time = await timeOfOperation('events', () => {
    for (let i = 0; i < BATCH; i++) clock.step();
  });
  const others = far === 0 ? '' : `, and ${far} far ahead`;
  return [
    metric(
      `events.${name}.ns`,
      time,
      'ns',
      `pop and push with ${pending} pending, delays 1 to 2000 ns${others}`,
    ),
  ];
}

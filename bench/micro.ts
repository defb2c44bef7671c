/** Micro parts with benchmark.js: translation, doorbell, event queue. Not here: whole I/Os (read.ts, timed.ts). */
import Benchmark from 'benchmark';
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { DMA_BIDIRECTIONAL } from '../drivers/vfio/dma.ts';
import { Clock } from '../machine/clock.ts';
import { DOORBELL_BASE, sqTailDoorbell } from '../nvme/spec/registers.ts';
import { random } from '../support/random.ts';
import { type Metric, metric } from './measure.ts';

/** Operations inside one benchmark.js call, so that its own call costs nothing. */
const BATCH = 1000;
const PAGE = 4096;
/** More pages than the IOTLB has entries, each mapped by a 4 KiB leaf: every access walks four levels. */
const MISS_PAGES = 4096;
const HIT_PAGES = 64;

/** Nanoseconds per operation of `batch`, which does BATCH of them: the best of benchmark.js's samples. */
function nsPerOperation(name: string, batch: () => void): number {
  const bench = new Benchmark(name, batch, { maxTime: 1 });
  bench.run();
  if (bench.error !== undefined) throw bench.error;
  return (Math.min(...bench.stats.sample) * 1e9) / BATCH;
}

/** A translation found in the IOTLB, and one that walks four levels. */
export async function benchIommu(): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'functional', seed: 1 });
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const iovas = Float64Array.from(
    { length: MISS_PAGES },
    () => nvme.space.allocate(PAGE, DMA_BIDIRECTIONAL).iova,
  );
  const { iommu } = machine;
  const requester = machine.controllers[0]!.bdf;
  const measure = (name: string, pages: number): number => {
    let next = 0;
    let blocked = 0;
    const ns = nsPerOperation(name, () => {
      // Locals: a captured variable would be stored at every turn.
      let page = next;
      let lowest = 0;
      for (let i = 0; i < BATCH; i++) {
        const frame = iommu.frame(requester, iovas[page]!, true);
        if (frame < lowest) lowest = frame;
        page = page + 1 === pages ? 0 : page + 1;
      }
      next = page;
      if (lowest < 0) blocked++;
    });
    if (blocked > 0) throw new Error('translations were blocked');
    return ns;
  };
  const hit = measure('hit', HIT_PAGES);
  const miss = measure('miss', MISS_PAGES);
  await nvme.close();
  return [
    metric('iommu.hit.ns', hit, 'ns', `IOTLB hit, ${HIT_PAGES} pages in turn`),
    metric('iommu.miss.ns', miss, 'ns', `4-level walk, ${MISS_PAGES} pages of 4 KiB in turn`),
  ];
}

/** A doorbell store that changes nothing: BAR mapping, root complex decode, controller dispatch. */
export async function benchDoorbell(): Promise<Metric[]> {
  const machine = boot(pc, { pace: 'functional', seed: 1 });
  const nvme = await NvmeDriver.open(machine.kernel, {});
  const { qid } = await nvme.createQueuePair();
  const offset = sqTailDoorbell(qid, 0) - DOORBELL_BASE;
  const { doorbells } = nvme;
  const ns = nsPerOperation('doorbell', () => {
    for (let i = 0; i < BATCH; i++) doorbells.write32(offset, 0);
  });
  await nvme.close();
  return [metric('doorbell.ns', ns, 'ns', 'tail doorbell of queue 1, unchanged value')];
}

/** One event run and one scheduled while `pending` others wait. */
export function benchEvents(pending: number): Metric[] {
  const clock = new Clock();
  const draw = random(1, 'bench.events');
  const delays = Float64Array.from({ length: 4096 }, () => 1 + draw.below(2000));
  let at = 0;
  const handler = clock.register(() => {
    at = (at + 1) & 4095;
    clock.after(delays[at]!, handler, 0);
  });
  for (let i = 0; i < pending; i++) clock.after(draw.below(2000), handler, 0);
  const ns = nsPerOperation('events', () => {
    for (let i = 0; i < BATCH; i++) clock.step();
  });
  return [
    metric(`events.${pending}.ns`, ns, 'ns', `pop and push with ${pending} pending, delays 1 to 2000 ns`),
  ];
}

/**
 * Every variant by name, in the order of the table: each runs in a process of its own. A row of the JSON file is named
 * after its variant. Not here: what a variant measures (its own file), running them (main.ts).
 */
import { MIB } from '../support/numbers.ts';
import { benchMappings, benchNamespaces } from './growth.ts';
import {
  benchCopy,
  benchHeap,
  benchInterrupt,
  benchIo,
  benchMapping,
  benchSgl,
  COLD,
  copyName,
  type IoOptions,
  ioName,
} from './io.ts';
import { benchMap } from './map.ts';
import type { Metric } from './measure.ts';
import { benchDoorbell, benchEvents, benchIommu, benchTranslation } from './micro.ts';
import { benchControllers, benchPairs } from './queues.ts';
import { benchPingPong, benchThreadedDrives, benchThreadedRead } from './threaded.ts';
import { benchTimed } from './timed.ts';
import { benchC } from './yardstick.ts';

export interface Variant {
  readonly run: () => Metric[] | Promise<Metric[]>;
  /** Part of `--quick`. */
  readonly isQuick: boolean;
}

type Entry = [name: string, variant: Variant];

const SIZES = [512, 4096, 16_384, 131_072, MIB];
const DEPTHS = [2, 4, 8, 16, 64, 128, 256, 1024];
const QUICK_SIZES = [512, 4096, 131_072];

const entry = (name: string, run: Variant['run'], isQuick = false): Entry => [name, { run, isQuick }];
const io = (options: IoOptions, isQuick = false): Entry =>
  entry(ioName(options), () => benchIo(options), isQuick);
const copy = (options: IoOptions, isQuick = false): Entry =>
  entry(copyName(options), () => benchCopy(options), isQuick);

/** (h) and (a): the limit, and I/Os of every size in both directions. */
const throughput = SIZES.flatMap((bytes) => {
  const isQuick = QUICK_SIZES.includes(bytes);
  return [
    copy({ bytes, depth: 1 }, bytes === 131_072),
    copy({ bytes, depth: 32 }, isQuick),
    ...[1, 32].flatMap((depth) => [
      io({ bytes, depth }, isQuick),
      io({ bytes, depth, direction: 'write' }, bytes <= 4096 && depth === 32),
    ]),
  ];
});
/** The yardstick of the rows that docs/performance.md holds against C. */
const inC = [
  [512, 1],
  [512, 32],
  [4096, 32],
  [131_072, 1],
].map(([bytes, depth]) => entry(`c.read.${bytes}.qd${depth}`, () => benchC(bytes!, depth!), true));
const cold = [512, 4096, 131_072].flatMap((bytes) => {
  const isQuick = bytes === 4096;
  return [
    copy({ bytes, depth: 32, workingSet: COLD }, isQuick),
    io({ bytes, depth: 32, workingSet: COLD }, isQuick),
    io({ bytes, depth: 32, workingSet: COLD, direction: 'write' }),
  ];
});

export const VARIANTS: Readonly<Record<string, Variant>> = Object.fromEntries([
  ...throughput,
  ...inC,
  ...cold,
  entry('functional.read.4096.qd32.sgl', benchSgl, true),
  ...(['4k', '2m', 'off'] as const).map((kind) =>
    entry(`functional.read.4096.qd32.spread-${kind}`, () => benchMapping(kind), true),
  ),
  // (b) doorbells: one for every `depth` commands of 512 bytes.
  entry('doorbell', benchDoorbell, true),
  ...[2, 4, 8, 16, 64, 128].map((depth) => io({ bytes: 512, depth })),
  ...[1, 32].map((depth) => io({ bytes: 512, depth, shadowDoorbells: true }, depth === 32)),
  // (c) depth, queue pairs, drives.
  ...DEPTHS.map((depth) => io({ bytes: 4096, depth })),
  ...[1, 2, 4, 8, 16].map((pairs) =>
    entry(`functional.read.4096.qd32.pairs${pairs}`, () => benchPairs(pairs), pairs === 4),
  ),
  ...[1, 2, 4, 8].map((count) =>
    entry(`functional.read.4096.qd32.drives${count}`, () => benchControllers(count), count === 4),
  ),
  // (d) interrupts.
  entry('functional.read.4096.qd32.interrupt', benchInterrupt, true),
  // (g) the threaded pace.
  entry('pingpong', benchPingPong, true),
  ...QUICK_SIZES.flatMap((bytes) =>
    [1, 32].map((depth) =>
      entry(
        `threaded.read.${bytes}.qd${depth}`,
        () => benchThreadedRead(bytes, depth),
        bytes === 4096 && depth === 32,
      ),
    ),
  ),
  ...(['shared', 'each'] as const).map((workers) =>
    entry(`threaded.read.4096.qd32.drives2.${workers}`, () => benchThreadedDrives(workers)),
  ),
  entry('threaded.read.512.qd32.shadow', () => benchThreadedRead(512, 32, true)),
  // (e) mappings and translations.
  entry('map.4096', () => benchMap(4096), true),
  entry('map.2097152', () => benchMap(2 * MIB)),
  entry('map.1073741824', () => benchMap(1024 * MIB)),
  entry('iommu', benchIommu, true),
  ...[256, 512, 1024].map((pages) =>
    entry(`iotlb.${pages}`, () => benchTranslation(`iotlb.${pages}`, pages)),
  ),
  // (f) events and the timed pace.
  entry('events.16', () => benchEvents(16), true),
  entry('events.1000', () => benchEvents(1000)),
  entry('events.100000', () => benchEvents(100_000), true),
  entry('events.far', () => benchEvents(16, 20_000, 'far'), true),
  entry('timed.read.4096.qd1', () => benchTimed(1)),
  entry('timed.read.4096.qd32', () => benchTimed(32), true),
  // (i) growth.
  entry('growth.namespaces.1', () => benchNamespaces(1)),
  entry('growth.namespaces.64', () => benchNamespaces(64)),
  ...[1, 1000, 100_000, 1_000_000].map((count) =>
    entry(`growth.mappings.${count}`, () => benchMappings(count), count === 1000),
  ),
  entry('heap.growth', benchHeap, true),
]);

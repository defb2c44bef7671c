/**
 * Random reads and writes through the whole stack at the functional pace: driver, BAR, root complex, IOMMU, controller,
 * PRP or SGL, copy, completion entry. Beside them the bare memory.copy of the same bytes over the same working set.
 * Not here: several queues and drives (queues.ts), growth (growth.ts), micro parts (micro.ts).
 */

import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import type { QueuePair } from '../drivers/nvme/queue-pair.ts';
import { T } from '../machine/trace.ts';
import { GENERIC } from '../nvme/profile.ts';
import { CDW0, NVM, PSDT } from '../nvme/spec/commands.ts';
import { alignUp, formatSize, KIB, MIB } from '../support/numbers.ts';
import { isQuick, type Metric, metric, type Time, timeOf, timeOfAsync } from './measure.ts';
import {
  BLOCK,
  drive,
  fill,
  HOT,
  openRig,
  POSITIONS,
  places,
  type Rig,
  rungOf,
  setTranslation,
} from './rig.ts';

/** More bytes of media than any cache of the host holds. */
export const COLD = 64 * MIB;
/** Buffers of the spread rows: so many that their pages do not fit the IOTLB. */
const SPREAD = 64 * MIB;
/** Places that the bare copy writes to in turn, as many as the deepest queue of these rows has buffers. */
const COPIES = 32;
/** The largest transfer of the drive as it is shipped; beyond it MDTS is raised. */
const LARGEST = 512 * KIB;
const wide = {
  rootPorts: [
    { ...pc.rootPorts[0]!, device: { ...drive([{ size: '256m' }]), profile: { ...GENERIC, mdts: 8 } } },
  ],
};
const NSID = 1;
const NO_NAMESPACE = 0xffff_fffe;

export interface IoOptions {
  readonly bytes: number;
  readonly depth: number;
  readonly direction?: 'read' | 'write';
  /** Bytes of media that the I/Os are spread over. */
  readonly workingSet?: number;
  /** Doorbells in memory (Doorbell Buffer Config). */
  readonly shadowDoorbells?: boolean;
}

export const ioName = (options: IoOptions): string => {
  const { direction = 'read', bytes, depth, workingSet = HOT, shadowDoorbells = false } = options;
  const suffix = `${workingSet > HOT ? '.cold' : ''}${shadowDoorbells ? '.shadow' : ''}`;
  return `functional.${direction}.${bytes}.qd${depth}${suffix}`;
};

const rangeOf = ({ bytes, workingSet = HOT }: IoOptions): number => Math.max(workingSet, 2 * bytes);

/** Completions are counted; one that fails ends the benchmark. */
export class Counter {
  completed = 0;
  failed = 0;

  constructor(queue: QueuePair) {
    queue.onComplete = (_slot, status) => {
      this.completed++;
      if (status !== 0) this.failed++;
    };
  }

  /** The error path is met before timing, so that it cannot make the optimised code bail out in the middle. */
  meetError(queue: QueuePair): void {
    queue.post(NVM.READ, NO_NAMESPACE, 0, 1);
    queue.ring();
    while (queue.outstanding > 0) queue.reap();
    if (this.failed !== 1) throw new Error('a read of no namespace did not fail');
    this.failed = 0;
  }

  check({ machine }: Rig): void {
    if (this.failed > 0) throw new Error(`${this.failed} I/Os failed: ${machine.explain().at(-1)}`);
  }
}

/** Posts `depth` commands, rings once, reaps all, over and over. Locals: a captured variable is stored at every turn. */
export function runner(queue: QueuePair, counter: Counter, opcode: number, options: IoOptions) {
  const { bytes, depth } = options;
  const blocks = bytes / BLOCK;
  const slbas = Int32Array.from(places(rangeOf(options), bytes), (place) => place / BLOCK);
  let next = 0;
  return (ios: number): void => {
    const end = counter.completed + ios;
    let position = next;
    while (counter.completed < end) {
      for (let i = 0; i < depth; i++) {
        queue.post(opcode, NSID, slbas[position]!, blocks);
        position = (position + 1) & (POSITIONS - 1);
      }
      queue.ring();
      while (queue.outstanding > 0) queue.reap();
    }
    next = position;
  };
}

/** A rig whose queue pair of `depth` slots has a buffer for each. */
export async function ioRig(options: IoOptions, rig: Rig): Promise<{ queue: QueuePair; counter: Counter }> {
  const { bytes, depth } = options;
  const { nvme } = rig;
  const queue = await nvme.createQueuePair({ depth });
  const buffers = nvme.allocate(depth * alignUp(bytes, BLOCK));
  await fill(nvme, rangeOf(options));
  for (let slot = 0; slot < depth; slot++) queue.prepare(slot, buffers.iova + slot * bytes, bytes);
  const counter = new Counter(queue);
  counter.meetError(queue);
  return { queue, counter };
}

const speed = (bytes: number, { best }: Time): string => `${(bytes / best).toFixed(2)} GB/s`;

/** Measures reads or writes of `bytes` bytes at queue depth `depth`. */
export async function benchIo(options: IoOptions): Promise<Metric[]> {
  const { shadowDoorbells = false } = options;
  const rig = await openRig({ shadowDoorbells, ...(options.bytes > LARGEST ? { board: wide } : {}) });
  const { queue, counter } = await ioRig(options, rig);
  const opcode = options.direction === 'write' ? NVM.WRITE : NVM.READ;
  const time = timeOf(runner(queue, counter, opcode, options));
  counter.check(rig);
  await rig.nvme.close();
  const detail = `random over ${formatSize(rangeOf(options))}, ${speed(options.bytes, time)}${rungOf(rig.nvme)}`;
  return [metric(`${ioName(options)}.ns`, time, 'ns', detail)];
}

/** 4 KiB reads at depth 32 whose data pointer is one SGL data block. */
export async function benchSgl(): Promise<Metric[]> {
  const options = { bytes: 4096, depth: 32 };
  const { bytes, depth } = options;
  const rig = await openRig();
  const { queue, counter } = await ioRig(options, rig);
  const buffers = rig.nvme.allocate(depth * bytes);
  const commands = Array.from({ length: depth }, (_, index) => {
    const words = new Uint32Array(16);
    words[0] = NVM.READ | CDW0.encode({ PSDT: PSDT.SGL });
    words[1] = NSID;
    words[6] = buffers.iova + index * bytes;
    words[8] = bytes;
    words[12] = bytes / BLOCK - 1;
    return words;
  });
  const slbas = places(HOT, bytes).map((place) => place / BLOCK);
  let position = 0;
  const time = timeOf((ios) => {
    const end = counter.completed + ios;
    while (counter.completed < end) {
      for (let i = 0; i < depth; i++) {
        const words = commands[i]!;
        words[10] = slbas[position]!;
        position = (position + 1) & (POSITIONS - 1);
        queue.postCommand(words);
      }
      queue.ring();
      while (queue.outstanding > 0) queue.reap();
    }
  });
  counter.check(rig);
  await rig.nvme.close();
  return [metric('functional.read.4096.qd32.sgl.ns', time, 'ns', 'one SGL data block each, the careful way')];
}

export type MappingKind = '4k' | '2m' | 'off';
const MAPPINGS = {
  '4k': { what: '4 KiB leaves', iommu: { leaf2M: false, leaf1G: false }, walks: 1 },
  '2m': { what: '2 MiB leaves', iommu: {}, walks: 0 },
  off: { what: 'translation off', iommu: {}, walks: 0 },
} as const;

/** 4 KiB reads at depth 32, each into another page of 64 MiB, behind leaves of one size or no IOMMU. */
export async function benchMapping(kind: MappingKind): Promise<Metric[]> {
  const { what, iommu, walks } = MAPPINGS[kind];
  const rig = await openRig({ board: { iommu }, isPlaced: true });
  const { machine, nvme } = rig;
  const options = { bytes: 4096, depth: 32 };
  const { bytes, depth } = options;
  const { queue, counter } = await ioRig(options, rig);
  const pool = nvme.allocate(SPREAD);
  const targets = places(SPREAD, bytes).map((place) => pool.iova + place);
  let position = 0;
  const run = (ios: number): void => {
    const end = counter.completed + ios;
    while (counter.completed < end) {
      for (let i = 0; i < depth; i++) {
        queue.postAt(NVM.READ, NSID, (position & 63) * 8, bytes / BLOCK, targets[position]!, bytes);
        position = (position + 1) & (POSITIONS - 1);
      }
      queue.ring();
      while (queue.outstanding > 0) queue.reap();
    }
  };
  const perIo = walksOf(rig, run, 4096, pool.iova);
  if (Math.abs(perIo - walks) > 0.1) throw new Error(`${perIo} walks an I/O are not those of ${what}`);
  if (kind === 'off') setTranslation(machine, false);
  const time = timeOf(run);
  setTranslation(machine, true);
  counter.check(rig);
  await nvme.close();
  const detail = `${what}, into random pages of ${formatSize(SPREAD)}`;
  const misses = kind === 'off' ? detail : `${detail}, ${(100 * perIo).toFixed(0)} walks per 100 I/Os`;
  return [metric(`functional.read.4096.qd32.spread-${kind}.ns`, time, 'ns', misses)];
}

/** Walks per I/O, of `ios`, for addresses from `first` on, when the IOTLB is as I/Os leave it. */
function walksOf({ machine }: Rig, run: (ios: number) => void, ios: number, first: number): number {
  run(ios);
  let walks = 0;
  const stop = machine.trace.listen((_time, point, _requester, iova) => {
    if (point === T.IOMMU_WALK && iova >= first) walks++;
  });
  run(ios);
  stop();
  return walks / ios;
}

/** 4 KiB reads at depth 32 that are waited for through the queue's interrupt, an eventfd, against polling. */
export async function benchInterrupt(): Promise<Metric[]> {
  const rig = await openRig({ interrupts: true });
  const { nvme } = rig;
  const { bytes, depth } = { bytes: 4096, depth: 32 };
  const { queue, counter } = await ioRig({ bytes, depth }, rig);
  let position = 0;
  const time = await timeOfAsync(async (ios) => {
    for (const end = counter.completed + ios; counter.completed < end; ) {
      for (let i = 0; i < depth; i++) queue.post(NVM.READ, NSID, (position++ & 63) * 8, bytes / BLOCK);
      queue.ring();
      while (queue.outstanding > 0)
        if (queue.reap() === 0) await nvme.interrupted(queue, Number.POSITIVE_INFINITY);
      await nvme.interrupted(queue, Number.POSITIVE_INFINITY);
    }
  });
  counter.check(rig);
  await nvme.close();
  return [
    metric(
      'functional.read.4096.qd32.interrupt.ns',
      time,
      'ns',
      'MSI-X, remapping, eventfd and a promise per batch',
    ),
  ];
}

const ROUNDS = 3;

/** Heap that stays occupied after ten million I/Os. */
export async function benchHeap(): Promise<Metric[]> {
  const options = { bytes: 512, depth: 32 };
  const rig = await openRig();
  const { queue, counter } = await ioRig(options, rig);
  const run = runner(queue, counter, NVM.READ, options);
  const ios = isQuick ? 1e6 : 1e7;
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error('this row needs --expose-gc');
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  run(1e6);
  // A leak shows in every round, code that V8 has just compiled in one.
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = used();
    run(ios);
    growth = Math.min(growth, used() - before);
  }
  await rig.nvme.close();
  const detail = `${ios.toLocaleString('en-US')} reads of 512 bytes, the least of ${ROUNDS} rounds`;
  return [metric('heap.growth.bytes', Math.max(0, growth), 'bytes', detail)];
}

/** The bare memory.copy of `bytes` bytes from random places of the same working set. */
export function benchCopy(options: IoOptions): Metric[] {
  const { bytes, workingSet = HOT } = options;
  const range = rangeOf(options);
  const { memory } = boot(pc, { pace: 'functional', seed: 1 });
  const copies = Math.min(COPIES, options.depth);
  const source = memory.reserve(range, 4096);
  const target = memory.reserve(copies * bytes, 4096);
  memory.fill(source, 0xa5, range);
  const positions = Int32Array.from(places(range, bytes));
  const time = timeOf((count) => {
    for (let i = 0, to = 0; i < count; i++) {
      memory.copy(target + to * bytes, source + positions[i & (POSITIONS - 1)]!, bytes);
      to = to + 1 === copies ? 0 : to + 1;
    }
  });
  const detail = `memory.copy over the same ${formatSize(range)}, ${speed(bytes, time)}`;
  return [metric(`${copyName(options)}.ns`, time, 'ns', workingSet > HOT ? `${detail}, cold` : detail)];
}

/** The copy rows: as many targets as the depth, 32 where the name has none. */
export const copyName = ({ bytes, depth, workingSet = HOT }: IoOptions): string =>
  `copy.${bytes}${depth === COPIES ? '' : `.qd${depth}`}${workingSet > HOT ? '.cold' : ''}`;

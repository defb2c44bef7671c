/**
 * A closed loop on one queue pair: so many reads in flight at all times, and what became of them. For programs that look
 * at a drive while something happens to it. Not here: shapes of load (jobs.ts, which are fio's).
 */
import type { Machine } from '../../boards/index.ts';
import type { NvmeDriver, QueuePair } from '../../drivers/nvme/index.ts';
import { NVM } from '../../nvme/spec/commands.ts';

export interface Loop {
  /** Reads in flight, and blocks of each; they go round the first 1024 reads of namespace 1. */
  readonly depth: number;
  readonly blocks: number;
  /** Until so many microseconds after the loop began, or until `reads` have come back. */
  readonly until_us?: number;
  readonly reads?: number;
  /** Where the data go; a buffer of its own when absent. */
  readonly buffer_iova?: number;
}

export interface LoopResult {
  /** Reads that came back, and when, in µs since the loop began. */
  readonly done_us: readonly number[];
  /** Those of them that failed, one sentence each. */
  readonly failures: readonly string[];
  /** Reads that never came back. */
  readonly lost: number;
}

/** The loop ends early when nothing is left to happen in the machine. */
export function loop(machine: Machine, driver: NvmeDriver, queue: QueuePair, load: Loop): LoopResult {
  const { depth, blocks, until_us = Number.POSITIVE_INFINITY, reads = Number.POSITIVE_INFINITY } = load;
  const { kernel } = machine;
  const bytes = blocks * driver.namespace(1).blockSize;
  const iova = load.buffer_iova ?? driver.allocate(depth * bytes).iova;
  for (let slot = 0; slot < queue.depth; slot++) queue.prepare(slot, iova + (slot % depth) * bytes, bytes);
  const start_ns = kernel.now();
  const end_ns = start_ns + until_us * 1000;
  const done_us: number[] = [];
  const failures: string[] = [];
  queue.onComplete = (slot, status) => {
    done_us.push((kernel.now() - start_ns) / 1000);
    if (status !== 0) failures.push(queue.error(slot).message);
  };
  let posted = 0;
  while (kernel.now() < end_ns && done_us.length < reads) {
    while (queue.outstanding < depth && posted < reads)
      queue.post(NVM.READ, 1, (posted++ % 1024) * blocks, blocks);
    queue.ring();
    if (queue.reap() === 0 && !kernel.relax(end_ns)) break;
  }
  return { done_us, failures, lost: queue.outstanding };
}

/** Reads per second that came back from `from_us` to `to_us`. */
export const rateBetween = ({ done_us }: LoopResult, from_us: number, to_us: number): number =>
  (done_us.filter((time) => time >= from_us && time < to_us).length / (to_us - from_us)) * 1e6;

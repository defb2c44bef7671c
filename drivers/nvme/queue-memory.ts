/**
 * Where the parts of a queue pair are in its memory, one behind the other and each from a page boundary on: submission queue,
 * completion queue, and a PRP list for every slot. Not here: what is in them (queue-pair.ts, prp.ts).
 */
import { CQE, SQE } from '../../nvme/spec/commands.ts';
import { assert } from '../../support/assert.ts';
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import type { DmaRange } from '../vfio/dma.ts';
import { prpListBytes } from './prp.ts';

/** Most entries that a completion queue has beyond the depth: more would save less than 1 ns per command. */
export const MAX_SLACK = 32;

const sqBytes = (depth: number): number => alignUp((depth + 1) * SQE.SIZE, PAGE_SIZE);
const cqBytes = (depth: number): number => alignUp((depth + MAX_SLACK) * CQE.SIZE, PAGE_SIZE);

/** Memory that a queue pair needs. */
export const queueBytes = (depth: number, maxTransfer_bytes: number): number =>
  sqBytes(depth) + cqBytes(depth) + alignUp(depth * prpListBytes(maxTransfer_bytes), PAGE_SIZE);

/** Views of the parts in words, and where the device sees them. */
export interface QueueViews {
  readonly sq: Int32Array;
  /** The submission queue once more, two words at a time. */
  readonly sqPairs: Float64Array;
  readonly cq: Int32Array;
  readonly lists: Int32Array;
  readonly sqIova: number;
  readonly cqIova: number;
  readonly listsIova: number;
  /** Of the list of one slot. */
  readonly listBytes: number;
}

/** The parts of `memory`, which has `queueBytes(depth, maxTransfer_bytes)`; `slack` is at most MAX_SLACK. */
export function queueViews(
  { bytes, iova }: DmaRange,
  depth: number,
  slack: number,
  maxTransfer_bytes: number,
): QueueViews {
  assert(bytes.length >= queueBytes(depth, maxTransfer_bytes), 'the queue memory is too small');
  const { buffer, byteOffset } = bytes;
  const cqAt = sqBytes(depth);
  const listsAt = cqAt + cqBytes(depth);
  const listBytes = prpListBytes(maxTransfer_bytes);
  const queue_bytes = (depth + 1) * SQE.SIZE;
  return {
    sq: new Int32Array(buffer, byteOffset, queue_bytes / 4),
    sqPairs: new Float64Array(buffer, byteOffset, queue_bytes / 8),
    cq: new Int32Array(buffer, byteOffset + cqAt, ((depth + slack) * CQE.SIZE) / 4),
    lists: new Int32Array(buffer, byteOffset + listsAt, (depth * listBytes) / 4),
    sqIova: iova,
    cqIova: iova + cqAt,
    listsIova: iova + listsAt,
    listBytes,
  };
}

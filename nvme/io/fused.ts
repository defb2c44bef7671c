/**
 * Fused Compare and Write: two neighbouring entries of one submission queue that become one atomic operation (Base 2.1
 * §3.4.1; NVM Command Set 1.1 §2.1.2). The first waits for the second; pairs run one after the other; the stored blocks
 * are compared and written in the same step. When either fails, neither has an effect.
 * Not here: what Compare and Write check on their own (read-write.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { HELD } from '../command-set.ts';
import type { Engine } from '../engine.ts';
import type { Health } from '../health.ts';
import type { Namespace } from '../namespace.ts';
import type { Slots } from '../slots.ts';
import { CDW0, FUSE, NVM, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Payload } from './payload.ts';
import type { Buffer } from './protection.ts';
import type { Compare, Write } from './read-write.ts';

export interface FusedParts {
  readonly slots: Slots;
  readonly engine: Engine;
  readonly health: Health;
  readonly payload: Payload;
  readonly compare: Compare;
  readonly write: Write;
  /** Largest pair in blocks (ACWU + 1); 0: no pairs. */
  readonly maxBlocks: number;
  /** The command names a zoned namespace, which has no fused operations. */
  readonly isZoned: (slot: number) => boolean;
  /** Checks a command as if it stood alone. */
  readonly prepare: (slot: number) => number;
  /** Goes on with a command that was held. */
  readonly proceed: (slot: number) => void;
}

interface Pair {
  readonly first: number;
  readonly second: number;
}

export class Fused {
  readonly #parts: FusedParts;
  /** By submission queue: the slot of a first command, and queues whose first command failed; both wait for a second. */
  readonly #first = new Map<number, number>();
  readonly #failed = new Set<number>();
  #pairs: Pair[] = [];
  /** SRAM for what the pair at work compares. */
  readonly #expected: Buffer;

  constructor(parts: FusedParts) {
    this.#parts = parts;
    this.#expected = parts.payload.createBuffer();
  }

  /** Some queue's next command matters: all commands must come by `arrive`. */
  get isWaiting(): boolean {
    return this.#first.size + this.#failed.size > 0;
  }

  reset(): void {
    this.#first.clear();
    this.#failed.clear();
    this.#pairs = [];
  }

  // ---- check ------------------------------------------------------------------------------------------------------

  /** A command of a queue is looked at: when a first command waits there and this is no second, it waits in vain. */
  arrive(slot: number): void {
    const { slots, engine } = this.#parts;
    const sqid = slots.sqid(slot);
    if (this.#fuseOf(slot) === FUSE.SECOND) return;
    this.#failed.delete(sqid);
    const first = this.#first.get(sqid);
    if (first === undefined) return;
    this.#first.delete(sqid);
    engine.fail(first, STATUS.ABORTED_MISSING_FUSED, 'the next command is not the second one of the pair');
  }

  /** Takes either half of a pair. Returns HELD, or the status with which this half fails. */
  check(slot: number): number {
    return this.#fuseOf(slot) === FUSE.FIRST ? this.#checkFirst(slot) : this.#checkSecond(slot);
  }

  #checkFirst(slot: number): number {
    const sqid = this.#parts.slots.sqid(slot);
    const status = this.#isPossible(slot, NVM.COMPARE) ? this.#parts.prepare(slot) : STATUS.INVALID_FIELD;
    if (status === STATUS.SUCCESS) this.#first.set(sqid, slot);
    else this.#failed.add(sqid);
    return status === STATUS.SUCCESS ? HELD : status;
  }

  #checkSecond(slot: number): number {
    const { slots, health, engine, prepare } = this.#parts;
    const sqid = slots.sqid(slot);
    if (this.#failed.delete(sqid)) return STATUS.ABORTED_FAILED_FUSED;
    const first = this.#first.get(sqid);
    if (first === undefined) {
      const reason = 'the command before it is not the first one of the pair';
      return health.explain(STATUS.ABORTED_MISSING_FUSED, reason, SQE.FLAGS);
    }
    this.#first.delete(sqid);
    let status = this.#isPossible(slot, NVM.WRITE) ? prepare(slot) : STATUS.INVALID_FIELD;
    if (status === STATUS.SUCCESS) status = this.#checkPair(first, slot);
    if (status !== STATUS.SUCCESS) {
      engine.fail(slot, status);
      engine.fail(first, STATUS.ABORTED_FAILED_FUSED);
      return HELD;
    }
    this.#pairs.push({ first, second: slot });
    if (this.#pairs.length === 1) this.#parts.proceed(first);
    return HELD;
  }

  /** FUSES: Compare and Write, in this order, is the only pair, and zoned namespaces have none (ZNS 1.2 §3.2). */
  #isPossible(slot: number, opcode: number): boolean {
    const { slots, health, maxBlocks, isZoned } = this.#parts;
    const isPossible = maxBlocks > 0 && !isZoned(slot) && (slots.dword(slot, SQE.OPC) & 0xff) === opcode;
    if (!isPossible)
      health.explain(
        STATUS.INVALID_FIELD,
        'only Compare and Write can be fused, outside of zones',
        SQE.FLAGS,
      );
    return isPossible;
  }

  #checkPair(first: number, second: number): number {
    const { slots, health, maxBlocks } = this.#parts;
    const count = (offset: number) => [slots.dword(first, offset), slots.dword(second, offset)] as const;
    const [blocks, blocksOfSecond] = count(SQE.CDW12).map((dword) => dword & 0xffff) as [number, number];
    const isSame =
      blocks === blocksOfSecond &&
      [SQE.NSID, SQE.CDW10, SQE.CDW11].every((offset) => count(offset)[0] === count(offset)[1]);
    if (!isSame) {
      const reason = 'both commands of the pair must name the same blocks of the same namespace';
      return health.explain(STATUS.INVALID_FIELD, reason, SQE.CDW10);
    }
    if (blocks < maxBlocks) return STATUS.SUCCESS;
    const reason = `${blocks + 1} blocks are more than ACWU allows (${maxBlocks})`;
    return health.explain(STATUS.ATOMIC_WRITE_UNIT_EXCEEDED, reason, SQE.CDW12);
  }

  #fuseOf(slot: number): number {
    return CDW0.FUSE.get(this.#parts.slots.dword(slot, SQE.OPC));
  }

  // ---- work -------------------------------------------------------------------------------------------------------

  /** Data and medium of one half are ready. Returns a status, or HELD for the first half. */
  execute(slot: number, namespace: Namespace): number {
    const pair = this.#pairs[0]!;
    assert(slot === pair.first || slot === pair.second, 'only the pair at work executes');
    return slot === pair.first ? this.#fetch(pair, namespace) : this.#compareAndWrite(pair, namespace);
  }

  #fetch({ first, second }: Pair, namespace: Namespace): number {
    const status = this.#parts.compare.fetch(first, namespace, this.#expected);
    if (status !== STATUS.SUCCESS) return status;
    this.#parts.proceed(second);
    return HELD;
  }

  #compareAndWrite({ first, second }: Pair, namespace: Namespace): number {
    const { engine, compare, write } = this.#parts;
    this.#pairs.shift();
    const compared = compare.compareWith(first, namespace, this.#expected);
    let status: number = STATUS.ABORTED_FAILED_FUSED;
    if (compared !== STATUS.SUCCESS) engine.fail(first, compared);
    else {
      status = write.execute(second, namespace);
      if (status === STATUS.SUCCESS) engine.complete(first, STATUS.SUCCESS);
      else engine.abort(first, STATUS.ABORTED_FAILED_FUSED);
    }
    this.#next();
    return status;
  }

  /** A command failed or was aborted on its way: its partner, if it has one, goes with it. */
  drop(slot: number): void {
    const { slots, engine } = this.#parts;
    const sqid = slots.sqid(slot);
    if (this.#first.get(sqid) === slot) this.#first.delete(sqid);
    const index = this.#pairs.findIndex(({ first, second }) => first === slot || second === slot);
    if (index === -1) return;
    const [{ first, second }] = this.#pairs.splice(index, 1) as [Pair];
    engine.abort(slot === first ? second : first, STATUS.ABORTED_FAILED_FUSED);
    if (index === 0) this.#next();
  }

  #next(): void {
    const pair = this.#pairs[0];
    if (pair !== undefined) this.#parts.proceed(pair.first);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#first, this.#failed);
    this.#pairs = a.value(this.#pairs);
  }
}

/**
 * The fuzzer's host as it uses the queues of its controller: it writes entries, rings, takes completions, and lets time
 * pass. It keeps the book (ledger.ts) as it goes. Not here: what it does with them, right or wrong (fuzzer.ts).
 */
import { SQE } from '../../nvme/spec/commands.ts';
import { CSTS, cqHeadDoorbell, REG, SHST, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import { baseOf, SHADOW_AREA } from './commands.ts';
import type { Dice } from './dice.ts';
import type { Completion, Ledger, Submission } from './ledger.ts';
import { Violation } from './violation.ts';
import type { World } from './world.ts';

/** Events after which a controller that is left alone must have come to rest. */
const STEPS_MAX = 1_000_000;
/** One of so many actions whose outcome cannot be known is done in the middle of everything, the others in a pause. */
const BLIND_ACTIONS = 8;

export class Host {
  /** CC.EN is set, and queues are there. */
  isEnabled = false;
  readonly world: World;
  readonly ledger: Ledger;
  readonly #dice: Dice;
  /** Entries that were written since the last ring. */
  #posted = 0;

  constructor(dice: Dice, world: World, ledger: Ledger) {
    this.#dice = dice;
    this.world = world;
    this.ledger = ledger;
  }

  /** The controller does not take commands and will not before a reset. */
  isStuck(): boolean {
    const csts = this.world.read32(REG.CSTS);
    return CSTS.RDY.get(csts) === 0 || CSTS.CFS.get(csts) === 1 || CSTS.SHST.get(csts) !== SHST.NORMAL;
  }

  /** Writes an entry behind those that were written, without ringing. */
  post(queue: Submission, words: Uint32Array): void {
    const index = (queue.tail + this.#posted++) % queue.size;
    this.world.memory.u32.set(words, this.world.at(queue.base + index * SQE.SIZE) >>> 2);
  }

  /** Rings with all entries that were written. */
  ring(queue: Submission): void {
    const tail = (queue.tail + this.#posted) % queue.size;
    this.#posted = 0;
    if (this.ledger.willClose(queue, tail)) this.pause();
    if (this.ledger.sqs.get(queue.qid) !== queue) return;
    this.ledger.submit(queue, tail);
    this.doorbell(queue.qid, false, tail);
    this.ledger.observe();
  }

  /** Stores a doorbell's value in its register, and in memory where shadow doorbells may be. */
  doorbell(qid: number, isCompletion: boolean, value: number): void {
    const { doorbellStride } = this.world.controller.profile;
    // From the moment the controller takes the buffers, which the host learns later; before that it does no harm.
    if (qid > 0) {
      const at = baseOf(SHADOW_AREA) + (2 * qid + (isCompletion ? 1 : 0)) * (4 << doorbellStride);
      this.world.memory.u32[this.world.at(at) >>> 2] = value;
    }
    const offset = (isCompletion ? cqHeadDoorbell : sqTailDoorbell)(qid, doorbellStride);
    this.world.write32(offset, value);
  }

  /** Takes completions from one queue and releases some of them. */
  reap(): void {
    this.ledger.observe();
    const queue = this.#dice.pick([...this.ledger.cqs.values()]);
    const seen = queue.seen - queue.released;
    if (seen > 0) this.#release(queue, 1 + this.#dice.below(seen));
  }

  #release(queue: Completion, entries: number): void {
    queue.released += entries;
    this.doorbell(queue.qid, true, queue.released % queue.size);
    this.ledger.observe();
  }

  /** Takes and releases all completions that there are; false where there were none. */
  reapAll(): boolean {
    let isAny = false;
    this.ledger.observe();
    for (const queue of [...this.ledger.cqs.values()]) {
      if (queue.seen === queue.released) continue;
      isAny = true;
      this.#release(queue, queue.seen - queue.released);
    }
    return isAny;
  }

  /** Lets so many events happen. */
  steps(count: number): void {
    const { clock, remapper } = this.world;
    for (let step = 0; step < count && clock.step(); step++) remapper.step();
    this.ledger.observe();
  }

  /** Lets everything happen that can; then no command may be missing. */
  quiesce(): void {
    const { world, ledger } = this;
    let steps = 0;
    do {
      while (world.clock.step()) {
        world.remapper.step();
        if (++steps > STEPS_MAX) throw new Violation('memory', 'the controller never comes to rest');
      }
    } while (this.reapAll());
    if (this.isEnabled && !this.isStuck()) ledger.checkNothingLost(world.controller.profile.asyncEvents);
  }

  /** Something follows whose outcome can only be known, or does the least harm, when nothing is under way. */
  pause(): boolean {
    const isPausing = !this.ledger.isClosed && !this.#dice.once(BLIND_ACTIONS);
    if (isPausing) this.quiesce();
    return isPausing;
  }
}

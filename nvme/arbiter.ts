/**
 * Whose turn it is to be fetched from: round robin over all submission queues, or weighted round robin with urgent
 * class (Base 2.1 §3.4.4). Under the latter the admin queue comes first, then urgent queues, then high, medium and low
 * ones by weight; inside a class it is round robin. Not here: how many entries a turn fetches besides (fetcher.ts).
 */
import type { Archive } from '../support/archive.ts';
import { QPRIO } from './spec/commands.ts';

/** Classes in order of rank; plain round robin has one class, the first. */
const ADMIN = 0;
const URGENT = 1;
const HIGH = 2;
const LOW = 4;
const CLASSES = 5;
const NOBODY = -1;
/** More entries than a queue can hold. */
const UNLIMITED = 0x1_0000;

export class Arbiter {
  /** Queues that wait for a turn. */
  waiting = 0;
  /** Entries the queue whose turn it is may have; more than any queue holds outside the weighted classes. */
  credit = UNLIMITED;
  private readonly count: number;
  private readonly listed: Uint8Array;
  private readonly classOf: Uint8Array;
  /** A ring of queue ids for each class: first position and length. */
  private readonly rings: Int32Array;
  private readonly heads = new Int32Array(CLASSES);
  private readonly lengths = new Int32Array(CLASSES);
  /** Entries per round of high, medium and low, and what is left of them. */
  private readonly weights = new Int32Array(CLASSES).fill(1);
  private readonly credits = new Int32Array(CLASSES);
  #isWeighted = false;
  #lastClass = ADMIN;

  /** `count` submission queues, the admin queue among them. */
  constructor(count: number) {
    this.count = count;
    this.listed = new Uint8Array(count);
    this.classOf = new Uint8Array(count);
    this.rings = new Int32Array(CLASSES * count);
  }

  /** Forgets who waits and chooses the mechanism (CC.AMS). */
  reset(isWeighted: boolean): void {
    this.#isWeighted = isWeighted;
    this.waiting = 0;
    this.listed.fill(0);
    this.lengths.fill(0);
    this.classOf.fill(ADMIN);
    this.credits.fill(0);
  }

  /** Weights of the Arbitration feature, as counts: entries per round. */
  setWeights(high: number, medium: number, low: number): void {
    this.weights[HIGH] = high;
    this.weights[HIGH + 1] = medium;
    this.weights[LOW] = low;
  }

  /** A queue was created with a priority (QPRIO); round robin ignores it. */
  setPriority(sqid: number, priority: number): void {
    this.classOf[sqid] = this.#isWeighted === true ? URGENT + (priority - QPRIO.URGENT) : ADMIN;
  }

  /** Puts a queue at the end of its class, if it does not wait already. */
  add(sqid: number): void {
    if (this.listed[sqid] === 1) return;
    this.listed[sqid] = 1;
    this.waiting++;
    const rank = this.classOf[sqid]!;
    const end = this.heads[rank]! + this.lengths[rank]!++;
    this.rings[rank * this.count + (end >= this.count ? end - this.count : end)] = sqid;
  }

  /** Gives the turn to a queue at once, as `add` and `next` would: true where nobody waits and queues have no class. */
  pass(): boolean {
    if (this.waiting !== 0 || this.#isWeighted === true) return false;
    this.#lastClass = ADMIN;
    this.credit = UNLIMITED;
    return true;
  }

  /** Takes the queue whose turn it is; there must be one. `credit` says how much it may fetch. */
  next(): number {
    const rank = this.#isWeighted === true ? this.#rank() : ADMIN;
    const head = this.heads[rank]!;
    const sqid = this.rings[rank * this.count + head]!;
    this.heads[rank] = head + 1 === this.count ? 0 : head + 1;
    this.lengths[rank]!--;
    this.listed[sqid] = 0;
    this.waiting--;
    this.#lastClass = rank;
    this.credit = rank >= HIGH ? this.credits[rank]! : UNLIMITED;
    return sqid;
  }

  /** Charges the entries that the last turn fetched. */
  charge(entries: number): void {
    if (this.#lastClass >= HIGH) this.credits[this.#lastClass]! -= entries;
  }

  #rank(): number {
    if (this.lengths[ADMIN]! > 0) return ADMIN;
    if (this.lengths[URGENT]! > 0) return URGENT;
    let rank = this.#weightedRank();
    if (rank === NOBODY) {
      this.credits.set(this.weights);
      rank = this.#weightedRank();
    }
    return rank;
  }

  #weightedRank(): number {
    for (let rank = HIGH; rank <= LOW; rank++)
      if (this.lengths[rank]! > 0 && this.credits[rank]! > 0) return rank;
    return NOBODY;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.waiting = a.value(this.waiting);
    this.credit = a.value(this.credit);
    a.contents(this.listed, this.classOf, this.rings, this.heads, this.lengths, this.weights, this.credits);
    this.#isWeighted = a.value(this.#isWeighted);
    this.#lastClass = a.value(this.#lastClass);
  }
}

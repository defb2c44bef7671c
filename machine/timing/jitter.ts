/**
 * Chance in a time that is not a medium's: firmware that is interrupted by its own chores, a wire that is taken for a
 * moment, a CPU that was busy. Each source has a named random stream of its own, so that a run stays a function of its
 * seed, and turning one on does not move the others. Not here: how much there is (profiles).
 */
import type { Archive } from '../../support/archive.ts';
import { type Random, random } from '../../support/random.ts';

export class Jitter {
  readonly #spread_ns: number;
  readonly #random: Random;

  constructor(spread_ns: number, stream: Random) {
    this.#spread_ns = spread_ns;
    this.#random = stream;
  }

  /** `ns`, up to the spread more or less, evenly; never below zero. */
  around(ns: number): number {
    return Math.max(0, ns + (2 * this.#random.unit() - 1) * this.#spread_ns);
  }

  /** From nothing up to the spread, evenly. */
  wait(): number {
    return this.#random.unit() * this.#spread_ns;
  }

  /** Saves or loads where the stream is (support/archive.ts). */
  archive(a: Archive): void {
    this.#random.archive(a);
  }
}

/** Jitter of `spread_ns` from stream `name` of `seed`; null when there is none. */
export const jitterOf = (spread_ns: number | undefined, seed: number, name: string): Jitter | null =>
  spread_ns === undefined || spread_ns === 0 ? null : new Jitter(spread_ns, random(seed, name));

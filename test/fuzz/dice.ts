/** Draws of the fuzzer: seeded, with the shapes that find mistakes, such as small numbers, edges and single bits. */
import { type Random, random } from '../../support/random.ts';

export class Dice {
  readonly #random: Random;

  constructor(seed: number, stream: string) {
    this.#random = random(seed, stream);
  }

  below(limit: number): number {
    return this.#random.below(limit);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.#random.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }

  u32(): number {
    return this.#random.next();
  }

  /** Mostly small, sometimes an edge, a single bit, or anything. */
  odd32(): number {
    const kind = this.#random.below(8);
    if (kind < 4) return this.#random.below(16);
    if (kind === 4) return this.pick([0xff, 0xfff, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
    if (kind === 5) return (1 << this.#random.below(32)) >>> 0;
    return kind === 6 ? this.#random.below(0x1_0000) : this.u32();
  }
}

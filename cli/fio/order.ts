/**
 * In which order a job visits the blocks of its region, endlessly: one pass after the other.
 * Not here: how many blocks it visits (job.ts).
 */
import { assert } from '../../support/assert.ts';
import type { Random } from '../../support/random.ts';

export interface BlockOrder {
  /** The next block, from 0. */
  next(): number;
}

/** Ascending, again from the start at the end. */
export function sequential(blocks: number): BlockOrder {
  let at = 0;
  return {
    next: () => {
      const block = at;
      at = at + 1 === blocks ? 0 : at + 1;
      return block;
    },
  };
}

/** Any block at any time, as fio's norandommap. */
export function uniform(blocks: number, random: Random): BlockOrder {
  return { next: () => random.below(blocks) };
}

const ROUNDS = 4;
const HALF_BITS_LIMIT = 26;

/**
 * Every block once in each pass, in an order drawn anew for every pass; needs no map. A Feistel network permutes the
 * next larger square of a power of two, and what falls outside the region is skipped.
 */
export function shuffled(blocks: number, random: Random): BlockOrder {
  const halfBits = Math.max(1, Math.ceil(Math.log2(blocks) / 2));
  assert(halfBits <= HALF_BITS_LIMIT, 'a region has fewer than 2^52 blocks');
  const half = 2 ** halfBits;
  const mask = half - 1;
  const keys = new Uint32Array(ROUNDS);
  let at = 0;
  let left = 0;

  const permute = (value: number): number => {
    let high = Math.floor(value / half);
    let low = value & mask;
    for (let round = 0; round < ROUNDS; round++) {
      let mixed = Math.imul(low ^ keys[round]!, 0x9e37_79b1);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca77);
      const swapped = high ^ ((mixed ^ (mixed >>> 13)) & mask);
      high = low;
      low = swapped;
    }
    return high * half + low;
  };

  const next = (): number => {
    if (left === 0) {
      for (let round = 0; round < ROUNDS; round++) keys[round] = random.next();
      at = 0;
      left = blocks;
    }
    left--;
    for (;;) {
      const block = permute(at++);
      if (block < blocks) return block;
    }
  };
  return { next };
}

/**
 * In which order a job visits the blocks of its region, endlessly: once each, or as a distribution has it.
 * Not here: sequences (places.ts), how many blocks it visits (workload.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import type { Random } from '../../support/random.ts';
import type { AccessZone, Distribution } from './options.ts';

export interface BlockOrder {
  /** The next block, from 0. */
  next(): number;
  /** Saves or loads where the order is; its random stream is not its own. */
  archive(a: Archive): void;
}

/** Any block at any time, as fio's norandommap. */
export function uniform(blocks: number, random: Random): BlockOrder {
  return { next: () => random.below(blocks), archive: () => {} };
}

const ROUNDS = 4;
const HALF_BITS_LIMIT = 26;

/** A permutation of the blocks that `rekey` draws anew; needs no map. */
interface Permutation {
  rekey(): void;
  archive(a: Archive): void;
  /** Where the block at `index` of the next larger square of a power of two goes; may lie outside the region. */
  at(index: number): number;
}

/** A Feistel network permutes the next larger square of a power of two. */
function permutation(blocks: number, random: Random): Permutation {
  const halfBits = Math.max(1, Math.ceil(Math.log2(blocks) / 2));
  assert(halfBits <= HALF_BITS_LIMIT, 'a region has fewer than 2^52 blocks');
  const half = 2 ** halfBits;
  const mask = half - 1;
  const keys = new Uint32Array(ROUNDS);
  const rekey = (): void => {
    for (let round = 0; round < ROUNDS; round++) keys[round] = random.next();
  };
  const at = (index: number): number => {
    let high = Math.floor(index / half);
    let low = index & mask;
    for (let round = 0; round < ROUNDS; round++) {
      let mixed = Math.imul(low ^ keys[round]!, 0x9e37_79b1);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca77);
      const swapped = high ^ ((mixed ^ (mixed >>> 13)) & mask);
      high = low;
      low = swapped;
    }
    return high * half + low;
  };
  return { rekey, at, archive: (a) => a.contents(keys) };
}

/** Every block once in each pass, in an order drawn anew for every pass; what falls outside the region is skipped. */
export function shuffled(blocks: number, random: Random): BlockOrder {
  const permuted = permutation(blocks, random);
  const { rekey, at } = permuted;
  let index = 0;
  let left = 0;
  const next = (): number => {
    if (left === 0) {
      rekey();
      index = 0;
      left = blocks;
    }
    left--;
    for (;;) {
      const block = at(index++);
      if (block < blocks) return block;
    }
  };
  const archive = (a: Archive): void => {
    permuted.archive(a);
    index = a.value(index);
    left = a.value(left);
  };
  return { next, archive };
}

/** Ranks spread over the region, so that popular blocks are not neighbours: rank 0 is the most popular one. */
function spread(blocks: number, random: Random, rank: () => number): BlockOrder {
  const { rekey, at, archive } = permutation(blocks, random);
  rekey();
  const next = (): number => {
    let block = rank();
    do block = at(block);
    while (block >= blocks); // walking a cycle of the permutation ends inside the region
    return block;
  };
  return { next, archive };
}

const ZETA_TERMS = 1e6;

/** Sum of 1/i^theta for i up to `count`; beyond a million terms by the integral. */
function zeta(count: number, theta: number): number {
  let sum = 0;
  const terms = Math.min(count, ZETA_TERMS);
  for (let term = 1; term <= terms; term++) sum += term ** -theta;
  if (count > terms) sum += (count ** (1 - theta) - terms ** (1 - theta)) / (1 - theta);
  return sum;
}

/** Zipf: the block of rank r is chosen in proportion to 1/r^theta (Gray et al., "Quickly generating", SIGMOD 1994). */
export function zipf(blocks: number, theta: number, random: Random): BlockOrder {
  const total = zeta(blocks, theta);
  const alpha = 1 / (1 - theta);
  const eta = (1 - (2 / blocks) ** (1 - theta)) / (1 - zeta(Math.min(2, blocks), theta) / total);
  const rank = (): number => {
    const unit = random.unit();
    const place = unit * total;
    if (place < 1) return 0;
    if (place < 1 + 0.5 ** theta) return Math.min(1, blocks - 1);
    return Math.min(blocks - 1, Math.floor(blocks * (eta * unit - eta + 1) ** alpha));
  };
  return spread(blocks, random, rank);
}

/** Pareto: a share `power` of the blocks gets a share 1-`power` of the accesses, at every scale. */
export function pareto(blocks: number, power: number, random: Random): BlockOrder {
  const exponent = Math.log(power) / Math.log(1 - power);
  const rank = () => Math.min(blocks - 1, Math.floor(blocks * random.unit() ** exponent));
  return spread(blocks, random, rank);
}

/** Around the middle of the region, with a standard deviation in percent of it. */
export function normal(blocks: number, deviation: number, random: Random): BlockOrder {
  const middle = blocks / 2;
  const scale = (blocks * deviation) / 100;
  const next = (): number => {
    for (;;) {
      const radius = Math.sqrt(-2 * Math.log(1 - random.unit()));
      const block = Math.floor(middle + scale * radius * Math.cos(2 * Math.PI * random.unit()));
      if (block >= 0 && block < blocks) return block;
    }
  };
  return { next, archive: () => {} };
}

/** Consecutive parts of the region, each with its share of the accesses; evenly inside each. */
export function zoned(blocks: number, zones: readonly AccessZone[], random: Random): BlockOrder {
  const accesses: number[] = [];
  const starts: number[] = [];
  let access = 0;
  let size = 0;
  for (const zone of zones) {
    starts.push(Math.floor((blocks * size) / 100));
    access += zone.access;
    size += zone.size;
    accesses.push(access);
  }
  const ends = [...starts.slice(1), Math.min(blocks, Math.floor((blocks * size) / 100))];
  const next = (): number => {
    const drawn = random.unit() * 100;
    let zone = 0;
    while (drawn >= accesses[zone]!) zone++;
    const start = starts[zone]!;
    return start + random.below(Math.max(1, ends[zone]! - start));
  };
  return { next, archive: () => {} };
}

/** The order that a job asks for; `mapped` visits every block once in each pass. */
export function orderOf(
  blocks: number,
  distribution: Distribution,
  mapped: boolean,
  random: Random,
): BlockOrder {
  switch (distribution.kind) {
    case 'zipf':
      return zipf(blocks, distribution.value, random);
    case 'pareto':
      return pareto(blocks, distribution.value, random);
    case 'normal':
      return normal(blocks, distribution.value, random);
    case 'zoned':
      return zoned(blocks, distribution.zones, random);
    default:
      return mapped ? shuffled(blocks, random) : uniform(blocks, random);
  }
}

/**
 * Seeded random numbers: xoshiro128** with one named stream per source of chance,
 * so that a new source never shifts the draws of the others.
 */
import type { Archive } from './archive.ts';

export interface Random {
  /** The next 32 bits, unsigned. */
  next(): number;
  /** A whole number in `[0, limit)`; `limit` may be up to 2^53. */
  below(limit: number): number;
  /** A double in `[0, 1)` with 32 bits of resolution. */
  unit(): number;
  /** Saves or loads where the stream is. */
  archive(archive: Archive): void;
}

const rotl = (value: number, count: number): number => (value << count) | (value >>> (32 - count));

/** A generator for stream `name` of `seed`. The same pair gives the same draws on every machine. */
export function random(seed: number, name: string): Random {
  // SplitMix32 over the seed and the bytes of the name fills the state.
  let mix = seed >>> 0;
  const split = (input: number): number => {
    mix = (mix + 0x9e37_79b9 + input) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return z ^ (z >>> 16);
  };
  split(Math.floor(seed / 0x1_0000_0000));
  for (let i = 0; i < name.length; i++) split(name.charCodeAt(i));
  let a = split(1);
  let b = split(2);
  let c = split(3);
  let d = split(4);

  const next = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  const unit = (): number => next() / 0x1_0000_0000;
  const below = (limit: number): number =>
    limit <= 0x1_0000_0000
      ? Math.floor(unit() * limit)
      : Math.floor(((next() >>> 5) * 0x400_0000 + (next() >>> 6)) * (limit / 0x20_0000_0000_0000));
  const archive = (state: Archive): void => {
    [a, b, c, d] = state.value([a, b, c, d]) as [number, number, number, number];
  };
  return { next, below, unit, archive };
}

/**
 * Bit fields of one 32-bit word, declared once with the specification's own names and `[high, low]` order.
 * Not for 64-bit registers: declare each half as a word of its own.
 */
import { assert } from './assert.ts';

/** A single bit number, or `[high, low]` inclusive. */
export type BitRange = number | readonly [high: number, low: number];

/** One field of a word. All arithmetic is on unsigned 32-bit numbers. */
export interface BitField {
  readonly low: number;
  /** The field's bits in place, unsigned. */
  readonly mask: number;
  get(word: number): number;
  /** `word` with this field replaced; bits of `value` beyond the field are dropped. */
  set(word: number, value: number): number;
}

export type Bits<Names extends string> = { readonly [Name in Names]: BitField } & {
  /** A word with the given fields set and all others zero. */
  encode(values: Partial<Record<Names, number>>): number;
  /** Every field by name, for logs and tests. */
  decode(word: number): Record<Names, number>;
};

/** Declares the fields of a word. Throws at load time when two fields overlap or leave the word. */
export function bits<const Declaration extends Record<string, BitRange>>(
  declaration: Declaration,
): Bits<keyof Declaration & string> {
  const fields = new Map<string, BitField>();
  let used = 0;
  for (const [name, range] of Object.entries<BitRange>(declaration)) {
    const [high, low] = typeof range === 'number' ? [range, range] : range;
    assert(low >= 0 && high >= low && high < 32, `bit field ${name} [${high}:${low}] leaves the word`);
    const plain = high - low === 31 ? 0xffff_ffff : (1 << (high - low + 1)) - 1;
    const mask = (plain << low) >>> 0;
    assert((used & mask) === 0, `bit field ${name} overlaps another`);
    used |= mask;
    fields.set(name, {
      low,
      mask,
      get: (word) => (word & mask) >>> low,
      set: (word, value) => ((word & ~mask) | ((value << low) & mask)) >>> 0,
    });
  }
  const encode = (values: Record<string, number | undefined>): number => {
    let word = 0;
    for (const [name, value] of Object.entries(values)) word = fields.get(name)!.set(word, value ?? 0);
    return word >>> 0;
  };
  const decode = (word: number) =>
    Object.fromEntries([...fields].map(([name, field]) => [name, field.get(word)]));
  return { ...Object.fromEntries(fields), encode, decode } as unknown as Bits<keyof Declaration & string>;
}

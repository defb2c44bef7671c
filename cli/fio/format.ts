/**
 * Numbers as fio prints them: a limited number of digits, units of 1000 or 1024. Not here: the lines (report.ts).
 */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/**
 * A whole number in at most `digits` digits, divided by `step` as often as that takes, with what decimals then fit and its
 * prefix behind it, as fio's num2str does.
 */
export function shorten(value: number, digits: number, step: 1000 | 1024): string {
  let whole = Math.floor(value);
  let rest = 0;
  let power = 0;
  while (String(whole).length > digits && power < PREFIXES.length - 1) {
    rest = whole - Math.floor(whole / step) * step;
    whole = Math.floor(whole / step);
    power++;
  }
  const prefix = step === 1024 && power > 0 ? `${PREFIXES[power]!.toUpperCase()}i` : PREFIXES[power]!;
  const decimals = digits - String(whole).length - 1;
  if (power === 0) return `${whole}${prefix}`;
  if (decimals < 1) return `${whole + (rest >= step / 2 ? 1 : 0)}${prefix}`;
  return `${(whole + rest / step).toFixed(decimals)}${prefix}`;
}

const DIGITS = 4;

/** A rate of operations: `80.3k`. */
export const count = (value: number): string => shorten(value, DIGITS, 1000);
/** Bytes in powers of 1024 and of 1000: `16.0MiB`, `16.8MB`. */
export const binaryBytes = (bytes: number): string => `${shorten(bytes, DIGITS, 1024)}B`;
export const decimalBytes = (bytes: number): string => `${shorten(bytes, DIGITS, 1000)}B`;

/** A run's length: milliseconds as fio has them, microseconds where that would say little. */
export const duration = (ns: number): string =>
  ns >= 10e6 ? `${Math.round(ns / 1e6)}msec` : `${Math.round(ns / 1e3)}usec`;

export interface TimeUnit {
  readonly name: 'nsec' | 'usec' | 'msec';
  readonly ns: number;
  /** Steps of 1000 from nanoseconds. */
  readonly steps: number;
}

const NSEC: TimeUnit = { name: 'nsec', ns: 1, steps: 0 };
const USEC: TimeUnit = { name: 'usec', ns: 1e3, steps: 1 };
const MSEC: TimeUnit = { name: 'msec', ns: 1e6, steps: 2 };

/** The unit in which fio shows values from `min` to `max` ns; `deviation` is Infinity where it does not count. */
export function timeUnit(min: number, max: number, deviation = Number.POSITIVE_INFINITY): TimeUnit {
  if (min > 2e6 && max > 99_999_999 && deviation > 1e6) return MSEC;
  return min > 2e3 && max > 99_999 && deviation > 1e3 ? USEC : NSEC;
}

/**
 * Addresses, sizes and their text. Addresses are numbers below 2^53; a 64-bit field is two 32-bit words.
 * Never use `%` on an address (ten times slower than `&` and `Math.floor`).
 */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** Smallest page of the machine: host, IOMMU and NVMe agree on it by default. */
export const PAGE_SIZE = 4096;
export const PAGE_MASK = PAGE_SIZE - 1;

const TWO_32 = 0x1_0000_0000;

/** A number from the two words of a 64-bit field. Exact below 2^53, the nearest double above. */
export const u64 = (low: number, high: number): number => (high >>> 0) * TWO_32 + (low >>> 0);
/** Low word of an address, unsigned. */
export const lowWord = (value: number): number => value >>> 0;
/** High word of an address, unsigned. */
export const highWord = (value: number): number => Math.floor(value / TWO_32) >>> 0;

/** `value` rounded up to a multiple of `unit`, which is a power of two. */
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
/** `value` rounded down to a multiple of `unit`, which is a power of two. */
export const alignDown = (value: number, unit: number): number => Math.floor(value / unit) * unit;
export const isPowerOfTwo = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));

/** `0x`-prefixed hexadecimal, zero padded to `digits`. */
export const hex = (value: number | bigint, digits = 0): string =>
  `0x${value.toString(16).padStart(digits, '0')}`;

const UNITS: Record<string, number> = { '': 1, b: 1, k: KIB, m: MIB, g: GIB, t: 1024 * GIB };

/**
 * Bytes of a size as fio writes it: `4096`, `4k`, `1m`, `2g`, `1t` (powers of 1024; `KiB` and `kb` mean the same).
 * Returns NaN when `text` is not a size.
 */
export function parseSize(text: string): number {
  const match = /^(0x[0-9a-f]+|\d+(?:\.\d+)?)([kmgt]?)(i?b)?$/i.exec(text.trim());
  if (match === null) return Number.NaN;
  return Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
}

/** Bytes as a short text in powers of 1024: `4KiB`, `64MiB`, `1.50GiB`. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ['TiB', 1024 * GIB],
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ] as const) {
    if (bytes >= size)
      return `${Number.isInteger(bytes / size) ? bytes / size : (bytes / size).toFixed(2)}${unit}`;
  }
  return `${bytes}B`;
}

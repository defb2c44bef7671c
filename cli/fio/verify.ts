/**
 * What a verified block carries and how it is checked, so that a lost, stale, misplaced or damaged block is told apart.
 * verify=crc32c: a 32-byte header (offset, seed, write number, checksums) and a payload derived from them.
 * verify=pattern: the pattern over the whole block, with the offset where the pattern has %o; a stale block looks good.
 * Not here: which blocks were written and when they are read back (job.ts).
 */
import { crc32c } from '../../support/crc32c.ts';
import { layout } from '../../support/layout.ts';
import { hex, highWord, lowWord, u64 } from '../../support/numbers.ts';
import type { VerifyPattern } from './pattern.ts';

/** Blocks of one size inside one buffer. Offsets `at` are into the buffer and multiples of 4. */
export interface BlockVerifier {
  /** Makes the block at `at` the one that write `number` puts at byte `offset` of the namespace. */
  fill(at: number, offset: number, number: number): void;
  /**
   * Returns null when the block at `at` is the one that belongs at `offset`, else a sentence saying what it is.
   * `number` is the last write of this block, or ANY_WRITE when that is not known.
   */
  check(at: number, offset: number, number: number): string | null;
}

/** Accepts a block of any write and any seed, as long as it is whole and in its place. */
export const ANY_WRITE = -1;

/** Header of a block; all words little endian. The checksums are CRC-32C. */
const HEADER = layout(
  {
    MAGIC: 'u32',
    LENGTH: 'u32',
    OFFSET: 'u32',
    OFFSET_HI: 'u32',
    SEED: 'u32',
    NUMBER: 'u32',
    PAYLOAD: 'u32',
    SELF: 'u32',
  },
  32,
);
/** "DBv1" as bytes. */
const MAGIC = 0x3176_4244;

/** Blocks of `length` bytes with a header, in `buffer`. */
export function headerVerifier(buffer: Uint8Array, length: number, seed: number): BlockVerifier {
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.byteLength >>> 2);
  const word = (at: number, field: number): number => words[(at + field) >>> 2]!;
  const payload = (at: number): number => crc32c(buffer, at + HEADER.SIZE, at + length);
  const self = (at: number): number => crc32c(buffer, at, at + HEADER.SELF);

  const fill = (at: number, offset: number, number: number): void => {
    let state = (seed ^ Math.imul(number + 1, 0x9e37_79b9) ^ lowWord(offset)) | 1;
    const end = (at + length) >>> 2;
    for (let index = (at + HEADER.SIZE) >>> 2; index < end; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
    const header = at >>> 2;
    words[header] = MAGIC;
    words[header + (HEADER.LENGTH >>> 2)] = length;
    words[header + (HEADER.OFFSET >>> 2)] = lowWord(offset);
    words[header + (HEADER.OFFSET_HI >>> 2)] = highWord(offset);
    words[header + (HEADER.SEED >>> 2)] = seed;
    words[header + (HEADER.NUMBER >>> 2)] = number;
    words[header + (HEADER.PAYLOAD >>> 2)] = payload(at);
    words[header + (HEADER.SELF >>> 2)] = self(at);
  };

  const check = (at: number, offset: number, number: number): string | null => {
    const magic = word(at, HEADER.MAGIC);
    if (magic !== MAGIC)
      return `no header, the block begins with ${hex(magic, 8)}; it was lost or never written`;
    if (word(at, HEADER.SELF) !== self(at)) return 'the header is damaged';
    const place = u64(word(at, HEADER.OFFSET), word(at, HEADER.OFFSET_HI));
    if (place !== offset) return `misplaced: this is the block of offset ${place}`;
    if (word(at, HEADER.LENGTH) !== length)
      return `written as ${word(at, HEADER.LENGTH)} bytes, read as ${length}`;
    if (
      number !== ANY_WRITE &&
      (word(at, HEADER.NUMBER) !== number || word(at, HEADER.SEED) !== seed >>> 0)
    ) {
      const found = `${word(at, HEADER.NUMBER)} of seed ${hex(word(at, HEADER.SEED))}`;
      return `stale: holds write ${found}, the last one was ${number} of seed ${hex(seed >>> 0)}`;
    }
    const computed = payload(at);
    const stored = word(at, HEADER.PAYLOAD);
    return computed === stored
      ? null
      : `bad crc32c: the data give ${hex(computed, 8)}, the header says ${hex(stored, 8)}`;
  };
  return { fill, check };
}

/** Blocks of `length` bytes filled with a repeating pattern, in `buffer`. */
export function patternVerifier(buffer: Uint8Array, length: number, pattern: VerifyPattern): BlockVerifier {
  const period = pattern.bytes.length;
  const expected = new Uint8Array(length);
  for (let start = 0; start < length; start += period) {
    expected.set(pattern.bytes.subarray(0, Math.min(period, length - start)), start);
  }
  const prepare = (offset: number): void => {
    for (const place of pattern.offsets) {
      for (let at = place; at < length; at += period) {
        for (let byte = 0; byte < 8 && at + byte < length; byte++) {
          const half = byte < 4 ? lowWord(offset) : highWord(offset);
          expected[at + byte] = half >>> ((byte & 3) * 8);
        }
      }
    }
  };

  const fill = (at: number, offset: number): void => {
    prepare(offset);
    buffer.set(expected, at);
  };

  const check = (at: number, offset: number): string | null => {
    prepare(offset);
    for (let index = 0; index < length; index++) {
      const found = buffer[at + index]!;
      if (found === expected[index]) continue;
      return `bad pattern at byte ${index} of the block: got ${hex(found, 2)}, expected ${hex(expected[index]!, 2)}`;
    }
    return null;
  };
  return { fill, check };
}

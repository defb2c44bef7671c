/**
 * What a verified block carries and how it is checked, so that a lost, stale, misplaced or damaged block is told apart.
 * Methods with a header: fio's own 40 bytes, a checksum or digest of the payload behind it, and the payload. The real fio
 * reads what crc32c, pattern and meta write, and these read what it writes (its digests of the sha and md5 methods are
 * its own). verify=pattern: the pattern over the whole block, with its offset where the pattern has %o.
 * Not here: which blocks were written and when they are read back (workload.ts).
 */
import { createHash } from 'node:crypto';
import { crc32c } from '../../support/crc32c.ts';
import { layout } from '../../support/layout.ts';
import { hex, highWord, lowWord, u64 } from '../../support/numbers.ts';
import { HASHES, type VerifyMethod } from './options.ts';
import type { VerifyPattern } from './pattern.ts';

/** Blocks inside one buffer. Offsets `at` are into the buffer and multiples of 4, lengths those of the I/O. */
export interface BlockVerifier {
  /** Makes the `bytes` bytes at `at` what write `number` puts at byte `offset` of the namespace. */
  fill(at: number, offset: number, bytes: number, number: number): void;
  /**
   * Returns null when the bytes at `at` are those that belong at `offset`, else a sentence saying what they are.
   * `number` is the last write there, or ANY_WRITE when that is not known.
   */
  check(at: number, offset: number, bytes: number, number: number): string | null;
}

/** Accepts a block of any write and any seed, as long as it is whole and in its place. */
export const ANY_WRITE = -1;
/** The block is not looked at. */
export const UNCHECKED = -2;

/** fio's header in front of a verified block, little endian. SELF is the checksum of what stands before it. */
export const HEADER = layout(
  {
    MAGIC: 2,
    TYPE: 2,
    LENGTH: 'u32',
    SEED: 'u32',
    NUMBER: 'u32',
    OFFSET: 'u32',
    OFFSET_HI: 'u32',
    TIME: 8,
    THREAD: 2,
    NUMBER_LOW: 2,
    SELF: 'u32',
  },
  40,
);
const MAGIC = 0xacca;

interface Method {
  /** Number of the method in a header. */
  readonly type: number;
  /** Bytes of the checksum behind the header. */
  readonly bytes: number;
  /** Checksum of `buffer[from, to)`; null: the method has none. */
  readonly digest: ((buffer: Uint8Array, from: number, to: number) => Uint8Array) | null;
}

const HASH_BYTES: Readonly<Record<(typeof HASHES)[number], readonly [type: number, bytes: number]>> = {
  md5: [2, 16],
  sha1: [16, 20],
  sha256: [9, 32],
  sha512: [10, 64],
  'sha3-224': [11, 28],
  'sha3-256': [12, 32],
  'sha3-384': [13, 48],
  'sha3-512': [14, 64],
};

const CRC_BYTES = 4;
const crc = new Uint8Array(CRC_BYTES);
const crcWord = new DataView(crc.buffer);

/** fio leaves the last inversion of the CRC-32C out. */
const fioCrc = (buffer: Uint8Array, from: number, to: number): number => ~crc32c(buffer, from, to) >>> 0;

function crc32cDigest(buffer: Uint8Array, from: number, to: number): Uint8Array {
  crcWord.setUint32(0, fioCrc(buffer, from, to), true);
  return crc;
}

function methodOf(method: VerifyMethod): Method {
  const hash = HASHES.find((name) => name === method);
  if (hash === undefined)
    return method === 'crc32c'
      ? { type: 5, bytes: CRC_BYTES, digest: crc32cDigest }
      : { type: 1, bytes: 0, digest: null };
  const [type, bytes] = HASH_BYTES[hash];
  // The memory is shared, and node:crypto takes only a copy of such bytes.
  const digest = (buffer: Uint8Array, from: number, to: number) =>
    createHash(hash).update(buffer.slice(from, to)).digest();
  return { type, bytes, digest };
}

export interface HeaderOptions {
  readonly method: VerifyMethod;
  /** Bytes with a header of their own; 0: the whole I/O. */
  readonly interval: number;
  /** Where the header changes places with the data. */
  readonly headerOffset: number;
  /** Payload; null: random words of the seed. */
  readonly pattern: VerifyPattern | null;
  readonly seed: number;
}

/** Blocks with a header, in `buffer`. */
export function headerVerifier(buffer: Uint8Array, options: HeaderOptions): BlockVerifier {
  const { interval } = options;
  const blocks = new HeaderBlocks(buffer, options);
  return {
    fill: (at, offset, bytes, number) => {
      const step = interval === 0 ? bytes : interval;
      for (let done = 0; done < bytes; done += step) blocks.fill(at + done, offset + done, step, number);
    },
    check: (at, offset, bytes, number) => {
      const step = interval === 0 ? bytes : interval;
      for (let done = 0; done < bytes; done += step) {
        const wrong = blocks.check(at + done, offset + done, step, number);
        if (wrong !== null) return done === 0 ? wrong : `${wrong} (${done} bytes into the block)`;
      }
      return null;
    },
  };
}

class HeaderBlocks {
  readonly #buffer: Uint8Array;
  readonly #words: Uint32Array;
  readonly #method: Method;
  readonly #name: string;
  /** Bytes of the header and the checksum behind it. */
  readonly #headerBytes: number;
  readonly #headerOffset: number;
  readonly #pattern: BlockVerifier | null;
  readonly #seed: number;

  constructor(buffer: Uint8Array, { method, headerOffset, pattern, seed }: HeaderOptions) {
    this.#buffer = buffer;
    this.#words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.byteLength >>> 2);
    this.#method = methodOf(method);
    this.#name = method;
    this.#headerBytes = HEADER.SIZE + this.#method.bytes;
    this.#headerOffset = headerOffset;
    this.#pattern = pattern === null ? null : patternVerifier(buffer, pattern);
    this.#seed = seed >>> 0;
  }

  fill(at: number, offset: number, length: number, number: number): void {
    const words = this.#words;
    const header = at >>> 2;
    if (this.#pattern !== null) this.#pattern.fill(at, offset, length, number);
    else this.#randomise(at, offset, length, number);
    words[header] = (MAGIC | (this.#method.type << 16)) >>> 0;
    words[header + HEADER.LENGTH / 4] = length;
    words[header + HEADER.SEED / 4] = this.#seed;
    words[header + HEADER.NUMBER / 4] = number;
    words[header + HEADER.OFFSET / 4] = lowWord(offset);
    words[header + HEADER.OFFSET_HI / 4] = highWord(offset);
    words[header + HEADER.TIME / 4] = 0;
    words[header + HEADER.TIME / 4 + 1] = 0;
    words[header + HEADER.THREAD / 4] = 1 | (number << 16);
    words[header + HEADER.SELF / 4] = this.#self(at);
    const { digest } = this.#method;
    if (digest !== null)
      this.#buffer.set(digest(this.#buffer, at + this.#headerBytes, at + length), at + HEADER.SIZE);
    this.#swap(at);
  }

  #randomise(at: number, offset: number, length: number, number: number): void {
    const words = this.#words;
    let state = (this.#seed ^ Math.imul(number + 1, 0x9e37_79b9) ^ lowWord(offset)) | 1;
    const end = (at + length) >>> 2;
    for (let index = (at + HEADER.SIZE) >>> 2; index < end; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
  }

  #self(at: number): number {
    return fioCrc(this.#buffer, at, at + HEADER.SELF);
  }

  /** Header and data change places where the job wants the header elsewhere. */
  #swap(at: number): void {
    const to = at + this.#headerOffset;
    if (to === at) return;
    const buffer = this.#buffer;
    for (let index = 0; index < this.#headerBytes; index++) {
      const byte = buffer[at + index]!;
      buffer[at + index] = buffer[to + index]!;
      buffer[to + index] = byte;
    }
  }

  check(at: number, offset: number, length: number, number: number): string | null {
    this.#swap(at);
    const words = this.#words;
    const header = at >>> 2;
    const word = (field: number): number => words[header + (field >>> 2)]!;
    const [magic, type] = [words[header]! & 0xffff, words[header]! >>> 16];
    if (magic !== MAGIC)
      return `no header, the block begins with ${hex(words[header]!, 8)}; it was lost or never written`;
    if (word(HEADER.SELF) !== this.#self(at)) return 'the header is damaged';
    const place = u64(word(HEADER.OFFSET), word(HEADER.OFFSET_HI));
    if (place !== offset) return `misplaced: this is the block of offset ${place}`;
    if (word(HEADER.LENGTH) !== length) return `written as ${word(HEADER.LENGTH)} bytes, read as ${length}`;
    if (type !== this.#method.type) return `written with another verify method (${type}) than ${this.#name}`;
    if (number !== ANY_WRITE && (word(HEADER.NUMBER) !== number || word(HEADER.SEED) !== this.#seed)) {
      const found = `${word(HEADER.NUMBER)} of seed ${hex(word(HEADER.SEED))}`;
      return `stale: holds write ${found}, the last one was ${number} of seed ${hex(this.#seed)}`;
    }
    return this.#checkPayload(at, length);
  }

  #checkPayload(at: number, length: number): string | null {
    const { digest, bytes } = this.#method;
    const from = at + this.#headerBytes;
    if (digest === null) return null;
    const computed = digest(this.#buffer, from, at + length);
    const stored = this.#buffer.subarray(from - bytes, from);
    for (let index = 0; index < bytes; index++) {
      if (computed[index] === stored[index]) continue;
      return `bad ${this.#name}: the data give ${digits(computed)}, the header says ${digits(stored)}`;
    }
    return null;
  }
}

const digits = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

/** Blocks filled with a repeating pattern, in `buffer`. */
export function patternVerifier(buffer: Uint8Array, pattern: VerifyPattern): BlockVerifier {
  const period = pattern.bytes.length;
  let expected = new Uint8Array(0);
  const prepare = (offset: number, length: number): void => {
    if (expected.length < length) {
      expected = new Uint8Array(length);
      for (let start = 0; start < length; start += period) {
        expected.set(pattern.bytes.subarray(0, Math.min(period, length - start)), start);
      }
    }
    for (const place of pattern.offsets) {
      for (let at = place; at < length; at += period) {
        for (let byte = 0; byte < 8 && at + byte < length; byte++) {
          const half = byte < 4 ? lowWord(offset) : highWord(offset);
          expected[at + byte] = half >>> ((byte & 3) * 8);
        }
      }
    }
  };

  const fill = (at: number, offset: number, length: number): void => {
    prepare(offset, length);
    buffer.set(length === expected.length ? expected : expected.subarray(0, length), at);
  };

  const check = (at: number, offset: number, length: number): string | null => {
    prepare(offset, length);
    for (let index = 0; index < length; index++) {
      const found = buffer[at + index]!;
      if (found === expected[index]) continue;
      return `bad pattern at byte ${index} of the block: got ${hex(found, 2)}, expected ${hex(expected[index]!, 2)}`;
    }
    return null;
  };
  return { fill, check };
}

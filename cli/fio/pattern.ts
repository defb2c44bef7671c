/**
 * The text of fio's verify_pattern as bytes: numbers, "strings" and %o (the block's own offset), one behind the other.
 * Not here: filling and checking blocks with it (verify.ts).
 */

/** Bytes that repeat over a block; `offsets` are places of 8 bytes that hold the block's offset, little endian. */
export interface VerifyPattern {
  readonly bytes: Uint8Array;
  readonly offsets: readonly number[];
}

const OFFSET_BYTES = 8;
const TOKEN = /"([^"]*)"|(%o)|0x([0-9a-f]+)|(-?\d+)/iy;

/** Returns null when the text is not a pattern. */
export function parsePattern(text: string): VerifyPattern | null {
  const bytes: number[] = [];
  const offsets: number[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) return null;
    const [, string, offset, digits, decimal] = match;
    if (string !== undefined) bytes.push(...new TextEncoder().encode(string));
    else if (digits !== undefined) bytes.push(...hexBytes(digits));
    else if (decimal !== undefined) bytes.push(...littleEndian(Number(decimal)));
    else if (offset !== undefined) {
      offsets.push(bytes.length);
      bytes.push(...new Uint8Array(OFFSET_BYTES));
    }
  }
  return bytes.length === 0 ? null : { bytes: Uint8Array.from(bytes), offsets };
}

/** Hexadecimal digits are bytes in the order they are written; an odd first digit is a byte of its own. */
function hexBytes(digits: string): number[] {
  const even = digits.length & 1 ? `0${digits}` : digits;
  return even.match(/../g)!.map((pair) => Number.parseInt(pair, 16));
}

/** A decimal number is a 32-bit word, least significant byte first, without its leading zero bytes. */
function littleEndian(value: number): number[] {
  const bytes = [value & 0xff];
  for (let rest = value >>> 8; rest !== 0; rest >>>= 8) bytes.push(rest & 0xff);
  return bytes;
}

/**
 * CRC-32C (Castagnoli), as iSCSI, ext4 and fio's verify=crc32c use it: reflected, initial value and final XOR all ones.
 * Sliced by eight, so eight bytes cost eight table loads.
 */
import { assert } from './assert.ts';

/** x^32 + ... in reflected order (RFC 3720 §12.1). */
const POLYNOMIAL = 0x82f6_3b78;
const SLICES = 8;

/** Table `slice`, at slice << 8: what a byte contributes when `slice` more bytes follow it. */
const TABLE = new Int32Array(SLICES << 8);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  TABLE[byte] = crc;
}
for (let index = 256; index < TABLE.length; index++) {
  const previous = TABLE[index - 256]!;
  TABLE[index] = (previous >>> 8) ^ TABLE[previous & 0xff]!;
}

/** CRC-32C of `bytes[from, to)`, unsigned. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = -1;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      TABLE[0x700 | (low & 0xff)]! ^
      TABLE[0x600 | ((low >>> 8) & 0xff)]! ^
      TABLE[0x500 | ((low >>> 16) & 0xff)]! ^
      TABLE[0x400 | (low >>> 24)]! ^
      TABLE[0x300 | bytes[at + 4]!]! ^
      TABLE[0x200 | bytes[at + 5]!]! ^
      TABLE[0x100 | bytes[at + 6]!]! ^
      TABLE[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

assert(
  crc32c(Uint8Array.from('123456789', (digit) => digit.charCodeAt(0))) === 0xe306_9283,
  'CRC-32C check value',
);

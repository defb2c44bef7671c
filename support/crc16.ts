/**
 * CRC-16 of T10 DIF, the 16-bit guard of protection information: polynomial 8BB7h, not reflected, from 0, nothing
 * inverted (NVM Command Set 1.1 §5.3.1.1).
 */
const POLYNOMIAL = 0x8bb7;

const TABLE = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  TABLE[byte] = crc;
}

/** CRC-16 of `bytes[from, to)`, going on from `crc`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length, crc = 0): number {
  let value = crc;
  for (let at = from; at < to; at++) {
    value = ((value << 8) & 0xffff) ^ TABLE[((value >>> 8) ^ bytes[at]!) & 0xff]!;
  }
  return value;
}

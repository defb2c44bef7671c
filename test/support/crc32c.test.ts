/** CRC-32C against the test vectors of RFC 3720 appendix B.4 and a bitwise computation. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../../support/crc32c.ts';

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  test.each([
    ['32 bytes of zeroes', new Uint8Array(32), 0x8a91_36aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8_ab43],
    ['32 ascending bytes', Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd_794e],
    ['32 descending bytes', Uint8Array.from({ length: 32 }, (_, index) => 31 - index), 0x113f_db5c],
    ['nothing', new Uint8Array(0), 0],
  ])('RFC 3720 B.4: %s', (_, bytes, expected) => expect(crc32c(bytes)).toBe(expected));

  test('any part of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const from = Math.min(cut, bytes.length);
        expect(crc32c(bytes, from)).toBe(bitwise(bytes.subarray(from)));
        expect(crc32c(bytes, 0, from)).toBe(bitwise(bytes.subarray(0, from)));
      }),
    );
  });
});

/**
 * CRC-64 of NVMe, the 64-bit guard of protection information: polynomial AD93D23594C93659h, reflected, initial value
 * and final XOR all ones (NVM Command Set 1.1 §5.3.1.3). Kept in two 32-bit words: no BigInt per byte.
 */

/** The polynomial in reflected order: high word, low word. */
const REFLECTED = [0x9a6c_9329, 0xac4b_c9b5] as const;

const TABLE_LOW = new Int32Array(256);
const TABLE_HIGH = new Int32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const isOdd = (low & 1) === 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (!isOdd) continue;
    high ^= REFLECTED[0];
    low ^= REFLECTED[1];
  }
  TABLE_LOW[byte] = low;
  TABLE_HIGH[byte] = high;
}

/** Running value over bytes that come in pieces. */
export class Crc64 {
  #low = -1;
  #high = -1;

  update(bytes: Uint8Array, from: number, to: number): this {
    let low = this.#low;
    let high = this.#high;
    for (let at = from; at < to; at++) {
      const index = (low ^ bytes[at]!) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ TABLE_LOW[index]!;
      high = (high >>> 8) ^ TABLE_HIGH[index]!;
    }
    this.#low = low;
    this.#high = high;
    return this;
  }

  /** Low word of the CRC, unsigned. */
  get low(): number {
    return ~this.#low >>> 0;
  }

  /** High word of the CRC, unsigned. */
  get high(): number {
    return ~this.#high >>> 0;
  }
}

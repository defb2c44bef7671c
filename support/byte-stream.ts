/**
 * Bytes that are written from the beginning to the end, or read in the same order by the same calls: each takes what is to
 * be written, and gives what is there. Numbers are little endian. Not here: what the bytes mean (archive.ts).
 */

const FIRST_BYTES = 1 << 16;
/** Long runs of bytes are looked at in pieces of this length. */
export const PAGE_BYTES = 4096;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class ByteStream {
  readonly isReading: boolean;
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  readonly #onEnd: () => never;

  /** Reads `bytes`, or writes where they are null. `onEnd` throws what is thrown when there are no more to read. */
  constructor(bytes: Uint8Array | null, onEnd: () => never) {
    this.isReading = bytes !== null;
    // A plain view, because a Buffer of Node has a `slice` that is no copy.
    this.#bytes =
      bytes === null
        ? new Uint8Array(FIRST_BYTES)
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    this.#onEnd = onEnd;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#at;
  }

  /** How many bytes there are to read still. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** What was written. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** The place of `bytes` bytes, which the stream then is behind. */
  #room(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at <= this.#bytes.length) return at;
    if (this.isReading) this.#onEnd();
    const longer = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length));
    longer.set(this.#bytes);
    this.#bytes = longer;
    this.#view = new DataView(longer.buffer);
    return at;
  }

  byte(value: number): number {
    const at = this.#room(1);
    if (!this.isReading) this.#bytes[at] = value;
    return this.#bytes[at]!;
  }

  /** An unsigned 32-bit number. */
  word(value: number): number {
    const at = this.#room(4);
    if (!this.isReading) this.#view.setUint32(at, value, true);
    return this.#view.getUint32(at, true);
  }

  /** Overwrites a word that was written at byte `at`. */
  patch(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  number(value: number): number {
    const at = this.#room(8);
    if (!this.isReading) this.#view.setFloat64(at, value, true);
    return this.#view.getFloat64(at, true);
  }

  text(text: string): string {
    const bytes = encoder.encode(text);
    const length = this.word(bytes.length);
    const at = this.#room(length);
    if (!this.isReading) this.#bytes.set(bytes, at);
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** Fills `bytes`, or writes them. */
  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    if (this.isReading) bytes.set(this.#bytes.subarray(at, at + bytes.length));
    else this.#bytes.set(bytes, at);
  }

  /** As `raw`, page by page, where a page like the one before takes one byte: large tables are empty for the most part. */
  pages(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      const end = Math.min(at + PAGE_BYTES, bytes.length);
      const isAgain = !this.isReading && at > 0 && isRepeated(bytes, at, end);
      if (this.byte(isAgain ? 1 : 0) === 0) this.raw(bytes.subarray(at, end));
      else if (this.isReading) bytes.copyWithin(at, at - PAGE_BYTES, end - PAGE_BYTES);
    }
  }
}

/** Whether bytes from `at` to `end` are those a page before. */
function isRepeated(bytes: Uint8Array, at: number, end: number): boolean {
  let index = at;
  while (index < end && bytes[index] === bytes[index - PAGE_BYTES]) index++;
  return index === end;
}

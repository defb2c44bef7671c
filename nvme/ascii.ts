/** Fixed-width ASCII fields of Identify and of log pages: left justified, filled with spaces (Base 2.1 §1.4.2). */
import { assert } from '../support/assert.ts';

/** Writes `text` into the `length` bytes at byte `at` of `bytes`. It must be printable ASCII and fit. */
export function writeAscii(bytes: Uint8Array, at: number, length: number, text: string): void {
  assert(
    text.length <= length && /^[ -~]*$/.test(text),
    `"${text}" is not ASCII of at most ${length} characters`,
  );
  for (let i = 0; i < length; i++) bytes[at + i] = i < text.length ? text.charCodeAt(i) : 0x20;
}

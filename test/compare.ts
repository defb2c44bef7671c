/** Comparisons for tests that make many or large ones, where those of `expect` would take most of the time. */
import { expect } from 'vitest';

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer =>
  Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);

/** True when both hold the same bytes. `toEqual` takes milliseconds for a kilobyte, and prints it all when it fails. */
export const isSame = (left: ArrayBufferView, right: ArrayBufferView): boolean =>
  bytesOf(left).equals(bytesOf(right));

/** An expectation that is met a million times: only the one that fails is worth the microseconds of `expect`. */
export function equal<Value extends number | string | null>(found: Value, wanted: Value): void {
  if (found !== wanted) expect(found).toBe(wanted);
}

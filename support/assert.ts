/**
 * Assertions: a failed one is a bug of ours, never a user's or a driver's mistake. They stay on in production.
 */

/** Throws when `condition` is false. Not for input that a user or a driver controls. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks code that cannot run; the type checker proves that every case was handled before it. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable value ${String(value)}`);
}

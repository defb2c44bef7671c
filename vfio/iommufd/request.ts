/**
 * What a request is to the dispatcher: a function of the context and the argument. It returns what ioctl(2) returns;
 * whatever goes back to the caller, it writes itself.
 */
import type { Argument } from './argument.ts';
import { Ioas } from './ioas.ts';
import type { ContextState } from './state.ts';

export type Request = (state: ContextState, argument: Argument) => number;

/** The IOAS of an id, or null (ENOENT) when there is none or it is something else. */
export function ioasOf(state: ContextState, id: number): Ioas | null {
  const object = state.objects.get(id);
  return object instanceof Ioas ? object : null;
}

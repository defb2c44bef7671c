/** Reads log files inside tests before they are written. */
import type { LogText } from '../../cli/fio/logs.ts';

/** The lines of the first log whose path has `part` in it; none where there is no such log. */
export function linesOf(logs: readonly LogText[], part: string): string[] {
  const log = logs.find(({ path }) => path.includes(part));
  return log === undefined ? [] : [...log.pieces()].join('').split('\n').slice(0, -1);
}

/** What a program of the user threw, told with the places in the user's own files. Not here: errors that explain themselves. */
import { fileURLToPath } from 'node:url';
import { BoardError } from '../boards/index.ts';
import { UserError } from '../support/user-error.ts';
import { statusOf } from './exit-status.ts';

/** The package: this file is in its cli/ or in its dist/cli/. */
const OURS = fileURLToPath(new URL('../', import.meta.url)).replace(/dist[\\/]$/, '');

/**
 * A sentence with file and line, further frames of the user's below; `error` itself where none is in `file`. Errors that
 * explain themselves keep their sentences; `boardLine` is where a board is made that cannot exist.
 */
export function explained(error: unknown, what: string, file: string, boardLine?: number): unknown {
  if (!(error instanceof Error)) return new UserError(`${what}: the program threw ${String(error)}`, 1);
  const frames = [...(error.stack ?? '').matchAll(/^ +at .*$/gm)]
    .map(([line]) => line.replace('file://', ''))
    .filter((line) => line.includes(file) || !/node:|node_modules|native|<anonymous>/.test(line))
    .filter((line) => line.includes(file) || !line.includes(OURS));
  const line = /(\d+):\d+\)?$/.exec(frames.find((frame) => frame.includes(file)) ?? '')?.[1];
  const status = statusOf(error);
  const place = error instanceof BoardError ? (line ?? boardLine) : line;
  if (place === undefined) return error;
  if (status !== null) return new UserError(error.message.replace(/^/gm, `${what}:${place}: `), status);
  const more = frames.length > 1 ? `\n${frames.join('\n')}` : '';
  return new UserError(`${what}:${place}: the program threw ${error.name}: ${error.message}${more}`, 1);
}

/**
 * A file that is written whole or not at all: a new one is made beside it and takes its name. What is no regular file (a
 * pipe, a device) is written as it is. Not here: files that may be half there (logs, reports).
 */
import {
  accessSync,
  constants,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';

/** Throws the host's error where `replaceFile` would, but for want of space; changes nothing. */
export function probeReplace(path: string): void {
  const stat = statOf(path);
  if (stat !== undefined) accessSync(path, constants.W_OK);
  if (stat?.isDirectory()) throw new Error('it is a folder');
  if (stat !== undefined && !stat.isFile()) return;
  const part = partOf(path);
  writeFileSync(part, '');
  rmSync(part);
}

/** Makes `bytes` what the file holds. Throws the host's error; the file is then as it was. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const stat = statOf(path);
  if (stat !== undefined && !stat.isFile()) return writeFileSync(path, bytes);
  const part = partOf(path);
  try {
    writeFileSync(part, bytes, { mode: stat?.mode });
    renameSync(part, realPath(path));
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}

const statOf = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/** A link stays one: what it leads to is replaced. */
const realPath = (path: string): string => (statOf(path) === undefined ? path : realpathSync(path));

const partOf = (path: string): string => `${realPath(path)}.${process.pid}.part`;

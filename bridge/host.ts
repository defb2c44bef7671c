/**
 * What a Node host gives to a machine: images of namespaces as files, and a compiler that inlines the hot path.
 * Importing this file sets the flag, for everything that is optimised from then on.
 */
import { fstatSync, ftruncateSync, openSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import type { Memory } from '../machine/memory.ts';
import type { BlockStore } from '../nvme/block-store.ts';
import { formatSize, PAGE_SIZE } from '../support/numbers.ts';
import { FileStore } from './file-store.ts';

// One I/O crosses more small functions than V8 inlines by default, and a few that are not small; with this it is 1.3 to 2
// times faster.
setFlagsFromString('--max-inlined-bytecode-size-cumulative=9000');
setFlagsFromString('--max-inlined-bytecode-size=800');

/** An image that cannot be opened; the message names the file and the reason. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

const CANNOT_WRITE = ['EACCES', 'EPERM', 'EROFS'];

/**
 * Opens the image of a namespace of `bytes` bytes for `boot`; a file that does not exist is made, a short one grows as a
 * hole. A file that may only be read is opened for reading, and writes to it then fail. Throws ImageError.
 */
export function openStore(image: string, bytes: number, memory: Memory, readOnly = false): BlockStore {
  const window = memory.reserve(FileStore.WINDOW, PAGE_SIZE);
  if (window < 0) {
    throw new ImageError(
      `${image}: the board has no device memory left for a window of ${formatSize(FileStore.WINDOW)}; raise its media`,
    );
  }
  try {
    const { fd, isReadOnly } = open(image, readOnly);
    if (!fstatSync(fd).isFile()) throw new Error('not a regular file');
    if (!isReadOnly && fstatSync(fd).size < bytes) ftruncateSync(fd, bytes);
    return new FileStore(fd, image, bytes, isReadOnly, memory, window);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(`cannot open image ${image}: ${(error as Error).message}`);
  }
}

function open(image: string, readOnly: boolean): { fd: number; isReadOnly: boolean } {
  if (readOnly) return { fd: openSync(image, 'r'), isReadOnly: true };
  try {
    return { fd: openSync(image, 'r+'), isReadOnly: false };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT') return { fd: openSync(image, 'w+'), isReadOnly: false };
    if (CANNOT_WRITE.includes(code)) return { fd: openSync(image, 'r'), isReadOnly: true };
    throw error;
  }
}

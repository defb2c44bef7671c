/**
 * /dev/null, which also stands for the terminal behind descriptors 0, 1 and 2.
 */
import { OpenFile } from './file.ts';

/** Reading finds the end of the file, writing succeeds and keeps nothing. */
export class NullFile extends OpenFile {
  override readonly kind = 'null';

  override pread(): number {
    return 0;
  }

  override pwrite(source: Uint8Array): number {
    return source.length;
  }
}

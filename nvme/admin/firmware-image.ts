/**
 * What a firmware image of this drive looks like: a header with magic, revision, length and checksum, then anything.
 * The content means nothing; an image only names the revision that runs once it is active.
 * Not here: downloading and committing (firmware.ts).
 */
import { crc32c } from '../../support/crc32c.ts';
import { layout } from '../../support/layout.ts';
import { writeAscii } from '../ascii.ts';
import { FIRMWARE_GRANULE } from '../limits.ts';

/** LENGTH counts all bytes of the image, CRC covers those behind the header (CRC-32C). */
const HEADER = layout({ MAGIC: 8, REVISION: 8, LENGTH: 'u32', CRC: 'u32' }, 24);
const MAGIC = 'DOORBELL';

/** An image with this revision, at most 8 ASCII characters, of `bytes` bytes, a multiple of 4096. */
export function firmwareImage(revision: string, bytes = FIRMWARE_GRANULE): Uint8Array {
  const image = new Uint8Array(bytes);
  const view = new DataView(image.buffer);
  writeAscii(image, HEADER.MAGIC, 8, MAGIC);
  writeAscii(image, HEADER.REVISION, 8, revision);
  HEADER.set(view, 0, 'LENGTH', bytes);
  HEADER.set(view, 0, 'CRC', crc32c(image, HEADER.SIZE));
  return image;
}

/** The revision of an image, or null when it is not one. Only the first `present` bytes were downloaded. */
export function revisionOf(image: Uint8Array, present: number): string | null {
  if (present < HEADER.SIZE) return null;
  const view = new DataView(image.buffer);
  const text = (at: number) => String.fromCharCode(...image.subarray(at, at + 8));
  const length = HEADER.get(view, 0, 'LENGTH');
  if (text(HEADER.MAGIC) !== MAGIC || length < HEADER.SIZE || length > present) return null;
  if (HEADER.get(view, 0, 'CRC') !== crc32c(image, HEADER.SIZE, length)) return null;
  const revision = text(HEADER.REVISION);
  return /^[ -~]+$/.test(revision) ? revision : null;
}

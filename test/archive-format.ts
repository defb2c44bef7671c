/**
 * The format of saved state as a number: a checksum of every function that is given an archive, and of the archive itself.
 * Run by itself (`npm run archive:format`) it writes support/archive-format.ts; archive.test.ts compares the two.
 * Not here: what a run is made of, the head of a file (the version of Doorbell is for that).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { FORMAT } from '../support/archive-format.ts';
import { crc32c } from '../support/crc32c.ts';
import { archiveFiles } from './archive-files.ts';
import { archiveTexts } from './changing-fields.ts';

const CONSTANT = 'support/archive-format.ts';
/** How values become bytes. */
const WHOLE = /^support\/(?:archive|byte-stream)\.ts$/;

/** The format of the sources as they are. */
export function currentFormat(): number {
  const texts = archiveFiles()
    .filter((file) => file !== CONSTANT)
    .flatMap((file) => archiveTexts(readFileSync(file, 'utf8'), WHOLE.test(file)));
  return crc32c(new TextEncoder().encode(texts.sort().join('\n')));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const format = currentFormat();
  const digits = format.toString(16).padStart(8, '0');
  const constant = `FORMAT = 0x${digits.slice(0, 4)}_${digits.slice(4)};`;
  const text = readFileSync(CONSTANT, 'utf8');
  writeFileSync(CONSTANT, text.replace(/FORMAT = .*;/, constant));
  console.log(format === FORMAT ? `unchanged: ${constant}` : `written: ${constant}`);
}

/** Which variants a word of the command line means. Not here: the variants (variants.ts). */

/** What rows add to the name of their variant: `growth.mappings.1` has the row `growth.mappings.1.read.ns`. */
const OF_ROW = /(?:\.(?:read|map|fill|hit|miss))?\.(?:ns|bytes)$|\.host-(?:iops|events)$/;

/** One variant has rows that begin otherwise. */
const PING_PONG = /^(?:atomics|threaded)\.(?=pingpong)/;

/** The variant of that name or with a row of that name; when there is none, all that begin so. */
export function variantsOf(word: string, names: readonly string[]): string[] {
  const exact = [word, word.replace(/\.ns$/, ''), word.replace(OF_ROW, '').replace(PING_PONG, '')].find(
    (name) => names.includes(name),
  );
  return exact === undefined ? names.filter((name) => name.startsWith(word)) : [exact];
}

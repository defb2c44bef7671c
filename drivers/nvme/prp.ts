/**
 * Physical region pages: the two pointers of a command, and the list behind the second one. NVMe Base 2.1
 * §4.3.1. Pages have 4096 bytes, as CC.MPS 0 says. Pure functions on words. A data range is contiguous for the device, so pages follow one another.
 * Not here: SGLs, and where the memory of lists comes from (queue-pair.ts).
 */
import { highWord, PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';

const ENTRY_BYTES = 8;
const ENTRIES_PER_PAGE = PAGE_SIZE / ENTRY_BYTES;
/** Data starts at a multiple of four bytes, so this is the worst offset into its first page. */
const WORST_OFFSET = PAGE_SIZE - 4;

/** Pages that `bytes` bytes at `iova` touch. */
export const pagesOf = (iova: number, bytes: number): number =>
  Math.ceil(((iova & PAGE_MASK) + bytes) / PAGE_SIZE);

/**
 * Memory for the list of any transfer of up to `maxBytes`: a power of two below a page, whole pages above.
 * Pieces of this size that are laid side by side from a page boundary on never need a chain where one page
 * could hold the list.
 */
export function prpListBytes(maxBytes: number): number {
  const entries = Math.max(1, pagesOf(WORST_OFFSET, maxBytes) - 1);
  if (entries <= ENTRIES_PER_PAGE) return 2 ** Math.ceil(Math.log2(entries * ENTRY_BYTES));
  // Every page but the last spends an entry on its chain.
  return Math.ceil((entries - 1) / (ENTRIES_PER_PAGE - 1)) * PAGE_SIZE;
}

function store(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = highWord(address);
}

/**
 * Writes PRP1 and PRP2 for `bytes` bytes at `iova` to `pointers[at..at + 3]`, and the list, if one is needed,
 * to `list[listAt..]`, which the device sees at `listIova`. The list has room for `prpListBytes(bytes)`
 * bytes. Returns the number of list entries written, 0 when the pointers suffice.
 */
export function buildPrps(
  pointers: Int32Array,
  at: number,
  iova: number,
  bytes: number,
  list: Int32Array,
  listAt: number,
  listIova: number,
): number {
  store(pointers, at, iova);
  let remaining = pagesOf(iova, bytes) - 1;
  let page = iova - (iova & PAGE_MASK) + PAGE_SIZE;
  if (remaining <= 1) {
    store(pointers, at + 2, remaining === 1 ? page : 0);
    return 0;
  }
  store(pointers, at + 2, listIova);
  let word = listAt;
  let entry = listIova;
  while (remaining > 0) {
    const isLastOfPage = (entry & PAGE_MASK) === PAGE_SIZE - ENTRY_BYTES;
    if (isLastOfPage && remaining > 1) {
      store(list, word, entry + ENTRY_BYTES); // the list goes on in the page that follows
    } else {
      store(list, word, page);
      page += PAGE_SIZE;
      remaining--;
    }
    word += 2;
    entry += ENTRY_BYTES;
  }
  return (word - listAt) >>> 1;
}

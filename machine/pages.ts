/**
 * The physical page allocator: runs of 4 KiB pages of RAM, first fit, as a kernel hands them out for tables, queues and
 * anonymous memory. A run is physically contiguous, so that large IOMMU leaves are possible.
 * Not here: virtual addresses (vfio/process.ts), device-local memory (memory.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { PAGE_SIZE } from '../support/numbers.ts';
import type { Memory } from './memory.ts';

interface Hole {
  first: number;
  pages: number;
}

export class Pages {
  readonly #memory: Memory;
  /** Free runs in ascending order, never touching one another. */
  #holes: Hole[];

  /** Manages RAM from `from` to its end. The first megabyte belongs to firmware, as on a PC. */
  constructor(memory: Memory, from = 0x10_0000) {
    this.#memory = memory;
    this.#holes = [{ first: from / PAGE_SIZE, pages: (memory.ramBytes - from) / PAGE_SIZE }];
  }

  get free_pages(): number {
    return this.#holes.reduce((sum, hole) => sum + hole.pages, 0);
  }

  /**
   * Takes `pages` contiguous zeroed pages whose address is a multiple of `align` pages.
   * Returns the physical address, or -1 when no hole is large enough.
   */
  allocate(pages: number, align = 1): number {
    assert(pages > 0, 'a run has at least one page');
    for (let index = 0; index < this.#holes.length; index++) {
      const hole = this.#holes[index]!;
      const first = Math.ceil(hole.first / align) * align;
      const before = first - hole.first;
      const after = hole.pages - before - pages;
      if (after < 0) continue;
      const rest: Hole[] = [];
      if (before > 0) rest.push({ first: hole.first, pages: before });
      if (after > 0) rest.push({ first: first + pages, pages: after });
      this.#holes.splice(index, 1, ...rest);
      this.#memory.fill(first * PAGE_SIZE, 0, pages * PAGE_SIZE);
      return first * PAGE_SIZE;
    }
    return -1;
  }

  /** Gives back `pages` pages at `address`. */
  free(address: number, pages: number): void {
    const first = address / PAGE_SIZE;
    let index = this.#holes.findIndex((hole) => hole.first > first);
    if (index === -1) index = this.#holes.length;
    const previous = this.#holes[index - 1];
    const next = this.#holes[index];
    assert(previous === undefined || previous.first + previous.pages <= first, 'a page is freed twice');
    assert(next === undefined || first + pages <= next.first, 'a page is freed twice');
    const joinsPrevious = previous !== undefined && previous.first + previous.pages === first;
    const joinsNext = next !== undefined && first + pages === next.first;
    if (joinsPrevious) {
      previous.pages += pages + (joinsNext ? next.pages : 0);
      if (joinsNext) this.#holes.splice(index, 1);
    } else if (joinsNext) {
      next.first = first;
      next.pages += pages;
    } else this.#holes.splice(index, 0, { first, pages });
  }

  /** Whoever has pages has got them by the same calls, so that there is nothing to load (support/archive.ts). */
  archive(a: Archive): void {
    const free = this.#holes.map(({ first, pages }) => `${first}+${pages}`).join();
    a.same(free, 'the list of free pages');
  }
}

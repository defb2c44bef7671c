/**
 * Pages that user space has made unmovable, counted against RLIMIT_MEMLOCK: once for the user, once for the address
 * space. Who counts where is the caller's business (iommufd: IOMMU_OPTION_RLIMIT_MODE; type1: the address space).
 */
import { assert } from '../support/assert.ts';
import { ENOMEM } from './uapi/errno.ts';

export class LockedPages {
  pages = 0;

  /** Counts `pages` more. Returns -ENOMEM, and counts nothing, when that would exceed `limit`. */
  charge(pages: number, limit: number): number {
    if (this.pages + pages > limit) return -ENOMEM;
    this.pages += pages;
    return 0;
  }

  uncharge(pages: number): void {
    assert(pages <= this.pages, 'more pages are unlocked than were locked');
    this.pages -= pages;
  }
}

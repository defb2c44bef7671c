/**
 * One address space of devices: a page table, and the invalidations that every change of it needs in every unit that has
 * the domain (Linux strict mode: the range is gone from hardware when `unmap` returns). Made and attached by driver.ts.
 * Not here: how entries are written (page-table.ts), which IOVA goes where (vfio/).
 */
import { assert } from '../support/assert.ts';
import type { Capabilities } from './capabilities.ts';
import type { LeafLevel, PageTable, Permissions } from './page-table.ts';
import type { QueueClient } from './queue-client.ts';

const ENOMEM = 12;

export interface MapOptions {
  readonly read: boolean;
  readonly write: boolean;
  /** Largest leaf to use: 1 is 4 KiB, 2 is 2 MiB, 3 (default) is 1 GiB. */
  readonly leafLevelMax?: LeafLevel;
}

/** What one unit has of a domain while requesters below it are attached; its driver keeps it. */
export interface DomainUse {
  readonly queue: QueueClient;
  /** Domain id in that unit. */
  readonly id: number;
  /** Requesters attached. */
  attached: number;
}

export class Domain {
  /** One for each unit that has it. */
  readonly uses: DomainUse[] = [];
  readonly table: PageTable;
  /** First address that devices cannot name. */
  readonly end: number;
  /** Hardware may remember that a page was absent, so that maps need invalidation too. */
  readonly #cachingMode: boolean;

  constructor(table: PageTable, capabilities: Capabilities) {
    this.table = table;
    this.end = Math.min(table.end, 2 ** capabilities.guestAddressBits);
    this.#cachingMode = capabilities.cachingMode;
  }

  /**
   * Maps whole pages that are not mapped yet. Write-only becomes read-write, as Linux stores it.
   * Returns 0, or -ENOMEM with nothing mapped.
   */
  map(iova: number, physical: number, bytes: number, options: MapOptions): number {
    assert(options.read || options.write, 'a mapping allows something');
    const permissions: Permissions = options.write ? 3 : 1;
    const done = this.table.map(iova, physical, bytes, permissions, options.leafLevelMax ?? 3);
    if (done < bytes) {
      if (done > 0) this.unmap(iova, done);
      return -ENOMEM;
    }
    if (this.#cachingMode || this.table.hasRetired) this.#invalidate(iova, bytes, false);
    return 0;
  }

  /** Unmaps exactly this range; it must not cut a leaf in two. Devices cannot reach it when this returns. */
  unmap(iova: number, bytes: number): void {
    this.table.unmap(iova, bytes);
    this.#invalidate(iova, bytes, !this.table.hasRetired);
  }

  /** The physical address that `iova` maps to, or -1. */
  translate(iova: number): number {
    return this.table.lookup(iova);
  }

  /** Gives all tables back. No device may be attached. */
  free(): void {
    assert(this.uses.length === 0, 'a domain is freed while devices are attached');
    this.table.free();
  }

  #invalidate(iova: number, bytes: number, leafOnly: boolean): void {
    for (const { queue, id } of this.uses) {
      const error = queue.range(id, iova, bytes, leafOnly);
      assert(error === 0, 'hardware refused an invalidation');
    }
    if (this.table.hasRetired) this.table.freeRetired();
  }
}

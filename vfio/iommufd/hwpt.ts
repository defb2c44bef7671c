/**
 * A hardware page table: one domain of the IOMMU that shows an IOAS. Made by a request, or by attaching a device to an
 * IOAS; of the second kind it goes when its last device does.
 * Not here: entries and invalidation (iommu/domain.ts), who is attached (device.ts).
 */
import type { Domain, MapOptions } from '../../iommu/domain.ts';
import type { Iommu } from '../../iommu/driver.ts';
import { LEAF_BYTES } from '../../iommu/spec/structures.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { EINVAL, ENOMEM } from '../uapi/errno.ts';
import type { Area } from './area.ts';
import type { Ioas, PageTable } from './ioas.ts';
import { IommufdObject, type ObjectTable } from './objects.ts';

/** Where a page table lives: the context's objects and the driver of the hardware. */
interface Home {
  readonly objects: ObjectTable;
  readonly iommu: Iommu;
}

export class Hwpt extends IommufdObject implements PageTable {
  readonly type = 'HWPT_PAGING';
  readonly ioas: Ioas;
  readonly domain: Domain;
  readonly apertureLast: bigint;
  readonly pageSizes: number;
  /** Made by an attachment; it lives as long as a device uses it. */
  readonly automatic: boolean;
  readonly #objects: ObjectTable;
  #ready = false;

  private constructor(home: Home, ioas: Ioas, domain: Domain, automatic: boolean) {
    super();
    this.#objects = home.objects;
    this.ioas = ioas;
    this.domain = domain;
    this.apertureLast = BigInt(domain.end - 1);
    const leaves = LEAF_BYTES.slice(1, home.iommu.capabilities.leafLevelMax + 1);
    this.pageSizes = leaves.reduce<number>((sizes, bytes) => sizes | bytes, 0);
    this.automatic = automatic;
    ioas.users++;
  }

  /** A new, empty page table with an id of its own. Returns -ENOMEM when there is no page for it. */
  static create(home: Home, ioas: Ioas, automatic: boolean): Hwpt | number {
    const domain = home.iommu.createDomain();
    if (domain === null) return -ENOMEM;
    const hwpt = new Hwpt(home, ioas, domain, automatic);
    home.objects.add(hwpt);
    return hwpt;
  }

  /** Enters everything that the IOAS maps, and from now on every change. Returns 0, or a negative errno. */
  fill(): number {
    const result = this.ioas.addTable(this);
    this.#ready = result === 0;
    return result;
  }

  /** A container may map for no access at all, of which no entry can be made (-EINVAL). */
  map(area: Area, hugePages: boolean): number {
    if (!area.access.readable && !area.access.writable) return -EINVAL;
    const { startKey: start, firstPage } = area;
    const options: MapOptions = {
      read: area.access.readable,
      write: area.access.writable,
      leafLevelMax: hugePages ? 3 : 1,
    };
    let done = 0;
    const result = area.pages.forEachRun(firstPage, area.lastPage, (page, physical, bytes) => {
      const mapped = this.domain.map(start + (page - firstPage) * PAGE_SIZE, physical, bytes, options);
      if (mapped === 0) done += bytes;
      return mapped;
    });
    if (result < 0 && done > 0) this.domain.unmap(start, done);
    return result;
  }

  unmap(area: Area): void {
    this.domain.unmap(area.startKey, area.lastKey - area.startKey + 1);
  }

  /** `devices` of its users are gone. */
  put(devices: number): void {
    this.users -= devices;
    if (this.automatic && this.#ready && this.users === 0) this.#objects.remove(this);
  }

  override destroy(): void {
    if (this.#ready) this.ioas.removeTable(this);
    this.ioas.users--;
    this.domain.free();
  }
}

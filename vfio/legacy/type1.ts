/**
 * The type1 IOMMU driver: one IO address space for all groups of a container (drivers/vfio/vfio_iommu_type1.c). Memory
 * is pinned when it is mapped, mappings are never cut in two, and the two versions differ in what an unmap that meets
 * one only in part does.
 * Not here: arguments (type1-requests.ts), dirty bitmaps (type1-dirty.ts), what may be mapped (dma-pages.ts).
 */
import type { Domain } from '../../iommu/domain.ts';
import type { Iommu } from '../../iommu/driver.ts';
import { LEAF_BYTES } from '../../iommu/spec/structures.ts';
import { MSI_BASE, MSI_END } from '../../machine/interrupts.ts';
import { PAGE_MASK } from '../../support/numbers.ts';
import { AreaList, type Placed } from '../iommufd/areas.ts';
import { holes, type Interval } from '../iommufd/intervals.ts';
import type { Process } from '../process.ts';
import { EBUSY, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, EPERM } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import type { ContainerGroup } from './container-group.ts';
import { DmaPages } from './dma-pages.ts';

/** Mappings of one container (the module's parameter dma_entry_limit). */
const MAPPINGS_MAX = 65_535;
const PAGE_OFFSET = BigInt(PAGE_MASK);

/** One MAP_DMA. */
export class DmaMapping implements Placed {
  holeBefore = 0;
  readonly start: bigint;
  readonly last: bigint;
  readonly startKey: number;
  readonly lastKey: number;
  readonly pages: DmaPages;
  /** False between an UNMAP and a MAP that carry the VADDR flag: the process is about to move its memory. */
  hasAddress = true;

  constructor(start: bigint, size: bigint, pages: DmaPages) {
    this.start = start;
    this.last = start + size - 1n;
    this.startKey = Number(start);
    this.lastKey = Number(this.last);
    this.pages = pages;
  }

  /** Bytes. */
  get size(): bigint {
    return this.last - this.start + 1n;
  }
}

export interface DmaRange {
  readonly iova: bigint;
  readonly address: bigint;
  readonly size: bigint;
}

export class Type1 {
  readonly iommu: Iommu;
  /** Type1v2: an unmap covers mappings whole or fails. */
  readonly version2: boolean;
  readonly mappings = new AreaList<DmaMapping>();
  /** What may be mapped: the aperture without the MSI window. */
  readonly ranges: readonly Interval[];
  /** Sizes of leaves in bytes, one bit each. */
  readonly pageSizes: number;
  isTrackingDirty = false;
  readonly #process: Process;
  readonly #domain: Domain;

  private constructor(process: Process, iommu: Iommu, domain: Domain, version2: boolean) {
    this.#process = process;
    this.iommu = iommu;
    this.#domain = domain;
    this.version2 = version2;
    const window = { start: BigInt(MSI_BASE), last: BigInt(MSI_END) };
    this.ranges = [...holes([window], 0n, BigInt(domain.end - 1))];
    const leaves = LEAF_BYTES.slice(1, iommu.capabilities.leafLevelMax + 1);
    this.pageSizes = leaves.reduce<number>((sizes, bytes) => sizes | bytes, 0);
  }

  /** Returns -ENOMEM when there is no page for its page table. */
  static create(process: Process, iommu: Iommu, version2: boolean): Type1 | number {
    const domain = iommu.createDomain();
    return domain === null ? -ENOMEM : new Type1(process, iommu, domain, version2);
  }

  /** Mappings that may still be made. */
  get available(): number {
    return MAPPINGS_MAX - this.mappings.size;
  }

  // ---- groups -------------------------------------------------------------------------------------------------------

  /**
   * Points every function of a group at the page table. Returns 0, -EBUSY while the process is about to move its memory,
   * -EPERM, -ENOMEM or -ENOSPC.
   */
  attach({ iommuGroup, isolatedMsi }: ContainerGroup): number {
    for (const mapping of this.mappings) if (!mapping.hasAddress) return -EBUSY;
    if (!isolatedMsi) return -EPERM;
    for (const [index, requester] of iommuGroup.requesters.entries()) {
      const error = this.iommu.attach(requester, this.#domain);
      if (error === 0) continue;
      for (const undone of iommuGroup.requesters.slice(0, index)) this.iommu.detach(undone);
      return error;
    }
    return 0;
  }

  /** Blocks the DMA of a group. */
  detach({ iommuGroup }: ContainerGroup): void {
    for (const requester of iommuGroup.requesters) this.iommu.detach(requester);
  }

  /** Unmaps everything and gives the page table back. No group is attached any more. */
  release(): void {
    for (const mapping of [...this.mappings]) this.#remove(mapping);
    this.#domain.free();
  }

  // ---- mappings -----------------------------------------------------------------------------------------------------

  /**
   * Maps user memory for reading, writing or both. Returns 0, -EINVAL for a bad range, -EEXIST, -ENOSPC, -EFAULT or
   * -ENOMEM.
   */
  map(
    { iova, address, size }: DmaRange,
    access: { readonly read: boolean; readonly write: boolean },
  ): number {
    if (!isRange(iova, size) || !isRange(address, size)) return -EINVAL;
    const last = iova + size - 1n;
    if (this.mappings.firstIn(iova, last) !== null) return -EEXIST;
    if (this.available === 0) return -ENOSPC;
    if (!this.ranges.some((range) => iova >= range.start && last <= range.last)) return -EINVAL;

    const pages = DmaPages.pin(this.#process, Number(address), Number(size), access.write);
    if (typeof pages === 'number') return pages;
    const mapping = new DmaMapping(iova, size, pages);
    let done = 0;
    for (const { physical, bytes } of pages.runs) {
      const error = this.#domain.map(Number(iova) + done, physical, bytes, access);
      if (error < 0) {
        if (done > 0) this.#domain.unmap(Number(iova), done);
        pages.release();
        return error;
      }
      done += bytes;
    }
    this.mappings.insert(mapping);
    return 0;
  }

  /** The process's memory is now elsewhere: MAP with the VADDR flag. Returns 0, -EINVAL or -ENOENT. */
  moveMemory({ iova, address, size }: DmaRange): number {
    if (!isRange(iova, size) || !isRange(address, size)) return -EINVAL;
    const mapping = this.mappings.firstIn(iova, iova + size - 1n);
    if (mapping === null) return -ENOENT;
    if (mapping.hasAddress || mapping.start !== iova || mapping.size !== size) return -EINVAL;
    mapping.hasAddress = true;
    return 0;
  }

  /**
   * The mappings that an unmap of a range takes: none is fine. Version 2 refuses (-EINVAL) to cut one; version 1 takes
   * those that begin inside the range whole, and nothing at all when one begins before it.
   */
  covered(iova: bigint, size: bigint): DmaMapping[] | number {
    if (!isRange(iova, size)) return -EINVAL;
    const last = iova + size - 1n;
    const first = this.mappings.firstIn(iova, last);
    const final = this.mappings.firstIn(last, last);
    if (this.version2 && ((first !== null && first.start < iova) || (final !== null && final.last > last))) {
      return -EINVAL;
    }
    if (first !== null && first.start < iova) return [];
    return this.#startingIn(iova, last);
  }

  /** Everything that is mapped. */
  all(): DmaMapping[] {
    return this.#startingIn(0n, U64_MAX);
  }

  /** Ends mappings: devices cannot reach the memory any more when this returns. */
  unmap(mappings: readonly DmaMapping[]): void {
    for (const mapping of mappings) this.#remove(mapping);
  }

  #startingIn(start: bigint, last: bigint): DmaMapping[] {
    const found: DmaMapping[] = [];
    let next = this.mappings.firstIn(start, last);
    while (next !== null) {
      found.push(next);
      next = next.last < last ? this.mappings.firstIn(next.last + 1n, last) : null;
    }
    return found;
  }

  #remove(mapping: DmaMapping): void {
    this.#domain.unmap(Number(mapping.start), Number(mapping.size));
    this.mappings.remove(mapping);
    mapping.pages.release();
  }
}

/** Whole pages, at least one, that do not wrap. */
const isRange = (start: bigint, size: bigint): boolean =>
  size > 0n && ((start | size) & PAGE_OFFSET) === 0n && start + size - 1n <= U64_MAX;

/**
 * An IO address space: areas of mapped user memory, the ranges that may not be used, and the page tables that show all
 * of it to devices. Every change reaches every page table before the request returns; unmapped pages leave the tables,
 * flushed, before they are unpinned.
 * Not here: arguments of the requests (ioas-requests.ts), choice of an IOVA (allocate.ts), reserved ranges and
 * alignment (constraints.ts).
 */
import { assert } from '../../support/assert.ts';
import { EINVAL, ENOENT, EOVERFLOW, EPERM } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import { allocateIova } from './allocate.ts';
import { type Access, Area } from './area.ts';
import { AreaList } from './areas.ts';
import { Constraints, type Geometry } from './constraints.ts';
import { IommufdObject } from './objects.ts';
import type { UserPages } from './user-pages.ts';

/** A page table that shows an IOAS (hwpt.ts). */
export interface PageTable extends Geometry {
  /** Enters a pinned area. Returns 0, -ENOMEM or -EINVAL, with nothing entered. */
  map(area: Area, hugePages: boolean): number;
  /** Takes an area out again, also of every cache. */
  unmap(area: Area): void;
}

/** A part of user memory to be mapped; several make one contiguous range of IOVAs. */
export interface Source {
  readonly pages: UserPages;
  /** Bytes from the start of the first page of `pages`. */
  readonly startByte: bigint;
  readonly length: bigint;
}

export class Ioas extends IommufdObject {
  readonly type = 'IOAS';
  readonly areas = new AreaList<Area>();
  readonly constraints = new Constraints(this.areas);
  /** In the order of their creation. */
  readonly #tables: PageTable[] = [];

  get tables(): readonly PageTable[] {
    return this.#tables;
  }

  // ---- mappings -------------------------------------------------------------------------------------------------

  /**
   * Maps `sources` one behind the other, at `fixed` or (null) where there is room, and pins them if a page table
   * exists. Returns the IOVA or a negative errno with nothing changed: -EINVAL, -EOVERFLOW, -EEXIST, -ENOSPC, -EPERM,
   * and from pinning -EFAULT, -ENOMEM.
   */
  map(sources: readonly Source[], fixed: bigint | null, access: Access): bigint | number {
    const iova = this.#place(sources, fixed);
    if (typeof iova === 'number') return iova;
    const added: Area[] = [];
    let result = 0;
    let start = iova;
    for (const { pages, startByte, length } of sources) {
      const area = new Area(start, length, pages, startByte, access);
      result = this.#insert(area);
      if (result < 0) break;
      added.push(area);
      start += length;
    }
    if (result === 0) result = this.#fill(added);
    if (result === 0) return iova;
    for (const area of added) this.areas.remove(area);
    return result;
  }

  /** The sources behind [start, last], or -ENOENT when a byte of it is not mapped. */
  sources(start: bigint, last: bigint): Source[] | number {
    const sources: Source[] = [];
    for (let next = start; next <= last; ) {
      const area = this.areas.firstIn(next, next);
      if (area === null) return -ENOENT;
      const end = area.last < last ? area.last : last;
      sources.push({ pages: area.pages, startByte: area.byteAt(next), length: end - next + 1n });
      next = end + 1n;
    }
    return sources;
  }

  /**
   * Unmaps every area in [start, last], ascending, up to one that is only partly inside: that ends with -ENOENT, and
   * what came before it is gone. `bytes` counts what was unmapped.
   */
  unmap(start: bigint, last: bigint): { result: number; bytes: bigint } {
    let bytes = 0n;
    for (;;) {
      const area = this.areas.firstIn(start, last);
      if (area === null) return { result: 0, bytes };
      if (area.start < start || area.last > last) return { result: -ENOENT, bytes };
      this.#clear(area, this.#tables.length);
      this.areas.remove(area);
      bytes += area.length;
      if (area.last === last) return { result: 0, bytes };
    }
  }

  /**
   * Cuts the area around `last` so that one ends there, as type1 containers expect. Without effect where none does.
   * Returns 0, or -EINVAL when the parts would not be aligned or might share a large leaf.
   */
  cut(last: bigint): number {
    const area = this.areas.firstIn(last, last);
    if (area === null || area.last === last) return 0;
    const start = last + 1n;
    const upper = new Area(start, area.last - last, area.pages, area.byteAt(start), area.access);
    if (!upper.isAligned(this.constraints.alignment)) return -EINVAL;
    const isShown = this.#tables.length > 0;
    if (isShown && this.constraints.hugePages) return -EINVAL;
    area.shorten(last);
    this.areas.insert(upper);
    if (isShown) area.pages.split(area.lastPage, upper.firstPage);
    return 0;
  }

  // ---- page tables ----------------------------------------------------------------------------------------------

  /** Shows everything mapped in `table` too, and from now on. Returns 0, or what forbids it with nothing changed. */
  addTable(table: PageTable): number {
    const admitted = this.constraints.admit(table);
    if (admitted < 0) return admitted;
    const filled: Area[] = [];
    for (const area of this.areas) {
      const result = this.#enter(area, this.#tables.length, table);
      if (result < 0) {
        for (const undone of filled) this.#leave(undone, this.#tables.length, table);
        this.constraints.dismiss(table);
        return result;
      }
      filled.push(area);
    }
    this.#tables.push(table);
    return 0;
  }

  /** Empties `table`; the last one to go unpins all memory. */
  removeTable(table: PageTable): void {
    const index = this.#tables.indexOf(table);
    assert(index >= 0, 'a page table leaves an IOAS it does not show');
    this.#tables.splice(index, 1);
    for (const area of this.areas) this.#leave(area, this.#tables.length, table);
    this.constraints.dismiss(table);
  }

  /**
   * IOMMU_OPTION_HUGE_PAGES: without them every leaf is one page, and mappings are page aligned. Returns -EINVAL when
   * something is mapped in a page table already, -EADDRINUSE when areas are not aligned.
   */
  setHugePages(on: boolean): number {
    if (!on && this.constraints.hugePages && this.#tables.length > 0 && this.areas.size > 0) return -EINVAL;
    return this.constraints.setHugePages(on);
  }

  override destroy(): void {
    this.unmap(0n, U64_MAX);
  }

  // ---- how it is done -------------------------------------------------------------------------------------------

  /** The IOVA for all of `sources`, or a negative errno. */
  #place(sources: readonly Source[], fixed: bigint | null): bigint | number {
    let length = 0n;
    for (const source of sources) length += source.length;
    if ((length & (this.constraints.alignment - 1n)) !== 0n) return -EINVAL;
    if (fixed !== null) {
      const result = this.constraints.check(fixed, length);
      return result < 0 ? result : fixed;
    }
    const { pages, startByte } = sources[0]!;
    return allocateIova(this.constraints, pages.address - pages.offset + startByte, length);
  }

  /** Puts an area in its place without showing it to a page table. */
  #insert(area: Area): number {
    if (area.access.writable && !area.pages.writable) return -EPERM;
    if ((area.pageOffset & (this.constraints.alignment - 1n)) !== 0n) return -EINVAL;
    if (area.last > U64_MAX) return -EOVERFLOW;
    this.areas.insert(area);
    return 0;
  }

  /** Enters areas into all page tables, or into none. */
  #fill(areas: readonly Area[]): number {
    const tables = this.#tables;
    if (tables.length === 0) return 0;
    for (let index = 0; index < areas.length; index++) {
      const area = areas[index]!;
      for (let entered = 0; entered < tables.length; entered++) {
        const result = this.#enter(area, entered, tables[entered]!);
        if (result === 0) continue;
        this.#clear(area, entered);
        while (--index >= 0) this.#clear(areas[index]!, tables.length);
        return result;
      }
    }
    return 0;
  }

  /** Takes an area out of the first `count` page tables. */
  #clear(area: Area, count: number): void {
    for (let left = count; left > 0; left--) this.#leave(area, left - 1, this.#tables[left - 1]!);
  }

  /** Enters an area into `table`, `others` already having it; the first one pins. */
  #enter(area: Area, others: number, table: PageTable): number {
    if (others === 0) {
      const pinned = area.pages.pin(area.firstPage, area.lastPage);
      if (pinned < 0) return pinned;
    }
    const result = table.map(area, this.constraints.hugePages);
    if (result < 0 && others === 0) area.pages.unpin(area.firstPage, area.lastPage);
    return result;
  }

  /** Takes an area out of `table`, `others` keeping it; the last one unpins. */
  #leave(area: Area, others: number, table: PageTable): void {
    table.unmap(area);
    if (others === 0) area.pages.unpin(area.firstPage, area.lastPage);
  }
}

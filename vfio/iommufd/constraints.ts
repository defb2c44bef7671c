/**
 * What limits the placement of mappings in an IOAS: reserved ranges (by devices, and beyond the apertures of page
 * tables), the allow list of automatic placement, and the smallest alignment (linux-abi §4.2 to §4.4).
 * Not here: the choice of an IOVA (allocate.ts), the areas themselves (ioas.ts).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { EADDRINUSE, EEXIST, EINVAL, EOVERFLOW } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import type { Area } from './area.ts';
import type { AreaList } from './areas.ts';
import { holes, type Interval, insertSorted, intersects } from './intervals.ts';

/** What a page table can hold. */
export interface Geometry {
  /** The last address that it translates; the first is 0. */
  readonly apertureLast: bigint;
  /** Sizes of its leaves in bytes, one bit each. */
  readonly pageSizes: number;
}

/** A range nobody may map, for as long as its owner (a device or a page table) uses the IOAS. */
interface Reservation extends Interval {
  readonly owner: object;
}

export class Constraints {
  readonly areas: AreaList<Area>;
  /** Ascending; ranges of different owners may overlap. */
  #reserved: Reservation[] = [];
  #allowed: readonly Interval[] = [];
  /** Smallest leaf of each page table that shows the IOAS. */
  readonly #granules = new Map<Geometry, bigint>();
  #hugePages = true;
  /** IOVAs, lengths and offsets in a page are multiples of this power of two, in bytes. */
  alignment = 1n;

  constructor(areas: AreaList<Area>) {
    this.areas = areas;
  }

  get reserved(): readonly Interval[] {
    return this.#reserved;
  }

  get allowed(): readonly Interval[] {
    return this.#allowed;
  }

  get hugePages(): boolean {
    return this.#hugePages;
  }

  /** Sizes of leaves that every page table has, one bit each; all ones without a page table. */
  get pageSizes(): bigint {
    let sizes = U64_MAX;
    for (const table of this.#granules.keys()) sizes &= BigInt(table.pageSizes);
    return sizes;
  }

  /** What is not reserved, ascending; mappings and the allow list do not count. */
  usable(): Interval[] {
    return [...holes(this.#reserved, 0n, U64_MAX)];
  }

  /** 0 when `length` bytes may be mapped at `iova`, else -EINVAL, -EOVERFLOW or -EEXIST. */
  check(iova: bigint, length: bigint): number {
    if ((iova & (this.alignment - 1n)) !== 0n) return -EINVAL;
    const last = iova + length - 1n;
    if (last > U64_MAX) return -EOVERFLOW;
    if (intersects(this.#reserved, iova, last)) return -EINVAL;
    return this.areas.firstIn(iova, last) === null ? 0 : -EEXIST;
  }

  /** Replaces the allow list by ascending ranges that do not overlap. Returns 0, or -EADDRINUSE when one of them is reserved. */
  allow(ranges: readonly Interval[]): number {
    for (const { start, last } of ranges) if (intersects(this.#reserved, start, last)) return -EADDRINUSE;
    this.#allowed = joined(ranges);
    return 0;
  }

  /** Reserves a range for `owner`. Returns 0, or -EADDRINUSE when it meets a mapping or the allow list. */
  reserve(start: bigint, last: bigint, owner: object): number {
    if (this.areas.firstIn(start, last) !== null || intersects(this.#allowed, start, last))
      return -EADDRINUSE;
    insertSorted(this.#reserved, { start, last, owner });
    return 0;
  }

  /** Gives up everything that was reserved for `owner`. */
  unreserve(owner: object): void {
    this.#reserved = this.#reserved.filter((reservation) => reservation.owner !== owner);
  }

  /** Lets a page table in: -EADDRINUSE when mappings lie outside its aperture or are not aligned to its leaves. */
  admit(table: Geometry): number {
    const granule = BigInt(table.pageSizes & -table.pageSizes);
    const alignment = granule > this.alignment ? granule : this.alignment;
    if (alignment > BigInt(PAGE_SIZE)) return -EINVAL;
    if (!this.#allAligned(alignment)) return -EADDRINUSE;
    const result = table.apertureLast === U64_MAX ? 0 : this.reserve(table.apertureLast + 1n, U64_MAX, table);
    if (result < 0) return result;
    this.#granules.set(table, granule);
    this.alignment = alignment;
    return 0;
  }

  /** A page table leaves. */
  dismiss(table: Geometry): void {
    this.#granules.delete(table);
    this.unreserve(table);
    this.alignment = this.#strictest();
  }

  /** Switches large leaves on or off. Returns 0, or -EADDRINUSE when that would make areas misaligned. */
  setHugePages(on: boolean): number {
    const before = this.#hugePages;
    this.#hugePages = on;
    const alignment = this.#strictest();
    if (alignment > this.alignment && !this.#allAligned(alignment)) {
      this.#hugePages = before;
      return -EADDRINUSE;
    }
    this.alignment = alignment;
    return 0;
  }

  #strictest(): bigint {
    let alignment = this.#hugePages ? 1n : BigInt(PAGE_SIZE);
    for (const granule of this.#granules.values()) if (granule > alignment) alignment = granule;
    return alignment;
  }

  #allAligned(alignment: bigint): boolean {
    if (alignment === this.alignment) return true;
    for (const area of this.areas) if (!area.isAligned(alignment)) return false;
    return true;
  }
}

/** Ascending ranges with those that touch made one. */
function joined(ranges: readonly Interval[]): Interval[] {
  const list: Interval[] = [];
  for (const { start, last } of ranges) {
    const previous = list.at(-1);
    if (previous !== undefined && previous.last + 1n === start) {
      list[list.length - 1] = { start: previous.start, last };
    } else list.push({ start, last });
  }
  return list;
}

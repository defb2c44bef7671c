/**
 * One mapping of an IOAS: a range of IO virtual addresses and the part of a stretch of user memory behind it.
 * Not here: the order of areas (areas.ts), what MAP, COPY and UNMAP check (ioas.ts).
 */
import { PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';
import type { Placed } from './areas.ts';
import type { UserPages } from './user-pages.ts';

const PAGE_OFFSET = BigInt(PAGE_MASK);
const PAGE = BigInt(PAGE_SIZE);
const PAGE_SHIFT = 12n;

const pageOf = (byte: bigint): number => (byte < PAGE ? 0 : Number(byte >> PAGE_SHIFT));

/** What a device may do with an area. */
export interface Access {
  readonly readable: boolean;
  readonly writable: boolean;
}

export class Area implements Placed {
  holeBefore = 0;
  readonly start: bigint;
  readonly startKey: number;
  readonly pages: UserPages;
  /** Where the area begins, in bytes from the start of the first page of `pages`. */
  readonly startByte: bigint;
  readonly access: Access;
  /** Index in `pages` of the first page that the area shows, if only in part. */
  readonly firstPage: number;
  #length: bigint;
  #last: bigint;
  #lastKey: number;
  #lastPage: number;

  constructor(start: bigint, length: bigint, pages: UserPages, startByte: bigint, access: Access) {
    this.start = start;
    this.startKey = Number(start);
    this.pages = pages;
    this.startByte = startByte;
    this.access = access;
    this.firstPage = pageOf(startByte);
    this.#length = length;
    this.#last = start + length - 1n;
    this.#lastKey = Number(this.#last);
    this.#lastPage = pageOf(startByte + length - 1n);
  }

  /** Bytes. */
  get length(): bigint {
    return this.#length;
  }

  get last(): bigint {
    return this.#last;
  }

  get lastKey(): number {
    return this.#lastKey;
  }

  /** Index in `pages` of the last page that the area shows. */
  get lastPage(): number {
    return this.#lastPage;
  }

  /** The area ends earlier from now on. */
  shorten(last: bigint): void {
    this.#length = last - this.start + 1n;
    this.#last = last;
    this.#lastKey = Number(last);
    this.#lastPage = pageOf(this.byteAt(last));
  }

  /** Where the area begins in its first page. */
  get pageOffset(): bigint {
    return this.startByte & PAGE_OFFSET;
  }

  /** Byte of `pages` behind an address of the area. */
  byteAt(iova: bigint): bigint {
    return this.startByte + (iova - this.start);
  }

  /** True when start, length and the place in the first page are multiples of `alignment`. */
  isAligned(alignment: bigint): boolean {
    return ((this.start | this.length | this.pageOffset) & (alignment - 1n)) === 0n;
  }
}

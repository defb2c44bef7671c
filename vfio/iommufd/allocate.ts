/**
 * Choice of an IOVA when the caller fixes none: the lowest address that fits, inside the allow list, outside reserved
 * ranges and existing areas, as Linux chooses it (linux-abi §4.5).
 * Not here: fixed IOVAs (ioas.ts).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { EINVAL, ENOSPC, EOVERFLOW } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import type { AreaList, Placed } from './areas.ts';
import { holes, type Interval } from './intervals.ts';

const PAGE = BigInt(PAGE_SIZE);
/** Alignment is never stricter than one huge page. */
const HPAGE_SIZE = 0x20_0000n;
/** Without an allow list everything is allowed but the first and the last page. */
const ANYWHERE: readonly Interval[] = [{ start: PAGE, last: U64_MAX - PAGE }];

export interface Space {
  readonly areas: AreaList<Placed>;
  readonly reserved: readonly Interval[];
  readonly allowed: readonly Interval[];
  /** Smallest alignment of an IOVA in bytes, a power of two. */
  readonly alignment: bigint;
}

/**
 * The IOVA for `length` bytes at user address `address`, or a negative errno: EOVERFLOW when the length is half the
 * space or more, EINVAL when the user address is less aligned than the IOAS wants, ENOSPC when nothing fits.
 */
export function allocateIova(space: Space, address: bigint, length: bigint): bigint | number {
  if (length >= U64_MAX / 2n) return -EOVERFLOW;
  const alignment = alignmentFor(address, length);
  if (alignment < space.alignment) return -EINVAL;
  const place = (start: bigint, last: bigint): bigint | null => {
    const aligned = ((start + alignment - 1n) & ~(alignment - 1n)) | (address & (PAGE - 1n));
    return aligned < last && last - aligned >= length - 1n ? aligned : null;
  };

  let found = null as bigint | null;
  for (const range of space.allowed.length === 0 ? ANYWHERE : clip(space.allowed)) {
    const start = place(range.start, range.last);
    if (start === null) continue;
    space.areas.findHole(start, range.last, length, (holeStart, holeLast) => {
      for (const hole of holes(space.reserved, holeStart, holeLast)) {
        found ??= place(hole.start, hole.last);
        if (found !== null) return true;
      }
      return false;
    });
    if (found !== null) return found;
  }
  return -ENOSPC;
}

/** The power of two from `length` up, but no more than `address` has itself, and at most a huge page. */
function alignmentFor(address: bigint, length: bigint): bigint {
  let alignment = HPAGE_SIZE;
  if (length < HPAGE_SIZE) alignment = 1n << BigInt(32 - Math.clz32(Number(length) - 1));
  const own = address & -address;
  return own !== 0n && own < alignment ? own : alignment;
}

/** The allow list without the parts that lie in the first or the last page of the space. */
const clip = (allowed: readonly Interval[]): Interval[] =>
  allowed
    .filter((range) => range.last >= PAGE && range.start <= U64_MAX - PAGE)
    .map((range) => ({
      start: range.start < PAGE ? PAGE : range.start,
      last: range.last > U64_MAX - PAGE ? U64_MAX - PAGE : range.last,
    }));

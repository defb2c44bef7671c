/**
 * Dirty tracking of a type1 container: VFIO_IOMMU_DIRTY_PAGES and the bitmap of an unmap. The devices report nothing,
 * so every page that is mapped counts as dirty; one bit per page, from the first page of the range asked for.
 */
import { PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';
import type { Process } from '../process.ts';
import { EACCES, EFAULT, EINVAL } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import {
  VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
  VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP,
  VfioBitmap,
  VfioIommuType1DirtyBitmap,
  VfioIommuType1DirtyBitmapGet,
} from '../uapi/vfio.ts';
import type { DmaMapping, Type1 } from './type1.ts';

/** Bitmap of 2^31 - 1 pages. */
export const BITMAP_BYTES_MAX = 0x1000_0000;
/** User addresses end here. */
const TASK_SIZE = 0x7fff_ffff_f000n;
/** Bitmaps are read and written in words of this many bits. */
const WORD_BITS = 64;

/** Bytes of a bitmap of whole words. */
const wordBytes = (bits: bigint): bigint => ((bits + 63n) >> 6n) << 3n;

/** A user buffer with one bit for each page. */
export interface Bitmap {
  readonly pageSize: bigint;
  readonly address: number;
}

/**
 * The bitmap that a request describes at `argument`, in `room` bytes. Returns -EINVAL when there is no room for the
 * description, or when the buffer is too small for `size` bytes, and -EFAULT.
 */
export function loadBitmap(process: Process, argument: number, size: bigint, room: number): Bitmap | number {
  if (room < VfioBitmap.SIZE) return -EINVAL;
  const view = process.load(argument, VfioBitmap.SIZE);
  if (view === null) return -EFAULT;
  const { pgsize, size: bytes, data } = VfioBitmap.decode(view, 0);
  if (data + bytes > TASK_SIZE || pgsize === 0n) return -EINVAL;
  const pages = size / (pgsize & -pgsize);
  if (pages === 0n || bytes === 0n || bytes > BigInt(BITMAP_BYTES_MAX) || bytes < wordBytes(pages))
    return -EINVAL;
  return { pageSize: pgsize, address: Number(data) };
}

/** Sets the bits of a mapping in the bitmap of a range from `base` on. Returns 0 or -EFAULT. */
export function writeBitmap(process: Process, bitmap: Bitmap, mapping: DmaMapping, base: bigint): number {
  const first = Number(mapping.start - base) / PAGE_SIZE;
  const pages = Number(mapping.size) / PAGE_SIZE;
  const shift = first & (WORD_BITS - 1);
  const bytes = new Uint8Array(Number(wordBytes(BigInt(pages + shift))));
  const address = bitmap.address + (first - shift) / 8;
  if (shift > 0) {
    const copied = process.copyIn(address, bytes.subarray(0, WORD_BITS / 8));
    if (copied < 0) return copied;
    for (let bit = shift; bit < WORD_BITS; bit++) bytes[bit >>> 3]! &= ~(1 << (bit & 7));
  }
  for (let bit = shift; bit < shift + pages; bit++) bytes[bit >>> 3]! |= 1 << (bit & 7);
  return process.copyOut(address, bytes);
}

/** Starts or stops tracking, or reads it. Version 1 has no tracking. */
export function dirtyPages(driver: Type1, process: Process, argument: number): number {
  if (!driver.version2) return -EACCES;
  const head = process.load(argument, VfioIommuType1DirtyBitmap.SIZE);
  if (head === null) return -EFAULT;
  const { argsz, flags } = VfioIommuType1DirtyBitmap.decode(head, 0);
  if (argsz < VfioIommuType1DirtyBitmap.SIZE) return -EINVAL;
  switch (flags) {
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
      driver.isTrackingDirty = true;
      return 0;
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
      driver.isTrackingDirty = false;
      return 0;
    case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
      return getBitmap(driver, process, argument + VfioIommuType1DirtyBitmap.SIZE, argsz);
    default:
      return -EINVAL;
  }
}

/** The range covers mappings whole, in either version of the rule for unmaps. */
function getBitmap(driver: Type1, process: Process, argument: number, argsz: number): number {
  if (argsz - VfioIommuType1DirtyBitmap.SIZE < VfioIommuType1DirtyBitmapGet.SIZE) return -EINVAL;
  const view = process.load(argument, VfioIommuType1DirtyBitmapGet.SIZE);
  if (view === null) return -EFAULT;
  const iova = VfioIommuType1DirtyBitmapGet.get(view, 0, 'iova');
  const size = VfioIommuType1DirtyBitmapGet.get(view, 0, 'size');
  if (iova + size > U64_MAX) return -EINVAL;
  const description = argument + VfioIommuType1DirtyBitmapGet.bitmap;
  const bitmap = loadBitmap(process, description, size, VfioBitmap.SIZE);
  if (typeof bitmap === 'number') return bitmap;
  if (bitmap.pageSize !== BigInt(PAGE_SIZE) || ((iova | size) & BigInt(PAGE_MASK)) !== 0n) return -EINVAL;
  if (!driver.isTrackingDirty) return -EINVAL;
  const mappings = driver.covered(iova, size);
  if (typeof mappings === 'number') return mappings;
  for (const mapping of mappings) {
    const copied = writeBitmap(process, bitmap, mapping, iova);
    if (copied < 0) return copied;
  }
  return 0;
}

/**
 * The requests of a container with a type1 driver: arguments in the order Linux checks them, results back to the
 * caller (linux-abi §7). Not here: what they do (type1.ts), dirty bitmaps (type1-dirty.ts).
 */
import type { Iommu } from '../../iommu/driver.ts';
import { ECAP } from '../../iommu/spec/registers.ts';
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import { capability, dmaAvailable, iovaRanges } from '../info-capabilities.ts';
import type { AbiLevel } from '../iommufd/state.ts';
import type { Process } from '../process.ts';
import { EFAULT, EINVAL, ENOTTY } from '../uapi/errno.ts';
import {
  VFIO_DMA_CC_IOMMU,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_VADDR,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
  VFIO_DMA_UNMAP_FLAG_VADDR,
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1_NESTING_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
  VFIO_UPDATE_VADDR,
  VfioInfoCapHeader,
  VfioIommuType1DmaMap,
  VfioIommuType1DmaUnmap,
  VfioIommuType1Info,
  VfioIommuType1InfoCapMigration,
} from '../uapi/vfio.ts';
import type { DmaMapping, Type1 } from './type1.ts';
import { BITMAP_BYTES_MAX, dirtyPages, loadBitmap, writeBitmap } from './type1-dirty.ts';

/** CHECK_EXTENSION, also while the container has no driver yet: then some answers are no. */
export function checkExtension(
  driver: Type1 | null,
  extension: number,
  { iommu, abi }: { readonly iommu: Iommu; readonly abi: AbiLevel },
): number {
  switch (extension) {
    case VFIO_TYPE1_IOMMU:
    case VFIO_TYPE1v2_IOMMU:
    case VFIO_UNMAP_ALL:
      return 1;
    case VFIO_TYPE1_NESTING_IOMMU:
      return abi === '6.12' ? 1 : 0;
    case VFIO_UPDATE_VADDR:
      return driver === null ? 0 : 1;
    case VFIO_DMA_CC_IOMMU:
      return driver === null ? 0 : ECAP.SC.get(iommu.words.ecapLow);
    default:
      return 0;
  }
}

/** Everything that a container leaves to its driver. */
export function type1Request(driver: Type1, process: Process, request: number, argument: number): number {
  switch (request) {
    case VFIO_IOMMU_GET_INFO:
      return getInfo(driver, process, argument);
    case VFIO_IOMMU_MAP_DMA:
      return mapDma(driver, process, argument);
    case VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(driver, process, argument);
    case VFIO_IOMMU_DIRTY_PAGES:
      return dirtyPages(driver, process, argument);
    default:
      return -ENOTTY;
  }
}

function mapDma(driver: Type1, process: Process, argument: number): number {
  const view = process.load(argument, VfioIommuType1DmaMap.SIZE);
  if (view === null) return -EFAULT;
  const { argsz, flags, vaddr, iova, size } = VfioIommuType1DmaMap.decode(view, 0);
  const permissions = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  if (argsz < VfioIommuType1DmaMap.SIZE || (flags & ~(permissions | VFIO_DMA_MAP_FLAG_VADDR)) !== 0) {
    return -EINVAL;
  }
  const isMove = (flags & VFIO_DMA_MAP_FLAG_VADDR) !== 0;
  if (isMove === ((flags & permissions) !== 0)) return -EINVAL;
  const range = { iova, address: vaddr, size };
  if (isMove) return driver.moveMemory(range);
  const read = (flags & VFIO_DMA_MAP_FLAG_READ) !== 0;
  const write = (flags & VFIO_DMA_MAP_FLAG_WRITE) !== 0;
  return driver.map(range, { read, write });
}

/** The number of bytes comes back only when the request succeeds. */
function unmapDma(driver: Type1, process: Process, argument: number): number {
  const view = process.load(argument, VfioIommuType1DmaUnmap.SIZE);
  if (view === null) return -EFAULT;
  const { argsz, flags, iova, size } = VfioIommuType1DmaUnmap.decode(view, 0);
  const isAll = (flags & VFIO_DMA_UNMAP_FLAG_ALL) !== 0;
  const isMove = (flags & VFIO_DMA_UNMAP_FLAG_VADDR) !== 0;
  const wantsBitmap = (flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) !== 0;
  const known = VFIO_DMA_UNMAP_FLAG_ALL | VFIO_DMA_UNMAP_FLAG_VADDR | VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
  if (argsz < VfioIommuType1DmaUnmap.SIZE || (flags & ~known) !== 0) return -EINVAL;
  if (wantsBitmap && (isAll || isMove)) return -EINVAL;

  const bitmap = wantsBitmap
    ? loadBitmap(process, argument + VfioIommuType1DmaUnmap.SIZE, size, argsz - VfioIommuType1DmaUnmap.SIZE)
    : null;
  if (typeof bitmap === 'number') return bitmap;
  if (isAll && (iova !== 0n || size !== 0n)) return -EINVAL;
  const mappings = isAll ? driver.all() : driver.covered(iova, size);
  if (typeof mappings === 'number') return mappings;
  if (bitmap !== null) {
    if (!driver.isTrackingDirty || bitmap.pageSize !== BigInt(PAGE_SIZE)) return -EINVAL;
    for (const mapping of mappings) {
      const copied = writeBitmap(process, bitmap, mapping, iova);
      if (copied < 0) return copied;
      driver.unmap([mapping]);
    }
  } else if (isMove) {
    if (mappings.some((mapping) => !mapping.hasAddress)) return -EINVAL;
    for (const mapping of mappings) mapping.hasAddress = false;
  } else driver.unmap(mappings);
  VfioIommuType1DmaUnmap.set(view, 0, 'size', totalSize(mappings));
  return process.store(argument, view);
}

const totalSize = (mappings: readonly DmaMapping[]): bigint =>
  mappings.reduce((sum, { size }) => sum + size, 0n);

// ---- GET_INFO ---------------------------------------------------------------------------------------------------------

/** Fields that a caller of the first version has: argsz, flags, iova_pgsizes. */
const INFO_MIN = VfioIommuType1Info.cap_offset;

/** The chain is written whole or not at all; `argsz` then says how much room it wants. */
function getInfo(driver: Type1, process: Process, argument: number): number {
  const head = process.load(argument, INFO_MIN);
  if (head === null) return -EFAULT;
  const argsz = head.getUint32(VfioIommuType1Info.argsz, true);
  if (argsz < INFO_MIN) return -EINVAL;
  const chain = link([migration(), dmaAvailable(driver.available), iovaRanges(driver.ranges)]);
  const total = VfioIommuType1Info.SIZE + chain.length;
  const fits = argsz >= total;
  if (fits) {
    const copied = process.copyOut(argument + VfioIommuType1Info.SIZE, chain);
    if (copied < 0) return copied;
  }
  const info = new DataView(new ArrayBuffer(VfioIommuType1Info.SIZE));
  VfioIommuType1Info.set(info, 0, 'argsz', fits ? argsz : total);
  VfioIommuType1Info.set(info, 0, 'flags', VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
  VfioIommuType1Info.set(info, 0, 'iova_pgsizes', driver.pageSizes);
  VfioIommuType1Info.set(info, 0, 'cap_offset', fits ? VfioIommuType1Info.SIZE : 0);
  return process.store(argument, info, Math.min(argsz, VfioIommuType1Info.SIZE));
}

/** Dirty tracking is offered by page, whatever the devices can do. */
function migration(): DataView {
  const view = capability(VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION, VfioIommuType1InfoCapMigration.SIZE);
  VfioIommuType1InfoCapMigration.set(view, 0, 'pgsize_bitmap', PAGE_SIZE);
  VfioIommuType1InfoCapMigration.set(view, 0, 'max_dirty_bitmap_size', BITMAP_BYTES_MAX);
  return view;
}

/** Capabilities one behind the other, each at a multiple of 8 and pointing to the next. */
function link(capabilities: readonly DataView[]): Uint8Array {
  const size = capabilities.reduce((sum, { byteLength }) => sum + alignUp(byteLength, 8), 0);
  const chain = new Uint8Array(size);
  const view = new DataView(chain.buffer);
  let at = 0;
  for (const one of capabilities) {
    chain.set(new Uint8Array(one.buffer), at);
    const next = at + alignUp(one.byteLength, 8);
    const offset = next < size ? VfioIommuType1Info.SIZE + next : 0;
    VfioInfoCapHeader.set(view, at, 'next', offset);
    at = next;
  }
  return chain;
}

/**
 * Capabilities of a container's VFIO_IOMMU_GET_INFO, as both kinds of container build them. Each is a structure that
 * begins with its header, version 1, and is the last of its chain until somebody links it.
 * Not here: which a container has, and how it places them (legacy/type1-requests.ts, iommufd/container-requests.ts).
 */
import type { Interval } from './iommufd/intervals.ts';
import {
  VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
  VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
  VfioInfoCapHeader,
  VfioIommuType1InfoCapIovaRange,
  VfioIommuType1InfoDmaAvail,
  VfioIovaRange,
} from './uapi/vfio.ts';

/** `size` bytes that begin with the header of capability `id`. */
export function capability(id: number, size: number): DataView {
  const view = new DataView(new ArrayBuffer(size));
  VfioInfoCapHeader.set(view, 0, 'id', id);
  VfioInfoCapHeader.set(view, 0, 'version', 1);
  return view;
}

/** How many more mappings there may be. */
export function dmaAvailable(mappings: number): DataView {
  const view = capability(VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, VfioIommuType1InfoDmaAvail.SIZE);
  VfioIommuType1InfoDmaAvail.set(view, 0, 'avail', mappings);
  return view;
}

/** What may be mapped, ascending. */
export function iovaRanges(ranges: readonly Interval[]): DataView {
  const header = VfioIommuType1InfoCapIovaRange.SIZE;
  const view = capability(VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, header + ranges.length * VfioIovaRange.SIZE);
  VfioIommuType1InfoCapIovaRange.set(view, 0, 'nr_iovas', ranges.length);
  for (const [index, { start, last }] of ranges.entries()) {
    VfioIovaRange.set(view, header + index * VfioIovaRange.SIZE, 'start', start);
    VfioIovaRange.set(view, header + index * VfioIovaRange.SIZE, 'end', last);
  }
  return view;
}

/**
 * The requests about page tables and the hardware behind a device (linux-abi §4.10 to §4.14). The remapping unit
 * runs in legacy mode: no nesting, no dirty tracking, so that much ends in EOPNOTSUPP after Linux's other checks.
 * Not here: attachment (attach.ts), page faults (fault-queue.ts).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { EINVAL, ENOENT, EOPNOTSUPP, EOVERFLOW } from '../uapi/errno.ts';
import {
  IOMMU_HW_INFO_FLAG_INPUT_TYPE,
  IOMMU_HW_INFO_TYPE_INTEL_VTD,
  IOMMU_HW_INFO_TYPE_NONE,
  IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17,
  IOMMU_HWPT_DATA_NONE,
  IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
  IOMMU_HWPT_FAULT_ID_VALID,
  IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR,
  IommuHwInfo,
  IommuHwInfoVtd,
  IommuHwptAlloc,
  IommuHwptGetDirtyBitmap,
  IommuHwptInvalidate,
  IommuHwptSetDirtyTracking,
  U64_MAX,
} from '../uapi/iommufd.ts';
import type { Argument } from './argument.ts';
import { BoundDevice } from './device.ts';
import { Hwpt } from './hwpt.ts';
import { Ioas } from './ioas.ts';
import type { Request } from './request.ts';

/** Most entries of one invalidation. */
const INVALIDATE_ENTRIES_MAX = 1 << 19;

export const hwptAlloc: Request = (state, argument) => {
  if (argument.u32(IommuHwptAlloc.__reserved) !== 0) return -EOPNOTSUPP;
  const hasType = argument.u32(IommuHwptAlloc.data_type) !== IOMMU_HWPT_DATA_NONE;
  const hasData = argument.u32(IommuHwptAlloc.data_len) !== 0;
  if (hasType !== hasData) return -EINVAL;
  if (!(state.objects.get(argument.u32(IommuHwptAlloc.dev_id)) instanceof BoundDevice)) return -ENOENT;
  const parent = state.objects.get(argument.u32(IommuHwptAlloc.pt_id));
  const flags = argument.u32(IommuHwptAlloc.flags);
  if (parent instanceof Hwpt) {
    // A nested table needs a parent made for it, and no parent can be.
    const understood = (flags & ~IOMMU_HWPT_FAULT_ID_VALID) === 0 && hasData;
    return understood ? -EINVAL : -EOPNOTSUPP;
  }
  if (!(parent instanceof Ioas)) return -EINVAL;
  if (flags !== 0 || hasData) return -EOPNOTSUPP;

  const hwpt = Hwpt.create(state, parent, false);
  if (typeof hwpt === 'number') return hwpt;
  argument.set32(IommuHwptAlloc.out_hwpt_id, hwpt.id);
  const filled = hwpt.fill();
  const result = filled < 0 ? filled : argument.respond();
  if (result < 0) state.objects.remove(hwpt);
  return result;
};

export const getHwInfo: Request = (state, argument) => {
  const flags = argument.u32(IommuHwInfo.flags);
  const younger = state.abi === '6.12' ? 0 : IOMMU_HW_INFO_FLAG_INPUT_TYPE;
  if ((flags & ~younger) !== 0 || hasReservedBytes(argument)) return -EOPNOTSUPP;
  const device = state.objects.get(argument.u32(IommuHwInfo.dev_id));
  if (!(device instanceof BoundDevice)) return -ENOENT;
  const wanted = argument.u32(IommuHwInfo.out_data_type);
  const asksType = flags !== 0 && wanted !== IOMMU_HW_INFO_TYPE_NONE;
  if (asksType && wanted !== IOMMU_HW_INFO_TYPE_INTEL_VTD) return -EOPNOTSUPP;

  const { capLow, capHigh, ecapLow, ecapHigh } = state.iommu.words;
  const data = new Uint8Array(IommuHwInfoVtd.SIZE);
  const view = new DataView(data.buffer);
  IommuHwInfoVtd.set(view, 0, 'flags', IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17);
  IommuHwInfoVtd.set(view, 0, 'cap_reg', (BigInt(capHigh) << 32n) | BigInt(capLow));
  IommuHwInfoVtd.set(view, 0, 'ecap_reg', (BigInt(ecapHigh) << 32n) | BigInt(ecapLow));
  const room = argument.u32(IommuHwInfo.data_len);
  const address = argument.pointer(IommuHwInfo.data_uptr);
  const copied = argument.process.copyOut(address, data.subarray(0, room));
  if (copied < 0) return copied;
  if (room > data.length) {
    const cleared = argument.process.clear(address + data.length, room - data.length);
    if (cleared < 0) return cleared;
  }
  argument.set32(IommuHwInfo.data_len, data.length);
  argument.set32(IommuHwInfo.out_data_type, IOMMU_HW_INFO_TYPE_INTEL_VTD);
  argument.set8(IommuHwInfo.out_max_pasid_log2, 0);
  argument.set64(IommuHwInfo.out_capabilities, 0n);
  return argument.respond();
};

/** Bytes behind the PASID width that must be zero. */
function hasReservedBytes(argument: Argument): boolean {
  const first = IommuHwInfo.__reserved;
  return (argument.u8(first) | argument.u8(first + 1) | argument.u8(first + 2)) !== 0;
}

export const setDirtyTracking: Request = (state, argument) => {
  if ((argument.u32(IommuHwptSetDirtyTracking.flags) & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE) !== 0) {
    return -EOPNOTSUPP;
  }
  const hwpt = state.objects.get(argument.u32(IommuHwptSetDirtyTracking.hwpt_id));
  return hwpt instanceof Hwpt ? -EOPNOTSUPP : -ENOENT;
};

export const getDirtyBitmap: Request = (state, argument) => {
  const flags = argument.u32(IommuHwptGetDirtyBitmap.flags);
  const reserved = argument.u32(IommuHwptGetDirtyBitmap.__reserved);
  if ((flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR) !== 0 || reserved !== 0) return -EOPNOTSUPP;
  const hwpt = state.objects.get(argument.u32(IommuHwptGetDirtyBitmap.hwpt_id));
  if (!(hwpt instanceof Hwpt)) return -ENOENT;
  const iova = argument.u64(IommuHwptGetDirtyBitmap.iova);
  const length = argument.u64(IommuHwptGetDirtyBitmap.length);
  const pageSize = argument.u64(IommuHwptGetDirtyBitmap.page_size);
  if (length === 0n) return -EINVAL;
  if (iova + length - 1n > U64_MAX) return -EOVERFLOW;
  const ends = iova | (iova + length);
  if ((ends & (hwpt.ioas.constraints.alignment - 1n)) !== 0n) return -EINVAL;
  if (pageSize === 0n || (ends & (pageSize - 1n)) !== 0n) return -EINVAL;
  return -EOPNOTSUPP;
};

export const hwptInvalidate: Request = (_, argument) => {
  const result = checkInvalidate(argument);
  argument.set32(IommuHwptInvalidate.entry_num, 0);
  const responded = argument.respond();
  return responded < 0 ? responded : result;
};

/** Only nested page tables can be invalidated, and there are none. */
function checkInvalidate(argument: Argument): number {
  if (argument.u32(IommuHwptInvalidate.__reserved) !== 0) return -EOPNOTSUPP;
  const entries = argument.u32(IommuHwptInvalidate.entry_num);
  const bytes = argument.u32(IommuHwptInvalidate.entry_len);
  if (entries > 0 && (argument.u64(IommuHwptInvalidate.data_uptr) === 0n || bytes === 0)) return -EINVAL;
  if (bytes > PAGE_SIZE || entries > INVALIDATE_ENTRIES_MAX) return -EINVAL;
  return -ENOENT;
}

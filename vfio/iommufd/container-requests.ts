/**
 * The requests of a VFIO container on an iommufd, and the request that says which IOAS they act on
 * (linux-abi §4.16, §6). They differ from iommufd's own in sizes, in what an empty unmap answers, and in that a
 * type1 container may cut a mapping in two.
 * Not here: a real container (/dev/vfio/vfio), groups.
 */
import { ECAP } from '../../iommu/spec/registers.ts';
import { alignUp, PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';
import { dmaAvailable, iovaRanges } from '../info-capabilities.ts';
import type { Process } from '../process.ts';
import { EFAULT, EINVAL, ENODEV, ENOENT, ENOTTY, EOPNOTSUPP } from '../uapi/errno.ts';
import {
  IOMMU_VFIO_IOAS_CLEAR,
  IOMMU_VFIO_IOAS_GET,
  IOMMU_VFIO_IOAS_SET,
  IommuVfioIoas,
  U64_MAX,
} from '../uapi/iommufd.ts';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_DMA_CC_IOMMU,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_GET_API_VERSION,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_INFO_CAPS,
  VFIO_IOMMU_INFO_PGSIZES,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
  VfioInfoCapHeader,
  VfioIommuType1DmaMap,
  VfioIommuType1DmaUnmap,
  VfioIommuType1Info,
  VfioIommuType1InfoCapIovaRange,
  VfioIovaRange,
} from '../uapi/vfio.ts';
import type { Ioas } from './ioas.ts';
import { mapUser, unmapRange } from './mapping.ts';
import { ioasOf, type Request } from './request.ts';
import type { ContextState } from './state.ts';

export const vfioIoas: Request = (state, argument) => {
  if (argument.u16(IommuVfioIoas.__reserved) !== 0) return -EOPNOTSUPP;
  const op = argument.u16(IommuVfioIoas.op);
  if (op === IOMMU_VFIO_IOAS_GET) {
    if (state.compat === null) return -ENODEV;
    argument.set32(IommuVfioIoas.ioas_id, state.compat.id);
    return argument.respond();
  }
  if (op === IOMMU_VFIO_IOAS_SET) {
    const ioas = ioasOf(state, argument.u32(IommuVfioIoas.ioas_id));
    if (ioas === null) return -ENOENT;
    state.compat = ioas;
    return 0;
  }
  if (op !== IOMMU_VFIO_IOAS_CLEAR) return -EOPNOTSUPP;
  state.compat = null;
  return 0;
};

/** Any request that is not iommufd's own. `argument` is a number or an address, as the request has it. */
export function containerRequest(state: ContextState, request: number, argument: number): number {
  switch (request) {
    case VFIO_GET_API_VERSION:
      return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION:
      return checkExtension(state, argument);
    case VFIO_SET_IOMMU:
      return setIommu(state, argument);
    case VFIO_IOMMU_GET_INFO:
      return getInfo(state, argument);
    case VFIO_IOMMU_MAP_DMA:
      return mapDma(state, argument);
    case VFIO_IOMMU_UNMAP_DMA:
      return unmapDma(state, argument);
    default:
      return -ENOTTY;
  }
}

function checkExtension(state: ContextState, extension: number): number {
  switch (extension) {
    case VFIO_TYPE1_IOMMU:
    case VFIO_TYPE1v2_IOMMU:
    case VFIO_UNMAP_ALL:
      return 1;
    case VFIO_DMA_CC_IOMMU:
      if (state.compat === null) return -ENODEV;
      return state.compat.tables.length === 0 || ECAP.SC.get(state.iommu.words.ecapLow) === 1 ? 1 : 0;
    default:
      return 0;
  }
}

/** Type 1 promises that any page can be unmapped alone, which large leaves would break. */
function setIommu(state: ContextState, type: number): number {
  if (type !== VFIO_TYPE1_IOMMU && type !== VFIO_TYPE1v2_IOMMU) return -EINVAL;
  if (state.compat === null) return -ENODEV;
  return type === VFIO_TYPE1_IOMMU ? state.compat.setHugePages(false) : 0;
}

function mapDma(state: ContextState, address: number): number {
  const view = state.host.process.load(address, VfioIommuType1DmaMap.SIZE);
  if (view === null) return -EFAULT;
  const { argsz, flags, vaddr, iova, size } = VfioIommuType1DmaMap.decode(view, 0);
  const known = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
  if (argsz < VfioIommuType1DmaMap.SIZE || (flags & ~known) !== 0) return -EINVAL;
  if (state.compat === null) return -ENODEV;
  const access = {
    readable: (flags & VFIO_DMA_MAP_FLAG_READ) !== 0,
    writable: (flags & VFIO_DMA_MAP_FLAG_WRITE) !== 0,
  };
  const range = { address: vaddr, length: size, fixed: iova, access, source: state.host.process };
  const mapped = mapUser(state, state.compat, range);
  return typeof mapped === 'number' ? mapped : 0;
}

/** The structure goes back with the bytes unmapped even when the request fails half way. */
function unmapDma(state: ContextState, address: number): number {
  const view = state.host.process.load(address, VfioIommuType1DmaUnmap.SIZE);
  if (view === null) return -EFAULT;
  const { argsz, flags, iova, size } = VfioIommuType1DmaUnmap.decode(view, 0);
  if (argsz < VfioIommuType1DmaUnmap.SIZE || (flags & ~VFIO_DMA_UNMAP_FLAG_ALL) !== 0) return -EINVAL;
  const ioas = state.compat;
  if (ioas === null) return -ENODEV;
  const all = (flags & VFIO_DMA_UNMAP_FLAG_ALL) !== 0;
  if (all && (iova !== 0n || size !== 0n)) return -EINVAL;
  if (!all && !ioas.constraints.hugePages) {
    const cut = cutAround(ioas, iova, size);
    if (cut < 0) return cut;
  }
  const { result, bytes } = all ? ioas.unmap(0n, U64_MAX) : unmapRange(ioas, iova, size);
  VfioIommuType1DmaUnmap.set(view, 0, 'size', bytes);
  const copied = state.host.process.copyOut(address, new Uint8Array(view.buffer));
  return copied < 0 ? copied : result;
}

/** Makes both ends of a range ends of areas. */
function cutAround(ioas: Ioas, iova: bigint, size: bigint): number {
  const cut = ioas.cut((iova + size - 1n) & U64_MAX);
  return cut < 0 || iova === 0n ? cut : ioas.cut(iova - 1n);
}

// ---- GET_INFO and its two capabilities ----------------------------------------------------------------------------

/** Fields that a caller of the first version has: argsz, flags, iova_pgsizes. */
const INFO_MIN = VfioIommuType1Info.cap_offset;
/** Iommufd counts no mappings. */
const UNLIMITED = 0xffff_ffff;

function getInfo(state: ContextState, address: number): number {
  const head = state.host.process.load(address, INFO_MIN);
  if (head === null) return -EFAULT;
  const argsz = head.getUint32(VfioIommuType1Info.argsz, true);
  if (argsz < INFO_MIN) return -EINVAL;
  if (state.compat === null) return -ENODEV;
  const { process } = state.host;

  let total: number = VfioIommuType1Info.SIZE;
  let previous = 0;
  for (const view of [dmaAvailable(UNLIMITED), iovaRanges(state.compat.constraints.usable())]) {
    const capability = new Uint8Array(view.buffer);
    const copied = copyCapability(process, address + total, capability, argsz - total);
    if (copied < 0) return copied;
    if (previous > 0 && argsz >= total) {
      const linked = process.write32(address + previous + VfioInfoCapHeader.next, total);
      if (linked < 0) return linked;
    }
    previous = total;
    total += alignUp(capability.length, 8);
  }

  const info = new DataView(new ArrayBuffer(VfioIommuType1Info.SIZE));
  VfioIommuType1Info.set(info, 0, 'argsz', total);
  VfioIommuType1Info.set(info, 0, 'flags', VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS);
  VfioIommuType1Info.set(info, 0, 'iova_pgsizes', pageSizes(state.compat));
  VfioIommuType1Info.set(info, 0, 'cap_offset', argsz >= total ? VfioIommuType1Info.SIZE : 0);
  return process.copyOut(address, new Uint8Array(info.buffer, 0, Math.min(argsz, VfioIommuType1Info.SIZE)));
}

/** Writes a capability into `room` bytes. Without room for all of it, as many ranges as fit, and no header. */
function copyCapability(process: Process, address: number, capability: Uint8Array, room: number): number {
  if (room >= capability.length) return process.copyOut(address, capability);
  const header = VfioIommuType1InfoCapIovaRange.SIZE;
  const ranges = Math.floor((room - header) / VfioIovaRange.SIZE);
  if (ranges <= 0) return 0;
  return process.copyOut(address + header, capability.subarray(header, header + ranges * VfioIovaRange.SIZE));
}

/** Sizes below a host page are shown as one host page. */
function pageSizes(ioas: Ioas): bigint {
  const { pageSizes: sizes } = ioas.constraints;
  const small = BigInt(PAGE_MASK);
  return (sizes & small) === 0n ? sizes : (sizes & ~small) | BigInt(PAGE_SIZE);
}

/**
 * The requests about IO address spaces: arguments in the order Linux checks them, results back to the caller
 * (linux-abi §4.1 to §4.7). Not here: what the operations do (ioas.ts), options (option.ts).
 */
import { MemoryFile } from '../memory-file.ts';
import { EBADF, EINVAL, EMSGSIZE, ENOENT, EOPNOTSUPP, EOVERFLOW } from '../uapi/errno.ts';
import {
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IommuIoasAlloc,
  IommuIoasAllowIovas,
  IommuIoasChangeProcess,
  IommuIoasCopy,
  IommuIoasIovaRanges,
  IommuIoasMap,
  IommuIoasMapFile,
  IommuIoasUnmap,
  IommuIovaRange,
  U64_MAX,
} from '../uapi/iommufd.ts';
import type { Access } from './area.ts';
import { AreaList, type Placed, placed } from './areas.ts';
import type { Argument } from './argument.ts';
import { Ioas } from './ioas.ts';
import { mapUser, unmapRange } from './mapping.ts';
import { ioasOf, type Request } from './request.ts';
import type { ContextState } from './state.ts';
import { NO_MEMORY, type PinSource } from './user-pages.ts';

const PERMISSIONS = IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE;
const MAP_FLAGS = IOMMU_IOAS_MAP_FIXED_IOVA | PERMISSIONS;

const accessOf = (flags: number): Access => ({
  readable: (flags & IOMMU_IOAS_MAP_READABLE) !== 0,
  writable: (flags & IOMMU_IOAS_MAP_WRITEABLE) !== 0,
});

export const ioasAlloc: Request = (state, argument) => {
  if (argument.u32(IommuIoasAlloc.flags) !== 0) return -EOPNOTSUPP;
  const ioas = new Ioas();
  argument.set32(IommuIoasAlloc.out_ioas_id, state.objects.add(ioas));
  const result = argument.respond();
  if (result < 0) state.objects.remove(ioas);
  return result;
};

export const ioasIovaRanges: Request = (state, argument) => {
  if (argument.u32(IommuIoasIovaRanges.__reserved) !== 0) return -EOPNOTSUPP;
  const ioas = ioasOf(state, argument.u32(IommuIoasIovaRanges.ioas_id));
  if (ioas === null) return -ENOENT;
  const room = argument.u32(IommuIoasIovaRanges.num_iovas);
  const address = argument.pointer(IommuIoasIovaRanges.allowed_iovas);
  const ranges = ioas.constraints.usable();
  const entry = new Uint8Array(IommuIovaRange.SIZE);
  const view = new DataView(entry.buffer);
  for (const [index, { start, last }] of ranges.slice(0, room).entries()) {
    IommuIovaRange.set(view, 0, 'start', start);
    IommuIovaRange.set(view, 0, 'last', last);
    const copied = argument.process.copyOut(address + index * IommuIovaRange.SIZE, entry);
    if (copied < 0) return copied;
  }
  argument.set32(IommuIoasIovaRanges.num_iovas, ranges.length);
  argument.set64(IommuIoasIovaRanges.out_iova_alignment, ioas.constraints.alignment);
  const result = argument.respond();
  return result === 0 && ranges.length > room ? -EMSGSIZE : result;
};

export const ioasAllowIovas: Request = (state, argument) => {
  if (argument.u32(IommuIoasAllowIovas.__reserved) !== 0) return -EOPNOTSUPP;
  const ioas = ioasOf(state, argument.u32(IommuIoasAllowIovas.ioas_id));
  if (ioas === null) return -ENOENT;
  const address = argument.pointer(IommuIoasAllowIovas.allowed_iovas);
  const count = argument.u32(IommuIoasAllowIovas.num_iovas);
  const ranges = new AreaList<Placed>();
  const entry = new Uint8Array(IommuIovaRange.SIZE);
  const view = new DataView(entry.buffer);
  for (let index = 0; index < count; index++) {
    const copied = argument.process.copyIn(address + index * IommuIovaRange.SIZE, entry);
    if (copied < 0) return copied;
    const { start, last } = IommuIovaRange.decode(view, 0);
    if (start >= last || ranges.firstIn(start, last) !== null) return -EINVAL;
    ranges.insert(placed(start, last));
  }
  return ioas.constraints.allow([...ranges]);
};

export const ioasMap: Request = (state, argument) => {
  if (hasUnknownFlags(argument) || argument.u32(IommuIoasMap.__reserved) !== 0) return -EOPNOTSUPP;
  const ioas = mapTarget(state, argument);
  return typeof ioas === 'number' ? ioas : mapAndRespond(state, argument, ioas, state.host.process);
};

/** [6.13] The same structure, but for a descriptor where MAP has a reserved word. */
export const ioasMapFile: Request = (state, argument) => {
  if (hasUnknownFlags(argument)) return -EOPNOTSUPP;
  const ioas = mapTarget(state, argument);
  if (typeof ioas === 'number') return ioas;
  const file = state.host.files.get(argument.s32(IommuIoasMapFile.fd));
  if (file === null) return -EBADF;
  return mapAndRespond(state, argument, ioas, file instanceof MemoryFile ? file : NO_MEMORY);
};

/** MAP, MAP_FILE and COPY have their flags at one place. */
const hasUnknownFlags = (argument: Argument): boolean =>
  (argument.u32(IommuIoasMap.flags) & ~MAP_FLAGS) !== 0;

/** The IOAS that MAP or MAP_FILE names, or what is wrong with the numbers beside it. */
function mapTarget(state: ContextState, argument: Argument): Ioas | number {
  if (argument.isMax(IommuIoasMap.iova) || argument.isMax(IommuIoasMap.length)) return -EOVERFLOW;
  if ((argument.u32(IommuIoasMap.flags) & PERMISSIONS) === 0) return -EINVAL;
  return ioasOf(state, argument.u32(IommuIoasMap.ioas_id)) ?? -ENOENT;
}

function mapAndRespond(state: ContextState, argument: Argument, ioas: Ioas, source: PinSource): number {
  const flags = argument.u32(IommuIoasMap.flags);
  const fixed = (flags & IOMMU_IOAS_MAP_FIXED_IOVA) === 0 ? null : argument.u64(IommuIoasMap.iova);
  const address = argument.u64(IommuIoasMap.user_va);
  const length = argument.u64(IommuIoasMap.length);
  const iova = mapUser(state, ioas, { address, length, fixed, access: accessOf(flags), source });
  if (typeof iova === 'number') return iova;
  argument.set64(IommuIoasMap.iova, iova);
  return argument.respond();
}

export const ioasCopy: Request = (state, argument) => {
  if (hasUnknownFlags(argument)) return -EOPNOTSUPP;
  const flags = argument.u32(IommuIoasCopy.flags);
  const length = argument.u64(IommuIoasCopy.length);
  const from = argument.u64(IommuIoasCopy.src_iova);
  const to = argument.u64(IommuIoasCopy.dst_iova);
  if (length === U64_MAX || from === U64_MAX || to === U64_MAX) return -EOVERFLOW;
  if ((flags & PERMISSIONS) === 0) return -EINVAL;
  const source = ioasOf(state, argument.u32(IommuIoasCopy.src_ioas_id));
  if (source === null) return -ENOENT;
  if (length === 0n) return -EINVAL;
  if (from + length - 1n > U64_MAX) return -EOVERFLOW;
  const sources = source.sources(from, from + length - 1n);
  if (typeof sources === 'number') return sources;
  const target = ioasOf(state, argument.u32(IommuIoasCopy.dst_ioas_id));
  if (target === null) return -ENOENT;
  const fixed = (flags & IOMMU_IOAS_MAP_FIXED_IOVA) === 0 ? null : to;
  const mapped = target.map(sources, fixed, accessOf(flags));
  if (typeof mapped === 'number') return mapped;
  argument.set64(IommuIoasCopy.dst_iova, mapped);
  return argument.respond();
};

export const ioasUnmap: Request = (state, argument) => {
  const ioas = ioasOf(state, argument.u32(IommuIoasUnmap.ioas_id));
  if (ioas === null) return -ENOENT;
  const iova = argument.u64(IommuIoasUnmap.iova);
  const length = argument.u64(IommuIoasUnmap.length);
  const all = iova === 0n && length === U64_MAX;
  if (!all && (iova === U64_MAX || length === U64_MAX)) return -EOVERFLOW;
  const { result, bytes } = all ? ioas.unmap(0n, U64_MAX) : unmapRange(ioas, iova, length);
  if (result < 0) return result;
  if (bytes === 0n && !all) return -ENOENT;
  argument.set64(IommuIoasUnmap.length, bytes);
  return argument.respond();
};

/** [6.13] Charges mappings of files to the caller; mappings of memory stay with the process that made them. */
export const ioasChangeProcess: Request = (state, argument) => {
  if (argument.u32(IommuIoasChangeProcess.__reserved) !== 0) return -EOPNOTSUPP;
  for (const object of state.objects) {
    if (!(object instanceof Ioas)) continue;
    for (const area of object.areas) if (area.pages.source === state.host.process) return -EINVAL;
  }
  return 0;
};

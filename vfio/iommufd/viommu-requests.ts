/**
 * The requests about virtual IOMMUs [6.13 to 6.17]. The remapping unit offers none, so none can be made: what is left
 * are the checks that come before one is needed (linux-abi §4.17).
 */
import { EINVAL, ENOENT, EOPNOTSUPP, EOVERFLOW } from '../uapi/errno.ts';
import {
  IOMMU_VIOMMU_TYPE_DEFAULT,
  IommuHwQueueAlloc,
  IommuVeventqAlloc,
  IommuViommuAlloc,
  U64_MAX,
} from '../uapi/iommufd.ts';
import { BoundDevice } from './device.ts';
import type { Request } from './request.ts';

export const viommuAlloc: Request = (state, argument) => {
  const type = argument.u32(IommuViommuAlloc.type);
  if (argument.u32(IommuViommuAlloc.flags) !== 0 || type === IOMMU_VIOMMU_TYPE_DEFAULT) return -EOPNOTSUPP;
  const device = state.objects.get(argument.u32(IommuViommuAlloc.dev_id));
  return device instanceof BoundDevice ? -EOPNOTSUPP : -ENOENT;
};

export const vdeviceAlloc: Request = () => -ENOENT;

export const veventqAlloc: Request = (_, argument) => {
  const reserved = argument.u32(IommuVeventqAlloc.flags) | argument.u32(IommuVeventqAlloc.__reserved);
  if (reserved !== 0 || argument.u32(IommuVeventqAlloc.type) === 0) return -EOPNOTSUPP;
  return argument.u32(IommuVeventqAlloc.veventq_depth) === 0 ? -EINVAL : -ENOENT;
};

export const hwQueueAlloc: Request = (_, argument) => {
  const type = argument.u32(IommuHwQueueAlloc.type);
  if (argument.u32(IommuHwQueueAlloc.flags) !== 0 || type === 0) return -EOPNOTSUPP;
  const length = argument.u64(IommuHwQueueAlloc.length);
  if (length === 0n) return -EINVAL;
  const end = argument.u64(IommuHwQueueAlloc.nesting_parent_iova) + length;
  return end > U64_MAX ? -EOVERFLOW : -ENOENT;
};

/**
 * IOMMU_OPTION: how pinned memory is counted (of the context) and whether leaves may be large (of an IOAS)
 * (linux-abi §4.8).
 */
import { EBUSY, EINVAL, ENOENT, EOPNOTSUPP, EPERM } from '../uapi/errno.ts';
import {
  IOMMU_OPTION_HUGE_PAGES,
  IOMMU_OPTION_OP_GET,
  IOMMU_OPTION_OP_SET,
  IOMMU_OPTION_RLIMIT_MODE,
  IommuOption,
} from '../uapi/iommufd.ts';
import type { Argument } from './argument.ts';
import { ioasOf, type Request } from './request.ts';
import type { ContextState } from './state.ts';

export const option: Request = (state, argument) => {
  if (argument.u16(IommuOption.__reserved) !== 0) return -EOPNOTSUPP;
  const result = apply(state, argument, argument.u32(IommuOption.option_id));
  return result < 0 ? result : argument.respondPart(IommuOption.val64, 8);
};

function apply(state: ContextState, argument: Argument, id: number): number {
  if (id === IOMMU_OPTION_RLIMIT_MODE) return rlimitMode(state, argument);
  if (id === IOMMU_OPTION_HUGE_PAGES) return hugePages(state, argument);
  return -EOPNOTSUPP;
}

function rlimitMode(state: ContextState, argument: Argument): number {
  if (argument.u32(IommuOption.object_id) !== 0) return -EOPNOTSUPP;
  const op = argument.u16(IommuOption.op);
  if (op === IOMMU_OPTION_OP_GET) {
    argument.set64(IommuOption.val64, state.accounting === 'mm' ? 1n : 0n);
    return 0;
  }
  if (op !== IOMMU_OPTION_OP_SET) return -EOPNOTSUPP;
  if (!state.host.process.capabilities.sysResource) return -EPERM;
  if (!state.objects.empty) return -EBUSY;
  const value = argument.u64(IommuOption.val64);
  if (value > 1n) return -EINVAL;
  state.accounting = value === 1n ? 'mm' : 'user';
  return 0;
}

function hugePages(state: ContextState, argument: Argument): number {
  const ioas = ioasOf(state, argument.u32(IommuOption.object_id));
  if (ioas === null) return -ENOENT;
  const op = argument.u16(IommuOption.op);
  if (op === IOMMU_OPTION_OP_GET) {
    argument.set64(IommuOption.val64, ioas.constraints.hugePages ? 1n : 0n);
    return 0;
  }
  if (op !== IOMMU_OPTION_OP_SET) return -EOPNOTSUPP;
  const value = argument.u64(IommuOption.val64);
  return value > 1n ? -EINVAL : ioas.setHugePages(value === 1n);
}

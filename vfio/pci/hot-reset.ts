/**
 * GET_PCI_HOT_RESET_INFO and PCI_HOT_RESET: which functions a reset of the bus would hit, and whether the caller owns
 * them all. Through a cdev that follows from the iommufd, through a group from the group files that the caller shows.
 * linux-abi 2.6, 2.7.
 */
import type { FileTable } from '../file-table.ts';
import type { IommuGroup } from '../iommu-group.ts';
import { GroupFile } from '../legacy/group-file.ts';
import type { PciDevice } from '../pci-device.ts';
import type { Process } from '../process.ts';
import { EBADF, EFAULT, EINVAL, ENODEV, ENOSPC } from '../uapi/errno.ts';
import {
  VFIO_PCI_DEVID_NOT_OWNED,
  VFIO_PCI_DEVID_OWNED,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID,
  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED,
  VfioPciDependentDevice,
  VfioPciHotReset,
  VfioPciHotResetInfo,
} from '../uapi/vfio.ts';
import type { Binding } from '../vfio-device.ts';

/** A function on the bus that is to be reset. */
export interface ResetMate {
  readonly pci: PciDevice;
  readonly group: IommuGroup;
  /** Its use through vfio-pci, or null when another driver or none has it. */
  readonly vfio: { readonly binding: Binding | null } | null;
}

/** What the two requests need of the device that is asked. */
export interface HotResetTarget {
  readonly process: Process;
  readonly files: FileTable;
  readonly pci: PciDevice;
  readonly binding: Binding | null;
  /** The request came through the cdev. */
  readonly cdevOpened: boolean;
  /** Every function on the same bus, this one included. */
  readonly mates: readonly ResetMate[];
  /** Resets the bus with all that is needed around it. Returns 0 or a negative errno. */
  resetBus(): number;
}

/** The id by which a caller names a mate: its group, or its devid, or whether the caller owns it at all. */
function idOf(target: HotResetTarget, mate: ResetMate): number {
  if (!target.cdevOpened) return mate.group.id;
  const { context } = target.binding!;
  if (mate.vfio === null) return VFIO_PCI_DEVID_NOT_OWNED;
  if (mate.vfio.binding?.context === context) return mate.vfio.binding.devid;
  return mate.group.owner === context ? VFIO_PCI_DEVID_OWNED : VFIO_PCI_DEVID_NOT_OWNED;
}

export function getHotResetInfo(target: HotResetTarget, argument: number): number {
  const { process, pci, mates } = target;
  const info = process.load(argument, VfioPciHotResetInfo.SIZE);
  if (info === null) return -EFAULT;
  const argsz = VfioPciHotResetInfo.get(info, 0, 'argsz');
  if (argsz < VfioPciHotResetInfo.SIZE) return -EINVAL;
  if (pci.bridge === null) return -ENODEV;
  VfioPciHotResetInfo.set(info, 0, 'flags', 0);
  VfioPciHotResetInfo.set(info, 0, 'count', mates.length);
  const room = Math.floor((argsz - VfioPciHotResetInfo.SIZE) / VfioPciDependentDevice.SIZE);
  if (room < mates.length) {
    const error = process.store(argument, info);
    return error < 0 ? error : -ENOSPC;
  }
  const list = new DataView(new ArrayBuffer(mates.length * VfioPciDependentDevice.SIZE));
  let flags = target.cdevOpened ? VFIO_PCI_HOT_RESET_FLAG_DEV_ID | VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED : 0;
  mates.forEach((mate, index) => {
    const at = index * VfioPciDependentDevice.SIZE;
    const devid = idOf(target, mate);
    if (devid === VFIO_PCI_DEVID_NOT_OWNED) flags &= ~VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
    VfioPciDependentDevice.set(list, at, 'devid', devid);
    VfioPciDependentDevice.set(list, at, 'bus', mate.pci.bus);
    VfioPciDependentDevice.set(list, at, 'devfn', mate.pci.devfn);
  });
  VfioPciHotResetInfo.set(info, 0, 'flags', flags);
  const error = process.store(argument + VfioPciHotResetInfo.SIZE, list);
  return error < 0 ? error : process.store(argument, info);
}

export function hotReset(target: HotResetTarget, argument: number): number {
  const { process, pci, mates, cdevOpened } = target;
  const given = process.load(argument, VfioPciHotReset.SIZE);
  if (given === null) return -EFAULT;
  const { argsz, flags, count } = VfioPciHotReset.decode(given, 0);
  if (argsz < VfioPciHotReset.SIZE || flags !== 0 || cdevOpened !== (count === 0)) return -EINVAL;
  if (pci.bridge === null) return -ENODEV;
  if (cdevOpened) {
    const owned = mates.every((mate) => idOf(target, mate) !== VFIO_PCI_DEVID_NOT_OWNED);
    return owned ? target.resetBus() : -EINVAL;
  }
  if (count > mates.length) return -EINVAL;
  const groups = groupsShown(target, argument + VfioPciHotReset.SIZE, count);
  if (typeof groups === 'number') return groups;
  const owned = mates.every((mate) => mate.vfio !== null && groups.includes(mate.group));
  return owned ? target.resetBus() : -EINVAL;
}

/** The groups whose files the caller has, by the descriptors at `argument`. Returns -EFAULT, -EBADF or -EINVAL. */
function groupsShown(
  { process, files }: HotResetTarget,
  argument: number,
  count: number,
): IommuGroup[] | number {
  const fds = process.load(argument, count * 4);
  if (fds === null) return -EFAULT;
  const groups: IommuGroup[] = [];
  for (let index = 0; index < count; index++) {
    const file = files.get(fds.getInt32(index * 4, true));
    if (file === null) return -EBADF;
    if (!(file instanceof GroupFile)) return -EINVAL;
    groups.push(file.group.iommuGroup);
  }
  return groups;
}

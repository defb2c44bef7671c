/**
 * GET_INFO, GET_REGION_INFO and GET_IRQ_INFO of a PCI function, capability chains included. linux-abi 2.0 to 2.3.
 */
import type { Process } from '../process.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import {
  regionOffset,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_AUTOMASKED,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_BAR5_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_ROM_REGION_INDEX,
  VFIO_REGION_INFO_CAP_MSIX_MAPPABLE,
  VFIO_REGION_INFO_FLAG_CAPS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VfioDeviceInfo,
  VfioInfoCapHeader,
  VfioIrqInfo,
  VfioRegionInfo,
} from '../uapi/vfio.ts';
import type { PciIrqs } from './irqs.ts';
import type { PciRegions } from './regions.ts';

const DEVICE_INFO_MIN = 16;
const READ_WRITE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

/** GET_INFO. `canReset` says whether RESET will do anything. */
export function getInfo(process: Process, argument: number, regions: PciRegions, canReset: boolean): number {
  const given = process.load(argument, DEVICE_INFO_MIN);
  if (given === null) return -EFAULT;
  const argsz = VfioDeviceInfo.get(given, 0, 'argsz');
  if (argsz < DEVICE_INFO_MIN) return -EINVAL;
  const info = new DataView(new ArrayBuffer(VfioDeviceInfo.SIZE));
  VfioDeviceInfo.set(info, 0, 'argsz', argsz);
  VfioDeviceInfo.set(info, 0, 'flags', VFIO_DEVICE_FLAGS_PCI | (canReset ? VFIO_DEVICE_FLAGS_RESET : 0));
  VfioDeviceInfo.set(info, 0, 'num_regions', regions.count);
  VfioDeviceInfo.set(info, 0, 'num_irqs', VFIO_PCI_NUM_IRQS);
  return process.store(argument, info, Math.min(argsz, VfioDeviceInfo.SIZE));
}

/** GET_REGION_INFO. A BAR that holds the MSI-X table carries the capability which says that it may be mapped whole. */
export function getRegionInfo(process: Process, argument: number, regions: PciRegions): number {
  const info = process.load(argument, VfioRegionInfo.SIZE);
  if (info === null) return -EFAULT;
  const index = VfioRegionInfo.get(info, 0, 'index');
  if (VfioRegionInfo.get(info, 0, 'argsz') < VfioRegionInfo.SIZE) return -EINVAL;
  const found = describeRegion(regions, index);
  if (found === null) return -EINVAL;
  VfioRegionInfo.set(info, 0, 'flags', found.flags);
  VfioRegionInfo.set(info, 0, 'size', found.size);
  VfioRegionInfo.set(info, 0, 'offset', regionOffset(index));
  if ((found.flags & VFIO_REGION_INFO_FLAG_MMAP) !== 0 && regions.holdsMsixTable(index)) {
    const error = addMsixMappable(process, argument, info);
    if (error < 0) return error;
  }
  return process.store(argument, info);
}

function describeRegion(regions: PciRegions, index: number): { flags: number; size: number } | null {
  if (index <= VFIO_PCI_BAR5_REGION_INDEX) {
    const size = regions.resource(index)?.bytes ?? 0;
    const mmap = regions.mappable(index) ? VFIO_REGION_INFO_FLAG_MMAP : 0;
    return { flags: size === 0 ? 0 : READ_WRITE | mmap, size };
  }
  if (index === VFIO_PCI_ROM_REGION_INDEX) {
    const size = regions.resource(index)?.bytes ?? 0;
    return { flags: size === 0 ? 0 : VFIO_REGION_INFO_FLAG_READ, size };
  }
  if (index !== VFIO_PCI_CONFIG_REGION_INDEX) return null;
  return { flags: READ_WRITE, size: regions.config?.bytes ?? 0 };
}

/** Puts the chain behind the structure when there is room, else says how much room it takes. */
function addMsixMappable(process: Process, argument: number, info: DataView): number {
  const needed = VfioRegionInfo.SIZE + VfioInfoCapHeader.SIZE;
  VfioRegionInfo.set(info, 0, 'flags', VfioRegionInfo.get(info, 0, 'flags') | VFIO_REGION_INFO_FLAG_CAPS);
  if (VfioRegionInfo.get(info, 0, 'argsz') < needed) {
    VfioRegionInfo.set(info, 0, 'argsz', needed);
    VfioRegionInfo.set(info, 0, 'cap_offset', 0);
    return 0;
  }
  VfioRegionInfo.set(info, 0, 'cap_offset', VfioRegionInfo.SIZE);
  const header = new DataView(new ArrayBuffer(VfioInfoCapHeader.SIZE));
  VfioInfoCapHeader.set(header, 0, 'id', VFIO_REGION_INFO_CAP_MSIX_MAPPABLE);
  VfioInfoCapHeader.set(header, 0, 'version', 1);
  return process.store(argument + VfioRegionInfo.SIZE, header);
}

/** GET_IRQ_INFO. An index that the function does not have succeeds with a count of 0, except ERR without PCI Express. */
export function getIrqInfo(process: Process, argument: number, irqs: PciIrqs): number {
  const info = process.load(argument, VfioIrqInfo.SIZE);
  if (info === null) return -EFAULT;
  const index = VfioIrqInfo.get(info, 0, 'index');
  if (VfioIrqInfo.get(info, 0, 'argsz') < VfioIrqInfo.SIZE || index >= VFIO_PCI_NUM_IRQS) return -EINVAL;
  if (index === VFIO_PCI_ERR_IRQ_INDEX && irqs.count(index) === 0) return -EINVAL;
  VfioIrqInfo.set(info, 0, 'flags', irqFlags(index, irqs.msix.dynamic));
  VfioIrqInfo.set(info, 0, 'count', irqs.count(index));
  return process.store(argument, info);
}

function irqFlags(index: number, dynamicMsix: boolean): number {
  if (index === VFIO_PCI_INTX_IRQ_INDEX) {
    return VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
  }
  const resizable = index === VFIO_PCI_MSIX_IRQ_INDEX && dynamicMsix;
  return resizable ? VFIO_IRQ_INFO_EVENTFD : VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
}

/**
 * The seam between the device side of the kernel (cdev.ts, pci/) and iommufd: what a device tells the context it is
 * bound to, and what the context offers the device. Types only.
 */
import type { FileTable } from '../file-table.ts';
import type { IommuGroup } from '../iommu-group.ts';
import type { Process } from '../process.ts';

/** A device that can be bound to an iommufd context. */
export interface IommufdClient {
  /** Bus << 8 | devfn, the id its DMA carries. */
  readonly requester: number;
  readonly group: IommuGroup;
  /** The IOMMU keeps its DMA coherent with the CPU's caches (IOMMU_CAP_CACHE_COHERENCY); without it BIND is EINVAL. */
  readonly coherent: boolean;
  /** Its interrupts cannot be forged by others; without it BIND is EPERM. */
  readonly isolatedMsi: boolean;
}

/** What a context offers a device. `IommufdContext` of context.ts implements it, on top of being an open file. */
export interface IommufdBinder {
  /** Claims the group and makes a DEVICE object. Returns its id, or -EINVAL, -EPERM, -EBUSY, -ENOMEM. */
  bind(device: IommufdClient): number;
  /** Destroys the DEVICE object, which is detached by now, and gives the group back. */
  unbind(devid: number): void;
  /** Attaches to an IOAS or HWPT, or replaces the attachment. Returns the id of the HWPT, or a negative errno. */
  attach(devid: number, ptId: number): number;
  /** Blocks the device's DMA; nothing happens when it was not attached. */
  detach(devid: number): void;
  /** From now on there is an IOAS for container requests (GROUP_SET_CONTAINER). */
  makeCompat(): void;
  /** Attaches to that IOAS. Returns the id of the HWPT, -ENODEV when the user has destroyed it, or as `attach`. */
  attachCompat(devid: number): number;
}

/** What the kernel hands to a context when /dev/iommu is opened, besides the IOMMU's driver. */
export interface IommufdHost {
  readonly process: Process;
  /** For descriptors that requests name (MAP_FILE) or make (FAULT_QUEUE_ALLOC). */
  readonly files: FileTable;
}

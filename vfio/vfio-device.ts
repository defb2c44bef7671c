/**
 * A device that VFIO offers, whatever bus it is on: its number and node, who is bound to it, and what its bus driver
 * must be able to do. Not here: the file that user space opens (cdev.ts), the driver for PCI functions (pci/device.ts).
 */
import type { MmapRequest, OpenFile } from './file.ts';
import type { IommuGroup } from './iommu-group.ts';
import type { IommufdBinder, IommufdClient } from './iommufd/client.ts';

/** A device's place in an iommufd context. */
export interface Binding {
  readonly context: IommufdBinder;
  readonly devid: number;
}

export abstract class VfioDevice implements IommufdClient {
  /** N of /dev/vfio/devices/vfioN, and the minor number of the node. */
  readonly index: number;
  abstract readonly requester: number;
  abstract readonly group: IommuGroup;
  abstract readonly coherent: boolean;
  abstract readonly isolatedMsi: boolean;
  /** Set between BIND and the last close; one file at a time has it. */
  binding: Binding | null = null;

  constructor(index: number) {
    this.index = index;
  }

  /** The name of its node: `vfio0`. */
  get name(): string {
    return `vfio${this.index}`;
  }

  /** Takes the hardware into use. Returns 0 or a negative errno; nothing is left behind on failure. */
  abstract enable(): number;
  /** Gives the hardware back: quiet, reset, and without interrupts. */
  abstract disable(): void;
  abstract ioctl(request: number, argument: number): number;
  abstract pread(target: Uint8Array, offset: number): number;
  abstract pwrite(source: Uint8Array, offset: number): number;
  /** Maps a region for `file`, which the mapping holds. */
  abstract mmap(file: OpenFile, request: MmapRequest): number;
}

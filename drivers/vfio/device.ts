/**
 * A PCI function opened through the VFIO device cdev: bind to an iommufd, attach to an address space, then
 * regions, configuration space, registers and reset. Linux Documentation/driver-api/vfio.rst, "VFIO device
 * cdev".
 * Not here: finding the device (sysfs.ts), its memory (dma.ts), its interrupts (interrupts.ts), groups and
 * containers.
 */
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import type { Address, Fd, Kernel, Mapping } from '../../vfio/uapi/kernel.ts';
import { MAP_SHARED, O_CLOEXEC, O_RDWR, PROT_READ, PROT_WRITE } from '../../vfio/uapi/mman.ts';
import {
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
  VFIO_REGION_INFO_FLAG_MMAP,
  VfioDeviceAttachIommufdPt,
  VfioDeviceBindIommufd,
  VfioDeviceInfo,
  VfioIrqInfo,
  VfioIrqSet,
  VfioRegionInfo,
} from '../../vfio/uapi/vfio.ts';
import type { DmaSpace } from './dma.ts';
import { type Causes, check, type IoctlPage } from './sys.ts';
import { cdevPath } from './sysfs.ts';

/** Linux 6.12 knows 16 bytes of the bind structure and 12 of attach; the rest is for tokens and PASIDs. */
const BIND_SIZE = 16;
const ATTACH_SIZE = 12;

const OPEN_CAUSES: Causes = {
  EACCES: 'the node belongs to root; change its owner or mode',
  ENODEV: 'the device is being removed',
  ENOENT: 'the device was unbound from vfio-pci meanwhile',
};
const BIND_CAUSES: Causes = {
  EBUSY:
    'the group node /dev/vfio/<group> of this device is open; a device is used through one interface at a time',
  EINVAL: 'another file has already bound this device',
  EPERM:
    'another function of the same IOMMU group belongs to a kernel driver or to another iommufd, ' +
    'or the platform does not isolate MSIs',
  EBADFD: 'the descriptor is not an iommufd',
  EAGAIN: 'the function is being reset by somebody else',
};
const ATTACH_CAUSES: Causes = {
  EADDRINUSE: 'a mapping of the address space collides with a range that the device reserves',
  EFAULT: 'a mapping of the address space names memory that does not exist',
  ENOMEM: 'the mappings of the address space exceed RLIMIT_MEMLOCK',
};

/** A region of the device's file. Sizes and offsets in bytes. */
export interface Region {
  readonly index: number;
  readonly flags: number;
  readonly size: number;
  readonly offset: number;
}

export interface IrqInfo {
  readonly flags: number;
  /** How many vectors the index has; 0 when the device lacks it. */
  readonly count: number;
}

export class VfioDevice {
  readonly bdf: string;
  readonly kernel: Kernel;
  readonly fd: Fd;
  readonly #ioctls: IoctlPage;
  readonly #config: Region;
  readonly #mappings: { readonly address: Address; readonly length: number }[] = [];

  /**
   * Opens the cdev of `bdf`, binds it to the iommufd of `space` and attaches it. The function has then been
   * reset, decodes memory and is no bus master. Throws SysError, or an Error when the function has no cdev.
   */
  constructor(space: DmaSpace, bdf: string) {
    const path = cdevPath(space.kernel, bdf);
    this.bdf = bdf;
    this.kernel = space.kernel;
    this.#ioctls = space.ioctls;
    this.fd = check(this.kernel.open(path, O_RDWR | O_CLOEXEC), `open("${path}")`, OPEN_CAUSES);
    try {
      this.#bind(space);
      this.#config = this.region(VFIO_PCI_CONFIG_REGION_INDEX);
    } catch (error) {
      this.kernel.close(this.fd);
      throw error;
    }
  }

  #bind(space: DmaSpace): void {
    const bind = { argsz: BIND_SIZE, iommufd: space.fd };
    this.#ioctls.call(this.fd, 'device', VFIO_DEVICE_BIND_IOMMUFD, VfioDeviceBindIommufd, bind, BIND_CAUSES);
    const attach = { argsz: ATTACH_SIZE, pt_id: space.id };
    const request = VFIO_DEVICE_ATTACH_IOMMUFD_PT;
    this.#ioctls.call(this.fd, 'device', request, VfioDeviceAttachIommufdPt, attach, ATTACH_CAUSES);
  }

  /** VFIO_DEVICE_FLAGS_* of the device. */
  flags(): number {
    const argsz = VfioDeviceInfo.SIZE;
    this.#ioctls.call(this.fd, 'device', VFIO_DEVICE_GET_INFO, VfioDeviceInfo, { argsz });
    return this.#ioctls.get(VfioDeviceInfo, 'flags');
  }

  /** Where region `index` (VFIO_PCI_*_REGION_INDEX) is; its size is 0 when the device lacks it. */
  region(index: number): Region {
    const argsz = VfioRegionInfo.SIZE;
    this.#ioctls.call(this.fd, 'device', VFIO_DEVICE_GET_REGION_INFO, VfioRegionInfo, { argsz, index });
    const field = (name: 'flags' | 'size' | 'offset'): number => this.#ioctls.get(VfioRegionInfo, name);
    return { index, flags: field('flags'), size: field('size'), offset: field('offset') };
  }

  /** What interrupt index `index` (VFIO_PCI_*_IRQ_INDEX) offers. */
  irqInfo(index: number): IrqInfo {
    const argsz = VfioIrqInfo.SIZE;
    this.#ioctls.call(this.fd, 'device', VFIO_DEVICE_GET_IRQ_INFO, VfioIrqInfo, { argsz, index });
    return { flags: this.#ioctls.get(VfioIrqInfo, 'flags'), count: this.#ioctls.get(VfioIrqInfo, 'count') };
  }

  /** Has eventfd `fd` count how often the kernel asks to let the device go; `close` is the answer. Throws SysError. */
  countRequests(fd: Fd): void {
    this.#ioctls.view.setInt32(VfioIrqSet.SIZE, fd, true);
    this.#ioctls.call(this.fd, 'device', VFIO_DEVICE_SET_IRQS, VfioIrqSet, {
      argsz: VfioIrqSet.SIZE + 4,
      flags: VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
      index: VFIO_PCI_REQ_IRQ_INDEX,
      count: 1,
    });
  }

  /** Reads `width` (1, 2 or 4) bytes of configuration space. */
  readConfig(offset: number, width: 1 | 2 | 4): number {
    const bytes = new Uint8Array(4);
    const call = `pread(config space of ${this.bdf}, ${width} bytes at ${offset})`;
    check(this.kernel.pread(this.fd, bytes.subarray(0, width), this.#config.offset + offset), call);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  writeConfig(offset: number, width: 1 | 2 | 4, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    const call = `pwrite(config space of ${this.bdf}, ${width} bytes at ${offset})`;
    check(this.kernel.pwrite(this.fd, bytes.subarray(0, width), this.#config.offset + offset), call);
  }

  /** Lets the function reach memory and send interrupts, or stops it. */
  setBusMaster(isMaster: boolean): void {
    const command = this.readConfig(CONFIG.COMMAND, 2);
    this.writeConfig(CONFIG.COMMAND, 2, COMMAND.BUS_MASTER.set(command, isMaster ? 1 : 0));
  }

  /** Maps `length` bytes of a BAR at `offset`, both multiples of the page size. Throws SysError or Error. */
  mapBar(region: Region, offset: number, length: number): Mapping {
    if ((region.flags & VFIO_REGION_INFO_FLAG_MMAP) === 0) {
      throw new Error(`BAR${region.index} of ${this.bdf} (${region.size} bytes) cannot be mapped`);
    }
    const protection = PROT_READ | PROT_WRITE;
    const address = check(
      this.kernel.mmap(length, protection, MAP_SHARED, this.fd, region.offset + offset),
      `mmap(BAR${region.index} of ${this.bdf}, ${length} bytes at ${offset})`,
      { EINVAL: `the range is not inside the BAR, which has ${region.size} bytes` },
    );
    this.#mappings.push({ address, length });
    return this.kernel.mapping(address)!;
  }

  /** Resets the function (FLR). Its registers are lost, configuration space and eventfds stay. */
  reset(): void {
    check(this.kernel.ioctl(this.fd, VFIO_DEVICE_RESET, 0), `ioctl(${this.fd}, VFIO_DEVICE_RESET)`, {
      EINVAL: 'the function has no way to be reset',
    });
  }

  /** Unmaps the registers and closes the file, which unbinds and resets the function. */
  close(): void {
    for (const { address, length } of this.#mappings.splice(0)) this.kernel.munmap(address, length);
    this.kernel.close(this.fd);
  }
}

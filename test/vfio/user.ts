/** A program in a test: memory for structures, and the few sequences that most programs begin with. */

import { IOMMU_IOAS_ALLOC } from '../../vfio/uapi/iommufd.ts';
import type { Kernel } from '../../vfio/uapi/kernel.ts';
import {
  EFD_NONBLOCK,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  O_RDWR,
  PROT_READ,
  PROT_WRITE,
} from '../../vfio/uapi/mman.ts';
import {
  regionOffset,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_CONFIG_REGION_INDEX,
} from '../../vfio/uapi/vfio.ts';

export const RW = PROT_READ | PROT_WRITE;
export const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;
const CONFIG = regionOffset(VFIO_PCI_CONFIG_REGION_INDEX);

export class User {
  readonly kernel: Kernel;
  /** Address of one page for arguments. */
  readonly argument: number;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.argument = kernel.mmap(4096, RW, ANONYMOUS, -1, 0);
  }

  /** An ioctl whose structure is these 32-bit words. */
  ioctl(fd: number, request: number, ...words: number[]): number {
    const page = this.kernel.mapping(this.argument)!;
    page.bytes!.fill(0);
    words.forEach((word, index) => {
      page.write32(index * 4, word);
    });
    return this.kernel.ioctl(fd, request, this.argument);
  }

  /** A word of the structure after the last ioctl. */
  word(index: number): number {
    return this.kernel.mapping(this.argument)!.read32(index * 4);
  }

  open(path: string): number {
    return this.kernel.open(path, O_RDWR);
  }

  eventfd(): number {
    return this.kernel.eventfd(0, EFD_NONBLOCK);
  }

  /** The count of an eventfd, which becomes 0; -EAGAIN when it is. */
  count(eventfd: number): number {
    const bytes = new Uint8Array(8);
    const ret = this.kernel.read(eventfd, bytes);
    return ret < 0 ? ret : new DataView(bytes.buffer).getUint32(0, true);
  }

  bind(device: number, iommufd: number): number {
    return this.ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, 16, 0, iommufd, 0);
  }

  attach(device: number, ioas: number): number {
    return this.ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, 12, 0, ioas);
  }

  ioas(iommufd: number): number {
    this.ioctl(iommufd, IOMMU_IOAS_ALLOC, 12, 0, 0);
    return this.word(2);
  }

  /** SET_IRQS with eventfds, or without data. */
  setIrqs(
    device: number,
    flags: number,
    index: number,
    start: number,
    count: number,
    ...fds: number[]
  ): number {
    return this.ioctl(device, VFIO_DEVICE_SET_IRQS, 20 + fds.length * 4, flags, index, start, count, ...fds);
  }

  configRead(device: number, offset: number, length: number): number {
    const bytes = new Uint8Array(4);
    const ret = this.kernel.pread(device, bytes.subarray(0, length), CONFIG + offset);
    return ret < 0 ? ret : new DataView(bytes.buffer).getUint32(0, true);
  }

  configWrite(device: number, offset: number, length: number, value: number): number {
    const bytes = Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
    return this.kernel.pwrite(device, bytes.subarray(0, length), CONFIG + offset);
  }
}

export interface Opened {
  readonly user: User;
  readonly device: number;
  readonly iommufd: number;
}

/** vfio0 opened and bound. */
export function openDevice(kernel: Kernel, path = '/dev/vfio/devices/vfio0'): Opened {
  const user = new User(kernel);
  const device = user.open(path);
  const iommufd = user.open('/dev/iommu');
  const ret = user.bind(device, iommufd);
  if (ret !== 0) throw new Error(`BIND of ${path} failed with ${ret}`);
  return { user, device, iommufd };
}

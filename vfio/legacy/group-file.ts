/**
 * /dev/vfio/<group>: one program at a time opens it, gives the group to a container and opens its devices by name
 * (drivers/vfio/group.c, linux-abi §7). Not here: the group itself (group.ts).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { OpenFile } from '../file.ts';
import type { FileTable } from '../file-table.ts';
import type { Process } from '../process.ts';
import { EBADF, EBADFD, EFAULT, EINVAL, ENODEV, ENOTTY } from '../uapi/errno.ts';
import {
  VFIO_GROUP_FLAGS_CONTAINER_SET,
  VFIO_GROUP_FLAGS_VIABLE,
  VFIO_GROUP_GET_DEVICE_FD,
  VFIO_GROUP_GET_STATUS,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_GROUP_UNSET_CONTAINER,
  VfioGroupStatus,
} from '../uapi/vfio.ts';
import { isContext } from '../vfio-device.ts';
import { ContainerFile } from './container.ts';
import type { VfioGroup } from './group.ts';
import { GroupDeviceFile } from './group-device.ts';

export interface GroupHost {
  readonly process: Process;
  readonly files: FileTable;
}

export class GroupFile extends OpenFile {
  override readonly kind = 'group';
  readonly group: VfioGroup;
  readonly #host: GroupHost;

  private constructor(group: VfioGroup, host: GroupHost) {
    super();
    this.group = group;
    this.#host = host;
  }

  /** open(2) of the node: -EBUSY while it is open, or while a device of the group is bound through its cdev. */
  static open(group: VfioGroup, host: GroupHost): GroupFile | number {
    const file = new GroupFile(group, host);
    const error = group.openNode(file);
    return error < 0 ? error : file;
  }

  override ioctl(request: number, argument: number): number {
    switch (request) {
      case VFIO_GROUP_GET_STATUS:
        return this.#getStatus(argument);
      case VFIO_GROUP_SET_CONTAINER:
        return this.#setContainer(argument);
      case VFIO_GROUP_UNSET_CONTAINER:
        return this.group.unsetContainer();
      case VFIO_GROUP_GET_DEVICE_FD:
        return this.#getDeviceFd(argument);
      default:
        return -ENOTTY;
    }
  }

  protected override release(): void {
    this.group.closeNode();
  }

  /** A group that is nobody's is viable, and so is one that a container has claimed. */
  #getStatus(argument: number): number {
    const { group } = this;
    const status = this.#host.process.load(argument, VfioGroupStatus.SIZE);
    if (status === null) return -EFAULT;
    if (VfioGroupStatus.get(status, 0, 'argsz') < VfioGroupStatus.SIZE) return -EINVAL;
    if (!group.alive) return -ENODEV;
    const set = group.hasIommu ? VFIO_GROUP_FLAGS_CONTAINER_SET | VFIO_GROUP_FLAGS_VIABLE : 0;
    const viable = group.iommuGroup.claimed ? 0 : VFIO_GROUP_FLAGS_VIABLE;
    VfioGroupStatus.set(status, 0, 'flags', set | viable);
    return this.#host.process.store(argument, status);
  }

  /** The argument points to a descriptor of /dev/vfio/vfio or of /dev/iommu. */
  #setContainer(argument: number): number {
    const fd = this.#host.process.load(argument, 4);
    if (fd === null) return -EFAULT;
    const file = this.#host.files.get(fd.getInt32(0, true));
    if (file === null) return -EBADF;
    if (file instanceof ContainerFile || isContext(file)) return this.group.setContainer(file);
    // Linux looks at the group before it finds that it does not know the file.
    if (this.group.hasIommu) return -EINVAL;
    return this.group.alive ? -EBADFD : -ENODEV;
  }

  #getDeviceFd(argument: number): number {
    const { process, files } = this.#host;
    const name = readText(process, argument);
    if (typeof name === 'number') return name;
    const device = this.group.find(name);
    if (typeof device === 'number') return device;
    const error = this.group.openDevice(device);
    if (error < 0) {
      device.registration.drop();
      return error;
    }
    const file = new GroupDeviceFile(device, process);
    const fd = files.install(file);
    if (fd < 0) file.drop();
    return fd;
  }
}

/** A C string of less than a page. Returns -EFAULT, or -EINVAL when it is longer. */
function readText(process: Process, address: number): string | number {
  const codes: number[] = [];
  const byte = new Uint8Array(1);
  while (codes.length < PAGE_SIZE) {
    if (process.copyIn(address + codes.length, byte) < 0) return -EFAULT;
    if (byte[0] === 0) return String.fromCharCode(...codes);
    codes.push(byte[0]!);
  }
  return -EINVAL;
}

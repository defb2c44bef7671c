/**
 * A group of devices as the legacy interface sees it: which devices user space may open through it, and what their DMA
 * goes through, a container or the compatibility IOAS of an iommufd (drivers/vfio/group.c).
 * Not here: the node's requests (group-file.ts), ownership of the hardware group (iommu-group.ts).
 */
import type { OpenFile } from '../file.ts';
import type { IommuGroup } from '../iommu-group.ts';
import { EBUSY, EINVAL, ENODEV } from '../uapi/errno.ts';
import { type DeviceContainer, type IommufdFile, isContext, type VfioDevice } from '../vfio-device.ts';
import type { ContainerFile } from './container.ts';
import type { ContainerGroup } from './container-group.ts';

export class VfioGroup implements ContainerGroup, DeviceContainer {
  readonly iommuGroup: IommuGroup;
  /** Devices that can be opened by name. */
  readonly #devices: VfioDevice[] = [];
  /** Devices whose drivers are still there, those that are leaving included. */
  #drivers = 0;
  #file: OpenFile | null = null;
  #container: ContainerFile | null = null;
  #iommufd: IommufdFile | null = null;
  /** Devices that are in use behind the container. */
  #containerUsers = 0;

  constructor(iommuGroup: IommuGroup) {
    this.iommuGroup = iommuGroup;
  }

  get isolatedMsi(): boolean {
    return this.#devices.every((device) => device.isolatedMsi);
  }

  /** False once its last device is gone: the node, if it is still open, is of no use any more. */
  get alive(): boolean {
    return this.#drivers > 0;
  }

  /** A container or an iommufd has been set. */
  get hasIommu(): boolean {
    return this.#container !== null || this.#iommufd !== null;
  }

  // ---- devices ------------------------------------------------------------------------------------------------------

  add(device: VfioDevice): void {
    this.#devices.push(device);
    this.#drivers++;
  }

  /** The device is leaving: nobody can open it by name any more. */
  delist(device: VfioDevice): void {
    this.#devices.splice(this.#devices.indexOf(device), 1);
  }

  /** The device has left. The last one takes the container away. */
  remove(): void {
    if (--this.#drivers === 0) this.#leaveContainer();
  }

  /** The device of this name, with its registration held; -ENODEV, or -EINVAL for an option that it does not have. */
  find(name: string): VfioDevice | number {
    for (const device of this.#devices) {
      const matched = device.match(name);
      if (matched < 0) return matched;
      if (matched > 0 && device.registration.tryHold()) return device;
    }
    return -ENODEV;
  }

  /**
   * Opens a device that `find` gave: behind the container, or bound and attached to the compatibility IOAS.
   * Returns 0, -EINVAL without a container that has a driver, or what binding, enabling or attaching says.
   */
  openDevice(device: VfioDevice): number {
    if (!this.hasIommu) return -EINVAL;
    const error = device.open(this.#iommufd ?? this, false);
    if (error < 0 || device.binding === null || device.openCount > 1) return error;
    const attached = device.binding.context.attachCompat(device.binding.devid);
    if (attached < 0) device.close();
    return Math.min(attached, 0);
  }

  use(): number {
    if (this.#container?.ready !== true) return -EINVAL;
    this.#containerUsers++;
    this.#file!.hold();
    return 0;
  }

  release(): void {
    this.#containerUsers--;
    this.#file!.drop();
  }

  // ---- the node -----------------------------------------------------------------------------------------------------

  /** Makes `file` the one that has the node open. Returns 0, -ENODEV, or -EBUSY when another has or a cdev is bound. */
  openNode(file: OpenFile): number {
    if (!this.alive) return -ENODEV;
    if (this.iommuGroup.cdevUsers > 0 || this.#file !== null) return -EBUSY;
    this.#file = file;
    this.iommuGroup.nodeOpen = true;
    return 0;
  }

  closeNode(): void {
    this.#leaveContainer();
    this.#dropIommufd();
    this.#file = null;
    this.iommuGroup.nodeOpen = false;
  }

  /** Returns 0, -EINVAL when one is set, -ENODEV when all devices are gone, or what the container says. */
  setContainer(host: ContainerFile | IommufdFile): number {
    if (this.hasIommu) return -EINVAL;
    if (!this.alive) return -ENODEV;
    if (isContext(host)) {
      host.makeCompat();
      host.hold();
      this.#iommufd = host;
      return 0;
    }
    const error = host.attach(this);
    if (error === 0) this.#container = host;
    return error;
  }

  /** Returns 0, -EINVAL when none is set, or -EBUSY while a device is in use behind the container. */
  unsetContainer(): number {
    if (!this.hasIommu) return -EINVAL;
    if (this.#containerUsers > 0) return -EBUSY;
    this.#leaveContainer();
    this.#dropIommufd();
    return 0;
  }

  #leaveContainer(): void {
    this.#container?.detach(this);
    this.#container = null;
  }

  #dropIommufd(): void {
    this.#iommufd?.drop();
    this.#iommufd = null;
  }
}

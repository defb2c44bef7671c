/**
 * Devices bound to a context, and the groups through which they are attached: the hardware cannot keep the devices of
 * a group apart, so they share one page table. The first device of a group switches the hardware, the last one blocks
 * it again (linux-abi §4.9).
 * Not here: which page table an IOAS stands for (attach.ts).
 */
import type { Iommu } from '../../iommu/driver.ts';
import { MSI_BASE, MSI_END } from '../../machine/interrupts.ts';
import type { IommuGroup } from '../iommu-group.ts';
import { EINVAL } from '../uapi/errno.ts';
import type { IommufdClient } from './client.ts';
import type { Hwpt } from './hwpt.ts';
import type { Ioas } from './ioas.ts';
import { IommufdObject } from './objects.ts';

/** Every device's own reserved range: writes there are interrupts. The platform reserves no others (RMRR). */
const MSI_WINDOW = { start: BigInt(MSI_BASE), last: BigInt(MSI_END) };

export class DeviceGroup {
  readonly group: IommuGroup;
  readonly #iommu: Iommu;
  /** The devices that are attached. */
  readonly #devices: BoundDevice[] = [];
  #hwpt: Hwpt | null = null;

  constructor(group: IommuGroup, iommu: Iommu) {
    this.group = group;
    this.#iommu = iommu;
  }

  has(device: BoundDevice): boolean {
    return this.#devices.includes(device);
  }

  /**
   * Attaches one more device. Returns 0, -EINVAL when the group uses another page table, -EADDRINUSE when a reserved
   * range of the device is mapped or allowed, or what the hardware's driver says.
   */
  attach(device: BoundDevice, hwpt: Hwpt): number {
    if (this.#hwpt !== null && this.#hwpt !== hwpt) return -EINVAL;
    const reserved = this.#reserve(device, hwpt.ioas);
    if (reserved < 0) return reserved;
    if (this.#devices.length === 0) {
      const result = this.#switch(hwpt);
      if (result < 0) {
        hwpt.ioas.constraints.unreserve(device);
        return result;
      }
    }
    this.#devices.push(device);
    hwpt.users++;
    device.users++;
    return 0;
  }

  /** Moves the whole group to another page table. On failure, as of `attach`, it stays where it is. */
  replace(hwpt: Hwpt): number {
    const old = this.#hwpt!;
    if (old === hwpt) return 0;
    if (old.ioas !== hwpt.ioas) {
      for (const device of this.#devices) {
        const reserved = this.#reserve(device, hwpt.ioas);
        if (reserved < 0) return this.#unreserve(hwpt.ioas, reserved);
      }
    }
    const result = this.#switch(hwpt);
    if (result < 0) return old.ioas === hwpt.ioas ? result : this.#unreserve(hwpt.ioas, result);
    if (old.ioas !== hwpt.ioas) this.#unreserve(old.ioas, 0);
    hwpt.users += this.#devices.length;
    old.put(this.#devices.length);
    return 0;
  }

  /** Takes a device off; the last one blocks the group's DMA. */
  detach(device: BoundDevice): void {
    const hwpt = this.#hwpt!;
    this.#devices.splice(this.#devices.indexOf(device), 1);
    if (this.#devices.length === 0) {
      for (const requester of this.group.requesters) this.#iommu.detach(requester);
      this.#hwpt = null;
    }
    hwpt.ioas.constraints.unreserve(device);
    device.users--;
    hwpt.put(1);
  }

  /** Points the hardware at `hwpt` for every function of the group, or leaves it as it was. */
  #switch(hwpt: Hwpt): number {
    for (const [index, requester] of this.group.requesters.entries()) {
      const result = this.#iommu.attach(requester, hwpt.domain);
      if (result === 0) continue;
      for (const undone of this.group.requesters.slice(0, index)) {
        if (this.#hwpt === null) this.#iommu.detach(undone);
        else this.#iommu.attach(undone, this.#hwpt.domain);
      }
      return result;
    }
    this.#hwpt = hwpt;
    return 0;
  }

  #reserve(device: BoundDevice, ioas: Ioas): number {
    return ioas.constraints.reserve(MSI_WINDOW.start, MSI_WINDOW.last, device);
  }

  #unreserve(ioas: Ioas, result: number): number {
    for (const device of this.#devices) ioas.constraints.unreserve(device);
    return result;
  }
}

/** A device bound to the context. The user can never destroy it. */
export class BoundDevice extends IommufdObject {
  readonly type = 'DEVICE';
  readonly client: IommufdClient;
  readonly group: DeviceGroup;

  constructor(client: IommufdClient, group: DeviceGroup) {
    super();
    this.client = client;
    this.group = group;
    this.users = 1;
  }

  get attached(): boolean {
    return this.group.has(this);
  }

  override destroy(): void {
    this.client.group.release();
  }
}

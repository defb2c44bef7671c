/**
 * A device that VFIO offers, whatever bus it is on: its number and node, who uses it, and what its bus driver must be
 * able to do. The first user puts it behind an iommufd context or a container, the last one takes everything back.
 * Not here: the files through which it is used (cdev.ts, legacy/group-device.ts), PCI functions (pci/device.ts).
 */
import { assert } from '../support/assert.ts';
import type { MmapRequest, OpenFile } from './file.ts';
import type { IommuGroup } from './iommu-group.ts';
import type { IommufdBinder, IommufdClient } from './iommufd/client.ts';
import { Registration } from './registration.ts';

/** An open /dev/iommu. */
export type IommufdFile = OpenFile & IommufdBinder;

/** A device's place in an iommufd context, which it keeps alive. */
export interface Binding {
  readonly context: IommufdFile;
  readonly devid: number;
}

/** A group's container: it keeps the group in use for as long as one of its devices is. */
export interface DeviceContainer {
  /** Returns 0, or -EINVAL while the container has no IOMMU driver. */
  use(): number;
  release(): void;
}

export abstract class VfioDevice implements IommufdClient {
  /** N of /dev/vfio/devices/vfioN, and the minor number of the node. */
  readonly index: number;
  abstract readonly requester: number;
  abstract readonly group: IommuGroup;
  abstract readonly coherent: boolean;
  abstract readonly isolatedMsi: boolean;
  readonly registration = new Registration();
  #binding: Binding | null = null;
  #container: DeviceContainer | null = null;
  #openCount = 0;
  #cdevOpened = false;

  constructor(index: number) {
    this.index = index;
  }

  /** The name of its node: `vfio0`. */
  get name(): string {
    return `vfio${this.index}`;
  }

  /** Its place in an iommufd context, or null while it is not open or a container has it. */
  get binding(): Binding | null {
    return this.#binding;
  }

  /** Files that use it: one through the cdev, or any number through the group. */
  get openCount(): number {
    return this.#openCount;
  }

  /** It is used through its cdev and not through its group. */
  get cdevOpened(): boolean {
    return this.#cdevOpened;
  }

  /**
   * One more user. The first one takes the device into use behind `host`, and `cdev` says which door it came through.
   * Returns 0, or the negative errno of the host or of `enable`, with nothing left behind.
   */
  open(host: IommufdFile | DeviceContainer, cdev: boolean): number {
    if (this.#openCount === 0) {
      const error = isContext(host) ? this.#bind(host) : this.#useContainer(host);
      if (error < 0) return error;
      const refused = this.enable();
      if (refused < 0) {
        this.#leave();
        return refused;
      }
      this.#cdevOpened = cdev;
    }
    this.#openCount++;
    return 0;
  }

  /** One user less; the last one gives the hardware back, and with it its place in the context or container. */
  close(): void {
    assert(this.#openCount > 0, `${this.name} is closed without a user`);
    if (--this.#openCount > 0) return;
    this.disable();
    this.#leave();
    this.#cdevOpened = false;
  }

  /** Whether a name that GROUP_GET_DEVICE_FD gives means this device: 1, 0, or -EINVAL for options it does not have. */
  abstract match(name: string): number;
  /** Asks user space, for the `count`th time from 0, to stop using the device: its driver wants to leave. */
  abstract request(count: number): void;
  /** Takes the hardware into use. Returns 0 or a negative errno; nothing is left behind on failure. */
  protected abstract enable(): number;
  /** Gives the hardware back: quiet, reset, and without interrupts. */
  protected abstract disable(): void;
  /** Wakes the device if it may sleep: every request does so before it is looked at. */
  abstract resume(): void;
  /** A request to a device that `resume` has woken. */
  abstract ioctl(request: number, argument: number): number;
  abstract pread(target: Uint8Array, offset: number): number;
  abstract pwrite(source: Uint8Array, offset: number): number;
  /** Maps a region for `file`, which the mapping holds. */
  abstract mmap(file: OpenFile, request: MmapRequest): number;

  #bind(context: IommufdFile): number {
    const devid = context.bind(this);
    if (devid < 0) return devid;
    context.hold();
    this.#binding = { context, devid };
    return 0;
  }

  #useContainer(container: DeviceContainer): number {
    const error = container.use();
    if (error === 0) this.#container = container;
    return error;
  }

  #leave(): void {
    const binding = this.#binding;
    this.#binding = null;
    if (binding !== null) {
      binding.context.detach(binding.devid);
      binding.context.unbind(binding.devid);
      binding.context.drop();
    }
    const container = this.#container;
    this.#container = null;
    container?.release();
  }
}

export const isContext = (host: OpenFile | DeviceContainer): host is IommufdFile =>
  'kind' in host && host.kind === 'iommufd';

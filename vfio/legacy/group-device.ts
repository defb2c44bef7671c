/**
 * A device's descriptor as GROUP_GET_DEVICE_FD gives it: usable at once, and bound to no iommufd of its own.
 */
import { DeviceFile } from '../device-file.ts';
import type { Process } from '../process.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import { VFIO_DEVICE_BIND_IOMMUFD } from '../uapi/vfio.ts';
import type { VfioDevice } from '../vfio-device.ts';

/** Bytes of BIND that are read before it is refused. */
const BIND_MIN = 16;

export class GroupDeviceFile extends DeviceFile {
  override readonly granted = true;
  readonly #process: Process;

  constructor(device: VfioDevice, process: Process) {
    super(device);
    this.#process = process;
  }

  /** BIND belongs to the cdev; ATTACH and DETACH are unknown to the device itself. */
  override ioctl(request: number, argument: number): number {
    if (request === VFIO_DEVICE_BIND_IOMMUFD) {
      return this.#process.load(argument, BIND_MIN) === null ? -EFAULT : -EINVAL;
    }
    this.device.resume();
    return this.device.ioctl(request, argument);
  }
}

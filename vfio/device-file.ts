/**
 * A descriptor of a VFIO device, through whichever door it was opened: the device answers as soon as access is granted.
 * Not here: how that happens (cdev.ts: BIND; legacy/group-device.ts: at once).
 */
import { type MmapRequest, OpenFile } from './file.ts';
import { EINVAL } from './uapi/errno.ts';
import type { VfioDevice } from './vfio-device.ts';

export abstract class DeviceFile extends OpenFile {
  override readonly kind = 'device';
  readonly device: VfioDevice;

  /** Takes over one hold of the device's registration. */
  constructor(device: VfioDevice) {
    super();
    this.device = device;
  }

  /** False while the file has no part in the device's use: every operation is EINVAL. */
  abstract readonly granted: boolean;

  override pread(target: Uint8Array, offset: number): number {
    return this.granted ? this.device.pread(target, offset) : -EINVAL;
  }

  override pwrite(source: Uint8Array, offset: number): number {
    return this.granted ? this.device.pwrite(source, offset) : -EINVAL;
  }

  override mmap(request: MmapRequest): number {
    return this.granted ? this.device.mmap(this, request) : -EINVAL;
  }

  protected override release(): void {
    if (this.granted) this.device.close();
    this.device.registration.drop();
  }
}

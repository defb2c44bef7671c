/**
 * The file behind /dev/vfio/devices/vfioN (drivers/vfio/device_cdev.c, vfio_main.c): nothing works before BIND, one
 * file is bound to a device at a time, and the last reference to it, mappings included, undoes everything.
 * Not here: what a bound device does (vfio-device.ts and its drivers), the group node, which is another way in.
 */

import { DeviceFile } from './device-file.ts';
import type { FileTable } from './file-table.ts';
import type { IommufdBinder } from './iommufd/client.ts';
import type { AbiLevel } from './iommufd/state.ts';
import type { Process } from './process.ts';
import { EBADF, EBADFD, EBUSY, EFAULT, EINVAL, ENODEV, EOPNOTSUPP } from './uapi/errno.ts';
import {
  VfioDeviceAttachIommufdPt as Attach,
  VfioDeviceBindIommufd as Bind,
  VfioDeviceDetachIommufdPt as Detach,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_ATTACH_PASID,
  VFIO_DEVICE_BIND_FLAG_TOKEN,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  VFIO_DEVICE_DETACH_PASID,
} from './uapi/vfio.ts';
import { isContext, type VfioDevice } from './vfio-device.ts';

/** Bytes up to and without the field that a later release added. */
const BIND_MIN = 16;
const ATTACH_MIN = 12;
const DETACH_MIN = 8;
const UUID_BYTES = 16;

export interface CdevHost {
  readonly process: Process;
  readonly files: FileTable;
  /** Tokens came to BIND in 6.17, PASIDs to ATTACH and DETACH in 6.15. */
  readonly abi: AbiLevel;
}

export class CdevFile extends DeviceFile {
  override granted = false;
  readonly #host: CdevHost;

  private constructor(device: VfioDevice, host: CdevHost) {
    super(device);
    this.#host = host;
  }

  /** open(2) of the node: any number of files, and the hardware does not notice. -ENODEV while the driver leaves. */
  static open(device: VfioDevice, host: CdevHost): CdevFile | number {
    return device.registration.tryHold() ? new CdevFile(device, host) : -ENODEV;
  }

  override ioctl(request: number, argument: number): number {
    if (request === VFIO_DEVICE_BIND_IOMMUFD) return this.#bind(argument);
    const { device } = this;
    if (!this.granted) return -EINVAL;
    device.resume();
    if (request === VFIO_DEVICE_ATTACH_IOMMUFD_PT) return this.#attach(argument);
    if (request === VFIO_DEVICE_DETACH_IOMMUFD_PT) return this.#detach(argument);
    return device.ioctl(request, argument);
  }

  protected override release(): void {
    if (this.granted) this.device.group.cdevUsers--;
    super.release();
  }

  /** linux-abi 1.3. The order of the checks is what a program sees. */
  #bind(argument: number): number {
    const { device } = this;
    const bind = this.#loadBind(argument);
    if (typeof bind === 'number') return bind;
    const fd = Bind.get(bind, 0, 'iommufd');
    const known = this.#host.abi !== '6.12' ? VFIO_DEVICE_BIND_FLAG_TOKEN : 0;
    if (fd < 0 || (Bind.get(bind, 0, 'flags') & ~known) !== 0) return -EINVAL;
    if (device.group.nodeOpen) return -EBUSY;
    if (this.granted) return -EINVAL;
    const refused = this.#checkToken(bind);
    if (refused < 0) return refused;

    const context = this.#host.files.get(fd);
    if (context === null) return -EBADF;
    if (!isContext(context)) return -EBADFD;
    if (device.openCount > 0) return -EINVAL;
    const error = device.open(context, true);
    if (error < 0) return error;
    if (this.#host.process.write32(argument + Bind.out_devid, device.binding!.devid) < 0) {
      device.close();
      return -EFAULT;
    }
    device.group.cdevUsers++;
    this.granted = true;
    return 0;
  }

  /** The structure as the release reads it: the first 16 bytes, or, with tokens, all of it with a zero tail. */
  #loadBind(argument: number): DataView | number {
    const { process, abi } = this.#host;
    if (abi === '6.12') {
      const bind = process.load(argument, BIND_MIN);
      if (bind === null) return -EFAULT;
      return Bind.get(bind, 0, 'argsz') < BIND_MIN ? -EINVAL : bind;
    }
    const argsz = process.read32(argument);
    if (argsz < 0) return argsz;
    if (argsz < BIND_MIN) return -EINVAL;
    const bind = new DataView(new ArrayBuffer(Bind.SIZE));
    const tail = argsz > Bind.SIZE ? process.checkZero(argument + Bind.SIZE, argsz - Bind.SIZE) : 0;
    if (tail < 0) return tail;
    const given = process.copyIn(argument, new Uint8Array(bind.buffer, 0, Math.min(argsz, Bind.SIZE)));
    return given < 0 ? given : bind;
  }

  /** No function here is a virtual function or has any, so that a token has nothing to match. */
  #checkToken(bind: DataView): number {
    if ((Bind.get(bind, 0, 'flags') & VFIO_DEVICE_BIND_FLAG_TOKEN) === 0) return 0;
    const token = this.#host.process.load(Number(Bind.get(bind, 0, 'token_uuid_ptr')), UUID_BYTES);
    return token === null ? -EFAULT : -EINVAL;
  }

  /** linux-abi 1.4: a second attachment replaces the first, a failed one leaves it. */
  #attach(argument: number): number {
    const { process, abi } = this.#host;
    const { context, devid } = this.#place;
    const attach = process.load(argument, ATTACH_MIN);
    if (attach === null) return -EFAULT;
    const flags = Attach.get(attach, 0, 'flags');
    const known = abi !== '6.12' ? VFIO_DEVICE_ATTACH_PASID : 0;
    if (Attach.get(attach, 0, 'argsz') < ATTACH_MIN || (flags & ~known) !== 0) return -EINVAL;
    if ((flags & VFIO_DEVICE_ATTACH_PASID) !== 0) return this.#refusePasid(argument, attach, Attach.SIZE);
    const hwpt = context.attach(devid, Attach.get(attach, 0, 'pt_id'));
    if (hwpt < 0) return hwpt;
    if (process.write32(argument + Attach.pt_id, hwpt) === 0) return 0;
    context.detach(devid);
    return -EFAULT;
  }

  #detach(argument: number): number {
    const { process, abi } = this.#host;
    const { context, devid } = this.#place;
    const detach = process.load(argument, DETACH_MIN);
    if (detach === null) return -EFAULT;
    const flags = Detach.get(detach, 0, 'flags');
    const known = abi !== '6.12' ? VFIO_DEVICE_DETACH_PASID : 0;
    if (Detach.get(detach, 0, 'argsz') < DETACH_MIN || (flags & ~known) !== 0) return -EINVAL;
    if ((flags & VFIO_DEVICE_DETACH_PASID) !== 0) return this.#refusePasid(argument, detach, Detach.SIZE);
    context.detach(devid);
    return 0;
  }

  /** A PASID needs room for its number, and then a scalable-mode IOMMU, which there is not. */
  #refusePasid(argument: number, given: DataView, size: number): number {
    if (given.getUint32(0, true) < size) return -EINVAL;
    return this.#host.process.load(argument, size) === null ? -EFAULT : -EOPNOTSUPP;
  }

  get #place(): { readonly context: IommufdBinder; readonly devid: number } {
    return this.device.binding!;
  }
}

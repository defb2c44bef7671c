/**
 * The file behind /dev/vfio/devices/vfioN (drivers/vfio/device_cdev.c, vfio_main.c): nothing works before BIND, one
 * file is bound to a device at a time, and the last reference to it, mappings included, undoes everything.
 * Not here: what a bound device does (vfio-device.ts and its drivers), the group node, which is another way in.
 */

import { type MmapRequest, OpenFile } from './file.ts';
import type { FileTable } from './file-table.ts';
import type { IommufdBinder } from './iommufd/client.ts';
import type { AbiLevel } from './iommufd/state.ts';
import type { Process } from './process.ts';
import { EBADF, EBADFD, EFAULT, EINVAL, EOPNOTSUPP } from './uapi/errno.ts';
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
import type { VfioDevice } from './vfio-device.ts';

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

export class CdevFile extends OpenFile {
  override readonly kind = 'device';
  readonly device: VfioDevice;
  readonly #host: CdevHost;
  /** The context this file is bound to; it stays alive as long as the binding. */
  #context: (OpenFile & IommufdBinder) | null = null;
  #devid = 0;

  constructor(device: VfioDevice, host: CdevHost) {
    super();
    this.device = device;
    this.#host = host;
  }

  override ioctl(request: number, argument: number): number {
    if (request === VFIO_DEVICE_BIND_IOMMUFD) return this.#bind(argument);
    if (this.#context === null) return -EINVAL;
    if (request === VFIO_DEVICE_ATTACH_IOMMUFD_PT) return this.#attach(this.#context, argument);
    if (request === VFIO_DEVICE_DETACH_IOMMUFD_PT) return this.#detach(this.#context, argument);
    return this.device.ioctl(request, argument);
  }

  override pread(target: Uint8Array, offset: number): number {
    return this.#context === null ? -EINVAL : this.device.pread(target, offset);
  }

  override pwrite(source: Uint8Array, offset: number): number {
    return this.#context === null ? -EINVAL : this.device.pwrite(source, offset);
  }

  override mmap(request: MmapRequest): number {
    return this.#context === null ? -EINVAL : this.device.mmap(this, request);
  }

  protected override release(): void {
    if (this.#context === null) return;
    this.device.disable();
    this.#context.detach(this.#devid);
    this.#unbind(this.#context);
  }

  /** linux-abi 1.3. The order of the checks is what a program sees. */
  #bind(argument: number): number {
    const { process } = this.#host;
    const bind = this.#loadBind(argument);
    if (typeof bind === 'number') return bind;
    const fd = Bind.get(bind, 0, 'iommufd');
    const known = this.#host.abi !== '6.12' ? VFIO_DEVICE_BIND_FLAG_TOKEN : 0;
    if (fd < 0 || (Bind.get(bind, 0, 'flags') & ~known) !== 0) return -EINVAL;
    if (this.#context !== null) return -EINVAL;
    const refused = this.#checkToken(bind);
    if (refused < 0) return refused;

    const file = this.#host.files.get(fd);
    if (file === null) return -EBADF;
    if (!isContext(file)) return -EBADFD;
    if (this.device.binding !== null) return -EINVAL;
    const devid = file.bind(this.device);
    if (devid < 0) return devid;
    file.hold();
    this.#devid = devid;
    this.device.binding = { context: file, devid };

    const error = this.device.enable();
    if (error < 0) {
      this.#unbind(file);
      return error;
    }
    if (process.write32(argument + Bind.out_devid, devid) < 0) {
      this.device.disable();
      this.#unbind(file);
      return -EFAULT;
    }
    this.#context = file;
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
  #attach(context: IommufdBinder, argument: number): number {
    const { process, abi } = this.#host;
    const attach = process.load(argument, ATTACH_MIN);
    if (attach === null) return -EFAULT;
    const flags = Attach.get(attach, 0, 'flags');
    const known = abi !== '6.12' ? VFIO_DEVICE_ATTACH_PASID : 0;
    if (Attach.get(attach, 0, 'argsz') < ATTACH_MIN || (flags & ~known) !== 0) return -EINVAL;
    if ((flags & VFIO_DEVICE_ATTACH_PASID) !== 0) return -EOPNOTSUPP;
    const hwpt = context.attach(this.#devid, Attach.get(attach, 0, 'pt_id'));
    if (hwpt < 0) return hwpt;
    if (process.write32(argument + Attach.pt_id, hwpt) === 0) return 0;
    context.detach(this.#devid);
    return -EFAULT;
  }

  #detach(context: IommufdBinder, argument: number): number {
    const { process, abi } = this.#host;
    const detach = process.load(argument, DETACH_MIN);
    if (detach === null) return -EFAULT;
    const flags = Detach.get(detach, 0, 'flags');
    const known = abi !== '6.12' ? VFIO_DEVICE_DETACH_PASID : 0;
    if (Detach.get(detach, 0, 'argsz') < DETACH_MIN || (flags & ~known) !== 0) return -EINVAL;
    if ((flags & VFIO_DEVICE_DETACH_PASID) !== 0) return -EOPNOTSUPP;
    context.detach(this.#devid);
    return 0;
  }

  #unbind(context: OpenFile & IommufdBinder): void {
    context.unbind(this.#devid);
    this.device.binding = null;
    this.#context = null;
    context.drop();
  }
}

const isContext = (file: OpenFile): file is OpenFile & IommufdBinder => file.kind === 'iommufd';

/**
 * /dev/iommu: a context, which is an open file. It dispatches requests in the order of Linux's checks and is what
 * devices are bound to; a bound device holds the file, so that closing the descriptor first is fine.
 * Not here: the requests (*-requests.ts, option.ts, fault-queue.ts), what they act on (ioas.ts, hwpt.ts, device.ts).
 */
import type { Iommu } from '../../iommu/driver.ts';
import { assert } from '../../support/assert.ts';
import { OpenFile } from '../file.ts';
import { EINVAL, ENODEV, ENOTTY, EPERM } from '../uapi/errno.ts';
import {
  IOMMU_DESTROY,
  IOMMU_FAULT_QUEUE_ALLOC,
  IOMMU_GET_HW_INFO,
  IOMMU_HW_QUEUE_ALLOC,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_GET_DIRTY_BITMAP,
  IOMMU_HWPT_INVALIDATE,
  IOMMU_HWPT_SET_DIRTY_TRACKING,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_ALLOW_IOVAS,
  IOMMU_IOAS_CHANGE_PROCESS,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_IOVA_RANGES,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FILE,
  IOMMU_IOAS_UNMAP,
  IOMMU_OPTION,
  IOMMU_VDEVICE_ALLOC,
  IOMMU_VEVENTQ_ALLOC,
  IOMMU_VFIO_IOAS,
  IOMMU_VIOMMU_ALLOC,
  IOMMUFD_CMD_BASE,
  IOMMUFD_COMMANDS,
  IommuDestroy,
} from '../uapi/iommufd.ts';
import { Argument } from './argument.ts';
import { attachTo } from './attach.ts';
import type { IommufdBinder, IommufdClient, IommufdHost } from './client.ts';
import { containerRequest, vfioIoas } from './container-requests.ts';
import { BoundDevice, DeviceGroup } from './device.ts';
import { faultQueueAlloc } from './fault-queue.ts';
import { getDirtyBitmap, getHwInfo, hwptAlloc, hwptInvalidate, setDirtyTracking } from './hwpt-requests.ts';
import { Ioas } from './ioas.ts';
import {
  ioasAlloc,
  ioasAllowIovas,
  ioasChangeProcess,
  ioasCopy,
  ioasIovaRanges,
  ioasMap,
  ioasMapFile,
  ioasUnmap,
} from './ioas-requests.ts';
import { option } from './option.ts';
import type { Request } from './request.ts';
import { type AbiLevel, ContextState } from './state.ts';
import { hwQueueAlloc, vdeviceAlloc, veventqAlloc, viommuAlloc } from './viommu-requests.ts';

const destroy: Request = (state, argument) => state.objects.destroy(argument.u32(IommuDestroy.id));

const REQUESTS: ReadonlyMap<number, Request> = new Map([
  [IOMMU_DESTROY, destroy],
  [IOMMU_IOAS_ALLOC, ioasAlloc],
  [IOMMU_IOAS_ALLOW_IOVAS, ioasAllowIovas],
  [IOMMU_IOAS_COPY, ioasCopy],
  [IOMMU_IOAS_IOVA_RANGES, ioasIovaRanges],
  [IOMMU_IOAS_MAP, ioasMap],
  [IOMMU_IOAS_UNMAP, ioasUnmap],
  [IOMMU_OPTION, option],
  [IOMMU_VFIO_IOAS, vfioIoas],
  [IOMMU_HWPT_ALLOC, hwptAlloc],
  [IOMMU_GET_HW_INFO, getHwInfo],
  [IOMMU_HWPT_SET_DIRTY_TRACKING, setDirtyTracking],
  [IOMMU_HWPT_GET_DIRTY_BITMAP, getDirtyBitmap],
  [IOMMU_HWPT_INVALIDATE, hwptInvalidate],
  [IOMMU_FAULT_QUEUE_ALLOC, faultQueueAlloc],
  [IOMMU_IOAS_MAP_FILE, ioasMapFile],
  [IOMMU_VIOMMU_ALLOC, viommuAlloc],
  [IOMMU_VDEVICE_ALLOC, vdeviceAlloc],
  [IOMMU_IOAS_CHANGE_PROCESS, ioasChangeProcess],
  [IOMMU_VEVENTQ_ALLOC, veventqAlloc],
  [IOMMU_HW_QUEUE_ALLOC, hwQueueAlloc],
]);

interface Command {
  readonly request: number;
  readonly minSize: number;
  readonly size: number;
  readonly run: Request;
}

/** The kernel's table by request number from IOMMUFD_CMD_BASE on; a younger kernel's is longer. */
function commandTable(abi: AbiLevel): readonly Command[] {
  const table: Command[] = [];
  for (const [request, { minSize, size, since }] of IOMMUFD_COMMANDS) {
    if (since !== undefined && abi === '6.12') continue;
    const run = REQUESTS.get(request);
    assert(run !== undefined, 'every iommufd request has a function');
    table[(request & NR_MASK) - IOMMUFD_CMD_BASE] = { request, minSize, size, run };
  }
  return table;
}

const NR_MASK = 0xff;
/** The recorded kernel was built with IOMMUFD_TEST, whose request is the last of its table: those before it are holes. */
const TABLE_END = 0xa0 - IOMMUFD_CMD_BASE;
const TABLES: Readonly<Record<AbiLevel, readonly Command[]>> = {
  '6.12': commandTable('6.12'),
  '6.19': commandTable('6.19'),
};

export class IommufdContext extends OpenFile implements IommufdBinder {
  readonly kind = 'iommufd';
  readonly #state: ContextState;
  readonly #argument: Argument;
  readonly #table: readonly Command[];

  /** `abi` is the release of Linux whose requests the context knows. */
  constructor(host: IommufdHost, iommu: Iommu, abi: AbiLevel = '6.12') {
    super();
    this.#state = new ContextState(this, host, iommu, abi);
    this.#argument = new Argument(host.process);
    this.#table = TABLES[abi];
  }

  override ioctl(request: number, argument: number): number {
    const index = (request & NR_MASK) - IOMMUFD_CMD_BASE;
    if (index < 0 || index > TABLE_END) return containerRequest(this.#state, request, argument);
    const userSize = this.#state.host.process.read32(argument);
    if (userSize < 0) return userSize;
    const command = this.#table[index];
    if (command?.request !== request) return -ENOTTY;
    if (userSize < command.minSize) return -EINVAL;
    const loaded = this.#argument.load(argument, userSize, command.size);
    return loaded < 0 ? loaded : command.run(this.#state, this.#argument);
  }

  bind(client: IommufdClient): number {
    if (!client.coherent) return -EINVAL;
    if (!client.isolatedMsi) return -EPERM;
    const claimed = client.group.claim(this);
    if (claimed < 0) return claimed;
    const { groups, iommu, objects } = this.#state;
    let group = groups.get(client.group);
    if (group === undefined) {
      group = new DeviceGroup(client.group, iommu);
      groups.set(client.group, group);
    }
    return objects.add(new BoundDevice(client, group));
  }

  unbind(devid: number): void {
    const device = this.#device(devid);
    assert(!device.attached, 'a device is unbound while it is attached');
    device.users--;
    this.#state.objects.remove(device);
    if (device.client.group.owner === null) this.#state.groups.delete(device.client.group);
  }

  attach(devid: number, ptId: number): number {
    return attachTo(this.#state, this.#device(devid), ptId);
  }

  detach(devid: number): void {
    const device = this.#device(devid);
    if (device.attached) device.group.detach(device);
  }

  makeCompat(): void {
    if (this.#state.compat !== null) return;
    const ioas = new Ioas();
    this.#state.objects.add(ioas);
    this.#state.compat = ioas;
  }

  attachCompat(devid: number): number {
    const { compat } = this.#state;
    return compat === null ? -ENODEV : this.attach(devid, compat.id);
  }

  #device(devid: number): BoundDevice {
    const device = this.#state.objects.get(devid);
    assert(device instanceof BoundDevice, `${devid} is not a device of this context`);
    return device;
  }

  protected override release(): void {
    this.#state.objects.clear();
  }
}

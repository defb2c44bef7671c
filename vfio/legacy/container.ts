/**
 * /dev/vfio/vfio: a set of groups that share one IO address space (drivers/vfio/container.c). The container itself can
 * do nothing; with the first group it may take an IOMMU driver, and without groups it loses that again.
 * Not here: what the driver does (type1.ts, type1-requests.ts), groups (group.ts), a container on /dev/iommu
 * (iommufd/container-requests.ts).
 */
import type { Iommu } from '../../iommu/driver.ts';
import { OpenFile } from '../file.ts';
import type { AbiLevel } from '../iommufd/state.ts';
import type { Process } from '../process.ts';
import { EINVAL, ENODEV } from '../uapi/errno.ts';
import {
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
} from '../uapi/vfio.ts';
import type { ContainerGroup } from './container-group.ts';
import { Type1 } from './type1.ts';
import { checkExtension, type1Request } from './type1-requests.ts';

export interface ContainerHost {
  readonly process: Process;
  readonly iommu: Iommu;
  /** The nesting type was taken back in 6.13. */
  readonly abi: AbiLevel;
}

export class ContainerFile extends OpenFile {
  override readonly kind = 'container';
  readonly #host: ContainerHost;
  readonly #groups: ContainerGroup[] = [];
  #driver: Type1 | null = null;

  constructor(host: ContainerHost) {
    super();
    this.#host = host;
  }

  /** It has an IOMMU driver, so that devices of its groups can be opened. */
  get ready(): boolean {
    return this.#driver !== null;
  }

  override ioctl(request: number, argument: number): number {
    const { process, iommu, abi } = this.#host;
    if (request === VFIO_GET_API_VERSION) return VFIO_API_VERSION;
    if (request === VFIO_CHECK_EXTENSION) return checkExtension(this.#driver, argument, { iommu, abi });
    if (request === VFIO_SET_IOMMU) return this.#setIommu(argument);
    return this.#driver === null ? -EINVAL : type1Request(this.#driver, process, request, argument);
  }

  /** Takes a group in, and holds itself for it. Returns 0, -EPERM, -EINVAL, -ENOMEM or -ENOSPC with nothing changed. */
  attach(group: ContainerGroup): number {
    const claimed = group.iommuGroup.claim(group);
    if (claimed < 0) return claimed;
    const attached = this.#driver?.attach(group) ?? 0;
    if (attached < 0) {
      group.iommuGroup.release();
      return attached;
    }
    this.#groups.push(group);
    this.hold();
    return 0;
  }

  /** Lets a group go; the last one takes the driver and every mapping with it. */
  detach(group: ContainerGroup): void {
    this.#driver?.detach(group);
    group.iommuGroup.release();
    this.#groups.splice(this.#groups.indexOf(group), 1);
    if (this.#groups.length === 0) {
      this.#driver?.release();
      this.#driver = null;
    }
    this.drop();
  }

  /** What the driver announces as an extension may be asked for, but only types 1 and 2 can be had. */
  #setIommu(type: number): number {
    if (this.#groups.length === 0 || this.#driver !== null) return -EINVAL;
    const { process, iommu, abi } = this.#host;
    if (checkExtension(null, type, { iommu, abi }) <= 0) return -ENODEV;
    if (type !== VFIO_TYPE1_IOMMU && type !== VFIO_TYPE1v2_IOMMU) return -EINVAL;
    const driver = Type1.create(process, iommu, type === VFIO_TYPE1v2_IOMMU);
    if (typeof driver === 'number') return driver;
    for (const [index, group] of this.#groups.entries()) {
      const error = driver.attach(group);
      if (error === 0) continue;
      for (const undone of this.#groups.slice(0, index)) driver.detach(undone);
      driver.release();
      return error;
    }
    this.#driver = driver;
    return 0;
  }
}

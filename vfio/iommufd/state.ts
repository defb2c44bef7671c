/**
 * What all requests of one iommufd context share: its objects, its process, the IOMMU's driver, and the modes of the
 * context. Not here: the file (context.ts), the requests (*-requests.ts).
 */
import type { Iommu } from '../../iommu/driver.ts';
import type { OpenFile } from '../file.ts';
import type { IommuGroup } from '../iommu-group.ts';
import type { IommufdHost } from './client.ts';
import type { DeviceGroup } from './device.ts';
import type { Ioas } from './ioas.ts';
import { ObjectTable } from './objects.ts';
import type { Accounting } from './user-pages.ts';

/** The release of Linux whose answers the context gives where releases differ. */
export type AbiLevel = '6.12' | '6.19';

export class ContextState {
  readonly objects = new ObjectTable();
  readonly host: IommufdHost;
  readonly iommu: Iommu;
  readonly abi: AbiLevel;
  /** The file itself, for objects that keep the context alive. */
  readonly file: OpenFile;
  /** Who pays for pinned pages without CAP_IPC_LOCK. */
  accounting: Accounting = 'user';
  /** Groups with a bound device. */
  readonly groups = new Map<IommuGroup, DeviceGroup>();
  /** The IOAS that container requests act on. */
  #compat: Ioas | null = null;

  constructor(file: OpenFile, host: IommufdHost, iommu: Iommu, abi: AbiLevel) {
    this.file = file;
    this.host = host;
    this.iommu = iommu;
    this.abi = abi;
  }

  /** The compatibility IOAS, or null once it is destroyed or when none was chosen. */
  get compat(): Ioas | null {
    const ioas = this.#compat;
    return ioas !== null && this.objects.get(ioas.id) === ioas ? ioas : null;
  }

  set compat(ioas: Ioas | null) {
    this.#compat = ioas;
  }
}

/**
 * What the driver keeps of the Identify structures, as plain values. NVMe Base 2.1 §5.1.13; NVM Command Set
 * 1.1 §4.1.5.
 * Not here: asking for them (admin-queue.ts), their layouts (nvme/spec/identify.ts).
 */
import {
  FLBAS,
  IDENTIFY_CONTROLLER,
  IDENTIFY_NAMESPACE,
  LBAF,
  LIST_ENTRIES,
  ONCS,
} from '../../nvme/spec/identify.ts';

export interface ControllerInfo {
  readonly serial: string;
  readonly model: string;
  readonly firmware: string;
  /** Longest transfer of one command; Infinity when the controller sets no limit. */
  readonly maxTransfer_bytes: number;
  /** How many Asynchronous Event Requests may be outstanding. */
  readonly asyncEvents: number;
  /** OAES: which notices the controller can send. */
  readonly oaes: number;
  /** Time a shutdown may take. */
  readonly rtd3e_us: number;
  readonly hasCompare: boolean;
  readonly hasDatasetManagement: boolean;
  readonly hasWriteZeroes: boolean;
}

export interface NamespaceInfo {
  readonly nsid: number;
  /** Size in blocks of `blockSize` bytes. */
  readonly blocks: number;
  readonly blockSize: number;
  /** Metadata of each block; 0 for a plain format. */
  readonly metadata_bytes: number;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes).trim();

/** `mpsmin_bytes` is the smallest page of the controller, the unit of MDTS. */
export function controllerInfo(view: DataView, mpsmin_bytes: number): ControllerInfo {
  const of = <const Name extends 'MDTS' | 'AERL' | 'OAES' | 'RTD3E' | 'ONCS'>(name: Name): number =>
    IDENTIFY_CONTROLLER.get(view, 0, name);
  const mdts = of('MDTS');
  const oncs = of('ONCS');
  return {
    serial: text(IDENTIFY_CONTROLLER.get(view, 0, 'SN')),
    model: text(IDENTIFY_CONTROLLER.get(view, 0, 'MN')),
    firmware: text(IDENTIFY_CONTROLLER.get(view, 0, 'FR')),
    maxTransfer_bytes: mdts === 0 ? Number.POSITIVE_INFINITY : mpsmin_bytes * 2 ** mdts,
    asyncEvents: of('AERL') + 1,
    oaes: of('OAES'),
    rtd3e_us: of('RTD3E'),
    hasCompare: ONCS.COMPARE.get(oncs) === 1,
    hasDatasetManagement: ONCS.DATASET_MANAGEMENT.get(oncs) === 1,
    hasWriteZeroes: ONCS.WRITE_ZEROES.get(oncs) === 1,
  };
}

export function namespaceInfo(nsid: number, view: DataView): NamespaceInfo {
  const flbas = IDENTIFY_NAMESPACE.get(view, 0, 'FLBAS');
  const format = FLBAS.FIDXL.get(flbas) | (FLBAS.FIDXU.get(flbas) << 4);
  const lbaf = view.getUint32(IDENTIFY_NAMESPACE.LBAF + format * 4, true);
  return {
    nsid,
    blocks: Number(IDENTIFY_NAMESPACE.get(view, 0, 'NSZE')),
    blockSize: 2 ** LBAF.LBADS.get(lbaf),
    metadata_bytes: LBAF.MS.get(lbaf),
  };
}

/** Numbers of a namespace list, which ends at the first 0. Base 2.1 §4.6.1. */
export function namespaceList(view: DataView): number[] {
  const list: number[] = [];
  for (let index = 0; index < LIST_ENTRIES.NAMESPACES; index++) {
    const nsid = view.getUint32(index * 4, true);
    if (nsid === 0) break;
    list.push(nsid);
  }
  return list;
}

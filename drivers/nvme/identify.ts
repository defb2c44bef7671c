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
  OACS,
  ONCS,
} from '../../nvme/spec/identify.ts';
import {
  IDENTIFY_ZONED_CONTROLLER,
  IDENTIFY_ZONED_NAMESPACE,
  OZCS,
  ZONED_FORMAT,
} from '../../nvme/spec/zones.ts';

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
  /** By CRD (0 to 3): how long the controller wants a command to wait before it is sent again. Base 2.1 §5.1.13.2.1 */
  readonly retryDelays_ns: readonly number[];
  /** Host memory that the controller would like (HMPRE) and that it needs to use any (HMMIN); 0: none. */
  readonly hostMemory: { readonly preferred_bytes: number; readonly minimum_bytes: number };
  readonly hasDoorbellBuffer: boolean;
  readonly hasCompare: boolean;
  readonly hasDatasetManagement: boolean;
  readonly hasWriteZeroes: boolean;
}

export interface NamespaceInfo {
  readonly nsid: number;
  /** Index of the LBA format in use. */
  readonly format: number;
  /** Size in blocks of `blockSize` bytes. */
  readonly blocks: number;
  readonly blockSize: number;
  /** Metadata of each block; 0 for a plain format. */
  readonly metadata_bytes: number;
  /** null: the namespace is not zoned. */
  readonly zones: ZoneInfo | null;
}

/** Zones of a zoned namespace; Infinity where there is no limit. */
export interface ZoneInfo {
  /** Size of a zone in blocks. */
  readonly blocks: number;
  /** Most zones that can be open, and open or closed. */
  readonly maxOpen: number;
  readonly maxActive: number;
  /** Most bytes of one Zone Append. */
  readonly maxAppend_bytes: number;
  /** Reads may go over the end of a zone. */
  readonly readsAcross: boolean;
}

/** CRDT counts 100 ms. */
const RETRY_DELAY_UNIT_NS = 100e6;
/** HMPRE and HMMIN count 4 KiB. */
const HOST_MEMORY_UNIT = 4096;

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes).trim();

/** `mpsmin_bytes` is the smallest page of the controller, the unit of MDTS. */
export function controllerInfo(view: DataView, mpsmin_bytes: number): ControllerInfo {
  const of = <
    const Name extends
      | 'MDTS'
      | 'AERL'
      | 'OAES'
      | 'RTD3E'
      | 'ONCS'
      | 'OACS'
      | 'CRDT1'
      | 'CRDT2'
      | 'CRDT3'
      | 'HMPRE'
      | 'HMMIN',
  >(
    name: Name,
  ): number => IDENTIFY_CONTROLLER.get(view, 0, name);
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
    retryDelays_ns: [0, of('CRDT1'), of('CRDT2'), of('CRDT3')].map((count) => count * RETRY_DELAY_UNIT_NS),
    hostMemory: {
      preferred_bytes: of('HMPRE') * HOST_MEMORY_UNIT,
      minimum_bytes: of('HMMIN') * HOST_MEMORY_UNIT,
    },
    hasDoorbellBuffer: OACS.DOORBELL_BUFFER.get(of('OACS')) === 1,
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
    format,
    zones: null,
    blocks: Number(IDENTIFY_NAMESPACE.get(view, 0, 'NSZE')),
    blockSize: 2 ** LBAF.LBADS.get(lbaf),
    metadata_bytes: LBAF.MS.get(lbaf),
  };
}

/** MAR and MOR are 0's based, and all ones without a limit. */
const limitOf = (value: number): number => (value === 0xffff_ffff ? Number.POSITIVE_INFINITY : value + 1);

/**
 * Zones of the format in use; `zoned` and `controller` are the structures of the Zoned Namespace Command Set (CNS 05h and
 * 06h), `mpsmin_bytes` the unit of ZASL. ZNS 1.2 §4.1.5.
 */
export function zoneInfo(
  zoned: DataView,
  controller: DataView,
  format: number,
  mpsmin_bytes: number,
): ZoneInfo {
  const zasl = IDENTIFY_ZONED_CONTROLLER.get(controller, 0, 'ZASL');
  const entry = IDENTIFY_ZONED_NAMESPACE.LBAFE + format * ZONED_FORMAT.SIZE;
  return {
    blocks: Number(ZONED_FORMAT.get(zoned, entry, 'ZSZE')),
    maxOpen: limitOf(IDENTIFY_ZONED_NAMESPACE.get(zoned, 0, 'MOR')),
    maxActive: limitOf(IDENTIFY_ZONED_NAMESPACE.get(zoned, 0, 'MAR')),
    maxAppend_bytes: zasl === 0 ? Number.POSITIVE_INFINITY : mpsmin_bytes * 2 ** zasl,
    readsAcross: OZCS.READ_ACROSS.get(IDENTIFY_ZONED_NAMESPACE.get(zoned, 0, 'OZCS')) === 1,
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

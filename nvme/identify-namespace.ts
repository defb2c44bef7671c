/**
 * Identify data of one namespace: CNS 00h, 03h and 08h (Base 2.1 §5.1.13.2; NVM Command Set 1.1 §4.1.5).
 * CNS 05h tells the guards of the formats. What is not written is zero: not supported.
 * Not here: which NSIDs are valid, lists of NSIDs (identify.ts), zones (zones/identify.ts).
 */
import { random } from '../support/random.ts';
import { type Absences, hasReservations } from './absences.ts';
import { isExtendedFormat, type LbaFormat } from './lba-format.ts';
import type { Namespace } from './namespace.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import {
  CSI,
  DLFEAT,
  DPC,
  DPS,
  ELBAF,
  FLBAS,
  IDENTIFY_INDEPENDENT_NAMESPACE,
  IDENTIFY_NAMESPACE,
  IDENTIFY_NVM_NAMESPACE,
  INDEPENDENT_NSFEAT,
  LBAF,
  MC,
  NAMESPACE_DESCRIPTOR,
  NIDL,
  NIDT,
  NMIC,
  NSATTR,
  NSFEAT,
  NSTAT,
  RESCAP,
} from './spec/identify.ts';

/** DLFEAT.READ: deallocated blocks read as zeroes. */
const READS_ZEROES = 1;

const EVERY_RESERVATION = RESCAP.encode({
  PTPL: 1,
  WRITE_EXCLUSIVE: 1,
  EXCLUSIVE_ACCESS: 1,
  WRITE_EXCLUSIVE_REGISTRANTS: 1,
  EXCLUSIVE_ACCESS_REGISTRANTS: 1,
  WRITE_EXCLUSIVE_ALL: 1,
  EXCLUSIVE_ACCESS_ALL: 1,
  IEKEY: 1,
});

const reservations = (absent: Absences): number => (hasReservations(absent) ? EVERY_RESERVATION : 0);

/** Every way to place and protect metadata. */
const METADATA_CAPABILITIES = MC.encode({ EXTENDED: 1, SEPARATE: 1 });
const PROTECTION_CAPABILITIES = DPC.encode({ TYPE1: 1, TYPE2: 1, TYPE3: 1, FIRST_BYTES: 1, LAST_BYTES: 1 });
/** ELBAF.PIF of a 64-bit guard. */
const GUARD_64 = 2;

/** CNS 00h and 11h. `formats` are LBA formats by number. */
export function writeNamespace(
  view: DataView,
  at: number,
  namespace: Namespace,
  formats: readonly LbaFormat[],
  profile: ControllerProfile,
): void {
  writeCommon(view, at, formats, profile);
  IDENTIFY_NAMESPACE.set(view, at, 'NSZE', namespace.blocks);
  IDENTIFY_NAMESPACE.set(view, at, 'NCAP', namespace.blocks);
  IDENTIFY_NAMESPACE.set(view, at, 'NUSE', namespace.blocks);
  const { metadata } = namespace;
  const format = formats.findIndex((each) => namespace.hasFormat(each));
  const EXTENDED = metadata?.isExtended === true ? 1 : 0;
  IDENTIFY_NAMESPACE.set(
    view,
    at,
    'FLBAS',
    FLBAS.encode({ FIDXL: format & 0xf, FIDXU: format >>> 4, EXTENDED }),
  );
  if (metadata !== null) {
    const PIP = metadata.isFirst ? 1 : 0;
    IDENTIFY_NAMESPACE.set(view, at, 'DPS', DPS.encode({ PIT: metadata.protection, PIP }));
  }
  const { deallocation_bytes } = profile;
  const granules = deallocation_bytes === 0 ? 0 : Math.max(1, deallocation_bytes / namespace.block_bytes);
  const DAE = namespace.written === null ? 0 : 1;
  IDENTIFY_NAMESPACE.set(view, at, 'NSFEAT', NSFEAT.encode({ DAE, OPTPERF: granules > 0 ? 1 : 0 }));
  if (granules > 0) {
    IDENTIFY_NAMESPACE.set(view, at, 'NPDG', granules - 1);
    IDENTIFY_NAMESPACE.set(view, at, 'NPDA', granules - 1);
  }
  IDENTIFY_NAMESPACE.set(view, at, 'NMIC', NMIC.encode({ SHARED: namespace.isShared ? 1 : 0 }));
  if (!hasQuirk(profile, 'tellsNoCapacity'))
    view.setBigUint64(at + IDENTIFY_NAMESPACE.NVMCAP, BigInt(namespace.store.bytes), true);
  IDENTIFY_NAMESPACE.set(view, at, 'NSATTR', writeProtected(namespace));
  IDENTIFY_NAMESPACE.set(view, at, 'EUI64', bytesOf(namespace.eui64));
}

/** What all namespaces have in common: the answer for NSID FFFFFFFFh. */
export function writeCommon(
  view: DataView,
  at: number,
  formats: readonly LbaFormat[],
  profile: ControllerProfile,
): void {
  IDENTIFY_NAMESPACE.set(view, at, 'RESCAP', reservations(profile.absent));
  const { copyRanges, copyRangeBlocks, copyBlocks } = profile.limits;
  IDENTIFY_NAMESPACE.set(view, at, 'MSSRL', copyRangeBlocks);
  IDENTIFY_NAMESPACE.set(view, at, 'MCL', copyBlocks);
  IDENTIFY_NAMESPACE.set(view, at, 'MSRC', copyRanges - 1);
  IDENTIFY_NAMESPACE.set(view, at, 'NLBAF', formats.length - 1);
  IDENTIFY_NAMESPACE.set(
    view,
    at,
    'DLFEAT',
    DLFEAT.encode({ READ: READS_ZEROES, DEAC: profile.zeroesDeallocate ? 1 : 0 }),
  );
  if (formats.some(({ metadata_bytes }) => metadata_bytes > 0)) {
    IDENTIFY_NAMESPACE.set(view, at, 'MC', METADATA_CAPABILITIES);
    IDENTIFY_NAMESPACE.set(view, at, 'DPC', PROTECTION_CAPABILITIES);
  }
  formats.forEach(({ block_bytes, metadata_bytes }, format) => {
    const word = LBAF.encode({ LBADS: Math.log2(block_bytes), MS: metadata_bytes });
    view.setUint32(at + IDENTIFY_NAMESPACE.LBAF + 4 * format, word, true);
  });
}

/** CNS 05h and 1Bh with CSI 0: which formats have a guard of more than 16 bits. No storage tags. */
export function writeNvmNamespace(view: DataView, at: number, formats: readonly LbaFormat[]): void {
  formats.forEach((format, index) => {
    const word = ELBAF.encode({ PIF: isExtendedFormat(format) ? GUARD_64 : 0 });
    view.setUint32(at + IDENTIFY_NVM_NAMESPACE.ELBAF + 4 * index, word, true);
  });
}

/** CNS 03h: EUI-64 when there is one, UUID, command set. `seed` makes the UUID of this drive its own; null: no UUID. */
export function writeDescriptors(
  view: DataView,
  at: number,
  namespace: Namespace,
  seed: string | null,
): void {
  const eui64 = bytesOf(namespace.eui64);
  let next = at;
  const add = (type: number, identifier: Uint8Array) => {
    NAMESPACE_DESCRIPTOR.set(view, next, 'NIDT', type);
    NAMESPACE_DESCRIPTOR.set(view, next, 'NIDL', identifier.length);
    const to = view.byteOffset + next + NAMESPACE_DESCRIPTOR.SIZE;
    new Uint8Array(view.buffer, to, identifier.length).set(identifier);
    next += NAMESPACE_DESCRIPTOR.SIZE + identifier.length;
  };
  if (eui64.some((byte) => byte !== 0)) add(NIDT.EUI64, eui64);
  if (seed !== null) add(NIDT.UUID, uuid(seed, namespace));
  add(NIDT.CSI, Uint8Array.of(namespace.zones === null ? CSI.NVM : CSI.ZONED));
}

/** CNS 08h and 1Fh. `isReady`: I/O commands can use the namespace now. */
export function writeIndependentNamespace(
  view: DataView,
  at: number,
  namespace: Namespace,
  isReady: boolean,
  { writeCache, absent }: Pick<ControllerProfile, 'writeCache' | 'absent'>,
): void {
  const set = (name: Parameters<typeof IDENTIFY_INDEPENDENT_NAMESPACE.set>[2], value: number) =>
    IDENTIFY_INDEPENDENT_NAMESPACE.set(view, at, name, value);
  set('NSFEAT', INDEPENDENT_NSFEAT.encode({ VWCNP: writeCache ? 0 : 1 }));
  set('NMIC', NMIC.encode({ SHARED: namespace.isShared ? 1 : 0 }));
  set('RESCAP', reservations(absent));
  set('NSATTR', writeProtected(namespace));
  set('NSTAT', NSTAT.encode({ NRDY: isReady ? 1 : 0 }));
}

const writeProtected = (namespace: Namespace): number =>
  NSATTR.encode({ WRITE_PROTECTED: namespace.readOnly ? 1 : 0 });

/** An EUI-64 of 16 hexadecimal digits as bytes, most significant first. */
const bytesOf = (digits: string): Uint8Array =>
  Uint8Array.from({ length: NIDL.EUI64 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));

/** A namespace of a drive always has the same UUID: version 8, made by the implementation (RFC 9562 §5.8). */
function uuid(seed: string, { nsid, generation }: Namespace): Uint8Array {
  const stream = random(nsid, generation === 0 ? `${seed}.uuid` : `${seed}.uuid.${generation}`);
  const bytes = Uint8Array.from({ length: NIDL.UUID }, () => stream.next() >>> 24);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

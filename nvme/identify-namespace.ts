/**
 * Identify data of one namespace: CNS 00h, 03h, 05h and 08h (Base 2.1 §5.1.13.2; NVM Command Set 1.1 §4.1.5).
 * One format per namespace, the one it was made with; no metadata. What is not written is zero: not supported.
 * Not here: which NSIDs are valid, lists of NSIDs (identify.ts).
 */
import { random } from '../support/random.ts';
import { COPY_LIMITS } from './io/copy.ts';
import type { Namespace } from './namespace.ts';
import {
  CSI,
  DLFEAT,
  IDENTIFY_INDEPENDENT_NAMESPACE,
  IDENTIFY_NAMESPACE,
  LBAF,
  NAMESPACE_DESCRIPTOR,
  NIDL,
  NIDT,
  NSATTR,
  NSTAT,
} from './spec/identify.ts';

/** DLFEAT.READ: deallocated blocks read as zeroes. */
const READS_ZEROES = 1;

/** CNS 00h and 11h. */
export function writeNamespace(view: DataView, at: number, namespace: Namespace): void {
  IDENTIFY_NAMESPACE.set(view, at, 'NSZE', namespace.blocks);
  IDENTIFY_NAMESPACE.set(view, at, 'NCAP', namespace.blocks);
  IDENTIFY_NAMESPACE.set(view, at, 'NUSE', namespace.blocks);
  IDENTIFY_NAMESPACE.set(view, at, 'DLFEAT', DLFEAT.encode({ READ: READS_ZEROES, DEAC: 1 }));
  IDENTIFY_NAMESPACE.set(view, at, 'MSSRL', COPY_LIMITS.RANGE_BLOCKS);
  IDENTIFY_NAMESPACE.set(view, at, 'MCL', COPY_LIMITS.BLOCKS);
  IDENTIFY_NAMESPACE.set(view, at, 'MSRC', COPY_LIMITS.RANGES - 1);
  const bytes = BigInt(namespace.blocks) * BigInt(namespace.block_bytes);
  view.setBigUint64(at + IDENTIFY_NAMESPACE.NVMCAP, bytes, true);
  IDENTIFY_NAMESPACE.set(view, at, 'NSATTR', writeProtected(namespace));
  IDENTIFY_NAMESPACE.set(view, at, 'EUI64', bytesOf(namespace.eui64));
  view.setUint32(at + IDENTIFY_NAMESPACE.LBAF, LBAF.encode({ LBADS: namespace.blockShift }), true);
}

/** CNS 03h: EUI-64 when there is one, UUID, command set. `seed` makes the UUID of this drive its own. */
export function writeDescriptors(view: DataView, at: number, namespace: Namespace, seed: string): void {
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
  add(NIDT.UUID, uuid(seed, namespace.nsid));
  add(NIDT.CSI, Uint8Array.of(CSI.NVM));
}

/** CNS 08h. */
export function writeIndependentNamespace(view: DataView, at: number, namespace: Namespace): void {
  IDENTIFY_INDEPENDENT_NAMESPACE.set(view, at, 'NSATTR', writeProtected(namespace));
  IDENTIFY_INDEPENDENT_NAMESPACE.set(view, at, 'NSTAT', NSTAT.encode({ NRDY: 1 }));
}

const writeProtected = (namespace: Namespace): number =>
  NSATTR.encode({ WRITE_PROTECTED: namespace.readOnly ? 1 : 0 });

/** An EUI-64 of 16 hexadecimal digits as bytes, most significant first. */
const bytesOf = (digits: string): Uint8Array =>
  Uint8Array.from({ length: NIDL.EUI64 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));

/** The same drive and NSID always have the same UUID: version 8, made by the implementation (RFC 9562 §5.8). */
function uuid(seed: string, nsid: number): Uint8Array {
  const stream = random(nsid, `${seed}.uuid`);
  const bytes = Uint8Array.from({ length: NIDL.UUID }, () => stream.next() >>> 24);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

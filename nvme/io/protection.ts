/**
 * Protection information: the tuple that guards a block against corruption and misplacement, made and checked (NVM
 * Command Set 1.1 §5.3). Fields of a tuple are big endian; storage tags have no bits here.
 * Not here: which command makes or checks tuples (read-write.ts, copy.ts), where metadata live (metadata.ts).
 */
import type { Memory } from '../../machine/memory.ts';
import { crc16 } from '../../support/crc16.ts';
import { Crc64 } from '../../support/crc64.ts';
import { hex } from '../../support/numbers.ts';
import { STATUS } from '../spec/status.ts';
import { type MetadataFormat, PROTECTION, tupleBytes, tupleOffset } from './metadata.ts';

/** What a command says about protection: PRINFO and tags. */
export interface ProtectionFields {
  /** PRACT: the controller makes or removes tuples. */
  readonly isAction: boolean;
  /** PRCHK. */
  readonly checksGuard: boolean;
  readonly checksTag: boolean;
  readonly checksReference: boolean;
  /** Reference tag of the first block. */
  readonly reference: number;
  readonly tag: number;
  readonly tagMask: number;
}

/** Blocks in controller SRAM: byte offsets of their data, and of their metadata one after the other. */
export interface Buffer {
  readonly data: number;
  readonly metadata: number;
}

/** The first block that fails its check. */
export interface ProtectionFailure {
  readonly status: number;
  readonly index: number;
  readonly reason: string;
}

const NO_TAG = 0xffff;
const TWO_32 = 2 ** 32;

/** Reference tags count up to this, and go on at 0. */
const referenceRange = ({ guard_bits }: MetadataFormat): number => (guard_bits === 16 ? TWO_32 : 2 ** 48);

/** Why a command that names block `first` cannot have these fields, or null. */
export function fieldsProblem(
  format: MetadataFormat,
  first: number,
  { checksReference, reference }: ProtectionFields,
): string | null {
  if (!checksReference) return null;
  if (format.protection === PROTECTION.TYPE3) return 'type 3 has no reference tag to check (PRCHK bit 0)';
  if (format.protection !== PROTECTION.TYPE1) return null;
  const range = referenceRange(format);
  const expected = first - Math.floor(first / range) * range;
  if (reference === expected) return null;
  return `the initial reference tag is ${hex(reference)}, but type 1 starts at the block address, ${hex(expected)}`;
}

/** The reference tag of block `index` of a command. */
export function referenceOf(format: MetadataFormat, first: number, index: number): number {
  if (format.protection === PROTECTION.TYPE3) return first;
  const range = referenceRange(format);
  return first + index < range ? first + index : first + index - range;
}

export class Protection {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Makes the tuples of `count` blocks of `block_bytes`. */
  generate(
    format: MetadataFormat,
    block_bytes: number,
    count: number,
    at: Buffer,
    fields: Pick<ProtectionFields, 'tag' | 'reference'>,
  ): void {
    const { view } = this.#memory;
    for (let index = 0; index < count; index++) {
      const tuple = at.metadata + index * format.bytes + tupleOffset(format);
      const [high, low] = this.#guard(format, block_bytes, index, at);
      if (format.guard_bits === 16) {
        view.setUint16(tuple, low);
        view.setUint16(tuple + 2, fields.tag);
      } else {
        view.setUint32(tuple, high);
        view.setUint32(tuple + 4, low);
        view.setUint16(tuple + 8, fields.tag);
      }
      this.#writeReference(format, tuple, referenceOf(format, fields.reference, index));
    }
  }

  /** Checks the tuples of `count` blocks as `fields` ask. Returns the first failure, or null. */
  check(
    format: MetadataFormat,
    block_bytes: number,
    count: number,
    at: Buffer,
    fields: ProtectionFields,
  ): ProtectionFailure | null {
    for (let index = 0; index < count; index++) {
      const tuple = this.#read(format, at.metadata + index * format.bytes + tupleOffset(format));
      if (isEscaped(format, tuple)) continue;
      if (fields.checksGuard) {
        const [high, low] = this.#guard(format, block_bytes, index, at);
        if (tuple.guardHigh !== high || tuple.guardLow !== low)
          return failure(STATUS.GUARD_CHECK_ERROR, index, 'the guard does not fit the data');
      }
      if (fields.checksTag && (tuple.tag & fields.tagMask) !== (fields.tag & fields.tagMask)) {
        const reason = `the application tag is ${hex(tuple.tag)}, expected ${hex(fields.tag)} in bits ${hex(fields.tagMask)}`;
        return failure(STATUS.APPLICATION_TAG_CHECK_ERROR, index, reason);
      }
      const reference = referenceOf(format, fields.reference, index);
      if (fields.checksReference && tuple.reference !== reference) {
        const reason = `the reference tag is ${hex(tuple.reference)}, expected ${hex(reference)}`;
        return failure(STATUS.REFERENCE_TAG_CHECK_ERROR, index, reason);
      }
    }
    return null;
  }

  /** The guard covers the data and the metadata before the tuple. Returns its high and low word. */
  #guard(format: MetadataFormat, block_bytes: number, index: number, at: Buffer): readonly [number, number] {
    const { u8 } = this.#memory;
    const data = at.data + index * block_bytes;
    const metadata = at.metadata + index * format.bytes;
    const before = metadata + tupleOffset(format);
    if (format.guard_bits === 16)
      return [0, crc16(u8, metadata, before, crc16(u8, data, data + block_bytes))];
    const crc = new Crc64().update(u8, data, data + block_bytes).update(u8, metadata, before);
    return [crc.high, crc.low];
  }

  #read(format: MetadataFormat, tuple: number): Tuple {
    const { view } = this.#memory;
    if (format.guard_bits === 16) {
      return {
        guardHigh: 0,
        guardLow: view.getUint16(tuple),
        tag: view.getUint16(tuple + 2),
        reference: view.getUint32(tuple + 4),
      };
    }
    return {
      guardHigh: view.getUint32(tuple),
      guardLow: view.getUint32(tuple + 4),
      tag: view.getUint16(tuple + 8),
      reference: view.getUint16(tuple + 10) * TWO_32 + view.getUint32(tuple + 12),
    };
  }

  /** Gives `count` tuples other reference tags; guards do not cover them. */
  remap(format: MetadataFormat, count: number, at: Buffer, reference: number): void {
    for (let index = 0; index < count; index++) {
      const tuple = at.metadata + index * format.bytes + tupleOffset(format);
      this.#writeReference(format, tuple, referenceOf(format, reference, index));
    }
  }

  #writeReference({ guard_bits }: MetadataFormat, tuple: number, reference: number): void {
    const { view } = this.#memory;
    if (guard_bits === 64) view.setUint16(tuple + 10, Math.floor(reference / TWO_32));
    view.setUint32(tuple + (guard_bits === 64 ? 12 : 4), reference % TWO_32);
  }

  /** Metadata of `count` blocks that were never written: zeroes, and tuples that no check looks at. */
  blank(format: MetadataFormat, count: number, metadata: number): void {
    this.#memory.fill(metadata, 0, count * format.bytes);
    if (format.protection === PROTECTION.NONE) return;
    for (let index = 0; index < count; index++) {
      this.#memory.fill(metadata + index * format.bytes + tupleOffset(format), 0xff, tupleBytes(format));
    }
  }
}

interface Tuple {
  readonly guardHigh: number;
  readonly guardLow: number;
  readonly tag: number;
  readonly reference: number;
}

/** Tags of all ones turn every check of a block off. NVM Command Set 1.1 §5.3.2 */
const isEscaped = (format: MetadataFormat, { tag, reference }: Tuple): boolean =>
  tag === NO_TAG && (format.protection !== PROTECTION.TYPE3 || reference === referenceRange(format) - 1);

const failure = (status: number, index: number, reason: string): ProtectionFailure => ({
  status,
  index,
  reason,
});

/**
 * What a command on blocks moves: data, and metadata behind each block or in a buffer of their own (NVM Command Set 1.1
 * §5.2). In SRAM the two are always apart. Also what all such commands do with protection information: which fields
 * they carry, and checks that end in a status. Not here: tuples (protection.ts), PRPs and SGLs (transfer.ts).
 */
import type { Memory } from '../../machine/memory.ts';
import { assert } from '../../support/assert.ts';
import { bits } from '../../support/bits.ts';
import type { Health } from '../health.ts';
import type { Namespace } from '../namespace.ts';
import type { Slots } from '../slots.ts';
import { RW_CDW12, RW_CDW15, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import { isTupleAlone, LARGEST_METADATA, PROTECTION, tupleBytes, tupleOffset } from './metadata.ts';
import { type Buffer, fieldsProblem, Protection, type ProtectionFields, referenceOf } from './protection.ts';
import type { Transfer } from './transfer.ts';

/** PRINFO where it stands alone, as in Copy. */
const PRINFO = bits({ PRCHK_REFERENCE: 0, PRCHK_APPLICATION: 1, PRCHK_GUARD: 2, PRACT: 3 });
const SMALLEST_BLOCK = 512;
const TWO_32 = 2 ** 32;

export interface PayloadParts {
  readonly memory: Memory;
  readonly slots: Slots;
  readonly health: Health;
  readonly transfer: Transfer;
  readonly maxTransfer_bytes: number;
}

export class Payload {
  readonly protection: Protection;
  readonly #memory: Memory;
  readonly #slots: Slots;
  readonly #health: Health;
  readonly #transfer: Transfer;
  readonly #maxTransfer: number;
  /** SRAM for blocks and metadata as the host interleaves them. */
  readonly #mixed: number;

  constructor(parts: PayloadParts) {
    this.protection = new Protection(parts.memory);
    this.#memory = parts.memory;
    this.#slots = parts.slots;
    this.#health = parts.health;
    this.#transfer = parts.transfer;
    this.#maxTransfer = parts.maxTransfer_bytes;
    this.#mixed = parts.memory.reserve(parts.maxTransfer_bytes, 4096);
    assert(this.#mixed >= 0, 'device memory holds one transfer with metadata');
  }

  /** SRAM for the blocks of one transfer. */
  createBuffer(): Buffer {
    const data = this.#memory.reserve(this.#maxTransfer, 4096);
    const metadata = this.#memory.reserve((this.#maxTransfer / SMALLEST_BLOCK) * LARGEST_METADATA, 4096);
    assert(data >= 0 && metadata >= 0, 'device memory holds the blocks of a transfer');
    return { data, metadata };
  }

  // ---- fields -------------------------------------------------------------------------------------------------------

  /** PRINFO and tags of Read, Write and their kin. */
  fields(slot: number, namespace: Namespace): ProtectionFields {
    const cdw12 = this.#slots.dword(slot, SQE.CDW12);
    return this.fieldsOf(slot, namespace, cdw12 >>> RW_CDW12.PRCHK_REFERENCE.low);
  }

  /** The same with PRINFO from elsewhere. */
  fieldsOf(slot: number, namespace: Namespace, prinfo: number): ProtectionFields {
    const tags = this.#slots.dword(slot, SQE.CDW15);
    const [tag, tagMask] = [RW_CDW15.LBAT.get(tags), RW_CDW15.LBATM.get(tags)];
    const low = this.#slots.dword(slot, SQE.CDW14);
    const high = namespace.metadata?.guard_bits === 64 ? this.#slots.dword(slot, SQE.CDW3) & 0xffff : 0;
    return protectionFields(prinfo, { reference: high * TWO_32 + low, tag, tagMask });
  }

  /** Fields of a command whose first `done` blocks are done. */
  fieldsAfter(namespace: Namespace, fields: ProtectionFields, done: number): ProtectionFields {
    if (!isProtected(namespace)) return fields;
    return { ...fields, reference: referenceOf(namespace.metadata!, fields.reference, done) };
  }

  /** Refuses fields that contradict the namespace's protection. Returns a status. */
  checkFields(namespace: Namespace, first: number, fields: ProtectionFields): number {
    if (!isProtected(namespace)) return STATUS.SUCCESS;
    const problem = fieldsProblem(namespace.metadata!, first, fields);
    if (problem === null) return STATUS.SUCCESS;
    return this.#health.explain(STATUS.INVALID_PROTECTION_INFORMATION, problem, SQE.CDW12 + 3);
  }

  /** Refuses a metadata pointer that the host's metadata cannot be at. Returns a status. */
  checkPointer(slot: number, namespace: Namespace, fields: ProtectionFields): number {
    const { metadata } = namespace;
    if (metadata === null || metadata.isExtended || isStripped(namespace, fields)) return STATUS.SUCCESS;
    if ((this.#slots.dword(slot, SQE.MPTR) & 3) === 0) return STATUS.SUCCESS;
    return this.#health.explain(STATUS.INVALID_FIELD, 'the metadata pointer is not dword aligned', SQE.MPTR);
  }

  // ---- checks -------------------------------------------------------------------------------------------------------

  /** Checks the tuples of `count` blocks from block `first` as `fields` ask. Returns a status. */
  verify(namespace: Namespace, first: number, count: number, at: Buffer, fields: ProtectionFields): number {
    if (!isProtected(namespace)) return STATUS.SUCCESS;
    const failure = this.protection.check(namespace.metadata!, namespace.block_bytes, count, at, fields);
    if (failure === null) return STATUS.SUCCESS;
    const block = first + failure.index;
    return this.#health.explainBlock(failure.status, `block ${block}: ${failure.reason}`, block);
  }

  /** Makes the tuples of blocks that are to be written, or checks those that came with them. Returns a status. */
  protect(namespace: Namespace, first: number, count: number, at: Buffer, fields: ProtectionFields): number {
    if (!isProtected(namespace)) return STATUS.SUCCESS;
    if (!fields.isAction) return this.verify(namespace, first, count, at, fields);
    this.protection.generate(namespace.metadata!, namespace.block_bytes, count, at, fields);
    return STATUS.SUCCESS;
  }

  /** Whether two blocks' metadata are the same, tuples aside: those depend on the command. */
  equalMetadata(namespace: Namespace, count: number, one: number, other: number): boolean {
    const { metadata } = namespace;
    if (metadata === null) return true;
    const { u8 } = this.#memory;
    const tuple = isProtected(namespace) ? tupleOffset(metadata) : metadata.bytes;
    const end = isProtected(namespace) ? tuple + tupleBytes(metadata) : tuple;
    for (let index = 0; index < count * metadata.bytes; index++) {
      const inside = index & (metadata.bytes - 1);
      if ((inside < tuple || inside >= end) && u8[one + index] !== u8[other + index]) return false;
    }
    return true;
  }

  // ---- transfer -----------------------------------------------------------------------------------------------------

  /** Bytes of the data pointer's buffer for `count` blocks. */
  bytes(namespace: Namespace, count: number, fields: ProtectionFields): number {
    return count * (namespace.block_bytes + behindBlock(namespace, fields));
  }

  /** Brings `count` blocks of the host to SRAM. Metadata that it does not send are zeroes. Returns a status. */
  fetch(slot: number, namespace: Namespace, count: number, to: Buffer, fields: ProtectionFields): number {
    const { metadata } = namespace;
    if (metadata === null) return this.#transfer.fetch(slot, to.data);
    if (behindBlock(namespace, fields) > 0) {
      const status = this.#transfer.fetch(slot, this.#mixed);
      if (status === STATUS.SUCCESS) this.#separate(namespace, count, to);
      return status;
    }
    const status = this.#transfer.fetch(slot, to.data);
    if (status !== STATUS.SUCCESS) return status;
    const bytes = count * metadata.bytes;
    if (!isStripped(namespace, fields)) return this.#transfer.moveMetadata(slot, to.metadata, bytes, false);
    this.#memory.fill(to.metadata, 0, bytes);
    return STATUS.SUCCESS;
  }

  /** Sends `count` blocks from SRAM to the host. Returns a status. */
  deliver(slot: number, namespace: Namespace, count: number, from: Buffer, fields: ProtectionFields): number {
    const { metadata } = namespace;
    if (behindBlock(namespace, fields) > 0) {
      this.#interleave(namespace, count, from);
      return this.#transfer.deliver(slot, this.#mixed);
    }
    const status = this.#transfer.deliver(slot, from.data);
    if (status !== STATUS.SUCCESS || metadata === null || isStripped(namespace, fields)) return status;
    return this.#transfer.moveMetadata(slot, from.metadata, count * metadata.bytes, true);
  }

  #separate({ block_bytes, metadata }: Namespace, count: number, to: Buffer): void {
    const unit = block_bytes + metadata!.bytes;
    for (let index = 0; index < count; index++) {
      const from = this.#mixed + index * unit;
      this.#memory.copy(to.data + index * block_bytes, from, block_bytes);
      this.#memory.copy(to.metadata + index * metadata!.bytes, from + block_bytes, metadata!.bytes);
    }
  }

  #interleave({ block_bytes, metadata }: Namespace, count: number, from: Buffer): void {
    const unit = block_bytes + metadata!.bytes;
    for (let index = 0; index < count; index++) {
      const to = this.#mixed + index * unit;
      this.#memory.copy(to, from.data + index * block_bytes, block_bytes);
      this.#memory.copy(to + block_bytes, from.metadata + index * metadata!.bytes, metadata!.bytes);
    }
  }
}

/** PRINFO's four bits with the tags that belong to them. */
export function protectionFields(
  prinfo: number,
  tags: Pick<ProtectionFields, 'reference' | 'tag' | 'tagMask'>,
): ProtectionFields {
  return {
    reference: tags.reference,
    tag: tags.tag,
    tagMask: tags.tagMask,
    isAction: PRINFO.PRACT.get(prinfo) === 1,
    checksGuard: PRINFO.PRCHK_GUARD.get(prinfo) === 1,
    checksTag: PRINFO.PRCHK_APPLICATION.get(prinfo) === 1,
    checksReference: PRINFO.PRCHK_REFERENCE.get(prinfo) === 1,
  };
}

export const isProtected = ({ metadata }: Namespace): boolean =>
  metadata !== null && metadata.protection !== PROTECTION.NONE;

/** With PRACT, metadata that are the tuple alone stay in the controller. */
const isStripped = ({ metadata }: Namespace, { isAction }: ProtectionFields): boolean =>
  isAction && metadata !== null && isTupleAlone(metadata);

/** Metadata bytes that the host has behind each block. */
const behindBlock = (namespace: Namespace, fields: ProtectionFields): number =>
  namespace.metadata?.isExtended === true && !isStripped(namespace, fields) ? namespace.metadata.bytes : 0;

/**
 * Metadata of a namespace's blocks: how many bytes each block has, where hosts put them, and what protects them (NVM
 * Command Set 1.1 §5.2, §5.3). Not here: reading and writing them (blocks.ts), the tuples (protection.ts).
 */
import { isPowerOfTwo } from '../../support/numbers.ts';
import type { BlockStore } from '../block-store.ts';

/** Protection information type; NONE leaves the metadata to the host. */
export const PROTECTION = { NONE: 0, TYPE1: 1, TYPE2: 2, TYPE3: 3 } as const;

/** How a host chose to use metadata when it formatted the namespace. */
export interface MetadataUse {
  /** Hosts send them behind each block (FLBAS.EXTENDED); else in a buffer of their own (MPTR). */
  readonly isExtended: boolean;
  /** PROTECTION. */
  readonly protection: number;
  /** The tuple is in the first bytes of the metadata (DPS.PIP), not in the last. */
  readonly isFirst: boolean;
}

export interface MetadataFormat extends MetadataUse {
  /** Bytes per block (MS), a power of two from 8 to 64. */
  readonly bytes: number;
  /** Width of the guard: a tuple of 8 bytes with 16, of 16 bytes with 64. */
  readonly guard_bits: 16 | 64;
  /** Where they live: `bytes` for every block. */
  readonly store: BlockStore;
}

export const LARGEST_METADATA = 64;
/** Smallest block with a 64-bit guard. NVM Command Set 1.1 §5.3.1.3 */
const LEAST_GUARDED_BLOCK = 4096;

/** Bytes of a protection information tuple. */
export const tupleBytes = ({ guard_bits }: Pick<MetadataFormat, 'guard_bits'>): number =>
  guard_bits === 16 ? 8 : 16;

/** Where the tuple is in the metadata of a block. */
export const tupleOffset = (format: MetadataFormat): number =>
  format.isFirst ? 0 : format.bytes - tupleBytes(format);

/** Metadata are the tuple and nothing else, so that PRACT takes them out of the transfer. */
export const isTupleAlone = (format: MetadataFormat): boolean =>
  format.protection !== PROTECTION.NONE && format.bytes === tupleBytes(format);

/** One sentence naming metadata that no block can have, or null. */
export function checkMetadata(bytes: number, guard_bits: number, block_bytes: number): string | null {
  if (!isPowerOfTwo(bytes) || bytes < 8 || bytes > LARGEST_METADATA)
    return `metadata must be a power of two from 8 to ${LARGEST_METADATA} bytes, got ${bytes}`;
  if (guard_bits === 16) return null;
  if (bytes < 16) return `a 64-bit guard needs 16 bytes of metadata, got ${bytes}`;
  if (block_bytes < LEAST_GUARDED_BLOCK)
    return `a 64-bit guard needs blocks of ${LEAST_GUARDED_BLOCK} bytes or more, got ${block_bytes}`;
  return null;
}

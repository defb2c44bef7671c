/**
 * Metadata of a namespace's blocks: how many bytes each block has, where hosts put them, and what protects them (NVM
 * Command Set 1.1 §5.2, §5.3). Not here: reading and writing them (blocks.ts), the tuples (protection.ts).
 */
import { isPowerOfTwo } from '../../support/numbers.ts';
import type { BlockStore } from '../block-store.ts';

/** Protection information type; NONE leaves the metadata to the host. */
export const PROTECTION = { NONE: 0, TYPE1: 1, TYPE2: 2, TYPE3: 3 } as const;

export interface MetadataFormat {
  /** Bytes per block (MS), a power of two from 8 to 64. */
  readonly bytes: number;
  /** Where they live: `bytes` for every block. */
  readonly store: BlockStore;
  /** Hosts send them behind each block (FLBAS.EXTENDED); else in a buffer of their own (MPTR). */
  readonly isExtended: boolean;
  /** PROTECTION. */
  readonly protection: number;
  /** Width of the guard: a tuple of 8 bytes with 16, of 16 bytes with 64. */
  readonly guard_bits: 16 | 64;
  /** The tuple is in the first bytes of the metadata (DPS.PIP), not in the last. */
  readonly isFirst: boolean;
}

export const LARGEST_METADATA = 64;

/** Bytes of a protection information tuple. */
export const tupleBytes = (format: MetadataFormat): number => (format.guard_bits === 16 ? 8 : 16);

/** Where the tuple is in the metadata of a block. */
export const tupleOffset = (format: MetadataFormat): number =>
  format.isFirst ? 0 : format.bytes - tupleBytes(format);

/** One sentence naming what no namespace can have, or null. */
export function checkMetadata(format: Omit<MetadataFormat, 'store'>, block_bytes: number): string | null {
  const { bytes, protection, guard_bits } = format;
  if (!isPowerOfTwo(bytes) || bytes < 8 || bytes > LARGEST_METADATA)
    return `metadata must be a power of two from 8 to ${LARGEST_METADATA} bytes, got ${bytes}`;
  if (protection === PROTECTION.NONE) return null;
  if (guard_bits === 64 && bytes < 16) return `a 64-bit guard needs 16 bytes of metadata, got ${bytes}`;
  if (guard_bits === 64 && block_bytes < 4096)
    return `a 64-bit guard needs blocks of 4096 bytes or more, got ${block_bytes}`;
  return null;
}

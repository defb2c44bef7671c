/**
 * One namespace: its identity, block size, the store that holds its blocks, and what makes it more than plain blocks.
 * Not here: commands (nvm.ts, io/), Identify data (identify-namespace.ts).
 */
import { isPowerOfTwo } from '../support/numbers.ts';
import type { BlockStore } from './block-store.ts';
import { BlockRanges } from './io/block-ranges.ts';
import { Reservations } from './io/reservations.ts';

/**
 * Why Read and Write of a namespace cannot take the short way (nvm.ts) but go through io/commands.ts. A plain namespace
 * has none of these bits.
 */
export const SPECIAL = {
  READ_ONLY: 1,
  /** Blocks are larger than the smallest page, so one can be torn between two pages. */
  LARGE_BLOCKS: 2,
  /** Some blocks are marked by Write Uncorrectable. */
  UNCORRECTABLE: 4,
  /** A host holds a reservation: who reads and writes matters. */
  RESERVATION: 8,
} as const;

/** The smallest host page. */
const PAGE = 4096;

export interface NamespaceOptions {
  readonly nsid: number;
  /** Logical block size in bytes, a power of two from 512. */
  readonly block_bytes: number;
  readonly store: BlockStore;
  /** EUI-64 as 16 hexadecimal digits; 0 for none. */
  readonly eui64?: string;
  readonly readOnly?: boolean;
}

export class Namespace {
  readonly nsid: number;
  readonly store: BlockStore;
  readonly block_bytes: number;
  readonly blockShift: number;
  /** Size in logical blocks (NSZE). */
  readonly blocks: number;
  readonly eui64: string;
  readonly readOnly: boolean;
  /** Blocks that Write Uncorrectable marked. */
  readonly uncorrectable = new BlockRanges();
  /** Hosts and what they reserved; shared by every controller the namespace is attached to. */
  readonly reservations = new Reservations();
  /** SPECIAL bits. */
  special = 0;

  constructor(options: NamespaceOptions) {
    this.nsid = options.nsid;
    this.store = options.store;
    this.block_bytes = options.block_bytes;
    this.blockShift = Math.log2(options.block_bytes);
    this.blocks = Math.floor(options.store.bytes / options.block_bytes);
    this.eui64 = options.eui64 ?? '0'.repeat(16);
    this.readOnly = options.readOnly ?? false;
    this.setSpecial(SPECIAL.READ_ONLY, this.readOnly);
    this.setSpecial(SPECIAL.LARGE_BLOCKS, this.block_bytes > PAGE);
  }

  /** Sets or clears one of the SPECIAL bits. */
  setSpecial(bit: number, isSet: boolean): void {
    this.special = isSet ? this.special | bit : this.special & ~bit;
  }
}

/** One sentence naming an impossible block size or capacity, or null. */
export function checkGeometry(bytes: number, block_bytes: number): string | null {
  if (!isPowerOfTwo(block_bytes) || block_bytes < 512 || block_bytes > 65_536) {
    return `block size must be a power of two from 512 to 65536 bytes, got ${block_bytes}`;
  }
  if (!(bytes >= block_bytes))
    return `a namespace needs at least one block of ${block_bytes} bytes, got ${bytes}`;
  if (!Number.isInteger(bytes / block_bytes))
    return `${bytes} bytes are not a whole number of ${block_bytes}-byte blocks`;
  return null;
}

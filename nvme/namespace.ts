/**
 * One namespace: its identity, block size and the store that holds its blocks.
 * Not here: commands (nvm.ts), Identify data (identify.ts).
 */
import { isPowerOfTwo } from '../support/numbers.ts';
import type { BlockStore } from './block-store.ts';

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

  constructor(options: NamespaceOptions) {
    this.nsid = options.nsid;
    this.store = options.store;
    this.block_bytes = options.block_bytes;
    this.blockShift = Math.log2(options.block_bytes);
    this.blocks = Math.floor(options.store.bytes / options.block_bytes);
    this.eui64 = options.eui64 ?? '0'.repeat(16);
    this.readOnly = options.readOnly ?? false;
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

/**
 * One namespace: its identity, block size, the stores that hold its blocks and their metadata, and what makes it more
 * than plain blocks. Not here: commands (nvm.ts, io/), Identify data (identify-namespace.ts).
 */
import type { Archive } from '../support/archive.ts';
import { isPowerOfTwo } from '../support/numbers.ts';
import type { BlockStore } from './block-store.ts';
import { BlockRanges } from './io/block-ranges.ts';
import type { MetadataFormat } from './io/metadata.ts';
import { Reservations } from './io/reservations.ts';
import type { LbaFormat } from './lba-format.ts';
import type { SubsystemPlace } from './limits.ts';
import type { Refusal } from './refusal.ts';
import { RESERVATION } from './spec/reservations.ts';
import type { Zones } from './zones/zones.ts';

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
  /** Blocks have metadata. */
  METADATA: 16,
  /** Which blocks were written is known of each. */
  TRACKED: 32,
  /** Blocks are in zones. */
  ZONED: 64,
  /** Some blocks can be read with retries only. */
  WEAK: 128,
} as const;

/** The smallest host page. */
const PAGE = 4096;

export interface NamespaceOptions {
  readonly nsid: number;
  /** Logical block size in bytes, a power of two from 512. */
  readonly block_bytes: number;
  readonly store: BlockStore;
  /** Metadata of the blocks; none when absent. */
  readonly metadata?: MetadataFormat;
  /** Zones; the namespace belongs to the NVM command set when absent. */
  readonly zones?: Zones;
  /** Deallocated blocks are told from zeroes, so that the host can have reads of them fail (NSFEAT.DAE). */
  readonly tracksBlocks?: boolean;
  /** EUI-64 as 16 hexadecimal digits; 0 for none. */
  readonly eui64?: string;
  /** The medium cannot be written at all. */
  readonly readOnly?: boolean;
  /** NMIC.SHARED, as the host asked for it. */
  readonly isShared?: boolean;
  /** 0 for namespaces of the board; those that a host creates count up, so that no identifier comes back. */
  readonly generation?: number;
}

export class Namespace {
  readonly nsid: number;
  readonly store: BlockStore;
  readonly eui64: string;
  readonly isShared: boolean;
  readonly generation: number;
  /** The medium cannot be written at all. */
  readonly isMediumReadOnly: boolean;
  /** null: a namespace of the NVM command set. */
  readonly zones: Zones | null;
  block_bytes = 0;
  blockShift = 0;
  /** Size in logical blocks (NSZE). */
  blocks = 0;
  /** Where the namespace begins on the medium, in bytes of the whole drive. */
  mediaBase = 0;
  /** Metadata of every block; null: none. */
  metadata: MetadataFormat | null = null;
  /** Blocks that were written and not deallocated; null while that is not tracked. */
  written: BlockRanges | null = null;
  /** Writes are refused: the medium is read-only, or the host protects the namespace. */
  readOnly = false;
  /** Blocks that Write Uncorrectable marked. */
  readonly uncorrectable = new BlockRanges();
  /** Blocks that the medium gives only after retries, and how long those take. */
  readonly weak = new BlockRanges();
  recovery_ns = 0;
  /** Hosts and what they reserved; shared by every controller the namespace is attached to. */
  readonly reservations = new Reservations();
  /** SPECIAL bits. */
  special = 0;
  readonly #tracksBlocks: boolean;

  constructor(options: NamespaceOptions) {
    this.nsid = options.nsid;
    this.store = options.store;
    this.zones = options.zones ?? null;
    this.eui64 = options.eui64 ?? '0'.repeat(16);
    this.isShared = options.isShared ?? false;
    this.generation = options.generation ?? 0;
    this.isMediumReadOnly = options.readOnly ?? false;
    this.#tracksBlocks = options.tracksBlocks === true || this.zones !== null;
    this.setSpecial(SPECIAL.ZONED, this.zones !== null);
    this.format(options.block_bytes, options.metadata ?? null);
    this.protect(false);
  }

  /** Takes another block size and other metadata; the bytes of the store stay where they are. */
  format(block_bytes: number, metadata: MetadataFormat | null): void {
    this.block_bytes = block_bytes;
    this.blockShift = Math.log2(block_bytes);
    this.blocks = Math.floor(this.store.bytes / block_bytes);
    this.metadata = metadata;
    this.written = this.#tracksBlocks || metadata !== null ? new BlockRanges() : null;
    this.zones?.format(block_bytes);
    this.setSpecial(SPECIAL.LARGE_BLOCKS, block_bytes > PAGE);
    this.setSpecial(SPECIAL.METADATA, metadata !== null);
    this.setSpecial(SPECIAL.TRACKED, this.written !== null);
  }

  /** Whether this is the format in use. */
  hasFormat({ block_bytes, metadata_bytes, guard_bits }: LbaFormat): boolean {
    const { metadata } = this;
    return (
      block_bytes === this.block_bytes &&
      metadata_bytes === (metadata?.bytes ?? 0) &&
      guard_bits === (metadata?.guard_bits ?? 16)
    );
  }

  /** False for a block that is known to be deallocated or never written. */
  isWritten(block: number): boolean {
    return this.written === null || this.written.find(block, block + 1) !== -1;
  }

  setWritten(first: number, count: number, isWritten: boolean): void {
    if (isWritten) this.written?.add(first, first + count);
    else this.written?.remove(first, first + count);
  }

  setUncorrectable(first: number, count: number, isMarked: boolean): void {
    if (isMarked) this.uncorrectable.add(first, first + count);
    else if (this.uncorrectable.isEmpty) return;
    else this.uncorrectable.remove(first, first + count);
    this.setSpecial(SPECIAL.UNCORRECTABLE, !this.uncorrectable.isEmpty);
  }

  /** For tests, which wear blocks out: until they are written again, reading one takes `recovery_ns` of retries. */
  weaken(first: number, count: number, recovery_ns: number): void {
    this.weak.add(first, first + count);
    this.recovery_ns = recovery_ns;
    this.setSpecial(SPECIAL.WEAK, true);
  }

  /** Blocks are written or emptied: whatever was wrong with them is gone. */
  renew(first: number, count: number, isWritten: boolean): void {
    this.setUncorrectable(first, count, false);
    this.setWritten(first, count, isWritten);
    if (this.weak.isEmpty) return;
    this.weak.remove(first, first + count);
    this.setSpecial(SPECIAL.WEAK, !this.weak.isEmpty);
  }

  /** All that is known of the blocks is forgotten: they are as never written. */
  forgetBlocks(): void {
    this.written?.clear();
    this.uncorrectable.clear();
    this.weak.clear();
    this.setSpecial(SPECIAL.UNCORRECTABLE | SPECIAL.WEAK, false);
    this.metadata?.store.discard(0, this.metadata.store.bytes);
    this.zones?.clear();
  }

  /** Sets or lifts the host's write protection. */
  protect(isProtected: boolean): void {
    this.readOnly = this.isMediumReadOnly || isProtected;
    this.setSpecial(SPECIAL.READ_ONLY, this.readOnly);
  }

  /** Reservations have changed. */
  noteReservation(): void {
    this.setSpecial(SPECIAL.RESERVATION, this.reservations.type !== RESERVATION.NONE);
  }

  /** Sets or clears SPECIAL bits. */
  setSpecial(bit: number, isSet: boolean): void {
    this.special = isSet ? this.special | bit : this.special & ~bit;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.store.archive(a);
    this.zones?.archive(a);
    this.block_bytes = a.value(this.block_bytes);
    this.blockShift = a.value(this.blockShift);
    this.blocks = a.value(this.blocks);
    this.mediaBase = a.value(this.mediaBase);
    const {
      bytes = 0,
      isExtended = false,
      protection = 0,
      isFirst = false,
      guard_bits = 0,
    } = this.metadata ?? {};
    a.same(
      [bytes, isExtended, protection, isFirst, guard_bits].join(),
      `the metadata of namespace ${this.nsid}`,
    );
    this.metadata?.store.archive(a);
    a.same(this.written !== null, `whether blocks of namespace ${this.nsid} are tracked`);
    this.written?.archive(a);
    this.readOnly = a.value(this.readOnly);
    this.uncorrectable.archive(a);
    this.weak.archive(a);
    this.recovery_ns = a.value(this.recovery_ns);
    this.reservations.archive(a);
    this.special = a.value(this.special);
  }
}

/** Who can use which namespaces now. */
export interface NamespaceAccess {
  /** Where in its subsystem the controller is. */
  readonly place: SubsystemPlace;
  /** Why `nsid` has no namespace for I/O, or null when it has. FFFFFFFFh is not one. */
  refusal(nsid: number): Refusal | null;
  /** Why this namespace, or with FFFFFFFFh any of them, is out of use although it exists; null when it is not. */
  closure(nsid: number): Refusal | null;
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

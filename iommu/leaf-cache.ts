/**
 * Finished translations of one leaf size: a direct-mapped array of 32-bit words, because a hit is on the path of every
 * request. Leaf numbers of 64-bit addresses are two words; an access that the leaf denies has no domain that could match.
 * Not here: which sizes there are and what is dropped with what (iotlb.ts), the hot look-up itself (request-path.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { isPowerOfTwo, PAGE_SIZE } from '../support/numbers.ts';

/** Words of an entry: leaf number, low and high, the domain that may read, the one that may write, its first frame. */
export const ENTRY = { SHIFT: 3, LEAF: 0, LEAF_HIGH: 1, READER: 2, WRITER: 3, FRAME: 4 } as const;
/** Domains that share addresses go to different entries, and so do addresses that differ in a large power of two. */
export const SPREAD = { DOMAIN_SHIFT: 3, LEAF_SHIFT: 9 } as const;
/** In READER and WRITER. Domain ids are 0 to 65535, and the context cache says -1 for none. */
const NOBODY = -2;
const TWO_32 = 0x1_0000_0000;
/** Frames are 31 bits here: physical addresses below 8 TiB. Others are not cached. */
const FRAMES = 2 ** 31;

/** An entry as it is shown. */
export interface CachedLeaf {
  readonly domainId: number;
  readonly iova: number;
  /** Size of the leaf. */
  readonly bytes: number;
  readonly frame: number;
  /** Bit 0 read, bit 1 write. */
  readonly permissions: number;
}

export class LeafCache {
  readonly words: Int32Array;
  readonly mask: number;
  readonly leafBytes: number;
  /** False while nothing was inserted since the last full drop. */
  used = false;

  constructor(count: number, leafBytes: number) {
    assert(isPowerOfTwo(count), 'the number of IOTLB entries is a power of two');
    this.words = new Int32Array(count << ENTRY.SHIFT).fill(NOBODY);
    this.mask = count - 1;
    this.leafBytes = leafBytes;
  }

  /** Keeps the leaf of `iova`, whose first frame is `frame`. `permissions` has bit 0 for reads, bit 1 for writes. */
  insert(domainId: number, iova: number, frame: number, permissions: number): void {
    if (frame >= FRAMES) return;
    const { words } = this;
    const leaf = Math.floor(iova / this.leafBytes);
    const at = this.#at(leaf, domainId);
    words[at + ENTRY.LEAF] = leaf;
    words[at + ENTRY.LEAF_HIGH] = leaf / TWO_32;
    words[at + ENTRY.READER] = (permissions & 1) === 0 ? NOBODY : domainId;
    words[at + ENTRY.WRITER] = (permissions & 2) === 0 ? NOBODY : domainId;
    words[at + ENTRY.FRAME] = frame;
    this.used = true;
  }

  /** The accesses that the leaf of `iova` is cached for: bit 0 reads, bit 1 writes; 0 when it is not there. */
  permissions(domainId: number, iova: number): number {
    const leaf = Math.floor(iova / this.leafBytes);
    const at = this.#at(leaf, domainId);
    if (this.#leafAt(at) !== leaf) return 0;
    const canRead = this.words[at + ENTRY.READER] === domainId;
    const canWrite = this.words[at + ENTRY.WRITER] === domainId;
    return Number(canRead) | (Number(canWrite) << 1);
  }

  /** The frame of `iova` inside its leaf, which must be there. */
  frame(domainId: number, iova: number): number {
    const leaf = Math.floor(iova / this.leafBytes);
    const first = this.words[this.#at(leaf, domainId) + ENTRY.FRAME]!;
    return first + Math.floor((iova - leaf * this.leafBytes) / PAGE_SIZE);
  }

  /** Everything that is kept, in no order. Costs a look at every entry. */
  *entries(): Generator<CachedLeaf> {
    if (!this.used) return;
    for (let at = 0; at < this.words.length; at += 1 << ENTRY.SHIFT) {
      const domainId = this.#domainAt(at);
      if (domainId === NOBODY) continue;
      const frame = this.words[at + ENTRY.FRAME]!;
      const permissions =
        Number(this.words[at + ENTRY.READER] === domainId) |
        (Number(this.words[at + ENTRY.WRITER] === domainId) << 1);
      yield { domainId, iova: this.#leafAt(at) * this.leafBytes, bytes: this.leafBytes, frame, permissions };
    }
  }

  dropAll(): void {
    if (this.used) this.words.fill(NOBODY);
    this.used = false;
  }

  /** Drops what `domainId` has between leaves `first` and `last`, inclusive. Returns true when there was something. */
  dropRange(domainId: number, first: number, last: number): boolean {
    if (!this.used) return false;
    let dropped = false;
    if (last - first <= this.mask) {
      for (let leaf = first; leaf <= last; leaf++) {
        const at = this.#at(leaf, domainId);
        if (this.#leafAt(at) === leaf && this.#domainAt(at) === domainId) dropped = this.#drop(at);
      }
      return dropped;
    }
    for (let at = 0; at < this.words.length; at += 1 << ENTRY.SHIFT) {
      const leaf = this.#leafAt(at);
      if (leaf >= first && leaf <= last && this.#domainAt(at) === domainId) dropped = this.#drop(at);
    }
    return dropped;
  }

  #at(leaf: number, domainId: number): number {
    const low = leaf | 0;
    return (
      ((low ^ (low >>> SPREAD.LEAF_SHIFT) ^ (domainId << SPREAD.DOMAIN_SHIFT)) & this.mask) << ENTRY.SHIFT
    );
  }

  #leafAt(at: number): number {
    return (this.words[at + ENTRY.LEAF]! >>> 0) + this.words[at + ENTRY.LEAF_HIGH]! * TWO_32;
  }

  #domainAt(at: number): number {
    return Math.max(this.words[at + ENTRY.READER]!, this.words[at + ENTRY.WRITER]!);
  }

  #drop(at: number): true {
    this.words.fill(NOBODY, at, at + (1 << ENTRY.SHIFT));
    return true;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.words);
    this.used = a.value(this.used);
  }
}

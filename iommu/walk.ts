/**
 * From memory to a page or a fault, in legacy mode: root entry, context entry, second-stage tables of three to five
 * levels with 4 KiB, 2 MiB and 1 GiB leaves (VT-d 4.1 §3.4, §3.7). Pure functions of RAM and the unit's limits; the
 * order of the checks is the order of the specification's fault conditions (§7.1.3).
 * Not here: caching (iotlb.ts, context-cache.ts), recording (fault-log.ts). Scalable mode adds a lookup of its own
 * beside `readContext` and shares `walkSecondStage`.
 */

import { MSI_BASE, MSI_END } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import { u64 } from '../support/numbers.ts';
import type { UnitOptions } from './capabilities.ts';
import { FAULT, NO_FAULT } from './spec/faults.ts';
import {
  ADDRESS_HIGH_MASK,
  bitsOfLevels,
  CONTEXT,
  CONTEXT_DOMAIN,
  CONTEXT_ENTRY_BYTES,
  LEAF_BYTES,
  levelsOfWidth,
  PTE,
  PTE_HIGH_RESERVED,
  ROOT,
  ROOT_ENTRY_BYTES,
  TRANSLATION_TYPE,
} from './spec/structures.ts';
import type { TableCache } from './table-cache.ts';

/** What the walks check against; derived once from the unit's options. */
export interface WalkLimits {
  /** First address above the platform's address width. */
  readonly hostEnd: number;
  readonly guestAddressBits: number;
  readonly domainCount: number;
  /** Bit AW is set when the width code is supported. */
  readonly widths: number;
  readonly widthMax: number;
  readonly passThrough: boolean;
  /** Address bits above the platform's width, in an upper word. */
  readonly addressReservedHigh: number;
  /** Reserved bits of a second-stage entry's lower word, at `level * 2 + PS`. */
  readonly entryReservedLow: Int32Array;
}

/** One context entry as the unit keeps it. */
export interface Context {
  domainId: number;
  /** Top table, or 0 for pass-through. */
  table: number;
  /** Levels of the walk; 0 is pass-through. */
  levels: number;
  /** First input address beyond the width. */
  end: number;
  /** FPD: qualified faults of this requester are not recorded. Also valid when the lookup failed. */
  faultsDisabled: boolean;
}

/** The leaf a walk found. */
export interface Leaf {
  /** First physical address of the whole leaf. */
  base: number;
  /** 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB. After a fault, the level it happened at. */
  level: number;
  /** R and W of all levels ANDed: bit 0 read, bit 1 write. */
  permissions: number;
}

export const emptyContext = (): Context => ({
  domainId: 0,
  table: 0,
  levels: 0,
  end: 0,
  faultsDisabled: false,
});
export const emptyLeaf = (): Leaf => ({ base: Number.NaN, level: 0, permissions: 0 });

/** Entries the lookup of a context reads: root and context. */
export const CONTEXT_READS = 2;

// Constants of this module are folded into compiled code; imported bindings and fields of bit tables are loads.
const PS = PTE.PS.mask;
const PAGE_ADDRESS = PTE.ADDR.mask;
const HIGH_ADDRESS = ADDRESS_HIGH_MASK;
const HIGH_RESERVED = PTE_HIGH_RESERVED;
const TWO_32 = 0x1_0000_0000;
const WINDOW_FIRST = MSI_BASE;
const WINDOW_LAST = MSI_END;
const FOUND = NO_FAULT;
const LEAF_SIZE = Float64Array.from(LEAF_BYTES);
/** Divides an address so that the table index of a level is in the low nine bits. */
const INDEX_SCALE = Float64Array.of(0, 2 ** -12, 2 ** -21, 2 ** -30, 2 ** -39, 2 ** -48);
const INDEX_MASK = 511;

/** Limits of a unit with these options and these SAGAW bits. */
export function walkLimits(options: UnitOptions, widths: number): WalkLimits {
  const snoop = options.snoopControl ? 0 : PTE.SNP.mask;
  const table = PTE.SNP.mask;
  const leaf = (level: 2 | 3, supported: boolean): number =>
    supported ? snoop | (LEAF_BYTES[level] - LEAF_BYTES[1]) : table | PS;
  // Level 1 ignores bit 7; levels 4 and 5 have no leaf.
  const entryReservedLow = Int32Array.of(
    ...[0, 0],
    ...[snoop, snoop],
    ...[table, leaf(2, options.leaf2M)],
    ...[table, leaf(3, options.leaf1G)],
    ...[table, table | PS],
    ...[table, table | PS],
  );
  const addressReservedHigh = ADDRESS_HIGH_MASK & ~(2 ** (options.hostAddressBits - 32) - 1);
  return {
    hostEnd: 2 ** options.hostAddressBits,
    guestAddressBits: options.guestAddressBits,
    domainCount: 2 ** options.domainIdBits,
    widths,
    widthMax: 31 - Math.clz32(widths),
    passThrough: options.passThrough,
    addressReservedHigh,
    entryReservedLow,
  };
}

/**
 * Reads the root and context entry of `requester` (bus << 8 | devfn) into `context`.
 * Returns a fault reason, or NO_FAULT.
 */
export function readContext(
  memory: Memory,
  root: number,
  requester: number,
  limits: WalkLimits,
  context: Context,
): number {
  const ram = memory.u32;
  context.faultsDisabled = false;
  const rootEntry = root + (requester >>> 8) * ROOT_ENTRY_BYTES;
  if (rootEntry >= memory.ramBytes) return FAULT.ROOT_TABLE_INVALID;
  let at = rootEntry >>> 2;
  const rootLow = ram[at]!;
  const rootHigh = ram[at + 1]!;
  if (ROOT.P.get(rootLow) === 0) return FAULT.ROOT_NOT_PRESENT;
  if ((rootLow & ROOT.RESERVED.mask) !== 0 || (rootHigh & ~ADDRESS_HIGH_MASK) !== 0)
    return FAULT.ROOT_RESERVED;
  if ((rootHigh & limits.addressReservedHigh) !== 0 || (ram[at + 2]! | ram[at + 3]!) !== 0)
    return FAULT.ROOT_RESERVED;

  const contextTable = u64(rootLow & ROOT.CTP.mask, rootHigh);
  if (contextTable >= memory.ramBytes) return FAULT.CONTEXT_TABLE_INVALID;
  at = (contextTable + (requester & 0xff) * CONTEXT_ENTRY_BYTES) >>> 2;
  const low = ram[at]!;
  const high = ram[at + 1]!;
  const domain = ram[at + 2]!;
  context.faultsDisabled = CONTEXT.FPD.get(low) === 1;
  if (CONTEXT.P.get(low) === 0) return FAULT.CONTEXT_NOT_PRESENT;
  const reserved =
    (low & CONTEXT.RESERVED.mask) |
    (high & (limits.addressReservedHigh | ~ADDRESS_HIGH_MASK)) |
    (domain & (CONTEXT_DOMAIN.RESERVED.mask | CONTEXT_DOMAIN.RESERVED_HIGH.mask)) |
    ram[at + 3]!;
  if (reserved !== 0 || CONTEXT_DOMAIN.DID.get(domain) >= limits.domainCount) return FAULT.CONTEXT_RESERVED;
  return checkContext(low, high, domain, limits, context);
}

/** The programming of a context entry whose reserved bits are clear. */
function checkContext(
  low: number,
  high: number,
  domain: number,
  limits: WalkLimits,
  context: Context,
): number {
  const width = CONTEXT_DOMAIN.AW.get(domain);
  const type = CONTEXT.TT.get(low);
  if ((limits.widths & (1 << width)) === 0) return FAULT.CONTEXT_INVALID;
  const isPassThrough = type === TRANSLATION_TYPE.PASS_THROUGH;
  if (isPassThrough && (!limits.passThrough || width !== limits.widthMax)) return FAULT.CONTEXT_INVALID;
  if (!isPassThrough && type !== TRANSLATION_TYPE.SECOND_STAGE) return FAULT.CONTEXT_INVALID;
  context.domainId = CONTEXT_DOMAIN.DID.get(domain);
  if (isPassThrough) {
    context.table = 0;
    context.levels = 0;
    context.end = limits.hostEnd;
    return NO_FAULT;
  }
  context.table = u64(low & CONTEXT.SSPTPTR.mask, high);
  context.levels = levelsOfWidth(width);
  context.end = 2 ** Math.min(limits.guestAddressBits, bitsOfLevels(context.levels));
  return NO_FAULT;
}

/**
 * Walks the second-stage tables for one access; `iova` is inside their width. Fills `leaf`, and `tables` with what it
 * passes. A walk that begins below the top is told what the levels above allow. Returns a fault reason, or NO_FAULT.
 */
export function walkSecondStage(
  memory: Memory,
  table: number,
  levels: number,
  iova: number,
  isWrite: boolean,
  limits: WalkLimits,
  leaf: Leaf,
  allowed = 3,
  tables: TableCache | null = null,
  domainId = 0,
): number {
  const ram = memory.u32;
  const endWord = memory.ramBytes >>> 2;
  const reserved = limits.entryReservedLow;
  const reservedHigh = limits.addressReservedHigh | HIGH_RESERVED;
  const needed = isWrite ? 2 : 1;
  let permissions = allowed;
  leaf.level = levels;
  if (table >= memory.ramBytes) return FAULT.CONTEXT_INVALID;
  // RAM ends below 4 GiB: table addresses are word indexes, and a set upper word is an address nobody answers.
  let word = table >>> 2;
  for (let level = levels; ; level--) {
    leaf.level = level;
    const index = word + (((iova * INDEX_SCALE[level]!) & INDEX_MASK) << 1);
    const low = ram[index]!;
    const high = ram[index + 1]!;
    permissions &= low;
    if ((low & needed) === 0) return isWrite ? FAULT.NO_WRITE_PERMISSION : FAULT.NO_READ_PERMISSION;
    const large = (low >>> 7) & 1;
    if (((low & reserved[level * 2 + large]!) | (high & reservedHigh)) !== 0)
      return FAULT.PAGE_ENTRY_RESERVED;
    if (level !== 1 && large === 0) {
      word = (low & PAGE_ADDRESS) >>> 2;
      if (word >= endWord || (high & HIGH_ADDRESS) !== 0) return FAULT.TABLE_POINTER_INVALID;
      if (tables !== null) tables.insert(domainId, iova, level, word, permissions);
      continue;
    }
    const base = (high & HIGH_ADDRESS) * TWO_32 + ((low & PAGE_ADDRESS) >>> 0);
    leaf.base = base;
    leaf.permissions = permissions;
    const overlaps = base + LEAF_SIZE[level]! > WINDOW_FIRST && base <= WINDOW_LAST;
    return overlaps ? FAULT.OUTPUT_IN_INTERRUPT_RANGE : FOUND;
  }
}

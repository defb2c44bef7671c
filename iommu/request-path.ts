/**
 * The path of a device's memory request: IOTLB, context cache, walk, and the fault when it may not proceed
 * (VT-d 4.1 §3.4, legacy mode). A hit is one look by (page, domain); everything else is out of line.
 * Not here: the walk itself (walk.ts), registers (unit.ts), interrupt requests (interrupt-remapping.ts).
 */

import { MSI_BASE, MSI_END } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import { BLOCKED, INTERRUPT_WINDOW } from '../machine/pcie/translator.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import { T, type Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import { highWord, lowWord, PAGE_SIZE, u64 } from '../support/numbers.ts';
import { type ContextCache, NO_DOMAIN } from './context-cache.ts';
import type { FaultLog } from './fault-log.ts';
import type { Iotlb } from './iotlb.ts';
import { ENTRY, SPREAD } from './leaf-cache.ts';
import { FAULT, isQualified, NO_FAULT } from './spec/faults.ts';
import {
  CONTEXT_READS,
  emptyContext,
  emptyLeaf,
  type Leaf,
  readContext,
  type WalkLimits,
  walkSecondStage,
} from './walk.ts';

/** RTADDR.TTM: the only mode there is. */
const LEGACY_MODE = 0;
// Own copies: an imported binding is a load per use, a constant of this module is folded.
const PAGE = PAGE_SIZE;
const { SHIFT, LEAF, LEAF_HIGH, READER, WRITER, FRAME } = ENTRY;
const { DOMAIN_SHIFT, LEAF_SHIFT } = SPREAD;
const NOBODY = NO_DOMAIN;
/** No cache has so many entries; it tells the compiler that an index needs no check for overflow. */
const MOST = 0xff_ffff;
const WINDOW_FIRST = MSI_BASE;
const WINDOW_LAST = MSI_END;
const FOUND = NO_FAULT;
const TWO_32 = 0x1_0000_0000;
/** A frame beyond all memory and registers, for addresses whose frame has more than 31 bits. */
const NOWHERE = 0x7fff_ffff;

export interface RequestPathParts {
  readonly memory: Memory;
  readonly trace: Trace;
  readonly host: HostProfile;
  readonly limits: WalkLimits;
  readonly contexts: ContextCache;
  readonly iotlb: Iotlb;
  readonly faults: FaultLog;
}

export class RequestPath {
  private readonly memory: Memory;
  private readonly trace: Trace;
  private readonly host: HostProfile;
  private readonly iotlbHit_ns: number;
  private readonly limits: WalkLimits;
  private readonly contexts: ContextCache;
  private readonly iotlb: Iotlb;
  private readonly faults: FaultLog;
  /** What a hit reads: arrays of the two caches. */
  private readonly domainIds: Int32Array;
  private readonly entries: Int32Array;
  private readonly entryMask: number;
  /** GSTS.TES. While it is clear both caches are empty, so that a hit need not ask. */
  #enabled = false;
  #root = 0;
  #rootMode = 0;
  readonly #context = emptyContext();
  readonly #leaf = emptyLeaf();

  constructor(parts: RequestPathParts) {
    this.memory = parts.memory;
    this.trace = parts.trace;
    this.host = parts.host;
    this.iotlbHit_ns = parts.host.iotlbHit_ns;
    this.limits = parts.limits;
    this.contexts = parts.contexts;
    this.iotlb = parts.iotlb;
    this.faults = parts.faults;
    this.domainIds = parts.contexts.domainIds;
    this.entries = parts.iotlb.pages.words;
    this.entryMask = parts.iotlb.pages.mask;
  }

  /** The root table that SRTP latched, and its mode (RTADDR.TTM). */
  setRoot(root: number, mode: number): void {
    this.#root = root;
    this.#rootMode = mode;
  }

  /** Turns translation on or off; the caller has emptied both caches. */
  enable(isOn: boolean): void {
    this.#enabled = isOn;
  }

  /** See `Translator.frame`. All of a hit is arithmetic on 32-bit integers. */
  frame(requester: number, low: number, high: number, isWrite: boolean): number {
    const page = (low >>> 12) | (high << 20);
    const domainId = this.domainIds[requester]!;
    const entries = this.entries;
    const at = ((page ^ (page >>> LEAF_SHIFT) ^ (domainId << DOMAIN_SHIFT)) & this.entryMask & MOST) << SHIFT;
    if (
      entries[at + LEAF] === page &&
      entries[at + LEAF_HIGH] === high >>> 12 &&
      entries[at + (isWrite ? WRITER : READER)] === domainId
    ) {
      return entries[at + FRAME]!;
    }
    return this.#miss(requester, u64(low, high), isWrite) | 0;
  }

  /** See `Translator.known`: the look of `frame`, page after page. */
  known(
    requester: number,
    low: number,
    high: number,
    isWrite: boolean,
    frame: number,
    limit: number,
  ): number {
    const entries = this.entries;
    const mask = this.entryMask & MOST;
    const domainId = this.domainIds[requester]!;
    const spread = domainId << DOMAIN_SHIFT;
    const allowed = isWrite ? WRITER : READER;
    const pageHigh = high >>> 12;
    let page = (low >>> 12) | (high << 20);
    let count = 0;
    while (count < limit) {
      const at = ((page ^ (page >>> LEAF_SHIFT) ^ spread) & mask) << SHIFT;
      if (entries[at + LEAF] !== page || entries[at + LEAF_HIGH] !== pageHigh) break;
      if (entries[at + allowed] !== domainId || entries[at + FRAME] !== frame + count) break;
      count++;
      page = (page + 1) | 0;
      if (page === 0) break;
    }
    return count;
  }

  /** See `Translator.cost_ns`. What `frame` would find at once, for reads or for writes, is a hit. */
  cost_ns(requester: number, iova: number): number {
    const high = (iova / TWO_32) | 0;
    const page = ((iova | 0) >>> 12) | (high << 20);
    const domainId = this.domainIds[requester]!;
    const entries = this.entries;
    const mask = this.entryMask & MOST;
    const at = ((page ^ (page >>> LEAF_SHIFT) ^ (domainId << DOMAIN_SHIFT)) & mask) << SHIFT;
    if (
      domainId !== NOBODY &&
      entries[at + LEAF] === page &&
      entries[at + LEAF_HIGH] === high >>> 12 &&
      (entries[at + READER] === domainId || entries[at + WRITER] === domainId)
    ) {
      return this.iotlbHit_ns;
    }
    return this.#costOfMiss(requester, iova);
  }

  /** The cost of a large leaf that is cached, or of the reads of the walk that a request now would cause. */
  #costOfMiss(requester: number, iova: number): number {
    if (!this.#enabled || isInterruptAddress(iova)) return 0;
    const { iotlbHit_ns, walkRead_ns } = this.host;
    const domainId = this.domainIds[requester]!;
    const isKnown = domainId !== NOBODY;
    if (isKnown && this.iotlb.holds(domainId, iova)) return iotlbHit_ns;
    let reads = 0;
    let table = this.contexts.tables[requester]!;
    let levels = this.contexts.levels[requester]!;
    if (!isKnown) {
      reads = CONTEXT_READS;
      const reason = this.#readContext(requester);
      table = this.#context.table;
      levels = reason === NO_FAULT ? this.#context.levels : 0;
    }
    if (levels > 0) {
      const { tables } = this.iotlb;
      const start = isKnown && tables.find(domainId, iova, levels) ? tables.level : levels;
      const top = start === levels ? table : tables.table * 4;
      walkSecondStage(this.memory, top, start, iova, false, this.limits, this.#leaf);
      reads += walkReads(start, this.#leaf);
    }
    return iotlbHit_ns + reads * walkRead_ns;
  }

  #miss(requester: number, iova: number, isWrite: boolean): number {
    if (isInterruptAddress(iova)) return INTERRUPT_WINDOW;
    if (this.#enabled === false) return bounded(Math.floor(iova / PAGE));
    const domainId = this.domainIds[requester]!;
    if (domainId === NOBODY) return this.#loadContext(requester, iova, isWrite);
    const cached = this.iotlb.findLarge(domainId, iova, isWrite);
    if (cached !== -1) return cached;
    const contexts = this.contexts;
    const levels = contexts.levels[requester]!;
    const leaf = this.#leaf;
    let reason: number = FOUND;
    let start = levels;
    if (iova >= contexts.ends[requester]!) reason = FAULT.ADDRESS_BEYOND_WIDTH;
    else if (levels === 0) setIdentity(leaf, iova);
    else {
      const { tables } = this.iotlb;
      let table = contexts.tables[requester]!;
      let allowed = 3;
      // What a cached table does not allow is for the levels above it to refuse.
      if (tables.find(domainId, iova, levels) && (tables.allowed & (isWrite ? 2 : 1)) !== 0) {
        start = tables.level;
        table = tables.table * 4;
        allowed = tables.allowed;
      }
      const { memory, limits } = this;
      reason = walkSecondStage(memory, table, start, iova, isWrite, limits, leaf, allowed, tables, domainId);
    }
    if (reason !== FOUND) {
      return this.#block(requester, iova, reason, isWrite, contexts.faultsDisabled[requester] === 1);
    }
    const frame = this.iotlb.insert(domainId, iova, leaf.base, leaf.level, leaf.permissions);
    if (this.trace.on === true) this.trace.emit(T.IOMMU_WALK, requester, iova, frame, walkReads(start, leaf));
    return bounded(frame);
  }

  /** First request of a device since its context entry was dropped: reads the entry, then asks again. */
  #loadContext(requester: number, iova: number, isWrite: boolean): number {
    const context = this.#context;
    const reason = this.#readContext(requester);
    if (reason !== NO_FAULT) return this.#block(requester, iova, reason, isWrite, context.faultsDisabled);
    this.contexts.insert(requester, context);
    return this.frame(requester, lowWord(iova), highWord(iova), isWrite);
  }

  /** Fills `#context` from memory. Returns a fault reason, or NO_FAULT. */
  #readContext(requester: number): number {
    if (this.#rootMode !== LEGACY_MODE) return FAULT.ROOT_MODE_INVALID;
    return readContext(this.memory, this.#root, requester, this.limits, this.#context);
  }

  #block(requester: number, iova: number, reason: number, isWrite: boolean, faultsDisabled: boolean): number {
    if (this.trace.on === true) this.trace.emit(T.IOMMU_FAULT, requester, iova, reason, Number(isWrite));
    if (!(faultsDisabled && isQualified(reason))) this.faults.recordRequest(requester, iova, reason, isWrite);
    return BLOCKED;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.contexts.archive(a);
    this.iotlb.archive(a);
    this.#enabled = a.value(this.#enabled);
    this.#root = a.value(this.#root);
    this.#rootMode = a.value(this.#rootMode);
  }
}

const isInterruptAddress = (address: number): boolean => address >= WINDOW_FIRST && address <= WINDOW_LAST;

/** Entries a walk of so many levels read to come to this leaf or fault. */
const walkReads = (levels: number, leaf: Leaf): number => (levels === 0 ? 0 : levels - leaf.level + 1);

/** Pass-through: every page maps to itself, readable and writable. */
function setIdentity(leaf: Leaf, iova: number): void {
  leaf.base = iova - (iova & (PAGE - 1));
  leaf.level = 1;
  leaf.permissions = 3;
}

const bounded = (frame: number): number => (frame < NOWHERE ? frame : NOWHERE);

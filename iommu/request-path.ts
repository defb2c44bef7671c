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
import { PAGE_SIZE } from '../support/numbers.ts';
import type { ContextCache } from './context-cache.ts';
import type { FaultLog } from './fault-log.ts';
import { BASE, DOMAIN_SPREAD, ENTRY_STRIDE, type Iotlb, READ_KEY, WRITE_KEY } from './iotlb.ts';
import { FAULT, isQualified, NO_FAULT } from './spec/faults.ts';
import {
  CONTEXT_READS,
  emptyContext,
  emptyLeaf,
  readContext,
  type WalkLimits,
  walkSecondStage,
} from './walk.ts';

/** RTADDR.TTM: the only mode there is. */
const LEGACY_MODE = 0;
/** A page-aligned address times this, plus a domain id, is an IOTLB key: page * 65536 + domain. */
const KEY_SCALE = 16;
// Own copies: an imported binding is a load per use, a constant of this module is folded.
const PAGE = PAGE_SIZE;
const STRIDE = ENTRY_STRIDE;
const SPREAD = DOMAIN_SPREAD;
const READ = READ_KEY;
const WRITE = WRITE_KEY;
const PHYSICAL = BASE;
const WINDOW_FIRST = MSI_BASE;
const WINDOW_LAST = MSI_END;
const FOUND = NO_FAULT;

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
  readonly #memory: Memory;
  readonly #trace: Trace;
  readonly #host: HostProfile;
  readonly #limits: WalkLimits;
  readonly #contexts: ContextCache;
  readonly #iotlb: Iotlb;
  readonly #faults: FaultLog;
  /** What a hit reads: arrays of the two caches. */
  readonly #domainIds: Float64Array;
  readonly #entries: Float64Array;
  readonly #entryMask: number;
  /** GSTS.TES. While it is clear both caches are empty, so that a hit need not ask. */
  #enabled = false;
  #root = 0;
  #rootMode = 0;
  readonly #context = emptyContext();
  readonly #leaf = emptyLeaf();

  constructor(parts: RequestPathParts) {
    this.#memory = parts.memory;
    this.#trace = parts.trace;
    this.#host = parts.host;
    this.#limits = parts.limits;
    this.#contexts = parts.contexts;
    this.#iotlb = parts.iotlb;
    this.#faults = parts.faults;
    this.#domainIds = parts.contexts.domainIds;
    this.#entries = parts.iotlb.pageEntries;
    this.#entryMask = parts.iotlb.pageEntries.length / ENTRY_STRIDE - 1;
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

  /** See `Translator.translate`. */
  translate(requester: number, iova: number, isWrite: boolean): number {
    const offset = iova & (PAGE - 1);
    const domainId = this.#domainIds[requester]!;
    const entries = this.#entries;
    const at = ((iova / PAGE + domainId * SPREAD) & this.#entryMask) * STRIDE;
    if (entries[isWrite ? at + WRITE : at + READ] === (iova - offset) * KEY_SCALE + domainId) {
      return entries[at + PHYSICAL]! + offset;
    }
    return this.#miss(requester, iova, isWrite);
  }

  /** See `Translator.cost_ns`: a hit, or the reads of the walk that a request now would cause. */
  cost_ns(requester: number, iova: number): number {
    if (!this.#enabled || isInterruptAddress(iova)) return 0;
    const { iotlbHit_ns, walkRead_ns } = this.#host;
    const domainId = this.#domainIds[requester]!;
    const isKnown = !Number.isNaN(domainId);
    if (isKnown && this.#iotlb.holds(domainId, iova)) return iotlbHit_ns;
    let reads = 0;
    let table = this.#contexts.tables[requester]!;
    let levels = this.#contexts.levels[requester]!;
    if (!isKnown) {
      reads = CONTEXT_READS;
      const reason = this.#readContext(requester);
      table = this.#context.table;
      levels = reason === NO_FAULT ? this.#context.levels : 0;
    }
    if (levels > 0) {
      walkSecondStage(this.#memory, table, levels, iova, false, this.#limits, this.#leaf);
      reads += walkReads(levels, this.#leaf);
    }
    return iotlbHit_ns + reads * walkRead_ns;
  }

  #miss(requester: number, iova: number, isWrite: boolean): number {
    if (isInterruptAddress(iova)) return INTERRUPT_WINDOW;
    if (!this.#enabled) return iova;
    const domainId = this.#domainIds[requester]!;
    if (Number.isNaN(domainId)) return this.#loadContext(requester, iova, isWrite);
    const cached = this.#iotlb.findLarge(domainId, iova, isWrite ? WRITE : READ);
    if (cached !== -1) return cached;
    const contexts = this.#contexts;
    const levels = contexts.levels[requester]!;
    const leaf = this.#leaf;
    let reason: number = FOUND;
    if (iova >= contexts.ends[requester]!) reason = FAULT.ADDRESS_BEYOND_WIDTH;
    else if (levels === 0) setIdentity(leaf, iova);
    else {
      const table = contexts.tables[requester]!;
      reason = walkSecondStage(this.#memory, table, levels, iova, isWrite, this.#limits, leaf);
    }
    if (reason !== FOUND) {
      return this.#block(requester, iova, reason, isWrite, contexts.faultsDisabled[requester] === 1);
    }
    const physical = this.#iotlb.insert(domainId, iova, leaf.base, leaf.level, leaf.permissions);
    if (this.#trace.on) this.#trace.emit(T.IOMMU_WALK, requester, iova, physical, walkReads(levels, leaf));
    return physical;
  }

  /** First request of a device since its context entry was dropped: reads the entry, then asks again. */
  #loadContext(requester: number, iova: number, isWrite: boolean): number {
    const context = this.#context;
    const reason = this.#readContext(requester);
    if (reason !== NO_FAULT) return this.#block(requester, iova, reason, isWrite, context.faultsDisabled);
    this.#contexts.insert(requester, context);
    return this.#miss(requester, iova, isWrite);
  }

  /** Fills `#context` from memory. Returns a fault reason, or NO_FAULT. */
  #readContext(requester: number): number {
    if (this.#rootMode !== LEGACY_MODE) return FAULT.ROOT_MODE_INVALID;
    return readContext(this.#memory, this.#root, requester, this.#limits, this.#context);
  }

  #block(requester: number, iova: number, reason: number, isWrite: boolean, faultsDisabled: boolean): number {
    if (this.#trace.on) this.#trace.emit(T.IOMMU_FAULT, requester, iova, reason, Number(isWrite));
    if (!(faultsDisabled && isQualified(reason)))
      this.#faults.recordRequest(requester, iova, reason, isWrite);
    return BLOCKED;
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

/**
 * What invalidation does to the caches, whoever asks: a queue descriptor (invalidation-queue.ts) or the CCMD and IOTLB
 * registers (here, VT-d 4.1 §6.5.1). A request that is malformed or not supported is not carried out.
 */
import { T, type Trace } from '../machine/trace.ts';
import { PAGE_SIZE, u64 } from '../support/numbers.ts';
import type { ContextCache } from './context-cache.ts';
import type { Iotlb } from './iotlb.ts';
import { CCMD, CCMD_HIGH, GRANULARITY, IOTLB_HIGH, IVA } from './spec/registers.ts';
import { DESCRIPTOR_TYPE } from './spec/structures.ts';

const NOTHING_DONE = 0;

export class Invalidation {
  readonly #contexts: ContextCache;
  readonly #iotlb: Iotlb;
  readonly #addressMaskMax: number;
  readonly #trace: Trace;

  constructor(contexts: ContextCache, iotlb: Iotlb, addressMaskMax: number, trace: Trace) {
    this.#contexts = contexts;
    this.#iotlb = iotlb;
    this.#addressMaskMax = addressMaskMax;
    this.#trace = trace;
  }

  /** Empties both caches, as a change of the root table or of translation enable does. */
  everything(): void {
    this.#contexts.dropAll();
    this.#iotlb.dropAll();
  }

  /** Drops context entries. Returns false when the granularity code is reserved. */
  contexts(granularity: number, domainId: number, requester: number, functionMask: number): boolean {
    if (this.#trace.on)
      this.#trace.emit(T.IOMMU_INVALIDATE, DESCRIPTOR_TYPE.CONTEXT, domainId, requester, functionMask);
    if (granularity === GRANULARITY.GLOBAL) this.#contexts.dropAll();
    else if (granularity === GRANULARITY.DOMAIN) this.#contexts.dropDomain(domainId);
    else if (granularity === GRANULARITY.SELECTIVE) this.#contexts.dropDevice(requester, functionMask);
    return granularity !== 0;
  }

  /**
   * Drops translations; a selective request covers 2^addressMask pages around `address`, whose low bits are ignored, and
   * with `leavesOnly` (IH) spares cached tables. Returns false when the granularity code is reserved or the mask is beyond MAMV.
   */
  translations(
    granularity: number,
    domainId: number,
    address: number,
    addressMask: number,
    leavesOnly: boolean,
  ): boolean {
    if (this.#trace.on)
      this.#trace.emit(T.IOMMU_INVALIDATE, DESCRIPTOR_TYPE.IOTLB, domainId, address, addressMask);
    if (granularity === GRANULARITY.GLOBAL) this.#iotlb.dropAll();
    else if (granularity === GRANULARITY.DOMAIN) this.#iotlb.dropDomain(domainId);
    else if (granularity === GRANULARITY.SELECTIVE) {
      if (addressMask > this.#addressMaskMax) return false;
      const pages = 2 ** addressMask;
      const first = Math.floor(address / (PAGE_SIZE * pages)) * pages;
      this.#iotlb.dropPages(domainId, first, pages, leavesOnly);
    }
    return granularity !== 0;
  }

  /** Carries out a context command. Returns the register's upper word: ICC clear, CAIG what was done. */
  contextCommand(low: number, high: number): number {
    const granularity = CCMD_HIGH.CIRG.get(high);
    const done = this.contexts(granularity, CCMD.DID.get(low), CCMD.SID.get(low), CCMD_HIGH.FM.get(high));
    return CCMD_HIGH.ICC.set(CCMD_HIGH.CAIG.set(high, done ? granularity : NOTHING_DONE), 0);
  }

  /** Carries out an IOTLB command. Returns the register's upper word: IVT clear, IAIG what was done. */
  iotlbCommand(addressLow: number, addressHigh: number, high: number): number {
    const granularity = IOTLB_HIGH.IIRG.get(high);
    const address = u64(addressLow & IVA.ADDR.mask, addressHigh);
    const domainId = IOTLB_HIGH.DID.get(high);
    const leavesOnly = IVA.IH.get(addressLow) === 1;
    const done = this.translations(granularity, domainId, address, IVA.AM.get(addressLow), leavesOnly);
    return IOTLB_HIGH.IVT.set(IOTLB_HIGH.IAIG.set(high, done ? granularity : NOTHING_DONE), 0);
  }
}

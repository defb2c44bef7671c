/**
 * What the root complex asks before a device's request touches memory; `iommu/` implements it.
 * The translator decides and records faults in its own registers; the root complex only obeys.
 */

/** The request may not proceed: the translator has recorded why. */
export const BLOCKED = -1;
/** The address lies in the interrupt window 0xFEE0_0000-0xFEEF_FFFF: an interrupt request, never translated. */
export const INTERRUPT_WINDOW = -2;

export interface Translator {
  /**
   * The physical 4 KiB frame for one request that stays inside a page.
   * @param requester bus << 8 | device << 3 | function
   * @param low the byte address as a TLP has it, in two words, signed or not
   * @returns a frame number (physical address / 4096, below 2^31), BLOCKED or INTERRUPT_WINDOW
   */
  frame(requester: number, low: number, high: number, isWrite: boolean): number;
  /**
   * How many of the `limit` pages from a page's address on are known to have `frame` and the frames behind it, up to the
   * first that would need a walk or is elsewhere. Changes nothing; 0 is always right.
   */
  known(requester: number, low: number, high: number, isWrite: boolean, frame: number, limit: number): number;
  /** Nanoseconds a translation begun now would take: an IOTLB hit or a page walk. Changes nothing. */
  cost_ns(requester: number, iova: number): number;
  /** Remaps an MSI write and hands it to the interrupt controller. False when it was blocked (and recorded). */
  interrupt(requester: number, address: number, data: number): boolean;
}

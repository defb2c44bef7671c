/**
 * Fault reasons of legacy mode and of interrupt remapping, with the sentences that Linux prints for them
 * (VT-d 4.1 §7.1.3; drivers/iommu/intel/dmar.c). Scalable-mode reasons 0x30-0x90 join when that mode does.
 */

/** No fault: what a walk returns when it found a page. */
export const NO_FAULT = 0;

export const FAULT = {
  ROOT_NOT_PRESENT: 0x01,
  CONTEXT_NOT_PRESENT: 0x02,
  CONTEXT_INVALID: 0x03,
  ADDRESS_BEYOND_WIDTH: 0x04,
  NO_WRITE_PERMISSION: 0x05,
  NO_READ_PERMISSION: 0x06,
  TABLE_POINTER_INVALID: 0x07,
  ROOT_TABLE_INVALID: 0x08,
  CONTEXT_TABLE_INVALID: 0x09,
  ROOT_RESERVED: 0x0a,
  CONTEXT_RESERVED: 0x0b,
  PAGE_ENTRY_RESERVED: 0x0c,
  TRANSLATION_REQUEST_BLOCKED: 0x0d,
  OUTPUT_IN_INTERRUPT_RANGE: 0x0e,
  INTERRUPT_REQUEST_RESERVED: 0x20,
  INTERRUPT_INDEX_TOO_LARGE: 0x21,
  INTERRUPT_ENTRY_NOT_PRESENT: 0x22,
  INTERRUPT_TABLE_INVALID: 0x23,
  INTERRUPT_ENTRY_RESERVED: 0x24,
  INTERRUPT_COMPATIBILITY_BLOCKED: 0x25,
  INTERRUPT_SOURCE_REJECTED: 0x26,
  ROOT_MODE_INVALID: 0x30,
} as const;

/** Reasons that a set FPD bit in the context entry does not silence: they come before the entry was read. */
const UNQUALIFIED: ReadonlySet<number> = new Set([
  FAULT.ROOT_NOT_PRESENT,
  FAULT.ROOT_TABLE_INVALID,
  FAULT.CONTEXT_TABLE_INVALID,
  FAULT.ROOT_RESERVED,
  FAULT.ROOT_MODE_INVALID,
]);
/** True when fault processing disable (FPD) in the entry of the requester silences this reason. */
export const isQualified = (reason: number): boolean => !UNQUALIFIED.has(reason);

/** First reason of interrupt remapping. */
const FIRST_INTERRUPT_REASON = 0x20;

const DMA_SENTENCES = [
  'Software',
  'Present bit in root entry is clear',
  'Present bit in context entry is clear',
  'Invalid context entry',
  'Access beyond MGAW',
  'PTE Write access is not set',
  'PTE Read access is not set',
  'Next page table ptr is invalid',
  'Root table address invalid',
  'Context table ptr is invalid',
  'non-zero reserved fields in RTP',
  'non-zero reserved fields in CTP',
  'non-zero reserved fields in PTE',
  'PCE for translation request specifies blocking',
] as const;

const INTERRUPT_SENTENCES = [
  'Detected reserved fields in the decoded interrupt-remapped request',
  'Interrupt index exceeded the interrupt-remapping table size',
  'Present field in the IRTE entry is clear',
  'Error accessing interrupt-remapping table pointed by IRTA_REG',
  'Detected reserved fields in the IRTE entry',
  'Blocked a compatibility format interrupt request',
  'Blocked an interrupt request due to source-id verification failure',
] as const;

/** True when Linux reports the reason in its `[INTR-REMAP]` form; reasons it does not know take the DMA form. */
export const isInterruptFault = (reason: number): boolean =>
  reason >= FIRST_INTERRUPT_REASON && reason < FIRST_INTERRUPT_REASON + INTERRUPT_SENTENCES.length;

/** The sentence Linux prints for a reason; `Unknown` for those it has none for, such as 0x0e. */
export function faultSentence(reason: number): string {
  if (reason === FAULT.ROOT_MODE_INVALID) return 'SM: Invalid Root Table Address';
  return DMA_SENTENCES[reason] ?? INTERRUPT_SENTENCES[reason - FIRST_INTERRUPT_REASON] ?? 'Unknown';
}

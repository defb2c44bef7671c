/**
 * What a remapping unit reads from memory in legacy mode: root, context and second-stage entries (VT-d 4.1 §9.1, §9.3,
 * §9.8), invalidation descriptors (§6.5.2) and interrupt remapping entries (§9.10). Words are little endian.
 * Scalable-mode entries (256-bit context, PASID directory and table) get files of their own when they come.
 */
import { bits } from '../../support/bits.ts';

export const ROOT_ENTRY_BYTES = 16;
export const CONTEXT_ENTRY_BYTES = 16;
export const PAGE_ENTRY_BYTES = 8;
/** Entries of one second-stage table. */
export const TABLE_ENTRIES = 512;

/** Root entry, word 0; words 2 and 3 are reserved. */
export const ROOT = bits({ P: 0, RESERVED: [11, 1], CTP: [31, 12] });

/** Context entry, word 0. */
export const CONTEXT = bits({ P: 0, FPD: 1, TT: [3, 2], RESERVED: [11, 4], SSPTPTR: [31, 12] });
/** Context entry, word 2. */
export const CONTEXT_DOMAIN = bits({
  AW: [2, 0],
  AVAILABLE: [6, 3],
  RESERVED: 7,
  DID: [23, 8],
  RESERVED_HIGH: [31, 24],
});
/** Context entry TT: how untranslated requests are treated. */
export const TRANSLATION_TYPE = { SECOND_STAGE: 0, WITH_DEVICE_TLB: 1, PASS_THROUGH: 2 } as const;
/** Levels of a walk by AW code: 1 is three levels and 39 bits, 2 is four and 48, 3 is five and 57. */
export const levelsOfWidth = (code: number): number => code + 2;
/** Input address bits of a walk with so many levels. */
export const bitsOfLevels = (levels: number): number => 12 + 9 * levels;

/** Second-stage entry, word 0. R and W are ANDed over the levels; both clear means not present. */
export const PTE = bits({
  R: 0,
  W: 1,
  X: 2,
  EMT: [5, 3],
  IPAT: 6,
  PS: 7,
  A: 8,
  D: 9,
  SNP: 11,
  ADDR: [31, 12],
});
/** Bits 51:32 of an address in word 1. */
export const ADDRESS_HIGH_MASK = 0xf_ffff;
/** Bit 62, reserved in every second-stage entry. */
export const PTE_HIGH_RESERVED = 0x4000_0000;
/** Bytes that one leaf covers, by level; 0 where no leaf can be. */
export const LEAF_BYTES = [0, 0x1000, 0x20_0000, 0x4000_0000, 0, 0] as const;

export const DESCRIPTOR_BYTES = 16;
/** Descriptor types of the 128-bit queue (§6.5.2). */
export const DESCRIPTOR_TYPE = { CONTEXT: 1, IOTLB: 2, DEVICE_TLB: 3, INTERRUPT: 4, WAIT: 5 } as const;
/** Word 0 that every descriptor shares; the type has seven bits in two pieces. */
export const DESCRIPTOR = bits({ TYPE: [3, 0], TYPE_HIGH: [11, 9] });
/** Context-cache descriptor, words 0 and 1. */
export const CONTEXT_INVALIDATE = bits({ TYPE: [3, 0], G: [5, 4], DID: [31, 16] });
export const CONTEXT_INVALIDATE_SOURCE = bits({ SID: [15, 0], FM: [17, 16] });
/** IOTLB descriptor, words 0 and 2; word 3 is the upper half of the address. */
export const IOTLB_INVALIDATE = bits({ TYPE: [3, 0], G: [5, 4], DW: 6, DR: 7, DID: [31, 16] });
export const IOTLB_INVALIDATE_ADDRESS = bits({ AM: [5, 0], IH: 6, ADDR: [31, 12] });
/** Interrupt-entry-cache descriptor, words 0 and 1. */
export const INTERRUPT_INVALIDATE = bits({ TYPE: [3, 0], G: 4, IM: [31, 27] });
export const INTERRUPT_INVALIDATE_INDEX = bits({ IIDX: [15, 0] });
/** Wait descriptor, word 0; word 1 is the status data, words 2 and 3 its address. */
export const INVALIDATION_WAIT = bits({ TYPE: [3, 0], IF: 4, SW: 5, FN: 6, PD: 7 });

/** Reserved bits of each 128-bit descriptor, one mask per word. A type that is not listed is invalid. */
export const DESCRIPTOR_RESERVED: Readonly<Record<number, readonly [number, number, number, number]>> = {
  [DESCRIPTOR_TYPE.CONTEXT]: [0x0000_f1c0, 0xfffc_0000, 0xffff_ffff, 0xffff_ffff],
  [DESCRIPTOR_TYPE.IOTLB]: [0x0000_f100, 0xffff_ffff, 0x0000_0f80, 0],
  [DESCRIPTOR_TYPE.INTERRUPT]: [0x07ff_f1e0, 0xffff_0000, 0xffff_ffff, 0xffff_ffff],
  [DESCRIPTOR_TYPE.WAIT]: [0xffff_f180, 0, 0x0000_0003, 0],
};

export const INTERRUPT_ENTRY_BYTES = 16;
/** Address of an interrupt request in remappable format (§5.1.2.2): FORMAT is 1. */
export const INTERRUPT_ADDRESS = bits({ HANDLE_HIGH: 2, SHV: 3, FORMAT: 4, HANDLE: [19, 5], BASE: [31, 20] });
/** Data of an interrupt request with SHV set. */
export const INTERRUPT_DATA = bits({ SUBHANDLE: [15, 0], RESERVED: [31, 16] });
/** Interrupt remapping table entry, word 0 (§9.10). */
export const IRTE = bits({
  P: 0,
  FPD: 1,
  DM: 2,
  RH: 3,
  TM: 4,
  DLM: [7, 5],
  AVAILABLE: [11, 8],
  RESERVED: [14, 12],
  IM: 15,
  V: [23, 16],
  RESERVED_HIGH: [31, 24],
});
/** Interrupt remapping table entry, word 1 without extended interrupt mode: an 8-bit APIC id. */
export const IRTE_DESTINATION = bits({ RESERVED: [7, 0], DST: [15, 8], RESERVED_HIGH: [31, 16] });
/** Interrupt remapping table entry, word 2: who may use the entry; word 3 is reserved. */
export const IRTE_SOURCE = bits({ SID: [15, 0], SQ: [17, 16], SVT: [19, 18], RESERVED: [31, 20] });
/** IRTE SVT: how the requester is checked. */
export const SOURCE_CHECK = { NONE: 0, REQUESTER: 1, BUS_RANGE: 2 } as const;

/**
 * Registers of a VT-d remapping unit: offsets and bit fields. Intel VT-d specification 4.1, §11.4.
 * A 64-bit register is two words; `_HIGH` names the fields of the upper one.
 * Not here: structures in memory (structures.ts), fault reasons (faults.ts).
 */
import { bits } from '../../support/bits.ts';

/** Offsets in bytes from the unit's base. The IOTLB and fault record registers are placed by ECAP.IRO and CAP.FRO. */
export const REG = {
  VER: 0x00,
  CAP: 0x08,
  ECAP: 0x10,
  GCMD: 0x18,
  GSTS: 0x1c,
  RTADDR: 0x20,
  CCMD: 0x28,
  FSTS: 0x34,
  FECTL: 0x38,
  FEDATA: 0x3c,
  FEADDR: 0x40,
  FEUADDR: 0x44,
  IQH: 0x80,
  IQT: 0x88,
  IQA: 0x90,
  ICS: 0x9c,
  IECTL: 0xa0,
  IEDATA: 0xa4,
  IEADDR: 0xa8,
  IEUADDR: 0xac,
  IQERCD: 0xb0,
  IRTA: 0xb8,
} as const;

/** Architecture version 1.0. */
export const VERSION = 0x10;

/** Capability, lower word (§11.4.2). */
export const CAP = bits({
  ND: [2, 0],
  AFL: 3,
  RWBF: 4,
  PLMR: 5,
  PHMR: 6,
  CM: 7,
  SAGAW: [12, 8],
  MGAW: [21, 16],
  ZLR: 22,
  FRO_LOW: [31, 24],
});
/** Capability, upper word. FRO_HIGH are bits 9:8 of the fault record offset. */
export const CAP_HIGH = bits({
  FRO_HIGH: [1, 0],
  SSLPS: [5, 2],
  PSI: 7,
  NFR: [15, 8],
  MAMV: [21, 16],
  DWD: 22,
  DRD: 23,
  ESIRTPS: 30,
  ESRTPS: 31,
});
/** Extended capability, lower word (§11.4.3). */
export const ECAP = bits({ C: 0, QI: 1, DT: 2, IR: 3, EIM: 4, PT: 6, SC: 7, IRO: [17, 8], MHMV: [23, 20] });
/** Extended capability, upper word. */
export const ECAP_HIGH = bits({ PSS: [7, 3], PASID: 8, SMTS: 11 });

/** Global command (§11.4.4.1). Reads as zero; GSTS answers. */
export const GCMD = bits({
  CFI: 23,
  SIRTP: 24,
  IRE: 25,
  QIE: 26,
  WBF: 27,
  EAFL: 28,
  SFL: 29,
  SRTP: 30,
  TE: 31,
});
/** Global status (§11.4.4.2): the same bit for the same function. */
export const GSTS = bits({
  CFIS: 23,
  IRTPS: 24,
  IRES: 25,
  QIES: 26,
  WBFS: 27,
  AFLS: 28,
  FLS: 29,
  RTPS: 30,
  TES: 31,
});

/** Root table address, lower word: translation table mode (§11.4.5). */
export const RTADDR = bits({ TTM: [11, 10], BASE: [31, 12] });

/** Context command, lower word (§11.4.6.1). */
export const CCMD = bits({ DID: [15, 0], SID: [31, 16] });
/** Context command, upper word. */
export const CCMD_HIGH = bits({ FM: [1, 0], CAIG: [28, 27], CIRG: [30, 29], ICC: 31 });
/** Invalidate address, lower word, at ECAP.IRO (§11.4.6.3). */
export const IVA = bits({ AM: [5, 0], IH: 6, ADDR: [31, 12] });
/** IOTLB invalidate, upper word, at ECAP.IRO + 8 (§11.4.6.2). */
export const IOTLB_HIGH = bits({ DID: [15, 0], DW: 16, DR: 17, IAIG: [26, 25], IIRG: [29, 28], IVT: 31 });

/** Fault status (§11.4.7.1). PPF and FRI are read only, the others are cleared by writing 1. */
export const FSTS = bits({ PFO: 0, PPF: 1, AFO: 2, APF: 3, IQE: 4, ICE: 5, ITE: 6, PRO: 7, FRI: [15, 8] });
/** Event control of FECTL and IECTL (§11.4.7.2): mask and pending. */
export const EVENT_CONTROL = bits({ IP: 30, IM: 31 });
/** Invalidation completion status (§11.4.9.5). */
export const ICS = bits({ IWC: 0 });
/** Invalidation queue address, lower word (§11.4.9.4): size 2^QS pages, descriptor width. */
export const IQA = bits({ QS: [2, 0], DW: 11, BASE: [31, 12] });
/** Invalidation queue error record, lower word (§11.4.9.9). */
export const IQERCD = bits({ IQEI: [3, 0] });
/** Interrupt remapping table address, lower word (§11.4.10): 2^(S+1) entries. */
export const IRTA = bits({ S: [3, 0], EIME: 11, BASE: [31, 12] });

/** Bytes of one fault recording register. */
export const FAULT_RECORD_BYTES = 16;
/** Fault recording register (§11.4.7.6): word 0 and 1 are the fault address. */
export const FRCD_SOURCE = bits({ SID: [15, 0], T2: 28, PRIV: 29, EXE: 30, PP: 31 });
/** Fault recording register, word 3; T1 is 1 for a read, F is cleared by writing 1. */
export const FRCD_REASON = bits({ FR: [7, 0], PV: [27, 8], AT: [29, 28], T1: 30, F: 31 });

/** Why the invalidation queue stopped: IQERCD.IQEI (§11.4.9.9). */
export const QUEUE_ERROR = {
  INVALID_TAIL: 1,
  FETCH: 2,
  INVALID_TYPE: 3,
  RESERVED_FIELD: 4,
  INVALID_WIDTH: 5,
  TAIL_MISALIGNED: 6,
  INVALID_TTM: 7,
} as const;

/** Granularity of register-based and context-cache and IOTLB descriptors (§6.5.1, §6.5.2). */
export const GRANULARITY = { GLOBAL: 1, DOMAIN: 2, SELECTIVE: 3 } as const;

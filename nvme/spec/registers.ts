/**
 * Controller properties in BAR0: offsets, bit fields and the values that are written to them.
 * NVMe Base 2.1 §3.1.4; doorbells NVMe over PCIe Transport 1.1 §3.1.2.
 * A 64-bit property is two words: `X` is the low one, `X_HI` the high one, whose bits count from 0 again.
 * Not here: reset values and access rules (the controller owns them), PCI configuration space (machine/pcie).
 */
import { bits } from '../../support/bits.ts';

/** Byte offsets from the start of BAR0. Base 2.1 §3.1.4. */
export const REG = {
  CAP: 0x00,
  CAP_HI: 0x04,
  VS: 0x08,
  INTMS: 0x0c,
  INTMC: 0x10,
  CC: 0x14,
  CSTS: 0x1c,
  NSSR: 0x20,
  AQA: 0x24,
  ASQ: 0x28,
  ASQ_HI: 0x2c,
  ACQ: 0x30,
  ACQ_HI: 0x34,
  CMBLOC: 0x38,
  CMBSZ: 0x3c,
  BPINFO: 0x40,
  BPRSEL: 0x44,
  BPMBL: 0x48,
  BPMBL_HI: 0x4c,
  CMBMSC: 0x50,
  CMBMSC_HI: 0x54,
  CMBSTS: 0x58,
  CMBEBS: 0x5c,
  CMBSWTP: 0x60,
  NSSD: 0x64,
  CRTO: 0x68,
  PMRCAP: 0xe00,
  PMRCTL: 0xe04,
  PMRSTS: 0xe08,
  PMREBS: 0xe0c,
  PMRSWTP: 0xe10,
  PMRMSCL: 0xe14,
  PMRMSCU: 0xe18,
} as const;

/** First doorbell: the admin submission queue's tail. PCIe Transport 1.1 §3.1.2. */
export const DOORBELL_BASE = 0x1000;

/** Offset of submission queue `qid`'s tail doorbell; `dstrd` is CAP.DSTRD. PCIe Transport 1.1 §3.1.2.1. */
export const sqTailDoorbell = (qid: number, dstrd: number): number => DOORBELL_BASE + 2 * qid * (4 << dstrd);
/** Offset of completion queue `qid`'s head doorbell; `dstrd` is CAP.DSTRD. PCIe Transport 1.1 §3.1.2.2. */
export const cqHeadDoorbell = (qid: number, dstrd: number): number =>
  DOORBELL_BASE + (2 * qid + 1) * (4 << dstrd);

/** CAP, bits 31:0. MQES is 0's based, TO counts 500 ms. §3.1.4.1 */
export const CAP_LO = bits({ MQES: [15, 0], CQR: 16, AMS: [18, 17], TO: [31, 24] });
/** CAP, bits 63:32. Pages are 2^(12 + MPSMIN..MPSMAX) bytes, doorbells 4 << DSTRD bytes apart. §3.1.4.1 */
export const CAP_HI = bits({
  DSTRD: [3, 0],
  NSSRS: 4,
  CSS: [12, 5],
  BPS: 13,
  CPS: [15, 14],
  MPSMIN: [19, 16],
  MPSMAX: [23, 20],
  PMRS: 24,
  CMBS: 25,
  NSSS: 26,
  CRMS: [28, 27],
  NSSES: 29,
});
/** Bits inside CAP.AMS; round robin is always there and has no bit. §3.1.4.1 */
export const CAP_AMS = { WEIGHTED_ROUND_ROBIN: 0x1, VENDOR: 0x2 } as const;
/** Bits inside CAP.CSS: the NVM set, the sets of a profile (CC.CSS 110b), admin only (111b). §3.1.4.1 */
export const CAP_CSS = { NVM: 0x01, IO_COMMAND_SETS: 0x40, ADMIN_ONLY: 0x80 } as const;
/** Bits inside CAP.CRMS. §3.1.4.1 */
export const CAP_CRMS = { READY_WITH_MEDIA: 0x1, READY_INDEPENDENT_OF_MEDIA: 0x2 } as const;

/** Version. §3.1.4.2 */
export const VS = bits({ MJR: [31, 16], MNR: [15, 8], TER: [7, 0] });
/** Values of VS that controllers report. §3.1.4.2 */
export const VERSION = { V1_3: 0x1_0300, V1_4: 0x1_0400, V2_0: 0x2_0000, V2_1: 0x2_0100 } as const;

/**
 * Controller Configuration. Entry sizes are log2; CSS, MPS, AMS, CRIME change only while EN is 0. §3.1.4.5
 */
export const CC = bits({
  EN: 0,
  CSS: [6, 4],
  MPS: [10, 7],
  AMS: [13, 11],
  SHN: [15, 14],
  IOSQES: [19, 16],
  IOCQES: [23, 20],
  CRIME: 24,
});
/** Values of CC.CSS. §3.1.4.5 */
export const CSS = { NVM: 0, ALL: 6, ADMIN_ONLY: 7 } as const;
/** Values of CC.AMS. §3.1.4.5 */
export const AMS = { ROUND_ROBIN: 0, WEIGHTED_ROUND_ROBIN: 1, VENDOR: 7 } as const;
/** Values of CC.SHN, the shutdown the host asks for. §3.1.4.5 */
export const SHN = { NONE: 0, NORMAL: 1, ABRUPT: 2 } as const;

/** Controller Status. NSSRO is cleared by writing 1 to it. §3.1.4.6 */
export const CSTS = bits({ RDY: 0, CFS: 1, SHST: [3, 2], NSSRO: 4, PP: 5, ST: 6 });
/** Values of CSTS.SHST. §3.1.4.6 */
export const SHST = { NORMAL: 0, IN_PROGRESS: 1, COMPLETE: 2 } as const;

/** "NVMe": writing it to NSSR resets the subsystem, any other value does nothing. §3.1.4.7 */
export const NSSR_MAGIC = 0x4e56_4d65;
/** "Nrml" and "Abpt": writing one to NSSD shuts the subsystem down. §3.1.4.20 */
export const NSSD_MAGIC = { NORMAL: 0x4e72_6d6c, ABRUPT: 0x4162_7074 } as const;

/** Admin Queue Attributes; both sizes are 0's based. §3.1.4.8 */
export const AQA = bits({ ASQS: [11, 0], ACQS: [27, 16] });
/** Fewest and most entries of an admin queue. §3.1.4.8 */
export const ADMIN_QUEUE_ENTRIES = { MIN: 2, MAX: 4096 } as const;

/** Controller Memory Buffer Location. §3.1.4.11 */
export const CMBLOC = bits({
  BIR: [2, 0],
  CQMMS: 3,
  CQPDS: 4,
  CDPMLS: 5,
  CDPCILS: 6,
  CDMMMS: 7,
  CQDA: 8,
  OFST: [31, 12],
});
/** Controller Memory Buffer Size; the unit of SZ is 4 KiB << (4 * SZU). §3.1.4.12 */
export const CMBSZ = bits({ SQS: 0, CQS: 1, LISTS: 2, RDS: 3, WDS: 4, SZU: [11, 8], SZ: [31, 12] });
/** Controller Memory Buffer Memory Space Control, low word; CBA continues in the high word. §3.1.4.16 */
export const CMBMSC = bits({ CRE: 0, CMSE: 1, CBA: [31, 12] });
/** Controller Memory Buffer Status. §3.1.4.17 */
export const CMBSTS = bits({ CBAI: 0 });
/** Controller Memory Buffer Elasticity Buffer Size. §3.1.4.18 */
export const CMBEBS = bits({ CMBSZU: [3, 0], CMBRBB: 4, CMBWBZ: [31, 8] });
/** Controller Memory Buffer Sustained Write Throughput. §3.1.4.19 */
export const CMBSWTP = bits({ CMBSWTU: [3, 0], CMBSWTV: [31, 8] });

/** Boot Partition Information; BPSZ counts 128 KiB. §3.1.4.13 */
export const BPINFO = bits({ BPSZ: [14, 0], BRS: [25, 24], ABPID: 31 });
/** Values of BPINFO.BRS. §3.1.4.13 */
export const BRS = { NONE: 0, IN_PROGRESS: 1, COMPLETE: 2, ERROR: 3 } as const;
/** Boot Partition Read Select; size and offset count 4 KiB, and the write starts the read. §3.1.4.14 */
export const BPRSEL = bits({ BPRSZ: [9, 0], BPROF: [29, 10], BPID: 31 });

/** Controller Ready Timeouts, both in 500 ms. §3.1.4.21 */
export const CRTO = bits({ CRWMT: [15, 0], CRIMT: [31, 16] });

/** Persistent Memory Region Capabilities. §3.1.4.22 */
export const PMRCAP = bits({
  RDS: 3,
  WDS: 4,
  BIR: [7, 5],
  PMRTU: [9, 8],
  PMRWBM: [13, 10],
  PMRTO: [23, 16],
  CMSS: 24,
});
/** Persistent Memory Region Control. §3.1.4.23 */
export const PMRCTL = bits({ EN: 0 });
/** Persistent Memory Region Status. §3.1.4.24 */
export const PMRSTS = bits({ ERR: [7, 0], NRDY: 8, HSTS: [11, 9], CBAI: 12 });
/** Persistent Memory Region Elasticity Buffer Size. §3.1.4.25 */
export const PMREBS = bits({ PMRSZU: [3, 0], PMRRBB: 4, PMRWBZ: [31, 8] });
/** Persistent Memory Region Sustained Write Throughput. §3.1.4.26 */
export const PMRSWTP = bits({ PMRSWTU: [3, 0], PMRSWTV: [31, 8] });
/** Persistent Memory Region Memory Space Control Lower. §3.1.4.27 */
export const PMRMSCL = bits({ CMSE: 1, CBA: [31, 12] });

/**
 * Commands: opcodes and their names, the submission and completion queue entry, SGL descriptors, and the bit
 * fields of CDW10 to CDW15. NVMe Base 2.1 §4, §5, §7; NVM Command Set 1.1 §3.3.
 * Not here: status codes (status.ts), feature dwords (features.ts), dwords of zones, data of reservations.
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';
import { hex } from '../../support/numbers.ts';

// biome-ignore format: rows as dense as the specification's table
/** Opcodes of the admin queue. Base 2.1 §5. */
export const ADMIN = {
  DELETE_SQ: 0x00, CREATE_SQ: 0x01, GET_LOG_PAGE: 0x02, DELETE_CQ: 0x04, CREATE_CQ: 0x05, IDENTIFY: 0x06,
  ABORT: 0x08, SET_FEATURES: 0x09, GET_FEATURES: 0x0a, ASYNC_EVENT_REQUEST: 0x0c, NAMESPACE_MANAGEMENT: 0x0d,
  FIRMWARE_COMMIT: 0x10, FIRMWARE_DOWNLOAD: 0x11, DEVICE_SELF_TEST: 0x14, NAMESPACE_ATTACHMENT: 0x15,
  KEEP_ALIVE: 0x18, DIRECTIVE_SEND: 0x19, DIRECTIVE_RECEIVE: 0x1a, VIRTUALIZATION_MANAGEMENT: 0x1c,
  MI_SEND: 0x1d, MI_RECEIVE: 0x1e, CAPACITY_MANAGEMENT: 0x20, LOCKDOWN: 0x24,
  DOORBELL_BUFFER_CONFIG: 0x7c, FABRICS: 0x7f, FORMAT_NVM: 0x80, SECURITY_SEND: 0x81, SECURITY_RECEIVE: 0x82,
  SANITIZE: 0x84, GET_LBA_STATUS: 0x86,
} as const;

// biome-ignore format: as above
/** Opcodes of I/O queues. NVM Command Set 1.1 §3.3; common ones Base 2.1 §7; zones ZNS 1.2 §3.4. */
export const NVM = {
  FLUSH: 0x00, WRITE: 0x01, READ: 0x02, WRITE_UNCORRECTABLE: 0x04, COMPARE: 0x05, WRITE_ZEROES: 0x08,
  DATASET_MANAGEMENT: 0x09, VERIFY: 0x0c, RESERVATION_REGISTER: 0x0d, RESERVATION_REPORT: 0x0e,
  RESERVATION_ACQUIRE: 0x11, IO_MANAGEMENT_RECEIVE: 0x12, RESERVATION_RELEASE: 0x15, CANCEL: 0x18, COPY: 0x19,
  IO_MANAGEMENT_SEND: 0x1d, ZONE_MANAGEMENT_SEND: 0x79, ZONE_MANAGEMENT_RECEIVE: 0x7a, ZONE_APPEND: 0x7d,
} as const;

const ADMIN_NAMES: Readonly<Record<number, string>> = {
  [ADMIN.DELETE_SQ]: 'Delete I/O Submission Queue',
  [ADMIN.CREATE_SQ]: 'Create I/O Submission Queue',
  [ADMIN.GET_LOG_PAGE]: 'Get Log Page',
  [ADMIN.DELETE_CQ]: 'Delete I/O Completion Queue',
  [ADMIN.CREATE_CQ]: 'Create I/O Completion Queue',
  [ADMIN.IDENTIFY]: 'Identify',
  [ADMIN.ABORT]: 'Abort',
  [ADMIN.SET_FEATURES]: 'Set Features',
  [ADMIN.GET_FEATURES]: 'Get Features',
  [ADMIN.ASYNC_EVENT_REQUEST]: 'Asynchronous Event Request',
  [ADMIN.NAMESPACE_MANAGEMENT]: 'Namespace Management',
  [ADMIN.FIRMWARE_COMMIT]: 'Firmware Commit',
  [ADMIN.FIRMWARE_DOWNLOAD]: 'Firmware Image Download',
  [ADMIN.DEVICE_SELF_TEST]: 'Device Self-test',
  [ADMIN.NAMESPACE_ATTACHMENT]: 'Namespace Attachment',
  [ADMIN.KEEP_ALIVE]: 'Keep Alive',
  [ADMIN.DIRECTIVE_SEND]: 'Directive Send',
  [ADMIN.DIRECTIVE_RECEIVE]: 'Directive Receive',
  [ADMIN.VIRTUALIZATION_MANAGEMENT]: 'Virtualization Management',
  [ADMIN.MI_SEND]: 'NVMe-MI Send',
  [ADMIN.MI_RECEIVE]: 'NVMe-MI Receive',
  [ADMIN.CAPACITY_MANAGEMENT]: 'Capacity Management',
  [ADMIN.LOCKDOWN]: 'Lockdown',
  [ADMIN.DOORBELL_BUFFER_CONFIG]: 'Doorbell Buffer Config',
  [ADMIN.FABRICS]: 'Fabrics',
  [ADMIN.FORMAT_NVM]: 'Format NVM',
  [ADMIN.SECURITY_SEND]: 'Security Send',
  [ADMIN.SECURITY_RECEIVE]: 'Security Receive',
  [ADMIN.SANITIZE]: 'Sanitize',
  [ADMIN.GET_LBA_STATUS]: 'Get LBA Status',
};

const NVM_NAMES: Readonly<Record<number, string>> = {
  [NVM.FLUSH]: 'Flush',
  [NVM.WRITE]: 'Write',
  [NVM.READ]: 'Read',
  [NVM.WRITE_UNCORRECTABLE]: 'Write Uncorrectable',
  [NVM.COMPARE]: 'Compare',
  [NVM.WRITE_ZEROES]: 'Write Zeroes',
  [NVM.DATASET_MANAGEMENT]: 'Dataset Management',
  [NVM.VERIFY]: 'Verify',
  [NVM.RESERVATION_REGISTER]: 'Reservation Register',
  [NVM.RESERVATION_REPORT]: 'Reservation Report',
  [NVM.RESERVATION_ACQUIRE]: 'Reservation Acquire',
  [NVM.IO_MANAGEMENT_RECEIVE]: 'I/O Management Receive',
  [NVM.RESERVATION_RELEASE]: 'Reservation Release',
  [NVM.CANCEL]: 'Cancel',
  [NVM.COPY]: 'Copy',
  [NVM.IO_MANAGEMENT_SEND]: 'I/O Management Send',
  [NVM.ZONE_MANAGEMENT_SEND]: 'Zone Management Send',
  [NVM.ZONE_MANAGEMENT_RECEIVE]: 'Zone Management Receive',
  [NVM.ZONE_APPEND]: 'Zone Append',
};

/** The specification's name of a command, else `Vendor Specific 0xc1` or `Reserved 0x0b`. */
export function opcodeName(isAdmin: boolean, opcode: number): string {
  const name = (isAdmin ? ADMIN_NAMES : NVM_NAMES)[opcode];
  if (name !== undefined) return name;
  const firstOfVendor = isAdmin ? 0xc0 : 0x80;
  return `${opcode >= firstOfVendor ? 'Vendor Specific' : 'Reserved'} ${hex(opcode, 2)}`;
}

/** Which way a command moves data, from bits 1:0 of its opcode. Base 2.1 §4.1.1. */
export const DIRECTION = { NONE: 0, HOST_TO_CONTROLLER: 1, CONTROLLER_TO_HOST: 2, BOTH: 3 } as const;
/** NSID that means all namespaces. Base 2.1 §3.2.1.2. */
export const NSID_BROADCAST = 0xffff_ffff;
/** CID that means "no command" in the error log, so hosts should not use it. Base 2.1 §4.1.1. */
export const CID_NONE = 0xffff;

// biome-ignore format: the dwords of the entry, a row each
/** Submission queue entry; the word at `OPC` is CDW0. Base 2.1 §4.1.1. */
export const SQE = layout({
  OPC: 'u8', FLAGS: 'u8', CID: 'u16',
  NSID: 'u32',
  CDW2: 'u32', CDW3: 'u32',
  MPTR: 'u64',
  PRP1: 'u64', PRP2: 'u64',
  CDW10: 'u32', CDW11: 'u32', CDW12: 'u32', CDW13: 'u32', CDW14: 'u32', CDW15: 'u32',
}, 64);
/** log2 of the entry's size, for CC.IOSQES. */
export const SQES = 6;
/** SGL1 takes the place of PRP1 and PRP2. */
export const SQE_SGL1 = SQE.PRP1;

/** CDW0 of every command. Base 2.1 §4.1.1. */
export const CDW0 = bits({ OPC: [7, 0], FUSE: [9, 8], PSDT: [15, 14], CID: [31, 16] });
/** Values of CDW0.FUSE. */
export const FUSE = { NONE: 0, FIRST: 1, SECOND: 2 } as const;
/** Values of CDW0.PSDT: how DPTR and MPTR point. */
export const PSDT = { PRP: 0, SGL: 1, SGL_METADATA_SGL: 2 } as const;

/** Completion queue entry; the bits of STATUS are `CQE_STATUS` in status.ts. Base 2.1 §4.2.1. */
export const CQE = layout(
  { DW0: 'u32', DW1: 'u32', SQHD: 'u16', SQID: 'u16', CID: 'u16', STATUS: 'u16' },
  16,
);
/** log2 of the entry's size, for CC.IOCQES. */
export const CQES = 4;

/** SGL descriptor; ID holds type and subtype. Base 2.1 §4.3.2. */
export const SGL_DESCRIPTOR = layout({ ADDRESS: 'u64', LENGTH: 'u32', RSV12: 3, ID: 'u8' }, 16);
export const SGL_ID = bits({ TYPE: [7, 4], SUBTYPE: [3, 0] });
/** Values of SGL_ID.TYPE; a keyed data block shares length and key in the bytes of LENGTH and RSV12. */
export const SGL_TYPE = {
  DATA_BLOCK: 0x0,
  BIT_BUCKET: 0x1,
  SEGMENT: 0x2,
  LAST_SEGMENT: 0x3,
  KEYED_DATA_BLOCK: 0x4,
  TRANSPORT_DATA_BLOCK: 0x5,
  VENDOR: 0xf,
} as const;
/** Values of SGL_ID.SUBTYPE. */
export const SGL_SUBTYPE = { ADDRESS: 0x0, OFFSET: 0x1, TRANSPORT: 0xa } as const;

/** Create and Delete of I/O queues; QSIZE is 0's based. Base 2.1 §5.2.1 to §5.2.4. */
export const CREATE_QUEUE_CDW10 = bits({ QID: [15, 0], QSIZE: [31, 16] });
export const CREATE_CQ_CDW11 = bits({ PC: 0, IEN: 1, IV: [31, 16] });
export const CREATE_SQ_CDW11 = bits({ PC: 0, QPRIO: [2, 1], CQID: [31, 16] });
export const CREATE_SQ_CDW12 = bits({ NVMSETID: [15, 0] });
export const QPRIO = { URGENT: 0, HIGH: 1, MEDIUM: 2, LOW: 3 } as const;
export const DELETE_QUEUE_CDW10 = bits({ QID: [15, 0] });

/** Get Log Page. NUMDU:NUMDL is a 0's based count of dwords, CDW13:CDW12 the offset. Base 2.1 §5.1.12. */
export const GET_LOG_CDW10 = bits({ LID: [7, 0], LSP: [14, 8], RAE: 15, NUMDL: [31, 16] });
export const GET_LOG_CDW11 = bits({ NUMDU: [15, 0], LSI: [31, 16] });
export const GET_LOG_CDW14 = bits({ UIDX: [6, 0], OT: 23, CSI: [31, 24] });

/** Identify. Base 2.1 §5.1.13. */
export const IDENTIFY_CDW10 = bits({ CNS: [7, 0], CNTID: [31, 16] });
export const IDENTIFY_CDW11 = bits({ CNSSID: [15, 0], CSI: [31, 24] });
export const IDENTIFY_CDW14 = bits({ UIDX: [6, 0] });

/** Abort, and its completion's DW0. Base 2.1 §5.1.1. */
export const ABORT_CDW10 = bits({ SQID: [15, 0], CID: [31, 16] });
export const ABORT_RESULT = bits({ NOT_ABORTED: 0 });

/** Set and Get Features. Base 2.1 §5.1.25, §5.1.11. */
export const SET_FEATURES_CDW10 = bits({ FID: [7, 0], SV: 31 });
export const GET_FEATURES_CDW10 = bits({ FID: [7, 0], SEL: [10, 8] });
export const FEATURES_CDW14 = bits({ UIDX: [6, 0] });

/** Other admin commands, Base 2.1 §5.1. Firmware Image Download has whole dwords: NUMD (0's based), OFST. */
export const NAMESPACE_MANAGEMENT_CDW10 = bits({ SEL: [3, 0] });
export const NAMESPACE_MANAGEMENT_CDW11 = bits({ CSI: [31, 24] });
/** ACT is in VIRTUALIZATION; RT 0: queues, 1: interrupts. Base 2.1 §5.2.6. */
export const VIRTUALIZATION_CDW10 = bits({ ACT: [3, 0], RT: [10, 8], CNTLID: [31, 16] });
export const VIRTUALIZATION_CDW11 = bits({ NR: [15, 0] });
export const NAMESPACE_ATTACHMENT_CDW10 = bits({ SEL: [3, 0] });
export const FIRMWARE_COMMIT_CDW10 = bits({ FS: [2, 0], CA: [5, 3], BPID: 31 });
export const SELF_TEST_CDW10 = bits({ STC: [3, 0] });
export const FORMAT_CDW10 = bits({
  LBAFL: [3, 0],
  MSET: 4,
  PI: [7, 5],
  PIL: 8,
  SES: [11, 9],
  LBAFU: [13, 12],
});
export const SANITIZE_CDW10 = bits({ SANACT: [2, 0], AUSE: 3, OWPASS: [7, 4], OIPBP: 8, NDAS: 9, EMVS: 10 });
export const SECURITY_CDW10 = bits({ NSSF: [7, 0], SPSP0: [15, 8], SPSP1: [23, 16], SECP: [31, 24] });
export const DIRECTIVE_CDW11 = bits({ DOPER: [7, 0], DTYPE: [15, 8], DSPEC: [31, 16] });

// biome-ignore format: the byte-sized groups of the dword, a row each
/**
 * CDW12 of Read, Write, Compare and Verify; CDW11:CDW10 is the first block and NLB is 0's based. DTYPE
 * belongs to Write only; PRACT must be 0 in Compare and Verify. NVM Command Set 1.1 §3.3.
 */
export const RW_CDW12 = bits({
  NLB: [15, 0],
  CETYPE: [19, 16], DTYPE: [23, 20],
  STC: 24, PRCHK_REFERENCE: 26, PRCHK_APPLICATION: 27, PRCHK_GUARD: 28, PRACT: 29, FUA: 30, LR: 31,
});
// biome-ignore format: as above
/** CDW12 of Write Zeroes: DEAC asks to deallocate, NSZ to zero the namespace. NVM Command Set 1.1 §3.3. */
export const WRITE_ZEROES_CDW12 = bits({
  NLB: [15, 0],
  CETYPE: [19, 16], DTYPE: [22, 20], NSZ: 23,
  STC: 24, DEAC: 25, PRCHK_REFERENCE: 26, PRCHK_APPLICATION: 27, PRCHK_GUARD: 28, PRACT: 29, FUA: 30, LR: 31,
});
/** CDW13 of Read and Write: hints on access frequency, latency, order and content; DSPEC is Write's. */
export const RW_CDW13 = bits({ AF: [3, 0], AL: [5, 4], SEQ: 6, INCOMPRESSIBLE: 7, DSPEC: [31, 16] });
/** CDW15: application tag and its mask. CDW14 is the low part of the reference tag. */
export const RW_CDW15 = bits({ LBAT: [15, 0], LBATM: [31, 16] });

/** Dataset Management; NR is 0's based, AD deallocates. NVM Command Set 1.1 §3.3. */
export const DSM_CDW10 = bits({ NR: [7, 0] });
export const DSM_CDW11 = bits({ IDR: 0, IDW: 1, AD: 2 });
/** One range; NLB is a plain count, 0 is an empty range, and the context attributes are hints. */
export const DSM_RANGE = layout({ CATTR: 'u32', NLB: 'u32', SLBA: 'u64' }, 16);
export const DSM_CATTR = bits({ AF: [3, 0], AL: [5, 4], SR: 8, SW: 9, WP: 10, CAS: [31, 24] });

// biome-ignore format: as above
/** Copy; CDW11:CDW10 is the first destination block, NR is 0's based. NVM Command Set 1.1 §3.3. */
export const COPY_CDW12 = bits({
  NR: [7, 0], DESFMT: [11, 8], PRINFOR: [15, 12],
  CETYPE: [19, 16], DTYPE: [23, 20],
  STCW: 24, STCR: 25, PRINFOW: [29, 26], FUA: 30, LR: 31,
});
// biome-ignore format: a row for each group of fields
/** Copy source range, formats 0 and 2 (16-bit guard); format 0 reserves SNSID and SOPT. NLB is 0's based. */
export const COPY_RANGE_SHORT = layout({
  SNSID: 'u32', RSV4: 4, SLBA: 'u64', NLB: 'u16', RSV18: 4, SOPT: 'u16',
  ELBRT: 'u32', ELBAT: 'u16', ELBATM: 'u16',
}, 32);
// biome-ignore format: as above
/** Copy source range, formats 1 and 3 (32- and 64-bit guard); format 1 reserves SNSID and SOPT. */
export const COPY_RANGE_LONG = layout({
  SNSID: 'u32', RSV4: 4, SLBA: 'u64', NLB: 'u16', RSV18: 4, SOPT: 'u16',
  RSV24: 2, ELBT: 10, ELBAT: 'u16', ELBATM: 'u16',
}, 40);

/** Reservation commands. Base 2.1 §7.5 to §7.8. */
export const RESERVATION_REGISTER_CDW10 = bits({ RREGA: [2, 0], IEKEY: 3, CPTPL: [31, 30] });
export const RESERVATION_ACQUIRE_CDW10 = bits({ RACQA: [2, 0], IEKEY: 3, RTYPE: [15, 8] });
export const RESERVATION_RELEASE_CDW10 = bits({ RRELA: [2, 0], IEKEY: 3, RTYPE: [15, 8] });

/**
 * Data of the Identify command: CNS values, the 4096-byte structures of controller and namespace, and their
 * bits. NVMe Base 2.1 §5.1.13; NVM Command Set 1.1 §4.1.5. Gaps are raw bytes named RSV and their offset.
 * Not here: lists of plain numbers (namespace and controller lists need no layout), zones, endurance groups.
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

/** Every structure that Identify returns has this size. Base 2.1 §5.1.13. */
export const IDENTIFY_SIZE = 4096;

// biome-ignore format: rows as dense as the specification's table
/** Controller or Namespace Structure: which structure Identify returns. Base 2.1 §5.1.13.1. */
export const CNS = {
  NAMESPACE: 0x00, CONTROLLER: 0x01, ACTIVE_NAMESPACES: 0x02, NAMESPACE_DESCRIPTORS: 0x03, NVM_SETS: 0x04,
  COMMAND_SET_NAMESPACE: 0x05, COMMAND_SET_CONTROLLER: 0x06, COMMAND_SET_ACTIVE_NAMESPACES: 0x07,
  INDEPENDENT_NAMESPACE: 0x08, NAMESPACE_FORMAT: 0x09, COMMAND_SET_NAMESPACE_FORMAT: 0x0a,
  ALLOCATED_NAMESPACES: 0x10, ALLOCATED_NAMESPACE: 0x11, ATTACHED_CONTROLLERS: 0x12, CONTROLLERS: 0x13,
  PRIMARY_CAPABILITIES: 0x14, SECONDARY_CONTROLLERS: 0x15, NAMESPACE_GRANULARITY: 0x16, UUIDS: 0x17,
  DOMAINS: 0x18, ENDURANCE_GROUPS: 0x19, COMMAND_SET_ALLOCATED_NAMESPACES: 0x1a,
  COMMAND_SET_ALLOCATED_NAMESPACE: 0x1b, COMMAND_SETS: 0x1c, UNDERLYING_NAMESPACES: 0x1d, PORTS: 0x1e,
  INDEPENDENT_ALLOCATED_NAMESPACE: 0x1f,
} as const;
/** Command Set Identifiers. Base 2.1 §3.1.3.4. */
export const CSI = { NVM: 0, KEY_VALUE: 1, ZONED: 2, SUBSYSTEM_LOCAL_MEMORY: 3, COMPUTATIONAL: 4 } as const;
/** Entries in the namespace lists (CNS 02h, 07h, 10h, 1Ah) and controller lists (12h, 13h). Base 2.1 §4.6. */
export const LIST_ENTRIES = { NAMESPACES: 1024, CONTROLLERS: 2047 } as const;

// biome-ignore format: offsets in front of each row
/** CNS 01h. Names and serial numbers are ASCII padded with spaces. Base 2.1 §5.1.13.2.1. */
export const IDENTIFY_CONTROLLER = layout({
  /*    0 */ VID: 'u16', SSVID: 'u16', SN: 20, MN: 40, FR: 8, RAB: 'u8', IEEE: 3, CMIC: 'u8', MDTS: 'u8',
  /*   78 */ CNTLID: 'u16', VER: 'u32', RTD3R: 'u32', RTD3E: 'u32', OAES: 'u32', CTRATT: 'u32', RRLS: 'u16',
  /*  102 */ BPCAP: 'u8', RSV103: 1, NSSL: 'u32', RSV108: 2, PLSI: 'u8', CNTRLTYPE: 'u8', FGUID: 16,
  /*  128 */ CRDT1: 'u16', CRDT2: 'u16', CRDT3: 'u16', CRCAP: 'u8', RSV135: 118, NVMSR: 'u8', VWCI: 'u8',
  /*  255 */ MEC: 'u8', OACS: 'u16', ACL: 'u8', AERL: 'u8', FRMW: 'u8', LPA: 'u8', ELPE: 'u8', NPSS: 'u8',
  /*  264 */ AVSCC: 'u8', APSTA: 'u8', WCTEMP: 'u16', CCTEMP: 'u16', MTFA: 'u16', HMPRE: 'u32', HMMIN: 'u32',
  /*  280 */ TNVMCAP: 16, UNVMCAP: 16, RPMBS: 'u32', EDSTT: 'u16', DSTO: 'u8', FWUG: 'u8', KAS: 'u16',
  /*  322 */ HCTMA: 'u16', MNTMT: 'u16', MXTMT: 'u16', SANICAP: 'u32', HMMINDS: 'u32', HMMAXD: 'u16',
  /*  338 */ NSETIDMAX: 'u16', ENDGIDMAX: 'u16', ANATT: 'u8', ANACAP: 'u8', ANAGRPMAX: 'u32',
  /*  348 */ NANAGRPID: 'u32', PELS: 'u32', DID: 'u16', KPIOC: 'u8', RSV359: 1, MPTFAWR: 'u16', RSV362: 6,
  /*  368 */ MEGCAP: 16, TMPTHHA: 'u8', RSV385: 1, CQT: 'u16', RSV388: 124,
  /*  512 */ SQES: 'u8', CQES: 'u8', MAXCMD: 'u16', NN: 'u32', ONCS: 'u16', FUSES: 'u16', FNA: 'u8',
  /*  525 */ VWC: 'u8', AWUN: 'u16', AWUPF: 'u16', ICSVSCC: 'u8', NWPC: 'u8', ACWU: 'u16', OCFS: 'u16',
  /*  536 */ SGLS: 'u32', MNAN: 'u32', MAXDNA: 16, MAXCNA: 'u32', OAQD: 'u32', RHIRI: 'u8', HIRT: 'u8',
  /*  570 */ CMMRTD: 'u16', NMMRTD: 'u16', MINMRTG: 'u8', MAXMRTG: 'u8', TRATTR: 'u8', RSV577: 1,
  /*  578 */ MCUDMQ: 'u16', MNSUDMQ: 'u16', MCMR: 'u16', NMCMR: 'u16', MCDQPC: 'u16', RSV588: 180,
  /*  768 */ SUBNQN: 256, RSV1024: 768,
  /* 1792 */ IOCCSZ: 'u32', IORCSZ: 'u32', ICDOFF: 'u16', FCATT: 'u8', MSDBD: 'u8', OFCS: 'u16', DCTYPE: 'u8',
  /* 1807 */ RSV1807: 241, PSD: 1024, VENDOR: 1024,
}, IDENTIFY_SIZE);

// biome-ignore format: offsets in front of each row
/** One of the 32 power states at PSD. MP in 10 mW, or 100 uW with MXPS; latencies in us. §5.1.13.2.1. */
export const POWER_STATE = layout({
  /*  0 */ MP: 'u16', RSV2: 1, FLAGS: 'u8', ENLAT: 'u32', EXLAT: 'u32', RRT: 'u8', RRL: 'u8', RWT: 'u8',
  /* 15 */ RWL: 'u8', IDLP: 'u16', IPS: 'u8', RSV19: 1, ACTP: 'u16', APW: 'u8', EPFRT: 'u8', FQVT: 'u8',
  /* 25 */ EPFVT: 'u8', EPFRTS: 'u8', EPFVTS: 'u8', RSV28: 4,
}, 32);
export const POWER_STATE_FLAGS = bits({ MXPS: 0, NOPS: 1 });

// Bit fields of the controller structure, in the order of their bytes. Base 2.1 §5.1.13.2.1.
export const CMIC = bits({ MPORTS: 0, MCTRS: 1, FT: 2, ANARS: 3 });
// biome-ignore format: a row per group
/** Which events the controller can report; the same bits as in Asynchronous Event Configuration. */
export const OAES = bits({
  NSAN: 8, FAN: 9, ANACN: 11, PLEAN: 12, LSIAN: 13, EGEAN: 14, NNSSHDN: 15, TTHRY: 16, RGRP0: 17, ANSAN: 19,
  ZDCN: 27, DLPCN: 31,
});
// biome-ignore format: a row per group
export const CTRATT = bits({
  HIDS: 0, NOPSPM: 1, NSETS: 2, RRLVLS: 3, EGS: 4, PLM: 5, TBKAS: 6, NG: 7, SQA: 8, ULIST: 9, MDS: 10,
  FCM: 11, VCM: 12, DEG: 13, DNVMS: 14, ELBAS: 15, MEM: 16, HMBR: 17, RHII: 18, FDPS: 19,
});
/** Values of CNTRLTYPE. */
export const CONTROLLER_TYPE = { NOT_REPORTED: 0, IO: 1, DISCOVERY: 2, ADMIN: 3 } as const;
// biome-ignore format: a row per group
export const OACS = bits({
  SECURITY: 0, FORMAT: 1, FIRMWARE: 2, NAMESPACE_MANAGEMENT: 3, SELF_TEST: 4, DIRECTIVES: 5, MI: 6,
  VIRTUALIZATION: 7, DOORBELL_BUFFER: 8, GET_LBA_STATUS: 9, LOCKDOWN: 10, MIGRATION: 11,
});
/** NOFS is the number of firmware slots, 1 to 7; SMUD says that overlapping downloads are detected. */
export const FRMW = bits({ FFSRO: 0, NOFS: [3, 1], FAWR: 4, SMUD: 5 });
// biome-ignore format: a row per group
export const LPA = bits({
  SMART_PER_NAMESPACE: 0, EFFECTS: 1, EXTENDED_DATA: 2, TELEMETRY: 3, PERSISTENT_EVENTS: 4, MISCELLANEOUS: 5,
  DATA_AREA_4: 6,
});
export const APSTA = bits({ SUPPORTED: 0 });
export const DSTO = bits({ ONE_PER_SUBSYSTEM: 0, HIRS: 1 });
export const HCTMA = bits({ SUPPORTED: 0 });
export const SANICAP = bits({ CES: 0, BES: 1, OWS: 2, VERS: 3, NDI: 29, NODMMAS: [31, 30] });
/** Both SQES and CQES: log2 of the required and of the largest entry size. */
export const ENTRY_SIZES = bits({ MIN: [3, 0], MAX: [7, 4] });
// biome-ignore format: a row per group
export const ONCS = bits({
  COMPARE: 0, WRITE_UNCORRECTABLE: 1, DATASET_MANAGEMENT: 2, WRITE_ZEROES: 3, SAVE_SELECT: 4, RESERVATIONS: 5,
  TIMESTAMP: 6, VERIFY: 7, COPY: 8, COPY_ATOMICITY: 9, ALL_FAST_COPY: 10, ZEROES_DEALLOCATE: 11,
  NAMESPACE_ZEROES: 12,
});
export const FUSES = bits({ COMPARE_AND_WRITE: 0 });
export const FNA = bits({ FORMAT_ALL: 0, ERASE_ALL: 1, CRYPTO_ERASE: 2, NO_BROADCAST: 3 });
/** FLUSH_ALL says what Flush does with NSID FFFFFFFFh: 0 unknown, 2 not supported, 3 supported. */
export const VWC = bits({ PRESENT: 0, FLUSH_ALL: [2, 1] });
export const NWPC = bits({ WRITE_PROTECT: 0, UNTIL_POWER_CYCLE: 1, PERMANENT: 2 });
// biome-ignore format: a row per group
/** SUPPORT: 0 no SGLs, 1 any alignment, 2 dwords only. SDT is the recommended limit of descriptors. */
export const SGLS = bits({
  SUPPORT: [1, 0], KEYED: 2, SDT: [15, 8], BIT_BUCKET: 16, MPTR_BYTE_ALIGNED: 17, LONGER_THAN_DATA: 18,
  MPTR_SGL: 19, OFFSET: 20, TRANSPORT_DATA_BLOCK: 21,
});

// biome-ignore format: offsets in front of each row
/** CNS 00h and 11h: a namespace of the NVM command set. Counts of blocks. NVM Command Set 1.1 §4.1.5. */
export const IDENTIFY_NAMESPACE = layout({
  /*   0 */ NSZE: 'u64', NCAP: 'u64', NUSE: 'u64', NSFEAT: 'u8', NLBAF: 'u8', FLBAS: 'u8', MC: 'u8',
  /*  28 */ DPC: 'u8', DPS: 'u8', NMIC: 'u8', RESCAP: 'u8', FPI: 'u8', DLFEAT: 'u8', NAWUN: 'u16',
  /*  36 */ NAWUPF: 'u16', NACWU: 'u16', NABSN: 'u16', NABO: 'u16', NABSPF: 'u16', NOIOB: 'u16', NVMCAP: 16,
  /*  64 */ NPWG: 'u16', NPWA: 'u16', NPDG: 'u16', NPDA: 'u16', NOWS: 'u16', MSSRL: 'u16', MCL: 'u32',
  /*  80 */ MSRC: 'u8', KPIOS: 'u8', NULBAF: 'u8', RSV83: 1, KPIODAAG: 'u32', RSV88: 4, ANAGRPID: 'u32',
  /*  96 */ RSV96: 3, NSATTR: 'u8', NVMSETID: 'u16', ENDGID: 'u16', NGUID: 16, EUI64: 8, LBAF: 256,
  /* 384 */ VENDOR: 3712,
}, IDENTIFY_SIZE);

/** One of the 64 words at LBAF: metadata bytes, log2 of the block size, relative performance (0 is best). */
export const LBAF = bits({ MS: [15, 0], LBADS: [23, 16], RP: [25, 24] });
// Bit fields of the namespace structure, in the order of their bytes. NVM Command Set 1.1 §4.1.5.
export const NSFEAT = bits({ THINP: 0, NSABP: 1, DAE: 2, UIDREUSE: 3, OPTPERF: [5, 4], MAM: 6, OPTRPERF: 7 });
/** The format in use is `FIDXU << 4 | FIDXL`; EXTENDED puts metadata after each block in the same buffer. */
export const FLBAS = bits({ FIDXL: [3, 0], EXTENDED: 4, FIDXU: [6, 5] });
export const MC = bits({ EXTENDED: 0, SEPARATE: 1 });
export const DPC = bits({ TYPE1: 0, TYPE2: 1, TYPE3: 2, FIRST_BYTES: 3, LAST_BYTES: 4 });
/** PIT is the type of protection information, 0 when off; PIP puts it in the first bytes of the metadata. */
export const DPS = bits({ PIT: [2, 0], PIP: 3 });
export const NMIC = bits({ SHARED: 0, DISPERSED: 1 });
// biome-ignore format: a row per group
export const RESCAP = bits({
  PTPL: 0, WRITE_EXCLUSIVE: 1, EXCLUSIVE_ACCESS: 2, WRITE_EXCLUSIVE_REGISTRANTS: 3,
  EXCLUSIVE_ACCESS_REGISTRANTS: 4, WRITE_EXCLUSIVE_ALL: 5, EXCLUSIVE_ACCESS_ALL: 6, IEKEY: 7,
});
export const FPI = bits({ REMAINING: [6, 0], SUPPORTED: 7 });
/** READ: how deallocated blocks read, 0 not reported, 1 zeroes, 2 FFh. DEAC: Write Zeroes may deallocate. */
export const DLFEAT = bits({ READ: [2, 0], DEAC: 3, GUARD_CRC: 4 });
export const NSATTR = bits({ WRITE_PROTECTED: 0 });

/** CNS 03h: header before NIDL bytes of identifier; NIDT 0 ends the list. Base 2.1 §5.1.13.2. */
export const NAMESPACE_DESCRIPTOR = layout({ NIDT: 'u8', NIDL: 'u8', RSV2: 2 }, 4);
/** Values of NIDT with the NIDL that each demands. Identifiers are big endian. */
export const NIDT = { EUI64: 1, NGUID: 2, UUID: 3, CSI: 4 } as const;
export const NIDL = { EUI64: 8, NGUID: 16, UUID: 16, CSI: 1 } as const;

// biome-ignore format: a row per group
/** CNS 05h, CSI 0. ELBAF are 64 words. NVM Command Set 1.1 §4.1.5. */
export const IDENTIFY_NVM_NAMESPACE = layout({
  LBSTM: 'u64', PIC: 'u8', PIFA: 'u8', RSV10: 2, ELBAF: 256,
  NPDGL: 'u32', NPRG: 'u32', NPRA: 'u32', NORS: 'u32', NPDAL: 'u32', LBAPSS: 'u32', TLBAAG: 'u32',
  RSV296: 3800,
}, IDENTIFY_SIZE);
/** Storage tag size and the guard's width (0: 16 bits, 1: 32, 2: 64). */
export const ELBAF = bits({ STS: [6, 0], PIF: [8, 7], QPIF: [12, 9] });

// biome-ignore format: a row per group
/** CNS 06h, CSI 0. VSL, WZSL and WUSL have the unit of MDTS. NVM Command Set 1.1 §4.1.5. */
export const IDENTIFY_NVM_CONTROLLER = layout({
  VSL: 'u8', WZSL: 'u8', WUSL: 'u8', DMRL: 'u8', DMRSL: 'u32', DMSL: 'u64',
  KPIOCAP: 'u8', WZDSL: 'u8', AOCS: 'u16', VER: 'u32', LBAMQF: 'u8', RSV25: 4071,
}, IDENTIFY_SIZE);

// biome-ignore format: a row per group
/** CNS 08h and 1Fh: what a namespace of any command set has. Base 2.1 §5.1.13.2. */
export const IDENTIFY_INDEPENDENT_NAMESPACE = layout({
  NSFEAT: 'u8', NMIC: 'u8', RESCAP: 'u8', FPI: 'u8', ANAGRPID: 'u32', NSATTR: 'u8', RSV9: 1,
  NVMSETID: 'u16', ENDGID: 'u16', NSTAT: 'u8', KPIOS: 'u8', MAXKT: 'u16', RSV18: 2, RGRPID: 'u32',
  RSV24: 4072,
}, IDENTIFY_SIZE);
export const INDEPENDENT_NSFEAT = bits({ UIDREUSE: 3, RMEDIA: 4, VWCNP: 5 });
export const NSTAT = bits({ NRDY: 0, IOI: [2, 1] });

// biome-ignore format: offsets in front of each row
/** CNS 14h: resources of queues (VQ) and interrupts (VI). Base 2.1 §5.1.13.2.14. */
export const PRIMARY_CAPABILITIES = layout({
  /*  0 */ CNTLID: 'u16', PORTID: 'u16', CRT: 'u8', RSV5: 27,
  /* 32 */ VQFRT: 'u32', VQRFA: 'u32', VQRFAP: 'u16', VQPRT: 'u16', VQFRSM: 'u16', VQGRAN: 'u16', RSV48: 16,
  /* 64 */ VIFRT: 'u32', VIRFA: 'u32', VIRFAP: 'u16', VIPRT: 'u16', VIFRSM: 'u16', VIGRAN: 'u16', RSV80: 4016,
}, IDENTIFY_SIZE);
export const CRT = bits({ VQRS: 0, VIRS: 1 });

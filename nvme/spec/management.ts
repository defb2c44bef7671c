/**
 * Commands that manage the drive: actions and data of Namespace Management and Attachment, Format, Sanitize, Device
 * Self-test, Firmware Commit, Directives and Get LBA Status. NVMe Base 2.1 §5.1, §8.1; NVM Command Set 1.1 §4.1.
 * Not here: the dwords shared with other commands (commands.ts), the log pages of these commands (logs.ts).
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

/** NAMESPACE_MANAGEMENT_CDW10.SEL and NAMESPACE_ATTACHMENT_CDW10.SEL. Base 2.1 §5.1.21, §5.1.20. */
export const NAMESPACE_MANAGEMENT = { CREATE: 0, DELETE: 1 } as const;
export const NAMESPACE_ATTACHMENT = { ATTACH: 0, DETACH: 1 } as const;

// biome-ignore format: offsets in front of each row
/** Data of a namespace to be created; FLBAS, DPS and NMIC as Identify has them. NVM Command Set 1.1 §4.1.6. */
export const NAMESPACE_CREATE = layout({
  /*   0 */ NSZE: 'u64', NCAP: 'u64', RSV16: 10, FLBAS: 'u8', RSV27: 2, DPS: 'u8', NMIC: 'u8', RSV31: 61,
  /*  92 */ ANAGRPID: 'u32', RSV96: 4, NVMSETID: 'u16', ENDGID: 'u16', RSV104: 280,
  /* 384 */ LBSTM: 'u64', NPHNDLS: 'u16', RSV394: 3702,
}, 4096);
/** A controller list: a count and as many identifiers, ascending. Base 2.1 §4.6.1. */
export const CONTROLLER_LIST_SIZE = 4096;

/** FORMAT_CDW10.SES. Base 2.1 §5.1.10. */
export const SECURE_ERASE = { NONE: 0, USER_DATA: 1, CRYPTOGRAPHIC: 2 } as const;

/** SANITIZE_CDW10.SANACT. Base 2.1 §5.1.22. */
export const SANITIZE_ACTION = {
  EXIT_FAILURE: 1,
  BLOCK_ERASE: 2,
  OVERWRITE: 3,
  CRYPTO_ERASE: 4,
  EXIT_VERIFICATION: 5,
} as const;

/** SELF_TEST_CDW10.STC; also the operation in the log page. Base 2.1 §5.1.5. */
export const SELF_TEST = { SHORT: 1, EXTENDED: 2, ABORT: 0xf } as const;

/** FIRMWARE_COMMIT_CDW10.CA. Base 2.1 §5.1.8. */
export const FIRMWARE_COMMIT = { STORE: 0, STORE_AND_ACTIVATE: 1, ACTIVATE: 2, ACTIVATE_NOW: 3 } as const;

/** DIRECTIVE_CDW11.DTYPE and, for the Identify directive, DOPER. Base 2.1 §8.1.8. */
export const DIRECTIVE = { IDENTIFY: 0, STREAMS: 1, DATA_PLACEMENT: 2 } as const;
export const DIRECTIVE_IDENTIFY = { RETURN_PARAMETERS: 1, ENABLE: 1 } as const;
/** CDW12 of Directive Send, Enable Directive. */
export const DIRECTIVE_ENABLE_CDW12 = bits({ ENDIR: 0, TDTYPE: [15, 8] });
/** What Return Parameters gives: a bit for each type of directive, three times. */
export const DIRECTIVE_PARAMETERS = layout({ SUPPORTED: 32, ENABLED: 32, PERSISTENT: 32, RSV96: 4000 }, 4096);

/** Get LBA Status; CDW11:CDW10 is the first block, CDW12 MNDW (dwords, 0's based). NVM Command Set 1.1 §4.2.1. */
export const LBA_STATUS_CDW13 = bits({ RL: [15, 0], ATYPE: [31, 24] });
/** LBA_STATUS_CDW13.ATYPE: blocks that may not be readable, after a scan or as far as known. */
export const LBA_STATUS_ACTION = { ALLOCATED: 0x02, SCAN: 0x10, TRACKED: 0x11 } as const;
/** NLSD descriptors of 16 bytes follow. */
export const LBA_STATUS = layout({ NLSD: 'u32', CMPC: 'u8', RSV5: 3 }, 8);
/** NLB is 0's based. */
export const LBA_STATUS_DESCRIPTOR = layout(
  { DSLBA: 'u64', NLB: 'u32', RSV12: 1, STATUS: 'u8', RSV14: 2 },
  16,
);
/** LBA_STATUS.CMPC: the buffer was full, or the range was done. */
export const LBA_STATUS_COMPLETION = { INCOMPLETE: 1, COMPLETE: 2 } as const;

/** ACT of Virtualization Management: resources of the primary controller; a secondary one off line, given resources, on line. Base 2.1 §5.2.6. */
export const VIRTUALIZATION = { PRIMARY: 1, OFFLINE: 7, ASSIGN: 8, ONLINE: 9 } as const;

/**
 * Reservations: types, actions, notifications, and the data of the four commands. NVMe Base 2.1 §7.5 to §7.8, §8.1.22.
 * Not here: CDW10 of the commands (commands.ts), log page 80h (logs.ts), features 82h and 83h (features.ts).
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

/** RTYPE; the upper two belong to all registrants together. */
export const RESERVATION = {
  NONE: 0,
  WRITE_EXCLUSIVE: 1,
  EXCLUSIVE_ACCESS: 2,
  WRITE_EXCLUSIVE_REGISTRANTS: 3,
  EXCLUSIVE_ACCESS_REGISTRANTS: 4,
  WRITE_EXCLUSIVE_ALL: 5,
  EXCLUSIVE_ACCESS_ALL: 6,
} as const;

/** Actions of Register, Acquire and Release; how Register changes persistence through power loss. */
export const RREGA = { REGISTER: 0, UNREGISTER: 1, REPLACE: 2 } as const;
export const RACQA = { ACQUIRE: 0, PREEMPT: 1, PREEMPT_AND_ABORT: 2 } as const;
export const RRELA = { RELEASE: 0, CLEAR: 1 } as const;
export const CPTPL = { KEEP: 0, RESERVED: 1, CLEAR: 2, SET: 3 } as const;

/** TYPE of the notification log page. */
export const NOTIFICATION = {
  REGISTRATION_PREEMPTED: 1,
  RESERVATION_RELEASED: 2,
  RESERVATION_PREEMPTED: 3,
} as const;

/** Data of Register (SECOND is NRKEY) and Acquire (PRKEY); Release has CRKEY only. */
export const RESERVATION_KEYS = layout({ CRKEY: 'u64', SECOND: 'u64' }, 16);
export const RELEASE_BYTES = 8;

/** CDW11 of Report: the extended structure. CDW10 is the 0's based count of dwords. */
export const REPORT_CDW11 = bits({ EDS: 0 });
/** Header of the report; REGSTRNT is an unaligned u16. The extended one has 40 more reserved bytes. */
export const REPORT_HEADER = layout(
  { GEN: 'u32', RTYPE: 'u8', REGSTRNT: 2, RSV7: 2, PTPLS: 'u8', RSV10: 14 },
  24,
);
export const REPORT_HEADER_EXTENDED_BYTES = 64;
/** RCSTS is 1 for a holder. */
export const REGISTRANT = layout({ CNTLID: 'u16', RCSTS: 'u8', RSV3: 5, HOSTID: 8, RKEY: 'u64' }, 24);
export const REGISTRANT_EXTENDED = layout(
  { CNTLID: 'u16', RCSTS: 'u8', RSV3: 5, RKEY: 'u64', HOSTID: 16, RSV32: 32 },
  64,
);

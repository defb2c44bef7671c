/**
 * Zoned namespaces: states, actions, the zone descriptor and report, Identify data, and the dwords of their commands.
 * NVMe Zoned Namespace Command Set 1.2 §2.1, §3.4, §4.1.5. Not here: opcodes (commands.ts), status codes (status.ts).
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';
import { IDENTIFY_SIZE } from './identify.ts';

/** Values of ZONE_STATE.ZS. ZNS 1.2 §2.1.1.3 */
export const ZONE = {
  EMPTY: 0x1,
  IMPLICITLY_OPEN: 0x2,
  EXPLICITLY_OPEN: 0x3,
  CLOSED: 0x4,
  READ_ONLY: 0xd,
  FULL: 0xe,
  OFFLINE: 0xf,
} as const;

/** As sentences have them. */
export const ZONE_NAMES = {
  [ZONE.EMPTY]: 'empty',
  [ZONE.IMPLICITLY_OPEN]: 'implicitly open',
  [ZONE.EXPLICITLY_OPEN]: 'explicitly open',
  [ZONE.CLOSED]: 'closed',
  [ZONE.READ_ONLY]: 'read-only',
  [ZONE.FULL]: 'full',
  [ZONE.OFFLINE]: 'offline',
} as const;
export type ZoneStateName = (typeof ZONE_NAMES)[keyof typeof ZONE_NAMES];
/** The name of a value of ZS. */
export const zoneStateName = (state: number): ZoneStateName => ZONE_NAMES[state as keyof typeof ZONE_NAMES];

/** Zone Management Send: SLBA is the zone's first block unless ALL. ZNS 1.2 §3.4.3 */
export const ZONE_SEND_CDW13 = bits({ ZSA: [7, 0], ALL: 8, ZRWAA: 9 });
/** Values of ZSA. */
export const ZONE_ACTION = {
  CLOSE: 0x01,
  FINISH: 0x02,
  OPEN: 0x03,
  RESET: 0x04,
  OFFLINE: 0x05,
  SET_EXTENSION: 0x10,
} as const;

/** Zone Management Receive: CDW12 is a 0's based count of dwords. ZNS 1.2 §3.4.2 */
export const ZONE_RECEIVE_CDW13 = bits({ ZRA: [7, 0], ZRASF: [15, 8], PARTIAL: 16 });
export const ZONE_REPORT_ACTION = { REPORT: 0, EXTENDED: 1 } as const;

/** Zone Append: CDW12 is that of Write with PIREMAP. ZNS 1.2 §3.4.1 */
export const ZONE_APPEND_PIREMAP = 1 << 25;

/** A report starts with how many zones match, and goes on with descriptors. ZNS 1.2 §3.4.2.2 */
export const ZONE_REPORT = layout({ ZONES: 'u64', RSV8: 56 }, 64);
// biome-ignore format: a row per group
export const ZONE_DESCRIPTOR = layout({
  TYPE: 'u8', STATE: 'u8', ATTRIBUTES: 'u8', INFORMATION: 'u8', RSV4: 4,
  ZCAP: 'u64', ZSLBA: 'u64', WP: 'u64', RSV32: 32,
}, 64);
/** The only type of zone: sequential write required. */
export const ZONE_TYPE_SEQUENTIAL = 2;
export const ZONE_STATE = bits({ ZS: [7, 4] });
/** EXTENSION_VALID: the descriptor extension holds what the host set. */
export const ZONE_ATTRIBUTES = bits({ FINISHED_BY_CONTROLLER: 0, EXTENSION_VALID: 7 });
/** Unit of ZDES. */
export const ZONE_EXTENSION_UNIT = 64;

// biome-ignore format: a row per group
/** CNS 05h with CSI 2. MAR and MOR are 0's based, FFFFFFFFh: no limit. ZNS 1.2 §4.1.5.1 */
export const IDENTIFY_ZONED_NAMESPACE = layout({
  ZOC: 'u16', OZCS: 'u16', MAR: 'u32', MOR: 'u32', RSV12: 2804, LBAFE: 1024, VENDOR: 256,
}, IDENTIFY_SIZE);
export const OZCS = bits({ READ_ACROSS: 0, ZRWA: 1 });
/** One of the 64 entries at LBAFE: zone size in blocks, descriptor extension in 64 bytes. */
export const ZONED_FORMAT = layout({ ZSZE: 'u64', ZDES: 'u8', RSV9: 7 }, 16);

/** CNS 06h with CSI 2: ZASL has the unit of MDTS, 0: as MDTS. ZNS 1.2 §4.1.5.2 */
export const IDENTIFY_ZONED_CONTROLLER = layout({ ZASL: 'u8', RSV1: 4095 }, IDENTIFY_SIZE);

/** LID BFh: how many zones, and the first block of each. ZNS 1.2 §4.1 */
export const CHANGED_ZONES = layout({ ZONES: 'u16', RSV2: 6, IDENTIFIERS: 4088 }, 4096);
export const MOST_CHANGED_ZONES = 511;
/** ZONES of a list that has no room: the host has to look at all of them. */
export const CHANGED_ZONES_OVERFLOW = 0xffff;

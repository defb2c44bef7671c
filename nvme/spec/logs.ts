/**
 * Log pages and asynchronous events: identifiers, fixed layouts, bits, and the table of events with the log
 * that clears each. NVMe Base 2.1 §5.1.12 and §5.1.2. Counters of 128 bits and gaps are raw bytes.
 * Not here: lists of plain numbers (changed namespaces), and pages of variable shape such as ANA or LBA
 * status.
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

// biome-ignore format: rows as dense as the specification's table
/** Log page identifiers. Base 2.1 §5.1.12.1. */
export const LID = {
  SUPPORTED_LOGS: 0x00, ERROR: 0x01, SMART: 0x02, FIRMWARE_SLOT: 0x03, CHANGED_NAMESPACES: 0x04,
  COMMAND_EFFECTS: 0x05, SELF_TEST: 0x06, TELEMETRY_HOST: 0x07, TELEMETRY_CONTROLLER: 0x08,
  ENDURANCE_GROUP: 0x09, PREDICTABLE_LATENCY: 0x0a, PREDICTABLE_LATENCY_EVENTS: 0x0b, ANA: 0x0c,
  PERSISTENT_EVENTS: 0x0d, LBA_STATUS: 0x0e, ENDURANCE_GROUP_EVENTS: 0x0f, MEDIA_UNITS: 0x10,
  CAPACITY_CONFIGURATIONS: 0x11, FEATURE_EFFECTS: 0x12, MI_EFFECTS: 0x13, LOCKDOWN: 0x14,
  BOOT_PARTITION: 0x15,
  ROTATIONAL_MEDIA: 0x16, DISPERSED_NAMESPACES: 0x17, MANAGEMENT_ADDRESSES: 0x18, REACHABILITY_GROUPS: 0x1a,
  REACHABILITY_ASSOCIATIONS: 0x1b, CHANGED_ALLOCATED_NAMESPACES: 0x1c, DATA_PLACEMENT_CONFIGURATIONS: 0x20,
  RECLAIM_UNIT_HANDLES: 0x21, DATA_PLACEMENT_STATISTICS: 0x22, DATA_PLACEMENT_EVENTS: 0x23, DISCOVERY: 0x70,
  HOST_DISCOVERY: 0x71, AVE_DISCOVERY: 0x72, PULL_MODEL_DDC: 0x73, RESERVATION_NOTIFICATION: 0x80,
  SANITIZE_STATUS: 0x81, CHANGED_ZONES: 0xbf,
} as const;

/** LID 00h has one of these words per log page. Base 2.1 §5.1.12.1. */
export const SUPPORTED_LOG = bits({ LSUPP: 0, IOS: 1, LIDSP: [31, 16] });

// biome-ignore format: offsets in front of each row
/** LID 01h has ELPE + 1 of these, newest first; ERROR_COUNT 0 is an empty one. Base 2.1 §5.1.12.1. */
export const ERROR_LOG_ENTRY = layout({
  /*  0 */ ERROR_COUNT: 'u64', SQID: 'u16', CID: 'u16', STATUS: 'u16', PARAMETER_LOCATION: 'u16', LBA: 'u64',
  /* 24 */ NSID: 'u32', VENDOR_LOG: 'u8', TRTYPE: 'u8', CSI: 'u8', OPC: 'u8', COMMAND_SPECIFIC: 'u64',
  /* 40 */ TRANSPORT_SPECIFIC: 'u16', RSV42: 21, VERSION: 'u8',
}, 64);
/** Where in the 64 bytes of the command the error lies; `PARAMETER_UNKNOWN` when nowhere. */
export const PARAMETER_LOCATION = bits({ BYTE: [7, 0], BIT: [10, 8] });
export const PARAMETER_UNKNOWN = 0xffff;
/** VERSION that says CSI and OPC are valid. */
export const ERROR_LOG_VERSION = 1;

// biome-ignore format: offsets in front of each row
/**
 * LID 02h. Temperatures in Kelvin, data units of 1000 * 512 bytes rounded up, times in minutes (TMT times in
 * seconds). TEMPERATURE is not aligned. Base 2.1 §5.1.12.1.
 */
export const SMART_LOG = layout({
  /*   0 */ CRITICAL_WARNING: 'u8', TEMPERATURE: 'u16', AVAILABLE_SPARE: 'u8', SPARE_THRESHOLD: 'u8',
  /*   5 */ PERCENTAGE_USED: 'u8', ENDURANCE_GROUP_WARNING: 'u8', RSV7: 25,
  /*  32 */ DATA_UNITS_READ: 16, DATA_UNITS_WRITTEN: 16, HOST_READS: 16, HOST_WRITES: 16, BUSY_TIME: 16,
  /* 112 */ POWER_CYCLES: 16, POWER_ON_HOURS: 16, UNSAFE_SHUTDOWNS: 16, MEDIA_ERRORS: 16,
  /* 176 */ ERROR_LOG_ENTRIES: 16, WARNING_TEMPERATURE_TIME: 'u32', CRITICAL_TEMPERATURE_TIME: 'u32',
  /* 200 */ SENSOR1: 'u16', SENSOR2: 'u16', SENSOR3: 'u16', SENSOR4: 'u16',
  /* 208 */ SENSOR5: 'u16', SENSOR6: 'u16', SENSOR7: 'u16', SENSOR8: 'u16',
  /* 216 */ TMT1_TRANSITIONS: 'u32', TMT2_TRANSITIONS: 'u32', TMT1_TIME: 'u32', TMT2_TIME: 'u32', RSV232: 280,
}, 512);
/** Also the SMART bits of Asynchronous Event Configuration. */
export const CRITICAL_WARNING = bits({
  SPARE: 0,
  TEMPERATURE: 1,
  RELIABILITY: 2,
  READ_ONLY: 3,
  VOLATILE_BACKUP: 4,
  PERSISTENT_MEMORY: 5,
});

// biome-ignore format: a row per group
/** LID 03h. Revisions are 8 ASCII bytes, zeroes for an empty slot. Base 2.1 §5.1.12.1. */
export const FIRMWARE_SLOT_LOG = layout({
  AFI: 'u8', RSV1: 7, FRS1: 8, FRS2: 8, FRS3: 8, FRS4: 8, FRS5: 8, FRS6: 8, FRS7: 8, RSV64: 448,
}, 512);
/** ACTIVE slot, and the slot NEXT used at the next controller level reset (0 when none is chosen). */
export const AFI = bits({ ACTIVE: [2, 0], NEXT: [6, 4] });

/** LID 04h holds this alone when more than 1024 namespaces changed. Base 2.1 §5.1.12.1. */
export const CHANGED_NAMESPACES_OVERFLOW = 0xffff_ffff;

/** LID 05h: 256 words for admin opcodes, 256 for I/O opcodes, the rest reserved. Base 2.1 §5.1.12.1. */
export const COMMAND_EFFECTS_LOG = layout({ ADMIN: 1024, IO: 1024, RSV2048: 2048 }, 4096);
// biome-ignore format: a row per group
export const COMMAND_EFFECTS = bits({
  CSUPP: 0, LBCC: 1, NCC: 2, NIC: 3, CCC: 4, CSER: [15, 14], CSE: [18, 16], USS: 19, CSP: [31, 20],
});
/** LID 12h has one of these words per feature, LID 13h per command of the management interface. Base 2.1 §5.1.12.1. */
export const FEATURE_EFFECTS = bits({ FSUPP: 0, UDCC: 1, NCC: 2, NIC: 3, CCC: 4, USS: 19, FSP: [31, 20] });

/** COMMAND_EFFECTS.CSE: submit while no other command to the namespace, or to any, is outstanding. */
export const EXCLUSIVE = { NONE: 0, NAMESPACE: 1, ALL: 2 } as const;
/** FEATURE_EFFECTS.FSP: what the value belongs to. */
export const FEATURE_SCOPE = { NAMESPACE: 0x001, CONTROLLER: 0x002, SUBSYSTEM: 0x020 } as const;
/** Bytes of LIDs 00h and 12h, and of 13h. */
export const EFFECTS_BYTES = { FEATURES: 1024, MANAGEMENT: 4096 } as const;

/** LID 06h: what runs, its per cent, and 20 SELF_TEST_RESULTs, newest first. Base 2.1 §5.1.12.1. */
export const SELF_TEST_LOG = layout({ OPERATION: 'u8', COMPLETION: 'u8', RSV2: 2, RESULTS: 560 }, 564);
// biome-ignore format: a row per group
export const SELF_TEST_RESULT = layout({
  STATUS: 'u8', SEGMENT: 'u8', VALID: 'u8', RSV3: 1, POWER_ON_HOURS: 'u64', NSID: 'u32', LBA: 'u64',
  SCT: 'u8', SC: 'u8', VENDOR: 2,
}, 28);
export const SELF_TEST_STATUS = bits({ RESULT: [3, 0], CODE: [7, 4] });
export const SELF_TEST_VALID = bits({ NSID: 0, LBA: 1, SCT: 2, SC: 3 });
/** SELF_TEST_STATUS.RESULT. Entries never used carry UNUSED. */
export const SELF_TEST_OUTCOME = {
  PASSED: 0,
  ABORTED: 1,
  ABORTED_RESET: 2,
  ABORTED_NAMESPACE_REMOVED: 3,
  ABORTED_FORMAT: 4,
  FATAL: 5,
  FAILED: 6,
  FAILED_SEGMENT: 7,
  ABORTED_UNKNOWN: 8,
  ABORTED_SANITIZE: 9,
  UNUSED: 0xf,
} as const;

// biome-ignore format: offsets in front of each row
/** LIDs 07h and 08h begin with this; blocks of 512 bytes follow. Base 2.1 §5.1.12.1. */
export const TELEMETRY_HEADER = layout({
  /*   0 */ LID: 'u8', RSV1: 4, IEEE: 3, AREA1_LAST: 'u16', AREA2_LAST: 'u16', AREA3_LAST: 'u16', RSV14: 2,
  /*  16 */ AREA4_LAST: 'u32', RSV20: 360, HOST_SCOPE: 'u8', HOST_GENERATION_OR_SCOPE: 'u8',
  /* 382 */ CONTROLLER_AVAILABLE: 'u8', CONTROLLER_GENERATION: 'u8', REASON: 128,
}, 512);

// biome-ignore format: offsets in front of each row
/** LID 09h. Base 2.1 §5.1.12.1. */
export const ENDURANCE_GROUP_LOG = layout({
  /*   0 */ CRITICAL_WARNING: 'u8', FEATURES: 'u8', RSV2: 1, AVAILABLE_SPARE: 'u8', SPARE_THRESHOLD: 'u8',
  /*   5 */ PERCENTAGE_USED: 'u8', DOMAIN: 'u16', RSV8: 24, ENDURANCE_ESTIMATE: 16, DATA_UNITS_READ: 16,
  /*  64 */ DATA_UNITS_WRITTEN: 16, MEDIA_UNITS_WRITTEN: 16, HOST_READS: 16, HOST_WRITES: 16,
  /* 128 */ MEDIA_ERRORS: 16, ERROR_LOG_ENTRIES: 16, TOTAL_CAPACITY: 16, UNALLOCATED_CAPACITY: 16,
  /* 192 */ RSV192: 320,
}, 512);

// biome-ignore format: a row per group
/** LID 80h; TYPE 0 empty, 1 registration preempted, 2 reservation released, 3 preempted. §5.1.12.1. */
export const RESERVATION_NOTIFICATION_LOG = layout({
  LOG_COUNT: 'u64', TYPE: 'u8', AVAILABLE: 'u8', RSV10: 2, NSID: 'u32', RSV16: 48,
}, 64);

// biome-ignore format: a row per group
/** LID 81h. SPROG in 1/65536, FFFFh idle; estimates in seconds, FFFFFFFFh unknown. Base 2.1 §5.1.12.1. */
export const SANITIZE_LOG = layout({
  SPROG: 'u16', SSTAT: 'u16', SCDW10: 'u32', ETO: 'u32', ETBE: 'u32', ETCE: 'u32',
  ETOND: 'u32', ETBEND: 'u32', ETCEND: 'u32', ETPVDS: 'u32', SSI: 'u8', RSV37: 475,
}, 512);
export const SSTAT = bits({ STATUS: [2, 0], PASSES: [7, 3], GDE: 8, MVCNCLD: 9 });
/** SPROG when no sanitize operation runs. */
export const SANITIZE_IDLE = 0xffff;
/** SANITIZE_LOG.SSI: what goes on, and whether a failure may be left without another sanitize operation. */
export const SSI = {
  IDLE: 0,
  RESTRICTED: 1,
  RESTRICTED_FAILURE: 2,
  UNRESTRICTED: 3,
  UNRESTRICTED_FAILURE: 4,
} as const;
/** SSTAT.STATUS. */
export const SANITIZE_STATUS = {
  NEVER: 0,
  SUCCESS: 1,
  IN_PROGRESS: 2,
  FAILED: 3,
  SUCCESS_DEALLOCATED: 4,
} as const;

/** DW0 of a completed Asynchronous Event Request. Base 2.1 §5.1.2.1. */
export const ASYNC_EVENT_DW0 = bits({ TYPE: [2, 0], INFO: [15, 8], LID: [23, 16] });
/** ASYNC_EVENT_DW0.TYPE. */
export const EVENT_TYPE = {
  ERROR: 0,
  SMART: 1,
  NOTICE: 2,
  IMMEDIATE: 3,
  ONE_SHOT: 4,
  IO_COMMAND_SET: 6,
  VENDOR: 7,
} as const;

const { ERROR, SMART, NOTICE, IMMEDIATE, ONE_SHOT, IO_COMMAND_SET } = EVENT_TYPE;

/** One kind of event. */
export interface AsyncEvent {
  readonly type: number;
  readonly info: number;
  /** The log page whose reading with RAE 0 lets the next event through. Types 3 and 4 are never held back. */
  readonly lid: number;
  /** Bits of Asynchronous Event Configuration, one of which must be set; 0 when the event is always on. */
  readonly enable: number;
  /** DW0 of the completion. */
  readonly dw0: number;
}

const event = (type: number, info: number, lid: number, enable = 0): AsyncEvent => ({
  type,
  info,
  lid,
  enable: enable >>> 0,
  dw0: ASYNC_EVENT_DW0.encode({ TYPE: type, INFO: info, LID: lid }),
});

/** Every defined event but those of vendors. Reservation events have their own mask, feature 82h. Base 2.1 §5.1.2.1. */
export const ASYNC_EVENT = {
  INVALID_DOORBELL_REGISTER: event(ERROR, 0x00, LID.ERROR),
  INVALID_DOORBELL_VALUE: event(ERROR, 0x01, LID.ERROR),
  DIAGNOSTIC_FAILURE: event(ERROR, 0x02, LID.ERROR),
  PERSISTENT_INTERNAL_ERROR: event(ERROR, 0x03, LID.ERROR),
  TRANSIENT_INTERNAL_ERROR: event(ERROR, 0x04, LID.ERROR),
  FIRMWARE_LOAD_ERROR: event(ERROR, 0x05, LID.ERROR),
  RELIABILITY: event(SMART, 0x00, LID.SMART, 0x3c),
  TEMPERATURE_THRESHOLD: event(SMART, 0x01, LID.SMART, 0x02),
  SPARE_BELOW_THRESHOLD: event(SMART, 0x02, LID.SMART, 0x01),
  NAMESPACE_ATTRIBUTE_CHANGED: event(NOTICE, 0x00, LID.CHANGED_NAMESPACES, 1 << 8),
  FIRMWARE_ACTIVATION_STARTING: event(NOTICE, 0x01, LID.FIRMWARE_SLOT, 1 << 9),
  TELEMETRY_CHANGED: event(NOTICE, 0x02, LID.TELEMETRY_CONTROLLER, 1 << 10),
  ANA_CHANGE: event(NOTICE, 0x03, LID.ANA, 1 << 11),
  PREDICTABLE_LATENCY_CHANGED: event(NOTICE, 0x04, LID.PREDICTABLE_LATENCY_EVENTS, 1 << 12),
  LBA_STATUS_ALERT: event(NOTICE, 0x05, LID.LBA_STATUS, 1 << 13),
  ENDURANCE_GROUP_CHANGED: event(NOTICE, 0x06, LID.ENDURANCE_GROUP_EVENTS, 1 << 14),
  REACHABILITY_GROUP_CHANGED: event(NOTICE, 0x07, LID.REACHABILITY_GROUPS, 1 << 17),
  REACHABILITY_ASSOCIATION_CHANGED: event(NOTICE, 0x08, LID.REACHABILITY_ASSOCIATIONS, 1 << 18),
  ALLOCATED_NAMESPACE_CHANGED: event(NOTICE, 0x09, LID.CHANGED_ALLOCATED_NAMESPACES, 1 << 19),
  ZONE_DESCRIPTOR_CHANGED: event(NOTICE, 0xef, LID.CHANGED_ZONES, 1 << 27),
  DISCOVERY_LOG_CHANGED: event(NOTICE, 0xf0, LID.DISCOVERY, 1 << 31),
  HOST_DISCOVERY_CHANGED: event(NOTICE, 0xf1, LID.HOST_DISCOVERY, 1 << 30),
  AVE_DISCOVERY_CHANGED: event(NOTICE, 0xf2, LID.AVE_DISCOVERY, 1 << 29),
  PULL_MODEL_DDC_REQUEST: event(NOTICE, 0xf3, LID.PULL_MODEL_DDC, 1 << 28),
  SUBSYSTEM_SHUTDOWN_STARTED: event(IMMEDIATE, 0x00, 0, 1 << 15),
  TEMPERATURE_RECOVERED: event(IMMEDIATE, 0x01, LID.SMART, 1 << 16),
  DATA_QUEUE_TAIL: event(ONE_SHOT, 0x00, 0),
  DATA_QUEUE_FULL: event(ONE_SHOT, 0x01, 0),
  RESERVATION_LOG_AVAILABLE: event(IO_COMMAND_SET, 0x00, LID.RESERVATION_NOTIFICATION),
  SANITIZE_COMPLETED: event(IO_COMMAND_SET, 0x01, LID.SANITIZE_STATUS),
  SANITIZE_COMPLETED_DEALLOCATED: event(IO_COMMAND_SET, 0x02, LID.SANITIZE_STATUS),
  SANITIZE_MEDIA_VERIFICATION: event(IO_COMMAND_SET, 0x03, LID.SANITIZE_STATUS),
} as const;

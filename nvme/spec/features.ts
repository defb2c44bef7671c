/**
 * Features: identifiers, the bits of CDW11 (Get returns the same bits in DW0), their data, and a table of
 * what the specification fixes for each. NVMe Base 2.1 §4.4, §5.1.25; NVM Command Set 1.1 §4.1.3.
 * Not here: defaults, and whether a feature can be saved or changed. Those are the controller's answers to
 * Get Features with SEL 3, in the bits of `FEATURE_CAPABILITIES`.
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

// biome-ignore format: rows as dense as the specification's table
/** Feature identifiers. Base 2.1 §5.1.25. */
export const FID = {
  ARBITRATION: 0x01, POWER_MANAGEMENT: 0x02, LBA_RANGE_TYPE: 0x03, TEMPERATURE_THRESHOLD: 0x04,
  ERROR_RECOVERY: 0x05, VOLATILE_WRITE_CACHE: 0x06, NUMBER_OF_QUEUES: 0x07, INTERRUPT_COALESCING: 0x08,
  INTERRUPT_VECTOR: 0x09, WRITE_ATOMICITY: 0x0a, ASYNC_EVENT: 0x0b, AUTONOMOUS_POWER: 0x0c,
  HOST_MEMORY_BUFFER: 0x0d, TIMESTAMP: 0x0e, KEEP_ALIVE: 0x0f, THERMAL_MANAGEMENT: 0x10,
  NON_OPERATIONAL_POWER: 0x11, READ_RECOVERY_LEVEL: 0x12, PREDICTABLE_LATENCY_CONFIG: 0x13,
  PREDICTABLE_LATENCY_WINDOW: 0x14, LBA_STATUS_INTERVAL: 0x15, HOST_BEHAVIOR: 0x16, SANITIZE_CONFIG: 0x17,
  ENDURANCE_GROUP_EVENT: 0x18, COMMAND_SET_PROFILE: 0x19, SPINUP_CONTROL: 0x1a, POWER_LOSS_SIGNALING: 0x1b,
  PERFORMANCE: 0x1c, DATA_PLACEMENT: 0x1d, DATA_PLACEMENT_EVENTS: 0x1e, NAMESPACE_ADMIN_LABEL: 0x1f,
  KEY_VALUE: 0x20, CONTROLLER_DATA_QUEUE: 0x21, ENHANCED_CONTROLLER_METADATA: 0x7d, CONTROLLER_METADATA: 0x7e,
  NAMESPACE_METADATA: 0x7f, SOFTWARE_PROGRESS: 0x80, HOST_IDENTIFIER: 0x81, RESERVATION_NOTIFICATION: 0x82,
  RESERVATION_PERSISTENCE: 0x83, NAMESPACE_WRITE_PROTECTION: 0x84, BOOT_PARTITION_PROTECTION: 0x85,
} as const;

/** Get Features' SEL. Base 2.1 §5.1.11. */
export const FEATURE_SELECT = { CURRENT: 0, DEFAULT: 1, SAVED: 2, CAPABILITIES: 3 } as const;
/** DW0 of Get Features with SEL 3. Base 2.1 §5.1.11. */
export const FEATURE_CAPABILITIES = bits({ SAVEABLE: 0, NAMESPACE_SPECIFIC: 1, CHANGEABLE: 2 });

/** CDW11 by feature, Base 2.1 §5.1.25.1. Weights are 0's based, AB is log2 and 7 means no limit. */
export const ARBITRATION = bits({ AB: [2, 0], LPW: [15, 8], MPW: [23, 16], HPW: [31, 24] });
export const POWER_MANAGEMENT = bits({ PS: [4, 0], WH: [7, 5] });
/** NUM is 0's based. */
export const LBA_RANGE_TYPE = bits({ NUM: [5, 0] });
/** Kelvin. TMPSEL 0 is the composite, 1 to 8 a sensor, Fh all. */
export const TEMPERATURE_THRESHOLD = bits({
  TMPTH: [15, 0],
  TMPSEL: [19, 16],
  THSEL: [21, 20],
  TMPTHH: [24, 22],
});
export const THSEL = { OVER: 0, UNDER: 1 } as const;
/** TLER in 100 ms. */
export const ERROR_RECOVERY = bits({ TLER: [15, 0], DULBE: 16 });
export const VOLATILE_WRITE_CACHE = bits({ WCE: 0 });
/** What the host asks for in CDW11 and what it gets in DW0 (NSQA, NCQA); all 0's based. */
export const NUMBER_OF_QUEUES = bits({ NSQR: [15, 0], NCQR: [31, 16] });
/** THR is 0's based, TIME in 100 us. */
export const INTERRUPT_COALESCING = bits({ THR: [7, 0], TIME: [15, 8] });
export const INTERRUPT_VECTOR = bits({ IV: [15, 0], CD: 16 });
export const WRITE_ATOMICITY = bits({ DN: 0 });
// biome-ignore format: a row per group
/** SMART holds the bits of the critical warning; the others are those of OAES. */
export const ASYNC_EVENT_CONFIG = bits({
  SMART: [5, 0],
  NSAN: 8, FAN: 9, TLN: 10, ANACN: 11, PLEAN: 12, LSIAN: 13, EGEAN: 14, NNSSHDN: 15, TTHRY: 16, RGRP0: 17,
  RASSN: 18, ANSAN: 19, ZDCN: 27, PMDRLPCN: 28, ADLPCN: 29, HDLPCN: 30, DLPCN: 31,
});
export const AUTONOMOUS_POWER = bits({ APSTE: 0 });
/** CDW11; CDW12 is HSIZE in pages of CC.MPS, CDW14:CDW13 the descriptor list and CDW15 its length. */
export const HOST_MEMORY_BUFFER = bits({ EHM: 0, MR: 1 });
/** CDW11 in milliseconds. */
export const KEEP_ALIVE = bits({ KATO: [31, 0] });
/** Kelvin. */
export const THERMAL_MANAGEMENT = bits({ TMT2: [15, 0], TMT1: [31, 16] });
export const NON_OPERATIONAL_POWER = bits({ NOPPME: 0 });
export const READ_RECOVERY_LEVEL = bits({ NVMSETID: [15, 0] });
export const READ_RECOVERY_LEVEL_CDW12 = bits({ RRL: [3, 0] });
export const PREDICTABLE_LATENCY_CONFIG = bits({ NVMSETID: [15, 0] });
export const PREDICTABLE_LATENCY_CONFIG_CDW12 = bits({ PLME: 0 });
export const PREDICTABLE_LATENCY_WINDOW = bits({ NVMSETID: [15, 0] });
export const PREDICTABLE_LATENCY_WINDOW_CDW12 = bits({ WSEL: [2, 0] });
/** Both in 100 ms. */
export const LBA_STATUS_INTERVAL = bits({ LSIRI: [15, 0], LSIPI: [31, 16] });
export const SANITIZE_CONFIG = bits({ NODRM: 0 });
export const ENDURANCE_GROUP_EVENT = bits({ ENDGID: [15, 0], EGWARN: [23, 16] });
/** Index into the vectors of Identify CNS 1Ch. */
export const COMMAND_SET_PROFILE = bits({ IOCSCI: [8, 0] });
export const SPINUP_CONTROL = bits({ SUEN: 0 });
export const POWER_LOSS_SIGNALING = bits({ PLSM: [1, 0] });
export const PERFORMANCE = bits({ ATTRI: [7, 0], RVSPA: 8 });
export const DATA_PLACEMENT = bits({ ENDGID: [15, 0] });
export const DATA_PLACEMENT_CDW12 = bits({ FDPE: 0, FDPCIDX: [15, 8] });
export const DATA_PLACEMENT_EVENTS = bits({ PHNDL: [15, 0], NOET: [23, 16] });
export const DATA_PLACEMENT_EVENTS_CDW12 = bits({ FDPEE: 0 });
export const KEY_VALUE = bits({ EDNEK: 0 });
export const CONTROLLER_DATA_QUEUE = bits({ CDQID: [15, 0], ETPT: 31 });
/** Set: element action. Get: GDHM generates default host metadata. */
export const HOST_METADATA = bits({ GDHM: 0, EA: [14, 13] });
export const SOFTWARE_PROGRESS = bits({ PBSLC: [7, 0] });
/** EXHID: the buffer is 16 bytes long instead of 8. */
export const HOST_IDENTIFIER = bits({ EXHID: 0 });
/** A set bit keeps the event back. */
export const RESERVATION_NOTIFICATION = bits({ REGPRE: 1, RESREL: 2, RESPRE: 3 });
export const RESERVATION_PERSISTENCE = bits({ PTPL: 0 });
export const NAMESPACE_WRITE_PROTECTION = bits({ WPS: [2, 0] });
export const WRITE_PROTECTION = { NONE: 0, PROTECTED: 1, UNTIL_POWER_CYCLE: 2, PERMANENT: 3 } as const;
export const BOOT_PARTITION_PROTECTION = bits({ BP0WPS: [2, 0], BP1WPS: [5, 3] });

/** Data of features, Base 2.1 §5.1.25.1. A list of up to 64 of these is the buffer of LBA Range Type. */
export const LBA_RANGE = layout(
  { TYPE: 'u8', ATTRIBUTES: 'u8', RSV2: 14, SLBA: 'u64', NLB: 'u64', GUID: 16, RSV48: 16 },
  64,
);
/** Low word of each of the 32 transitions; ITPT in ms, 0 is off; the high word is reserved. */
export const POWER_TRANSITION = bits({ ITPS: [7, 3], ITPT: [31, 8] });
/** MILLISECONDS since 1970, 48 bits. */
export const TIMESTAMP = layout({ MILLISECONDS: 6, ATTRIBUTES: 'u8', RSV7: 1 }, 8);
export const TIMESTAMP_ATTRIBUTES = bits({ SYNCH: 0, ORIGIN: [3, 1] });
export const HOST_BEHAVIOR = layout(
  { ACRE: 'u8', ETDAS: 'u8', LBAFEE: 'u8', HDISNS: 'u8', CDFE: 'u16', RSV6: 506 },
  512,
);
/** BSIZE in pages of CC.MPS. */
export const HOST_MEMORY_DESCRIPTOR = layout({ BADD: 'u64', BSIZE: 'u32', RSV12: 4 }, 16);
export const HOST_MEMORY_ATTRIBUTES = layout(
  { HSIZE: 'u32', HMDLAL: 'u32', HMDLAU: 'u32', HMDLEC: 'u32', RSV16: 4080 },
  4096,
);

export type FeatureScope =
  | 'controller'
  | 'namespace'
  | 'subsystem'
  | 'domain'
  | 'NVM set'
  | 'endurance group'
  | 'reclaim unit handle'
  | 'data queue'
  | 'host';

/** What the specification fixes about a feature. */
export interface Feature {
  readonly name: string;
  /** What the value belongs to. Only the scope `namespace` makes the feature namespace specific. */
  readonly scope: FeatureScope;
  /** Whether the current value survives resets and power cycles when it cannot be saved. Base 2.1 §4.4. */
  readonly persists: boolean;
  /** Size of the data buffer, the largest when it varies; 0 without one. */
  readonly get_bytes: number;
  readonly set_bytes: number;
}

const feature = (
  name: string,
  scope: FeatureScope,
  persists: boolean,
  get_bytes = 0,
  set_bytes = get_bytes,
): Feature => ({ name, scope, persists, get_bytes, set_bytes });

/** By feature identifier. Base 2.1 §5.1.25.1. `persists` of 20h and 7Dh to 85h awaits a second source. */
export const FEATURES: Readonly<Record<number, Feature>> = {
  [FID.ARBITRATION]: feature('Arbitration', 'controller', false),
  [FID.POWER_MANAGEMENT]: feature('Power Management', 'controller', false),
  [FID.LBA_RANGE_TYPE]: feature('LBA Range Type', 'namespace', true, 4096),
  [FID.TEMPERATURE_THRESHOLD]: feature('Temperature Threshold', 'controller', false),
  [FID.ERROR_RECOVERY]: feature('Error Recovery', 'namespace', false),
  [FID.VOLATILE_WRITE_CACHE]: feature('Volatile Write Cache', 'controller', false),
  [FID.NUMBER_OF_QUEUES]: feature('Number of Queues', 'controller', false),
  [FID.INTERRUPT_COALESCING]: feature('Interrupt Coalescing', 'controller', false),
  [FID.INTERRUPT_VECTOR]: feature('Interrupt Vector Configuration', 'controller', false),
  [FID.WRITE_ATOMICITY]: feature('Write Atomicity Normal', 'controller', false),
  [FID.ASYNC_EVENT]: feature('Asynchronous Event Configuration', 'controller', false),
  [FID.AUTONOMOUS_POWER]: feature('Autonomous Power State Transition', 'controller', false, 256),
  [FID.HOST_MEMORY_BUFFER]: feature('Host Memory Buffer', 'controller', false, 4096, 0),
  [FID.TIMESTAMP]: feature('Timestamp', 'controller', false, 8),
  [FID.KEEP_ALIVE]: feature('Keep Alive Timer', 'controller', false),
  [FID.THERMAL_MANAGEMENT]: feature('Host Controlled Thermal Management', 'controller', true),
  [FID.NON_OPERATIONAL_POWER]: feature('Non-Operational Power State Config', 'controller', false),
  [FID.READ_RECOVERY_LEVEL]: feature('Read Recovery Level Config', 'NVM set', true),
  [FID.PREDICTABLE_LATENCY_CONFIG]: feature('Predictable Latency Mode Config', 'NVM set', false, 512),
  [FID.PREDICTABLE_LATENCY_WINDOW]: feature('Predictable Latency Mode Window', 'NVM set', false),
  [FID.LBA_STATUS_INTERVAL]: feature('LBA Status Information Report Interval', 'controller', false),
  [FID.HOST_BEHAVIOR]: feature('Host Behavior Support', 'controller', false, 512),
  [FID.SANITIZE_CONFIG]: feature('Sanitize Config', 'subsystem', true),
  [FID.ENDURANCE_GROUP_EVENT]: feature('Endurance Group Event Configuration', 'endurance group', false),
  [FID.COMMAND_SET_PROFILE]: feature('I/O Command Set Profile', 'controller', true),
  [FID.SPINUP_CONTROL]: feature('Spinup Control', 'subsystem', true),
  [FID.POWER_LOSS_SIGNALING]: feature('Power Loss Signaling Config', 'domain', true),
  [FID.PERFORMANCE]: feature('Performance Characteristics', 'namespace', true, 4096),
  [FID.DATA_PLACEMENT]: feature('Flexible Data Placement', 'endurance group', true),
  [FID.DATA_PLACEMENT_EVENTS]: feature(
    'Flexible Data Placement Events',
    'reclaim unit handle',
    true,
    510,
    255,
  ),
  [FID.NAMESPACE_ADMIN_LABEL]: feature('Namespace Admin Label', 'namespace', true, 256),
  [FID.KEY_VALUE]: feature('Key Value Configuration', 'namespace', true),
  [FID.CONTROLLER_DATA_QUEUE]: feature('Controller Data Queue', 'data queue', false, 8),
  [FID.ENHANCED_CONTROLLER_METADATA]: feature('Enhanced Controller Metadata', 'controller', false, 4096),
  [FID.CONTROLLER_METADATA]: feature('Controller Metadata', 'controller', false, 4096),
  [FID.NAMESPACE_METADATA]: feature('Namespace Metadata', 'namespace', false, 4096),
  [FID.SOFTWARE_PROGRESS]: feature('Software Progress Marker', 'controller', true),
  [FID.HOST_IDENTIFIER]: feature('Host Identifier', 'host', false, 16),
  [FID.RESERVATION_NOTIFICATION]: feature('Reservation Notification Mask', 'namespace', false),
  [FID.RESERVATION_PERSISTENCE]: feature('Reservation Persistence', 'namespace', true),
  [FID.NAMESPACE_WRITE_PROTECTION]: feature('Namespace Write Protection Config', 'namespace', true),
  [FID.BOOT_PARTITION_PROTECTION]: feature('Boot Partition Write Protection Config', 'subsystem', false),
};

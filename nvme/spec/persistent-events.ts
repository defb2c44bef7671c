/**
 * The Persistent Event log, LID 0Dh: header, event header, and the data of the events that are recorded here.
 * NVMe Base 2.1 §5.1.12.1.14. Not here: which events happen (nvme/admin/persistent-events.ts).
 */
import { bits } from '../../support/bits.ts';
import { layout } from '../../support/layout.ts';

/** Get Log Page's LSP for this page. */
export const PERSISTENT_EVENT_ACTION = { READ: 0, ESTABLISH: 1, RELEASE: 2, ESTABLISH_HEADER: 3 } as const;

// biome-ignore format: offsets in front of each row
/** TNEV events in TLL bytes; LHL is the header's length less 20; SEB has a bit for each type of event. */
export const PERSISTENT_EVENT_LOG = layout({
  /*   0 */ LID: 'u8', RSV1: 3, TNEV: 'u32', TLL: 'u64', LREV: 'u8', RSV17: 1, LHL: 'u16', TIMESTAMP: 8,
  /*  28 */ POWER_ON_HOURS: 16, POWER_CYCLES: 'u64', VID: 'u16', SSVID: 'u16', SN: 20, MN: 40, SUBNQN: 256,
  /* 372 */ GENERATION: 'u16', RCI: 'u32', RSV378: 102, SEB: 32,
}, 512);
export const PERSISTENT_EVENT_REVISION = 3;
/** RCI: the context exists. */
export const REPORTING_CONTEXT = bits({ EXISTS: 18 });

// biome-ignore format: offsets in front of each row
/** In front of each event; EHL is this header's length less 3, EL the length of what follows. */
export const PERSISTENT_EVENT = layout({
  /*  0 */ TYPE: 'u8', REVISION: 'u8', EHL: 'u8', EHAI: 'u8', CNTLID: 'u16', TIMESTAMP: 8, PELPID: 'u16',
  /* 16 */ RSV16: 4, VSIL: 'u16', EL: 'u16',
}, 24);

/** PERSISTENT_EVENT.TYPE. */
export const PERSISTENT_EVENT_TYPE = {
  SMART: 0x01,
  FIRMWARE_COMMIT: 0x02,
  TIMESTAMP_CHANGE: 0x03,
  POWER_ON_OR_RESET: 0x04,
  CHANGE_NAMESPACE: 0x06,
  FORMAT_START: 0x07,
  FORMAT_COMPLETION: 0x08,
  SANITIZE_START: 0x09,
  SANITIZE_COMPLETION: 0x0a,
  TELEMETRY_CREATED: 0x0c,
  THERMAL_EXCURSION: 0x0d,
} as const;

// biome-ignore format: a row per group
export const FIRMWARE_COMMIT_EVENT = layout({
  OLD: 8, NEW: 8, ACTION: 'u8', SLOT: 'u8', SCT: 'u8', SC: 'u8', VENDOR: 'u16',
}, 22);
export const TIMESTAMP_EVENT = layout({ PREVIOUS: 8, SINCE_RESET: 'u64' }, 16);
// biome-ignore format: a row per group
/** The revision and, for the one controller, what it was doing. */
export const RESET_EVENT = layout({
  REVISION: 8, CNTLID: 'u16', FIRMWARE_ACTIVATION: 'u8', OPERATION: 'u8', RSV12: 12, POWER_CYCLES: 'u32',
  POWER_ON_MS: 'u64', TIMESTAMP: 8,
}, 44);
// biome-ignore format: a row per group
export const NAMESPACE_EVENT = layout({
  CDW10: 'u32', RSV4: 4, NSZE: 'u64', RSV16: 8, NCAP: 'u64', FLBAS: 'u8', DPS: 'u8', NMIC: 'u8', RSV35: 1,
  ANAGRPID: 'u32', NVMSETID: 'u16', RSV42: 2, NSID: 'u32',
}, 48);
export const FORMAT_START_EVENT = layout({ NSID: 'u32', FNA: 'u8', RSV5: 3, CDW10: 'u32' }, 12);
export const FORMAT_COMPLETION_EVENT = layout(
  { NSID: 'u32', FPI: 'u8', STATUS: 'u8', INFORMATION: 'u16', STATUS_FIELD: 'u16', RSV10: 2 },
  12,
);
export const SANITIZE_START_EVENT = layout({ SANICAP: 'u32', CDW10: 'u32', CDW11: 'u32' }, 12);
export const SANITIZE_COMPLETION_EVENT = layout(
  { SPROG: 'u16', SSTAT: 'u16', INFORMATION: 'u16', RSV6: 2 },
  8,
);

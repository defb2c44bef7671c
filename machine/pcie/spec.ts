/**
 * Configuration space of PCI and PCI Express functions: offsets, bit fields, capability ids, class codes.
 * PCI Express Base 6.0 chapter 7; PCI-to-PCI Bridge Architecture 1.2 chapter 3; PCI Bus Power Management 1.2 chapter 3.
 * Offsets inside a capability count from its first byte. A driver may import this file.
 * Not here: register rules and behaviour (config-space.ts, capabilities.ts, bridge.ts).
 */
import { bits } from '../../support/bits.ts';

/** Bytes of one function's configuration space; capabilities of the PCI kind live in the first 256. Base §7.2. */
export const CONFIG_BYTES = 4096;
export const PCI_CONFIG_BYTES = 256;

/** Header fields common to both header types, then type 0. Base §7.5.1.1, §7.5.1.2. */
export const CONFIG = {
  VENDOR: 0x00,
  DEVICE: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION: 0x08,
  CLASS: 0x09,
  CACHE_LINE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BIST: 0x0f,
  BAR0: 0x10,
  CARDBUS_CIS: 0x28,
  SUBSYSTEM_VENDOR: 0x2c,
  SUBSYSTEM: 0x2e,
  ROM: 0x30,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
  EXTENDED: 0x100,
} as const;

/** Type 1 header fields, bridges. Base §7.5.1.3. */
export const BRIDGE = {
  PRIMARY: 0x18,
  SECONDARY: 0x19,
  SUBORDINATE: 0x1a,
  SECONDARY_LATENCY: 0x1b,
  IO_BASE: 0x1c,
  IO_LIMIT: 0x1d,
  SECONDARY_STATUS: 0x1e,
  MEMORY_BASE: 0x20,
  MEMORY_LIMIT: 0x22,
  PREFETCHABLE_BASE: 0x24,
  PREFETCHABLE_LIMIT: 0x26,
  PREFETCHABLE_BASE_HI: 0x28,
  PREFETCHABLE_LIMIT_HI: 0x2c,
  ROM: 0x38,
  CONTROL: 0x3e,
} as const;

/** Bridge memory windows are given in units of 1 MiB. Bridge §3.2.5.8. */
export const BRIDGE_WINDOW_UNIT = 0x10_0000;

/** Command register, in the low half of the word at 0x04. Base §7.5.1.1.3. */
export const COMMAND = bits({ IO: 0, MEMORY: 1, BUS_MASTER: 2, PARITY: 6, SERR: 8, INTX_DISABLE: 10 });

/** Status register. Base §7.5.1.1.4. */
export const STATUS = bits({
  INTERRUPT: 3,
  CAPABILITIES: 4,
  MASTER_PARITY: 8,
  SIGNALED_ABORT: 11,
  RECEIVED_TARGET_ABORT: 12,
  RECEIVED_MASTER_ABORT: 13,
  SYSTEM_ERROR: 14,
  PARITY_ERROR: 15,
});

/** Status bits that software clears by writing one; the secondary status of a bridge has the same. */
export const STATUS_ERRORS = STATUS.encode({
  MASTER_PARITY: 1,
  SIGNALED_ABORT: 1,
  RECEIVED_TARGET_ABORT: 1,
  RECEIVED_MASTER_ABORT: 1,
  SYSTEM_ERROR: 1,
  PARITY_ERROR: 1,
});

/** Header type. Base §7.5.1.1.9. */
export const HEADER_TYPE = bits({ LAYOUT: [6, 0], MULTIFUNCTION: 7 });
/** Bridge control. Base §7.5.1.3.13. */
export const BRIDGE_CONTROL = bits({ PARITY: 0, SERR: 1, ISA: 2, VGA: 3, VGA_16BIT: 4, BUS_RESET: 6 });

/** Low word of a base address register. Base §7.5.1.2.1. */
export const BAR = bits({ IO: 0, TYPE: [2, 1], PREFETCHABLE: 3 });
/** BAR.TYPE of a 64-bit BAR; a 32-bit one has 0. */
export const BAR_TYPE_64 = 2;

/** Capability ids. PCI Code and ID Assignment §2. */
export const CAPABILITY = {
  POWER_MANAGEMENT: 0x01,
  MSI: 0x05,
  VENDOR: 0x09,
  PCIE: 0x10,
  MSIX: 0x11,
} as const;
/** Extended capability ids. PCI Code and ID Assignment §3. */
export const EXTENDED_CAPABILITY = { AER: 0x0001, SERIAL_NUMBER: 0x0003, ACS: 0x000d, ARI: 0x000e } as const;
/** Header of an extended capability. Base §7.6.3. */
export const EXTENDED_HEADER = bits({ ID: [15, 0], VERSION: [19, 16], NEXT: [31, 20] });

/** Class code: base class, subclass, programming interface. PCI Code and ID Assignment §1. */
export const CLASS = {
  NVME: 0x010802,
  HOST_BRIDGE: 0x060000,
  ISA_BRIDGE: 0x060100,
  PCI_BRIDGE: 0x060400,
} as const;

/** Power management capability. PCI PM §3.2. */
export const PM = { CAPABILITIES: 0x02, CONTROL: 0x04, SIZE: 0x08 } as const;
export const PM_CAPABILITIES = bits({ VERSION: [2, 0], DSI: 5, D1: 9, D2: 10, PME_SUPPORT: [15, 11] });
export const PM_CONTROL = bits({ POWER_STATE: [1, 0], NO_SOFT_RESET: 3, PME_ENABLE: 8, PME_STATUS: 15 });
/** PM_CONTROL.POWER_STATE. */
export const POWER_STATE = { D0: 0, D1: 1, D2: 2, D3HOT: 3 } as const;

/** PCI Express capability, version 2. Base §7.5.3. */
export const PCIE = {
  CAPABILITIES: 0x02,
  DEVICE_CAPABILITIES: 0x04,
  DEVICE_CONTROL: 0x08,
  DEVICE_STATUS: 0x0a,
  LINK_CAPABILITIES: 0x0c,
  LINK_CONTROL: 0x10,
  LINK_STATUS: 0x12,
  SLOT_CAPABILITIES: 0x14,
  SLOT_CONTROL: 0x18,
  SLOT_STATUS: 0x1a,
  ROOT_CONTROL: 0x1c,
  ROOT_CAPABILITIES: 0x1e,
  ROOT_STATUS: 0x20,
  DEVICE_CAPABILITIES_2: 0x24,
  DEVICE_CONTROL_2: 0x28,
  LINK_CAPABILITIES_2: 0x2c,
  LINK_CONTROL_2: 0x30,
  LINK_STATUS_2: 0x32,
  SIZE: 0x3c,
} as const;

/** PCI Express capabilities register. Base §7.5.3.2. */
export const PCIE_CAPABILITIES = bits({ VERSION: [3, 0], PORT_TYPE: [7, 4], SLOT: 8, INTERRUPT: [13, 9] });
/** PCIE_CAPABILITIES.PORT_TYPE. */
export const PORT_TYPE = {
  ENDPOINT: 0,
  ROOT_PORT: 4,
  UPSTREAM: 5,
  DOWNSTREAM: 6,
  INTEGRATED_ENDPOINT: 9,
} as const;
/** Device capabilities. Base §7.5.3.3. Payload sizes are 128 << field. */
export const DEVICE_CAPABILITIES = bits({
  MAX_PAYLOAD: [2, 0],
  EXTENDED_TAG: 5,
  L0S_LATENCY: [8, 6],
  L1_LATENCY: [11, 9],
  ROLE_BASED_ERRORS: 15,
  FLR: 28,
});
/** Device control. Base §7.5.3.4. Bit 15 reads 0: writing 1 to it begins a function level reset. */
export const DEVICE_CONTROL = bits({
  ERROR_REPORTING: [3, 0],
  RELAXED_ORDERING: 4,
  MAX_PAYLOAD: [7, 5],
  EXTENDED_TAG: 8,
  NO_SNOOP: 11,
  MAX_READ_REQUEST: [14, 12],
  INITIATE_FLR: 15,
});
/** Device status. Base §7.5.3.5. */
export const DEVICE_STATUS = bits({
  CORRECTABLE: 0,
  NON_FATAL: 1,
  FATAL: 2,
  UNSUPPORTED_REQUEST: 3,
  TRANSACTIONS_PENDING: 5,
});
/** The errors among them: written with 1, they are cleared. */
export const DEVICE_ERRORS = DEVICE_STATUS.encode({
  CORRECTABLE: 1,
  NON_FATAL: 1,
  FATAL: 1,
  UNSUPPORTED_REQUEST: 1,
});
/** Link capabilities. Base §7.5.3.6. */
export const LINK_CAPABILITIES = bits({ SPEED: [3, 0], WIDTH: [9, 4], ASPM: [11, 10], PORT: [31, 24] });
/** Link control. Base §7.5.3.7. */
export const LINK_CONTROL = bits({ ASPM: [1, 0], RCB: 3, DISABLE: 4, COMMON_CLOCK: 6, EXTENDED_SYNCH: 7 });
/** Link status. Base §7.5.3.8. */
export const LINK_STATUS = bits({ SPEED: [3, 0], WIDTH: [9, 4], ACTIVE: 13 });
/** Link capabilities 2: bit n of the vector stands for generation n. Base §7.5.3.18. */
export const LINK_CAPABILITIES_2 = bits({ SPEEDS: [7, 1] });
/** Link control 2. Base §7.5.3.19. */
export const LINK_CONTROL_2 = bits({ TARGET_SPEED: [3, 0] });

/** MSI capability with 64-bit addresses and masks. Base §7.7.1. */
export const MSI = {
  CONTROL: 0x02,
  ADDRESS: 0x04,
  ADDRESS_HI: 0x08,
  DATA: 0x0c,
  MASK: 0x10,
  PENDING: 0x14,
  SIZE: 0x18,
} as const;
/** Message control. CAPABLE and GRANTED messages are log2. Base §7.7.1.2. */
export const MSI_CONTROL = bits({ ENABLE: 0, CAPABLE: [3, 1], GRANTED: [6, 4], IS_64: 7, MASKABLE: 8 });
export const MSI_MAX_VECTORS = 32;

/** MSI-X capability. Base §7.7.2. */
export const MSIX = { CONTROL: 0x02, TABLE: 0x04, PBA: 0x08, SIZE: 0x0c } as const;
/** Message control. TABLE_SIZE is the number of vectors minus one. Base §7.7.2.2. */
export const MSIX_CONTROL = bits({ TABLE_SIZE: [10, 0], FUNCTION_MASK: 14, ENABLE: 15 });
/** Table and PBA words: which BAR (BIR), and an offset whose low three bits are zero. Base §7.7.2.3. */
export const MSIX_BIR_MASK = 7;
export const MSIX_MAX_VECTORS = 2048;
/** One entry of the MSI-X table. Base §7.7.2.5. */
export const MSIX_ENTRY = { ADDRESS: 0x0, ADDRESS_HI: 0x4, DATA: 0x8, CONTROL: 0xc, SIZE: 0x10 } as const;
/** Vector control. Base §7.7.2.8. */
export const MSIX_VECTOR_CONTROL = bits({ MASK: 0 });

/** Advanced error reporting. Base §7.8.4. */
export const AER = {
  UNCORRECTABLE_STATUS: 0x04,
  UNCORRECTABLE_MASK: 0x08,
  UNCORRECTABLE_SEVERITY: 0x0c,
  CORRECTABLE_STATUS: 0x10,
  CORRECTABLE_MASK: 0x14,
  CONTROL: 0x18,
  HEADER_LOG: 0x1c,
  SIZE: 0x2c,
} as const;
/** Uncorrectable errors; status, mask and severity share the positions. Base §7.8.4.2. */
export const UNCORRECTABLE = bits({
  DATA_LINK: 4,
  SURPRISE_DOWN: 5,
  POISONED: 12,
  FLOW_CONTROL: 13,
  COMPLETION_TIMEOUT: 14,
  COMPLETER_ABORT: 15,
  UNEXPECTED_COMPLETION: 16,
  RECEIVER_OVERFLOW: 17,
  MALFORMED: 18,
  ECRC: 19,
  UNSUPPORTED_REQUEST: 20,
  INTERNAL: 22,
});
/** Correctable errors. Base §7.8.4.5. */
export const CORRECTABLE = bits({
  RECEIVER: 0,
  BAD_TLP: 6,
  BAD_DLLP: 7,
  REPLAY_ROLLOVER: 8,
  REPLAY_TIMEOUT: 12,
  ADVISORY_NON_FATAL: 13,
});

/** Device serial number: two words after the header. Base §7.9.3. */
export const SERIAL_NUMBER = { LOW: 0x04, HIGH: 0x08, SIZE: 0x0c } as const;

/** Device number << 3 | function number. */
export const devfn = (device: number, fn: number): number => (device << 3) | fn;

/** A routing id as people write it: `01:00.0`. */
export function bdfText(bdf: number): string {
  const byte = (value: number) => value.toString(16).padStart(2, '0');
  return `${byte(bdf >>> 8)}:${byte((bdf >>> 3) & 0x1f)}.${bdf & 7}`;
}

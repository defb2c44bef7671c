/**
 * Capabilities as data: a function lists them with the offsets its board wants, in the order of its capability list,
 * and `configSpace` turns the list into registers and their effects (power states, function level reset).
 * Not here: what MSI and MSI-X do (msi.ts, msix.ts), header registers of bridges (bridge.ts).
 */
import { assert } from '../../support/assert.ts';
import { isPowerOfTwo } from '../../support/numbers.ts';
import { ConfigSpace, type HeaderDescription } from './config-space.ts';
import {
  AER,
  CAPABILITY,
  CORRECTABLE,
  DEVICE_CAPABILITIES,
  DEVICE_CONTROL,
  DEVICE_ERRORS,
  EXTENDED_CAPABILITY,
  LINK_CAPABILITIES,
  LINK_CAPABILITIES_2,
  LINK_CONTROL,
  LINK_CONTROL_2,
  LINK_STATUS,
  MSI,
  MSI_CONTROL,
  MSI_MAX_VECTORS,
  MSIX,
  MSIX_CONTROL,
  MSIX_MAX_VECTORS,
  PCIE,
  PCIE_CAPABILITIES,
  PM,
  PM_CAPABILITIES,
  PM_CONTROL,
  PORT_TYPE,
  POWER_STATE,
  SERIAL_NUMBER,
  UNCORRECTABLE,
} from './spec.ts';

/** D0 and D3hot. Without `noSoftReset` the way back to D0 resets the function. */
export interface PowerManagementDescription {
  readonly kind: 'powerManagement';
  readonly offset: number;
  readonly noSoftReset: boolean;
}

/** Version 2 of the PCI Express capability. */
export interface PcieDescription {
  readonly kind: 'pcie';
  readonly offset: number;
  readonly port: keyof typeof PORT_TYPE;
  readonly link: { readonly generation: 1 | 2 | 3 | 4 | 5; readonly lanes: 1 | 2 | 4 | 8 | 16 };
  /** Function level reset; endpoints only. */
  readonly flr: boolean;
  /** Largest payload the function supports, 128 to 4096. */
  readonly maxPayload_bytes: number;
  /** Link capabilities' ASPM support: bit 0 for L0s, bit 1 for L1. Default 0. */
  readonly aspm?: number;
  /** Reset value of device control. Default: relaxed ordering, no snoop and 512-byte read requests (Base §7.5.3.4). */
  readonly deviceControl?: number;
  /** Bits of device control that can be written, besides function level reset. Default: all. */
  readonly deviceControlWritable?: number;
  /** Bits of device control 2 that can be written. Default: none. */
  readonly deviceControl2Writable?: number;
  /** The device capabilities 2 word. Default 0. */
  readonly deviceCapabilities2?: number;
}

/** Messages with 64-bit addresses and a mask bit each: a power of two up to 32 of them. */
export interface MsiDescription {
  readonly kind: 'msi';
  readonly offset: number;
  readonly vectors: number;
}

/** Where the MSI-X structures are; offsets into their BARs are multiples of 8. */
export interface MsixDescription {
  readonly kind: 'msix';
  readonly offset: number;
  readonly vectors: number;
  readonly table: { readonly bar: number; readonly offset: number };
  readonly pba: { readonly bar: number; readonly offset: number };
}

/** Advanced error reporting: the registers only, all of them sticky. */
export interface AerDescription {
  readonly kind: 'aer';
  readonly offset: number;
}

/** An EUI-64 as two words. */
export interface SerialNumberDescription {
  readonly kind: 'serialNumber';
  readonly offset: number;
  readonly low: number;
  readonly high: number;
}

export type CapabilityDescription =
  | PowerManagementDescription
  | PcieDescription
  | MsiDescription
  | MsixDescription
  | AerDescription
  | SerialNumberDescription;

/** A function's configuration space, as data. */
export interface FunctionDescription extends HeaderDescription {
  /** In the order of the capability list; extended ones in the order of theirs. */
  readonly capabilities: readonly CapabilityDescription[];
  /** Bytes of no capability keep what is written to them. Default: they read as 0. */
  readonly scratch?: boolean;
}

/** Builds the configuration space of a function. Throws when the description contradicts itself. */
export function configSpace(description: FunctionDescription): ConfigSpace {
  const config = new ConfigSpace(description);
  for (const capability of description.capabilities) {
    switch (capability.kind) {
      case 'powerManagement':
        addPowerManagement(config, capability);
        break;
      case 'pcie':
        addPcie(config, capability);
        break;
      case 'msi':
        addMsi(config, capability);
        break;
      case 'msix':
        addMsix(config, capability);
        break;
      case 'aer':
        addAer(config, capability);
        break;
      case 'serialNumber':
        addSerialNumber(config, capability);
        break;
    }
  }
  if (description.scratch === true) config.addScratch();
  return config;
}

function addPowerManagement(config: ConfigSpace, { offset, noSoftReset }: PowerManagementDescription): void {
  config.addCapability(CAPABILITY.POWER_MANAGEMENT, offset, PM.SIZE);
  config.register(offset + PM.CAPABILITIES, 2, { value: PM_CAPABILITIES.encode({ VERSION: 3 }) });
  const control = offset + PM.CONTROL;
  const value = PM_CONTROL.encode({ NO_SOFT_RESET: noSoftReset ? 1 : 0 });
  config.register(control, 2, { value, writable: PM_CONTROL.POWER_STATE.mask });
  config.onWrite(control, (now, old) => {
    const state = PM_CONTROL.POWER_STATE.get(now);
    const before = PM_CONTROL.POWER_STATE.get(old);
    if (state === POWER_STATE.D1 || state === POWER_STATE.D2) {
      // A state that is not supported is not entered (PCI PM §3.2.4).
      config.set(control, 2, PM_CONTROL.POWER_STATE.set(now, before) & 0xffff);
      return;
    }
    config.sleep(state === POWER_STATE.D3HOT);
    const isWaking = before === POWER_STATE.D3HOT && state === POWER_STATE.D0;
    if (isWaking && !noSoftReset) config.notify('reset');
  });
}

/** Relaxed ordering and no snoop on, 128-byte payloads, 512-byte read requests. */
const DEVICE_CONTROL_RESET = DEVICE_CONTROL.encode({ RELAXED_ORDERING: 1, NO_SNOOP: 1, MAX_READ_REQUEST: 2 });

function addPcie(config: ConfigSpace, description: PcieDescription): void {
  const { offset, port, link, flr, aspm = 0 } = description;
  config.addCapability(CAPABILITY.PCIE, offset, PCIE.SIZE);
  const capabilities = PCIE_CAPABILITIES.encode({ VERSION: 2, PORT_TYPE: PORT_TYPE[port] });
  config.register(offset + PCIE.CAPABILITIES, 2, { value: capabilities });
  addDeviceRegisters(config, description);

  const speed = { SPEED: link.generation, WIDTH: link.lanes };
  const vector = link.generation === 1 ? 0 : (1 << link.generation) - 1;
  config.register(offset + PCIE.LINK_CAPABILITIES, 4, {
    value: LINK_CAPABILITIES.encode({ ...speed, ASPM: aspm }),
  });
  const linkControl = LINK_CONTROL.encode({ ASPM: 3, RCB: 1, COMMON_CLOCK: 1, EXTENDED_SYNCH: 1 });
  config.register(offset + PCIE.LINK_CONTROL, 2, { writable: linkControl });
  config.register(offset + PCIE.LINK_STATUS, 2, { value: LINK_STATUS.encode(speed) });
  config.register(offset + PCIE.LINK_CAPABILITIES_2, 4, {
    value: LINK_CAPABILITIES_2.encode({ SPEEDS: vector }),
  });
  if (vector !== 0) {
    const value = LINK_CONTROL_2.encode({ TARGET_SPEED: link.generation });
    config.register(offset + PCIE.LINK_CONTROL_2, 2, { value, writable: LINK_CONTROL_2.TARGET_SPEED.mask });
  }
  assert(
    !flr || port === 'ENDPOINT' || port === 'INTEGRATED_ENDPOINT',
    'only endpoints have function level reset',
  );
}

function addDeviceRegisters(config: ConfigSpace, description: PcieDescription): void {
  const {
    offset,
    flr,
    maxPayload_bytes,
    deviceControl = DEVICE_CONTROL_RESET,
    deviceControlWritable = 0xffff,
    deviceControl2Writable = 0,
    deviceCapabilities2 = 0,
  } = description;
  const payload = Math.log2(maxPayload_bytes) - 7;
  assert(isPowerOfTwo(maxPayload_bytes) && payload >= 0 && payload <= 5, 'a payload is 128 to 4096 bytes');
  const capabilities = { MAX_PAYLOAD: payload, ROLE_BASED_ERRORS: 1, FLR: flr ? 1 : 0 };
  config.register(offset + PCIE.DEVICE_CAPABILITIES, 4, { value: DEVICE_CAPABILITIES.encode(capabilities) });
  config.register(offset + PCIE.DEVICE_CAPABILITIES_2, 4, { value: deviceCapabilities2 });
  config.register(offset + PCIE.DEVICE_CONTROL_2, 2, { writable: deviceControl2Writable });

  const control = offset + PCIE.DEVICE_CONTROL;
  const flrBit = DEVICE_CONTROL.INITIATE_FLR.mask;
  const writable = (deviceControlWritable & ~flrBit) | (flr ? flrBit : 0);
  config.register(control, 2, { value: deviceControl, writable });
  config.register(offset + PCIE.DEVICE_STATUS, 2, { clear: DEVICE_ERRORS });
  config.onWrite(control, (now) => {
    if ((now & flrBit) === 0) return;
    config.set(control, 2, now & ~flrBit & 0xffff);
    config.notify('reset');
  });
}

function addMsi(config: ConfigSpace, { offset, vectors }: MsiDescription): void {
  assert(
    isPowerOfTwo(vectors) && vectors <= MSI_MAX_VECTORS,
    `MSI has a power of two up to ${MSI_MAX_VECTORS} vectors, not ${vectors}`,
  );
  config.addCapability(CAPABILITY.MSI, offset, MSI.SIZE);
  const value = MSI_CONTROL.encode({ CAPABLE: Math.log2(vectors), IS_64: 1, MASKABLE: 1 });
  const writable = MSI_CONTROL.encode({ ENABLE: 1, GRANTED: 7 });
  config.register(offset + MSI.CONTROL, 2, { value, writable });
  config.register(offset + MSI.ADDRESS, 4, { writable: -4 });
  config.register(offset + MSI.ADDRESS_HI, 4, { writable: -1 });
  config.register(offset + MSI.DATA, 2, { writable: 0xffff });
  config.register(offset + MSI.MASK, 4, { writable: vectors === 32 ? -1 : (1 << vectors) - 1 });
}

function addMsix(config: ConfigSpace, { offset, vectors, table, pba }: MsixDescription): void {
  assert(
    vectors >= 1 && vectors <= MSIX_MAX_VECTORS,
    `MSI-X has 1 to ${MSIX_MAX_VECTORS} vectors, not ${vectors}`,
  );
  assert(((table.offset | pba.offset) & 7) === 0, 'the MSI-X table and PBA begin at multiples of 8');
  config.addCapability(CAPABILITY.MSIX, offset, MSIX.SIZE);
  const writable = MSIX_CONTROL.encode({ ENABLE: 1, FUNCTION_MASK: 1 });
  config.register(offset + MSIX.CONTROL, 2, {
    value: MSIX_CONTROL.encode({ TABLE_SIZE: vectors - 1 }),
    writable,
  });
  config.register(offset + MSIX.TABLE, 4, { value: table.offset | table.bar });
  config.register(offset + MSIX.PBA, 4, { value: pba.offset | pba.bar });
}

/** Errors that are fatal until software says otherwise. Base §7.8.4.4. */
const FATAL = UNCORRECTABLE.encode({
  DATA_LINK: 1,
  SURPRISE_DOWN: 1,
  FLOW_CONTROL: 1,
  RECEIVER_OVERFLOW: 1,
  MALFORMED: 1,
  INTERNAL: 1,
});
const EVERY_UNCORRECTABLE =
  FATAL |
  UNCORRECTABLE.encode({
    POISONED: 1,
    COMPLETION_TIMEOUT: 1,
    COMPLETER_ABORT: 1,
    UNEXPECTED_COMPLETION: 1,
    ECRC: 1,
    UNSUPPORTED_REQUEST: 1,
  });
const EVERY_CORRECTABLE = CORRECTABLE.encode({
  RECEIVER: 1,
  BAD_TLP: 1,
  BAD_DLLP: 1,
  REPLAY_ROLLOVER: 1,
  REPLAY_TIMEOUT: 1,
  ADVISORY_NON_FATAL: 1,
});

function addAer(config: ConfigSpace, { offset }: AerDescription): void {
  config.addExtendedCapability(EXTENDED_CAPABILITY.AER, 2, offset, AER.SIZE);
  const declare = (register: number, bits: number, rule: 'writable' | 'clear', value = 0): void => {
    config.register(offset + register, 4, { value, [rule]: bits, sticky: bits });
  };
  declare(AER.UNCORRECTABLE_STATUS, EVERY_UNCORRECTABLE, 'clear');
  declare(AER.UNCORRECTABLE_MASK, EVERY_UNCORRECTABLE, 'writable');
  declare(AER.UNCORRECTABLE_SEVERITY, EVERY_UNCORRECTABLE, 'writable', FATAL);
  declare(AER.CORRECTABLE_STATUS, EVERY_CORRECTABLE, 'clear');
  declare(AER.CORRECTABLE_MASK, EVERY_CORRECTABLE, 'writable', CORRECTABLE.ADVISORY_NON_FATAL.mask);
}

function addSerialNumber(config: ConfigSpace, { offset, low, high }: SerialNumberDescription): void {
  config.addExtendedCapability(EXTENDED_CAPABILITY.SERIAL_NUMBER, 1, offset, SERIAL_NUMBER.SIZE);
  config.register(offset + SERIAL_NUMBER.LOW, 4, { value: low });
  config.register(offset + SERIAL_NUMBER.HIGH, 4, { value: high });
}

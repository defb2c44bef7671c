/**
 * The controller that QEMU 7.2 shows: the personality of the machine whose answers are in conformance/. What differs
 * from GENERIC is data: identity, limits, what is absent, settings of features, quirks.
 */

import { RESERVATIONS } from './absences.ts';
import { NO_ADMIN_OPTION } from './admin/profile.ts';
import { USUAL_POWER } from './condition/profile.ts';
import { NO_LIMITS } from './io/limits.ts';
import { type ControllerProfile, GENERIC } from './profile.ts';
import { QUIRK_NAMES, QUIRKS } from './quirks.ts';
import { ARBITRATION, ASYNC_EVENT_CONFIG } from './spec/features.ts';
import { SGLS } from './spec/identify.ts';
import { COMMAND_EFFECTS } from './spec/logs.ts';
import { VERSION } from './spec/registers.ts';

const CHANGES_BLOCKS = COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1 });

export const QEMU: ControllerProfile = {
  ...GENERIC,
  name: 'qemu',
  model: 'QEMU NVMe Ctrl',
  version: VERSION.V1_4,
  firmware: '7.2.22',
  slotRevision: '1.0',
  nqn: 'nqn.2019-08.org.qemu:',
  maxQueueEntries: 2048,
  limits: {
    ...NO_LIMITS,
    verify: 7,
    rangeBlocks: 0x3f_ffff,
    copyRanges: 1,
    copyRangeBlocks: 0,
    copyBlocks: 0,
  },
  sgls: SGLS.encode({ SUPPORT: 1 }),
  formats: [512, 4096].flatMap((block_bytes) =>
    [0, 8, 16, 64].map((metadata_bytes) => ({ block_bytes, metadata_bytes, guard_bits: 16 }) as const),
  ),
  deallocation_bytes: 4096,
  atomicBlocks: 1,
  zeroesDeallocate: false,
  namespaceUuids: false,
  zonedCommandSet: true,
  warningTemperature_K: 343,
  criticalTemperature_K: 373,
  effects: {
    admin: { FORMAT_NVM: CHANGES_BLOCKS },
    io: { FLUSH: CHANGES_BLOCKS },
  },
  errorLogEntries: 1,
  compareAndWriteBlocks: 0,
  weightedArbitration: false,
  savesFeatures: false,
  readyModes: 0,
  subsystemReset: false,
  memoryBuffer_bytes: 0,
  msiVectors: 0,
  // 323 K, whatever it does.
  power: { ...USUAL_POWER, ambient_K: 323, rise_K_per_W: 0 },
  admin: {
    ...NO_ADMIN_OPTION,
    namespaceManagement: true,
    format: true,
    virtualization: true,
    doorbellBuffer: true,
  },
  absent: {
    admin: ['NAMESPACE_MANAGEMENT'],
    io: ['WRITE_UNCORRECTABLE', ...RESERVATIONS.io],
    features: ['HOST_IDENTIFIER', ...RESERVATIONS.features],
    logs: ['SUPPORTED_LOGS', ...RESERVATIONS.logs, 'CHANGED_ZONES'],
    identify: ['INDEPENDENT_NAMESPACE', 'ATTACHED_CONTROLLERS', 'CONTROLLERS'],
  },
  features: {
    fixed: ['ARBITRATION', 'POWER_MANAGEMENT', 'INTERRUPT_COALESCING', 'INTERRUPT_VECTOR', 'WRITE_ATOMICITY'],
    defaults: {
      ARBITRATION: ARBITRATION.encode({ AB: 7 }),
      ASYNC_EVENT: ASYNC_EVENT_CONFIG.encode({ NSAN: 1 }),
    },
  },
  quirks: QUIRK_NAMES.filter((name) => QUIRKS[name].source.startsWith('QEMU')),
  pcie: {
    maxPayload_bytes: 128,
    aspm: 1,
    deviceControl: 0,
    deviceControlWritable: 0,
    deviceControl2Writable: 0x8000,
    deviceCapabilities2: 0x0030_0000,
  },
};

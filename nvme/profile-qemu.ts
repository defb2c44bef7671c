/**
 * The controller that QEMU 7.2 shows: the personality of the machine whose answers are in conformance/. It differs
 * from GENERIC in identity, limits, and what `asQemu` stands for.
 */
import { NO_ADMIN_OPTION } from './admin/profile.ts';
import { NO_LIMITS } from './io/limits.ts';
import { type ControllerProfile, GENERIC } from './profile.ts';
import { VERSION } from './spec/registers.ts';

export const QEMU: ControllerProfile = {
  ...GENERIC,
  name: 'qemu',
  model: 'QEMU NVMe Ctrl',
  version: VERSION.V1_4,
  firmware: '7.2',
  nqn: 'nqn.2019-08.org.qemu:',
  maxQueueEntries: 2048,
  limits: { ...NO_LIMITS, verify: 7 },
  weightedArbitration: false,
  savesFeatures: false,
  readyModes: 0,
  metadataFormats: [],
  subsystemReset: false,
  memoryBuffer_bytes: 0,
  msiVectors: 0,
  admin: { ...NO_ADMIN_OPTION, namespaceManagement: true, format: true, doorbellBuffer: true },
  looseConfiguration: true,
  asQemu: true,
  pcie: {
    maxPayload_bytes: 128,
    aspm: 1,
    deviceControl: 0,
    deviceControlWritable: 0,
    deviceControl2Writable: 0x8000,
    deviceCapabilities2: 0x0030_0000,
  },
};

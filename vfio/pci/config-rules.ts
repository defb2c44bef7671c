/**
 * What user space may see and change of a function's configuration space, bit by bit: a virtual bit is served from the
 * copy that vfio-pci keeps, a writable one may be changed. Data only; linux-abi 2.12.
 * Not here: the accesses themselves and their side effects (config.ts).
 */
import { CAPABILITY, CONFIG, DEVICE_CONTROL, PCIE, PM, PM_CONTROL } from '../../machine/pcie/spec.ts';
import type { PciDevice } from '../pci-device.ts';

/** Bits of a field of `size` bytes at `offset` from the start of the header or capability. */
export interface BitRule {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly virtual: number;
  readonly writable: number;
}

/** Capabilities whose writes have side effects say which. `raw` is neither virtual nor protected. */
export type CapabilityKind = 'header' | 'plain' | 'raw' | 'power' | 'pcie' | 'msi' | 'af';

export interface CapabilityRule {
  readonly kind: CapabilityKind;
  /** Bytes it covers at `at`; a capability without a size is hidden. */
  readonly bytes: (device: PciDevice, at: number) => number;
  readonly rules: readonly BitRule[] | ((device: PciDevice, at: number) => readonly BitRule[]);
}

const ALL = 0xffff_ffff;
const rule = (offset: number, size: 1 | 2 | 4, virtual: number, writable: number): BitRule => ({
  offset,
  size,
  virtual,
  writable,
});
const words = (from: number, count: number, virtual: number, writable: number): BitRule[] =>
  Array.from({ length: count }, (_, index) => rule(from + index * 4, 4, virtual, writable));

export const HEADER_BYTES = 0x40;
const INTX_DISABLE = 0x0400;
const CAPABILITY_LIST = 0x0010;

export const HEADER_RULES: readonly BitRule[] = [
  rule(CONFIG.VENDOR, 4, ALL, 0),
  rule(CONFIG.COMMAND, 2, INTX_DISABLE, ALL),
  rule(CONFIG.STATUS, 2, CAPABILITY_LIST, 0),
  rule(CONFIG.CACHE_LINE, 1, 0, ALL),
  rule(CONFIG.LATENCY_TIMER, 1, 0, ALL),
  rule(CONFIG.BIST, 1, 0, ALL),
  ...words(CONFIG.BAR0, 6, ALL, ALL),
  rule(CONFIG.ROM, 4, ALL, ALL),
  rule(CONFIG.CAPABILITIES, 1, ALL, 0),
  rule(CONFIG.INTERRUPT_LINE, 1, ALL, ALL),
  rule(CONFIG.INTERRUPT_PIN, 1, ALL, 0),
];

/** Standard capabilities that the specification of this machine's functions does not name. */
const ID = { AGP: 0x02, VPD: 0x03, PCIX: 0x07, HT: 0x08, SATA: 0x12, AF: 0x13 } as const;

const fixed = (bytes: number) => () => bytes;
const plain = (bytes: number): CapabilityRule => ({ kind: 'plain', bytes: fixed(bytes), rules: [] });

const MSI_64BIT = 1 << 7;
const MSI_MASKABLE = 1 << 8;

/** 10, 14, 20 or 24 bytes: 64-bit addresses and per-vector masking each add their words. */
const msiBytes = (device: PciDevice, at: number): number => {
  const flags = device.read16(at + 2);
  return 10 + ((flags & MSI_64BIT) !== 0 ? 4 : 0) + ((flags & MSI_MASKABLE) !== 0 ? 10 : 0);
};

const msiRules = (device: PciDevice, at: number): BitRule[] => {
  const flags = device.read16(at + 2);
  const wide = (flags & MSI_64BIT) !== 0 ? 4 : 0;
  const rules = [rule(2, 1, ALL, ALL), rule(4, 4, ALL, ALL), rule(8 + wide, 2, ALL, ALL)];
  if (wide !== 0) rules.push(rule(8, 4, ALL, ALL));
  if ((flags & MSI_MASKABLE) !== 0) rules.push(...words(12 + wide, 2, 0, ALL));
  return rules;
};

const PME_BITS = PM_CONTROL.PME_ENABLE.mask | PM_CONTROL.PME_STATUS.mask;
const PME_SUPPORT = 0xf800;
const PHANTOM_FUNCTIONS = 1 << 9;
const ARI_FORWARDING = 1 << 5;
const SCRATCH = DEVICE_CONTROL.MAX_PAYLOAD.mask | DEVICE_CONTROL.MAX_READ_REQUEST.mask;
const PCIE_V1_BYTES = 0x14;
const ROOT_COMPLEX_ENDPOINT = 9;

/** Root complex integrated endpoints have no link registers, version 1 no second set. */
const pcieBytes = (device: PciDevice, at: number): number => {
  const flags = device.read16(at + PCIE.CAPABILITIES);
  const isIntegrated = ((flags >>> 4) & 0xf) === ROOT_COMPLEX_ENDPOINT;
  if ((flags & 0xf) === 1) return isIntegrated ? PCIE.LINK_CAPABILITIES : PCIE_V1_BYTES;
  return isIntegrated ? PCIE.LINK_CAPABILITIES_2 : PCIE.SIZE;
};

const pcixBytes = (device: PciDevice, at: number): number =>
  (device.read16(at + 2) & 0x3000) === 0 ? 8 : 24;
/** Bits 15:13 of the second word say what kind of HyperTransport capability it is; three kinds are longer than 4. */
const htBytes = (device: PciDevice, at: number): number => {
  const kind = device.read8(at + 3) & 0xe0;
  return kind === 0x00 || kind === 0x20 ? 28 : 12;
};
/** Bits 3:0 of the revision word say whether the index and data registers follow in configuration space. */
const sataBytes = (device: PciDevice, at: number): number => ((device.read32(at + 4) & 0xf) === 0xf ? 16 : 8);

/** Standard capabilities that user space sees; any other is taken out of the list. */
export const STANDARD: ReadonlyMap<number, CapabilityRule> = new Map<number, CapabilityRule>([
  [
    CAPABILITY.POWER_MANAGEMENT,
    {
      kind: 'power',
      bytes: fixed(PM.SIZE),
      rules: [
        rule(PM.CAPABILITIES, 2, PME_SUPPORT, 0),
        rule(PM.CONTROL, 4, PME_BITS, ~(PME_BITS | PM_CONTROL.POWER_STATE.mask)),
      ],
    },
  ],
  [ID.AGP, plain(12)],
  [ID.VPD, plain(8)],
  [CAPABILITY.MSI, { kind: 'msi', bytes: msiBytes, rules: msiRules }],
  [ID.PCIX, { kind: 'plain', bytes: pcixBytes, rules: [rule(2, 2, 0, ALL), rule(8, 4, 0, ALL)] }],
  [ID.HT, { kind: 'plain', bytes: htBytes, rules: [] }],
  [CAPABILITY.VENDOR, { kind: 'raw', bytes: (device, at) => device.read8(at + 2), rules: [] }],
  [
    CAPABILITY.PCIE,
    {
      kind: 'pcie',
      bytes: pcieBytes,
      rules: [
        rule(PCIE.DEVICE_CONTROL, 2, DEVICE_CONTROL.INITIATE_FLR.mask | SCRATCH, ~PHANTOM_FUNCTIONS),
        rule(PCIE.DEVICE_CONTROL_2, 2, 0, ~ARI_FORWARDING),
      ],
    },
  ],
  [CAPABILITY.MSIX, plain(12)],
  [ID.SATA, { kind: 'plain', bytes: sataBytes, rules: [] }],
  [ID.AF, { kind: 'af', bytes: fixed(6), rules: [rule(4, 1, 1, 1)] }],
]);

const UNCORRECTABLE_BITS = 0x03ff_f031;
const CORRECTABLE_BITS = 0x0000_f1c1;
const ECRC_ENABLES = 0x140;

/** Bits 31:20 of the second word of vendor-specific capabilities are their length. */
const statedBytes = (device: PciDevice, at: number): number => device.read32(at + 4) >>> 20;

/** Extended capabilities that user space sees, by id. */
export const EXTENDED: ReadonlyMap<number, CapabilityRule> = new Map<number, CapabilityRule>([
  [
    0x01, // AER
    {
      kind: 'plain',
      bytes: fixed(0x2c),
      rules: [
        ...words(0x04, 3, 0, UNCORRECTABLE_BITS),
        ...words(0x10, 2, 0, CORRECTABLE_BITS),
        rule(0x18, 4, 0, ECRC_ENABLES),
      ],
    },
  ],
  [0x02, plain(0x1c)], // VC
  [0x03, plain(0x0c)], // DSN
  [0x04, { kind: 'plain', bytes: fixed(0x10), rules: [rule(4, 1, 0, ALL)] }], // PWR
  [0x08, plain(0x1c)], // MFVC
  [0x09, plain(0x1c)], // VC9
  [0x0b, { kind: 'raw', bytes: statedBytes, rules: [] }], // VNDR
  [0x0d, plain(0x08)], // ACS
  [0x0e, plain(0x08)], // ARI
  [0x0f, plain(0x08)], // ATS
  [0x10, plain(0x40)], // SR-IOV
  [0x12, plain(0x30)], // MCAST
  [0x13, plain(0x10)], // PRI
  [0x15, plain(0x0c)], // REBAR
  [0x16, plain(0x10)], // DPA
  [0x17, plain(0x0c)], // TPH
  [0x18, plain(0x08)], // LTR
  [0x23, { kind: 'raw', bytes: statedBytes, rules: [] }], // DVSEC
]);

/**
 * The shape of a controller profile: every key and what each may hold alone. A key that an interface gains has no shape
 * here and does not compile. Not here: rules between keys (nvme/profile-rules.ts), the rest of a board (shapes.ts).
 */
import { type Absences, NAMES } from '../nvme/absences.ts';
import type {
  AdminProfile,
  FirmwareProfile,
  HostMemoryProfile,
  OperationTiming,
} from '../nvme/admin/profile.ts';
import type { PowerProfile, PowerState } from '../nvme/condition/profile.ts';
import type { CommandLimits } from '../nvme/io/limits.ts';
import type { LbaFormat } from '../nvme/lba-format.ts';
import type { MapProfile } from '../nvme/map/profile.ts';
import type { NandProfile, UniformProfile } from '../nvme/media/profile.ts';
import type {
  ControllerProfile,
  ControllerTiming,
  EffectsProfile,
  FeatureDefaults,
  FeatureProfile,
  PcieProfile,
} from '../nvme/profile.ts';
import { QUIRKS } from '../nvme/quirks.ts';
import { FID } from '../nvme/spec/features.ts';
import { isPowerOfTwo, PAGE_SIZE } from '../support/numbers.ts';
import {
  ascii,
  atLeast,
  fields,
  flag,
  list,
  must,
  oneName,
  oneOf,
  optional,
  orNull,
  type Shape,
  text,
  whole,
} from '../support/shape.ts';

export const duration = atLeast(0, 'zero or more nanoseconds');
const positive = must('a number above 0', (value) => typeof value === 'number' && value > 0);
export const powerOfTwo = (low: number, high: number): Shape =>
  must(`a power of two from ${low} to ${high}`, (value) => {
    return isPowerOfTwo(value as number) && (value as number) >= low && (value as number) <= high;
  });
const u16 = whole(0, 0xffff);
const u32 = whole(0, 0xffff_ffff);
/** An object with a 32-bit word for any name of a table. */
const wordsOf = <T extends object>(table: object): Shape =>
  fields<T>(Object.fromEntries(Object.keys(table).map((name) => [name, optional(u32)])) as never);
const nameIn = (table: object): Shape => oneName(Object.keys(table));

const rate = must('more than zero', (value) => Number.isFinite(value) && (value as number) > 0);

const UNIFORM = fields<UniformProfile>({
  kind: oneOf('uniform'),
  channels: whole(1, 65_536),
  stripe_bytes: powerOfTwo(512, 2 ** 30),
  read_ns: duration,
  write_ns: duration,
  jitter_ns: duration,
  readBus_bytes_per_ns: rate,
  writeBus_bytes_per_ns: rate,
  flush_ns: duration,
  endurance: optional(positive),
});

const NAND = fields<NandProfile>({
  kind: oneOf('nand'),
  channels: whole(1, 64),
  diesPerChannel: whole(1, 64),
  planesPerDie: whole(1, 16),
  page_bytes: powerOfTwo(4096, 2 ** 20),
  program_bytes: whole(4096, 2 ** 24),
  read4K_ns: duration,
  readPage_ns: duration,
  readSpread_ns: duration,
  jitter_ns: duration,
  program_ns: duration,
  erase_ns: duration,
  block_bytes: whole(4096, 2 ** 30),
  channel_bytes_per_ns: rate,
  firmware4K_ns: duration,
  firmwareRead_ns: duration,
  firmwareWrite_ns: duration,
  firmwareWrite4K_ns: duration,
  buffer_bytes: whole(8192, 2 ** 31),
  overProvisioning: must('a share from 0.01 to 10', (value) => {
    return Number.isFinite(value) && (value as number) >= 0.01 && (value as number) <= 10;
  }),
  flush_ns: duration,
  capacitors: flag,
  endurance: optional(positive),
});

const media: Shape = (value, path) => {
  const kind = (value as { kind?: unknown } | undefined)?.kind;
  if (kind === 'uniform') return UNIFORM(value, path);
  if (kind === 'nand') return NAND(value, path);
  return [{ path, problem: "must be null or have a kind, 'uniform' or 'nand'" }];
};

const OPERATIONS = fields<OperationTiming>({
  format_ns: duration,
  blockErase_ns: duration,
  cryptoErase_ns: duration,
  overwritePass_ns: duration,
  selfTestShort_ns: duration,
  selfTestExtended_ns: duration,
  activation_ns: optional(duration),
});

const TIMING = fields<ControllerTiming>({
  fetch_ns: duration,
  decode_ns: duration,
  firmwareJitter_ns: optional(duration),
  complete_ns: duration,
  cores: whole(1, 1024),
  ready_ns: duration,
  mediaReady_ns: duration,
  shutdown_ns: duration,
  media: orNull(media),
  operations: OPERATIONS,
});

const PCIE = fields<PcieProfile>({
  maxPayload_bytes: optional(powerOfTwo(128, 4096)),
  aspm: optional(whole(0, 3)),
  deviceControl: optional(u16),
  deviceControlWritable: optional(u16),
  deviceControl2Writable: optional(u16),
  deviceCapabilities2: optional(whole(0, 0xffff_ffff)),
});

const pages = must('a multiple of 4096', (value) => Number.isInteger((value as number) / PAGE_SIZE));
const ADMIN = fields<AdminProfile>({
  namespaceManagement: flag,
  format: flag,
  sanitize: list(oneOf('crypto', 'block', 'overwrite')),
  selfTest: flag,
  firmware: orNull(
    fields<FirmwareProfile>({ slots: whole(1, 7), isFirstReadOnly: flag, activatesNow: flag }),
  ),
  directives: flag,
  virtualization: flag,
  doorbellBuffer: flag,
  lbaStatus: flag,
  keepAlive_ms: whole(0, 0xffff * 100),
  telemetry: flag,
  persistentEvents: flag,
  hostMemory: orNull(
    fields<HostMemoryProfile>({
      preferred_bytes: pages,
      minimum_bytes: pages,
      descriptorMinimum_bytes: pages,
      maxDescriptors: whole(0, 0xffff),
    }),
  ),
  writeProtection: flag,
});

export const metadataBytes = powerOfTwo(8, 64);
export const guardBits = must('16 or 64', (value) => value === 16 || value === 64);

const kelvin = whole(200, 500);
const POWER = fields<PowerProfile>({
  states: list(
    fields<PowerState>({
      max_mW: whole(0, 655_350),
      idle_mW: whole(0, 655_350),
      isOperational: flag,
      entry_us: u32,
      exit_us: u32,
      slowness: atLeast(1, 'at least 1'),
    }),
    1,
  ),
  read_nJ: positive,
  write_nJ: positive,
  ambient_K: kelvin,
  rise_K_per_W: atLeast(0, 'a number of at least 0'),
  settling_ns: positive,
  managed_K: orNull(list(kelvin, 2)),
  throttle: list(atLeast(1, 'at least 1'), 2),
});

export const PROFILE = fields<ControllerProfile>({
  name: text,
  vendor: u16,
  device: u16,
  revision: whole(0, 0xff),
  subsystemVendor: u16,
  subsystem: u16,
  version: whole(0x1_0000, 0xffff_ffff),
  model: ascii(40),
  firmware: ascii(8),
  oui: whole(0, 0xff_ffff),
  nqn: ascii(200),
  maxQueueEntries: whole(2, 65_536),
  maxQueuePairs: whole(1, 65_535),
  weightedArbitration: flag,
  timeout: whole(1, 255),
  doorbellStride: whole(0, 10),
  pageMin: whole(0, 4),
  pageMax: whole(0, 4),
  commandSets: whole(0, 0xff),
  readyModes: whole(0, 3),
  subsystemReset: flag,
  mdts: whole(1, 12),
  asyncEvents: whole(1, 256),
  aborts: whole(1, 256),
  errorLogEntries: whole(1, 256),
  maxNamespaces: whole(1, 65_535),
  formats: list(
    fields<LbaFormat>({
      block_bytes: powerOfTwo(512, 65_536),
      metadata_bytes: must('0 or a power of two from 8 to 64', (value) => {
        return value === 0 || metadataBytes(value, '').length === 0;
      }),
      guard_bits: guardBits,
    }),
    1,
  ),
  deallocation_bytes: must('0 or a power of two from 512 to 1 GiB', (value) => {
    return value === 0 || powerOfTwo(512, 2 ** 30)(value, '').length === 0;
  }),
  atomicBlocks: whole(1, 65_536),
  zeroesDeallocate: flag,
  namespaceUuids: flag,
  zonedCommandSet: flag,
  warningTemperature_K: u16,
  criticalTemperature_K: u16,
  effects: fields<EffectsProfile>({
    admin: wordsOf<EffectsProfile['admin']>(NAMES.admin),
    io: wordsOf<EffectsProfile['io']>(NAMES.io),
  }),
  slotRevision: optional(ascii(8)),
  admin: ADMIN,
  absent: fields<Absences>({
    admin: list(nameIn(NAMES.admin)),
    io: list(nameIn(NAMES.io)),
    features: list(nameIn(NAMES.features)),
    logs: list(nameIn(NAMES.logs)),
    identify: list(nameIn(NAMES.identify)),
  }),
  quirks: list(nameIn(QUIRKS)),
  savesFeatures: flag,
  features: fields<FeatureProfile>({
    fixed: list(nameIn(FID)),
    defaults: fields<FeatureDefaults>({
      ARBITRATION: optional(u32),
      INTERRUPT_COALESCING: optional(u32),
      WRITE_ATOMICITY: optional(u32),
      ASYNC_EVENT: optional(u32),
    }),
  }),
  pcie: optional(PCIE),
  msixVectors: whole(1, 2048),
  msiVectors: oneOf(0, 1, 2, 4, 8, 16, 32),
  msixTable: whole(0, 2 ** 31),
  msixPba: whole(0, 2 ** 31),
  bar_bytes: powerOfTwo(0x2000, 2 ** 31),
  memoryBuffer_bytes: must('a multiple of 4096 up to 256 MiB', (value) => {
    const bytes = value as number;
    return Number.isInteger(bytes / PAGE_SIZE) && bytes >= 0 && bytes <= 2 ** 28;
  }),
  strict: flag,
  commandSlots: whole(1, 65_536),
  writeCache: flag,
  dirty_bytes: whole(0, 2 ** 30),
  compareAndWriteBlocks: whole(0, 65_536),
  limits: fields<CommandLimits>({
    verify: whole(0, 32),
    zeroes: whole(0, 32),
    uncorrectable: whole(0, 32),
    ranges: whole(0, 255),
    rangeBlocks: whole(0, 0xffff_ffff),
    totalBlocks: whole(0, Number.MAX_SAFE_INTEGER),
    copyRanges: whole(1, 128),
    copyRangeBlocks: whole(0, 0xffff),
    copyBlocks: whole(0, 0xffff_ffff),
  }),
  power: optional(POWER),
  map: optional(fields<MapProfile>({ cachedPages: whole(1, 0x1_0000) })),
  sgls: whole(0, 0xffff_ffff),
  timing: orNull(TIMING),
});

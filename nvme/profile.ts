/**
 * What a controller is, as plain data: PCI identity, CAP, limits, Identify strings and what its parts cost in time.
 * A board carries one profile per controller; users copy and edit it.
 * Not here: what is impossible (profile-check.ts), namespaces (namespace.ts), the meaning of the fields (spec/).
 */
import type { PcieDescription } from '../machine/pcie/capabilities.ts';
import { MIB } from '../support/numbers.ts';
import { type Absences, NOTHING_ABSENT } from './absences.ts';
import { type AdminProfile, EVERY_ADMIN_OPTION, type OperationTiming } from './admin/profile.ts';
import { EVERY_POWER_STATE, type PowerProfile } from './condition/profile.ts';
import { type CommandLimits, NO_LIMITS } from './io/limits.ts';
import { type LbaFormat, plainFormat } from './lba-format.ts';
import type { MapProfile } from './map/profile.ts';
import type { MediaProfile } from './media/profile.ts';
import type { QuirkName } from './quirks.ts';
import type { ADMIN, NVM } from './spec/commands.ts';
import type { FID } from './spec/features.ts';
import { SGLS } from './spec/identify.ts';
import { VERSION } from './spec/registers.ts';

export interface ControllerTiming {
  /** From a doorbell's arrival to the fetch request, and from an entry's arrival to its execution. */
  readonly fetch_ns: number;
  readonly decode_ns: number;
  /** How much more or less `decode_ns` may be, evenly; none when absent. */
  readonly firmwareJitter_ns?: number;
  /** From the end of the data transfer to the completion entry. */
  readonly complete_ns: number;
  /** Commands decoded or completed at one time. */
  readonly cores: number;
  /** From CC.EN to being able to take commands, and from there until the medium is ready. */
  readonly ready_ns: number;
  readonly mediaReady_ns: number;
  /** From CC.SHN to CSTS.SHST complete. */
  readonly shutdown_ns: number;
  readonly media: MediaProfile;
  readonly operations: OperationTiming;
}

/** What the PCI Express capability tells besides the link. */
export type PcieProfile = Partial<
  Pick<
    PcieDescription,
    | 'maxPayload_bytes'
    | 'aspm'
    | 'deviceControl'
    | 'deviceControlWritable'
    | 'deviceControl2Writable'
    | 'deviceCapabilities2'
  >
>;

/** Settings of features besides whether they are there and can be saved. */
export interface FeatureProfile {
  /** Those that Set Features cannot change: it ends with Feature Not Changeable. */
  readonly fixed: readonly (keyof typeof FID)[];
  /** Defaults in CDW11's bits; 0 when absent, arbitration bursts of 64. */
  readonly defaults: FeatureDefaults;
}

export interface FeatureDefaults {
  readonly ARBITRATION?: number;
  readonly INTERRUPT_COALESCING?: number;
  readonly WRITE_ATOMICITY?: number;
  readonly ASYNC_EVENT?: number;
}

export interface EffectsProfile {
  readonly admin: { readonly [Name in keyof typeof ADMIN]?: number };
  readonly io: { readonly [Name in keyof typeof NVM]?: number };
}

export interface ControllerProfile {
  readonly name: string;
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  readonly version: number;
  readonly model: string;
  readonly firmware: string;
  /** IEEE OUI as a number, most significant byte first. */
  readonly oui: number;
  /** SUBNQN is this text followed by the serial number. */
  readonly nqn: string;
  /** Entries of the largest I/O queue (CAP.MQES + 1), and I/O queue pairs. */
  readonly maxQueueEntries: number;
  readonly maxQueuePairs: number;
  /** CAP.AMS: weighted round robin with urgent class, besides round robin. */
  readonly weightedArbitration: boolean;
  /** CAP.TO in 500 ms, CAP.DSTRD, CAP.MPSMIN and MPSMAX as log2(page) - 12. */
  readonly timeout: number;
  readonly doorbellStride: number;
  readonly pageMin: number;
  readonly pageMax: number;
  /** CAP.CSS, 8 bits. */
  readonly commandSets: number;
  /** CAP.CRMS: 0 before version 2.0; 1: ready with media; 3: also ready independent of media (CC.CRIME). */
  readonly readyModes: number;
  /** NSSR resets the subsystem (CAP.NSSRS). */
  readonly subsystemReset: boolean;
  /** Largest transfer is 2^mdts smallest pages; 0 means no limit by the controller, which this model does not offer. */
  readonly mdts: number;
  /** Outstanding Asynchronous Event Requests and concurrent Aborts, both counted from 1. */
  readonly asyncEvents: number;
  readonly aborts: number;
  readonly errorLogEntries: number;
  /** Largest valid NSID (NN). */
  readonly maxNamespaces: number;
  /** What namespaces can be formatted with, by number. */
  readonly formats: readonly LbaFormat[];
  /** Deallocation is best in pieces of so many bytes (NPDG, NPDA); 0: not told. */
  readonly deallocation_bytes: number;
  /** Blocks that are written in one go (AWUN + 1). */
  readonly atomicBlocks: number;
  /** Write Zeroes is announced to deallocate (DLFEAT, ONCS); DEAC is taken either way. */
  readonly zeroesDeallocate: boolean;
  /** Namespaces have a UUID in their descriptors. */
  readonly namespaceUuids: boolean;
  /** The zoned command set is there without a zoned namespace too (Identify 1Ch). */
  readonly zonedCommandSet: boolean;
  /** WCTEMP and CCTEMP of Identify, in kelvins. */
  readonly warningTemperature_K: number;
  readonly criticalTemperature_K: number;
  /** Words of log page 05h that are others than effects.ts has, by command. */
  readonly effects: EffectsProfile;
  /** What the Firmware Slot log calls the first slot; `firmware` when absent. */
  readonly slotRevision?: string;
  /** Optional admin commands, logs and features. */
  readonly admin: AdminProfile;
  /** What the controller lacks although the model and the options above have it. */
  readonly absent: Absences;
  /** Where it departs from the specification. */
  readonly quirks: readonly QuirkName[];
  /** Set Features can save values over resets. */
  readonly savesFeatures: boolean;
  readonly features: FeatureProfile;
  /** 256-byte payloads and the defaults of machine/pcie/capabilities.ts where it says nothing. */
  readonly pcie?: PcieProfile;
  readonly msixVectors: number;
  /** Messages of the MSI capability, a power of two up to 32; 0: no MSI. */
  readonly msiVectors: number;
  /** Offsets in BAR0 and its size. */
  readonly msixTable: number;
  readonly msixPba: number;
  readonly bar_bytes: number;
  /** Controller Memory Buffer in BAR2, a multiple of 4096; 0: none. */
  readonly memoryBuffer_bytes: number;
  /**
   * What the specification leaves undefined is refused: a command identifier that is still in use, writes of parts of
   * registers.
   */
  readonly strict: boolean;
  /** Commands in flight inside the controller. */
  readonly commandSlots: number;
  /** Volatile write cache present. */
  readonly writeCache: boolean;
  /** Written bytes that a power cut may take back while that cache is on; 0: capacitors save them all. */
  readonly dirty_bytes: number;
  /** Largest fused Compare and Write in blocks (ACWU + 1); 0: none. */
  readonly compareAndWriteBlocks: number;
  /** Size limits of commands besides MDTS. */
  readonly limits: CommandLimits;
  /** Absent: one power state, and no thermal management (USUAL_POWER). */
  readonly power?: PowerProfile;
  /** Absent: the controller keeps its whole mapping table, and has no use for host memory that it is given. */
  readonly map?: MapProfile;
  /** SGLS of Identify: which SGLs I/O commands may use. */
  readonly sgls: number;
  /** null: nothing takes time (the functional pace turns every profile's timing to null). */
  readonly timing: ControllerTiming | null;
}

/** Operations on the whole drive; how long they take depends on its size and hardly on its kind. */
export const USUAL_OPERATIONS: OperationTiming = {
  format_ns: 2_000_000_000,
  blockErase_ns: 10_000_000_000,
  cryptoErase_ns: 2_000_000_000,
  overwritePass_ns: 160_000_000_000,
  selfTestShort_ns: 60_000_000_000,
  selfTestExtended_ns: 1_800_000_000_000,
  activation_ns: 300_000_000,
};

/** Intel P4800X 375 GB; where the figures come from is in boards/devices/optane-p4800x.ts. */
export const OPTANE_P4800X = {
  fetch_ns: 120,
  decode_ns: 350,
  firmwareJitter_ns: 0,
  complete_ns: 120,
  cores: 4,
  ready_ns: 500_000,
  mediaReady_ns: 1_500_000,
  shutdown_ns: 500_000,
  media: {
    kind: 'uniform',
    channels: 7,
    stripe_bytes: 4096,
    read_ns: 4150,
    write_ns: 4200,
    jitter_ns: 800,
    readBus_bytes_per_ns: 2.4,
    writeBus_bytes_per_ns: 2.05,
    flush_ns: 1000,
  },
  operations: USUAL_OPERATIONS,
} as const satisfies ControllerTiming;

export const GENERIC: ControllerProfile = {
  name: 'generic',
  vendor: 0x1b36,
  device: 0x0010,
  revision: 0x02,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  version: VERSION.V2_0,
  model: 'Doorbell NVMe Controller',
  firmware: '1.0',
  oui: 0x52_5400,
  nqn: 'nqn.2014-08.org.nvmexpress:doorbell:',
  maxQueueEntries: 4096,
  maxQueuePairs: 64,
  weightedArbitration: true,
  timeout: 15,
  doorbellStride: 0,
  pageMin: 0,
  pageMax: 4,
  commandSets: 0xc1,
  readyModes: 3,
  subsystemReset: true,
  mdts: 7,
  asyncEvents: 4,
  aborts: 4,
  errorLogEntries: 64,
  maxNamespaces: 256,
  formats: [
    plainFormat(512),
    plainFormat(4096),
    { block_bytes: 512, metadata_bytes: 8, guard_bits: 16 },
    { block_bytes: 512, metadata_bytes: 64, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 8, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 64, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 16, guard_bits: 64 },
    { block_bytes: 4096, metadata_bytes: 64, guard_bits: 64 },
  ],
  deallocation_bytes: 0,
  atomicBlocks: 65_536,
  zeroesDeallocate: true,
  namespaceUuids: true,
  zonedCommandSet: false,
  warningTemperature_K: 343,
  criticalTemperature_K: 353,
  effects: { admin: {}, io: {} },
  admin: EVERY_ADMIN_OPTION,
  absent: NOTHING_ABSENT,
  quirks: [],
  savesFeatures: true,
  features: { fixed: [], defaults: {} },
  msixVectors: 65,
  msiVectors: 32,
  msixTable: 0x2000,
  msixPba: 0x3000,
  bar_bytes: 0x4000,
  memoryBuffer_bytes: MIB,
  strict: false,
  commandSlots: 2048,
  writeCache: true,
  dirty_bytes: 0,
  compareAndWriteBlocks: 128,
  limits: NO_LIMITS,
  power: EVERY_POWER_STATE,
  sgls: SGLS.encode({ SUPPORT: 1, BIT_BUCKET: 1, MPTR_SGL: 1 }),
  timing: OPTANE_P4800X,
};

/** Device memory that a controller has besides its media: command slots, transfer buffers, queue records. */
export const CONTROLLER_BYTES = 16 * MIB;

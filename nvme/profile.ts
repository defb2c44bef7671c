/**
 * What a controller is, as plain data: PCI identity, CAP, limits, Identify strings and what its parts cost in time.
 * A board carries one profile per controller; users copy and edit it. `checkProfile` names the first impossible combination.
 * Not here: namespaces (namespace.ts), the meaning of the fields (spec/).
 */
import type { PcieDescription } from '../machine/pcie/capabilities.ts';
import { formatSize, hex, MIB, PAGE_SIZE } from '../support/numbers.ts';
import { type AdminProfile, checkAdmin, EVERY_ADMIN_OPTION, type OperationTiming } from './admin/profile.ts';
import { type CommandLimits, NO_LIMITS } from './io/limits.ts';
import { checkMetadata, LARGEST_METADATA } from './io/metadata.ts';
import type { LbaFormat } from './lba-format.ts';
import { checkMedia, type MediaProfile } from './media/profile.ts';
import { SEGMENT, SLOT } from './slots.ts';
import { SQE } from './spec/commands.ts';
import { SGLS } from './spec/identify.ts';
import { CAP_CRMS, VERSION } from './spec/registers.ts';

export interface ControllerTiming {
  /** From a doorbell's arrival to the fetch request, and from an entry's arrival to its execution. */
  readonly fetch_ns: number;
  readonly decode_ns: number;
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
  Pick<PcieDescription, 'maxPayload_bytes' | 'aspm' | 'deviceControl' | 'deviceCapabilities2'>
>;

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
  /** Block sizes that namespaces can be formatted with, in the order of their formats. */
  readonly blockSizes: readonly number[];
  /** Formats with metadata, behind those. */
  readonly metadataFormats: readonly LbaFormat[];
  /** Optional admin commands, logs and features. */
  readonly admin: AdminProfile;
  /** Set Features can save values over resets. */
  readonly savesFeatures: boolean;
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
};

/** Intel P4800X 375 GB; where the figures come from is in boards/devices/optane-p4800x.ts. */
export const OPTANE_P4800X = {
  fetch_ns: 120,
  decode_ns: 350,
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
  blockSizes: [512, 4096],
  metadataFormats: [
    { block_bytes: 512, metadata_bytes: 8, guard_bits: 16 },
    { block_bytes: 512, metadata_bytes: 64, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 8, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 64, guard_bits: 16 },
    { block_bytes: 4096, metadata_bytes: 16, guard_bits: 64 },
    { block_bytes: 4096, metadata_bytes: 64, guard_bits: 64 },
  ],
  admin: EVERY_ADMIN_OPTION,
  savesFeatures: true,
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
  sgls: SGLS.encode({ SUPPORT: 1, BIT_BUCKET: 1, MPTR_SGL: 1 }),
  timing: OPTANE_P4800X,
};

/** Device memory that a controller has besides its media: command slots, transfer buffers, queue records. */
export const CONTROLLER_BYTES = 16 * MIB;
/** Transfers that a controller holds: admin data, blocks as the host has them, and read, compared and fused ones. */
const TRANSFER_BUFFERS = 5;
/** Of those, the ones with room for metadata. */
const METADATA_BUFFERS = 3;
const MOST_FORMATS = 64;
const SMALLEST_BLOCK = 512;

/** One sentence naming the first impossible combination, or null. What a key may hold alone is not looked at. */
export function checkProfile(profile: ControllerProfile): string | null {
  const { maxQueuePairs, doorbellStride, pageMin, pageMax, timing } = profile;
  const { bar_bytes, msixVectors, msixTable, msixPba } = profile;
  const doorbellEnd = 0x1000 + 2 * (maxQueuePairs + 1) * (4 << doorbellStride);
  const tableEnd = msixTable + 16 * msixVectors;
  const pbaEnd = msixPba + Math.ceil(msixVectors / 64) * 8;
  const misfit = checkVersion(profile) ?? checkFormats(profile) ?? checkAdmin(profile.admin);
  if (misfit !== null) return misfit;
  if (pageMax < pageMin)
    return `pageMax is ${pageMax} and pageMin ${pageMin}: the largest page is the smaller one`;
  if (msixTable % 8 !== 0 || msixPba % 8 !== 0)
    return `msixTable at ${msixTable} and msixPba at ${msixPba} must be multiples of 8`;
  if (doorbellEnd > Math.min(msixTable, msixPba)) {
    return (
      `${maxQueuePairs} queue pairs put doorbells up to ${doorbellEnd}, over the MSI-X table at ${msixTable} or the ` +
      `pending bits at ${msixPba}; move them or lower maxQueuePairs`
    );
  }
  if (tableEnd > msixPba && pbaEnd > msixTable)
    return `the MSI-X table of ${msixVectors} vectors at ${msixTable} runs into msixPba at ${msixPba}`;
  if (Math.max(tableEnd, pbaEnd) > bar_bytes)
    return `bar_bytes is ${bar_bytes}, too small for the MSI-X table and pending bits`;
  const leastSlots = profile.asyncEvents + 2;
  if (profile.commandSlots < leastSlots) {
    return (
      `${profile.asyncEvents} asyncEvents, an admin and an I/O command at a time need ${leastSlots} commandSlots, ` +
      `got ${profile.commandSlots}`
    );
  }
  const needed = memoryOf(profile);
  if (needed > CONTROLLER_BYTES) {
    return (
      `${profile.commandSlots} commandSlots for transfers of mdts ${profile.mdts} need ${formatSize(needed)} of ` +
      `controller memory, and there are ${formatSize(CONTROLLER_BYTES)}; lower one of them`
    );
  }
  return timing === null ? null : checkMedia(timing.media);
}

/** What the version of the specification demands or does not know yet. */
function checkVersion({ version, readyModes, memoryBuffer_bytes }: ControllerProfile): string | null {
  if (readyModes === CAP_CRMS.READY_INDEPENDENT_OF_MEDIA)
    return 'readyModes is 2, but a controller that is ready without media is also ready with them: 3';
  if (version >= VERSION.V2_0 && readyModes === 0)
    return 'readyModes is 0, and controllers of version 2.0 are at least ready with media (CAP.CRMS): 1';
  if (version < VERSION.V1_4 && memoryBuffer_bytes > 0)
    return `memoryBuffer_bytes is ${memoryBuffer_bytes}, and version ${hex(version)} has no CMBMSC to enable it with: 0`;
  if (version < VERSION.V2_0 && readyModes !== 0)
    return `readyModes is ${readyModes}, and version ${hex(version)} does not know them yet: 0`;
  return null;
}

function checkFormats({ blockSizes, metadataFormats }: ControllerProfile): string | null {
  if (new Set(blockSizes).size !== blockSizes.length)
    return `blockSizes names a size twice: ${blockSizes.join(', ')}`;
  for (const [index, { block_bytes, metadata_bytes, guard_bits }] of metadataFormats.entries()) {
    const problem = checkMetadata(metadata_bytes, guard_bits, block_bytes);
    if (problem !== null) return `metadataFormats[${index}]: ${problem}`;
  }
  const formats = blockSizes.length + metadataFormats.length;
  return formats <= MOST_FORMATS ? null : `${formats} formats are more than Identify holds, ${MOST_FORMATS}`;
}

/** Command slots with their segments, transfer buffers, and room for queue records and a PRP list. */
function memoryOf({ commandSlots, mdts, pageMin, memoryBuffer_bytes }: ControllerProfile): number {
  const pages = 2 ** (mdts + pageMin);
  const slot_bytes = SQE.SIZE + SLOT.WORDS * 4 + (pages + 1) * SEGMENT.WORDS * 4;
  const metadata_bytes = ((pages * PAGE_SIZE) / SMALLEST_BLOCK) * LARGEST_METADATA;
  const buffers = TRANSFER_BUFFERS * pages * PAGE_SIZE + METADATA_BUFFERS * metadata_bytes;
  return commandSlots * slot_bytes + buffers + memoryBuffer_bytes + MIB;
}

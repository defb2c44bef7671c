/**
 * What a controller is, as plain data: PCI identity, CAP, limits, Identify strings and what its parts cost in time.
 * A board carries one profile per controller; users copy and edit it. `check` names the first impossible value.
 * Not here: namespaces (namespace.ts), the meaning of the fields (spec/).
 */
import type { PcieDescription } from '../machine/pcie/capabilities.ts';
import { isPowerOfTwo } from '../support/numbers.ts';

/** How long the medium takes. Sources of the shipped ones: reference/numbers.md §2. */
export interface MediaProfile {
  /** Independent units; a read or write of up to `stripe_bytes` occupies one of them. */
  readonly channels: number;
  readonly stripe_bytes: number;
  /** From command to data at a unit, and the width of its uniform jitter. */
  readonly read_ns: number;
  readonly write_ns: number;
  readonly jitter_ns: number;
  /** All units share one bus to the controller. */
  readonly bus_bytes_per_ns: number;
  /** Making the volatile write cache durable. */
  readonly flush_ns: number;
}

export interface ControllerTiming {
  /** From a doorbell's arrival to the fetch request, and from an entry's arrival to its execution. */
  readonly fetch_ns: number;
  readonly decode_ns: number;
  /** From the end of the data transfer to the completion entry. */
  readonly complete_ns: number;
  /** Commands decoded or completed at one time. */
  readonly cores: number;
  /** From CC.EN to CSTS.RDY, and from CC.SHN to CSTS.SHST complete. */
  readonly ready_ns: number;
  readonly shutdown_ns: number;
  readonly media: MediaProfile;
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
  /** CAP.TO in 500 ms, CAP.DSTRD, CAP.MPSMIN and MPSMAX as log2(page) - 12. */
  readonly timeout: number;
  readonly doorbellStride: number;
  readonly pageMin: number;
  readonly pageMax: number;
  /** CAP.CSS, 8 bits. */
  readonly commandSets: number;
  /** Largest transfer is 2^mdts smallest pages; 0 means no limit by the controller, which this model does not offer. */
  readonly mdts: number;
  /** Outstanding Asynchronous Event Requests and concurrent Aborts, both counted from 1. */
  readonly asyncEvents: number;
  readonly aborts: number;
  readonly errorLogEntries: number;
  /** Largest valid NSID (NN). */
  readonly maxNamespaces: number;
  /** Set Features can save values over resets. */
  readonly savesFeatures: boolean;
  /** 256-byte payloads and the defaults of machine/pcie/capabilities.ts where it says nothing. */
  readonly pcie?: PcieProfile;
  readonly msixVectors: number;
  /** Offsets in BAR0 and its size. */
  readonly msixTable: number;
  readonly msixPba: number;
  readonly bar_bytes: number;
  /** Commands in flight inside the controller. */
  readonly commandSlots: number;
  /** Volatile write cache present. */
  readonly writeCache: boolean;
  /** null: nothing takes time (the functional pace turns every profile's timing to null). */
  readonly timing: ControllerTiming | null;
}

/** Intel P4800X 375 GB (AnandTech 11209): 8.9 µs mean at depth 1, 585 k IOPS at depth 16, 2.4 GB/s. */
export const OPTANE_P4800X: ControllerTiming = {
  fetch_ns: 120,
  decode_ns: 350,
  complete_ns: 120,
  cores: 4,
  ready_ns: 2_000_000,
  shutdown_ns: 500_000,
  media: {
    channels: 7,
    stripe_bytes: 4096,
    read_ns: 4250,
    write_ns: 4300,
    jitter_ns: 800,
    bus_bytes_per_ns: 2.4,
    flush_ns: 1000,
  },
};

export const GENERIC: ControllerProfile = {
  name: 'generic',
  vendor: 0x1b36,
  device: 0x0010,
  revision: 0x02,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  version: 0x0001_0400,
  model: 'Doorbell NVMe Controller',
  firmware: '1.0',
  oui: 0x52_5400,
  nqn: 'nqn.2014-08.org.nvmexpress:doorbell:',
  maxQueueEntries: 4096,
  maxQueuePairs: 64,
  timeout: 15,
  doorbellStride: 0,
  pageMin: 0,
  pageMax: 4,
  commandSets: 0xc1,
  mdts: 7,
  asyncEvents: 4,
  aborts: 4,
  errorLogEntries: 64,
  maxNamespaces: 256,
  savesFeatures: true,
  msixVectors: 65,
  msixTable: 0x2000,
  msixPba: 0x3000,
  bar_bytes: 0x4000,
  commandSlots: 2048,
  writeCache: true,
  timing: OPTANE_P4800X,
};

/** One sentence naming the first impossible combination, or null. */
export function checkProfile(profile: ControllerProfile): string | null {
  const { maxQueuePairs, doorbellStride, bar_bytes, msixVectors, msixTable, msixPba } = profile;
  const doorbellEnd = 0x1000 + 2 * (maxQueuePairs + 1) * (4 << doorbellStride);
  const between = (key: keyof ControllerProfile, low: number, high: number): string | null => {
    const value = profile[key] as number;
    const fits = Number.isInteger(value) && value >= low && value <= high;
    return fits ? null : `${key} must be a whole number from ${low} to ${high}, got ${value}`;
  };
  return (
    between('maxQueueEntries', 2, 65_536) ??
    between('maxQueuePairs', 1, 65_535) ??
    between('doorbellStride', 0, 10) ??
    between('timeout', 1, 255) ??
    between('mdts', 1, 12) ??
    between('msixVectors', 1, 2048) ??
    between('asyncEvents', 1, 256) ??
    between('aborts', 1, 256) ??
    between('errorLogEntries', 1, 256) ??
    between('maxNamespaces', 1, 1024) ??
    between('commandSlots', 1, 65_536) ??
    between('pageMax', profile.pageMin, 15) ??
    (isPowerOfTwo(bar_bytes) ? null : `bar_bytes must be a power of two, got ${bar_bytes}`) ??
    (doorbellEnd <= msixTable
      ? null
      : `${maxQueuePairs} queue pairs put doorbells up to ${doorbellEnd}, over the MSI-X table at ${msixTable}; ` +
        'move msixTable or lower maxQueuePairs') ??
    (msixTable + 16 * msixVectors <= msixPba || msixPba + Math.ceil(msixVectors / 64) * 8 <= msixTable
      ? null
      : `the MSI-X table of ${msixVectors} vectors at ${msixTable} runs into msixPba at ${msixPba}`) ??
    (Math.max(msixTable + 16 * msixVectors, msixPba + Math.ceil(msixVectors / 64) * 8) <= bar_bytes
      ? null
      : `bar_bytes is ${bar_bytes}, too small for the MSI-X table and pending bits`)
  );
}

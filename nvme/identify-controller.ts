/**
 * Identify data of the controller: CNS 01h, and CNS 06h for the NVM command set (Base 2.1 §5.1.13.2.1; NVM Command
 * Set 1.1 §4.1.5.3). What is not written here is zero: not supported, or not reported.
 * Not here: which CNS values exist (identify.ts), namespaces (identify-namespace.ts).
 */

import type { FirmwareProfile } from './admin/profile.ts';
import { writeAscii } from './ascii.ts';
import { type PowerProfile, USUAL_POWER } from './condition/profile.ts';
import { optionalCommands } from './effects.ts';
import { COPY_FORMATS } from './io/copy.ts';
import { isExtendedFormat } from './lba-format.ts';
import {
  ARBITRATION_BURST,
  FIRMWARE_GRANULE,
  PERSISTENT_EVENT_BYTES,
  PERSISTENT_EVENT_UNIT,
} from './limits.ts';
import type { Namespaces } from './namespaces.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import { CQES, SQES } from './spec/commands.ts';
import {
  CMIC,
  CONTROLLER_TYPE,
  CTRATT,
  ENTRY_SIZES,
  FNA,
  FRMW,
  FUSES,
  HCTMA,
  IDENTIFY_CONTROLLER,
  IDENTIFY_NVM_CONTROLLER,
  LPA,
  NWPC,
  OACS,
  OAES,
  POWER_STATE,
  POWER_STATE_FLAGS,
  SANICAP,
  VWC,
} from './spec/identify.ts';
import { VERSION } from './spec/registers.ts';

/** Units of MP, in mW, and of IDLP, with the number that names it (IPS). */
const MAX_POWER_MW = 10;
const IDLE_POWER = { MW: 10, SCALE: 2 } as const;

const FLUSH_ALL_SUPPORTED = 3;
const IEEE_BYTES = 3;
/** Units of fields: HMPRE and its kin, KAS, EDSTT. */
const HOST_MEMORY_UNIT = 4096;
const KEEP_ALIVE_UNIT_MS = 100;
const MINUTE_NS = 60_000_000_000;
/** FWUG in units of 4096 bytes, MTFA of 100 ms. */
const FIRMWARE_GRANULARITY = FIRMWARE_GRANULE / 4096;
const ACTIVATION_UNIT_NS = 100_000_000;
/** SANICAP.NODMMAS: media are not modified after a sanitize operation without deallocation. */
const NOT_MODIFIED = 1;

const has = (flag: boolean): number => (flag ? 1 : 0);

/** OACS: the optional admin commands of a profile. */
export const adminCommands = ({ admin, quirks }: ControllerProfile): number =>
  OACS.encode({
    VIRTUALIZATION: has(admin.virtualization && !hasQuirk({ quirks }, 'hidesVirtualization')),
    FORMAT: has(admin.format),
    FIRMWARE: has(admin.firmware !== null),
    NAMESPACE_MANAGEMENT: has(admin.namespaceManagement),
    SELF_TEST: has(admin.selfTest),
    DIRECTIVES: has(admin.directives),
    DOORBELL_BUFFER: has(admin.doorbellBuffer),
    GET_LBA_STATUS: has(admin.lbaStatus),
  });

/** SANICAP. */
export const sanitizeCapabilities = ({ admin }: ControllerProfile): number =>
  admin.sanitize.length === 0
    ? 0
    : SANICAP.encode({
        CES: has(admin.sanitize.includes('crypto')),
        BES: has(admin.sanitize.includes('block')),
        OWS: has(admin.sanitize.includes('overwrite')),
        NDI: 1,
        NODMMAS: NOT_MODIFIED,
      });

/** FNA: Format acts on one namespace or on all, as NSID says; an erase by key exists where Sanitize has it. */
export const formatAttributes = ({ admin }: ControllerProfile): number =>
  FNA.encode({ CRYPTO_ERASE: has(admin.format && admin.sanitize.includes('crypto')) });

/** What is not in the profile: the running firmware and how the media are divided. */
export interface ControllerState {
  readonly serial: string;
  /** 8 characters. */
  readonly revision: string;
  readonly namespaces: Namespaces;
}

/** CNS 01h. */
export function writeController(
  view: DataView,
  at: number,
  profile: ControllerProfile,
  { serial, revision, namespaces }: ControllerState,
): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset);
  const set = (name: Parameters<typeof IDENTIFY_CONTROLLER.set>[2], value: number) =>
    IDENTIFY_CONTROLLER.set(view, at, name, value);
  set('VID', profile.vendor);
  set('SSVID', profile.subsystemVendor);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.SN, 20, serial);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.MN, 40, profile.model);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.FR, 8, revision);
  set('RAB', ARBITRATION_BURST);
  for (let i = 0; i < IEEE_BYTES; i++) bytes[at + IDENTIFY_CONTROLLER.IEEE + i] = profile.oui >>> (8 * i);
  set('MDTS', profile.mdts);
  set('CMIC', CMIC.encode({ MCTRS: has(namespaces.place.count > 1) }));
  set('CNTLID', namespaces.place.id);
  set('VER', profile.version);
  set('RTD3E', Math.ceil((profile.timing?.shutdown_ns ?? 0) / 1000));
  set(
    'CTRATT',
    CTRATT.encode({
      HIDS: has(!profile.absent.features.includes('HOST_IDENTIFIER')),
      ELBAS: has(namespaces.formats.some(isExtendedFormat) || hasQuirk(profile, 'announcesWideGuards')),
    }),
  );
  set('CNTRLTYPE', CONTROLLER_TYPE.IO);
  set('ACL', profile.aborts - 1);
  set('AERL', profile.asyncEvents - 1);
  set('ELPE', profile.errorLogEntries - 1);
  const power = profile.power ?? USUAL_POWER;
  set('NPSS', power.states.length - 1);
  set('WCTEMP', profile.warningTemperature_K);
  set('CCTEMP', profile.criticalTemperature_K);
  set('SQES', ENTRY_SIZES.encode({ MIN: SQES, MAX: SQES }));
  set('CQES', ENTRY_SIZES.encode({ MIN: CQES, MAX: CQES }));
  set('NN', namespaces.largest);
  set('ONCS', optionalCommands(profile));
  set('FUSES', FUSES.encode({ COMPARE_AND_WRITE: profile.compareAndWriteBlocks > 0 ? 1 : 0 }));
  // AWUPF stays one block: failures and power cuts stop between two.
  set('AWUN', profile.atomicBlocks - 1);
  set('ACWU', Math.max(0, profile.compareAndWriteBlocks - 1));
  set('OCFS', COPY_FORMATS);
  set('SGLS', profile.sgls);
  set('VWC', VWC.encode({ PRESENT: profile.writeCache ? 1 : 0, FLUSH_ALL: FLUSH_ALL_SUPPORTED }));
  writeCommands(view, at, profile, namespaces.hasZones);
  const capacity = (field: number, bytes: number) => view.setBigUint64(at + field, BigInt(bytes), true);
  if (!hasQuirk(profile, 'tellsNoCapacity')) {
    capacity(IDENTIFY_CONTROLLER.TNVMCAP, namespaces.capacity_bytes);
    capacity(IDENTIFY_CONTROLLER.UNVMCAP, namespaces.unallocated_bytes);
  }
  const nqn = `${profile.nqn}${serial}`;
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.SUBNQN, nqn.length, nqn);
  writePower(view, at, power);
}

/** The power states with their relative throughput and latency, which are ranks, and thermal management. */
function writePower(view: DataView, at: number, { states, managed_K }: PowerProfile): void {
  const ranks = [...new Set(states.map(({ slowness }) => slowness))].sort((a, b) => a - b);
  for (const [index, { max_mW, idle_mW, isOperational, entry_us, exit_us, slowness }] of states.entries()) {
    const set = (name: Parameters<typeof POWER_STATE.set>[2], value: number) =>
      POWER_STATE.set(view, at + IDENTIFY_CONTROLLER.PSD + index * POWER_STATE.SIZE, name, value);
    set('MP', Math.ceil(max_mW / MAX_POWER_MW));
    set('FLAGS', POWER_STATE_FLAGS.encode({ NOPS: has(!isOperational) }));
    set('ENLAT', entry_us);
    set('EXLAT', exit_us);
    const rank = isOperational ? ranks.indexOf(slowness) : ranks.length;
    for (const field of ['RRT', 'RRL', 'RWT', 'RWL'] as const) set(field, rank);
    if (states.length === 1) continue;
    set('IDLP', Math.ceil(idle_mW / IDLE_POWER.MW));
    set('IPS', IDLE_POWER.SCALE << 6);
  }
  if (managed_K === null) return;
  IDENTIFY_CONTROLLER.set(view, at, 'HCTMA', HCTMA.encode({ SUPPORTED: 1 }));
  IDENTIFY_CONTROLLER.set(view, at, 'MNTMT', managed_K[0]);
  IDENTIFY_CONTROLLER.set(view, at, 'MXTMT', managed_K[1]);
}

/** The fields about optional admin commands, logs and events. */
function writeCommands(view: DataView, at: number, profile: ControllerProfile, hasZones: boolean): void {
  const { admin, timing } = profile;
  const { firmware, hostMemory } = admin;
  const set = (name: Parameters<typeof IDENTIFY_CONTROLLER.set>[2], value: number) =>
    IDENTIFY_CONTROLLER.set(view, at, name, value);
  set(
    'OAES',
    OAES.encode({
      NSAN: has(admin.namespaceManagement || admin.format),
      FAN: has(firmware?.activatesNow === true),
      ZDCN: has(hasZones && !profile.absent.logs.includes('CHANGED_ZONES')),
    }),
  );
  set('OACS', adminCommands(profile));
  set(
    'LPA',
    LPA.encode({
      SMART_PER_NAMESPACE: has(hasQuirk(profile, 'shortLogs')),
      EFFECTS: 1,
      EXTENDED_DATA: 1,
      TELEMETRY: has(admin.telemetry),
      PERSISTENT_EVENTS: has(admin.persistentEvents),
      MISCELLANEOUS: has(profile.version >= VERSION.V2_0),
    }),
  );
  set('FRMW', firmwareAttributes(firmware));
  if (firmware !== null) set('FWUG', FIRMWARE_GRANULARITY);
  if (firmware?.activatesNow === true)
    set('MTFA', Math.ceil((timing?.operations.activation_ns ?? 0) / ACTIVATION_UNIT_NS));
  if (admin.selfTest) set('EDSTT', Math.ceil((timing?.operations.selfTestExtended_ns ?? 0) / MINUTE_NS));
  set('KAS', admin.keepAlive_ms / KEEP_ALIVE_UNIT_MS);
  set('SANICAP', sanitizeCapabilities(profile));
  if (admin.format) set('FNA', formatAttributes(profile));
  set('NWPC', NWPC.encode({ WRITE_PROTECT: has(admin.writeProtection) }));
  if (admin.persistentEvents) {
    set('PELS', PERSISTENT_EVENT_BYTES / PERSISTENT_EVENT_UNIT);
  }
  if (hostMemory === null) return;
  set('HMPRE', hostMemory.preferred_bytes / HOST_MEMORY_UNIT);
  set('HMMIN', hostMemory.minimum_bytes / HOST_MEMORY_UNIT);
  set('HMMINDS', hostMemory.descriptorMinimum_bytes / HOST_MEMORY_UNIT);
  set('HMMAXD', hostMemory.maxDescriptors);
}

/** FRMW; a controller without Firmware Commit still has the slot that it runs from. */
const firmwareAttributes = (firmware: FirmwareProfile | null): number =>
  firmware === null
    ? FRMW.encode({ FFSRO: 1, NOFS: 1 })
    : FRMW.encode({
        FFSRO: has(firmware.isFirstReadOnly),
        NOFS: firmware.slots,
        FAWR: has(firmware.activatesNow),
        SMUD: 1,
      });

/** CNS 06h with CSI 0: the limits of commands, 0 where there is none. */
export function writeNvmController(view: DataView, at: number, profile: ControllerProfile): void {
  const { verify, zeroes, uncorrectable, ranges, rangeBlocks, totalBlocks } = profile.limits;
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'VSL', verify);
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'WZSL', zeroes);
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'WUSL', uncorrectable);
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'DMRL', ranges);
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'DMRSL', rangeBlocks);
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'DMSL', BigInt(totalBlocks));
  if (profile.version >= VERSION.V2_0) IDENTIFY_NVM_CONTROLLER.set(view, at, 'VER', profile.version);
}

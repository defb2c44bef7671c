/**
 * Identify data of the controller: CNS 01h, and CNS 06h for the NVM command set (Base 2.1 §5.1.13.2.1; NVM Command
 * Set 1.1 §4.1.5.3). What is not written here is zero: not supported, or not reported.
 * Not here: which CNS values exist (identify.ts), namespaces (identify-namespace.ts).
 */
import { writeAscii } from './ascii.ts';
import { OPTIONAL_COMMANDS } from './effects.ts';
import { TEMPERATURE } from './health.ts';
import { COPY_FORMATS } from './io/copy.ts';
import type { ControllerProfile } from './profile.ts';
import { CQES, SQES } from './spec/commands.ts';
import {
  CONTROLLER_TYPE,
  CTRATT,
  ENTRY_SIZES,
  FRMW,
  FUSES,
  IDENTIFY_CONTROLLER,
  IDENTIFY_NVM_CONTROLLER,
  LPA,
  POWER_STATE,
  VWC,
} from './spec/identify.ts';

/** There is one controller in a subsystem. */
export const CONTROLLER_ID = 0;
/** Default arbitration burst, log2 of commands. */
export const ARBITRATION_BURST = 6;
/** Power states: one, 25 W in units of 10 mW, latencies in microseconds. */
export const POWER_STATES = 1;
const POWER_10MW = 2500;
const POWER_ENTRY_US = 16;
const POWER_EXIT_US = 4;

const FLUSH_ALL_SUPPORTED = 3;
const IEEE_BYTES = 3;
/** AWUN: each command works on its blocks in one go. AWUPF stays one block: failures and power cuts stop between two. */
const EVERY_COMMAND = 0xffff;

/** CNS 01h. `namespaces` is the largest valid NSID. */
export function writeController(
  view: DataView,
  at: number,
  profile: ControllerProfile,
  serial: string,
  namespaces: number,
): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset);
  const set = (name: Parameters<typeof IDENTIFY_CONTROLLER.set>[2], value: number) =>
    IDENTIFY_CONTROLLER.set(view, at, name, value);
  set('VID', profile.vendor);
  set('SSVID', profile.subsystemVendor);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.SN, 20, serial);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.MN, 40, profile.model);
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.FR, 8, profile.firmware);
  set('RAB', ARBITRATION_BURST);
  for (let i = 0; i < IEEE_BYTES; i++) bytes[at + IDENTIFY_CONTROLLER.IEEE + i] = profile.oui >>> (8 * i);
  set('MDTS', profile.mdts);
  set('CNTLID', CONTROLLER_ID);
  set('VER', profile.version);
  set('RTD3E', Math.ceil((profile.timing?.shutdown_ns ?? 0) / 1000));
  set('CTRATT', CTRATT.encode({ HIDS: 1 }));
  set('CNTRLTYPE', CONTROLLER_TYPE.IO);
  set('ACL', profile.aborts - 1);
  set('AERL', profile.asyncEvents - 1);
  set('FRMW', FRMW.encode({ FFSRO: 1, NOFS: 1 }));
  set('LPA', LPA.encode({ EFFECTS: 1, EXTENDED_DATA: 1 }));
  set('ELPE', profile.errorLogEntries - 1);
  set('NPSS', POWER_STATES - 1);
  set('WCTEMP', TEMPERATURE.WARNING);
  set('CCTEMP', TEMPERATURE.CRITICAL);
  set('SQES', ENTRY_SIZES.encode({ MIN: SQES, MAX: SQES }));
  set('CQES', ENTRY_SIZES.encode({ MIN: CQES, MAX: CQES }));
  set('NN', namespaces);
  set('ONCS', OPTIONAL_COMMANDS);
  set('FUSES', FUSES.encode({ COMPARE_AND_WRITE: profile.compareAndWriteBlocks > 0 ? 1 : 0 }));
  set('AWUN', EVERY_COMMAND);
  set('ACWU', Math.max(0, profile.compareAndWriteBlocks - 1));
  set('OCFS', COPY_FORMATS);
  set('SGLS', profile.sgls);
  set('VWC', VWC.encode({ PRESENT: profile.writeCache ? 1 : 0, FLUSH_ALL: FLUSH_ALL_SUPPORTED }));
  const nqn = `${profile.nqn}${serial}`;
  writeAscii(bytes, at + IDENTIFY_CONTROLLER.SUBNQN, nqn.length, nqn);
  const power = at + IDENTIFY_CONTROLLER.PSD;
  POWER_STATE.set(view, power, 'MP', POWER_10MW);
  POWER_STATE.set(view, power, 'ENLAT', POWER_ENTRY_US);
  POWER_STATE.set(view, power, 'EXLAT', POWER_EXIT_US);
}

/** CNS 06h with CSI 0: no limits beyond MDTS, and none on the ranges of Dataset Management. */
export function writeNvmController(view: DataView, at: number, profile: ControllerProfile): void {
  IDENTIFY_NVM_CONTROLLER.set(view, at, 'VER', profile.version);
}

/**
 * What a controller has, asked from outside: each command, feature, log page and Identify structure of the specification
 * is tried, and the status says whether it is modelled or refused. Registers are read and written.
 */
import type { ControllerProfile } from '../../nvme/profile.ts';
import { ADMIN, NVM, opcodeName } from '../../nvme/spec/commands.ts';
import { FEATURES, FID } from '../../nvme/spec/features.ts';
import { CNS, CSI } from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { CC, CSS, REG } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { CC_NORMAL, type Entry, Harness, PAGE } from './harness.ts';

export type Verdict = 'modelled' | 'refused';
/** One row: its number as the specification writes it, its name, and the verdict. */
export type Row = readonly [number: string, name: string, verdict: Verdict];

const BROADCAST = 0xffff_ffff;
/** A plain namespace and one with zones, so that commands of both command sets have something to work on. */
const NAMESPACES = [
  { nsid: 1, bytes: 1024 ** 2, block_bytes: 512 },
  { nsid: 2, bytes: 1024 ** 2, block_bytes: 512, zones: { zone: 131_072 } },
];
const WORDS: Readonly<Record<string, string>> = {
  smart: 'SMART',
  lba: 'LBA',
  ave: 'AVE',
  ddc: 'DDC',
  ana: 'ANA',
  mi: 'MI',
  nvm: 'NVM',
  uuids: 'UUIDs',
};

const numberOf = (value: number): string => `${value.toString(16).toUpperCase().padStart(2, '0')}h`;

/** `CHANGED_NAMESPACES` as `Changed namespaces`. */
function nameOf(key: string): string {
  const words = key
    .toLowerCase()
    .split('_')
    .map((word) => WORDS[word] ?? word);
  const text = words.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The status of one command after another, or null while the controller keeps it. */
function asker(profile: ControllerProfile, isAdmin: boolean): (entry: Entry) => number | null {
  const harness = new Harness({ profile, namespaces: NAMESPACES });
  harness.enable({ cc: CC.CSS.set(CC_NORMAL, CSS.ALL) });
  const buffer = harness.allocate(2);
  const queue = isAdmin ? 0 : 1;
  if (!isAdmin) {
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
  }
  return (entry) => {
    harness.post(queue, { prp1: buffer, prp2: buffer + PAGE, ...entry });
    harness.ring(queue);
    return harness.reap(queue)?.status ?? null;
  };
}

const verdict = (isRefused: boolean): Verdict => (isRefused ? 'refused' : 'modelled');

export function commandRows(profile: ControllerProfile, isAdmin: boolean): Row[] {
  const ask = asker(profile, isAdmin);
  return Object.values(isAdmin ? ADMIN : NVM).map((opcode) => {
    const tried = (isAdmin ? [0] : [1, 2]).map((nsid) => ask({ opcode, nsid }));
    const isRefused = tried.every((status) => status === STATUS.INVALID_OPCODE);
    return [numberOf(opcode), opcodeName(isAdmin, opcode), verdict(isRefused)];
  });
}

export function featureRows(profile: ControllerProfile): Row[] {
  const ask = asker(profile, true);
  return Object.values(FID).map((fid) => {
    const tried = [0, 1].map((nsid) => ask({ opcode: ADMIN.GET_FEATURES, nsid, cdw10: fid }));
    const isRefused = tried.every((status) => status === STATUS.INVALID_FIELD);
    return [numberOf(fid), FEATURES[fid]!.name, verdict(isRefused)];
  });
}

export function logRows(profile: ControllerProfile): Row[] {
  const ask = asker(profile, true);
  return Object.entries(LID).map(([key, lid]) => {
    const cdw10 = lid | (127 << 16);
    const tried = [BROADCAST, 0, 2].map((nsid) => ask({ opcode: ADMIN.GET_LOG_PAGE, nsid, cdw10 }));
    const isRefused = tried.every((status) => status === STATUS.INVALID_LOG_PAGE);
    return [numberOf(lid), nameOf(key), verdict(isRefused)];
  });
}

export function identifyRows(profile: ControllerProfile): Row[] {
  const ask = asker(profile, true);
  return Object.entries(CNS).map(([key, cns]) => {
    const tried = [0, 1, 2].flatMap((nsid) =>
      [CSI.NVM, CSI.ZONED].map((csi) => ask({ opcode: ADMIN.IDENTIFY, nsid, cdw10: cns, cdw11: csi << 24 })),
    );
    const isRefused = tried.every((status) => status === STATUS.INVALID_FIELD);
    return [numberOf(cns), nameOf(key), verdict(isRefused)];
  });
}

/** Whether a register reads 0 whatever is written to it. */
export function isSilent(profile: ControllerProfile, offset: number): boolean {
  const harness = new Harness({ profile });
  if (harness.read32(offset) !== 0) return false;
  harness.write32(offset, 0xffff_ffff);
  return harness.read32(offset) === 0;
}

export const REGISTERS = Object.entries(REG);

/**
 * What a controller has, asked from outside: every command, feature, log page, Identify structure and register of the
 * specification is used, and what comes of it is the verdict (docs/fidelity.md says what each means).
 */
import { ADMIN, GET_LOG_CDW10, NVM, opcodeName } from '../../../nvme/spec/commands.ts';
import { FEATURES, FID } from '../../../nvme/spec/features.ts';
import { CNS, CSI, IDENTIFY_SIZE } from '../../../nvme/spec/identify.ts';
import { LID } from '../../../nvme/spec/logs.ts';
import { CMBMSC, NSSR_MAGIC, REG } from '../../../nvme/spec/registers.ts';
import { STATUS } from '../../../nvme/spec/status.ts';
import { ZONE } from '../../../nvme/spec/zones.ts';
import { ADMIN_PROBES } from './admin-probes.ts';
import { type Bench, BROADCAST, type Verdict } from './bench.ts';
import { featureVerdict } from './feature-probes.ts';
import { IO_PROBES } from './io-probes.ts';

/** One row: its number as the specification writes it, its name, and the verdict. */
export type Row = readonly [number: string, name: string, verdict: Verdict];

/** Log pages that a single host cannot bring to tell anything: test/nvme/reservations.test.ts does with two. */
const NEEDS_ANOTHER_HOST: readonly number[] = [LID.RESERVATION_NOTIFICATION];
const LOG_BYTES = 512;
/** The namespace of the bench that has zones. */
const ZONED_NSID = 2;
/** LSP that a page wants before it tells anything: a new context. */
const LSP: Readonly<Record<number, number>> = { [LID.PERSISTENT_EVENTS]: 1 };
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

export function commandRows(bench: Bench, isAdmin: boolean): Row[] {
  const probes = isAdmin ? ADMIN_PROBES : IO_PROBES;
  return Object.values(isAdmin ? ADMIN : NVM).map((opcode) => {
    bench.begin();
    const tried = (isAdmin ? [0] : [1, 2]).map(
      (nsid) => bench.ask(isAdmin ? 0 : 1, { opcode, nsid })?.status,
    );
    const isRefused = tried.every((status) => status === STATUS.INVALID_OPCODE);
    bench.begin();
    const works = probes[opcode]?.(bench) === true;
    return [numberOf(opcode), opcodeName(isAdmin, opcode), verdictOf(isRefused, works)];
  });
}

const verdictOf = (isRefused: boolean, works: boolean): Verdict =>
  isRefused ? 'refused' : works ? 'modelled' : 'inert';

export function featureRows(bench: Bench): Row[] {
  return Object.values(FID).map((fid) => {
    bench.begin();
    return [numberOf(fid), FEATURES[fid]!.name, featureVerdict(bench, fid)];
  });
}

/** Things happen that log pages tell. */
function makeHistory(bench: Bench): void {
  bench.ask(1, { opcode: NVM.READ, nsid: 1, cdw10: 0xffff });
  bench.admin({ opcode: ADMIN.DEVICE_SELF_TEST, nsid: BROADCAST, cdw10: 1 });
  bench.admin({ opcode: ADMIN.FORMAT_NVM, nsid: 1 });
  bench.controller.namespace(ZONED_NSID)?.zones?.degrade(0, ZONE.READ_ONLY);
}

export function logRows(bench: Bench): Row[] {
  const { quirks } = bench.controller.profile;
  const unknown = [STATUS.INVALID_LOG_PAGE, quirks.includes('shortLogs') ? STATUS.INVALID_FIELD : -1];
  bench.begin();
  makeHistory(bench);
  return Object.entries(LID).map(([key, lid]) => {
    bench.clear();
    const cdw10 = GET_LOG_CDW10.encode({ LID: lid, LSP: LSP[lid] ?? 0, NUMDL: LOG_BYTES / 4 - 1 });
    const nsid = lid === LID.CHANGED_ZONES ? ZONED_NSID : BROADCAST;
    const status = bench.admin({ opcode: ADMIN.GET_LOG_PAGE, nsid, cdw10 });
    const { isWritten, isBlank } = bench.received(LOG_BYTES);
    const works = isWritten && (!isBlank || NEEDS_ANOTHER_HOST.includes(lid));
    return [numberOf(lid), nameOf(key), verdictOf(unknown.includes(status!), works)];
  });
}

export function identifyRows(bench: Bench): Row[] {
  bench.begin();
  return Object.entries(CNS).map(([key, cns]) => {
    const tried = [0, 1, 2].flatMap((nsid) =>
      [CSI.NVM, CSI.ZONED].map((csi) => {
        bench.clear();
        const status = bench.admin({ opcode: ADMIN.IDENTIFY, nsid, cdw10: cns, cdw11: (csi << 24) >>> 0 });
        return { isRefused: status === STATUS.INVALID_FIELD, ...bench.received(IDENTIFY_SIZE) };
      }),
    );
    const works = tried.some(({ isWritten, isBlank }) => isWritten && !isBlank);
    const isRefused = tried.every((one) => one.isRefused);
    return [numberOf(cns), nameOf(key), verdictOf(isRefused, works)];
  });
}

/** A register is there when it tells something of a running controller, or reacts to being written after a reset. */
export function registerRows(bench: Bench): Row[] {
  bench.begin();
  bench.write32(REG.CMBMSC, CMBMSC.encode({ CRE: 1 }));
  const registers = Object.entries(REG);
  const told = registers.map(([, offset]) => bench.read32(offset) !== 0);
  return registers.map(([name, offset], index) => {
    const isThere = told[index] === true || acts(bench, offset);
    return [numberOf(offset), name, isThere ? 'modelled' : 'absent'];
  });
}

/** Ones in these registers are told by another one. */
const CAUSES: Readonly<Record<number, readonly number[]>> = {
  [REG.INTMC]: [REG.INTMS],
  [REG.CMBSTS]: [REG.CMBMSC_HI, REG.CMBMSC],
};

function acts(bench: Bench, offset: number): boolean {
  bench.functionReset();
  bench.configure();
  if (offset === REG.NSSR) {
    bench.enable();
    bench.write32(REG.NSSR, NSSR_MAGIC);
    return bench.read32(REG.CC) === 0;
  }
  for (const cause of CAUSES[offset] ?? [offset]) bench.write32(cause, 0xffff_ffff);
  return bench.read32(offset) !== 0;
}

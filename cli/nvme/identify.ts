/** `nvme id-ctrl` and `nvme id-ns`: the Identify structures in nvme-cli's layout (2.3). */
import {
  FLBAS,
  IDENTIFY_CONTROLLER,
  IDENTIFY_NAMESPACE,
  LBAF,
  NSFEAT,
  POWER_STATE,
  POWER_STATE_FLAGS,
} from '../../nvme/spec/identify.ts';
import { alternateHex, fieldLines, type Line } from './fields.ts';

// biome-ignore format: rows as dense as the structure
const CONTROLLER: readonly Line[] = [
  ['vid', 'VID', 'hex'], ['ssvid', 'SSVID', 'hex'], ['sn', 'SN', 'text'], ['mn', 'MN', 'text'], ['fr', 'FR', 'text'],
  ['rab', 'RAB', 'decimal'], ['ieee', 'IEEE', 'oui'], ['cmic', 'CMIC', 'hex'], ['mdts', 'MDTS', 'decimal'],
  ['cntlid', 'CNTLID', 'hex'], ['ver', 'VER', 'hex'], ['rtd3r', 'RTD3R', 'hex'], ['rtd3e', 'RTD3E', 'hex'],
  ['oaes', 'OAES', 'hex'], ['ctratt', 'CTRATT', 'hex'], ['rrls', 'RRLS', 'hex'], ['cntrltype', 'CNTRLTYPE', 'decimal'],
  ['fguid', 'FGUID', 'uuid'], ['crdt1', 'CRDT1', 'decimal'], ['crdt2', 'CRDT2', 'decimal'], ['crdt3', 'CRDT3', 'decimal'],
  ['nvmsr', 'NVMSR', 'decimal'], ['vwci', 'VWCI', 'decimal'], ['mec', 'MEC', 'decimal'], ['oacs', 'OACS', 'hex'],
  ['acl', 'ACL', 'decimal'], ['aerl', 'AERL', 'decimal'], ['frmw', 'FRMW', 'hex'], ['lpa', 'LPA', 'hex'],
  ['elpe', 'ELPE', 'decimal'], ['npss', 'NPSS', 'decimal'], ['avscc', 'AVSCC', 'hex'], ['apsta', 'APSTA', 'hex'],
  ['wctemp', 'WCTEMP', 'decimal'], ['cctemp', 'CCTEMP', 'decimal'], ['mtfa', 'MTFA', 'decimal'],
  ['hmpre', 'HMPRE', 'decimal'], ['hmmin', 'HMMIN', 'decimal'], ['tnvmcap', 'TNVMCAP', 'decimal'],
  ['unvmcap', 'UNVMCAP', 'decimal'], ['rpmbs', 'RPMBS', 'hex'], ['edstt', 'EDSTT', 'decimal'], ['dsto', 'DSTO', 'decimal'],
  ['fwug', 'FWUG', 'decimal'], ['kas', 'KAS', 'decimal'], ['hctma', 'HCTMA', 'hex'], ['mntmt', 'MNTMT', 'decimal'],
  ['mxtmt', 'MXTMT', 'decimal'], ['sanicap', 'SANICAP', 'hex'], ['hmminds', 'HMMINDS', 'decimal'],
  ['hmmaxd', 'HMMAXD', 'decimal'], ['nsetidmax', 'NSETIDMAX', 'decimal'], ['endgidmax', 'ENDGIDMAX', 'decimal'],
  ['anatt', 'ANATT', 'decimal'], ['anacap', 'ANACAP', 'decimal'], ['anagrpmax', 'ANAGRPMAX', 'decimal'],
  ['nanagrpid', 'NANAGRPID', 'decimal'], ['pels', 'PELS', 'decimal'], ['domainid', 'DID', 'decimal'],
  ['megcap', 'MEGCAP', 'decimal'], ['sqes', 'SQES', 'hex'], ['cqes', 'CQES', 'hex'], ['maxcmd', 'MAXCMD', 'decimal'],
  ['nn', 'NN', 'decimal'], ['oncs', 'ONCS', 'hex'], ['fuses', 'FUSES', 'hex'], ['fna', 'FNA', 'hex'], ['vwc', 'VWC', 'hex'],
  ['awun', 'AWUN', 'decimal'], ['awupf', 'AWUPF', 'decimal'], ['icsvscc', 'ICSVSCC', 'decimal'], ['nwpc', 'NWPC', 'decimal'],
  ['acwu', 'ACWU', 'decimal'], ['ocfs', 'OCFS', 'hex'], ['sgls', 'SGLS', 'hex'], ['mnan', 'MNAN', 'decimal'],
  ['maxdna', 'MAXDNA', 'decimal'], ['maxcna', 'MAXCNA', 'decimal'], ['subnqn', 'SUBNQN', 'text'],
  ['ioccsz', 'IOCCSZ', 'decimal'], ['iorcsz', 'IORCSZ', 'decimal'], ['icdoff', 'ICDOFF', 'decimal'],
  ['fcatt', 'FCATT', 'hex'], ['msdbd', 'MSDBD', 'decimal'], ['ofcs', 'OFCS', 'decimal'],
];

// biome-ignore format: rows as dense as the structure
const NAMESPACE: readonly Line[] = [
  ['nsze', 'NSZE', 'hex'], ['ncap', 'NCAP', 'hex'], ['nuse', 'NUSE', 'hex'], ['nsfeat', 'NSFEAT', 'hex'],
  ['nlbaf', 'NLBAF', 'decimal'], ['flbas', 'FLBAS', 'hex'], ['mc', 'MC', 'hex'], ['dpc', 'DPC', 'hex'], ['dps', 'DPS', 'hex'],
  ['nmic', 'NMIC', 'hex'], ['rescap', 'RESCAP', 'hex'], ['fpi', 'FPI', 'hex'], ['dlfeat', 'DLFEAT', 'decimal'],
  ['nawun', 'NAWUN', 'decimal'], ['nawupf', 'NAWUPF', 'decimal'], ['nacwu', 'NACWU', 'decimal'], ['nabsn', 'NABSN', 'decimal'],
  ['nabo', 'NABO', 'decimal'], ['nabspf', 'NABSPF', 'decimal'], ['noiob', 'NOIOB', 'decimal'], ['nvmcap', 'NVMCAP', 'decimal'],
];
/** Shown when NSFEAT says that they hold something. */
// biome-ignore format: rows as dense as the structure
const OPTIMAL: readonly Line[] = [
  ['npwg', 'NPWG', 'decimal'], ['npwa', 'NPWA', 'decimal'], ['npdg', 'NPDG', 'decimal'], ['npda', 'NPDA', 'decimal'],
  ['nows', 'NOWS', 'decimal'],
];
// biome-ignore format: rows as dense as the structure
const NAMESPACE_REST: readonly Line[] = [
  ['mssrl', 'MSSRL', 'decimal'], ['mcl', 'MCL', 'decimal'], ['msrc', 'MSRC', 'decimal'], ['nulbaf', 'NULBAF', 'decimal'],
  ['anagrpid', 'ANAGRPID', 'decimal'], ['nsattr\t', 'NSATTR', 'decimal'], ['nvmsetid', 'NVMSETID', 'decimal'],
  ['endgid', 'ENDGID', 'decimal'], ['nguid', 'NGUID', 'bytes'], ['eui64', 'EUI64', 'bytes'],
];

/** `view` is the structure of CNS 01h. */
export function idCtrl(view: DataView): string[] {
  const states = IDENTIFY_CONTROLLER.get(view, 0, 'NPSS') + 1;
  return [
    'NVME Identify Controller:',
    ...fieldLines(IDENTIFY_CONTROLLER, view, CONTROLLER, 10),
    ...Array.from({ length: states }, (_, state) => powerState(view, state)).flat(),
  ];
}

function powerState(view: DataView, state: number): string[] {
  const at = IDENTIFY_CONTROLLER.PSD + state * POWER_STATE.SIZE;
  const { MP, FLAGS, ENLAT, EXLAT, RRT, RRL, RWT, RWL } = POWER_STATE.decode(view, at);
  const isFine = POWER_STATE_FLAGS.MXPS.get(FLAGS) === 1;
  const power = isFine ? (MP / 10_000).toFixed(4) : (MP / 100).toFixed(2);
  const kind = POWER_STATE_FLAGS.NOPS.get(FLAGS) === 1 ? 'non-operational' : 'operational';
  return [
    `ps ${String(state).padStart(6)} : mp:${power}W ${kind} enlat:${ENLAT} exlat:${EXLAT} rrt:${RRT} rrl:${RRL}`,
    `            rwt:${RWT} rwl:${RWL} idle_power:- active_power:-`,
    '            active_power_workload:-',
  ];
}

/** `view` is the structure of CNS 00h. */
export function idNs(view: DataView, nsid: number): string[] {
  const { FLBAS: flbas, NLBAF, NSFEAT: features } = IDENTIFY_NAMESPACE.decode(view, 0);
  const inUse = FLBAS.FIDXL.get(flbas) | (FLBAS.FIDXU.get(flbas) << 4);
  const formats = Array.from({ length: NLBAF + 1 }, (_, format) => {
    const word = view.getUint32(IDENTIFY_NAMESPACE.LBAF + 4 * format, true);
    const [ms, lbads, rp] = [LBAF.MS.get(word), LBAF.LBADS.get(word), LBAF.RP.get(word)];
    const mark = format === inUse ? '(in use)' : '';
    return `lbaf ${String(format).padStart(2)} : ms:${String(ms).padEnd(3)} lbads:${String(lbads).padEnd(2)} rp:${alternateHex(rp)} ${mark}`;
  });
  const optimal = NSFEAT.OPTPERF.get(features) === 0 ? [] : OPTIMAL;
  return [
    `NVME Identify Namespace ${nsid}:`,
    ...fieldLines(IDENTIFY_NAMESPACE, view, [...NAMESPACE, ...optimal, ...NAMESPACE_REST], 8),
    ...formats,
  ];
}

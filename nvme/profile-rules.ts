/**
 * Rules between the keys of a controller profile that the specification makes: what a version does not know yet, what
 * contradicts itself, what no command could use. Not here: memory and BAR0 (profile.ts), each key alone (boards/).
 */
import { formatSize, hex, PAGE_SIZE } from '../support/numbers.ts';
import { type Absences, checkAbsences } from './absences.ts';
import type { AdminProfile } from './admin/profile.ts';
import { valueProblem } from './feature-rules.ts';
import type { ControllerProfile, FeatureDefaults } from './profile.ts';
import { FID } from './spec/features.ts';
import { SGLS } from './spec/identify.ts';
import { CAP_CSS, VERSION } from './spec/registers.ts';

/** Since which version there are options of the admin queue. */
const SINCE: readonly (readonly [key: keyof AdminProfile, version: number])[] = [
  ['sanitize', VERSION.V1_3],
  ['selfTest', VERSION.V1_3],
  ['directives', VERSION.V1_3],
  ['doorbellBuffer', VERSION.V1_3],
  ['virtualization', VERSION.V1_3],
  ['telemetry', VERSION.V1_3],
  ['persistentEvents', VERSION.V1_4],
  ['lbaStatus', VERSION.V1_4],
  ['writeProtection', VERSION.V1_4],
];
/** The option that brings a command; Namespace Management and Attachment have one together. */
const OPTION_OF: { readonly [Name in Absences['admin'][number]]?: keyof AdminProfile } = {
  FIRMWARE_COMMIT: 'firmware',
  FIRMWARE_DOWNLOAD: 'firmware',
  DEVICE_SELF_TEST: 'selfTest',
  KEEP_ALIVE: 'keepAlive_ms',
  DIRECTIVE_SEND: 'directives',
  DIRECTIVE_RECEIVE: 'directives',
  VIRTUALIZATION_MANAGEMENT: 'virtualization',
  DOORBELL_BUFFER_CONFIG: 'doorbellBuffer',
  FORMAT_NVM: 'format',
  SANITIZE: 'sanitize',
  GET_LBA_STATUS: 'lbaStatus',
};
const KNOWN_SETS = CAP_CSS.NVM | CAP_CSS.IO_COMMAND_SETS | CAP_CSS.ADMIN_ONLY;
/** SGLs that are modelled: SUPPORT and the bits of descriptors that PCI Express has. */
const KNOWN_SGLS = SGLS.SUPPORT.mask | SGLS.BIT_BUCKET.mask | SGLS.LONGER_THAN_DATA.mask | SGLS.MPTR_SGL.mask;
const SGLS_RESERVED = 3;

const isOn = (value: AdminProfile[keyof AdminProfile]): boolean =>
  Array.isArray(value) ? value.length > 0 : Boolean(value);

/** A sentence for each combination that breaks a rule, the first of its kind. */
export function checkRules(profile: ControllerProfile): string[] {
  return [
    checkOptions(profile),
    checkCommandSets(profile),
    checkSgls(profile),
    checkBlocks(profile),
    checkAbsences(profile.absent),
    checkAnnounced(profile),
    checkFeatures(profile),
    checkQuirks(profile),
  ].filter((problem) => problem !== null);
}

function checkOptions({ version, admin, writeCache, dirty_bytes }: ControllerProfile): string | null {
  for (const [key, since] of SINCE) {
    if (isOn(admin[key]) && version < since)
      return `admin.${key} is on, and version ${hex(version)} does not know it yet: it came with ${hex(since)}`;
  }
  if (dirty_bytes === 0 || writeCache) return null;
  return `dirty_bytes is ${dirty_bytes}, and without writeCache no written byte can be lost: 0`;
}

function checkCommandSets({ commandSets, version, zonedCommandSet }: ControllerProfile): string | null {
  const unknown = commandSets & ~KNOWN_SETS;
  if (unknown !== 0) return `commandSets ${hex(commandSets)} has reserved bits of CAP.CSS: ${hex(unknown)}`;
  if ((commandSets & (CAP_CSS.NVM | CAP_CSS.IO_COMMAND_SETS)) === 0)
    return `commandSets ${hex(commandSets)} lets no host choose the NVM command set: set bit 0`;
  if (zonedCommandSet && (commandSets & CAP_CSS.IO_COMMAND_SETS) === 0)
    return `zonedCommandSet is on, and commandSets ${hex(commandSets)} lets no host choose it: set bit 6`;
  if (version >= VERSION.V1_4 || (commandSets & CAP_CSS.IO_COMMAND_SETS) === 0) return null;
  return `commandSets ${hex(commandSets)} has bit 6, which version ${hex(version)} does not know yet`;
}

function checkSgls({ sgls }: ControllerProfile): string | null {
  const support = SGLS.SUPPORT.get(sgls);
  if (support === SGLS_RESERVED) return `sgls ${hex(sgls)}: 3 in bits 1:0 is reserved`;
  const unknown = (sgls & ~KNOWN_SGLS) >>> 0;
  if (unknown !== 0) return `sgls ${hex(sgls)} promises what is not modelled: ${hex(unknown)}`;
  if (support !== 0 || sgls === 0) return null;
  return `sgls ${hex(sgls)} describes SGLs that bits 1:0 say are not supported`;
}

/** Commands that an option brings and Identify announces are absent where the option is off. */
function checkAnnounced({ admin, absent }: ControllerProfile): string | null {
  for (const name of absent.admin) {
    const option = OPTION_OF[name];
    if (option === undefined || !isOn(admin[option])) continue;
    return `absent.admin names ${name}, and admin.${option} announces it in Identify; turn that off instead`;
  }
  return null;
}

function checkFeatures(profile: ControllerProfile): string | null {
  const { fixed, defaults } = profile.features;
  const missing = fixed.find((name) => profile.absent.features.includes(name));
  if (missing !== undefined)
    return `features.fixed names ${missing}, which absent.features says is not there`;
  for (const [name, value] of Object.entries(defaults) as [keyof FeatureDefaults, number][]) {
    const problem = valueProblem(profile, FID[name], value);
    if (problem !== null) return `features.defaults.${name} is ${hex(value)}: ${problem}`;
  }
  return null;
}

function checkQuirks({ quirks, admin, absent, compareAndWriteBlocks }: ControllerProfile): string | null {
  const twice = quirks.find((name, index) => quirks.indexOf(name) !== index);
  if (twice !== undefined) return `quirks names ${twice} twice`;
  if (absent.io.includes('COMPARE') && compareAndWriteBlocks > 0)
    return `compareAndWriteBlocks is ${compareAndWriteBlocks}, and absent.io names COMPARE, the half of it: 0`;
  if (quirks.includes('namespaceFirst') && compareAndWriteBlocks > 0)
    return `compareAndWriteBlocks is ${compareAndWriteBlocks}, and with the quirk namespaceFirst nothing is fused: 0`;
  if (!quirks.includes('privateNamespaces') || admin.namespaceManagement) return null;
  return 'quirks names privateNamespaces, and without admin.namespaceManagement there is no command to refuse';
}

/** Every format must have blocks that one command can move. */
function checkBlocks({ formats, mdts, pageMin }: ControllerProfile): string | null {
  const most = PAGE_SIZE * 2 ** (mdts + pageMin);
  const large = formats.map(({ block_bytes }) => block_bytes).find((block_bytes) => block_bytes > most);
  if (large === undefined) return null;
  return `blocks of ${large} bytes are more than one command moves with mdts ${mdts}, ${formatSize(most)}; raise mdts`;
}

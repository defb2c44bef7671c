/**
 * Rules between the keys of a controller profile that the specification makes: what a version does not know yet, what
 * contradicts itself, what no command could use. Not here: memory and BAR0 (profile.ts), each key alone (boards/).
 */
import { formatSize, hex, PAGE_SIZE } from '../support/numbers.ts';
import type { AdminProfile } from './admin/profile.ts';
import type { ControllerProfile } from './profile.ts';
import { SGLS } from './spec/identify.ts';
import { CAP_CSS, VERSION } from './spec/registers.ts';

/** Since which version there are options of the admin queue. */
const SINCE: readonly (readonly [key: keyof AdminProfile, version: number])[] = [
  ['sanitize', VERSION.V1_3],
  ['selfTest', VERSION.V1_3],
  ['directives', VERSION.V1_3],
  ['doorbellBuffer', VERSION.V1_3],
  ['telemetry', VERSION.V1_3],
  ['persistentEvents', VERSION.V1_4],
  ['lbaStatus', VERSION.V1_4],
  ['writeProtection', VERSION.V1_4],
];
const KNOWN_SETS = CAP_CSS.NVM | CAP_CSS.IO_COMMAND_SETS | CAP_CSS.ADMIN_ONLY;
/** SGLs that are modelled: SUPPORT and the bits of descriptors that PCI Express has. */
const KNOWN_SGLS = SGLS.SUPPORT.mask | SGLS.BIT_BUCKET.mask | SGLS.MPTR_SGL.mask;
const SGLS_RESERVED = 3;

/** One sentence naming the first combination that breaks a rule, or null. */
export function checkRules(profile: ControllerProfile): string | null {
  return checkOptions(profile) ?? checkCommandSets(profile) ?? checkSgls(profile) ?? checkBlocks(profile);
}

function checkOptions({ version, admin, writeCache, dirty_bytes }: ControllerProfile): string | null {
  for (const [key, since] of SINCE) {
    const value = admin[key];
    const isOn = Array.isArray(value) ? value.length > 0 : value === true;
    if (isOn && version < since)
      return `admin.${key} is on, and version ${hex(version)} does not know it yet: it came with ${hex(since)}`;
  }
  if (dirty_bytes === 0 || writeCache) return null;
  return `dirty_bytes is ${dirty_bytes}, and without writeCache no written byte can be lost: 0`;
}

function checkCommandSets({ commandSets, version }: ControllerProfile): string | null {
  const unknown = commandSets & ~KNOWN_SETS;
  if (unknown !== 0) return `commandSets ${hex(commandSets)} has reserved bits of CAP.CSS: ${hex(unknown)}`;
  if ((commandSets & (CAP_CSS.NVM | CAP_CSS.IO_COMMAND_SETS)) === 0)
    return `commandSets ${hex(commandSets)} lets no host choose the NVM command set: set bit 0`;
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

/** Every format must have blocks that one command can move. */
function checkBlocks({ blockSizes, metadataFormats, mdts, pageMin }: ControllerProfile): string | null {
  const most = PAGE_SIZE * 2 ** (mdts + pageMin);
  const all = [...blockSizes, ...metadataFormats.map(({ block_bytes }) => block_bytes)];
  const large = all.find((block_bytes) => block_bytes > most);
  if (large === undefined) return null;
  return `blocks of ${large} bytes are more than one command moves with mdts ${mdts}, ${formatSize(most)}; raise mdts`;
}

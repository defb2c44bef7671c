/**
 * `doorbell nvme`: what nvme-cli's verbs of the same names show of a drive, asked through the driver. Flags are
 * nvme-cli's. Not here: changing anything; programs do that through the driver.
 */
import { findNvme, NvmeDriver, NvmeError } from '../../drivers/nvme/index.ts';
import { NSID_BROADCAST } from '../../nvme/spec/commands.ts';
import { FEATURE_SELECT } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER } from '../../nvme/spec/identify.ts';
import { ERROR_LOG_ENTRY, LID, SMART_LOG } from '../../nvme/spec/logs.ts';
import { suggestion } from '../../support/nearest.ts';
import { hex } from '../../support/numbers.ts';
import { UserError } from '../../support/user-error.ts';
import { parseArguments } from '../arguments.ts';
import { LIVE_OPTIONS, liveMachine } from '../live.ts';
import type { Output } from '../output.ts';
import { getFeature } from './features.ts';
import { idCtrl, idNs } from './identify.ts';
import { list } from './list.ts';
import { errorLog, smartLog } from './logs.ts';
import { showRegs } from './registers.ts';

/** What was asked of one drive. */
interface Request {
  readonly driver: NvmeDriver;
  /** `nvme0`. */
  readonly device: string;
  /** From `nvme0n1` or -n. */
  readonly nsid: number | null;
  readonly flags: Flags;
}

interface Flags {
  readonly nsid: number | null;
  readonly feature: number | null;
  readonly entries: number | null;
  readonly select: number | null;
  readonly withFields: boolean;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const VERBS: Readonly<Record<string, (request: Request) => Promise<string[]> | string[]>> = {
  'id-ctrl': async ({ driver }) => idCtrl(await driver.identify(CNS.CONTROLLER)),
  'id-ns': async ({ driver, nsid }) => idNs(await driver.identify(CNS.NAMESPACE, nsid ?? 1), nsid ?? 1),
  'smart-log': async ({ driver, device, flags }) => {
    const of = flags.nsid ?? NSID_BROADCAST;
    return smartLog(viewOf(await driver.getLogPage(LID.SMART, SMART_LOG.SIZE, of)), device, of);
  },
  'error-log': async ({ driver, device, flags }) => {
    const most = IDENTIFY_CONTROLLER.get(await driver.identify(CNS.CONTROLLER), 0, 'ELPE') + 1;
    const entries = Math.min(flags.entries ?? most, most);
    const log = await driver.getLogPage(LID.ERROR, entries * ERROR_LOG_ENTRY.SIZE);
    return errorLog(viewOf(log), entries, device);
  },
  'show-regs': ({ driver, flags }) => showRegs((offset) => driver.readRegister(offset), flags.withFields),
  'get-feature': async ({ driver, nsid, flags }) => {
    const { feature } = flags;
    const select = flags.select ?? FEATURE_SELECT.CURRENT;
    if (feature === null) throw new UserError('nvme get-feature: say which one: -f FID, such as -f 7');
    const known = await driver.getFeature(feature, nsid ?? 0, select);
    return getFeature(feature, select, known, flags.withFields);
  },
};
const NAMES = ['list', ...Object.keys(VERBS)];

/** Returns the exit status. Throws UserError, and NvmeError for what the drive refuses. */
export async function nvmeCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('nvme', argv, LIVE_OPTIONS);
  const { flags, words } = parseFlags(rest);
  const [verb, place, ...others] = words;
  if (verb === undefined || others.length > 0)
    throw new UserError(`nvme: give a verb and at most one drive: ${NAMES.join(', ')}`);
  if (!NAMES.includes(verb)) {
    const advice = suggestion(verb, NAMES) || `; there are ${NAMES.join(', ')}`;
    throw new UserError(`nvme: unknown verb "${verb}"${advice}`);
  }
  if (verb === 'list' && place !== undefined)
    throw new UserError(`nvme list: takes no "${place}"; it lists every drive`);
  const machine = await liveMachine(options);
  const { kernel } = machine;
  const bdfs = findNvme(kernel);
  if (verb === 'list') {
    const drivers: NvmeDriver[] = [];
    for (const bdf of bdfs) drivers.push(await NvmeDriver.open(kernel, { bdf }));
    output.lines(list(drivers));
    for (const driver of drivers) await driver.close();
    return 0;
  }
  const { drive, nsid } = parsePlace(place ?? 'nvme0', bdfs.length);
  const driver = await NvmeDriver.open(kernel, { bdf: bdfs[drive]! });
  try {
    if (nsid !== null) refuseAbsent(driver, drive, nsid);
    output.lines(await VERBS[verb]!({ driver, device: `nvme${drive}`, nsid: flags.nsid ?? nsid, flags }));
  } catch (error) {
    // The hardware knows better than a driver can guess.
    const because = error instanceof NvmeError ? machine.explain().at(-1) : undefined;
    if (because !== undefined) output.error(because);
    throw error;
  }
  await driver.close();
  return 0;
}

/**
 * `nvme0n9` is a device that Linux has only for an active namespace. With -n the drive itself is asked, as by nvme-cli:
 * of an inactive namespace it returns zeroes (Base 2.1 §5.1.13).
 */
function refuseAbsent({ namespaces }: NvmeDriver, drive: number, nsid: number): void {
  if (namespaces.some((namespace) => namespace.nsid === nsid)) return;
  const names = namespaces.map((namespace) => `nvme${drive}n${namespace.nsid}`).join(', ');
  throw new UserError(
    `nvme: the board has no nvme${drive}n${nsid}; nvme${drive} has ${names || 'no namespace'}`,
  );
}

function parsePlace(text: string, drives: number): { drive: number; nsid: number | null } {
  const found = /^(?:\/dev\/)?nvme(\d+)(?:n(\d+))?$/.exec(text);
  if (found === null) throw new UserError(`nvme: "${text}" is no drive; nvme0 and nvme0n1 would be`);
  const drive = Number(found[1]);
  if (drive >= drives) {
    const names = Array.from({ length: drives }, (_, index) => `nvme${index}`).join(', ');
    throw new UserError(`nvme: the board has no nvme${drive}; it has ${names || 'no drive'}`);
  }
  return { drive, nsid: found[2] === undefined ? null : Number(found[2]) };
}

/** FID has eight bits. */
const MOST_FEATURE = 0xff;
const NUMBERS = { '-n': 'nsid', '-f': 'feature', '-e': 'entries', '-s': 'select' } as const;

/** nvme-cli's short flags: `-n 1`, `-f 0x7`, `-e 4`, `-s 1`, `-H`. */
function parseFlags(argv: readonly string[]): { flags: Flags; words: string[] } {
  const numbers: Record<(typeof NUMBERS)[keyof typeof NUMBERS], number | null> = {
    nsid: null,
    feature: null,
    entries: null,
    select: null,
  };
  let withFields = false;
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === '-H') withFields = true;
    else if (word in NUMBERS)
      numbers[NUMBERS[word as keyof typeof NUMBERS]] = parseNumber(word, argv[++index]);
    else if (word.startsWith('-'))
      throw new UserError(`nvme: unknown flag "${word}"; it takes ${Object.keys(NUMBERS).join(' ')} -H`);
    else words.push(word);
  }
  const { feature, select } = numbers;
  if (feature !== null && feature > MOST_FEATURE)
    throw new UserError(`nvme: -f ${hex(feature)}: features have numbers up to 0xff`);
  if (select !== null && select > FEATURE_SELECT.CAPABILITIES)
    throw new UserError(
      `nvme: -s ${select}: 0 is the current value, 1 the default, 2 the saved one, 3 what can be done`,
    );
  return { flags: { ...numbers, withFields }, words };
}

function parseNumber(flag: string, text: string | undefined): number {
  if (text === undefined) throw new UserError(`nvme: ${flag} needs a number`);
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (value <= 0xffff_ffff) return value;
  throw new UserError(`nvme: ${flag} ${text}: it is a number of 32 bits`);
}

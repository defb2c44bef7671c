/**
 * Finds what is impossible in a board before anything is built. Each problem is one sentence with its path in the
 * board, such as `rootPorts[0].device.namespaces[1].size`. What a key may hold alone is in shapes.ts; here is what
 * keys mean together. Not here: resources, which firmware finds out (enumerate.ts).
 */

import type { ControllerProfile } from '../nvme/profile.ts';
import { checkProfile } from '../nvme/profile-check.ts';
import { MIB } from '../support/numbers.ts';
import type { Problem } from '../support/shape.ts';
import type { Board, NvmeBoard, PortBoard } from './board.ts';
import { drivesOf, type PlacedDrive } from './drives.ts';
import { checkNamespace } from './namespaces.ts';
import { BOARD, bytesOf } from './shapes.ts';

/**
 * A board that cannot exist. The message has a line for each problem: it names the board, the place in it and what would
 * be possible.
 */
export class BoardError extends Error {
  override readonly name = 'BoardError';
  readonly problems: readonly Problem[];
  constructor(board: string, problems: readonly Problem[]) {
    const said = problems.map(({ path, problem }) => `${path === '' ? '' : `${path}: `}${problem}`);
    super(said.map((sentence) => `board ${board}: ${sentence}`).join('\n'));
    this.problems = problems;
  }
}

/** Tells that a place in the board is impossible, and why. */
type Refuse = (path: string, problem: string) => void;

const LIMIT = 4 * 1024 ** 3 - 65_536;
const LEAST_RAM = 16 * MIB;

/** Device and function of a port's `at`, as devfn; `checkBoard` has seen that it is one. */
export function devfnOf(at: string): number {
  const match = /^([0-9a-f]{2})\.([0-7])$/i.exec(at);
  const device = match === null ? Number.NaN : Number.parseInt(match[1]!, 16);
  return device < 32 ? (device << 3) | Number(match![2]) : Number.NaN;
}

/**
 * Throws BoardError for all that is impossible in `board`, and the problems that are known already. What keys mean
 * together is looked at where each alone can be.
 */
export function checkBoard(board: Board, known: readonly Problem[] = []): void {
  const problems = [...known, ...BOARD(board, '')];
  if (problems.length === 0) checkTogether(board, problems);
  if (problems.length > 0) throw new BoardError(String(board?.name ?? '(unnamed)'), problems);
}

function checkTogether(board: Board, problems: Problem[]): void {
  const refuse: Refuse = (path, problem) => problems.push({ path, problem });
  const ram = bytesOf(board.ram);
  if (ram < LEAST_RAM) refuse('ram', `${ram} bytes are too few to boot; 16m is the least`);
  else if (ram % 65_536 !== 0) refuse('ram', `${ram} bytes are not a multiple of 64 KiB`);
  if (ram + bytesOf(board.media) > LIMIT) refuse('media', 'RAM and media together must stay below 4 GiB');
  checkPorts('rootPorts', board.rootPorts, refuse);
  checkSubsystems(drivesOf(board.rootPorts), refuse);
}

/** Controllers of one drive cannot change what its namespaces are, and keep no writes that the others do not see. */
function checkSubsystems(drives: readonly PlacedDrive[], refuse: Refuse): void {
  for (const { path, drive, owner } of drives) {
    if (drive.joins !== true) continue;
    if (owner === -1) {
      refuse(`${path}.joins`, `no earlier drive has the serial number '${drive.serial}'`);
      continue;
    }
    for (const key of ['namespaces', 'capacity'] as const) {
      if (key === 'capacity' ? drive.capacity !== undefined : drive.namespaces.length > 0)
        refuse(`${path}.${key}`, `a controller that joins another has the ${key} of that one`);
    }
    const first = drives[owner]!;
    if (!isSameDrive(first.drive.profile, drive.profile))
      refuse(
        `${path}.profile`,
        'the controllers of a drive have one medium: maxNamespaces, savesFeatures and timing.media must be those of ' +
          `${first.path}.profile`,
      );
    for (const { path: place, drive: one } of [first, { path, drive }]) {
      const { admin, dirty_bytes } = one.profile;
      const manages =
        admin.namespaceManagement || admin.format || admin.sanitize.length > 0 || admin.virtualization;
      if (manages || dirty_bytes > 0)
        refuse(
          `${place}.profile`,
          'namespaces of several controllers are shared as they are: namespaceManagement, format and virtualization ' +
            'must be false, sanitize empty, and dirty_bytes 0',
        );
    }
  }
}

/** Whether two profiles are alike in what belongs to the drive. */
function isSameDrive(one: ControllerProfile, other: ControllerProfile): boolean {
  const [media, others] = [one, other].map(({ timing }) => Object.entries(timing?.media ?? {}));
  const named = Object.fromEntries(others!) as Record<string, unknown>;
  return (
    one.maxNamespaces === other.maxNamespaces &&
    one.savesFeatures === other.savesFeatures &&
    media!.length === others!.length &&
    media!.every(([key, value]) => named[key] === value)
  );
}

function checkPorts(path: string, ports: readonly PortBoard[], refuse: Refuse): void {
  const places = new Map<number, string>();
  for (const [index, { at }] of ports.entries()) {
    const here = `${path}[${index}]`;
    const devfn = devfnOf(at);
    const other = places.get(devfn);
    if (Number.isNaN(devfn))
      refuse(`${here}.at`, `'${at}' is not a place on a bus; write device and function such as '04.0'`);
    else if (other !== undefined) refuse(`${here}.at`, `'${at}' is already taken by ${other}`);
    else places.set(devfn, here);
  }
  for (const [index, { at, device }] of ports.entries()) {
    const here = `${path}[${index}]`;
    const devfn = devfnOf(at);
    if (!Number.isNaN(devfn) && !places.has(devfn & ~7))
      refuse(`${here}.at`, `nobody finds '${at}' while '${at.slice(0, 2)}.0' is empty`);
    if (device?.kind === 'nvme') checkDrive(`${here}.device`, device, refuse);
    else if (device !== null) checkPorts(`${here}.device.ports`, device.ports, refuse);
  }
}

function checkDrive(path: string, drive: NvmeBoard, refuse: Refuse): void {
  const { profile, namespaces } = drive;
  for (const problem of checkProfile(profile)) refuse(`${path}.profile (${profile.name})`, problem);
  if (namespaces.length > profile.maxNamespaces) {
    const limit = `${profile.maxNamespaces} of profile ${profile.name} (maxNamespaces)`;
    refuse(`${path}.namespaces`, `${namespaces.length} are more than the ${limit}`);
  }
  for (const [index, namespace] of namespaces.entries()) {
    const impossible = checkNamespace(namespace);
    if (impossible !== null) refuse(`${path}.namespaces[${index}]`, impossible);
  }
}

/**
 * What `doorbell fio` can ask of the driver, named as in its options: `--hostMemory`, `--shadowDoorbells`, `--timeout`.
 * Not here: what they do (drivers/nvme/options.ts).
 */
import { drivesOf } from '../../boards/index.ts';
import type { AdminProfile } from '../../nvme/admin/profile.ts';
import { UserError } from '../../support/user-error.ts';
import type { DriverOptions } from './drives.ts';
import { parseTime } from './rules.ts';
import type { Targets } from './targets.ts';

/** What of them a run is made of, and a recording keeps. */
export type RunDriver = Omit<DriverOptions, 'onWarning'>;

/** Flags, and what of a drive's profile offers what they ask for. */
const NEEDS = { hostMemory: 'hostMemory', shadowDoorbells: 'doorbellBuffer' } as const satisfies Partial<
  Record<keyof RunDriver, keyof AdminProfile>
>;
type Flag = keyof typeof NEEDS;
const NAMES = Object.keys(NEEDS) as Flag[];
export const DRIVER_FLAGS: readonly string[] = NAMES.map((name) => `--${name}`);

/** What the command line asks for. Throws UserError for a time that is none. */
export function driverOptions(flags: ReadonlySet<string>, timeout: string | undefined): RunDriver {
  const asked = NAMES.filter((name) => flags.has(`--${name}`)).map((name) => [name, true]);
  const options: RunDriver = Object.fromEntries(asked);
  if (timeout === undefined) return options;
  const timeout_ns = parseTime(timeout, 's');
  if (timeout_ns !== null && timeout_ns > 0) return { ...options, timeout_ns };
  throw new UserError(`--timeout ${timeout}: it takes a time such as 10, 500ms or 2m`);
}

/** Throws UserError where a drive of the jobs does not offer what is asked of its driver. */
export function refuseUnoffered(options: RunDriver, { board, byFile }: Targets): void {
  const drives = drivesOf(board.rootPorts);
  for (const number of new Set([...byFile.values()].map(({ drive }) => drive))) {
    const { path, drive } = drives[number]!;
    const { admin, model } = drive.profile;
    const flag = NAMES.find((name) => options[name] === true && !admin[NEEDS[name]]);
    if (flag === undefined) continue;
    const key = `${path}.profile.admin.${NEEDS[flag]}`;
    throw new UserError(
      `--${flag}: nvme${number} of board ${board.name} (${model}) does not offer it: its ${key} is ${admin[NEEDS[flag]]}`,
    );
  }
}

/** A machine to look at: booted, and if one is named after the jobs of a fio file. What `nvme`, `dmesg` and `inspect` share. */
import { boot, type Machine } from '../boards/index.ts';
import { openStore } from '../bridge/host.ts';
import { parseSeed } from './arguments.ts';
import { findBoard } from './board-option.ts';
import { hostNow, readJobFile } from './fio/command.ts';
import { runJobs } from './fio/engine.ts';
import { findTargets } from './fio/targets.ts';

/** Options of every verb that looks at a machine. */
export const LIVE_OPTIONS = ['board', 'after', 'seed'] as const;

export type LiveOptions = Readonly<Partial<Record<(typeof LIVE_OPTIONS)[number], string>>>;

/** What the jobs are told while they run. */
export interface LiveHooks {
  /** Called before the first job. */
  readonly onBooted?: (machine: Machine) => void;
}

/** Boots a board at the timed pace and runs the jobs of `after` to their end. Throws UserError. */
export async function liveMachine(
  { board = 'pc', after, seed: seedText }: LiveOptions,
  { onBooted }: LiveHooks = {},
): Promise<Machine> {
  const seed = parseSeed(seedText);
  const jobs = after === undefined ? [] : readJobFile(after).jobs;
  const targets = findTargets(await findBoard(board), jobs);
  const machine = boot(targets.board, { seed, openStore });
  onBooted?.(machine);
  if (jobs.length > 0) await runJobs({ machine, jobs, targets, seed, hostNow });
  return machine;
}

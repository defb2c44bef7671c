/** fio jobs inside a program: the text of a job file, run on the scenario's machine, and the figures of its jobs. */
import type { DriverOptions } from '../../cli/fio/drives.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { READ, WRITE } from '../../cli/fio/stats.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { UserError } from '../../support/user-error.ts';
import type { Context, Settings } from './scenario.ts';

/** One job, its clones together. Rates are per second of simulated time. */
export interface JobFigures {
  readonly kiops: number;
  readonly MBps: number;
  readonly mean_us: number;
  readonly p99_us: number;
  readonly errno: number;
}

/**
 * Runs the jobs of `text`; figures by the name of the job. Drives are opened for the jobs with what `driver` asks for, and
 * closed after them.
 * Throws UserError for a mistake in `text`, and for two jobs of one name.
 */
export async function fio(
  { machine, seed }: Pick<Context<Settings>, 'machine' | 'seed'>,
  text: string,
  driver: DriverOptions = {},
): Promise<Readonly<Record<string, JobFigures>>> {
  const { jobs } = parseJobFile(text, 'scenario.fio');
  const names = jobs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new UserError(`fio: two jobs are named "${twice}"; figures go by name, so give each its own`);
  const options = {
    machine,
    jobs,
    targets: findTargets(machine.board, jobs),
    seed,
    driver,
    hostNow: () => 0,
  };
  const { clones } = await runJobs(options);
  const figures = jobs.map((job): [string, JobFigures] => {
    const mine = clones.filter((clone) => clone.job.name === job.name);
    const parts = mine.map(({ directions }) => directions[job.writes && !job.reads ? WRITE : READ]);
    const [first, ...others] = parts;
    for (const other of others) first!.merge(other);
    const { ios, bytes, elapsed_ns, lat } = first!;
    return [
      job.name,
      {
        kiops: (ios / elapsed_ns) * 1e6,
        MBps: (bytes / elapsed_ns) * 1e3,
        mean_us: lat.mean / 1e3,
        p99_us: lat.percentile(99) / 1e3,
        errno: mine.find(({ errno }) => errno !== 0)?.errno ?? 0,
      },
    ];
  });
  return Object.fromEntries(figures);
}

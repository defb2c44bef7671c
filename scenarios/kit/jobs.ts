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
  /** As fio reports it, 0 when all went well; 5 (EIO) also where the drive was lost. */
  readonly errno: number;
  /** What went wrong, a sentence; empty when nothing did. */
  readonly failure: string;
}

/** What the driver is asked for, and what happens on the way. */
export interface FioOptions extends DriverOptions {
  /**
   * Called when drives are open, which takes about 100 ms of simulated time each, and the jobs begin. With
   * `onBegin: () => context.begin()` the events of the scenario count from there.
   */
  readonly onBegin?: () => void;
}

/**
 * Runs the jobs of `text`; figures by the name of the job. Drives are opened for the jobs with what `driver` asks for, and
 * closed after them. A drive that is lost while they run fails the jobs on it alone.
 * Rejects with UserError for a mistake in `text`, two jobs of one name, and a drive that is gone before, and with what the
 * driver says of one that cannot be opened.
 */
export async function fio(
  { machine, seed }: Pick<Context<Settings>, 'machine' | 'seed'>,
  text: string,
  { onBegin, ...driver }: FioOptions = {},
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
    ...(onBegin === undefined ? {} : { onBegin }),
  };
  const { clones } = await runJobs(options);
  const figures = jobs.map((job): [string, JobFigures] => {
    const mine = clones.filter((clone) => clone.job.name === job.name);
    const parts = mine.map(({ directions }) => directions[job.writes && !job.reads ? WRITE : READ]);
    const failed = mine.find(({ errno }) => errno !== 0);
    const [first, ...others] = parts;
    for (const other of others) first!.merge(other);
    const { ios, bytes, elapsed_ns, lat } = first!;
    return [
      job.name,
      {
        kiops: elapsed_ns === 0 ? 0 : (ios / elapsed_ns) * 1e6,
        MBps: elapsed_ns === 0 ? 0 : (bytes / elapsed_ns) * 1e3,
        mean_us: lat.mean / 1e3,
        p99_us: lat.percentile(99) / 1e3,
        errno: failed?.errno ?? 0,
        failure: failed?.failure ?? '',
      },
    ];
  });
  return Object.fromEntries(figures);
}

/**
 * Runs on many machines: BullMQ on Redis hands them out, takes over those of a worker that died, and keeps results until
 * whoever asked has fetched them. A run's id is its key, so that equal runs are one.
 * BullMQ and ioredis are not installed with Doorbell: `npm install bullmq ioredis` where they are wanted.
 */
import type { ConnectionOptions, Job, Queue, Worker } from 'bullmq';
import { UserError } from '../../support/user-error.ts';
import type { Run } from './grid.ts';
import type { Pool } from './pool.ts';
import type { Result } from './run.ts';

const NAME = 'doorbell-sweep';
const TRIES = 5;
/** A worker that has not renewed its claim for so long is dead, and its run goes to another. */
const CLAIM_MS = 1500;
const LOOK_MS = 250;

type BullMq = typeof import('bullmq');

async function bullmq(): Promise<BullMq> {
  try {
    return await import('bullmq');
  } catch {
    throw new UserError('--queue needs two packages more: npm install bullmq ioredis');
  }
}

/** Throws UserError for an address that is none. */
export function checkQueue(url: string): void {
  connection(url);
}

function connection(url: string): ConnectionOptions {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new UserError(`--queue ${url}: it is redis://HOST:PORT`);
  }
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:')
    throw new UserError(`--queue ${url}: it is redis://HOST:PORT`);
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
    maxRetriesPerRequest: null,
  };
}

/** What the queue does not do within this time, it will not do: nobody answers there. */
const ANSWER_MS = 5000;

async function answers(queue: Queue, url: string): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    const sentence = `--queue ${url}: no Redis answers there`;
    setTimeout(() => reject(new UserError(sentence, 1)), ANSWER_MS).unref();
  });
  await Promise.race([queue.waitUntilReady(), late]);
}

/** Has all of `runs` done by workers, and tells each result as it comes. Rejects with UserError when a run fails for good. */
export async function runByQueue(
  url: string,
  runs: readonly Run[],
  onResult: (result: Result) => void,
): Promise<void> {
  const { Queue: BullQueue } = await bullmq();
  const queue: Queue = new BullQueue(NAME, { connection: connection(url) });
  queue.on('error', () => {});
  try {
    await answers(queue, url);
    const options = { attempts: TRIES, backoff: { type: 'fixed', delay: 100 } } as const;
    await queue.addBulk(
      runs.map((run) => ({ name: 'run', data: run, opts: { ...options, jobId: idOf(run) } })),
    );
    const waiting = new Set(runs.map(idOf));
    while (waiting.size > 0) {
      for (const id of [...waiting]) {
        const state = await queue.getJobState(id);
        if (state !== 'completed' && state !== 'failed' && state !== 'unknown') continue;
        const job: Job | undefined = await queue.getJob(id);
        if (job === undefined) throw new UserError(`sweep: run ${id} has left the queue`, 1);
        if (state === 'failed') await fail(job);
        onResult(job.returnvalue as Result);
        waiting.delete(id);
        await job.remove();
      }
      if (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  } finally {
    await queue.close();
  }
}

const idOf = ({ key }: Run): string => `run-${key}`;

async function fail(job: Job): Promise<never> {
  const reason = job.failedReason;
  await job.remove();
  throw new UserError(reason);
}

/** Does runs of the queue until `stopped` resolves. `onDone` is told each key. */
export async function serveQueue(
  url: string,
  pool: Pool,
  threads: number,
  stopped: Promise<unknown>,
  onDone: (settings: Run['settings']) => void,
): Promise<void> {
  const { Worker: BullWorker, Queue: BullQueue, UnrecoverableError } = await bullmq();
  const options = { connection: connection(url) };
  const probe: Queue = new BullQueue(NAME, options);
  probe.on('error', () => {});
  try {
    await answers(probe, url);
  } finally {
    await probe.close();
  }
  const work = async ({ data }: Job<Run>): Promise<Result> => {
    try {
      const result = await pool.run(data);
      onDone(data.settings);
      return result;
    } catch (error) {
      // A job that cannot be will not become possible by trying again.
      if (error instanceof UserError) throw new UnrecoverableError(error.message);
      throw error;
    }
  };
  const worker: Worker = new BullWorker(NAME, work, {
    ...options,
    concurrency: threads,
    lockDuration: CLAIM_MS,
    stalledInterval: CLAIM_MS,
    maxStalledCount: TRIES,
  });
  worker.on('error', () => {});
  await stopped;
  await worker.close();
}

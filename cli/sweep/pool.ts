/** Runs on all cores of this machine: one worker thread each, through piscina. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { packageFile } from '../../bridge/package-file.ts';
import { UserError } from '../../support/user-error.ts';
import type { Run } from './grid.ts';
import type { Result } from './run.ts';

/** What a worker thread answers: a result, or the sentence of a mistake. */
export type Answer = { readonly result: Result } | { readonly mistake: string };

export class Pool {
  readonly #piscina: Piscina;

  constructor(threads = availableParallelism()) {
    this.#piscina = new Piscina({
      filename: packageFile('cli/sweep-worker.js'),
      minThreads: 1,
      maxThreads: threads,
      execArgv: [],
    });
  }

  /** Rejects with UserError for a job that cannot be. */
  async run(run: Run): Promise<Result> {
    const answer = (await this.#piscina.run(run)) as Answer;
    if ('mistake' in answer) throw new UserError(answer.mistake);
    return answer.result;
  }

  async close(): Promise<void> {
    await this.#piscina.destroy();
  }
}

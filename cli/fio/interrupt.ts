/**
 * Ctrl-C during a run: the first SIGINT or SIGTERM ends the jobs, and their report tells of what was done by then, as
 * fio has it; a second one ends the process. Not here: how jobs end (engine.ts).
 */
import type { Output } from '../output.ts';

/** Exit status of fio when a signal ended it. */
export const INTERRUPTED = 128;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

export class Interrupt {
  readonly #controller = new AbortController();
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, this.#onSignal);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #onSignal = (name: keyof typeof SIGNALS): void => {
    this.#output.status('');
    this.#output.error(`\nfio: terminating on signal ${SIGNALS[name]}`);
    this.#controller.abort();
    this.close();
  };

  /** Leaves signals to the process again. */
  close(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, this.#onSignal);
  }
}

/**
 * The threaded pace on Node: worker threads for the hardware of a machine, and the host's clock.
 * Not here: what the thread does (boards/threaded.ts), what passes between the threads (machine/threads/).
 */
import { Worker } from 'node:worker_threads';
import type { Board } from '../boards/board.ts';
import {
  died,
  type HardwareStart,
  type HardwareThread,
  ThreadedMachine,
  type ThreadedOptions,
} from '../boards/threaded.ts';
import './host.ts';

/** The host's clock in nanoseconds. */
export const hostNow = (): number => performance.now() * 1e6;

/**
 * Boots `board` with its hardware in worker threads; images are opened there. They keep no process alive that has nothing
 * else to do. Throws BoardError, EnumerationError, or HardwareThreadError when a thread cannot start.
 */
export function bootThreaded(board: Board, options: ThreadedOptions = {}): ThreadedMachine {
  return new ThreadedMachine(board, { hostNow, spawn }, options);
}

/** Starts a worker; in a checkout through what reads TypeScript. */
function spawn(start: HardwareStart): HardwareThread {
  const script = import.meta.url.endsWith('.ts') ? './source-thread.js' : './hardware-thread.js';
  const worker = new Worker(new URL(script, import.meta.url), { workerData: start, execArgv: [] });
  worker.unref();
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.on('error', ({ message }) => died(start, message));
  worker.on('exit', (status) => died(start, `it ended with status ${status}`));
  return {
    async end() {
      const timer = setTimeout(() => void worker.terminate(), GRACE_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** A thread that was told to end gets this long. */
const GRACE_MS = 1000;

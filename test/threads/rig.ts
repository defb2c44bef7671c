/** Threads for tests: hardware that is as it should be, and bodies that are not. */
import { Worker } from 'node:worker_threads';
import type { HardwareStart, HardwareThread, ThreadHost } from '../../boards/threaded.ts';
import { hostNow } from '../../bridge/threads.ts';
import { WORD } from '../../machine/threads/window.ts';

/** A host whose hardware threads run `body` instead, JavaScript that sees `window` and `inbox`. */
export function hostOfBody(body: string): ThreadHost {
  const spawn = ({ window, inbox }: HardwareStart): HardwareThread => {
    const head = `const { window, inbox } = require('node:worker_threads').workerData; const STATE = ${WORD.STATE};`;
    const worker = new Worker(head + body, { eval: true, workerData: { window, inbox } });
    return { end: async () => void (await worker.terminate()) };
  };
  return { hostNow, spawn };
}

/** What a call throws, as `Name: sentence`. */
export function thrown(call: () => unknown): string {
  try {
    call();
    return 'it did not throw';
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

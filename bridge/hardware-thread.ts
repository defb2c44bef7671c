/** What a hardware thread runs: see threads.ts, which starts it. */
import { workerData } from 'node:worker_threads';
import { type HardwareStart, runHardware } from '../boards/threaded.ts';
import { openStore } from './host.ts';
import { hostNow } from './threads.ts';

runHardware(workerData as HardwareStart, { hostNow, openStore });

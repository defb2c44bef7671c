/**
 * The two clocks of a run: simulated nanoseconds decide who runs; latencies are measured in `measured`, which is the same
 * clock at the timed pace and the host's where simulated time stands still. One object for a run, so that calls are inlined.
 */
import type { AnyMachine } from '../pace.ts';

export class RunClock {
  declare private readonly kernel: AnyMachine['kernel'];
  /** null: what is measured is simulated time. */
  declare private readonly hostNow: (() => number) | null;

  constructor(machine: AnyMachine, hostNow: () => number) {
    this.kernel = machine.kernel;
    this.hostNow = machine.pace === 'timed' ? null : hostNow;
  }

  /** True when what is measured is simulated time. */
  get isSimulated(): boolean {
    return this.hostNow === null;
  }

  simulated(): number {
    return this.kernel.now();
  }

  measured(): number {
    return this.hostNow === null ? this.kernel.now() : this.hostNow();
  }
}

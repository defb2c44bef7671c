/**
 * The firmware cores of a controller: each decodes or completes one command at a time, and whoever comes while all of them
 * work waits for the first that is free. Not here: what is decoded (engine.ts).
 */
import type { Clock } from '../machine/clock.ts';
import type { Jitter } from '../machine/timing/jitter.ts';
import type { Archive } from '../support/archive.ts';
import type { ControllerTiming } from './profile.ts';

export class Cores {
  private readonly clock: Clock;
  private readonly decode_ns: number;
  private readonly complete_ns: number;
  /** Chance in the time that a command keeps a core; null: none. */
  private readonly jitter: Jitter | null;
  private readonly freeAt: Float64Array;

  constructor(
    clock: Clock,
    timing: Pick<ControllerTiming, 'decode_ns' | 'complete_ns' | 'cores'>,
    jitter: Jitter | null,
  ) {
    this.clock = clock;
    this.decode_ns = timing.decode_ns;
    this.complete_ns = timing.complete_ns;
    this.jitter = jitter;
    this.freeAt = new Float64Array(timing.cores);
  }

  /** Nanoseconds until an entry that is here now has been decoded. */
  decode(): number {
    const { decode_ns } = this;
    return decode_ns === 0 ? 0 : this.#work(this.jitter?.around(decode_ns) ?? decode_ns);
  }

  /** Nanoseconds until a command that is done now has been completed; 0: that takes no time. */
  complete(): number {
    return this.complete_ns === 0 ? 0 : this.#work(this.complete_ns);
  }

  #work(work_ns: number): number {
    const free = this.freeAt;
    let core = 0;
    for (let other = 1; other < free.length; other++) if (free[other]! < free[core]!) core = other;
    free[core] = Math.max(free[core]!, this.clock.now) + work_ns;
    return free[core]! - this.clock.now;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.freeAt);
    this.jitter?.archive(a);
  }
}

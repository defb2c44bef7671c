/** What a clone of a job is made of, and whom it tells of what it did. Not here: what it does with them (clone.ts). */
import type { HostProfile } from '../../machine/timing/host.ts';
import type { RunClock } from './clock.ts';
import type { FlightParts } from './flights.ts';
import type { LatencyTarget } from './latency-target.ts';
import type { Flow, Pacer, RateFloor } from './pace.ts';
import type { Recorder } from './recorder.ts';
import type { JobStats } from './stats.ts';
import type { BlockVerifier } from './verify.ts';
import type { Workload } from './workload.ts';

/** The interrupt of a queue pair, as a sleeping thread meets it. */
export interface Interrupt {
  /** True when an interrupt has come since `clear`; costs nothing, the kernel wakes the thread. */
  isRaised(): boolean;
  /** Takes the count of interrupts: one system call. */
  clear(): void;
}

export interface CloneParts extends FlightParts {
  readonly workload: Workload;
  readonly recorder: Recorder;
  /** Number of the drive, in bus order. */
  readonly drive: number;
  readonly verifier: BlockVerifier | null;
  readonly clock: RunClock;
  readonly host: HostProfile;
  /** null: the clone polls. */
  readonly interrupt: Interrupt | null;
  readonly pacer: Pacer | null;
  readonly floor: RateFloor | null;
  readonly target: LatencyTarget | null;
  readonly flow: Flow | null;
  readonly startDelay_ns: number;
  /** What the driver said last about the drive; empty when it said nothing. */
  readonly lastWarning: () => string;
  /** What the machine says of the command that the drive refused last; empty when it refused none. */
  readonly lastRefusal: () => string;
  /** Told of every command that has completed; null when nobody asks. */
  readonly onCompletion: OnCompletion | null;
}

/** Which clone it is: what it counts, its drive in bus order, and its queue. */
export interface CloneIdentity {
  readonly stats: JobStats;
  readonly drive: number;
  readonly qid: number;
}

/** When a command of a clone was begun, issued and taken back, in nanoseconds of `measured`, and the driver's slot. */
export type OnCompletion = (
  created: number,
  issued: number,
  taken: number,
  clone: CloneIdentity,
  slot: number,
) => void;

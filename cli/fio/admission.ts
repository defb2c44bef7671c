/**
 * Whether a clone may begin another I/O now: its depth, its pauses, the zones of others, its rates and its flow.
 * Not here: what the I/O is (workload.ts), how fast rates let it go (pace.ts), posting it (clone.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { CloneParts } from './clone-parts.ts';
import type { Job } from './job-file.ts';
import { type Direction, SYNC } from './stats.ts';

const NEVER = Number.POSITIVE_INFINITY;
/** How often a job looks whether another one is done with the zone that it is about to write. */
const ZONE_LOOK_NS = 1000;
/** How long a job that is ahead of its flow sleeps at least. */
const FLOW_SLEEP_NS = 1000;

export class Admission {
  /** I/Os with data that were issued. */
  issued = 0;
  private readonly job: Job;
  private readonly parts: CloneParts;
  /** An I/O has been chosen and waits for its time. */
  private isChosen = false;
  /** The queue was full and drains to `iodepth_low`. */
  private isDraining = false;
  private sinceThink = 0;

  constructor(job: Job, parts: CloneParts) {
    this.job = job;
    this.parts = parts;
  }

  /** I/Os that may be under way now. */
  get #depth(): number {
    const { target } = this.parts;
    return target === null ? this.job.iodepth : target.depth;
  }

  /** Returns 0 when an I/O may be submitted now, else the simulated time at which to look again; NEVER: at a completion. */
  next(outstanding: number): number {
    const { job } = this;
    const { pacer, clock, workload } = this.parts;
    if (outstanding >= this.#depth) {
      this.isDraining = job.iodepth_low > 0;
      return NEVER;
    }
    if (this.isDraining && outstanding > job.iodepth_low) return NEVER;
    this.isDraining = false;
    const simulated = clock.simulated();
    if (job.thinktime_ns > 0 && this.sinceThink >= job.thinktime_blocks)
      return outstanding > 0 ? NEVER : this.#pause(simulated);
    if (pacer !== null && !this.isChosen && workload.claimsZones) {
      // A zone is not kept from others while this job waits for its rate.
      const dueAt = pacer.earliest();
      if (dueAt > simulated) return dueAt;
    }
    if (!this.isChosen) this.isChosen = workload.next(outstanding);
    if (!this.isChosen) return workload.isBlocked ? simulated + ZONE_LOOK_NS : NEVER;
    return this.#due(simulated);
  }

  #pause(simulated: number): number {
    const { thinktime_ns, rate_ignore_thinktime } = this.job;
    this.sinceThink = 0;
    if (rate_ignore_thinktime) this.parts.pacer?.postpone(thinktime_ns);
    return simulated + thinktime_ns;
  }

  /** When the chosen I/O may go; 0 when it may now. */
  #due(simulated: number): number {
    const { pacer, flow, workload } = this.parts;
    if (flow?.isAhead(this.job.flow, this.issued))
      return simulated + Math.max(FLOW_SLEEP_NS, this.job.flow_sleep_ns);
    const { direction } = workload;
    if (pacer === null || direction >= SYNC || workload.isVerifying) return 0;
    const dueAt = pacer.dueAt[direction]!;
    return dueAt <= simulated ? 0 : dueAt;
  }

  /** The chosen I/O was posted. */
  posted(direction: number, bytes: number): void {
    this.isChosen = false;
    if (direction >= SYNC) return;
    const { flow, pacer } = this.parts;
    this.issued++;
    flow?.issued();
    if (pacer !== null) pacer.issued(direction as Direction, bytes);
    if (this.job.thinktime_blocks_type === 'issue') this.sinceThink++;
  }

  /** An I/O has completed. */
  completed(direction: number): void {
    if (direction < SYNC && this.job.thinktime_blocks_type === 'complete') this.sinceThink++;
  }

  /** No other I/O begins in this phase: the chosen one is not issued after all. */
  stop(): void {
    if (this.isChosen) this.parts.workload.abandon();
    this.parts.workload.stop();
    this.isChosen = false;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.issued = a.value(this.issued);
    this.isChosen = a.value(this.isChosen);
    this.isDraining = a.value(this.isDraining);
    this.sinceThink = a.value(this.sinceThink);
  }
}

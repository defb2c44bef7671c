/**
 * One clone of a job as a simulated thread: thinks, posts, rings, takes completions, keeps the times. Software costs are
 * the host profile's; the clone is not called again before its simulated time has come. Nothing is allocated per I/O.
 * Not here: what is under way (flights.ts), what to do next (workload.ts), when it may (pace.ts), who runs when (engine.ts), what was counted
 * (recorder.ts), what a verified block looks like (verify.ts).
 */

import type { QueuePair } from '../../drivers/nvme/index.ts';
import type { HostProfile } from '../../machine/timing/host.ts';
import { RW_CDW12 } from '../../nvme/spec/commands.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { Archive } from '../../support/archive.ts';
import type { RunClock } from './clock.ts';
import { type FlightParts, Flights } from './flights.ts';
import type { Job } from './job-file.ts';
import type { LatencyTarget } from './latency-target.ts';
import type { Flow, Pacer, RateFloor } from './pace.ts';
import type { Recorder } from './recorder.ts';
import { type Direction, type JobStats, READ, SYNC, WRITE } from './stats.ts';
import { type BlockVerifier, UNCHECKED } from './verify.ts';
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
  /** Told of every command that has completed; null when nobody asks. */
  readonly onCompletion: OnCompletion | null;
}

/** When a command of a clone was begun, issued and taken back, in nanoseconds of `measured`, and the driver's slot. */
export type OnCompletion = (
  created: number,
  issued: number,
  taken: number,
  clone: Clone,
  slot: number,
) => void;

const EIO = 5;
const EILSEQ = 84;
const ETIMEDOUT = 110;
const NEVER = Number.POSITIVE_INFINITY;
/** Actions in one turn, so that clones that never wait share the host. */
const TURN = 256;
/** How often a job looks whether another one is done with the zone that it is about to write. */
const ZONE_LOOK_NS = 1000;
/** How long a job that is ahead of its flow sleeps at least. */
const FLOW_SLEEP_NS = 1000;

type State = 'thinking' | 'submitting' | 'waiting' | 'waking' | 'done';

export class Clone {
  /** Simulated time before which `step` does nothing; Infinity while only the machine can wake the clone. */
  readyAt = 0;
  /** `wait_for`: clones that must be done before this one begins. */
  readonly after: Clone[] = [];
  readonly job: Job;
  readonly stats: JobStats;
  readonly workload: Workload;
  readonly #parts: CloneParts;
  readonly #queue: QueuePair;
  readonly #recorder: Recorder;
  readonly #flights: Flights;
  readonly #batch: number;
  readonly #limit_ns: number;
  #state: State = 'thinking';
  #hasBegun = false;
  #isRamping: boolean;
  /** An I/O has been chosen and waits for its time. */
  #isChosen = false;
  /** The queue was full and drains to `iodepth_low`. */
  #isDraining = false;
  #unrung = 0;
  #issued = 0;
  #sinceThink = 0;
  private phaseAt = 0;
  /** When the thread began to work on the command it is about to post. */
  private createdAt = 0;
  private completedAt = 0;

  constructor(parts: CloneParts) {
    const { queue, recorder } = parts;
    const { job } = recorder.stats;
    this.job = job;
    this.stats = recorder.stats;
    this.workload = parts.workload;
    this.#parts = parts;
    this.#queue = queue;
    this.#recorder = recorder;
    this.#flights = new Flights(parts, job.iodepth, job.sync ? RW_CDW12.FUA.mask : 0);
    this.#batch = job.iodepth_batch;
    this.#limit_ns = job.max_latency_ns;
    this.#isRamping = job.ramp_ns > 0;
    queue.onComplete = (slot, status) => this.#complete(slot, status);
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  get drive(): number {
    return this.#parts.drive;
  }

  get qid(): number {
    return this.#queue.qid;
  }

  get queue(): QueuePair {
    return this.#queue;
  }

  /** Slots of the queue whose commands have not completed. */
  underWay(): number[] {
    return this.#flights.underWay();
  }

  /** When the command in a slot that is under way was issued. */
  issuedAt(slot: number): number {
    return this.#flights.issued[this.#flights.ioOf(slot)]!;
  }

  /** Commands may have been ended from outside: the thread looks what it can do now. */
  rouse(): void {
    if (this.#state === 'waiting' || this.#state === 'thinking') {
      this.#state = 'thinking';
      this.readyAt = Math.min(this.readyAt, this.#parts.clock.simulated());
    }
  }

  /** I/Os that are under way. */
  get outstanding(): number {
    return this.#flights.outstanding;
  }

  /** I/Os that may be under way now. */
  get #depth(): number {
    const { target } = this.#parts;
    return target === null ? this.job.iodepth : target.depth;
  }

  /** Ends the job as soon as what is outstanding has completed; one that has not begun never will. */
  stop(): void {
    if (this.#isChosen) this.workload.abandon();
    this.workload.stop();
    this.#isChosen = false;
    if (!this.#hasBegun) this.#state = 'done';
    else if (this.#state === 'thinking') this.readyAt = this.#parts.clock.simulated();
  }

  /** Ends the job at time `at`, on the clock that measures. What is under way does not count; `drain` takes it back. */
  cut(at: number): void {
    if (this.isDone) return;
    if (!Number.isNaN(this.phaseAt) && this.#hasBegun)
      this.#recorder.endPhase(Math.max(0, at - this.phaseAt), this.workload.isVerifying);
    this.stats.zoneResets = this.workload.zoneResets;
    if (this.#unrung > 0) this.#queue.ring();
    this.#queue.onComplete = (slot) => this.#forget(slot);
    this.#state = 'done';
  }

  #forget(slot: number): void {
    const io = this.#flights.ioOf(slot);
    if (this.#flights.isLast(io)) this.#flights.give(io);
  }

  /** Takes completions of a job that has ended. Returns how many I/Os are still under way. */
  drain(): number {
    if (this.outstanding > 0) this.#queue.reap();
    return this.outstanding;
  }

  /** Returns false while another clone must end first. */
  #begin(): boolean {
    if (this.after.some((clone) => !clone.isDone)) {
      this.readyAt = NEVER;
      return false;
    }
    const { clock, startDelay_ns, flow } = this.#parts;
    this.#hasBegun = true;
    flow?.join(this.job.flow);
    this.readyAt = clock.simulated() + startDelay_ns;
    this.#state = 'thinking';
    this.phaseAt = Number.NaN;
    return true;
  }

  /** The first turn after the start delay, and the end of the ramp: times count from now. */
  #startCounting(now: number): void {
    const { clock, pacer, floor, target } = this.#parts;
    this.phaseAt = now;
    this.#recorder.begin(now);
    const simulated = clock.simulated();
    pacer?.begin(simulated);
    floor?.begin(simulated);
    target?.begin(now);
  }

  /** Does what the thread can do by now. */
  step(): void {
    if (!this.#hasBegun && (this.isDone || !this.#begin())) return;
    const { clock } = this.#parts;
    for (let turn = 0; turn < TURN && this.#state !== 'done'; turn++) {
      if (this.#state === 'waiting') {
        if (!this.#wake(clock.measured())) {
          if (clock.simulated() < this.readyAt) return;
          this.#state = 'thinking';
        }
      } else if (clock.simulated() < this.readyAt) return;
      else if (this.#state === 'submitting') this.#submit();
      else if (this.#state === 'waking') this.#clearInterrupt();
      else this.#think(clock.measured());
    }
  }

  /** Decides what comes next: another command, completions, waiting, or the end. */
  #think(now: number): void {
    if (Number.isNaN(this.phaseAt)) this.#startCounting(now);
    this.#watch(now);
    const { outstanding } = this;
    const wakeAt = this.#chooseNext(outstanding);
    if (wakeAt === 0) {
      this.createdAt = now;
      this.#spend('submitting', this.#parts.host.submit_ns);
    } else if (this.#unrung > 0) this.#ring();
    else if (outstanding === 0 && wakeAt === NEVER) this.#endPhase(now);
    else if (outstanding === 0) this.readyAt = this.#beforeEnd(wakeAt, now);
    else if (!this.#take(now)) {
      this.#state = 'waiting';
      this.readyAt = this.#beforeEnd(wakeAt, now);
    }
  }

  /** A pause ends no later than the runtime does. */
  #beforeEnd(wakeAt: number, now: number): number {
    if (wakeAt === NEVER) return NEVER;
    // A nanosecond at least: differences of times are not exact.
    const left = Math.max(1, this.job.runtime_ns - (now - this.phaseAt));
    return Math.min(wakeAt, this.#parts.clock.simulated() + left);
  }

  /** Looks at the clocks that end a ramp, a job or a search. */
  #watch(now: number): void {
    const { floor, target, clock } = this.#parts;
    const { steady } = this.stats;
    const elapsed = now - this.phaseAt;
    if (this.#isRamping) {
      if (elapsed < this.job.ramp_ns) return;
      this.#isRamping = false;
      this.stats.restart();
      this.workload.restart();
      this.#startCounting(now);
    } else if (elapsed >= this.job.runtime_ns && !this.workload.isVerifying) this.stop();
    if (floor !== null) {
      const slow = floor.check(clock.simulated(), this.stats);
      if (slow !== null) this.#fail(EIO, slow);
    }
    if (steady !== null) {
      steady.look(now);
      if (steady.isAttained) this.stop();
    }
    if (target !== null) {
      target.look(now);
      this.stats.latencyDepth = target.depth;
      if (target.isFound && !this.job.latency_run) this.stop();
    }
  }

  /** Returns 0 when an I/O may be submitted now, else the simulated time at which to look again; NEVER: at a completion. */
  #chooseNext(outstanding: number): number {
    const { iodepth_low, thinktime_ns, thinktime_blocks } = this.job;
    const { pacer, clock, flow } = this.#parts;
    if (outstanding >= this.#depth) {
      this.#isDraining = iodepth_low > 0;
      return NEVER;
    }
    if (this.#isDraining && outstanding > iodepth_low) return NEVER;
    this.#isDraining = false;
    const simulated = clock.simulated();
    if (thinktime_ns > 0 && this.#sinceThink >= thinktime_blocks) {
      if (outstanding > 0) return NEVER;
      this.#sinceThink = 0;
      if (this.job.rate_ignore_thinktime) pacer?.postpone(thinktime_ns);
      return simulated + thinktime_ns;
    }
    if (pacer !== null && !this.#isChosen && this.workload.claimsZones) {
      // A zone is not kept from others while this job waits for its rate.
      const dueAt = pacer.earliest();
      if (dueAt > simulated) return dueAt;
    }
    if (!this.#isChosen) this.#isChosen = this.workload.next(outstanding);
    if (!this.#isChosen) return this.workload.isBlocked ? simulated + ZONE_LOOK_NS : NEVER;
    if (flow?.isAhead(this.job.flow, this.#issued))
      return simulated + Math.max(FLOW_SLEEP_NS, this.job.flow_sleep_ns);
    const { direction } = this.workload;
    if (pacer === null || direction >= SYNC || this.workload.isVerifying) return 0;
    const dueAt = pacer.dueAt[direction]!;
    return dueAt <= simulated ? 0 : dueAt;
  }

  #spend(state: State, ns: number): void {
    this.#state = state;
    this.stats.software_ns += ns;
    this.readyAt = this.#parts.clock.simulated() + ns;
  }

  /** While waiting: looks for completions, or for the interrupt that tells of them. Returns false when there is none. */
  #wake(now: number): boolean {
    const { interrupt, host } = this.#parts;
    if (interrupt === null) return this.#take(now);
    if (!interrupt.isRaised()) return false;
    this.stats.sleeps++;
    this.#spend('waking', host.wakeup_ns);
    return true;
  }

  #clearInterrupt(): void {
    this.#parts.interrupt!.clear();
    this.#spend('thinking', 0);
  }

  #submit(): void {
    const { verifier, clock, pacer, flow } = this.#parts;
    const { direction, offset, bytes, number } = this.workload;
    const flights = this.#flights;
    const io = flights.take();
    if (direction === WRITE && verifier !== null) verifier.fill(flights.bufferAt(io), offset, bytes, number);
    flights.post(io, direction, offset, bytes, number);
    flights.created[io] = this.createdAt;
    flights.issued[io] = clock.measured();
    this.#isChosen = false;
    if (direction < SYNC) {
      this.#issued++;
      flow?.issued();
      if (pacer !== null) pacer.issued(direction as Direction, bytes);
      if (this.job.thinktime_blocks_type === 'issue') this.#sinceThink++;
    }
    this.#recorder.posted(this.outstanding);
    this.#state = 'thinking';
    if (++this.#unrung >= this.#batch) this.#ring();
    else this.readyAt = clock.simulated();
  }

  #ring(): void {
    this.#recorder.rung(this.#unrung);
    this.#unrung = 0;
    this.#queue.ring();
    this.readyAt = this.#parts.clock.simulated();
  }

  /**
   * Takes completions that are there, one after the other: as many as `iodepth_batch_complete_min` or none, and no more
   * than `_max`. Returns false when it took none.
   */
  #take(now: number): boolean {
    const { iodepth_batch_complete_min, iodepth_batch_complete_max } = this.job;
    const queue = this.#queue;
    if (iodepth_batch_complete_min > 1) {
      const wanted = Math.min(iodepth_batch_complete_min, queue.outstanding);
      if (queue.ready(wanted) < wanted) return false;
    }
    this.completedAt = now;
    const taken = queue.reap(iodepth_batch_complete_max);
    if (taken === 0) return false;
    this.#recorder.reaped(taken);
    this.#spend('thinking', taken * this.#parts.host.complete_ns);
    return true;
  }

  #complete(slot: number, status: number): void {
    const flights = this.#flights;
    const io = flights.ioOf(slot);
    const { host, onCompletion, clock } = this.#parts;
    // A reset ends commands at its own time, not in `#take`.
    if (status === STATUS.ABORTED_BY_HOST) this.completedAt = clock.measured();
    this.completedAt += host.complete_ns;
    if (onCompletion !== null)
      onCompletion(flights.created[io]!, flights.issued[io]!, this.completedAt, this, slot);
    if (status !== 0) {
      const kind = flights.direction[io] === READ ? 'read' : 'write';
      this.#suffer(kind, EIO, this.#explain(slot, status), io);
    }
    if (flights.isLast(io)) this.#finish(io, this.completedAt);
  }

  /** Why a command failed; of one that the driver ended it says what was wrong. */
  #explain(slot: number, status: number): string {
    const { message } = this.#queue.error(slot);
    const isEnded = status === STATUS.ABORTED_BY_HOST || status === STATUS.COMMAND_ABORT_REQUESTED;
    const warning = isEnded ? this.#parts.lastWarning() : '';
    return warning === '' ? message : `${message} ${warning}`;
  }

  /** Every command of an I/O has completed. */
  #finish(io: number, now: number): void {
    const { verifier, target } = this.#parts;
    const flights = this.#flights;
    const direction = flights.direction[io]!;
    const bytes = flights.bytes[io]!;
    const offset = flights.offset[io]!;
    const created = flights.created[io]!;
    flights.give(io);
    if (this.workload.keepsApart) this.workload.settled(direction, offset, bytes);
    if (direction < SYNC && this.job.thinktime_blocks_type === 'complete') this.#sinceThink++;
    this.#recorder.completed(direction, bytes, offset, created, flights.issued[io]!, now);
    if (target !== null) target.record(now - created);
    if (now - created > this.#limit_ns)
      this.#fail(ETIMEDOUT, `an I/O took ${now - created} ns, and max_latency is ${this.#limit_ns}`);
    const number = flights.number[io]!;
    if (number === UNCHECKED || direction !== READ || verifier === null) return;
    const wrong = verifier.check(flights.bufferAt(io), offset, bytes, number);
    if (wrong !== null) this.#suffer('verify', EILSEQ, `verify: block at offset ${offset}: ${wrong}`, io);
  }

  /** An error that `continue_on_error` may let pass. */
  #suffer(kind: 'read' | 'write' | 'verify', errno: number, sentence: string, io: number): void {
    this.#flights.number[io] = UNCHECKED; // what did not arrive is not looked at
    const { continue_on_error, ignored } = this.job;
    const passes =
      ignored[kind].includes(errno) ||
      continue_on_error === 'all' ||
      continue_on_error === kind ||
      (continue_on_error === 'io' && kind !== 'verify');
    if (!passes) {
      this.#fail(errno, sentence);
      return;
    }
    this.stats.errors++;
    this.stats.firstErrno ||= errno;
  }

  #fail(errno: number, sentence: string): void {
    this.stop();
    if (this.stats.errno !== 0) return;
    this.stats.errno = errno;
    this.stats.failure = sentence;
  }

  /** Everything of this phase has completed: books its time, and goes on to verification, the next loop or the end. */
  #endPhase(now: number): void {
    const { workload, job, stats } = this;
    this.#recorder.endPhase(now - this.phaseAt, workload.isVerifying);
    stats.zoneResets = workload.zoneResets;
    this.phaseAt = now;
    if (stats.errno === 0 && (workload.beginVerifying() || workload.beginLoop())) return;
    this.#parts.flow?.leave(job.flow, this.#issued);
    this.#state = 'done';
    this.readyAt = NEVER;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    const { pacer, floor, target, flow } = this.#parts;
    this.readyAt = a.value(this.readyAt);
    this.workload.archive(a);
    this.#recorder.archive(a);
    this.#flights.archive(a);
    for (const part of [pacer, floor, target, flow, this.stats.steady]) part?.archive(a);
    this.#state = a.value(this.#state);
    this.#hasBegun = a.value(this.#hasBegun);
    this.#isRamping = a.value(this.#isRamping);
    this.#isChosen = a.value(this.#isChosen);
    this.#isDraining = a.value(this.#isDraining);
    this.#unrung = a.value(this.#unrung);
    this.#issued = a.value(this.#issued);
    this.#sinceThink = a.value(this.#sinceThink);
    this.phaseAt = a.value(this.phaseAt);
    this.createdAt = a.value(this.createdAt);
    this.completedAt = a.value(this.completedAt);
  }
}

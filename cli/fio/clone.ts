/**
 * One clone of a job as a simulated thread: thinks, posts, rings, takes completions, keeps the times. Software costs are
 * the host profile's; the clone is not called again before its simulated time has come. Nothing is allocated per I/O.
 * Not here: what is under way (flights.ts), what to do next (workload.ts), when it may (admission.ts), what completions mean
 * (completions.ts), who runs when (engine.ts).
 */

import type { QueuePair } from '../../drivers/nvme/index.ts';
import { RW_CDW12 } from '../../nvme/spec/commands.ts';
import type { Archive } from '../../support/archive.ts';
import { Admission } from './admission.ts';
import type { CloneParts } from './clone-parts.ts';
import { Completions } from './completions.ts';
import { Flights } from './flights.ts';
import type { Job } from './job-file.ts';
import type { Recorder } from './recorder.ts';
import { type JobStats, WRITE } from './stats.ts';
import type { Workload } from './workload.ts';

/** As fio reports it. */
export const EIO = 5;
const NEVER = Number.POSITIVE_INFINITY;
/** Actions in one turn, so that clones that never wait share the host. */
const TURN = 256;

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
  readonly #admission: Admission;
  readonly #completions: Completions;
  readonly #batch: number;
  #state: State = 'thinking';
  #hasBegun = false;
  #isRamping: boolean;
  #unrung = 0;
  private phaseAt = 0;
  /** When the thread began to work on the command it is about to post. */
  private createdAt = 0;

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
    this.#admission = new Admission(job, parts);
    this.#completions = new Completions(this, parts, this.#flights, this.#admission);
    this.#batch = job.iodepth_batch;
    this.#isRamping = job.ramp_ns > 0;
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

  /** Ends the job as soon as what is outstanding has completed; one that has not begun never will. */
  stop(): void {
    this.#admission.stop();
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
    this.#completions.forget();
    this.#state = 'done';
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
        if (this.#isWoken()) this.#wake(clock.measured());
        else if (clock.simulated() < this.readyAt) return;
        else this.#state = 'thinking';
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
    const wakeAt = this.#admission.next(outstanding);
    if (wakeAt === 0) {
      this.createdAt = now;
      this.#spend('submitting', this.#parts.host.submit_ns);
    } else if (this.#unrung > 0) this.#ring();
    else if (outstanding === 0 && wakeAt === NEVER) this.#endPhase(now);
    else if (outstanding === 0) this.readyAt = this.#beforeEnd(wakeAt, now);
    else if (this.#completions.areThere()) this.#take(now);
    else {
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
      if (slow !== null) this.fail(EIO, slow);
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

  #spend(state: State, ns: number): void {
    this.#state = state;
    this.stats.software_ns += ns;
    this.readyAt = this.#parts.clock.simulated() + ns;
  }

  /** While waiting: whether completions are there, or the interrupt that tells of them. */
  #isWoken(): boolean {
    const { interrupt } = this.#parts;
    return interrupt === null ? this.#completions.areThere() : interrupt.isRaised();
  }

  #wake(now: number): void {
    const { interrupt, host } = this.#parts;
    if (interrupt === null) return this.#take(now);
    this.stats.sleeps++;
    this.#spend('waking', host.wakeup_ns);
  }

  #take(now: number): void {
    this.#spend('thinking', this.#completions.take(now) * this.#parts.host.complete_ns);
  }

  #clearInterrupt(): void {
    this.#parts.interrupt!.clear();
    this.#spend('thinking', 0);
  }

  #submit(): void {
    const { verifier, clock } = this.#parts;
    const { direction, offset, bytes, number } = this.workload;
    const flights = this.#flights;
    const io = flights.take();
    if (direction === WRITE && verifier !== null) verifier.fill(flights.bufferAt(io), offset, bytes, number);
    flights.post(io, direction, offset, bytes, number);
    flights.created[io] = this.createdAt;
    flights.issued[io] = clock.measured();
    this.#admission.posted(direction, bytes);
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

  /** The job has failed: it issues nothing more. */
  fail(errno: number, sentence: string): void {
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
    this.#parts.flow?.leave(job.flow, this.#admission.issued);
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
    this.#admission.archive(a);
    this.#completions.archive(a);
    this.#unrung = a.value(this.#unrung);
    this.phaseAt = a.value(this.phaseAt);
    this.createdAt = a.value(this.createdAt);
  }
}

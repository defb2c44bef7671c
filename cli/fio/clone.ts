/**
 * One clone of a job as a simulated thread: thinks, posts, rings, takes completions, keeps the times. Software costs are
 * the host profile's; the clone is not called again before its simulated time has come. Nothing is allocated per I/O.
 * Not here: what to do next (workload.ts), who runs when (engine.ts), what a verified block looks like (verify.ts).
 */
import type { QueuePair } from '../../drivers/nvme/index.ts';
import type { HostProfile } from '../../machine/timing/host.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { batchClass, depthClass, type JobStats, READ, WRITE } from './stats.ts';
import { ANY_WRITE, type BlockVerifier } from './verify.ts';
import type { Workload } from './workload.ts';

/** Simulated nanoseconds decide who runs; latencies are measured in `measured`, which may be the host's clock. */
export interface RunClock {
  simulated(): number;
  measured(): number;
}

/** The interrupt of a queue pair, as a sleeping thread meets it. */
export interface Interrupt {
  /** True when an interrupt has come since `clear`; costs nothing, the kernel wakes the thread. */
  isRaised(): boolean;
  /** Takes the count of interrupts: one system call. */
  clear(): void;
}

export interface CloneParts {
  readonly stats: JobStats;
  readonly workload: Workload;
  readonly queue: QueuePair;
  /** Number of the drive, in bus order. */
  readonly drive: number;
  readonly nsid: number;
  readonly block_bytes: number;
  /** I/O address of as many data buffers as the queue is deep, `buffer_bytes` apart. */
  readonly iova: number;
  readonly buffer_bytes: number;
  readonly verifier: BlockVerifier | null;
  readonly clock: RunClock;
  readonly host: HostProfile;
  /** null: the clone polls. */
  readonly interrupt: Interrupt | null;
  /** Told of every completion, with the times of its command; null when nobody asks. */
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
const NEVER = Number.POSITIVE_INFINITY;
/** Actions in one turn, so that clones that never wait share the host. */
const TURN = 256;

type State = 'thinking' | 'submitting' | 'waiting' | 'waking' | 'done';

export class Clone {
  /** Simulated time before which `step` does nothing; Infinity while only the machine can wake the clone. */
  readyAt = 0;
  readonly stats: JobStats;
  readonly workload: Workload;
  readonly #parts: CloneParts;
  readonly #queue: QueuePair;
  #state: State = 'thinking';
  #startedAt = 0;
  #phaseAt = 0;
  /** When the thread began to work on the command it is about to post. */
  #createdAt = 0;
  #completedAt = 0;
  /** Data buffers that no command uses, by number. */
  readonly #free: Int32Array;
  #freeTop: number;
  /** By slot. */
  readonly #buffer: Int32Array;
  readonly #created: Float64Array;
  readonly #issued: Float64Array;
  readonly #offset: Float64Array;
  readonly #bytes: Float64Array;
  readonly #number: Float64Array;
  readonly #direction: Uint8Array;

  constructor(parts: CloneParts) {
    const { queue } = parts;
    this.stats = parts.stats;
    this.workload = parts.workload;
    this.#parts = parts;
    this.#queue = queue;
    const perSlot = () => new Float64Array(queue.depth);
    this.#free = Int32Array.from({ length: queue.depth }, (_, buffer) => buffer);
    this.#freeTop = queue.depth;
    this.#buffer = new Int32Array(queue.depth);
    this.#created = perSlot();
    this.#issued = perSlot();
    this.#offset = perSlot();
    this.#bytes = perSlot();
    this.#number = perSlot();
    this.#direction = new Uint8Array(queue.depth);
    queue.onComplete = (slot, status) => this.#complete(slot, status);
  }

  /** The thread starts; its times count from now. */
  begin(): void {
    const { clock } = this.#parts;
    this.readyAt = clock.simulated();
    this.#startedAt = clock.measured();
    this.#phaseAt = this.#startedAt;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  get outstanding(): number {
    return this.#queue.outstanding;
  }

  get drive(): number {
    return this.#parts.drive;
  }

  get qid(): number {
    return this.#queue.qid;
  }

  /** Does what the thread can do by now. */
  step(): void {
    const { clock } = this.#parts;
    for (let turn = 0; turn < TURN && this.#state !== 'done'; turn++) {
      if (this.#state === 'waiting') {
        if (!this.#wake(clock.measured())) return;
      } else if (clock.simulated() < this.readyAt) return;
      else if (this.#state === 'submitting') this.#submit();
      else if (this.#state === 'waking') this.#clearInterrupt();
      else this.#think(clock.measured());
    }
  }

  /** Decides what comes next: another command, completions, waiting, or the end. */
  #think(now: number): void {
    const { workload, host, stats } = this.#parts;
    if (now - this.#phaseAt >= stats.job.runtime_ns && !workload.isVerifying) workload.stop();
    const { outstanding, depth } = this.#queue;
    if (outstanding < depth && workload.next(outstanding)) {
      this.#createdAt = now;
      this.#spend('submitting', host.submit_ns);
    } else if (outstanding === 0) this.#endPhase(now);
    else if (!this.#take(now)) {
      this.#state = 'waiting';
      this.readyAt = NEVER;
    }
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
    const { workload, nsid, block_bytes, iova, buffer_bytes, verifier, clock } = this.#parts;
    const queue = this.#queue;
    const { direction, offset, bytes } = workload;
    const buffer = this.#free[--this.#freeTop]!;
    const at = buffer * buffer_bytes;
    if (direction === WRITE && verifier !== null) verifier.fill(at, offset, workload.number);
    const opcode = direction === READ ? NVM.READ : NVM.WRITE;
    const slot = queue.postAt(opcode, nsid, offset / block_bytes, bytes / block_bytes, iova + at, bytes);
    this.#buffer[slot] = buffer;
    const now = clock.measured();
    this.#created[slot] = this.#createdAt;
    this.#issued[slot] = now;
    this.#offset[slot] = offset;
    this.#bytes[slot] = bytes;
    this.#number[slot] = workload.number;
    this.#direction[slot] = direction;
    const { depths, submits } = this.stats;
    depths[depthClass(queue.outstanding)]!++;
    submits[batchClass(1)]!++;
    queue.ring();
    this.#state = 'thinking';
    this.readyAt = clock.simulated();
  }

  /** Takes every completion that is there, one after the other. Returns false when there is none. */
  #take(now: number): boolean {
    this.#completedAt = now;
    const taken = this.#queue.reap();
    if (taken === 0) return false;
    this.stats.completes[batchClass(taken)]!++;
    this.#spend('thinking', taken * this.#parts.host.complete_ns);
    return true;
  }

  #complete(slot: number, status: number): void {
    const { host, verifier, buffer_bytes, workload } = this.#parts;
    this.#completedAt += host.complete_ns;
    const now = this.#completedAt;
    const counts = this.stats.directions[this.#direction[slot] === READ ? READ : WRITE];
    const buffer = this.#buffer[slot]!;
    this.#free[this.#freeTop++] = buffer;
    const created = this.#created[slot]!;
    const issued = this.#issued[slot]!;
    counts.ios++;
    counts.bytes += this.#bytes[slot]!;
    counts.slat.record(issued - created);
    counts.clat.record(now - issued);
    counts.lat.record(now - created);
    if (this.#parts.onCompletion !== null) this.#parts.onCompletion(created, issued, now, this, slot);
    if (status !== 0) {
      this.#fail(EIO, this.#queue.error(slot).message);
      return;
    }
    if (verifier === null || this.#direction[slot] !== READ) return;
    const isOwn = workload.isVerifying;
    if (!isOwn && this.stats.job.writes) return; // reads of a mix meet blocks of any age
    const wrong = verifier.check(
      buffer * buffer_bytes,
      this.#offset[slot]!,
      isOwn ? this.#number[slot]! : ANY_WRITE,
    );
    if (wrong !== null) this.#fail(EILSEQ, `verify: block at offset ${this.#offset[slot]!}: ${wrong}`);
  }

  #fail(errno: number, sentence: string): void {
    this.#parts.workload.stop();
    if (this.stats.errno !== 0) return;
    this.stats.errno = errno;
    this.stats.failure = sentence;
  }

  /** Everything of this phase has completed: books its time, and goes on to verification or to the end. */
  #endPhase(now: number): void {
    const { workload, stats } = this.#parts;
    const { job, directions } = stats;
    const elapsed = now - this.#phaseAt;
    if (workload.isVerifying || job.reads) directions[READ].elapsed_ns += elapsed;
    if (!workload.isVerifying && job.writes) directions[WRITE].elapsed_ns += elapsed;
    stats.runtime_ns = now - this.#startedAt;
    this.#phaseAt = now;
    if (stats.errno === 0 && workload.beginVerifying()) return;
    this.#state = 'done';
    this.readyAt = NEVER;
  }
}

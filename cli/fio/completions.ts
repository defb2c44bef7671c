/**
 * Takes the completions of a clone: counts them, verifies what was read, and says what went wrong. Nothing is allocated per
 * I/O. Not here: when to look for them (clone.ts), what is counted (recorder.ts), what a verified block looks like (verify.ts).
 */
import type { QueuePair } from '../../drivers/nvme/index.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { Archive } from '../../support/archive.ts';
import type { Admission } from './admission.ts';
import type { CloneIdentity, CloneParts } from './clone-parts.ts';
import type { Flights } from './flights.ts';
import type { Job } from './job-file.ts';
import { READ } from './stats.ts';
import { UNCHECKED } from './verify.ts';

const { ABORTED_BY_HOST, COMMAND_ABORT_REQUESTED, UNRECOVERED_READ_ERROR, WRITE_FAULT } = STATUS;
const EIO = 5;
const EILSEQ = 84;
const ETIMEDOUT = 110;

/** The clone, as something that can fail. */
interface Failing extends CloneIdentity {
  fail(errno: number, sentence: string): void;
}

export class Completions {
  private readonly clone: Failing;
  private readonly job: Job;
  private readonly parts: CloneParts;
  private readonly queue: QueuePair;
  private readonly flights: Flights;
  private readonly admission: Admission;
  private readonly limit_ns: number;
  /** When the completion at hand was taken. */
  private takenAt = 0;

  constructor(clone: Failing, parts: CloneParts, flights: Flights, admission: Admission) {
    this.clone = clone;
    this.job = clone.stats.job;
    this.parts = parts;
    this.queue = parts.queue;
    this.flights = flights;
    this.admission = admission;
    this.limit_ns = clone.stats.job.max_latency_ns;
    parts.queue.onComplete = (slot, status) => this.#complete(slot, status);
  }

  /** Whether as many are there as `iodepth_batch_complete_min` waits for. */
  areThere(): boolean {
    const { iodepth_batch_complete_min: least } = this.job;
    const { queue } = this;
    const wanted = least <= 1 ? 1 : Math.min(least, queue.outstanding);
    return queue.ready(wanted) >= wanted;
  }

  /** Takes those that are there at time `now`, one after the other, and no more than `_max`. Returns how many. */
  take(now: number): number {
    this.takenAt = now;
    const taken = this.queue.reap(this.job.iodepth_batch_complete_max);
    if (taken > 0) this.parts.recorder.reaped(taken);
    return taken;
  }

  #complete(slot: number, status: number): void {
    const { flights } = this;
    const io = flights.ioOf(slot);
    const { host, onCompletion } = this.parts;
    this.takenAt += host.complete_ns;
    if (status !== 0) this.#failed(slot, status, io);
    if (onCompletion !== null)
      onCompletion(flights.created[io]!, flights.issued[io]!, this.takenAt, this.clone, slot);
    if (flights.isLast(io)) this.#finish(io, this.takenAt);
  }

  #failed(slot: number, status: number, io: number): void {
    const { clock, host } = this.parts;
    // A reset ends commands at its own time, not in `take`.
    if (status === ABORTED_BY_HOST) this.takenAt = clock.measured() + host.complete_ns;
    const kind = this.flights.direction[io] === READ ? 'read' : 'write';
    this.#suffer(kind, EIO, this.#explain(slot, status), io);
  }

  /** Why a command failed; the driver knows it of those that it ended, the machine of those that the medium failed. */
  #explain(slot: number, status: number): string {
    const { message } = this.queue.error(slot);
    const isEnded = status === ABORTED_BY_HOST || status === COMMAND_ABORT_REQUESTED;
    const isOfMedium = status === WRITE_FAULT || status === UNRECOVERED_READ_ERROR;
    const cause = isEnded ? this.parts.lastWarning() : isOfMedium ? this.parts.lastRefusal() : '';
    return cause === '' ? message : `${message} ${cause}`;
  }

  /** Every command of an I/O has completed. */
  #finish(io: number, now: number): void {
    const { flights } = this;
    const { verifier, target, recorder, workload } = this.parts;
    const direction = flights.direction[io]!;
    const bytes = flights.bytes[io]!;
    const offset = flights.offset[io]!;
    const created = flights.created[io]!;
    flights.give(io);
    if (workload.keepsApart) workload.settled(direction, offset, bytes);
    this.admission.completed(direction);
    recorder.completed(direction, bytes, offset, created, flights.issued[io]!, now);
    if (target !== null) target.record(now - created);
    if (now - created > this.limit_ns)
      this.clone.fail(ETIMEDOUT, `an I/O took ${now - created} ns, and max_latency is ${this.limit_ns}`);
    const number = flights.number[io]!;
    if (number === UNCHECKED || direction !== READ || verifier === null) return;
    const wrong = verifier.check(flights.bufferAt(io), offset, bytes, number);
    if (wrong !== null) this.#suffer('verify', EILSEQ, `verify: block at offset ${offset}: ${wrong}`, io);
  }

  /** An error that `continue_on_error` may let pass. */
  #suffer(kind: 'read' | 'write' | 'verify', errno: number, sentence: string, io: number): void {
    this.flights.number[io] = UNCHECKED; // what did not arrive is not looked at
    const { continue_on_error, ignored } = this.job;
    const passes =
      ignored[kind].includes(errno) ||
      continue_on_error === 'all' ||
      continue_on_error === kind ||
      (continue_on_error === 'io' && kind !== 'verify');
    if (!passes) return this.clone.fail(errno, sentence);
    const { stats } = this.clone;
    stats.errors++;
    stats.firstErrno ||= errno;
  }

  /** The job has ended: what still completes does not count. */
  forget(): void {
    const { flights } = this;
    this.queue.onComplete = (slot) => {
      const io = flights.ioOf(slot);
      if (flights.isLast(io)) flights.give(io);
    };
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.takenAt = a.value(this.takenAt);
  }
}

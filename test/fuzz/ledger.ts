/**
 * The host's book of queues and commands between two resets of the controller: what was submitted, what must still
 * complete, and what the controller may write where. Everything it knows it sees from outside: entries in memory and the
 * addresses that cross the IOMMU. Once the host has done something that makes the truth unknowable, such as aiming data
 * at a queue, the book is closed until the next reset. Not here: reading and writing memory (world.ts), choices.
 */
import { ADMIN, CQE, opcodeName, SQE } from '../../nvme/spec/commands.ts';
import { statusOf } from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';
import {
  AREA_BYTES,
  baseOf,
  isCreate,
  mayDisturb,
  type Pending,
  readCommand,
  SHADOW_AREA,
} from './commands.ts';
import { Violation } from './violation.ts';
import { AREA, areaOf, type World } from './world.ts';

const ON_QUEUES: readonly number[] = [ADMIN.CREATE_CQ, ADMIN.CREATE_SQ, ADMIN.DELETE_CQ, ADMIN.DELETE_SQ];

export interface Submission {
  readonly qid: number;
  readonly base: number;
  readonly size: number;
  readonly cqid: number;
  tail: number;
  /** As the last completion told. */
  head: number;
  readonly pending: Map<number, Pending[]>;
  /** Commands of `pending`. */
  count: number;
  /** The last one that was submitted. */
  last: Pending | null;
}

export interface Completion {
  readonly qid: number;
  readonly base: number;
  readonly size: number;
  /** Entries that the controller wrote, the host looked at, and the host released, since the beginning. */
  posted: number;
  seen: number;
  released: number;
  /** Entries beyond those, by the count they will have: of a burst whose first entry, which tells the host, comes last. */
  readonly ahead: Set<number>;
}

export class Ledger {
  readonly sqs = new Map<number, Submission>();
  readonly cqs = new Map<number, Completion>();
  /** The truth is not known: nothing about queues is checked until `clear`. */
  isClosed = false;
  submitted = 0;
  completed = 0;
  /** Commands that a reset ended; they must not complete any more. */
  ended = 0;
  /** Commands that nothing is known of, because the book was closed before they completed. */
  unchecked = 0;
  /** Completions by status. */
  readonly statuses = new Map<number, number>();
  readonly #world: World;
  readonly #owners: (Submission | Completion | null)[] = new Array(AREA.COUNT).fill(null);

  constructor(world: World) {
    this.#world = world;
    world.onArea = (iova, isWrite) => this.#touched(iova, isWrite);
  }

  /** The controller was reset: everything is forgotten. */
  clear(): void {
    if (!this.isClosed) this.ended += this.pending;
    this.sqs.clear();
    this.cqs.clear();
    this.#owners.fill(null);
    this.isClosed = false;
    this.#world.clearAreas();
  }

  close(): void {
    if (!this.isClosed) this.unchecked += this.pending;
    this.isClosed = true;
  }

  /** Commands that were submitted and have not completed. */
  get pending(): number {
    let sum = 0;
    for (const { count } of this.sqs.values()) sum += count;
    return sum;
  }

  /** An area that no queue has, or -1. */
  freeArea(): number {
    return this.#owners.findIndex((owner, area) => owner === null && area < SHADOW_AREA);
  }

  addSubmission(qid: number, area: number, size: number, cqid: number): void {
    const queue = {
      qid,
      base: baseOf(area),
      size,
      cqid,
      tail: 0,
      head: 0,
      pending: new Map(),
      count: 0,
      last: null,
    };
    this.sqs.set(qid, queue);
    this.#owners[area] = queue;
  }

  addCompletion(qid: number, area: number, size: number): void {
    const queue = {
      qid,
      base: baseOf(area),
      size,
      posted: 0,
      seen: 0,
      released: 0,
      ahead: new Set<number>(),
    };
    this.cqs.set(qid, queue);
    this.#owners[area] = queue;
  }

  // ---- submission ---------------------------------------------------------------------------------------------------

  /** Entries that fit into a submission queue. */
  room(queue: Submission): number {
    return queue.size - 1 - between(queue.head, queue.tail, queue.size);
  }

  /** The doorbell is about to be rung: entries up to `tail` count as submitted, as memory has them now. */
  submit(queue: Submission, tail: number): void {
    for (let index = queue.tail; index !== tail; index = next(queue, index)) {
      const command = readCommand(this.#world, queue.base + index * SQE.SIZE);
      if (mayDisturb(queue.qid, command)) this.close();
      const { cid } = command;
      const same = queue.pending.get(cid);
      if (same === undefined) queue.pending.set(cid, [command]);
      else {
        same.push(command);
        // Which of them created or deleted a queue cannot be told apart.
        if (queue.qid === 0 && same.some(({ opcode }) => ON_QUEUES.includes(opcode))) this.close();
      }
      queue.count++;
      queue.last = command;
      this.submitted++;
      if (this.isClosed) this.unchecked++;
    }
    queue.tail = tail;
  }

  /** Whether an entry up to `tail` will make the truth unknowable. */
  willClose(queue: Submission, tail: number): boolean {
    for (let index = queue.tail; index !== tail; index = next(queue, index))
      if (mayDisturb(queue.qid, readCommand(this.#world, queue.base + index * SQE.SIZE))) return true;
    return false;
  }

  /** Whether the controller may be about to create queue `qid`. */
  isCreating(qid: number): boolean {
    for (const commands of this.sqs.get(0)!.pending.values())
      if (commands.some(({ opcode, cdw10 }) => isCreate(opcode) && (cdw10 & 0xffff) === qid)) return true;
    return false;
  }

  // ---- what the controller touches ------------------------------------------------------------------------------------

  #touched(iova: number, isWrite: boolean): void {
    if (this.isClosed) return;
    const area = areaOf(iova);
    if (area >= SHADOW_AREA) return;
    const owner = this.#owners[area];
    if (owner === null || owner === undefined)
      return this.#broken('queue', `DMA to no queue at ${hex(iova)}`);
    const isCompletion = 'posted' in owner;
    if (isCompletion !== isWrite) {
      const what = `${isWrite ? 'write to submission' : 'read of completion'} queue ${owner.qid}`;
      return this.#broken('queue', `${what} at ${hex(iova)}`);
    }
    if (isCompletion) this.#posting(owner, iova);
  }

  #posting(queue: Completion, iova: number): void {
    const { qid, base, size, posted, released, ahead } = queue;
    const tail = posted - Math.floor(posted / size) * size;
    const place = posted + between(tail, (iova - base) / CQE.SIZE, size);
    if (place - released >= size - 1 || ahead.has(place))
      this.#broken('overwrite', `entry of queue ${qid} at ${hex(iova)} is not free`);
    ahead.add(place);
    while (ahead.delete(queue.posted)) queue.posted++;
  }

  // ---- completion ---------------------------------------------------------------------------------------------------

  /** Looks at every entry that was posted. I/O queues come first: their deletion completes in the admin queue. */
  observe(): void {
    if (this.isClosed) return;
    for (const queue of this.cqs.values()) if (queue.qid !== 0) this.#observe(queue);
    const admin = this.cqs.get(0);
    if (admin !== undefined) this.#observe(admin);
  }

  #observe(queue: Completion): void {
    if (queue.ahead.size > 0)
      this.#broken('overwrite', `entry ${queue.posted} of queue ${queue.qid} was left out`);
    while (queue.seen < queue.posted && !this.isClosed) {
      const turn = Math.floor(queue.seen / queue.size);
      const at = this.#world.at(queue.base + (queue.seen - turn * queue.size) * CQE.SIZE);
      const { view } = this.#world.memory;
      const field = view.getUint16(at + CQE.STATUS, true);
      if ((field & 1) === (turn & 1))
        this.#broken('overwrite', `entry ${queue.seen} of queue ${queue.qid}: phase`);
      queue.seen++;
      const sqid = view.getUint16(at + CQE.SQID, true);
      const cid = view.getUint16(at + CQE.CID, true);
      this.#completed(queue, sqid, cid, view.getUint16(at + CQE.SQHD, true), statusOf(field));
    }
  }

  #completed(queue: Completion, sqid: number, cid: number, sqhd: number, status: number): void {
    this.completed++;
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    const sq = this.sqs.get(sqid);
    const command = sq === undefined ? undefined : take(sq, cid);
    const name = `CID ${cid} of queue ${sqid}`;
    if (sq === undefined || command === undefined)
      return this.#broken('twice', `completion of ${name} with status ${hex(status)}: nobody waits for it`);
    if (sq.cqid !== queue.qid) this.#broken('queue', `${name} completed in queue ${queue.qid}`);
    if (between(sq.head, sqhd, sq.size) > between(sq.head, sq.tail, sq.size))
      this.#broken('queue', `${name}: SQHD ${sqhd} is not from ${sq.head} to ${sq.tail}`);
    sq.head = sqhd;
    if (sqid === 0 && status === 0) this.#administer(command);
  }

  /** A queue was created or deleted. */
  #administer({ opcode, cdw10, cdw11, prp1 }: Pending): void {
    const qid = cdw10 & 0xffff;
    const size = (cdw10 >>> 16) + 1;
    if (isCreate(opcode)) {
      const area = areaOf(prp1);
      const bytes = size * (opcode === ADMIN.CREATE_CQ ? CQE.SIZE : SQE.SIZE);
      if (area < 0 || prp1 !== baseOf(area) || bytes > AREA_BYTES || this.#owners[area] !== null)
        return this.close();
      if (opcode === ADMIN.CREATE_CQ) this.addCompletion(qid, area, size);
      else this.addSubmission(qid, area, size, cdw11 >>> 16);
    } else if (opcode === ADMIN.DELETE_CQ) {
      this.#disown(this.cqs.get(qid));
      this.cqs.delete(qid);
    } else if (opcode === ADMIN.DELETE_SQ) {
      const queue = this.sqs.get(qid);
      this.#disown(queue);
      this.sqs.delete(qid);
    }
  }

  #disown(queue: Submission | Completion | undefined): void {
    const area = this.#owners.indexOf(queue ?? null);
    if (queue !== undefined && area >= 0) this.#owners[area] = null;
  }

  /** Nothing moves any more and every completion was seen and released: what is left is lost, unless it may wait. */
  checkNothingLost(events: number): void {
    if (this.isClosed) return;
    for (const queue of this.sqs.values()) {
      for (const [cid, commands] of queue.pending) {
        const command = commands.find((one) => !this.#mayWait(queue, one));
        if (command === undefined) continue;
        const name = opcodeName(queue.qid === 0, command.opcode);
        this.#broken(
          'lost',
          `${name} (SQ ${queue.qid}, CID ${cid}) never completes, of ${queue.count} commands`,
        );
      }
    }
    const held = this.sqs.get(0)?.count ?? 0;
    if (held > events) this.#broken('lost', `${held} admin commands wait, and ${events} event requests may`);
  }

  #mayWait(queue: Submission, command: Pending): boolean {
    if (queue.qid === 0) return command.opcode === ADMIN.ASYNC_EVENT_REQUEST;
    return command.isFusedFirst && command === queue.last;
  }

  #broken(invariant: Violation['invariant'], message: string): void {
    throw new Violation(invariant, message);
  }
}

/** Takes a command out of the book. Of several with one identifier, an event request is the last to be expected. */
function take(queue: Submission, cid: number): Pending | undefined {
  const same = queue.pending.get(cid);
  if (same === undefined) return undefined;
  const index = same.findIndex(({ opcode }) => queue.qid !== 0 || opcode !== ADMIN.ASYNC_EVENT_REQUEST);
  const [command] = same.splice(Math.max(index, 0), 1);
  if (same.length === 0) queue.pending.delete(cid);
  queue.count--;
  return command;
}

/** Entries from index `from` to index `to` of a ring. */
const between = (from: number, to: number, size: number): number =>
  to < from ? to + size - from : to - from;

const next = (queue: Submission, index: number): number => (index + 1 === queue.size ? 0 : index + 1);

/**
 * Device Self-test: starts and aborts the short and the extended test, and keeps the last twenty results (Base 2.1
 * §5.1.5, §8.1.7). A test passes when its time is over, unless `failsNext` is set.
 * Not here: segments of a test; progress is a share of its time.
 */

import type { EventId, HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import { hex } from '../../support/numbers.ts';
import { NSID_BROADCAST, SELF_TEST_CDW10, SQE } from '../spec/commands.ts';
import {
  SELF_TEST_LOG,
  SELF_TEST_OUTCOME,
  SELF_TEST_RESULT,
  SELF_TEST_STATUS,
  SELF_TEST_VALID,
} from '../spec/logs.ts';
import { SELF_TEST } from '../spec/management.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, CommandParts } from './command.ts';

const RESULTS = 20;
const NO_EVENT = -1;
/** SELF_TEST_LOG.OPERATION when nothing runs. */
const IDLE = 0;

interface Result {
  readonly status: number;
  readonly hours: number;
  readonly nsid: number;
}

export class SelfTest implements AdminCommand {
  /** A test sets it: the next self-test to end finds a failure in an unknown segment. */
  failsNext = false;
  readonly #parts: CommandParts;
  readonly #onDone: HandlerId;
  /** Newest first. */
  readonly #results: Result[] = [];
  /** SELF_TEST.SHORT or EXTENDED while one runs. */
  #running: number = IDLE;
  #nsid = 0;
  #startedAt = 0;
  #duration_ns = 0;
  #event: EventId = NO_EVENT;

  constructor(parts: CommandParts) {
    this.#parts = parts;
    this.#onDone = parts.clock.register(() => this.#done());
  }

  check(slot: number): number {
    const { slots, health, namespaces } = this.#parts;
    const code = SELF_TEST_CDW10.STC.get(slots.dword(slot, SQE.CDW10));
    if (code === SELF_TEST.ABORT) return STATUS.SUCCESS;
    if (code !== SELF_TEST.SHORT && code !== SELF_TEST.EXTENDED) {
      return health.explain(
        STATUS.INVALID_FIELD,
        `self-test ${code} is reserved or not supported`,
        SQE.CDW10,
      );
    }
    const nsid = slots.dword(slot, SQE.NSID);
    if (nsid !== 0 && nsid !== NSID_BROADCAST) {
      if (!namespaces.isValid(nsid)) {
        return health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, `NSID ${hex(nsid)} is not valid`, SQE.NSID);
      }
      const refusal = namespaces.refusal(nsid);
      if (refusal !== null) return health.explain(refusal.status, refusal.reason, SQE.NSID);
    }
    if (this.#running === IDLE) return STATUS.SUCCESS;
    return health.explain(
      STATUS.SELF_TEST_IN_PROGRESS,
      `a test runs, ${this.#percent()} % are done`,
      SQE.CDW10,
    );
  }

  execute(slot: number): number {
    const { slots, clock, profile } = this.#parts;
    const code = SELF_TEST_CDW10.STC.get(slots.dword(slot, SQE.CDW10));
    if (code === SELF_TEST.ABORT) {
      this.abort(SELF_TEST_OUTCOME.ABORTED);
      return STATUS.SUCCESS;
    }
    const operations = profile.timing?.operations;
    const isShort = code === SELF_TEST.SHORT;
    this.#running = code;
    this.#nsid = slots.dword(slot, SQE.NSID);
    this.#startedAt = clock.now;
    this.#duration_ns = (isShort ? operations?.selfTestShort_ns : operations?.selfTestExtended_ns) ?? 0;
    if (this.#duration_ns === 0) this.#done();
    else this.#event = clock.after(this.#duration_ns, this.#onDone, 0);
    return STATUS.SUCCESS;
  }

  /** Controller level reset: a short test is aborted, an extended one goes on. */
  reset(): void {
    if (this.#running === SELF_TEST.SHORT) this.abort(SELF_TEST_OUTCOME.ABORTED_RESET);
  }

  /** Ends a running test with one of SELF_TEST_OUTCOME. */
  abort(outcome: number): void {
    if (this.#running === IDLE) return;
    this.#parts.clock.cancel(this.#event);
    this.#end(outcome);
  }

  /** Ends a running test that covers this namespace. */
  abortFor(nsid: number, outcome: number): void {
    if (this.#nsid === nsid || this.#nsid === NSID_BROADCAST) this.abort(outcome);
  }

  #done(): void {
    const outcome = this.failsNext ? SELF_TEST_OUTCOME.FAILED : SELF_TEST_OUTCOME.PASSED;
    this.failsNext = false;
    this.#end(outcome);
  }

  #end(outcome: number): void {
    const status = SELF_TEST_STATUS.encode({ RESULT: outcome, CODE: this.#running });
    this.#results.unshift({ status, hours: this.#parts.health.powerOnHours, nsid: this.#nsid });
    if (this.#results.length > RESULTS) this.#results.pop();
    this.#running = IDLE;
    this.#event = NO_EVENT;
  }

  #percent(): number {
    return Math.floor((100 * (this.#parts.clock.now - this.#startedAt)) / this.#duration_ns);
  }

  /** Writes the Device Self-test page at byte `at` of `view`, which is zeroed. Base 2.1 §5.1.12.1.7 */
  writeLog(view: DataView, at: number): void {
    SELF_TEST_LOG.set(view, at, 'OPERATION', this.#running);
    SELF_TEST_LOG.set(view, at, 'COMPLETION', this.#running === IDLE ? 0 : this.#percent());
    for (let index = 0; index < RESULTS; index++) {
      const entry = at + SELF_TEST_LOG.RESULTS + index * SELF_TEST_RESULT.SIZE;
      const result = this.#results[index];
      SELF_TEST_RESULT.set(view, entry, 'STATUS', result?.status ?? SELF_TEST_OUTCOME.UNUSED);
      if (result === undefined) continue;
      SELF_TEST_RESULT.set(view, entry, 'POWER_ON_HOURS', result.hours);
      SELF_TEST_RESULT.set(view, entry, 'NSID', result.nsid);
      SELF_TEST_RESULT.set(view, entry, 'VALID', SELF_TEST_VALID.encode({ NSID: result.nsid === 0 ? 0 : 1 }));
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.failsNext = a.value(this.failsNext);
    a.contents(this.#results);
    this.#running = a.value(this.#running);
    this.#nsid = a.value(this.#nsid);
    this.#startedAt = a.value(this.#startedAt);
    this.#duration_ns = a.value(this.#duration_ns);
    this.#event = a.value(this.#event);
  }
}

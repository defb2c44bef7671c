/**
 * The doorbell registers: which queue an offset belongs to, which values a queue takes, and what a ring sets off
 * (PCIe Transport 1.1 §3.1.2). A bad one is ignored, logged and told by an event.
 * Not here: doorbells in host memory (shadow-doorbells.ts), fetching and posting (fetcher.ts, completer.ts).
 */
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import { T, type Trace } from '../machine/trace.ts';
import { hex } from '../support/numbers.ts';
import type { Engine } from './engine.ts';
import type { Health } from './health.ts';
import type { InterruptPort } from './interrupt-port.ts';
import type { ControllerProfile } from './profile.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { ShadowDoorbells } from './shadow-doorbells.ts';
import { DOORBELL_BASE } from './spec/registers.ts';

const INDEX_MASK = 0xffff;
// File constants fold; imported bindings do not (slots.ts).
const BASE = DOORBELL_BASE;

export interface DoorbellParts {
  readonly profile: ControllerProfile;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly engine: Engine;
  readonly health: Health;
  readonly interrupts: InterruptPort;
}

export class Doorbells {
  /** Offset in BAR0 behind the last doorbell. */
  readonly end: number;
  readonly shadow: ShadowDoorbells;
  private readonly trace: Trace;
  private readonly dma: DmaPort;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly engine: Engine;
  private readonly health: Health;
  private readonly interrupts: InterruptPort;
  /** log2 of the bytes between two doorbells. */
  private readonly shift: number;

  constructor(parts: DoorbellParts) {
    const { profile, sqs } = parts;
    this.trace = parts.trace;
    this.dma = parts.dma;
    this.sqs = sqs;
    this.cqs = parts.cqs;
    this.engine = parts.engine;
    this.health = parts.health;
    this.interrupts = parts.interrupts;
    this.shift = profile.doorbellStride + 2;
    this.end = DOORBELL_BASE + (sqs.count << (this.shift + 1));
    this.shadow = new ShadowDoorbells({
      ...parts,
      stride: 1 << this.shift,
      isFree: profile.timing === null,
      tail: (sqid, tail) => this.#submissionTail(sqid, tail),
      head: (cqid, head) => this.#completionHead(cqid, head),
    });
  }

  /** A dword was written at `offset` of BAR0, below `end`. */
  ring(offset: number, value: number): void {
    if (this.engine.running === false) return;
    const index = (offset - BASE) >>> this.shift;
    const qid = index >>> 1;
    const position = value & INDEX_MASK;
    if (this.trace.on === true) {
      this.trace.emit(T.NVME_DOORBELL, this.dma.requester, qid, index & 1, position);
    }
    if (((offset - BASE) & ((1 << this.shift) - 1)) !== 0) {
      this.#misplaced(offset);
    } else if ((index & 1) === 0) {
      if (this.shadow.covers(qid) && this.sqs.exists(qid)) this.shadow.rungTail(qid, position);
      else this.#submissionTail(qid, position);
    } else if (this.shadow.covers(qid) && this.cqs.exists(qid)) this.shadow.rungHead(qid, position);
    else this.#completionHead(qid, position);
  }

  #misplaced(offset: number): void {
    this.health.refuseAccess(`write to offset ${hex(offset)}`, {
      rule: 'no doorbell begins there',
      section: 'PCIe Transport 1.1 §3.1.2',
      field: 'offset',
      value: offset,
    });
  }

  #submissionTail(qid: number, tail: number): void {
    const sqs = this.sqs;
    if (!sqs.exists(qid)) return this.health.doorbellError('register', qid, false, tail);
    if (!sqs.advance(qid, tail)) return this.health.doorbellError('value', qid, false, tail);
    this.engine.fetcher.ring(qid);
  }

  #completionHead(qid: number, head: number): void {
    const cqs = this.cqs;
    if (!cqs.exists(qid)) return this.health.doorbellError('register', qid, true, head);
    if (!cqs.release(qid, head)) return this.health.doorbellError('value', qid, true, head);
    this.engine.released(qid);
    if (this.interrupts.isPinned === true) this.interrupts.update();
  }
}

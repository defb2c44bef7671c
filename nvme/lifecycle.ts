/**
 * The life of the controller: CC, CSTS, AQA, ASQ and ACQ, and what they set off: enabling, controller reset, shutdown,
 * failure (Base 2.1 §3.1.4, §3.5, §3.6, §3.7).
 * Not here: which configurations are impossible (capabilities.ts), resets from outside and power (controller.ts).
 */

import type { Clock, HandlerId } from '../machine/clock.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import { T, type Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import { u64 } from '../support/numbers.ts';
import type { AdminCommands } from './admin.ts';
import { configurationProblem, fixedConfiguration, knownConfiguration } from './capabilities.ts';
import type { Engine } from './engine.ts';
import type { Health } from './health.ts';
import type { InterruptPort } from './interrupt-port.ts';
import type { Namespaces } from './namespaces.ts';
import type { NvmCommands } from './nvm.ts';
import type { ControllerProfile } from './profile.ts';
import type { CompletionQueues, SubmissionQueues } from './queues.ts';
import { hasQuirk } from './quirks.ts';
import { ASYNC_EVENT } from './spec/logs.ts';
import { AMS, AQA, CC, CSTS, REG, SHN, SHST } from './spec/registers.ts';
import { STATUS } from './spec/status.ts';
import type { Subsystem } from './subsystem.ts';

const PAGE = 4096;
const NO_EVENT = -1;

export interface LifecycleParts {
  readonly profile: ControllerProfile;
  readonly clock: Clock;
  readonly trace: Trace;
  readonly dma: DmaPort;
  readonly engine: Engine;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly health: Health;
  readonly namespaces: Namespaces;
  readonly subsystem: Subsystem;
  readonly interrupts: InterruptPort;
  readonly admin: AdminCommands;
  readonly nvm: NvmCommands;
}

/** The bits of AQA, ASQ and ACQ that are not reserved. */
const registerMask = (offset: number): number => {
  if (offset === REG.AQA) return AQA.ASQS.mask | AQA.ACQS.mask;
  return offset === REG.ASQ || offset === REG.ACQ ? ~(PAGE - 1) : -1;
};

const quirksOf = (profile: ControllerProfile) => ({
  keepsReservedBits: hasQuirk(profile, 'keepsReservedBits'),
  disablingClearsCc: hasQuirk(profile, 'disablingClearsCc'),
  shutdownAlone: hasQuirk(profile, 'shutdownAlone'),
  worksAfterShutdown: hasQuirk(profile, 'worksAfterShutdown'),
  keepsQueueRegisters: hasQuirk(profile, 'keepsQueueRegisters'),
  failureClearsCsts: hasQuirk(profile, 'failureClearsCsts'),
});

export class Lifecycle {
  readonly #parts: LifecycleParts;
  readonly #quirks: ReturnType<typeof quirksOf>;
  readonly #onReady: HandlerId;
  readonly #onMediaReady: HandlerId;
  readonly #onShutdown: HandlerId;
  #pendingState = NO_EVENT;
  #pendingMedia = NO_EVENT;
  #cc = 0;
  #csts = 0;
  #aqa = 0;
  /** ASQ and ACQ, low word first. */
  readonly #queues = new Uint32Array(4);

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
    this.#quirks = quirksOf(parts.profile);
    this.#onReady = parts.clock.register(() => this.#becomeReady());
    this.#onMediaReady = parts.clock.register(() => this.#mediaReady());
    this.#onShutdown = parts.clock.register(() => this.#finishShutdown());
  }

  /** The CC register. */
  get cc(): number {
    return this.#cc;
  }

  /** A shutdown is complete: power may go. */
  get isShutDown(): boolean {
    return CSTS.SHST.get(this.#csts) === SHST.COMPLETE;
  }

  /** Enabled, and not shut down. */
  get isAtWork(): boolean {
    return CC.EN.get(this.#cc) === 1 && !this.isShutDown;
  }

  // ---- registers ----------------------------------------------------------------------------------------------------

  /** A dword of the registers kept here. */
  read(offset: number): number {
    switch (offset) {
      case REG.CC:
        return this.#cc;
      case REG.CSTS:
        return this.#csts;
      case REG.AQA:
        return this.#aqa;
      default:
        return this.#queues[(offset - REG.ASQ) >>> 2]!;
    }
  }

  /** The queue registers stand still while EN is 1. */
  write(offset: number, value: number): void {
    if (offset === REG.CC) this.#configure(value);
    else if (offset === REG.CSTS) this.#csts &= ~(value & CSTS.NSSRO.mask);
    else if (this.#quirks.keepsReservedBits) this.#writeQueue(offset, value);
    else if (CC.EN.get(this.#cc) === 0) this.#writeQueue(offset, value & registerMask(offset));
  }

  #writeQueue(offset: number, value: number): void {
    if (offset === REG.AQA) this.#aqa = value >>> 0;
    else this.#queues[(offset - REG.ASQ) >>> 2] = value;
  }

  get #asq(): number {
    return u64(this.#queues[0]!, this.#queues[1]!);
  }

  get #acq(): number {
    return u64(this.#queues[2]!, this.#queues[3]!);
  }

  #configure(value: number): void {
    const old = this.#cc;
    const wasEnabled = CC.EN.get(old) === 1;
    const isEnabled = CC.EN.get(value) === 1;
    const clears = wasEnabled && !isEnabled && this.#quirks.disablingClearsCc;
    this.#cc = clears ? 0 : this.#taken(value, wasEnabled && isEnabled);
    if (!wasEnabled && isEnabled) this.#enable();
    else if (wasEnabled && !isEnabled) this.#disable();
    if (wasEnabled === isEnabled || !this.#quirks.shutdownAlone) this.#notify(CC.SHN.get(old));
    this.#emit();
  }

  /** What CC takes of a value: the bits that there are, and of those that stand still while EN stays 1 the old ones. */
  #taken(value: number, staysEnabled: boolean): number {
    const { profile } = this.#parts;
    if (this.#quirks.keepsReservedBits) return value >>> 0;
    const known = value & knownConfiguration(profile);
    const keep = staysEnabled ? fixedConfiguration(profile) : 0;
    return ((known & ~keep) | (this.#cc & keep)) >>> 0;
  }

  /** SHN was written over `old`. */
  #notify(old: number): void {
    const shn = CC.SHN.get(this.#cc);
    const { shutdownAlone } = this.#quirks;
    if (shn !== SHN.NONE && (shutdownAlone ? old === SHN.NONE : shn !== old)) this.#shutdown();
    else if (shn === SHN.NONE && shutdownAlone) this.#csts = CSTS.SHST.set(this.#csts, SHST.NORMAL);
  }

  // ---- enabling -----------------------------------------------------------------------------------------------------

  /**
   * EN goes from 0 to 1 (§3.5.1). What is wrong is found now; readiness comes later, and with CC.CRIME before that of
   * the medium.
   */
  #enable(): void {
    const { profile, admin, namespaces, clock } = this.#parts;
    const registers = { cc: this.#cc, aqa: this.#aqa, asq: this.#asq, acq: this.#acq };
    const problem = configurationProblem(profile, registers);
    this.#csts = CSTS.SHST.set(this.#csts, SHST.NORMAL);
    if (problem !== null) return this.fail(`${problem} (Base 2.1 §3.5.1)`);
    const { timing } = profile;
    const media_ns = timing?.mediaReady_ns ?? 0;
    const isIndependent = CC.CRIME.get(this.#cc) === 1;
    const ready_ns = (timing?.ready_ns ?? 0) + (isIndependent ? 0 : media_ns);
    if (isIndependent && media_ns > 0) {
      admin.isMediaReady = false;
      const reason = 'the medium is not ready yet (CC.CRIME)';
      namespaces.closeAll('media', { status: STATUS.NAMESPACE_NOT_READY, reason });
      this.#pendingMedia = clock.after(ready_ns + media_ns, this.#onMediaReady, 0);
    }
    this.#later(this.#onReady, ready_ns);
  }

  #mediaReady(): void {
    const { admin, namespaces } = this.#parts;
    this.#pendingMedia = NO_EVENT;
    admin.isMediaReady = true;
    namespaces.openAll('media');
  }

  #becomeReady(): void {
    const { engine, sqs, cqs } = this.#parts;
    this.#pendingState = NO_EVENT;
    engine.prp.page_bytes = PAGE << CC.MPS.get(this.#cc);
    engine.fetcher.arbiter.reset(CC.AMS.get(this.#cc) === AMS.WEIGHTED_ROUND_ROBIN);
    cqs.create(0, this.#acq, AQA.ACQS.get(this.#aqa) + 1, true, 0);
    sqs.create(0, this.#asq, AQA.ASQS.get(this.#aqa) + 1, 0);
    this.#csts = CSTS.RDY.set(this.#csts, 1);
    engine.running = true;
  }

  // ---- resets -------------------------------------------------------------------------------------------------------

  /** EN goes from 1 to 0, a Controller Reset (§3.7.2): AQA, ASQ and ACQ stay. */
  #disable(): void {
    this.#stop();
    this.#csts &= CSTS.NSSRO.mask;
  }

  /** Every other reset: the registers too. `isOfSubsystem`: NSSR was written. */
  reset(isOfSubsystem: boolean): void {
    this.#stop();
    this.#cc = 0;
    this.#csts = CSTS.encode({ NSSRO: isOfSubsystem ? 1 : 0 });
    if (this.#quirks.keepsQueueRegisters) return;
    this.#aqa = 0;
    this.#queues.fill(0);
  }

  #stop(): void {
    const { clock, engine, nvm, admin, interrupts } = this.#parts;
    clock.cancel(this.#pendingState);
    this.#pendingState = NO_EVENT;
    if (this.#pendingMedia !== NO_EVENT) {
      clock.cancel(this.#pendingMedia);
      this.#mediaReady();
    }
    engine.reset();
    nvm.reset();
    admin.reset();
    interrupts.reset();
  }

  // ---- shutdown -----------------------------------------------------------------------------------------------------

  /** SHN was set (§3.6.1): dirty data become durable, then SHST says complete. */
  #shutdown(): void {
    this.#csts = CSTS.SHST.set(this.#csts, SHST.IN_PROGRESS);
    this.#later(this.#onShutdown, this.#parts.profile.timing?.shutdown_ns ?? 0);
  }

  #finishShutdown(): void {
    const { nvm, subsystem, engine } = this.#parts;
    this.#pendingState = NO_EVENT;
    nvm.flush();
    if (!this.#quirks.worksAfterShutdown) engine.running = false;
    this.#csts = CSTS.SHST.set(this.#csts, SHST.COMPLETE);
    subsystem.shutDown();
  }

  #later(handler: HandlerId, delay_ns: number): void {
    const { clock } = this.#parts;
    clock.cancel(this.#pendingState);
    this.#pendingState = NO_EVENT;
    if (delay_ns > 0) this.#pendingState = clock.after(delay_ns, handler, 0);
    else clock.run(0, handler, 0);
  }

  /** Commands are not taken for a while (CSTS.PP, Base 2.1 §3.1.4.6). */
  pause(isPaused: boolean): void {
    this.#csts = CSTS.PP.set(this.#csts, isPaused ? 1 : 0);
    this.#parts.engine.fetcher.pause(isPaused);
    this.#emit();
  }

  // ---- failure ------------------------------------------------------------------------------------------------------

  /**
   * A queue's memory is out of reach. No command tells it, so the error log and an event do, as long as the admin queue
   * can (Base 2.1 §5.1.2.1, Persistent Internal Error).
   */
  loseQueue(reason: string): void {
    const { health } = this.#parts;
    if (CSTS.CFS.get(this.#csts) === 1) return;
    health.controllerFailed(STATUS.INTERNAL_ERROR);
    this.fail(reason);
    health.events.raiseLast(ASYNC_EVENT.PERSISTENT_INTERNAL_ERROR);
  }

  /** CSTS.CFS: nothing is fetched or posted until a reset. `reason` is one sentence. */
  fail(reason: string): void {
    const { health, engine, admin } = this.#parts;
    health.failed(reason);
    engine.running = false;
    this.#csts = CSTS.CFS.set(this.#quirks.failureClearsCsts ? 0 : this.#csts, 1);
    admin.telemetry.captureFailure(reason);
    this.#emit();
  }

  #emit(): void {
    const { trace, dma } = this.#parts;
    if (trace.on === true) trace.emit(T.NVME_STATE, dma.requester, this.#cc, this.#csts);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#pendingState = a.value(this.#pendingState);
    this.#pendingMedia = a.value(this.#pendingMedia);
    this.#cc = a.value(this.#cc);
    this.#csts = a.value(this.#csts);
    this.#aqa = a.value(this.#aqa);
    a.contents(this.#queues);
  }
}

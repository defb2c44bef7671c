/**
 * The NVMe controller as a PCIe function: BAR0 registers, enable, reset and shutdown (Base 2.1 §3.1, §3.5). It owns the
 * parts and connects them; commands run in engine.ts, doorbells.ts rings. MSI-X table and pending bits share BAR0.
 * Not here: PMR, boot partitions, NSSD: their registers read 0 and CAP announces none.
 */
import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { PcieDescription } from '../machine/pcie/capabilities.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import { PcieFunction } from '../machine/pcie/function.ts';
import { Msi } from '../machine/pcie/msi.ts';
import { Msix } from '../machine/pcie/msix.ts';
import { T, type Trace } from '../machine/trace.ts';
import { hex, highWord, lowWord, u64 } from '../support/numbers.ts';
import type { Random } from '../support/random.ts';
import { AdminCommands } from './admin.ts';
import {
  capHigh,
  capLow,
  configurationProblem,
  describeFunction,
  fixedConfiguration,
  knownConfiguration,
  readyTimeouts,
} from './capabilities.ts';
import { ChunkPool } from './chunk-pool.ts';
import { Coalescing } from './coalescing.ts';
import { Doorbells } from './doorbells.ts';
import { Engine } from './engine.ts';
import { Events } from './events.ts';
import { Health } from './health.ts';
import { InterruptPort } from './interrupt-port.ts';
import { Context } from './io/command.ts';
import { plainFormat } from './lba-format.ts';
import { createMedia } from './media/create.ts';
import { BUFFER_BAR, MemoryBuffer } from './memory-buffer.ts';
import type { Namespace } from './namespace.ts';
import { Namespaces } from './namespaces.ts';
import { NvmCommands } from './nvm.ts';
import type { ControllerProfile } from './profile.ts';
import { CompletionQueues, SubmissionQueues } from './queues.ts';
import { Slots } from './slots.ts';
import { SparseStore } from './sparse-store.ts';
import { ASYNC_EVENT } from './spec/logs.ts';
import { AMS, AQA, CC, CSTS, DOORBELL_BASE, NSSR_MAGIC, REG, SHN, SHST } from './spec/registers.ts';
import { STATUS } from './spec/status.ts';

const PAGE = 4096;
const NO_EVENT = -1;

export interface ControllerParts {
  readonly name: string;
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly dma: DmaPort;
  /** What the link registers of configuration space tell. */
  readonly link: PcieDescription['link'];
  readonly random: Random;
  /** Those that are attached from the beginning. */
  readonly namespaces: readonly Namespace[];
  /** NVM capacity of the drive; at least, and by default, what its namespaces take. */
  readonly capacity_bytes?: number;
}

export class NvmeController extends PcieFunction {
  readonly profile: ControllerProfile;
  readonly health: Health;
  readonly engine: Engine;
  readonly namespaces: Namespaces;
  readonly admin: AdminCommands;
  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly msix: Msix;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  private readonly nvm: NvmCommands;
  private readonly doorbells: Doorbells;
  private readonly interrupts: InterruptPort;
  private readonly buffer: MemoryBuffer;
  private readonly onReady: HandlerId;
  private readonly onMediaReady: HandlerId;
  private readonly onShutdown: HandlerId;
  #pendingState = NO_EVENT;
  #pendingMedia = NO_EVENT;
  #cc = 0;
  #csts = 0;
  #aqa = 0;
  #asq = 0;
  #acq = 0;

  constructor(parts: ControllerParts) {
    const { profile, clock, memory, trace, dma } = parts;
    super(parts.name, describeFunction(profile, parts.link), dma);
    this.profile = profile;
    this.clock = clock;
    this.trace = trace;
    const queues = profile.maxQueuePairs + 1;
    const maxTransfer_bytes = PAGE << (profile.mdts + profile.pageMin);
    const slots = new Slots(memory, profile.commandSlots, maxTransfer_bytes / PAGE + 1);
    this.sqs = new SubmissionQueues(memory, queues);
    this.cqs = new CompletionQueues(memory, queues);
    const { config, sqs, cqs } = this;
    this.msix = new Msix({ config, clock, dma, trace });
    this.buffer = new MemoryBuffer(memory, dma, profile.memoryBuffer_bytes);
    const bdf = () => this.bdf;
    this.health = new Health({ slots, entries: profile.errorLogEntries, clock, trace, bdf });
    const { msix, health } = this;
    const { timing } = profile;
    const msi = new Msi({ config, clock, dma });
    const pin = (isAsserted: boolean) => this.setInterrupt(isAsserted);
    this.interrupts = new InterruptPort({ clock, dma, msix, msi, cqs, pin });
    const { interrupts } = this;
    this.engine = new Engine({
      clock,
      memory,
      trace,
      dma,
      interrupts,
      slots,
      sqs,
      cqs,
      health,
      timing,
      strict: profile.strict,
      fatal: (reason) => this.#loseQueue(reason),
    });
    const { engine } = this;
    const events = new Events({ profile, slots, engine });
    health.events = events;
    this.namespaces = createNamespaces(parts, { slots, engine, events });
    const { namespaces } = this;
    const queueParts = { profile, clock, trace, memory, dma, sqs, cqs, engine, health, interrupts };
    this.doorbells = new Doorbells(queueParts);
    const { shadow } = this.doorbells;
    const coalescing = new Coalescing({
      clock,
      completer: engine.completer,
      target: interrupts,
      vectors: profile.msixVectors,
    });
    const cc = () => this.#cc;
    const { serial } = parts;
    const common = { profile, memory, slots, engine, health };
    this.admin = new AdminCommands({
      ...common,
      serial,
      clock,
      sqs,
      cqs,
      events,
      namespaces,
      shadow,
      coalescing,
      interrupts,
      cc,
      fatal: (reason) => this.#fail(reason),
    });
    const media = createMedia(timing?.media ?? null, {
      clock,
      random: parts.random,
      capacity_bytes: namespaces.capacity_bytes,
      busy: { trace, dma },
    });
    const context = new Context({
      ...common,
      clock,
      dma,
      media,
      features: this.admin.features,
      events,
      cc,
      namespaces: namespaces.active,
      access: namespaces,
      maxTransfer_bytes,
    });
    namespaces.onErased = (namespace) => {
      context.cache?.flush(namespace);
      media.discard(namespace.mediaBase, namespace.store.bytes);
    };
    this.nvm = new NvmCommands(context);
    engine.admin = this.admin;
    engine.nvm = this.nvm;
    this.onReady = clock.register(() => this.#becomeReady());
    this.onMediaReady = clock.register(() => this.#mediaReady());
    this.onShutdown = clock.register(() => this.#finishShutdown());
  }

  // ---- BAR0 -------------------------------------------------------------------------------------------------------

  override barRead32(bar: number, offset: number): number {
    if (bar === BUFFER_BAR) return this.buffer.read32(offset);
    if (offset >= DOORBELL_BASE) return this.msix.read32(bar, offset);
    switch (offset) {
      case REG.CAP:
        return capLow(this.profile);
      case REG.CAP_HI:
        return capHigh(this.profile);
      case REG.VS:
        return this.profile.version;
      case REG.INTMS:
      case REG.INTMC:
        return this.interrupts.mask;
      case REG.CC:
        return this.#cc;
      case REG.CSTS:
        return this.#csts;
      case REG.AQA:
        return this.#aqa;
      case REG.ASQ:
        return lowWord(this.#asq);
      case REG.ASQ_HI:
        return highWord(this.#asq);
      case REG.ACQ:
        return lowWord(this.#acq);
      case REG.ACQ_HI:
        return highWord(this.#acq);
      case REG.CRTO:
        return readyTimeouts(this.profile);
      default:
        return this.buffer.readRegister(offset);
    }
  }

  override barWrite32(bar: number, offset: number, value: number): void {
    if (bar !== 0) return this.buffer.write32(offset, value);
    if (offset >= DOORBELL_BASE && offset < this.doorbells.end) return this.doorbells.ring(offset, value);
    if (offset >= DOORBELL_BASE) this.msix.write32(bar, offset, value);
    else this.#writeRegister(offset, value >>> 0);
  }

  #writeRegister(offset: number, value: number): void {
    const isEnabled = CC.EN.get(this.#cc) === 1;
    switch (offset) {
      case REG.INTMS:
        return this.#maskInterrupts(this.interrupts.mask | value);
      case REG.INTMC:
        return this.#maskInterrupts(this.interrupts.mask & ~value);
      case REG.CC:
        return this.#configure(value);
      case REG.CSTS:
        this.#csts &= ~(value & CSTS.NSSRO.mask);
        return;
      case REG.NSSR:
        if (value === NSSR_MAGIC && this.profile.subsystemReset) this.#resetSubsystem();
        return;
      case REG.AQA:
        if (!isEnabled) this.#aqa = value & (AQA.ASQS.mask | AQA.ACQS.mask);
        return;
      case REG.ASQ:
        if (!isEnabled) this.#asq = u64(value & ~(PAGE - 1), highWord(this.#asq));
        return;
      case REG.ASQ_HI:
        if (!isEnabled) this.#asq = u64(lowWord(this.#asq), value);
        return;
      case REG.ACQ:
        if (!isEnabled) this.#acq = u64(value & ~(PAGE - 1), highWord(this.#acq));
        return;
      case REG.ACQ_HI:
        if (!isEnabled) this.#acq = u64(lowWord(this.#acq), value);
        return;
      case REG.CMBMSC:
      case REG.CMBMSC_HI:
        return this.buffer.writeControl(offset, value);
      default:
        if ((offset & 3) !== 0) {
          const why = { rule: 'no register begins there', section: 'Base 2.1 §3.1.4' };
          this.health.refuseAccess(`write at offset ${hex(offset)}`, why);
        }
    }
  }

  /** INTMS or INTMC was written: they are for the pin and MSI (PCIe Transport 1.1 §3.5.1.1). */
  #maskInterrupts(mask: number): void {
    if (this.interrupts.usesMsix)
      this.health.refuseAccess('write of INTMS or INTMC', {
        rule: 'MSI-X is enabled and has masks of its own',
        section: 'PCIe Transport 1.1 §3.5.1.1',
      });
    this.interrupts.setMask(mask);
  }

  /** Registers are accessed in whole dwords (Base 2.1 §3.1.1): parts are merged, and told. */
  override barReadPart(bar: number, offset: number, size: 1 | 2): number {
    if (bar === 0) this.#tellWidth('read', offset, size);
    return super.barReadPart(bar, offset, size);
  }

  override barWritePart(bar: number, offset: number, size: 1 | 2, value: number): void {
    if (bar === 0) this.#tellWidth('write', offset, size);
    if (bar !== 0 || !this.profile.strict) super.barWritePart(bar, offset, size, value);
  }

  #tellWidth(access: 'read' | 'write', offset: number, size: number): void {
    const isIgnored = access === 'write' && this.profile.strict;
    this.health.refuseAccess(
      `${access} of ${size} byte(s) at offset ${hex(offset)}`,
      { rule: 'registers are accessed in dwords', section: 'Base 2.1 §3.1.1' },
      isIgnored,
    );
  }

  // ---- configuration ------------------------------------------------------------------------------------------------

  #configure(value: number): void {
    const old = this.#cc;
    const wasEnabled = CC.EN.get(old) === 1;
    const keep = fixedConfiguration(this.profile);
    const written = (value & knownConfiguration(this.profile)) >>> 0;
    this.#cc = wasEnabled && CC.EN.get(written) === 1 ? ((written & ~keep) | (old & keep)) >>> 0 : written;
    const isEnabled = CC.EN.get(this.#cc) === 1;
    if (!wasEnabled && isEnabled) this.#enable();
    else if (wasEnabled && !isEnabled) this.#disable();
    const shn = CC.SHN.get(this.#cc);
    if (shn !== SHN.NONE && shn !== CC.SHN.get(old)) this.#shutdown();
    if (this.trace.on === true) this.trace.emit(T.NVME_STATE, this.bdf, this.#cc, this.#csts);
  }

  /**
   * EN goes from 0 to 1 (§3.5.1). What is wrong is found now; readiness comes later, and with CC.CRIME before that of
   * the medium.
   */
  #enable(): void {
    const registers = { cc: this.#cc, aqa: this.#aqa, asq: this.#asq, acq: this.#acq };
    const problem = configurationProblem(this.profile, registers);
    this.#csts = CSTS.SHST.set(this.#csts, SHST.NORMAL);
    if (problem !== null) return this.#fail(`${problem} (Base 2.1 §3.5.1)`);
    const { timing } = this.profile;
    const media_ns = timing?.mediaReady_ns ?? 0;
    const isIndependent = CC.CRIME.get(this.#cc) === 1;
    const ready_ns = (timing?.ready_ns ?? 0) + (isIndependent ? 0 : media_ns);
    if (isIndependent && media_ns > 0) {
      this.admin.isMediaReady = false;
      const reason = 'the medium is not ready yet (CC.CRIME)';
      this.namespaces.closeAll('media', { status: STATUS.NAMESPACE_NOT_READY, reason });
      this.#pendingMedia = this.clock.after(ready_ns + media_ns, this.onMediaReady, 0);
    }
    this.#later(this.onReady, ready_ns);
  }

  #mediaReady(): void {
    this.#pendingMedia = NO_EVENT;
    this.admin.isMediaReady = true;
    this.namespaces.openAll('media');
  }

  #becomeReady(): void {
    this.#pendingState = NO_EVENT;
    this.engine.prp.page_bytes = PAGE << CC.MPS.get(this.#cc);
    this.engine.fetcher.arbiter.reset(CC.AMS.get(this.#cc) === AMS.WEIGHTED_ROUND_ROBIN);
    this.cqs.create(0, this.#acq, AQA.ACQS.get(this.#aqa) + 1, true, 0);
    this.sqs.create(0, this.#asq, AQA.ASQS.get(this.#aqa) + 1, 0);
    this.#csts = CSTS.RDY.set(this.#csts, 1);
    this.engine.running = true;
  }

  /** EN goes from 1 to 0, a Controller Reset (§3.7.2): AQA, ASQ and ACQ stay. */
  #disable(): void {
    this.#stop();
    this.#csts &= CSTS.NSSRO.mask;
  }

  #stop(): void {
    this.clock.cancel(this.#pendingState);
    this.#pendingState = NO_EVENT;
    if (this.#pendingMedia !== NO_EVENT) {
      this.clock.cancel(this.#pendingMedia);
      this.#mediaReady();
    }
    this.engine.reset();
    this.nvm.reset();
    this.admin.reset();
    this.interrupts.reset();
  }

  /** SHN was set (§3.6.1): dirty data become durable, then SHST says complete. */
  #shutdown(): void {
    this.#csts = CSTS.SHST.set(this.#csts, SHST.IN_PROGRESS);
    this.#later(this.onShutdown, this.profile.timing?.shutdown_ns ?? 0);
  }

  #finishShutdown(): void {
    this.#pendingState = NO_EVENT;
    this.nvm.flush();
    this.#closeZones();
    this.engine.running = false;
    this.#csts = CSTS.SHST.set(this.#csts, SHST.COMPLETE);
  }

  #closeZones(): void {
    for (const namespace of this.namespaces.list('allocated')) namespace.zones?.closeAll();
  }

  #later(handler: HandlerId, delay_ns: number): void {
    this.clock.cancel(this.#pendingState);
    this.#pendingState = NO_EVENT;
    if (delay_ns > 0) this.#pendingState = this.clock.after(delay_ns, handler, 0);
    else this.clock.run(0, handler, 0);
  }

  /**
   * A queue's memory is out of reach. No command tells it, so the error log and an event do, as long as the admin queue
   * can (Base 2.1 §5.1.2.1, Persistent Internal Error).
   */
  #loseQueue(reason: string): void {
    if (CSTS.CFS.get(this.#csts) === 1) return;
    this.health.controllerFailed(STATUS.INTERNAL_ERROR);
    this.#fail(reason);
    this.health.events.raiseLast(ASYNC_EVENT.PERSISTENT_INTERNAL_ERROR);
  }

  /** CSTS.CFS: nothing is fetched or posted until a reset. */
  #fail(reason: string): void {
    this.health.failed(reason);
    this.engine.running = false;
    this.#csts = CSTS.CFS.set(this.#csts, 1);
    this.admin.telemetry.captureFailure(reason);
    if (this.trace.on === true) this.trace.emit(T.NVME_STATE, this.bdf, this.#cc, this.#csts);
  }

  /** The namespace with this identifier, if it is attached. */
  namespace(nsid: number): Namespace | undefined {
    return this.namespaces.attached(nsid);
  }

  /**
   * NSSR was written: everything that a conventional reset resets but configuration space, because the link stays up
   * (§3.7.1).
   */
  #resetSubsystem(): void {
    this.#resetRegisters();
    this.#closeZones();
    this.#csts = CSTS.encode({ NSSRO: 1 });
  }

  /**
   * Power is lost and comes back. What only the volatile write cache had is gone, unless a shutdown was complete; then
   * everything is as after a conventional reset.
   */
  powerCut(): void {
    if (CSTS.SHST.get(this.#csts) !== SHST.COMPLETE) {
      this.health.unsafeShutdowns++;
      this.nvm.losePower();
    }
    this.health.powerCycles++;
    this.reset();
    for (const namespace of this.namespaces.list('allocated')) {
      namespace.reservations.losePower();
      namespace.noteReservation();
    }
    this.#closeZones();
  }

  #resetRegisters(): void {
    this.#stop();
    this.msix.reset();
    this.buffer.reset();
    this.#cc = 0;
    this.#csts = 0;
    this.#aqa = 0;
    this.#asq = 0;
    this.#acq = 0;
  }

  /** Function level or conventional reset: registers too. */
  override reset(): void {
    this.#resetRegisters();
    super.reset();
  }

  /** MSI, MSI-X or the pin was turned on or off. */
  protected override interruptsChanged(): void {
    this.interrupts.update();
    super.interruptsChanged();
  }
}

/** The namespaces of a drive: those it starts with, and stores for those that hosts create. */
function createNamespaces(
  { profile, memory, namespaces, capacity_bytes = 0 }: ControllerParts,
  parts: { readonly slots: Slots; readonly engine: Engine; readonly events: Events },
): Namespaces {
  let pool: ChunkPool | undefined;
  return new Namespaces({
    ...parts,
    largest: profile.maxNamespaces,
    initial: namespaces,
    formats: [...profile.blockSizes.map(plainFormat), ...profile.metadataFormats],
    capacity_bytes,
    createStore: (bytes) => {
      pool ??= new ChunkPool(memory, largestMedium(capacity_bytes, namespaces));
      return new SparseStore(memory, bytes, pool);
    },
  });
}

/** Bytes of the largest medium that may be made: metadata take less than their blocks. */
const largestMedium = (capacity_bytes: number, namespaces: readonly Namespace[]): number =>
  Math.max(capacity_bytes, ...namespaces.map(({ store }) => store.bytes));

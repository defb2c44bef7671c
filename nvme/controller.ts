/**
 * The NVMe controller as a PCIe function: BAR0 registers, doorbells, enable, reset and shutdown (Base 2.1 §3.1, §3.5).
 * It owns the parts and connects them; commands run in engine.ts. MSI-X table and pending bits share BAR0.
 * Not here: CMB, PMR, boot partitions, NVM subsystem reset: their registers read 0 and CAP announces none.
 */
import type { Clock, HandlerId } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import { configSpace, type PcieDescription } from '../machine/pcie/capabilities.ts';
import type { ConfigSpace } from '../machine/pcie/config-space.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import { PcieFunction } from '../machine/pcie/function.ts';
import { Msix } from '../machine/pcie/msix.ts';
import { CLASS } from '../machine/pcie/spec.ts';
import { T, type Trace } from '../machine/trace.ts';
import { highWord, lowWord, u64 } from '../support/numbers.ts';
import type { Random } from '../support/random.ts';
import { AdminCommands } from './admin.ts';
import { Engine } from './engine.ts';
import { Events } from './events.ts';
import { Health } from './health.ts';
import { Context } from './io/command.ts';
import { Media } from './media.ts';
import type { Namespace } from './namespace.ts';
import { NvmCommands } from './nvm.ts';
import type { ControllerProfile } from './profile.ts';
import { CompletionQueues, SubmissionQueues } from './queues.ts';
import { Slots } from './slots.ts';
import { CQES, SQES } from './spec/commands.ts';
import {
  AMS,
  AQA,
  CAP_AMS,
  CAP_CSS,
  CAP_HI,
  CAP_LO,
  CC,
  CSS,
  CSTS,
  DOORBELL_BASE,
  REG,
  SHN,
  SHST,
} from './spec/registers.ts';

const PAGE = 4096;
/** Pages of zeroes between the end of the doorbells and the MSI-X table read 0. */
const NOTHING = 0;

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
  readonly namespaces: readonly Namespace[];
}

export class NvmeController extends PcieFunction {
  readonly profile: ControllerProfile;
  readonly health: Health;
  readonly engine: Engine;
  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly msix: Msix;
  private readonly slots: Slots;
  private readonly sqs: SubmissionQueues;
  private readonly cqs: CompletionQueues;
  private readonly admin: AdminCommands;
  private readonly nvm: NvmCommands;
  private readonly namespaces: readonly (Namespace | undefined)[];
  private readonly doorbellEnd: number;
  private readonly doorbellShift: number;
  private readonly onReady: HandlerId;
  private readonly onShutdown: HandlerId;
  #pendingState = -1;
  #cc = 0;
  #csts = 0;
  #aqa = 0;
  #asq = 0;
  #acq = 0;
  #interruptMask = 0;

  constructor(parts: ControllerParts) {
    const { profile, clock, memory, trace, dma } = parts;
    super(parts.name, describe(profile, parts.link), dma);
    this.profile = profile;
    this.clock = clock;
    this.trace = trace;
    const queues = profile.maxQueuePairs + 1;
    const maxTransfer_bytes = PAGE << (profile.mdts + profile.pageMin);
    this.namespaces = byNsid(parts.namespaces, profile.maxNamespaces);
    this.slots = new Slots(memory, profile.commandSlots, maxTransfer_bytes / PAGE + 1);
    this.sqs = new SubmissionQueues(memory, queues);
    this.cqs = new CompletionQueues(memory, queues);
    const { config } = this;
    this.msix = new Msix({ config, clock, dma, trace });
    this.health = new Health({ slots: this.slots, entries: profile.errorLogEntries, clock });
    this.engine = new Engine({
      clock,
      memory,
      trace,
      dma,
      msix: this.msix,
      slots: this.slots,
      sqs: this.sqs,
      cqs: this.cqs,
      health: this.health,
      timing: profile.timing,
      fatal: (reason) => this.#fail(reason),
    });
    const { engine, health } = this;
    const events = new Events({ profile, slots: this.slots, engine });
    health.events = events;
    this.admin = new AdminCommands({
      profile,
      serial: parts.serial,
      slots: this.slots,
      sqs: this.sqs,
      cqs: this.cqs,
      engine,
      health,
      events,
      memory,
      namespaces: this.namespaces,
      clock,
      cc: () => this.#cc,
    });
    const context = new Context({
      profile,
      clock,
      memory,
      dma,
      slots: this.slots,
      engine,
      media: new Media(clock, profile.timing?.media ?? null, parts.random),
      health,
      features: this.admin.features,
      namespaces: this.namespaces,
      maxTransfer_bytes,
    });
    this.nvm = new NvmCommands(context);
    engine.admin = this.admin;
    engine.nvm = this.nvm;
    this.doorbellShift = profile.doorbellStride + 2;
    this.doorbellEnd = DOORBELL_BASE + (queues << (this.doorbellShift + 1));
    this.onReady = clock.register(() => this.#becomeReady());
    this.onShutdown = clock.register(() => this.#finishShutdown());
  }

  // ---- BAR0 -------------------------------------------------------------------------------------------------------

  override barRead32(bar: number, offset: number): number {
    if (bar !== 0) return NOTHING;
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
        return this.#interruptMask;
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
      default:
        return NOTHING;
    }
  }

  override barWrite32(bar: number, offset: number, value: number): void {
    if (bar !== 0) return;
    if (offset >= DOORBELL_BASE && offset < this.doorbellEnd) return this.#doorbell(offset, value & 0xffff);
    if (offset >= DOORBELL_BASE) this.msix.write32(bar, offset, value);
    else this.#writeRegister(offset, value >>> 0);
  }

  #writeRegister(offset: number, value: number): void {
    const isEnabled = CC.EN.get(this.#cc) === 1;
    switch (offset) {
      case REG.INTMS:
        this.#interruptMask = (this.#interruptMask | value) >>> 0;
        return;
      case REG.INTMC:
        this.#interruptMask = (this.#interruptMask & ~value) >>> 0;
        return;
      case REG.CC:
        return this.#configure(value);
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
      default:
    }
  }

  // ---- doorbells ----------------------------------------------------------------------------------------------------

  #doorbell(offset: number, value: number): void {
    if (!this.engine.running) return;
    const index = (offset - DOORBELL_BASE) >>> this.doorbellShift;
    const qid = index >>> 1;
    if (this.trace.on) this.trace.emit(T.NVME_DOORBELL, this.bdf, qid, index & 1, value);
    if (((offset - DOORBELL_BASE) & ((1 << this.doorbellShift) - 1)) !== 0) return;
    if ((index & 1) === 0) this.#submissionDoorbell(qid, value);
    else this.#completionDoorbell(qid, value);
  }

  #submissionDoorbell(qid: number, tail: number): void {
    const sqs = this.sqs;
    if (!sqs.exists(qid)) return this.health.doorbellError('register', qid);
    if (tail >= sqs.size(qid)) return this.health.doorbellError('value', qid);
    sqs.setTail(qid, tail);
    this.engine.fetcher.ring(qid);
  }

  #completionDoorbell(qid: number, head: number): void {
    const cqs = this.cqs;
    if (!cqs.exists(qid)) return this.health.doorbellError('register', qid);
    if (!cqs.release(qid, head)) return this.health.doorbellError('value', qid);
    this.engine.released(qid);
  }

  // ---- configuration ------------------------------------------------------------------------------------------------

  #configure(value: number): void {
    const old = this.#cc;
    const wasEnabled = CC.EN.get(old) === 1;
    const keep = CC.CSS.mask | CC.MPS.mask | CC.AMS.mask;
    const known = keep | CC.EN.mask | CC.SHN.mask | CC.IOSQES.mask | CC.IOCQES.mask;
    const written = (value & known) >>> 0;
    this.#cc = wasEnabled && CC.EN.get(written) === 1 ? ((written & ~keep) | (old & keep)) >>> 0 : written;
    const isEnabled = CC.EN.get(this.#cc) === 1;
    if (!wasEnabled && isEnabled) this.#enable();
    else if (wasEnabled && !isEnabled) this.#disable();
    const shn = CC.SHN.get(this.#cc);
    if (shn !== SHN.NONE && shn !== CC.SHN.get(old)) this.#shutdown();
    if (this.trace.on) this.trace.emit(T.NVME_STATE, this.bdf, this.#cc, this.#csts);
  }

  /** EN goes from 0 to 1 (§3.5.1). What is wrong is found now; readiness comes after `ready_ns`. */
  #enable(): void {
    const problem = this.#configurationProblem();
    if (problem !== null) return this.#fail(problem);
    this.#later(this.onReady, this.profile.timing?.ready_ns ?? 0);
  }

  #configurationProblem(): string | null {
    const { profile } = this;
    const css = CC.CSS.get(this.#cc);
    const cssBit =
      css === CSS.NVM ? CAP_CSS.NVM : css === CSS.ALL ? CAP_CSS.IO_COMMAND_SETS : CAP_CSS.ADMIN_ONLY;
    const mps = CC.MPS.get(this.#cc);
    const isOffered =
      (css === CSS.NVM || css === CSS.ALL || css === CSS.ADMIN_ONLY) && profile.commandSets & cssBit;
    if (!isOffered) return `CC.CSS ${css} is not among CAP.CSS`;
    const ams = CC.AMS.get(this.#cc);
    const isArbitrated =
      ams === AMS.ROUND_ROBIN || (ams === AMS.WEIGHTED_ROUND_ROBIN && profile.weightedArbitration);
    if (!isArbitrated) return `CC.AMS ${ams} is not among CAP.AMS`;
    if (mps < profile.pageMin || mps > profile.pageMax) {
      return `CC.MPS ${mps} is outside CAP.MPSMIN ${profile.pageMin} to CAP.MPSMAX ${profile.pageMax}`;
    }
    if (AQA.ASQS.get(this.#aqa) === 0)
      return 'AQA.ASQS is 0: the admin submission queue needs at least 2 entries';
    if (AQA.ACQS.get(this.#aqa) === 0)
      return 'AQA.ACQS is 0: the admin completion queue needs at least 2 entries';
    const page = PAGE << mps;
    if ((this.#asq & (page - 1)) !== 0)
      return `ASQ 0x${this.#asq.toString(16)} is not aligned to the page size ${page}`;
    if ((this.#acq & (page - 1)) !== 0)
      return `ACQ 0x${this.#acq.toString(16)} is not aligned to the page size ${page}`;
    if (CC.IOSQES.get(this.#cc) > SQES) return `CC.IOSQES ${CC.IOSQES.get(this.#cc)} is larger than ${SQES}`;
    if (CC.IOCQES.get(this.#cc) > CQES) return `CC.IOCQES ${CC.IOCQES.get(this.#cc)} is larger than ${CQES}`;
    return null;
  }

  #becomeReady(): void {
    this.#pendingState = -1;
    this.engine.prp.page_bytes = PAGE << CC.MPS.get(this.#cc);
    this.engine.fetcher.arbiter.reset(CC.AMS.get(this.#cc) === AMS.WEIGHTED_ROUND_ROBIN);
    this.cqs.create(0, this.#acq, AQA.ACQS.get(this.#aqa) + 1, true, 0);
    this.sqs.create(0, this.#asq, AQA.ASQS.get(this.#aqa) + 1, 0);
    this.#csts = CSTS.encode({ RDY: 1 });
    this.engine.running = true;
  }

  /** EN goes from 1 to 0, a Controller Reset (§3.7.2): AQA, ASQ and ACQ stay. */
  #disable(): void {
    this.#stop();
    this.#csts = 0;
  }

  #stop(): void {
    if (this.#pendingState !== -1) this.clock.cancel(this.#pendingState);
    this.#pendingState = -1;
    this.engine.reset();
    this.nvm.reset();
    this.admin.reset();
    this.#interruptMask = 0;
  }

  /** SHN was set (§3.6.1): dirty data become durable, then SHST says complete. */
  #shutdown(): void {
    this.#csts = CSTS.SHST.set(this.#csts, SHST.IN_PROGRESS);
    this.#later(this.onShutdown, this.profile.timing?.shutdown_ns ?? 0);
  }

  #finishShutdown(): void {
    this.#pendingState = -1;
    this.nvm.flush();
    this.engine.running = false;
    this.#csts = CSTS.SHST.set(this.#csts, SHST.COMPLETE);
  }

  #later(handler: HandlerId, delay_ns: number): void {
    if (this.#pendingState !== -1) this.clock.cancel(this.#pendingState);
    this.#pendingState = -1;
    if (delay_ns > 0) this.#pendingState = this.clock.after(delay_ns, handler, 0);
    else this.clock.run(0, handler, 0);
  }

  /** CSTS.CFS: nothing is fetched or posted until a reset. */
  #fail(reason: string): void {
    this.health.reject(`fatal: ${reason}`);
    this.engine.running = false;
    this.#csts = CSTS.CFS.set(this.#csts, 1);
    if (this.trace.on) this.trace.emit(T.NVME_STATE, this.bdf, this.#cc, this.#csts);
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
  }

  /** Function level or conventional reset: registers too. */
  override reset(): void {
    this.#stop();
    super.reset();
    this.msix.reset();
    this.#cc = 0;
    this.#csts = 0;
    this.#aqa = 0;
    this.#asq = 0;
    this.#acq = 0;
  }
}

function describe(profile: ControllerProfile, link: PcieDescription['link']): ConfigSpace {
  const {
    vendor,
    device,
    revision,
    subsystemVendor,
    subsystem,
    bar_bytes: bytes,
    msixVectors: vectors,
  } = profile;
  return configSpace({
    vendor,
    device,
    revision,
    class: CLASS.NVME,
    subsystemVendor,
    subsystem,
    interruptPin: 1,
    bars: [{ index: 0, bytes, is64: true, prefetchable: false }],
    capabilities: [
      {
        kind: 'msix',
        offset: 0x40,
        vectors,
        table: { bar: 0, offset: profile.msixTable },
        pba: { bar: 0, offset: profile.msixPba },
      },
      {
        kind: 'pcie',
        offset: 0x80,
        port: 'ENDPOINT',
        link,
        flr: true,
        maxPayload_bytes: 256,
        ...profile.pcie,
      },
      { kind: 'powerManagement', offset: 0x60, noSoftReset: true },
    ],
  });
}

/** Every valid NSID has its place, whether a namespace is attached there or not. */
function byNsid(namespaces: readonly Namespace[], maxNamespaces: number): (Namespace | undefined)[] {
  const table = Array<Namespace | undefined>(maxNamespaces + 1);
  for (const namespace of namespaces) table[namespace.nsid] = namespace;
  return Array.from(table);
}

const capLow = (profile: ControllerProfile): number =>
  CAP_LO.encode({
    MQES: profile.maxQueueEntries - 1,
    CQR: 1,
    AMS: profile.weightedArbitration ? CAP_AMS.WEIGHTED_ROUND_ROBIN : 0,
    TO: profile.timeout,
  });
const capHigh = (profile: ControllerProfile): number =>
  CAP_HI.encode({
    DSTRD: profile.doorbellStride,
    CSS: profile.commandSets,
    MPSMIN: profile.pageMin,
    MPSMAX: profile.pageMax,
  });

/**
 * The NVMe controller as a PCIe function: its BARs, its resets, and the parts it is made of. Commands run in engine.ts,
 * doorbells.ts rings, lifecycle.ts has the registers that change. MSI-X table and pending bits share BAR0.
 * Not here: PMR, boot partitions, NSSD: their registers read 0 and CAP announces none.
 */

import { PcieFunction } from '../machine/pcie/function.ts';
import { Msi } from '../machine/pcie/msi.ts';
import { Msix } from '../machine/pcie/msix.ts';
import type { Archive } from '../support/archive.ts';
import { hex } from '../support/numbers.ts';
import type { AdminCommands } from './admin.ts';
import { capHigh, capLow, describeFunction, readyTimeouts } from './capabilities.ts';
import { type ControllerParts, createCommandSets, createNamespaces } from './command-sets.ts';
import { Doorbells } from './doorbells.ts';
import { Engine } from './engine.ts';
import { Events } from './events.ts';
import { Health } from './health.ts';
import { InterruptPort } from './interrupt-port.ts';
import { Lifecycle } from './lifecycle.ts';
import { BUFFER_BAR, MemoryBuffer } from './memory-buffer.ts';
import type { Namespace } from './namespace.ts';
import type { Namespaces } from './namespaces.ts';
import type { NvmCommands } from './nvm.ts';
import type { ControllerProfile } from './profile.ts';
import { CompletionQueues, SubmissionQueues } from './queues.ts';
import { hasQuirk } from './quirks.ts';
import { Slots } from './slots.ts';
import { DOORBELL_BASE, NSSR_MAGIC, REG } from './spec/registers.ts';
import type { Member, Subsystem } from './subsystem.ts';

const PAGE = 4096;
// File constants fold; imported bindings do not (slots.ts).
const DOORBELLS = DOORBELL_BASE;

export class NvmeController extends PcieFunction implements Member {
  readonly profile: ControllerProfile;
  readonly health: Health;
  readonly engine: Engine;
  readonly subsystem: Subsystem;
  readonly namespaces: Namespaces;
  readonly admin: AdminCommands;
  private readonly msix: Msix;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  private readonly nvm: NvmCommands;
  private readonly doorbells: Doorbells;
  private readonly interrupts: InterruptPort;
  private readonly buffer: MemoryBuffer;
  private readonly lifecycle: Lifecycle;
  /** The quirk of that name. */
  private readonly zeroFillsParts: boolean;

  constructor(parts: ControllerParts) {
    const { profile, clock, memory, trace, dma } = parts;
    super(parts.name, describeFunction(profile, parts.link), dma);
    this.profile = profile;
    this.zeroFillsParts = hasQuirk(profile, 'zeroFillsParts');
    const queues = profile.maxQueuePairs + 1;
    const maxTransfer_bytes = PAGE << (profile.mdts + profile.pageMin);
    const slots = new Slots(memory, clock, profile.commandSlots, maxTransfer_bytes / PAGE + 1);
    this.sqs = new SubmissionQueues(memory, queues);
    this.cqs = new CompletionQueues(memory, queues);
    const { config, sqs, cqs } = this;
    this.msix = new Msix({ config, clock, dma, trace });
    this.buffer = new MemoryBuffer(memory, dma, profile.memoryBuffer_bytes);
    const bdf = () => this.bdf;
    this.health = new Health({ slots, profile, clock, trace, bdf });
    const { msix, health } = this;
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
      profile,
      firmware: parts.firmware ?? null,
      fatal: (reason) => this.lifecycle.loseQueue(reason),
    });
    const { engine } = this;
    const events = new Events({ profile, slots, engine });
    health.events = events;
    health.condition.events = events;
    const { subsystem } = parts;
    this.subsystem = subsystem;
    const place = subsystem.join(this);
    this.namespaces = createNamespaces(parts, { place, slots, engine, events });
    const { namespaces } = this;
    const queueParts = { profile, clock, trace, memory, dma, sqs, cqs, engine, health, interrupts };
    this.doorbells = new Doorbells(queueParts);
    const { admin, nvm } = createCommandSets(parts, {
      ...queueParts,
      slots,
      events,
      namespaces,
      subsystem,
      shadow: this.doorbells.shadow,
      maxTransfer_bytes,
      cc: () => this.lifecycle.cc,
      fatal: (reason) => this.lifecycle.fail(reason),
      pause: (isPaused) => this.lifecycle.pause(isPaused),
    });
    this.admin = admin;
    this.nvm = nvm;
    engine.admin = admin;
    engine.nvm = nvm;
    engine.shortWay.nvm = nvm;
    this.lifecycle = new Lifecycle({ ...queueParts, namespaces, subsystem, admin, nvm });
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
      case REG.CSTS:
      case REG.AQA:
      case REG.ASQ:
      case REG.ASQ_HI:
      case REG.ACQ:
      case REG.ACQ_HI:
        return this.lifecycle.read(offset);
      case REG.CRTO:
        return readyTimeouts(this.profile);
      default:
        return this.buffer.readRegister(offset);
    }
  }

  override barWrite32(bar: number, offset: number, value: number): void {
    if (bar !== 0) return this.buffer.write32(offset, value);
    if (offset >= DOORBELLS && offset < this.doorbells.end) return this.doorbells.ring(offset, value);
    if (offset >= DOORBELLS) this.msix.write32(bar, offset, value);
    else this.#writeRegister(offset, value >>> 0);
  }

  #writeRegister(offset: number, value: number): void {
    switch (offset) {
      case REG.INTMS:
        return this.#maskInterrupts(this.interrupts.mask | value);
      case REG.INTMC:
        return this.#maskInterrupts(this.interrupts.mask & ~value);
      case REG.CC:
      case REG.CSTS:
      case REG.AQA:
      case REG.ASQ:
      case REG.ASQ_HI:
      case REG.ACQ:
      case REG.ACQ_HI:
        return this.lifecycle.write(offset, value);
      case REG.NSSR:
        if (value === NSSR_MAGIC && this.profile.subsystemReset) this.subsystem.reset();
        return;
      case REG.CMBMSC:
      case REG.CMBMSC_HI:
        return this.buffer.writeControl(offset, value);
      default:
        if ((offset & 3) !== 0) {
          const why = { rule: 'no register begins there', section: 'Base 2.1 §3.1.4' };
          this.health.refuseAccess(`write at offset ${hex(offset)}`, {
            ...why,
            field: 'offset',
            value: offset,
          });
        }
    }
  }

  /** INTMS or INTMC was written: they are for the pin and MSI (PCIe Transport 1.1 §3.5.1.1). */
  #maskInterrupts(mask: number): void {
    if (this.interrupts.usesMsix)
      this.health.refuseAccess('write of INTMS or INTMC', {
        rule: 'MSI-X is enabled and has masks of its own',
        section: 'PCIe Transport 1.1 §3.5.1.1',
        field: 'INTMS',
        value: mask,
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
    if (bar === 0 && offset < DOORBELL_BASE && this.zeroFillsParts)
      return this.#zeroFillPart(offset, size, value);
    if (bar !== 0 || !this.profile.strict) super.barWritePart(bar, offset, size, value);
  }

  /** Zeroes go to the rest of the dword, of ASQ and ACQ to the rest of two bytes. */
  #zeroFillPart(offset: number, size: 1 | 2, value: number): void {
    if ((offset & 3) !== 0) return;
    const part = value & (size === 1 ? 0xff : 0xffff);
    const isKept = offset === REG.ASQ || offset === REG.ACQ;
    this.#writeRegister(offset, isKept ? ((this.lifecycle.read(offset) & ~0xffff) | part) >>> 0 : part);
  }

  #tellWidth(access: 'read' | 'write', offset: number, size: number): void {
    const isIgnored = access === 'write' && this.profile.strict;
    this.health.refuseAccess(
      `${access} of ${size} byte(s) at offset ${hex(offset)}`,
      {
        rule: 'registers are accessed in dwords',
        section: 'Base 2.1 §3.1.1',
        field: 'offset',
        value: offset,
      },
      isIgnored,
    );
  }

  // ---- resets and power ---------------------------------------------------------------------------------------------

  /** The namespace with this identifier, if it is attached. */
  namespace(nsid: number): Namespace | undefined {
    return this.namespaces.attached(nsid);
  }

  /**
   * NSSR was written, at any controller of the subsystem: everything that a conventional reset resets but configuration space, because the link stays up
   * (§3.7.1).
   */
  resetWithSubsystem(): void {
    this.#resetRegisters(true);
  }

  /** The drive loses power, with every controller that it has, and gets it back. */
  powerCut(): void {
    this.subsystem.powerCut();
  }

  /** Enabled, and not shut down. */
  get isAtWork(): boolean {
    return this.lifecycle.isAtWork;
  }

  /**
   * Power is lost and comes back. What only the volatile write cache had is gone, unless a shutdown was complete; then
   * everything is as after a conventional reset.
   */
  losePower(): void {
    if (!this.lifecycle.isShutDown) {
      this.health.unsafeShutdowns++;
      this.nvm.losePower();
    }
    this.admin.losePower();
    this.health.powerCycles++;
    this.reset();
  }

  #resetRegisters(isOfSubsystem: boolean): void {
    this.lifecycle.reset(isOfSubsystem);
    this.msix.reset();
    this.buffer.reset();
  }

  /** Function level or conventional reset: registers too. */
  override reset(): void {
    this.#resetRegisters(false);
    super.reset();
  }

  /** MSI, MSI-X or the pin was turned on or off. */
  protected override interruptsChanged(): void {
    this.interrupts.update();
    super.interruptsChanged();
  }

  // ---- state --------------------------------------------------------------------------------------------------------

  /** Saves or loads what changes while the controller runs (support/archive.ts), the first one what all of them share. */
  override archive(a: Archive): void {
    a.section(this.name, 1, () => {
      super.archive(a);
      this.msix.archive(a);
      this.interrupts.archive(a);
      this.buffer.archive(a);
      this.health.archive(a);
      this.health.events.archive(a);
      this.engine.archive(a);
      this.namespaces.archive(a);
      if (this.namespaces.place.id === 0) this.subsystem.archive(a);
      this.doorbells.shadow.archive(a);
      this.admin.archive(a);
      this.nvm.archive(a);
      this.lifecycle.archive(a);
    });
  }
}

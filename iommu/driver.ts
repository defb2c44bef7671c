/**
 * The kernel's driver of one remapping unit, in the order Linux does things: queued invalidation, root table, fault
 * interrupt, translation; then domains, and which device uses which (drivers/iommu/intel/iommu.c, legacy mode).
 * It touches the unit only through registers and structures in RAM. Not here: the table of interrupts
 * (interrupt-table.ts), context entries (context-tables.ts), scalable mode, the default domains of kernel drivers (a
 * device that was never attached is blocked).
 */

import type { Clock } from '../machine/clock.ts';
import type { Interrupts, MessageSource } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { RegisterBlock } from '../machine/pcie/root-complex.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { hex, highWord, lowWord } from '../support/numbers.ts';
import { type Capabilities, type CapabilityWords, decodeCapabilities } from './capabilities.ts';
import { ContextTables } from './context-tables.ts';
import { Domain, type DomainUse } from './domain.ts';
import { FaultHandler, type FaultReport, type RateLimit } from './fault-handler.ts';
import { InterruptTable } from './interrupt-table.ts';
import { PageTable } from './page-table.ts';
import { QueueClient } from './queue-client.ts';
import { GCMD, REG } from './spec/registers.ts';
import { levelsOfWidth } from './spec/structures.ts';

const ENOMEM = 12;
const ENOSPC = 28;
const NONE = -1;
/** Domain 0 tags absent entries in caching mode; 1 is kept for pass-through. Linux hands out neither. */
const RESERVED_DOMAINS = 2;
/** DRHD flag: the unit serves every device that no other one lists (INCLUDE_PCI_ALL, VT-d 4.1 §8.3). */
export const INCLUDE_ALL = 1;

/** What the kernel knows of DMA remapping, by one unit or by several (units.ts). */
export interface Iommu {
  /** What every unit can do. */
  readonly capabilities: Capabilities;
  readonly words: CapabilityWords;
  messagesOf(requester: number): MessageSource;
  createDomain(): Domain | null;
  attach(requester: number, domain: Domain): number;
  detach(requester: number): void;
}

export interface IommuDriverParts {
  /** How the CPU reaches registers: the root complex. Addresses are physical. */
  readonly bus: { read32(address: number): number; write32(address: number, value: number): void };
  /** Physical address of the unit's registers. */
  readonly base: number;
  /** Number in its name, `dmar0`. */
  readonly unit?: number;
  /** Of its DRHD; INCLUDE_ALL when absent. */
  readonly flags?: number;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly interrupts: Interrupts;
  readonly dmesg: (line: string) => void;
  /** The kernel remaps interrupts when the unit can, as Linux does unless it is told `intremap=off`. Off by default. */
  readonly remapsInterrupts?: boolean | undefined;
  /** Limit of fault lines; none by default. */
  readonly rateLimit?: RateLimit | null;
}

export class IommuDriver implements Iommu {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly #unit: number;
  readonly #base: number;
  readonly #flags: number;
  /** CAP and ECAP as the unit shows them. */
  readonly words: CapabilityWords;
  readonly #registers: RegisterBlock;
  readonly #clock: Clock;
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #interrupts: Interrupts;
  readonly #dmesg: (line: string) => void;
  readonly #queue: QueueClient;
  readonly #faults: FaultHandler;
  /** Widest supported tables: the AW code. */
  readonly #width: number;
  readonly #domainIds: Uint8Array;
  readonly #attached = new Map<number, Domain>();
  readonly #contexts: ContextTables;
  /** null: messages pass as they are. */
  readonly #interruptTable: InterruptTable | null;
  /** The persistent bits of GCMD. */
  #command = 0;

  constructor(parts: IommuDriverParts) {
    const { bus, base } = parts;
    this.#unit = parts.unit ?? 0;
    this.name = `dmar${this.#unit}`;
    this.#base = base;
    this.#flags = parts.flags ?? INCLUDE_ALL;
    this.#registers = {
      read32: (offset) => bus.read32(base + offset),
      write32: (offset, value) => bus.write32(base + offset, value),
    };
    this.#clock = parts.clock;
    this.#memory = parts.memory;
    this.#pages = parts.pages;
    this.#interrupts = parts.interrupts;
    this.#dmesg = parts.dmesg;
    this.words = {
      capLow: this.#registers.read32(REG.CAP),
      capHigh: this.#registers.read32(REG.CAP + 4),
      ecapLow: this.#registers.read32(REG.ECAP),
      ecapHigh: this.#registers.read32(REG.ECAP + 4),
    };
    const capabilities = decodeCapabilities(this.words);
    this.capabilities = capabilities;
    this.#width = 31 - Math.clz32(capabilities.widths);
    this.#domainIds = new Uint8Array(capabilities.domainCount).fill(1, 0, RESERVED_DOMAINS);
    const { memory, pages, dmesg } = parts;
    this.#contexts = new ContextTables(memory, pages);
    this.#queue = new QueueClient({ registers: this.#registers, memory, pages, capabilities, dmesg });
    const isRemapping = parts.remapsInterrupts === true && capabilities.interruptRemapping;
    const { interrupts } = parts;
    this.#interruptTable = isRemapping
      ? new InterruptTable({ memory, pages, interrupts, queue: this.#queue })
      : null;
    this.#faults = new FaultHandler(
      this.#registers,
      parts.clock,
      capabilities,
      dmesg,
      parts.rateLimit ?? null,
    );
  }

  /** The last faults the unit reported, oldest first. */
  get faults(): readonly FaultReport[] {
    return this.#faults.reports;
  }

  /** Lines of faults that the unit has recorded and not reported yet: their interrupt is on its way. */
  get pendingFaults(): string[] {
    return this.#faults.pending();
  }

  /** Domain ids in use, the two reserved ones included (sysfs `domains_used`). */
  get domainsUsed(): number {
    return this.#domainIds.reduce((sum, used) => sum + used, 0);
  }

  /** Brings the unit up: every device is blocked from here on until it is attached. Returns 0 or -ENOMEM. */
  boot(): number {
    return IommuDriver.bootAll([this]);
  }

  /** Brings all units of a machine up, each step in all of them before the next one, as Linux does. */
  static bootAll(units: readonly IommuDriver[]): number {
    const { capabilities } = units[0]!;
    const dmesg = units[0]!.#dmesg;
    dmesg(`DMAR: Host address width ${capabilities.guestAddressBits}`);
    for (const unit of units) unit.#announce();
    for (const unit of units) {
      const error = unit.#openQueue();
      if (error !== 0) return error;
    }
    if (!units.every((unit) => unit.#remapInterrupts())) return -ENOMEM;
    if (units[0]!.#interruptTable !== null) dmesg('DMAR-IR: Enabled IRQ remapping in xapic mode');
    for (const absent of ['RMRR', 'ATSR', 'SATC']) dmesg(`DMAR: No ${absent} found`);
    for (const unit of units) unit.#setRoot();
    if (capabilities.cachingMode) dmesg('DMAR: IOMMU batching disallowed due to virtualization');
    for (const unit of units) unit.#translate();
    dmesg('DMAR: Intel(R) Virtualization Technology for Directed I/O');
    return 0;
  }

  /** The messages that functions with this requester id may send. */
  messagesOf(requester: number): MessageSource {
    return this.#interruptTable?.messagesOf(requester) ?? this.#interrupts;
  }

  /** A new, empty address space, or null when there is no page for its top table. */
  createDomain(): Domain | null {
    const root = this.#pages.allocate(1);
    if (root === NONE) return null;
    const levels = levelsOfWidth(this.#width);
    const table = new PageTable(this.#memory, this.#pages, root, levels, this.capabilities.leafLevelMax);
    return new Domain(table, this.capabilities);
  }

  /** The domain a requester is attached to, or null. */
  domainOf(requester: number): Domain | null {
    return this.#attached.get(requester) ?? null;
  }

  /**
   * Makes `domain` what `requester` (bus << 8 | devfn) sees; an earlier attachment ends first.
   * Returns 0, -ENOMEM without a context table, or -ENOSPC without a domain id.
   */
  attach(requester: number, domain: Domain): number {
    if (this.#attached.has(requester)) this.detach(requester);
    if (!this.#contexts.hasRoom(requester)) return -ENOMEM;
    const use = this.#useOf(domain) ?? this.#enter(domain);
    if (use === null) return -ENOSPC;
    use.attached++;
    this.#attached.set(requester, domain);
    this.#contexts.enter(requester, domain.table.root, this.#width, use.id);
    if (this.capabilities.cachingMode) {
      this.#queue.context(0, requester);
      this.#queue.domain(use.id);
    }
    return 0;
  }

  /** Blocks every request of `requester` from here on; nothing it had cached survives. */
  detach(requester: number): void {
    const domain = this.#attached.get(requester);
    if (domain === undefined) return;
    this.#attached.delete(requester);
    const use = this.#useOf(domain)!;
    this.#contexts.block(requester);
    this.#queue.context(use.id, requester);
    this.#queue.domain(use.id);
    this.#contexts.clear(requester);
    if (--use.attached > 0) return;
    this.#domainIds[use.id] = 0;
    domain.uses.splice(domain.uses.indexOf(use), 1);
  }

  // ---- bringing up --------------------------------------------------------------------------------------------------

  #announce(): void {
    const { capLow, capHigh, ecapLow, ecapHigh } = this.words;
    const version = this.#registers.read32(REG.VER);
    const quad = (low: number, high: number): string => ((BigInt(high) << 32n) | BigInt(low)).toString(16);
    const registers = `ver ${version >>> 4}:${version & 15} cap ${quad(capLow, capHigh)} ecap ${quad(ecapLow, ecapHigh)}`;
    this.#dmesg(`DMAR: DRHD base: ${hex(this.#base, 14)} flags: ${hex(this.#flags)}`);
    this.#dmesg(`DMAR: ${this.name}: reg_base_addr ${this.#base.toString(16)} ${registers}`);
  }

  /** Memory for the root table, and queued invalidation. Returns 0 or -ENOMEM. */
  #openQueue(): number {
    if (!this.#contexts.open()) return -ENOMEM;
    const error = this.#queue.open();
    if (error === 0) this.#enable(GCMD.QIE.mask);
    return error;
  }

  /** Returns false without memory for the table. */
  #remapInterrupts(): boolean {
    const table = this.#interruptTable;
    if (table === null) return true;
    if (!table.open()) return false;
    const base = this.#base.toString(16);
    this.#dmesg(`DMAR-IR: IOAPIC id ${this.#unit} under DRHD base  0x${base} IOMMU ${this.#unit}`);
    this.#write64(REG.IRTA, table.address);
    this.#once(GCMD.SIRTP.mask);
    this.#queue.allInterrupts();
    this.#enable(GCMD.IRE.mask);
    return true;
  }

  #setRoot(): void {
    this.#dmesg(`DMAR: ${this.name}: Using Queued invalidation`);
    this.#write64(REG.RTADDR, this.#contexts.root);
    this.#once(GCMD.SRTP.mask);
    this.#queue.allContexts();
    this.#queue.allTranslations();
  }

  #translate(): void {
    this.#installFaultInterrupt();
    this.#enable(GCMD.TE.mask);
  }

  #installFaultInterrupt(): void {
    const message = this.#interrupts.allocate(
      this.#clock.register(() => this.#faults.run()),
      0,
    );
    assert(message !== null, 'no interrupt vector is left for the fault event');
    this.#registers.write32(REG.FEDATA, message.data);
    this.#registers.write32(REG.FEADDR, lowWord(message.address));
    this.#registers.write32(REG.FEUADDR, 0);
    this.#registers.write32(REG.FECTL, 0);
  }

  /** Sets a persistent bit of GCMD and waits for its echo. */
  #enable(bit: number): void {
    this.#command |= bit;
    this.#once(0);
    this.#expect(bit);
  }

  /** Writes GCMD with a one-shot bit besides the persistent ones and waits for its echo. */
  #once(bit: number): void {
    this.#registers.write32(REG.GCMD, (this.#command | bit) >>> 0);
    this.#expect(bit);
  }

  #expect(bit: number): void {
    const isSet = (this.#registers.read32(REG.GSTS) & bit) >>> 0 === bit >>> 0;
    assert(isSet, `${this.name}: DMAR hardware is malfunctioning`);
  }

  #write64(offset: number, value: number): void {
    this.#registers.write32(offset, lowWord(value));
    this.#registers.write32(offset + 4, highWord(value));
  }

  // ---- domain ids ------------------------------------------------------------------------------------------------

  #useOf(domain: Domain): DomainUse | undefined {
    return domain.uses.find(({ queue }) => queue === this.#queue);
  }

  /** Gives the domain the lowest free id here; null when there is none. */
  #enter(domain: Domain): DomainUse | null {
    const id = this.#domainIds.indexOf(0);
    if (id === -1) {
      this.#dmesg(`DMAR: ${this.name}: No free domain ids`);
      return null;
    }
    this.#domainIds[id] = 1;
    const use = { queue: this.#queue, id, attached: 0 };
    domain.uses.push(use);
    return use;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#queue.archive(a);
    this.#faults.archive(a);
    this.#interruptTable?.archive(a);
    a.contents(this.#domainIds);
    this.#contexts.archive(a);
    this.#command = a.value(this.#command);
    a.same([...this.#attached.keys()].join(), 'what is attached to domains of the IOMMU');
  }
}

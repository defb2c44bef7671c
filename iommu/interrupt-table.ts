/**
 * The software end of interrupt remapping: the table that the unit looks messages up in, an entry for each message that
 * a function may send, checked against its requester id (drivers/iommu/intel/irq_remapping.c, xAPIC mode).
 * Not here: what hardware does with an entry (interrupt-remapping.ts).
 */
import type { HandlerId } from '../machine/clock.ts';
import { type Interrupts, type MessageSource, MSI_BASE, type MsiMessage } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { Archive } from '../support/archive.ts';
import { PAGE_SIZE } from '../support/numbers.ts';
import type { QueueClient } from './queue-client.ts';
import { IRTA } from './spec/registers.ts';
import {
  INTERRUPT_ADDRESS,
  INTERRUPT_ENTRY_BYTES,
  IRTE,
  IRTE_DESTINATION,
  IRTE_SOURCE,
  SOURCE_CHECK,
} from './spec/structures.ts';

/** Linux makes the largest table: IRTA.S 15, 65,536 entries. */
const SIZE = 15;
const ENTRIES = 2 ** (SIZE + 1);
const TABLE_PAGES = (ENTRIES * INTERRUPT_ENTRY_BYTES) / PAGE_SIZE;
const CPU_SHIFT = 12;

export interface InterruptTableParts {
  readonly memory: Memory;
  readonly pages: Pages;
  readonly interrupts: Interrupts;
  readonly queue: QueueClient;
}

export class InterruptTable {
  readonly #parts: InterruptTableParts;
  readonly #isUsed = new Uint8Array(ENTRIES);
  #table = -1;

  constructor(parts: InterruptTableParts) {
    this.#parts = parts;
  }

  /** Makes the empty table. Returns false without memory for it. */
  open(): boolean {
    this.#table = this.#parts.pages.allocate(TABLE_PAGES);
    return this.#table !== -1;
  }

  /** What IRTA has to be. */
  get address(): number {
    return this.#table + IRTA.encode({ S: SIZE });
  }

  /** Messages that only `requester` (bus << 8 | devfn) can send. */
  messagesOf(requester: number): MessageSource {
    const { interrupts } = this.#parts;
    /** What the CPU gets, by the index of the entry. */
    const targets = new Map<number, MsiMessage>();
    return {
      allocate: (handler: HandlerId, argument: number) => {
        const target = interrupts.allocate(handler, argument);
        const index = target === null ? -1 : this.#isUsed.indexOf(0);
        if (target === null || index === -1) return null;
        targets.set(index, target);
        this.#enter(index, target, requester);
        return { address: remappable(index), data: 0 };
      },
      free: (message: MsiMessage) => {
        const index = indexOf(message);
        interrupts.free(targets.get(index)!);
        targets.delete(index);
        this.#clear(index);
      },
    };
  }

  #enter(index: number, { address, data }: MsiMessage, requester: number): void {
    const ram = this.#parts.memory.u32;
    const at = (this.#table + index * INTERRUPT_ENTRY_BYTES) >>> 2;
    this.#isUsed[index] = 1;
    ram[at + 2] = IRTE_SOURCE.encode({ SID: requester, SQ: 0, SVT: SOURCE_CHECK.REQUESTER });
    ram[at + 1] = IRTE_DESTINATION.encode({ DST: (address >>> CPU_SHIFT) & 0xff });
    ram[at] = IRTE.encode({ P: 1, RH: 1, V: data });
    this.#parts.queue.interruptEntry(index);
  }

  #clear(index: number): void {
    const at = (this.#table + index * INTERRUPT_ENTRY_BYTES) >>> 2;
    this.#parts.memory.u32.fill(0, at, at + INTERRUPT_ENTRY_BYTES / 4);
    this.#isUsed[index] = 0;
    this.#parts.queue.interruptEntry(index);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#isUsed);
    this.#table = a.value(this.#table);
  }
}

/** The address of a message in remappable format (§5.1.2.2); its data is the subhandle 0. */
const remappable = (index: number): number =>
  (MSI_BASE |
    INTERRUPT_ADDRESS.HANDLE.set(0, index & 0x7fff) |
    INTERRUPT_ADDRESS.HANDLE_HIGH.set(0, index >>> 15) |
    INTERRUPT_ADDRESS.FORMAT.mask |
    INTERRUPT_ADDRESS.SHV.mask) >>>
  0;

const indexOf = ({ address }: MsiMessage): number =>
  INTERRUPT_ADDRESS.HANDLE.get(address) | (INTERRUPT_ADDRESS.HANDLE_HIGH.get(address) << 15);

/**
 * Root table and context tables of one unit as software writes them (VT-d 4.1 §9.1, §9.3, legacy mode): which address
 * space each requester sees. Not here: what has to be invalidated after a change, and when (driver.ts).
 */
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { Archive } from '../support/archive.ts';
import { highWord } from '../support/numbers.ts';
import {
  CONTEXT,
  CONTEXT_DOMAIN,
  CONTEXT_ENTRY_BYTES,
  ROOT,
  ROOT_ENTRY_BYTES,
  TRANSLATION_TYPE,
} from './spec/structures.ts';

const BUSES = 256;
const NONE = -1;

export class ContextTables {
  /** Physical address of the root table; -1 before `open`. */
  root = NONE;
  readonly #memory: Memory;
  readonly #pages: Pages;
  /** Context table by bus number; NONE until a requester of the bus needs it. */
  readonly #tables = new Float64Array(BUSES).fill(NONE);

  constructor(memory: Memory, pages: Pages) {
    this.#memory = memory;
    this.#pages = pages;
  }

  /** Allocates an empty root table. Returns false without memory. */
  open(): boolean {
    this.root = this.#pages.allocate(1);
    return this.root !== NONE;
  }

  /** Makes the context table of a requester's bus if there is none. Returns false without memory. */
  hasRoom(requester: number): boolean {
    const bus = requester >>> 8;
    if (this.#tables[bus] !== NONE) return true;
    const table = this.#pages.allocate(1);
    if (table === NONE) return false;
    this.#tables[bus] = table;
    const at = (this.root + bus * ROOT_ENTRY_BYTES) >>> 2;
    this.#memory.u32[at + 1] = highWord(table);
    this.#memory.u32[at] = table | ROOT.P.mask;
    return true;
  }

  /** Gives a requester, for which there is room, the page table at `top`, of AW code `width`. */
  enter(requester: number, top: number, width: number, domainId: number): void {
    const ram = this.#memory.u32;
    const at = this.#wordOf(requester);
    ram[at + 3] = 0;
    ram[at + 2] = CONTEXT_DOMAIN.encode({ AW: width, DID: domainId });
    ram[at + 1] = highWord(top);
    ram[at] = top | CONTEXT.encode({ P: 1, TT: TRANSLATION_TYPE.SECOND_STAGE });
  }

  /** Marks a requester's entry absent; the unit may have it cached until that is invalidated. */
  block(requester: number): void {
    const at = this.#wordOf(requester);
    this.#memory.u32[at] = CONTEXT.P.set(this.#memory.u32[at]!, 0);
  }

  /** Empties an entry that the unit has no more. */
  clear(requester: number): void {
    const at = this.#wordOf(requester);
    this.#memory.u32.fill(0, at, at + CONTEXT_ENTRY_BYTES / 4);
  }

  #wordOf(requester: number): number {
    return (this.#tables[requester >>> 8]! + (requester & 0xff) * CONTEXT_ENTRY_BYTES) >>> 2;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#tables);
    this.root = a.value(this.root);
  }
}

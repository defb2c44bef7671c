/**
 * A stretch of memory that areas map: what one MAP or MAP_FILE names, shared by every COPY of it. Its pages are pinned when
 * the first page table needs them and let go when the last area that a page table holds is gone; until then nobody
 * looks at the memory at all (linux-abi §5).
 * Not here: where the pages appear to a device (area.ts, ioas.ts).
 */
import { PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';
import type { LockedPages } from '../locked-memory.ts';
import type { PinnedPages, Process } from '../process.ts';
import { EINVAL } from '../uapi/errno.ts';

const PAGE_OFFSET = BigInt(PAGE_MASK);
const PAGE_SHIFT = 12n;

/** What pages come from: the caller's address space, or a file that is memory. */
export interface PinSource {
  /** Pins the pages of a range. `address` is a virtual address or an offset. Returns a negative errno on failure. */
  pin(address: number, length: number, writable: boolean): PinnedPages | number;
}

/** A file that is no memory. */
export const NO_MEMORY: PinSource = { pin: () => -EINVAL };

/** Whose count the pinned pages go into: nobody's with CAP_IPC_LOCK, else the user's or the address space's. */
export type Accounting = 'user' | 'mm';

/** Pages that were pinned together; they stay until no area needs any of them. */
interface Pin {
  readonly first: number;
  readonly last: number;
  readonly pinned: PinnedPages;
  users: number;
}

/** Receives a physically contiguous piece: index of its first page, its address and its size. Negative stops. */
export type RunVisitor = (page: number, physical: number, bytes: number) => number;

export class UserPages {
  /** Address of the first byte, not only of its page. */
  readonly address: bigint;
  readonly writable: boolean;
  /** Byte of its page at which the memory begins. */
  readonly offset: bigint;
  /** Number of the first page in the process or the file; beyond 2^41 or so no process has memory, so a number will do. */
  readonly #page: number;
  readonly #process: Process;
  readonly source: PinSource;
  readonly #account: LockedPages | null;
  /** In ascending order, never overlapping. */
  readonly #pins: Pin[] = [];

  /** `process` pays for the pages of `source` that are pinned; `address` is of the process or in the file. */
  constructor(
    process: Process,
    source: PinSource,
    address: bigint,
    writable: boolean,
    accounting: Accounting,
  ) {
    this.source = source;
    this.address = address;
    this.writable = writable;
    this.offset = address & PAGE_OFFSET;
    this.#page = Number(address >> PAGE_SHIFT);
    this.#process = process;
    this.#account = process.capabilities.ipcLock
      ? null
      : accounting === 'user'
        ? process.userLocked
        : process.addressSpaceLocked;
  }

  /**
   * Makes sure that the pages `first` to `last` are pinned and counts one more user of them.
   * Returns 0, -EFAULT for memory that is not there, or -ENOMEM over the limit of locked memory; nothing stays then.
   */
  pin(first: number, last: number): number {
    const pins = this.#pins;
    const added: Pin[] = [];
    for (let next = first, index = 0; next <= last; index++) {
      while (index < pins.length && pins[index]!.last < next) index++;
      const pin = pins[index];
      if (pin === undefined || pin.first > next) {
        const created = this.#pinRange(next, pin === undefined ? last : Math.min(last, pin.first - 1));
        if (typeof created === 'number') {
          for (const undone of added) this.#release(undone);
          return created;
        }
        pins.splice(index, 0, created);
        added.push(created);
      }
      next = pins[index]!.last + 1;
    }
    for (const pin of pins) if (pin.first <= last && pin.last >= first) pin.users++;
    return 0;
  }

  /** One user less of the pages `first` to `last`. */
  unpin(first: number, last: number): void {
    for (let index = this.#pins.length - 1; index >= 0; index--) {
      const pin = this.#pins[index]!;
      if (pin.first <= last && pin.last >= first && --pin.users === 0) this.#release(pin);
    }
  }

  /** One user of a range becomes two, of the pages up to `left` and of those from `right` on. */
  split(left: number, right: number): void {
    for (const pin of this.#pins) if (pin.first <= left && pin.last >= right) pin.users++;
  }

  /** Visits the pinned pages `first` to `last` as physically contiguous pieces. Returns 0 or what stopped it. */
  forEachRun(first: number, last: number, visit: RunVisitor): number {
    for (const pin of this.#pins) {
      if (pin.last < first || pin.first > last) continue;
      let page = pin.first;
      for (const run of pin.pinned.runs) {
        const from = Math.max(page, first);
        const end = Math.min(page + run.bytes / PAGE_SIZE, last + 1);
        if (from < end) {
          const result = visit(from, run.physical + (from - page) * PAGE_SIZE, (end - from) * PAGE_SIZE);
          if (result < 0) return result;
        }
        page += run.bytes / PAGE_SIZE;
      }
    }
    return 0;
  }

  #pinRange(first: number, last: number): Pin | number {
    const pages = last - first + 1;
    const pinned = this.source.pin((this.#page + first) * PAGE_SIZE, pages * PAGE_SIZE, this.writable);
    if (typeof pinned === 'number') return pinned;
    const charged = this.#account?.charge(pages, this.#process.memlockLimit_pages) ?? 0;
    if (charged < 0) {
      pinned.release();
      return charged;
    }
    return { first, last, pinned, users: 0 };
  }

  #release(pin: Pin): void {
    this.#pins.splice(this.#pins.indexOf(pin), 1);
    pin.pinned.release();
    this.#account?.uncharge(pin.last - pin.first + 1);
  }
}

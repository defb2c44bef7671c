/**
 * The zones of a namespace: the state machine, write pointers, and the limits on active and open zones (NVMe ZNS 1.2
 * §2.1, §2.2). Blocks are counted from the namespace's first; every check says why as a value and changes nothing.
 * Not here: commands (commands.ts), descriptors as bytes (report.ts), zone random write areas, which no zone has.
 */
import type { Archive } from '../../support/archive.ts';
import type { Refusal } from '../refusal.ts';
import { STATUS } from '../spec/status.ts';
import { ZONE, ZONE_ACTION, zoneStateName } from '../spec/zones.ts';

export interface ZoneOptions {
  /** Size of the namespace, and of a zone (ZSZE); what of a zone can be written (ZCAP), all when absent. */
  readonly bytes: number;
  readonly zone_bytes: number;
  readonly capacity_bytes?: number;
  /** Most zones that are open or closed, and that are open; 0: no limit. */
  readonly maxActive?: number;
  readonly maxOpen?: number;
  /** Bytes of a descriptor extension, a multiple of 64; 0: none. */
  readonly extension_bytes?: number;
  /** A read may go over the end of a zone (OZCS bit 0). */
  readonly readsAcross?: boolean;
}

/** By action and state, the state it leads to; what is not here is no transition. ZNS 1.2 §2.1.1.3 */
const TRANSITIONS: Readonly<Record<number, Readonly<Record<number, number>>>> = {
  [ZONE_ACTION.CLOSE]: {
    [ZONE.IMPLICITLY_OPEN]: ZONE.CLOSED,
    [ZONE.EXPLICITLY_OPEN]: ZONE.CLOSED,
    [ZONE.CLOSED]: ZONE.CLOSED,
  },
  [ZONE_ACTION.FINISH]: {
    [ZONE.EMPTY]: ZONE.FULL,
    [ZONE.IMPLICITLY_OPEN]: ZONE.FULL,
    [ZONE.EXPLICITLY_OPEN]: ZONE.FULL,
    [ZONE.CLOSED]: ZONE.FULL,
    [ZONE.FULL]: ZONE.FULL,
  },
  [ZONE_ACTION.OPEN]: {
    [ZONE.EMPTY]: ZONE.EXPLICITLY_OPEN,
    [ZONE.IMPLICITLY_OPEN]: ZONE.EXPLICITLY_OPEN,
    [ZONE.EXPLICITLY_OPEN]: ZONE.EXPLICITLY_OPEN,
    [ZONE.CLOSED]: ZONE.EXPLICITLY_OPEN,
  },
  [ZONE_ACTION.RESET]: {
    [ZONE.EMPTY]: ZONE.EMPTY,
    [ZONE.IMPLICITLY_OPEN]: ZONE.EMPTY,
    [ZONE.EXPLICITLY_OPEN]: ZONE.EMPTY,
    [ZONE.CLOSED]: ZONE.EMPTY,
    [ZONE.FULL]: ZONE.EMPTY,
  },
  [ZONE_ACTION.OFFLINE]: { [ZONE.READ_ONLY]: ZONE.OFFLINE, [ZONE.OFFLINE]: ZONE.OFFLINE },
  [ZONE_ACTION.SET_EXTENSION]: { [ZONE.EMPTY]: ZONE.CLOSED },
};

/** States whose zones an action on all zones takes. ZNS 1.2 §3.4.3.1 */
const SELECTED: Readonly<Record<number, readonly number[]>> = {
  [ZONE_ACTION.CLOSE]: [ZONE.IMPLICITLY_OPEN, ZONE.EXPLICITLY_OPEN],
  [ZONE_ACTION.FINISH]: [ZONE.IMPLICITLY_OPEN, ZONE.EXPLICITLY_OPEN, ZONE.CLOSED],
  [ZONE_ACTION.OPEN]: [ZONE.CLOSED],
  [ZONE_ACTION.RESET]: [ZONE.IMPLICITLY_OPEN, ZONE.EXPLICITLY_OPEN, ZONE.CLOSED, ZONE.FULL],
  [ZONE_ACTION.OFFLINE]: [ZONE.READ_ONLY],
};

const isOpen = (state: number): boolean => state === ZONE.IMPLICITLY_OPEN || state === ZONE.EXPLICITLY_OPEN;
const isActive = (state: number): boolean => isOpen(state) || state === ZONE.CLOSED;
const refusal = (status: number, reason: string): Refusal => ({ status, reason });

export class Zones {
  readonly count: number;
  readonly options: ZoneOptions;
  /** Blocks of a zone (ZSZE), and those of them that can be written (ZCAP). */
  size = 0;
  capacity = 0;
  readonly #states: Uint8Array;
  /** The next block to be written, by zone. */
  readonly #pointers: Float64Array;
  readonly #watchers: ((zone: number) => void)[] = [];
  readonly #extensions = new Map<number, Uint8Array>();

  constructor(options: ZoneOptions) {
    this.options = options;
    this.count = Math.floor(options.bytes / options.zone_bytes);
    this.#states = new Uint8Array(this.count).fill(ZONE.EMPTY);
    this.#pointers = new Float64Array(this.count);
  }

  /** Takes another block size; all zones are empty. */
  format(block_bytes: number): void {
    const { zone_bytes, capacity_bytes = zone_bytes } = this.options;
    this.size = zone_bytes / block_bytes;
    this.capacity = capacity_bytes / block_bytes;
    this.clear();
  }

  /** Whether zones are whole blocks of this size. */
  fits(block_bytes: number): boolean {
    const { zone_bytes, capacity_bytes = zone_bytes } = this.options;
    return Number.isInteger(zone_bytes / block_bytes) && Number.isInteger(capacity_bytes / block_bytes);
  }

  /** Every zone is empty. */
  clear(): void {
    for (let zone = 0; zone < this.count; zone++) this.#enter(zone, ZONE.EMPTY);
  }

  // ---- what there is ------------------------------------------------------------------------------------------------

  zoneOf(block: number): number {
    return Math.floor(block / this.size);
  }

  /** First block of a zone (ZSLBA). */
  start(zone: number): number {
    return zone * this.size;
  }

  /** First block of the zone that a block is in. */
  startOf(block: number): number {
    return this.start(this.zoneOf(block));
  }

  state(zone: number): number {
    return this.#states[zone]!;
  }

  /** The next block to be written. */
  pointer(zone: number): number {
    return this.#pointers[zone]!;
  }

  /** What the host set, or undefined. */
  extension(zone: number): Uint8Array | undefined {
    return this.#extensions.get(zone);
  }

  /** The zones that an action on all zones takes. */
  selected(action: number): number[] {
    const states = SELECTED[action]!;
    return Array.from({ length: this.count }, (_, zone) => zone).filter((zone) =>
      states.includes(this.state(zone)),
    );
  }

  // ---- reads and writes ---------------------------------------------------------------------------------------------

  /** Why `count` blocks from `first` cannot be read, or null. */
  readProblem(first: number, count: number): Refusal | null {
    const last = this.zoneOf(first + count - 1);
    for (let zone = this.zoneOf(first); zone <= last; zone++) {
      if (this.state(zone) === ZONE.OFFLINE)
        return refusal(STATUS.ZONE_IS_OFFLINE, `zone ${zone} is offline`);
    }
    if (this.zoneOf(first) === last || this.options.readsAcross === true) return null;
    return refusal(STATUS.ZONE_BOUNDARY_ERROR, `the blocks go over the end of zone ${this.zoneOf(first)}`);
  }

  /** Why `count` blocks from `first` cannot be written now, or null. */
  writeProblem(first: number, count: number): Refusal | null {
    const zone = this.zoneOf(first);
    const state = this.state(zone);
    if (state === ZONE.FULL) return refusal(STATUS.ZONE_IS_FULL, `zone ${zone} is full`);
    if (state === ZONE.READ_ONLY) return refusal(STATUS.ZONE_IS_READ_ONLY, `zone ${zone} is read-only`);
    if (state === ZONE.OFFLINE) return refusal(STATUS.ZONE_IS_OFFLINE, `zone ${zone} is offline`);
    const pointer = this.pointer(zone);
    if (first !== pointer) {
      const reason = `block ${first} is not the write pointer of zone ${zone}, ${pointer}`;
      return refusal(STATUS.ZONE_INVALID_WRITE, reason);
    }
    if (first + count > this.start(zone) + this.capacity) {
      const left = this.start(zone) + this.capacity - pointer;
      return refusal(STATUS.ZONE_BOUNDARY_ERROR, `${count} blocks, but zone ${zone} has room for ${left}`);
    }
    return this.#resourceProblem(zone, true);
  }

  /** `count` blocks from `first`, which `writeProblem` allowed, were written. */
  advance(first: number, count: number): void {
    const zone = this.zoneOf(first);
    if (!isOpen(this.state(zone))) this.#open(zone, ZONE.IMPLICITLY_OPEN);
    this.#pointers[zone] = first + count;
    if (first + count === this.start(zone) + this.capacity) this.#enter(zone, ZONE.FULL);
  }

  // ---- management ---------------------------------------------------------------------------------------------------

  /** Why an action cannot be done on a zone, or null. */
  actionProblem(action: number, zone: number): Refusal | null {
    const state = this.state(zone);
    const next = TRANSITIONS[action]![state];
    if (next === undefined) {
      const reason = `zone ${zone} is ${zoneStateName(state)}, which this action does not lead out of`;
      return refusal(STATUS.INVALID_ZONE_STATE_TRANSITION, reason);
    }
    return isActive(next) && next !== state ? this.#resourceProblem(zone, isOpen(next)) : null;
  }

  /** Why not all closed zones can be opened, or null. */
  openAllProblem(): Refusal | null {
    const { maxOpen = 0 } = this.options;
    const wanted = this.#count((state) => state === ZONE.CLOSED || state === ZONE.EXPLICITLY_OPEN);
    if (maxOpen === 0 || wanted <= maxOpen) return null;
    return refusal(STATUS.TOO_MANY_OPEN_ZONES, `${wanted} zones would be open, at most ${maxOpen} can be`);
  }

  /** Does an action that `actionProblem` allowed. */
  act(action: number, zone: number): void {
    const next = TRANSITIONS[action]![this.state(zone)]!;
    if (next === ZONE.EXPLICITLY_OPEN && this.state(zone) !== next) this.#open(zone, next);
    else this.#enter(zone, next);
  }

  /** Keeps what the host says of a zone, until the zone is reset. */
  setExtension(zone: number, bytes: Uint8Array): void {
    this.#extensions.set(zone, bytes);
  }

  /** For tests: the medium of a zone wears out, which makes it read-only or offline. */
  degrade(zone: number, state: typeof ZONE.READ_ONLY | typeof ZONE.OFFLINE): void {
    this.#enter(zone, state);
    for (const watcher of this.#watchers) watcher(zone);
  }

  /** Calls `watcher` with every zone that changes without a command. */
  watch(watcher: (zone: number) => void): void {
    this.#watchers.push(watcher);
  }

  // ---- resources ----------------------------------------------------------------------------------------------------

  #count(isMeant: (state: number) => boolean): number {
    return this.#states.reduce((sum, state) => sum + (isMeant(state) ? 1 : 0), 0);
  }

  /** Why a zone cannot become active, or with `opens` open; an implicitly open one can be closed for it. */
  #resourceProblem(zone: number, opens: boolean): Refusal | null {
    const { maxActive = 0, maxOpen = 0 } = this.options;
    const state = this.state(zone);
    if (!isActive(state) && maxActive > 0 && this.#count(isActive) >= maxActive)
      return refusal(STATUS.TOO_MANY_ACTIVE_ZONES, `${maxActive} zones are active, which is the most`);
    if (!opens || isOpen(state) || maxOpen === 0 || this.#count(isOpen) < maxOpen) return null;
    if (this.#states.includes(ZONE.IMPLICITLY_OPEN)) return null;
    return refusal(STATUS.TOO_MANY_OPEN_ZONES, `${maxOpen} zones are open, which is the most`);
  }

  /** Opens a zone, closing an implicitly open one where there is no room. ZNS 1.2 §2.1.1.4.1 */
  #open(zone: number, state: number): void {
    const { maxOpen = 0 } = this.options;
    if (maxOpen > 0 && !isOpen(this.state(zone)) && this.#count(isOpen) >= maxOpen)
      this.#enter(this.#states.indexOf(ZONE.IMPLICITLY_OPEN), ZONE.CLOSED);
    this.#enter(zone, state);
  }

  #enter(zone: number, state: number): void {
    this.#states[zone] = state;
    if (state !== ZONE.EMPTY) return;
    this.#pointers[zone] = this.start(zone);
    this.#extensions.delete(zone);
  }

  // ---- power --------------------------------------------------------------------------------------------------------

  /** The subsystem was reset, shut down or lost power: no zone is open. ZNS 1.2 §2.1.1.3 */
  closeAll(): void {
    for (let zone = 0; zone < this.count; zone++) if (isOpen(this.state(zone))) this.#rest(zone);
  }

  /** The volatile write cache lost these blocks: write pointers go back to the first of them in each zone. */
  loseBlocks(blocks: readonly number[]): void {
    for (const block of blocks) {
      const zone = this.zoneOf(block);
      if (block >= this.pointer(zone)) continue;
      const wasFilled = this.pointer(zone) === this.start(zone) + this.capacity;
      this.#pointers[zone] = block;
      if (isActive(this.state(zone)) || wasFilled) this.#rest(zone);
    }
  }

  /** Closed, or empty when nothing is in it. */
  #rest(zone: number): void {
    const isEmpty = this.pointer(zone) === this.start(zone) && !this.#extensions.has(zone);
    this.#enter(zone, isEmpty ? ZONE.EMPTY : ZONE.CLOSED);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.size = a.value(this.size);
    this.capacity = a.value(this.capacity);
    a.contents(this.#states, this.#pointers, this.#extensions);
  }
}

/** One sentence naming zones that a namespace cannot have, or null. */
export function checkZones(options: ZoneOptions, block_bytes: number): string | null {
  const { bytes, zone_bytes, capacity_bytes = zone_bytes, maxActive = 0, maxOpen = 0 } = options;
  const isWhole = (value: number, unit: number) => Number.isInteger(value / unit);
  if (!isWhole(zone_bytes, block_bytes) || !isWhole(capacity_bytes, block_bytes))
    return `zones must be whole blocks of ${block_bytes} bytes`;
  if (capacity_bytes > zone_bytes)
    return `zones of ${zone_bytes} bytes cannot have a capacity of ${capacity_bytes}`;
  if (!isWhole(bytes, zone_bytes)) return `${bytes} bytes are not a whole number of ${zone_bytes}-byte zones`;
  if (maxActive > 0 && (maxOpen === 0 || maxOpen > maxActive))
    return `maxOpen must be from 1 to maxActive, ${maxActive}, got ${maxOpen}`;
  return null;
}

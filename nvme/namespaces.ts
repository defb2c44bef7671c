/**
 * The namespaces of a drive: which NSIDs are allocated, which of them are attached, and which may be used right now;
 * the capacity they take; and the list of those that changed (Base 2.1 §3.2.1, §8.1.15).
 * They may be shared with other controllers of the subsystem, which then nobody manages (boards/check.ts).
 * The I/O path reads `active`, a plain array; every change here keeps it true and aborts what is in flight.
 * Not here: the commands that change namespaces (admin/namespace-management.ts, admin/format.ts, admin/sanitize.ts).
 */
import type { Archive } from '../support/archive.ts';
import { alignUp, hex, PAGE_SIZE } from '../support/numbers.ts';
import { type BlockStore, STORE_OK } from './block-store.ts';
import type { Engine } from './engine.ts';
import type { Events } from './events.ts';
import type { MetadataUse } from './io/metadata.ts';
import { type LbaFormat, plainFormat } from './lba-format.ts';
import type { SubsystemPlace } from './limits.ts';
import { Namespace, type NamespaceAccess } from './namespace.ts';
import type { Refusal } from './refusal.ts';
import type { Slots } from './slots.ts';
import { NSID_BROADCAST, SQE } from './spec/commands.ts';
import { LIST_ENTRIES } from './spec/identify.ts';
import { ASYNC_EVENT, CHANGED_NAMESPACES_OVERFLOW } from './spec/logs.ts';
import { STATUS } from './spec/status.ts';

/** What closes all namespaces at once. The first one that is closed gives the status. */
export type Closure = 'media' | 'sanitize';

export interface NamespacesParts {
  readonly largest: number;
  /** Those of the board: attached from the beginning. */
  readonly initial: readonly Namespace[];
  /** LBA formats by number; formats of the board's namespaces are added behind. */
  readonly formats: readonly LbaFormat[];
  /** NVM capacity of the drive in bytes. */
  readonly capacity_bytes: number;
  /** Where in its subsystem the controller is. */
  readonly place: SubsystemPlace;
  /** A blank medium for a namespace that the host creates, or for metadata. */
  readonly createStore: (bytes: number) => BlockStore;
  readonly slots: Slots;
  readonly engine: Engine;
  readonly events: Events;
}

export class Namespaces implements NamespaceAccess {
  /** By NSID, what I/O commands may use now; index 0 is always a hole, and the last index is the largest NSID. */
  readonly active: (Namespace | undefined)[];
  /** LBA formats by number. */
  readonly formats: readonly LbaFormat[];
  readonly capacity_bytes: number;
  /** Where in its subsystem the controller is that they are attached to. */
  readonly place: SubsystemPlace;
  /** Told when a namespace was emptied; set once by the controller. */
  onErased: (namespace: Namespace) => void = () => {};
  readonly #parts: NamespacesParts;
  readonly #allocated: (Namespace | undefined)[];
  readonly #isAttached: boolean[];
  /** Why single namespaces are closed, by NSID, and why all of them are. */
  readonly #closed: (Refusal | undefined)[];
  readonly #closedAll = new Map<Closure, Refusal>();
  readonly #changed = new Set<number>();
  #created = 0;
  /** Where the next namespace begins on the medium; no place is given twice, so that old data are nobody's. */
  #mediaEnd = 0;

  constructor(parts: NamespacesParts) {
    this.#parts = parts;
    this.place = parts.place;
    const count = parts.largest + 1;
    this.#allocated = Array.from({ length: count });
    for (const namespace of parts.initial) {
      this.#allocated[namespace.nsid] = namespace;
      this.#place(namespace);
      namespace.zones?.watch((zone) => this.#zoneChanged(namespace, zone));
    }
    this.#isAttached = this.#allocated.map((namespace) => namespace !== undefined);
    this.#closed = Array.from({ length: count });
    this.active = [...this.#allocated];
    this.formats = withFormatsOf(parts.initial, parts.formats);
    this.capacity_bytes = Math.max(parts.capacity_bytes, this.#used());
  }

  // ---- what there is ------------------------------------------------------------------------------------------------

  /** Largest valid NSID (NN). */
  get largest(): number {
    return this.active.length - 1;
  }

  /** The drive has the Zoned Namespace Command Set. */
  get hasZones(): boolean {
    return this.#parts.initial.some(({ zones }) => zones !== null);
  }

  isValid(nsid: number): boolean {
    return nsid > 0 && nsid <= this.largest;
  }

  allocated(nsid: number): Namespace | undefined {
    return this.#allocated[nsid];
  }

  /** The namespace when it is attached, even while it cannot be used. */
  attached(nsid: number): Namespace | undefined {
    return this.#isAttached[nsid] === true ? this.#allocated[nsid] : undefined;
  }

  /** Every allocated namespace by ascending NSID, or the attached ones alone. */
  list(which: 'allocated' | 'attached'): Namespace[] {
    return this.#allocated.filter(
      (namespace): namespace is Namespace =>
        namespace !== undefined && (which === 'allocated' || this.#isAttached[namespace.nsid] === true),
    );
  }

  /** Capacity that no namespace takes, in bytes. */
  get unallocated_bytes(): number {
    return this.capacity_bytes - this.#used();
  }

  /** Number of the format in use. */
  formatOf(namespace: Namespace): number {
    return this.formats.findIndex((format) => namespace.hasFormat(format));
  }

  #used(): number {
    return this.#allocated.reduce((sum, namespace) => sum + (namespace?.store.bytes ?? 0), 0);
  }

  // ---- changes ------------------------------------------------------------------------------------------------------

  /** Allocates a namespace with the lowest free NSID, attached to nothing. Returns it, or null when no NSID is free. */
  create(bytes: number, format: LbaFormat, use: MetadataUse, isShared: boolean): Namespace | null {
    const nsid = this.#allocated.findIndex((namespace, index) => index > 0 && namespace === undefined);
    if (nsid === -1) return null;
    const store = this.#parts.createStore(bytes);
    const generation = ++this.#created;
    const namespace = new Namespace({
      nsid,
      block_bytes: format.block_bytes,
      store,
      isShared,
      generation,
    });
    this.format(namespace, format, use);
    this.#allocated[nsid] = namespace;
    this.#place(namespace);
    return namespace;
  }

  #place(namespace: Namespace): void {
    namespace.mediaBase = this.#mediaEnd;
    this.#mediaEnd += alignUp(namespace.store.bytes, PAGE_SIZE);
  }

  /** Gives a namespace another format; its metadata are a blank medium. */
  format(
    namespace: Namespace,
    { block_bytes, metadata_bytes, guard_bits }: LbaFormat,
    use: MetadataUse,
  ): void {
    const { metadata, store } = namespace;
    metadata?.store.discard(0, metadata.store.bytes);
    const blocks = Math.floor(store.bytes / block_bytes);
    namespace.format(
      block_bytes,
      metadata_bytes === 0
        ? null
        : {
            ...use,
            bytes: metadata_bytes,
            guard_bits,
            store: this.#parts.createStore(blocks * metadata_bytes),
          },
    );
  }

  /** Detaches a namespace and gives its capacity back. */
  delete(nsid: number): void {
    const wasAttached = this.#isAttached[nsid] === true;
    this.#isAttached[nsid] = false;
    this.#update(nsid);
    this.#abort(nsid, STATUS.INVALID_FIELD);
    this.erase(this.#allocated[nsid]!);
    this.#allocated[nsid] = undefined;
    if (wasAttached) this.changed(nsid);
  }

  /** All data of a namespace are gone: its blocks read as zeroes. False when the medium failed. */
  erase(namespace: Namespace): boolean {
    const { store } = namespace;
    const isErased = store.discard(0, store.bytes) === STORE_OK;
    namespace.forgetBlocks();
    this.onErased(namespace);
    return isErased;
  }

  setAttached(nsid: number, isAttached: boolean): void {
    this.#isAttached[nsid] = isAttached;
    this.#update(nsid);
    if (!isAttached) this.#abort(nsid, STATUS.INVALID_FIELD);
    this.changed(nsid);
  }

  /** Power may go: open zones are closed. */
  closeZones(): void {
    for (const namespace of this.list('allocated')) namespace.zones?.closeAll();
  }

  // ---- who may use them -----------------------------------------------------------------------------------------------

  /** Takes a namespace out of use; commands in flight complete with `status`. */
  close(nsid: number, refusal: Refusal): void {
    this.#closed[nsid] = refusal;
    this.#update(nsid);
    this.#abort(nsid, refusal.status);
  }

  open(nsid: number): void {
    this.#closed[nsid] = undefined;
    this.#update(nsid);
  }

  /** Takes all namespaces out of use. */
  closeAll(closure: Closure, refusal: Refusal): void {
    this.#closedAll.set(closure, refusal);
    this.#updateAll();
    this.#abort(NSID_BROADCAST, refusal.status);
  }

  openAll(closure: Closure): void {
    this.#closedAll.delete(closure);
    this.#updateAll();
  }

  closure(nsid: number): Refusal | null {
    const [all] = this.#closedAll.values();
    const one = nsid === NSID_BROADCAST ? this.#closed.find((refusal) => refusal !== undefined) : undefined;
    return all ?? one ?? this.#closed[nsid] ?? null;
  }

  refusal(nsid: number): Refusal | null {
    if (!this.isValid(nsid)) {
      return { status: STATUS.INVALID_NAMESPACE_OR_FORMAT, reason: `NSID ${hex(nsid)} is not valid` };
    }
    if (this.attached(nsid) === undefined) {
      return { status: STATUS.INVALID_FIELD, reason: `namespace ${nsid} is not active` };
    }
    return this.closure(nsid);
  }

  #update(nsid: number): void {
    this.active[nsid] = this.closure(nsid) === null ? this.attached(nsid) : undefined;
  }

  #updateAll(): void {
    for (let nsid = 1; nsid <= this.largest; nsid++) this.#update(nsid);
  }

  /** Completes I/O commands in flight that name `nsid`, or any namespace with FFFFFFFFh. */
  #abort(nsid: number, status: number): void {
    const { slots, engine } = this.#parts;
    for (let slot = 0; slot < slots.count; slot++) {
      if (!slots.isBusy(slot) || slots.sqid(slot) === 0) continue;
      if (nsid === NSID_BROADCAST || slots.dword(slot, SQE.NSID) === nsid) engine.abort(slot, status);
    }
  }

  // ---- what changed -------------------------------------------------------------------------------------------------

  /** Identify data of an attached namespace, or the list of those, changed: log page 04h and its event. */
  changed(nsid: number): void {
    this.#changed.add(nsid);
    this.#parts.events.raise(ASYNC_EVENT.NAMESPACE_ATTRIBUTE_CHANGED);
  }

  #zoneChanged({ nsid, zones }: Namespace, zone: number): void {
    const { events } = this.#parts;
    if (this.attached(nsid) === undefined) return;
    events.zones.add(nsid, zones!.start(zone));
    events.raise(ASYNC_EVENT.ZONE_DESCRIPTOR_CHANGED);
  }

  /** Writes the Changed Attached Namespace List at byte `at` of `view`, which is zeroed. Base 2.1 §5.1.12.1.5 */
  writeChanged(view: DataView, at: number): void {
    const isOverflown = this.#changed.size > LIST_ENTRIES.NAMESPACES;
    const list = isOverflown ? [CHANGED_NAMESPACES_OVERFLOW] : [...this.#changed].sort((a, b) => a - b);
    list.forEach((nsid, entry) => {
      view.setUint32(at + 4 * entry, nsid, true);
    });
  }

  /** The host has read the list. */
  clearChanged(): void {
    this.#changed.clear();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts), the namespaces aside (subsystem.ts). */
  archive(a: Archive): void {
    a.require(
      this.#created === 0,
      'a namespace was created by the host: only those of the board can be saved',
    );
    a.same(
      this.list('allocated')
        .map(({ nsid }) => nsid)
        .join(),
      'the list of namespaces',
    );
    a.contents(this.#isAttached, this.#closed, this.#closedAll, this.#changed);
    this.#created = a.value(this.#created);
    this.#mediaEnd = a.value(this.#mediaEnd);
    this.#updateAll();
  }
}

/** Formats of the profile, and behind them those that only namespaces of the board have. */
function withFormatsOf(initial: readonly Namespace[], formats: readonly LbaFormat[]): LbaFormat[] {
  const all = [...formats];
  for (const namespace of initial) {
    if (all.some((format) => namespace.hasFormat(format))) continue;
    const { block_bytes, metadata } = namespace;
    all.push(
      metadata === null
        ? plainFormat(block_bytes)
        : { block_bytes, metadata_bytes: metadata.bytes, guard_bits: metadata.guard_bits },
    );
  }
  return all;
}

/**
 * The Persistent Event log: what happened to the drive, the newest events first, over resets (Base 2.1 §5.1.12.1.14).
 * The host reads a snapshot, its reporting context, which it establishes and releases; a reset releases it too.
 * Not here: reading parts of the page (logs.ts). Events of hardware errors and set features are not recorded.
 */
import type { Archive } from '../../support/archive.ts';
import type { FieldType, Layout, ValueOf } from '../../support/layout.ts';
import { writeAscii } from '../ascii.ts';
import type { Timestamp } from '../feature-data.ts';
import type { Health } from '../health.ts';
import { PERSISTENT_EVENT_BYTES } from '../limits.ts';
import type { Namespaces } from '../namespaces.ts';
import type { ControllerProfile } from '../profile.ts';
import { LID } from '../spec/logs.ts';
import {
  PERSISTENT_EVENT,
  PERSISTENT_EVENT_ACTION,
  PERSISTENT_EVENT_LOG,
  PERSISTENT_EVENT_REVISION,
  PERSISTENT_EVENT_TYPE,
  REPORTING_CONTEXT,
} from '../spec/persistent-events.ts';

const EVENT_REVISION = 1;
/** The types that are recorded here. */
const SUPPORTED_EVENTS: readonly number[] = [
  PERSISTENT_EVENT_TYPE.FIRMWARE_COMMIT,
  PERSISTENT_EVENT_TYPE.TIMESTAMP_CHANGE,
  PERSISTENT_EVENT_TYPE.POWER_ON_OR_RESET,
  PERSISTENT_EVENT_TYPE.CHANGE_NAMESPACE,
  PERSISTENT_EVENT_TYPE.FORMAT_START,
  PERSISTENT_EVENT_TYPE.FORMAT_COMPLETION,
  PERSISTENT_EVENT_TYPE.SANITIZE_START,
  PERSISTENT_EVENT_TYPE.SANITIZE_COMPLETION,
  PERSISTENT_EVENT_TYPE.TELEMETRY_CREATED,
];
/** EHL and LHL do not count the first bytes of their headers. */
const EVENT_HEADER_UNCOUNTED = 3;
const LOG_HEADER_UNCOUNTED = 20;

export interface HistoryParts {
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly health: Health;
  readonly timestamp: Timestamp;
  readonly namespaces: Pick<Namespaces, 'place'>;
}

export class PersistentEvents {
  readonly #parts: HistoryParts;
  /** Whole events with their headers, oldest first; the oldest ones go when the page is full. */
  readonly #events: Uint8Array[] = [];
  #event_bytes = 0;
  /** The page that the host reads; null while there is no reporting context. */
  #context: Uint8Array | null = null;
  #generation = 0;

  constructor(parts: HistoryParts) {
    this.#parts = parts;
  }

  // ---- events -------------------------------------------------------------------------------------------------------

  /** Records an event whose data are the fields of a layout; what is absent is 0. */
  add<Fields extends Record<string, FieldType>>(
    type: number,
    structure: Layout<Fields>,
    values: { readonly [Name in keyof Fields]?: ValueOf<Fields[Name]> | number },
  ): void {
    const data = new DataView(new ArrayBuffer(structure.SIZE));
    for (const [name, value] of Object.entries(values)) {
      structure.set(data, 0, name, value as ValueOf<Fields[typeof name]>);
    }
    this.addBytes(type, new Uint8Array(data.buffer));
  }

  /** Records an event with these data. */
  addBytes(type: number, data: Uint8Array): void {
    const event = new Uint8Array(PERSISTENT_EVENT.SIZE + data.length);
    const view = new DataView(event.buffer);
    PERSISTENT_EVENT.set(view, 0, 'TYPE', type);
    PERSISTENT_EVENT.set(view, 0, 'REVISION', EVENT_REVISION);
    PERSISTENT_EVENT.set(view, 0, 'EHL', PERSISTENT_EVENT.SIZE - EVENT_HEADER_UNCOUNTED);
    PERSISTENT_EVENT.set(view, 0, 'CNTLID', this.#parts.namespaces.place.id);
    PERSISTENT_EVENT.set(view, 0, 'TIMESTAMP', this.#parts.timestamp.now());
    PERSISTENT_EVENT.set(view, 0, 'EL', data.length);
    event.set(data, PERSISTENT_EVENT.SIZE);
    this.#events.push(event);
    this.#event_bytes += event.length;
    while (this.#event_bytes > PERSISTENT_EVENT_BYTES - PERSISTENT_EVENT_LOG.SIZE) {
      this.#event_bytes -= this.#events.shift()!.length;
    }
    this.#generation = (this.#generation + 1) & 0xffff;
  }

  // ---- the page -----------------------------------------------------------------------------------------------------

  /** Controller level reset: the context is gone, events are not. */
  reset(): void {
    this.#context = null;
  }

  /** Why the host may not do `action` (PERSISTENT_EVENT_ACTION) now, or null. */
  problem(action: number): string | null {
    const hasContext = this.#context !== null;
    if (action === PERSISTENT_EVENT_ACTION.READ && !hasContext) return 'no reporting context was established';
    const establishes =
      action === PERSISTENT_EVENT_ACTION.ESTABLISH || action === PERSISTENT_EVENT_ACTION.ESTABLISH_HEADER;
    return establishes && hasContext ? 'there is a reporting context already' : null;
  }

  /** Establishes or releases the context, or leaves it. */
  act(action: number): void {
    if (action === PERSISTENT_EVENT_ACTION.RELEASE) this.#context = null;
    else if (action !== PERSISTENT_EVENT_ACTION.READ) this.#context = this.#snapshot();
  }

  /** Bytes of the page; that of the context there will be when there is none yet. */
  get bytes(): number {
    return this.#context?.length ?? PERSISTENT_EVENT_LOG.SIZE + this.#event_bytes;
  }

  /** Writes the page of the context at byte `at` of `target`; nothing without one. */
  writeLog(target: Uint8Array, at: number): void {
    if (this.#context !== null) target.set(this.#context, at);
  }

  #snapshot(): Uint8Array {
    const page = new Uint8Array(this.bytes);
    const view = new DataView(page.buffer);
    const { profile, serial, health, timestamp } = this.#parts;
    const set = (name: Parameters<typeof PERSISTENT_EVENT_LOG.set>[2], value: number | Uint8Array) =>
      PERSISTENT_EVENT_LOG.set(view, 0, name, value as number);
    set('LID', LID.PERSISTENT_EVENTS);
    set('TNEV', this.#events.length);
    set('TLL', page.length);
    set('LREV', PERSISTENT_EVENT_REVISION);
    set('LHL', PERSISTENT_EVENT_LOG.SIZE - LOG_HEADER_UNCOUNTED);
    set('TIMESTAMP', timestamp.now());
    view.setBigUint64(PERSISTENT_EVENT_LOG.POWER_ON_HOURS, BigInt(health.powerOnHours), true);
    set('POWER_CYCLES', health.powerCycles);
    set('VID', profile.vendor);
    set('SSVID', profile.subsystemVendor);
    writeAscii(page, PERSISTENT_EVENT_LOG.SN, 20, serial);
    writeAscii(page, PERSISTENT_EVENT_LOG.MN, 40, profile.model);
    const nqn = `${profile.nqn}${serial}`;
    writeAscii(page, PERSISTENT_EVENT_LOG.SUBNQN, nqn.length, nqn);
    set('GENERATION', this.#generation);
    set('RCI', REPORTING_CONTEXT.encode({ EXISTS: 1 }));
    for (const type of SUPPORTED_EVENTS) page[PERSISTENT_EVENT_LOG.SEB + (type >>> 3)]! |= 1 << (type & 7);
    let next = PERSISTENT_EVENT_LOG.SIZE;
    for (const event of this.#events.toReversed()) {
      page.set(event, next);
      next += event.length;
    }
    return page;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#events);
    this.#event_bytes = a.value(this.#event_bytes);
    this.#context = a.value(this.#context);
    this.#generation = a.value(this.#generation);
  }
}

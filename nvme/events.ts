/**
 * Asynchronous events: requests held until something happens, events held until a request comes, and the masks that
 * keep a reported event quiet until the host reads its log page (Base 2.1 §5.1.2).
 * Not here: what raises events (health.ts, logs.ts), the log pages themselves (logs.ts).
 */
import type { Archive } from '../support/archive.ts';
import type { Engine } from './engine.ts';
import { ReservationLog } from './io/reservation-log.ts';
import type { ControllerProfile } from './profile.ts';
import { SLOT, type Slots } from './slots.ts';
import { ASYNC_EVENT, type AsyncEvent, EVENT_TYPE } from './spec/logs.ts';
import { STATUS } from './spec/status.ts';
import { ChangedZones } from './zones/changed.ts';

export interface EventParts {
  readonly profile: ControllerProfile;
  readonly slots: Slots;
  readonly engine: Engine;
}

export class Events {
  /** The Asynchronous Event Configuration feature: which events that can be turned off are on. */
  enabled = 0;
  /** What RESERVATION_LOG_AVAILABLE announces. */
  readonly reservations = new ReservationLog();
  /** What ZONE_DESCRIPTOR_CHANGED announces. */
  readonly zones = new ChangedZones();
  readonly #limit: number;
  readonly #slots: Slots;
  readonly #engine: Engine;
  /** Slots of outstanding requests, oldest first. */
  #held: number[] = [];
  /** Events nobody was told about yet, oldest first, each kind once: there are as many as ASYNC_EVENT has entries. */
  #waiting: AsyncEvent[] = [];
  /** Reported events whose log page was not read yet. */
  #masking: AsyncEvent[] = [];

  constructor(parts: EventParts) {
    this.#limit = parts.profile.asyncEvents;
    this.#slots = parts.slots;
    this.#engine = parts.engine;
  }

  /** As many requests are outstanding as Identify's AERL allows. */
  get isFull(): boolean {
    return this.#held.length === this.#limit;
  }

  /** Keeps a request until something happens. False when an event waited: the slot has its result and is done. */
  hold(slot: number): boolean {
    const event = this.#next();
    if (event === undefined) this.#held.push(slot);
    else this.#tell(slot, event);
    return event === undefined;
  }

  /** Forgets a request that is being aborted. False when this slot holds none. */
  release(slot: number): boolean {
    const index = this.#held.indexOf(slot);
    if (index === -1) return false;
    this.#held.splice(index, 1);
    return true;
  }

  /** Something happened: reported now, later, or not at all when the host turned the event off. */
  raise(event: AsyncEvent): void {
    if (event.enable !== 0 && (event.enable & this.enabled) === 0) return;
    if (!this.#waiting.includes(event)) this.#waiting.push(event);
    this.#report();
  }

  /** The controller stops with this event: told to a request that waits, or to nobody. */
  raiseLast(event: AsyncEvent): void {
    if (this.#held.length === 0 || this.#isMasked(event)) return;
    const slot = this.#held.shift()!;
    this.#slots.setResult(slot, event.dw0);
    this.#engine.postLast(slot);
  }

  /** The host read log page `lid` without retaining its event: what the event masked may be reported again. */
  clear(lid: number): void {
    this.#masking = this.#masking.filter((event) => event.lid !== lid);
    this.#report();
  }

  /** Controller level reset: requests, events and masks are gone. */
  reset(): void {
    this.#held = [];
    this.#waiting = [];
    this.#masking = [];
    this.reservations.reset();
    this.zones.reset();
  }

  #report(): void {
    while (this.#held.length > 0) {
      const event = this.#next();
      if (event === undefined) return;
      const slot = this.#held.shift()!;
      this.#tell(slot, event);
      this.#engine.complete(slot, STATUS.SUCCESS);
    }
  }

  /** Fills in the completion of a request: that of zones names the namespace in dword 1 (ZNS 1.2 §4.1) */
  #tell(slot: number, event: AsyncEvent): void {
    this.#slots.setResult(slot, event.dw0);
    if (event === ASYNC_EVENT.ZONE_DESCRIPTOR_CHANGED)
      this.#slots.i32[this.#slots.at(slot) + SLOT.RESULT1] = this.zones.tell();
  }

  /** Takes the oldest waiting event that is not masked, and lets it mask. */
  #next(): AsyncEvent | undefined {
    const index = this.#waiting.findIndex((event) => !this.#isMasked(event));
    if (index === -1) return undefined;
    const event = this.#waiting[index]!;
    this.#waiting.splice(index, 1);
    if (!needsNoLog(event)) this.#masking.push(event);
    return event;
  }

  /** An unread event masks its whole type, except that notices mask only their own kind. */
  #isMasked(event: AsyncEvent): boolean {
    return this.#masking.some((other) =>
      event.type === EVENT_TYPE.NOTICE ? other === event : other.type === event.type,
    );
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.enabled = a.value(this.enabled);
    this.reservations.archive(a);
    this.zones.archive(a);
    this.#held = a.value(this.#held);
    this.#waiting = a.value(this.#waiting.map(numberOf)).map(eventOf);
    this.#masking = a.value(this.#masking.map(numberOf)).map(eventOf);
  }
}

const needsNoLog = ({ type }: AsyncEvent): boolean =>
  type === EVENT_TYPE.IMMEDIATE || type === EVENT_TYPE.ONE_SHOT;

/** Events are told apart by what they are, so in a saved state each has a number. */
const EVERY_EVENT: readonly AsyncEvent[] = Object.values(ASYNC_EVENT);
const numberOf = (event: AsyncEvent): number => EVERY_EVENT.indexOf(event);
const eventOf = (number: number): AsyncEvent => EVERY_EVENT[number]!;

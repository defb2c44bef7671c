/**
 * Reservations of one namespace: registered hosts, who holds what, and who may read or write because of it (Base 2.1
 * §8.1.22). Shared by every controller that the namespace is attached to; each listens for what happens to its host.
 * Not here: the commands' data structures (reservation-commands.ts), the notification log (reservation-log.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { NOTIFICATION, RESERVATION } from '../spec/reservations.ts';
import { STATUS } from '../spec/status.ts';

/** Who a host is: its identifier as text, or a symbol of its controller as long as it has none. */
export type Host = string | symbol;

export interface Registrant {
  readonly host: Host;
  /** 16 bytes. */
  readonly hostId: Uint8Array;
  readonly controller: number;
  readonly key: bigint;
}

/** What a controller is told: something happened to `host`; with `isAborting` its commands are to be aborted. */
export type ReservationListener = (host: Host, notification: number, isAborting: boolean) => void;

const { SUCCESS, INVALID_FIELD, RESERVATION_CONFLICT } = STATUS;

export class Reservations {
  /** Counts changes of registrations (GEN). */
  generation = 0;
  /** RESERVATION.NONE, or what is held. */
  type: number = RESERVATION.NONE;
  /** Registrations and reservation survive a loss of power (PTPL). */
  persists = false;
  readonly #registrants = new Map<Host, Registrant>();
  #holder: Host | null = null;
  readonly #listeners: ReservationListener[] = [];

  get registrants(): readonly Registrant[] {
    return [...this.#registrants.values()];
  }

  listen(listener: ReservationListener): void {
    this.#listeners.push(listener);
  }

  isHolder(host: Host): boolean {
    if (this.type === RESERVATION.NONE) return false;
    return this.#isOfAll ? this.#registrants.has(host) : this.#holder === host;
  }

  /** Whether the reservation lets `host` read, or write. */
  allows(host: Host, isWrite: boolean): boolean {
    if (this.type === RESERVATION.NONE || this.isHolder(host)) return true;
    const isShared = this.type >= RESERVATION.WRITE_EXCLUSIVE_REGISTRANTS;
    if (isShared && this.#registrants.has(host)) return true;
    return !isWrite && !this.#isExclusive;
  }

  get #isOfAll(): boolean {
    return this.type >= RESERVATION.WRITE_EXCLUSIVE_ALL;
  }

  /** Nobody else may even read. */
  get #isExclusive(): boolean {
    return (this.type & 1) === 0;
  }

  // ---- registering ------------------------------------------------------------------------------------------------

  /** Register with `registrant.key`. Returns a status, as all of the following. */
  register(registrant: Registrant, ignoresKey: boolean): number {
    const known = this.#registrants.get(registrant.host);
    if (known?.key === registrant.key) return SUCCESS;
    if (known !== undefined && !ignoresKey) return RESERVATION_CONFLICT;
    return this.#set(registrant);
  }

  replace(registrant: Registrant, key: bigint, ignoresKey: boolean): number {
    if (!ignoresKey && !this.matches(registrant.host, key)) return RESERVATION_CONFLICT;
    return this.#set(registrant);
  }

  #set(registrant: Registrant): number {
    this.#registrants.set(registrant.host, registrant);
    this.generation++;
    return SUCCESS;
  }

  unregister(host: Host): number {
    if (!this.#registrants.has(host)) return RESERVATION_CONFLICT;
    const wasHolder = this.isHolder(host);
    this.#registrants.delete(host);
    this.generation++;
    const isLast = this.#registrants.size === 0;
    if (wasHolder && (!this.#isOfAll || isLast)) this.#release();
    return SUCCESS;
  }

  /** The host is registered with this key. */
  matches(host: Host, key: bigint): boolean {
    return this.#registrants.get(host)?.key === key;
  }

  isRegistered(host: Host): boolean {
    return this.#registrants.has(host);
  }

  // ---- reserving --------------------------------------------------------------------------------------------------

  acquire(host: Host, type: number): number {
    if (this.type === RESERVATION.NONE) return this.#hold(host, type);
    return this.isHolder(host) && this.type === type ? SUCCESS : RESERVATION_CONFLICT;
  }

  /** Unregisters every other host with key `victim`; takes the reservation over when one of them held it. */
  preempt(host: Host, type: number, victim: bigint, isAborting: boolean): number {
    const isEverybody = victim === 0n && this.#isOfAll;
    if (victim === 0n && !isEverybody) return INVALID_FIELD;
    const victims = this.registrants.filter((one) => isEverybody || one.key === victim);
    if (victims.length === 0) return RESERVATION_CONFLICT;
    const takesOver = this.#isOfAll ? isEverybody : victims.some((one) => this.isHolder(one.host));
    const oldType = this.type;
    const gone = victims.filter((one) => one.host !== host).map((one) => one.host);
    for (const one of gone) this.#registrants.delete(one);
    this.generation++;
    if (takesOver) this.#hold(host, type);
    this.#tell(gone, NOTIFICATION.REGISTRATION_PREEMPTED, isAborting);
    if (takesOver && oldType !== type) this.#tell(this.#othersThan(host), NOTIFICATION.RESERVATION_RELEASED);
    return SUCCESS;
  }

  release(host: Host, type: number): number {
    if (!this.isHolder(host)) return SUCCESS;
    if (type !== this.type) return INVALID_FIELD;
    this.#release(host);
    return SUCCESS;
  }

  clear(host: Host): number {
    const others = this.#othersThan(host);
    this.#forgetAll();
    this.generation++;
    this.#tell(others, NOTIFICATION.RESERVATION_PREEMPTED);
    return SUCCESS;
  }

  /** Power was lost. */
  losePower(): void {
    if (!this.persists) this.#forgetAll();
  }

  #forgetAll(): void {
    this.#registrants.clear();
    this.#holder = null;
    this.type = RESERVATION.NONE;
  }

  #hold(host: Host, type: number): number {
    this.#holder = host;
    this.type = type;
    return SUCCESS;
  }

  /** The reservation ends; registrants who shared it are told. */
  #release(by?: Host): void {
    const wasShared = this.type >= RESERVATION.WRITE_EXCLUSIVE_REGISTRANTS;
    this.#holder = null;
    this.type = RESERVATION.NONE;
    if (wasShared) this.#tell(this.#othersThan(by), NOTIFICATION.RESERVATION_RELEASED);
  }

  #othersThan(host: Host | undefined): Host[] {
    return [...this.#registrants.keys()].filter((other) => other !== host);
  }

  #tell(hosts: readonly Host[], notification: number, isAborting = false): void {
    for (const host of hosts)
      for (const listener of this.#listeners) listener(host, notification, isAborting);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.generation = a.value(this.generation);
    this.type = a.value(this.type);
    this.persists = a.value(this.persists);
    const isNamed = [this.#holder, ...this.#registrants.keys()].every((host) => typeof host !== 'symbol');
    a.require(
      isNamed,
      'a reservation belongs to a host without an identifier (Set Features 81h gives it one)',
    );
    a.contents(this.#registrants);
    this.#holder = a.value(this.#holder);
  }
}

/**
 * Notifications about reservations that the host did not read yet, oldest first: log page 80h (Base 2.1 §5.1.12.1.24).
 * When there are more than fit, the oldest stay and the count tells how many there were.
 * Not here: which events the host masked (features.ts), the event that announces the page (events.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { RESERVATION_NOTIFICATION_LOG } from '../spec/logs.ts';

const KEPT = 255;

export class ReservationLog {
  #count = 0;
  #pages: { readonly count: number; readonly type: number; readonly nsid: number }[] = [];

  get isEmpty(): boolean {
    return this.#pages.length === 0;
  }

  add(type: number, nsid: number): void {
    this.#count++;
    if (this.#pages.length < KEPT) this.#pages.push({ count: this.#count, type, nsid });
  }

  /** Writes the oldest notification at byte `at` of `view`, which is zeroed: an empty page when there is none. */
  write(view: DataView, at: number): void {
    const page = this.#pages[0];
    if (page === undefined) return;
    RESERVATION_NOTIFICATION_LOG.set(view, at, 'LOG_COUNT', page.count);
    RESERVATION_NOTIFICATION_LOG.set(view, at, 'TYPE', page.type);
    RESERVATION_NOTIFICATION_LOG.set(view, at, 'AVAILABLE', this.#pages.length - 1);
    RESERVATION_NOTIFICATION_LOG.set(view, at, 'NSID', page.nsid);
  }

  /** The host has read the oldest one. */
  take(): void {
    this.#pages.shift();
  }

  /** Controller level reset. */
  reset(): void {
    this.#pages = [];
    this.#count = 0;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#count = a.value(this.#count);
    this.#pages = a.value(this.#pages);
  }
}

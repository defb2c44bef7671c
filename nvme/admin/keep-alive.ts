/**
 * Keep Alive: once the host has set the timer, it must send the command before the time is over; otherwise the
 * controller takes the host for dead and stops with CSTS.CFS (Base 2.1 §3.9, §5.1.14). Other commands do not count.
 * Not here: the feature that holds the time (features.ts).
 */

import type { EventId, HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, AdminParts } from './command.ts';

const NS_PER_MS = 1_000_000;
const NO_EVENT = -1;

export class KeepAlive implements AdminCommand {
  readonly #parts: Pick<AdminParts, 'clock' | 'health' | 'fatal'>;
  readonly #onExpired: HandlerId;
  #event: EventId = NO_EVENT;
  #timeout_ms = 0;

  constructor(parts: Pick<AdminParts, 'clock' | 'health' | 'fatal'>) {
    this.#parts = parts;
    this.#onExpired = parts.clock.register(() => this.#expire());
  }

  /** Sets the time and starts it; 0 turns the timer off. */
  set(timeout_ms: number): void {
    this.#timeout_ms = timeout_ms;
    this.#restart();
  }

  check(): number {
    return STATUS.SUCCESS;
  }

  execute(): number {
    this.#restart();
    return STATUS.SUCCESS;
  }

  #restart(): void {
    const { clock } = this.#parts;
    clock.cancel(this.#event);
    this.#event = NO_EVENT;
    if (this.#timeout_ms === 0) return;
    this.#event = clock.after(this.#timeout_ms * NS_PER_MS, this.#onExpired, 0);
  }

  #expire(): void {
    this.#event = NO_EVENT;
    this.#parts.health.controllerFailed(STATUS.KEEP_ALIVE_EXPIRED);
    this.#parts.fatal(`no Keep Alive came for ${this.#timeout_ms} ms`);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#event = a.value(this.#event);
    this.#timeout_ms = a.value(this.#timeout_ms);
  }
}

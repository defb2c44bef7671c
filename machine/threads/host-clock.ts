/**
 * The clock of a CPU whose hardware runs in another thread: time is the host's, and goes on by itself. Waiting for
 * something means to let the other thread work, and to take the interrupts that it sends.
 * Not here: the hardware's own clock (hardware-loop.ts), where the host's time comes from (the caller).
 */
import { Clock } from '../clock.ts';
import type { CpuPort } from './cpu-port.ts';
import { KIND } from './window.ts';

/** The longest that `step` waits for something to happen. */
const STEP_MS = 1000;

export class HostClock extends Clock {
  readonly #hostNow: () => number;
  readonly #port: CpuPort;
  /** The host's time at power-on, less what was skipped. */
  #origin: number;

  /** `hostNow` is a clock in nanoseconds that never goes back. */
  constructor(hostNow: () => number, port: CpuPort) {
    super();
    this.#hostNow = hostNow;
    this.#port = port;
    this.#origin = hostNow();
  }

  override observe(): number {
    this.runUntil(this.#hostNow() - this.#origin);
    return this.now;
  }

  /** Kernel entry: takes interrupts. A delay is skipped, here and in the hardware, rather than waited for. */
  override advance(delay: number): void {
    if (delay > 0) {
      this.#origin -= delay;
      this.#port.call(KIND.ADVANCE, 0, delay);
      this.observe();
    }
    this.#port.collect();
  }

  /** Waits for an interrupt or an event, one second at most. */
  override step(): boolean {
    if (this.#port.collect() || this.#runDue()) return true;
    this.#port.pause();
    this.#port.sleep(STEP_MS);
    return this.#port.collect() || this.#runDue();
  }

  override idle(deadline: number): boolean {
    const port = this.#port;
    if (port.collect()) return true;
    if (deadline === Number.POSITIVE_INFINITY) {
      if (this.pending === 0 && port.isSilent()) return false;
    } else if (this.observe() >= deadline) return true;
    port.pause();
    port.collect();
    return true;
  }

  #runDue(): boolean {
    const { pending } = this;
    this.observe();
    return this.pending < pending;
  }
}

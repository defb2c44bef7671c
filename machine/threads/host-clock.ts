/**
 * The clock of a CPU whose hardware runs in other threads: time is the host's, and goes on by itself. Waiting for
 * something means to let them work, and to take the interrupts that they send.
 * Not here: the hardware's own clock (hardware-loop.ts), where the host's time comes from (the caller).
 */
import { Clock } from '../clock.ts';
import type { CpuInbox } from './cpu-inbox.ts';
import type { CpuPort } from './cpu-port.ts';
import { KIND } from './window.ts';

/** The longest that `step` waits for something to happen. */
const STEP_MS = 1000;

export class HostClock extends Clock {
  readonly #hostNow: () => number;
  readonly #inbox: CpuInbox;
  readonly #ports: readonly CpuPort[];
  /** The host's time at power-on, less what was skipped. */
  #origin: number;

  /** `hostNow` is a clock in nanoseconds that never goes back. */
  constructor(hostNow: () => number, inbox: CpuInbox, ports: readonly CpuPort[]) {
    super();
    this.#hostNow = hostNow;
    this.#inbox = inbox;
    this.#ports = ports;
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
      for (const port of this.#ports) port.call(KIND.ADVANCE, 0, delay);
      this.observe();
    }
    this.#inbox.collect();
  }

  /** Waits for an interrupt or an event, one second at most. */
  override step(): boolean {
    if (this.#inbox.collect() || this.#runDue()) return true;
    this.#pause();
    this.#inbox.sleep(STEP_MS);
    return this.#inbox.collect() || this.#runDue();
  }

  override idle(deadline: number): boolean {
    if (this.#inbox.collect()) return true;
    if (deadline === Number.POSITIVE_INFINITY) {
      if (this.#isSilent()) return false;
    } else if (this.observe() >= deadline) return true;
    this.#pause();
    this.#inbox.collect();
    return true;
  }

  /** Throws HardwareThreadError when a thread is gone. */
  #pause(): void {
    for (const port of this.#ports) port.check();
    this.#inbox.pause();
  }

  /** Every port is asked: each remembers what it found last time. */
  #isSilent(): boolean {
    if (this.pending > 0) return false;
    let isSilent = true;
    for (const port of this.#ports) isSilent = port.isSilent() && isSilent;
    return isSilent;
  }

  #runDue(): boolean {
    const { pending } = this;
    this.observe();
    return this.pending < pending;
  }
}

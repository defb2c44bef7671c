/**
 * What a CPU thread waits with: takes the interrupts of all hardware threads, and sleeps until one of them has something.
 * Not here: counters of interrupts (interrupt-counters.ts), requests (cpu-port.ts).
 */
import type { MessageTarget } from '../interrupts.ts';
import { collectMessages } from './interrupt-counters.ts';
import { SleepFlag } from './sleep-flag.ts';
import { INBOX } from './window.ts';

/** Longest sleep of a CPU that has nothing to do, after so many pauses in a row: completions in memory wake nobody. */
const PAUSE_MS = 0.05;
const PAUSES = 10_000;

export class CpuInbox {
  readonly words: Int32Array;
  private readonly sleeping: SleepFlag;
  /** Pauses since something was sent or has arrived. */
  pauses = 0;
  /** Who takes interrupts; set once, before the first arrives. */
  interrupts: MessageTarget | null = null;

  constructor(words: Int32Array) {
    this.words = words;
    this.sleeping = new SleepFlag(words, INBOX.CPU_SLEEP);
  }

  /** Takes every interrupt that has arrived. Returns false when there was none. */
  collect(): boolean {
    if (!collectMessages(this.words, this.interrupts!)) return false;
    this.pauses = 0;
    return true;
  }

  /** Gives the processor away for a moment after many calls in a row. */
  pause(): void {
    if (++this.pauses > PAUSES) this.sleep(PAUSE_MS);
  }

  /** Sleeps until an interrupt arrives, at most `timeout_ms`. */
  sleep(timeout_ms: number): void {
    this.sleeping.sleep(() => Atomics.load(this.words, INBOX.ARRIVED) !== 0, timeout_ms);
  }
}

/**
 * The kernel's log: lines with the time they were printed, as dmesg(1) shows them.
 * Not here: who prints what.
 */
import type { Archive } from '../support/archive.ts';

/** Lines that are kept; older ones are forgotten. */
const CAPACITY = 4096;

export class Dmesg {
  readonly #now: () => number;
  #lines: string[] = [];
  /** Called with every new line; for a console that follows. */
  onLine: ((line: string) => void) | null = null;

  /** `now` tells the time in nanoseconds since power-on. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Oldest first, each with the seconds since power-on in brackets before its text. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  log(text: string): void {
    const line = `[${(this.#now() / 1e9).toFixed(6).padStart(12)}] ${text}`;
    if (this.#lines.length === CAPACITY) this.#lines = this.#lines.slice(CAPACITY / 2);
    this.#lines.push(line);
    this.onLine?.(line);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#lines = a.value(this.#lines);
  }
}

/**
 * RAM that has lost data: lines with an error that ECC cannot correct. Who reads one gets poison, marked as such on the
 * way (PCIe Base §2.7.2.2, a completion with EP set); who writes a whole line heals it. Only requests of devices look
 * here: a program that reads such a line would be killed on a real machine (a machine check), and just reads it in this one.
 */
import type { Archive } from '../support/archive.ts';

const LINE_BYTES = 64;

export class Poison {
  /** Called when there begins or ceases to be any, so that nobody has to look while there is none. */
  readonly listeners: (() => void)[] = [];
  /** Physical addresses divided by the size of a line. */
  readonly #lines = new Set<number>();

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  /** The lines that hold `bytes` bytes from `physical` on lose their data. */
  add(physical: number, bytes: number): void {
    for (let line = Math.floor(physical / LINE_BYTES); line * LINE_BYTES < physical + bytes; line++)
      this.#lines.add(line);
    this.#tell();
  }

  /** How many bytes from `physical` on come before the first poisoned one, at most `bytes`. */
  before(physical: number, bytes: number): number {
    for (let line = Math.floor(physical / LINE_BYTES); line * LINE_BYTES < physical + bytes; line++) {
      if (this.#lines.has(line)) return Math.max(0, line * LINE_BYTES - physical);
    }
    return bytes;
  }

  /** Whole lines among these bytes have been written. */
  heal(physical: number, bytes: number): void {
    const first = Math.ceil(physical / LINE_BYTES);
    for (let line = first; (line + 1) * LINE_BYTES <= physical + bytes; line++) this.#lines.delete(line);
    if (this.isEmpty) this.#tell();
  }

  #tell(): void {
    for (const listener of this.listeners) listener();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#lines);
    if (a.isLoading) this.#tell();
  }
}

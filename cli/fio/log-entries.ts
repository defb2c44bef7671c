/**
 * Entries of a log, five numbers each, in chunks of typed arrays of up to 1 MiB, so that a log of millions is neither
 * copied as it grows nor on the heap. Not here: what the numbers are (logs.ts).
 */
import type { Archive } from '../../support/archive.ts';

export const FIELDS = 5;
const FIRST = 256 * FIELDS;
const LARGEST = Math.floor(2 ** 17 / FIELDS) * FIELDS;

export class LogEntries {
  #chunks: Float64Array[] = [];
  /** The chunk that is being filled, and up to where. */
  private last = new Float64Array(0);
  private end = 0;

  add(first: number, second: number, third: number, fourth: number, fifth: number): void {
    if (this.end === this.last.length) this.#grow();
    const { last, end } = this;
    last[end] = first;
    last[end + 1] = second;
    last[end + 2] = third;
    last[end + 3] = fourth;
    last[end + 4] = fifth;
    this.end = end + FIELDS;
  }

  #grow(): void {
    this.last = new Float64Array(Math.min(FIRST * 2 ** this.#chunks.length, LARGEST));
    this.end = 0;
    this.#chunks.push(this.last);
  }

  get count(): number {
    return this.parts().reduce((sum, part) => sum + part.length / FIELDS, 0);
  }

  /** All entries in their order: whole ones in each part. */
  parts(): Float64Array[] {
    return this.#chunks.map((chunk) => (chunk === this.last ? chunk.subarray(0, this.end) : chunk));
  }

  /** Forgets all. */
  clear(): void {
    this.#chunks = [];
    this.last = new Float64Array(0);
    this.end = 0;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    const saved = a.value(this.parts());
    if (!a.isLoading) return;
    this.#chunks = [];
    this.last = new Float64Array(0);
    this.end = 0;
    for (const part of saved) {
      this.#grow();
      this.last.set(part);
      this.end = part.length;
    }
  }
}

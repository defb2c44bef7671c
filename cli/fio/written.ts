/**
 * Which blocks of a region hold which write, and which of them are in flight: what verification reads back, and what
 * keeps two I/Os of one block apart. Typed arrays by block number. Not here: when to read back (workload.ts).
 */
import type { Archive } from '../../support/archive.ts';

export class WrittenBlocks {
  /** Bytes of a block: the smallest write. */
  readonly unit: number;
  /** Last write of each block, from 1; 0: none. */
  readonly #numbers: Uint32Array;
  readonly #inFlight: Uint8Array;
  /** Blocks that were written since the backlog was read back, and how many writes that were. */
  #backlog: Int32Array;
  #backlogEnd = 0;
  #backlogAt = 0;
  #writes = 0;
  readonly #backlogWrites: number;
  #cursor = 0;

  constructor(regionBytes: number, unit: number, backlogWrites: number) {
    this.unit = unit;
    const blocks = Math.ceil(regionBytes / unit);
    this.#numbers = new Uint32Array(blocks);
    this.#inFlight = new Uint8Array(blocks);
    this.#backlogWrites = backlogWrites;
    this.#backlog = new Int32Array(backlogWrites > 0 ? 64 : 0);
  }

  /**
   * Takes the blocks from byte `at` on for write `number`, or for a trim with number 0. Returns false, and takes none,
   * when one of them is in flight.
   */
  take(at: number, bytes: number, number: number): boolean {
    const first = Math.floor(at / this.unit);
    const end = Math.ceil((at + bytes) / this.unit);
    for (let block = first; block < end; block++) if (this.#inFlight[block] !== 0) return false;
    for (let block = first; block < end; block++) {
      this.#inFlight[block] = 1;
      this.#numbers[block] = number;
      if (this.#backlogWrites > 0 && number > 0) this.#remember(block);
    }
    if (number > 0) this.#writes++;
    return true;
  }

  #remember(block: number): void {
    if (this.#backlogEnd === this.#backlog.length) {
      const longer = new Int32Array(2 * this.#backlog.length);
      longer.set(this.#backlog);
      this.#backlog = longer;
    }
    this.#backlog[this.#backlogEnd++] = block;
  }

  /** The I/O on these blocks has completed. */
  release(at: number, bytes: number): void {
    const end = Math.ceil((at + bytes) / this.unit);
    for (let block = Math.floor(at / this.unit); block < end; block++) this.#inFlight[block] = 0;
  }

  numberOf(block: number): number {
    return this.#numbers[block]!;
  }

  get isBacklogFull(): boolean {
    return this.#writes >= this.#backlogWrites;
  }

  /** The next block of the backlog; -1 at its end, and the backlog is empty then. */
  nextOfBacklog(): number {
    while (this.#backlogAt < this.#backlogEnd) {
      const block = this.#backlog[this.#backlogAt++]!;
      if (this.#numbers[block] !== 0) return block;
    }
    this.#backlogAt = 0;
    this.#backlogEnd = 0;
    this.#writes = 0;
    return -1;
  }

  beginReading(): void {
    this.#cursor = 0;
  }

  endReading(): void {
    this.#cursor = Number.POSITIVE_INFINITY;
  }

  /** The next written block in ascending order, of the backlog where there is one; -1 at the end. */
  nextWritten(): number {
    if (this.#cursor === Number.POSITIVE_INFINITY) return -1;
    if (this.#backlogWrites > 0) return this.nextOfBacklog();
    const numbers = this.#numbers;
    while (this.#cursor < numbers.length) {
      const block = this.#cursor++;
      if (numbers[block] !== 0) return block;
    }
    return -1;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#numbers, this.#inFlight);
    this.#backlog = a.value(this.#backlog);
    this.#backlogEnd = a.value(this.#backlogEnd);
    this.#backlogAt = a.value(this.#backlogAt);
    this.#writes = a.value(this.#writes);
    this.#cursor = a.value(this.#cursor);
  }
}

/**
 * The Error Information log: a ring of the newest entries and a count that never goes back (Base 2.1 §5.1.12.1.2).
 * Not here: which failures are worth an entry and what they are called (health.ts), the Get Log Page rules (logs.ts).
 */
import type { Archive } from '../support/archive.ts';
import { ERROR_LOG_ENTRY, ERROR_LOG_VERSION } from './spec/logs.ts';

/** SQID and CID of an error that belongs to no command. */
export const NO_COMMAND = 0xffff;

/** One failure, in the fields of the entry. */
export interface ErrorRecord {
  readonly sqid: number;
  readonly cid: number;
  /** The 16-bit status field as the completion carries it, phase tag 0. */
  readonly statusField: number;
  /** Byte in bits 7:0 and bit in 10:8 of the command, or PARAMETER_UNKNOWN. */
  readonly parameter: number;
  readonly lba: bigint;
  readonly nsid: number;
  readonly opcode: number;
}

export class ErrorLog {
  /** Entries since power-on; the number of the newest one. */
  count = 0;
  readonly entries: number;
  readonly #ring: DataView;

  constructor(entries: number) {
    this.entries = entries;
    this.#ring = new DataView(new ArrayBuffer(entries * ERROR_LOG_ENTRY.SIZE));
  }

  /** Bytes of the whole log page. */
  get bytes(): number {
    return this.#ring.byteLength;
  }

  add(record: ErrorRecord): void {
    const at = this.#place(this.count);
    this.count++;
    ERROR_LOG_ENTRY.set(this.#ring, at, 'ERROR_COUNT', this.count);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'SQID', record.sqid);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'CID', record.cid);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'STATUS', record.statusField);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'PARAMETER_LOCATION', record.parameter);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'LBA', record.lba);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'NSID', record.nsid);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'OPC', record.opcode);
    ERROR_LOG_ENTRY.set(this.#ring, at, 'VERSION', ERROR_LOG_VERSION);
  }

  /** Writes the page at byte `at` of `target`, newest entry first, zeroes where there is none. */
  write(target: Uint8Array, at: number): void {
    const ring = new Uint8Array(this.#ring.buffer);
    for (let age = 0; age < this.entries; age++) {
      const to = at + age * ERROR_LOG_ENTRY.SIZE;
      if (age >= this.count) target.fill(0, to, to + ERROR_LOG_ENTRY.SIZE);
      else {
        const from = this.#place(this.count - 1 - age);
        target.set(ring.subarray(from, from + ERROR_LOG_ENTRY.SIZE), to);
      }
    }
  }

  /** Byte offset in the ring of the entry with this 0's based number. */
  #place(number: number): number {
    return (number - Math.floor(number / this.entries) * this.entries) * ERROR_LOG_ENTRY.SIZE;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.count = a.value(this.count);
    a.contents(new Uint8Array(this.#ring.buffer));
  }
}

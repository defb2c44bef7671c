/**
 * A flash channel as time slots, each with the transfer time already given away. A transfer that will begin later does
 * not keep the channel from one that can begin now, as a single "busy until" would.
 */
import type { Archive } from '../../support/archive.ts';

const SLOT_NS = 4096;
/** Slots that are remembered, a power of two: 67 ms, longer than any queue of a die. */
const SLOTS = 16_384;

export class Channel {
  /** The slot that stands at a place, and the nanoseconds of it that are taken. */
  private readonly numbers = new Float64Array(SLOTS).fill(-1);
  private readonly taken = new Float64Array(SLOTS);

  /** When a transfer of `length_ns`, ready at `time`, is over. */
  transfer(time: number, length_ns: number): number {
    const { numbers, taken } = this;
    let slot = Math.floor(time / SLOT_NS);
    let left = length_ns;
    for (;;) {
      const at = slot & (SLOTS - 1);
      if (numbers[at] !== slot) {
        numbers[at] = slot;
        taken[at] = 0;
      }
      const part = Math.min(SLOT_NS - taken[at]!, left);
      taken[at]! += part;
      left -= part;
      if (left <= 0) return Math.max(time + length_ns, slot * SLOT_NS + taken[at]!);
      slot++;
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.numbers, this.taken);
  }
}

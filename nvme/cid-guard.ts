/**
 * Finds commands whose identifier another command of the same submission queue still has (Base 2.1 §4.1.1 forbids it to
 * hosts; Command ID Conflict answers it). Only strict profiles pay for it.
 */
import type { Archive } from '../support/archive.ts';
import type { Slots } from './slots.ts';

export class CidGuard {
  readonly #slots: Slots;
  /** By slot: the command has its identifier. Those that arrived with it in one burst have not yet. */
  readonly #owns: Uint8Array;

  constructor(slots: Slots) {
    this.#slots = slots;
    this.#owns = new Uint8Array(slots.count);
  }

  /** Commands have arrived in `count` slots from `first` on. */
  arrived(first: number, count: number): void {
    this.#owns.fill(0, first, first + count);
  }

  /** Gives a command its identifier. False when another one has it. */
  claim(slot: number): boolean {
    const slots = this.#slots;
    const sqid = slots.sqid(slot);
    const cid = slots.cid(slot);
    for (let other = 0; other < slots.count; other++) {
      if (this.#owns[other] === 0 || !slots.isBusy(other)) continue;
      if (slots.sqid(other) === sqid && slots.cid(other) === cid) return false;
    }
    this.#owns[slot] = 1;
    return true;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#owns);
  }
}

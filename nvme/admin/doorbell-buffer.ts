/**
 * Doorbell Buffer Config: where in host memory doorbells and event indexes are (Base 2.1 §5.2.5).
 * Not here: what the controller does with them (shadow-doorbells.ts).
 */
import { hex, u64 } from '../../support/numbers.ts';
import { hasQuirk } from '../quirks.ts';
import { SQE } from '../spec/commands.ts';
import { CC } from '../spec/registers.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, AdminParts } from './command.ts';

type Parts = Pick<AdminParts, 'profile' | 'slots' | 'health' | 'shadow' | 'cc'>;

/** PRP1 names the page of the shadow doorbells, PRP2 that of the event indexes; neither may be page 0. */
export class DoorbellBuffer implements AdminCommand {
  readonly #parts: Parts;
  /** The quirk of that name. */
  readonly #takesPage0: boolean;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#takesPage0 = hasQuirk(parts.profile, 'takesPage0');
  }

  check(slot: number): number {
    for (const field of [SQE.PRP1, SQE.PRP2]) {
      const address = this.#address(slot, field);
      if ((address !== 0 || this.#takesPage0) && (address & (this.#page_bytes - 1)) === 0) continue;
      const name = field === SQE.PRP1 ? 'PRP1' : 'PRP2';
      const reason = `${name} = ${hex(address)} is not the address of a page of ${this.#page_bytes} bytes`;
      return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, field);
    }
    return STATUS.SUCCESS;
  }

  execute(slot: number): number {
    const page_bytes = this.#page_bytes;
    this.#parts.shadow.enable(this.#address(slot, SQE.PRP1), this.#address(slot, SQE.PRP2), page_bytes);
    return STATUS.SUCCESS;
  }

  get #page_bytes(): number {
    return 4096 << CC.MPS.get(this.#parts.cc());
  }

  #address(slot: number, field: number): number {
    const { slots } = this.#parts;
    return u64(slots.dword(slot, field), slots.dword(slot, field + 4));
  }
}

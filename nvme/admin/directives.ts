/**
 * Directive Send and Directive Receive with the Identify directive alone, which is always on: the host learns that
 * there are no streams and no data placement (Base 2.1 §5.1.6, §5.1.7, §8.1.8).
 */
import { hex } from '../../support/numbers.ts';
import { DATA_TO_HOST } from '../slots.ts';
import { DIRECTIVE_CDW11, SQE } from '../spec/commands.ts';
import {
  DIRECTIVE,
  DIRECTIVE_ENABLE_CDW12,
  DIRECTIVE_IDENTIFY,
  DIRECTIVE_PARAMETERS,
} from '../spec/management.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, CommandParts } from './command.ts';

const ONLY_IDENTIFY = 1 << DIRECTIVE.IDENTIFY;

export interface DirectiveParts extends CommandParts {
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

export class Directives {
  readonly receive: AdminCommand = {
    check: (slot) => this.#checkReceive(slot),
    execute: (slot, at) => this.#receive(slot, at),
  };
  readonly send: AdminCommand = { check: (slot) => this.#checkSend(slot), execute: () => STATUS.SUCCESS };
  readonly #parts: DirectiveParts;

  constructor(parts: DirectiveParts) {
    this.#parts = parts;
  }

  #checkReceive(slot: number): number {
    const { slots, maxTransfer_bytes } = this.#parts;
    const status = this.#checkIdentify(slot, DIRECTIVE_IDENTIFY.RETURN_PARAMETERS);
    if (status !== STATUS.SUCCESS) return status;
    const bytes = (slots.dword(slot, SQE.CDW10) + 1) * 4;
    if (bytes > maxTransfer_bytes) {
      return this.#refuse(`${bytes} bytes are more than MDTS allows (${maxTransfer_bytes})`, SQE.CDW10);
    }
    slots.setData(slot, DATA_TO_HOST, bytes);
    return STATUS.SUCCESS;
  }

  #receive(slot: number, at: number): number {
    const { slots, memory } = this.#parts;
    memory.fill(at, 0, Math.max(slots.bytes(slot), DIRECTIVE_PARAMETERS.SIZE));
    memory.u8[at + DIRECTIVE_PARAMETERS.SUPPORTED] = ONLY_IDENTIFY;
    memory.u8[at + DIRECTIVE_PARAMETERS.ENABLED] = ONLY_IDENTIFY;
    return STATUS.SUCCESS;
  }

  /** Enable Directive: the only one cannot be turned off, and the others cannot be turned on. */
  #checkSend(slot: number): number {
    const status = this.#checkIdentify(slot, DIRECTIVE_IDENTIFY.ENABLE);
    if (status !== STATUS.SUCCESS) return status;
    const { ENDIR, TDTYPE } = DIRECTIVE_ENABLE_CDW12.decode(this.#parts.slots.dword(slot, SQE.CDW12));
    const verb = ENDIR === 1 ? 'on' : 'off';
    return this.#refuse(`directive ${TDTYPE} cannot be turned ${verb}`, SQE.CDW12 + 1);
  }

  #checkIdentify(slot: number, operation: number): number {
    const { slots, health, namespaces } = this.#parts;
    const { DTYPE, DOPER } = DIRECTIVE_CDW11.decode(slots.dword(slot, SQE.CDW11));
    if (DTYPE !== DIRECTIVE.IDENTIFY) {
      return this.#refuse(
        `directive type ${hex(DTYPE, 2)} is not supported, only Identify, 0`,
        SQE.CDW11 + 1,
      );
    }
    if (DOPER !== operation)
      return this.#refuse(`the Identify directive has no operation ${DOPER}`, SQE.CDW11);
    const refusal = namespaces.refusal(slots.dword(slot, SQE.NSID));
    return refusal === null ? STATUS.SUCCESS : health.explain(refusal.status, refusal.reason, SQE.NSID);
  }

  #refuse(reason: string, byte: number): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }
}

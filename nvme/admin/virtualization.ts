/**
 * Virtualization Management and the Primary Controller Capabilities of Identify, of a controller without secondary
 * controllers: all resources are its own and none can be moved (Base 2.1 §5.2.6, §5.1.13.2.14, §8.2.6).
 */
import { hex } from '../../support/numbers.ts';
import { CONTROLLER_ID } from '../limits.ts';
import { SQE, VIRTUALIZATION_CDW10, VIRTUALIZATION_CDW11 } from '../spec/commands.ts';
import { CRT, PRIMARY_CAPABILITIES } from '../spec/identify.ts';
import { VIRTUALIZATION } from '../spec/management.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, AdminParts } from './command.ts';

const OF_SECONDARY: readonly number[] = [
  VIRTUALIZATION.OFFLINE,
  VIRTUALIZATION.ASSIGN,
  VIRTUALIZATION.ONLINE,
];
const LAST_RESOURCE_TYPE = 1;
/** Resources come and go one at a time. */
const GRANULARITY = 1;

export class Virtualization implements AdminCommand {
  readonly #parts: Pick<AdminParts, 'slots' | 'health'>;

  constructor(parts: Pick<AdminParts, 'slots' | 'health'>) {
    this.#parts = parts;
  }

  check(slot: number): number {
    const { slots, health } = this.#parts;
    const { ACT, RT, CNTLID } = VIRTUALIZATION_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const { NR } = VIRTUALIZATION_CDW11.decode(slots.dword(slot, SQE.CDW11));
    const isOfSecondary = OF_SECONDARY.includes(ACT);
    if (!isOfSecondary && ACT !== VIRTUALIZATION.PRIMARY)
      return health.explain(STATUS.INVALID_FIELD, `ACT ${ACT} is reserved`, SQE.CDW10);
    if (isOfSecondary || CNTLID !== CONTROLLER_ID) {
      const reason = `${hex(CNTLID, 4)} is not a ${isOfSecondary ? 'secondary' : 'primary'} controller`;
      return health.explain(STATUS.INVALID_CONTROLLER_IDENTIFIER, reason, SQE.CDW10 + 2);
    }
    if (RT > LAST_RESOURCE_TYPE)
      return health.explain(STATUS.INVALID_RESOURCE_IDENTIFIER, `RT ${RT} is reserved`, SQE.CDW10 + 1);
    if (NR === 0) return STATUS.SUCCESS;
    return health.explain(
      STATUS.INVALID_RESOURCE_COUNT,
      `NR is ${NR}, and no resource is flexible`,
      SQE.CDW11,
    );
  }

  /** DW0 is the number of resources that were given: none. */
  execute(slot: number): number {
    this.#parts.slots.setResult(slot, 0);
    return STATUS.SUCCESS;
  }
}

/** CNS 14h at byte `at`, which is zeroed: `queues` pairs with the admin queue, and `vectors`. */
export function writePrimaryCapabilities(view: DataView, at: number, queues: number, vectors: number): void {
  const set = (name: Parameters<typeof PRIMARY_CAPABILITIES.set>[2], value: number) =>
    PRIMARY_CAPABILITIES.set(view, at, name, value);
  set('CNTLID', CONTROLLER_ID);
  set('CRT', CRT.encode({ VQRS: 1, VIRS: 1 }));
  set('VQPRT', queues);
  set('VQGRAN', GRANULARITY);
  set('VIPRT', vectors);
  set('VIGRAN', GRANULARITY);
}

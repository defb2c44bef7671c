/**
 * Get LBA Status: ranges of blocks that cannot be read (NVM Command Set 1.1 §4.2.1): those that Write Uncorrectable
 * marked, for a medium loses none by itself. Which blocks are allocated is not reported (ATYPE 02h is refused).
 */
import { u64 } from '../../support/numbers.ts';
import { DATA_TO_HOST } from '../slots.ts';
import { SQE } from '../spec/commands.ts';
import {
  LBA_STATUS,
  LBA_STATUS_ACTION,
  LBA_STATUS_CDW13,
  LBA_STATUS_COMPLETION,
  LBA_STATUS_DESCRIPTOR,
} from '../spec/management.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand } from './command.ts';
import type { DirectiveParts } from './directives.ts';

/** ATYPE 10h (scan) and 11h (tracked) answer alike; the range must lie inside the namespace. */
export class LbaStatus implements AdminCommand {
  readonly #parts: DirectiveParts;

  constructor(parts: DirectiveParts) {
    this.#parts = parts;
  }

  check(slot: number): number {
    const { slots, health, namespaces, maxTransfer_bytes } = this.#parts;
    const nsid = slots.dword(slot, SQE.NSID);
    const refusal = namespaces.refusal(nsid);
    if (refusal !== null) return health.explain(refusal.status, refusal.reason, SQE.NSID);
    const { RL, ATYPE } = LBA_STATUS_CDW13.decode(slots.dword(slot, SQE.CDW13));
    if (ATYPE !== LBA_STATUS_ACTION.SCAN && ATYPE !== LBA_STATUS_ACTION.TRACKED) {
      return health.explain(STATUS.INVALID_FIELD, `ATYPE ${ATYPE} is not supported`, SQE.CDW13 + 3);
    }
    const { blocks } = namespaces.attached(nsid)!;
    const first = u64(slots.dword(slot, SQE.CDW10), slots.dword(slot, SQE.CDW11));
    if (first >= blocks || first + RL > blocks) {
      const reason = `the range ends behind the last block, ${blocks - 1}`;
      return health.explain(STATUS.LBA_OUT_OF_RANGE, reason, SQE.CDW10);
    }
    const bytes = (slots.dword(slot, SQE.CDW12) + 1) * 4;
    if (bytes < LBA_STATUS.SIZE || bytes > maxTransfer_bytes) {
      const reason = `${bytes} bytes are not from ${LBA_STATUS.SIZE} to ${maxTransfer_bytes} (MDTS)`;
      return health.explain(STATUS.INVALID_FIELD, reason, SQE.CDW12);
    }
    slots.setData(slot, DATA_TO_HOST, bytes);
    return STATUS.SUCCESS;
  }

  execute(slot: number, at: number): number {
    const { slots, memory, namespaces } = this.#parts;
    const { view } = memory;
    const namespace = namespaces.attached(slots.dword(slot, SQE.NSID))!;
    const first = u64(slots.dword(slot, SQE.CDW10), slots.dword(slot, SQE.CDW11));
    const length = LBA_STATUS_CDW13.RL.get(slots.dword(slot, SQE.CDW13));
    const ranges = namespace.uncorrectable.within(first, length === 0 ? namespace.blocks : first + length);
    const room = Math.floor((slots.bytes(slot) - LBA_STATUS.SIZE) / LBA_STATUS_DESCRIPTOR.SIZE);
    const { INCOMPLETE, COMPLETE } = LBA_STATUS_COMPLETION;
    memory.fill(at, 0, slots.bytes(slot));
    LBA_STATUS.set(view, at, 'NLSD', Math.min(ranges.length, room));
    LBA_STATUS.set(view, at, 'CMPC', ranges.length > room ? INCOMPLETE : COMPLETE);
    ranges.slice(0, room).forEach((range, index) => {
      const entry = at + LBA_STATUS.SIZE + index * LBA_STATUS_DESCRIPTOR.SIZE;
      LBA_STATUS_DESCRIPTOR.set(view, entry, 'DSLBA', range.first);
      LBA_STATUS_DESCRIPTOR.set(view, entry, 'NLB', range.end - range.first - 1);
    });
    return STATUS.SUCCESS;
  }
}

/**
 * Dataset Management: ranges to deallocate; hints on access are taken and forgotten (NVM Command Set 1.1 §3.3). All
 * ranges are checked before the first one is deallocated. Limits bind deallocation alone (DMRL, DMRSL, DMSL).
 */
import { u64 } from '../../support/numbers.ts';
import type { Namespace } from '../namespace.ts';
import { hasQuirk } from '../quirks.ts';
import { DATA_NONE, DATA_TO_CONTROLLER } from '../slots.ts';
import { DSM_CDW10, DSM_CDW11, DSM_RANGE, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';

export class DatasetManagement implements IoCommand {
  readonly access: Access = 'write';
  readonly known = [
    [SQE.CDW10, DSM_CDW10.NR.mask],
    [SQE.CDW11, DSM_CDW11.encode({ IDR: 1, IDW: 1, AD: 1 })],
    [SQE.CDW12, 0],
    [SQE.CDW13, 0],
    [SQE.CDW14, 0],
    [SQE.CDW15, 0],
  ] as const;
  readonly #context: Context;
  /** The quirks `passesOverRanges`, `ignoresHints`, `ignoresRangeLimit` and `keepsDeallocated`. */
  readonly #passesOver: boolean;
  readonly #ignoresHints: boolean;
  readonly #ignoresLimit: boolean;
  readonly #keepsData: boolean;

  constructor(context: Context) {
    this.#context = context;
    this.#passesOver = hasQuirk(context.profile, 'passesOverRanges');
    this.#ignoresHints = hasQuirk(context.profile, 'ignoresHints');
    this.#ignoresLimit = hasQuirk(context.profile, 'ignoresRangeLimit');
    this.#keepsData = hasQuirk(context.profile, 'keepsDeallocated');
  }

  check(slot: number): number {
    const ranges = DSM_CDW10.NR.get(this.#context.dword(slot, SQE.CDW10)) + 1;
    this.#context.setPlace(slot, 0);
    if (this.#isHint(slot)) return this.#context.setData(slot, DATA_NONE, 0);
    return this.#context.setData(slot, DATA_TO_CONTROLLER, ranges * DSM_RANGE.SIZE);
  }

  delay(): number {
    return this.#context.media.update();
  }

  execute(slot: number, namespace: Namespace): number {
    const { transfer, data, slots } = this.#context;
    if (this.#isHint(slot)) return STATUS.SUCCESS;
    const fetched = transfer.fetch(slot, data);
    if (fetched !== STATUS.SUCCESS) return fetched;
    const ranges = slots.bytes(slot) / DSM_RANGE.SIZE;
    for (let range = 0; range < ranges; range++) {
      const { first, count } = this.#range(range);
      if (first + count <= namespace.blocks || this.#passesOver) continue;
      const reason = `range ${range} ends at block ${first + count}, the namespace at ${namespace.blocks}`;
      return this.#context.health.explain(STATUS.LBA_OUT_OF_RANGE, reason, SQE.PRP1);
    }
    if (DSM_CDW11.AD.get(slots.dword(slot, SQE.CDW11)) === 0) return STATUS.SUCCESS;
    const limited = this.#checkLimits(ranges);
    if (limited !== STATUS.SUCCESS) return limited;
    if (this.#keepsData) return STATUS.SUCCESS;
    for (let range = 0; range < ranges; range++) {
      const { first, count } = this.#range(range);
      if (first + count > namespace.blocks) continue;
      const status = this.#context.blocks.discard(namespace, first, count);
      if (status !== STATUS.SUCCESS) return status;
    }
    return STATUS.SUCCESS;
  }

  #isHint(slot: number): boolean {
    const isDeallocation = DSM_CDW11.AD.get(this.#context.dword(slot, SQE.CDW11)) === 1;
    return this.#ignoresHints && !isDeallocation;
  }

  #checkLimits(ranges: number): number {
    const { limits } = this.#context.profile;
    if (this.#ignoresLimit) return STATUS.SUCCESS;
    const counts = Array.from({ length: ranges }, (_, range) => this.#range(range).count);
    const excess = (what: string, value: number, most: number) =>
      most > 0 && value > most ? `${value} ${what} are more than the ${most} that can be deallocated` : null;
    const reason =
      excess('ranges', ranges, limits.ranges) ??
      excess('blocks of one range', Math.max(...counts), limits.rangeBlocks) ??
      excess(
        'blocks',
        counts.reduce((sum, count) => sum + count, 0),
        limits.totalBlocks,
      );
    if (reason === null) return STATUS.SUCCESS;
    return this.#context.refuse(reason, SQE.CDW10, STATUS.COMMAND_SIZE_LIMIT_EXCEEDED);
  }

  /** Blocks of range `index`, which is in the data buffer. */
  #range(index: number): { first: number; count: number } {
    const { memory, data } = this.#context;
    const word = (data + index * DSM_RANGE.SIZE) >>> 2;
    const slba = word + (DSM_RANGE.SLBA >>> 2);
    return {
      first: u64(memory.u32[slba]!, memory.u32[slba + 1]!),
      count: memory.u32[word + (DSM_RANGE.NLB >>> 2)]!,
    };
  }
}

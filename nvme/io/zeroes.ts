/**
 * Write Zeroes and Write Uncorrectable: commands that change blocks without data (NVM Command Set 1.1 §3.3). Zeroes are
 * always deallocated blocks here, because those read as zeroes (DLFEAT); DEAC therefore changes nothing.
 */
import type { Namespace } from '../namespace.ts';
import { RW_CDW12, SQE, WRITE_ZEROES_CDW12 } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';

const ZEROES_CONTROL = WRITE_ZEROES_CDW12.encode({
  NLB: 0xffff,
  STC: 1,
  DEAC: 1,
  PRCHK_REFERENCE: 1,
  PRCHK_APPLICATION: 1,
  PRCHK_GUARD: 1,
  PRACT: 1,
  FUA: 1,
  LR: 1,
});

abstract class DatalessWrite {
  readonly access: Access = 'write';
  protected readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  check(slot: number, namespace: Namespace): number {
    const { context } = this;
    context.setPlace(slot, context.first(slot) * namespace.block_bytes);
    return context.checkRange(namespace, context.first(slot), context.count(slot));
  }

  delay(): number {
    return this.context.media.update();
  }
}

export class WriteZeroes extends DatalessWrite implements IoCommand {
  readonly known = [
    [SQE.CDW12, ZEROES_CONTROL],
    [SQE.CDW13, 0],
  ] as const;

  execute(slot: number, namespace: Namespace): number {
    const { blocks } = this.context;
    const first = this.context.first(slot);
    const count = this.context.count(slot);
    const status = blocks.discard(namespace, first, count);
    const isForced = RW_CDW12.FUA.get(this.context.dword(slot, SQE.CDW12)) === 1;
    return status === STATUS.SUCCESS && isForced ? blocks.persist(namespace, first, count) : status;
  }
}

export class WriteUncorrectable extends DatalessWrite implements IoCommand {
  readonly known = [
    [SQE.CDW12, RW_CDW12.NLB.mask],
    [SQE.CDW13, 0],
    [SQE.CDW14, 0],
    [SQE.CDW15, 0],
  ] as const;

  execute(slot: number, namespace: Namespace): number {
    this.context.blocks.mark(namespace, this.context.first(slot), this.context.count(slot));
    return STATUS.SUCCESS;
  }
}

/**
 * Write Zeroes and Write Uncorrectable: commands that change blocks without data (NVM Command Set 1.1 §3.3), limited by
 * WZSL and WUSL. Zeroes take no room on the medium; with DEAC the blocks are deallocated as well, which only reads that
 * ask for it can tell (DULBE), and protection information, which then is that of a block never written.
 */
import type { Namespace } from '../namespace.ts';
import { SQE, WRITE_ZEROES_CDW12 } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';
import { isProtected } from './payload.ts';
import type { ProtectionFields } from './protection.ts';

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

  /** Log2 of the pages that one command may change; 0: no limit. */
  protected abstract readonly limit: number;

  check(slot: number, namespace: Namespace): number {
    const { context } = this;
    context.setPlace(slot, context.first(slot) * namespace.block_bytes);
    const status = context.checkSize(namespace, context.count(slot), this.limit);
    if (status !== STATUS.SUCCESS) return status;
    return context.checkRange(namespace, context.first(slot), context.count(slot));
  }

  delay(): number {
    return this.context.media.update();
  }
}

export class WriteZeroes extends DatalessWrite implements IoCommand {
  protected readonly limit = this.context.profile.limits.zeroes;
  readonly known = [
    [SQE.CDW12, ZEROES_CONTROL],
    [SQE.CDW13, 0],
  ] as const;

  override check(slot: number, namespace: Namespace): number {
    const status = super.check(slot, namespace);
    if (status !== STATUS.SUCCESS) return status;
    const { payload } = this.context;
    return payload.checkFields(namespace, this.context.first(slot), payload.fields(slot, namespace));
  }

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { blocks, payload } = context;
    const first = context.first(slot);
    const count = context.count(slot);
    const { DEAC, FUA } = WRITE_ZEROES_CDW12.decode(context.dword(slot, SQE.CDW12));
    const fields = payload.fields(slot, namespace);
    let status = context.checkZone(namespace.zones?.writeProblem(first, count));
    if (status !== STATUS.SUCCESS) return status;
    if (DEAC === 1) status = blocks.discard(namespace, first, count);
    else if (fields.isAction && isProtected(namespace))
      status = this.#writeProtected(namespace, first, count, fields);
    else status = blocks.zero(namespace, first, count);
    if (status !== STATUS.SUCCESS) return status;
    namespace.zones?.advance(first, count);
    return FUA === 1 ? blocks.persist(namespace, first, count) : STATUS.SUCCESS;
  }

  /** PRACT: zeroes with the protection information of zeroes, as many at a time as SRAM holds. */
  #writeProtected(namespace: Namespace, first: number, count: number, fields: ProtectionFields): number {
    const { blocks, payload, here, memory, maxTransfer } = this.context;
    const most = maxTransfer / namespace.block_bytes;
    for (let done = 0; done < count; done += most) {
      const step = Math.min(most, count - done);
      memory.fill(here.data, 0, step * namespace.block_bytes);
      memory.fill(here.metadata, 0, step * namespace.metadata!.bytes);
      const piece = payload.fieldsAfter(namespace, fields, done);
      payload.protect(namespace, first + done, step, here, piece);
      const status = blocks.write(namespace, first + done, step, here);
      if (status !== STATUS.SUCCESS) return status;
    }
    return STATUS.SUCCESS;
  }
}

/** Marks blocks, which then cannot be read until they are written. */
export class WriteUncorrectable extends DatalessWrite implements IoCommand {
  protected readonly limit = this.context.profile.limits.uncorrectable;
  readonly known = [
    [SQE.CDW12, WRITE_ZEROES_CDW12.NLB.mask],
    [SQE.CDW13, 0],
    [SQE.CDW14, 0],
    [SQE.CDW15, 0],
  ] as const;

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const first = context.first(slot);
    const count = context.count(slot);
    const status = context.checkZone(namespace.zones?.writeProblem(first, count));
    if (status !== STATUS.SUCCESS) return status;
    context.blocks.mark(namespace, first, count);
    namespace.zones?.advance(first, count);
    return STATUS.SUCCESS;
  }
}

/**
 * Read, Write, Compare and Verify where nvm.ts does not take them: with FUA, an SGL, metadata, a reservation, marked
 * blocks or a cache that can be lost (NVM Command Set 1.1 §3.3). Data pass through SRAM, so a block is written whole or
 * not at all. Not here: plain Read and Write (nvm.ts), zeroes (zeroes.ts), metadata and its protection (payload.ts).
 */
import type { Namespace } from '../namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST } from '../slots.ts';
import { RW_CDW12, RW_CDW13, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';

const NLB = RW_CDW12.NLB.mask;
const CONTROL = RW_CDW12.encode({
  STC: 1,
  PRCHK_REFERENCE: 1,
  PRCHK_APPLICATION: 1,
  PRCHK_GUARD: 1,
  PRACT: 1,
  FUA: 1,
  LR: 1,
});
const HINTS = RW_CDW13.encode({ AF: 0xf, AL: 3, SEQ: 1, INCOMPRESSIBLE: 1 });
/** Known bits of CDW12 and CDW13. DSPEC means nothing without a directive, which Write does not take here. */
const READ_FIELDS = [
  [SQE.CDW12, NLB | CONTROL],
  [SQE.CDW13, HINTS],
] as const;
const WRITE_FIELDS = [
  [SQE.CDW12, NLB | CONTROL],
  [SQE.CDW13, HINTS | RW_CDW13.DSPEC.mask],
] as const;
const CHECK_FIELDS = [
  [SQE.CDW12, NLB | (CONTROL & ~RW_CDW12.PRACT.mask)],
  [SQE.CDW13, 0],
] as const;

const isForced = (context: Context, slot: number): boolean =>
  RW_CDW12.FUA.get(context.dword(slot, SQE.CDW12)) === 1;

/** What the four have in common: a range of blocks, and mostly their data. */
abstract class BlockCommand {
  protected readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  protected checkBlocks(slot: number, namespace: Namespace, direction: number): number {
    const { context } = this;
    const first = context.first(slot);
    const count = context.count(slot);
    context.setPlace(slot, first * namespace.block_bytes);
    const status = context.setData(slot, direction, count * namespace.block_bytes);
    return status === STATUS.SUCCESS ? context.checkRange(namespace, first, count) : status;
  }

  protected readTime(slot: number, namespace: Namespace): number {
    const { context } = this;
    const unit = namespace.block_bytes;
    const offset = namespace.mediaBase + context.first(slot) * unit;
    return context.media.read(offset, context.count(slot) * unit);
  }

  /** With FUA, what is read is on the medium first. */
  protected settle(slot: number, namespace: Namespace): number {
    const { context } = this;
    if (!isForced(context, slot)) return STATUS.SUCCESS;
    return context.blocks.persist(namespace, context.first(slot), context.count(slot));
  }
}

export class Read extends BlockCommand implements IoCommand {
  readonly access: Access = 'read';
  readonly known = READ_FIELDS;

  check(slot: number, namespace: Namespace): number {
    return this.checkBlocks(slot, namespace, DATA_TO_HOST);
  }

  delay(slot: number, namespace: Namespace): number {
    return this.readTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const status = context.blocks.checkReadable(namespace, context.first(slot), context.count(slot));
    return status === STATUS.SUCCESS ? this.settle(slot, namespace) : status;
  }

  send(slot: number, namespace: Namespace): number {
    const { blocks, transfer, data, health, slots } = this.context;
    const status = blocks.read(namespace, this.context.first(slot), this.context.count(slot), data);
    if (status !== STATUS.SUCCESS) return status;
    const sent = transfer.deliver(slot, data);
    if (sent === STATUS.SUCCESS) health.read(slots.bytes(slot));
    return sent;
  }
}

export class Write extends BlockCommand implements IoCommand {
  readonly access: Access = 'write';
  readonly known = WRITE_FIELDS;

  check(slot: number, namespace: Namespace): number {
    return this.checkBlocks(slot, namespace, DATA_TO_CONTROLLER);
  }

  delay(slot: number, namespace: Namespace): number {
    const { context } = this;
    const unit = namespace.block_bytes;
    const offset = namespace.mediaBase + context.first(slot) * unit;
    return context.media.write(offset, context.count(slot) * unit);
  }

  execute(slot: number, namespace: Namespace): number {
    const { blocks, transfer, data, health, slots } = this.context;
    const first = this.context.first(slot);
    const count = this.context.count(slot);
    let status = transfer.fetch(slot, data);
    if (status === STATUS.SUCCESS) status = blocks.write(namespace, first, count, data);
    if (status === STATUS.SUCCESS) status = this.settle(slot, namespace);
    if (status === STATUS.SUCCESS) health.wrote(slots.bytes(slot));
    return status;
  }
}

export class Compare extends BlockCommand implements IoCommand {
  readonly access: Access = 'read';
  readonly known = CHECK_FIELDS;

  check(slot: number, namespace: Namespace): number {
    return this.checkBlocks(slot, namespace, DATA_TO_CONTROLLER);
  }

  delay(slot: number, namespace: Namespace): number {
    return this.readTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const { transfer, other, health, slots } = this.context;
    const status = transfer.fetch(slot, other);
    if (status !== STATUS.SUCCESS) return status;
    health.compared(slots.bytes(slot));
    return this.compareWith(slot, namespace, other);
  }

  /** Compares the blocks with what is at byte `expected` of device-local memory. Returns a status. */
  compareWith(slot: number, namespace: Namespace, expected: number): number {
    const { blocks, data, memory, slots } = this.context;
    const first = this.context.first(slot);
    const count = this.context.count(slot);
    let status = blocks.checkReadable(namespace, first, count);
    if (status === STATUS.SUCCESS) status = this.settle(slot, namespace);
    if (status === STATUS.SUCCESS) status = blocks.read(namespace, first, count, data);
    if (status !== STATUS.SUCCESS) return status;
    const { u8 } = memory;
    for (let i = 0; i < slots.bytes(slot); i++) {
      if (u8[data + i] === u8[expected + i]) continue;
      const reason = `byte ${i} of the compared data differs`;
      return this.context.health.explain(STATUS.COMPARE_FAILURE, reason);
    }
    return STATUS.SUCCESS;
  }
}

/** Reads the blocks and tells whether they could be read; no data move, so MDTS says nothing. */
export class Verify extends BlockCommand implements IoCommand {
  readonly access: Access = 'read';
  readonly known = CHECK_FIELDS;

  check(slot: number, namespace: Namespace): number {
    const { context } = this;
    context.setPlace(slot, context.first(slot) * namespace.block_bytes);
    return context.checkRange(namespace, context.first(slot), context.count(slot));
  }

  delay(slot: number, namespace: Namespace): number {
    return this.readTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const status = context.blocks.checkReadable(namespace, context.first(slot), context.count(slot));
    return status === STATUS.SUCCESS ? this.settle(slot, namespace) : status;
  }
}

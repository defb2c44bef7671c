/**
 * Read, Write, Compare and Verify where nvm.ts does not take them: with FUA, an SGL, metadata, zones, a reservation,
 * marked blocks or a cache that can be lost (NVM Command Set 1.1 §3.3). Data pass through SRAM, so a block is written
 * whole or not at all. Not here: plain Read and Write (nvm.ts), zeroes (zeroes.ts), Zone Append (../zones/commands.ts).
 */
import type { Namespace } from '../namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST } from '../slots.ts';
import { RW_CDW12, RW_CDW13, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';
import type { Buffer } from './protection.ts';

const NLB = RW_CDW12.NLB.mask;
export const CONTROL = RW_CDW12.encode({
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

/** What all of them have in common: a range of blocks, mostly their data, and protection information. */
export abstract class BlockCommand {
  protected readonly context: Context;

  constructor(context: Context) {
    this.context = context;
  }

  protected checkBlocks(slot: number, namespace: Namespace, direction: number): number {
    const { context } = this;
    const { payload } = context;
    const first = context.first(slot);
    const count = context.count(slot);
    const fields = payload.fields(slot, namespace);
    context.setPlace(slot, first * namespace.block_bytes);
    let status = context.setData(slot, direction, payload.bytes(namespace, count, fields));
    if (status === STATUS.SUCCESS) status = context.checkRange(namespace, first, count);
    if (status === STATUS.SUCCESS) status = payload.checkPointer(slot, namespace, fields);
    return status === STATUS.SUCCESS ? payload.checkFields(namespace, first, fields) : status;
  }

  protected readTime(slot: number, namespace: Namespace): number {
    const { context } = this;
    const unit = namespace.block_bytes;
    const offset = namespace.mediaBase + context.first(slot) * unit;
    const count = context.count(slot);
    const retries = context.blocks.retry_ns(namespace, context.first(slot), count, context.isLimited(slot));
    return context.media.read(offset, count * unit) + retries;
  }

  /** Whether the blocks can be read at all; with FUA they are on the medium first. */
  protected prepareRead(slot: number, namespace: Namespace): number {
    const { context } = this;
    const first = context.first(slot);
    const count = context.count(slot);
    let status = context.checkZone(namespace.zones?.readProblem(first, count));
    if (status === STATUS.SUCCESS)
      status = context.blocks.checkReadable(namespace, first, count, context.isLimited(slot));
    return status === STATUS.SUCCESS ? this.settle(slot, namespace) : status;
  }

  /** Reads the blocks to `to` and checks their protection information. Returns a status. */
  protected load(slot: number, namespace: Namespace, to: Buffer): number {
    const { context } = this;
    const first = context.first(slot);
    const count = context.count(slot);
    const status = context.blocks.read(namespace, first, count, to);
    if (status !== STATUS.SUCCESS) return status;
    const fields = context.payload.fields(slot, namespace);
    return context.payload.verify(namespace, first, count, to, fields);
  }

  /** With FUA, what is read or written is on the medium first. */
  protected settle(slot: number, namespace: Namespace): number {
    const { context } = this;
    if (!context.isForced(slot)) return STATUS.SUCCESS;
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
    return this.prepareRead(slot, namespace);
  }

  send(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { payload, here, health } = context;
    const count = context.count(slot);
    let status = this.load(slot, namespace, here);
    if (status === STATUS.SUCCESS)
      status = payload.deliver(slot, namespace, count, here, payload.fields(slot, namespace));
    if (status === STATUS.SUCCESS) health.read(count * namespace.block_bytes);
    return status;
  }
}

export class Write extends BlockCommand implements IoCommand {
  readonly access: Access = 'write';
  readonly known = WRITE_FIELDS;

  check(slot: number, namespace: Namespace): number {
    return this.checkBlocks(slot, namespace, DATA_TO_CONTROLLER);
  }

  delay(slot: number, namespace: Namespace): number {
    return this.context.writeTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { blocks, payload, here, health } = context;
    const first = context.first(slot);
    const count = context.count(slot);
    const fields = payload.fields(slot, namespace);
    let status = context.checkZone(namespace.zones?.writeProblem(first, count));
    if (status === STATUS.SUCCESS) status = payload.fetch(slot, namespace, count, here, fields);
    if (status === STATUS.SUCCESS) status = payload.protect(namespace, first, count, here, fields);
    if (status === STATUS.SUCCESS) status = blocks.write(namespace, first, count, here);
    if (status !== STATUS.SUCCESS) return status;
    namespace.zones?.advance(first, count);
    health.wrote(count * namespace.block_bytes);
    return this.settle(slot, namespace);
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
    const { there, health } = this.context;
    const status = this.fetch(slot, namespace, there);
    if (status !== STATUS.SUCCESS) return status;
    health.compared(this.context.count(slot) * namespace.block_bytes);
    return this.compareWith(slot, namespace, there);
  }

  /** Brings what the host expects, and checks its protection information like that of a Write. Returns a status. */
  fetch(slot: number, namespace: Namespace, to: Buffer): number {
    const { context } = this;
    const count = context.count(slot);
    const fields = context.payload.fields(slot, namespace);
    const status = context.payload.fetch(slot, namespace, count, to, fields);
    if (status !== STATUS.SUCCESS) return status;
    return context.payload.verify(namespace, context.first(slot), count, to, fields);
  }

  /** Compares the blocks with `expected`. Returns a status. */
  compareWith(slot: number, namespace: Namespace, expected: Buffer): number {
    const { context } = this;
    const { here, health, payload } = context;
    const count = context.count(slot);
    let status = this.prepareRead(slot, namespace);
    if (status === STATUS.SUCCESS) status = this.load(slot, namespace, here);
    if (status !== STATUS.SUCCESS) return status;
    const { u8 } = context.memory;
    for (let i = 0; i < count * namespace.block_bytes; i++) {
      if (u8[here.data + i] === u8[expected.data + i]) continue;
      return health.explain(STATUS.COMPARE_FAILURE, `byte ${i} of the compared data differs`);
    }
    if (payload.equalMetadata(namespace, count, here.metadata, expected.metadata)) return STATUS.SUCCESS;
    return health.explain(STATUS.COMPARE_FAILURE, 'the compared metadata differ');
  }
}

/** Reads the blocks and tells whether they could be read; no data move, so VSL limits it and MDTS does not. */
export class Verify extends BlockCommand implements IoCommand {
  readonly access: Access = 'read';
  readonly known = CHECK_FIELDS;

  check(slot: number, namespace: Namespace): number {
    const { context } = this;
    const first = context.first(slot);
    context.setPlace(slot, first * namespace.block_bytes);
    let status = context.checkSize(namespace, context.count(slot), context.profile.limits.verify);
    if (status === STATUS.SUCCESS) status = context.checkRange(namespace, first, context.count(slot));
    if (status !== STATUS.SUCCESS) return status;
    return context.payload.checkFields(namespace, first, context.payload.fields(slot, namespace));
  }

  delay(slot: number, namespace: Namespace): number {
    return this.readTime(slot, namespace);
  }

  execute(slot: number, namespace: Namespace): number {
    const status = this.prepareRead(slot, namespace);
    return status === STATUS.SUCCESS && namespace.metadata !== null ? this.#check(slot, namespace) : status;
  }

  /** More blocks than SRAM holds: one piece after the other. */
  #check(slot: number, namespace: Namespace): number {
    const { context } = this;
    const { payload, blocks, here } = context;
    const fields = payload.fields(slot, namespace);
    const first = context.first(slot);
    const count = context.count(slot);
    const most = context.maxTransfer / namespace.block_bytes;
    for (let done = 0; done < count; done += most) {
      const step = Math.min(most, count - done);
      const read = blocks.read(namespace, first + done, step, here);
      if (read !== STATUS.SUCCESS) return read;
      const piece = payload.fieldsAfter(namespace, fields, done);
      const status = payload.verify(namespace, first + done, step, here, piece);
      if (status !== STATUS.SUCCESS) return status;
    }
    return STATUS.SUCCESS;
  }
}

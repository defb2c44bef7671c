/**
 * Copy: ranges of blocks of a namespace, one after the other, to one place in it (NVM Command Set 1.1 §3.3). Every range
 * is checked before the first block is copied; DW0 of a failure is the range that was not copied.
 * Not here: formats 2 and 3, whose sources are in other namespaces.
 */
import { u64 } from '../../support/numbers.ts';
import type { Namespace } from '../namespace.ts';
import { DATA_TO_CONTROLLER } from '../slots.ts';
import { COPY_CDW12, COPY_RANGE_LONG, COPY_RANGE_SHORT, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';
import { isProtected, protectionFields } from './payload.ts';
import type { ProtectionFields } from './protection.ts';

/** OCFS of Identify: formats 0 and 1. */
export const COPY_FORMATS = 3;

const FORMAT = { SHORT: 0, LONG: 1 } as const;

/** The 80 bits of ELBT end with 48 bits of reference tag where the guard has 64 bits. */
const TAG_48_HIGH = COPY_RANGE_LONG.ELBT + 4;
const TAG_48_LOW = TAG_48_HIGH + 2;
const TWO_32 = 2 ** 32;

/** One source range. */
interface Source {
  readonly first: number;
  readonly count: number;
  /** What protection information its blocks must have (PRINFOR and the tags of the range). */
  readonly fields: ProtectionFields;
}

export class Copy implements IoCommand {
  readonly access: Access = 'write';
  readonly known = [
    [
      SQE.CDW12,
      COPY_CDW12.encode({
        NR: 0xff,
        DESFMT: 0xf,
        PRINFOR: 0xf,
        STCW: 1,
        STCR: 1,
        PRINFOW: 0xf,
        FUA: 1,
        LR: 1,
      }),
    ],
    [SQE.CDW13, 0],
  ] as const;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  check(slot: number, namespace: Namespace): number {
    const context = this.#context;
    const { NR, DESFMT } = COPY_CDW12.decode(context.dword(slot, SQE.CDW12));
    if (DESFMT > FORMAT.LONG)
      return context.refuse(`descriptor format ${DESFMT} is not supported`, SQE.CDW12 + 1);
    const isLong = namespace.metadata?.guard_bits === 64;
    if ((DESFMT === FORMAT.LONG) !== isLong) {
      const reason = `descriptor format ${DESFMT} is for namespaces with another guard`;
      return context.refuse(reason, SQE.CDW12 + 1);
    }
    const { copyRanges } = context.profile.limits;
    if (NR >= copyRanges) return this.#tooMuch(`${NR + 1} ranges`, copyRanges, SQE.CDW12);
    const status = this.#checkProtection(slot, namespace);
    if (status !== STATUS.SUCCESS) return status;
    context.setPlace(slot, context.first(slot) * namespace.block_bytes);
    return context.setData(slot, DATA_TO_CONTROLLER, (NR + 1) * rangeBytes(DESFMT));
  }

  #checkProtection(slot: number, namespace: Namespace): number {
    const context = this.#context;
    if (!isProtected(namespace)) return STATUS.SUCCESS;
    const fields = this.#fields(slot, namespace);
    const source = protectionFields(COPY_CDW12.PRINFOR.get(context.dword(slot, SQE.CDW12)), fields);
    if (source.isAction === fields.isAction)
      return context.payload.checkFields(namespace, context.first(slot), fields);
    const reason = 'PRACT must be the same for what is read and what is written';
    return context.refuse(reason, SQE.CDW12 + 1, STATUS.INVALID_PROTECTION_INFORMATION);
  }

  /** What becomes of the protection information of the destination (PRINFOW). */
  #fields(slot: number, namespace: Namespace): ProtectionFields {
    const prinfo = COPY_CDW12.PRINFOW.get(this.#context.dword(slot, SQE.CDW12));
    return this.#context.payload.fieldsOf(slot, namespace, prinfo);
  }

  delay(slot: number, namespace: Namespace): number {
    return this.#context.writeTime(slot, namespace, 1);
  }

  execute(slot: number, namespace: Namespace): number {
    const { transfer, data, slots } = this.#context;
    const fetched = transfer.fetch(slot, data);
    if (fetched !== STATUS.SUCCESS) return fetched;
    const sources = this.#sources(slot);
    const checked = this.#checkSources(slot, namespace, sources);
    if (checked !== STATUS.SUCCESS) return checked;
    const { payload } = this.#context;
    const start = this.#context.first(slot);
    const fields = this.#fields(slot, namespace);
    let to = start;
    for (const [index, source] of sources.entries()) {
      const made = payload.fieldsAfter(namespace, fields, to - start);
      const status = this.#copy(slot, namespace, source, to, made);
      if (status !== STATUS.SUCCESS) {
        slots.setResult(slot, index);
        return status;
      }
      to += source.count;
    }
    return this.#settle(slot, namespace, to);
  }

  // ---- check ------------------------------------------------------------------------------------------------------

  /** The ranges, which are in the data buffer. */
  #sources(slot: number): Source[] {
    const { memory, data, slots } = this.#context;
    const { NR, DESFMT, PRINFOR } = COPY_CDW12.decode(this.#context.dword(slot, SQE.CDW12));
    const size = rangeBytes(DESFMT);
    slots.setResult(slot, 0);
    return Array.from({ length: NR + 1 }, (_, index) => {
      const at = data + index * size;
      const word = (at + COPY_RANGE_SHORT.SLBA) >>> 2;
      return {
        first: u64(memory.u32[word]!, memory.u32[word + 1]!),
        count: memory.u16[(at + COPY_RANGE_SHORT.NLB) >>> 1]! + 1,
        fields: protectionFields(PRINFOR, this.#tags(at, DESFMT)),
      };
    });
  }

  #tags(at: number, format: number): Pick<ProtectionFields, 'reference' | 'tag' | 'tagMask'> {
    const { view } = this.#context.memory;
    const range = format === FORMAT.SHORT ? COPY_RANGE_SHORT : COPY_RANGE_LONG;
    const reference =
      format === FORMAT.SHORT
        ? view.getUint32(at + COPY_RANGE_SHORT.ELBRT, true)
        : view.getUint16(at + TAG_48_HIGH) * TWO_32 + view.getUint32(at + TAG_48_LOW);
    return {
      reference,
      tag: view.getUint16(at + range.ELBAT, true),
      tagMask: view.getUint16(at + range.ELBATM, true),
    };
  }

  #checkSources(slot: number, namespace: Namespace, sources: readonly Source[]): number {
    const context = this.#context;
    const to = context.first(slot);
    const { copyBlocks, copyRangeBlocks } = context.profile.limits;
    const total = sources.reduce((sum, { count }) => sum + count, 0);
    if (total > copyBlocks) return this.#tooMuch(`${total} blocks`, copyBlocks, SQE.PRP1);
    const range = context.checkRange(namespace, to, total);
    if (range !== STATUS.SUCCESS) return range;
    for (const [index, { first, count }] of sources.entries()) {
      context.slots.setResult(slot, index);
      if (count > copyRangeBlocks)
        return this.#tooMuch(`${count} blocks of range ${index}`, copyRangeBlocks, SQE.PRP1);
      let status = context.checkRange(namespace, first, count);
      if (status === STATUS.SUCCESS)
        status = context.payload.checkFields(namespace, first, sources[index]!.fields);
      if (status === STATUS.SUCCESS) status = context.checkZone(namespace.zones?.readProblem(first, count));
      if (status !== STATUS.SUCCESS) return status;
      if (first < to + total && to < first + count) {
        const reason = `range ${index}, blocks ${first} to ${first + count - 1}, lies in the destination`;
        return context.health.explain(STATUS.OVERLAPPING_IO_RANGE, reason, SQE.PRP1);
      }
    }
    return context.checkZone(namespace.zones?.writeProblem(to, total));
  }

  #tooMuch(what: string, limit: number, byte: number): number {
    const reason = `${what} are more than the namespace allows (${limit})`;
    return this.#context.refuse(reason, byte, STATUS.COMMAND_SIZE_LIMIT_EXCEEDED);
  }

  // ---- work -------------------------------------------------------------------------------------------------------

  #copy(
    slot: number,
    namespace: Namespace,
    { first, count, fields }: Source,
    to: number,
    made: ProtectionFields,
  ): number {
    const { blocks, payload, here, maxTransfer } = this.#context;
    const readable = blocks.checkReadable(namespace, first, count, this.#context.isLimited(slot));
    if (readable !== STATUS.SUCCESS) return readable;
    const most = maxTransfer / namespace.block_bytes;
    for (let done = 0; done < count; done += most) {
      const step = Math.min(most, count - done);
      const checked = payload.fieldsAfter(namespace, fields, done);
      const written = payload.fieldsAfter(namespace, made, done);
      let status = blocks.read(namespace, first + done, step, here);
      if (status === STATUS.SUCCESS) status = payload.verify(namespace, first + done, step, here, checked);
      if (status === STATUS.SUCCESS) status = payload.protect(namespace, to + done, step, here, written);
      if (status === STATUS.SUCCESS) status = blocks.write(namespace, to + done, step, here);
      if (status !== STATUS.SUCCESS) return status;
      namespace.zones?.advance(to + done, step);
    }
    return STATUS.SUCCESS;
  }

  #settle(slot: number, namespace: Namespace, end: number): number {
    const context = this.#context;
    const first = context.first(slot);
    const isForced = COPY_CDW12.FUA.get(context.dword(slot, SQE.CDW12)) === 1;
    return isForced ? context.blocks.persist(namespace, first, end - first) : STATUS.SUCCESS;
  }
}

const rangeBytes = (format: number): number =>
  format === FORMAT.SHORT ? COPY_RANGE_SHORT.SIZE : COPY_RANGE_LONG.SIZE;

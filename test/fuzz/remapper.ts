/**
 * The IOMMU of the fuzzer's machine and the software that programs it: a real remapping unit, tables in RAM of which one
 * page is mapped or unmapped at a time, and the invalidations that follow through the unit's queue. Every answer that the
 * unit gives is compared with what the machine says of the address, and every request that it blocks with its fault
 * record. Not here: which pages are mapped (world.ts).
 */
import { decodeCapabilities } from '../../iommu/capabilities.ts';
import { PageTable, type Permissions } from '../../iommu/page-table.ts';
import { QueueClient } from '../../iommu/queue-client.ts';
import {
  FAULT_RECORD_BYTES,
  FRCD_REASON,
  FRCD_SOURCE,
  FSTS,
  GCMD,
  GSTS,
  REG,
} from '../../iommu/spec/registers.ts';
import {
  CONTEXT,
  CONTEXT_DOMAIN,
  CONTEXT_ENTRY_BYTES,
  levelsOfWidth,
  ROOT,
  TRANSLATION_TYPE,
} from '../../iommu/spec/structures.ts';
import { IommuUnit } from '../../iommu/unit.ts';
import type { MessageTarget } from '../../machine/interrupts.ts';
import type { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { BLOCKED, type Translator } from '../../machine/pcie/translator.ts';
import { FREE_HOST, SERVER_HOST } from '../../machine/timing/host.ts';
import type { Trace } from '../../machine/trace.ts';
import { hex, PAGE_SIZE, u64 } from '../../support/numbers.ts';
import type { Dice } from './dice.ts';
import { Violation } from './violation.ts';

/** Pages that root, contexts, queue and tables take, with some to spare: whole units of 64 KiB. */
export const TABLE_PAGES = 32;
/** Requests of one step of the machine: a doorbell of many commands makes a few thousand. */
const REQUESTS_MAX = 200_000;
const ADDRESS_END = 2 ** 48;

export interface RemapperParts {
  readonly memory: Memory;
  readonly trace: Trace;
  readonly interrupts: MessageTarget;
  readonly dice: Dice;
  readonly requester: number;
  /** Physical address of `TABLE_PAGES` pages. */
  readonly tables: number;
  /** The answer that a request must get: a frame, BLOCKED or INTERRUPT_WINDOW. It may throw. */
  readonly expected: (iova: number, isWrite: boolean) => number;
}

export class Remapper implements Translator {
  readonly #takesTime: boolean;
  readonly #unit: IommuUnit;
  readonly #table: PageTable;
  readonly #queue: QueueClient;
  readonly #domain: number;
  readonly #mapsInvalidate: boolean;
  readonly #faultRecord: number;
  readonly #requester: number;
  readonly #expected: RemapperParts['expected'];
  #requests = 0;

  constructor({ memory, trace, interrupts, dice, requester, tables, expected }: RemapperParts) {
    const takesTime = dice.once(4);
    const unit = new IommuUnit({
      memory,
      trace,
      interrupts,
      host: takesTime ? SERVER_HOST : FREE_HOST,
      options: {
        cachingMode: dice.once(2),
        iotlbEntries: 8 << dice.below(7),
        tableBits: dice.pick([[39], [48], [39, 48]] as const),
        interruptRemapping: false,
      },
    });
    const capabilities = decodeCapabilities({
      capLow: unit.read32(REG.CAP),
      capHigh: unit.read32(REG.CAP + 4),
      ecapLow: unit.read32(REG.ECAP),
      ecapHigh: unit.read32(REG.ECAP + 4),
    });
    const pages = new Pages(memory, tables);
    const [root, contexts, top] = [pages.allocate(1), pages.allocate(1), pages.allocate(1)];
    const width = 31 - Math.clz32(capabilities.widths);
    this.#domain = 1 + dice.below(200);
    this.#takesTime = takesTime;
    this.#unit = unit;
    this.#table = new PageTable(memory, pages, top, levelsOfWidth(width), capabilities.leafLevelMax);
    this.#queue = new QueueClient({ registers: unit, memory, pages, capabilities, dmesg: () => {} });
    this.#mapsInvalidate = capabilities.cachingMode;
    this.#faultRecord = capabilities.faultRecordsAt;
    this.#requester = requester;
    this.#expected = expected;
    memory.u32[root >>> 2] = contexts | ROOT.P.mask;
    const entry = (contexts + (requester & 0xff) * CONTEXT_ENTRY_BYTES) >>> 2;
    memory.u32[entry] = top | CONTEXT.encode({ P: 1, TT: TRANSLATION_TYPE.SECOND_STAGE });
    memory.u32[entry + 2] = CONTEXT_DOMAIN.encode({ AW: width, DID: this.#domain });
    this.#start(root);
  }

  #start(root: number): void {
    const unit = this.#unit;
    this.#queue.open();
    unit.write32(REG.GCMD, GCMD.QIE.mask);
    unit.write32(REG.RTADDR, root);
    unit.write32(REG.GCMD, GCMD.QIE.mask | GCMD.SRTP.mask);
    this.#queue.allContexts();
    this.#queue.allTranslations();
    unit.write32(REG.GCMD, (GCMD.QIE.mask | GCMD.TE.mask) >>> 0);
    if (GSTS.TES.get(unit.read32(REG.GSTS)) === 0) throw new Error('the remapping unit does not translate');
  }

  // ---- tables -------------------------------------------------------------------------------------------------------

  /** Maps pages that are not mapped. */
  map(iova: number, physical: number, pages: number, permissions: Permissions): void {
    this.#table.map(iova, physical, pages * PAGE_SIZE, permissions, 1);
    if (this.#mapsInvalidate) this.invalidate(iova, pages);
  }

  /** Takes pages away, which may be mapped or not. */
  unmap(iova: number, pages: number): void {
    this.#table.unmap(iova, pages * PAGE_SIZE);
    this.invalidate(iova, pages);
  }

  /** Waits until the unit has forgotten what it knows of these pages. */
  invalidate(iova: number, pages: number): void {
    const error = this.#queue.range(this.#domain, iova, pages * PAGE_SIZE, true);
    if (error !== 0) throw new Error(`the remapping unit refused an invalidation with ${error}`);
  }

  /** The physical address that the tables give to `iova`, or -1. */
  lookup(iova: number): number {
    return this.#table.lookup(iova);
  }

  // ---- requests -----------------------------------------------------------------------------------------------------

  /** Something else happens: requests are counted anew. */
  step(): void {
    this.#requests = 0;
  }

  frame(requester: number, low: number, high: number, isWrite: boolean): number {
    const iova = u64(low, high);
    const expected = this.#expected(iova, isWrite);
    if (++this.#requests > REQUESTS_MAX)
      throw new Violation('endless', `${REQUESTS_MAX} requests for memory in one step, now at ${hex(iova)}`);
    const frame = this.#unit.frame(requester, low, high, isWrite);
    if (frame !== expected) {
      const what = `${isWrite ? 'write to' : 'read of'} ${hex(iova)}`;
      throw new Violation('unmapped', `the IOMMU makes of a ${what} ${frame}, and it should be ${expected}`);
    }
    if (frame === BLOCKED) this.#checkFault(iova, isWrite);
    return frame;
  }

  known(): number {
    return 0;
  }

  /** The request is recorded as the fault of this function at this page; software then clears the record. */
  #checkFault(iova: number, isWrite: boolean): void {
    const unit = this.#unit;
    const at = this.#faultRecord;
    const page = u64(unit.read32(at), unit.read32(at + 4));
    const [source, reason] = [unit.read32(at + 8), unit.read32(at + 12)];
    const isRecorded =
      FSTS.PPF.get(unit.read32(REG.FSTS)) === 1 &&
      FRCD_REASON.F.get(reason) === 1 &&
      FRCD_REASON.T1.get(reason) === (isWrite ? 0 : 1) &&
      FRCD_SOURCE.SID.get(source) === this.#requester;
    if (!isRecorded || (iova < ADDRESS_END && page !== Math.floor(iova / PAGE_SIZE) * PAGE_SIZE))
      throw new Violation(
        'unmapped',
        `the IOMMU blocked a request at ${hex(iova)} and recorded ${hex(page)}`,
      );
    unit.write32(at + FAULT_RECORD_BYTES - 4, FRCD_REASON.F.mask);
  }

  cost_ns(requester: number, iova: number): number {
    return this.#takesTime ? this.#unit.cost_ns(requester, iova) : 0;
  }

  interrupt(requester: number, address: number, data: number): boolean {
    return this.#unit.interrupt(requester, address, data);
  }
}

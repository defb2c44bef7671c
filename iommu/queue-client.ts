/**
 * The software end of queued invalidation, as the kernel uses it: one descriptor, one wait descriptor, then spin on the
 * status word (Linux `qi_submit_sync`). It knows the unit only through its registers and the ring in RAM.
 * Not here: what hardware does with a descriptor (invalidation-queue.ts), lazy flushing (every request is waited for).
 */

import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { RegisterBlock } from '../machine/pcie/root-complex.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { highWord, lowWord, PAGE_SIZE } from '../support/numbers.ts';
import type { Capabilities } from './capabilities.ts';
import { FSTS, GRANULARITY, IQERCD, REG } from './spec/registers.ts';
import {
  CONTEXT_INVALIDATE,
  CONTEXT_INVALIDATE_SOURCE,
  DESCRIPTOR,
  DESCRIPTOR_BYTES,
  DESCRIPTOR_TYPE,
  INTERRUPT_INVALIDATE,
  INTERRUPT_INVALIDATE_INDEX,
  INVALIDATION_WAIT,
  IOTLB_INVALIDATE,
  IOTLB_INVALIDATE_ADDRESS,
} from './spec/structures.ts';

const ENOMEM = 12;
const EINVAL = 22;
/** Descriptors of a one-page queue (QS 0). */
const LENGTH = PAGE_SIZE / DESCRIPTOR_BYTES;
/** Words of the status array, one per descriptor. */
const IN_USE = 1;
const DONE = 2;
/** Polls of the status word before the hardware counts as broken. */
const POLLS_MAX = 100_000_000;
const WAIT = INVALIDATION_WAIT.encode({ TYPE: DESCRIPTOR_TYPE.WAIT, SW: 1 });
const TYPE_NAMES: Readonly<Record<number, string>> = {
  [DESCRIPTOR_TYPE.CONTEXT]: 'Context-cache Invalidation',
  [DESCRIPTOR_TYPE.IOTLB]: 'IOTLB Invalidation',
  [DESCRIPTOR_TYPE.DEVICE_TLB]: 'Device-TLB Invalidation',
  [DESCRIPTOR_TYPE.INTERRUPT]: 'Interrupt Entry Cache Invalidation',
  [DESCRIPTOR_TYPE.WAIT]: 'Invalidation Wait',
};

/**
 * The smallest naturally aligned power of two of pages that covers a range (Linux `calculate_psi_aligned_address`).
 * Returns its log2, the address mask of a page-selective invalidation.
 */
export function addressMaskFor(iova: number, bytes: number): number {
  let first = iova / PAGE_SIZE;
  let last = first + bytes / PAGE_SIZE - 1;
  let mask = 0;
  while (first !== last) {
    first = Math.floor(first / 2);
    last = Math.floor(last / 2);
    mask++;
  }
  return mask;
}

export interface QueueClientParts {
  readonly registers: RegisterBlock;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly capabilities: Capabilities;
  readonly dmesg: (line: string) => void;
}

export class QueueClient {
  readonly #registers: RegisterBlock;
  readonly #memory: Memory;
  readonly #pages: Pages;
  readonly #capabilities: Capabilities;
  readonly #dmesg: (line: string) => void;
  readonly #drain: number;
  #queue = 0;
  #status = 0;
  #tail = 0;

  constructor(parts: QueueClientParts) {
    this.#registers = parts.registers;
    this.#memory = parts.memory;
    this.#pages = parts.pages;
    this.#capabilities = parts.capabilities;
    this.#dmesg = parts.dmesg;
    const { drainReads, drainWrites } = parts.capabilities;
    this.#drain = IOTLB_INVALIDATE.encode({ DR: Number(drainReads), DW: Number(drainWrites) });
  }

  /** Allocates the ring and its status words and tells the unit. Returns 0 or -ENOMEM; GCMD.QIE is the caller's. */
  open(): number {
    const run = this.#pages.allocate(2);
    if (run === -1) return -ENOMEM;
    this.#queue = run;
    this.#status = run + PAGE_SIZE;
    this.#tail = 0;
    this.#registers.write32(REG.IQT, 0);
    this.#registers.write32(REG.IQA, lowWord(this.#queue));
    this.#registers.write32(REG.IQA + 4, highWord(this.#queue));
    return 0;
  }

  /** Drops every context entry. This and what follows return 0, or -EINVAL when hardware refused the descriptor. */
  allContexts(): number {
    return this.#submit(
      CONTEXT_INVALIDATE.encode({ TYPE: DESCRIPTOR_TYPE.CONTEXT, G: GRANULARITY.GLOBAL }),
      0,
      0,
      0,
    );
  }

  /** Drops the context entry of one requester, tagged with `domainId` (0 for one that was not present). */
  context(domainId: number, requester: number): number {
    const fields = { TYPE: DESCRIPTOR_TYPE.CONTEXT, G: GRANULARITY.SELECTIVE, DID: domainId };
    return this.#submit(
      CONTEXT_INVALIDATE.encode(fields),
      CONTEXT_INVALIDATE_SOURCE.SID.set(0, requester),
      0,
      0,
    );
  }

  /** Drops every translation. */
  allTranslations(): number {
    return this.#translations(GRANULARITY.GLOBAL, 0, 0, 0);
  }

  /** Drops every translation of a domain. */
  domain(domainId: number): number {
    return this.#translations(GRANULARITY.DOMAIN, domainId, 0, 0);
  }

  /**
   * Drops the translations of a range, or of the whole domain when the range is larger than one descriptor can name.
   * `leafOnly` says that no table was unlinked, so that hardware may keep cached tables.
   */
  range(domainId: number, iova: number, bytes: number, leafOnly: boolean): number {
    const mask = addressMaskFor(iova, bytes);
    const { pageSelective, addressMaskMax } = this.#capabilities;
    if (!pageSelective || mask > addressMaskMax) return this.domain(domainId);
    const block = PAGE_SIZE * 2 ** mask;
    const address = Math.floor(iova / block) * block;
    const low = lowWord(address) | mask | (leafOnly ? IOTLB_INVALIDATE_ADDRESS.IH.mask : 0);
    return this.#translations(GRANULARITY.SELECTIVE, domainId, low, highWord(address));
  }

  /** Drops every interrupt remapping entry. */
  allInterrupts(): number {
    return this.#submit(INTERRUPT_INVALIDATE.encode({ TYPE: DESCRIPTOR_TYPE.INTERRUPT, G: 0 }), 0, 0, 0);
  }

  /** Drops one interrupt remapping entry. */
  interruptEntry(index: number): number {
    const word0 = INTERRUPT_INVALIDATE.encode({ TYPE: DESCRIPTOR_TYPE.INTERRUPT, G: 1 });
    return this.#submit(word0, INTERRUPT_INVALIDATE_INDEX.IIDX.set(0, index), 0, 0);
  }

  #translations(granularity: number, domainId: number, word2: number, word3: number): number {
    const word0 =
      DESCRIPTOR_TYPE.IOTLB | IOTLB_INVALIDATE.G.set(0, granularity) | IOTLB_INVALIDATE.DID.set(0, domainId);
    return this.#submit(word0 | this.#drain, 0, word2, word3);
  }

  #submit(word0: number, word1: number, word2: number, word3: number): number {
    const index = this.#tail;
    const wait = (index + 1) & (LENGTH - 1);
    const status = this.#status + wait * 4;
    this.#write(index, word0, word1, word2, word3);
    this.#write(wait, WAIT, DONE, status, 0);
    Atomics.store(this.#memory.i32, status >>> 2, IN_USE);
    this.#tail = (wait + 1) & (LENGTH - 1);
    this.#registers.write32(REG.IQT, this.#tail * DESCRIPTOR_BYTES);
    for (let polls = 0; polls < POLLS_MAX; polls++) {
      if (Atomics.load(this.#memory.i32, status >>> 2) === DONE) return 0;
      const faults = this.#registers.read32(REG.FSTS);
      if (FSTS.IQE.get(faults) === 1) return this.#recover(index, wait);
    }
    throw new Error('assertion failed: the remapping unit never completed an invalidation');
  }

  /** Hardware stopped at our descriptor: reports it, puts a copy of the wait descriptor in its place and goes on. */
  #recover(index: number, wait: number): number {
    const reason = IQERCD.IQEI.get(this.#registers.read32(REG.IQERCD));
    const prior = (index - 1) & (LENGTH - 1);
    this.#dmesg(`DMAR: VT-d detected Invalidation Queue Error: Reason ${reason.toString(16)}`);
    this.#dmesg(`DMAR: QI HEAD: ${this.#describe(index)}`);
    this.#dmesg(`DMAR: QI PRIOR: ${this.#describe(prior)}`);
    assert(
      this.#registers.read32(REG.IQH) === index * DESCRIPTOR_BYTES,
      'the queue stopped at a foreign descriptor',
    );
    this.#memory.copy(
      this.#queue + index * DESCRIPTOR_BYTES,
      this.#queue + wait * DESCRIPTOR_BYTES,
      DESCRIPTOR_BYTES,
    );
    this.#registers.write32(REG.FSTS, FSTS.IQE.mask);
    this.#dmesg('DMAR: Invalidation Queue Error (IQE) cleared');
    return -EINVAL;
  }

  #write(index: number, word0: number, word1: number, word2: number, word3: number): void {
    const ram = this.#memory.u32;
    const at = (this.#queue + index * DESCRIPTOR_BYTES) >>> 2;
    ram[at] = word0;
    ram[at + 1] = word1;
    ram[at + 2] = word2;
    ram[at + 3] = word3;
  }

  #describe(index: number): string {
    const at = this.#queue + index * DESCRIPTOR_BYTES;
    const word0 = this.#memory.u32[at >>> 2]!;
    const quad = (offset: number): string => this.#memory.view.getBigUint64(at + offset, true).toString(16);
    return `${TYPE_NAMES[DESCRIPTOR.TYPE.get(word0)] ?? 'UNKNOWN'} qw0 = 0x${quad(0)}, qw1 = 0x${quad(8)}`;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#queue = a.value(this.#queue);
    this.#status = a.value(this.#status);
    this.#tail = a.value(this.#tail);
  }
}

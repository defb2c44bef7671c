/**
 * The hardware end of queued invalidation: fetches 128-bit descriptors from the ring in memory, carries them out in
 * order, writes the status of wait descriptors (VT-d 4.1 §6.5.2). A bad descriptor stops the queue with FSTS.IQE until
 * software clears it. Not here: 256-bit descriptors (scalable mode), device TLBs, the software end (queue-client.ts).
 */

import type { Memory } from '../machine/memory.ts';
import type { Archive } from '../support/archive.ts';
import { u64 } from '../support/numbers.ts';
import type { EventMessage } from './event-message.ts';
import type { FaultLog } from './fault-log.ts';
import type { InterruptRemapping } from './interrupt-remapping.ts';
import type { Invalidation } from './invalidation.ts';
import { ICS, IQA, IQERCD, QUEUE_ERROR, REG } from './spec/registers.ts';
import {
  CONTEXT_INVALIDATE,
  CONTEXT_INVALIDATE_SOURCE,
  DESCRIPTOR,
  DESCRIPTOR_BYTES,
  DESCRIPTOR_RESERVED,
  DESCRIPTOR_TYPE,
  INTERRUPT_INVALIDATE,
  INTERRUPT_INVALIDATE_INDEX,
  INVALIDATION_WAIT,
  IOTLB_INVALIDATE,
  IOTLB_INVALIDATE_ADDRESS,
} from './spec/structures.ts';

const HEAD = REG.IQH >>> 2;
const TAIL = REG.IQT >>> 2;
const ADDRESS = REG.IQA >>> 2;
const ERROR = REG.IQERCD >>> 2;
const COMPLETION = REG.ICS >>> 2;
const TAIL_MASK = 0x7_fff0;
const PAGE_BYTES = 4096;

export interface InvalidationQueueParts {
  readonly registers: Uint32Array;
  readonly memory: Memory;
  readonly faults: FaultLog;
  /** The completion event (IECTL). */
  readonly completion: EventMessage;
  readonly invalidation: Invalidation;
  readonly remapping: InterruptRemapping;
}

export class InvalidationQueue {
  readonly #registers: Uint32Array;
  readonly #memory: Memory;
  readonly #faults: FaultLog;
  readonly #completion: EventMessage;
  readonly #invalidation: Invalidation;
  readonly #remapping: InterruptRemapping;
  #enabled = false;
  /** True between IQE and its clearing. */
  #stopped = false;
  /** True while descriptors are carried out: a completion handler may move the tail meanwhile. */
  #running = false;

  constructor(parts: InvalidationQueueParts) {
    this.#registers = parts.registers;
    this.#memory = parts.memory;
    this.#faults = parts.faults;
    this.#completion = parts.completion;
    this.#invalidation = parts.invalidation;
    this.#remapping = parts.remapping;
  }

  /** Starts at descriptor 0, or stops and goes back there. */
  enable(isOn: boolean): void {
    this.#enabled = isOn;
    this.#registers[HEAD] = 0;
    if (isOn) this.#run();
  }

  /** Software wrote IQT. */
  moveTail(value: number): void {
    this.#registers[TAIL] = value & TAIL_MASK;
    this.#run();
  }

  /** Software cleared FSTS.IQE: the descriptor at the head is fetched again. */
  resume(): void {
    this.#stopped = false;
    this.#run();
  }

  /** Software wrote ICS: acknowledges a completion event. */
  acknowledge(value: number): void {
    if (ICS.IWC.get(value) === 0) return;
    this.#registers[COMPLETION] = 0;
    this.#completion.settle();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    const registers = this.#registers;
    while (this.#enabled && !this.#stopped && registers[HEAD] !== registers[TAIL]) {
      const error = this.#step(registers[HEAD]!);
      if (error !== 0) this.#stop(error);
    }
    this.#running = false;
  }

  /** Carries out the descriptor at `head` and moves past it. Returns an IQEI code, or 0. */
  #step(head: number): number {
    const registers = this.#registers;
    const queue = registers[ADDRESS]!;
    const bytes = PAGE_BYTES << IQA.QS.get(queue);
    if (IQA.DW.get(queue) === 1) return QUEUE_ERROR.INVALID_WIDTH;
    if (registers[TAIL]! >= bytes) return QUEUE_ERROR.INVALID_TAIL;
    const address = u64(queue & IQA.BASE.mask, registers[ADDRESS + 1]!) + head;
    if (address >= this.#memory.ramBytes) return QUEUE_ERROR.FETCH;
    const error = this.#execute(address >>> 2);
    if (error === 0 && this.#enabled)
      registers[HEAD] = head + DESCRIPTOR_BYTES === bytes ? 0 : head + DESCRIPTOR_BYTES;
    return error;
  }

  /** One descriptor, `at` words into RAM. Returns an IQEI code, or 0. */
  #execute(at: number): number {
    const ram = this.#memory.u32;
    const word0 = ram[at]!;
    const word1 = ram[at + 1]!;
    const word2 = ram[at + 2]!;
    const word3 = ram[at + 3]!;
    const type = DESCRIPTOR.TYPE.get(word0);
    const reserved = DESCRIPTOR_RESERVED[type];
    if (reserved === undefined || DESCRIPTOR.TYPE_HIGH.get(word0) !== 0) return QUEUE_ERROR.INVALID_TYPE;
    const bad = (word0 & reserved[0]) | (word1 & reserved[1]) | (word2 & reserved[2]) | (word3 & reserved[3]);
    if (bad !== 0) return QUEUE_ERROR.RESERVED_FIELD;
    let isValid = true;
    if (type === DESCRIPTOR_TYPE.IOTLB) isValid = this.#invalidateTranslations(word0, word2, word3);
    else if (type === DESCRIPTOR_TYPE.WAIT) this.#wait(word0, word1, u64(word2, word3));
    else if (type === DESCRIPTOR_TYPE.CONTEXT) isValid = this.#invalidateContexts(word0, word1);
    else this.#invalidateInterrupts(word0, word1);
    return isValid ? 0 : QUEUE_ERROR.RESERVED_FIELD;
  }

  #invalidateTranslations(word0: number, word2: number, word3: number): boolean {
    const address = u64(word2 & IOTLB_INVALIDATE_ADDRESS.ADDR.mask, word3);
    const addressMask = IOTLB_INVALIDATE_ADDRESS.AM.get(word2);
    const domainId = IOTLB_INVALIDATE.DID.get(word0);
    const leavesOnly = IOTLB_INVALIDATE_ADDRESS.IH.get(word2) === 1;
    const granularity = IOTLB_INVALIDATE.G.get(word0);
    return this.#invalidation.translations(granularity, domainId, address, addressMask, leavesOnly);
  }

  #invalidateContexts(word0: number, word1: number): boolean {
    const requester = CONTEXT_INVALIDATE_SOURCE.SID.get(word1);
    const functionMask = CONTEXT_INVALIDATE_SOURCE.FM.get(word1);
    const domainId = CONTEXT_INVALIDATE.DID.get(word0);
    return this.#invalidation.contexts(CONTEXT_INVALIDATE.G.get(word0), domainId, requester, functionMask);
  }

  #invalidateInterrupts(word0: number, word1: number): void {
    if (INTERRUPT_INVALIDATE.G.get(word0) === 0) this.#remapping.dropAll();
    else {
      const mask = INTERRUPT_INVALIDATE.IM.get(word0);
      this.#remapping.drop(INTERRUPT_INVALIDATE_INDEX.IIDX.get(word1), mask);
    }
  }

  /** Every earlier descriptor is done when this one runs: writes the status, then raises the completion event. */
  #wait(word0: number, data: number, address: number): void {
    if (INVALIDATION_WAIT.SW.get(word0) === 1 && address < this.#memory.ramBytes) {
      Atomics.store(this.#memory.i32, address >>> 2, data | 0);
    }
    if (INVALIDATION_WAIT.IF.get(word0) === 0 || this.#registers[COMPLETION] !== 0) return;
    this.#registers[COMPLETION] = ICS.IWC.mask;
    this.#completion.raise();
  }

  #stop(error: number): void {
    this.#stopped = true;
    this.#registers[ERROR] = IQERCD.IQEI.set(0, error);
    this.#faults.recordQueueError();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#enabled = a.value(this.#enabled);
    this.#stopped = a.value(this.#stopped);
  }
}

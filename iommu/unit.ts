/**
 * The remapping unit as the fabric sees it: a block of registers with the enable protocol (VT-d 4.1 §11.4, legacy
 * mode), and the translator that the root complex asks. It joins the parts and owns none of their work:
 * requests (request-path.ts), messages (interrupt-remapping.ts), faults (fault-log.ts), queued invalidation
 * (invalidation-queue.ts). The software that programs all this is driver.ts.
 */

import type { MessageTarget } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { RegisterBlock } from '../machine/pcie/root-complex.ts';
import type { Translator } from '../machine/pcie/translator.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import { T, type Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import { alignUp, highWord, lowWord, PAGE_SIZE, u64 } from '../support/numbers.ts';
import { DEFAULT_UNIT, decodeCapabilities, encodeCapabilities, type UnitOptions } from './capabilities.ts';
import { ContextCache } from './context-cache.ts';
import { EventMessage } from './event-message.ts';
import { FaultLog } from './fault-log.ts';
import { InterruptRemapping } from './interrupt-remapping.ts';
import { Invalidation } from './invalidation.ts';
import { InvalidationQueue } from './invalidation-queue.ts';
import { Iotlb } from './iotlb.ts';
import { RequestPath } from './request-path.ts';
import {
  CCMD_HIGH,
  FAULT_RECORD_BYTES,
  GCMD,
  GSTS,
  IOTLB_HIGH,
  REG,
  RTADDR,
  VERSION,
} from './spec/registers.ts';
import { walkLimits } from './walk.ts';

const ALL_ONES = 0xffff_ffff;
/** Registers that only keep what is written, with their writable bits. */
const PLAIN: Readonly<Record<number, number>> = {
  [REG.RTADDR]: 0xffff_fc00,
  [REG.RTADDR + 4]: ALL_ONES,
  [REG.CCMD]: ALL_ONES,
  [REG.IQA]: 0xffff_f807,
  [REG.IQA + 4]: ALL_ONES,
  [REG.IRTA]: 0xffff_f80f,
  [REG.IRTA + 4]: ALL_ONES,
};
/** Writable bits of the registers whose upper word is a command. */
const CCMD_HIGH_MASK = 0xe000_0003;
const IOTLB_HIGH_MASK = 0xb003_ffff;
const EVENT_BYTES = 16;
/** The invalidate address and IOTLB registers, from ECAP.IRO: the last word is the command. */
const IOTLB_BYTES = 16;
const IOTLB_COMMAND = 12;

export interface IommuUnitParts {
  readonly memory: Memory;
  readonly trace: Trace;
  readonly interrupts: MessageTarget;
  readonly host: HostProfile;
  /** Defaults to `DEFAULT_UNIT`. */
  readonly options?: Partial<UnitOptions>;
}

export class IommuUnit implements Translator, RegisterBlock {
  /** Bytes its registers take in the address map. */
  readonly registerBytes: number;
  private readonly registers: Uint32Array;
  private readonly faultRecordsAt: number;
  private readonly iotlbRegistersAt: number;
  /** For looking at; requests of devices change it. */
  readonly iotlb: Iotlb;
  private readonly faults: FaultLog;
  private readonly faultEvent: EventMessage;
  private readonly completionEvent: EventMessage;
  private readonly invalidation: Invalidation;
  private readonly queue: InvalidationQueue;
  private readonly remapping: InterruptRemapping;
  private readonly requests: RequestPath;

  constructor({ memory, trace, interrupts, host, options: chosen }: IommuUnitParts) {
    const options = { ...DEFAULT_UNIT, ...chosen };
    const words = encodeCapabilities(options);
    const { faultRecordsAt, faultRecords, iotlbRegistersAt, widths } = decodeCapabilities(words);
    const end = faultRecordsAt + faultRecords * FAULT_RECORD_BYTES;
    const registers = new Uint32Array(end >>> 2);
    registers[REG.VER >>> 2] = VERSION;
    registers.set([words.capLow, words.capHigh, words.ecapLow, words.ecapHigh], REG.CAP >>> 2);
    this.registerBytes = alignUp(end, PAGE_SIZE);
    this.registers = registers;
    this.faultRecordsAt = faultRecordsAt;
    this.iotlbRegistersAt = iotlbRegistersAt;

    const faultEvent = new EventMessage(registers, REG.FECTL, interrupts);
    const completion = new EventMessage(registers, REG.IECTL, interrupts);
    const faults = new FaultLog(registers, faultEvent, faultRecordsAt, faultRecords);
    const contexts = new ContextCache();
    const iotlb = new Iotlb(options.iotlbEntries);
    const invalidation = new Invalidation(contexts, iotlb, options.addressMaskMax, trace);
    const remapping = new InterruptRemapping(memory, interrupts, (requester, index, reason) => {
      if (trace.on) trace.emit(T.IOMMU_FAULT, requester, index, reason, 1);
      faults.recordInterrupt(requester, index, reason);
    });
    const limits = walkLimits(options, widths);
    this.requests = new RequestPath({ memory, trace, host, limits, contexts, iotlb, faults });
    this.queue = new InvalidationQueue({ registers, memory, faults, completion, invalidation, remapping });
    this.iotlb = iotlb;
    this.faults = faults;
    this.faultEvent = faultEvent;
    this.completionEvent = completion;
    this.invalidation = invalidation;
    this.remapping = remapping;
  }

  // ---- requests of devices ----------------------------------------------------------------------------------------

  frame(requester: number, low: number, high: number, isWrite: boolean): number {
    return this.requests.frame(requester, low, high, isWrite);
  }

  known(
    requester: number,
    low: number,
    high: number,
    isWrite: boolean,
    frame: number,
    limit: number,
  ): number {
    return this.requests.known(requester, low, high, isWrite, frame, limit);
  }

  /** The physical byte address for a request, or what `frame` says when it may not proceed. */
  translate(requester: number, iova: number, isWrite: boolean): number {
    const frame = this.frame(requester, lowWord(iova), highWord(iova), isWrite);
    return frame < 0 ? frame : frame * PAGE_SIZE + (iova & (PAGE_SIZE - 1));
  }

  cost_ns(requester: number, iova: number): number {
    return this.requests.cost_ns(requester, iova);
  }

  interrupt(requester: number, address: number, data: number): boolean {
    return this.remapping.request(requester, address, data);
  }

  // ---- registers ----------------------------------------------------------------------------------------------------

  read32(offset: number): number {
    return this.registers[offset >>> 2] ?? ALL_ONES;
  }

  write32(offset: number, value: number): void {
    switch (offset) {
      case REG.IQT:
        this.queue.moveTail(value);
        break;
      case REG.GCMD:
        this.#command(value);
        break;
      case REG.CCMD + 4:
        this.#contextCommand(value);
        break;
      case REG.FSTS:
        if (this.faults.clearStatus(value)) this.queue.resume();
        break;
      case REG.ICS:
        this.queue.acknowledge(value);
        break;
      default:
        this.#writeGroup(offset, value);
    }
  }

  /** Plain registers, then those that come in groups. A write to anything else is dropped. */
  #writeGroup(offset: number, value: number): void {
    const mask = PLAIN[offset];
    const iotlb = offset - this.iotlbRegistersAt;
    const record = offset - this.faultRecordsAt;
    const isIotlb = iotlb >= 0 && iotlb < IOTLB_BYTES;
    const isRecord = record >= 0 && offset >>> 2 < this.registers.length;
    if (mask !== undefined) this.registers[offset >>> 2] = value & mask;
    else if (isIn(REG.FECTL, offset)) this.faultEvent.write(offset - REG.FECTL, value);
    else if (isIn(REG.IECTL, offset)) this.completionEvent.write(offset - REG.IECTL, value);
    else if (isIotlb && iotlb < IOTLB_COMMAND) this.registers[offset >>> 2] = value;
    else if (isIotlb) this.#iotlbCommand(offset, value);
    else if (isRecord) this.faults.writeRecord(record, value);
  }

  /** CCMD, upper word. Register-based invalidation is not carried out while the queue is enabled. */
  #contextCommand(value: number): void {
    const at = (REG.CCMD >>> 2) + 1;
    const high = value & CCMD_HIGH_MASK;
    this.registers[at] = high;
    if (CCMD_HIGH.ICC.get(high) === 0 || this.#status(GSTS.QIES.mask)) return;
    this.registers[at] = this.invalidation.contextCommand(this.registers[at - 1]!, high);
  }

  /** IOTLB register, upper word; IVA is the register before it. */
  #iotlbCommand(offset: number, value: number): void {
    const registers = this.registers;
    const at = offset >>> 2;
    const high = value & IOTLB_HIGH_MASK;
    registers[at] = high;
    if (IOTLB_HIGH.IVT.get(high) === 0 || this.#status(GSTS.QIES.mask)) return;
    registers[at] = this.invalidation.iotlbCommand(registers[at - 3]!, registers[at - 2]!, high);
  }

  /** GCMD: persistent bits that changed and one-shot bits that are set, each answered in GSTS (§11.4.4). */
  #command(value: number): void {
    const changed = value ^ this.registers[REG.GSTS >>> 2]!;
    if ((value & GCMD.SRTP.mask) !== 0) this.#setRoot();
    if ((changed & GCMD.TE.mask) !== 0) this.#setTranslation((value & GCMD.TE.mask) !== 0);
    if ((changed & GCMD.QIE.mask) !== 0) {
      this.#setStatus(GSTS.QIES.mask, (value & GCMD.QIE.mask) !== 0);
      this.queue.enable((value & GCMD.QIE.mask) !== 0);
    }
    if ((value & GCMD.SIRTP.mask) !== 0) {
      this.remapping.setTable(this.registers[REG.IRTA >>> 2]!, this.registers[(REG.IRTA >>> 2) + 1]!);
      this.#setStatus(GSTS.IRTPS.mask, true);
    }
    if ((changed & (GCMD.IRE.mask | GCMD.CFI.mask)) !== 0) {
      this.remapping.enabled = (value & GCMD.IRE.mask) !== 0;
      this.remapping.compatibilityAllowed = (value & GCMD.CFI.mask) !== 0;
      this.#setStatus(GSTS.IRES.mask, this.remapping.enabled);
      this.#setStatus(GSTS.CFIS.mask, this.remapping.compatibilityAllowed);
    }
  }

  #setRoot(): void {
    const low = this.registers[REG.RTADDR >>> 2]!;
    const root = u64(low & RTADDR.BASE.mask, this.registers[(REG.RTADDR >>> 2) + 1]!);
    this.requests.setRoot(root, RTADDR.TTM.get(low));
    this.#setStatus(GSTS.RTPS.mask, true);
  }

  /** Both edges empty the caches: nothing cached may answer while translation is off. */
  #setTranslation(isOn: boolean): void {
    this.invalidation.everything();
    this.requests.enable(isOn);
    this.#setStatus(GSTS.TES.mask, isOn);
  }

  #status(mask: number): boolean {
    return (this.registers[REG.GSTS >>> 2]! & mask) !== 0;
  }

  #setStatus(mask: number, isSet: boolean): void {
    const at = REG.GSTS >>> 2;
    this.registers[at] = isSet ? this.registers[at]! | mask : this.registers[at]! & ~mask;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.registers);
    this.requests.archive(a);
    this.faults.archive(a);
    this.queue.archive(a);
    this.remapping.archive(a);
  }
}

/** True when `offset` is one of the four registers of an event. */
const isIn = (event: number, offset: number): boolean => offset >= event && offset < event + EVENT_BYTES;

/**
 * A remapping unit on a bench: RAM, tables written by hand, registers poked one by one. Tests of the hardware use it;
 * tests of the software side boot `IommuDriver` on top of it.
 */
import type { UnitOptions } from '../../iommu/capabilities.ts';
import { REG } from '../../iommu/spec/registers.ts';
import { IommuUnit } from '../../iommu/unit.ts';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { Memory } from '../../machine/memory.ts';
import { FREE_HOST, type HostProfile } from '../../machine/timing/host.ts';
import { Trace } from '../../machine/trace.ts';

/** 00:04.0, the device of vtd-cases. */
export const DEVICE = 0x20;
export const DOMAIN = 2;
export const ROOT = 0x10_0000;
export const CONTEXTS = 0x10_1000;
export const TOP = 0x10_2000;
const QUEUE = 0x10_8000;
const FIRST_FREE_TABLE = 0x20_0000;
export const R = 1;
export const W = 2;
export const RW = 3;
export const PS = 0x80;
/** A mapped page of the rig: IOVA and where it goes. */
export const IOVA = 0x1234_5000;
export const PAGE = 0x40_0000;

export const GCMD = {
  TE: 0x8000_0000,
  SRTP: 0x4000_0000,
  QIE: 0x0400_0000,
  IRE: 0x0200_0000,
  SIRTP: 0x0100_0000,
  CFI: 0x0080_0000,
};

export interface FaultRecord {
  readonly sid: number;
  readonly address: number;
  readonly reason: number;
  readonly isRead: boolean;
}

/** The address space of the tests: caching mode off, unless a test says otherwise. */
export const REFERENCE: Partial<UnitOptions> = { cachingMode: false };

export class Rig {
  readonly memory = new Memory(64 << 20, 1 << 16);
  readonly clock = new Clock();
  readonly trace = new Trace(this.clock);
  readonly interrupts = new Interrupts(this.clock, this.trace, 0);
  readonly unit: IommuUnit;
  #command = 0;
  #nextTable = FIRST_FREE_TABLE;
  #queueTail = 0;

  constructor(options: Partial<UnitOptions> = REFERENCE, host: HostProfile = FREE_HOST) {
    const { memory, trace, interrupts } = this;
    this.unit = new IommuUnit({ memory, trace, interrupts, host, options });
  }

  read(offset: number): number {
    return this.unit.read32(offset);
  }

  write(offset: number, value: number): void {
    this.unit.write32(offset, value >>> 0);
  }

  /** Sets persistent bits of GCMD, and one-shot bits for this write. */
  command(set: number, oneShot = 0): void {
    this.#command |= set;
    this.write(REG.GCMD, this.#command | oneShot);
  }

  uncommand(bits: number): void {
    this.#command &= ~bits;
    this.write(REG.GCMD, this.#command);
  }

  /** Bus 0 has a context table, DEVICE a four-level one, IOVA maps to PAGE; translation is on. */
  start(): this {
    this.words(ROOT, CONTEXTS | 1, 0, 0, 0);
    this.context(DEVICE, { table: TOP });
    this.map(IOVA, PAGE | RW);
    this.setRoot(ROOT);
    this.command(GCMD.TE);
    return this;
  }

  setRoot(low: number, high = 0): void {
    this.write(REG.RTADDR, low);
    this.write(REG.RTADDR + 4, high);
    this.command(0, GCMD.SRTP);
  }

  words(address: number, ...words: number[]): void {
    words.forEach((word, index) => {
      this.memory.u32[address / 4 + index] = word;
    });
  }

  context(
    requester: number,
    entry: { table?: number; high?: number; type?: number; width?: number; domain?: number; low?: number },
  ): void {
    const low = (entry.table ?? TOP) | ((entry.type ?? 0) << 2) | (entry.low ?? 1);
    const domain = ((entry.domain ?? DOMAIN) << 8) | (entry.width ?? 2);
    this.words(CONTEXTS + (requester & 0xff) * 16, low, entry.high ?? 0, domain, 0);
  }

  /** Address of the entry of `iova` at `level`, making the tables above it readable and writable. */
  entry(iova: number, level = 1, top = TOP, levels = 4): number {
    let table = top;
    for (let at = levels; ; at--) {
      const entry = table + (Math.floor(iova / 2 ** (12 + 9 * (at - 1))) & 511) * 8;
      if (at === level) return entry;
      if (this.memory.u32[entry / 4] === 0) {
        this.words(entry, this.#nextTable | RW, 0);
        this.#nextTable += 4096;
      }
      table = (this.memory.u32[entry / 4]! & 0xffff_f000) >>> 0;
    }
  }

  /** Writes the entry of `iova` at `level`. */
  map(iova: number, low: number, high = 0, level = 1): void {
    this.words(this.entry(iova, level), low, high);
  }

  dma(iova: number, isWrite = false, requester = DEVICE): number {
    return this.unit.translate(requester, iova, isWrite);
  }

  /** Fault record `index` when its F bit is set. */
  fault(index = 0): FaultRecord | null {
    const at = 0x220 + index * 16;
    const word3 = this.read(at + 12);
    if (word3 >>> 31 === 0) return null;
    const address = this.read(at + 4) * 2 ** 32 + this.read(at);
    return {
      sid: this.read(at + 8) & 0xffff,
      address,
      reason: word3 & 0xff,
      isRead: ((word3 >>> 30) & 1) === 1,
    };
  }

  clearFault(index = 0): void {
    this.write(0x220 + index * 16 + 12, 0x8000_0000);
  }

  /** Installs a CPU handler for the event whose control register is at `control`, and counts its calls. */
  countEvents(control: number): { count: number } {
    const seen = { count: 0 };
    const message = this.interrupts.allocate(
      this.clock.register(() => {
        seen.count++;
      }),
      0,
    )!;
    this.write(control + 4, message.data);
    this.write(control + 8, message.address);
    this.write(control, 0);
    return seen;
  }

  // ---- queued invalidation ------------------------------------------------------------------------------------------

  enableQueue(low = QUEUE): void {
    this.#queueTail = 0;
    this.write(REG.IQT, 0);
    this.write(REG.IQA, low);
    this.write(REG.IQA + 4, 0);
    this.command(GCMD.QIE);
  }

  /** Appends descriptors, given as 64-bit pairs, and moves the tail past them. */
  submit(...descriptors: (readonly [bigint, bigint])[]): void {
    for (const [low, high] of descriptors) {
      this.memory.view.setBigUint64(QUEUE + this.#queueTail, low, true);
      this.memory.view.setBigUint64(QUEUE + this.#queueTail + 8, high, true);
      this.#queueTail = (this.#queueTail + 16) & 0xfff;
    }
    this.write(REG.IQT, this.#queueTail);
  }
}

/** Descriptors as VT-d §6.5.2 encodes them. */
export const contextGlobal = [0x11n, 0n] as const;
export const contextDevice = (domain: number, sid: number) =>
  [(BigInt(sid) << 32n) | (BigInt(domain) << 16n) | 0x31n, 0n] as const;
export const iotlbGlobal = [0xd2n, 0n] as const;
export const iotlbDomain = (domain: number) => [(BigInt(domain) << 16n) | 0xe2n, 0n] as const;
export const iotlbPages = (domain: number, address: number, mask = 0) =>
  [(BigInt(domain) << 16n) | 0xf2n, BigInt(address) | BigInt(mask)] as const;
export const wait = (address: number, data: number) =>
  [(BigInt(data) << 32n) | 0x25n, BigInt(address)] as const;
export const waitInterrupt = [0x15n, 0n] as const;

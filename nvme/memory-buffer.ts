/**
 * The Controller Memory Buffer: memory of the controller that the host reaches through BAR2, and that commands reach at
 * the addresses the host chose for it (CMBMSC.CBA) without a request on the link (Base 2.1 §3.1.4.11 to §3.1.4.19,
 * §8.2.1). Queues, lists and data may lie in it, partly or whole, so that no use of it is invalid.
 * Not here: how a request is recognised (machine/pcie/dma-port.ts).
 */

import type { Memory } from '../machine/memory.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { u64 } from '../support/numbers.ts';
import { CMBLOC, CMBMSC, CMBSTS, CMBSZ, REG } from './spec/registers.ts';

/** The BAR of the buffer. */
export const BUFFER_BAR = 2;
/** Unit of CMBSZ.SZ, and of everything about addresses. */
const UNIT_BYTES = 4096;
const ADDRESS_END = 2 ** 64;
const LOCATION = CMBLOC.encode({
  BIR: BUFFER_BAR,
  CQMMS: 1,
  CQPDS: 1,
  CDPMLS: 1,
  CDPCILS: 1,
  CDMMMS: 1,
  CQDA: 1,
});

/** Bytes of the BAR for a buffer of `bytes`. */
export const bufferBar_bytes = (bytes: number): number => 2 ** Math.ceil(Math.log2(bytes));

export class MemoryBuffer {
  readonly #memory: Memory;
  readonly #dma: DmaPort;
  readonly #bytes: number;
  /** Offset of the buffer in device-local memory. */
  readonly #local: number;
  /** CMBMSC, both words. */
  #control = 0;
  #controlHigh = 0;

  /** A buffer of `bytes`, a multiple of 4096; 0 for none. */
  constructor(memory: Memory, dma: DmaPort, bytes: number) {
    this.#memory = memory;
    this.#dma = dma;
    this.#bytes = bytes;
    this.#local = memory.reserve(bytes, UNIT_BYTES);
    assert(this.#local >= 0, 'device memory holds the controller memory buffer');
  }

  /** A register of the buffer, by its offset in BAR0; 0 when there is no buffer. */
  readRegister(offset: number): number {
    if (this.#bytes === 0) return 0;
    const isReadable = CMBMSC.CRE.get(this.#control) === 1;
    switch (offset) {
      case REG.CMBLOC:
        return isReadable ? LOCATION : 0;
      case REG.CMBSZ:
        return isReadable
          ? CMBSZ.encode({ SQS: 1, CQS: 1, LISTS: 1, RDS: 1, WDS: 1, SZ: this.#bytes / UNIT_BYTES })
          : 0;
      case REG.CMBMSC:
        return this.#control;
      case REG.CMBMSC_HI:
        return this.#controlHigh;
      case REG.CMBSTS:
        return CMBSTS.encode({ CBAI: this.#isBaseInvalid ? 1 : 0 });
      default:
        return 0;
    }
  }

  /** CMBMSC or its high word was written. */
  writeControl(offset: number, value: number): void {
    if (this.#bytes === 0) return;
    if (offset === REG.CMBMSC)
      this.#control = (value & (CMBMSC.CRE.mask | CMBMSC.CMSE.mask | CMBMSC.CBA.mask)) >>> 0;
    else this.#controlHigh = value;
    this.#decode();
  }

  /** Every reset but Controller Reset; the contents are then undefined, here those of before. */
  reset(): void {
    this.#control = 0;
    this.#controlHigh = 0;
    this.#decode();
  }

  /** One dword of BAR2; what the buffer does not reach reads 0. */
  read32(offset: number): number {
    return offset < this.#bytes ? this.#memory.u32[(this.#local + offset) >>> 2]! : 0;
  }

  write32(offset: number, value: number): void {
    if (offset < this.#bytes) this.#memory.u32[(this.#local + offset) >>> 2] = value;
  }

  get #base(): number {
    return u64(this.#control & CMBMSC.CBA.mask, this.#controlHigh);
  }

  /** The buffer would end beyond the last address. */
  get #isBaseInvalid(): boolean {
    return CMBMSC.CMSE.get(this.#control) === 1 && this.#base + this.#bytes > ADDRESS_END;
  }

  #decode(): void {
    const isOn = CMBMSC.CMSE.get(this.#control) === 1 && !this.#isBaseInvalid;
    this.#dma.setOwnMemory(this.#base, isOn ? this.#bytes : 0, this.#local);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#control = a.value(this.#control);
    this.#controlHigh = a.value(this.#controlHigh);
  }
}

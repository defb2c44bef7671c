/**
 * MSI-X as the device has it: the vector table and the pending bit array inside its BARs, and the message writes.
 * PCI Express Base 6.0 §6.1.4 and §7.7.2. The layout comes from the function's own MSI-X capability.
 * Not here: the capability's registers (capabilities.ts), what becomes of a message (dma-port.ts, interrupts.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import type { Clock, HandlerId } from '../clock.ts';
import { MSI_BASE, MSI_END } from '../interrupts.ts';
import { T, type Trace } from '../trace.ts';
import type { ConfigSpace } from './config-space.ts';
import { DMA_OK, DMA_UNSUPPORTED, type DmaPort } from './dma-port.ts';
import { CAPABILITY, MSIX, MSIX_BIR_MASK, MSIX_CONTROL, MSIX_ENTRY, MSIX_VECTOR_CONTROL } from './spec.ts';

export interface MsixParts {
  readonly clock: Clock;
  readonly trace: Trace;
  /** Must hold an MSI-X capability already. */
  readonly config: ConfigSpace;
  readonly dma: DmaPort;
}

const ENTRY_WORDS = MSIX_ENTRY.SIZE / 4;
const ADDRESS_HI = MSIX_ENTRY.ADDRESS_HI / 4;
const DATA = MSIX_ENTRY.DATA / 4;
const CONTROL = MSIX_ENTRY.CONTROL / 4;
const VECTOR_MASK = MSIX_VECTOR_CONTROL.MASK.mask;
const GATE = MSIX_CONTROL.encode({ ENABLE: 1, FUNCTION_MASK: 1 });
const OPEN = MSIX_CONTROL.encode({ ENABLE: 1 });
/** Messages on the wire at a time; further ones stay pending until one has arrived. */
const IN_FLIGHT = 256;
const MESSAGE_BYTES = 4;

export class Msix {
  readonly vectors: number;
  /** Messages that reached no interrupt controller: a bad address, bus master off, blocked by the IOMMU. */
  lost = 0;
  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly config: ConfigSpace;
  private readonly dma: DmaPort;
  private readonly controlAt: number;
  private readonly tableBar: number;
  private readonly tableOffset: number;
  private readonly pbaBar: number;
  private readonly pbaOffset: number;
  private readonly table: Uint32Array;
  private readonly pending: Uint32Array;
  /** Messages on the wire, by slot: what the entry held when the message left. */
  private readonly arrive: HandlerId;
  readonly #address = new Uint32Array(IN_FLIGHT);
  readonly #data = new Uint32Array(IN_FLIGHT);
  readonly #free = Int32Array.from({ length: IN_FLIGHT }, (_, slot) => slot);
  #freeTop = IN_FLIGHT;
  /** A vector is pending only because no slot was free. */
  #isStarved = false;

  constructor(parts: MsixParts) {
    this.clock = parts.clock;
    this.trace = parts.trace;
    this.config = parts.config;
    this.dma = parts.dma;
    const at = parts.config.findCapability(CAPABILITY.MSIX);
    assert(at !== 0, 'the function has no MSI-X capability');
    this.controlAt = at + MSIX.CONTROL;
    this.vectors = MSIX_CONTROL.TABLE_SIZE.get(parts.config.half(this.controlAt)) + 1;
    const table = parts.config.read(at + MSIX.TABLE, 4);
    const pba = parts.config.read(at + MSIX.PBA, 4);
    this.tableBar = table & MSIX_BIR_MASK;
    this.tableOffset = (table & ~MSIX_BIR_MASK) >>> 0;
    this.pbaBar = pba & MSIX_BIR_MASK;
    this.pbaOffset = (pba & ~MSIX_BIR_MASK) >>> 0;
    this.table = new Uint32Array(this.vectors * ENTRY_WORDS);
    this.pending = new Uint32Array(Math.ceil(this.vectors / 64) * 2);
    this.#checkFits(this.tableBar, this.tableOffset + this.table.byteLength);
    this.#checkFits(this.pbaBar, this.pbaOffset + this.pending.byteLength);
    this.arrive = parts.clock.register((slot) => this.#deliver(slot));
    parts.config.onWrite(at, () => {
      this.#sendPending();
      parts.config.notify('interrupts');
    });
    this.reset();
  }

  /** Whether software has chosen MSI-X; while it has not, `raise` does nothing and a function may use INTx. */
  get isEnabled(): boolean {
    return (this.config.half(this.controlAt) & MSIX_CONTROL.ENABLE.mask) !== 0;
  }

  /** Whether an offset of a BAR belongs to the table or the pending bits. */
  contains(bar: number, offset: number): boolean {
    return this.#tableWord(bar, offset) !== -1 || this.#pendingWord(bar, offset) !== -1;
  }

  /** One aligned dword of the table or the pending bits; 0 elsewhere. */
  read32(bar: number, offset: number): number {
    const word = this.#tableWord(bar, offset);
    if (word !== -1) return this.table[word]!;
    const pending = this.#pendingWord(bar, offset);
    return pending === -1 ? 0 : this.pending[pending]!;
  }

  /** One aligned dword of the table. Pending bits are read-only. Unmasking a pending vector sends its message. */
  write32(bar: number, offset: number, value: number): void {
    const word = this.#tableWord(bar, offset);
    if (word === -1) return;
    switch (word % ENTRY_WORDS) {
      case CONTROL: {
        this.table[word] = value & VECTOR_MASK;
        const vector = (word - CONTROL) / ENTRY_WORDS;
        if (this.#isPending(vector)) this.raise(vector);
        return;
      }
      case ADDRESS_HI:
      case DATA:
        this.table[word] = value;
        return;
      default:
        this.table[word] = value & ~3;
    }
  }

  /**
   * Requests an interrupt: sends the vector's message, or leaves it pending while the vector or the function is masked.
   * `isBehindWrite`: the message left right behind a DMA write that becomes visible now, so it costs wire time only.
   */
  raise(vector: number, isBehindWrite = false): void {
    const gate = this.config.half(this.controlAt) & GATE;
    if ((gate & OPEN) === 0) return;
    if (gate !== OPEN || this.#isMasked(vector)) this.#setPending(vector, true);
    else if (this.#freeTop === 0) {
      this.#setPending(vector, true);
      this.#isStarved = true;
    } else {
      this.#setPending(vector, false);
      this.#send(vector, isBehindWrite);
    }
  }

  /** Every vector masked and none pending. Messages that have left are not called back. */
  reset(): void {
    this.table.fill(0);
    for (let word = CONTROL; word < this.table.length; word += ENTRY_WORDS) this.table[word] = VECTOR_MASK;
    this.pending.fill(0);
  }

  #send(vector: number, isBehindWrite: boolean): void {
    const entry = vector * ENTRY_WORDS;
    const address = this.table[entry]!;
    if (this.table[entry + ADDRESS_HI] !== 0 || address < MSI_BASE || address > MSI_END) {
      this.lost++;
      if (this.trace.on === true)
        this.trace.emit(T.DMA_WRITE, this.dma.requester, address, MESSAGE_BYTES, DMA_UNSUPPORTED);
      return;
    }
    const slot = this.#free[--this.#freeTop]!;
    this.#address[slot] = address;
    this.#data[slot] = this.table[entry + DATA]!;
    const dma = this.dma;
    const delay = isBehindWrite ? dma.followDelay(MESSAGE_BYTES) : dma.writeDelay(address, MESSAGE_BYTES);
    this.clock.run(delay, this.arrive, slot);
  }

  #deliver(slot: number): void {
    this.#free[this.#freeTop++] = slot;
    if (this.dma.message(this.#address[slot]!, this.#data[slot]!) !== DMA_OK) this.lost++;
    if (!this.#isStarved) return;
    this.#isStarved = false;
    this.#sendPending();
  }

  #sendPending(): void {
    for (let vector = 0; vector < this.vectors; vector++) if (this.#isPending(vector)) this.raise(vector);
  }

  #isMasked(vector: number): boolean {
    return this.table[vector * ENTRY_WORDS + CONTROL] !== 0;
  }

  #isPending(vector: number): boolean {
    return ((this.pending[vector >>> 5]! >>> (vector & 31)) & 1) !== 0;
  }

  #setPending(vector: number, isPending: boolean): void {
    const bit = 1 << (vector & 31);
    if (isPending) this.pending[vector >>> 5]! |= bit;
    else this.pending[vector >>> 5]! &= ~bit;
  }

  #tableWord(bar: number, offset: number): number {
    const at = offset - this.tableOffset;
    return bar === this.tableBar && at >= 0 && at < this.table.byteLength ? at >>> 2 : -1;
  }

  #pendingWord(bar: number, offset: number): number {
    const at = offset - this.pbaOffset;
    return bar === this.pbaBar && at >= 0 && at < this.pending.byteLength ? at >>> 2 : -1;
  }

  #checkFits(bar: number, end: number): void {
    const found = this.config.bars.find(({ index }) => index === bar);
    assert(found !== undefined && end <= found.bytes, `BAR${bar} has no room for the MSI-X structures`);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.lost = a.value(this.lost);
    a.contents(this.table, this.pending, this.#address, this.#data, this.#free);
    this.#freeTop = a.value(this.#freeTop);
    this.#isStarved = a.value(this.#isStarved);
  }
}

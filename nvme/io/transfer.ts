/**
 * A command's data and metadata between host memory and controller SRAM, whatever points to them: the segments that the
 * engine made of PRPs, an SGL, or the metadata pointer. Plain Read and Write do not come here: nvm.ts moves their data
 * between host memory and the medium directly. Not here: walking PRPs (../prp.ts) and SGLs (sgl.ts).
 */

import type { Clock, HandlerId } from '../../machine/clock.ts';
import type { Memory } from '../../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort } from '../../machine/pcie/dma-port.ts';
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { hex, u64 } from '../../support/numbers.ts';
import type { Engine } from '../engine.ts';
import type { Health } from '../health.ts';
import type { ControllerProfile } from '../profile.ts';
import { DATA_TO_HOST, SEGMENT, SLOT, type Slots } from '../slots.ts';
import { CDW0, PSDT, SGL_DESCRIPTOR, SQE, SQE_SGL1 } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import { BIT_BUCKET, type Piece, SglWalker } from './sgl.ts';

export interface TransferParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly slots: Slots;
  readonly engine: Engine;
  readonly health: Health;
  readonly profile: Pick<ControllerProfile, 'sgls' | 'quirks'>;
}

export class Transfer {
  readonly #memory: Memory;
  readonly #dma: DmaPort;
  readonly #slots: Slots;
  readonly #engine: Engine;
  readonly #health: Health;
  readonly #clock: Clock;
  readonly #sgl: SglWalker;
  /** By slot: what the SGL of its command says. */
  readonly #lists: (readonly Piece[])[] = [];
  /** SRAM for the one descriptor that a metadata pointer may name. */
  readonly #descriptor: number;
  readonly #onListed: HandlerId;

  constructor(parts: TransferParts) {
    this.#memory = parts.memory;
    this.#dma = parts.dma;
    this.#slots = parts.slots;
    this.#engine = parts.engine;
    this.#health = parts.health;
    this.#clock = parts.clock;
    this.#sgl = new SglWalker(parts.memory, parts.dma, parts.profile);
    this.#descriptor = parts.memory.reserve(SGL_DESCRIPTOR.SIZE);
    assert(this.#descriptor >= 0, 'device memory holds an SGL descriptor');
    this.#onListed = parts.clock.register((slot) => this.#listed(slot));
  }

  usesSgl(slot: number): boolean {
    return CDW0.PSDT.get(this.#slots.dword(slot, SQE.OPC)) !== PSDT.PRP;
  }

  // ---- mapping ----------------------------------------------------------------------------------------------------

  /** Reads the command's SGL when it is there, then lets the engine go on with the command, or fails it. */
  map(slot: number): void {
    const delay = this.#sgl.delay(this.#sgl1(slot));
    const event = (this.#slots.at(slot) + SLOT.EVENT) >>> 1;
    if (delay === 0) this.#listed(slot);
    else this.#slots.f64[event] = this.#clock.after(delay, this.#onListed, slot);
  }

  #listed(slot: number): void {
    const slots = this.#slots;
    const at = slots.at(slot);
    const isToHost = slots.i32[at + SLOT.DIRECTION] === DATA_TO_HOST;
    const status = this.#sgl.walk(this.#sgl1(slot), slots.bytes(slot), isToHost);
    if (status !== STATUS.SUCCESS) return this.#engine.fail(slot, status, this.#sgl.reason);
    this.#lists[slot] = this.#sgl.pieces;
    // The engine's sums of time look at the first piece only.
    const first = this.#sgl.pieces.find(({ address }) => address !== BIT_BUCKET);
    const segment = slots.segmentsAt(slot);
    slots.f64[segment >>> 1] = first?.address ?? 0;
    slots.i32[segment + SEGMENT.BYTES] = first?.bytes ?? 0;
    slots.i32[at + SLOT.SEGMENTS] = 1;
    this.#engine.mapped(slot);
  }

  /** Byte of device-local memory where the command's first descriptor is. */
  #sgl1(slot: number): number {
    return this.#slots.entry(slot) * 4 + SQE_SGL1;
  }

  // ---- data -------------------------------------------------------------------------------------------------------

  /** Brings the command's data to byte `to` of device-local memory. Returns a status. */
  fetch(slot: number, to: number): number {
    return this.usesSgl(slot) ? this.#movePieces(this.#lists[slot]!, to, false) : this.#move(slot, to, false);
  }

  /** Sends the command's data from byte `from` of device-local memory. Returns a status. */
  deliver(slot: number, from: number): number {
    return this.usesSgl(slot)
      ? this.#movePieces(this.#lists[slot]!, from, true)
      : this.#move(slot, from, true);
  }

  #move(slot: number, local: number, isToHost: boolean): number {
    const slots = this.#slots;
    let done = 0;
    for (let index = 0; index < slots.segments(slot); index++) {
      const bytes = slots.segmentBytes(slot, index);
      const result = this.#engine.data.move(isToHost, slots.segmentAddress(slot, index), local + done, bytes);
      if (result !== DMA_OK) return STATUS.DATA_TRANSFER_ERROR;
      done += bytes;
    }
    return STATUS.SUCCESS;
  }

  #movePieces(pieces: readonly Piece[], local: number, isToHost: boolean): number {
    let done = 0;
    for (const { address, bytes } of pieces) {
      const status =
        address === BIT_BUCKET
          ? STATUS.SUCCESS
          : this.#moveOne(address, local + done, bytes, isToHost, 'data');
      if (status !== STATUS.SUCCESS) return status;
      done += bytes;
    }
    return STATUS.SUCCESS;
  }

  #moveOne(address: number, local: number, bytes: number, isToHost: boolean, what: string): number {
    const result = isToHost ? this.#dma.write(address, local, bytes) : this.#dma.read(address, local, bytes);
    if (result === DMA_OK) return STATUS.SUCCESS;
    const reason = `the ${what} at IOVA ${hex(address)}: ${DMA_SENTENCES[result]}`;
    return this.#health.explain(STATUS.DATA_TRANSFER_ERROR, reason);
  }

  // ---- metadata ---------------------------------------------------------------------------------------------------

  /** Moves `bytes` of the command's separate metadata (MPTR) between the host and byte `local`. Returns a status. */
  moveMetadata(slot: number, local: number, bytes: number, isToHost: boolean): number {
    const pointer = u64(this.#slots.dword(slot, SQE.MPTR), this.#slots.dword(slot, SQE.MPTR + 4));
    const isSgl = CDW0.PSDT.get(this.#slots.dword(slot, SQE.OPC)) === PSDT.SGL_METADATA_SGL;
    if (!isSgl) return this.#moveOne(pointer, local, bytes, isToHost, 'metadata');
    const status = this.#moveOne(
      pointer,
      this.#descriptor,
      SGL_DESCRIPTOR.SIZE,
      false,
      'metadata descriptor',
    );
    if (status !== STATUS.SUCCESS) return status;
    const walked = this.#sgl.walk(this.#descriptor, bytes, isToHost, STATUS.METADATA_SGL_LENGTH_INVALID);
    if (walked !== STATUS.SUCCESS) return this.#health.explain(walked, this.#sgl.reason, SQE.MPTR);
    return this.#movePieces(this.#sgl.pieces, local, isToHost);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#lists);
  }
}

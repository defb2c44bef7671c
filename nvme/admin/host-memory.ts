/**
 * The Host Memory Buffer feature: pieces of host memory that the controller may use until the host takes them back
 * (Base 2.1 §5.1.25.2.4, §8.1.12). The list is read and checked when it is given, and every size is honoured.
 * Not here: what the memory is used for (map/host-map.ts); a controller that keeps its whole map never touches it.
 */

import { DMA_OK } from '../../machine/pcie/dma-port.ts';
import type { Archive } from '../../support/archive.ts';
import { hex, u64 } from '../../support/numbers.ts';
import type { HostPiece } from '../map/host-map.ts';
import { SQE } from '../spec/commands.ts';
import { HOST_MEMORY_ATTRIBUTES, HOST_MEMORY_BUFFER, HOST_MEMORY_DESCRIPTOR } from '../spec/features.ts';
import { CC } from '../spec/registers.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminParts } from './command.ts';
import type { HostMemoryProfile } from './profile.ts';

type Parts = Pick<AdminParts, 'slots' | 'health' | 'engine' | 'memory' | 'cc' | 'hostMap'>;

/** Most descriptors when the profile sets no limit: a page of them. */
const MOST_DESCRIPTORS = 256;

export class HostMemory {
  readonly #parts: Parts;
  readonly #profile: HostMemoryProfile;
  #isEnabled = false;
  /** CDW12 to CDW15 of the command that enabled it. */
  #attributes: readonly number[] = [0, 0, 0, 0];

  constructor(parts: Parts, profile: HostMemoryProfile) {
    this.#parts = parts;
    this.#profile = profile;
  }

  /** Controller level reset: the memory is the host's again. */
  reset(): void {
    this.#disable();
    this.#attributes = [0, 0, 0, 0];
  }

  /** DW0 of Get Features. */
  get value(): number {
    return HOST_MEMORY_BUFFER.encode({ EHM: this.#isEnabled ? 1 : 0 });
  }

  /** Writes the buffer of Get Features at byte `at` of `view`, which is zeroed. */
  write(view: DataView, at: number): void {
    const [pages, low, high, count] = this.#attributes;
    HOST_MEMORY_ATTRIBUTES.set(view, at, 'HSIZE', pages!);
    HOST_MEMORY_ATTRIBUTES.set(view, at, 'HMDLAL', low!);
    HOST_MEMORY_ATTRIBUTES.set(view, at, 'HMDLAU', high!);
    HOST_MEMORY_ATTRIBUTES.set(view, at, 'HMDLEC', count!);
  }

  /** Takes what Set Features gives or takes away; `at` is room for the list in device-local memory. Returns a status. */
  set(slot: number, at: number): number {
    const { slots, health } = this.#parts;
    const cdw11 = slots.dword(slot, SQE.CDW11);
    if (HOST_MEMORY_BUFFER.EHM.get(cdw11) === 0) {
      this.#disable();
      return STATUS.SUCCESS;
    }
    if (this.#isEnabled) {
      return health.explain(
        STATUS.COMMAND_SEQUENCE_ERROR,
        'the host memory buffer is enabled already',
        SQE.CDW11,
      );
    }
    const attributes = [SQE.CDW12, SQE.CDW13, SQE.CDW14, SQE.CDW15].map((field) => slots.dword(slot, field));
    const status = this.#checkList(attributes, at);
    if (status !== STATUS.SUCCESS) return status;
    this.#isEnabled = true;
    this.#attributes = attributes;
    this.#parts.hostMap?.give(this.#pieces(at), HOST_MEMORY_BUFFER.MR.get(cdw11) === 1);
    return STATUS.SUCCESS;
  }

  #disable(): void {
    this.#isEnabled = false;
    this.#parts.hostMap?.takeBack();
  }

  /** The pieces of the list at `at`, as far as HSIZE goes. */
  #pieces(at: number): HostPiece[] {
    const { memory, cc } = this.#parts;
    const [pages, , , count] = this.#attributes as [number, number, number, number];
    const page_bytes = 4096 << CC.MPS.get(cc());
    let left = pages;
    return Array.from({ length: count }, (_, index) => {
      const entry = at + index * HOST_MEMORY_DESCRIPTOR.SIZE;
      const used = Math.min(left, HOST_MEMORY_DESCRIPTOR.get(memory.view, entry, 'BSIZE'));
      left -= used;
      const address = Number(HOST_MEMORY_DESCRIPTOR.get(memory.view, entry, 'BADD'));
      return { address, bytes: used * page_bytes };
    });
  }

  #checkList(attributes: readonly number[], at: number): number {
    const { engine, memory, cc } = this.#parts;
    const [pages, low, high, count] = attributes as [number, number, number, number];
    const page_bytes = 4096 << CC.MPS.get(cc());
    const { minimum_bytes, maxDescriptors } = this.#profile;
    const most = maxDescriptors === 0 ? MOST_DESCRIPTORS : maxDescriptors;
    if (pages * page_bytes < minimum_bytes) {
      return this.#refuse(
        `HSIZE is ${pages} pages, less than the ${minimum_bytes} bytes of HMMIN`,
        SQE.CDW12,
      );
    }
    if (count === 0 || count > most)
      return this.#refuse(`${count} descriptors are not from 1 to ${most}`, SQE.CDW15);
    const list = u64(low, high);
    if ((low & (HOST_MEMORY_DESCRIPTOR.SIZE - 1)) !== 0) {
      return this.#refuse(`the list at ${hex(list)} is not aligned to 16 bytes`, SQE.CDW13);
    }
    if (engine.data.move(false, list, at, count * HOST_MEMORY_DESCRIPTOR.SIZE) !== DMA_OK) {
      return STATUS.DATA_TRANSFER_ERROR;
    }
    let sum = 0;
    for (let index = 0; index < count; index++) {
      const entry = at + index * HOST_MEMORY_DESCRIPTOR.SIZE;
      const size = HOST_MEMORY_DESCRIPTOR.get(memory.view, entry, 'BSIZE');
      const problem = this.#pieceProblem(
        HOST_MEMORY_DESCRIPTOR.get(memory.view, entry, 'BADD'),
        size,
        page_bytes,
      );
      if (problem !== null) return this.#refuse(`descriptor ${index}: ${problem}`, SQE.CDW13);
      sum += size;
    }
    if (sum >= pages) return STATUS.SUCCESS;
    return this.#refuse(`the descriptors have ${sum} pages, HSIZE says ${pages}`, SQE.CDW12);
  }

  #pieceProblem(address: bigint, pages: number, page_bytes: number): string | null {
    if (address % BigInt(page_bytes) !== 0n) return `${hex(address)} is not the address of a page`;
    if (pages * page_bytes >= Math.max(this.#profile.descriptorMinimum_bytes, page_bytes)) return null;
    return `${pages} pages are less than HMMINDS`;
  }

  #refuse(reason: string, byte: number): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#isEnabled = a.value(this.#isEnabled);
    this.#attributes = a.value(this.#attributes);
  }
}

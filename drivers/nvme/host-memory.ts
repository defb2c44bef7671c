/**
 * The host memory buffer: memory that the driver lends to a controller which has no room for its mapping table, for as
 * long as it is open (NVMe Base 2.1 §8.1.12). As much as the controller prefers, at most 128 MiB as in Linux, less where
 * the process may not have so much, and none below what the controller needs. It is one piece of I/O addresses.
 * Not here: the command (commands.ts), what the controller does with it.
 */
import { HOST_MEMORY_DESCRIPTOR } from '../../nvme/spec/features.ts';
import { MIB, PAGE_SIZE } from '../../support/numbers.ts';
import type { DmaBuffer, DmaSpace } from '../vfio/dma.ts';
import type { ControllerInfo } from './identify.ts';
import { ControllerError } from './status.ts';

/** Most that a controller gets, whatever it prefers. */
const MOST_BYTES = 128 * MIB;

export class HostMemory {
  /** Bytes that are lent. */
  readonly bytes: number;
  /** The descriptor list, of one entry. */
  readonly list: DmaBuffer;
  readonly #memory: DmaBuffer;

  /** Throws ControllerError when the controller wants none or more than it can have, and SysError. */
  constructor(space: DmaSpace, bdf: string, { hostMemory }: Pick<ControllerInfo, 'hostMemory'>) {
    const { preferred_bytes, minimum_bytes } = hostMemory;
    if (preferred_bytes === 0)
      throw new ControllerError(`${bdf} wants no host memory (HMPRE is 0), so hostMemory must be false`);
    if (minimum_bytes > MOST_BYTES) {
      throw new ControllerError(
        `${bdf} needs ${minimum_bytes} bytes of host memory (HMMIN), more than ${MOST_BYTES}; hostMemory must be false`,
      );
    }
    this.#memory = allocate(space, Math.min(preferred_bytes, MOST_BYTES), minimum_bytes);
    this.bytes = this.#memory.bytes.length;
    this.list = space.allocate(PAGE_SIZE);
    const { buffer, byteOffset } = this.list.bytes;
    const view = new DataView(buffer, byteOffset, HOST_MEMORY_DESCRIPTOR.SIZE);
    HOST_MEMORY_DESCRIPTOR.set(view, 0, 'BADD', BigInt(this.#memory.iova));
    HOST_MEMORY_DESCRIPTOR.set(view, 0, 'BSIZE', this.bytes / PAGE_SIZE);
  }

  /** Frees the memory, which the controller must not use any more. */
  close(): void {
    this.#memory.free();
    this.list.free();
  }
}

/** `bytes`, or half of it as often as that fails, down to `least`. Throws SysError. */
function allocate(space: DmaSpace, bytes: number, least: number): DmaBuffer {
  try {
    return space.allocate(bytes);
  } catch (error) {
    const half = Math.floor(bytes / 2 / PAGE_SIZE) * PAGE_SIZE;
    if (half === 0 || half < least) throw error;
    return allocate(space, half, least);
  }
}

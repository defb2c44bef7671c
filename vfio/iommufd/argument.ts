/**
 * The argument of a request: the kernel's own copy of the structure and the way back. A caller may pass a shorter
 * structure (the rest counts as zeros) or a longer one (the rest must be zeros), as linux-abi §3.1 has it.
 * Not here: which sizes a request takes (vfio/uapi/iommufd.ts, checked in context.ts).
 */
import type { Process } from '../process.ts';

/** Room for the largest structure, IOMMU_HWPT_ALLOC and IOMMU_HWPT_GET_DIRTY_BITMAP. */
const CAPACITY = 48;

export class Argument {
  readonly process: Process;
  readonly #bytes = new Uint8Array(CAPACITY);
  /** The first bytes of the structure, by number: making a view costs as much as copying it. */
  readonly #prefixes = Array.from({ length: CAPACITY + 1 }, (_, length) => this.#bytes.subarray(0, length));
  readonly #view = new DataView(this.#bytes.buffer);
  #address = 0;
  /** Bytes that go back: those that both the caller and the kernel know. */
  #shared = 0;

  constructor(process: Process) {
    this.process = process;
  }

  /** Copies a structure of `size` bytes in, of which the caller has `userSize`. Returns 0, -E2BIG or -EFAULT. */
  load(address: number, userSize: number, size: number): number {
    this.#address = address;
    this.#shared = Math.min(userSize, size);
    if (userSize > size) {
      const tail = this.process.checkZero(address + size, userSize - size);
      if (tail < 0) return tail;
    }
    if (userSize < size) this.#bytes.fill(0, userSize, size);
    return this.process.copyIn(address, this.#prefixes[this.#shared]!);
  }

  /** Writes the structure back. Returns 0 or -EFAULT. */
  respond(): number {
    return this.process.copyOut(this.#address, this.#prefixes[this.#shared]!);
  }

  /** Writes one part of the structure back. Returns 0 or -EFAULT. */
  respondPart(offset: number, length: number): number {
    return this.process.copyOut(this.#address + offset, this.#bytes.subarray(offset, offset + length));
  }

  u8(offset: number): number {
    return this.#bytes[offset]!;
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  s32(offset: number): number {
    return this.#view.getInt32(offset, true);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  /** A u64 of all ones, which costs less to see than to read. */
  isMax(offset: number): boolean {
    return this.u32(offset) === 0xffff_ffff && this.u32(offset + 4) === 0xffff_ffff;
  }

  /** A pointer, rounded beyond 2^53, where no process has memory. */
  pointer(offset: number): number {
    return Number(this.u64(offset));
  }

  set8(offset: number, value: number): void {
    this.#bytes[offset] = value;
  }

  set32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  set64(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, value, true);
  }
}

/**
 * What the CPU can do to PCIe: configuration cycles, and loads and stores in the MMIO window. It is all that firmware and
 * kernel see of the hardware besides RAM and interrupts, so the hardware may as well run in another thread
 * (machine/threads/). Not here: what becomes of an access (root-complex.ts).
 */
import type { Clock } from '../clock.ts';

export interface PciHost {
  /** The CPU's clock. */
  readonly clock: Clock;
  /** A configuration read of 1, 2 or 4 bytes; all ones when no function answers. */
  configRead(bus: number, devfn: number, offset: number, size: 1 | 2 | 4): number;
  /** A configuration write of 1, 2 or 4 bytes; it is done when the call returns. */
  configWrite(bus: number, devfn: number, offset: number, size: 1 | 2 | 4, value: number): void;
  /** A load from a register: a round trip that pushes every posted store ahead of it. */
  read32(address: number): number;
  readPart(address: number, size: 1 | 2): number;
  /** A store to a register: posted, in order. An address below 4 GiB, as 32 bits, signed or not. */
  write32(address: number, value: number): void;
  writePart(address: number, size: 1 | 2, value: number): void;
}

/**
 * pread and pwrite on a BAR: split into aligned accesses of 4, 2 and 1 bytes, the MSI-X table left out.
 * Not here: region numbers and bounds (regions.ts), mmap (bar-mapping.ts).
 */
import type { PciHost } from '../../machine/pcie/pci-host.ts';
import { EIO } from '../uapi/errno.ts';
import type { MemoryGate } from './bar-mapping.ts';

/** The part of a BAR that one transfer may reach. */
export interface BarWindow {
  readonly rc: PciHost;
  readonly gate: MemoryGate;
  /** Physical address of the BAR. */
  readonly physical: number;
  /** The MSI-X table inside it: reads as ones, drops writes. Empty when the table is elsewhere. */
  readonly tableStart: number;
  readonly tableEnd: number;
}

type Width = 1 | 2 | 4;

/** Reads registers at `offset`. Returns the bytes read, or -EIO when the function does not decode memory. */
export function readBar(window: BarWindow, offset: number, target: Uint8Array): number {
  return transfer(window, offset, target.length, (at, width, done) => {
    const value = width === 0 ? 0xff : load(window, at, width);
    for (let byte = 0; byte < (width || 1); byte++) target[done + byte] = value >>> (byte * 8);
  });
}

/** Writes registers at `offset`. Returns the bytes written, or -EIO when the function does not decode memory. */
export function writeBar(window: BarWindow, offset: number, source: Uint8Array): number {
  return transfer(window, offset, source.length, (at, width, done) => {
    if (width === 0) return;
    let value = 0;
    for (let byte = 0; byte < width; byte++) value |= source[done + byte]! << (byte * 8);
    store(window, at, width, value >>> 0);
  });
}

/** Calls `access` for each piece; a width of 0 stands for one byte of the MSI-X table, which is not touched. */
function transfer(
  window: BarWindow,
  offset: number,
  count: number,
  access: (at: number, width: Width | 0, done: number) => void,
): number {
  const { tableStart, tableEnd, gate } = window;
  for (let done = 0; done < count; ) {
    const at = offset + done;
    if (at >= tableStart && at < tableEnd) {
      access(at, 0, done++);
      continue;
    }
    if (!gate.open) return -EIO;
    const until = at < tableStart ? Math.min(offset + count, tableStart) : offset + count;
    const width = widthOf(at, until - at);
    access(at, width, done);
    done += width;
  }
  return count;
}

const widthOf = (at: number, left: number): Width =>
  left >= 4 && (at & 3) === 0 ? 4 : left >= 2 && (at & 1) === 0 ? 2 : 1;

function load({ rc, physical }: BarWindow, at: number, width: Width): number {
  return width === 4 ? rc.read32(physical + at) : rc.readPart(physical + at, width);
}

function store({ rc, physical }: BarWindow, at: number, width: Width, value: number): void {
  if (width === 4) rc.write32(physical + at, value);
  else rc.writePart(physical + at, width, value);
}

/**
 * The zones of a namespace as fio keeps account of them for `zonemode=zbd`: write pointers, which zones are open, and
 * which have a write or a reset under way. One map is shared by all clones that work on the namespace; a namespace
 * without zones gets a map of its own making, as fio does for files and plain block devices.
 * Not here: where an I/O goes (zone-walk.ts), the zones themselves (drivers/nvme/zones.ts).
 */

import type { BlockDevice } from '../../drivers/nvme/index.ts';
import type { Archive } from '../../support/archive.ts';

export class ZoneMap {
  readonly zone_bytes: number;
  /** The namespace has zones, so that resetting one is a command. */
  readonly isDevice: boolean;
  /** Most open zones of the drive; Infinity: no limit. */
  readonly maxOpen: number;
  /** By zone, in bytes of the namespace: where the next write goes, and where writing ends. */
  readonly pointers: Float64Array;
  readonly ends: Float64Array;
  /** 1: a write or a reset of the zone is under way, and nothing else may be written. */
  readonly busy: Uint8Array;
  /** Open zones in the order in which they were opened. */
  readonly open: number[] = [];
  /** By zone, who opened it last. */
  readonly opener: (object | null)[];
  /** Bytes that can be read below the write pointers. */
  written_bytes = 0;
  /** Writes until `zone_reset_frequency` asks for a reset; 0: not counted yet. */
  writesToReset = 0;

  constructor(zone_bytes: number, isDevice: boolean, maxOpen: number, count: number) {
    this.zone_bytes = zone_bytes;
    this.isDevice = isDevice;
    this.maxOpen = maxOpen;
    this.pointers = new Float64Array(count);
    this.ends = new Float64Array(count);
    this.busy = new Uint8Array(count);
    this.opener = new Array<object | null>(count).fill(null);
  }

  /** Empty zones for a namespace that has none. */
  static madeUp(bytes: number, zone_bytes: number, capacity_bytes: number): ZoneMap {
    const map = new ZoneMap(zone_bytes, false, Number.POSITIVE_INFINITY, Math.floor(bytes / zone_bytes));
    for (let zone = 0; zone < map.count; zone++) {
      map.pointers[zone] = map.startOf(zone);
      map.ends[zone] = map.startOf(zone) + capacity_bytes;
    }
    return map;
  }

  /** The zones of a zoned namespace as they are now. */
  static async of({ zones, blockSize }: BlockDevice): Promise<ZoneMap> {
    const { info, count } = zones!;
    const map = new ZoneMap(info.blocks * blockSize, true, Math.min(info.maxOpen, info.maxActive), count);
    for (const [zone, { start, capacity, pointer, state }] of (await zones!.report()).entries()) {
      map.pointers[zone] = pointer * blockSize;
      map.ends[zone] = (start + capacity) * blockSize;
      map.written_bytes += (pointer - start) * blockSize;
      if (state.endsWith('open') || state === 'closed') map.open.push(zone);
    }
    return map;
  }

  get count(): number {
    return this.pointers.length;
  }

  startOf(zone: number): number {
    return zone * this.zone_bytes;
  }

  zoneOf(offset: number): number {
    return Math.floor(offset / this.zone_bytes);
  }

  writtenIn(zone: number): number {
    return this.pointers[zone]! - this.startOf(zone);
  }

  /** Bytes at the write pointer are about to be written. */
  advance(zone: number, bytes: number): void {
    this.pointers[zone] = this.pointers[zone]! + bytes;
    this.written_bytes += bytes;
  }

  /** The zone is about to become empty. */
  empty(zone: number): void {
    this.written_bytes -= this.writtenIn(zone);
    this.pointers[zone] = this.startOf(zone);
  }

  /** The zone counts as empty and as none of the open ones, whatever is in it. */
  forget(zone: number): void {
    this.empty(zone);
    this.close(zone);
  }

  /** Takes a zone out of the open ones. */
  close(zone: number): void {
    const index = this.open.indexOf(zone);
    if (index >= 0) this.open.splice(index, 1);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.pointers, this.ends, this.busy, this.open);
    this.written_bytes = a.value(this.written_bytes);
    this.writesToReset = a.value(this.writesToReset);
  }
}

/**
 * Regions of a function as offsets in its file: index << 40. Sizes, what may be mapped, and which access goes where.
 * linux-abi 2.2, 2.10, 2.11. Not here: the accesses themselves (bar-access.ts, config.ts). There is no VGA region and
 * no device-specific one.
 */
import { assert } from '../../support/assert.ts';
import { alignUp, PAGE_MASK, PAGE_SIZE } from '../../support/numbers.ts';
import type { MmapRequest, OpenFile } from '../file.ts';
import { type PciDevice, type Resource, ROM_RESOURCE } from '../pci-device.ts';
import type { Process } from '../process.ts';
import { EINVAL } from '../uapi/errno.ts';
import { MAP_SHARED, MAP_SHARED_VALIDATE, MAP_TYPE } from '../uapi/mman.ts';
import {
  offsetInRegion,
  regionIndex,
  VFIO_PCI_BAR5_REGION_INDEX,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_NUM_REGIONS,
  VFIO_PCI_ROM_REGION_INDEX,
} from '../uapi/vfio.ts';
import { readBar, writeBar } from './bar-access.ts';
import { BarVma, type MemoryGate } from './bar-mapping.ts';
import type { VirtualConfig } from './config.ts';
import { locateMsix, type MsixLocation } from './msi-vectors.ts';

const NO_TABLE = Number.POSITIVE_INFINITY;

export class PciRegions {
  readonly count = VFIO_PCI_NUM_REGIONS;
  readonly #device: PciDevice;
  readonly #process: Process;
  readonly #msix: MsixLocation | null;
  /** Gates pread and pwrite: the function decodes memory and is awake. */
  readonly access: MemoryGate = { open: false };
  /** Gates mappings: closed besides while user space has engaged low power. */
  readonly mapped: MemoryGate = { open: false };
  /** Set while the device is enabled. */
  config: VirtualConfig | null = null;

  constructor(device: PciDevice, process: Process) {
    this.#device = device;
    this.#process = process;
    this.#msix = locateMsix(device);
  }

  /** The BAR or ROM of a region, or null when it is not implemented or firmware left it unplaced. */
  resource(index: number): Resource | null {
    const resource = this.#device.resources[index] ?? null;
    return resource === null || resource.start === 0 ? null : resource;
  }

  /** Memory BARs can be mapped when no page of theirs is shared with another. */
  mappable(index: number): boolean {
    const resource = index <= VFIO_PCI_BAR5_REGION_INDEX ? this.resource(index) : null;
    return (
      resource !== null && !resource.io && (resource.bytes >= PAGE_SIZE || (resource.start & PAGE_MASK) === 0)
    );
  }

  holdsMsixTable(index: number): boolean {
    return this.#msix?.bar === index;
  }

  /** Where the MSI-X table begins and ends in a BAR; beyond every offset when it is elsewhere. */
  tableIn(index: number): { readonly start: number; readonly end: number } {
    if (this.#msix === null || this.#msix.bar !== index) return { start: NO_TABLE, end: NO_TABLE };
    return { start: this.#msix.offset, end: this.#msix.offset + this.#msix.bytes };
  }

  /** pread(2): bytes read, -EINVAL outside every region, -EFAULT outside configuration space, -EIO undecoded. */
  read(target: Uint8Array, offset: number): number {
    const index = regionIndex(offset);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) return this.#config.read(target, offsetInRegion(offset));
    return this.#reach(index, offset, target.length, (window, at, length) =>
      readBar(window, at, target.subarray(0, length)),
    );
  }

  /** pwrite(2): as `read`, and the ROM is -EINVAL. */
  write(source: Uint8Array, offset: number): number {
    const index = regionIndex(offset);
    if (index === VFIO_PCI_CONFIG_REGION_INDEX) return this.#config.write(source, offsetInRegion(offset));
    if (index === VFIO_PCI_ROM_REGION_INDEX) return -EINVAL;
    return this.#reach(index, offset, source.length, (window, at, length) =>
      writeBar(window, at, source.subarray(0, length)),
    );
  }

  /** mmap(2) of a BAR or a part of it. Returns the address, -EINVAL or -ENOMEM. */
  map(file: OpenFile, { length, protection, flags, offset }: MmapRequest): number {
    const index = regionIndex(offset);
    const at = offsetInRegion(offset);
    const type = flags & MAP_TYPE;
    if (index >= this.count || (type !== MAP_SHARED && type !== MAP_SHARED_VALIDATE)) return -EINVAL;
    if (!this.mappable(index)) return -EINVAL;
    const bar = this.resource(index)!;
    if (at + length > alignUp(bar.bytes, PAGE_SIZE)) return -EINVAL;
    const { rc } = this.#device;
    return this.#process.mapObject(length, (address) => {
      return new BarVma(rc, this.mapped, file, { address, length, protection, physical: bar.start + at });
    });
  }

  get #config(): VirtualConfig {
    assert(this.config !== null, 'a device is accessed while it is not enabled');
    return this.config;
  }

  #reach(
    index: number,
    offset: number,
    count: number,
    access: (window: Parameters<typeof readBar>[0], at: number, length: number) => number,
  ): number {
    const resource = index <= ROM_RESOURCE ? this.resource(index) : null;
    const at = offsetInRegion(offset);
    if (resource === null || at >= resource.bytes) return -EINVAL;
    const { start: tableStart, end: tableEnd } = this.tableIn(index);
    const window = { rc: this.#device.rc, gate: this.access, physical: resource.start, tableStart, tableEnd };
    return access(window, at, Math.min(count, resource.bytes - at));
  }
}

/**
 * IOEVENTFD: registers that the kernel writes when user space signals an eventfd. linux-abi 2.8.
 */
import type { PciHost } from '../../machine/pcie/pci-host.ts';
import type { FileTable } from '../file-table.ts';
import type { Process } from '../process.ts';
import { EEXIST, EFAULT, EINVAL, ENODEV, ENOSPC } from '../uapi/errno.ts';
import {
  offsetInRegion,
  regionIndex,
  VFIO_DEVICE_IOEVENTFD_SIZE_MASK,
  VFIO_PCI_BAR5_REGION_INDEX,
  VfioDeviceIoeventfd,
} from '../uapi/vfio.ts';
import { eventfdOf, Virqfd } from '../virqfd.ts';
import { writeBar } from './bar-access.ts';
import type { PciRegions } from './regions.ts';

const MIN_BYTES = 28;
const LIMIT = 1000;

interface Ioeventfd {
  readonly offset: bigint;
  readonly data: bigint;
  readonly width: number;
  readonly virqfd: Virqfd;
}

export class Ioeventfds {
  readonly #rc: PciHost;
  readonly #regions: PciRegions;
  readonly #process: Process;
  readonly #files: FileTable;
  #entries: Ioeventfd[] = [];

  constructor(rc: PciHost, regions: PciRegions, process: Process, files: FileTable) {
    this.#rc = rc;
    this.#regions = regions;
    this.#process = process;
    this.#files = files;
  }

  /** The request at `argument`: installs, or with fd -1 removes. */
  set(argument: number): number {
    const given = this.#process.load(argument, MIN_BYTES);
    if (given === null) return -EFAULT;
    const flags = VfioDeviceIoeventfd.get(given, 0, 'flags');
    const fd = VfioDeviceIoeventfd.get(given, 0, 'fd');
    const width = flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
    if (VfioDeviceIoeventfd.get(given, 0, 'argsz') < MIN_BYTES || flags !== width) return -EINVAL;
    if (width === 0 || (width & (width - 1)) !== 0 || fd < -1) return -EINVAL;
    const offset = VfioDeviceIoeventfd.get(given, 0, 'offset');
    const data = VfioDeviceIoeventfd.get(given, 0, 'data');
    if (!this.#fits(Number(offset), width)) return -EINVAL;

    const same = this.#entries.find(
      (entry) => entry.offset === offset && entry.data === data && entry.width === width,
    );
    if (same !== undefined) return fd === -1 ? this.#remove(same) : -EEXIST;
    if (fd === -1) return -ENODEV;
    if (this.#entries.length >= LIMIT) return -ENOSPC;
    const eventfd = eventfdOf(this.#files, fd);
    if (typeof eventfd === 'number') return eventfd;
    const bytes = new Uint8Array(BigUint64Array.of(data).buffer, 0, width);
    const virqfd = new Virqfd(eventfd, () => this.#write(Number(offset), bytes));
    this.#entries.push({ offset, data, width, virqfd });
    return 0;
  }

  /** Drops all of them, at the end of the device's use. */
  clear(): void {
    for (const { virqfd } of this.#entries) virqfd.release();
    this.#entries = [];
  }

  /** Inside a BAR, and not on the MSI-X table. */
  #fits(offset: number, width: number): boolean {
    const index = regionIndex(offset);
    const at = offsetInRegion(offset);
    const bar = index <= VFIO_PCI_BAR5_REGION_INDEX ? this.#regions.resource(index) : null;
    const table = this.#regions.tableIn(index);
    return bar !== null && at + width <= bar.bytes && !(at < table.end && at + width > table.start);
  }

  #remove(entry: Ioeventfd): number {
    entry.virqfd.release();
    this.#entries = this.#entries.filter((other) => other !== entry);
    return 0;
  }

  /** Nothing is written while the function does not decode memory. */
  #write(offset: number, bytes: Uint8Array): void {
    const bar = this.#regions.resource(regionIndex(offset))!;
    const none = Number.POSITIVE_INFINITY;
    const { access: gate } = this.#regions;
    const window = { rc: this.#rc, gate, physical: bar.start, tableStart: none, tableEnd: none };
    writeBar(window, offsetInRegion(offset), bytes);
  }
}

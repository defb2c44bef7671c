/**
 * A scripted Kernel with one NVMe function behind VFIO: memory, descriptors, the ioctls that the driver
 * makes, and a clock that jumps to the deadline when somebody waits in vain. I/O addresses differ from
 * process addresses, so a mix-up faults. Not here: checks of the ABI, which the real emulated kernel has
 * (vfio/kernel.ts).
 */
import { EINVAL, ENOENT } from '../../vfio/uapi/errno.ts';
import * as iommufd from '../../vfio/uapi/iommufd.ts';
import type { Address, Fd, Kernel, Mapping } from '../../vfio/uapi/kernel.ts';
import { POLLIN } from '../../vfio/uapi/mman.ts';
import * as vfio from '../../vfio/uapi/vfio.ts';
import { FakeNvme } from './fake-nvme.ts';

const PAGE = 4096;
const MEMORY_BYTES = 32 * 1024 * 1024;
/** What the kernel adds to a process address to make an I/O address. */
const IOVA_BASE = 0x4000_0000;
const BAR_BYTES = 0x4000;
const BAR_ADDRESS = 0x7000_0000_0000;
const BDF = '0000:01:00.0';
const CONFIG_OFFSET = vfio.regionOffset(vfio.VFIO_PCI_CONFIG_REGION_INDEX);

type Script = Partial<Record<number, number>>;

/** Memory is read through `bytes`, registers 32 bits at a time. */
const refuse = (): never => {
  throw new Error('the driver does not access memory in this way');
};

class AnonymousMapping implements Mapping {
  readonly address: Address;
  readonly length: number;
  readonly bytes: Uint8Array;
  constructor(address: Address, bytes: Uint8Array) {
    this.address = address;
    this.length = bytes.length;
    this.bytes = bytes;
  }
  readonly read8 = refuse;
  readonly read16 = refuse;
  readonly read32 = refuse;
  readonly read64 = refuse;
  readonly write8 = refuse;
  readonly write16 = refuse;
  readonly write32 = refuse;
  readonly write64 = refuse;
}

export class FakeKernel implements Kernel {
  readonly nvme: FakeNvme;
  /** Every call that a driver makes, by name; ioctls by request number. */
  readonly calls: string[] = [];
  /** Errors to give, by ioctl request. */
  readonly fail: Script = {};
  driver = 'vfio-pci';
  time = 0;
  command = 0x0002;
  openFds = 0;
  readonly mapped = new Map<number, number>();
  readonly #memory = new Uint8Array(MEMORY_BYTES);
  readonly #mappings = new Map<Address, Mapping>();
  readonly #paths = new Map<Fd, string>();
  readonly #counters = new Map<Fd, number>();
  readonly #vectors: Fd[] = [];
  #nextFd = 3;
  #nextAddress = PAGE;

  constructor() {
    this.nvme = new FakeNvme({ view: (iova, length) => this.#dma(iova, length) });
    this.nvme.onInterrupt = (qid) => {
      const fd = this.#vectors[qid];
      if (fd !== undefined) this.#counters.set(fd, (this.#counters.get(fd) ?? 0) + 1);
    };
  }

  #dma(iova: number, length: number): DataView {
    if ((this.command & 4) === 0) throw new Error('DMA without bus master');
    for (const [start, size] of this.mapped) {
      if (iova >= start && iova + length <= start + size) {
        return new DataView(this.#memory.buffer, iova - IOVA_BASE, length);
      }
    }
    throw new Error(`DMA to 0x${iova.toString(16)}, which is not mapped`);
  }

  /** Bytes of memory that anonymous mappings hold. */
  get anonymousBytes(): number {
    return [...this.#mappings.values()].reduce(
      (sum, { length, bytes }) => sum + (bytes === null ? 0 : length),
      0,
    );
  }

  open(path: string): Fd {
    this.calls.push(`open ${path}`);
    if (path.startsWith('/sys') && !path.includes(BDF)) return -ENOENT;
    this.openFds++;
    this.#paths.set(this.#nextFd, path);
    return this.#nextFd++;
  }

  close(fd: Fd): number {
    this.calls.push(`close ${this.#paths.get(fd) ?? 'eventfd'}`);
    this.openFds--;
    this.#paths.delete(fd);
    return 0;
  }

  memfdCreate(): Fd {
    throw new Error('the driver does not use memfd_create');
  }

  ftruncate(): number {
    throw new Error('the driver does not ftruncate');
  }

  dup(): Fd {
    throw new Error('the driver does not dup');
  }

  read(fd: Fd, target: Uint8Array): number {
    if (this.#counters.has(fd)) {
      this.#counters.set(fd, 0);
      return 8;
    }
    const text = new TextEncoder().encode('0x010802\n');
    target.set(text);
    return text.length;
  }

  write(): number {
    return -EINVAL;
  }

  pread(_fd: Fd, target: Uint8Array, offset: number): number {
    if (offset === CONFIG_OFFSET + 4) target[0] = this.command;
    return target.length;
  }

  pwrite(_fd: Fd, source: Uint8Array, offset: number): number {
    if (offset === CONFIG_OFFSET + 4) this.command = source[0]!;
    return source.length;
  }

  readdir(path: string): string[] | number {
    if (path === '/sys/bus/pci/devices') return [BDF];
    if (path.endsWith('/vfio-dev')) return this.driver === 'vfio-pci' ? ['vfio0'] : -ENOENT;
    return -ENOENT;
  }

  readlink(): string | number {
    return this.driver === '' ? -ENOENT : `../../../bus/pci/drivers/${this.driver}`;
  }

  mmap(length: number, _protection: number, _flags: number, fd: Fd, offset: number): Address {
    if (fd >= 0) {
      this.#mappings.set(BAR_ADDRESS + offset, this.#bar(offset, length));
      return BAR_ADDRESS + offset;
    }
    const address = this.#nextAddress;
    this.#nextAddress += length + PAGE;
    this.#mappings.set(
      address,
      new AnonymousMapping(address, this.#memory.subarray(address, address + length)),
    );
    return address;
  }

  #bar(base: number, length: number): Mapping {
    const { nvme } = this;
    return {
      address: BAR_ADDRESS + base,
      length,
      bytes: null,
      read32: (offset) => nvme.read32(base + offset),
      write32: (offset, value) => (base === 0 ? nvme.write32(offset, value) : nvme.ring(offset, value)),
      read8: refuse,
      read16: refuse,
      read64: refuse,
      write8: refuse,
      write16: refuse,
      write64: refuse,
    };
  }

  munmap(address: Address): number {
    return this.#mappings.delete(address) ? 0 : -EINVAL;
  }

  mapping(address: Address): Mapping | null {
    return this.#mappings.get(address) ?? null;
  }

  eventfd(): Fd {
    this.openFds++;
    this.#counters.set(this.#nextFd, 0);
    return this.#nextFd++;
  }

  poll(fd: Fd): number {
    return (this.#counters.get(fd) ?? 0) > 0 ? POLLIN : 0;
  }

  now(): number {
    return this.time;
  }

  relax(deadline: number): boolean {
    this.time = deadline;
    return true;
  }

  wait(fd: Fd, _events: number, deadline: number): Promise<number> {
    const events = this.poll(fd);
    if (events === 0) this.time = deadline;
    return Promise.resolve(events);
  }

  ioctl(_fd: Fd, request: number, argument: Address): number {
    this.calls.push(`ioctl 0x${request.toString(16)}`);
    const failure = this.fail[request];
    if (failure !== undefined) return -failure;
    const view = new DataView(this.#memory.buffer, argument);
    const handler = this.#handlers[request];
    return handler === undefined ? -EINVAL : handler(view);
  }

  readonly #handlers: Readonly<Record<number, (view: DataView) => number>> = {
    [vfio.VFIO_DEVICE_BIND_IOMMUFD]: () => 0,
    [vfio.VFIO_DEVICE_ATTACH_IOMMUFD_PT]: () => 0,
    [vfio.VFIO_DEVICE_GET_REGION_INFO]: (view) => {
      const index = vfio.VfioRegionInfo.get(view, 0, 'index');
      vfio.VfioRegionInfo.set(view, 0, 'flags', 7);
      vfio.VfioRegionInfo.set(view, 0, 'size', index === 0 ? BAR_BYTES : PAGE);
      vfio.VfioRegionInfo.set(view, 0, 'offset', vfio.regionOffset(index));
      return 0;
    },
    [vfio.VFIO_DEVICE_GET_IRQ_INFO]: (view) => {
      vfio.VfioIrqInfo.set(view, 0, 'count', 4);
      return 0;
    },
    [vfio.VFIO_DEVICE_RESET]: () => {
      this.nvme.reset();
      return 0;
    },
    [vfio.VFIO_DEVICE_SET_IRQS]: (view) => this.#setIrqs(view),
    [iommufd.IOMMU_IOAS_ALLOC]: (view) => {
      iommufd.IommuIoasAlloc.set(view, 0, 'out_ioas_id', 1);
      return 0;
    },
    [iommufd.IOMMU_IOAS_MAP]: (view) => {
      const iova = Number(iommufd.IommuIoasMap.get(view, 0, 'user_va')) + IOVA_BASE;
      this.mapped.set(iova, Number(iommufd.IommuIoasMap.get(view, 0, 'length')));
      iommufd.IommuIoasMap.set(view, 0, 'iova', iova);
      return 0;
    },
    [iommufd.IOMMU_IOAS_UNMAP]: (view) =>
      this.mapped.delete(Number(iommufd.IommuIoasUnmap.get(view, 0, 'iova'))) ? 0 : -ENOENT,
  };

  #setIrqs(view: DataView): number {
    const count = vfio.VfioIrqSet.get(view, 0, 'count');
    if (count === 0 && this.#vectors.length === 0) return -EINVAL;
    this.#vectors.splice(0);
    for (let vector = 0; vector < count; vector++) {
      this.#vectors.push(view.getInt32(vfio.VfioIrqSet.SIZE + vector * 4, true));
    }
    return 0;
  }
}

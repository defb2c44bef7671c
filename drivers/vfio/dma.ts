/**
 * Memory that a device can reach: an I/O address space (IOAS) of iommufd, and buffers that are mapped into
 * it. The kernel chooses I/O virtual addresses, so a buffer is contiguous for the device and for the program.
 * Not here: attaching a device to the space (device.ts), scatter lists (nvme/prp.ts).
 */
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import {
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  IommuIoasAlloc,
  IommuIoasMap,
  IommuIoasUnmap,
} from '../../vfio/uapi/iommufd.ts';
import type { Address, Fd, Kernel } from '../../vfio/uapi/kernel.ts';
import { O_CLOEXEC, O_RDWR } from '../../vfio/uapi/mman.ts';
import { type Causes, check, IoctlPage, mmapAnonymous } from './sys.ts';

const IOMMU_PATH = '/dev/iommu';
const OPEN_CAUSES: Causes = {
  ENOENT: 'the kernel was built without IOMMUFD',
  EACCES: 'the node belongs to root; change its owner or mode',
};
const MAP_CAUSES: Causes = {
  ENOMEM: 'the memory would exceed RLIMIT_MEMLOCK, which counts for all processes of the user',
  EFAULT: 'the range is not ordinary memory of this process (device registers cannot be mapped)',
  ENOSPC: 'no range of I/O addresses is left that is large enough',
  ENOENT: 'the address space does not exist any more',
};

/** What a device may do with a buffer. */
export const DMA_TO_DEVICE = IOMMU_IOAS_MAP_READABLE;
export const DMA_FROM_DEVICE = IOMMU_IOAS_MAP_WRITEABLE;
export const DMA_BIDIRECTIONAL = DMA_TO_DEVICE | DMA_FROM_DEVICE;

/** Anything that holds bytes at consecutive I/O addresses. */
export interface DmaRange {
  readonly iova: number;
  readonly bytes: Uint8Array;
}

/** Whole pages of process memory that are mapped for the device until `free`. */
export class DmaBuffer implements DmaRange {
  readonly iova: number;
  readonly address: Address;
  readonly bytes: Uint8Array;
  readonly #space: DmaSpace;
  #isFree = false;

  constructor(space: DmaSpace, address: Address, iova: number, bytes: Uint8Array) {
    this.#space = space;
    this.address = address;
    this.iova = iova;
    this.bytes = bytes;
  }

  /** Takes the buffer from the device and from the process. The device must not use it any more. */
  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#space.unmap(this.iova, this.bytes.length);
    this.#space.kernel.munmap(this.address, this.bytes.length);
  }
}

/**
 * One address space. Devices that are attached to the same one reach the same buffers at the same I/O
 * addresses.
 */
export class DmaSpace {
  readonly kernel: Kernel;
  /** Descriptor of /dev/iommu. */
  readonly fd: Fd;
  /** Id of the IOAS. */
  readonly id: number;
  readonly ioctls: IoctlPage;

  /** Opens /dev/iommu and allocates an IOAS. Throws SysError. */
  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.fd = check(kernel.open(IOMMU_PATH, O_RDWR | O_CLOEXEC), `open("${IOMMU_PATH}")`, OPEN_CAUSES);
    this.ioctls = new IoctlPage(kernel);
    const size = IommuIoasAlloc.SIZE;
    this.ioctls.call(this.fd, 'iommufd', IOMMU_IOAS_ALLOC, IommuIoasAlloc, { size });
    this.id = this.ioctls.get(IommuIoasAlloc, 'out_ioas_id');
  }

  /** A zeroed buffer of at least `length` bytes, in whole pages. Throws SysError. */
  allocate(length: number, access = DMA_BIDIRECTIONAL): DmaBuffer {
    const size = alignUp(length, PAGE_SIZE);
    const address = mmapAnonymous(this.kernel, size);
    try {
      return new DmaBuffer(
        this,
        address,
        this.map(address, size, access),
        this.kernel.mapping(address)!.bytes!,
      );
    } catch (error) {
      this.kernel.munmap(address, size);
      throw error;
    }
  }

  /** Maps memory of the process and returns the I/O address that the kernel chose. Throws SysError. */
  map(address: Address, length: number, access: number): number {
    const values = { size: IommuIoasMap.SIZE, flags: access, ioas_id: this.id, user_va: address, length };
    this.ioctls.call(this.fd, 'iommufd', IOMMU_IOAS_MAP, IommuIoasMap, values, MAP_CAUSES);
    return this.ioctls.get(IommuIoasMap, 'iova');
  }

  /** Unmaps exactly what `map` mapped. Throws SysError. */
  unmap(iova: number, length: number): void {
    const values = { size: IommuIoasUnmap.SIZE, ioas_id: this.id, iova, length };
    this.ioctls.call(this.fd, 'iommufd', IOMMU_IOAS_UNMAP, IommuIoasUnmap, values, {
      ENOENT: 'the range is not mapped, or a mapping reaches beyond it',
    });
  }

  /** Closes /dev/iommu, which unmaps what is left once no device is bound to it. */
  close(): void {
    this.ioctls.close();
    this.kernel.close(this.fd);
  }
}

/** Pieces of equal size cut from one buffer; whoever finds none left waits in line. */
export class DmaPool {
  readonly pieceBytes: number;
  readonly #buffer: DmaBuffer;
  readonly #free: DmaRange[] = [];
  readonly #waiting: ((piece: DmaRange) => void)[] = [];

  constructor(space: DmaSpace, pieceBytes: number, count: number) {
    this.pieceBytes = pieceBytes;
    this.#buffer = space.allocate(pieceBytes * count);
    const { iova, bytes } = this.#buffer;
    for (let at = 0; at < pieceBytes * count; at += pieceBytes) {
      this.#free.push({ iova: iova + at, bytes: bytes.subarray(at, at + pieceBytes) });
    }
  }

  take(): Promise<DmaRange> {
    const piece = this.#free.pop();
    if (piece !== undefined) return Promise.resolve(piece);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(piece: DmaRange): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(piece);
    else next(piece);
  }

  /** Frees the memory. Pieces that are still out must not be used any more. */
  close(): void {
    this.#buffer.free();
  }
}

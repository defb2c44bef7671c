/**
 * The ioctl request word (asm-generic/ioctl.h) and the names of the requests that VFIO and iommufd answer.
 * Not here: the request constants and their structures (vfio.ts, iommufd.ts), which are built with `_IO`;
 * the test checks that the names below and those constants agree.
 */
import { bits } from '../../support/bits.ts';

/** Fields of a request word. The direction is the user's: WRITE carries data to the kernel. */
export const IOC = bits({ NR: [7, 0], TYPE: [15, 8], SIZE: [29, 16], DIRECTION: [31, 30] });

export const _IOC_NONE = 0;
export const _IOC_WRITE = 1;
export const _IOC_READ = 2;

/** Largest argument size a request word can hold. */
export const _IOC_SIZE_MAX = 0x3fff;

const TYPE_VFIO = 0x3b; // ';'

/** A request word, unsigned. `type` is a character code, `size` the bytes of the argument. */
export const _IOC = (direction: number, type: number, nr: number, size: number): number =>
  IOC.encode({ DIRECTION: direction, TYPE: type, NR: nr, SIZE: size });

/** A request without a declared argument. All of VFIO and iommufd use it, and pass a pointer all the same. */
export const _IO = (type: number, nr: number): number => _IOC(_IOC_NONE, type, nr, 0);
/** A request whose argument the kernel fills. */
export const _IOR = (type: number, nr: number, size: number): number => _IOC(_IOC_READ, type, nr, size);
/** A request whose argument the kernel reads. */
export const _IOW = (type: number, nr: number, size: number): number => _IOC(_IOC_WRITE, type, nr, size);
/** A request whose argument the kernel reads and fills. */
export const _IOWR = (type: number, nr: number, size: number): number =>
  _IOC(_IOC_READ | _IOC_WRITE, type, nr, size);

export interface IoctlRequest {
  readonly direction: number;
  readonly type: number;
  readonly nr: number;
  readonly size: number;
}

/** The four parts of a request word. Bits above 31 are dropped, as the kernel's `unsigned int` drops them. */
export const decodeIoctl = (request: number): IoctlRequest => ({
  direction: IOC.DIRECTION.get(request),
  type: IOC.TYPE.get(request),
  nr: IOC.NR.get(request),
  size: IOC.SIZE.get(request),
});

/** The structure a request points to. `minSize` is the shortest one the kernel takes, `size` the full one. */
export interface IoctlStruct {
  readonly name: string;
  readonly size: number;
  readonly minSize: number;
  /** Decodes the full structure, for traces and tests. */
  readonly struct: {
    readonly SIZE: number;
    decode(view: DataView, at: number): Record<string, number | bigint | Uint8Array>;
  };
  /** First Linux release with the request; absent when 6.12 has it. */
  readonly since?: string;
}

/** What a descriptor is, as far as request numbers go: container and device share numbers 112 to 117. */
export type IoctlFdKind = 'device' | 'container' | 'group' | 'iommufd' | 'migration';

const CONTAINER: Readonly<Record<number, string>> = {
  100: 'VFIO_GET_API_VERSION',
  101: 'VFIO_CHECK_EXTENSION',
  102: 'VFIO_SET_IOMMU',
  112: 'VFIO_IOMMU_GET_INFO',
  113: 'VFIO_IOMMU_MAP_DMA',
  114: 'VFIO_IOMMU_UNMAP_DMA',
  115: 'VFIO_IOMMU_ENABLE',
  116: 'VFIO_IOMMU_DISABLE',
  117: 'VFIO_IOMMU_DIRTY_PAGES',
};

const NAMES: Readonly<Record<IoctlFdKind, Readonly<Record<number, string>>>> = {
  device: {
    107: 'VFIO_DEVICE_GET_INFO',
    108: 'VFIO_DEVICE_GET_REGION_INFO',
    109: 'VFIO_DEVICE_GET_IRQ_INFO',
    110: 'VFIO_DEVICE_SET_IRQS',
    111: 'VFIO_DEVICE_RESET',
    112: 'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO',
    113: 'VFIO_DEVICE_PCI_HOT_RESET',
    114: 'VFIO_DEVICE_QUERY_GFX_PLANE',
    115: 'VFIO_DEVICE_GET_GFX_DMABUF',
    116: 'VFIO_DEVICE_IOEVENTFD',
    117: 'VFIO_DEVICE_FEATURE',
    118: 'VFIO_DEVICE_BIND_IOMMUFD',
    119: 'VFIO_DEVICE_ATTACH_IOMMUFD_PT',
    120: 'VFIO_DEVICE_DETACH_IOMMUFD_PT',
  },
  group: {
    103: 'VFIO_GROUP_GET_STATUS',
    104: 'VFIO_GROUP_SET_CONTAINER',
    105: 'VFIO_GROUP_UNSET_CONTAINER',
    106: 'VFIO_GROUP_GET_DEVICE_FD',
  },
  migration: { 121: 'VFIO_MIG_GET_PRECOPY_INFO' },
  container: CONTAINER,
  iommufd: {
    ...CONTAINER, // the compatibility layer answers container requests on /dev/iommu
    128: 'IOMMU_DESTROY',
    129: 'IOMMU_IOAS_ALLOC',
    130: 'IOMMU_IOAS_ALLOW_IOVAS',
    131: 'IOMMU_IOAS_COPY',
    132: 'IOMMU_IOAS_IOVA_RANGES',
    133: 'IOMMU_IOAS_MAP',
    134: 'IOMMU_IOAS_UNMAP',
    135: 'IOMMU_OPTION',
    136: 'IOMMU_VFIO_IOAS',
    137: 'IOMMU_HWPT_ALLOC',
    138: 'IOMMU_GET_HW_INFO',
    139: 'IOMMU_HWPT_SET_DIRTY_TRACKING',
    140: 'IOMMU_HWPT_GET_DIRTY_BITMAP',
    141: 'IOMMU_HWPT_INVALIDATE',
    142: 'IOMMU_FAULT_QUEUE_ALLOC',
    143: 'IOMMU_IOAS_MAP_FILE',
    144: 'IOMMU_VIOMMU_ALLOC',
    145: 'IOMMU_VDEVICE_ALLOC',
    146: 'IOMMU_IOAS_CHANGE_PROCESS',
    147: 'IOMMU_VEVENTQ_ALLOC',
    148: 'IOMMU_HW_QUEUE_ALLOC',
    160: 'IOMMU_TEST_CMD',
  },
};

/** Whose name a number takes when the descriptor's own kind has none. */
const ELSEWHERE = ['device', 'group', 'iommufd', 'migration'] as const satisfies readonly IoctlFdKind[];

const DIRECTIONS = ['_IOC_NONE', '_IOC_WRITE', '_IOC_READ', '_IOC_READ|_IOC_WRITE'] as const;

/**
 * The name of a request sent to a descriptor of kind `fdKind`, for traces and errors. A number that this
 * kind does not know keeps the name it has elsewhere (a device request is still one when sent to a group);
 * one that nobody knows is spelled as strace does: `_IOC(_IOC_NONE, 0x3b, 0x7f, 0)`.
 */
export function ioctlName(request: number, fdKind: IoctlFdKind): string {
  const { direction, type, nr, size } = decodeIoctl(request);
  if (request >>> 0 === _IO(TYPE_VFIO, nr)) {
    const own = NAMES[fdKind][nr];
    if (own !== undefined) return own;
    for (const kind of ELSEWHERE) {
      const name = NAMES[kind][nr];
      if (name !== undefined) return name;
    }
  }
  const sizeText = size === 0 ? '0' : `0x${size.toString(16)}`;
  return `_IOC(${DIRECTIONS[direction]}, 0x${type.toString(16)}, 0x${nr.toString(16)}, ${sizeText})`;
}

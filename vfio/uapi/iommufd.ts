/**
 * linux/iommufd.h: request numbers, argument structures, flags, options and hardware types of /dev/iommu.
 * Names and fields are Linux's own; a structure `iommu_ioas_map` is the layout `IommuIoasMap`. The first
 * field of every argument is its size in bytes; `IOMMUFD_COMMANDS` has the sizes that the kernel takes.
 * Layouts follow Linux 6.12; a release in brackets marks what came later.
 * Not here: what the requests do (vfio/), the selftest request, and data of ARM and NVIDIA hardware.
 */
import { layout } from '../../support/layout.ts';
import { _IO, type IoctlStruct } from './ioctl.ts';

export const IOMMUFD_TYPE = 0x3b; // ';'
export const IOMMUFD_CMD_BASE = 0x80;

export const IOMMU_DESTROY = _IO(IOMMUFD_TYPE, 0x80);
export const IOMMU_IOAS_ALLOC = _IO(IOMMUFD_TYPE, 0x81);
export const IOMMU_IOAS_ALLOW_IOVAS = _IO(IOMMUFD_TYPE, 0x82);
export const IOMMU_IOAS_COPY = _IO(IOMMUFD_TYPE, 0x83);
export const IOMMU_IOAS_IOVA_RANGES = _IO(IOMMUFD_TYPE, 0x84);
export const IOMMU_IOAS_MAP = _IO(IOMMUFD_TYPE, 0x85);
export const IOMMU_IOAS_UNMAP = _IO(IOMMUFD_TYPE, 0x86);
export const IOMMU_OPTION = _IO(IOMMUFD_TYPE, 0x87);
export const IOMMU_VFIO_IOAS = _IO(IOMMUFD_TYPE, 0x88);
export const IOMMU_HWPT_ALLOC = _IO(IOMMUFD_TYPE, 0x89);
export const IOMMU_GET_HW_INFO = _IO(IOMMUFD_TYPE, 0x8a);
export const IOMMU_HWPT_SET_DIRTY_TRACKING = _IO(IOMMUFD_TYPE, 0x8b);
export const IOMMU_HWPT_GET_DIRTY_BITMAP = _IO(IOMMUFD_TYPE, 0x8c);
export const IOMMU_HWPT_INVALIDATE = _IO(IOMMUFD_TYPE, 0x8d);
export const IOMMU_FAULT_QUEUE_ALLOC = _IO(IOMMUFD_TYPE, 0x8e);
/** [6.13] */
export const IOMMU_IOAS_MAP_FILE = _IO(IOMMUFD_TYPE, 0x8f);
/** [6.13] */
export const IOMMU_VIOMMU_ALLOC = _IO(IOMMUFD_TYPE, 0x90);
/** [6.13] */
export const IOMMU_VDEVICE_ALLOC = _IO(IOMMUFD_TYPE, 0x91);
/** [6.13] */
export const IOMMU_IOAS_CHANGE_PROCESS = _IO(IOMMUFD_TYPE, 0x92);
/** [6.15] */
export const IOMMU_VEVENTQ_ALLOC = _IO(IOMMUFD_TYPE, 0x93);
/** [6.17] */
export const IOMMU_HW_QUEUE_ALLOC = _IO(IOMMUFD_TYPE, 0x94);
/** Only in kernels built for the selftest. */
export const IOMMU_TEST_CMD = _IO(IOMMUFD_TYPE, 0xa0);

/** Kinds of objects that share one space of ids in a context. The kernel's own list, not visible to users. */
export const IOMMUFD_OBJECT_TYPES = [
  'IOAS',
  'HWPT_PAGING',
  'HWPT_NESTED',
  'DEVICE',
  'ACCESS',
  'FAULT',
  'SELFTEST',
  'VIOMMU',
  'VDEVICE',
  'VEVENTQ',
  'HW_QUEUE',
] as const;
export type IommufdObjectType = (typeof IOMMUFD_OBJECT_TYPES)[number];

/** The largest u64. As UNMAP's length with IOVA 0 it unmaps everything. */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

export const IommuDestroy = layout({ size: 'u32', id: 'u32' }, 8);

// IO address spaces.
export const IommuIoasAlloc = layout({ size: 'u32', flags: 'u32', out_ioas_id: 'u32' }, 12);

/** `last` is the last address of the range, inclusive. */
export const IommuIovaRange = layout({ start: 'u64', last: 'u64' }, 16);
/** `allowed_iovas` points to `num_iovas` of `IommuIovaRange`, which the kernel fills. */
export const IommuIoasIovaRanges = layout(
  {
    size: 'u32',
    ioas_id: 'u32',
    num_iovas: 'u32',
    __reserved: 'u32',
    allowed_iovas: 'u64',
    out_iova_alignment: 'u64',
  },
  32,
);
/** `allowed_iovas` points to `num_iovas` of `IommuIovaRange`, which the kernel reads. */
export const IommuIoasAllowIovas = layout(
  { size: 'u32', ioas_id: 'u32', num_iovas: 'u32', __reserved: 'u32', allowed_iovas: 'u64' },
  24,
);

export const IommuIoasMap = layout(
  {
    size: 'u32',
    flags: 'u32',
    ioas_id: 'u32',
    __reserved: 'u32',
    user_va: 'u64',
    length: 'u64',
    iova: 'u64',
  },
  40,
);
/** [6.13] */
export const IommuIoasMapFile = layout(
  { size: 'u32', flags: 'u32', ioas_id: 'u32', fd: 's32', start: 'u64', length: 'u64', iova: 'u64' },
  40,
);
export const IommuIoasCopy = layout(
  {
    size: 'u32',
    flags: 'u32',
    dst_ioas_id: 'u32',
    src_ioas_id: 'u32',
    length: 'u64',
    dst_iova: 'u64',
    src_iova: 'u64',
  },
  40,
);
// Flags of MAP, MAP_FILE and COPY.
export const IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0;
export const IOMMU_IOAS_MAP_WRITEABLE = 1 << 1;
export const IOMMU_IOAS_MAP_READABLE = 1 << 2;

/** `length` comes back as the number of bytes unmapped. */
export const IommuIoasUnmap = layout({ size: 'u32', ioas_id: 'u32', iova: 'u64', length: 'u64' }, 24);

/** [6.13] */
export const IommuIoasChangeProcess = layout({ size: 'u32', __reserved: 'u32' }, 8);

export const IommuOption = layout(
  { size: 'u32', option_id: 'u32', op: 'u16', __reserved: 'u16', object_id: 'u32', val64: 'u64' },
  24,
);
export const IOMMU_OPTION_RLIMIT_MODE = 0;
export const IOMMU_OPTION_HUGE_PAGES = 1;
export const IOMMU_OPTION_OP_SET = 0;
export const IOMMU_OPTION_OP_GET = 1;

export const IommuVfioIoas = layout({ size: 'u32', ioas_id: 'u32', op: 'u16', __reserved: 'u16' }, 12);
export const IOMMU_VFIO_IOAS_GET = 0;
export const IOMMU_VFIO_IOAS_SET = 1;
export const IOMMU_VFIO_IOAS_CLEAR = 2;

/** Hardware page tables. A caller of the first 24 bytes gets a plain paging domain. */
export const IommuHwptAlloc = layout(
  {
    size: 'u32',
    flags: 'u32',
    dev_id: 'u32',
    pt_id: 'u32',
    out_hwpt_id: 'u32',
    __reserved: 'u32',
    data_type: 'u32',
    data_len: 'u32',
    data_uptr: 'u64',
    fault_id: 'u32',
    __reserved2: 'u32',
  },
  48,
);
export const IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0;
export const IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1;
export const IOMMU_HWPT_FAULT_ID_VALID = 1 << 2;
/** [6.15] */
export const IOMMU_HWPT_ALLOC_PASID = 1 << 3;
export const IOMMU_HWPT_DATA_NONE = 0;
export const IOMMU_HWPT_DATA_VTD_S1 = 1;
/** [6.13] */
export const IOMMU_HWPT_DATA_ARM_SMMUV3 = 2;
/** What `data_uptr` points to for IOMMU_HWPT_DATA_VTD_S1. */
export const IommuHwptVtdS1 = layout(
  { flags: 'u64', pgtbl_addr: 'u64', addr_width: 'u32', __reserved: 'u32' },
  24,
);
export const IOMMU_VTD_S1_SRE = 1 << 0;
export const IOMMU_VTD_S1_EAFE = 1 << 1;
export const IOMMU_VTD_S1_WPE = 1 << 2;

/** `data_len` comes back as the kernel's own length, whatever was copied. */
export const IommuHwInfo = layout(
  {
    size: 'u32',
    flags: 'u32',
    dev_id: 'u32',
    data_len: 'u32',
    data_uptr: 'u64',
    out_data_type: 'u32',
    out_max_pasid_log2: 'u8',
    __reserved: 3,
    out_capabilities: 'u64',
  },
  40,
);
/** [6.17] `out_data_type` is an input too. */
export const IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1 << 0;
export const IOMMU_HW_INFO_TYPE_NONE = 0;
export const IOMMU_HW_INFO_TYPE_INTEL_VTD = 1;
export const IOMMU_HW_INFO_TYPE_ARM_SMMUV3 = 2;
/** [6.17] */
export const IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV = 3;
export const IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0;
/** [6.15] */
export const IOMMU_HW_CAP_PCI_PASID_EXEC = 1 << 1;
/** [6.15] */
export const IOMMU_HW_CAP_PCI_PASID_PRIV = 1 << 2;
/** The registers CAP and ECAP as the hardware has them. */
export const IommuHwInfoVtd = layout(
  { flags: 'u32', __reserved: 'u32', cap_reg: 'u64', ecap_reg: 'u64' },
  24,
);
/** Read-only mappings are not allowed on a nesting parent. */
export const IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 = 1 << 0;

export const IommuHwptSetDirtyTracking = layout(
  { size: 'u32', flags: 'u32', hwpt_id: 'u32', __reserved: 'u32' },
  16,
);
export const IOMMU_HWPT_DIRTY_TRACKING_ENABLE = 1 << 0;

export const IommuHwptGetDirtyBitmap = layout(
  {
    size: 'u32',
    hwpt_id: 'u32',
    flags: 'u32',
    __reserved: 'u32',
    iova: 'u64',
    length: 'u64',
    page_size: 'u64',
    data: 'u64',
  },
  48,
);
export const IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR = 1 << 0;

/** `entry_num` comes back as the number of entries handled. */
export const IommuHwptInvalidate = layout(
  {
    size: 'u32',
    hwpt_id: 'u32',
    data_uptr: 'u64',
    data_type: 'u32',
    entry_len: 'u32',
    entry_num: 'u32',
    __reserved: 'u32',
  },
  32,
);
export const IOMMU_HWPT_INVALIDATE_DATA_VTD_S1 = 0;
/** One entry for IOMMU_HWPT_INVALIDATE_DATA_VTD_S1. */
export const IommuHwptVtdS1Invalidate = layout(
  { addr: 'u64', npages: 'u64', flags: 'u32', __reserved: 'u32' },
  24,
);
export const IOMMU_VTD_INV_FLAGS_LEAF = 1 << 0;

// IO page faults: messages are read from the fault descriptor and answered by writing to it.
export const IommuFaultAlloc = layout(
  { size: 'u32', flags: 'u32', out_fault_id: 'u32', out_fault_fd: 'u32' },
  16,
);
export const IommuHwptPgfault = layout(
  {
    flags: 'u32',
    dev_id: 'u32',
    pasid: 'u32',
    grpid: 'u32',
    perm: 'u32',
    __reserved: 'u32',
    addr: 'u64',
    length: 'u32',
    cookie: 'u32',
  },
  40,
);
export const IOMMU_PGFAULT_FLAGS_PASID_VALID = 1 << 0;
export const IOMMU_PGFAULT_FLAGS_LAST_PAGE = 1 << 1;
export const IOMMU_PGFAULT_PERM_READ = 1 << 0;
export const IOMMU_PGFAULT_PERM_WRITE = 1 << 1;
export const IOMMU_PGFAULT_PERM_EXEC = 1 << 2;
export const IOMMU_PGFAULT_PERM_PRIV = 1 << 3;
export const IommuHwptPageResponse = layout({ cookie: 'u32', code: 'u32' }, 8);
export const IOMMUFD_PAGE_RESP_SUCCESS = 0;
export const IOMMUFD_PAGE_RESP_INVALID = 1;

/** Virtual IOMMUs [6.13]. The last three fields came in 6.17. */
export const IommuViommuAlloc = layout(
  {
    size: 'u32',
    flags: 'u32',
    type: 'u32',
    dev_id: 'u32',
    hwpt_id: 'u32',
    out_viommu_id: 'u32',
    data_len: 'u32',
    __reserved: 'u32',
    data_uptr: 'u64',
  },
  40,
);
export const IOMMU_VIOMMU_TYPE_DEFAULT = 0;
export const IOMMU_VIOMMU_TYPE_ARM_SMMUV3 = 1;
export const IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV = 2;

/** [6.13] */
export const IommuVdeviceAlloc = layout(
  { size: 'u32', viommu_id: 'u32', dev_id: 'u32', out_vdevice_id: 'u32', virt_id: 'u64' },
  24,
);

/** [6.15] */
export const IommuVeventqAlloc = layout(
  {
    size: 'u32',
    flags: 'u32',
    viommu_id: 'u32',
    type: 'u32',
    veventq_depth: 'u32',
    out_veventq_id: 'u32',
    out_veventq_fd: 'u32',
    __reserved: 'u32',
  },
  32,
);
/** Heads every event read from a virtual event queue [6.15]. */
export const IommufdVeventHeader = layout({ flags: 'u32', sequence: 'u32' }, 8);
export const IOMMU_VEVENTQ_FLAG_LOST_EVENTS = 1 << 0;

/** [6.17] */
export const IommuHwQueueAlloc = layout(
  {
    size: 'u32',
    flags: 'u32',
    viommu_id: 'u32',
    type: 'u32',
    index: 'u32',
    out_hw_queue_id: 'u32',
    nesting_parent_iova: 'u64',
    length: 'u64',
  },
  40,
);

interface Younger {
  readonly minSize?: number;
  readonly since?: string;
}

const entry = (name: string, struct: IoctlStruct['struct'], younger: Younger = {}): IoctlStruct => ({
  name,
  size: struct.SIZE,
  minSize: struct.SIZE,
  struct,
  ...younger,
});

/**
 * Every request with its structure. Below `minSize` the kernel answers EINVAL; beyond `size` only zeros may
 * follow, else E2BIG. In 6.13 to 6.16 the size of VIOMMU_ALLOC was 24.
 */
export const IOMMUFD_COMMANDS: ReadonlyMap<number, IoctlStruct> = new Map([
  [IOMMU_DESTROY, entry('IOMMU_DESTROY', IommuDestroy)],
  [IOMMU_IOAS_ALLOC, entry('IOMMU_IOAS_ALLOC', IommuIoasAlloc)],
  [IOMMU_IOAS_ALLOW_IOVAS, entry('IOMMU_IOAS_ALLOW_IOVAS', IommuIoasAllowIovas)],
  [IOMMU_IOAS_COPY, entry('IOMMU_IOAS_COPY', IommuIoasCopy)],
  [IOMMU_IOAS_IOVA_RANGES, entry('IOMMU_IOAS_IOVA_RANGES', IommuIoasIovaRanges)],
  [IOMMU_IOAS_MAP, entry('IOMMU_IOAS_MAP', IommuIoasMap)],
  [IOMMU_IOAS_UNMAP, entry('IOMMU_IOAS_UNMAP', IommuIoasUnmap)],
  [IOMMU_OPTION, entry('IOMMU_OPTION', IommuOption)],
  [IOMMU_VFIO_IOAS, entry('IOMMU_VFIO_IOAS', IommuVfioIoas)],
  [IOMMU_HWPT_ALLOC, entry('IOMMU_HWPT_ALLOC', IommuHwptAlloc, { minSize: 24 })],
  [IOMMU_GET_HW_INFO, entry('IOMMU_GET_HW_INFO', IommuHwInfo, { minSize: 32 })],
  [IOMMU_HWPT_SET_DIRTY_TRACKING, entry('IOMMU_HWPT_SET_DIRTY_TRACKING', IommuHwptSetDirtyTracking)],
  [IOMMU_HWPT_GET_DIRTY_BITMAP, entry('IOMMU_HWPT_GET_DIRTY_BITMAP', IommuHwptGetDirtyBitmap)],
  [IOMMU_HWPT_INVALIDATE, entry('IOMMU_HWPT_INVALIDATE', IommuHwptInvalidate)],
  [IOMMU_FAULT_QUEUE_ALLOC, entry('IOMMU_FAULT_QUEUE_ALLOC', IommuFaultAlloc)],
  [IOMMU_IOAS_MAP_FILE, entry('IOMMU_IOAS_MAP_FILE', IommuIoasMapFile, { since: '6.13' })],
  [IOMMU_VIOMMU_ALLOC, entry('IOMMU_VIOMMU_ALLOC', IommuViommuAlloc, { minSize: 24, since: '6.13' })],
  [IOMMU_VDEVICE_ALLOC, entry('IOMMU_VDEVICE_ALLOC', IommuVdeviceAlloc, { since: '6.13' })],
  [IOMMU_IOAS_CHANGE_PROCESS, entry('IOMMU_IOAS_CHANGE_PROCESS', IommuIoasChangeProcess, { since: '6.13' })],
  [IOMMU_VEVENTQ_ALLOC, entry('IOMMU_VEVENTQ_ALLOC', IommuVeventqAlloc, { since: '6.15' })],
  [IOMMU_HW_QUEUE_ALLOC, entry('IOMMU_HW_QUEUE_ALLOC', IommuHwQueueAlloc, { since: '6.17' })],
]);

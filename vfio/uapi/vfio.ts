/**
 * linux/vfio.h: request numbers, argument structures, flags, indexes, capability and feature ids of the
 * device, group and type1 container interfaces. Names and fields are Linux's own; a structure
 * `vfio_device_info` is the layout `VfioDeviceInfo`. A trailing C array is not part of a layout: its elements
 * start at `SIZE`. Layouts follow Linux 6.12; a release in brackets marks what came later.
 * Not here: what the requests do (vfio/), and the structures of gfx planes, s390, SPAPR and EEH.
 */
import { layout } from '../../support/layout.ts';
import { _IO, type IoctlStruct } from './ioctl.ts';

export const VFIO_API_VERSION = 0;
export const VFIO_TYPE = 0x3b; // ';'
export const VFIO_BASE = 100;

// Extensions, the argument of CHECK_EXTENSION and (the first and third) of SET_IOMMU.
export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_SPAPR_TCE_IOMMU = 2;
export const VFIO_TYPE1v2_IOMMU = 3;
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_EEH = 5;
export const VFIO_TYPE1_NESTING_IOMMU = 6;
export const VFIO_SPAPR_TCE_v2_IOMMU = 7;
export const VFIO_NOIOMMU_IOMMU = 8;
export const VFIO_UNMAP_ALL = 9;
export const VFIO_UPDATE_VADDR = 10;

// Container requests; GET_INFO to DIRTY_PAGES share their numbers with device requests.
export const VFIO_GET_API_VERSION = _IO(VFIO_TYPE, VFIO_BASE + 0);
/** The argument is the extension itself, not a pointer. */
export const VFIO_CHECK_EXTENSION = _IO(VFIO_TYPE, VFIO_BASE + 1);
/** The argument is the IOMMU type itself, not a pointer. */
export const VFIO_SET_IOMMU = _IO(VFIO_TYPE, VFIO_BASE + 2);
export const VFIO_IOMMU_GET_INFO = _IO(VFIO_TYPE, VFIO_BASE + 12);
export const VFIO_IOMMU_MAP_DMA = _IO(VFIO_TYPE, VFIO_BASE + 13);
export const VFIO_IOMMU_UNMAP_DMA = _IO(VFIO_TYPE, VFIO_BASE + 14);
export const VFIO_IOMMU_ENABLE = _IO(VFIO_TYPE, VFIO_BASE + 15);
export const VFIO_IOMMU_DISABLE = _IO(VFIO_TYPE, VFIO_BASE + 16);
export const VFIO_IOMMU_DIRTY_PAGES = _IO(VFIO_TYPE, VFIO_BASE + 17);

// Group requests.
export const VFIO_GROUP_GET_STATUS = _IO(VFIO_TYPE, VFIO_BASE + 3);
/** The argument points to a container or iommufd descriptor, s32. */
export const VFIO_GROUP_SET_CONTAINER = _IO(VFIO_TYPE, VFIO_BASE + 4);
export const VFIO_GROUP_UNSET_CONTAINER = _IO(VFIO_TYPE, VFIO_BASE + 5);
/** The argument points to the device's name, a zero-terminated string. */
export const VFIO_GROUP_GET_DEVICE_FD = _IO(VFIO_TYPE, VFIO_BASE + 6);

// Device requests; the last three on descriptors of /dev/vfio/devices only.
export const VFIO_DEVICE_GET_INFO = _IO(VFIO_TYPE, VFIO_BASE + 7);
export const VFIO_DEVICE_GET_REGION_INFO = _IO(VFIO_TYPE, VFIO_BASE + 8);
export const VFIO_DEVICE_GET_IRQ_INFO = _IO(VFIO_TYPE, VFIO_BASE + 9);
export const VFIO_DEVICE_SET_IRQS = _IO(VFIO_TYPE, VFIO_BASE + 10);
export const VFIO_DEVICE_RESET = _IO(VFIO_TYPE, VFIO_BASE + 11);
export const VFIO_DEVICE_GET_PCI_HOT_RESET_INFO = _IO(VFIO_TYPE, VFIO_BASE + 12);
export const VFIO_DEVICE_PCI_HOT_RESET = _IO(VFIO_TYPE, VFIO_BASE + 13);
export const VFIO_DEVICE_QUERY_GFX_PLANE = _IO(VFIO_TYPE, VFIO_BASE + 14);
export const VFIO_DEVICE_GET_GFX_DMABUF = _IO(VFIO_TYPE, VFIO_BASE + 15);
export const VFIO_DEVICE_IOEVENTFD = _IO(VFIO_TYPE, VFIO_BASE + 16);
export const VFIO_DEVICE_FEATURE = _IO(VFIO_TYPE, VFIO_BASE + 17);
export const VFIO_DEVICE_BIND_IOMMUFD = _IO(VFIO_TYPE, VFIO_BASE + 18);
export const VFIO_DEVICE_ATTACH_IOMMUFD_PT = _IO(VFIO_TYPE, VFIO_BASE + 19);
export const VFIO_DEVICE_DETACH_IOMMUFD_PT = _IO(VFIO_TYPE, VFIO_BASE + 20);

/** On the descriptor of a migration data stream. */
export const VFIO_MIG_GET_PRECOPY_INFO = _IO(VFIO_TYPE, VFIO_BASE + 21);

/** Heads every capability of an info structure; `next` counts from the start of that structure, 0 ends. */
export const VfioInfoCapHeader = layout({ id: 'u16', version: 'u16', next: 'u32' }, 8);

// GET_INFO.
export const VfioDeviceInfo = layout(
  { argsz: 'u32', flags: 'u32', num_regions: 'u32', num_irqs: 'u32', cap_offset: 'u32', pad: 'u32' },
  24,
);
export const VFIO_DEVICE_FLAGS_RESET = 1 << 0;
export const VFIO_DEVICE_FLAGS_PCI = 1 << 1;
export const VFIO_DEVICE_FLAGS_PLATFORM = 1 << 2;
export const VFIO_DEVICE_FLAGS_AMBA = 1 << 3;
export const VFIO_DEVICE_FLAGS_CCW = 1 << 4;
export const VFIO_DEVICE_FLAGS_AP = 1 << 5;
export const VFIO_DEVICE_FLAGS_FSL_MC = 1 << 6;
export const VFIO_DEVICE_FLAGS_CAPS = 1 << 7;
export const VFIO_DEVICE_FLAGS_CDX = 1 << 8;

export const VFIO_DEVICE_INFO_CAP_ZPCI_BASE = 1;
export const VFIO_DEVICE_INFO_CAP_ZPCI_GROUP = 2;
export const VFIO_DEVICE_INFO_CAP_ZPCI_UTIL = 3;
export const VFIO_DEVICE_INFO_CAP_ZPCI_PFIP = 4;
export const VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP = 5;
export const VfioDeviceInfoCapPciAtomicComp = layout({ header: 8, flags: 'u32', reserved: 'u32' }, 16);
export const VFIO_PCI_ATOMIC_COMP32 = 1 << 0;
export const VFIO_PCI_ATOMIC_COMP64 = 1 << 1;
export const VFIO_PCI_ATOMIC_COMP128 = 1 << 2;

// GET_REGION_INFO.
export const VfioRegionInfo = layout(
  { argsz: 'u32', flags: 'u32', index: 'u32', cap_offset: 'u32', size: 'u64', offset: 'u64' },
  32,
);
export const VFIO_REGION_INFO_FLAG_READ = 1 << 0;
export const VFIO_REGION_INFO_FLAG_WRITE = 1 << 1;
export const VFIO_REGION_INFO_FLAG_MMAP = 1 << 2;
export const VFIO_REGION_INFO_FLAG_CAPS = 1 << 3;

export const VFIO_PCI_BAR0_REGION_INDEX = 0;
export const VFIO_PCI_BAR1_REGION_INDEX = 1;
export const VFIO_PCI_BAR2_REGION_INDEX = 2;
export const VFIO_PCI_BAR3_REGION_INDEX = 3;
export const VFIO_PCI_BAR4_REGION_INDEX = 4;
export const VFIO_PCI_BAR5_REGION_INDEX = 5;
export const VFIO_PCI_ROM_REGION_INDEX = 6;
export const VFIO_PCI_CONFIG_REGION_INDEX = 7;
export const VFIO_PCI_VGA_REGION_INDEX = 8;
/** Regions from this index on are device specific and say what they are in a TYPE capability. */
export const VFIO_PCI_NUM_REGIONS = 9;

export const VFIO_REGION_INFO_CAP_SPARSE_MMAP = 1;
/** Followed by `nr_areas` of `VfioRegionSparseMmapArea`. */
export const VfioRegionInfoCapSparseMmap = layout({ header: 8, nr_areas: 'u32', reserved: 'u32' }, 16);
export const VfioRegionSparseMmapArea = layout({ offset: 'u64', size: 'u64' }, 16);
export const VFIO_REGION_INFO_CAP_TYPE = 2;
export const VfioRegionInfoCapType = layout({ header: 8, type: 'u32', subtype: 'u32' }, 16);
/** Set in a TYPE capability whose low half is a PCI vendor id. */
export const VFIO_REGION_TYPE_PCI_VENDOR_TYPE = 0x8000_0000;
export const VFIO_REGION_TYPE_PCI_VENDOR_MASK = 0xffff;
/** A header and nothing else: the BAR that holds the MSI-X table may be mapped whole. */
export const VFIO_REGION_INFO_CAP_MSIX_MAPPABLE = 3;

const REGION_SPAN = 2 ** 40;

/** Offset in the device's file at which vfio-pci region `index` begins. Exact for indexes below 8192. */
export const regionOffset = (index: number): number => index * REGION_SPAN;
/** Index of the vfio-pci region that file offset `offset` falls into. */
export const regionIndex = (offset: number): number => Math.floor(offset / REGION_SPAN);
/** Offset inside its region of file offset `offset`. */
export const offsetInRegion = (offset: number): number =>
  offset - Math.floor(offset / REGION_SPAN) * REGION_SPAN;

// GET_IRQ_INFO.
export const VfioIrqInfo = layout({ argsz: 'u32', flags: 'u32', index: 'u32', count: 'u32' }, 16);
export const VFIO_IRQ_INFO_EVENTFD = 1 << 0;
export const VFIO_IRQ_INFO_MASKABLE = 1 << 1;
export const VFIO_IRQ_INFO_AUTOMASKED = 1 << 2;
export const VFIO_IRQ_INFO_NORESIZE = 1 << 3;

export const VFIO_PCI_INTX_IRQ_INDEX = 0;
export const VFIO_PCI_MSI_IRQ_INDEX = 1;
export const VFIO_PCI_MSIX_IRQ_INDEX = 2;
export const VFIO_PCI_ERR_IRQ_INDEX = 3;
export const VFIO_PCI_REQ_IRQ_INDEX = 4;
export const VFIO_PCI_NUM_IRQS = 5;

/** SET_IRQS; followed by `count` of u8 (BOOL) or s32 (EVENTFD), or by nothing (NONE). */
export const VfioIrqSet = layout(
  { argsz: 'u32', flags: 'u32', index: 'u32', start: 'u32', count: 'u32' },
  20,
);
export const VFIO_IRQ_SET_DATA_NONE = 1 << 0;
export const VFIO_IRQ_SET_DATA_BOOL = 1 << 1;
export const VFIO_IRQ_SET_DATA_EVENTFD = 1 << 2;
export const VFIO_IRQ_SET_ACTION_MASK = 1 << 3;
export const VFIO_IRQ_SET_ACTION_UNMASK = 1 << 4;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 1 << 5;
/** All DATA bits; exactly one must be set. */
export const VFIO_IRQ_SET_DATA_TYPE_MASK = 0x07;
/** All ACTION bits; exactly one must be set. */
export const VFIO_IRQ_SET_ACTION_TYPE_MASK = 0x38;

/** GET_PCI_HOT_RESET_INFO; followed by `count` of `VfioPciDependentDevice`. */
export const VfioPciHotResetInfo = layout({ argsz: 'u32', flags: 'u32', count: 'u32' }, 12);
/** `devid` is the iommu group's number when HOT_RESET_FLAG_DEV_ID is clear. */
export const VfioPciDependentDevice = layout({ devid: 'u32', segment: 'u16', bus: 'u8', devfn: 'u8' }, 8);
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID = 1 << 0;
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 1 << 1;
export const VFIO_PCI_DEVID_OWNED = 0;
/** -1 as the unsigned `devid` field shows it. */
export const VFIO_PCI_DEVID_NOT_OWNED = 0xffff_ffff;

/** PCI_HOT_RESET; followed by `count` group descriptors, s32. */
export const VfioPciHotReset = layout({ argsz: 'u32', flags: 'u32', count: 'u32' }, 12);

// IOEVENTFD; `fd` -1 removes.
export const VfioDeviceIoeventfd = layout(
  { argsz: 'u32', flags: 'u32', offset: 'u64', data: 'u64', fd: 's32', reserved: 'u32' },
  32,
);
export const VFIO_DEVICE_IOEVENTFD_8 = 1 << 0;
export const VFIO_DEVICE_IOEVENTFD_16 = 1 << 1;
export const VFIO_DEVICE_IOEVENTFD_32 = 1 << 2;
export const VFIO_DEVICE_IOEVENTFD_64 = 1 << 3;
export const VFIO_DEVICE_IOEVENTFD_SIZE_MASK = 0xf;

// BIND, ATTACH, DETACH. The last field of each is younger than the rest: [6.17], [6.15], [6.15].
export const VfioDeviceBindIommufd = layout(
  { argsz: 'u32', flags: 'u32', iommufd: 's32', out_devid: 'u32', token_uuid_ptr: 'u64' },
  24,
);
export const VfioDeviceAttachIommufdPt = layout(
  { argsz: 'u32', flags: 'u32', pt_id: 'u32', pasid: 'u32' },
  16,
);
export const VfioDeviceDetachIommufdPt = layout({ argsz: 'u32', flags: 'u32', pasid: 'u32' }, 12);
export const VFIO_DEVICE_BIND_FLAG_TOKEN = 1 << 0;
export const VFIO_DEVICE_ATTACH_PASID = 1 << 0;
export const VFIO_DEVICE_DETACH_PASID = 1 << 0;

/** FEATURE; the feature's own structure follows. */
export const VfioDeviceFeature = layout({ argsz: 'u32', flags: 'u32' }, 8);
export const VFIO_DEVICE_FEATURE_MASK = 0xffff;
export const VFIO_DEVICE_FEATURE_GET = 1 << 16;
export const VFIO_DEVICE_FEATURE_SET = 1 << 17;
export const VFIO_DEVICE_FEATURE_PROBE = 1 << 18;

export const VFIO_DEVICE_FEATURE_PCI_VF_TOKEN = 0;
export const VFIO_DEVICE_FEATURE_MIGRATION = 1;
export const VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE = 2;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY = 3;
export const VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP = 4;
export const VFIO_DEVICE_FEATURE_LOW_POWER_EXIT = 5;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_START = 6;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP = 7;
export const VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT = 8;
export const VFIO_DEVICE_FEATURE_MIG_DATA_SIZE = 9;
export const VFIO_DEVICE_FEATURE_BUS_MASTER = 10;
/** [6.19] */
export const VFIO_DEVICE_FEATURE_DMA_BUF = 11;

export const VfioDeviceFeaturePciVfToken = layout({ uuid: 16 }, 16);
export const VfioDeviceFeatureMigration = layout({ flags: 'u64' }, 8);
export const VFIO_MIGRATION_STOP_COPY = 1 << 0;
export const VFIO_MIGRATION_P2P = 1 << 1;
export const VFIO_MIGRATION_PRE_COPY = 1 << 2;
export const VfioDeviceFeatureMigState = layout({ device_state: 'u32', data_fd: 's32' }, 8);
export const VFIO_DEVICE_STATE_ERROR = 0;
export const VFIO_DEVICE_STATE_STOP = 1;
export const VFIO_DEVICE_STATE_RUNNING = 2;
export const VFIO_DEVICE_STATE_STOP_COPY = 3;
export const VFIO_DEVICE_STATE_RESUMING = 4;
export const VFIO_DEVICE_STATE_RUNNING_P2P = 5;
export const VFIO_DEVICE_STATE_PRE_COPY = 6;
export const VFIO_DEVICE_STATE_PRE_COPY_P2P = 7;
export const VfioDeviceLowPowerEntryWithWakeup = layout({ wakeup_eventfd: 's32', reserved: 'u32' }, 8);
/** `ranges` points to `num_ranges` of `VfioDeviceFeatureDmaLoggingRange`. */
export const VfioDeviceFeatureDmaLoggingControl = layout(
  { page_size: 'u64', num_ranges: 'u32', __reserved: 'u32', ranges: 'u64' },
  24,
);
export const VfioDeviceFeatureDmaLoggingRange = layout({ iova: 'u64', length: 'u64' }, 16);
export const VfioDeviceFeatureDmaLoggingReport = layout(
  { iova: 'u64', length: 'u64', page_size: 'u64', bitmap: 'u64' },
  32,
);
export const VfioDeviceFeatureMigDataSize = layout({ stop_copy_length: 'u64' }, 8);
export const VfioDeviceFeatureBusMaster = layout({ op: 'u32' }, 4);
export const VFIO_DEVICE_FEATURE_CLEAR_MASTER = 0;
export const VFIO_DEVICE_FEATURE_SET_MASTER = 1;
/** Followed by `nr_ranges` of `VfioRegionDmaRange`. The request returns the new descriptor. */
export const VfioDeviceFeatureDmaBuf = layout(
  { region_index: 'u32', open_flags: 'u32', flags: 'u32', nr_ranges: 'u32' },
  16,
);
export const VfioRegionDmaRange = layout({ offset: 'u64', length: 'u64' }, 16);

/** MIG_GET_PRECOPY_INFO. */
export const VfioPrecopyInfo = layout(
  { argsz: 'u32', flags: 'u32', initial_bytes: 'u64', dirty_bytes: 'u64' },
  24,
);

// Group and type1 container.
export const VfioGroupStatus = layout({ argsz: 'u32', flags: 'u32' }, 8);
export const VFIO_GROUP_FLAGS_VIABLE = 1 << 0;
export const VFIO_GROUP_FLAGS_CONTAINER_SET = 1 << 1;

export const VfioIommuType1Info = layout(
  { argsz: 'u32', flags: 'u32', iova_pgsizes: 'u64', cap_offset: 'u32', pad: 'u32' },
  24,
);
export const VFIO_IOMMU_INFO_PGSIZES = 1 << 0;
export const VFIO_IOMMU_INFO_CAPS = 1 << 1;
export const VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
/** Followed by `nr_iovas` of `VfioIovaRange`. */
export const VfioIommuType1InfoCapIovaRange = layout({ header: 8, nr_iovas: 'u32', reserved: 'u32' }, 16);
/** `end` is the last address of the range, inclusive. */
export const VfioIovaRange = layout({ start: 'u64', end: 'u64' }, 16);
export const VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION = 2;
export const VfioIommuType1InfoCapMigration = layout(
  { header: 8, flags: 'u32', padding: 4, pgsize_bitmap: 'u64', max_dirty_bitmap_size: 'u64' },
  32,
);
export const VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL = 3;
export const VfioIommuType1InfoDmaAvail = layout({ header: 8, avail: 'u32' }, 12);

export const VfioIommuType1DmaMap = layout(
  { argsz: 'u32', flags: 'u32', vaddr: 'u64', iova: 'u64', size: 'u64' },
  32,
);
export const VFIO_DMA_MAP_FLAG_READ = 1 << 0;
export const VFIO_DMA_MAP_FLAG_WRITE = 1 << 1;
export const VFIO_DMA_MAP_FLAG_VADDR = 1 << 2;

/** `size` comes back as the number of bytes unmapped. `VfioBitmap` follows under GET_DIRTY_BITMAP. */
export const VfioIommuType1DmaUnmap = layout({ argsz: 'u32', flags: 'u32', iova: 'u64', size: 'u64' }, 24);
export const VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP = 1 << 0;
export const VFIO_DMA_UNMAP_FLAG_ALL = 1 << 1;
export const VFIO_DMA_UNMAP_FLAG_VADDR = 1 << 2;
export const VfioBitmap = layout({ pgsize: 'u64', size: 'u64', data: 'u64' }, 24);

/** DIRTY_PAGES; `VfioIommuType1DirtyBitmapGet` follows under GET_BITMAP. */
export const VfioIommuType1DirtyBitmap = layout({ argsz: 'u32', flags: 'u32' }, 8);
export const VfioIommuType1DirtyBitmapGet = layout({ iova: 'u64', size: 'u64', bitmap: 24 }, 40);
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_START = 1 << 0;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP = 1 << 1;
export const VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP = 1 << 2;

const entry = (name: string, struct: IoctlStruct['struct'], minSize = struct.SIZE): IoctlStruct => ({
  name,
  size: struct.SIZE,
  minSize,
  struct,
});

/** Device requests that point to a structure; an `argsz` below `minSize` is EINVAL. */
export const VFIO_DEVICE_COMMANDS: ReadonlyMap<number, IoctlStruct> = new Map([
  [VFIO_DEVICE_GET_INFO, entry('VFIO_DEVICE_GET_INFO', VfioDeviceInfo, 16)],
  [VFIO_DEVICE_GET_REGION_INFO, entry('VFIO_DEVICE_GET_REGION_INFO', VfioRegionInfo)],
  [VFIO_DEVICE_GET_IRQ_INFO, entry('VFIO_DEVICE_GET_IRQ_INFO', VfioIrqInfo)],
  [VFIO_DEVICE_SET_IRQS, entry('VFIO_DEVICE_SET_IRQS', VfioIrqSet)],
  [VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, entry('VFIO_DEVICE_GET_PCI_HOT_RESET_INFO', VfioPciHotResetInfo)],
  [VFIO_DEVICE_PCI_HOT_RESET, entry('VFIO_DEVICE_PCI_HOT_RESET', VfioPciHotReset)],
  [VFIO_DEVICE_IOEVENTFD, entry('VFIO_DEVICE_IOEVENTFD', VfioDeviceIoeventfd, 28)],
  [VFIO_DEVICE_FEATURE, entry('VFIO_DEVICE_FEATURE', VfioDeviceFeature)],
  [VFIO_DEVICE_BIND_IOMMUFD, entry('VFIO_DEVICE_BIND_IOMMUFD', VfioDeviceBindIommufd, 16)],
  [VFIO_DEVICE_ATTACH_IOMMUFD_PT, entry('VFIO_DEVICE_ATTACH_IOMMUFD_PT', VfioDeviceAttachIommufdPt, 12)],
  [VFIO_DEVICE_DETACH_IOMMUFD_PT, entry('VFIO_DEVICE_DETACH_IOMMUFD_PT', VfioDeviceDetachIommufdPt, 8)],
]);

/** Group requests that point to a structure. */
export const VFIO_GROUP_COMMANDS: ReadonlyMap<number, IoctlStruct> = new Map([
  [VFIO_GROUP_GET_STATUS, entry('VFIO_GROUP_GET_STATUS', VfioGroupStatus)],
]);

/** Container requests that point to a structure: on /dev/vfio/vfio, and on an iommufd in its place. */
export const VFIO_CONTAINER_COMMANDS: ReadonlyMap<number, IoctlStruct> = new Map([
  [VFIO_IOMMU_GET_INFO, entry('VFIO_IOMMU_GET_INFO', VfioIommuType1Info, 16)],
  [VFIO_IOMMU_MAP_DMA, entry('VFIO_IOMMU_MAP_DMA', VfioIommuType1DmaMap)],
  [VFIO_IOMMU_UNMAP_DMA, entry('VFIO_IOMMU_UNMAP_DMA', VfioIommuType1DmaUnmap)],
  [VFIO_IOMMU_DIRTY_PAGES, entry('VFIO_IOMMU_DIRTY_PAGES', VfioIommuType1DirtyBitmap)],
]);

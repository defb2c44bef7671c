/**
 * The uapi files against Linux: request numbers, structures and constants, as literal tables taken from the
 * 6.12 headers (and mainline for what is younger), never computed from the code under test.
 */
import { describe, expect, test } from 'vitest';
import * as errno from '../../vfio/uapi/errno.ts';
import * as ioctl from '../../vfio/uapi/ioctl.ts';
import * as iommufd from '../../vfio/uapi/iommufd.ts';
import * as mman from '../../vfio/uapi/mman.ts';
import * as vfio from '../../vfio/uapi/vfio.ts';

/** `SIZE` and every field as `name@offset`, the way the tables below write a structure. */
function describeLayout(layout: object): string {
  const fields = Object.entries(layout).filter(([name, at]) => typeof at === 'number' && name !== 'SIZE');
  return `${(layout as { SIZE: number }).SIZE}: ${fields.map(([name, at]) => `${name}@${at}`).join(' ')}`;
}

const isLayout = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'SIZE' in value;

/** All structures of a module, one line each, sorted as text. */
const layoutsOf = (module: object): string[] =>
  Object.entries(module)
    .filter(([, value]) => isLayout(value))
    .map(([name, value]) => `${name} ${describeLayout(value)}`)
    .sort();

/** All exported numbers of a module. */
const numbersOf = (module: object): Record<string, number> =>
  Object.fromEntries(Object.entries(module).filter(([, value]) => typeof value === 'number'));

/** `PREFIX_ A=1 B=0x10` becomes `{PREFIX_A: 1, PREFIX_B: 16}`; rows of one table are merged. */
function numberTable(text: string): Record<string, number> {
  const table: Record<string, number> = {};
  for (const row of text.trim().split('\n')) {
    const [prefix, ...pairs] = row.trim().split(/\s+/);
    for (const pair of pairs) {
      const [name, value] = pair.split('=');
      expect(table, `${prefix}${name} is listed once`).not.toHaveProperty(`${prefix}${name}`);
      table[`${prefix}${name}`] = Number(value);
    }
  }
  return table;
}

/** The lines of a table, sorted; a backslash at the end of a line continues it on the next. */
const lines = (text: string): string[] =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().replace(/\s+/g, ' '))
    .sort();

describe('errno', () => {
  test.each([
    ['EPERM', 1, 'Operation not permitted'],
    ['ENOENT', 2, 'No such file or directory'],
    ['EIO', 5, 'Input/output error'],
    ['ENXIO', 6, 'No such device or address'],
    ['E2BIG', 7, 'Argument list too long'],
    ['EBADF', 9, 'Bad file descriptor'],
    ['EAGAIN', 11, 'Resource temporarily unavailable'],
    ['ENOMEM', 12, 'Cannot allocate memory'],
    ['EACCES', 13, 'Permission denied'],
    ['EFAULT', 14, 'Bad address'],
    ['EBUSY', 16, 'Device or resource busy'],
    ['EEXIST', 17, 'File exists'],
    ['ENODEV', 19, 'No such device'],
    ['EINVAL', 22, 'Invalid argument'],
    ['ENOTTY', 25, 'Inappropriate ioctl for device'],
    ['ENOSPC', 28, 'No space left on device'],
    ['ESPIPE', 29, 'Illegal seek'],
    ['ERANGE', 34, 'Numerical result out of range'],
    ['EDEADLK', 35, 'Resource deadlock avoided'],
    ['ENOSYS', 38, 'Function not implemented'],
    ['EOVERFLOW', 75, 'Value too large for defined data type'],
    ['EBADFD', 77, 'File descriptor in bad state'],
    ['EMSGSIZE', 90, 'Message too long'],
    ['EOPNOTSUPP', 95, 'Operation not supported'],
    ['EADDRINUSE', 98, 'Address already in use'],
    ['ETIMEDOUT', 110, 'Connection timed out'],
    ['ECANCELED', 125, 'Operation canceled'],
    ['EHWPOISON', 133, 'Memory page has hardware error'],
  ] as const)('%s is %i: %s', (name, number, text) => {
    expect(numbersOf(errno)[name]).toBe(number);
    expect(errno.ERRNO[name]).toBe(number);
    expect(errno.errnoName(number)).toBe(name);
    expect(errno.errnoName(-number)).toBe(name);
    expect(errno.errnoText(number)).toBe(text);
    expect(errno.errnoText(-number)).toBe(text);
  });

  test('numbers 1 to 133 have a name, except the two holes of Linux', () => {
    const nameless = Array.from({ length: 133 }, (_, i) => i + 1).filter(
      (n) => errno.errnoText(n) === `Unknown error ${n}`,
    );
    expect(nameless).toEqual([41, 58]);
  });

  test('every export is in ERRNO, and the other way round', () => {
    expect(numbersOf(errno)).toEqual(errno.ERRNO);
    expect(Object.keys(errno.ERRNO)).toHaveLength(131 + 3);
  });

  test('aliases share a number and the better known name wins', () => {
    expect(errno.EWOULDBLOCK).toBe(11);
    expect(errno.EDEADLOCK).toBe(35);
    expect(errno.ENOTSUP).toBe(95);
    expect(errno.errnoName(11)).toBe('EAGAIN');
    expect(errno.errnoName(95)).toBe('EOPNOTSUPP');
  });

  test('zero and unknown numbers still have a text', () => {
    expect(errno.errnoText(0)).toBe('Success');
    expect(errno.errnoText(-515)).toBe('Unknown error 515');
    expect(errno.errnoName(-515)).toBe('E515');
  });
});

describe('ioctl words', () => {
  // Known words of other subsystems, one for each direction.
  test.each([
    ['_IO: NVME_IOCTL_RESET', ioctl._IO(0x4e, 0x44), 0x4e44, [0, 0x4e, 0x44, 0]],
    ['_IOW: TUNSETIFF', ioctl._IOW(0x54, 202, 4), 0x400454ca, [1, 0x54, 202, 4]],
    ['_IOR: BLKGETSIZE64', ioctl._IOR(0x12, 114, 8), 0x80081272, [2, 0x12, 114, 8]],
    ['_IOWR: NVME_IOCTL_ADMIN_CMD', ioctl._IOWR(0x4e, 0x41, 72), 0xc0484e41, [3, 0x4e, 0x41, 72]],
  ] as const)('%s', (_name, request, word, [direction, type, nr, size]) => {
    expect(request).toBe(word);
    expect(ioctl.decodeIoctl(word)).toEqual({ direction, type, nr, size });
  });

  test.each([
    [0x3b64, 'container', 'VFIO_GET_API_VERSION'],
    [0x3b64, 'iommufd', 'VFIO_GET_API_VERSION'],
    [0x3b65, 'container', 'VFIO_CHECK_EXTENSION'],
    [0x3b66, 'iommufd', 'VFIO_SET_IOMMU'],
    [0x3b67, 'group', 'VFIO_GROUP_GET_STATUS'],
    [0x3b68, 'group', 'VFIO_GROUP_SET_CONTAINER'],
    [0x3b69, 'group', 'VFIO_GROUP_UNSET_CONTAINER'],
    [0x3b6a, 'group', 'VFIO_GROUP_GET_DEVICE_FD'],
    [0x3b6b, 'device', 'VFIO_DEVICE_GET_INFO'],
    [0x3b6c, 'device', 'VFIO_DEVICE_GET_REGION_INFO'],
    [0x3b6d, 'device', 'VFIO_DEVICE_GET_IRQ_INFO'],
    [0x3b6e, 'device', 'VFIO_DEVICE_SET_IRQS'],
    [0x3b6f, 'device', 'VFIO_DEVICE_RESET'],
    [0x3b70, 'device', 'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO'],
    [0x3b70, 'container', 'VFIO_IOMMU_GET_INFO'],
    [0x3b70, 'iommufd', 'VFIO_IOMMU_GET_INFO'],
    [0x3b71, 'device', 'VFIO_DEVICE_PCI_HOT_RESET'],
    [0x3b71, 'container', 'VFIO_IOMMU_MAP_DMA'],
    [0x3b72, 'device', 'VFIO_DEVICE_QUERY_GFX_PLANE'],
    [0x3b72, 'iommufd', 'VFIO_IOMMU_UNMAP_DMA'],
    [0x3b73, 'device', 'VFIO_DEVICE_GET_GFX_DMABUF'],
    [0x3b73, 'container', 'VFIO_IOMMU_ENABLE'],
    [0x3b74, 'device', 'VFIO_DEVICE_IOEVENTFD'],
    [0x3b74, 'container', 'VFIO_IOMMU_DISABLE'],
    [0x3b75, 'device', 'VFIO_DEVICE_FEATURE'],
    [0x3b75, 'container', 'VFIO_IOMMU_DIRTY_PAGES'],
    [0x3b76, 'device', 'VFIO_DEVICE_BIND_IOMMUFD'],
    [0x3b77, 'device', 'VFIO_DEVICE_ATTACH_IOMMUFD_PT'],
    [0x3b78, 'device', 'VFIO_DEVICE_DETACH_IOMMUFD_PT'],
    [0x3b79, 'migration', 'VFIO_MIG_GET_PRECOPY_INFO'],
    [0x3b80, 'iommufd', 'IOMMU_DESTROY'],
    [0x3b81, 'iommufd', 'IOMMU_IOAS_ALLOC'],
    [0x3b82, 'iommufd', 'IOMMU_IOAS_ALLOW_IOVAS'],
    [0x3b83, 'iommufd', 'IOMMU_IOAS_COPY'],
    [0x3b84, 'iommufd', 'IOMMU_IOAS_IOVA_RANGES'],
    [0x3b85, 'iommufd', 'IOMMU_IOAS_MAP'],
    [0x3b86, 'iommufd', 'IOMMU_IOAS_UNMAP'],
    [0x3b87, 'iommufd', 'IOMMU_OPTION'],
    [0x3b88, 'iommufd', 'IOMMU_VFIO_IOAS'],
    [0x3b89, 'iommufd', 'IOMMU_HWPT_ALLOC'],
    [0x3b8a, 'iommufd', 'IOMMU_GET_HW_INFO'],
    [0x3b8b, 'iommufd', 'IOMMU_HWPT_SET_DIRTY_TRACKING'],
    [0x3b8c, 'iommufd', 'IOMMU_HWPT_GET_DIRTY_BITMAP'],
    [0x3b8d, 'iommufd', 'IOMMU_HWPT_INVALIDATE'],
    [0x3b8e, 'iommufd', 'IOMMU_FAULT_QUEUE_ALLOC'],
    [0x3b8f, 'iommufd', 'IOMMU_IOAS_MAP_FILE'],
    [0x3b90, 'iommufd', 'IOMMU_VIOMMU_ALLOC'],
    [0x3b91, 'iommufd', 'IOMMU_VDEVICE_ALLOC'],
    [0x3b92, 'iommufd', 'IOMMU_IOAS_CHANGE_PROCESS'],
    [0x3b93, 'iommufd', 'IOMMU_VEVENTQ_ALLOC'],
    [0x3b94, 'iommufd', 'IOMMU_HW_QUEUE_ALLOC'],
    [0x3ba0, 'iommufd', 'IOMMU_TEST_CMD'],
  ] as const)('%i on a %s is %s', (request, kind, name) => {
    expect(ioctl.ioctlName(request, kind)).toBe(name);
    expect({ ...vfio, ...iommufd }[name as 'IOMMU_DESTROY']).toBe(request);
  });

  test.each([
    ['a device request sent to a group', 0x3b6b, 'group', 'VFIO_DEVICE_GET_INFO'],
    ['an iommufd request sent to a container', 0x3b85, 'container', 'IOMMU_IOAS_MAP'],
    [
      'a shared number sent to a group is taken for the device',
      0x3b70,
      'group',
      'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO',
    ],
    ['an unknown number', 0x3bff, 'iommufd', '_IOC(_IOC_NONE, 0x3b, 0xff, 0)'],
    [
      'a known number with a direction',
      0xc0103b85,
      'iommufd',
      '_IOC(_IOC_READ|_IOC_WRITE, 0x3b, 0x85, 0x10)',
    ],
    [
      'a known number as a negative int',
      0xc0103b85 | 0,
      'iommufd',
      '_IOC(_IOC_READ|_IOC_WRITE, 0x3b, 0x85, 0x10)',
    ],
    ['another type', 0x80081272, 'device', '_IOC(_IOC_READ, 0x12, 0x72, 0x8)'],
  ] as const)('name of %s', (_what, request, kind, name) => {
    expect(ioctl.ioctlName(request, kind)).toBe(name);
  });
});

describe('linux/vfio.h', () => {
  test('every structure has the size and offsets of C', () => {
    expect(layoutsOf(vfio)).toEqual(
      lines(`
        VfioInfoCapHeader 8: id@0 version@2 next@4
        VfioDeviceInfo 24: argsz@0 flags@4 num_regions@8 num_irqs@12 cap_offset@16 pad@20
        VfioDeviceInfoCapPciAtomicComp 16: header@0 flags@8 reserved@12
        VfioRegionInfo 32: argsz@0 flags@4 index@8 cap_offset@12 size@16 offset@24
        VfioRegionInfoCapSparseMmap 16: header@0 nr_areas@8 reserved@12
        VfioRegionSparseMmapArea 16: offset@0 size@8
        VfioRegionInfoCapType 16: header@0 type@8 subtype@12
        VfioIrqInfo 16: argsz@0 flags@4 index@8 count@12
        VfioIrqSet 20: argsz@0 flags@4 index@8 start@12 count@16
        VfioPciHotResetInfo 12: argsz@0 flags@4 count@8
        VfioPciDependentDevice 8: devid@0 segment@4 bus@6 devfn@7
        VfioPciHotReset 12: argsz@0 flags@4 count@8
        VfioDeviceIoeventfd 32: argsz@0 flags@4 offset@8 data@16 fd@24 reserved@28
        VfioDeviceBindIommufd 24: argsz@0 flags@4 iommufd@8 out_devid@12 token_uuid_ptr@16
        VfioDeviceAttachIommufdPt 16: argsz@0 flags@4 pt_id@8 pasid@12
        VfioDeviceDetachIommufdPt 12: argsz@0 flags@4 pasid@8
        VfioDeviceFeature 8: argsz@0 flags@4
        VfioDeviceFeaturePciVfToken 16: uuid@0
        VfioDeviceFeatureMigration 8: flags@0
        VfioDeviceFeatureMigState 8: device_state@0 data_fd@4
        VfioDeviceLowPowerEntryWithWakeup 8: wakeup_eventfd@0 reserved@4
        VfioDeviceFeatureDmaLoggingControl 24: page_size@0 num_ranges@8 __reserved@12 ranges@16
        VfioDeviceFeatureDmaLoggingRange 16: iova@0 length@8
        VfioDeviceFeatureDmaLoggingReport 32: iova@0 length@8 page_size@16 bitmap@24
        VfioDeviceFeatureMigDataSize 8: stop_copy_length@0
        VfioDeviceFeatureBusMaster 4: op@0
        VfioDeviceFeatureDmaBuf 16: region_index@0 open_flags@4 flags@8 nr_ranges@12
        VfioRegionDmaRange 16: offset@0 length@8
        VfioPrecopyInfo 24: argsz@0 flags@4 initial_bytes@8 dirty_bytes@16
        VfioGroupStatus 8: argsz@0 flags@4
        VfioIommuType1Info 24: argsz@0 flags@4 iova_pgsizes@8 cap_offset@16 pad@20
        VfioIommuType1InfoCapIovaRange 16: header@0 nr_iovas@8 reserved@12
        VfioIovaRange 16: start@0 end@8
        VfioIommuType1InfoCapMigration 32: header@0 flags@8 padding@12 pgsize_bitmap@16 \
          max_dirty_bitmap_size@24
        VfioIommuType1InfoDmaAvail 12: header@0 avail@8
        VfioIommuType1DmaMap 32: argsz@0 flags@4 vaddr@8 iova@16 size@24
        VfioIommuType1DmaUnmap 24: argsz@0 flags@4 iova@8 size@16
        VfioBitmap 24: pgsize@0 size@8 data@16
        VfioIommuType1DirtyBitmap 8: argsz@0 flags@4
        VfioIommuType1DirtyBitmapGet 40: iova@0 size@8 bitmap@16
      `),
    );
  });

  test('every number', () => {
    expect(numbersOf(vfio)).toEqual(
      numberTable(`
        VFIO_ API_VERSION=0 TYPE=0x3b BASE=100
        VFIO_ TYPE1_IOMMU=1 SPAPR_TCE_IOMMU=2 TYPE1v2_IOMMU=3 DMA_CC_IOMMU=4 EEH=5 TYPE1_NESTING_IOMMU=6
        VFIO_ SPAPR_TCE_v2_IOMMU=7 NOIOMMU_IOMMU=8 UNMAP_ALL=9 UPDATE_VADDR=10
        VFIO_ GET_API_VERSION=0x3b64 CHECK_EXTENSION=0x3b65 SET_IOMMU=0x3b66 MIG_GET_PRECOPY_INFO=0x3b79
        VFIO_GROUP_ GET_STATUS=0x3b67 SET_CONTAINER=0x3b68 UNSET_CONTAINER=0x3b69 GET_DEVICE_FD=0x3b6a
        VFIO_GROUP_FLAGS_ VIABLE=1 CONTAINER_SET=2
        VFIO_DEVICE_ GET_INFO=0x3b6b GET_REGION_INFO=0x3b6c GET_IRQ_INFO=0x3b6d SET_IRQS=0x3b6e RESET=0x3b6f
        VFIO_DEVICE_ GET_PCI_HOT_RESET_INFO=0x3b70 PCI_HOT_RESET=0x3b71 QUERY_GFX_PLANE=0x3b72
        VFIO_DEVICE_ GET_GFX_DMABUF=0x3b73 IOEVENTFD=0x3b74 FEATURE=0x3b75 BIND_IOMMUFD=0x3b76
        VFIO_DEVICE_ ATTACH_IOMMUFD_PT=0x3b77 DETACH_IOMMUFD_PT=0x3b78
        VFIO_DEVICE_FLAGS_ RESET=1 PCI=2 PLATFORM=4 AMBA=8 CCW=16 AP=32 FSL_MC=64 CAPS=128 CDX=256
        VFIO_DEVICE_INFO_CAP_ ZPCI_BASE=1 ZPCI_GROUP=2 ZPCI_UTIL=3 ZPCI_PFIP=4 PCI_ATOMIC_COMP=5
        VFIO_PCI_ATOMIC_ COMP32=1 COMP64=2 COMP128=4
        VFIO_REGION_INFO_FLAG_ READ=1 WRITE=2 MMAP=4 CAPS=8
        VFIO_REGION_INFO_CAP_ SPARSE_MMAP=1 TYPE=2 MSIX_MAPPABLE=3
        VFIO_REGION_TYPE_PCI_VENDOR_ TYPE=0x80000000 MASK=0xffff
        VFIO_PCI_ BAR0_REGION_INDEX=0 BAR1_REGION_INDEX=1 BAR2_REGION_INDEX=2 BAR3_REGION_INDEX=3
        VFIO_PCI_ BAR4_REGION_INDEX=4 BAR5_REGION_INDEX=5 ROM_REGION_INDEX=6 CONFIG_REGION_INDEX=7
        VFIO_PCI_ VGA_REGION_INDEX=8 NUM_REGIONS=9
        VFIO_PCI_ INTX_IRQ_INDEX=0 MSI_IRQ_INDEX=1 MSIX_IRQ_INDEX=2 ERR_IRQ_INDEX=3 REQ_IRQ_INDEX=4 NUM_IRQS=5
        VFIO_IRQ_INFO_ EVENTFD=1 MASKABLE=2 AUTOMASKED=4 NORESIZE=8
        VFIO_IRQ_SET_ DATA_NONE=1 DATA_BOOL=2 DATA_EVENTFD=4 ACTION_MASK=8 ACTION_UNMASK=16 ACTION_TRIGGER=32
        VFIO_IRQ_SET_ DATA_TYPE_MASK=7 ACTION_TYPE_MASK=56
        VFIO_PCI_ HOT_RESET_FLAG_DEV_ID=1 HOT_RESET_FLAG_DEV_ID_OWNED=2
        VFIO_PCI_ DEVID_OWNED=0 DEVID_NOT_OWNED=0xffffffff
        VFIO_DEVICE_IOEVENTFD_ 8=1 16=2 32=4 64=8 SIZE_MASK=15
        VFIO_DEVICE_ BIND_FLAG_TOKEN=1 ATTACH_PASID=1 DETACH_PASID=1
        VFIO_DEVICE_FEATURE_ MASK=0xffff GET=0x10000 SET=0x20000 PROBE=0x40000
        VFIO_DEVICE_FEATURE_ PCI_VF_TOKEN=0 MIGRATION=1 MIG_DEVICE_STATE=2 LOW_POWER_ENTRY=3
        VFIO_DEVICE_FEATURE_ LOW_POWER_ENTRY_WITH_WAKEUP=4 LOW_POWER_EXIT=5 DMA_LOGGING_START=6
        VFIO_DEVICE_FEATURE_ DMA_LOGGING_STOP=7 DMA_LOGGING_REPORT=8 MIG_DATA_SIZE=9 BUS_MASTER=10 DMA_BUF=11
        VFIO_DEVICE_FEATURE_ CLEAR_MASTER=0 SET_MASTER=1
        VFIO_MIGRATION_ STOP_COPY=1 P2P=2 PRE_COPY=4
        VFIO_DEVICE_STATE_ ERROR=0 STOP=1 RUNNING=2 STOP_COPY=3 RESUMING=4 RUNNING_P2P=5 PRE_COPY=6
        VFIO_DEVICE_STATE_ PRE_COPY_P2P=7
        VFIO_IOMMU_ GET_INFO=0x3b70 MAP_DMA=0x3b71 UNMAP_DMA=0x3b72 ENABLE=0x3b73 DISABLE=0x3b74
        VFIO_IOMMU_ DIRTY_PAGES=0x3b75
        VFIO_IOMMU_ INFO_PGSIZES=1 INFO_CAPS=2
        VFIO_IOMMU_TYPE1_INFO_ CAP_IOVA_RANGE=1 CAP_MIGRATION=2 DMA_AVAIL=3
        VFIO_DMA_MAP_FLAG_ READ=1 WRITE=2 VADDR=4
        VFIO_DMA_UNMAP_FLAG_ GET_DIRTY_BITMAP=1 ALL=2 VADDR=4
        VFIO_IOMMU_DIRTY_PAGES_FLAG_ START=1 STOP=2 GET_BITMAP=4
      `),
    );
  });

  const device = vfio.VFIO_DEVICE_COMMANDS;
  const group = vfio.VFIO_GROUP_COMMANDS;
  const container = vfio.VFIO_CONTAINER_COMMANDS;
  test.each([
    ['VFIO_DEVICE_GET_INFO', device, 0x3b6b, 16, 24],
    ['VFIO_DEVICE_GET_REGION_INFO', device, 0x3b6c, 32, 32],
    ['VFIO_DEVICE_GET_IRQ_INFO', device, 0x3b6d, 16, 16],
    ['VFIO_DEVICE_SET_IRQS', device, 0x3b6e, 20, 20],
    ['VFIO_DEVICE_GET_PCI_HOT_RESET_INFO', device, 0x3b70, 12, 12],
    ['VFIO_DEVICE_PCI_HOT_RESET', device, 0x3b71, 12, 12],
    ['VFIO_DEVICE_IOEVENTFD', device, 0x3b74, 28, 32],
    ['VFIO_DEVICE_FEATURE', device, 0x3b75, 8, 8],
    ['VFIO_DEVICE_BIND_IOMMUFD', device, 0x3b76, 16, 24],
    ['VFIO_DEVICE_ATTACH_IOMMUFD_PT', device, 0x3b77, 12, 16],
    ['VFIO_DEVICE_DETACH_IOMMUFD_PT', device, 0x3b78, 8, 12],
    ['VFIO_GROUP_GET_STATUS', group, 0x3b67, 8, 8],
    ['VFIO_IOMMU_GET_INFO', container, 0x3b70, 16, 24],
    ['VFIO_IOMMU_MAP_DMA', container, 0x3b71, 32, 32],
    ['VFIO_IOMMU_UNMAP_DMA', container, 0x3b72, 24, 24],
    ['VFIO_IOMMU_DIRTY_PAGES', container, 0x3b75, 8, 8],
  ] as const)('%s takes argsz from its minimum on', (name, table, request, minSize, size) => {
    expect(table.get(request)).toMatchObject({ name, minSize, size });
  });

  test.each([
    [0, 0, 0, 0],
    [0x3000, 0, 0x3000, 0],
    [0xff_ffff_ffff, 0, 0xff_ffff_ffff, 0],
    [0x100_0000_0000, 1, 0, 0x100_0000_0000],
    [0x600_0000_0000, 6, 0, 0x600_0000_0000],
    [0x700_0000_0004, 7, 4, 0x700_0000_0000],
    [0x800_000a_0000, 8, 0xa_0000, 0x800_0000_0000],
    [Number.MAX_SAFE_INTEGER, 8191, 0xff_ffff_ffff, 0x1f_ff00_0000_0000],
  ])('file offset %i is region %i at %i', (offset, index, within, start) => {
    expect(vfio.regionIndex(offset)).toBe(index);
    expect(vfio.offsetInRegion(offset)).toBe(within);
    expect(vfio.regionOffset(index)).toBe(start);
  });

  test('descriptors are signed, a NOT_OWNED id is not', () => {
    const view = new DataView(new ArrayBuffer(32));
    vfio.VfioDeviceBindIommufd.set(view, 0, 'iommufd', -1);
    expect(view.getUint32(8, true)).toBe(0xffff_ffff);
    expect(vfio.VfioDeviceBindIommufd.get(view, 0, 'iommufd')).toBe(-1);
    vfio.VfioDeviceIoeventfd.set(view, 0, 'fd', -1);
    expect(vfio.VfioDeviceIoeventfd.get(view, 0, 'fd')).toBe(-1);
    vfio.VfioDeviceFeatureMigState.set(view, 0, 'data_fd', -1);
    expect(vfio.VfioDeviceFeatureMigState.get(view, 0, 'data_fd')).toBe(-1);
    vfio.VfioDeviceLowPowerEntryWithWakeup.set(view, 0, 'wakeup_eventfd', -1);
    expect(vfio.VfioDeviceLowPowerEntryWithWakeup.get(view, 0, 'wakeup_eventfd')).toBe(-1);
    vfio.VfioPciDependentDevice.set(view, 0, 'devid', vfio.VFIO_PCI_DEVID_NOT_OWNED);
    expect(view.getInt32(0, true)).toBe(-1);
    expect(vfio.VfioPciDependentDevice.get(view, 0, 'devid')).toBe(0xffff_ffff);
  });
});

describe('linux/iommufd.h', () => {
  test('every structure has the size and offsets of C', () => {
    expect(layoutsOf(iommufd)).toEqual(
      lines(`
        IommuDestroy 8: size@0 id@4
        IommuIoasAlloc 12: size@0 flags@4 out_ioas_id@8
        IommuIovaRange 16: start@0 last@8
        IommuIoasIovaRanges 32: size@0 ioas_id@4 num_iovas@8 __reserved@12 allowed_iovas@16 \
          out_iova_alignment@24
        IommuIoasAllowIovas 24: size@0 ioas_id@4 num_iovas@8 __reserved@12 allowed_iovas@16
        IommuIoasMap 40: size@0 flags@4 ioas_id@8 __reserved@12 user_va@16 length@24 iova@32
        IommuIoasMapFile 40: size@0 flags@4 ioas_id@8 fd@12 start@16 length@24 iova@32
        IommuIoasCopy 40: size@0 flags@4 dst_ioas_id@8 src_ioas_id@12 length@16 dst_iova@24 src_iova@32
        IommuIoasUnmap 24: size@0 ioas_id@4 iova@8 length@16
        IommuIoasChangeProcess 8: size@0 __reserved@4
        IommuOption 24: size@0 option_id@4 op@8 __reserved@10 object_id@12 val64@16
        IommuVfioIoas 12: size@0 ioas_id@4 op@8 __reserved@10
        IommuHwptAlloc 48: size@0 flags@4 dev_id@8 pt_id@12 out_hwpt_id@16 __reserved@20 data_type@24 \
          data_len@28 data_uptr@32 fault_id@40 __reserved2@44
        IommuHwptVtdS1 24: flags@0 pgtbl_addr@8 addr_width@16 __reserved@20
        IommuHwInfo 40: size@0 flags@4 dev_id@8 data_len@12 data_uptr@16 out_data_type@24 \
          out_max_pasid_log2@28 __reserved@29 out_capabilities@32
        IommuHwInfoVtd 24: flags@0 __reserved@4 cap_reg@8 ecap_reg@16
        IommuHwptSetDirtyTracking 16: size@0 flags@4 hwpt_id@8 __reserved@12
        IommuHwptGetDirtyBitmap 48: size@0 hwpt_id@4 flags@8 __reserved@12 iova@16 length@24 page_size@32 \
          data@40
        IommuHwptInvalidate 32: size@0 hwpt_id@4 data_uptr@8 data_type@16 entry_len@20 entry_num@24 \
          __reserved@28
        IommuHwptVtdS1Invalidate 24: addr@0 npages@8 flags@16 __reserved@20
        IommuFaultAlloc 16: size@0 flags@4 out_fault_id@8 out_fault_fd@12
        IommuHwptPgfault 40: flags@0 dev_id@4 pasid@8 grpid@12 perm@16 __reserved@20 addr@24 length@32 \
          cookie@36
        IommuHwptPageResponse 8: cookie@0 code@4
        IommuViommuAlloc 40: size@0 flags@4 type@8 dev_id@12 hwpt_id@16 out_viommu_id@20 data_len@24 \
          __reserved@28 data_uptr@32
        IommuVdeviceAlloc 24: size@0 viommu_id@4 dev_id@8 out_vdevice_id@12 virt_id@16
        IommuVeventqAlloc 32: size@0 flags@4 viommu_id@8 type@12 veventq_depth@16 out_veventq_id@20 \
          out_veventq_fd@24 __reserved@28
        IommufdVeventHeader 8: flags@0 sequence@4
        IommuHwQueueAlloc 40: size@0 flags@4 viommu_id@8 type@12 index@16 out_hw_queue_id@20 \
          nesting_parent_iova@24 length@32
      `),
    );
  });

  test('every number', () => {
    expect(numbersOf(iommufd)).toEqual(
      numberTable(`
        IOMMUFD_ TYPE=0x3b CMD_BASE=0x80 PAGE_RESP_SUCCESS=0 PAGE_RESP_INVALID=1
        IOMMU_ DESTROY=0x3b80 OPTION=0x3b87 VFIO_IOAS=0x3b88 GET_HW_INFO=0x3b8a TEST_CMD=0x3ba0
        IOMMU_IOAS_ ALLOC=0x3b81 ALLOW_IOVAS=0x3b82 COPY=0x3b83 IOVA_RANGES=0x3b84 MAP=0x3b85 UNMAP=0x3b86
        IOMMU_IOAS_ MAP_FILE=0x3b8f CHANGE_PROCESS=0x3b92
        IOMMU_HWPT_ ALLOC=0x3b89 SET_DIRTY_TRACKING=0x3b8b GET_DIRTY_BITMAP=0x3b8c INVALIDATE=0x3b8d
        IOMMU_ FAULT_QUEUE_ALLOC=0x3b8e VIOMMU_ALLOC=0x3b90 VDEVICE_ALLOC=0x3b91 VEVENTQ_ALLOC=0x3b93
        IOMMU_ HW_QUEUE_ALLOC=0x3b94
        IOMMU_IOAS_MAP_ FIXED_IOVA=1 WRITEABLE=2 READABLE=4
        IOMMU_OPTION_ RLIMIT_MODE=0 HUGE_PAGES=1 OP_SET=0 OP_GET=1
        IOMMU_VFIO_IOAS_ GET=0 SET=1 CLEAR=2
        IOMMU_HWPT_ ALLOC_NEST_PARENT=1 ALLOC_DIRTY_TRACKING=2 FAULT_ID_VALID=4 ALLOC_PASID=8
        IOMMU_HWPT_DATA_ NONE=0 VTD_S1=1 ARM_SMMUV3=2
        IOMMU_VTD_S1_ SRE=1 EAFE=2 WPE=4
        IOMMU_HW_INFO_ FLAG_INPUT_TYPE=1 VTD_ERRATA_772415_SPR17=1
        IOMMU_HW_INFO_TYPE_ NONE=0 INTEL_VTD=1 ARM_SMMUV3=2 TEGRA241_CMDQV=3
        IOMMU_HW_CAP_ DIRTY_TRACKING=1 PCI_PASID_EXEC=2 PCI_PASID_PRIV=4
        IOMMU_HWPT_ DIRTY_TRACKING_ENABLE=1 GET_DIRTY_BITMAP_NO_CLEAR=1 INVALIDATE_DATA_VTD_S1=0
        IOMMU_ VTD_INV_FLAGS_LEAF=1 VEVENTQ_FLAG_LOST_EVENTS=1
        IOMMU_PGFAULT_ FLAGS_PASID_VALID=1 FLAGS_LAST_PAGE=2
        IOMMU_PGFAULT_PERM_ READ=1 WRITE=2 EXEC=4 PRIV=8
        IOMMU_VIOMMU_TYPE_ DEFAULT=0 ARM_SMMUV3=1 TEGRA241_CMDQV=2
      `),
    );
    expect(iommufd.U64_MAX).toBe(2n ** 64n - 1n);
  });

  test('IOMMUFD_COMMANDS: name, full size and minimum', () => {
    const table = [...iommufd.IOMMUFD_COMMANDS].map(
      ([request, c]) => `0x${request.toString(16)} ${c.name} ${c.size} ${c.minSize} ${c.since ?? '-'}`,
    );
    expect(table).toEqual(
      lines(`
        0x3b80 IOMMU_DESTROY 8 8 -
        0x3b81 IOMMU_IOAS_ALLOC 12 12 -
        0x3b82 IOMMU_IOAS_ALLOW_IOVAS 24 24 -
        0x3b83 IOMMU_IOAS_COPY 40 40 -
        0x3b84 IOMMU_IOAS_IOVA_RANGES 32 32 -
        0x3b85 IOMMU_IOAS_MAP 40 40 -
        0x3b86 IOMMU_IOAS_UNMAP 24 24 -
        0x3b87 IOMMU_OPTION 24 24 -
        0x3b88 IOMMU_VFIO_IOAS 12 12 -
        0x3b89 IOMMU_HWPT_ALLOC 48 24 -
        0x3b8a IOMMU_GET_HW_INFO 40 32 -
        0x3b8b IOMMU_HWPT_SET_DIRTY_TRACKING 16 16 -
        0x3b8c IOMMU_HWPT_GET_DIRTY_BITMAP 48 48 -
        0x3b8d IOMMU_HWPT_INVALIDATE 32 32 -
        0x3b8e IOMMU_FAULT_QUEUE_ALLOC 16 16 -
        0x3b8f IOMMU_IOAS_MAP_FILE 40 40 6.13
        0x3b90 IOMMU_VIOMMU_ALLOC 40 24 6.13
        0x3b91 IOMMU_VDEVICE_ALLOC 24 24 6.13
        0x3b92 IOMMU_IOAS_CHANGE_PROCESS 8 8 6.13
        0x3b93 IOMMU_VEVENTQ_ALLOC 32 32 6.15
        0x3b94 IOMMU_HW_QUEUE_ALLOC 40 40 6.17
      `),
    );
  });

  test('a command decodes its argument by name', () => {
    const view = new DataView(new ArrayBuffer(40));
    view.setUint32(0, 40, true);
    view.setUint32(4, 6, true);
    view.setUint32(8, 1, true);
    view.setBigUint64(16, 0x7f00_0000_0000n, true);
    view.setBigUint64(24, 4096n, true);
    view.setBigUint64(32, 0xffff_ffff_ffff_f000n, true);
    expect(iommufd.IOMMUFD_COMMANDS.get(0x3b85)?.struct.decode(view, 0)).toEqual({
      size: 40,
      flags: 6,
      ioas_id: 1,
      __reserved: 0,
      user_va: 0x7f00_0000_0000n,
      length: 4096n,
      iova: 0xffff_ffff_ffff_f000n,
    });
  });
});

test('mman.ts: every number, as x86-64 has it', () => {
  expect(numbersOf(mman)).toEqual(
    numberTable(`
      PROT_ NONE=0 READ=1 WRITE=2 EXEC=4
      MAP_ SHARED=1 PRIVATE=2 SHARED_VALIDATE=3 TYPE=15 FIXED=0x10 ANONYMOUS=0x20 32BIT=0x40 GROWSDOWN=0x100
      MAP_ DENYWRITE=0x800 EXECUTABLE=0x1000 LOCKED=0x2000 NORESERVE=0x4000 POPULATE=0x8000 NONBLOCK=0x10000
      MAP_ STACK=0x20000 HUGETLB=0x40000 SYNC=0x80000 FIXED_NOREPLACE=0x100000
      MAP_ HUGE_SHIFT=26 HUGE_MASK=63 HUGE_2MB=0x54000000 HUGE_1GB=0x78000000
      MFD_ CLOEXEC=1 ALLOW_SEALING=2
      O_ RDONLY=0 WRONLY=1 RDWR=2 ACCMODE=3 CREAT=0x40 EXCL=0x80 NOCTTY=0x100 TRUNC=0x200 APPEND=0x400
      O_ NONBLOCK=0x800 DSYNC=0x1000 ASYNC=0x2000 DIRECT=0x4000 LARGEFILE=0x8000 DIRECTORY=0x10000
      O_ NOFOLLOW=0x20000 NOATIME=0x40000 CLOEXEC=0x80000 SYNC=0x101000 PATH=0x200000 TMPFILE=0x410000
      EFD_ SEMAPHORE=1 NONBLOCK=0x800 CLOEXEC=0x80000
      POLL IN=1 PRI=2 OUT=4 ERR=8 HUP=0x10 NVAL=0x20 RDNORM=0x40 RDBAND=0x80 WRNORM=0x100 WRBAND=0x200
      POLL MSG=0x400 RDHUP=0x2000
    `),
  );
});

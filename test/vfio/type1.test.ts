/** The type1 driver of a container: mappings, the two versions of an unmap, dirty bitmaps, limits (linux-abi §7). */
import { describe, expect, test } from 'vitest';
import { EACCES, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOTTY } from '../../vfio/uapi/errno.ts';
import { U64_MAX } from '../../vfio/uapi/iommufd.ts';
import { MAP_SHARED } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, PAGE } from './linux-cases/lab.ts';
import { RW } from './user.ts';

const IOVA = 0x10_0000;
const [ALL, VADDR, BITMAP] = [
  V.VFIO_DMA_UNMAP_FLAG_ALL,
  V.VFIO_DMA_UNMAP_FLAG_VADDR,
  V.VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
];

/** A container with group 7 and a device that may do DMA. */
class Container extends Lab {
  readonly fd: number;
  readonly device: number;

  constructor(type: number = V.VFIO_TYPE1v2_IOMMU) {
    super();
    this.fd = this.open('/dev/vfio/vfio');
    const group = this.open('/dev/vfio/7');
    this.ioctl(group, V.VFIO_GROUP_SET_CONTAINER, this.fd);
    this.kernel.ioctl(this.fd, V.VFIO_SET_IOMMU, type);
    this.device = this.deviceOf(group, '0000:01:00.0');
    this.busMaster(this.device, true);
  }

  mapDma(vaddr: number, pages: number, iova: number | bigint, flags = 3): number {
    const fields = { flags, vaddr, iova, size: pages * PAGE };
    return this.call(this.fd, V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap, fields).ret;
  }

  /** Bytes unmapped, or a negative errno. */
  unmapDma(iova: number, pages: number, flags = 0): number {
    const fields = { flags, iova, size: pages * PAGE };
    const { ret, size } = this.call(this.fd, V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap, fields);
    return ret < 0 ? ret : Number(size);
  }
}

describe('MAP_DMA', () => {
  test('allows what it says, and read-only memory for reading only', () => {
    const lab = new Container();
    expect(lab.mapDma(lab.buffer(1), 1, IOVA, V.VFIO_DMA_MAP_FLAG_READ)).toBe(0);
    expect([lab.dmaRead(0, IOVA), lab.dmaWrite(0, IOVA, 1) < 0]).toEqual([0, true]);
    const fixed = lab.readOnly(1);
    expect([lab.mapDma(fixed, 1, 2 * IOVA), lab.mapDma(fixed, 1, 2 * IOVA, 1)]).toEqual([-EFAULT, 0]);
  });

  test('the end of the aperture, and beyond', () => {
    const lab = new Container();
    const buffer = lab.buffer(2);
    expect(lab.mapDma(buffer, 1, 2 ** 48 - PAGE)).toBe(0);
    expect([lab.mapDma(buffer, 2, 2 ** 48 - PAGE), lab.mapDma(buffer, 1, 2 ** 48)]).toEqual([
      -EEXIST,
      -EINVAL,
    ]);
    expect(lab.mapDma(buffer, 1, 0)).toBe(0);
  });

  test('half a buffer that is not there maps nothing', () => {
    const lab = new Container();
    const buffer = lab.buffer(4);
    lab.kernel.munmap(buffer + 2 * PAGE, 2 * PAGE);
    const free = lab.machine.pages.free_pages;
    expect(lab.mapDma(buffer, 4, IOVA)).toBe(-EFAULT);
    expect([lab.machine.pages.free_pages, lab.mapDma(buffer, 2, IOVA)]).toEqual([free, 0]);
  });

  test('registers that sleep, or that may not be written, cannot be mapped', () => {
    const lab = new Container();
    const writable = lab.kernel.mmap(PAGE, RW, MAP_SHARED, lab.device, 0);
    const readable = lab.kernel.mmap(PAGE, 1, MAP_SHARED, lab.device, 0);
    expect([lab.mapDma(readable, 1, IOVA), lab.mapDma(readable, 1, IOVA, 1)]).toEqual([-EFAULT, 0]);
    lab.configWrite(lab.device, 4, 2, 0);
    expect(lab.mapDma(writable, 1, 2 * IOVA)).toBe(-EFAULT);
  });

  test('locked memory is counted against the limit, and given back', () => {
    const lab = new Container();
    const { process } = lab.machine.kernel;
    process.capabilities.ipcLock = false;
    process.memlockLimit_pages = 8;
    const buffer = lab.buffer(8);
    expect([lab.mapDma(buffer, 8, IOVA), lab.mapDma(buffer, 1, 2 * IOVA)]).toEqual([0, -ENOMEM]);
    expect([lab.unmapDma(IOVA, 8), lab.mapDma(buffer, 1, 2 * IOVA)]).toEqual([8 * PAGE, 0]);
    expect(process.addressSpaceLocked.pages).toBe(1);
  });
});

describe('UNMAP_DMA', () => {
  /** Mappings of two pages each at pages 16, 18 and 32. */
  const three = (type: number) => {
    const lab = new Container(type);
    const buffer = lab.buffer(2);
    for (const page of [16, 18, 32]) lab.mapDma(buffer, 2, page * PAGE);
    return lab;
  };

  test.each([
    ['one of them', 16, 2, 2, 2],
    ['two that touch', 16, 4, 4, 4],
    ['all, with holes', 0, 64, 6, 6],
    ['nothing', 40, 4, 0, 0],
    ['the head of one', 16, 1, 2, -EINVAL],
    ['the tail of one', 17, 1, 0, -EINVAL],
    ['one and the head of the next', 16, 3, 4, -EINVAL],
    ['the tail of one and the next', 17, 3, 0, -EINVAL],
  ])('%s', (_, page, pages, type1, type1v2) => {
    const bytes = (count: number) => (count < 0 ? count : count * PAGE);
    expect(three(V.VFIO_TYPE1_IOMMU).unmapDma(page * PAGE, pages)).toBe(bytes(type1));
    expect(three(V.VFIO_TYPE1v2_IOMMU).unmapDma(page * PAGE, pages)).toBe(bytes(type1v2));
  });

  test('a refused one leaves its structure alone', () => {
    const lab = three(V.VFIO_TYPE1v2_IOMMU);
    const fields = { iova: 17 * PAGE, size: PAGE };
    expect(lab.call(lab.fd, V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap, fields)).toMatchObject({
      ret: -EINVAL,
      size: BigInt(PAGE),
    });
  });

  test.each([
    ['both kinds of flags', BITMAP | ALL],
    ['an unknown flag', 8],
    ['a bitmap without room for it', BITMAP],
  ])('%s', (_, flags) => {
    expect(three(V.VFIO_TYPE1v2_IOMMU).unmapDma(0, 0, flags)).toBe(-EINVAL);
  });

  test('memory that moves: every mapping loses its address and gets a new one', () => {
    const lab = three(V.VFIO_TYPE1v2_IOMMU);
    const remap = (iova: number, pages: number, flags = V.VFIO_DMA_MAP_FLAG_VADDR) =>
      lab.mapDma(lab.buffer(2), pages, iova, flags);
    expect(remap(16 * PAGE, 2)).toBe(-EINVAL);
    expect(lab.unmapDma(0, 0, ALL | VADDR)).toBe(6 * PAGE);
    expect(lab.unmapDma(16 * PAGE, 2, VADDR)).toBe(-EINVAL);
    expect([remap(64 * PAGE, 2), remap(16 * PAGE, 1), remap(16 * PAGE, 2, 5)]).toEqual([
      -ENOENT,
      -EINVAL,
      -EINVAL,
    ]);
    expect([remap(16 * PAGE, 2), lab.dmaRead(0, 16 * PAGE)]).toEqual([0, 0]);
    expect(lab.unmapDma(0, 0, ALL)).toBe(6 * PAGE);
  });
});

describe('DIRTY_PAGES', () => {
  const [START, STOP, GET] = [1, 2, 4];
  const dirty = (lab: Container, flags: number) =>
    lab.call(lab.fd, V.VFIO_IOMMU_DIRTY_PAGES, V.VfioIommuType1DirtyBitmap, { flags }).ret;

  /** The bitmap of a range, with everything that a case wants to be different. */
  function getBitmap(
    lab: Container,
    pages: number,
    wrong: { iova?: number; pgsize?: number; bytes?: number } = {},
  ) {
    const data = lab.buffer(1);
    const { iova = 0, pgsize = PAGE, bytes = 16 } = wrong;
    const words = [8 + 40, GET, iova, 0, pages * PAGE, 0, pgsize, 0, bytes, 0];
    const pointer = [data % 2 ** 32, Math.floor(data / 2 ** 32)];
    const ret = lab.ioctl(lab.fd, V.VFIO_IOMMU_DIRTY_PAGES, ...words, ...pointer);
    return ret < 0
      ? ret
      : new DataView(lab.bytes(data).buffer, lab.bytes(data).byteOffset).getBigUint64(0, true);
  }

  test('version 1 has none, and one flag at a time', () => {
    expect(dirty(new Container(V.VFIO_TYPE1_IOMMU), START)).toBe(-EACCES);
    const lab = new Container();
    expect([0, 8, START | STOP].map((flags) => dirty(lab, flags))).toEqual([-EINVAL, -EINVAL, -EINVAL]);
    expect([START, START, STOP, STOP].map((flags) => dirty(lab, flags))).toEqual([0, 0, 0, 0]);
  });

  test('every mapped page is dirty, and no other', () => {
    const lab = new Container();
    const buffer = lab.buffer(3);
    lab.mapDma(buffer, 3, 2 * PAGE);
    lab.mapDma(buffer, 2, 20 * PAGE);
    expect(getBitmap(lab, 64)).toBe(-EINVAL);
    dirty(lab, START);
    expect(getBitmap(lab, 64)).toBe((0b11n << 20n) | (0b111n << 2n));
    expect(getBitmap(lab, 3)).toBe(-EINVAL);
    expect(getBitmap(lab, 64, { pgsize: 2 * PAGE })).toBe(-EINVAL);
    expect(getBitmap(lab, 64, { bytes: 0 })).toBe(-EINVAL);
    expect(getBitmap(lab, 256, { bytes: 16 })).toBe(-EINVAL);
    expect(getBitmap(lab, 64, { iova: 1 })).toBe(-EINVAL);
  });

  test('an unmap takes the bitmap with it', () => {
    const lab = new Container();
    lab.mapDma(lab.buffer(2), 2, 4 * PAGE);
    dirty(lab, START);
    const data = lab.buffer(1);
    const words = [
      48,
      BITMAP,
      4 * PAGE,
      0,
      2 * PAGE,
      0,
      PAGE,
      0,
      8,
      0,
      data % 2 ** 32,
      Math.floor(data / 2 ** 32),
    ];
    expect(lab.ioctl(lab.fd, V.VFIO_IOMMU_UNMAP_DMA, ...words)).toBe(0);
    expect([lab.bytes(data)[0], lab.dmaRead(0, 4 * PAGE) < 0]).toEqual([3, true]);
  });
});

test('GET_INFO counts the mappings that are left', () => {
  const lab = new Container();
  lab.mapDma(lab.buffer(1), 1, IOVA);
  expect(lab.ioctl(lab.fd, V.VFIO_IOMMU_GET_INFO, 120)).toBe(0);
  expect(V.VfioIommuType1InfoDmaAvail.get(lab.tail(56), 0, 'avail')).toBe(65_534);
  expect(lab.ioctl(lab.fd, V.VFIO_IOMMU_GET_INFO, 119)).toBe(0);
  expect([lab.word(0), lab.word(4)]).toEqual([120, 0]);
  expect(lab.kernel.ioctl(lab.fd, V.VFIO_IOMMU_GET_INFO, 0)).toBe(-EFAULT);
  expect(lab.kernel.ioctl(lab.fd, V.VFIO_IOMMU_ENABLE, 0)).toBe(-ENOTTY);
  expect(lab.unmapDma(0, 0, ALL)).toBe(PAGE);
  expect(lab.mapDma(lab.buffer(1), 1, U64_MAX & ~0xfffn)).toBe(-EINVAL);
});

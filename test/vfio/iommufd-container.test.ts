/** The requests of a VFIO container on an iommufd (linux-abi §6; linux-cases F, by number). */
import { describe, expect, test } from 'vitest';
import * as E from '../../vfio/uapi/errno.ts';
import { IOMMU_VFIO_IOAS, IOMMU_VFIO_IOAS_SET, IommuVfioIoas } from '../../vfio/uapi/iommufd.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;

/** A context whose compatibility IOAS is set, with a device attached to it if asked. */
function container(attached = false): Machine {
  const machine = new Machine();
  const ioas_id = machine.ioas();
  machine.call(IOMMU_VFIO_IOAS, IommuVfioIoas, { ioas_id, op: IOMMU_VFIO_IOAS_SET });
  if (attached) machine.context.attach(machine.context.bind(machine.device(0x100)), ioas_id);
  return machine;
}

const mapDma = (machine: Machine, fields: object) =>
  machine.call(V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap, { flags: 3, ...fields }).ret;
const unmapDma = (machine: Machine, fields: object) => {
  const { ret, size } = machine.call(V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap, fields);
  return [ret, size];
};

describe('without an IOAS', () => {
  test.each([
    [159, 'UNMAP_DMA', V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap.SIZE],
    [160, 'MAP_DMA', V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap.SIZE],
    [161, 'GET_INFO', V.VFIO_IOMMU_GET_INFO, 16],
  ])('%i: %s checks the size, then the IOAS', (_, __, request, size) => {
    const { context, process, argument } = new Machine();
    process.write32(argument, 1);
    expect(context.ioctl(request, argument)).toBe(-E.EINVAL);
    process.write32(argument, size);
    expect(context.ioctl(request, argument)).toBe(-E.ENODEV);
    expect(context.ioctl(request, 0)).toBe(-E.EFAULT);
  });

  test.each([
    [158, V.VFIO_TYPE1v2_IOMMU, 1],
    [171, V.VFIO_TYPE1_NESTING_IOMMU, 0],
    [171, V.VFIO_UPDATE_VADDR, 0],
    [171, V.VFIO_UNMAP_ALL, 1],
    [171, V.VFIO_DMA_CC_IOMMU, -E.ENODEV],
  ])('%i: CHECK_EXTENSION %i', (_, extension, expected) => {
    expect(new Machine().context.ioctl(V.VFIO_CHECK_EXTENSION, extension)).toBe(expected);
  });

  test('162, 171: SET_IOMMU and what is not there', () => {
    const { context, argument } = new Machine();
    expect(context.ioctl(V.VFIO_SET_IOMMU, V.VFIO_TYPE1_IOMMU)).toBe(-E.ENODEV);
    expect(context.ioctl(V.VFIO_SET_IOMMU, V.VFIO_SPAPR_TCE_IOMMU)).toBe(-E.EINVAL);
    expect(context.ioctl(V.VFIO_IOMMU_DIRTY_PAGES, argument)).toBe(-E.ENOTTY);
  });
});

describe('mapping', () => {
  test('167, 168: unmapping nothing succeeds, unmapping all takes no range', () => {
    const machine = container();
    const vaddr = BigInt(machine.allocate(4 * PAGE));
    expect(mapDma(machine, { argsz: 32, vaddr, iova: 0x10000n, size: 0x4000n })).toBe(0);
    expect(mapDma(machine, { argsz: 32, vaddr, iova: 0x10000n, size: 0x4000n })).toBe(-E.EEXIST);
    expect(mapDma(machine, { argsz: 32, flags: 4 })).toBe(-E.EINVAL);
    expect(unmapDma(machine, { argsz: 24, iova: 0x20000n, size: 0x1000n })).toEqual([0, 0n]);
    expect(unmapDma(machine, { argsz: 24, iova: 0x10000n, size: 0x1000n })).toEqual([-E.ENOENT, 0n]);
    const all = { argsz: 24, flags: V.VFIO_DMA_UNMAP_FLAG_ALL };
    expect(unmapDma(machine, { ...all, size: 0x1000n })).toEqual([-E.EINVAL, 0x1000n]);
    expect(unmapDma(machine, all)).toEqual([0, 0x4000n]);
    expect(unmapDma(machine, all)).toEqual([0, 0n]);
  });

  test.each([
    [V.VFIO_TYPE1_IOMMU, [0, 0x1000n]],
    [V.VFIO_TYPE1v2_IOMMU, [-E.ENOENT, 0n]],
  ])('170: unmapping a piece in the middle, type %i', (type, expected) => {
    const machine = container(true);
    expect(machine.context.ioctl(V.VFIO_SET_IOMMU, type)).toBe(0);
    const buffer = machine.allocate(4 * PAGE);
    mapDma(machine, { argsz: 32, vaddr: BigInt(buffer), iova: 0x10000n, size: 0x4000n });
    expect(unmapDma(machine, { argsz: 24, iova: 0x11000n, size: 0x1000n })).toEqual(expected);
    expect(machine.reach(0x100, 0x10000)).toBe(machine.physical(buffer));
    expect(machine.reach(0x100, 0x11000) > 0).toBe(type === V.VFIO_TYPE1v2_IOMMU);
    expect(machine.reach(0x100, 0x13000)).toBe(machine.physical(buffer + 3 * PAGE));
    expect(unmapDma(machine, { argsz: 24, flags: V.VFIO_DMA_UNMAP_FLAG_ALL })[0]).toBe(0);
    const free = machine.pages.free_pages;
    machine.process.unmap(buffer, 4 * PAGE);
    expect(machine.pages.free_pages).toBe(free + 4);
  });

  test('a mapping without access is refused as soon as there is a page table for it', () => {
    const range = { argsz: 32, flags: 0, iova: 0x10000n, size: 0x1000n };
    for (const [attached, ret] of [
      [false, 0],
      [true, -E.EINVAL],
    ] as const) {
      const machine = container(attached);
      expect(mapDma(machine, { ...range, vaddr: BigInt(machine.allocate(PAGE)) })).toBe(ret);
      expect(mapDma(machine, { ...range, iova: 0x20000n })).toBe(attached ? -E.EFAULT : 0);
    }
  });

  test('165: type 1 forgoes large leaves', () => {
    const machine = container();
    machine.context.ioctl(V.VFIO_SET_IOMMU, V.VFIO_TYPE1_IOMMU);
    expect(mapDma(machine, { argsz: 32, vaddr: 0x800n, iova: 0x10000n, size: 0x1000n })).toBe(-E.EINVAL);
  });

  test('an IOMMU without snoop control cannot enforce coherency', () => {
    expect(container().context.ioctl(V.VFIO_CHECK_EXTENSION, V.VFIO_DMA_CC_IOMMU)).toBe(1);
    expect(container(true).context.ioctl(V.VFIO_CHECK_EXTENSION, V.VFIO_DMA_CC_IOMMU)).toBe(0);
  });
});

describe('166: GET_INFO', () => {
  const TOTAL = 24 + 16 + 16 + 2 * 16;
  const ask = (argsz: number) => {
    const machine = container(true);
    machine.process.copyOut(machine.argument, new Uint8Array(128).fill(0xee));
    machine.process.write32(machine.argument, argsz);
    expect(machine.context.ioctl(V.VFIO_IOMMU_GET_INFO, machine.argument)).toBe(0);
    return machine.process.load(machine.argument, 128)!;
  };

  test('the first version gets its sixteen bytes', () => {
    const view = ask(16);
    expect(view.getUint32(0, true)).toBe(TOTAL);
    expect(view.getUint32(4, true)).toBe(V.VFIO_IOMMU_INFO_PGSIZES | V.VFIO_IOMMU_INFO_CAPS);
    expect(view.getBigUint64(8, true)).toBe(0x4020_1000n);
    expect(view.getUint32(16, true)).toBe(0xeeee_eeee);
  });

  test.each([24, 39, 40, 55, 56, 72, TOTAL - 1])('%i bytes are not enough for the chain', (argsz) => {
    const { argsz: needed, cap_offset } = V.VfioIommuType1Info.decode(ask(argsz), 0);
    expect([needed, cap_offset]).toEqual([TOTAL, 0]);
  });

  test('ranges that fit are there already, their header is not', () => {
    const view = ask(72);
    expect(view.getUint32(40, true)).toBe(0xeeee_eeee);
    expect(V.VfioIovaRange.decode(view, 56)).toEqual({ start: 0n, end: 0xfedf_ffffn });
    expect(view.getUint32(72, true)).toBe(0xeeee_eeee);
    expect(ask(71).getUint32(56, true)).toBe(0xeeee_eeee);
  });

  test('the whole chain', () => {
    const view = ask(TOTAL);
    expect(V.VfioIommuType1Info.decode(view, 0)).toMatchObject({ argsz: TOTAL, cap_offset: 24 });
    expect(V.VfioInfoCapHeader.decode(view, 24)).toEqual({ id: 3, version: 1, next: 40 });
    expect(V.VfioIommuType1InfoDmaAvail.get(view, 24, 'avail')).toBe(0xffff_ffff);
    expect(V.VfioInfoCapHeader.decode(view, 40)).toEqual({ id: 1, version: 1, next: 0 });
    expect(V.VfioIommuType1InfoCapIovaRange.get(view, 40, 'nr_iovas')).toBe(2);
    expect(V.VfioIovaRange.decode(view, 56)).toEqual({ start: 0n, end: 0xfedf_ffffn });
    expect(V.VfioIovaRange.decode(view, 72)).toEqual({ start: 0xfef0_0000n, end: 0xffff_ffff_ffffn });
  });
});

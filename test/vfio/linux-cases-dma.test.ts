/**
 * Cases 242 to 253 of linux-cases: what a device reaches, through page tables in RAM, in all three ways to
 * give it memory: iommufd's own requests, a container on an iommufd, and the legacy container.
 */
import { describe, expect, test } from 'vitest';
import { EAGAIN, EFAULT } from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { MAP_SHARED } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, line, PAGE } from './linux-cases/lab.ts';
import { SCRATCH } from './toy-machine.ts';
import { RW } from './user.ts';

const IOVA = 0x4000_0000;
const MIB2 = 0x20_0000;

/** A device with its memory, whatever manages that. */
interface Way {
  readonly device: number;
  map(address: number, bytes: number, iova: number): number;
  /** Bytes unmapped. */
  unmap(iova: number, bytes: number): number;
}

function native(lab: Lab): Way {
  const iommufd = lab.iommu();
  const { device, ioas } = lab.attached(iommufd);
  return {
    device,
    map: (address, bytes, iova) => lab.map(iommufd, ioas, address, bytes, iova),
    unmap: (iova, bytes) => lab.unmap(iommufd, ioas, iova, bytes),
  };
}

/** Through the group, behind a container that this path opens. */
const container =
  (path: string, type: number) =>
  (lab: Lab): Way => {
    const fd = lab.open(path);
    const group = lab.open('/dev/vfio/7');
    expect(lab.ioctl(group, V.VFIO_GROUP_SET_CONTAINER, fd)).toBe(0);
    expect(lab.kernel.ioctl(fd, V.VFIO_SET_IOMMU, type)).toBe(0);
    const device = lab.deviceOf(group, '0000:01:00.0');
    return {
      device,
      map: (vaddr, size, iova) =>
        lab.call(fd, V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap, { flags: 3, vaddr, iova, size }).ret,
      unmap: (iova, bytes) => {
        const fields = { iova, size: bytes };
        const { ret, size } = lab.call(fd, V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap, fields);
        return ret < 0 ? ret : Number(size);
      },
    };
  };

const WAYS = [
  ['iommufd', native, false],
  ['type1 on an iommufd', container('/dev/iommu', V.VFIO_TYPE1_IOMMU), false],
  ['type1v2 on an iommufd', container('/dev/iommu', V.VFIO_TYPE1v2_IOMMU), false],
  ['type1', container('/dev/vfio/vfio', V.VFIO_TYPE1_IOMMU), true],
  ['type1v2', container('/dev/vfio/vfio', V.VFIO_TYPE1v2_IOMMU), true],
] as const;

describe.each(WAYS)('%s', (name, way, mapsBars) => {
  test('242, 243: two megabytes, in the largest leaves, and nothing is left of them', () => {
    const lab = new Lab();
    const { device, map, unmap } = way(lab);
    lab.busMaster(device, true);
    const buffer = lab.buffer(MIB2 / PAGE);
    lab.bytes(buffer)[MIB2 - 1] = 9;
    const free = lab.machine.pages.free_pages;
    expect(map(buffer, MIB2, IOVA)).toBe(0);
    expect(lab.dmaRead(0, IOVA + MIB2 - 1)).toBe(9);
    // Small leaves need one table more.
    expect(free - lab.machine.pages.free_pages).toBe(name === 'type1 on an iommufd' ? 3 : 2);
    expect(unmap(IOVA, MIB2)).toBe(MIB2);
    expect(lab.dmaRead(0, IOVA)).toBeLessThan(0);
  });

  test('245: the device copies between two places', () => {
    const lab = new Lab();
    const { device, map } = way(lab);
    lab.busMaster(device, true);
    const [source, target] = [lab.buffer(1), lab.buffer(1)];
    lab.bytes(source)[5] = 42;
    map(source, PAGE, IOVA);
    map(target, PAGE, IOVA + PAGE);
    expect(lab.dmaWrite(0, IOVA + PAGE + 5, lab.dmaRead(0, IOVA + 5))).toBe(0);
    expect(lab.bytes(target)[5]).toBe(42);
  });

  test('249: only the legacy container maps registers of a device', () => {
    const lab = new Lab();
    const { device, map } = way(lab);
    const bar = lab.kernel.mmap(0x4000, RW, MAP_SHARED, device, 0);
    const ret = mapsBars ? 0 : -EFAULT;
    expect(map(bar, 0x4000, IOVA)).toBe(ret);
    expect(map(bar + SCRATCH, PAGE, IOVA + 0x8000)).toBe(ret);
  });

  test('253: after an unmap the memory is out of reach', () => {
    const lab = new Lab();
    const { device, map, unmap } = way(lab);
    lab.busMaster(device, true);
    const buffer = lab.buffer(2);
    map(buffer, 2 * PAGE, IOVA);
    expect(lab.dmaWrite(0, IOVA, 1)).toBe(0);
    unmap(IOVA, 2 * PAGE);
    expect(lab.dmaWrite(0, IOVA, 2)).toBeLessThan(0);
    expect(lab.bytes(buffer)[0]).toBe(1);
  });

  test('the end of the process lets everything go', () => {
    const lab = new Lab();
    const { map } = way(lab);
    map(lab.buffer(64), 64 * PAGE, IOVA);
    lab.kernel.mmap(PAGE, RW, MAP_SHARED, 3, 0);
    lab.machine.kernel.exit();
    expect(lab.machine.functions[0]!.port.busMaster).toBe(false);
    expect(lab.machine.kernel.process.addressSpaceLocked.pages).toBe(0);
    expect(lab.open('/dev/vfio/7')).toBeGreaterThan(0);
  });
});

line(244, 'opened and closed ten times', (lab) => {
  for (let round = 0; round < 10; round++) {
    const iommufd = lab.iommu();
    const { device } = lab.attached(iommufd);
    expect([lab.kernel.close(device), lab.kernel.close(iommufd)]).toEqual([0, 0]);
  }
});
line(246, 'from and to an IOVA that is not mapped, and then again', (lab) => {
  const { device, map } = native(lab);
  lab.busMaster(device, true);
  const eventfd = lab.eventfd();
  lab.setIrqs(device, 0x24, 2, 0, 1, eventfd);
  expect([lab.dmaRead(0, IOVA), lab.dmaWrite(0, IOVA, 1)].every((result) => result < 0)).toBe(true);
  map(lab.buffer(1), PAGE, IOVA);
  expect([lab.dmaRead(0, IOVA), lab.dmaWrite(0, IOVA, 1), lab.dmaRead(0, IOVA)]).toEqual([0, 0, 1]);
  expect(lab.count(eventfd)).toBe(-EAGAIN);
});
line(247, 'a message among transfers, ten times', (lab) => {
  const { device, map } = native(lab);
  lab.busMaster(device, true);
  const eventfd = lab.eventfd();
  lab.setIrqs(device, 0x24, 2, 0, 1, eventfd);
  map(lab.buffer(1), PAGE, IOVA);
  for (let round = 0; round < 10; round++) {
    expect([lab.dmaWrite(0, IOVA, round), lab.dmaRead(0, IOVA)]).toEqual([0, round]);
    expect(lab.dmaRead(0, IOVA + PAGE)).toBeLessThan(0);
    lab.machine.functions[0]!.msix!.raise(0);
    expect(lab.count(eventfd)).toBe(1);
  }
});
line(248, 'many transfers, and no message of their own', (lab) => {
  const { device, map } = native(lab);
  lab.busMaster(device, true);
  const eventfd = lab.eventfd();
  lab.setIrqs(device, 0x24, 2, 0, 1, eventfd);
  map(lab.buffer(64), 64 * PAGE, IOVA);
  const failed = Array.from({ length: 10_000 }, (_, round) => IOVA + (round % 64) * PAGE).filter(
    (iova, round) => lab.dmaWrite(0, iova, round & 0xff) !== 0 || lab.dmaRead(0, iova) !== (round & 0xff),
  );
  expect([failed, lab.count(eventfd)]).toEqual([[], -EAGAIN]);
});
line(250, 'the ranges of an attached IOAS are ascending and apart', (lab) => {
  const iommufd = lab.iommu();
  const { words } = lab.ranges(iommufd, lab.attached(iommufd).ioas);
  expect([...words].sort((a, b) => (a < b ? -1 : 1))).toEqual(words);
  expect(new Set(words).size).toBe(words.length);
});
line(251, 'a READABLE map stops writes; a WRITEABLE one allows both, as VT-d stores it', (lab) => {
  const iommufd = lab.iommu();
  const { device, ioas } = lab.attached(iommufd);
  lab.busMaster(device, true);
  const buffer = lab.buffer(1);
  lab.map(iommufd, ioas, buffer, PAGE, IOVA, U.IOMMU_IOAS_MAP_FIXED_IOVA | U.IOMMU_IOAS_MAP_READABLE);
  expect([lab.dmaRead(0, IOVA), lab.dmaWrite(0, IOVA, 1) < 0, lab.bytes(buffer)[0]]).toEqual([0, true, 0]);
  lab.map(iommufd, ioas, buffer, PAGE, 2 * IOVA, U.IOMMU_IOAS_MAP_FIXED_IOVA | U.IOMMU_IOAS_MAP_WRITEABLE);
  expect([lab.dmaWrite(0, 2 * IOVA, 1), lab.bytes(buffer)[0]]).toEqual([0, 1]);
});
line(252, 'without bus mastering there is neither DMA nor a message', (lab) => {
  const { device, map } = native(lab);
  const eventfd = lab.eventfd();
  lab.setIrqs(device, 0x24, 2, 0, 1, eventfd);
  map(lab.buffer(1), PAGE, IOVA);
  lab.busMaster(device, false);
  expect(lab.dmaRead(0, IOVA)).toBeLessThan(0);
  lab.machine.functions[0]!.msix!.raise(0);
  expect(lab.count(eventfd)).toBe(-EAGAIN);
});

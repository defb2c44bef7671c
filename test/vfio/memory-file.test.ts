/** memfd_create, and MAP_FILE of what it makes: a device reaches the pages that the process sees. */
import { describe, expect, test } from 'vitest';
import { EBADF, EINVAL, ENOMEM } from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { MAP_PRIVATE, MAP_SHARED, MFD_CLOEXEC } from '../../vfio/uapi/mman.ts';
import { Lab, PAGE, VFIO0 } from './linux-cases/lab.ts';
import { RW } from './user.ts';

const IOVA = 0x40_0000;
const FIXED_RW = 7;

function lab(): { lab: Lab; memfd: number } {
  const made = new Lab({ abi: '6.19' });
  const memfd = made.kernel.memfdCreate('queues', MFD_CLOEXEC);
  expect(made.kernel.ftruncate(memfd, 4 * PAGE)).toBe(0);
  return { lab: made, memfd };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a file that is memory', () => {
  test('is empty, grows, shrinks, and is read and written at its position and elsewhere', () => {
    const { kernel } = new Lab();
    const fd = kernel.memfdCreate('a', 0);
    const read = new Uint8Array(8);
    expect(kernel.pread(fd, read, 0)).toBe(0);
    expect(kernel.write(fd, bytes('hello'))).toBe(5);
    expect(kernel.write(fd, bytes(' you'))).toBe(4);
    expect(kernel.pread(fd, read, 4)).toBe(5);
    expect(new TextDecoder().decode(read.subarray(0, 5))).toBe('o you');
    expect(kernel.ftruncate(fd, 2)).toBe(0);
    expect(kernel.ftruncate(fd, 3 * PAGE)).toBe(0);
    expect(kernel.pread(fd, read, 0)).toBe(8);
    expect([...read]).toEqual([104, 101, 0, 0, 0, 0, 0, 0]);
    expect(kernel.pread(fd, read, 3 * PAGE)).toBe(0);
  });

  test.each([
    ['an unknown flag', (kernel: Lab['kernel']) => kernel.memfdCreate('a', 0x100), -EINVAL],
    [
      'a negative length',
      (kernel: Lab['kernel']) => kernel.ftruncate(kernel.memfdCreate('a', 0), -1),
      -EINVAL,
    ],
    ['a descriptor that is not open', (kernel: Lab['kernel']) => kernel.ftruncate(99, 1), -EBADF],
    [
      'a file that has no length',
      (kernel: Lab['kernel']) => kernel.ftruncate(kernel.eventfd(0, 0), 1),
      -EINVAL,
    ],
  ])('%s is refused', (_, call, expected) => {
    expect(call(new Lab().kernel)).toBe(expected);
  });

  test('shared mappings are the file, a private one is a copy, and none reaches past its end', () => {
    const {
      lab: { kernel },
      memfd,
    } = lab();
    const map = (flags: number, offset: number, length = PAGE) =>
      kernel.mmap(length, RW, flags, memfd, offset);
    const [a, b] = [map(MAP_SHARED, 0, 2 * PAGE), map(MAP_SHARED, PAGE)].map((at) => kernel.mapping(at)!);
    a!.write32(PAGE, 0x1234);
    const copy = kernel.mapping(map(MAP_PRIVATE, PAGE))!;
    b!.write32(4, 0x5678);
    expect([b!.read32(0), a!.read32(PAGE + 4), copy.read32(0), copy.read32(4)]).toEqual([
      0x1234, 0x5678, 0x1234, 0,
    ]);
    expect(map(MAP_SHARED, 4 * PAGE)).toBe(-EINVAL);
  });

  test('pages stay for a mapping when the descriptor is closed, and cannot move while they are in use', () => {
    const {
      lab: { kernel },
      memfd,
    } = lab();
    const mapping = kernel.mapping(kernel.mmap(PAGE, RW, MAP_SHARED, memfd, 0))!;
    mapping.write32(0, 7);
    expect(kernel.ftruncate(memfd, 64 * PAGE)).toBe(-ENOMEM);
    expect(kernel.close(memfd)).toBe(0);
    expect(mapping.read32(0)).toBe(7);
  });
});

describe('MAP_FILE', () => {
  test('shows a device the pages of the file, and holds them until they are unmapped', () => {
    const { lab: made, memfd } = lab();
    const { kernel } = made;
    const device = made.open(VFIO0);
    const iommufd = made.open('/dev/iommu');
    made.bind(device, iommufd);
    const ioas = made.ioas(iommufd);
    made.attach(device, ioas);
    const fields = { flags: FIXED_RW, ioas_id: ioas, fd: memfd, start: PAGE, length: 2 * PAGE, iova: IOVA };
    const map = () => made.call(iommufd, U.IOMMU_IOAS_MAP_FILE, U.IommuIoasMapFile, fields).ret;
    expect(map()).toBe(0);
    const mapping = kernel.mapping(kernel.mmap(4 * PAGE, RW, MAP_SHARED, memfd, 0))!;
    mapping.write32(2 * PAGE, 0xca);
    made.busMaster(device, true);
    const word = () => made.dmaRead(0, IOVA + PAGE);
    expect(word()).toBe(0xca);
    kernel.munmap(mapping.address, 4 * PAGE);
    kernel.close(memfd);
    expect(word()).toBe(0xca);
    expect(made.call(iommufd, U.IOMMU_IOAS_CHANGE_PROCESS, U.IommuIoasChangeProcess).ret).toBe(0);
    expect(made.unmap(iommufd, ioas, IOVA, 2 * PAGE)).toBe(2 * PAGE);
    expect(word()).toBeLessThan(0);
  });

  test('of pages past the end of the file cannot be pinned', () => {
    const { lab: made, memfd } = lab();
    const device = made.open(VFIO0);
    const iommufd = made.open('/dev/iommu');
    made.bind(device, iommufd);
    const ioas = made.ioas(iommufd);
    made.attach(device, ioas);
    const fields = {
      flags: FIXED_RW,
      ioas_id: ioas,
      fd: memfd,
      start: 3 * PAGE,
      length: 2 * PAGE,
      iova: IOVA,
    };
    expect(made.call(iommufd, U.IOMMU_IOAS_MAP_FILE, U.IommuIoasMapFile, fields).ret).toBe(-EINVAL);
  });
});

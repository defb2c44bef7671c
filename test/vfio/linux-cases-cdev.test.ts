/**
 * Cases 172 to 204 of linux-cases: the life of a device's descriptor. Lines 201 to 203 need SR-IOV, which
 * no function here has. Removal, line 200, has more in removal.test.ts.
 */
import { expect } from 'vitest';
import {
  EBADF,
  EBADFD,
  EBUSY,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { MAP_SHARED, O_RDWR, PROT_READ } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, line, PAGE, VFIO0, VFIO1 } from './linux-cases/lab.ts';
import { RECORDED_FUNCTION } from './toy-machine.ts';
import { RW } from './user.ts';

const BIND = V.VFIO_DEVICE_BIND_IOMMUFD;
const ATTACH = V.VFIO_DEVICE_ATTACH_IOMMUFD_PT;
const DETACH = V.VFIO_DEVICE_DETACH_IOMMUFD_PT;
const UNBOUND = [V.VFIO_DEVICE_SET_IRQS, ATTACH, DETACH, V.VFIO_DEVICE_GET_INFO, V.VFIO_DEVICE_RESET, 0x3bee];

function bound(lab: Lab, path = VFIO0) {
  const iommufd = lab.iommu();
  const device = lab.open(path);
  expect(lab.bind(device, iommufd)).toBe(0);
  return { iommufd, device };
}

const getInfo = (lab: Lab, device: number): number =>
  lab.call(device, V.VFIO_DEVICE_GET_INFO, V.VfioDeviceInfo).ret;

/** A structure of words that can be read but not written. Returns its address. */
function readOnlyWords(lab: Lab, ...words: number[]): number {
  const address = lab.readOnly(1);
  const { physical } = lab.machine.kernel.process.find(address) as unknown as { physical: number };
  words.forEach((word, index) => {
    lab.machine.memory.u32[physical / 4 + index] = word;
  });
  return address;
}

line(172, 'BIND makes the device answer', (lab) => expect(getInfo(lab, bound(lab).device)).toBe(0));
line(173, 'nothing answers before', (lab) => expect(getInfo(lab, lab.open(VFIO0))).toBe(-EINVAL));
line(174, 'BIND to descriptor -2', (lab) => expect(lab.bind(lab.open(VFIO0), -2)).toBe(-EINVAL));
line(175, 'BIND twice', (lab) => {
  const { device, iommufd } = bound(lab);
  expect(lab.bind(device, iommufd)).toBe(-EINVAL);
});
line(176, 'BIND, IOAS_ALLOC, ATTACH, DETACH', (lab) => {
  const { device, iommufd } = bound(lab);
  expect([lab.attach(device, lab.ioas(iommufd)), lab.detach(device)]).toEqual([0, 0]);
});
line(177, 'ATTACH to no id', (lab) => expect(lab.attach(bound(lab).device, 0xffff_ffff)).toBe(-ENOENT));
line(178, 'BIND with a short structure, a flag, no structure', (lab) => {
  const device = lab.open(VFIO0);
  const iommufd = lab.iommu();
  expect(lab.ioctl(device, BIND, 15, 0, iommufd)).toBe(-EINVAL);
  expect(lab.ioctl(device, BIND, 16, 1, iommufd)).toBe(-EINVAL);
  expect(lab.kernel.ioctl(device, BIND, 0)).toBe(-EFAULT);
});
line(179, 'BIND to a closed descriptor, to an eventfd, to itself', (lab) => {
  const device = lab.open(VFIO0);
  expect([99, lab.eventfd(), device].map((fd) => lab.bind(device, fd))).toEqual([-EBADF, -EBADFD, -EBADFD]);
});
line(179, 'a descriptor of the legacy container is no iommufd', (lab) => {
  const container = lab.open('/dev/vfio/vfio');
  expect(lab.bind(lab.open(VFIO0), container)).toBe(-EBADFD);
});
line(180, 'a second descriptor waits for the first', (lab) => {
  const { device, iommufd } = bound(lab);
  const second = lab.open(VFIO0);
  expect([lab.bind(second, iommufd), getInfo(lab, second)]).toEqual([-EINVAL, -EINVAL]);
  lab.kernel.close(device);
  expect(lab.bind(second, iommufd)).toBe(0);
});
line(181, 'BIND that failed may be tried again', (lab) => {
  const device = lab.open(VFIO0);
  expect([lab.bind(device, 99), lab.bind(device, lab.iommu())]).toEqual([-EBADF, 0]);
});
line(182, 'everything is EINVAL before BIND, and close is fine', (lab) => {
  const device = lab.open(VFIO0);
  for (const request of UNBOUND) expect(lab.kernel.ioctl(device, request, 0)).toBe(-EINVAL);
  for (const length of [4, 0]) {
    expect(lab.kernel.read(device, new Uint8Array(length))).toBe(-EINVAL);
    expect(lab.kernel.pread(device, new Uint8Array(length), 0)).toBe(-EINVAL);
    expect(lab.kernel.write(device, new Uint8Array(length))).toBe(-EINVAL);
  }
  expect(lab.kernel.mmap(PAGE, RW, MAP_SHARED, device, 0)).toBe(-EINVAL);
  expect(lab.kernel.close(device)).toBe(0);
});
line(183, 'an unknown request after BIND', (lab) => {
  expect(lab.kernel.ioctl(bound(lab).device, 0x3bee, 0)).toBe(-ENOTTY);
});
line(184, 'BIND whose answer cannot be written is undone', (lab) => {
  const device = lab.open(VFIO0);
  const iommufd = lab.iommu();
  expect(lab.kernel.ioctl(device, BIND, readOnlyWords(lab, 16, 0, iommufd, 0))).toBe(-EFAULT);
  expect([getInfo(lab, device), lab.destroy(iommufd, 1)]).toEqual([-EINVAL, -ENOENT]);
  const group = lab.open('/dev/vfio/7');
  expect([group > 0, lab.kernel.close(group), lab.bind(device, iommufd)]).toEqual([true, 0, 0]);
});
line(185, 'ATTACH whose answer cannot be written leaves the device detached', (lab) => {
  const { device, iommufd } = bound(lab);
  const ioas = lab.ioas(iommufd);
  lab.attach(device, ioas);
  expect(lab.kernel.ioctl(device, ATTACH, readOnlyWords(lab, 12, 0, ioas))).toBe(-EFAULT);
  expect(lab.destroy(iommufd, ioas)).toBe(0);
});
line(186, 'ATTACH and DETACH with short structures and flags', (lab) => {
  const { device } = bound(lab);
  for (const [request, size] of [
    [ATTACH, 12],
    [DETACH, 8],
  ] as const) {
    expect(lab.ioctl(device, request, size - 1, 0, 1)).toBe(-EINVAL);
    expect(lab.ioctl(device, request, size, 2, 1)).toBe(-EINVAL);
    expect(lab.kernel.ioctl(device, request, 0)).toBe(-EFAULT);
  }
});
line(187, 'DETACH of what is not attached', (lab) => {
  const { device } = bound(lab);
  expect([lab.detach(device), lab.detach(device)]).toEqual([0, 0]);
});
line(188, 'ATTACH elsewhere frees the first IOAS', (lab) => {
  const { device, iommufd } = bound(lab);
  const [first, second] = [lab.ioas(iommufd), lab.ioas(iommufd)];
  lab.attach(device, first);
  expect(lab.ranges(iommufd, first).num_iovas).toBe(2);
  expect(lab.attach(device, second)).toBe(0);
  expect([lab.ranges(iommufd, first).num_iovas, lab.ranges(iommufd, second).num_iovas]).toEqual([1, 2]);
});
line(190, 'the group node and a bound cdev exclude each other', (lab) => {
  const device = lab.open(VFIO0);
  const iommufd = lab.iommu();
  const group = lab.open('/dev/vfio/7');
  expect(group).toBeGreaterThan(0);
  expect(lab.bind(device, iommufd)).toBe(-EBUSY);
  lab.kernel.close(group);
  expect(lab.bind(device, iommufd)).toBe(0);
  expect(lab.open('/dev/vfio/7')).toBe(-EBUSY);
  expect(lab.open('/dev/vfio/8')).toBeGreaterThan(0);
  lab.kernel.close(device);
  expect(lab.open('/dev/vfio/7')).toBeGreaterThan(0);
});
line(191, 'BIND looks at its arguments, then at the group, then at the descriptor', (lab) => {
  const device = lab.open(VFIO0);
  lab.open('/dev/vfio/7');
  expect([lab.bind(device, -1), lab.bind(device, 99)]).toEqual([-EINVAL, -EBUSY]);
});
line(192, 'two devices of a group share an iommufd', () => {
  const lab = new Lab({
    ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
    groupOf: () => 7,
  });
  const { iommufd } = bound(lab);
  const second = lab.open(VFIO1);
  expect([lab.bind(second, lab.iommu()), lab.bind(second, iommufd)]).toEqual([-EPERM, 0]);
});
line(193, 'a sibling with a driver of the kernel keeps the group', () => {
  const lab = new Lab({
    ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
    groupOf: () => 7,
    driverOf: (bdf) => (bdf === 0x101 ? 'nvme' : 'vfio-pci'),
  });
  expect(lab.open(VFIO1)).toBe(-ENOENT);
  expect(lab.bind(lab.open(VFIO0), lab.iommu())).toBe(-EPERM);
});
line(194, 'the device keeps its iommufd', (lab) => {
  const { device, iommufd } = bound(lab);
  const ioas = lab.ioas(iommufd);
  lab.attach(device, ioas);
  lab.busMaster(device, true);
  lab.map(iommufd, ioas, lab.buffer(1), PAGE, 0x10000);
  lab.kernel.close(iommufd);
  expect([lab.dmaRead(0, 0x10000), getInfo(lab, device)]).toEqual([0, 0]);
  lab.kernel.close(device);
  expect(lab.dmaRead(0, 0x10000)).toBeLessThan(0);
});
line(195, 'close gives the id back, and the IOAS is free', (lab) => {
  const { device, iommufd } = bound(lab);
  const ioas = lab.ioas(iommufd);
  lab.attach(device, ioas);
  lab.kernel.close(device);
  expect(lab.call(iommufd, U.IOMMU_GET_HW_INFO, U.IommuHwInfo, { dev_id: 1 }).ret).toBe(-ENOENT);
  expect(lab.destroy(iommufd, ioas)).toBe(0);
});
line(196, 'a mapped BAR keeps the device', (lab) => {
  const { device, iommufd } = bound(lab);
  const address = lab.kernel.mmap(PAGE, PROT_READ, MAP_SHARED, device, 0);
  lab.kernel.close(device);
  const second = lab.open(VFIO0);
  expect(lab.bind(second, iommufd)).toBe(-EINVAL);
  lab.kernel.munmap(address, PAGE);
  expect(lab.bind(second, iommufd)).toBe(0);
});
line(197, 'a duplicate keeps the device', (lab) => {
  const { device, iommufd } = bound(lab);
  const copy = lab.kernel.dup(device);
  lab.kernel.close(device);
  expect(getInfo(lab, copy)).toBe(0);
  lab.kernel.close(copy);
  expect(lab.bind(lab.open(VFIO0), iommufd)).toBe(0);
});
line(198, 'DESTROY of a device, and of its IOAS', (lab) => {
  const { device, iommufd } = bound(lab);
  const ioas = lab.ioas(iommufd);
  lab.attach(device, ioas);
  expect([lab.destroy(iommufd, 1), lab.destroy(iommufd, ioas)]).toEqual([-EBUSY, -EBUSY]);
  lab.detach(device);
  expect([lab.destroy(iommufd, 1), lab.destroy(iommufd, ioas)]).toEqual([-EBUSY, 0]);
});
line(199, 'read moves the position, pread does not', (lab) => {
  const { device } = bound(lab);
  const word = new Uint8Array(8);
  lab.kernel.pread(device, word, 8);
  lab.kernel.read(device, word);
  expect(word[0]).toBe(0xff);
  lab.kernel.read(device, word.subarray(0, 4));
  expect([...word.subarray(0, 4)]).toEqual([0, 4, 1, 0]);
});
line(200, 'removal: nobody comes in, the user is asked, and its close ends it', async (lab) => {
  const { device } = bound(lab);
  const request = lab.eventfd();
  lab.setIrqs(device, 0x24, 4, 0, 1, request);
  const removal = lab.machine.kernel.removeDevice('0000:01:00.0');
  expect([lab.kernel.open(VFIO0, O_RDWR), lab.count(request)]).toEqual([-ENOENT, 1]);
  lab.kernel.close(device);
  await removal;
  expect(lab.kernel.open('/dev/vfio/7', O_RDWR)).toBe(-ENOENT);
});
line(204, 'tokens and PASIDs of younger releases', () => {
  const lab = new Lab({ abi: '6.19' });
  const device = lab.open(VFIO0);
  const iommufd = lab.iommu();
  const token = lab.buffer(1);
  const bind = (fields: object) =>
    lab.call(device, BIND, V.VfioDeviceBindIommufd, { iommufd, ...fields }).ret;
  expect(bind({ flags: 1, token_uuid_ptr: token })).toBe(-EINVAL);
  expect(bind({ flags: 1, token_uuid_ptr: 16 })).toBe(-EFAULT);
  expect(bind({ flags: 0, token_uuid_ptr: 16 })).toBe(0);
  expect(lab.ioctl(device, ATTACH, 12, 1, 1, 5)).toBe(-EINVAL);
  expect(lab.ioctl(device, ATTACH, 16, 1, 1, 5)).toBe(-EOPNOTSUPP);
  expect(lab.ioctl(device, DETACH, 8, 1, 5)).toBe(-EINVAL);
  expect(lab.ioctl(device, DETACH, 12, 1, 5)).toBe(-EOPNOTSUPP);
});

/**
 * /dev/vfio/vfio and /dev/vfio/<group> as programs from before iommufd use them (linux-abi §1.8, §7), beyond the
 * recorded cases. Not here: what devices reach through a container (linux-cases-dma.test.ts), removal.
 */
import { describe, expect, test } from 'vitest';
import {
  EBADF,
  EBADFD,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOSPC,
  ENOTTY,
  EPERM,
} from '../../vfio/uapi/errno.ts';
import { MAP_SHARED } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, PAGE, VFIO0, VFIO1 } from './linux-cases/lab.ts';
import { RECORDED_FUNCTION } from './toy-machine.ts';
import { RW } from './user.ts';

const NAME = '0000:01:00.0';
const SET = V.VFIO_GROUP_SET_CONTAINER;
const UUID = '83d8f4f2-509f-482f-8d1b-1f4f8b6ab7a4';

/** Group 7 in a container of type `type`. */
function container(lab: Lab, type = V.VFIO_TYPE1v2_IOMMU) {
  const fd = lab.open('/dev/vfio/vfio');
  const group = lab.open('/dev/vfio/7');
  expect(lab.ioctl(group, SET, fd)).toBe(0);
  expect(lab.kernel.ioctl(fd, V.VFIO_SET_IOMMU, type)).toBe(0);
  return { fd, group };
}

const status = (lab: Lab, group: number, argsz = 8) => {
  const { ret, flags } = lab.call(group, V.VFIO_GROUP_GET_STATUS, V.VfioGroupStatus, { argsz });
  return ret < 0 ? ret : flags;
};

describe('the container', () => {
  test('can do nothing without a group', () => {
    const lab = new Lab();
    const fd = lab.open('/dev/vfio/vfio');
    expect(lab.kernel.ioctl(fd, V.VFIO_GET_API_VERSION, 0)).toBe(0);
    expect(lab.kernel.ioctl(fd, V.VFIO_SET_IOMMU, V.VFIO_TYPE1_IOMMU)).toBe(-EINVAL);
    expect(lab.ioctl(fd, V.VFIO_IOMMU_GET_INFO, 24)).toBe(-EINVAL);
    expect(lab.kernel.ioctl(fd, 0x3bee, 0)).toBe(-EINVAL);
    expect(lab.kernel.mmap(PAGE, RW, MAP_SHARED, fd, 0)).toBe(-ENODEV);
  });

  test.each([
    ['TYPE1', V.VFIO_TYPE1_IOMMU, 1, 1, 0],
    ['SPAPR_TCE', V.VFIO_SPAPR_TCE_IOMMU, 0, 0, -ENODEV],
    ['TYPE1v2', V.VFIO_TYPE1v2_IOMMU, 1, 1, 0],
    ['DMA_CC', V.VFIO_DMA_CC_IOMMU, 0, 0, -ENODEV],
    ['NESTING', V.VFIO_TYPE1_NESTING_IOMMU, 1, 1, -EINVAL],
    ['NOIOMMU', V.VFIO_NOIOMMU_IOMMU, 0, 0, -ENODEV],
    ['UNMAP_ALL', V.VFIO_UNMAP_ALL, 1, 1, -EINVAL],
    ['UPDATE_VADDR', V.VFIO_UPDATE_VADDR, 0, 1, -ENODEV],
  ])('%s: extension before and after, and as a type', (_, number, before, after, asType) => {
    const lab = new Lab();
    const fd = lab.open('/dev/vfio/vfio');
    expect(lab.kernel.ioctl(fd, V.VFIO_CHECK_EXTENSION, number)).toBe(before);
    lab.ioctl(lab.open('/dev/vfio/7'), SET, fd);
    expect(lab.kernel.ioctl(fd, V.VFIO_SET_IOMMU, number)).toBe(asType);
    if (asType !== 0) lab.kernel.ioctl(fd, V.VFIO_SET_IOMMU, V.VFIO_TYPE1v2_IOMMU);
    expect(lab.kernel.ioctl(fd, V.VFIO_CHECK_EXTENSION, number)).toBe(after);
    expect(lab.kernel.ioctl(fd, 0x3bee, 0)).toBe(-ENOTTY);
  });

  test('lives as long as its group, and loses its driver with the last one', () => {
    const lab = new Lab();
    const { fd, group } = container(lab);
    const copy = lab.kernel.dup(fd);
    lab.kernel.close(fd);
    expect(lab.ioctl(copy, V.VFIO_IOMMU_GET_INFO, 24)).toBe(0);
    expect(lab.kernel.ioctl(group, V.VFIO_GROUP_UNSET_CONTAINER, 0)).toBe(0);
    expect(lab.ioctl(copy, V.VFIO_IOMMU_GET_INFO, 24)).toBe(-EINVAL);
    expect(lab.kernel.ioctl(copy, V.VFIO_SET_IOMMU, V.VFIO_TYPE1_IOMMU)).toBe(-EINVAL);
  });

  test('shares its mappings among groups, those of before as well', () => {
    const lab = new Lab();
    const { fd, group } = container(lab);
    const fields = { flags: 3, vaddr: lab.buffer(1), iova: 0x10000, size: PAGE };
    lab.call(fd, V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap, fields);
    const second = lab.open('/dev/vfio/8');
    expect(lab.ioctl(second, SET, fd)).toBe(0);
    lab.busMaster(lab.deviceOf(group, NAME), true);
    const other = lab.deviceOf(second, '0000:02:00.0');
    lab.busMaster(other, true);
    expect([lab.dmaRead(0, 0x10000), lab.dmaRead(1, 0x10000)]).toEqual([0, 0]);
    lab.kernel.close(other);
    lab.kernel.close(second);
    expect(lab.dmaRead(0, 0x10000)).toBe(0);
  });
});

describe('the group', () => {
  test('GET_STATUS', () => {
    const lab = new Lab();
    const group = lab.open('/dev/vfio/7');
    expect(lab.kernel.ioctl(group, V.VFIO_GROUP_GET_STATUS, 0)).toBe(-EFAULT);
    expect([status(lab, group, 7), status(lab, group)]).toEqual([-EINVAL, 1]);
    lab.ioctl(group, SET, lab.open('/dev/vfio/vfio'));
    expect(status(lab, group)).toBe(3);
  });

  test('a sibling with a driver of the kernel makes it not viable', () => {
    const lab = new Lab({
      ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
      groupOf: () => 7,
      driverOf: (bdf) => (bdf === 0x101 ? 'nvme' : 'vfio-pci'),
    });
    const group = lab.open('/dev/vfio/7');
    expect(status(lab, group)).toBe(0);
    expect(lab.ioctl(group, SET, lab.open('/dev/vfio/vfio'))).toBe(-EPERM);
  });

  test('SET_CONTAINER and UNSET_CONTAINER', () => {
    const lab = new Lab();
    const group = lab.open('/dev/vfio/7');
    const unset = () => lab.kernel.ioctl(group, V.VFIO_GROUP_UNSET_CONTAINER, 0);
    expect(lab.kernel.ioctl(group, SET, 0)).toBe(-EFAULT);
    expect([lab.ioctl(group, SET, 99), lab.ioctl(group, SET, lab.eventfd())]).toEqual([-EBADF, -EBADFD]);
    expect(unset()).toBe(-EINVAL);
    const fd = lab.open('/dev/vfio/vfio');
    expect([lab.ioctl(group, SET, fd), lab.ioctl(group, SET, fd), unset(), unset()]).toEqual([
      0,
      -EINVAL,
      0,
      -EINVAL,
    ]);
    expect([lab.ioctl(group, SET, lab.iommu()), lab.ioctl(group, SET, lab.eventfd())]).toEqual([0, -EINVAL]);
  });

  test('is open once, and knows four requests', () => {
    const lab = new Lab();
    const group = lab.open('/dev/vfio/7');
    expect([lab.open('/dev/vfio/7'), lab.kernel.ioctl(group, 0x3bee, 0)]).toEqual([-EBUSY, -ENOTTY]);
    expect(lab.kernel.read(group, new Uint8Array(4))).toBe(-EINVAL);
    lab.kernel.close(group);
    expect(lab.open('/dev/vfio/7')).toBe(group);
  });

  test('an open group keeps cdevs of its devices from BIND, and of no others', () => {
    const lab = new Lab();
    lab.open('/dev/vfio/7');
    const iommufd = lab.iommu();
    expect([lab.bind(lab.open(VFIO0), iommufd), lab.bind(lab.open(VFIO1), iommufd)]).toEqual([-EBUSY, 0]);
  });
});

describe('GET_DEVICE_FD', () => {
  test.each([
    ['its name', NAME, 0],
    ['blanks behind it', `${NAME}   `, 0],
    ['the device of another group', '0000:02:00.0', -ENODEV],
    ['more than a name', `${NAME}1`, -ENODEV],
    ['part of a name', '0000:01:00', -ENODEV],
    ['nothing', '', -ENODEV],
    ['an unknown option', `${NAME} token=1`, -EINVAL],
    ['a short token', `${NAME} vf_token=83d8f4f2`, -EINVAL],
    ['a token that is no uuid', `${NAME} vf_token=${UUID.replace('-', '+')}`, -EINVAL],
    ['a token for a function that has none', `${NAME} vf_token=${UUID}`, -EINVAL],
    ['two tokens', `${NAME} vf_token=${UUID} vf_token=${UUID}`, -EINVAL],
    ['a text that does not end', `${NAME}${'x'.repeat(8192)}`, -EINVAL],
  ])('%s', (_, name, expected) => {
    const lab = new Lab();
    const { group } = container(lab);
    const text = lab.buffer(3);
    lab.bytes(text).set(new TextEncoder().encode(name));
    expect(Math.min(lab.kernel.ioctl(group, V.VFIO_GROUP_GET_DEVICE_FD, text), 0)).toBe(expected);
  });

  test('a text that runs out of memory', () => {
    const lab = new Lab();
    const { group } = container(lab);
    const end = lab.buffer(1) + PAGE - 4;
    lab.machine.kernel.process.copyOut(end, new TextEncoder().encode('0000'));
    expect(lab.kernel.ioctl(group, V.VFIO_GROUP_GET_DEVICE_FD, end)).toBe(-EFAULT);
  });

  test('every file is usable at once and shares the device; cdev requests are not for it', () => {
    const lab = new Lab();
    const { group } = container(lab);
    const [first, second] = [lab.deviceOf(group, NAME), lab.deviceOf(group, NAME)];
    lab.configWrite(first, 0x3c, 1, 0x55);
    expect(lab.configRead(second, 0x3c, 1)).toBe(0x55);
    expect(lab.bind(first, lab.iommu())).toBe(-EINVAL);
    expect(lab.kernel.ioctl(first, V.VFIO_DEVICE_BIND_IOMMUFD, 0)).toBe(-EFAULT);
    expect(lab.ioctl(first, V.VFIO_DEVICE_ATTACH_IOMMUFD_PT, 12, 0, 1)).toBe(-ENOTTY);
    lab.kernel.close(first);
    expect(lab.configRead(second, 0, 2)).toBe(0x1b36);
  });

  test('an open device keeps the group and its container', () => {
    const lab = new Lab();
    const { fd, group } = container(lab);
    const device = lab.deviceOf(group, NAME);
    expect(lab.kernel.ioctl(group, V.VFIO_GROUP_UNSET_CONTAINER, 0)).toBe(-EBUSY);
    lab.kernel.close(group);
    lab.kernel.close(fd);
    expect([lab.open('/dev/vfio/7'), lab.configRead(device, 0, 2)]).toEqual([-EBUSY, 0x1b36]);
    lab.kernel.close(device);
    expect(lab.open('/dev/vfio/7')).toBe(fd);
  });

  test('on an iommufd: the device is bound and attached, and the group may go', () => {
    const lab = new Lab();
    const iommufd = lab.iommu();
    const group = lab.open('/dev/vfio/7');
    lab.ioctl(group, SET, iommufd);
    const device = lab.deviceOf(group, NAME);
    expect(lab.ranges(iommufd, 1).num_iovas).toBe(2);
    expect(lab.destroy(iommufd, 1)).toBe(-EBUSY);
    lab.kernel.close(group);
    expect([lab.configRead(device, 0, 2), lab.bind(lab.open(VFIO0), iommufd)]).toEqual([0x1b36, -EINVAL]);
    lab.kernel.close(device);
    expect(lab.destroy(iommufd, 1)).toBe(0);
  });

  test('without the IOAS that SET_CONTAINER made, the device stays closed', () => {
    const lab = new Lab();
    const iommufd = lab.iommu();
    const group = lab.open('/dev/vfio/7');
    lab.ioctl(group, SET, iommufd);
    lab.destroy(iommufd, 1);
    expect(lab.deviceOf(group, NAME)).toBe(-ENODEV);
    lab.kernel.close(group);
    expect(lab.bind(lab.open(VFIO0), iommufd)).toBe(0);
  });
});

test('a hot reset through groups: ids of groups, and their files as proof', () => {
  const lab = new Lab({
    ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
    groupOf: (bdf) => ({ 256: 7, 257: 8 })[bdf],
  });
  const { fd, group } = container(lab);
  const device = lab.deviceOf(group, NAME);
  const other = lab.open('/dev/vfio/8');
  const info = (argsz: number) =>
    lab.call(device, V.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, V.VfioPciHotResetInfo, { argsz });
  const reset = (...fds: number[]) =>
    lab.ioctl(device, V.VFIO_DEVICE_PCI_HOT_RESET, 12, 0, fds.length, ...fds);
  expect(info(12)).toMatchObject({ ret: -ENOSPC, count: 2 });
  expect(info(28)).toMatchObject({ ret: 0, flags: 0, count: 2 });
  expect([12, 20].map((at) => V.VfioPciDependentDevice.get(lab.tail(at), 0, 'devid'))).toEqual([7, 8]);
  expect([reset(), reset(group), reset(group, 99), reset(group, fd)]).toEqual([
    -EINVAL,
    -EINVAL,
    -EBADF,
    -EINVAL,
  ]);
  expect(reset(group, other, other)).toBe(-EINVAL);
  expect(reset(group, other)).toBe(-ENOTTY);
});

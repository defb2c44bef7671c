/**
 * Cases 205 to 227 of linux-cases: what a bound PCI function tells, its configuration space and its BARs.
 * More of the configuration space is in vfio-pci-config.test.ts.
 */
import { expect } from 'vitest';
import { EAGAIN, EBADF, EEXIST, EFAULT, EINVAL, EIO, ENODEV, ENOSPC, ENOTTY } from '../../vfio/uapi/errno.ts';
import { MAP_PRIVATE, MAP_SHARED, O_RDONLY } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, line, PAGE, VFIO0 } from './linux-cases/lab.ts';
import { RECORDED_FUNCTION, SCRATCH } from './toy-machine.ts';
import { openDevice, RW } from './user.ts';

const CONFIG = V.regionOffset(V.VFIO_PCI_CONFIG_REGION_INDEX);
const MSIX_TABLE = 0x2000;

const bound = (lab: Lab) => openDevice(lab.kernel).device;
const region = (lab: Lab, device: number, fields: object) =>
  lab.call(device, V.VFIO_DEVICE_GET_REGION_INFO, V.VfioRegionInfo, fields);
const pread = (lab: Lab, device: number, length: number, offset: number) =>
  lab.kernel.pread(device, new Uint8Array(length), offset);
const pwrite = (lab: Lab, device: number, length: number, offset: number) =>
  lab.kernel.pwrite(device, new Uint8Array(length), offset);

line(205, 'GET_INFO of 16 bytes, of 15', (lab) => {
  const device = bound(lab);
  const info = lab.call(device, V.VFIO_DEVICE_GET_INFO, V.VfioDeviceInfo, { argsz: 16, cap_offset: 7 });
  expect(info).toMatchObject({ ret: 0, flags: 3, num_regions: 9, num_irqs: 5, cap_offset: 7 });
  expect(lab.call(device, V.VFIO_DEVICE_GET_INFO, V.VfioDeviceInfo, { argsz: 15 }).ret).toBe(-EINVAL);
});
line(206, 'regions lie at index << 40, there are no more than eight', (lab) => {
  const device = bound(lab);
  for (let index = 0; index < 8; index++) {
    expect(region(lab, device, { index })).toMatchObject({ ret: 0, offset: BigInt(index) << 40n });
  }
  for (const index of [8, 9, 0xffff_ffff]) expect(region(lab, device, { index }).ret).toBe(-EINVAL);
  expect(region(lab, device, { argsz: 31 }).ret).toBe(-EINVAL);
});
line(207, 'what says MMAP can be mapped, and configuration space does not say so', (lab) => {
  const device = bound(lab);
  expect(region(lab, device, { index: 7 }).flags & V.VFIO_REGION_INFO_FLAG_MMAP).toBe(0);
  for (let index = 0; index < 6; index++) {
    const { flags, size, offset } = region(lab, device, { index });
    if ((flags & V.VFIO_REGION_INFO_FLAG_MMAP) === 0) continue;
    expect(lab.kernel.mmap(Number(size), RW, MAP_SHARED, device, Number(offset))).toBeGreaterThan(0);
  }
});
line(208, 'the capability of the MSI-X BAR, and cap_offset where there is none', (lab) => {
  const device = bound(lab);
  expect(region(lab, device, { argsz: 32 })).toMatchObject({ argsz: 40, flags: 15, cap_offset: 0 });
  expect(region(lab, device, { argsz: 40 })).toMatchObject({ argsz: 40, flags: 15, cap_offset: 32 });
  expect(V.VfioInfoCapHeader.decode(lab.tail(32), 0)).toEqual({ id: 3, version: 1, next: 0 });
  expect(region(lab, device, { index: 7, cap_offset: 0xaa }).cap_offset).toBe(0xaa);
});
line(209, 'the upper half of a 64-bit BAR', (lab) => {
  expect(region(lab, bound(lab), { index: 1 })).toMatchObject({ ret: 0, size: 0n, flags: 0 });
});
line(210, 'ids agree with sysfs', (lab) => {
  const device = bound(lab);
  const text = new Uint8Array(7);
  lab.kernel.read(lab.kernel.open('/sys/bus/pci/devices/0000:01:00.0/vendor', O_RDONLY), text);
  expect(Number(new TextDecoder().decode(text))).toBe(lab.configRead(device, 0, 2));
});
line(211, 'bus mastering is off and can be switched', (lab) => {
  const device = bound(lab);
  const seen = [lab.configRead(device, 4, 2) & 4];
  for (const value of [6, 2]) {
    lab.configWrite(device, 4, 2, value);
    seen.push(lab.configRead(device, 4, 2) & 4);
  }
  expect(seen).toEqual([0, 4, 0]);
});
line(212, 'memory decoding is on', (lab) => expect(lab.configRead(bound(lab), 4, 2) & 2).toBe(2));
line(213, 'sizing a BAR moves nothing', (lab) => {
  const device = bound(lab);
  const hardware = () => lab.machine.rootComplex.configRead(1, 0, 0x10, 4);
  const [before, real] = [lab.configRead(device, 0x10, 4), hardware()];
  lab.configWrite(device, 0x10, 4, 0xffff_ffff);
  lab.configWrite(device, 0x14, 4, 0xffff_ffff);
  expect([lab.configRead(device, 0x10, 4), lab.configRead(device, 0x14, 4)]).toEqual([
    0xffff_c004, 0xffff_ffff,
  ]);
  lab.configWrite(device, 0x10, 4, before);
  expect([lab.configRead(device, 0x10, 4), hardware()]).toEqual([before, real]);
  expect(lab.bar(device).read32(8)).toBe(0x0001_0400);
});
line(214, 'BARs that are not there, and no ROM', (lab) => {
  const device = bound(lab);
  for (const offset of [0x18, 0x24, 0x30]) {
    lab.configWrite(device, offset, 4, 0xffff_ffff);
    expect(lab.configRead(device, offset, 4)).toBe(0);
  }
});
line(215, 'ids cannot be written, the interrupt line can, the pin cannot', (lab) => {
  const device = bound(lab);
  expect([lab.configWrite(device, 0, 4, 0), lab.configRead(device, 0, 2)]).toEqual([4, 0x1b36]);
  expect([lab.configWrite(device, 0x3c, 2, 0x0407), lab.configRead(device, 0x3c, 2)]).toEqual([2, 0x0107]);
});
line(216, 'configuration space ends where it ends', (lab) => {
  const device = bound(lab);
  expect(pread(lab, device, 4096, CONFIG)).toBe(4096);
  for (const [length, at] of [
    [1, 4096],
    [4, 4094],
  ] as const) {
    expect(pread(lab, device, length, CONFIG + at)).toBe(-EFAULT);
    expect(pwrite(lab, device, length, CONFIG + at)).toBe(-EFAULT);
  }
});
line(217, 'MSI-X control is protected, MPS is a scratch field, FLR resets', (lab) => {
  const device = bound(lab);
  const toy = lab.machine.functions[0]!;
  lab.configWrite(device, 0x42, 2, 0xc000);
  expect(lab.configRead(device, 0x42, 2)).toBe(64);
  lab.configWrite(device, 0x88, 2, 0x00a0);
  expect(lab.configRead(device, 0x88, 2)).toBe(0x00a0);
  expect(lab.machine.rootComplex.configRead(1, 0, 0x88, 2) & 0xe0).toBe(0);
  const resets = toy.resets;
  lab.configWrite(device, 0x88, 2, 0x8000);
  expect([toy.resets, lab.configRead(device, 0x88, 2) & 0x8000]).toEqual([resets + 1, 0]);
});
for (const [number, says, at, off, on] of [
  [218, 'asleep in D3hot', 0x64, 3, 0],
  [219, 'without memory decoding', 4, 0, 2],
] as const) {
  line(number, `${says} neither pread nor a mapping answers, and later both do`, (lab) => {
    const device = bound(lab);
    const bar = lab.bar(device);
    lab.configWrite(device, at, 2, off);
    expect([pread(lab, device, 4, 0), pwrite(lab, device, 4, 0)]).toEqual([-EIO, -EIO]);
    expect(() => bar.read32(0)).toThrow('SIGBUS');
    lab.configWrite(device, at, 2, on);
    expect([pread(lab, device, 4, 0), bar.read32(8)]).toEqual([4, 0x0001_0400]);
  });
}
line(220, 'the ends of a BAR', (lab) => {
  const device = bound(lab);
  expect(pread(lab, device, 4, 0x4000)).toBe(-EINVAL);
  expect(pread(lab, device, 8, 0x3ffc)).toBe(4);
  expect(pread(lab, device, 4, V.regionOffset(2))).toBe(-EINVAL);
  expect(pwrite(lab, device, 4, V.regionOffset(6))).toBe(-EINVAL);
  expect(pread(lab, device, 0, 0x9000)).toBe(0);
});
line(221, 'the MSI-X table is hidden, the pending bits are not', (lab) => {
  const device = bound(lab);
  const bytes = new Uint8Array(16);
  expect([lab.kernel.pread(device, bytes, MSIX_TABLE), ...bytes]).toEqual([16, ...Array(16).fill(0xff)]);
  expect(pwrite(lab, device, 16, MSIX_TABLE)).toBe(16);
  expect([lab.kernel.pread(device, bytes, 0x3000), bytes[0]]).toEqual([16, 0]);
});
line(222, 'what cannot be mapped', (lab) => {
  const device = bound(lab);
  const map = (length: number, flags: number, offset: number) =>
    lab.kernel.mmap(length, RW, flags, device, offset);
  expect(map(PAGE, MAP_PRIVATE, 0)).toBe(-EINVAL);
  expect(map(PAGE, MAP_SHARED, CONFIG)).toBe(-EINVAL);
  expect(map(0x5000, MAP_SHARED, 0)).toBe(-EINVAL);
  expect(map(PAGE, MAP_SHARED, V.regionOffset(60))).toBe(-EINVAL);
  expect(map(PAGE, MAP_SHARED, 0x1000)).toBeGreaterThan(0);
});
line(223, 'RESET keeps configuration and interrupts, and forgets registers', (lab) => {
  const device = bound(lab);
  const toy = lab.machine.functions[0]!;
  lab.busMaster(device, true);
  const eventfd = lab.eventfd();
  lab.setIrqs(device, 0x24, 2, 0, 1, eventfd);
  lab.bar(device, PAGE, SCRATCH).write32(0, 5);
  expect(lab.kernel.ioctl(device, V.VFIO_DEVICE_RESET, 0)).toBe(0);
  expect([toy.scratch, lab.configRead(device, 4, 2) & 7]).toEqual([0, 6]);
  toy.msix!.raise(0);
  expect(lab.count(eventfd)).toBe(1);
});
line(223, 'a function that cannot be reset says so', () => {
  const capabilities = RECORDED_FUNCTION.capabilities.map((one) =>
    one.kind === 'pcie' ? { ...one, flr: false } : one,
  );
  const twin = { ...RECORDED_FUNCTION, capabilities };
  const lab = new Lab({ ports: [[{ ...twin, multifunction: true }, twin]] });
  const device = bound(lab);
  expect(lab.call(device, V.VFIO_DEVICE_GET_INFO, V.VfioDeviceInfo).flags).toBe(V.VFIO_DEVICE_FLAGS_PCI);
  expect(lab.kernel.ioctl(device, V.VFIO_DEVICE_RESET, 0)).toBe(-EINVAL);
});
line(224, 'hot reset tells what it would hit and takes only what is owned', () => {
  const lab = new Lab({ ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]] });
  const { device, iommufd } = openDevice(lab.kernel);
  const info = (argsz: number) =>
    lab.call(device, V.VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, V.VfioPciHotResetInfo, { argsz });
  const reset = (fields: object) =>
    lab.call(device, V.VFIO_DEVICE_PCI_HOT_RESET, V.VfioPciHotReset, fields).ret;
  expect(info(12)).toMatchObject({ ret: -ENOSPC, count: 2, flags: 0 });
  expect(info(28)).toMatchObject({ ret: 0, count: 2, flags: 1 });
  expect(V.VfioPciDependentDevice.decode(lab.tail(12), 0)).toMatchObject({ devid: 1, bus: 1, devfn: 0 });
  expect(V.VfioPciDependentDevice.decode(lab.tail(20), 0)).toMatchObject({ devid: 0xffff_ffff, devfn: 1 });
  expect([reset({ count: 1 }), reset({ flags: 1 }), reset({})]).toEqual([-EINVAL, -EINVAL, -EINVAL]);
  lab.bind(lab.open('/dev/vfio/devices/vfio1'), iommufd);
  expect(info(28)).toMatchObject({ ret: 0, flags: 3 });
});
line(224, 'hot reset of a function that is alone', (lab) => {
  const reset = lab.call(bound(lab), V.VFIO_DEVICE_PCI_HOT_RESET, V.VfioPciHotReset);
  // The root port reports no link activity, so that Linux cannot tell that the reset has ended.
  expect(reset.ret).toBe(-ENOTTY);
});
line(225, 'FEATURE', (lab) => {
  const device = bound(lab);
  const [GET, SET, PROBE] = [1 << 16, 1 << 17, 1 << 18];
  const feature = (flags: number, argsz = 8) => lab.ioctl(device, V.VFIO_DEVICE_FEATURE, argsz, flags);
  expect(feature(SET | 3, 7)).toBe(-EINVAL);
  expect([feature(GET | SET | 3), feature(GET | SET | PROBE | 3)]).toEqual([-EINVAL, -EINVAL]);
  expect([feature(SET | PROBE | 3), feature(PROBE | 3), feature(3)]).toEqual([0, 0, -EINVAL]);
  expect([999, 10, 1, 0, 6].map((id) => feature(GET | id))).toEqual(Array(5).fill(-ENOTTY));
  expect(feature((1 << 19) | SET | 3)).toBe(-EINVAL);
});
line(226, 'low power in, twice, and out', (lab) => {
  const device = bound(lab);
  const SET = 1 << 17;
  const feature = (id: number, ...data: number[]) =>
    lab.ioctl(device, V.VFIO_DEVICE_FEATURE, 8 + 4 * data.length, SET | id, ...data);
  expect([feature(3), feature(3), feature(5), feature(5)]).toEqual([0, -EINVAL, 0, 0]);
  const other = lab.open(VFIO0);
  expect([feature(4, -1, 0), feature(4, 99, 0), feature(4, other, 0)]).toEqual([-EINVAL, -EBADF, -EINVAL]);
});
line(226, 'any request wakes it, ATTACH and DETACH too', (lab) => {
  const device = bound(lab);
  const event = lab.eventfd();
  const enter = () => lab.ioctl(device, V.VFIO_DEVICE_FEATURE, 16, (1 << 17) | 4, event, 0);
  const requests = [
    () => lab.detach(device),
    () => lab.attach(device, 99),
    () => lab.ioctl(device, V.VFIO_DEVICE_GET_INFO, 16),
    () => lab.kernel.ioctl(device, 0x3bee, 0),
    () => pread(lab, device, 4, CONFIG),
  ];
  for (const request of requests) {
    expect([enter(), lab.count(event)]).toEqual([0, -EAGAIN]);
    request();
    expect(lab.count(event)).toBe(1);
  }
});
line(227, 'a signal that came before IOEVENTFD acts, and stays in the eventfd', (lab) => {
  const device = bound(lab);
  const event = lab.eventfd();
  lab.kernel.write(event, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  const fields = { flags: 4, offset: SCRATCH, data: 9, fd: event };
  expect(lab.call(device, V.VFIO_DEVICE_IOEVENTFD, V.VfioDeviceIoeventfd, fields).ret).toBe(0);
  expect([lab.machine.functions[0]!.scratch, lab.count(event)]).toEqual([9, 1]);
});
line(227, 'an eventfd that writes a register', (lab) => {
  const device = bound(lab);
  const event = lab.eventfd();
  const set = (fields: object) =>
    lab.call(device, V.VFIO_DEVICE_IOEVENTFD, V.VfioDeviceIoeventfd, {
      flags: 4,
      offset: SCRATCH,
      data: 9,
      fd: event,
      ...fields,
    }).ret;
  expect([set({ flags: 3 }), set({ offset: CONFIG }), set({ offset: MSIX_TABLE })]).toEqual(
    Array(3).fill(-EINVAL),
  );
  expect([set({}), set({}), set({ data: 8 })]).toEqual([0, -EEXIST, 0]);
  lab.kernel.write(event, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  expect([8, 9]).toContain(lab.machine.functions[0]!.scratch);
  expect([set({ fd: -1 }), set({ fd: -1 })]).toEqual([0, -ENODEV]);
});

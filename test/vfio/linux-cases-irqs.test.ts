/**
 * Cases 228 to 241 of linux-cases: SET_IRQS in every form. Delivery, masking and what survives a reset are
 * in vfio-pci-irqs.test.ts. `setIrqs` takes flags, index, start and count, then eventfds.
 */
import { expect } from 'vitest';
import type { MsiMessage } from '../../machine/interrupts.ts';
import { EAGAIN, EBADF, EBUSY, EFAULT, EINVAL, ENOTTY } from '../../vfio/uapi/errno.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, line, PAGE, VFIO0 } from './linux-cases/lab.ts';
import { RECORDED_FUNCTION } from './toy-machine.ts';
import { openDevice } from './user.ts';

const [INTX, MSI, MSIX, ERR, REQ] = [0, 1, 2, 3, 4];
const VECTORS = 65;
const {
  VFIO_IRQ_SET_ACTION_MASK: MASK,
  VFIO_IRQ_SET_ACTION_UNMASK: UNMASK,
  VFIO_IRQ_SET_ACTION_TRIGGER: TRIGGER,
} = V;
const { VFIO_IRQ_SET_DATA_NONE: NONE, VFIO_IRQ_SET_DATA_BOOL: BOOL, VFIO_IRQ_SET_DATA_EVENTFD: EVENTFD } = V;

const bound = (lab: Lab) => openDevice(lab.kernel).device;
const eventfds = (lab: Lab, count: number) => Array.from({ length: count }, () => lab.eventfd());
const counts = (lab: Lab, fds: readonly number[]) => fds.map((fd) => lab.count(fd));

/** MSI-X enabled with `count` eventfds. */
function enabled(lab: Lab, count: number) {
  const device = bound(lab);
  const fds = eventfds(lab, count);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, count, ...fds)).toBe(0);
  return { device, fds };
}

/** SET_IRQS with one byte for each interrupt. */
const setBools = (
  lab: Lab,
  device: number,
  flags: number,
  index: number,
  start: number,
  ...bools: number[]
) =>
  lab.ioctl(
    device,
    V.VFIO_DEVICE_SET_IRQS,
    20 + bools.length,
    BOOL | flags,
    index,
    start,
    bools.length,
    bools.reduce((word, bool, at) => word | (bool << (8 * at)), 0),
  );

line(228, 'GET_IRQ_INFO of every index', (lab) => {
  const device = bound(lab);
  const info = (index: number) => {
    const { ret, flags, count } = lab.call(device, V.VFIO_DEVICE_GET_IRQ_INFO, V.VfioIrqInfo, { index });
    return ret < 0 ? ret : [flags, count];
  };
  expect([INTX, MSI, MSIX, ERR, REQ, 5].map(info)).toEqual([
    [7, 1],
    [9, 0],
    [1, VECTORS],
    [9, 1],
    [9, 1],
    -EINVAL,
  ]);
});
line(229, 'sixteen vectors, triggered one by one, and disabled', (lab) => {
  const { device, fds } = enabled(lab, 16);
  for (const [index, fd] of fds.entries()) {
    expect([lab.setIrqs(device, NONE | TRIGGER, MSIX, index, 1), lab.count(fd)]).toEqual([0, 1]);
  }
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 0)).toBe(0);
});
line(230, 'eventfds that nobody signals are empty', (lab) => {
  const { device, fds } = enabled(lab, 3);
  lab.setIrqs(device, NONE | TRIGGER, MSIX, 1, 1);
  expect(counts(lab, fds)).toEqual([-EAGAIN, 1, -EAGAIN]);
});
line(231, 'sizes, indexes, flags, kinds of data and actions', (lab) => {
  const device = bound(lab);
  const set = (flags: number, index: number, argsz = 20) =>
    lab.ioctl(device, V.VFIO_DEVICE_SET_IRQS, argsz, flags, index, 0, 1);
  expect(set(NONE | TRIGGER, REQ, 19)).toBe(-EINVAL);
  expect(set(NONE | TRIGGER, 5)).toBe(-EINVAL);
  expect(set(NONE | TRIGGER | 0x40, REQ)).toBe(-EINVAL);
  expect([set(TRIGGER, REQ), set(NONE | BOOL | TRIGGER, REQ, 24)]).toEqual([-EINVAL, -EINVAL]);
  expect([set(NONE, REQ), set(NONE | MASK | TRIGGER, REQ)]).toEqual([-ENOTTY, -ENOTTY]);
  expect([set(NONE | MASK, MSIX), set(NONE | UNMASK, MSIX), set(NONE | MASK, ERR)]).toEqual(
    Array(3).fill(-ENOTTY),
  );
});
line(232, 'ranges, and data that is missing', (lab) => {
  const device = bound(lab);
  const set = (start: number, count: number, argsz = 1024) =>
    lab.ioctl(device, V.VFIO_DEVICE_SET_IRQS, argsz, EVENTFD | TRIGGER, MSIX, start, count);
  expect([set(1, VECTORS), set(VECTORS, 0), set(0, 0xffff_ffff), set(0, 2, 24)]).toEqual(
    Array(4).fill(-EINVAL),
  );
  const end = lab.buffer(1) + PAGE - 20;
  lab.machine.kernel.process.copyOut(
    end,
    new Uint8Array(Uint32Array.of(24, EVENTFD | TRIGGER, MSIX, 0, 1).buffer),
  );
  expect(lab.kernel.ioctl(device, V.VFIO_DEVICE_SET_IRQS, end)).toBe(-EFAULT);
});
line(233, 'one index at a time, and only an active one is disabled', (lab) => {
  const device = bound(lab);
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 0)).toBe(-EINVAL);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 1, lab.eventfd())).toBe(0);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, INTX, 0, 1, lab.eventfd())).toBe(-EINVAL);
});
line(234, 'a hole among the eventfds is silent', (lab) => {
  const device = bound(lab);
  const fds = eventfds(lab, 3);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 4, fds[0]!, -1, fds[1]!, fds[2]!)).toBe(0);
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 4)).toBe(0);
  expect(counts(lab, fds)).toEqual([1, 1, 1]);
});
line(235, 'MSI-X grows while it is enabled', (lab) => {
  const { device } = enabled(lab, 4);
  const late = lab.eventfd();
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 4, 1, late)).toBe(0);
  lab.setIrqs(device, NONE | TRIGGER, MSIX, 4, 1);
  expect(lab.count(late)).toBe(1);
});
line(236, 'bad descriptors: all is off at first, later only what was touched', (lab) => {
  const device = bound(lab);
  const fds = eventfds(lab, 3);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 2, fds[0]!, 99)).toBe(-EBADF);
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 1)).toBe(-EINVAL);
  lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 3, ...fds);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 1, 2, fds[1]!, lab.open(VFIO0))).toBe(-EINVAL);
  lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 3);
  expect(counts(lab, fds)).toEqual([1, -EAGAIN, -EAGAIN]);
});
line(237, 'BOOL signals where it is true', (lab) => {
  const { device, fds } = enabled(lab, 3);
  expect(setBools(lab, device, TRIGGER, MSIX, 0, 1, 0, 1)).toBe(0);
  expect(counts(lab, fds)).toEqual([1, -EAGAIN, 1]);
  lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 0);
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 1)).toBe(-EINVAL);
});
for (const [name, index] of [
  ['ERR', ERR],
  ['REQ', REQ],
] as const) {
  line(238, `${name} is set, signalled and cleared`, (lab) => {
    const device = bound(lab);
    const fd = lab.eventfd();
    const trigger = () => lab.setIrqs(device, NONE | TRIGGER, index!, 0, 1);
    expect(trigger()).toBe(-EINVAL);
    expect(lab.setIrqs(device, EVENTFD | TRIGGER, index!, 0, 1, fd)).toBe(0);
    expect([trigger(), lab.count(fd)]).toEqual([0, 1]);
    expect(lab.setIrqs(device, EVENTFD | TRIGGER, index!, 0, 1, -2)).toBe(-EINVAL);
    expect(lab.setIrqs(device, EVENTFD | TRIGGER, index!, 0, 2, fd, fd)).toBe(-EINVAL);
    expect(setBools(lab, device, TRIGGER, index!, 0)).toBe(-EINVAL);
    expect(lab.setIrqs(device, EVENTFD | TRIGGER, index!, 0, 1, -1)).toBe(0);
    expect([trigger(), setBools(lab, device, TRIGGER, index!, 0, 1)]).toEqual([-EINVAL, 0]);
  });
}
line(239, 'INTx: masked, unmasked, silent, and never two', (lab) => {
  const device = bound(lab);
  const fd = lab.eventfd();
  const set = (flags: number, ...fds: number[]) => lab.setIrqs(device, flags, INTX, 0, 1, ...fds);
  expect([set(NONE | MASK), set(NONE | UNMASK)]).toEqual([-EINVAL, -EINVAL]);
  expect([set(EVENTFD | TRIGGER, fd), set(NONE | MASK), set(NONE | UNMASK)]).toEqual([0, 0, 0]);
  expect([set(EVENTFD | UNMASK, lab.eventfd()), set(EVENTFD | UNMASK, lab.eventfd())]).toEqual([0, -EBUSY]);
  expect([set(EVENTFD | UNMASK, -1), set(EVENTFD | MASK, fd)]).toEqual([0, -ENOTTY]);
  expect([set(NONE | TRIGGER), lab.count(fd)]).toEqual([0, 1]);
  expect([set(EVENTFD | TRIGGER, -1), set(NONE | TRIGGER), lab.count(fd)]).toEqual([0, 0, -EAGAIN]);
  expect(lab.setIrqs(device, NONE | MASK, INTX, 0, 2)).toBe(-EINVAL);
});
line(239, 'a function without a pin has no INTx', () => {
  const { interruptPin: _, ...pinless } = RECORDED_FUNCTION;
  const lab = new Lab({ ports: [[pinless]] });
  const device = bound(lab);
  expect(lab.call(device, V.VFIO_DEVICE_GET_IRQ_INFO, V.VfioIrqInfo, { index: INTX }).count).toBe(0);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, INTX, 0, 1, lab.eventfd())).toBe(-EINVAL);
});
line(
  240,
  'RESET and DETACH leave the vectors, so does closing their eventfds; close of the device does not',
  (lab) => {
    const { device, fds } = enabled(lab, 2);
    const copy = lab.kernel.dup(fds[1]!);
    lab.kernel.close(fds[1]!);
    lab.kernel.ioctl(device, V.VFIO_DEVICE_RESET, 0);
    lab.detach(device);
    lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 2);
    expect(counts(lab, [fds[0]!, copy])).toEqual([1, 1]);
    lab.kernel.close(device);
    const again = bound(lab);
    expect(lab.setIrqs(again, NONE | TRIGGER, MSIX, 0, 1)).toBe(-EINVAL);
  },
);
line(241, 'more vectors than the host has: it says how many there are, and enables none', (lab) => {
  const device = bound(lab);
  const { interrupts } = lab.machine;
  const taken: MsiMessage[] = [];
  for (let message = interrupts.allocate(0, 0); message !== null; message = interrupts.allocate(0, 0))
    taken.push(message);
  for (const message of taken.splice(0, 3)) interrupts.free(message);
  const fds = eventfds(lab, 4);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 4, ...fds)).toBe(3);
  expect(lab.setIrqs(device, NONE | TRIGGER, MSIX, 0, 1)).toBe(-EINVAL);
  expect(lab.setIrqs(device, EVENTFD | TRIGGER, MSIX, 0, 3, ...fds.slice(1))).toBe(0);
});

/** A function leaves while programs use it, or while none does (linux-abi §1.6). */
import { describe, expect, test } from 'vitest';
import { Registration } from '../../vfio/registration.ts';
import { ENODEV, ENOENT } from '../../vfio/uapi/errno.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { Lab, VFIO0, VFIO1 } from './linux-cases/lab.ts';
import { RECORDED_FUNCTION } from './toy-machine.ts';

const NAME = '0000:01:00.0';
const TEN_SECONDS = 10_000_000_000;

/** True once the promise is settled; lets pending callbacks run first. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe('without a user', () => {
  test('it is gone at once, and the other one stays', async () => {
    const lab = new Lab();
    const { kernel } = lab.machine;
    await kernel.removeDevice(NAME);
    expect([lab.open(VFIO0), lab.open('/dev/vfio/7')]).toEqual([-ENOENT, -ENOENT]);
    expect(kernel.readdir('/dev/vfio/devices')).toEqual(['vfio1']);
    expect(kernel.readdir('/sys/class/vfio-dev')).toEqual(['vfio1']);
    expect(kernel.readdir('/sys/bus/pci/drivers/vfio-pci')).toEqual(['0000:02:00.0']);
    expect(kernel.readlink(`/sys/bus/pci/devices/${NAME}`)).toBe(-ENOENT);
    expect(lab.bind(lab.open(VFIO1), lab.iommu())).toBe(0);
    expect(() => kernel.removeDevice('0000:09:00.0')).toThrow('not a function that vfio-pci has');
  });

  test('a group with another device keeps its node', async () => {
    const lab = new Lab({
      ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
      groupOf: () => 7,
    });
    await lab.machine.kernel.removeDevice(NAME);
    expect(lab.bind(lab.open(VFIO1), lab.iommu())).toBe(0);
    expect(lab.machine.kernel.readdir('/sys/kernel/iommu_groups/7/devices')).not.toContain(NAME);
  });
});

describe('with a user', () => {
  test('pulled twice while it is held, it leaves once, and both are told', async () => {
    const lab = new Lab();
    const { kernel } = lab.machine;
    const device = lab.open(VFIO0);
    lab.bind(device, lab.iommu());
    const removals = [kernel.removeDevice(NAME), kernel.removeDevice(NAME)];
    kernel.close(device);
    await Promise.all(removals);
    expect(kernel.readdir('/dev/vfio/devices')).toEqual(['vfio1']);
  });

  test('it is asked every ten seconds, may go on meanwhile, and its close ends the removal', async () => {
    const lab = new Lab();
    const { kernel, clock } = lab.machine;
    const iommufd = lab.iommu();
    const device = lab.open(VFIO0);
    lab.bind(device, iommufd);
    const request = lab.eventfd();
    lab.setIrqs(device, 0x24, V.VFIO_PCI_REQ_IRQ_INDEX, 0, 1, request);
    const removal = kernel.removeDevice(NAME);
    expect(lab.count(request)).toBe(1);
    clock.runUntil(clock.now + 3 * TEN_SECONDS);
    expect(lab.count(request)).toBe(3);
    expect([lab.configRead(device, 0, 2), await isDone(removal)]).toEqual([0x1b36, false]);
    lab.kernel.close(device);
    expect(await isDone(removal)).toBe(true);
    expect(clock.pending).toBe(0);
    expect(kernel.dmesg.lines.filter((text) => text.includes('Relaying'))).toHaveLength(1);
  });

  test('one that set no eventfd is not told, the log is', async () => {
    const lab = new Lab();
    const { kernel, clock } = lab.machine;
    const device = lab.open(VFIO0);
    const removal = kernel.removeDevice(NAME);
    clock.runUntil(clock.now + 2 * TEN_SECONDS);
    const told = kernel.dmesg.lines.filter((text) => text.includes('blocked until released by user'));
    expect([told.length, await isDone(removal)]).toEqual([1, false]);
    lab.kernel.close(device);
    expect(await isDone(removal)).toBe(true);
  });

  test('an open group finds the device no more, and is of no use without any', async () => {
    const lab = new Lab();
    const container = lab.open('/dev/vfio/vfio');
    const group = lab.open('/dev/vfio/7');
    lab.ioctl(group, V.VFIO_GROUP_SET_CONTAINER, container);
    lab.kernel.ioctl(container, V.VFIO_SET_IOMMU, V.VFIO_TYPE1v2_IOMMU);
    const device = lab.deviceOf(group, NAME);
    const removal = lab.machine.kernel.removeDevice(NAME);
    expect(lab.deviceOf(group, NAME)).toBe(-ENODEV);
    lab.kernel.close(device);
    await removal;
    const { ret } = lab.call(group, V.VFIO_GROUP_GET_STATUS, V.VfioGroupStatus);
    expect([ret, lab.ioctl(group, V.VFIO_GROUP_SET_CONTAINER, container)]).toEqual([-ENODEV, -ENODEV]);
    expect(lab.kernel.close(group)).toBe(0);
  });
});

test('the last reference ends a registration, and nobody gets in after it', () => {
  const registration = new Registration();
  let ended = 0;
  expect(registration.tryHold()).toBe(true);
  registration.end(() => ended++);
  expect([registration.tryHold(), ended]).toEqual([true, 0]);
  registration.drop();
  registration.drop();
  expect([registration.tryHold(), ended]).toEqual([false, 1]);
});

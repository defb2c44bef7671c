/** SET_IRQS: linux-abi 2.4, linux-cases 228 to 241. Vectors are raised by the device, not only looped back. */
import { describe, expect, test } from 'vitest';
import { EAGAIN, EBADF, EBUSY, EFAULT, EINVAL, ENOTTY } from '../../vfio/uapi/errno.ts';
import { O_RDWR } from '../../vfio/uapi/mman.ts';
import {
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
} from '../../vfio/uapi/vfio.ts';
import { RECORDED_FUNCTION, toyMachine } from './toy-machine.ts';
import { openDevice } from './user.ts';

const INTX = 0;
const MSI = 1;
const MSIX = 2;
const ERR = 3;
const REQ = 4;
const SET = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
const SIGNAL = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
const COMMAND = 4;
const BUS_MASTER_ON = 0x0006;
const BUS_MASTER_OFF = 0x0002;

const shared = toyMachine();

/** A process with the device open and allowed to send; the one before it has exited. */
function open() {
  shared.kernel.exit();
  const opened = openDevice(shared.kernel);
  opened.user.configWrite(opened.device, COMMAND, 2, BUS_MASTER_ON);
  return { ...shared, ...opened, msix: shared.functions[0]!.msix! };
}

describe('GET_IRQ_INFO', () => {
  test.each([
    ['INTx', INTX, 7, 1],
    ['MSI', MSI, 9, 0],
    ['MSI-X', MSIX, 1, 65],
    ['ERR', ERR, 9, 1],
    ['REQ', REQ, 9, 1],
  ])('%s', (_, index, flags, count) => {
    const { user, device } = open();
    expect(user.ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, 16, 0, index, 0)).toBe(0);
    expect([user.word(1), user.word(3)]).toEqual([flags, count]);
  });

  test('ERR does not exist on a function without PCI Express', () => {
    const capabilities = RECORDED_FUNCTION.capabilities.filter(({ kind }) => kind !== 'pcie');
    const { user, device } = openDevice(
      toyMachine({ ports: [[{ ...RECORDED_FUNCTION, capabilities }]] }).kernel,
    );
    expect(user.ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, 16, 0, ERR, 0)).toBe(-EINVAL);
  });
});

describe('the checks', () => {
  test.each([
    ['argsz too small', [19, SIGNAL, MSIX, 0, 1], -EINVAL],
    ['no such index', [20, SIGNAL, 5, 0, 1], -EINVAL],
    ['unknown flag', [20, SIGNAL | 0x40, MSIX, 0, 1], -EINVAL],
    ['no data type', [20, VFIO_IRQ_SET_ACTION_TRIGGER, MSIX, 0, 1], -EINVAL],
    ['two data types', [20, SIGNAL | VFIO_IRQ_SET_DATA_BOOL, MSIX, 0, 1], -EINVAL],
    ['no action', [20, VFIO_IRQ_SET_DATA_NONE, MSIX, 0, 1], -ENOTTY],
    ['two actions', [20, SIGNAL | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1], -ENOTTY],
    ['MSI-X has no mask', [20, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, MSIX, 0, 1], -ENOTTY],
    ['start beyond the end', [20, SIGNAL, MSIX, 65, 0], -EINVAL],
    ['end beyond the end', [24, SET, MSIX, 64, 2, -1, -1], -EINVAL],
    ['count overflows', [20, SIGNAL, MSIX, 1, 0xffff_ffff], -EINVAL],
    ['too few eventfds', [23, SET, MSIX, 0, 1, -1], -EINVAL],
    ['an index without interrupts', [20, SIGNAL, MSI, 0, 0], -EINVAL],
    ['inactive index', [20, SIGNAL, MSIX, 0, 1], -EINVAL],
    ['nothing to disable', [20, SIGNAL, MSIX, 0, 0], -EINVAL],
  ])('%s', (_, words, ret) => {
    const { user, device } = open();
    expect(user.ioctl(device, VFIO_DEVICE_SET_IRQS, ...words)).toBe(ret);
  });

  test('eventfds that cannot be read are EFAULT', () => {
    const { user, device, kernel } = open();
    const mapping = kernel.mapping(user.argument)!;
    const end = mapping.length - 20;
    [24, SET, MSIX, 0, 1].forEach((word, index) => {
      mapping.write32(end + index * 4, word);
    });
    expect(kernel.ioctl(device, VFIO_DEVICE_SET_IRQS, user.argument + end)).toBe(-EFAULT);
  });
});

describe('MSI-X', () => {
  test('a message of the device signals its eventfd, and no other', () => {
    const { user, device, msix } = open();
    const [a, b] = [user.eventfd(), user.eventfd()];
    expect(user.setIrqs(device, SET, MSIX, 0, 2, a, b)).toBe(0);
    msix.raise(1);
    msix.raise(1);
    expect([user.count(a), user.count(b)]).toEqual([-EAGAIN, 2]);
  });

  test('without bus mastering nothing arrives', () => {
    const { user, device, msix } = open();
    const eventfd = user.eventfd();
    user.setIrqs(device, SET, MSIX, 0, 1, eventfd);
    user.configWrite(device, COMMAND, 2, BUS_MASTER_OFF);
    const { lost } = msix;
    msix.raise(0);
    expect(user.count(eventfd)).toBe(-EAGAIN);
    expect(msix.lost).toBe(lost + 1);
  });

  test('a vector without an eventfd is masked: its interrupt waits for the next one', () => {
    const { user, device, msix } = open();
    const [a, b] = [user.eventfd(), user.eventfd()];
    user.setIrqs(device, SET, MSIX, 0, 2, a, -1);
    msix.raise(1);
    user.setIrqs(device, SET, MSIX, 1, 1, b);
    expect(user.count(b)).toBe(1);
  });

  test('vectors beyond the first ones are allocated on the fly', () => {
    const { user, device, msix } = open();
    const [a, b] = [user.eventfd(), user.eventfd()];
    user.setIrqs(device, SET, MSIX, 0, 1, a);
    expect(user.setIrqs(device, SET, MSIX, 64, 1, b)).toBe(0);
    msix.raise(64);
    expect(user.count(b)).toBe(1);
  });

  test('the vectors survive a reset of the function', () => {
    const { user, device, msix, kernel } = open();
    const eventfd = user.eventfd();
    user.setIrqs(device, SET, MSIX, 0, 1, eventfd);
    expect(kernel.ioctl(device, VFIO_DEVICE_RESET, 0)).toBe(0);
    msix.raise(0);
    expect(user.count(eventfd)).toBe(1);
  });

  test('a vector can be set while memory decoding is off', () => {
    const { user, device, msix } = open();
    const eventfd = user.eventfd();
    user.configWrite(device, COMMAND, 2, 0x0004);
    expect(user.setIrqs(device, SET, MSIX, 0, 1, eventfd)).toBe(0);
    expect(user.configRead(device, COMMAND, 2)).toBe(0x0004);
    msix.raise(0);
    expect(user.count(eventfd)).toBe(1);
  });

  test('a bad descriptor on first enable leaves the index off', () => {
    const { user, device, kernel } = open();
    const eventfd = user.eventfd();
    expect(user.setIrqs(device, SET, MSIX, 0, 2, eventfd, 999)).toBe(-EBADF);
    expect(user.setIrqs(device, SET, MSIX, 0, 2, eventfd, kernel.open('/dev/null', O_RDWR))).toBe(-EINVAL);
    expect(user.setIrqs(device, SIGNAL, MSIX, 0, 1)).toBe(-EINVAL);
  });

  test('a bad descriptor later clears the vectors of that call and keeps the others', () => {
    const { user, device } = open();
    const [a, b, c] = [user.eventfd(), user.eventfd(), user.eventfd()];
    user.setIrqs(device, SET, MSIX, 0, 3, a, b, c);
    expect(user.setIrqs(device, SET, MSIX, 1, 2, c, 999)).toBe(-EBADF);
    expect(user.setIrqs(device, SIGNAL, MSIX, 0, 3)).toBe(0);
    expect([a, b, c].map((fd) => user.count(fd))).toEqual([1, -EAGAIN, -EAGAIN]);
  });

  test('disabling and closing free the vectors', () => {
    const { user, device, kernel, msix } = open();
    const eventfd = user.eventfd();
    user.setIrqs(device, SET, MSIX, 0, 1, eventfd);
    expect(user.setIrqs(device, SIGNAL, MSIX, 0, 0)).toBe(0);
    expect(msix.isEnabled).toBe(false);
    user.setIrqs(device, SET, MSIX, 0, 1, eventfd);
    kernel.close(device);
    expect(msix.isEnabled).toBe(false);
  });

  test('INTx cannot be enabled beside it', () => {
    const { user, device } = open();
    const eventfd = user.eventfd();
    user.setIrqs(device, SET, MSIX, 0, 1, eventfd);
    expect(user.setIrqs(device, SET, INTX, 0, 1, eventfd)).toBe(-EINVAL);
  });
});

describe('INTx', () => {
  const MASK = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK;
  const UNMASK_BY = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK;
  const DISABLED = 0x0406;

  /** The device asserts its pin, or lets it go. */
  const pin = (isAsserted: boolean): void => {
    shared.functions[0]!.setInterrupt(isAsserted);
    while (shared.clock.step());
  };

  test('is masked when it fires, and unmasked by an eventfd; a line still asserted signals again', () => {
    const { user, device, kernel } = open();
    const [trigger, unmask] = [user.eventfd(), user.eventfd()];
    expect(user.setIrqs(device, SET, INTX, 0, 1, trigger)).toBe(0);
    expect(user.setIrqs(device, UNMASK_BY, INTX, 0, 1, unmask)).toBe(0);
    const unmaskNow = () => kernel.write(unmask, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    for (const isAsserted of [true, false, true]) pin(isAsserted);
    expect(user.count(trigger)).toBe(1);
    unmaskNow();
    expect(user.count(trigger)).toBe(1);
    pin(false);
    unmaskNow();
    expect(user.count(trigger)).toBe(-EAGAIN);
    pin(true);
    expect(user.count(trigger)).toBe(1);
    pin(false);
    expect(user.setIrqs(device, UNMASK_BY, INTX, 0, 1, unmask)).toBe(-EBUSY);
    expect(user.setIrqs(device, UNMASK_BY, INTX, 0, 1, -1)).toBe(0);
    expect(user.setIrqs(device, UNMASK_BY, INTX, 0, 1, unmask)).toBe(0);
  });

  test('masking is NONE or BOOL, never an eventfd', () => {
    const { user, device } = open();
    const eventfd = user.eventfd();
    expect(user.setIrqs(device, MASK, INTX, 0, 1)).toBe(-EINVAL);
    user.setIrqs(device, SET, INTX, 0, 1, eventfd);
    expect(user.setIrqs(device, MASK, INTX, 0, 1)).toBe(0);
    const byEventfd = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK;
    expect(user.setIrqs(device, byEventfd, INTX, 0, 1, eventfd)).toBe(-ENOTTY);
  });

  test('a negative eventfd keeps it enabled and silent', () => {
    const { user, device } = open();
    expect(user.setIrqs(device, SET, INTX, 0, 1, -1)).toBe(0);
    expect(user.setIrqs(device, SIGNAL, INTX, 0, 1)).toBe(0);
    expect(user.setIrqs(device, SIGNAL, INTX, 0, 0)).toBe(0);
    expect(user.setIrqs(device, SIGNAL, INTX, 0, 0)).toBe(-EINVAL);
  });

  test('COMMAND.INTX_DISABLE stops delivery until it is cleared', () => {
    const { user, device } = open();
    const trigger = user.eventfd();
    user.setIrqs(device, SET, INTX, 0, 1, trigger);
    user.configWrite(device, COMMAND, 2, DISABLED);
    pin(true);
    expect(user.count(trigger)).toBe(-EAGAIN);
    user.configWrite(device, COMMAND, 2, BUS_MASTER_ON);
    expect(user.count(trigger)).toBe(1);
    pin(false);
  });
});

describe.each([
  ['ERR', ERR],
  ['REQ', REQ],
])('%s', (_, index) => {
  test('one eventfd, set, signalled and cleared', () => {
    const { user, device } = open();
    const eventfd = user.eventfd();
    expect(user.setIrqs(device, SIGNAL, index, 0, 1)).toBe(-EINVAL);
    expect(user.setIrqs(device, SET, index, 0, 1, eventfd)).toBe(0);
    expect(user.setIrqs(device, SIGNAL, index, 0, 1)).toBe(0);
    expect(user.count(eventfd)).toBe(1);
    expect(user.setIrqs(device, SET, index, 0, 1, -2)).toBe(-EINVAL);
    expect(user.setIrqs(device, SET, index, 0, 1, -1)).toBe(0);
    expect(user.setIrqs(device, SIGNAL, index, 0, 1)).toBe(-EINVAL);
  });

  test('the kernel signals it, and it is gone after close', () => {
    const { user, device, kernel } = open();
    const { irqs } = kernel.inventory.vfio[0]!.vfio;
    const eventfd = user.eventfd();
    user.setIrqs(device, SET, index, 0, 1, eventfd);
    irqs.notify(index as 3 | 4);
    expect(user.count(eventfd)).toBe(1);
    kernel.close(device);
    irqs.notify(index as 3 | 4);
    expect(user.count(eventfd)).toBe(-EAGAIN);
  });

  test('BOOL with count 0 is EINVAL', () => {
    const { user, device } = open();
    const flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER;
    expect(user.setIrqs(device, flags, index, 0, 0)).toBe(-EINVAL);
  });
});

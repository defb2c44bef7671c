/** System calls as programs make them: descriptors, mappings, time, sysfs, and their text. */
import { describe, expect, test } from 'vitest';
import { SERVER_HOST } from '../../machine/timing/host.ts';
import { straceLine } from '../../vfio/strace.ts';
import {
  EACCES,
  EAGAIN,
  EBADF,
  EBADFD,
  EFAULT,
  EINVAL,
  EIO,
  ENODEV,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  ESPIPE,
} from '../../vfio/uapi/errno.ts';
import {
  EFD_NONBLOCK,
  EFD_SEMAPHORE,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CLOEXEC,
  O_RDONLY,
  O_RDWR,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  PROT_READ,
} from '../../vfio/uapi/mman.ts';
import {
  regionOffset,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_PCI_HOT_RESET,
} from '../../vfio/uapi/vfio.ts';
import { RECORDED_FUNCTION, SCRATCH, toyMachine } from './toy-machine.ts';
import { ANONYMOUS, openDevice, RW, User } from './user.ts';

const one = () => Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

describe('descriptors', () => {
  test('the lowest free number is used, and 0 to 2 are taken', () => {
    const { kernel } = toyMachine();
    const fds = [kernel.eventfd(0, 0), kernel.eventfd(0, 0)];
    kernel.close(fds[0]!);
    expect([...fds, kernel.eventfd(0, 0), kernel.close(99), kernel.dup(-1)]).toEqual([
      3,
      4,
      3,
      -EBADF,
      -EBADF,
    ]);
  });

  test.each([
    ['/dev/vfio/devices/vfio2', -ENOENT],
    ['/dev/vfio/devices/vfio0/x', -ENOTDIR],
    ['/nowhere', -ENOENT],
  ])('open %s', (path, ret) => {
    expect(toyMachine().kernel.open(path, O_RDWR)).toBe(ret);
  });

  test('an eventfd counts, drains, and has no position', () => {
    const { kernel } = toyMachine();
    const fd = kernel.eventfd(0, EFD_NONBLOCK);
    const count = new Uint8Array(8);
    expect(kernel.read(fd, count)).toBe(-EAGAIN);
    expect([kernel.write(fd, one()), kernel.write(fd, one())]).toEqual([8, 8]);
    expect(kernel.poll(fd, POLLIN | POLLOUT)).toBe(POLLIN | POLLOUT);
    expect([kernel.read(fd, count), count[0]]).toEqual([8, 2]);
    expect(kernel.poll(fd, POLLIN)).toBe(0);
    expect(kernel.pread(fd, count, 0)).toBe(-ESPIPE);
    expect(kernel.read(fd, new Uint8Array(7))).toBe(-EINVAL);
    expect(kernel.write(fd, new Uint8Array(8).fill(0xff))).toBe(-EINVAL);
    expect(kernel.eventfd(0, 0x1000_0000)).toBe(-EINVAL);
    expect(kernel.poll(77, POLLIN)).toBe(POLLNVAL);
  });

  test('a semaphore gives one at a time', () => {
    const { kernel } = toyMachine();
    const fd = kernel.eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    const count = new Uint8Array(8);
    expect([kernel.read(fd, count), kernel.read(fd, count), kernel.read(fd, count)]).toEqual([8, 8, -EAGAIN]);
    expect(count[0]).toBe(1);
  });
});

describe('mmap of a BAR', () => {
  test.each([
    ['private', 0x1000, MAP_PRIVATE, 0, -EINVAL],
    ['beyond the end', 0x1000, MAP_SHARED, 0x4000, -EINVAL],
    ['over the end', 0x2000, MAP_SHARED, 0x3000, -EINVAL],
    ['a BAR that is not there', 0x1000, MAP_SHARED, regionOffset(2), -EINVAL],
    ['configuration space', 0x1000, MAP_SHARED, regionOffset(7), -EINVAL],
    ['no such region', 0x1000, MAP_SHARED, regionOffset(60), -EINVAL],
    ['between pages', 0x1000, MAP_SHARED, 8, -EINVAL],
    ['nothing', 0, MAP_SHARED, 0, -EINVAL],
  ])('%s', (_, length, flags, offset, ret) => {
    const { kernel } = toyMachine();
    const { device } = openDevice(kernel);
    expect(kernel.mmap(length, RW, flags, device, offset)).toBe(ret);
  });

  test('a part of it reaches the registers of that part', () => {
    const { kernel, functions } = toyMachine();
    const { device } = openDevice(kernel);
    const mapping = kernel.mapping(kernel.mmap(0x1000, RW, MAP_SHARED, device, SCRATCH))!;
    mapping.write32(0, 0x1234_5678);
    expect(functions[0]!.scratch).toBe(0x1234_5678);
    expect([mapping.read8(1), mapping.read16(2), mapping.read64(0)]).toEqual([0x56, 0x1234, 0x1234_5678n]);
    expect(() => mapping.read32(0x1000)).toThrow('SIGSEGV');
    expect(() => mapping.read32(2)).toThrow('SIGBUS');
  });

  test('keeps its protection and the device, until the last part is unmapped', () => {
    const { kernel } = toyMachine();
    const { user, device, iommufd } = openDevice(kernel);
    const address = kernel.mmap(0x2000, PROT_READ, MAP_SHARED, device, 0);
    expect(() => kernel.mapping(address)!.write32(0x1000, 1)).toThrow('SIGSEGV');
    kernel.close(device);
    const second = user.open('/dev/vfio/devices/vfio0');
    kernel.munmap(address, 0x1000);
    expect(user.bind(second, iommufd)).toBe(-EINVAL);
    kernel.munmap(address + 0x1000, 0x1000);
    expect(user.bind(second, iommufd)).toBe(0);
  });

  test('needs a descriptor that may write', () => {
    const { kernel } = toyMachine();
    const user = new User(kernel);
    const device = kernel.open('/dev/vfio/devices/vfio0', O_RDONLY);
    user.bind(device, user.open('/dev/iommu'));
    expect(kernel.mmap(0x1000, RW, MAP_SHARED, device, 0)).toBe(-EACCES);
    expect(kernel.mmap(0x1000, PROT_READ, MAP_SHARED, device, 0)).toBeGreaterThan(0);
    expect(kernel.pwrite(device, new Uint8Array(4), 0)).toBe(-EBADF);
    expect(kernel.mmap(0x1000, RW, MAP_SHARED, kernel.eventfd(0, 0), 0)).toBe(-ENODEV);
  });
});

describe('BIND', () => {
  test('undoes everything when the answer cannot be written', () => {
    const { kernel } = toyMachine();
    const user = new User(kernel);
    const device = user.open('/dev/vfio/devices/vfio0');
    const iommufd = user.open('/dev/iommu');
    const words = [16, 0, iommufd, 0];
    const split = kernel.mmap(0x1000, RW, ANONYMOUS, -1, 0);
    words.slice(0, 3).forEach((word, index) => {
      kernel.mapping(split)!.write32(0x1000 - 12 + index * 4, word);
    });
    expect(kernel.ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, split + 0x1000 - 12)).toBe(-EFAULT);
    expect(user.bind(device, iommufd)).toBe(0);
    expect(user.word(3)).toBe(1);
  });

  test('releases before 6.17 know no token, later ones check it', () => {
    const TOKEN = 1;
    const old = openDevice(toyMachine().kernel);
    const second = old.user.open('/dev/vfio/devices/vfio1');
    expect(old.user.ioctl(second, VFIO_DEVICE_BIND_IOMMUFD, 24, TOKEN, old.iommufd)).toBe(-EINVAL);

    const user = new User(toyMachine({ abi: '6.19' }).kernel);
    const device = user.open('/dev/vfio/devices/vfio0');
    const iommufd = user.open('/dev/iommu');
    const bind = (...words: number[]) => user.ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, ...words);
    expect(bind(24, TOKEN, iommufd, 0, 0x10)).toBe(-EFAULT);
    expect(bind(24, TOKEN, iommufd, 0, user.argument % 2 ** 32, Math.floor(user.argument / 2 ** 32))).toBe(
      -EINVAL,
    );
    expect(bind(28, 0, iommufd, 0, 0, 0, 1)).toBe(-7);
    expect(bind(28, 0, iommufd, 0, 0, 0, 0)).toBe(0);
    expect(user.ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, 16, 1, 1, 0)).toBe(-EOPNOTSUPP);
  });

  test('a descriptor of something else is EBADFD', () => {
    const { kernel } = toyMachine();
    const user = new User(kernel);
    const device = user.open('/dev/vfio/devices/vfio0');
    expect([0, device, user.eventfd()].map((fd) => user.bind(device, fd))).toEqual([
      -EBADFD,
      -EBADFD,
      -EBADFD,
    ]);
  });

  test('closing the iommufd first leaves the device at work', () => {
    const { kernel } = toyMachine();
    const { user, device, iommufd } = openDevice(kernel);
    expect(kernel.close(iommufd)).toBe(0);
    expect(user.ioctl(device, VFIO_DEVICE_GET_INFO, 16, 0, 0, 0)).toBe(0);
    expect(kernel.close(device)).toBe(0);
  });
});

describe('requests', () => {
  test('the capability chain of a region: echo, growth, chain', () => {
    const { user, device } = openDevice(toyMachine().kernel);
    user.ioctl(device, VFIO_DEVICE_GET_REGION_INFO, 32, 0, 7, 0xaa);
    expect(user.word(3)).toBe(0xaa);
    user.ioctl(device, VFIO_DEVICE_GET_REGION_INFO, 39, 0, 0, 0xaa);
    expect([user.word(0), user.word(3)]).toEqual([40, 0]);
  });

  test('low power with wakeup ends with any access, and tells', () => {
    const { kernel } = toyMachine();
    const { user, device } = openDevice(kernel);
    const SET = 1 << 17;
    const mapping = kernel.mapping(kernel.mmap(0x1000, RW, MAP_SHARED, device, 0))!;
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 8, SET | 3)).toBe(0);
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 8, SET | 3)).toBe(-EINVAL);
    expect(() => mapping.read32(0)).toThrow('SIGBUS');
    expect(kernel.pread(device, new Uint8Array(4), 0)).toBe(4);
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 8, SET | 5)).toBe(0);
    const eventfd = user.eventfd();
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 16, SET | 4, -1, 0)).toBe(-EINVAL);
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 16, SET | 4, 999, 0)).toBe(-EBADF);
    expect(user.ioctl(device, VFIO_DEVICE_FEATURE, 16, SET | 4, eventfd, 0)).toBe(0);
    expect(user.configRead(device, 0, 2)).toBe(0x1b36);
    expect(user.count(eventfd)).toBe(1);
    expect(mapping.read32(8)).toBe(0x0001_0400);
  });

  test('a hot reset needs every function of the bus', () => {
    const { kernel } = toyMachine({
      ports: [[{ ...RECORDED_FUNCTION, multifunction: true }, RECORDED_FUNCTION]],
    });
    const { user, device } = openDevice(kernel);
    expect(user.ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, 12, 0, 0)).toBe(-EINVAL);
  });
});

describe('time', () => {
  test('every call costs its time, and a wait that had to sleep the wake-up too', async () => {
    const { kernel, functions, clock } = toyMachine({ host: SERVER_HOST });
    const { user, device } = openDevice(kernel);
    user.configWrite(device, 4, 2, 6);
    const eventfd = user.eventfd();
    user.setIrqs(device, 0x24, 2, 0, 1, eventfd);
    const { msix } = functions[0]!;
    const raise = clock.register(() => msix?.raise(0));
    const start = kernel.now();
    clock.after(10_000, raise, 0);
    expect(await kernel.wait(eventfd, POLLIN, Number.POSITIVE_INFINITY)).toBe(POLLIN);
    expect(kernel.now() - start).toBe(10_000 + SERVER_HOST.interrupt_ns + SERVER_HOST.wakeup_ns);
    expect(await kernel.wait(eventfd, POLLIN, Number.POSITIVE_INFINITY)).toBe(POLLIN);
    expect(kernel.now() - start).toBe(10_000 + SERVER_HOST.interrupt_ns + SERVER_HOST.wakeup_ns);
    kernel.poll(eventfd, POLLIN);
    expect(kernel.now() - start).toBe(
      10_000 + SERVER_HOST.interrupt_ns + SERVER_HOST.wakeup_ns + SERVER_HOST.syscall_ns,
    );
  });

  test('a wait ends at its deadline, and one that nothing can end is rejected', async () => {
    const { kernel } = toyMachine();
    const eventfd = kernel.eventfd(0, EFD_NONBLOCK);
    expect(await kernel.wait(eventfd, POLLIN, kernel.now() + 500)).toBe(0);
    await expect(kernel.wait(eventfd, POLLIN, Number.POSITIVE_INFINITY)).rejects.toThrow('forever');
  });

  test('a wait sees what another part of the program does meanwhile', async () => {
    const { kernel } = toyMachine();
    const eventfd = kernel.eventfd(0, EFD_NONBLOCK);
    const waiting = kernel.wait(eventfd, POLLIN, Number.POSITIVE_INFINITY);
    await null;
    kernel.write(eventfd, one());
    expect(await waiting).toBe(POLLIN);
  });

  test('relax runs one event, or lets the time pass', () => {
    const { kernel, clock } = toyMachine();
    let ran = 0;
    clock.after(
      100,
      clock.register(() => ran++),
      0,
    );
    expect([kernel.relax(50), ran, kernel.relax(Number.POSITIVE_INFINITY), ran]).toEqual([true, 0, true, 1]);
    expect(kernel.relax(Number.POSITIVE_INFINITY)).toBe(false);
  });

  test('relax at or after its deadline lets a nanosecond pass, so that a loop that polls until then ends', () => {
    const { kernel } = toyMachine();
    const end = kernel.now() + 1000;
    let relaxed = 0;
    while (kernel.now() <= end && relaxed < 10) {
      kernel.relax(end);
      relaxed++;
    }
    expect([relaxed, kernel.now() - end]).toEqual([2, 1]);
    expect([kernel.relax(end - 500), kernel.now() - end]).toEqual([true, 2]);
  });

  test('relax at its deadline runs what happens at that time first', () => {
    const { kernel, clock } = toyMachine();
    let ran = 0;
    const handler = clock.register(() => ran++);
    clock.after(0, handler, 0);
    expect([kernel.relax(clock.now), ran, clock.now]).toEqual([true, 1, 0]);
  });
});

describe('sysfs', () => {
  const DEVICE = '/sys/bus/pci/devices/0000:01:00.0';

  test.each([
    ['vendor', '0x1b36\n'],
    ['device', '0x0010\n'],
    ['class', '0x010802\n'],
    ['subsystem_vendor', '0x1af4\n'],
    ['irq', '10\n'],
    ['vfio-dev/vfio0/dev', '511:0\n'],
  ])('%s', (name, text) => {
    const { kernel } = toyMachine();
    const fd = kernel.open(`${DEVICE}/${name}`, O_RDONLY | O_CLOEXEC);
    const bytes = new Uint8Array(64);
    const length = kernel.read(fd, bytes);
    expect(new TextDecoder().decode(bytes.subarray(0, length))).toBe(text);
    expect(kernel.read(fd, bytes)).toBe(0);
    expect(kernel.write(kernel.open(`${DEVICE}/${name}`, O_RDWR), one())).toBe(-EIO);
  });

  test('links lead to the driver, the group and the device', () => {
    const { kernel } = toyMachine();
    expect(kernel.readlink(`${DEVICE}/driver`)).toMatch(/\/vfio-pci$/);
    expect(kernel.readlink(`${DEVICE}/iommu_group`)).toMatch(/\/7$/);
    expect(kernel.readlink(DEVICE)).toBe('/sys/devices/pci0000:00/0000:00:04.0/0000:01:00.0');
    expect(kernel.readdir(`${DEVICE}/iommu_group/devices`)).toEqual(['0000:01:00.0']);
    expect(kernel.readlink(`${DEVICE}/vendor`)).toBe(-EINVAL);
    expect(kernel.readdir(`${DEVICE}/vendor`)).toBe(-ENOTDIR);
  });

  test('directories list what there is', () => {
    const { kernel } = toyMachine();
    expect(kernel.readdir('/sys/bus/pci/devices')).toEqual([
      '0000:00:04.0',
      '0000:00:05.0',
      '0000:01:00.0',
      '0000:02:00.0',
    ]);
    expect(kernel.readdir(`${DEVICE}/vfio-dev`)).toEqual(['vfio0']);
    expect(kernel.readdir('/sys/class/vfio-dev')).toEqual(['vfio0', 'vfio1']);
    expect(kernel.readdir('/dev/vfio/devices')).toEqual(['vfio0', 'vfio1']);
    expect(kernel.readdir(`${DEVICE}/../../0000:00:05.0/0000:02:00.0/vfio-dev`)).toEqual(['vfio1']);
  });
});

test('system calls as strace prints them', () => {
  const { kernel } = toyMachine();
  const user = new User(kernel);
  const lines: string[] = [];
  kernel.onCall = (name, args, ret) => lines.push(straceLine(name, args, ret));
  const device = user.open('/dev/vfio/devices/vfio0');
  const iommufd = user.open('/dev/iommu');
  user.ioctl(device, VFIO_DEVICE_GET_INFO, 24);
  user.bind(device, iommufd);
  const ioas = user.ioas(iommufd);
  user.attach(device, ioas);
  user.configRead(device, 0, 4);
  kernel.mmap(0x1000, RW, MAP_SHARED, device, 0x1000);
  kernel.ioctl(device, 0x3bee, 0);
  kernel.close(device);
  expect(lines.join('\n')).toMatchInlineSnapshot(`
    "open("/dev/vfio/devices/vfio0", O_RDWR) = 3
    open("/dev/iommu", O_RDWR) = 4
    ioctl(3, VFIO_DEVICE_GET_INFO, {argsz=24, flags=0, num_regions=0, num_irqs=0, cap_offset=0, pad=0}) = -1 EINVAL (Invalid argument)
    ioctl(3, VFIO_DEVICE_BIND_IOMMUFD, {argsz=16, flags=0, iommufd=4, out_devid=1}) = 0
    ioctl(4, IOMMU_IOAS_ALLOC, {size=12, flags=0, out_ioas_id=2}) = 0
    ioctl(3, VFIO_DEVICE_ATTACH_IOMMUFD_PT, {argsz=12, flags=0, pt_id=3}) = 0
    pread64(3, "\\x36\\x1b\\x10\\x00", 4, 0x70000000000) = 4
    mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 0x1000) = 0x7f0000002000
    ioctl(3, _IOC(_IOC_NONE, 0x3b, 0xee, 0), NULL) = -1 ENOTTY (Inappropriate ioctl for device)
    close(3) = 0"
  `);
});

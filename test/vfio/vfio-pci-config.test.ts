/** Configuration space as user space sees it: linux-abi 2.12, linux-cases 210 to 219. */
import { describe, expect, test } from 'vitest';
import type { CapabilityDescription } from '../../machine/pcie/capabilities.ts';
import { EFAULT, EIO } from '../../vfio/uapi/errno.ts';
import { MAP_SHARED } from '../../vfio/uapi/mman.ts';
import { regionOffset } from '../../vfio/uapi/vfio.ts';
import { RECORDED_FUNCTION, SCRATCH, toyMachine } from './toy-machine.ts';
import { openDevice, RW } from './user.ts';

const COMMAND = 4;
const BAR0 = 0x10;
const PM_CONTROL = 0x64;
const DEVICE_CONTROL = 0x88;
const CONFIG = regionOffset(7);

const shared = toyMachine();

/** A process with the device open; the one before it has exited. */
function open() {
  shared.kernel.exit();
  return { ...shared, ...openDevice(shared.kernel) };
}

/** A machine with one function that has other capabilities than the recorded one. */
function openWith(capabilities: readonly CapabilityDescription[]) {
  const machine = toyMachine({ ports: [[{ ...RECORDED_FUNCTION, capabilities }]] });
  return { ...machine, ...openDevice(machine.kernel) };
}

describe('the header', () => {
  test.each([
    ['vendor', 0x00, 4, 0xffff_ffff, 0x0010_1b36],
    ['status errors', 0x06, 2, 0xffff, 0x0010],
    ['revision and class', 0x08, 4, 0xffff_ffff, 0x0108_0202],
    ['cache line', 0x0c, 1, 0x10, 0x10],
    ['BAR0, a size probe', BAR0, 4, 0xffff_ffff, 0xffff_c004],
    ['BAR0, a new address', BAR0, 4, 0x1234_5678, 0x1234_4004],
    ['BAR1, the high half', 0x14, 4, 0xffff_ffff, 0xffff_ffff],
    ['BAR2, not there', 0x18, 4, 0xffff_ffff, 0],
    ['the ROM, not there', 0x30, 4, 0xffff_ffff, 0],
    ['subsystem', 0x2c, 4, 0xffff_ffff, 0x1100_1af4],
    ['capability pointer', 0x34, 1, 0x99, 0x40],
    ['interrupt line', 0x3c, 1, 0x55, 0x55],
    ['interrupt pin', 0x3d, 1, 0x55, 0x01],
    ['MSI-X control', 0x42, 2, 0xc000, 0x0040],
    ['maximum payload, scratch', DEVICE_CONTROL, 2, 0x00e0, 0x00e0],
  ])('%s', (_, offset, length, written, read) => {
    const { user, device } = open();
    expect(user.configWrite(device, offset, length, written)).toBe(length);
    expect(user.configRead(device, offset, length)).toBe(read);
  });

  test('a BAR that user space moved still answers where it was', () => {
    const { user, device, kernel } = open();
    const address = kernel.mmap(0x4000, RW, MAP_SHARED, device, 0);
    user.configWrite(device, BAR0, 4, 0x8000_0000);
    expect(kernel.mapping(address)!.read32(8)).toBe(0x0001_0400);
  });

  test('memory decoding is on and bus mastering off after BIND', () => {
    const { user, device } = open();
    expect(user.configRead(device, COMMAND, 2) & 6).toBe(2);
  });

  test.each([
    [0, 4096, 4096],
    [4094, 2, 2],
    [4094, 4, -EFAULT],
    [4096, 1, -EFAULT],
    [64, 0, 0],
  ])('a read at %i of %i bytes answers %i', (offset, length, ret) => {
    const { kernel, device } = open();
    expect(kernel.pread(device, new Uint8Array(length), CONFIG + offset)).toBe(ret);
  });
});

describe('decoding and power', () => {
  const off = [
    ['COMMAND.MEMORY is 0', COMMAND, 0x0000, 0x0002],
    ['the function is in D3hot', PM_CONTROL, 0x0003, 0x0000],
  ] as const;

  test.each(off)(
    'while %s, BARs answer EIO and SIGBUS, and work again afterwards',
    (_, offset, asleep, awake) => {
      const { user, device, kernel } = open();
      const mapping = kernel.mapping(kernel.mmap(0x4000, RW, MAP_SHARED, device, 0))!;
      user.configWrite(device, offset, 2, asleep);
      expect(kernel.pread(device, new Uint8Array(4), 8)).toBe(-EIO);
      expect(kernel.pwrite(device, new Uint8Array(4), SCRATCH)).toBe(-EIO);
      expect(() => mapping.read32(8)).toThrow('SIGBUS');
      expect(() => mapping.write32(SCRATCH, 1)).toThrow('SIGBUS');
      user.configWrite(device, offset, 2, awake);
      expect(kernel.pread(device, new Uint8Array(4), 8)).toBe(4);
      expect(mapping.read32(8)).toBe(0x0001_0400);
    },
  );

  test('a function that forgets its configuration in D3hot gets it back', () => {
    const pm = { kind: 'powerManagement', offset: 0x60, noSoftReset: false } as const;
    const rest = RECORDED_FUNCTION.capabilities.filter(({ kind }) => kind !== 'powerManagement');
    const { user, device, functions, kernel } = openWith([...rest, pm]);
    user.configWrite(device, COMMAND, 2, 0x0006);
    user.configWrite(device, PM_CONTROL, 2, 3);
    const { resets } = functions[0]!;
    user.configWrite(device, PM_CONTROL, 2, 0);
    expect(functions[0]!.resets).toBe(resets + 1);
    expect(user.configRead(device, COMMAND, 2) & 0x0006).toBe(0x0006);
    expect(kernel.pread(device, new Uint8Array(4), 8)).toBe(4);
  });

  test('an FLR through configuration space resets the registers and keeps COMMAND', () => {
    const { user, device, functions, kernel } = open();
    user.configWrite(device, COMMAND, 2, 0x0006);
    kernel.pwrite(device, Uint8Array.of(1, 2, 3, 4), SCRATCH);
    user.configWrite(device, DEVICE_CONTROL, 2, 0x8000);
    expect(functions[0]!.scratch).toBe(0);
    expect(user.configRead(device, COMMAND, 2)).toBe(0x0006);
    expect(user.configRead(device, DEVICE_CONTROL, 2)).toBe(0);
  });

  test('the copy is rebuilt at every BIND', () => {
    const { user, device, iommufd, kernel } = open();
    user.configWrite(device, 0x3c, 1, 0x77);
    kernel.close(device);
    const again = user.open('/dev/vfio/devices/vfio0');
    expect(user.bind(again, iommufd)).toBe(0);
    expect(user.configRead(again, 0x3c, 1)).toBe(0x0a);
  });

  test('the read request size is applied, but not below the real payload', () => {
    const { user, device, functions } = open();
    user.configWrite(device, DEVICE_CONTROL, 2, 0x2000);
    expect(functions[0]!.config.read(DEVICE_CONTROL, 2)).toBe(0x2000);
    user.configWrite(device, DEVICE_CONTROL, 2, 0x0060);
    expect(functions[0]!.config.read(DEVICE_CONTROL, 2)).toBe(0);
  });
});

describe('capabilities', () => {
  test('extended ones that are shown are linked, and hidden ones left out', () => {
    const { user, device } = openWith([
      ...RECORDED_FUNCTION.capabilities,
      { kind: 'aer', offset: 0x100 },
      { kind: 'serialNumber', offset: 0x140, low: 0x1111_2222, high: 0x3333_4444 },
    ]);
    expect(user.configRead(device, 0x100, 4)).toBe(0x1402_0001);
    expect(user.configRead(device, 0x140, 4)).toBe(0x0001_0003);
    expect(user.configRead(device, 0x144, 4)).toBe(0x1111_2222);
    expect(user.configWrite(device, 0x144, 4, 0)).toBe(4);
    expect(user.configRead(device, 0x144, 4)).toBe(0x1111_2222);
  });

  test('a function without a list says so in STATUS', () => {
    const { user, device } = openWith([]);
    expect(user.configRead(device, 6, 2) & 0x10).toBe(0);
    expect(user.configRead(device, 0x34, 1)).toBe(0);
  });

  test('bytes that no capability claims pass through in both directions', () => {
    const { user, device, functions } = openWith(RECORDED_FUNCTION.capabilities);
    functions[0]!.config.register(0xf0, 4, { writable: -1 });
    expect(user.configWrite(device, 0xf0, 4, 0x1234_5678)).toBe(4);
    expect(functions[0]!.config.read(0xf0, 4)).toBe(0x1234_5678);
    expect(user.configRead(device, 0xf0, 4)).toBe(0x1234_5678);
  });
});

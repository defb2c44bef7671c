/**
 * Requests of /dev/iommu on a bare context: how they are taken, options, and what younger kernels have. The rows of
 * linux-cases that the recorded cases of conformance.test.ts do not contain, by number. An errno is negative, as the
 * kernel returns it.
 */
import { describe, expect, test } from 'vitest';
import * as E from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { PROT_READ } from '../../vfio/uapi/mman.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;
const ALL = { iova: 0n, length: U.U64_MAX };

describe('dispatch (linux-abi 3.1)', () => {
  const send = (request: number, bytes: number[], at = 0): number => {
    const machine = new Machine();
    machine.process.copyOut(machine.argument + at, Uint8Array.from(bytes));
    return machine.context.ioctl(request, machine.argument + at);
  };

  const commands = [...U.IOMMUFD_COMMANDS].filter(([, { since }]) => since === undefined);
  test.each(commands.map(([request, command]) => [command.name, request, command] as const))(
    '6 to 20: sizes of %s',
    (_, request, command) => {
      const machine = new Machine();
      const call = (size: number, tail = 0) => {
        const bytes = new Uint8Array(size);
        new DataView(bytes.buffer).setUint32(0, size, true);
        if (tail !== 0) bytes[size - 1] = tail;
        machine.process.copyOut(machine.argument, bytes);
        return machine.context.ioctl(request, machine.argument);
      };
      const exact = call(command.size);
      expect(call(command.minSize - 1)).toBe(-E.EINVAL);
      expect(call(command.size + 1, 0xff)).toBe(-E.E2BIG);
      const again = new Machine();
      again.process.copyOut(again.argument, new Uint8Array(command.size + 1));
      again.process.write32(again.argument, command.size + 1);
      expect(again.context.ioctl(request, again.argument)).toBe(exact);
    },
  );

  test.each([
    [4, 'a number below the base', 0x3b7f, [8, 0, 0, 0], -E.ENOTTY],
    [5, 'a number beyond the table', 0x3bff, [8, 0, 0, 0], -E.ENOTTY],
    [5, 'a known number with a direction', 0xc008_3b80, [8, 0, 0, 0], -E.ENOTTY],
    [5, 'a younger request', U.IOMMU_IOAS_MAP_FILE, [40, 0, 0, 0], -E.ENOTTY],
    [
      24,
      'twice the size, zero tail',
      U.IOMMU_DESTROY,
      [16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      -E.ENOENT,
    ],
    [
      24,
      'twice the size, a tail',
      U.IOMMU_DESTROY,
      [16, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      -E.E2BIG,
    ],
  ] as const)('%i: %s', (_, __, request, bytes, expected) => {
    expect(send(request, [...bytes])).toBe(expected);
  });

  test('3, 5, 23: NULL and a tail in an unmapped page fault', () => {
    expect(new Machine().context.ioctl(U.IOMMU_DESTROY, 0)).toBe(-E.EFAULT);
    expect(new Machine().context.ioctl(0xc008_3b80, 0)).toBe(-E.EFAULT);
    expect(send(U.IOMMU_DESTROY, [16, 0, 0, 0, 0, 0, 0, 0], PAGE - 8)).toBe(-E.EFAULT);
    expect(send(U.IOMMU_DESTROY, [32, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], PAGE - 16)).toBe(-E.E2BIG);
  });

  test('39: an answer that cannot be written leaves no object', () => {
    const machine = new Machine();
    const readOnly = machine.allocate(PAGE, PROT_READ);
    machine.memory.u32[machine.physical(readOnly) / 4] = 12;
    expect(machine.context.ioctl(U.IOMMU_IOAS_ALLOC, readOnly)).toBe(-E.EFAULT);
    expect(machine.ioas()).toBe(1);
  });
});

describe('IOMMU_OPTION (linux-abi 4.8)', () => {
  const set = (machine: Machine, object_id: number, option_id: number, val64: bigint) =>
    machine.call(U.IOMMU_OPTION, U.IommuOption, { option_id, op: U.IOMMU_OPTION_OP_SET, object_id, val64 })
      .ret;
  const get = (machine: Machine, object_id: number, option_id: number) =>
    machine.call(U.IOMMU_OPTION, U.IommuOption, {
      option_id,
      op: U.IOMMU_OPTION_OP_GET,
      object_id,
      val64: 3n,
    }).val64;

  test('25 to 28: the counting mode', () => {
    const machine = new Machine();
    expect(get(machine, 0, U.IOMMU_OPTION_RLIMIT_MODE)).toBe(0n);
    expect(set(machine, 0, U.IOMMU_OPTION_RLIMIT_MODE, 1n)).toBe(0);
    expect(set(machine, 0, U.IOMMU_OPTION_RLIMIT_MODE, 2n)).toBe(-E.EINVAL);
    expect(get(machine, 0, U.IOMMU_OPTION_RLIMIT_MODE)).toBe(1n);
    expect(set(machine, 1, U.IOMMU_OPTION_RLIMIT_MODE, 0n)).toBe(-E.EOPNOTSUPP);
    machine.process.capabilities.sysResource = false;
    expect(set(machine, 0, U.IOMMU_OPTION_RLIMIT_MODE, 0n)).toBe(-E.EPERM);
  });

  test('33 to 35: without large leaves everything is page aligned', () => {
    const machine = new Machine();
    const buffer = machine.allocate(2 * PAGE);
    const ioas = machine.ioas();
    machine.map(ioas, buffer, PAGE, 0x10000);
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 0n)).toBe(0);
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 0n)).toBe(0);
    expect(machine.map(ioas, buffer + PAGE / 2, PAGE, 0x20000)).toBe(-E.EINVAL);
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 1n)).toBe(0);
    expect(machine.map(ioas, buffer + PAGE / 2, PAGE, 0x20000)).toBe(0);
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 0n)).toBe(-E.EADDRINUSE);
    expect(get(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES)).toBe(1n);
  });

  test('36: they stay while something is mapped in a page table', () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    const devid = machine.context.bind(machine.device(0x100));
    machine.context.attach(devid, ioas);
    machine.map(ioas, machine.allocate(PAGE), PAGE, 0x10000);
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 0n)).toBe(-E.EINVAL);
    machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: ioas, ...ALL });
    expect(set(machine, ioas, U.IOMMU_OPTION_HUGE_PAGES, 0n)).toBe(0);
  });
});

describe('younger requests (linux-abi 4.17)', () => {
  const map = { flags: 7, length: 4096n, iova: 0x10000n };
  test.each([
    [254, 'MAP_FILE flags', U.IOMMU_IOAS_MAP_FILE, U.IommuIoasMapFile, { ...map, flags: 8 }, -E.EOPNOTSUPP],
    [
      254,
      'MAP_FILE without permission',
      U.IOMMU_IOAS_MAP_FILE,
      U.IommuIoasMapFile,
      { ...map, flags: 1 },
      -E.EINVAL,
    ],
    [254, 'MAP_FILE without IOAS', U.IOMMU_IOAS_MAP_FILE, U.IommuIoasMapFile, map, -E.ENOENT],
    [
      254,
      'MAP_FILE without file',
      U.IOMMU_IOAS_MAP_FILE,
      U.IommuIoasMapFile,
      { ...map, ioas_id: 1, fd: -1 },
      -E.EBADF,
    ],
    [
      255,
      'CHANGE_PROCESS reserved',
      U.IOMMU_IOAS_CHANGE_PROCESS,
      U.IommuIoasChangeProcess,
      { __reserved: 1 },
      -E.EOPNOTSUPP,
    ],
    [255, 'CHANGE_PROCESS of nothing', U.IOMMU_IOAS_CHANGE_PROCESS, U.IommuIoasChangeProcess, {}, 0],
    [256, 'VIOMMU type', U.IOMMU_VIOMMU_ALLOC, U.IommuViommuAlloc, { dev_id: 2 }, -E.EOPNOTSUPP],
    [256, 'VIOMMU device', U.IOMMU_VIOMMU_ALLOC, U.IommuViommuAlloc, { type: 1, dev_id: 9 }, -E.ENOENT],
    [256, 'VIOMMU support', U.IOMMU_VIOMMU_ALLOC, U.IommuViommuAlloc, { type: 1, dev_id: 2 }, -E.EOPNOTSUPP],
    [257, 'VDEVICE', U.IOMMU_VDEVICE_ALLOC, U.IommuVdeviceAlloc, { viommu_id: 1, dev_id: 2 }, -E.ENOENT],
    [258, 'VEVENTQ type', U.IOMMU_VEVENTQ_ALLOC, U.IommuVeventqAlloc, { veventq_depth: 1 }, -E.EOPNOTSUPP],
    [258, 'VEVENTQ depth', U.IOMMU_VEVENTQ_ALLOC, U.IommuVeventqAlloc, { type: 1 }, -E.EINVAL],
    [259, 'HW_QUEUE type', U.IOMMU_HW_QUEUE_ALLOC, U.IommuHwQueueAlloc, { length: 1n }, -E.EOPNOTSUPP],
    [259, 'HW_QUEUE length', U.IOMMU_HW_QUEUE_ALLOC, U.IommuHwQueueAlloc, { type: 1 }, -E.EINVAL],
    [
      259,
      'HW_QUEUE end',
      U.IOMMU_HW_QUEUE_ALLOC,
      U.IommuHwQueueAlloc,
      { type: 1, length: 2n, nesting_parent_iova: U.U64_MAX },
      -E.EOVERFLOW,
    ],
  ])('%i: %s', (_, __, request, struct, fields, expected) => {
    const machine = new Machine('6.19');
    machine.ioas();
    machine.context.bind(machine.device(0x100));
    expect(machine.call(request, struct as unknown as typeof U.IommuDestroy, fields as object).ret).toBe(
      expected,
    );
  });

  test('255: CHANGE_PROCESS needs mappings of files only, and a file that is no memory cannot be pinned', () => {
    const machine = new Machine('6.19');
    const ioas = machine.ioas();
    const fd = machine.call(U.IOMMU_FAULT_QUEUE_ALLOC, U.IommuFaultAlloc, {}).out_fault_fd;
    const file = { ...map, ioas_id: ioas, fd };
    expect(machine.call(U.IOMMU_IOAS_MAP_FILE, U.IommuIoasMapFile, file).ret).toBe(0);
    const change = () => machine.call(U.IOMMU_IOAS_CHANGE_PROCESS, U.IommuIoasChangeProcess, {}).ret;
    expect(change()).toBe(0);
    expect(machine.context.attach(machine.context.bind(machine.device(0x100)), ioas)).toBe(-E.EINVAL);
    machine.map(ioas, 0x1000, PAGE, 0x20000);
    expect(change()).toBe(-E.EINVAL);
  });

  test('139: GET_HW_INFO may ask for a type', () => {
    const machine = new Machine('6.19');
    const dev_id = machine.context.bind(machine.device(0x100));
    const ask = (out_data_type: number, flags: number) =>
      machine.call(U.IOMMU_GET_HW_INFO, U.IommuHwInfo, { dev_id, flags, out_data_type }).ret;
    expect(ask(U.IOMMU_HW_INFO_TYPE_INTEL_VTD, 1)).toBe(0);
    expect(ask(U.IOMMU_HW_INFO_TYPE_ARM_SMMUV3, 1)).toBe(-E.EOPNOTSUPP);
    expect(ask(U.IOMMU_HW_INFO_TYPE_ARM_SMMUV3, 0)).toBe(0);
  });
});

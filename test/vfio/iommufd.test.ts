/**
 * Requests of /dev/iommu on a bare context: the rows of linux-cases that the recorded cases of
 * conformance.test.ts do not contain, by number. An errno is negative, as the kernel returns it.
 */
import { describe, expect, test } from 'vitest';
import { IommuGroup } from '../../vfio/iommu-group.ts';
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

describe('map, unmap and copy (linux-abi 4.4 to 4.7)', () => {
  test.each([
    [48, 'two pages at the same place', 16, 2, -E.EEXIST],
    [48, 'the first page', 16, 1, -E.EEXIST],
    [48, 'the second page', 17, 1, -E.EEXIST],
    [48, 'over the start', 15, 2, -E.EEXIST],
    [48, 'around it', 15, 3, -E.EEXIST],
    [46, 'right before', 15, 1, 0],
    [46, 'right behind', 18, 1, 0],
  ] as const)('%i: with pages 16 and 17 mapped, MAP %s', (_, __, page, pages, expected) => {
    const machine = new Machine();
    const buffer = machine.allocate(4 * PAGE);
    const ioas = machine.ioas();
    machine.map(ioas, buffer, 2 * PAGE, 16 * PAGE);
    expect(machine.map(ioas, buffer, pages * PAGE, page * PAGE)).toBe(expected);
  });

  test.each([
    [57, 'no permission comes before the id', 99, 0n, 4096n, U.IOMMU_IOAS_MAP_FIXED_IOVA, -E.EINVAL],
    [56, 'IOVA 2^64-1 without FIXED', 1, U.U64_MAX, 4096n, 6, -E.EOVERFLOW],
    [61, 'the end beyond 2^64', 1, U.U64_MAX - 1n, 4096n, 7, -E.EOVERFLOW],
    [76, 'half the space', 1, 0n, U.U64_MAX / 2n, 6, -E.EOVERFLOW],
    [58, 'almost all of the space', 1, 0n, U.U64_MAX - 4095n, 7, -E.EINVAL],
  ] as const)('%i: MAP with %s', (_, __, ioas, iova, length, flags, expected) => {
    const machine = new Machine();
    machine.ioas();
    expect(machine.map(ioas, 0, length, iova, flags)).toBe(expected);
  });

  test('52: an area that is cut ends an UNMAP, what came before is gone', () => {
    const machine = new Machine();
    const buffer = machine.allocate(8 * PAGE);
    const ioas = machine.ioas();
    machine.map(ioas, buffer, 2 * PAGE, 16 * PAGE);
    machine.map(ioas, buffer, 2 * PAGE, 20 * PAGE);
    const unmap = (page: number, pages: number) =>
      machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, {
        ioas_id: ioas,
        iova: BigInt(page * PAGE),
        length: BigInt(pages * PAGE),
      });
    expect(unmap(16, 5)).toMatchObject({ ret: -E.ENOENT, length: BigInt(5 * PAGE) });
    expect(unmap(16, 2).ret).toBe(-E.ENOENT);
    expect(unmap(0, 64)).toMatchObject({ ret: 0, length: BigInt(2 * PAGE) });
  });

  test('80, 81: COPY keeps permissions and needs a range without holes', () => {
    const machine = new Machine();
    const buffer = machine.allocate(8 * PAGE);
    const [from, to] = [machine.ioas(), machine.ioas()];
    machine.map(from, buffer, PAGE, 16 * PAGE, 5);
    machine.map(from, buffer + 4 * PAGE, PAGE, 17 * PAGE);
    machine.map(from, buffer, PAGE, 19 * PAGE);
    const copy = (page: number, pages: number, flags: number) =>
      machine.call(U.IOMMU_IOAS_COPY, U.IommuIoasCopy, {
        flags,
        dst_ioas_id: to,
        src_ioas_id: from,
        length: BigInt(pages * PAGE),
        dst_iova: BigInt(page * PAGE),
        src_iova: BigInt(page * PAGE),
      }).ret;
    expect(copy(17, 3, 5)).toBe(-E.ENOENT);
    expect(copy(16, 2, 7)).toBe(-E.EPERM);
    expect(copy(16, 2, 5)).toBe(0);
    expect(copy(17, 1, 5)).toBe(-E.EEXIST);
    const { ret, length } = machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: to, ...ALL });
    expect({ ret, length }).toEqual({ ret: 0, length: BigInt(2 * PAGE) });
  });
});

describe('reserved ranges and the allow list (linux-abi 4.2, 4.3)', () => {
  const allow = (machine: Machine, ioas_id: number, ...ranges: [number, number][]) => {
    const table = machine.allocate(PAGE);
    machine.process.copyOut(table, new Uint8Array(BigUint64Array.from(ranges.flat(), BigInt).buffer));
    const fields = { ioas_id, num_iovas: ranges.length, allowed_iovas: BigInt(table) };
    return machine.call(U.IOMMU_IOAS_ALLOW_IOVAS, U.IommuIoasAllowIovas, fields).ret;
  };

  test.each([
    [92, 'a mapping that is not page aligned', 0x8800],
    [93, 'a mapping in the MSI window', 0xfee0_0000],
    [93, 'a mapping beyond the aperture', 2 ** 48],
  ] as const)('%i: %s forbids the attachment', (_, __, iova) => {
    const machine = new Machine();
    const ioas = machine.ioas();
    machine.map(ioas, machine.allocate(PAGE), PAGE, iova);
    const devid = machine.context.bind(machine.device(0x100));
    expect(machine.context.attach(devid, ioas)).toBe(-E.EADDRINUSE);
    expect(machine.ioas()).toBe(3);
    expect(machine.reach(0x100, iova)).toBeLessThan(0);
  });

  test('72, 93: the allow list and reservations exclude each other', () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    const devid = machine.context.bind(machine.device(0x100));
    expect(allow(machine, ioas, [0xfee0_0000, 0xfee0_0fff])).toBe(0);
    expect(machine.context.attach(devid, ioas)).toBe(-E.EADDRINUSE);
    expect(allow(machine, ioas)).toBe(0);
    expect(machine.context.attach(devid, ioas)).toBeGreaterThan(0);
    expect(allow(machine, ioas, [0xfee0_0000, 0xfee0_0fff])).toBe(-E.EADDRINUSE);
  });

  test('ranges of the allow list that touch are one', () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    allow(machine, ioas, [0x8000, 0x8fff], [0x9000, 0x9fff]);
    expect(machine.map(ioas, machine.allocate(2 * PAGE), 2 * PAGE, 0, 6)).toBe(0);
  });

  test('87: detaching gives the whole space back', () => {
    const machine = new Machine();
    const ioas_id = machine.ioas();
    const devid = machine.context.bind(machine.device(0x100));
    const shape = () => {
      const fields = { ioas_id, num_iovas: 0 };
      const answer = machine.call(U.IOMMU_IOAS_IOVA_RANGES, U.IommuIoasIovaRanges, fields);
      return [answer.ret, answer.num_iovas, answer.out_iova_alignment];
    };
    machine.context.attach(devid, ioas_id);
    expect(shape()).toEqual([-E.EMSGSIZE, 2, 4096n]);
    machine.context.detach(devid);
    expect(shape()).toEqual([-E.EMSGSIZE, 1, 1n]);
  });
});

describe('pinning (linux-abi 5)', () => {
  const attached = () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    const devid = machine.context.bind(machine.device(0x100));
    machine.context.attach(devid, ioas);
    return { machine, ioas, devid };
  };

  test('60: memory that is missing is noticed at attach, which then did nothing', () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    machine.map(ioas, machine.allocate(PAGE), PAGE, 0x10000);
    expect(machine.map(ioas, 0x1000, PAGE, 0x20000)).toBe(0);
    const devid = machine.context.bind(machine.device(0x100));
    expect(machine.context.attach(devid, ioas)).toBe(-E.EFAULT);
    expect(machine.reach(0x100, 0x10000)).toBeLessThan(0);
    expect(machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: ioas }).ret).toBe(0);
  });

  test('95: half of a buffer missing maps nothing', () => {
    const { machine, ioas } = attached();
    const buffer = machine.allocate(2 * PAGE);
    machine.process.unmap(buffer + PAGE, PAGE);
    expect(machine.map(ioas, buffer, 2 * PAGE, 0x10000)).toBe(-E.EFAULT);
    expect(machine.map(ioas, buffer, PAGE, 0x10000)).toBe(0);
    expect(machine.reach(0x100, 0x10000)).toBe(machine.physical(buffer));
  });

  test('read-only memory maps for reading only', () => {
    const { machine, ioas } = attached();
    const buffer = machine.allocate(PAGE, PROT_READ);
    expect(machine.map(ioas, buffer, PAGE, 0x10000)).toBe(-E.EFAULT);
    expect(machine.map(ioas, buffer, PAGE, 0x10000, 5)).toBe(0);
    expect(machine.reach(0x100, 0x10000, true)).toBeLessThan(0);
  });

  test('pinned pages outlive munmap and go when they are unmapped', () => {
    const { machine, ioas } = attached();
    const before = machine.pages.free_pages;
    const buffer = machine.allocate(64 * PAGE);
    machine.map(ioas, buffer, 64 * PAGE, 0x10000);
    const physical = machine.physical(buffer);
    machine.process.unmap(buffer, 64 * PAGE);
    expect(machine.reach(0x100, 0x10000)).toBe(physical);
    machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: ioas, ...ALL });
    expect(machine.reach(0x100, 0x10000)).toBeLessThan(0);
    expect(before - machine.pages.free_pages).toBeLessThan(4);
  });

  test.each([
    ['user', 0n],
    ['address space', 1n],
  ] as const)('106, 107: the limit counts pins, once for copies: %s', (_, mode) => {
    const machine = new Machine();
    const fields = { option_id: U.IOMMU_OPTION_RLIMIT_MODE, op: U.IOMMU_OPTION_OP_SET, val64: mode };
    machine.call(U.IOMMU_OPTION, U.IommuOption, fields);
    machine.process.capabilities.ipcLock = false;
    machine.process.memlockLimit_pages = 16;
    const counter = mode === 0n ? machine.process.userLocked : machine.process.addressSpaceLocked;
    const ioas = machine.ioas();
    const buffer = machine.allocate(32 * PAGE);
    const devid = machine.context.bind(machine.device(0x100));

    expect(machine.map(ioas, buffer, 32 * PAGE, 0x10_0000)).toBe(0);
    expect(machine.context.attach(devid, ioas)).toBe(-E.ENOMEM);
    expect(counter.pages).toBe(0);
    machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: ioas, ...ALL });
    machine.context.attach(devid, ioas);
    expect(machine.map(ioas, buffer, 8 * PAGE, 0x10_0000)).toBe(0);
    expect(machine.map(ioas, buffer, 8 * PAGE, 0x20_0000)).toBe(0);
    expect(machine.map(ioas, buffer, PAGE, 0x30_0000)).toBe(-E.ENOMEM);
    const copy = {
      flags: 7,
      dst_ioas_id: ioas,
      src_ioas_id: ioas,
      length: 0x8000n,
      src_iova: 0x10_0000n,
      dst_iova: 0x40_0000n,
    };
    expect(machine.call(U.IOMMU_IOAS_COPY, U.IommuIoasCopy, copy).ret).toBe(0);
    expect(counter.pages).toBe(16);
    machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: ioas, ...ALL });
    expect(counter.pages).toBe(0);
  });

  test('107: a copy keeps part of a buffer pinned after its source is gone', () => {
    const { machine, ioas } = attached();
    const buffer = machine.allocate(4 * PAGE);
    machine.map(ioas, buffer, 4 * PAGE, 0x10_0000);
    const copy = {
      flags: 7,
      dst_ioas_id: ioas,
      src_ioas_id: ioas,
      length: 0x1000n,
      src_iova: 0x10_2000n,
      dst_iova: 0x20_0000n,
    };
    machine.call(U.IOMMU_IOAS_COPY, U.IommuIoasCopy, copy);
    const physical = machine.physical(buffer + 2 * PAGE);
    machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, { ioas_id: ioas, iova: 0x10_0000n, length: 0x4000n });
    machine.process.unmap(buffer, 4 * PAGE);
    expect(machine.reach(0x100, 0x20_0000)).toBe(physical);
    expect(machine.reach(0x100, 0x10_2000)).toBeLessThan(0);
  });
});

describe('attachment (linux-abi 4.9)', () => {
  test('126, 135: what an attachment may name', () => {
    const machine = new Machine();
    const devid = machine.context.bind(machine.device(0x100));
    const fault = machine.call(U.IOMMU_FAULT_QUEUE_ALLOC, U.IommuFaultAlloc, {}).out_fault_id;
    expect(machine.context.attach(devid, devid)).toBe(-E.EINVAL);
    expect(machine.context.attach(devid, fault)).toBe(-E.EINVAL);
    expect(machine.context.attach(devid, 0)).toBe(-E.ENOENT);
    expect(machine.context.attach(devid, 0xffff_ffff)).toBe(-E.ENOENT);
  });

  test('136: the devices of a group share one page table', () => {
    const machine = new Machine();
    const group = new IommuGroup(7);
    const { context } = machine;
    const a = context.bind(machine.device(0x100, group));
    const b = context.bind(machine.device(0x101, group));
    const [first, second] = [machine.ioas(), machine.ioas()];
    const buffer = machine.allocate(PAGE);
    machine.map(first, buffer, PAGE, 0x10000);
    machine.map(second, buffer, PAGE, 0x20000);
    const hwpt = context.attach(a, first);
    expect(context.attach(b, second)).toBe(-E.EINVAL);
    expect(context.attach(b, first)).toBe(hwpt);
    const moved = context.attach(a, second);
    expect(moved).not.toBe(hwpt);
    for (const requester of [0x100, 0x101]) {
      expect(machine.reach(requester, 0x10000)).toBeLessThan(0);
      expect(machine.reach(requester, 0x20000)).toBe(machine.physical(buffer));
    }
    expect(machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: first }).ret).toBe(0);
    context.detach(a);
    expect(machine.reach(0x101, 0x20000)).toBe(machine.physical(buffer));
    context.detach(b);
    expect(machine.reach(0x101, 0x20000)).toBeLessThan(0);
  });

  test('192, 194: a group has one owner, and a bound device keeps its context', () => {
    const machine = new Machine();
    const group = new IommuGroup(7);
    const [a, b] = [machine.device(0x100, group), machine.device(0x101, group)];
    const other = machine.open();
    const devid = machine.context.bind(a);
    expect(other.bind(b)).toBe(-E.EPERM);
    machine.context.unbind(devid);
    expect(other.bind(b)).toBe(1);
  });

  test.each([
    ['not coherent', { coherent: false }, -E.EINVAL],
    ['interrupts not isolated', { isolatedMsi: false }, -E.EPERM],
  ])('BIND of a device that is %s', (_, facts, expected) => {
    const machine = new Machine();
    expect(machine.context.bind({ ...machine.device(0x100), ...facts })).toBe(expected);
  });

  test('134, 137: a page table made by request is never picked, and stays', () => {
    const machine = new Machine();
    const { context } = machine;
    const ioas = machine.ioas();
    const devid = context.bind(machine.device(0x100));
    const alloc = { dev_id: devid, pt_id: ioas };
    const manual = machine.call(U.IOMMU_HWPT_ALLOC, U.IommuHwptAlloc, alloc).out_hwpt_id;
    const automatic = context.attach(devid, ioas);
    expect(automatic).not.toBe(manual);
    context.detach(devid);
    const destroy = (id: number) => machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id }).ret;
    expect(destroy(automatic)).toBe(-E.ENOENT);
    expect(destroy(ioas)).toBe(-E.EBUSY);
    expect(destroy(manual)).toBe(0);
    expect(destroy(ioas)).toBe(0);
  });

  test('189: a move that fails leaves the device where it was', () => {
    const machine = new Machine();
    const { context } = machine;
    const [good, bad] = [machine.ioas(), machine.ioas()];
    const buffer = machine.allocate(PAGE);
    machine.map(good, buffer, PAGE, 0x10000);
    machine.map(bad, buffer, PAGE, 0xfee0_0000);
    const devid = context.bind(machine.device(0x100));
    const hwpt = context.attach(devid, good);
    expect(context.attach(devid, bad)).toBe(-E.EADDRINUSE);
    expect(machine.reach(0x100, 0x10000)).toBe(machine.physical(buffer));
    expect(context.attach(devid, good)).toBe(hwpt);
    expect(machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: bad }).ret).toBe(0);
  });
});

describe('page tables and dirty tracking (linux-abi 4.10 to 4.14)', () => {
  const bound = () => {
    const machine = new Machine();
    const ioas = machine.ioas();
    const devid = machine.context.bind(machine.device(0x100));
    const hwpt = machine.call(U.IOMMU_HWPT_ALLOC, U.IommuHwptAlloc, {
      dev_id: devid,
      pt_id: ioas,
    }).out_hwpt_id;
    return { machine, ids: { ioas, devid, hwpt, none: 99 } };
  };

  test.each([
    [110, 'an IOAS as device', { dev_id: 'ioas', pt_id: 'ioas' }, -E.ENOENT],
    [111, 'a device as parent', { dev_id: 'devid', pt_id: 'devid' }, -E.EINVAL],
    [111, 'no parent', { dev_id: 'devid', pt_id: 'none' }, -E.EINVAL],
    [112, 'NEST_PARENT and FAULT_ID_VALID', { dev_id: 'devid', pt_id: 'ioas', flags: 5 }, -E.EOPNOTSUPP],
    [132, 'DIRTY_TRACKING', { dev_id: 'devid', pt_id: 'ioas', flags: 2 }, -E.EOPNOTSUPP],
    [115, 'a length without a type', { dev_id: 'none', pt_id: 'ioas', data_len: 8 }, -E.EINVAL],
    [115, 'a type without a length', { dev_id: 'none', pt_id: 'ioas', data_type: 1 }, -E.EINVAL],
    [
      116,
      'a parent not made for nesting',
      { dev_id: 'devid', pt_id: 'hwpt', data_type: 1, data_len: 24 },
      -E.EINVAL,
    ],
    [
      115,
      'NEST_PARENT on a page table',
      { dev_id: 'devid', pt_id: 'hwpt', data_type: 1, data_len: 24, flags: 1 },
      -E.EOPNOTSUPP,
    ],
    [115, 'a nested one without data', { dev_id: 'devid', pt_id: 'hwpt' }, -E.EOPNOTSUPP],
    [124, 'reserved', { dev_id: 'none', pt_id: 'none', __reserved: 1 }, -E.EOPNOTSUPP],
  ] as const)('%i: HWPT_ALLOC with %s', (_, __, { dev_id, pt_id, ...rest }, expected) => {
    const { machine, ids } = bound();
    const fields = { dev_id: ids[dev_id], pt_id: ids[pt_id], ...rest };
    expect(machine.call(U.IOMMU_HWPT_ALLOC, U.IommuHwptAlloc, fields).ret).toBe(expected);
  });

  test('21: the old, short structure is answered in its length', () => {
    const { machine, ids } = bound();
    machine.process.copyOut(machine.argument, new Uint8Array(48).fill(0xee));
    const head = Uint32Array.of(24, 0, ids.devid, ids.ioas, 0, 0);
    machine.process.copyOut(machine.argument, new Uint8Array(head.buffer));
    expect(machine.context.ioctl(U.IOMMU_HWPT_ALLOC, machine.argument)).toBe(0);
    expect(machine.process.read32(machine.argument + 16)).toBe(ids.hwpt + 1);
    expect(machine.process.read32(machine.argument + 24)).toBe(0xeeee_eeee);
  });

  test.each([
    [142, 'flags', { flags: 2, hwpt_id: 'hwpt' }, -E.EOPNOTSUPP],
    [142, 'an IOAS', { hwpt_id: 'ioas' }, -E.ENOENT],
    [142, 'a page table without it', { hwpt_id: 'hwpt' }, -E.EOPNOTSUPP],
  ] as const)('%i: SET_DIRTY_TRACKING: %s', (_, __, { hwpt_id, ...rest }, expected) => {
    const { machine, ids } = bound();
    const fields = { hwpt_id: ids[hwpt_id], ...rest };
    expect(machine.call(U.IOMMU_HWPT_SET_DIRTY_TRACKING, U.IommuHwptSetDirtyTracking, fields).ret).toBe(
      expected,
    );
  });

  test.each([
    ['flags', { flags: 2 }, -E.EOPNOTSUPP],
    ['reserved', { __reserved: 1 }, -E.EOPNOTSUPP],
    ['length 0', { length: 0n }, -E.EINVAL],
    ['the end beyond 2^64', { iova: U.U64_MAX, length: 2n }, -E.EOVERFLOW],
    ['a length that is no page', { length: 100n }, -E.EINVAL],
    ['page size 0', { page_size: 0n }, -E.EINVAL],
    ['an IOVA that is no multiple of the page size', { iova: 0x1000n, page_size: 0x2000n }, -E.EINVAL],
    ['an incapable page table', {}, -E.EOPNOTSUPP],
    ['an IOAS', { hwpt_id: 1 }, -E.ENOENT],
  ])('146: GET_DIRTY_BITMAP: %s', (_, fields, expected) => {
    const { machine, ids } = bound();
    const range = { hwpt_id: ids.hwpt, iova: 0n, length: 0x4000n, page_size: 0x1000n, ...fields };
    expect(machine.call(U.IOMMU_HWPT_GET_DIRTY_BITMAP, U.IommuHwptGetDirtyBitmap, range).ret).toBe(expected);
  });

  test.each([
    [119, 'a page table that is not nested', { entry_num: 2, entry_len: 24, data_uptr: 8n }, -E.ENOENT],
    [121, 'no pointer', { entry_num: 2, entry_len: 24 }, -E.EINVAL],
    [121, 'no length', { entry_num: 2, data_uptr: 8n }, -E.EINVAL],
    [121, 'an entry above a page', { entry_num: 2, entry_len: 4097, data_uptr: 8n }, -E.EINVAL],
    [124, 'reserved', { entry_num: 2, __reserved: 1 }, -E.EOPNOTSUPP],
  ] as const)('%i: HWPT_INVALIDATE of %s handles nothing', (_, __, fields, expected) => {
    const { machine, ids } = bound();
    const answer = machine.call(U.IOMMU_HWPT_INVALIDATE, U.IommuHwptInvalidate, {
      hwpt_id: ids.hwpt,
      ...fields,
    });
    expect([answer.ret, answer.entry_num]).toEqual([expected, 0]);
  });
});

describe('the fault queue (linux-abi 4.15)', () => {
  test('151, 154, 155: an empty queue', () => {
    const machine = new Machine();
    const { out_fault_id, out_fault_fd } = machine.call(U.IOMMU_FAULT_QUEUE_ALLOC, U.IommuFaultAlloc, {});
    const destroy = () => machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: out_fault_id }).ret;
    const file = machine.files.get(out_fault_fd)!;
    expect(file.read(new Uint8Array(40))).toBe(0);
    expect(file.read(new Uint8Array(39))).toBe(-E.ESPIPE);
    expect(file.write(new Uint8Array(7))).toBe(-E.ESPIPE);
    expect(file.write(new Uint8Array(8))).toBe(-E.EINVAL);
    expect(destroy()).toBe(-E.EBUSY);
    machine.files.close(out_fault_fd);
    expect(destroy()).toBe(0);
  });

  test('152: flags', () => {
    expect(new Machine().call(U.IOMMU_FAULT_QUEUE_ALLOC, U.IommuFaultAlloc, { flags: 1 }).ret).toBe(
      -E.EOPNOTSUPP,
    );
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

/**
 * Requests of /dev/iommu on a bare context: mappings, reserved ranges, and the pages behind them. The rows of linux-
 * cases that the recorded cases of conformance.test.ts do not contain, by number. An errno is negative, as the kernel
 * returns it.
 */
import { describe, expect, test } from 'vitest';
import * as E from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { PROT_READ } from '../../vfio/uapi/mman.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;
const ALL = { iova: 0n, length: U.U64_MAX };

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

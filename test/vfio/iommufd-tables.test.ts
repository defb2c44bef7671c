/**
 * Requests of /dev/iommu on a bare context: attachments, page tables, and the fault queue. The rows of linux-cases
 * that the recorded cases of conformance.test.ts do not contain, by number. An errno is negative, as the kernel
 * returns it.
 */
import { describe, expect, test } from 'vitest';
import { IommuGroup } from '../../vfio/iommu-group.ts';
import * as E from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;

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

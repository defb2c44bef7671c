/**
 * Cases 94 to 171 of linux-cases: pinning, page tables and attachment, the container requests of an
 * iommufd. Not here: lines that iommufd*.test.ts have by number; access objects, another
 * process, nesting and dirty tracking (96, 99 to 105, 109, 117 to 123, 125, 131, 141 to 150, 153, 156, 157), which
 * this kernel and its IOMMU do not offer: the lines below show how they are refused.
 */
import { expect } from 'vitest';
import { EBUSY, EFAULT, EINVAL, ENODEV, ENOENT, EOPNOTSUPP } from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { type Lab, line, PAGE, VFIO1 } from './linux-cases/lab.ts';

const IOVA = 0x10_0000;

/** vfio0 attached to a new IOAS and allowed to do DMA. */
function attached(lab: Lab) {
  const iommufd = lab.iommu();
  const found = { iommufd, ...lab.attached(iommufd) };
  lab.busMaster(found.device, true);
  return found;
}

/** A page whose first byte is `value`. */
function marked(lab: Lab, value: number): number {
  const buffer = lab.buffer(1);
  lab.bytes(buffer)[0] = value;
  return buffer;
}

// ---- C. pinning and domains -----------------------------------------------------------------------------------------
line(94, 'a mapped page is what the device reads', (lab) => {
  const { iommufd, ioas } = attached(lab);
  lab.map(iommufd, ioas, marked(lab, 77), PAGE, IOVA);
  expect(lab.dmaRead(0, IOVA)).toBe(77);
});
line(97, 'every start and length in a buffer pins its pages and lets them go', (lab) => {
  const { iommufd, ioas } = attached(lab);
  const buffer = lab.buffer(8);
  const bytes = lab.bytes(buffer);
  for (let page = 0; page < 8; page++) bytes[page * PAGE] = page + 1;
  for (let first = 0; first < 8; first++) {
    for (let pages = 1; first + pages <= 8; pages++) {
      expect(lab.map(iommufd, ioas, buffer + first * PAGE, pages * PAGE, IOVA)).toBe(0);
      expect(lab.dmaRead(0, IOVA)).toBe(first + 1);
      expect(lab.dmaRead(0, IOVA + (pages - 1) * PAGE)).toBe(first + pages);
      expect(lab.unmapAll(iommufd, ioas)).toBe(pages * PAGE);
    }
  }
  const free = lab.machine.pages.free_pages;
  lab.kernel.munmap(buffer, 8 * PAGE);
  expect(lab.machine.pages.free_pages).toBe(free + 8);
});
line(98, 'a second page table comes and goes while an area exists', (lab) => {
  const { iommufd, ioas, hwpt, device } = attached(lab);
  lab.map(iommufd, ioas, marked(lab, 5), PAGE, IOVA);
  const second = lab.hwpt(iommufd, 1, ioas);
  for (const table of [second, hwpt]) {
    if (table === hwpt) lab.attach(device, ioas);
    else lab.attach(device, table);
    expect(lab.dmaRead(0, IOVA)).toBe(5);
  }
  expect(lab.destroy(iommufd, second)).toBe(0);
  expect(lab.dmaRead(0, IOVA)).toBe(5);
});
line(108, 'CAP_IPC_LOCK pays for nothing', (lab) => {
  const { iommufd, ioas } = attached(lab);
  const { process } = lab.machine.kernel;
  process.memlockLimit_pages = 1;
  expect(lab.map(iommufd, ioas, lab.buffer(16), 16 * PAGE, IOVA)).toBe(0);
  expect(process.userLocked.pages).toBe(0);
});

// ---- D. page tables, attach and replace -------------------------------------------------------------------------------
line(113, 'HWPT_ALLOC with every flag', (lab) => {
  const { iommufd, ioas } = attached(lab);
  for (const flags of [2, 4, 6, 0xffff_fffe]) expect(lab.hwpt(iommufd, 1, ioas, flags)).toBe(-EOPNOTSUPP);
});
line(114, 'HWPT_ALLOC works, but not for nesting', (lab) => {
  const { iommufd, ioas } = attached(lab);
  expect(lab.hwpt(iommufd, 1, ioas, 1)).toBe(-EOPNOTSUPP);
  expect(lab.hwpt(iommufd, 1, ioas)).toBeGreaterThan(0);
});
line(127, 'a device attaches to the automatic page table of another, and not to id 0', (lab) => {
  const { iommufd, hwpt } = attached(lab);
  const second = lab.open(VFIO1);
  lab.bind(second, iommufd);
  expect(lab.attach(second, 0)).toBe(-ENOENT);
  expect([lab.attach(second, hwpt), lab.word(2)]).toEqual([0, hwpt]);
});
line(128, 'the automatic page table goes with its last device', (lab) => {
  const { iommufd, device, hwpt } = attached(lab);
  const second = lab.open(VFIO1);
  lab.bind(second, iommufd);
  lab.attach(second, hwpt);
  const other = lab.ioas(iommufd);
  lab.attach(device, other);
  expect(lab.attach(device, hwpt)).toBe(0);
  lab.detach(second);
  lab.attach(device, other);
  expect(lab.attach(device, hwpt)).toBe(-ENOENT);
});
line(129, 'replacing by the page table in use changes nothing', (lab) => {
  const { device, hwpt } = attached(lab);
  expect([lab.attach(device, hwpt), lab.word(2)]).toEqual([0, hwpt]);
});
line(130, 'rotation through two page tables', (lab) => {
  const { iommufd, device, ioas } = attached(lab);
  const [first, second] = [lab.hwpt(iommufd, 1, ioas), lab.hwpt(iommufd, 1, ioas)];
  const other = lab.open(VFIO1);
  lab.bind(other, iommufd);
  expect([lab.attach(device, first), lab.destroy(iommufd, first)]).toEqual([0, -EBUSY]);
  expect([lab.attach(device, second), lab.destroy(iommufd, second)]).toEqual([0, -EBUSY]);
  expect([lab.attach(device, ioas), lab.destroy(iommufd, second)]).toEqual([0, 0]);
  expect([lab.attach(other, first), lab.destroy(iommufd, first)]).toEqual([0, -EBUSY]);
  expect([lab.kernel.close(other), lab.destroy(iommufd, first)]).toEqual([0, 0]);
});
line(133, 'ATTACH answers with the page table, which devices of other groups share', (lab) => {
  const { iommufd, ioas, hwpt } = attached(lab);
  expect(hwpt).not.toBe(ioas);
  const second = lab.open(VFIO1);
  lab.bind(second, iommufd);
  expect([lab.attach(second, ioas), lab.word(2)]).toEqual([0, hwpt]);
});
line(138, 'GET_HW_INFO into buffers of every size', (lab) => {
  const { iommufd } = attached(lab);
  const ask = (data_len: number) => {
    const buffer = lab.buffer(1);
    const bytes = lab.bytes(buffer).fill(0xee);
    const fields = { dev_id: 1, data_len, data_uptr: buffer };
    const info = lab.call(iommufd, U.IOMMU_GET_HW_INFO, U.IommuHwInfo, fields);
    expect([info.ret, info.data_len, info.out_max_pasid_log2]).toEqual([0, 24, 0]);
    return bytes;
  };
  const whole = ask(24).slice(0, 24);
  expect(new DataView(whole.buffer).getBigUint64(8, true)).toBe(0xd2_008c_222f_0686n);
  expect(new DataView(whole.buffer).getBigUint64(16, true)).toBe(0xf0_0f4an);
  expect(ask(0)[0]).toBe(0xee);
  expect(ask(12).slice(0, 13)).toEqual(Uint8Array.of(...whole.slice(0, 12), 0xee));
  expect(ask(30).slice(0, 31)).toEqual(Uint8Array.of(...whole, 0, 0, 0, 0, 0, 0, 0xee));
});
line(140, 'GET_HW_INFO with flags, reserved bytes or a bad pointer', (lab) => {
  const { iommufd } = attached(lab);
  const ask = (fields: object) =>
    lab.call(iommufd, U.IOMMU_GET_HW_INFO, U.IommuHwInfo, { dev_id: 1, ...fields }).ret;
  expect(ask({ flags: 1 })).toBe(-EOPNOTSUPP);
  expect(ask({ out_max_pasid_log2: 1 })).toBe(0);
  expect(ask({ __reserved: 1 })).toBe(-EOPNOTSUPP);
  expect(ask({ data_len: 4, data_uptr: 16 })).toBe(-EFAULT);
  expect(ask({ dev_id: 99 })).toBe(-ENOENT);
});

// ---- F. container requests on an iommufd ------------------------------------------------------------------------------
line(163, 'VFIO_IOAS: none, an unknown one, one, none', (lab) => {
  const iommufd = lab.iommu();
  const ask = (op: number, ioas_id = 0) => {
    const answer = lab.call(iommufd, U.IOMMU_VFIO_IOAS, U.IommuVfioIoas, { op, ioas_id });
    return answer.ret < 0 ? answer.ret : answer.ioas_id;
  };
  const [GET, SET, CLEAR] = [0, 1, 2];
  expect([ask(GET), ask(SET, 0), ask(SET, 9)]).toEqual([-ENODEV, -ENOENT, -ENOENT]);
  const ioas = lab.ioas(iommufd);
  expect([ask(SET, ioas), ask(GET), ask(CLEAR), ask(GET)]).toEqual([ioas, ioas, 0, -ENODEV]);
});
line(164, 'VFIO_IOAS: an unknown operation, reserved, an IOAS that is gone', (lab) => {
  const iommufd = lab.iommu();
  const ask = (fields: object) => lab.call(iommufd, U.IOMMU_VFIO_IOAS, U.IommuVfioIoas, fields).ret;
  expect([ask({ op: 3 }), ask({ __reserved: 1 })]).toEqual([-EOPNOTSUPP, -EOPNOTSUPP]);
  const ioas_id = lab.ioas(iommufd);
  expect(ask({ op: 1, ioas_id })).toBe(0);
  expect([lab.destroy(iommufd, ioas_id), ask({ op: 0 })]).toEqual([0, -ENODEV]);
});
line(169, 'small pages mapped one by one are unmapped in another order', (lab) => {
  const { iommufd, ioas } = attached(lab);
  lab.call(iommufd, U.IOMMU_VFIO_IOAS, U.IommuVfioIoas, { op: 1, ioas_id: ioas });
  const buffer = lab.buffer(16);
  const order = Array.from({ length: 16 }, (_, index) => (index * 7 + 3) & 15);
  for (const page of order) {
    const fields = { flags: 3, vaddr: buffer + page * PAGE, iova: IOVA + page * PAGE, size: PAGE };
    expect(lab.call(iommufd, V.VFIO_IOMMU_MAP_DMA, V.VfioIommuType1DmaMap, fields).ret).toBe(0);
  }
  for (const page of order.reverse()) {
    const fields = { iova: IOVA + page * PAGE, size: PAGE };
    const { ret, size } = lab.call(iommufd, V.VFIO_IOMMU_UNMAP_DMA, V.VfioIommuType1DmaUnmap, fields);
    expect([ret, size]).toEqual([0, BigInt(PAGE)]);
    expect(lab.dmaRead(0, IOVA + page * PAGE)).toBeLessThan(0);
  }
});

// ---- what is refused --------------------------------------------------------------------------------------------------
line(117, 'no page table can be a parent, so that nesting ends there', (lab) => {
  const { iommufd, ioas } = attached(lab);
  const parent = lab.hwpt(iommufd, 1, ioas);
  const nested = { dev_id: 1, pt_id: parent, data_type: 1, data_len: 24, data_uptr: lab.buffer(1) };
  expect(lab.call(iommufd, U.IOMMU_HWPT_ALLOC, U.IommuHwptAlloc, nested).ret).toBe(-EINVAL);
});
line(131, 'no page table tracks dirty pages', (lab) => {
  const { iommufd, ioas, device } = attached(lab);
  expect(lab.hwpt(iommufd, 1, ioas, 2)).toBe(-EOPNOTSUPP);
  const fields = { hwpt_id: lab.hwpt(iommufd, 1, ioas), flags: 1 };
  const request = U.IOMMU_HWPT_SET_DIRTY_TRACKING;
  expect(lab.call(iommufd, request, U.IommuHwptSetDirtyTracking, fields).ret).toBe(-EOPNOTSUPP);
  expect(lab.attach(device, ioas)).toBe(0);
});

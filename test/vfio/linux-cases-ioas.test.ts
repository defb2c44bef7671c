/**
 * Cases 1 to 93 of linux-cases: dispatch, options, IO address spaces. Those that iommufd*.test.ts have by
 * number are not here again (3 to 28, 33 to 36, 39, 46, 48, 52, 56 to 61, 72, 76, 80, 81, 87, 92, 93), and 69, 70 and 84
 * need the reserved ranges of a mock domain and are not here; 86 and 91 have the MSI window of a real one in their place.
 */
import { expect } from 'vitest';
import {
  EADDRINUSE,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOSPC,
  EOPNOTSUPP,
  EOVERFLOW,
} from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { type Lab, line, PAGE } from './linux-cases/lab.ts';

const LAST_PAGE = 0xffff_ffff_ffff_f000n;
const MSI = 0xfee0_0000;

/** An empty IOAS and a buffer, without a device. */
function alone(lab: Lab, pages = 64) {
  const iommufd = lab.iommu();
  return { iommufd, ioas: lab.ioas(iommufd), buffer: lab.buffer(pages) };
}

/** The same with a device attached. */
function together(lab: Lab, pages = 64) {
  const iommufd = lab.iommu();
  return { iommufd, ...lab.attached(iommufd), buffer: lab.buffer(pages) };
}

// ---- A. dispatch, sizes, options ----------------------------------------------------------------------------------
line(1, 'open and close leave nothing', (lab) => {
  const free = lab.machine.pages.free_pages;
  expect(lab.kernel.close(lab.iommu())).toBe(0);
  expect(lab.machine.pages.free_pages).toBe(free);
});
line(2, 'DESTROY of id 0', (lab) => expect(lab.destroy(lab.iommu(), 0)).toBe(-ENOENT));
line(22, 'GET_HW_INFO of 32 bytes leaves the capabilities alone', (lab) => {
  const iommufd = lab.iommu();
  lab.attached(iommufd);
  const fields = { size: 32, dev_id: 1, out_capabilities: 7 };
  expect(lab.call(iommufd, U.IOMMU_GET_HW_INFO, U.IommuHwInfo, fields)).toMatchObject({
    ret: 0,
    out_data_type: U.IOMMU_HW_INFO_TYPE_INTEL_VTD,
    out_capabilities: 7n,
  });
});
line(29, 'the counting mode is fixed once an object exists, whatever the value', (lab) => {
  const { iommufd } = alone(lab);
  for (const val64 of [0, 1, 2]) {
    expect(lab.option(iommufd, { option_id: 0, op: 0, val64 })[0]).toBe(-EBUSY);
  }
});
line(30, 'RLIMIT_MODE of an object, unknown operations and options, reserved', (lab) => {
  const iommufd = lab.iommu();
  for (const wrong of [{ object_id: 1 }, { op: 2 }, { option_id: 9 }, { __reserved: 1 }]) {
    expect(lab.option(iommufd, { op: 1, ...wrong })[0]).toBe(-EOPNOTSUPP);
  }
});
line(31, 'HUGE_PAGES of object 0', (lab) => {
  const iommufd = lab.iommu();
  for (const op of [0, 1]) expect(lab.option(iommufd, { option_id: 1, op })[0]).toBe(-ENOENT);
});
line(32, 'HUGE_PAGES is 1, goes to 0 and back, and has no 2', (lab) => {
  const { iommufd, ioas } = alone(lab);
  const huge = (op: number, val64: number) =>
    lab.option(iommufd, { option_id: 1, op, object_id: ioas, val64 });
  expect([huge(1, 3), huge(0, 0), huge(1, 3), huge(0, 2)[0], huge(0, 1)]).toEqual([
    [0, 1],
    [0, 0],
    [0, 0],
    -EINVAL,
    [0, 1],
  ]);
});

// ---- B. IOAS objects, map, unmap, copy ------------------------------------------------------------------------------
line(37, 'DESTROY of an IOAS twice', (lab) => {
  const { iommufd, ioas } = alone(lab);
  expect([lab.destroy(iommufd, ioas), lab.destroy(iommufd, ioas)]).toEqual([0, -ENOENT]);
});
line(38, 'an IOAS is left to close', (lab) => expect(lab.kernel.close(alone(lab).iommufd)).toBe(0));
line(40, 'ids start at 1 and are used again, the lowest first', (lab) => {
  const iommufd = lab.iommu();
  expect([lab.ioas(iommufd), lab.ioas(iommufd), lab.destroy(iommufd, 1), lab.ioas(iommufd)]).toEqual([
    1, 2, 0, 1,
  ]);
});
line(41, 'an IOAS with a device is busy', (lab) => {
  const { iommufd, ioas, device } = together(lab);
  expect(lab.destroy(iommufd, ioas)).toBe(-EBUSY);
  lab.detach(device);
  expect(lab.destroy(iommufd, ioas)).toBe(0);
});
line(42, 'a mapping alone does not keep an IOAS', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  lab.map(iommufd, ioas, buffer, PAGE, 0x10000);
  expect(lab.destroy(iommufd, ioas)).toBe(0);
});
line(43, 'nor does it let go of one with a device', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  lab.map(iommufd, ioas, buffer, PAGE, 0x10000);
  expect(lab.destroy(iommufd, ioas)).toBe(-EBUSY);
});
line(44, 'ten fixed maps are left to close, and their memory is given back', (lab) => {
  const { iommufd, ioas, device, buffer } = together(lab, 1);
  const free = lab.machine.pages.free_pages;
  for (let page = 0; page < 10; page++) lab.map(iommufd, ioas, buffer, PAGE, (16 + page) * PAGE);
  lab.kernel.munmap(buffer, PAGE);
  expect([lab.kernel.close(iommufd), lab.kernel.close(device)]).toEqual([0, 0]);
  expect(lab.machine.pages.free_pages).toBeGreaterThan(free);
});
line(45, 'UNMAP of pages that were never mapped', (lab) => {
  const { iommufd, ioas } = alone(lab);
  for (let page = 0; page < 10; page++) expect(lab.unmap(iommufd, ioas, page * PAGE, PAGE)).toBe(-ENOENT);
});
line(47, 'a mapping is not split', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  lab.map(iommufd, ioas, buffer, 2 * PAGE, 16 * PAGE);
  for (const page of [16, 17]) expect(lab.unmap(iommufd, ioas, page * PAGE, PAGE)).toBe(-ENOENT);
  expect(lab.unmap(iommufd, ioas, 16 * PAGE, 2 * PAGE)).toBe(2 * PAGE);
});
line(49, 'UNMAP of everything, also of nothing', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  lab.map(iommufd, ioas, buffer, 2 * PAGE, 16 * PAGE);
  lab.map(iommufd, ioas, buffer, PAGE, 0xffff_0000_0000);
  expect([lab.unmapAll(iommufd, ioas), lab.unmapAll(iommufd, ioas)]).toEqual([3 * PAGE, 0]);
});
line(50, 'UNMAP of the head of the first area or of the tail of the last', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  for (const area of [0, 1, 2, 3]) lab.map(iommufd, ioas, buffer, 8 * PAGE, (16 + 16 * area) * PAGE);
  expect(lab.unmap(iommufd, ioas, 12 * PAGE, 8 * PAGE)).toBe(-ENOENT);
  expect(lab.unmap(iommufd, ioas, 68 * PAGE, 8 * PAGE)).toBe(-ENOENT);
  expect(lab.unmapAll(iommufd, ioas)).toBe(32 * PAGE);
});
line(51, 'UNMAP over areas and the holes between them', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  for (const area of [0, 1, 2, 3]) lab.map(iommufd, ioas, buffer, 8 * PAGE, (16 + 16 * area) * PAGE);
  expect(lab.unmap(iommufd, ioas, 8 * PAGE, 70 * PAGE)).toBe(32 * PAGE);
});
line(53, 'UNMAP of bad ranges', (lab) => {
  const { iommufd, ioas } = alone(lab);
  expect(lab.unmap(iommufd, ioas, PAGE, 0)).toBe(-EINVAL);
  expect(lab.unmap(iommufd, ioas, U.U64_MAX, 1)).toBe(-EOVERFLOW);
  expect(lab.unmap(iommufd, ioas, PAGE, U.U64_MAX)).toBe(-EOVERFLOW);
  expect(lab.unmap(iommufd, ioas, LAST_PAGE, 2 * PAGE)).toBe(-EOVERFLOW);
});
line(54, 'UNMAP of something that is no IOAS', (lab) => {
  const { iommufd, hwpt } = together(lab);
  expect([lab.unmapAll(iommufd, 99), lab.unmapAll(iommufd, hwpt)]).toEqual([-ENOENT, -ENOENT]);
});
line(55, 'MAP with an unknown flag, or reserved', (lab) => {
  const { iommufd, ioas: ioas_id, buffer } = alone(lab);
  expect(lab.map(iommufd, ioas_id, buffer, PAGE, 0x10000, 15)).toBe(-EOPNOTSUPP);
  const fields = { flags: 7, ioas_id, __reserved: 1, user_va: buffer, length: PAGE };
  expect(lab.call(iommufd, U.IOMMU_IOAS_MAP, U.IommuIoasMap, fields).ret).toBe(-EOPNOTSUPP);
});
line(62, 'the last page of the space has no second one behind it', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  expect(lab.map(iommufd, ioas, buffer, 2 * PAGE, LAST_PAGE)).toBe(-EOVERFLOW);
  expect(lab.unmap(iommufd, ioas, LAST_PAGE, 2 * PAGE)).toBe(-EOVERFLOW);
});
line(63, 'the last page of the last range can be used', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  const last = lab.ranges(iommufd, ioas).words.at(-1)! + 1n - BigInt(PAGE);
  expect(lab.map(iommufd, ioas, buffer, PAGE, last)).toBe(0);
  expect(lab.unmap(iommufd, ioas, last, PAGE)).toBe(PAGE);
  expect(lab.map(iommufd, ioas, buffer, PAGE, last)).toBe(0);
  expect(lab.unmapAll(iommufd, ioas)).toBe(PAGE);
});
line(64, 'ten pages get ten places', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  const places = Array.from({ length: 10 }, () => lab.place(iommufd, ioas, buffer, PAGE));
  expect(new Set(places).size).toBe(10);
  for (const iova of places) expect(lab.unmap(iommufd, ioas, iova, PAGE)).toBe(PAGE);
});
line(65, 'a place is aligned to the power of two of its length', (lab) => {
  const { iommufd, ioas } = together(lab);
  const buffer = lab.buffer(512);
  for (let pages = 1; pages <= 10; pages++) {
    const iova = lab.place(iommufd, ioas, buffer, pages * PAGE);
    expect(iova & ((1 << Math.ceil(Math.log2(pages))) * PAGE - 1)).toBe(0);
  }
});
line(66, 'the first page goes to 0x1000, never to 0', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  expect([lab.place(iommufd, ioas, buffer, PAGE), lab.place(iommufd, ioas, buffer, PAGE)]).toEqual([
    0x1000, 0x2000,
  ]);
});
line(67, 'two megabytes keep the alignment of their memory', (lab) => {
  const { iommufd, ioas } = alone(lab);
  const buffer = lab.buffer(1024);
  expect(buffer & 0x1f_ffff).toBe(0);
  expect(lab.place(iommufd, ioas, buffer, 0x20_0000)).toBe(0x20_0000);
  expect(lab.place(iommufd, lab.ioas(iommufd), buffer + PAGE, 0x20_0000)).toBe(0x1000);
});
line(68, 'the offset in a page is kept', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  expect(lab.place(iommufd, ioas, buffer + 0x234, 4) & 0xfff).toBe(0x234);
});
line(71, 'places stay inside the allow list', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  expect(lab.allow(iommufd, ioas, 200 * PAGE, 600 * PAGE - 1)).toBe(0);
  for (let index = 0; index < 10; index++) {
    const iova = lab.place(iommufd, ioas, buffer, PAGE);
    expect(iova).toBeGreaterThanOrEqual(200 * PAGE);
    expect(iova + PAGE).toBeLessThanOrEqual(600 * PAGE);
  }
});
line(73, 'ALLOW_IOVAS with bad ranges', (lab) => {
  const { iommufd, ioas: ioas_id } = alone(lab);
  expect(lab.allow(iommufd, ioas_id, PAGE, PAGE)).toBe(-EINVAL);
  expect(lab.allow(iommufd, ioas_id, 2 * PAGE, PAGE)).toBe(-EINVAL);
  expect(lab.allow(iommufd, ioas_id, 0, PAGE, PAGE, 2 * PAGE)).toBe(-EINVAL);
  expect(lab.allow(iommufd, 99, 0, PAGE)).toBe(-ENOENT);
  const request = (fields: object) =>
    lab.call(iommufd, U.IOMMU_IOAS_ALLOW_IOVAS, U.IommuIoasAllowIovas, { ioas_id, ...fields }).ret;
  expect(request({ num_iovas: 1, allowed_iovas: 16 })).toBe(-EFAULT);
  expect(request({ __reserved: 1 })).toBe(-EOPNOTSUPP);
});
line(74, 'the allow list does not bind fixed maps', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  lab.allow(iommufd, ioas, 200 * PAGE, 600 * PAGE - 1);
  expect(lab.map(iommufd, ioas, buffer, PAGE, 10 * PAGE)).toBe(0);
});
line(75, 'an allow list that is full', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  lab.map(iommufd, ioas, buffer, PAGE, 200 * PAGE);
  lab.allow(iommufd, ioas, 200 * PAGE, 201 * PAGE - 1);
  expect(lab.place(iommufd, ioas, buffer, PAGE)).toBe(-ENOSPC);
});
line(77, 'COPY to the next page, and to address 0 of another IOAS', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  lab.map(iommufd, ioas, buffer, PAGE, 16 * PAGE);
  const source = { src_ioas_id: ioas, src_iova: 16 * PAGE, length: PAGE };
  expect(lab.copy(iommufd, { ...source, dst_ioas_id: ioas, dst_iova: 17 * PAGE })).toBe(0);
  expect(lab.copy(iommufd, { ...source, dst_ioas_id: lab.ioas(iommufd), dst_iova: 0 })).toBe(0);
});
line(78, 'COPY of half a page, from everywhere around an area', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  const [start, half] = [16 * PAGE, PAGE / 2];
  lab.map(iommufd, ioas, buffer, PAGE, start);
  for (let src_iova = start - PAGE; src_iova <= start + 2 * PAGE; src_iova += 511) {
    const fields = { src_ioas_id: ioas, dst_ioas_id: ioas, src_iova, dst_iova: 64 * PAGE, length: half };
    const isInside = src_iova >= start && src_iova + half <= start + PAGE;
    expect(lab.copy(iommufd, fields)).toBe(isInside ? 0 : -ENOENT);
    if (isInside) expect(lab.unmap(iommufd, ioas, 64 * PAGE, half)).toBe(half);
  }
});
line(79, 'COPY with bad arguments', (lab) => {
  const { iommufd, ioas, buffer } = alone(lab);
  lab.map(iommufd, ioas, buffer, PAGE, 16 * PAGE);
  const good = {
    src_ioas_id: ioas,
    dst_ioas_id: ioas,
    src_iova: 16 * PAGE,
    dst_iova: 32 * PAGE,
    length: PAGE,
  };
  for (const [wrong, ret] of [
    [{ length: 0 }, -EINVAL],
    [{ src_iova: LAST_PAGE, length: 2 * PAGE }, -EOVERFLOW],
    [{ length: U.U64_MAX }, -EOVERFLOW],
    [{ flags: 15 }, -EOPNOTSUPP],
    [{ flags: 1 }, -EINVAL],
    [{ src_ioas_id: 99 }, -ENOENT],
    [{ dst_ioas_id: 99 }, -ENOENT],
    [{ dst_iova: 16 * PAGE }, -EEXIST],
    [{}, 0],
  ] as const) {
    expect([wrong, lab.copy(iommufd, { ...good, ...wrong })]).toEqual([wrong, ret]);
  }
});
line(82, 'a copy outlives its source, and two of them unmap as one range', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  for (const page of [0, 1]) {
    lab.map(iommufd, ioas, buffer, PAGE, (16 + page) * PAGE);
    const place = { src_iova: (16 + page) * PAGE, dst_iova: (32 + page) * PAGE, length: PAGE };
    lab.copy(iommufd, { src_ioas_id: ioas, dst_ioas_id: ioas, ...place });
  }
  expect(lab.unmap(iommufd, ioas, 16 * PAGE, 2 * PAGE)).toBe(2 * PAGE);
  expect(lab.unmap(iommufd, ioas, 32 * PAGE, 2 * PAGE)).toBe(2 * PAGE);
});
line(83, 'a fresh IOAS has the whole space', (lab) => {
  const { iommufd, ioas } = alone(lab);
  expect(lab.ranges(iommufd, ioas)).toEqual({
    ret: 0,
    num_iovas: 1,
    alignment: 1,
    words: [0n, U.U64_MAX],
  });
});
line(85, 'IOVA_RANGES without room says how many there are', (lab) => {
  const { iommufd, ioas } = alone(lab);
  expect(lab.ranges(iommufd, ioas, 0)).toMatchObject({ ret: -EMSGSIZE, num_iovas: 1, words: [] });
});
line(86, 'IOVA_RANGES with room for one of two writes one', (lab) => {
  const { iommufd, ioas } = together(lab);
  expect(lab.ranges(iommufd, ioas, 1)).toMatchObject({
    ret: -EMSGSIZE,
    num_iovas: 2,
    words: [0n, BigInt(MSI - 1)],
  });
});
line(88, 'IOVA_RANGES with bad arguments', (lab) => {
  const { iommufd, ioas: ioas_id } = alone(lab);
  const request = (fields: object) =>
    lab.call(iommufd, U.IOMMU_IOAS_IOVA_RANGES, U.IommuIoasIovaRanges, { ioas_id, ...fields }).ret;
  expect(request({ __reserved: 1 })).toBe(-EOPNOTSUPP);
  expect(request({ ioas_id: 99 })).toBe(-ENOENT);
  expect(request({ num_iovas: 1, allowed_iovas: 16 })).toBe(-EFAULT);
});
line(89, 'lengths without a device, and with one', (lab) => {
  const { iommufd, buffer, ioas } = together(lab);
  const free = lab.ioas(iommufd);
  for (let length = 1; length < 2 * PAGE; length += 511) {
    expect(lab.place(iommufd, free, buffer, length)).toBeGreaterThan(0);
    expect(lab.place(iommufd, ioas, buffer, length)).toBe(-EINVAL);
  }
  expect(lab.place(iommufd, ioas, buffer, 2 * PAGE)).toBeGreaterThan(0);
});
line(90, 'a device wants whole pages', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  expect(lab.map(iommufd, ioas, buffer, 4095, 0x10000)).toBe(-EINVAL);
  expect(lab.map(iommufd, ioas, buffer, PAGE, 0x10800)).toBe(-EINVAL);
  expect(lab.map(iommufd, ioas, buffer + 0x200, PAGE, 0x10000)).toBe(-EINVAL);
});
line(91, 'nothing is mapped in the MSI window or beyond the aperture', (lab) => {
  const { iommufd, ioas, buffer } = together(lab);
  for (const iova of [MSI, 2 ** 48]) expect(lab.map(iommufd, ioas, buffer, PAGE, iova)).toBe(-EINVAL);
  expect(lab.allow(iommufd, ioas, MSI - PAGE, MSI)).toBe(-EADDRINUSE);
});

/** NVM commands on blocks: group N of the conformance cases (NVM Command Set 1.1 §3.3; Base 2.1 §4.1, §7). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, CQE, NVM } from '../../nvme/spec/commands.ts';
import { CC } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, PAGE } from './harness.ts';
import { BROADCAST, FUA, ioRig, lossyRig } from './io-rig.ts';

const MIB = 1024 ** 2;
const BLOCKS = (16 * MIB) / 512;
const LR = 0x8000_0000;
const READ_ONLY = [{ nsid: 1, bytes: MIB, block_bytes: 512, readOnly: true }];

describe('Read and Write', () => {
  test('N1 what was written is read, at every size up to MDTS and any dword offset', () => {
    const rig = ioRig();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1024 }),
        fc.integer({ min: 0, max: BLOCKS - 1024 }),
        fc.integer({ min: 0, max: PAGE / 4 - 1 }),
        fc.nat(),
        (count, first, dword, seed) => {
          const bytes = count * 512;
          const pages = bytes / PAGE + 2;
          const source = rig.allocate(Math.ceil(pages)) + dword * 4;
          const target = rig.allocate(Math.ceil(pages)) + dword * 4;
          const { u8 } = rig.memory;
          for (let i = 0; i < bytes; i++) u8[source + i] = i * 31 + seed + (i >>> 8);
          const place = rig.at(first, count);
          expect(rig.status({ opcode: NVM.WRITE, ...place, ...rig.prps(source, bytes) })).toBe('SUCCESS');
          expect(rig.status({ opcode: NVM.READ, ...place, ...rig.prps(target, bytes) })).toBe('SUCCESS');
          expect(Buffer.compare(rig.bytes(target, bytes), rig.bytes(source, bytes))).toBe(0);
          rig.pages.free(source - (source % PAGE), Math.ceil(pages));
          rig.pages.free(target - (target % PAGE), Math.ceil(pages));
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each<[string, Partial<Entry>, string]>([
    ['N2 the last block', { cdw10: BLOCKS - 1 }, 'SUCCESS'],
    ['N2 one block beyond', { cdw10: BLOCKS }, 'LBA_OUT_OF_RANGE'],
    ['N2 the second of two blocks beyond', { cdw10: BLOCKS - 1, cdw12: 1 }, 'LBA_OUT_OF_RANGE'],
    ['N3 the largest address', { cdw10: 0xffff_ffff, cdw11: 0xffff_ffff }, 'LBA_OUT_OF_RANGE'],
    ['N4 namespace 0', { nsid: 0 }, 'INVALID_NAMESPACE_OR_FORMAT'],
    ['N4 all namespaces', { nsid: BROADCAST }, 'INVALID_NAMESPACE_OR_FORMAT'],
    ['N4 beyond NN', { nsid: 257 }, 'INVALID_NAMESPACE_OR_FORMAT'],
    ['N4 inactive', { nsid: 2 }, 'INVALID_FIELD'],
    ['N6 more than MDTS', { cdw12: 1024 }, 'INVALID_FIELD'],
    ['N27 PSDT 3', { flags: 0xc0 }, 'INVALID_FIELD'],
    ['N43 limited retry', { cdw12: LR }, 'SUCCESS'],
    ['N46 FUSE 3', { flags: 3 }, 'INVALID_FIELD'],
    ['N46 reserved flags', { flags: 4 }, 'INVALID_FIELD'],
    ['a reserved bit of CDW12', { cdw12: 1 << 25 }, 'INVALID_FIELD'],
    ['a directive type', { cdw12: 1 << 20 }, 'INVALID_FIELD'],
    ['a command extension type', { cdw12: 1 << 16 }, 'INVALID_FIELD'],
    ['a reserved bit of CDW13', { cdw13: 1 << 8 }, 'INVALID_FIELD'],
    ['hints on access', { cdw13: 0xff }, 'SUCCESS'],
  ])('%s: %o -> %s', (_, entry, status) => {
    const rig = ioRig();
    const prp1 = rig.allocate();
    expect(rig.status({ opcode: NVM.READ, prp1, ...entry })).toBe(status);
    expect(rig.status({ opcode: NVM.WRITE, prp1, ...entry })).toBe(status);
  });

  test.each([
    ['N7 an opcode nobody defined', 0x7f],
    ['N7 a command this namespace type does not have', NVM.ZONE_APPEND],
    ['N7 a vendor command', 0x80],
  ])('%s: Invalid Opcode', (_, opcode) => {
    expect(ioRig().status({ opcode })).toBe('INVALID_OPCODE');
  });

  test.each([[NVM.WRITE], [NVM.WRITE_ZEROES], [NVM.WRITE_UNCORRECTABLE], [NVM.DATASET_MANAGEMENT]])(
    'N8 a write-protected namespace refuses opcode %i',
    (opcode) => {
      const rig = ioRig({ namespaces: READ_ONLY });
      expect(rig.status({ opcode, prp1: rig.allocate() })).toBe('NAMESPACE_WRITE_PROTECTED');
      expect(rig.read(0)).toEqual([0]);
    },
  );

  test('a refusal locates the field for the error log', () => {
    const rig = ioRig();
    rig.io({ opcode: NVM.READ, cdw12: 1 << 25 });
    const page = rig.allocate();
    rig.submitAdmin({ opcode: ADMIN.GET_LOG_PAGE, nsid: BROADCAST, prp1: page, cdw10: 0x000f_0001 });
    expect(rig.view(page).getUint16(14, true)).toBe(51 | (1 << 8));
  });
});

describe('PRPs', () => {
  test.each([
    ['N10 one page at an offset', 0x200, 7],
    ['N10 two pages, PRP2 is data', 0x200, 8],
    ['N10 three pages, PRP2 is a list', 0x200, 16],
    ['N10 a list that fills its page and goes on', 0, 8 * 128],
  ])('%s', (_, offset, count) => {
    const rig = ioRig();
    const bytes = count * 512;
    const buffer = rig.allocate(Math.ceil(bytes / PAGE) + 1) + offset;
    expect(rig.write(0, count, 0x5a)).toBe('SUCCESS');
    const entry = { opcode: NVM.READ, ...rig.at(0, count), ...rig.prps(buffer, bytes) };
    expect(rig.status(entry)).toBe('SUCCESS');
    expect(new Set(rig.bytes(buffer, bytes))).toEqual(new Set([0x5a]));
  });

  test('N10 a list that begins at the end of its page chains through its last entry', () => {
    const rig = ioRig();
    const [data, lists] = [rig.allocate(4), rig.allocate(2)];
    rig.write(0, 32, 0x77);
    const list = rig.view(lists + PAGE - 16);
    list.setUint32(0, data + PAGE, true);
    list.setUint32(8, lists + PAGE, true);
    rig.view(lists + PAGE).setUint32(0, data + 2 * PAGE, true);
    rig.view(lists + PAGE).setUint32(8, data + 3 * PAGE, true);
    const entry = { opcode: NVM.READ, ...rig.at(0, 32), prp1: data, prp2: lists + PAGE - 16 };
    expect(rig.status(entry)).toBe('SUCCESS');
    expect(new Set(rig.bytes(data, 4 * PAGE))).toEqual(new Set([0x77]));
  });

  test.each<[string, number, Partial<Entry>, number]>([
    [
      'N11 PRP2 as second page has an offset',
      16,
      { prp1: 0x20_0000, prp2: 0x20_1004 },
      STATUS.PRP_OFFSET_INVALID,
    ],
    [
      'N13 PRP2 as list is not qword aligned',
      24,
      { prp1: 0x20_0000, prp2: 0x20_1004 },
      STATUS.PRP_OFFSET_INVALID,
    ],
    ['N47 PRP1 is dword aligned', 1, { prp1: 0x20_0014 }, STATUS.SUCCESS],
    ['N47 PRP1 is not dword aligned', 1, { prp1: 0x20_0012 }, STATUS.PRP_OFFSET_INVALID],
  ])('%s', (_, count, prps, status) => {
    const rig = ioRig();
    const completion = rig.io({ opcode: NVM.READ, ...rig.at(0, count), ...prps });
    expect(statusName(completion.status)).toBe(statusName(status));
  });

  test('N12 a list entry with an offset', () => {
    const rig = ioRig();
    const list = rig.allocate();
    rig.view(list).setUint32(0, 0x20_1200, true);
    const entry = { opcode: NVM.READ, ...rig.at(0, 24), prp1: 0x20_0000, prp2: list };
    expect(rig.status(entry)).toBe('PRP_OFFSET_INVALID');
  });

  test('N14 N15 N16 unreachable pages: Data Transfer Error without DNR, and the queue goes on', () => {
    const rig = ioRig();
    const data = rig.allocate(3);
    const entry = { opcode: NVM.READ, ...rig.at(0, 24), ...rig.prps(data, 24 * 512) };
    rig.blocked.add(data / PAGE + 1);
    expect(rig.io(entry)).toMatchObject({ status: STATUS.DATA_TRANSFER_ERROR, dnr: false });
    rig.blocked.clear();
    rig.blocked.add(entry.prp2! / PAGE);
    expect(rig.io(entry)).toMatchObject({ status: STATUS.DATA_TRANSFER_ERROR, dnr: false });
    rig.blocked.clear();
    expect(rig.io(entry).status).toBe(STATUS.SUCCESS);
  });

  test('N15 a failing Write leaves whole blocks, old or new, however its pages are cut', () => {
    const rig = ioRig();
    rig.write(0, 16, 0x11);
    const data = rig.filled(3 * PAGE, 0x22);
    rig.blocked.add(data / PAGE + 1);
    for (const offset of [0x400, 0x104]) {
      const entry = { opcode: NVM.WRITE, ...rig.at(0, 16), ...rig.prps(data + offset, 16 * 512) };
      expect(rig.status(entry)).toBe('DATA_TRANSFER_ERROR');
      for (let block = 0; block < 16; block++) expect(rig.read(block)).toHaveLength(1);
    }
  });

  test('N17 a list page whose last entry names the page itself ends with the data', () => {
    const rig = ioRig();
    const [data, list] = [rig.allocate(), rig.allocate()];
    for (let entry = 0; entry < 511; entry++) rig.view(list).setUint32(8 * entry, data, true);
    rig.view(list).setUint32(8 * 511, list, true);
    const entry = { opcode: NVM.READ, ...rig.at(0, 1024), prp1: data, prp2: list };
    expect(rig.status(entry)).toBe('SUCCESS');
  });

  test('a list of any alignment (as QEMU) that leaves no room for an entry in its page is refused', () => {
    const rig = ioRig({ profile: { ...QEMU, timing: null } });
    const [data, list] = [rig.allocate(), rig.allocate()];
    const entry = { opcode: NVM.READ, ...rig.at(0, 31), prp1: data, prp2: list + PAGE - 4 };
    expect(rig.status(entry)).toBe('PRP_OFFSET_INVALID');
    expect(rig.controller.health.rejections.at(-1)).toContain('leaves no room for an entry in its page');
  });

  test.each([
    ['PRP1', 0, 0],
    ['PRP list entry 0', 1, 1],
    ['PRP list entry 2', 3, 3],
  ])('%s points to a page that DMA cannot reach: it is named, and its address', (which, page, offset) => {
    const rig = ioRig();
    const buffer = rig.filled(4 * PAGE, 0xee) + 0x200;
    const data = rig.prps(buffer, 4 * PAGE - 0x200);
    rig.blocked.add(Math.floor(buffer / PAGE) + page);
    const first = offset === 0 ? buffer : buffer - 0x200 + offset * PAGE;
    expect(rig.status({ opcode: NVM.READ, ...rig.at(0, 31), ...data })).toBe('DATA_TRANSFER_ERROR');
    expect(rig.controller.health.rejections.at(-1)).toContain(
      `${which}: the data at IOVA 0x${first.toString(16)}`,
    );
  });

  test('N18 pages of 64 KiB: PRPs count in them', () => {
    const rig = ioRig();
    rig.write(0, 256, 0x33);
    rig.disable();
    rig.enable({ cc: CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4, MPS: 4 }) });
    const base = rig.pages.allocate(16 * 4, 16);
    rig.createCq(1, 64, { base });
    rig.createSq(1, 64, 1, base + 65_536);
    const data = rig.pages.allocate(32, 16);
    const entry = { opcode: NVM.READ, ...rig.at(0, 256), prp1: data, prp2: data + 65_536 };
    expect(rig.status(entry)).toBe('SUCCESS');
    expect(new Set(rig.bytes(data, 131_072))).toEqual(new Set([0x33]));
  });

  test('N29 data in the memory of a completion queue: only the bytes of the request', () => {
    const rig = ioRig();
    rig.write(0, 1, 0x66);
    const base = rig.allocate(2);
    rig.createCq(2, 8, { base });
    rig.createSq(2, 8, 2);
    const entry = { opcode: NVM.READ, nsid: 1, ...rig.at(0), prp1: base + 8 * CQE.SIZE };
    expect(rig.submit(2, 2, entry).status).toBe(STATUS.SUCCESS);
    expect(new Set(rig.bytes(base + 8 * CQE.SIZE, 512))).toEqual(new Set([0x66]));
    expect(new Set(rig.bytes(base + 8 * CQE.SIZE + 512, 512))).toEqual(new Set([0]));
  });
});

describe('what is durable', () => {
  test('N9 without FUA or Flush a power cut loses exactly the cached writes', () => {
    const rig = lossyRig();
    rig.write(0, 4, 0x11);
    expect(rig.flush()).toBe('SUCCESS');
    rig.write(1, 1, 0x22);
    rig.write(2, 1, 0x33, rig.at(2, 1, FUA));
    rig.write(5, 1, 0x44);
    rig.powerCycle();
    expect([0, 1, 2, 3, 5].map((block) => rig.read(block))).toEqual([[0x11], [0x11], [0x33], [0x11], [0]]);
  });

  test('N9 a FUA write over a cached one is what stays', () => {
    const rig = lossyRig();
    rig.write(0, 1, 0x11);
    rig.write(0, 1, 0x22, rig.at(0, 1, FUA));
    rig.powerCycle();
    expect(rig.read(0)).toEqual([0x22]);
  });

  test('N9 a Read with FUA makes what it reads durable', () => {
    const rig = lossyRig();
    rig.write(0, 2, 0x11);
    expect(rig.read(0, 1, rig.at(0, 1, FUA))).toEqual([0x11]);
    rig.powerCycle();
    expect([rig.read(0), rig.read(1)]).toEqual([[0x11], [0]]);
  });

  test('A56 with the cache off every write is durable, and so is what was cached before', () => {
    const rig = lossyRig();
    rig.write(0, 1, 0x11);
    rig.setWriteCache(false);
    rig.write(1, 1, 0x22);
    rig.setWriteCache(true);
    rig.write(2, 1, 0x33);
    rig.powerCycle();
    expect([0, 1, 2].map((block) => rig.read(block))).toEqual([[0x11], [0x22], [0]]);
  });

  test('N9 deallocation and zeroes are cached like writes', () => {
    const rig = lossyRig();
    rig.write(0, 2, 0x11);
    rig.flush();
    rig.deallocate([[0, 1]]);
    rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(1) });
    expect(rig.read(0, 2)).toEqual([0]);
    rig.powerCycle();
    expect(rig.read(0, 2)).toEqual([0x11]);
  });

  test('N9 the cache is bounded: the oldest writes get durable by themselves', () => {
    const rig = ioRig({ profile: { ...FUNCTIONAL, dirty_bytes: 2 * 512 } });
    for (let block = 0; block < 4; block++) rig.write(block, 1, 0x11);
    rig.powerCycle();
    expect([0, 1, 2, 3].map((block) => rig.read(block))).toEqual([[0x11], [0x11], [0], [0]]);
  });

  test('I15 I17 a completed shutdown loses nothing and is not an unsafe one', () => {
    const rig = lossyRig();
    rig.write(0, 1, 0x11);
    rig.write32(0x14, rig.read32(0x14) | CC.encode({ SHN: 1 }));
    rig.settle();
    rig.powerCycle();
    expect(rig.read(0)).toEqual([0x11]);
    expect(rig.controller.health.unsafeShutdowns).toBe(0);
    rig.powerCycle();
    expect(rig.controller.health.unsafeShutdowns).toBe(1);
  });

  test('N9 a drive with capacitors loses nothing', () => {
    const rig = ioRig();
    rig.write(0, 1, 0x11);
    rig.powerCycle();
    expect(rig.read(0)).toEqual([0x11]);
  });

  test('N5 Flush of all namespaces, of one, of none', () => {
    const rig = ioRig();
    expect([BROADCAST, 1, 0, 2].map((nsid) => rig.flush(nsid))).toEqual([
      'SUCCESS',
      'SUCCESS',
      'INVALID_NAMESPACE_OR_FORMAT',
      'INVALID_FIELD',
    ]);
    expect(rig.status({ opcode: NVM.FLUSH, cdw10: 1 })).toBe('INVALID_FIELD');
  });
});

describe('other commands', () => {
  test('N30 Compare', () => {
    const rig = ioRig();
    rig.write(8, 4, 0x11);
    expect(rig.compare(8, 4, 0x11)).toBe('SUCCESS');
    expect(rig.compare(8, 5, 0x11)).toBe('COMPARE_FAILURE');
    expect(rig.compare(8, 1, 0x11, { cdw12: 1 << 29 })).toBe('INVALID_FIELD');
  });

  test('N34 Write Zeroes: blocks read as zeroes, with and without DEAC, up to 65536 blocks', () => {
    const rig = ioRig({ namespaces: [{ nsid: 1, bytes: 48 * MIB, block_bytes: 512 }] });
    rig.write(0, 8, 0x11);
    rig.write(65_535, 2, 0x11);
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(1, 2) })).toBe('SUCCESS');
    expect(rig.read(1, 2)).toEqual([0]);
    expect([rig.read(0), rig.read(3)]).toEqual([[0x11], [0x11]]);
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(0, 65_536, 1 << 25) })).toBe('SUCCESS');
    expect([rig.read(0, 8), rig.read(65_535), rig.read(65_536)]).toEqual([[0], [0], [0x11]]);
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(96 * 1024, 2) })).toBe('LBA_OUT_OF_RANGE');
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, cdw12: 1 << 23 })).toBe('INVALID_FIELD');
  });

  test('N35 Write Uncorrectable: reads fail until the block is written', () => {
    const rig = ioRig();
    const mark = (first: number, count: number) =>
      rig.status({ opcode: NVM.WRITE_UNCORRECTABLE, ...rig.at(first, count) });
    expect(mark(4, 4)).toBe('SUCCESS');
    expect(rig.read(0, 5)).toBe('UNRECOVERED_READ_ERROR');
    expect(rig.compare(7, 1, 0)).toBe('UNRECOVERED_READ_ERROR');
    expect([rig.read(0, 4), rig.read(8)]).toEqual([[0], [0]]);
    rig.write(4, 1, 0x11);
    rig.deallocate([[6, 1]]);
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(7) })).toBe('SUCCESS');
    expect([4, 5, 6, 7].map((block) => rig.read(block))).toEqual([
      [0x11],
      'UNRECOVERED_READ_ERROR',
      [0],
      [0],
    ]);
    rig.write(5, 1, 0x22);
    expect(rig.read(5)).toEqual([0x22]);
  });

  test('N36 Verify finds marked blocks, moves nothing and has no size limit', () => {
    const rig = ioRig();
    rig.status({ opcode: NVM.WRITE_UNCORRECTABLE, ...rig.at(30_000) });
    const verify = (first: number, count: number) =>
      rig.status({ opcode: NVM.VERIFY, ...rig.at(first, count) });
    expect(verify(0, 30_000)).toBe('SUCCESS');
    expect(verify(0, 30_001)).toBe('UNRECOVERED_READ_ERROR');
    expect(verify(BLOCKS - 1, 2)).toBe('LBA_OUT_OF_RANGE');
  });

  test('N37 Dataset Management deallocates every range; deallocated blocks read as zeroes (DLFEAT)', () => {
    const rig = ioRig();
    rig.write(0, 1024, 0x11);
    const ranges = Array.from({ length: 256 }, (_, index) => [index * 4, 2] as const);
    expect(rig.deallocate(ranges)).toBe('SUCCESS');
    for (const block of [0, 1, 1020, 1021]) expect(rig.read(block)).toEqual([0]);
    for (const block of [2, 3, 1022, 1023]) expect(rig.read(block)).toEqual([0x11]);
    expect(rig.deallocate([[2, 1]], 0)).toBe('SUCCESS');
    expect(rig.deallocate([[2, 0]])).toBe('SUCCESS');
    expect(rig.read(2)).toEqual([0x11]);
    expect(rig.deallocate([[2, 1]], 8)).toBe('INVALID_FIELD');
  });

  test('N38 one range beyond the end: none is deallocated', () => {
    const rig = ioRig();
    rig.write(0, 1, 0x11);
    const ranges = [
      [0, 1],
      [BLOCKS - 1, 2],
    ] as const;
    expect(rig.deallocate(ranges)).toBe('LBA_OUT_OF_RANGE');
    expect(rig.read(0)).toEqual([0x11]);
  });

  test('N48 N49 a full queue of commands, each completed once, CID FFFFh among them', () => {
    const rig = ioRig({ timed: true });
    const cids = Array.from({ length: 63 }, (_, index) => (index === 62 ? 0xffff : index));
    const prp1 = rig.allocate();
    for (const cid of cids) rig.post(1, { opcode: NVM.READ, nsid: 1, cid, cdw10: cid & 0xff, prp1 });
    rig.ring(1);
    const done = rig.reapAll(1);
    expect(done.map(({ cid }) => cid).toSorted((a, b) => a - b)).toEqual(cids);
    expect(done.every(({ status }) => status === STATUS.SUCCESS)).toBe(true);
  });

  test('blocks of 8 KiB are written whole or not at all', () => {
    const rig = ioRig({ namespaces: [{ nsid: 1, bytes: MIB, block_bytes: 8192 }] });
    rig.write(0, 2, 0x11);
    const data = rig.filled(4 * PAGE, 0x22);
    rig.blocked.add(data / PAGE + 1);
    const entry = { opcode: NVM.WRITE, ...rig.at(0, 2), ...rig.prps(data, 4 * PAGE) };
    expect(rig.status(entry)).toBe('DATA_TRANSFER_ERROR');
    expect([rig.read(0), rig.read(1)]).toEqual([[0x11], [0x11]]);
  });
});

/**
 * DMA of the controller that is refused: submission entries, PRP lists, SGLs, data, metadata, completions. Group T of
 * the conformance cases where it is the controller's: what the host is told, and that nothing else is touched.
 * The same through an IOMMU, with its faults and interrupts: test/e2e/dma-faults.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { GENERIC } from '../../nvme/profile.ts';
import { ADMIN, NVM, SGL_TYPE } from '../../nvme/spec/commands.ts';
import { CSTS, REG } from '../../nvme/spec/registers.ts';
import { CQE_STATUS, STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { type HarnessOptions, PAGE } from './harness.ts';
import { FUA, type IoRig, ioRig, lossyProfile } from './io-rig.ts';

const NO_COMMAND = 0xffff;
/** DW0 of an Asynchronous Event Request: error, persistent internal error, log page 01h. */
const PERSISTENT_ERROR = 0x0001_0300;
const isFatal = (rig: IoRig): boolean => CSTS.CFS.get(rig.read32(REG.CSTS)) === 1;

/** Page numbers of RAM whose bytes change while `action` runs. */
function touched(rig: IoRig, action: () => void): number[] {
  const before = rig.memory.u8.slice(0, RAM_PAGES * PAGE);
  action();
  const pages = Array.from({ length: RAM_PAGES }, (_, page) => page);
  return pages.filter(
    (page) =>
      Buffer.compare(rig.bytes(page * PAGE, PAGE), before.subarray(page * PAGE, (page + 1) * PAGE)) !== 0,
  );
}

/** More than these tests allocate. */
const RAM_PAGES = 4096;

describe.each<[string, HarnessOptions]>([
  ['functional', {}],
  ['timed', { timed: true }],
])('%s: a command whose DMA is refused', (_, options) => {
  interface Refused {
    readonly entry: Entry;
    /** The page that cannot be reached. */
    readonly page: number;
    /** Pages that may change besides the completion queue's. */
    readonly data: readonly number[];
  }
  const cases: readonly (readonly [string, (rig: IoRig) => Refused])[] = [
    [
      'N16 data of a Read',
      (rig) => {
        const prp1 = rig.allocate();
        return { entry: { opcode: NVM.READ, prp1 }, page: prp1 / PAGE, data: [] };
      },
    ],
    [
      'N15 data of a Read, in the middle: what came before may have arrived',
      (rig) => {
        const data = rig.allocate(4);
        const entry = { opcode: NVM.READ, ...rig.at(0, 32), ...rig.prps(data, 4 * PAGE) };
        return { entry, page: data / PAGE + 2, data: [data / PAGE, data / PAGE + 1] };
      },
    ],
    [
      'N15 data of a Write',
      (rig) => {
        const data = rig.filled(4 * PAGE, 0x22);
        const entry = { opcode: NVM.WRITE, ...rig.at(0, 32), ...rig.prps(data, 4 * PAGE) };
        return { entry, page: data / PAGE + 2, data: [] };
      },
    ],
    [
      'N14 a PRP list',
      (rig) => {
        const data = rig.allocate(4);
        const entry = { opcode: NVM.READ, ...rig.at(0, 32), ...rig.prps(data, 4 * PAGE) };
        return { entry, page: entry.prp2 / PAGE, data: [] };
      },
    ],
    [
      'T4 an SGL segment',
      (rig) => {
        const pieces = [[rig.allocate(), 512]] as const;
        const entry = { opcode: NVM.READ, ...rig.pieces(pieces) };
        return { entry, page: entry.prp1! / PAGE, data: [] };
      },
    ],
    [
      'T4 data of an SGL',
      (rig) => {
        const at = rig.allocate();
        const entry = {
          opcode: NVM.READ,
          ...rig.sgl({ type: SGL_TYPE.DATA_BLOCK, address: at, length: 512 }),
        };
        return { entry, page: at / PAGE, data: [] };
      },
    ],
    [
      'T4 ranges of Dataset Management',
      (rig) => {
        const prp1 = rig.allocate();
        return { entry: { opcode: NVM.DATASET_MANAGEMENT, prp1, cdw11: 4 }, page: prp1 / PAGE, data: [] };
      },
    ],
    [
      'T4 data of a Compare',
      (rig) => {
        const prp1 = rig.allocate();
        return { entry: { opcode: NVM.COMPARE, prp1 }, page: prp1 / PAGE, data: [] };
      },
    ],
  ];

  test.each(cases)('%s: Data Transfer Error, logged, and nothing else touched', (_, prepare) => {
    const rig = ioRig(options);
    rig.write(0, 32, 0x11);
    const { entry, page, data } = prepare(rig);
    const cid = rig.post(1, { nsid: 1, ...entry });
    rig.blocked.add(page);
    const pages = touched(rig, () => rig.ring(1));
    rig.blocked.clear();
    const [completion] = rig.reapAll(1);
    expect(completion).toMatchObject({ cid, status: STATUS.DATA_TRANSFER_ERROR, dnr: false });
    const isAllowed = (each: number) => each === rig.cqPage(1) || data.includes(each);
    expect(pages.filter((each) => !isAllowed(each))).toEqual([]);
    expect(isFatal(rig)).toBe(false);
    const [error] = rig.errors();
    expect(error).toMatchObject({ SQID: 1, CID: cid, NSID: 1, OPC: entry.opcode, ERROR_COUNT: 1n });
    expect(statusName((error!.STATUS >>> CQE_STATUS.SC.low) & 0x7ff)).toBe('DATA_TRANSFER_ERROR');
    for (let block = 0; block < 32; block++) expect(rig.read(block)).toHaveLength(1);
    expect(rig.write(0, 32, 0x33)).toBe('SUCCESS');
  });

  test('T4 an address where nothing answers: Data Transfer Error', () => {
    const rig = ioRig(options);
    for (const prp1 of [0x0f00_0000_0000, 0xfe80_0000_0000]) {
      expect(rig.io({ opcode: NVM.READ, prp1 })).toMatchObject({
        status: STATUS.DATA_TRANSFER_ERROR,
        dnr: false,
      });
    }
    expect(rig.status({ opcode: NVM.READ, prp1: rig.allocate() })).toBe('SUCCESS');
  });

  test('an admin command: Data Transfer Error, and the queue goes on', () => {
    const rig = ioRig(options);
    const prp1 = rig.allocate();
    rig.blocked.add(prp1 / PAGE);
    const entry = { opcode: ADMIN.IDENTIFY, prp1, cdw10: 1 };
    expect(rig.submitAdmin(entry)).toMatchObject({ status: STATUS.DATA_TRANSFER_ERROR, dnr: false });
    rig.blocked.clear();
    expect(rig.submitAdmin(entry).status).toBe(STATUS.SUCCESS);
    expect(rig.errors()[0]).toMatchObject({ SQID: 0, OPC: ADMIN.IDENTIFY });
  });
});

describe.each<[string, HarnessOptions]>([
  ['functional', {}],
  ['timed', { timed: true }],
])('%s: a queue whose memory is refused', (_, options) => {
  /** A rig with an outstanding Asynchronous Event Request. */
  const waiting = (): IoRig => {
    const rig = ioRig(options);
    rig.post(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    rig.ring(0);
    return rig;
  };

  test('T1 submission entries: CFS, an error log entry, an event, and no command is executed', () => {
    const rig = waiting();
    rig.write(0, 1, 0x11);
    const prp1 = rig.filled(512, 0x22);
    rig.post(1, { opcode: NVM.WRITE, nsid: 1, prp1 });
    rig.blocked.add(rig.sqPage(1));
    const pages = touched(rig, () => rig.ring(1));
    expect(isFatal(rig)).toBe(true);
    expect(pages).toEqual([rig.cqPage(0)]);
    expect(rig.reapAll(0)).toMatchObject([{ status: STATUS.SUCCESS, dw0: PERSISTENT_ERROR }]);
    expect(rig.reapAll(1)).toEqual([]);
    expect(rig.controller.health.rejections.at(-1)).toBe(
      'fatal: entry 1 of submission queue 1 cannot be read: the IOMMU blocked the request (Base 2.1 §3.1.4.6)',
    );
    rig.blocked.clear();
    rig.disable();
    rig.start();
    expect(rig.errors()[0]).toMatchObject({ SQID: NO_COMMAND, CID: NO_COMMAND });
    expect(rig.read(0)).toEqual([0x11]);
  });

  test('T2 completions: CFS, an event, no entry anywhere; the effect of the command stays', () => {
    const rig = waiting();
    const prp1 = rig.filled(512, 0x22);
    rig.post(1, { opcode: NVM.WRITE, nsid: 1, prp1 });
    rig.blocked.add(rig.cqPage(1));
    const pages = touched(rig, () => rig.ring(1));
    expect([isFatal(rig), pages]).toEqual([true, [rig.cqPage(0)]]);
    expect(rig.reapAll(0)).toMatchObject([{ dw0: PERSISTENT_ERROR }]);
    rig.blocked.clear();
    rig.disable();
    rig.start();
    expect(rig.read(0)).toEqual([0x22]);
  });

  /** Completion queue 2 has two pages of entries; submission queue 2 does not end inside the four, which would halve the burst. */
  test.each([
    { tail: 254, page: 1, written: 2, lost: 256 },
    { tail: 254, page: 0, written: 0, lost: 254 },
    { tail: 510, page: 0, written: 2, lost: 0 },
    { tail: 510, page: 1, written: 0, lost: 510 },
  ])('T2 four completions from entry $tail on without page $page: $written, one by one or at once', (row) => {
    for (const isBurst of [false, true]) {
      const rig = waiting();
      rig.createCq(2, 512);
      rig.createSq(2, 300, 2);
      const prp1 = rig.allocate();
      for (let entry = 0; entry < row.tail; entry++) rig.submit(2, 2, { opcode: NVM.READ, nsid: 1, prp1 });
      rig.blocked.add(rig.cqPage(2) + row.page);
      const pages = touched(rig, () => {
        for (let command = 0; command < 4; command++) {
          rig.post(2, { opcode: NVM.READ, nsid: 1, prp1 });
          if (!isBurst) rig.ring(2);
        }
        rig.ring(2);
      });
      const written = rig.cqPage(2) + (1 - row.page);
      expect(pages.includes(written), 'entries in the other page').toBe(row.written > 0);
      expect([isFatal(rig), rig.reapAll(2).length]).toEqual([true, row.written]);
      expect(rig.controller.health.rejections.at(-1)).toContain(
        `entry ${row.lost} of completion queue 2 cannot be written`,
      );
    }
  });

  test('T1 T2 of the admin queue: CFS; without its completion queue nobody can be told', () => {
    for (const queue of ['sqPage', 'cqPage'] as const) {
      const rig = waiting();
      rig.post(0, { opcode: ADMIN.ABORT, cdw10: 1 });
      rig.blocked.add(rig[queue](0));
      const pages = touched(rig, () => rig.ring(0));
      expect([isFatal(rig), pages]).toEqual([true, queue === 'sqPage' ? [rig.cqPage(0)] : []]);
    }
  });

  test('I21 CFS goes with a reset, and everything works again', () => {
    const rig = ioRig(options);
    rig.post(1, { opcode: NVM.FLUSH, nsid: 1 });
    rig.blocked.add(rig.sqPage(1));
    rig.ring(1);
    rig.ring(1);
    expect(rig.reapAll(1)).toEqual([]);
    rig.blocked.clear();
    rig.disable();
    expect(isFatal(rig)).toBe(false);
    rig.start();
    expect(rig.flush()).toBe('SUCCESS');
  });
});

describe('while commands are in flight', () => {
  test('T3 a page that goes away before its data arrive: 0:04, and the page is not written', () => {
    const rig = ioRig({ timed: true });
    rig.write(0, 1, 0x11);
    const gone = rig.filled(PAGE, 0xee);
    const stays = rig.filled(PAGE, 0xee);
    for (const prp1 of [gone, stays]) rig.post(1, { opcode: NVM.READ, nsid: 1, prp1 });
    rig.ringTail(1, 3);
    rig.clock.advance(3000);
    rig.blocked.add(gone / PAGE);
    rig.settle();
    rig.blocked.clear();
    const byCid = rig.reapAll(1).toSorted((a, b) => a.cid - b.cid);
    expect(byCid.map(({ status }) => statusName(status))).toEqual(['DATA_TRANSFER_ERROR', 'SUCCESS']);
    expect([rig.bytes(gone, 1)[0], rig.bytes(stays, 1)[0]]).toEqual([0xee, 0x11]);
  });

  test('I20 T13 resets at any moment under 63 commands: nothing arrives afterwards, and all works again', () => {
    const rig = ioRig({ timed: true });
    const target = rig.filled(PAGE, 0);
    for (let round = 0; round < 250; round++) {
      for (let index = 0; index < 63; index++) {
        const opcode = index % 3 === 0 ? NVM.WRITE : NVM.READ;
        rig.post(1, { opcode, nsid: 1, ...rig.at(index), prp1: target });
      }
      rig.ringTail(1, 63);
      rig.clock.advance(round * 120);
      rig.disable();
      const pages = touchedOf(rig, target, () => rig.settle());
      expect(pages).toBe(false);
      rig.start();
    }
    expect(rig.write(0, 1, 0x11)).toBe('SUCCESS');
    expect(rig.read(0)).toEqual([0x11]);
  });

  test('T14 a function level reset: no completion, registers as after power-on, and all works again', () => {
    const rig = ioRig({ timed: true });
    const prp1 = rig.allocate();
    for (let index = 0; index < 63; index++) rig.post(1, { opcode: NVM.READ, nsid: 1, prp1 });
    rig.ringTail(1, 63);
    rig.clock.advance(5000);
    rig.functionReset();
    rig.settle();
    rig.configure();
    expect([rig.read32(REG.CC), rig.read32(REG.CSTS), rig.read32(REG.AQA)]).toEqual([0, 0, 0]);
    rig.start();
    expect(rig.write(0, 1, 0x11)).toBe('SUCCESS');
  });

  test('T17 N42 a power cut at any DMA: flushed and FUA writes stay, every block is whole (AWUPF 0)', () => {
    for (let cut = 1; cut < 60; cut += 3) {
      const rig = ioRig({ profile: { ...lossyProfile, timing: GENERIC.timing }, timed: true });
      rig.write(0, 16, 0x11);
      rig.flush();
      const before = rig.requests;
      const data = rig.filled(8 * 512, 0x22);
      const durable = new Set<number>();
      const forced = new Map<number, number>();
      for (let index = 0; index < 16; index += 2) {
        const isForced = index % 4 === 0;
        const entry = { opcode: NVM.WRITE, nsid: 1, ...rig.at(index, 2, isForced ? FUA : 0), prp1: data };
        const cid = rig.post(1, entry);
        if (isForced) forced.set(cid, index);
      }
      rig.ringTail(1, rig.tail(1));
      while (rig.requests < before + cut && rig.clock.step());
      for (const { cid, status } of rig.reapAll(1)) {
        const first = forced.get(cid);
        if (first !== undefined && status === STATUS.SUCCESS) durable.add(first).add(first + 1);
      }
      rig.powerCycle();
      for (let block = 0; block < 16; block++) {
        const found = rig.read(block) as number[];
        expect(found).toHaveLength(1);
        expect([0x11, 0x22]).toContain(found[0]);
        if (durable.has(block)) expect(found).toEqual([0x22]);
      }
    }
  });

  test('N41 writes of the same blocks at one time: a read sees one of them, whole (AWUN FFFFh)', () => {
    const rig = ioRig({ timed: true });
    const pages = [0x11, 0x22, 0x33].map((byte) => rig.filled(64 * 512, byte));
    const target = rig.filled(64 * 512, 0);
    for (let round = 0; round < 10; round++) {
      for (const data of pages)
        rig.post(1, { opcode: NVM.WRITE, nsid: 1, ...rig.at(0, 64), ...rig.prps(data, 64 * 512) });
      rig.post(1, { opcode: NVM.READ, nsid: 1, ...rig.at(0, 64), ...rig.prps(target, 64 * 512) });
      rig.ring(1);
      expect(new Set(rig.statuses())).toEqual(new Set(['SUCCESS']));
      if (round > 0) expect(new Set(rig.bytes(target, 64 * 512)).size).toBe(1);
      expect(rig.read(0, 64)).toHaveLength(1);
    }
  });
});

/** Whether `action` changes the page at `address` or the completion queue. */
function touchedOf(rig: IoRig, address: number, action: () => void): boolean {
  const pages = [address, rig.cqPage(1) * PAGE];
  const before = pages.map((page) => Buffer.from(rig.bytes(page, PAGE)));
  action();
  return pages.some((page, index) => Buffer.compare(before[index]!, rig.bytes(page, PAGE)) !== 0);
}

/** Create and Delete of I/O queues, and doorbells: groups Q and D of the conformance cases (Base 2.1 §5.2, §3.1). */
import { describe, expect, test } from 'vitest';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CC } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness, PAGE, ROOMY, ready } from './harness.ts';

const BASE = 0x20_0000;
const size = (qid: number, entries: number) => (qid | ((entries - 1) << 16)) >>> 0;
const createCq = (entry: Partial<Entry> = {}): Entry => ({
  opcode: ADMIN.CREATE_CQ,
  prp1: BASE,
  cdw10: size(1, 16),
  cdw11: 1,
  ...entry,
});
const createSq = (entry: Partial<Entry> = {}): Entry => ({
  opcode: ADMIN.CREATE_SQ,
  prp1: BASE,
  cdw10: size(1, 16),
  cdw11: 0x1_0001,
  ...entry,
});
const deleteSq = (qid: number): Entry => ({ opcode: ADMIN.DELETE_SQ, cdw10: qid });
const deleteCq = (qid: number): Entry => ({ opcode: ADMIN.DELETE_CQ, cdw10: qid });

/** An enabled controller with one queue pair and a page to read into. */
function pair(entries = 8, options = {}): { harness: Harness; read: (cid?: number) => Entry } {
  const harness = ready(options);
  expect(harness.createCq(1, entries).status).toBe(STATUS.SUCCESS);
  expect(harness.createSq(1, entries, 1).status).toBe(STATUS.SUCCESS);
  const prp1 = harness.allocate();
  return {
    harness,
    read: (cid) => ({ opcode: NVM.READ, nsid: 1, prp1, ...(cid === undefined ? {} : { cid }) }),
  };
}

describe('Create I/O Completion Queue', () => {
  test.each<[string, Partial<Entry>, number, string]>([
    ['Q4', {}, STATUS.SUCCESS, 'as it should be'],
    ['Q5', { cdw10: size(0, 16) }, STATUS.INVALID_QUEUE_IDENTIFIER, 'the admin queue'],
    ['Q6', { cdw10: size(65, 16) }, STATUS.INVALID_QUEUE_IDENTIFIER, 'more than granted'],
    ['Q8', { cdw10: size(1, 1) }, STATUS.INVALID_QUEUE_SIZE, 'one entry'],
    ['Q9', { cdw10: size(1, 4097) }, STATUS.INVALID_QUEUE_SIZE, 'more than MQES'],
    ['Q9', { cdw10: size(1, 4096) }, STATUS.SUCCESS, 'exactly MQES'],
    ['Q10', { cdw11: 0 }, STATUS.INVALID_FIELD, 'not contiguous'],
    ['Q11', { prp1: BASE + 0x800 }, STATUS.PRP_OFFSET_INVALID, 'not at a page'],
    ['Q12', { prp1: 0 }, STATUS.SUCCESS, 'address 0 is an address'],
    ['Q13', { cdw11: 1 | (65 << 16) }, STATUS.INVALID_INTERRUPT_VECTOR, 'beyond the table'],
    ['Q13', { cdw11: 1 | (64 << 16) }, STATUS.SUCCESS, 'the last vector'],
  ])('%s %o: %i, %s', (_, entry: Partial<Entry>, status) => {
    const harness = ready();
    harness.enableMsix(1);
    const completion = harness.submitAdmin(createCq(entry));
    expect([statusName(completion.status), completion.dnr]).toEqual([
      statusName(status),
      status !== STATUS.SUCCESS,
    ]);
  });

  test('Q7 the same identifier twice', () => {
    const harness = ready();
    harness.submitAdmin(createCq());
    expect(statusName(harness.submitAdmin(createCq()).status)).toBe('INVALID_QUEUE_IDENTIFIER');
  });

  test('I8 entry sizes of CC other than 4 and 6', () => {
    const harness = ready();
    harness.disable();
    harness.enable({ cc: CC.encode({ EN: 1 }) });
    expect(statusName(harness.submitAdmin(createCq()).status)).toBe('INVALID_QUEUE_SIZE');
    expect(statusName(harness.submitAdmin(createSq()).status)).toBe('INVALID_QUEUE_SIZE');
  });

  test('a page is what CC.MPS says', () => {
    const harness = ready();
    harness.disable();
    harness.pages.allocate(16);
    const cc = CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4, MPS: 1 });
    while ((harness.allocate() & (2 * PAGE - 1)) !== PAGE);
    harness.enable({ cc, asqs: 128, acqs: 512 });
    expect(statusName(harness.submitAdmin(createCq({ prp1: BASE + PAGE })).status)).toBe(
      'PRP_OFFSET_INVALID',
    );
    expect(harness.submitAdmin(createCq()).status).toBe(STATUS.SUCCESS);
  });
});

describe('Create I/O Submission Queue', () => {
  test.each<[string, Partial<Entry>, number, string]>([
    ['Q16', { cdw11: 0x2_0001 }, STATUS.COMPLETION_QUEUE_INVALID, 'its completion queue does not exist'],
    ['Q17', { cdw11: 0x0_0001 }, STATUS.INVALID_QUEUE_IDENTIFIER, 'completing to the admin queue'],
    ['Q18', { cdw11: 0x41_0001 }, STATUS.INVALID_QUEUE_IDENTIFIER, 'completing beyond what is granted'],
    ['Q19', { cdw10: size(0, 16) }, STATUS.INVALID_QUEUE_IDENTIFIER, 'the admin queue'],
    ['Q19', { cdw10: size(65, 16) }, STATUS.INVALID_QUEUE_IDENTIFIER, 'more than granted'],
    ['Q20', { cdw10: size(1, 1) }, STATUS.INVALID_QUEUE_SIZE, 'one entry'],
    ['Q20', { cdw10: size(1, 4097) }, STATUS.INVALID_QUEUE_SIZE, 'more than MQES'],
    ['Q21', { cdw11: 0x1_0000 }, STATUS.INVALID_FIELD, 'not contiguous'],
    ['', { prp1: BASE + 4 }, STATUS.PRP_OFFSET_INVALID, 'not at a page'],
    ['Q22', { cdw11: 0x1_0007 }, STATUS.SUCCESS, 'any priority under round robin'],
  ])('%s %o: %i, %s', (_, entry: Partial<Entry>, status) => {
    const harness = ready();
    harness.submitAdmin(createCq());
    expect(statusName(harness.submitAdmin(createSq(entry)).status)).toBe(statusName(status));
  });

  test('Q19 the same identifier twice; Q9 the qemu personality has 2048 entries', () => {
    const harness = ready({ profile: { ...QEMU, timing: null } });
    harness.submitAdmin(createCq());
    expect(statusName(harness.submitAdmin(createSq({ cdw10: size(1, 2049) })).status)).toBe(
      'INVALID_QUEUE_SIZE',
    );
    expect(harness.submitAdmin(createSq({ cdw10: size(1, 2048) })).status).toBe(STATUS.SUCCESS);
    expect(statusName(harness.submitAdmin(createSq()).status)).toBe('INVALID_QUEUE_IDENTIFIER');
  });
});

describe('Delete', () => {
  test('Q24 Q25 Q26 Q27 order and identifiers', () => {
    const { harness } = pair();
    const status = (entry: Entry) => statusName(harness.submitAdmin(entry).status);
    expect(status(deleteCq(1))).toBe('INVALID_QUEUE_DELETION');
    expect(status(deleteSq(0))).toBe('INVALID_QUEUE_IDENTIFIER');
    expect(status(deleteSq(1))).toBe('SUCCESS');
    expect(status(deleteSq(1))).toBe('INVALID_QUEUE_IDENTIFIER');
    expect(status(deleteCq(0))).toBe('INVALID_QUEUE_IDENTIFIER');
    expect(status(deleteCq(1))).toBe('SUCCESS');
    expect(status(deleteCq(1))).toBe('INVALID_QUEUE_IDENTIFIER');
    expect(status(deleteSq(65_535))).toBe('INVALID_QUEUE_IDENTIFIER');
  });

  test('Q28 Q36 commands in flight complete as aborted before the deletion does, and nothing leaks', () => {
    const { harness, read } = pair(16, { timed: true });
    for (let round = 0; round < 3; round++) {
      for (let cid = 0; cid < 10; cid++) harness.post(1, read(cid));
      const cid = harness.post(0, deleteSq(1));
      harness.ringTail(1, 10);
      harness.clock.advance(1500);
      harness.ring(0);
      expect(harness.reap(0)).toMatchObject({ cid, status: STATUS.SUCCESS });
      const done = harness.reapAll(1);
      expect(new Set(done.map((completion) => completion.cid)).size).toBe(done.length);
      expect(done.some(({ status }) => status === STATUS.ABORTED_SQ_DELETION)).toBe(true);
      expect(harness.submitAdmin(deleteCq(1)).status).toBe(STATUS.SUCCESS);
      expect(harness.createCq(1, 16).status).toBe(STATUS.SUCCESS);
      expect(harness.createSq(1, 16, 1).status).toBe(STATUS.SUCCESS);
    }
    expect(harness.submit(1, 1, read()).status).toBe(STATUS.SUCCESS);
  });

  test('completions that wait in a full queue go with it, and their slots come back', () => {
    const { harness, read } = pair(4, { profile: { ...FUNCTIONAL, commandSlots: 8 } });
    for (let round = 0; round < 10; round++) {
      expect(harness.submitAdmin({ opcode: ADMIN.DELETE_SQ, cdw10: 1 }).status).toBe(STATUS.SUCCESS);
      expect(harness.submitAdmin(deleteCq(1)).status).toBe(STATUS.SUCCESS);
      harness.createCq(1, 2);
      harness.createSq(1, 8, 1);
      for (let i = 0; i < 5; i++) harness.post(1, read());
      harness.ring(1);
    }
    expect(harness.reap(1)).toMatchObject({ status: STATUS.SUCCESS });
  });

  test('nothing of a queue completes after its deletion, also when its completion queue was full (§3.7.3)', () => {
    const { harness, read } = pair(4);
    expect(harness.createSq(2, 8, 1).status).toBe(STATUS.SUCCESS);
    for (let i = 0; i < 5; i++) harness.post(2, read());
    harness.ring(2);
    const cid = harness.post(1, read());
    harness.ring(1);
    expect(harness.submitAdmin(deleteSq(2)).status).toBe(STATUS.SUCCESS);
    const done = harness.reapAll(1);
    expect(done.map(({ sqid, sqhd }) => [sqid, sqhd])).toEqual([
      [2, 5],
      [2, 5],
      [2, 5],
      [1, 1],
    ]);
    expect(done[3]).toMatchObject({ cid, status: STATUS.SUCCESS });
  });

  test('Q29 an identifier used again, with another size, starts afresh', () => {
    const { harness, read } = pair(4);
    for (let i = 0; i < 5; i++) harness.submit(1, 1, read());
    harness.submitAdmin(deleteSq(1));
    harness.submitAdmin(deleteCq(1));
    harness.createCq(1, 32);
    harness.createSq(1, 16, 1);
    expect(harness.submit(1, 1, read())).toMatchObject({ status: STATUS.SUCCESS, sqhd: 1 });
  });
});

describe('queues at work', () => {
  test('Q23 two submission queues complete to one queue, each under its own number', () => {
    const { harness, read } = pair();
    harness.createSq(2, 8, 1);
    harness.post(1, read(1));
    harness.post(2, read(1));
    harness.ring(2);
    harness.ring(1);
    expect(harness.reapAll(1).map(({ sqid, cid }) => [sqid, cid])).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  test('Q30 all 64 pairs move data', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, commandSlots: 128 } });
    const prp1 = harness.allocate();
    for (let qid = 1; qid <= 64; qid++) {
      harness.createCq(qid, 4);
      harness.createSq(qid, 4, qid);
    }
    for (let qid = 64; qid >= 1; qid--) {
      expect(harness.submit(qid, qid, { opcode: NVM.READ, nsid: 1, prp1 })).toMatchObject({
        status: 0,
        sqid: qid,
      });
    }
  });

  test.each([[2], [3], [8]])('Q31 Q32 Q34 Q35 rings of %i entries: phase and SQHD wrap', (entries) => {
    const { harness, read } = pair(entries);
    for (let i = 1; i <= 3 * entries + 1; i++) {
      expect(harness.submit(1, 1, read())).toMatchObject({
        status: STATUS.SUCCESS,
        sqhd: i - Math.floor(i / entries) * entries,
      });
    }
  });

  test('Q33 a full completion queue is never overwritten; what waited comes when there is room', () => {
    const { harness, read } = pair(4);
    harness.createSq(2, 16, 1);
    for (let cid = 0; cid < 10; cid++) harness.post(2, read(cid));
    harness.ring(2);
    const order: number[] = [];
    for (let i = 0; i < 3; i++) order.push(harness.reap(1, false)!.cid);
    expect(harness.reap(1, false)).toBeNull();
    harness.release(1);
    order.push(...harness.reapAll(1).map(({ cid }) => cid));
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('Q15 X6 IEN 0 raises no interrupt, IEN 1 the vector of the queue', () => {
    const harness = ready();
    harness.enableMsix(8);
    harness.createCq(1, 8);
    harness.createCq(2, 8, { ien: 1, vector: 5 });
    harness.createSq(1, 8, 1);
    harness.createSq(2, 8, 2);
    harness.arrived.length = 0;
    const prp1 = harness.allocate();
    for (const qid of [1, 2]) harness.submit(qid, qid, { opcode: NVM.READ, nsid: 1, prp1 });
    expect(harness.arrived).toEqual([5]);
  });
});

describe('doorbells', () => {
  test.each([
    ['D1', 1, false, 8, 'tail beyond the ring'],
    ['D3', 2, false, 0, 'a submission queue that is not there'],
    ['D4', 1, true, 8, 'head beyond the ring'],
    ['D5', 2, true, 0, 'a completion queue that is not there'],
    ['D6', 1, true, 3, 'head past what was posted'],
  ])('%s queue %i, completion %s, value %i is ignored and logged: %s', (_, qid, isCompletion, value) => {
    const { harness, read } = pair();
    if (isCompletion) harness.ringHead(qid, value);
    else harness.ringTail(qid, value);
    expect(harness.controller.health.rejections.at(-1)).toContain(`doorbell of queue ${qid}: ignored`);
    expect(harness.submit(1, 1, read()).status).toBe(STATUS.SUCCESS);
  });

  test('D10 the same tail twice is no command', () => {
    const { harness, read } = pair();
    harness.submit(1, 1, read());
    harness.ring(1);
    expect(harness.reap(1)).toBeNull();
  });

  test('D11 D12 one doorbell for many commands, over the end of the ring', () => {
    const { harness, read } = pair(64);
    for (let i = 0; i < 40; i++) harness.submit(1, 1, read());
    const cids = Array.from({ length: 63 }, () => harness.post(1, read()));
    harness.ring(1);
    expect(harness.reapAll(1).map(({ cid }) => cid)).toEqual(cids);
  });

  test.each([[0], [2], [4]])('D13 doorbells %i: stride of 4 << DSTRD bytes', (doorbellStride) => {
    const profile = { ...FUNCTIONAL, ...ROOMY, doorbellStride };
    const { harness, read } = pair(8, { profile });
    expect(harness.read32(4) & 0xf).toBe(doorbellStride);
    expect(harness.submit(1, 1, read()).status).toBe(STATUS.SUCCESS);
  });
});

/** Fused Compare and Write: cases N31 to N33 and N41 (Base 2.1 §3.4.1; NVM Command Set 1.1 §2.1.2). */
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM, SGL_TYPE } from '../../nvme/spec/commands.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, PAGE } from './harness.ts';
import { type IoRig, ioRig } from './io-rig.ts';

const FIRST = 1;
const SECOND = 2;

interface Pair {
  readonly old: number;
  readonly new: number;
  readonly compare?: Partial<Entry>;
  readonly write?: Partial<Entry>;
}

const data = (rig: IoRig, byte: number, block: number, count: number) => ({
  nsid: 1,
  ...rig.at(block, count),
  ...rig.prps(rig.filled(count * 512, byte), count * 512),
});

/** Posts Compare with `old` and Write with `new` over `count` blocks from `block`. */
function post(rig: IoRig, block: number, count: number, pair: Pair): void {
  const compare = { opcode: NVM.COMPARE, flags: FIRST, ...data(rig, pair.old, block, count) };
  const write = { opcode: NVM.WRITE, flags: SECOND, ...data(rig, pair.new, block, count) };
  rig.post(1, { ...compare, ...pair.compare });
  rig.post(1, { ...write, ...pair.write });
}

/** Rings and returns statuses in the order of the command identifiers. */
function outcome(rig: IoRig): string[] {
  rig.ring(1);
  return rig
    .reapAll(1)
    .toSorted((a, b) => a.cid - b.cid)
    .map(({ status }) => statusName(status));
}

describe.each([[false], [true]])('takes time: %s', (timed) => {
  test('N31 equal: both succeed and the blocks are written', () => {
    const rig = ioRig({ timed });
    rig.write(4, 8, 0x11);
    post(rig, 4, 8, { old: 0x11, new: 0x22 });
    expect(outcome(rig)).toEqual(['SUCCESS', 'SUCCESS']);
    expect(rig.read(4, 8)).toEqual([0x22]);
  });

  test('N32 different: the first is a Compare Failure, the second fails with it, nothing is written', () => {
    const rig = ioRig({ timed });
    post(rig, 4, 1, { old: 0x11, new: 0x22 });
    expect(outcome(rig)).toEqual(['COMPARE_FAILURE', 'ABORTED_FAILED_FUSED']);
    expect(rig.read(4)).toEqual([0]);
  });

  test('N31 two pairs on one block: one after the other', () => {
    const rig = ioRig({ timed });
    post(rig, 0, 1, { old: 0, new: 0x11 });
    post(rig, 0, 1, { old: 0x11, new: 0x22 });
    post(rig, 0, 1, { old: 0x11, new: 0x33 });
    const failed = ['COMPARE_FAILURE', 'ABORTED_FAILED_FUSED'];
    expect(outcome(rig)).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', ...failed]);
    expect(rig.read(0)).toEqual([0x22]);
  });

  test.each<[string, Pair, string[]]>([
    ['other blocks', { old: 0, new: 1, write: { cdw10: 5 } }, ['ABORTED_FAILED_FUSED', 'INVALID_FIELD']],
    ['fewer blocks', { old: 0, new: 1, compare: { cdw12: 1 } }, ['ABORTED_FAILED_FUSED', 'INVALID_FIELD']],
    [
      'a first that cannot be',
      { old: 0, new: 1, compare: { cdw10: 0x8000 } },
      ['LBA_OUT_OF_RANGE', 'ABORTED_FAILED_FUSED'],
    ],
    [
      'a second that cannot be',
      { old: 0, new: 1, write: { cdw12: 1 << 25 } },
      ['ABORTED_FAILED_FUSED', 'INVALID_FIELD'],
    ],
    [
      'Read and Write',
      { old: 0, new: 1, compare: { opcode: NVM.READ } },
      ['INVALID_FIELD', 'ABORTED_FAILED_FUSED'],
    ],
    [
      'Compare and Write Zeroes',
      { old: 0, new: 1, write: { opcode: NVM.WRITE_ZEROES } },
      ['ABORTED_FAILED_FUSED', 'INVALID_FIELD'],
    ],
    [
      'a first whose data cannot be read',
      { old: 0, new: 1, compare: { prp1: 0x50_0000 } },
      ['DATA_TRANSFER_ERROR', 'ABORTED_FAILED_FUSED'],
    ],
    [
      'a second whose data cannot be read',
      { old: 0, new: 1, write: { prp1: 0x50_0000 } },
      ['ABORTED_FAILED_FUSED', 'DATA_TRANSFER_ERROR'],
    ],
    [
      'a second with a bad PRP',
      { old: 0, new: 1, write: { prp1: 0x60_0001 } },
      ['ABORTED_FAILED_FUSED', 'PRP_OFFSET_INVALID'],
    ],
  ])('N33 %s: neither has an effect', (_, pair, statuses) => {
    const rig = ioRig({ timed });
    rig.blocked.add(0x500);
    post(rig, 0, 1, pair);
    expect(outcome(rig)).toEqual(statuses);
    expect(rig.read(0, 8)).toEqual([0]);
  });

  test('N33 a first without its second, a second without its first', () => {
    const rig = ioRig({ timed });
    const prp1 = rig.allocate();
    rig.post(1, { opcode: NVM.COMPARE, flags: FIRST, nsid: 1, prp1 });
    rig.post(1, { opcode: NVM.READ, nsid: 1, prp1 });
    rig.post(1, { opcode: NVM.WRITE, flags: SECOND, nsid: 1, prp1 });
    rig.post(1, { opcode: NVM.COMPARE, flags: FIRST, nsid: 1, prp1 });
    rig.post(1, { opcode: NVM.COMPARE, flags: FIRST, nsid: 1, prp1 });
    rig.post(1, { opcode: NVM.WRITE, flags: SECOND, nsid: 1, prp1 });
    expect(outcome(rig)).toEqual([
      'ABORTED_MISSING_FUSED',
      'SUCCESS',
      'ABORTED_MISSING_FUSED',
      'ABORTED_MISSING_FUSED',
      'SUCCESS',
      'SUCCESS',
    ]);
  });
});

test('N31 the halves may come with two doorbells, and other queues go on meanwhile', () => {
  const rig = ioRig();
  rig.createCq(2, 8);
  rig.createSq(2, 8, 2);
  const prp1 = rig.allocate();
  rig.post(1, { opcode: NVM.COMPARE, flags: FIRST, nsid: 1, prp1 });
  rig.ring(1);
  expect(rig.reap(1)).toBeNull();
  expect(rig.submit(2, 2, { opcode: NVM.READ, nsid: 1, prp1 }).status).toBe(STATUS.SUCCESS);
  rig.post(1, { opcode: NVM.WRITE, flags: SECOND, nsid: 1, prp1 });
  expect(outcome(rig)).toEqual(['SUCCESS', 'SUCCESS']);
});

test('N31 with SGLs', () => {
  const rig = ioRig();
  const block = (byte: number) =>
    rig.sgl({ type: SGL_TYPE.DATA_BLOCK, address: rig.filled(512, byte), length: 512 });
  const compare = { ...block(0), flags: 0x40 | FIRST };
  const write = { ...block(0x44), flags: 0x40 | SECOND };
  post(rig, 3, 1, { old: 0, new: 0, compare, write });
  expect(outcome(rig)).toEqual(['SUCCESS', 'SUCCESS']);
  expect(rig.read(3)).toEqual([0x44]);
});

test('N41 more blocks than ACWU', () => {
  const rig = ioRig({ profile: { ...FUNCTIONAL, compareAndWriteBlocks: 8 } });
  post(rig, 0, 9, { old: 0, new: 1 });
  post(rig, 0, 8, { old: 0, new: 1 });
  const exceeded = ['ABORTED_FAILED_FUSED', 'ATOMIC_WRITE_UNIT_EXCEEDED'];
  expect(outcome(rig)).toEqual([...exceeded, 'SUCCESS', 'SUCCESS']);
});

test('a controller that fuses nothing refuses both halves', () => {
  const rig = ioRig({ profile: { ...FUNCTIONAL, compareAndWriteBlocks: 0 } });
  post(rig, 0, 1, { old: 0, new: 1 });
  expect(outcome(rig)).toEqual(['INVALID_FIELD', 'ABORTED_FAILED_FUSED']);
});

describe('a pair on its way', () => {
  const waiting = () => {
    const rig = ioRig();
    rig.post(1, { opcode: NVM.COMPARE, flags: FIRST, nsid: 1, cid: 7, prp1: rig.allocate() });
    rig.ring(1);
    return rig;
  };

  test('Abort takes a waiting first half; its second then stands alone', () => {
    const rig = waiting();
    expect(rig.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 1 | (7 << 16) }).dw0).toBe(0);
    expect(rig.reap(1)).toMatchObject({ cid: 7, status: STATUS.COMMAND_ABORT_REQUESTED });
    rig.post(1, { opcode: NVM.WRITE, flags: SECOND, nsid: 1, prp1: rig.allocate() });
    expect(outcome(rig)).toEqual(['ABORTED_MISSING_FUSED']);
  });

  test('Abort of either half in progress takes both', () => {
    const rig = ioRig({ timed: true });
    post(rig, 0, 1, { old: 0, new: 1, compare: { cid: 7 }, write: { cid: 8 } });
    rig.ringTail(1, 2);
    rig.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 1 | (8 << 16) });
    expect(rig.reapAll(1).map(({ cid, status }) => [cid, statusName(status)])).toEqual([
      [7, 'ABORTED_FAILED_FUSED'],
      [8, 'COMMAND_ABORT_REQUESTED'],
    ]);
    expect(rig.read(0)).toEqual([0]);
  });

  test('deleting the queue and resetting the controller leave nothing behind', () => {
    for (const end of [
      (rig: IoRig) => rig.submitAdmin({ opcode: ADMIN.DELETE_SQ, cdw10: 1 }),
      (rig: IoRig) => rig.disable(),
    ]) {
      const rig = waiting();
      end(rig);
      rig.disable();
      rig.start();
      rig.post(1, { opcode: NVM.WRITE, flags: SECOND, nsid: 1, prp1: rig.allocate() });
      expect(outcome(rig)).toEqual(['ABORTED_MISSING_FUSED']);
      expect(rig.write(0, PAGE / 512, 1)).toBe('SUCCESS');
    }
  });
});

/** Copy: case N40 (NVM Command Set 1.1 §3.3). */
import { expect, test } from 'vitest';
import { COPY_RANGE_SHORT, NVM } from '../../nvme/spec/commands.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Completion, Entry } from './entry.ts';
import { FUA, type IoRig, ioRig, lossyRig } from './io-rig.ts';

const BLOCKS = 32_768;
type Range = readonly [first: number, count: number];

function copy(rig: IoRig, to: number, ranges: readonly Range[], entry: Partial<Entry> = {}): Completion {
  const buffer = rig.allocate(2);
  ranges.forEach(([first, count], index) => {
    const at = index * COPY_RANGE_SHORT.SIZE;
    COPY_RANGE_SHORT.set(rig.view(buffer), at, 'SLBA', BigInt(first));
    COPY_RANGE_SHORT.set(rig.view(buffer), at, 'NLB', count - 1);
  });
  const place = { cdw10: to, cdw12: (ranges.length - 1) & 0xff };
  return rig.io({ opcode: NVM.COPY, ...place, ...rig.prps(buffer, ranges.length * 32), ...entry });
}

const ofBlocks = (count: number, from = 0): Range[] =>
  Array.from({ length: count }, (_, index) => [from + index, 1]);

test('N40 ranges land one behind the other', () => {
  const rig = ioRig();
  rig.write(0, 1, 0x11);
  rig.write(10, 3, 0x22);
  rig.write(99, 1, 0x99);
  expect(
    copy(rig, 100, [
      [10, 2],
      [0, 1],
      [5, 1],
    ]).status,
  ).toBe(STATUS.SUCCESS);
  expect([99, 100, 101, 102, 103].map((block) => rig.read(block))).toEqual([
    [0x99],
    [0x22],
    [0x22],
    [0x11],
    [0],
  ]);
});

test('N40 as much as the limits allow', () => {
  const rig = ioRig();
  rig.write(0, 1024, 0x11);
  const ranges = Array.from({ length: 8 }, () => [0, 1024] as const);
  expect(copy(rig, 2048, ranges).status).toBe(STATUS.SUCCESS);
  expect(rig.read(2048 + 8191)).toEqual([0x11]);
  expect(copy(rig, 2048, ofBlocks(128)).status).toBe(STATUS.SUCCESS);
});

test.each<[string, number, readonly Range[], Partial<Entry>, keyof typeof STATUS, number]>([
  ['more ranges than MSRC', 9000, ofBlocks(129), {}, 'COMMAND_SIZE_LIMIT_EXCEEDED', 0],
  [
    'a range above MSSRL',
    9000,
    [
      [0, 1],
      [0, 1025],
    ],
    {},
    'COMMAND_SIZE_LIMIT_EXCEEDED',
    1,
  ],
  ['together above MCL', 9000, Array(9).fill([0, 1024]), {}, 'COMMAND_SIZE_LIMIT_EXCEEDED', 0],
  [
    'a source beyond the end',
    0,
    [
      [9, 1],
      [BLOCKS - 1, 2],
    ],
    {},
    'LBA_OUT_OF_RANGE',
    1,
  ],
  ['a destination beyond the end', BLOCKS - 1, ofBlocks(2), {}, 'LBA_OUT_OF_RANGE', 0],
  [
    'a source in the destination',
    10,
    [
      [0, 1],
      [10, 1],
    ],
    {},
    'OVERLAPPING_IO_RANGE',
    1,
  ],
  [
    'a destination that reaches into a source',
    8,
    [
      [0, 2],
      [9, 1],
    ],
    {},
    'OVERLAPPING_IO_RANGE',
    1,
  ],
  ['descriptors with a namespace', 0, ofBlocks(1, 9), { cdw12: 2 << 8 }, 'INVALID_FIELD', 0],
  ['descriptors for a wide guard', 0, ofBlocks(1, 9), { cdw12: 1 << 8 }, 'INVALID_FIELD', 0],
  ['a directive type', 0, ofBlocks(1, 9), { cdw12: 1 << 20 }, 'INVALID_FIELD', 0],
  [
    'a marked source',
    100,
    [
      [0, 1],
      [7, 1],
    ],
    {},
    'UNRECOVERED_READ_ERROR',
    1,
  ],
])('N40 %s', (_, to, ranges, entry, status, range) => {
  const rig = ioRig();
  rig.status({ opcode: NVM.WRITE_UNCORRECTABLE, ...rig.at(7) });
  const completion = copy(rig, to, ranges, entry);
  expect([statusName(completion.status), completion.dw0]).toEqual([status, range]);
});

test('N40 with FUA the copy is durable', () => {
  const rig = lossyRig();
  rig.write(0, 1, 0x11);
  rig.flush();
  copy(rig, 8, [[0, 1]]);
  copy(rig, 9, [[0, 1]], { cdw12: FUA });
  rig.powerCycle();
  expect([rig.read(8), rig.read(9)]).toEqual([[0], [0x11]]);
});

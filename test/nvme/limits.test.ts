/** Size limits of commands that move little, and how long the medium may try: N34, N36, N39, N43, N44. */
import { describe, expect, test } from 'vitest';
import { type CommandLimits, NO_LIMITS } from '../../nvme/io/limits.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { ERROR_RECOVERY, FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NVM_CONTROLLER, ONCS } from '../../nvme/spec/identify.ts';
import { FUNCTIONAL } from './harness.ts';
import { type IoRig, ioRig } from './io-rig.ts';

const LR = 0x8000_0000;

const limited = (limits: Partial<CommandLimits>): IoRig =>
  ioRig({ profile: { ...FUNCTIONAL, limits: { ...NO_LIMITS, ...limits } } });

describe('size limits', () => {
  test.each([
    ['N36 Verify (VSL)', NVM.VERIFY, { verify: 1 }],
    ['N34 Write Zeroes (WZSL; peers: 1:83)', NVM.WRITE_ZEROES, { zeroes: 1 }],
    ['Write Uncorrectable (WUSL)', NVM.WRITE_UNCORRECTABLE, { uncorrectable: 1 }],
  ])('%s: two pages and no more', (_, opcode, limits) => {
    const status = (rig: IoRig, count: number) => rig.status({ opcode, ...rig.at(0, count) });
    expect([16, 17].map((count) => status(limited(limits), count))).toEqual(['SUCCESS', 'INVALID_FIELD']);
    expect(status(ioRig(), 17)).toBe('SUCCESS');
  });

  test.each<[string, Partial<CommandLimits>, [number, number][], string]>([
    [
      'as many ranges as DMRL',
      { ranges: 2 },
      [
        [0, 9],
        [20, 9],
      ],
      'SUCCESS',
    ],
    [
      'one range more',
      { ranges: 1 },
      [
        [0, 9],
        [20, 9],
      ],
      'COMMAND_SIZE_LIMIT_EXCEEDED',
    ],
    [
      'as many blocks of a range as DMRSL',
      { rangeBlocks: 9 },
      [
        [0, 9],
        [20, 9],
      ],
      'SUCCESS',
    ],
    [
      'one block of a range more',
      { rangeBlocks: 8 },
      [
        [0, 8],
        [20, 9],
      ],
      'COMMAND_SIZE_LIMIT_EXCEEDED',
    ],
    [
      'as many blocks as DMSL',
      { totalBlocks: 18 },
      [
        [0, 9],
        [20, 9],
      ],
      'SUCCESS',
    ],
    [
      'one block more',
      { totalBlocks: 17 },
      [
        [0, 9],
        [20, 9],
      ],
      'COMMAND_SIZE_LIMIT_EXCEEDED',
    ],
  ])('N39 Dataset Management, %s', (_, limits, ranges, status) => {
    const rig = limited(limits);
    rig.write(0, 32, 0x11);
    expect(rig.deallocate(ranges)).toBe(status);
    expect(rig.read(0)).toEqual([status === 'SUCCESS' ? 0 : 0x11]);
    expect(rig.deallocate(ranges, 0), 'without AD').toBe('SUCCESS');
  });

  test('Identify: CNS 06h has the limits, and ONCS leaves out what they bind', () => {
    const rig = limited({
      verify: 3,
      zeroes: 4,
      uncorrectable: 5,
      ranges: 6,
      rangeBlocks: 7,
      totalBlocks: 8,
    });
    const page = rig.allocate();
    rig.submitAdmin({ opcode: ADMIN.IDENTIFY, prp1: page, cdw10: CNS.COMMAND_SET_CONTROLLER });
    expect(IDENTIFY_NVM_CONTROLLER.decode(rig.view(page), 0)).toMatchObject({
      VSL: 3,
      WZSL: 4,
      WUSL: 5,
      DMRL: 6,
      DMRSL: 7,
      DMSL: 8n,
    });
    const announced = (one: IoRig) => {
      one.submitAdmin({ opcode: ADMIN.IDENTIFY, prp1: page, cdw10: CNS.CONTROLLER });
      const word = IDENTIFY_CONTROLLER.get(one.view(page), 0, 'ONCS');
      const { VERIFY, WRITE_ZEROES, WRITE_UNCORRECTABLE, DATASET_MANAGEMENT } = ONCS.decode(Number(word));
      return [VERIFY, WRITE_ZEROES, WRITE_UNCORRECTABLE, DATASET_MANAGEMENT];
    };
    expect([announced(rig), announced(ioRig())]).toEqual([
      [0, 0, 0, 0],
      [1, 1, 1, 1],
    ]);
  });
});

describe('blocks that take retries', () => {
  const RETRIES_NS = 250e6;
  /** A timed drive whose block 5 needs 250 ms of retries. */
  const worn = (): IoRig => {
    const rig = ioRig({ timed: true, profile: GENERIC });
    rig.write(0, 8, 0x11);
    rig.controller.namespace(1)!.weaken(5, 1, RETRIES_NS);
    return rig;
  };
  const setLimit = (rig: IoRig, TLER: number) =>
    rig.submitAdmin({
      opcode: ADMIN.SET_FEATURES,
      nsid: 1,
      cdw10: FID.ERROR_RECOVERY,
      cdw11: ERROR_RECOVERY.encode({ TLER }),
    });
  /** What a read of some blocks gives, and how long it takes in milliseconds. */
  const timed = (rig: IoRig, first: number, count: number, control = 0) => {
    const before = rig.clock.now;
    const outcome = rig.read(first, count, rig.at(first, count, control));
    return [outcome, Math.round((rig.clock.now - before) / 1e6)];
  };

  test('N43 limited retry fails at once what would be read after a while', () => {
    const rig = worn();
    expect(timed(rig, 0, 8)).toEqual([[0x11], 250]);
    expect(timed(rig, 0, 8, LR)).toEqual(['UNRECOVERED_READ_ERROR', 0]);
    expect(rig.errors()[0]).toMatchObject({ LBA: 5n });
    expect(timed(rig, 0, 5, LR)).toEqual([[0x11], 0]);
  });

  test('N44 retries end after TLER, and the read fails; written again the block is good', () => {
    const rig = worn();
    setLimit(rig, 2);
    expect(timed(rig, 5, 1)).toEqual(['UNRECOVERED_READ_ERROR', 200]);
    expect(rig.compare(5, 1, 0x11)).toBe('UNRECOVERED_READ_ERROR');
    expect(rig.status({ opcode: NVM.VERIFY, ...rig.at(5) })).toBe('UNRECOVERED_READ_ERROR');
    setLimit(rig, 3);
    expect(timed(rig, 5, 1)).toEqual([[0x11], 250]);
    rig.write(5, 1, 0x22);
    expect(timed(rig, 5, 1, LR)).toEqual([[0x22], 0]);
  });
});

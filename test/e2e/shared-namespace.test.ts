/** Case T19: two controllers of one subsystem, each behind a port of its own, with the same namespaces. */
import { describe, expect, test } from 'vitest';
import { type Board, boot, type NvmeBoard, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import { FID, WRITE_PROTECTION } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import { CSTS, NSSR_MAGIC, REG } from '../../nvme/spec/registers.ts';
import { hotAdd, hotRemoval } from '../../scenarios/kit/events.ts';
import { pattern, sentence, WAYS } from './rig.ts';

const [port] = pc.rootPorts;
const drive = port!.device as NvmeBoard;
const first = {
  ...drive,
  profile: { ...drive.profile, admin: { ...NO_ADMIN_OPTION, writeProtection: true }, dirty_bytes: 0 },
};
const second = { ...first, namespaces: [], joins: true };
const withSecond = (device: NvmeBoard, one: NvmeBoard = first): Board => ({
  ...pc,
  rootPorts: [
    { ...port!, device: one },
    { ...port!, at: '05.0', device },
  ],
});

const BDFS = ['0000:01:00.0', '0000:02:00.0'];

async function both({ pace, interrupts }: (typeof WAYS)[number]) {
  const machine = boot(withSecond(second), { pace });
  const drivers: NvmeDriver[] = [];
  for (const bdf of BDFS) drivers.push(await NvmeDriver.open(machine.kernel, { bdf, interrupts }));
  return { machine, left: drivers[0]!, right: drivers[1]! };
}

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test('T19 what one controller has completed, the other one reads', async () => {
    const { left, right } = await both(way);
    for (let round = 0; round < 4; round++) {
      const [writer, reader] = round % 2 === 0 ? [left, right] : [right, left];
      const data = pattern(40 * 512, round);
      await writer.namespace(1).write(round, data);
      expect(Buffer.compare(await reader.namespace(1).read(round, 40), data)).toBe(0);
      expect(await reader.namespace(1).compare(round, data)).toBe(true);
    }
    await left.namespace(1).writeZeroes(0, 8);
    expect((await right.namespace(1).read(0, 8)).every((byte) => byte === 0)).toBe(true);
    await right.namespace(2).write(0, pattern(512, 9));
    expect(Buffer.compare(await left.namespace(2).read(0, 1), pattern(512, 9))).toBe(0);
    await left.close();
    expect(await right.namespace(1).read(0, 1), 'the other one stays').toHaveLength(512);
    await right.close();
  });

  test('T19 writes of both to the same blocks at once: each block is whole, and both see the same', async () => {
    const { left, right } = await both(way);
    const blocks = 64;
    const [ones, twos] = [1, 2].map((byte) => new Uint8Array(blocks * 512).fill(byte));
    await Promise.all([left.namespace(1).write(0, ones!), right.namespace(1).write(0, twos!)]);
    const [seen, same] = await Promise.all([
      left.namespace(1).read(0, blocks),
      right.namespace(1).read(0, blocks),
    ]);
    expect(Buffer.compare(seen, same)).toBe(0);
    for (let block = 0; block < blocks; block++)
      expect(new Set(seen.subarray(block * 512, (block + 1) * 512)).size).toBe(1);
    await left.close();
    await right.close();
  });
});

const FUNCTIONAL = { pace: 'functional', interrupts: false } as const;
const PROTECTION = FID.NAMESPACE_WRITE_PROTECTION;
const block = pattern(512);

test('write protection is that of the namespace: both see it, and a reset of one does not lift it', async () => {
  const { left, right } = await both(FUNCTIONAL);
  await left.setFeatures(PROTECTION, WRITE_PROTECTION.PROTECTED, 1);
  await left.setFeatures(FID.ERROR_RECOVERY, 5, 2);
  await right.reset();
  const seen = [left, right].map((driver) => driver.getFeatures(PROTECTION, 1));
  expect(await Promise.all(seen)).toEqual([WRITE_PROTECTION.PROTECTED, WRITE_PROTECTION.PROTECTED]);
  expect(await left.getFeatures(FID.ERROR_RECOVERY, 2), 'is not saved, and not reset by a peer').toBe(5);
  for (const driver of [left, right])
    expect(await sentence(driver.namespace(1).write(0, block))).toContain('write protected');
  await right.namespace(2).write(0, block);
  await right.setFeatures(PROTECTION, WRITE_PROTECTION.NONE, 1);
  await left.namespace(1).write(0, block);
  await left.close();
  await right.close();
});

test.each([
  ['NSSR of one', (one: NvmeController) => one.barWrite32(0, REG.NSSR, NSSR_MAGIC), 1],
  ['a loss of power', (one: NvmeController) => one.powerCut(), 0],
])('%s resets both; blocks and protection stay', async (_, reset, NSSRO) => {
  const { machine, left, right } = await both(FUNCTIONAL);
  await left.namespace(1).write(0, block);
  await left.setFeatures(PROTECTION, WRITE_PROTECTION.PROTECTED, 1);
  await left.setFeatures(FID.ERROR_RECOVERY, 5, 2);
  reset(machine.controllers[1]!);
  const states = machine.controllers.map((controller) => controller.barRead32(0, REG.CSTS));
  expect(states).toEqual([CSTS.encode({ NSSRO }), CSTS.encode({ NSSRO })]);
  for (const driver of [left, right]) await sentence(driver.close());
  for (const bdf of BDFS) {
    const driver = await NvmeDriver.open(machine.kernel, { bdf });
    expect(Buffer.compare(await driver.namespace(1).read(0, 1), block)).toBe(0);
    expect(await driver.getFeatures(PROTECTION, 1)).toBe(WRITE_PROTECTION.PROTECTED);
    expect(await driver.getFeatures(FID.ERROR_RECOVERY, 2), 'is not saved').toBe(0);
    await driver.close();
  }
});

test('they have one medium: two controllers read no faster than one', async () => {
  const { machine, left, right } = await both({ pace: 'timed', interrupts: false });
  const time_ns = async (drivers: readonly NvmeDriver[]): Promise<number> => {
    const start = machine.clock.now;
    const reads = Array.from({ length: 128 }, (_, index) =>
      drivers[index % drivers.length]!.namespace(1).read(index * 8, 8),
    );
    await Promise.all(reads);
    return machine.clock.now - start;
  };
  const alone = await time_ns([left]);
  expect(await time_ns([left, right])).toBeGreaterThan(0.8 * alone);
  await left.close();
  await right.close();
});

test('both say that they are two, of one subsystem, and that their namespaces are shared', async () => {
  const { left, right } = await both({ pace: 'functional', interrupts: false });
  const views = [await left.identify(CNS.CONTROLLER), await right.identify(CNS.CONTROLLER)];
  const of = (name: 'CNTLID' | 'CMIC') => views.map((view) => IDENTIFY_CONTROLLER.get(view, 0, name));
  expect([of('CNTLID'), of('CMIC')]).toEqual([
    [0, 1],
    [2, 2],
  ]);
  const nqns = views.map((view) => IDENTIFY_CONTROLLER.get(view, 0, 'SUBNQN').toString());
  expect(nqns[0]).toBe(nqns[1]);
  const namespace = await right.identify(CNS.NAMESPACE, 1);
  expect(IDENTIFY_NAMESPACE.get(namespace, 0, 'NMIC')).toBe(1);
  await left.close();
  await right.close();
});

test.each([
  [
    'a serial number that nobody has',
    withSecond({ ...second, serial: 'NOBODY' }),
    "no earlier drive has the serial number 'NOBODY'",
  ],
  [
    'namespaces of its own',
    withSecond({ ...second, namespaces: drive.namespaces }),
    'has the namespaces of that one',
  ],
  ['a capacity of its own', withSecond({ ...second, capacity: '8g' }), 'has the capacity of that one'],
  [
    'another medium',
    withSecond({
      ...second,
      profile: { ...second.profile, timing: { ...second.profile.timing!, media: null } },
    }),
    'the controllers of a drive have one medium',
  ],
  [
    'a partner that formats',
    withSecond(second, drive),
    'namespaces of several controllers are shared as they are',
  ],
])('a controller that joins with %s is refused', (_, board, sentence) => {
  expect(() => boot(board)).toThrow(sentence);
});

test('a controller that is pulled out and put back takes no power from its peer; both out, the drive has none', async () => {
  const { machine, left, right } = await both(WAYS[0]!);
  const cycles = () => machine.controllers.map(({ health }) => health.powerCycles);
  const before = cycles();
  const data = pattern(512, 3);
  await left.namespace(1).write(5, data);
  hotRemoval(0, 1).happen(machine);
  hotAdd(0, 1).happen(machine);
  expect(cycles()).toEqual(before);
  expect(Buffer.compare(await left.namespace(1).read(5, 1), data)).toBe(0);
  await right.close().catch(() => {});
  for (let turn = 0; turn < 10; turn++) await null;
  hotRemoval(0, 0).happen(machine);
  hotRemoval(0, 1).happen(machine);
  hotAdd(0, 0).happen(machine);
  hotAdd(0, 1).happen(machine);
  expect(cycles()).toEqual(before.map((count) => count + 1));
  await left.close().catch(() => {});
});

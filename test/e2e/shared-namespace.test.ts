/** Case T19: two controllers of one subsystem, each behind a port of its own, with the same namespaces. */
import { describe, expect, test } from 'vitest';
import { type Board, boot, type NvmeBoard, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { NO_ADMIN_OPTION } from '../../nvme/admin/profile.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import { pattern, WAYS } from './rig.ts';

const [port] = pc.rootPorts;
const drive = port!.device as NvmeBoard;
const first = { ...drive, profile: { ...drive.profile, admin: NO_ADMIN_OPTION, dirty_bytes: 0 } };
const second = { ...first, namespaces: [], joins: true };
const withSecond = (device: NvmeBoard, one: NvmeBoard = first): Board => ({
  ...pc,
  rootPorts: [
    { ...port!, device: one },
    { ...port!, at: '05.0', device },
  ],
});

async function both({ pace, interrupts }: (typeof WAYS)[number]) {
  const machine = boot(withSecond(second), { pace });
  const bdfs = ['0000:01:00.0', '0000:02:00.0'];
  const drivers: NvmeDriver[] = [];
  for (const bdf of bdfs) drivers.push(await NvmeDriver.open(machine.kernel, { bdf, interrupts }));
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
  [
    'a partner that formats',
    withSecond(second, drive),
    'namespaces of several controllers are shared as they are',
  ],
])('a controller that joins with %s is refused', (_, board, sentence) => {
  expect(() => boot(board)).toThrow(sentence);
});

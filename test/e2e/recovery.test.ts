/**
 * Commands that do not complete, on the whole machine: what the driver does about them, and that nothing is lost or told
 * twice. Cases T6, T7, T11 and T12. Not here: delays before a retry, function resets (test/drivers/recovery.test.ts).
 */
import { describe, expect, test } from 'vitest';
import { type Board, type Machine, zns } from '../../boards/index.ts';
import type { NvmeDriver } from '../../drivers/nvme/index.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { hotRemoval } from '../../scenarios/kit/events.ts';
import { pattern, sentence, start, WAYS } from './rig.ts';

const TIMEOUT_NS = 1e9;
/** How soon a silent controller is looked at. */
const WATCH_NS = 100e6;
/** Some of the writes are done, others under way. */
const isUnderWay = ({ controllers }: Machine): boolean => controllers[0]!.health.writeCommands >= 16;

/** Calls `happen` once, between the next write to the medium and its completion. */
function afterWrite({ controllers }: Machine, happen: () => void): void {
  const { health } = controllers[0]!;
  const wrote = health.wrote.bind(health);
  health.wrote = (bytes) => {
    health.wrote = wrote;
    wrote(bytes);
    happen();
  };
}

async function watched(way: (typeof WAYS)[number], board?: Board) {
  const warnings: string[] = [];
  const onWarning = (sentence: string) => warnings.push(sentence);
  const { machine, driver } = await start(way, board, { timeout_ns: TIMEOUT_NS, onWarning });
  await driver.namespace(1).read(0, 1);
  const elapsed = machine.kernel.now();
  return { machine, driver, warnings, elapsed_ns: () => machine.kernel.now() - elapsed };
}

/** Writes 64 pieces of eight blocks at once; `happen` is tried while they are under way, until it returns true. */
async function writeMany(driver: NvmeDriver, happen: () => boolean): Promise<Uint8Array> {
  const disk = driver.namespace(1);
  const bytes = 8 * disk.blockSize;
  const data = pattern(64 * bytes);
  const writes = Array.from({ length: 64 }, (_, piece) =>
    disk.write(piece * 8, data.subarray(piece * bytes, (piece + 1) * bytes)),
  );
  for (let turn = 0; turn < 2000 && !happen(); turn++) await null;
  await Promise.all(writes);
  return data;
}

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test('T12 a controller that fails in the middle of I/O: reset, all sent again, the data intact', async () => {
    const { machine, driver, warnings, elapsed_ns } = await watched(way);
    const data = await writeMany(driver, () => {
      if (isUnderWay(machine)) driver.device.setBusMaster(false);
      return isUnderWay(machine);
    });
    expect(warnings).toEqual([
      expect.stringMatching(
        /^0000:01:00.0: the controller failed: CSTS is 0x\w+3, and bus master is off.*; resetting/,
      ),
      '0000:01:00.0: the controller was reset and goes on',
    ]);
    expect(Buffer.compare(await driver.namespace(1).read(0, 512), data)).toBe(0);
    expect(elapsed_ns()).toBeLessThan(2 * WATCH_NS);
    await driver.close();
    expect(machine.explain()[0]).toContain('the function is not a bus master');
  });

  test.each([1, 20])(
    'T12 zones: %i writes are cut off after the controller did one, and none is refused',
    async (count) => {
      const { machine, driver, warnings } = await watched(way, zns);
      const disk = driver.namespace(1);
      const bytes = 2 * disk.blockSize;
      const data = pattern((1 + count) * bytes);
      await disk.write(0, data.subarray(0, bytes));
      afterWrite(machine, () => driver.device.setBusMaster(false)); // so its completion cannot be posted: CFS
      const writes = Array.from({ length: count }, (_, index) =>
        disk.write(2 + 2 * index, data.subarray((1 + index) * bytes, (2 + index) * bytes)),
      );
      await Promise.all(writes);
      expect(warnings.map((warning) => /failed|goes on/.exec(warning)?.[0])).toEqual(['failed', 'goes on']);
      expect(Buffer.compare(await disk.read(0, data.length / disk.blockSize), data)).toBe(0);
      expect((await disk.zones!.report())[0]!.pointer).toBe(data.length / disk.blockSize);
      expect(machine.controllers[0]!.health.writeCommands, 'none is done twice').toBe(1 + count);
      await driver.close();
    },
  );

  test('T12 zones: writes into one zone, more of them than the queue has room for, stay in order through a reset', async () => {
    const { machine, driver } = await start(way, zns, { depth: 4, timeout_ns: TIMEOUT_NS });
    const disk = driver.namespace(1);
    const buffer = driver.allocate(40 * disk.blockSize);
    buffer.bytes.set(pattern(buffer.bytes.length));
    afterWrite(machine, () => driver.device.setBusMaster(false));
    const writes = Array.from({ length: 20 }, (_, index) =>
      disk.writeFrom(2 * index, 2, buffer, 2 * index * disk.blockSize),
    );
    await Promise.all(writes);
    expect(Buffer.compare(await disk.read(0, 40), buffer.bytes)).toBe(0);
    expect(machine.controllers[0]!.health.writeCommands, 'none is done twice').toBe(20);
    await driver.close();
  });

  test('T12 zones: a write that is done in part is not sent again, and the sentence says where the zone stands', async () => {
    const { machine, driver } = await watched(way, zns);
    const disk = driver.namespace(1);
    afterWrite(machine, () => {
      machine.controllers[0]!.namespace(1)!.zones!.loseBlocks([2]); // as a power cut does to the cache
      driver.device.setBusMaster(false);
    });
    expect(await sentence(disk.write(0, pattern(4 * disk.blockSize)))).toMatch(
      /^ControllerError: Write of blocks 0 to 3 .* was given up by a reset .*; only what is before block 2 was written, and it cannot be sent again, because the zone at block 0 is .* and its write pointer at block 2$/,
    );
    await driver.close();
  });

  test('T11 a controller that has stopped working, admin commands included, is reset, and I/O goes on', async () => {
    const { machine, driver, warnings, elapsed_ns } = await watched(way);
    const data = await writeMany(driver, () => {
      if (isUnderWay(machine)) machine.controllers[0]!.engine.running = false;
      return isUnderWay(machine);
    });
    expect(warnings).toEqual([
      expect.stringMatching(
        /Write of blocks \d+ to \d+ in namespace 1 \(queue 1, command 0x\w+, data at IOVA 0x\w+\) did not complete within 1000 ms; CSTS .*; aborting it$/,
      ),
      expect.stringMatching(
        /, and Abort \(the admin queue, .*\) did not complete within 1000 ms; .*; resetting/,
      ),
      '0000:01:00.0: the controller was reset and goes on',
    ]);
    expect(Buffer.compare(await driver.namespace(1).read(0, 512), data)).toBe(0);
    expect(elapsed_ns()).toBeLessThan(2 * TIMEOUT_NS + WATCH_NS);
    await driver.close();
  });

  test('a command that the firmware lost is aborted and sent again, and nothing is reset', async () => {
    const { machine, driver, warnings } = await watched(way);
    let lost: number | null = null;
    const data = await writeMany(driver, () => {
      lost = machine.controllers[0]!.engine.lose(1);
      return lost !== null;
    });
    // At the functional pace none is ever under way.
    expect(warnings).toEqual(
      lost === null ? [] : [expect.stringMatching(/^0000:01:00.0: Write of .*; aborting it$/)],
    );
    expect(lost === null).toBe(way.pace === 'functional');
    expect(Buffer.compare(await driver.namespace(1).read(0, 512), data)).toBe(0);
    await driver.close();
  });

  test('a reset that does not help is the last one: the command says both, and nothing waits any longer', async () => {
    const { machine, driver, elapsed_ns } = await watched(way);
    machine.rootComplex.poison.add(0, 1 << 26);
    const told = await sentence(driver.namespace(1).read(0, 1));
    expect(told).toMatch(
      /cannot be used any more: the controller failed: .* CFS, .*; and the reset failed: .* CFS, /,
    );
    expect(elapsed_ns()).toBeLessThan(3 * WATCH_NS);
    expect(await sentence(driver.close())).toBe(told);
  });

  test('T6 a drive that is pulled out: every command ends, with 3:71 on queue pairs, and later ones are refused', async () => {
    const { machine, driver, elapsed_ns } = await watched(way);
    const queue = await driver.createQueuePair({ depth: 4, interrupts: false });
    const statuses: number[] = [];
    queue.onComplete = (_slot, status) => statuses.push(status);
    hotRemoval(0).happen(machine);
    queue.post(NVM.FLUSH, 1, 0, 1);
    queue.ring();
    const told = await sentence(driver.namespace(1).write(0, pattern(512)));
    expect(told).toMatch(
      /^ControllerError: 0000:01:00.0 cannot be used any more: CSTS is 0xffffffff: nothing answers, .* close the driver/,
    );
    expect([statuses, queue.outstanding]).toEqual([[STATUS.ABORTED_BY_HOST], 0]);
    expect(elapsed_ns()).toBeLessThan(2 * WATCH_NS);
    const refusals = [
      driver.namespace(1).read(0, 1),
      driver.getFeatures(7),
      driver.createQueuePair(),
      driver.reset(),
    ];
    expect(await Promise.all(refusals.map(sentence))).toEqual(Array(4).fill(told));
    expect(await sentence(driver.close())).toBe(told);
    expect(machine.kernel.readlink('/sys/bus/pci/devices/0000:01:00.0')).toBeLessThan(0);
  });
});

test('commands on a queue pair end with 3:71 when the program has the controller reset, and the pair goes on', async () => {
  const { machine, driver } = await watched({ pace: 'timed', interrupts: false });
  const queue = await driver.createQueuePair({ depth: 8 });
  const statuses: number[] = [];
  queue.onComplete = (slot, status) => {
    statuses.push(status);
    if (status !== 0) expect(queue.error(slot).message).toContain('Probable cause: the driver had to reset');
    if (statuses.length === 1) queue.post(NVM.FLUSH, 1, 0, 1);
  };
  for (let slot = 0; slot < 8; slot++) queue.post(NVM.FLUSH, 1, 0, 1);
  queue.ring();
  await driver.reset();
  expect(statuses).toEqual(Array(8).fill(STATUS.ABORTED_BY_HOST));
  queue.ring();
  while (queue.reap() === 0) machine.kernel.relax(Number.POSITIVE_INFINITY);
  expect([statuses.length, statuses.at(-1), queue.staleCount]).toEqual([9, 0, 0]);
  await driver.close();
});

describe('zones: the firmware loses a command when it is done, and only aborts it', () => {
  async function lostAfter(write: (driver: NvmeDriver) => Promise<unknown>) {
    const { machine, driver, warnings } = await watched({ pace: 'timed', interrupts: false }, zns);
    const [controller] = machine.controllers;
    let isDone = false;
    afterWrite(machine, () => {
      isDone = true;
    });
    const told = sentence(write(driver));
    for (let turn = 0; turn < 5000 && !(isDone && controller!.engine.lose(1) !== null); turn++) await null;
    expect(await told.then(() => warnings)).toEqual([
      expect.stringMatching(/(Write|Append) .*; aborting it$/),
    ]);
    const disk = driver.namespace(1);
    const { pointer } = (await disk.zones!.report())[0]!;
    const { writeCommands } = controller!.health;
    return { told: await told, pointer, writeCommands, data: await disk.read(0, 4) };
  }
  const data = pattern(4 * 4096);

  test('a write is not sent again: its zone says that it was done', async () => {
    const after = await lostAfter((driver) => driver.namespace(1).write(0, data));
    expect(after).toMatchObject({ told: 'it did not fail', pointer: 4, writeCommands: 1 });
    expect(Buffer.compare(after.data, data)).toBe(0);
  });

  test('an append is not sent again, and the sentence says that nobody knows', async () => {
    const { told, pointer, writeCommands } = await lostAfter((driver) =>
      driver.namespace(1).zones!.append(0, data),
    );
    expect({ pointer, writeCommands }).toEqual({ pointer: 4, writeCommands: 1 });
    expect(told).toMatch(
      /^ControllerError: Zone Append .* did not complete within 1000 ms; .*; it was not sent again, because it may have been done$/,
    );
  });
});

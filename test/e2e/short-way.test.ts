/**
 * Where nothing takes time and nobody listens, the engine runs a command through in one go; a listener sends every command
 * through its stages. Both ways must leave the same bytes: completions and data, everything in RAM, the whole medium, and
 * what the controller counts. Its SRAM differs: the short way needs no slots there.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boot, drivesOf, pc } from '../../boards/index.ts';
import { type BlockDevice, NvmeDriver } from '../../drivers/nvme/index.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { runs } from '../runs.ts';

const BLOCKS = 4096;
const { drive } = drivesOf(pc.rootPorts)[0]!;
const BOARD = {
  ...pc,
  ram: '16m',
  media: '16m',
  rootPorts: [{ ...pc.rootPorts[0]!, device: { ...drive, namespaces: [{ size: BLOCKS * 512 }] } }],
};

interface Step {
  readonly kind: 'read' | 'write' | 'zero' | 'trim' | 'flush';
  readonly lba: number;
  readonly blocks: number;
  readonly byte: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('read', 'read', 'write', 'write', 'write', 'zero', 'trim', 'flush'),
  lba: fc.nat(BLOCKS - 600),
  blocks: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 600 })),
  byte: fc.nat(255),
});

async function one(disk: BlockDevice, { kind, lba, blocks, byte }: Step): Promise<unknown> {
  if (kind === 'read') return disk.read(lba, blocks);
  if (kind === 'write') return disk.write(lba, new Uint8Array(blocks * 512).fill(byte));
  if (kind === 'zero') return disk.writeZeroes(lba, blocks);
  if (kind === 'trim') return disk.trim(lba, blocks);
  return disk.flush();
}

/** Runs the steps, one or eight at a time, and returns what each answered and what they left. */
async function run(steps: readonly Step[], isWatched: boolean) {
  const machine = boot(BOARD, { pace: 'functional' });
  if (isWatched) machine.trace.listen(() => {});
  const driver = await NvmeDriver.open(machine.kernel);
  const disk = driver.namespace(1);
  const answers: unknown[] = [];
  for (let at = 0, size = 8; at < steps.length; at += size) {
    size = steps[at]!.byte < 128 ? 1 : 8;
    answers.push(...(await Promise.all(steps.slice(at, at + size).map((each) => one(disk, each)))));
  }
  const ram = machine.memory.u8.slice(0, machine.memory.ramBytes);
  const { readCommands, writeCommands, read_bytes, written_bytes } = machine.controllers[0]!.health;
  const counters = { readCommands, writeCommands, read_bytes, written_bytes };
  return { answers, counters, ram, medium: await disk.read(0, BLOCKS) };
}

test('commands leave the same memory whether they run through or by stages', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const [short, long] = [await run(steps, false), await run(steps, true)];
      expect(short.answers).toEqual(long.answers);
      expect(short.counters).toEqual(long.counters);
      expect(Buffer.compare(short.ram, long.ram)).toBe(0);
      expect(Buffer.compare(short.medium, long.medium)).toBe(0);
    }),
    { numRuns: runs(5, 200) },
  );
});

test('a command whose data are out of reach fails once, and alone', async () => {
  const machine = boot(BOARD, { pace: 'functional' });
  const driver = await NvmeDriver.open(machine.kernel);
  const queue = await driver.createQueuePair({ depth: 4 });
  const { iova } = driver.allocate(8192);
  const ended: number[] = [];
  queue.onComplete = (_slot, status) => ended.push(status);
  for (const [address, bytes] of [
    [0x7000_0000, 512],
    [iova, 8192],
    [iova, 512],
  ] as const) {
    queue.postAt(NVM.READ, 1, 0, bytes / 512, address, bytes);
    queue.ring();
    queue.reap();
  }
  expect([ended, queue.staleCount]).toEqual([[STATUS.DATA_TRANSFER_ERROR, 0, 0], 0]);
  expect(machine.explain()).toHaveLength(2);
});

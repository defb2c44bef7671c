/**
 * What a driver author does wrong, and what the machine says then: a sentence that names the cause, at every pace, and
 * never a program that waits forever. Not here: job files and options (test/cli), boards (test/boards).
 */
import { describe, expect, test } from 'vitest';
import type { Machine } from '../../boards/index.ts';
import { type Command, transfer, WORD } from '../../drivers/nvme/commands.ts';
import { QUEUE_FULL, type QueuePair } from '../../drivers/nvme/index.ts';
import { queueBytes } from '../../drivers/nvme/queue-memory.ts';
import { GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import { pcWith, sentence, start, WAYS } from './rig.ts';

const TIMED = { pace: 'timed', interrupts: false } as const;

/** A read of `pages` pages of namespace 1 whose two pointers the program fills in itself. */
function readInto(pages: number, prp1: number, prp2: number): Command {
  const command = transfer(NVM.READ, 1, 0, pages * 8);
  command[WORD.PRP1] = prp1;
  command[WORD.PRP2] = prp2;
  return command;
}

/** Posts one command and returns the error of its completion, or null. */
function failureOf(machine: Machine, queue: QueuePair, command: Command): Error | null {
  let outcome: Error | null | undefined;
  queue.onComplete = (slot, status) => {
    outcome = status === 0 ? null : queue.error(slot);
  };
  expect(queue.postCommand(command)).not.toBe(QUEUE_FULL);
  queue.ring();
  while (queue.reap() === 0) expect(machine.kernel.relax(Number.POSITIVE_INFINITY)).toBe(true);
  return outcome!;
}

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test.each([
    ['PRP1 in the middle of a dword', 1, 2, 0, /PRP1 = 0x\w+2 is not dword aligned/],
    [
      'PRP2 in the middle of a page',
      2,
      0,
      0x1200,
      /PRP2 = 0x\w+200 is the second page and must have offset 0/,
    ],
    [
      'a PRP list in the middle of a qword',
      3,
      0,
      0x1004,
      /PRP2 = 0x\w+4 is a list and must be qword aligned/,
    ],
    ['a PRP list with a bad entry', 4, 0, 0x1000, /PRP list entry 1 = 0x\w+8 must have offset 0/],
  ])('%s is refused, and explained', async (_, pages, prp1, prp2, cause) => {
    const { machine, driver } = await start(way);
    const queue = await driver.createQueuePair({ depth: 1, interrupts: false });
    const { iova, bytes } = driver.allocate(8 * PAGE_SIZE);
    const list = new DataView(bytes.buffer, bytes.byteOffset + PAGE_SIZE);
    list.setUint32(0, iova + 2 * PAGE_SIZE, true);
    list.setUint32(8, iova + 3 * PAGE_SIZE + 8, true);
    const command = readInto(pages, iova + prp1, prp2 === 0 ? 0 : iova + prp2);
    const error = failureOf(machine, queue, command);
    expect(error?.message).toMatch(
      /^Read of blocks 0 to \d+ in namespace 1 \(queue 1, .*\) failed with PRP_OFFSET_INVALID/,
    );
    expect(machine.explain()).toEqual([
      expect.stringMatching(/^nvme0: Read \(SQ 1, CID 0\): PRP Offset Invalid: /),
    ]);
    expect(machine.explain()[0]).toMatch(cause);
    expect(await driver.namespace(1).read(0, 1), 'the drive works on').toHaveLength(512);
    await driver.close();
  });

  test.each([
    [
      'a buffer',
      1,
      (iova: number) => [iova, 0],
      'Write',
      /PRP1: the data at IOVA 0x(\w+): the IOMMU blocked/,
    ],
    [
      'a PRP list',
      3,
      (iova: number, good: number) => [good, iova],
      'Read',
      /PRP list at 0x(\w+) cannot be read/,
    ],
  ] as const)(
    '%s that is not mapped any more is a fault with its address',
    async (_, pages, prps, access, cause) => {
      const { machine, driver } = await start(way);
      const queue = await driver.createQueuePair({ depth: 1, interrupts: false });
      const good = driver.allocate(8 * PAGE_SIZE);
      const gone = driver.allocate(PAGE_SIZE);
      const { iova } = gone;
      await driver.namespace(1).readInto(0, 8, gone);
      gone.free();
      const [prp1, prp2] = prps(iova, good.iova);
      const error = failureOf(machine, queue, readInto(pages, prp1!, prp2!));
      expect(error?.message).toMatch(/failed with DATA_TRANSFER_ERROR .* not mapped in the address space/);
      const [fault, refusal, ...others] = machine.explain();
      const address = `0x${iova.toString(16)}`;
      expect(fault).toContain(
        `DMAR: [DMA ${access} NO_PASID] Request device [01:00.0] fault addr ${address} `,
      );
      expect(refusal).toMatch(/^nvme0: Read \(SQ 1, CID 0\): Data Transfer Error: /);
      expect(cause.exec(refusal!)?.[1]).toBe(iova.toString(16));
      expect(others).toEqual([]);
      await driver.close();
    },
  );

  test('a driver that is no bus master is told, by the machine and by its driver, which resets and goes on', async () => {
    const warnings: string[] = [];
    const onWarning = (sentence: string) => warnings.push(sentence);
    const { machine, driver } = await start(way, undefined, { onWarning });
    await driver.namespace(1).read(0, 1);
    driver.device.setBusMaster(false);
    const before = machine.kernel.now();
    expect(await driver.namespace(1).read(0, 1)).toHaveLength(512);
    expect(warnings[0]).toContain('the controller failed: CSTS is 0x00000003, and bus master is off');
    expect(machine.kernel.now() - before).toBeLessThan(0.2e9);
    expect(machine.explain()).toEqual([
      'nvme0: fatal: entry 1 of submission queue 1 cannot be read: ' +
        'the function is not a bus master (PCI command bit 2 is off) (Base 2.1 §3.1.4.6)',
    ]);
    await driver.close();
  });

  test('a queue whose memory is unmapped under it stops the controller, which says which queue', async () => {
    const { machine, driver } = await start(way, undefined, { timeout_ns: 1e9 });
    const queue = await driver.createQueuePair({ depth: 4, interrupts: false });
    driver.space.unmap(queue.sqIova, alignUp(queueBytes(4, driver.maxTransfer_bytes), PAGE_SIZE));
    queue.post(NVM.FLUSH, 1, 0, 1);
    queue.ring();
    machine.clock.advance(1e6);
    expect(queue.reap()).toBe(0);
    expect(machine.explain()).toEqual([
      expect.stringContaining(
        `fault addr 0x${queue.sqIova.toString(16)} [fault reason 0x06] PTE Read access is not set`,
      ),
      'nvme0: fatal: entry 0 of submission queue 1 cannot be read: the IOMMU blocked the request (Base 2.1 §3.1.4.6)',
    ]);
    expect(await sentence(driver.getFeatures(7))).toMatch(
      /^ControllerError: Get Features \(the admin queue, .*\) was given up by a reset .* CFS, the controller met a fatal error/,
    );
  });

  test('a block that does not exist is refused with its number', async () => {
    const { machine, driver } = await start(way);
    const disk = driver.namespace(2);
    const queue = await driver.createQueuePair({ depth: 1, interrupts: false });
    const command = transfer(NVM.READ, 2, disk.blocks, 1);
    command[WORD.PRP1] = driver.allocate(PAGE_SIZE).iova;
    expect(failureOf(machine, queue, command)?.message).toContain('LBA_OUT_OF_RANGE');
    expect(machine.explain()).toEqual([
      `nvme0: Read (SQ 1, CID 0): LBA Out of Range: block ${disk.blocks} is beyond the last one, ${disk.blocks - 1} ` +
        `(CDW10 = 0x${disk.blocks.toString(16)}, NVM Command Set 1.1 §3.3.4)`,
    ]);
    await driver.close();
  });
});

describe('a stuck controller', () => {
  test('that never becomes ready fails the open after CAP.TO, and leaves nothing behind', async () => {
    const timing = { ...OPTANE_P4800X, ready_ns: 60e9 };
    const board = pcWith({ profile: { ...GENERIC, timeout: 2, timing } });
    expect(await sentence(start(TIMED, board))).toBe(
      'ControllerError: 0000:01:00.0: CSTS.RDY did not become 1 within 1000 ms after CC.EN=1; ' +
        'CSTS is 0x00000000: the controller is not ready',
    );
  });

  test.each([false, true])(
    'whose medium does not answer fails the command after its time (%s)',
    async (interrupts) => {
      const media = { ...OPTANE_P4800X.media, read_ns: 60e9 };
      const board = pcWith({ profile: { ...GENERIC, timing: { ...OPTANE_P4800X, media } } });
      const { driver } = await start({ pace: 'timed', interrupts }, board, { timeout_ns: 2e9 });
      expect(await sentence(driver.namespace(1).read(0, 1))).toBe(
        'ControllerError: Read of block 0 in namespace 1 (queue 1, command 0x00a0, data at IOVA 0x3e0000) did not complete ' +
          'within 2000 ms; CSTS is 0x00000001 and bus master is on, so the controller is alive but has not answered; ' +
          'it was sent 6 times',
      );
      await driver.close();
    },
  );
});

/**
 * What the driver tries again, when, and how often; and resets that need more than CC.EN. Cases N45 and T10.
 * Not here: recovery on the whole machine (test/e2e/recovery.test.ts).
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { transfer } from '../../drivers/nvme/commands.ts';
import { NvmeDriver, type NvmeOptions } from '../../drivers/nvme/index.ts';
import { RequestQueue } from '../../drivers/nvme/request-queue.ts';
import { CutOffError, NvmeError } from '../../drivers/nvme/status.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CQE_STATUS, STATUS } from '../../nvme/spec/status.ts';
import { sentence } from '../e2e/rig.ts';
import { FakeKernel } from './fake-kernel.ts';

const BLOCK = 512;
/** Unit of CRDT. */
const UNIT_NS = 100e6;

let kernel: FakeKernel;
let warnings: string[];
beforeEach(() => {
  kernel = new FakeKernel();
  warnings = [];
});

const open = (options: NvmeOptions = {}) =>
  NvmeDriver.open(kernel, { onWarning: (warning) => warnings.push(warning), ...options });

const sent = (opcode: number): number => kernel.nvme.log.filter((each) => each === opcode).length;

/** Lets the next `count` reads fail. */
function failReads(count: number, status: number): void {
  let left = count;
  kernel.nvme.failWith = (opcode) => (opcode === NVM.READ && left-- > 0 ? status : 0);
}

describe('a command that fails', () => {
  test.each([{ interrupts: false }, { interrupts: true }])(
    'N45 with CRD 2 is sent again after CRDT2 times 100 ms (%o)',
    async (options) => {
      kernel.nvme.retryDelays = [1, 3, 7];
      const nvme = await open(options);
      expect(kernel.nvme.hostBehavior, 'ACRE').toEqual([1, 0, 0, 0]);
      kernel.nvme.failureFlags = CQE_STATUS.encode({ CRD: 2 });
      failReads(1, STATUS.COMMAND_INTERRUPTED);
      const start = kernel.time;
      await expect(nvme.namespace(1).read(0, 1)).resolves.toHaveLength(BLOCK);
      expect(kernel.time - start).toBe(3 * UNIT_NS);
      expect(sent(NVM.READ)).toBe(2);
      expect(warnings, 'no interrupt was lost').toEqual([]);
      await nvme.close();
    },
  );

  test('is sent again at once without CRD, and host behaviour is left alone when no delay is offered', async () => {
    const nvme = await open();
    expect(kernel.nvme.hostBehavior).toEqual([]);
    kernel.nvme.failureFlags = 0;
    failReads(2, STATUS.INTERNAL_ERROR);
    await nvme.namespace(1).read(0, 1);
    expect([kernel.time, sent(NVM.READ)]).toEqual([0, 3]);
  });

  test.each([
    ['with DNR once', { failureFlags: CQE_STATUS.DNR.mask }, {}, STATUS.INTERNAL_ERROR, 1],
    ['without DNR six times', { failureFlags: 0 }, {}, STATUS.INTERNAL_ERROR, 6],
    ['as often as `retries` says', { failureFlags: 0 }, { retries: 1 }, STATUS.UNRECOVERED_READ_ERROR, 2],
    ['never without retries', { failureFlags: 0 }, { retries: 0 }, STATUS.INTERNAL_ERROR, 1],
  ])('is sent %s', async (_, fake, options, status, times) => {
    const nvme = await open(options);
    Object.assign(kernel.nvme, fake);
    failReads(Number.POSITIVE_INFINITY, status);
    expect(await sentence(nvme.namespace(1).read(0, 1))).toContain('NvmeError: Read of block 0');
    expect(sent(NVM.READ)).toBe(times);
  });

  test('a difference that Compare finds is an answer', async () => {
    const nvme = await open();
    kernel.nvme.failureFlags = 0;
    expect(await nvme.namespace(1).compare(0, new Uint8Array(BLOCK).fill(1))).toBe(false);
    expect(sent(NVM.COMPARE)).toBe(1);
  });
});

test.each([
  ['is sent again when the controller has not begun it', STATUS.NAMESPACE_NOT_READY, NvmeError, 3],
  ['is cut off when it may have', STATUS.INTERNAL_ERROR, CutOffError, 1],
])('a command that must not be done twice %s', async (_, status, kind, times) => {
  const nvme = await open();
  const requests = new RequestQueue({
    kernel,
    queue: await nvme.createQueuePair(),
    wait: () => undefined,
    rescuer: { isOn: true, rescue: async () => {}, foundSilent: () => {} },
    timeout_ns: 1e9,
    retries: 2,
  });
  kernel.nvme.failureFlags = 0;
  failReads(Number.POSITIVE_INFINITY, status);
  const read = requests.execute(transfer(NVM.READ, 1, 0, 1), { isOnce: true });
  await expect(read).rejects.toBeInstanceOf(kind);
  expect(sent(NVM.READ)).toBe(times);
});

describe('a program that asks for an abort', () => {
  test('is told when there is no command in the slot, and nothing is sent', async () => {
    const nvme = await open();
    const queue = await nvme.createQueuePair({ depth: 4 });
    const slot = queue.post(NVM.FLUSH, 1, 0, 1);
    queue.ring();
    queue.reap();
    for (const free of [slot, 3, 99])
      expect(await sentence(nvme.abort(queue, free))).toBe(
        `RangeError: no command is outstanding in slot ${free} of queue 1`,
      );
    expect([warnings, sent(ADMIN.ABORT | 0x100)]).toEqual([[], 0]);
  });

  test('twice at once reads about each Abort what it was for', async () => {
    const nvme = await open({ timeout_ns: 1e9 });
    const queue = await nvme.createQueuePair({ depth: 4 });
    kernel.nvme.isSilent = true;
    const slots = [queue.post(NVM.FLUSH, 1, 0, 1), queue.post(NVM.READ, 1, 7, 1)] as const;
    queue.ring();
    kernel.nvme.isSilent = false;
    let second: Promise<string> | undefined;
    kernel.nvme.failAdminWith = (opcode) => {
      if (opcode !== ADMIN.ABORT) return 0;
      // The first Abort is answered when the second is under way, which never is.
      second = nvme.abort(queue, slots[1]);
      Object.assign(kernel.nvme, { isSilent: true, isDeaf: true });
      return 0;
    };
    await nvme.abort(queue, slots[0]);
    expect(await second).toMatch(/^Read of block 7 /);
    expect(warnings.slice(0, 3)).toEqual([
      expect.stringMatching(/: Flush .*; aborting it$/),
      expect.stringMatching(/: Read of block 7 .*; aborting it$/),
      expect.stringMatching(
        /: Read of block 7 .*, and Abort .* did not complete .*; resetting the controller$/,
      ),
    ]);
  });
});

test('T10 a completion with the number of another submission queue completes nothing, and is told', async () => {
  const nvme = await open();
  const queue = await nvme.createQueuePair();
  queue.checksSqid = true;
  const done: number[] = [];
  queue.onComplete = (slot) => done.push(slot);
  kernel.nvme.isSilent = true;
  queue.post(NVM.READ, 1, 0, 1);
  queue.ring();
  kernel.nvme.complete(1, queue.cid(0), 0, 0, 2);
  expect([queue.reap(), done, queue.outstanding, queue.staleCount]).toEqual([1, [], 1, 1]);
  expect(warnings).toEqual([
    '0000:01:00.0 completed command 0x0000 on queue 2 into completion queue 1 (status 0x000), which is not outstanding',
  ]);
  kernel.nvme.complete(1, queue.cid(0), 0);
  expect([queue.reap(), done]).toEqual([1, [0]]);
});

test('a controller that does not obey CC.EN is reset as a function, and everything goes on', async () => {
  const nvme = await open({ timeout_ns: 1e9 });
  const queue = await nvme.createQueuePair();
  await nvme.namespace(1).read(0, 1);
  Object.assign(kernel.nvme, { isSilent: true, isDeaf: true });
  expect(await nvme.namespace(1).read(0, 1)).toHaveLength(BLOCK);
  expect(warnings.slice(1)).toEqual([
    expect.stringMatching(/, and Abort .* did not complete within 1000 ms; .*; resetting the controller$/),
    expect.stringMatching(
      /CSTS.RDY did not become 0 within 500 ms after CC.EN=0; .*; resetting the function \(FLR\)$/,
    ),
    '0000:01:00.0: the controller was reset and goes on',
  ]);
  expect(kernel.nvme.armedEvents, 'requests for events too').toBe(2);
  let isDone = false;
  queue.onComplete = () => {
    isDone = true;
  };
  queue.post(NVM.FLUSH, 1, 0, 1);
  queue.ring();
  queue.reap();
  expect(isDone).toBe(true);
  await nvme.close();
  expect([kernel.openFds, kernel.mapped.size, kernel.anonymousBytes]).toEqual([0, 0, 0]);
});

test('a queue pair that is being created when the controller is reset is taken back, and its number is free', async () => {
  const nvme = await open({ timeout_ns: 1e9 });
  const mapped = kernel.mapped.size;
  kernel.nvme.isSilent = true;
  const created = sentence(nvme.createQueuePair());
  for (let turn = 0; turn < 4; turn++) await null;
  kernel.nvme.isSilent = false;
  expect(await created).toMatch(
    /^ControllerError: Create I\/O Completion Queue .* did not complete within 1000 ms/,
  );
  await nvme.reset();
  expect(kernel.mapped.size).toBe(mapped);
  expect((await nvme.createQueuePair()).qid).toBe(1);
  expect(sent(ADMIN.CREATE_CQ | 0x100)).toBe(1);
  await nvme.close();
});

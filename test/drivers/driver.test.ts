import { beforeEach, describe, expect, test } from 'vitest';
import { type AsyncEventReport, NvmeDriver } from '../../drivers/nvme/index.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { ASYNC_EVENT } from '../../nvme/spec/logs.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { EBUSY, ENOMEM } from '../../vfio/uapi/errno.ts';
import { IOMMU_IOAS_MAP } from '../../vfio/uapi/iommufd.ts';
import { VFIO_DEVICE_BIND_IOMMUFD } from '../../vfio/uapi/vfio.ts';
import { FakeKernel } from './fake-kernel.ts';
import { BLOCK } from './fake-nvme.ts';

let kernel: FakeKernel;
beforeEach(() => {
  kernel = new FakeKernel();
});

const pattern = (blocks: number): Uint8Array =>
  Uint8Array.from({ length: blocks * BLOCK }, (_, index) => (index * 7 + (index >> 9)) & 0xff);

const isSame = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

const sentence = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (reason: Error) => reason,
  );
  return `${error.name}: ${error.message}`;
};

describe.each([{ interrupts: false }, { interrupts: true }])('with %o', (options) => {
  test('finds the controller, reads what it is, and leaves nothing behind', async () => {
    const nvme = await NvmeDriver.open(kernel, options);
    expect(nvme.bdf).toBe('0000:01:00.0');
    expect(nvme.info).toMatchObject({ model: 'Fake disk', maxTransfer_bytes: 8192 });
    expect(nvme.namespaces.map(({ nsid, blocks, blockSize }) => [nsid, blocks, blockSize])).toEqual([
      [1, 1024, 512],
    ]);
    await nvme.namespace(1).read(0, 1);
    nvme.allocate(5000);
    await nvme.close();
    expect(kernel.mapped.size).toBe(0);
    expect(kernel.openFds).toBe(0);
    expect(kernel.anonymousBytes).toBe(0);
    expect(kernel.command & 4, 'bus master').toBe(0);
  });

  test('reads, writes and compares ranges longer than MDTS', async () => {
    const nvme = await NvmeDriver.open(kernel, options);
    const disk = nvme.namespace(1);
    const data = pattern(40);
    await disk.write(5, data);
    expect(isSame(await disk.read(5, 40), data)).toBe(true);
    expect(isSame(kernel.nvme.disk.slice(5 * BLOCK, 45 * BLOCK), data)).toBe(true);
    expect(await disk.compare(5, data)).toBe(true);
    expect(await disk.compare(6, data)).toBe(false);
    const reads = kernel.nvme.log.filter((opcode) => opcode === NVM.READ);
    expect(reads, '40 blocks of 512 bytes, 8 KiB a command').toHaveLength(3);
    await nvme.close();
  });

  test('reads more at once than the queue has slots', async () => {
    const nvme = await NvmeDriver.open(kernel, { ...options, depth: 2 });
    kernel.nvme.disk.set(pattern(1024));
    const blocks = await Promise.all(Array.from({ length: 40 }, (_, lba) => nvme.namespace(1).read(lba, 1)));
    expect(blocks.map((block) => block[1])).toEqual(Array.from({ length: 40 }, (_, lba) => (7 + lba) & 0xff));
    await nvme.close();
  });
});

test('reads and writes mapped memory in place, at any offset of four bytes', async () => {
  const nvme = await NvmeDriver.open(kernel);
  const buffer = nvme.allocate(64 * 1024);
  const data = pattern(33);
  kernel.nvme.disk.set(data, 9 * BLOCK);
  await nvme.namespace(1).readInto(9, 33, buffer, 1036);
  expect(isSame(buffer.bytes.slice(1036, 1036 + data.length), data)).toBe(true);
  await nvme.namespace(1).writeFrom(200, 33, buffer, 1036);
  expect(isSame(kernel.nvme.disk.slice(200 * BLOCK, 233 * BLOCK), data)).toBe(true);
  await expect(nvme.namespace(1).readInto(0, 128, buffer, 4)).rejects.toThrow('do not fit into the buffer');
});

test('flushes, trims and zeroes', async () => {
  const nvme = await NvmeDriver.open(kernel);
  const disk = nvme.namespace(1);
  kernel.nvme.disk.fill(0xff);
  await disk.trim(10, 3);
  await disk.writeZeroes(20, 4);
  await disk.flush();
  const zeroes = (await disk.read(0, 1024)).filter((byte) => byte === 0).length;
  expect(zeroes).toBe(7 * BLOCK);
  expect(kernel.nvme.log).toContain(NVM.FLUSH);
});

test('gives queue pairs up to what the controller grants, and takes them back', async () => {
  const nvme = await NvmeDriver.open(kernel, { queuePairs: 5 });
  expect(nvme.maxQueuePairs).toBe(2);
  const first = await nvme.createQueuePair({ depth: 63 });
  const second = await nvme.createQueuePair();
  expect([first.qid, second.qid]).toEqual([1, 2]);
  expect(await sentence(nvme.createQueuePair())).toContain(
    'all 2 I/O queue pairs of 0000:01:00.0 are in use',
  );
  const before = kernel.mapped.size;
  await nvme.deleteQueuePair(first);
  expect(kernel.mapped.size).toBe(before - 1);
  expect(await sentence(nvme.createQueuePair({ depth: 64 }))).toContain('1 to 63 here (CAP.MQES), got 64');
  expect((await nvme.createQueuePair()).qid).toBe(1);
  await nvme.close();
  expect(kernel.nvme.log.slice(-4)).toEqual([
    ADMIN.DELETE_SQ | 0x100,
    ADMIN.DELETE_CQ | 0x100,
    ADMIN.DELETE_SQ | 0x100,
    ADMIN.DELETE_CQ | 0x100,
  ]);
});

test('a queue pair that the controller refuses leaves no half behind, and the next one works', async () => {
  const nvme = await NvmeDriver.open(kernel);
  const before = kernel.mapped.size;
  kernel.nvme.failAdminWith = (opcode) => (opcode === ADMIN.CREATE_SQ ? STATUS.INVALID_QUEUE_SIZE : 0);
  expect(await sentence(nvme.namespace(1).read(0, 1))).toContain(
    'Create I/O Submission Queue (the admin queue',
  );
  expect(kernel.mapped.size).toBe(before);
  expect(kernel.nvme.log.at(-1)).toBe(ADMIN.DELETE_CQ | 0x100);
  kernel.nvme.failAdminWith = () => 0;
  expect(await nvme.namespace(1).read(0, 1)).toHaveLength(BLOCK);
  await nvme.close();
});

test('several commands of one turn share a doorbell write', async () => {
  const nvme = await NvmeDriver.open(kernel);
  await nvme.namespace(1).read(0, 1);
  kernel.nvme.doorbells.length = 0;
  await nvme.namespace(1).read(0, 64);
  expect(kernel.nvme.doorbells, 'four commands from tail 1; so few completions are not given back').toEqual([
    '8=5',
  ]);
});

test('surfaces events, and asks for the next one at once', async () => {
  const events: AsyncEventReport[] = [];
  const nvme = await NvmeDriver.open(kernel, { onEvent: (event) => events.push(event) });
  await nvme.namespace(1).read(0, 1);
  expect(kernel.nvme.armedEvents).toBe(2);
  kernel.nvme.raise(ASYNC_EVENT.TEMPERATURE_THRESHOLD.dw0);
  expect(events).toEqual([]);
  nvme.pollEvents();
  await nvme.namespace(1).read(0, 1);
  expect(events).toEqual([{ name: 'TEMPERATURE_THRESHOLD', type: 1, info: 1, lid: 2, parameter: 0 }]);
  expect(kernel.nvme.armedEvents).toBe(2);
});

describe('says what is wrong', () => {
  test('when the function is not on vfio-pci', async () => {
    kernel.driver = 'nvme';
    expect(await sentence(NvmeDriver.open(kernel))).toMatchInlineSnapshot(
      `"Error: no NVMe controller is bound to vfio-pci: 0000:01:00.0 is driven by nvme"`,
    );
    expect(await sentence(NvmeDriver.open(kernel, { bdf: '0000:01:00.0' }))).toMatchInlineSnapshot(
      `"Error: 0000:01:00.0 has no VFIO device: 0000:01:00.0 is driven by nvme; write "vfio-pci" to /sys/bus/pci/devices/0000:01:00.0/driver_override, unbind it, and write 0000:01:00.0 to /sys/bus/pci/drivers_probe"`,
    );
    expect(kernel.openFds).toBe(0);
  });

  test('when BIND is refused', async () => {
    kernel.fail[VFIO_DEVICE_BIND_IOMMUFD] = EBUSY;
    expect(await sentence(NvmeDriver.open(kernel))).toMatchInlineSnapshot(
      `"SysError: ioctl(5, VFIO_DEVICE_BIND_IOMMUFD, {argsz=16, iommufd=4}): EBUSY (Device or resource busy); the group node /dev/vfio/<group> of this device is open; a device is used through one interface at a time"`,
    );
    expect(kernel.openFds).toBe(0);
  });

  test('when memory cannot be pinned', async () => {
    const nvme = await NvmeDriver.open(kernel);
    kernel.fail[IOMMU_IOAS_MAP] = ENOMEM;
    expect(await sentence(nvme.createQueuePair())).toMatchInlineSnapshot(
      `"SysError: ioctl(4, IOMMU_IOAS_MAP, {size=40, flags=6, ioas_id=1, user_va=49152, length=12288}): ENOMEM (Cannot allocate memory); the memory would exceed RLIMIT_MEMLOCK, which counts for all processes of the user"`,
    );
  });

  test('when the controller does not become ready', async () => {
    kernel.nvme.isStuck = true;
    expect(await sentence(NvmeDriver.open(kernel))).toMatchInlineSnapshot(
      `"ControllerError: 0000:01:00.0: CSTS.RDY did not become 1 within 500 ms after CC.EN=1; CSTS is 0x00000000: the controller is not ready"`,
    );
    expect(kernel.time).toBe(500e6);
    expect([kernel.openFds, kernel.mapped.size]).toEqual([0, 0]);
  });

  test('when nothing answers', async () => {
    kernel.nvme.isGone = true;
    expect(await sentence(NvmeDriver.open(kernel))).toMatchInlineSnapshot(
      `"ControllerError: 0000:01:00.0: CAP reads as all ones; CSTS is 0xffffffff: nothing answers, memory decode is off or the device was removed"`,
    );
    expect(kernel.openFds).toBe(0);
  });

  test.each([{ interrupts: false }, { interrupts: true }])(
    'when a command never completes, with %o',
    async (options) => {
      const nvme = await NvmeDriver.open(kernel, options);
      const disk = nvme.namespace(1);
      await disk.read(0, 1);
      kernel.nvme.isSilent = true;
      kernel.command &= ~4;
      const start = kernel.time;
      const reads = await Promise.all([sentence(disk.read(0, 64)), sentence(disk.read(0, 1))]);
      const silence = 'did not complete within 30000 ms; CSTS is 0x00000001';
      expect(reads[0]).toMatch(
        new RegExp(
          `Read of blocks 0 to 15 in namespace 1 \\(queue 1, command 0x\\w+, data at IOVA 0x\\w+\\) ${silence}, and bus master is off` +
            `.*, and Abort .* ${silence}.*; and the reset failed: Set Features .* ${silence}`,
        ),
      );
      expect(reads[1]).toBe(reads[0]);
      expect(kernel.time - start, 'the read, its Abort and the reset').toBeCloseTo(90e9, -9);
      expect(await sentence(disk.read(0, 1)), 'and nothing works after that').toBe(reads[0]);
    },
  );

  test('when a command fails', async () => {
    const nvme = await NvmeDriver.open(kernel);
    const disk = nvme.namespace(1);
    kernel.nvme.failWith = (_opcode, slba) => (slba === 16 ? STATUS.DATA_TRANSFER_ERROR : 0);
    expect(await sentence(disk.write(0, pattern(40)))).toMatchInlineSnapshot(
      `"NvmeError: Write of blocks 16 to 31 in namespace 1 (queue 1, command 0x0001) failed with DATA_TRANSFER_ERROR (0/0x04): The controller could not read or write the host memory of the command. Probable cause: the buffer is not mapped in the address space of the device, is mapped without the needed permission, or bus master is off; the kernel log has the fault. Do not retry (DNR)."`,
    );
    expect((await disk.read(0, 1)).length, 'the next one works').toBe(BLOCK);
  });

  test.each([
    [
      { maxTransfer_bytes: 100 },
      'option maxTransfer_bytes must be a whole number from 4096 to 268435456, got 100',
    ],
    [
      { maxTransfer_bytes: 0 },
      'option maxTransfer_bytes must be a whole number from 4096 to 268435456, got 0',
    ],
    [
      { maxTransfer_bytes: -1 },
      'option maxTransfer_bytes must be a whole number from 4096 to 268435456, got -1',
    ],
    [{ depht: 3 }, 'option depht is not a key here; did you mean "depth"?'],
    [{ depth: '8' }, 'option depth must be a whole number from 1 to 4095, got "8"'],
    [{ depth: 99_999 }, 'option depth must be a whole number from 1 to 4095, got 99999'],
    [{ retries: -1 }, 'option retries must be a whole number from 0 to 65535, got -1'],
    [
      { timeout_ns: Number.NaN },
      'option timeout_ns must be a finite number of nanoseconds from 1 on, got NaN',
    ],
    [{ timeout_ns: -1 }, 'option timeout_ns must be a finite number of nanoseconds from 1 on, got -1'],
    [{ queuePairs: 0 }, 'option queuePairs must be a whole number from 1 to 65535, got 0'],
    [{ interrupts: 1 }, 'option interrupts must be true or false, got 1'],
    [{ space: {} }, 'option space must be a DmaSpace'],
    [null, 'the options must be an object, got null'],
  ])('when options are %o, before anything is opened', async (options, problem) => {
    expect(await sentence(NvmeDriver.open(kernel, options as never))).toBe(
      `RangeError: NvmeDriver.open: ${problem}`,
    );
    expect(kernel.openFds).toBe(0);
  });

  test('when a range goes past the namespace, before any memory is taken for it', async () => {
    const nvme = await NvmeDriver.open(kernel);
    const disk = nvme.namespace(1);
    expect(await sentence(disk.read(0, 1e12))).toBe(
      'RangeError: namespace 1 has 1024 blocks, got a range of 1000000000000 from block 0 on',
    );
    expect(await sentence(disk.trim(1020, 8))).toContain('got a range of 8 from block 1020 on');
    expect(await sentence(nvme.createQueuePair({ depht: 3 } as never))).toBe(
      'RangeError: createQueuePair: option depht is not a key here; did you mean "depth"?',
    );
    await nvme.close();
  });

  test('when the arguments make no sense', async () => {
    const nvme = await NvmeDriver.open(kernel);
    expect(() => nvme.namespace(2)).toThrow('0000:01:00.0 has no active namespace 2; active: 1');
    expect(await sentence(nvme.namespace(1).write(0, new Uint8Array(100)))).toMatchInlineSnapshot(
      `"RangeError: data are whole blocks of 512 bytes, got 100 bytes"`,
    );
    expect(await sentence(nvme.createQueuePair({ interrupts: true }))).toContain('opened with interrupts');
  });

  test('when a completion is stale', async () => {
    const warnings: string[] = [];
    const nvme = await NvmeDriver.open(kernel, { onWarning: (warning) => warnings.push(warning) });
    await nvme.namespace(1).read(0, 1);
    kernel.nvme.complete(1, 0x123, 0);
    await nvme.namespace(1).read(0, 1);
    expect(warnings).toMatchInlineSnapshot(`
      [
        "0000:01:00.0 completed command 0x0123 on queue 1 (status 0x000), which is not outstanding",
      ]
    `);
  });
});

test('T11 an admin queue that is stuck: the command ends at its time, and close gives everything back', async () => {
  const nvme = await NvmeDriver.open(kernel, { interrupts: true });
  await nvme.namespace(1).read(0, 1);
  kernel.nvme.isSilent = true;
  expect(await sentence(nvme.close())).toContain(
    'Delete I/O Submission Queue (the admin queue, command 0x0082) did not complete',
  );
  expect([kernel.openFds, kernel.mapped.size, kernel.anonymousBytes]).toEqual([0, 0, 0]);
  await nvme.close();
});

/**
 * A board dealt out to several root complexes, each with its remapping unit and I/O APIC, in one thread: which drive is
 * below which, that firmware and kernel find the same machine, and that what belongs to all units reaches all of them.
 * Not here: a thread for each (test/threads/).
 */
import { describe, expect, test } from 'vitest';
import { joinComplexes, splitBoard } from '../../boards/complexes.ts';
import { Hardware, hostOf, memoryOf } from '../../boards/hardware.ts';
import { type Board, boot, type NvmeBoard, workstation } from '../../boards/index.ts';
import { Software } from '../../boards/software.ts';
import { findNvme, NvmeDriver } from '../../drivers/nvme/index.ts';
import { DmaSpace } from '../../drivers/vfio/dma.ts';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { BRIDGE, CONFIG, devfn } from '../../machine/pcie/spec.ts';
import { Trace } from '../../machine/trace.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { REG } from '../../nvme/spec/registers.ts';
import { EFD_NONBLOCK } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { pattern } from '../e2e/rig.ts';

const [ALONE] = workstation.rootPorts;
const DRIVE = ALONE!.device as NvmeBoard;
/** An address that firmware gave to nobody. */
const PREFETCHABLE = 0xd000_0000;

/** Root ports with drives of these serial numbers; the second one of a number joins the first, '' is an empty port. */
function boardOf(...serials: string[]): Board {
  const rootPorts = serials.map((serial, index) => {
    const joins = serials.indexOf(serial) < index;
    const device = { ...DRIVE, serial, joins, namespaces: joins ? [] : DRIVE.namespaces };
    return { ...ALONE!, at: `0${index + 1}.0`, device: serial === '' ? null : device };
  });
  return { ...workstation, rootPorts };
}

/** The machine of a board that is split, over hardware that works to its end within every store. */
function bootSplit(board: Board) {
  const host = hostOf(board, true);
  const clock = new Clock();
  const memory = memoryOf(board);
  const interrupts = new Interrupts(clock, new Trace(clock), 0);
  const split = splitBoard(board);
  const hardware = split.map((complex) => {
    const trace = new Trace(clock);
    return new Hardware(board, { clock, memory, trace, interrupts, isFree: true, seed: 1, complex });
  });
  const joined = joinComplexes(
    board,
    clock,
    split,
    hardware.map(({ rootComplex }) => rootComplex),
  );
  const { mmioBase, remapsInterrupts } = board;
  const groupOf = () => undefined;
  const parts = { clock, memory, interrupts, host, mmioBase, remapsInterrupts, groupOf };
  const software = new Software({ ...parts, ...joined });
  return { software, hardware, clock, bus: joined.rootComplex };
}

test.each([
  [['a'], [[0]]],
  [
    ['a', 'b', 'c'],
    [[0], [1], [2]],
  ],
  [
    ['a', 'b', 'a'],
    [[0, 2], [1]],
  ],
  [
    ['a', 'b', 'a', 'b', 'b'],
    [
      [0, 2],
      [1, 3, 4],
    ],
  ],
  [
    ['', 'a', '', 'b'],
    [[0, 1, 2], [3]],
  ],
  [['', ''], [[0, 1]]],
  [[], [[]]],
])('root ports with drives %j are split into %j', (serials, expected) => {
  const complexes = splitBoard(boardOf(...serials));
  expect(complexes.map(({ ports }) => ports)).toEqual(expected);
  expect(complexes.map(({ index }) => index)).toEqual(expected.map((_, index) => index));
});

describe('a split machine', () => {
  test('has the functions, addresses and names of a whole one, and a unit for each complex', () => {
    const { software, hardware } = bootSplit(workstation);
    expect(software.topology).toEqual(boot(workstation).topology);
    expect(hardware.map(({ controllers }) => controllers.map(({ name }) => name))).toEqual([
      ['nvme0'],
      ['nvme1', 'nvme2', 'nvme3'],
    ]);
    expect(software.kernel.dmesg.lines.filter((line) => /DRHD|Queued/.test(line))).toEqual([
      expect.stringContaining('DMAR: DRHD base: 0x000000fed90000 flags: 0x0'),
      expect.stringContaining('DMAR: DRHD base: 0x000000fed92000 flags: 0x1'),
      expect.stringContaining('DMAR: dmar0: Using Queued invalidation'),
      expect.stringContaining('DMAR: dmar1: Using Queued invalidation'),
    ]);
  });

  test('takes a page that drives of both units share from both at once', async () => {
    const { software } = bootSplit(boardOf('a', 'b'));
    const { kernel } = software;
    const space = new DmaSpace(kernel);
    const page = space.allocate(4096);
    const queues = await Promise.all(
      findNvme(kernel).map(async (bdf, drive) => {
        const driver = await NvmeDriver.open(kernel, { bdf, space });
        await driver.namespace(1).write(0, pattern(4096, drive));
        return driver.createQueuePair({ depth: 4 });
      }),
    );
    const read = (): number[] =>
      queues.map((queue) => {
        let found = -1;
        queue.onComplete = (_, status) => {
          found = status;
        };
        queue.postAt(NVM.READ, 1, 0, 8, page.iova, 4096);
        queue.ring();
        queue.reap();
        return found;
      });
    expect(read()).toEqual([0, 0]);
    const { iova } = page;
    page.free();
    expect(read(), 'cached in no unit').toEqual([4, 4]);
    expect(software.faults).toEqual(
      ['01', '02'].map((bus) =>
        expect.stringContaining(
          `[DMA Write NO_PASID] Request device [${bus}:00.0] fault addr 0x${iova.toString(16)}`,
        ),
      ),
    );
  });

  test('has wires of the second complex end at the second I/O APIC, through entries of its own unit', async () => {
    const { software, clock } = bootSplit({ ...boardOf('a', 'b'), remapsInterrupts: true });
    const { kernel } = software;
    const drivers = await Promise.all(findNvme(kernel).map((bdf) => NvmeDriver.open(kernel, { bdf })));
    const fds = drivers.map((driver) => {
      const fd = kernel.eventfd(0, EFD_NONBLOCK);
      const { ioctls } = driver.space;
      const flags = V.VFIO_IRQ_SET_DATA_EVENTFD | V.VFIO_IRQ_SET_ACTION_TRIGGER;
      const argsz = V.VfioIrqSet.SIZE + 4;
      ioctls.view.setInt32(V.VfioIrqSet.SIZE, fd, true);
      const values = { argsz, flags, index: V.VFIO_PCI_INTX_IRQ_INDEX, count: 1 };
      ioctls.call(driver.device.fd, 'device', V.VFIO_DEVICE_SET_IRQS, V.VfioIrqSet, values);
      return fd;
    });
    await drivers[1]!.getFeatures(FID.NUMBER_OF_QUEUES);
    clock.advance(1e6);
    const counts = fds.map((fd) => {
      const counter = new Uint8Array(8);
      kernel.read(fd, counter);
      return counter[0];
    });
    expect(counts).toEqual([0, 1]);
    expect(kernel.dmesg.lines.filter((line) => line.includes('IOAPIC'))).toEqual([
      expect.stringContaining('DMAR-IR: IOAPIC id 0 under DRHD base  0xfed90000 IOMMU 0'),
      expect.stringContaining('DMAR-IR: IOAPIC id 1 under DRHD base  0xfed92000 IOMMU 1'),
    ]);
    expect(software.faults).toEqual([]);
  });

  test('reaches a drive through a prefetchable window that was written after boot', () => {
    const { software, bus } = bootSplit(boardOf('a', 'b'));
    const [port, drive] = [devfn(2, 0), software.topology[1]!.bridge!.children[0]!];
    const vs = bus.read32(drive.bars[0]!.address + REG.VS);
    bus.configWrite(drive.bdf >>> 8, 0, CONFIG.BAR0, 4, PREFETCHABLE);
    const found = (): number => bus.read32(PREFETCHABLE + REG.VS);
    const writeHigh = (high: number): void => {
      for (const register of [BRIDGE.PREFETCHABLE_BASE_HI, BRIDGE.PREFETCHABLE_LIMIT_HI])
        bus.configWrite(0, port, register, 4, high);
    };
    expect(found()).toBe(0xffff_ffff);
    bus.configWrite(0, port, BRIDGE.PREFETCHABLE_BASE, 4, (PREFETCHABLE >>> 16) * 0x1_0001);
    expect(found()).toBe(vs);
    writeHigh(1);
    bus.configWrite(0, port, BRIDGE.PREFETCHABLE_BASE, 4, (PREFETCHABLE >>> 16) * 0x1_0001);
    expect(found(), 'above 4 GiB').toBe(0xffff_ffff);
    writeHigh(0);
    expect(found()).toBe(vs);
  });
});

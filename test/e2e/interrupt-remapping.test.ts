/**
 * A kernel that remaps interrupts: what a driver sees of it, which is nothing, until a message is not its own. Case X9.
 * Not here: every rule of an entry (test/iommu/), the same without a kernel.
 */
import { describe, expect, test } from 'vitest';
import { type Machine, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { IO_APIC, IO_APIC_BASE, IO_APIC_INDEX, PCI_INPUT, REDIRECTION } from '../../machine/io-apic.ts';
import { CONFIG, MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import { FID } from '../../nvme/spec/features.ts';
import { EFD_NONBLOCK } from '../../vfio/uapi/mman.ts';
import * as V from '../../vfio/uapi/vfio.ts';
import { pattern, start, WAYS } from './rig.ts';

const BOARD = { ...pc, remapsInterrupts: true };
const BAR_MASK = ~0xf;
/** Remappable format: bit 4 of the address. */
const FORMAT = 0x10;

/** Physical address of a field of an entry of the drive's MSI-X table. */
function msix({ rootComplex, controllers }: Machine, vector: number, field: number): number {
  const { bdf, profile } = controllers[0]!;
  const bar = (rootComplex.configRead(bdf >>> 8, bdf & 0xff, CONFIG.BAR0, 4) & BAR_MASK) >>> 0;
  return bar + profile.msixTable + vector * MSIX_ENTRY.SIZE + field;
}

describe.each(WAYS.filter(({ interrupts }) => !interrupts))('by wire, at the $pace pace', (way) => {
  /** The drive's pin as an eventfd: `count` says how often it fired since, and unmasks it. Admin completions assert it. */
  async function wired() {
    // The handler runs before the driver, which polls, has taken the completion and the pin is let go.
    const host = { ...pc.host, interrupt_ns: 0 };
    const { machine, driver } = await start(way, { ...BOARD, host });
    const { kernel } = machine;
    const fd = kernel.eventfd(0, EFD_NONBLOCK);
    const setIrqs = (flags: number, bytes: number, count: number): void => {
      const { ioctls } = driver.space;
      ioctls.view.setInt32(V.VfioIrqSet.SIZE, fd, true);
      const values = { argsz: V.VfioIrqSet.SIZE + bytes, flags, index: V.VFIO_PCI_INTX_IRQ_INDEX, count };
      ioctls.call(driver.device.fd, 'device', V.VFIO_DEVICE_SET_IRQS, V.VfioIrqSet, values);
    };
    setIrqs(V.VFIO_IRQ_SET_DATA_EVENTFD | V.VFIO_IRQ_SET_ACTION_TRIGGER, 4, 1);
    const counter = new Uint8Array(8);
    const count = (): number => {
      machine.clock.advance(1e6);
      counter[0] = 0;
      kernel.read(fd, counter);
      setIrqs(V.VFIO_IRQ_SET_DATA_NONE | V.VFIO_IRQ_SET_ACTION_UNMASK, 0, 1);
      return counter[0];
    };
    const complete = () => driver.getFeatures(FID.NUMBER_OF_QUEUES);
    return { machine, driver, count, complete };
  }

  /** The entries of the I/O APIC that are not masked: index of the low word, high and low word. */
  function openEntries({ rootComplex }: Machine): number[][] {
    const read = (index: number): number => {
      rootComplex.write32(IO_APIC_BASE + IO_APIC.SELECT, index);
      return rootComplex.read32(IO_APIC_BASE + IO_APIC.WINDOW);
    };
    return [0, 1, 2, 3]
      .map((pin) => IO_APIC_INDEX.TABLE + 2 * (PCI_INPUT + pin))
      .map((index) => [index, read(index + 1), read(index)])
      .filter(([, , low]) => REDIRECTION.MASK.get(low!) === 0);
  }

  test('the message of the I/O APIC names an entry of the table, and every interrupt ends', async () => {
    const { machine, driver, count, complete } = await wired();
    for (let time = 0; time < 3; time++) {
      await complete();
      expect(count()).toBe(1);
    }
    const [[index, high, low]] = openEntries(machine) as [[number, number, number]];
    expect((high >>> 16) & 1, 'remappable format: bit 48').toBe(1);
    expect(REDIRECTION.VECTOR.get(low), 'the input, not a vector of the CPU').toBe(
      (index - IO_APIC_INDEX.TABLE) / 2,
    );
    expect(machine.explain()).toEqual([]);
    await driver.close();
  });

  test.each([
    ['in compatibility format', 0, 'fault index 0x0', '0x25'],
    ['of an entry that is not there', ((0x1234 << 17) | (1 << 16)) >>> 0, 'fault index 0x1234', '0x22'],
  ])('its message %s is blocked and logged with its requester id', async (_, word, index, reason) => {
    const { machine, driver, count, complete } = await wired();
    const [[at]] = openEntries(machine) as [[number]];
    machine.rootComplex.write32(IO_APIC_BASE + IO_APIC.SELECT, at + 1);
    machine.rootComplex.write32(IO_APIC_BASE + IO_APIC.WINDOW, word);
    await complete();
    expect(count()).toBe(0);
    expect(machine.explain()).toEqual([
      expect.stringContaining(
        `DMAR: [INTR-REMAP] Request device [f0:1f.0] ${index} [fault reason ${reason}]`,
      ),
    ]);
    await driver.close();
  });
});

describe.each(WAYS.filter(({ interrupts }) => interrupts))('at the $pace pace', (way) => {
  test('interrupts arrive through entries of the table, and are given back', async () => {
    const { machine, driver } = await start(way, BOARD);
    expect(machine.kernel.dmesg.lines.join('\n')).toContain('DMAR-IR: Enabled IRQ remapping in xapic mode');
    const data = pattern(16 * 512);
    await driver.namespace(1).write(0, data);
    expect(Buffer.compare(await driver.namespace(1).read(0, 16), data)).toBe(0);
    const queue = await driver.createQueuePair();
    const entry = () => machine.rootComplex.read32(msix(machine, queue.qid, MSIX_ENTRY.ADDRESS));
    const address = entry();
    expect(address & FORMAT).toBe(FORMAT);
    expect(machine.rootComplex.read32(msix(machine, queue.qid, MSIX_ENTRY.DATA))).toBe(0);
    await driver.close();
    const again = await NvmeDriver.open(machine.kernel, { interrupts: true });
    expect(entry(), 'the entries were given back').toBe(address);
    await again.close();
    expect(machine.explain()).toEqual([]);
  });

  test.each([
    ['X9 names an entry that is not there', 0xfee0_0018 | (0x1234 << 5), 'fault index 0x1234', '0x22'],
    ['X9 is in compatibility format', 0xfee0_0000, 'fault index 0x0', '0x25'],
  ])(
    'a message that %s is blocked and logged, and the driver finds its completion by looking',
    async (_, address, index, reason) => {
      const warnings: string[] = [];
      const { machine, driver } = await start(way, BOARD, { onWarning: (warning) => warnings.push(warning) });
      await driver.namespace(1).read(0, 1);
      machine.rootComplex.write32(msix(machine, 1, MSIX_ENTRY.ADDRESS), address >>> 0);
      await driver.namespace(1).read(0, 1);
      machine.clock.advance(1e6);
      expect(machine.explain()).toEqual([
        expect.stringMatching(
          new RegExp(
            `DMAR: \\[INTR-REMAP\\] Request device \\[01:00.0\\] ${index} \\[fault reason ${reason}\\]`,
          ),
        ),
      ]);
      if (way.pace === 'timed')
        expect(warnings).toEqual([expect.stringContaining('an interrupt of queue 1 was lost')]);
      await driver.close();
    },
  );
});

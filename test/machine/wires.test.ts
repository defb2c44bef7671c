/** Interrupts by wire and by MSI: pins through bridges to the I/O APIC, and the MSI capability (Base §6.1.4, §7.7.1). */
import { describe, expect, test } from 'vitest';
import { IO_APIC, IO_APIC_INDEX, IoApic, REDIRECTION } from '../../machine/io-apic.ts';
import { Bridge, portDescription, swizzle } from '../../machine/pcie/bridge.ts';
import { Msi } from '../../machine/pcie/msi.ts';
import { COMMAND, CONFIG, MSI, MSI_CONTROL, STATUS } from '../../machine/pcie/spec.ts';
import { Link } from '../../machine/timing/link.ts';
import { chassis, Toy } from './toy.ts';

const AT = 0x50;
const ADDRESS = 0xfee0_0000;

describe('the interrupt pin', () => {
  /** A function with INTA as device 0 below two bridges, device 3 and device 2 of their buses. */
  function below() {
    const parts = chassis();
    const seen: [number, boolean][] = [];
    parts.rc.onWire = (pin, isAsserted) => seen.push([pin, isAsserted]);
    const link = { generation: 3, lanes: 4 } as const;
    const upper = new Bridge('upper', portDescription('ROOT_PORT', link), new Link(parts.clock, null));
    const lower = new Bridge('lower', portDescription('UPSTREAM', link), null);
    const fn = new Toy('fn', parts, { header: { interruptPin: 1 } });
    lower.plug(3 << 3, fn);
    upper.plug(0, lower);
    parts.rc.plug(2 << 3, upper);
    return { fn, seen };
  }

  test('is turned by the device number at every bridge', () => {
    const { fn, seen } = below();
    fn.setInterrupt(true);
    fn.setInterrupt(true);
    fn.setInterrupt(false);
    const root = swizzle(swizzle(swizzle(1, 3 << 3), 0), 2 << 3);
    expect(root).toBe(2);
    expect(seen).toEqual([
      [root, true],
      [root, false],
    ]);
  });

  test('is in the status register whatever the command register says, and on the wire only if that allows it', () => {
    const { fn, seen } = below();
    fn.config.write(CONFIG.COMMAND, 2, COMMAND.encode({ INTX_DISABLE: 1 }));
    fn.setInterrupt(true);
    expect(STATUS.INTERRUPT.get(fn.config.read(CONFIG.STATUS, 2))).toBe(1);
    expect(seen).toEqual([]);
    fn.config.write(CONFIG.COMMAND, 2, 0);
    expect(seen).toEqual([[2, true]]);
    fn.reset();
    expect(seen).toHaveLength(2);
    expect(STATUS.INTERRUPT.get(fn.config.read(CONFIG.STATUS, 2))).toBe(0);
  });
});

describe('the I/O APIC', () => {
  const INPUT = 17;
  const VECTOR = 0x41;

  function apic() {
    const sent: [number, number][] = [];
    const io = new IoApic({ deliver: (address, data) => sent.push([address, data]) });
    const write = (index: number, value: number) => {
      io.write32(IO_APIC.SELECT, index);
      io.write32(IO_APIC.WINDOW, value);
    };
    const program = (low: number) => {
      write(IO_APIC_INDEX.TABLE + 2 * INPUT + 1, 0x0500_0000);
      write(IO_APIC_INDEX.TABLE + 2 * INPUT, low);
    };
    const eoi = () => io.write32(IO_APIC.EOI, VECTOR);
    return { io, sent, program, eoi };
  }
  const OPEN = REDIRECTION.encode({ VECTOR, LEVEL: 1 });
  const MESSAGE = [0xfee0_5000, VECTOR];

  test('every input is masked until software opens it', () => {
    const { io, sent, program } = apic();
    io.drive(INPUT, true);
    expect(sent).toEqual([]);
    program(OPEN);
    expect(sent).toEqual([MESSAGE]);
  });

  test('one message until its end; then another if any function still asserts', () => {
    const { io, sent, program, eoi } = apic();
    program(OPEN);
    io.drive(INPUT, true);
    io.drive(INPUT, true);
    expect(sent).toEqual([MESSAGE]);
    io.drive(INPUT, false);
    eoi();
    expect(sent).toEqual([MESSAGE, MESSAGE]);
    io.drive(INPUT, false);
    eoi();
    eoi();
    expect(sent).toHaveLength(2);
  });

  test('its registers: 24 inputs, entries read back, reserved bits do not', () => {
    const { io, program } = apic();
    const read = (index: number) => {
      io.write32(IO_APIC.SELECT, index);
      return io.read32(IO_APIC.WINDOW);
    };
    expect(read(IO_APIC_INDEX.VERSION)).toBe(0x0017_0020);
    program(0xffff_ffff);
    const index = IO_APIC_INDEX.TABLE + 2 * INPUT;
    expect([read(index), read(index + 1)]).toEqual([0x1_88ff, 0x0500_0000]);
    expect(read(0xff)).toBe(0);
  });
});

describe('MSI', () => {
  function withMsi(vectors: number, granted = Math.log2(vectors)) {
    const parts = chassis();
    const fn = new Toy('fn', parts, { capabilities: [{ kind: 'msi', offset: AT, vectors }] });
    parts.rc.plug(0x18, fn);
    const { config } = fn;
    const got: number[] = [];
    parts.translator.interrupt = (_, _address, data) => got.push(data) > 0;
    config.write(CONFIG.COMMAND, 2, COMMAND.encode({ MEMORY: 1, BUS_MASTER: 1 }));
    const msi = new Msi({ clock: parts.clock, config, dma: fn.dma! });
    config.write(AT + MSI.ADDRESS, 4, ADDRESS);
    config.write(AT + MSI.DATA, 2, 0x40);
    config.write(AT + MSI.CONTROL, 2, MSI_CONTROL.encode({ ENABLE: 1, GRANTED: granted }));
    const run = () => {
      while (parts.clock.step());
      return got.splice(0);
    };
    return { config, msi, run };
  }

  test('a message carries its number in the low bits of the data', () => {
    const { msi, run } = withMsi(8);
    for (const vector of [0, 5, 7]) msi.raise(vector);
    expect(run()).toEqual([0x40, 0x45, 0x47]);
  });

  test('no more messages than software grants, and none while it is off', () => {
    const { config, msi, run } = withMsi(32, 1);
    expect(msi.vectors).toBe(2);
    config.write(AT + MSI.CONTROL, 2, 0);
    msi.raise(0);
    expect([msi.isEnabled, run()]).toEqual([false, []]);
  });

  test('a masked message is pending, and leaves once when unmasked', () => {
    const { config, msi, run } = withMsi(4);
    config.write(AT + MSI.MASK, 4, 0xffff_ffff);
    expect(config.read(AT + MSI.MASK, 4)).toBe(0xf);
    msi.raise(2);
    msi.raise(2);
    expect([config.read(AT + MSI.PENDING, 4), run()]).toEqual([4, []]);
    config.write(AT + MSI.MASK, 4, 0);
    expect([config.read(AT + MSI.PENDING, 4), run()]).toEqual([0, [0x42]]);
  });

  test('an address beyond 4 GiB reaches no interrupt controller', () => {
    const { config, msi, run } = withMsi(1);
    config.write(AT + MSI.ADDRESS_HI, 4, 1);
    msi.raise(0);
    expect([run(), msi.lost]).toEqual([[], 1]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigSpace, type HeaderDescription } from '../../machine/pcie/config-space.ts';
import { CONFIG } from '../../machine/pcie/spec.ts';
import { GIB, KIB, MIB } from '../../support/numbers.ts';
import { bar } from './toy.ts';

const HEADER: HeaderDescription = {
  vendor: 0x1234,
  device: 0x5678,
  revision: 3,
  class: 0x010802,
  subsystemVendor: 0xaaaa,
  subsystem: 0xbbbb,
  interruptPin: 1,
};
const bar64 = (index: number, bytes: number) => ({ index, bytes, is64: true, prefetchable: true });

describe('header', () => {
  test.each([
    ['vendor and device', 0x00, 4, 0x5678_1234, 0x5678_1234],
    ['command', 0x04, 2, 0, 0x0547],
    ['status', 0x06, 2, 0, 0],
    ['revision and class', 0x08, 4, 0x0108_0203, 0x0108_0203],
    ['cache line', 0x0c, 1, 0, 0xff],
    ['latency timer', 0x0d, 1, 0, 0],
    ['header type', 0x0e, 1, 0, 0],
    ['subsystem', 0x2c, 4, 0xbbbb_aaaa, 0xbbbb_aaaa],
    ['expansion ROM', 0x30, 4, 0, 0],
    ['interrupt line', 0x3c, 1, 0, 0xff],
    ['interrupt pin', 0x3d, 1, 1, 1],
    ['latency limits', 0x3e, 2, 0, 0],
  ] as const)(
    '%s: resets to its value and takes only its writable bits',
    (_name, offset, size, reset, ones) => {
      const config = new ConfigSpace(HEADER);
      expect(config.read(offset, size)).toBe(reset);
      config.write(offset, size, 0xffff_ffff);
      expect(config.read(offset, size)).toBe(ones);
      config.reset();
      expect(config.read(offset, size)).toBe(reset);
    },
  );

  test('multifunction is bit 7 of the header type, beside the layout', () => {
    const config = new ConfigSpace({ ...HEADER, headerType: 1, multifunction: true });
    expect(config.read(CONFIG.HEADER_TYPE, 1)).toBe(0x81);
  });

  test('a function without a pin has no interrupt line to write', () => {
    const config = new ConfigSpace({ ...HEADER, interruptPin: 0 });
    config.write(CONFIG.INTERRUPT_LINE, 1, 0x0b);
    expect(config.read(CONFIG.INTERRUPT_LINE, 1)).toBe(0);
  });
});

describe('accesses', () => {
  test.each([
    [0, 1, 0x34],
    [1, 1, 0x12],
    [1, 2, 0x7812],
    [2, 2, 0x5678],
    [3, 1, 0x56],
  ] as const)('a read at %d of %d bytes sees those bytes', (offset, size, value) => {
    expect(new ConfigSpace(HEADER).read(offset, size)).toBe(value);
  });

  test('a write changes the bytes it enables and no others', () => {
    const access = fc.record({
      size: fc.constantFrom(1 as const, 2 as const, 4 as const),
      lane: fc.nat(3),
      value: fc.nat(0xffff_ffff),
    });
    const play = (
      start: number,
      { size, lane, value }: { size: 1 | 2 | 4; lane: number; value: number },
    ): void => {
      fc.pre(lane + size <= 4);
      const config = new ConfigSpace(HEADER);
      config.register(0x80, 4, { value: start, writable: 0xffff_ffff });
      const expected = new DataView(new ArrayBuffer(4));
      expected.setUint32(0, start, true);
      for (let byte = 0; byte < size; byte++) expected.setUint8(lane + byte, value >>> (8 * byte));
      config.write(0x80 + lane, size, value);
      expect(config.read(0x80, 4)).toBe(expected.getUint32(0, true));
    };
    fc.assert(fc.property(fc.nat(0xffff_ffff), access, play));
  });

  test.each([
    [3, 2],
    [1, 4],
    [4096, 1],
    [-1, 1],
  ] as const)('an access at %d of %d bytes is a bug of the caller', (offset, size) => {
    expect(() => new ConfigSpace(HEADER).read(offset, size)).toThrow('leaves its dword');
  });

  test('bits to clear go with a written one and stay with a zero', () => {
    const config = new ConfigSpace(HEADER);
    config.register(0x80, 2, { clear: 0x000f });
    config.set(0x80, 2, 0x00ff);
    config.write(0x80, 2, 0xff05);
    expect(config.read(0x80, 2)).toBe(0x00fa);
    config.write(0x81, 1, 0xff);
    expect(config.read(0x80, 2)).toBe(0x00fa);
  });

  test('sticky bits keep their value over a reset, their neighbours do not', () => {
    const config = new ConfigSpace(HEADER);
    config.register(0x80, 4, { value: 0x11, writable: 0xff, sticky: 0xf0 });
    config.write(0x80, 4, 0xa5);
    config.reset();
    expect(config.read(0x80, 4)).toBe(0xa1);
  });
});

describe('BARs', () => {
  test.each([
    ['32-bit', bar(0, 16 * KIB), 0xffff_c000, null],
    ['the smallest', bar(0, 16), 0xffff_fff0, null],
    ['2 GiB', bar(0, 2 * GIB), 0x8000_0000, null],
    ['64-bit', bar64(0, MIB), 0xfff0_000c, 0xffff_ffff],
    ['4 GiB', bar64(0, 4 * GIB), 0x0000_000c, 0xffff_ffff],
    ['64 GiB', bar64(0, 64 * GIB), 0x0000_000c, 0xffff_fff0],
  ] as const)('%s: all ones read back as the size', (_name, description, low, high) => {
    const config = new ConfigSpace({ ...HEADER, bars: [description] });
    config.write(CONFIG.BAR0, 4, 0xffff_ffff);
    config.write(CONFIG.BAR0 + 4, 4, 0xffff_ffff);
    expect(config.read(CONFIG.BAR0, 4)).toBe(low);
    expect(config.read(CONFIG.BAR0 + 4, 4)).toBe(high ?? 0);
  });

  test('an address is where software put it, in one or two words', () => {
    const config = new ConfigSpace({ ...HEADER, bars: [bar(0, 4 * KIB), bar64(2, MIB)] });
    config.write(CONFIG.BAR0, 4, 0xfe80_0fff);
    config.write(CONFIG.BAR0 + 8, 4, 0x1230_0000);
    config.write(CONFIG.BAR0 + 12, 4, 5);
    expect(config.bars).toEqual([
      { ...bar(0, 4 * KIB), address: 0xfe80_0000 },
      { ...bar64(2, MIB), address: 0x5_1230_0000 },
    ]);
  });

  test('no step of a size probe leaves an address that could be decoded', () => {
    const config = new ConfigSpace({ ...HEADER, bars: [bar(0, 4 * KIB), bar64(2, MIB)] });
    const addresses = () => config.bars.map(({ address }) => address);
    config.write(CONFIG.BAR0, 4, 0xffff_ffff);
    config.write(CONFIG.BAR0 + 8, 4, 0xffff_ffff);
    expect(addresses()).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    config.write(CONFIG.BAR0 + 12, 4, 0xffff_ffff);
    config.write(CONFIG.BAR0 + 8, 4, 0xfe00_0000);
    expect(addresses()[1]).toBe(Number.POSITIVE_INFINITY);
    config.write(CONFIG.BAR0 + 12, 4, 0);
    expect(addresses()[1]).toBe(0xfe00_0000);
  });

  test.each([
    ['an odd size', [bar(0, 5000)], 'power of two'],
    ['less than 16 bytes', [bar(0, 8)], 'power of two'],
    ['4 GiB in 32 bits', [bar(0, 4 * GIB)], 'must be 64-bit'],
    ['a 64-bit BAR 5', [bar64(5, MIB)], 'no room for BAR5'],
    ['a BAR in the high half of another', [bar64(0, MIB), bar(1, MIB)], 'high half'],
  ])('%s cannot be declared', (_name, bars, sentence) => {
    expect(() => new ConfigSpace({ ...HEADER, bars })).toThrow(sentence);
  });
});

describe('changes', () => {
  function watched() {
    const config = new ConfigSpace({ ...HEADER, bars: [bar(0, 4 * KIB), bar64(2, MIB)] });
    const seen: string[] = [];
    config.listen((change) => seen.push(change));
    return { config, seen };
  }

  test.each([
    ['memory decoding', 0x04, 2, 0x0002, ['decode']],
    ['bus mastering', 0x04, 2, 0x0004, ['busMaster']],
    ['both', 0x04, 2, 0x0006, ['decode', 'busMaster']],
    ['the bit that turns the interrupt pin off', 0x04, 2, 0x0400, ['interrupts']],
    ['another command bit', 0x04, 2, 0x0100, []],
    ['a BAR', 0x10, 4, 0x1000_0000, ['decode']],
    ['one byte of a BAR', 0x13, 1, 0xfe, ['decode']],
    ['the high half of a BAR', 0x1c, 4, 1, ['decode']],
    ['a BAR to what it was', 0x10, 4, 0, []],
    ['a register that is no BAR', 0x14, 4, 0xffff_ffff, []],
  ] as const)('a write of %s', (_name, offset, size, value, expected) => {
    const { config, seen } = watched();
    config.write(offset, size, value);
    expect(seen).toEqual(expected);
  });

  test('a reset and sleep take decoding and mastering away', () => {
    const { config, seen } = watched();
    config.write(CONFIG.COMMAND, 2, 6);
    seen.length = 0;
    config.sleep(true);
    expect([config.memoryDecode, config.busMaster, seen]).toEqual([false, false, ['decode', 'busMaster']]);
    config.sleep(false);
    expect([config.memoryDecode, config.busMaster]).toEqual([true, true]);
    config.reset();
    expect([config.memoryDecode, config.busMaster]).toEqual([false, false]);
    expect(seen).toEqual(['decode', 'busMaster', 'decode', 'busMaster', 'decode', 'busMaster']);
  });

  test('a hook sees the dword after and before every write that touches it', () => {
    const { config } = watched();
    const seen: number[][] = [];
    config.register(0x80, 4, { value: 0x10, writable: 0xff });
    config.onWrite(0x82, (now, old) => seen.push([now, old]));
    config.write(0x80, 1, 0x22);
    config.write(0x83, 1, 0x99);
    config.write(0x84, 4, 1);
    expect(seen).toEqual([
      [0x22, 0x10],
      [0x22, 0x22],
    ]);
  });
});

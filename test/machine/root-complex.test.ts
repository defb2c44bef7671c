import { beforeEach, describe, expect, test } from 'vitest';
import { Bridge, portDescription } from '../../machine/pcie/bridge.ts';
import { enumerate } from '../../machine/pcie/enumerate.ts';
import { CONFIG } from '../../machine/pcie/spec.ts';
import { type HostProfile, SERVER_HOST } from '../../machine/timing/host.ts';
import { Link, type LinkProfile } from '../../machine/timing/link.ts';
import { T } from '../../machine/trace.ts';
import { bar, type Chassis, chassis, GEN4_X4, Toy } from './toy.ts';

const BAR = 0xfe80_0000;

/** One function with BARs of 8 KiB and 256 bytes behind a root port, enumerated. */
function machine(link: LinkProfile | null, host?: HostProfile) {
  const parts = chassis(host);
  const wire = new Link(parts.clock, link);
  const port = new Bridge('port', portDescription('ROOT_PORT', { generation: 4, lanes: 4 }), wire);
  const toy = new Toy('toy', parts, { bars: [bar(0, 8192), bar(1, 256)] });
  port.plug(0, toy);
  parts.rc.plug(0x08, port);
  enumerate(parts.rc);
  return { ...parts, port, toy };
}

let it: ReturnType<typeof machine>;
beforeEach(() => {
  it = machine(null);
});

describe('configuration cycles', () => {
  test.each([
    [1, 0xff],
    [2, 0xffff],
    [4, 0xffff_ffff],
  ] as const)('a read of %d bytes that nobody answers is all ones', (size, ones) => {
    expect(it.rc.configRead(5, 0, 0, size)).toBe(ones);
    it.rc.configWrite(5, 0, 0, size, 0);
  });

  test('a write is traced with the function it reached', () => {
    const seen: number[][] = [];
    it.trace.listen((_time, point, ...rest) => seen.push([point, ...rest]));
    it.rc.configWrite(1, 0, CONFIG.CACHE_LINE, 1, 16);
    expect(seen).toEqual([[T.CONFIG_WRITE, 0x100, CONFIG.CACHE_LINE, 16, 1]]);
  });
});

describe('loads and stores', () => {
  test('go to the BAR and offset that the address decodes to', () => {
    it.rc.write32(BAR + 4, 0x1111_1111);
    it.rc.write32(BAR + 8188, 0x8000_0000);
    it.rc.write32(BAR + 8192 + 252, 7);
    expect(it.toy.writes).toEqual([
      [0, 4, 0x1111_1111],
      [0, 8188, 0x8000_0000],
      [1, 252, 7],
    ]);
    expect(it.rc.read32(BAR + 8188)).toBe(0x8000_0000);
  });

  test('of one and two bytes touch those bytes', () => {
    it.rc.write32(BAR, 0x4433_2211);
    it.rc.writePart(BAR + 1, 1, 0xaa);
    it.rc.writePart(BAR + 2, 2, 0xccbb);
    expect(it.rc.read32(BAR)).toBe(0xccbb_aa11);
    expect([it.rc.readPart(BAR + 3, 1), it.rc.readPart(BAR + 1, 2)]).toEqual([0xcc, 0xbbaa]);
  });

  test.each([
    ['RAM', 0x1000],
    ['a hole in the window', 0xd000_0000],
    ['behind a BAR smaller than a page', BAR + 8192 + 256],
    ['above 4 GiB', 0x1_0000_0000],
  ])('%s: nobody answers', (_name, address) => {
    it.rc.write32(address, 1);
    it.rc.writePart(address, 1, 1);
    expect(it.rc.read32(address)).toBe(0xffff_ffff);
    expect(it.rc.readPart(address, 2)).toBe(0xffff);
    expect([it.rc.refused, it.rc.answers(address), it.toy.writes.length]).toEqual([4, false, 0]);
  });

  test('below a BAR that begins inside a page nobody answers', () => {
    it.rc.configWrite(1, 0, CONFIG.BAR0 + 4, 4, BAR + 0x4800);
    expect([it.rc.answers(BAR + 0x4800), it.rc.answers(BAR + 0x4000)]).toEqual([true, false]);
  });

  test('follow a BAR that moves and a decode bit that goes', () => {
    expect(it.rc.answers(BAR)).toBe(true);
    it.rc.configWrite(1, 0, CONFIG.BAR0, 4, BAR + 0x1_0000);
    expect([it.rc.answers(BAR), it.rc.answers(BAR + 0x1_0000)]).toEqual([false, true]);
    it.rc.configWrite(1, 0, CONFIG.COMMAND, 2, 0);
    expect(it.rc.answers(BAR + 0x1_0000)).toBe(false);
  });

  test('reach a register block where it was mapped, before any BAR', () => {
    const written: number[][] = [];
    const block = {
      read32: (offset: number) => 0x1000 + offset,
      write32: (...write: number[]) => written.push(write),
    };
    it.rc.mapBlock(0xfed9_0000, 4096, block);
    it.rc.mapBlock(BAR, 4096, block);
    it.rc.write32(0xfed9_0008, 5);
    expect(it.rc.read32(0xfed9_0ffc)).toBe(0x1ffc);
    expect(it.rc.readPart(0xfed9_0009, 1)).toBe(0x10);
    it.rc.write32(BAR + 16, 6);
    expect([written, it.toy.writes]).toEqual([
      [
        [8, 5],
        [16, 6],
      ],
      [],
    ]);
  });
});

describe('time', () => {
  const wire_ns = (bytes: number) => bytes / ((16 * 4 * (128 / 130) * 0.97) / 8);
  const store_ns = wire_ns(28) + GEN4_X4.propagation_ns;
  beforeEach(() => {
    it = machine(GEN4_X4, SERVER_HOST);
  });

  test('a store is posted: the CPU goes on before it arrives', () => {
    it.rc.write32(BAR, 1);
    expect([it.clock.now, it.toy.writes.length]).toEqual([SERVER_HOST.store_ns, 0]);
    it.clock.advance(store_ns + 1);
    expect(it.toy.writes).toEqual([[0, 0, 1]]);
  });

  test('stores arrive in order, and a load pushes all of them ahead of itself', () => {
    for (let value = 1; value <= 5; value++) it.rc.write32(BAR + 4 * value, value);
    expect(it.rc.read32(BAR + 20)).toBe(5);
    expect(it.toy.writes.map(([, , value]) => value)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a store of one byte does not overtake one of four', () => {
    it.rc.write32(BAR, 0x1111_1111);
    it.rc.writePart(BAR, 1, 0x22);
    expect(it.rc.read32(BAR)).toBe(0x1111_1122);
  });

  test('a load costs the way there and back', () => {
    it.rc.read32(BAR);
    const { rootComplex_ns, load_ns } = SERVER_HOST;
    expect(it.clock.now).toBeCloseTo(2 * (store_ns + rootComplex_ns) + load_ns, 6);
    // Round trips that others measured are 0.5 to 1 us (machine/timing/host.ts).
    expect(it.clock.now).toBeGreaterThan(500);
    expect(it.clock.now).toBeLessThan(1000);
  });

  test('more stores than the root complex holds make the CPU wait, and none is lost', () => {
    const dawdling: HostProfile = { ...SERVER_HOST, store_ns: 0 };
    it = machine(GEN4_X4, dawdling);
    for (let value = 0; value < 3000; value++) it.rc.write32(BAR, value);
    expect(it.clock.now).toBeGreaterThan(0);
    it.clock.advance(1e6);
    expect(it.toy.writes.map(([, , value]) => value)).toEqual(
      Array.from({ length: 3000 }, (_, value) => value),
    );
  });
});

describe('a function on bus 0', () => {
  test('has a DMA flag that follows its own bit alone', () => {
    const parts: Chassis = chassis();
    const toy = new Toy('integrated', parts);
    parts.rc.plug(0x10, toy);
    parts.rc.configWrite(0, 0x10, CONFIG.COMMAND, 2, 4);
    expect([toy.port.busMaster, toy.port.requester]).toEqual([true, 0x10]);
  });
});

import { beforeEach, describe, expect, test } from 'vitest';
import { Bridge, portDescription } from '../../machine/pcie/bridge.ts';
import { BRIDGE, BRIDGE_CONTROL, CONFIG } from '../../machine/pcie/spec.ts';
import { Link } from '../../machine/timing/link.ts';
import { type Chassis, chassis, GEN4_X4, Toy } from './toy.ts';

const WIDTH = { generation: 4, lanes: 4 } as const;
const RESET = BRIDGE_CONTROL.BUS_RESET.mask;

/** Root port (bus 1 below it), switch (bus 2 inside it), downstream port (bus 3), and a function at its end. */
let parts: Chassis;
let root: Bridge;
let upstream: Bridge;
let downstream: Bridge;
let toy: Toy;

function number(bridge: Bridge, primary: number, secondary: number, subordinate: number): void {
  bridge.config.write(BRIDGE.PRIMARY, 4, primary | (secondary << 8) | (subordinate << 16));
}

beforeEach(() => {
  parts = chassis();
  root = new Bridge('root', portDescription('ROOT_PORT', WIDTH), new Link(parts.clock, GEN4_X4));
  upstream = new Bridge('upstream', portDescription('UPSTREAM', WIDTH), null);
  downstream = new Bridge('downstream', portDescription('DOWNSTREAM', WIDTH), new Link(parts.clock, GEN4_X4));
  toy = new Toy('toy', parts);
  downstream.plug(0, toy);
  upstream.plug(0x18, downstream);
  root.plug(0, upstream);
  parts.rc.plug(0x20, root);
  number(root, 0, 1, 3);
  number(upstream, 1, 2, 3);
  number(downstream, 2, 3, 3);
});

describe('configuration cycles', () => {
  test.each([
    [0, 0x20, 'root'],
    [1, 0, 'upstream'],
    [2, 0x18, 'downstream'],
    [3, 0, 'toy'],
    [0, 0, undefined],
    [1, 0x08, undefined],
    [2, 0, undefined],
    [4, 0, undefined],
  ])('bus %d devfn %d is answered by %s', (bus, devfn, name) => {
    expect(parts.rc.functionAt(bus, devfn)?.name).toBe(name);
  });

  test('a bridge that has no numbers yet passes nothing on', () => {
    number(upstream, 0, 0, 0);
    expect(parts.rc.functionAt(3, 0)).toBeNull();
    expect(root.functionAt(1, 0)?.name).toBe('upstream');
  });

  test('a function learns its bus from a write', () => {
    parts.rc.configWrite(3, 0, CONFIG.CACHE_LINE, 1, 16);
    expect([toy.bus, toy.port.requester]).toEqual([3, 0x300]);
  });
});

test('there is no I/O window: its registers are zero whatever is written (Bridge 1.2 §3.2.5.6)', () => {
  for (const { config } of [root, upstream, downstream]) {
    config.write(BRIDGE.IO_BASE, 2, 0xffff);
    expect(config.read(BRIDGE.IO_BASE, 2)).toBe(0);
  }
});

describe('plugging', () => {
  test('a port that ends a link takes device 0 only, the inside of a switch any', () => {
    expect(() => root.plug(0x08, new Toy('other', parts))).toThrow('only device 0');
    upstream.plug(0x08, new Toy('other', parts));
    expect(() => root.plug(0, new Toy('other', parts))).toThrow('taken');
  });

  test('a function gets the link it hangs on', () => {
    expect(toy.port.link).toBe(downstream.link);
  });

  test('a bridge needs a type 1 header', () => {
    expect(() => new Bridge('bad', { ...portDescription('ROOT_PORT', WIDTH), headerType: 0 }, null)).toThrow(
      'type 1',
    );
  });
});

describe('windows (Bridge §3.2.5)', () => {
  test('memory: 1 MiB units, both ends included, closed when the limit is below the base', () => {
    root.config.write(BRIDGE.MEMORY_BASE, 4, 0xfe9f_fe8f);
    expect(root.memoryWindow).toEqual({ base: 0xfe80_0000, limit: 0xfe9f_ffff });
    root.config.write(BRIDGE.MEMORY_BASE, 4, 0x0000_fff0);
    const { base, limit } = root.memoryWindow;
    expect(limit).toBeLessThan(base);
  });

  test('prefetchable: 64-bit', () => {
    root.config.write(BRIDGE.PREFETCHABLE_BASE, 4, 0x2010_1000);
    root.config.write(BRIDGE.PREFETCHABLE_BASE_HI, 4, 0x12);
    root.config.write(BRIDGE.PREFETCHABLE_LIMIT_HI, 4, 0x13);
    expect(root.config.read(BRIDGE.PREFETCHABLE_BASE, 4)).toBe(0x2011_1001);
    expect(root.prefetchableWindow).toEqual({ base: 0x12_1000_0000, limit: 0x13_201f_ffff });
  });

  test('a function is reached only through an open window of every bridge above, memory or prefetchable', () => {
    const address = 0xe010_0000;
    toy.config.write(CONFIG.BAR0, 4, address);
    for (const { config } of [root, upstream, downstream, toy]) config.write(CONFIG.COMMAND, 2, 2);
    const open = (bridge: Bridge, register: number) => bridge.config.write(register, 4, 0xe010_e010);
    open(root, BRIDGE.MEMORY_BASE);
    open(downstream, BRIDGE.MEMORY_BASE);
    expect(parts.rc.answers(address)).toBe(false);
    open(upstream, BRIDGE.PREFETCHABLE_BASE);
    expect(parts.rc.answers(address)).toBe(true);
    root.config.write(BRIDGE.MEMORY_BASE, 4, 0x0000_fff0);
    expect(parts.rc.answers(address)).toBe(false);
  });

  test.each(['root', 'upstream', 'downstream', 'toy'])(
    'memory decoding off in %s hides the function',
    (name) => {
      const address = 0xe010_0000;
      toy.config.write(CONFIG.BAR0, 4, address);
      const all = [root, upstream, downstream, toy];
      for (const fn of all) fn.config.write(CONFIG.COMMAND, 2, 2);
      for (const bridge of [root, upstream, downstream])
        bridge.config.write(BRIDGE.MEMORY_BASE, 4, 0xe010_e010);
      expect(parts.rc.answers(address)).toBe(true);
      all.find((fn) => fn.name === name)!.config.write(CONFIG.COMMAND, 2, 0);
      expect(parts.rc.answers(address)).toBe(false);
    },
  );
});

describe('bus mastering', () => {
  const setMaster = ({ config }: { config: Bridge['config'] }, on: boolean) =>
    config.write(CONFIG.COMMAND, 2, on ? 4 : 0);

  test('a request needs the bit in the function and in every bridge above, in whatever order they are set', () => {
    const path = [downstream, toy, root, upstream];
    for (const fn of path) {
      expect(toy.port.busMaster).toBe(false);
      setMaster(fn, true);
    }
    expect(toy.port.busMaster).toBe(true);
    for (const fn of path) {
      setMaster(fn, false);
      expect(toy.port.busMaster).toBe(false);
      setMaster(fn, true);
      expect(toy.port.busMaster).toBe(true);
    }
  });

  test('a function plugged in later finds the state of the bridges above', () => {
    const late = new Toy('late', parts);
    setMaster(late, true);
    expect(late.port.busMaster).toBe(true);
    upstream.plug(0x08, late);
    expect(late.port.busMaster).toBe(false);
    setMaster(root, true);
    setMaster(upstream, true);
    expect(late.port.busMaster).toBe(true);
  });
});

describe('reset', () => {
  test('a secondary bus reset resets everything below once, and nothing answers while it is held', () => {
    root.config.write(BRIDGE.CONTROL, 2, RESET);
    root.config.write(BRIDGE.CONTROL, 2, RESET | 2);
    expect(toy.resets).toBe(1);
    expect([upstream.secondary, downstream.secondary, root.secondary]).toEqual([0, 0, 1]);
    expect(parts.rc.functionAt(1, 0)).toBeNull();
    root.config.write(BRIDGE.CONTROL, 2, 0);
    expect(parts.rc.functionAt(1, 0)).toBe(upstream);
    expect(toy.resets).toBe(1);
  });

  test('a reset function stops decoding and sending', () => {
    for (const fn of [root, upstream, downstream, toy]) fn.config.write(CONFIG.COMMAND, 2, 6);
    expect(toy.port.busMaster).toBe(true);
    downstream.config.write(BRIDGE.CONTROL, 2, RESET);
    expect([toy.port.busMaster, toy.config.memoryDecode]).toEqual([false, false]);
  });
});

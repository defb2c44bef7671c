import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bridge, portDescription } from '../../machine/pcie/bridge.ts';
import type { BarDescription } from '../../machine/pcie/config-space.ts';
import { EnumerationError, enumerate, type FoundFunction } from '../../machine/pcie/enumerate.ts';
import { bdfText, CONFIG } from '../../machine/pcie/spec.ts';
import { GIB, KIB, MIB } from '../../support/numbers.ts';
import { runs } from '../runs.ts';
import { bar, type Chassis, chassis, Toy, type ToyOptions } from './toy.ts';

const WIDTH = { generation: 4, lanes: 4 } as const;
const NVME_BAR: BarDescription = { index: 0, bytes: 16 * KIB, is64: true, prefetchable: false };

const rootPort = (name: string) => new Bridge(name, portDescription('ROOT_PORT', WIDTH), null);
const switchPort = (name: string, kind: 'UPSTREAM' | 'DOWNSTREAM') =>
  new Bridge(name, portDescription(kind, WIDTH), null);
const toy = (parts: Chassis, name: string, options: ToyOptions = {}) =>
  new Toy(name, parts, { bars: [NVME_BAR], header: { interruptPin: 1 }, ...options });

/** One line per function: address, BARs, window. */
function text(found: readonly FoundFunction[], indent = ''): string[] {
  const at = (value: number) => value.toString(16);
  return found.flatMap(({ bdf, bars, bridge }) => {
    const line = [
      `${indent}${bdfText(bdf)}`,
      ...bars.map(({ index, address }) => `BAR${index}=${at(address)}`),
    ];
    if (bridge === null) return [line.join(' ')];
    const { secondary, subordinate, window, children } = bridge;
    line.push(`buses ${secondary}-${subordinate}`);
    line.push(window === null ? 'closed' : `${at(window.base)}-${at(window.limit)}`);
    return [line.join(' '), ...text(children, `${indent}  `)];
  });
}

describe('enumerate', () => {
  test('two root ports with an NVMe each, as on the machine of conformance/', () => {
    const parts = chassis();
    const drives = [4, 5].map((device) => {
      const port = rootPort(`port${device}`);
      const drive = toy(parts, `nvme${device}`);
      port.plug(0, drive);
      parts.rc.plug(device << 3, port);
      return drive;
    });
    expect(text(enumerate(parts.rc))).toEqual([
      '00:04.0 buses 1-1 fe800000-fe8fffff',
      '  01:00.0 BAR0=fe800000',
      '00:05.0 buses 2-2 fe900000-fe9fffff',
      '  02:00.0 BAR0=fe900000',
    ]);
    const command = (bus: number, devfn: number) => parts.rc.configRead(bus, devfn, CONFIG.COMMAND, 2);
    expect([command(0, 0x20), command(1, 0), command(2, 0)]).toEqual([0x0107, 0x0103, 0x0103]);
    expect(
      drives.map(({ port, config }) => [
        port.requester,
        port.busMaster,
        config.read(CONFIG.INTERRUPT_LINE, 1),
      ]),
    ).toEqual([
      [0x100, false, 10],
      [0x200, false, 10],
    ]);
  });

  test('a switch, an empty port, and a device with several functions', () => {
    const parts = chassis();
    const port = rootPort('port');
    const upstream = switchPort('up', 'UPSTREAM');
    port.plug(0, upstream);
    for (const device of [0, 1, 2]) {
      const downstream = switchPort(`down${device}`, 'DOWNSTREAM');
      upstream.plug(device << 3, downstream);
      if (device !== 1) downstream.plug(0, toy(parts, `nvme${device}`));
    }
    parts.rc.plug(0x08, port);
    parts.rc.plug(0x10, toy(parts, 'first', { header: { multifunction: true } }));
    parts.rc.plug(0x13, toy(parts, 'fourth', { bars: [bar(0, 256), bar(3, MIB)] }));
    parts.rc.plug(0x19, toy(parts, 'unreachable: its device has no function 0'));
    expect(text(enumerate(parts.rc))).toEqual([
      '00:01.0 buses 1-5 fe800000-fe9fffff',
      '  01:00.0 buses 2-5 fe800000-fe9fffff',
      '    02:00.0 buses 3-3 fe800000-fe8fffff',
      '      03:00.0 BAR0=fe800000',
      '    02:01.0 buses 4-4 closed',
      '    02:02.0 buses 5-5 fe900000-fe9fffff',
      '      05:00.0 BAR0=fe900000',
      '00:02.0 BAR0=feb00000',
      '00:02.3 BAR0=feb04000 BAR3=fea00000',
    ]);
  });

  test('says what each function is', () => {
    const parts = chassis();
    const header = { vendor: 0x144d, device: 0xa808, revision: 7, class: 0x010802, interruptPin: 2 };
    parts.rc.plug(0x18, toy(parts, 'nvme', { header }));
    expect(enumerate(parts.rc)).toEqual([
      {
        bdf: 0x18,
        vendor: 0x144d,
        device: 0xa808,
        revision: 7,
        class: 0x010802,
        interruptLine: 10,
        bars: [{ ...NVME_BAR, address: 0xfe80_0000 }],
        bridge: null,
      },
    ]);
  });

  test.each([
    [1, 4, 10],
    [1, 5, 10],
    [1, 6, 11],
    [2, 7, 10],
    [4, 4, 11],
  ])('pin %d of device %d on bus 0 goes to line %d', (interruptPin, device, line) => {
    const parts = chassis();
    parts.rc.plug(device << 3, toy(parts, 'toy', { header: { interruptPin } }));
    expect(enumerate(parts.rc)[0]?.interruptLine).toBe(line);
  });

  test('moves down when it does not fit below 0xfec00000, and says so when it fits nowhere', () => {
    const parts = chassis();
    const port = rootPort('port');
    port.plug(0, toy(parts, 'large', { bars: [bar(0, 64 * MIB)] }));
    parts.rc.plug(0x08, port);
    expect(text(enumerate(parts.rc))).toEqual([
      '00:01.0 buses 1-1 f8000000-fbffffff',
      '  01:00.0 BAR0=f8000000',
    ]);
    parts.rc.plug(
      0x10,
      toy(parts, 'huge', { bars: [{ index: 2, bytes: 8 * GIB, is64: true, prefetchable: true }] }),
    );
    expect(() => enumerate(parts.rc)).toThrow(EnumerationError);
    expect(() => enumerate(parts.rc)).toThrowErrorMatchingInlineSnapshot(
      `[EnumerationError: the functions need 8.06GiB of MMIO aligned to 8GiB, which does not fit between 0xc0000000 and 0xfec00000; the largest is BAR2 of 00:02.0, 8GiB]`,
    );
  });

  test('begins where the board says', () => {
    const parts = chassis();
    parts.rc.plug(0x08, toy(parts, 'toy'));
    expect(enumerate(parts.rc, { mmioBase: 0xe000_1000 })[0]?.bars[0]?.address).toBe(0xe000_4000);
  });

  test('runs again over old numbers and addresses with the same result', () => {
    const parts = chassis();
    for (const device of [1, 2, 3]) {
      const port = rootPort(`port${device}`);
      port.plug(0, toy(parts, `nvme${device}`));
      parts.rc.plug(device << 3, port);
    }
    const first = text(enumerate(parts.rc));
    expect(text(enumerate(parts.rc))).toEqual(first);
  });

  test('runs out of bus numbers in one sentence', () => {
    const parts = chassis();
    for (let slot = 0; slot < 8; slot++) {
      const port = rootPort(`port${slot}`);
      const upstream = switchPort('up', 'UPSTREAM');
      port.plug(0, upstream);
      for (let below = 0; below < 32; below++) upstream.plug(below << 3, switchPort('down', 'DOWNSTREAM'));
      parts.rc.plug(slot << 3, port);
    }
    expect(() => enumerate(parts.rc)).toThrow('no bus number is left for bridge f0:0f.0');
  });
});

// ---- any tree -------------------------------------------------------------------------------------------------------

type Tree = { kind: 'device'; sizes: number[] } | { kind: 'switch'; ports: (Tree | null)[] };

const device = fc.record({
  kind: fc.constant('device' as const),
  sizes: fc.array(fc.integer({ min: 4, max: 21 }), { maxLength: 4 }),
});
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    device,
    fc.record({
      kind: fc.constant('switch' as const),
      ports: fc.array(fc.option(tie('tree'), { freq: 4 }), { maxLength: 3 }),
    }),
  ),
}));

/** Builds what is below a root port or downstream port and returns its endpoints. */
function grow(parts: Chassis, port: Bridge, shape: Tree, found: Toy[]): void {
  if (shape.kind === 'device') {
    const bars = shape.sizes.map((size, index) => bar(index, 2 ** size));
    const leaf = toy(parts, `toy${found.length}`, { bars });
    found.push(leaf);
    port.plug(0, leaf);
    return;
  }
  const upstream = switchPort('up', 'UPSTREAM');
  port.plug(0, upstream);
  shape.ports.forEach((below, index) => {
    const downstream = switchPort('down', 'DOWNSTREAM');
    upstream.plug(index << 3, downstream);
    if (below !== null) grow(parts, downstream, below, found);
  });
}

test('any tree: BARs are aligned, disjoint, inside every window above them, and a store to each reaches its function', () => {
  const play = (shapes: Tree[]): void => {
    const parts = chassis();
    const leaves: Toy[] = [];
    shapes.forEach((shape, index) => {
      const port = rootPort(`port${index}`);
      grow(parts, port, shape, leaves);
      parts.rc.plug((index + 1) << 3, port);
    });
    const topology = enumerate(parts.rc);
    const placed: [number, number][] = [];
    const visit = (functions: readonly FoundFunction[], low: number, high: number): void => {
      for (const { bars, bridge } of functions) {
        for (const { address, bytes } of bars) {
          expect(address & (bytes - 1)).toBe(0);
          expect(address >= low && address + bytes - 1 <= high).toBe(true);
          placed.push([address, address + bytes]);
        }
        if (bridge?.window) {
          expect(bridge.window.base >= low && bridge.window.limit <= high).toBe(true);
          visit(bridge.children, bridge.window.base, bridge.window.limit);
        } else if (bridge !== null) visit(bridge.children, 0, -1);
      }
    };
    visit(topology, 0xc000_0000, 0xfebf_ffff);
    placed.sort(([one], [other]) => one - other);
    placed.forEach(([start], index) => {
      if (index > 0) expect(start).toBeGreaterThanOrEqual(placed[index - 1]![1]);
    });
    for (const leaf of leaves) {
      for (const { index, address, bytes } of leaf.config.bars)
        parts.rc.write32(address + bytes - 4, index + 1);
      expect(leaf.writes).toEqual(leaf.config.bars.map(({ index, bytes }) => [index, bytes - 4, index + 1]));
    }
  };
  fc.assert(fc.property(fc.array(tree, { minLength: 1, maxLength: 4 }), play), { numRuns: runs(60, 5_000) });
});

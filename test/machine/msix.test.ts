import { beforeEach, describe, expect, test } from 'vitest';
import { Msix } from '../../machine/pcie/msix.ts';
import { CONFIG } from '../../machine/pcie/spec.ts';
import { SERVER_HOST } from '../../machine/timing/host.ts';
import type { LinkProfile } from '../../machine/timing/link.ts';
import { bar, chassis, GEN4_X4, Toy } from './toy.ts';

const VECTORS = 70;
const TABLE = 0x1000;
const PBA = 0x1800;
const CONTROL = 0x42;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

function machine(link: LinkProfile | null) {
  const parts = chassis(link === null ? undefined : { ...SERVER_HOST, interrupt_ns: 0 });
  const toy = new Toy('toy', parts, {
    link,
    bars: [bar(0, 8192), bar(1, 8192)],
    capabilities: [
      {
        kind: 'msix',
        offset: 0x40,
        vectors: VECTORS,
        table: { bar: 1, offset: TABLE },
        pba: { bar: 1, offset: PBA },
      },
    ],
  });
  toy.config.write(CONFIG.COMMAND, 2, 6);
  const msix = new Msix({ ...parts, config: toy.config, dma: toy.port });
  const fired: [time: number, vector: number][] = [];
  const handler = parts.clock.register((vector) => fired.push([parts.clock.now, vector]));
  /** Gives a vector a message whose handler notes the vector, and leaves its mask as it is. */
  const route = (vector: number): void => {
    const message = parts.interrupts.allocate(handler, vector)!;
    msix.write32(1, TABLE + 16 * vector, message.address);
    msix.write32(1, TABLE + 16 * vector + 8, message.data);
  };
  const setMask = (vector: number, isMasked: boolean) =>
    msix.write32(1, TABLE + 16 * vector + 12, isMasked ? 1 : 0);
  const isPending = (vector: number) =>
    ((msix.read32(1, PBA + 4 * (vector >> 5)) >>> (vector & 31)) & 1) === 1;
  return {
    ...parts,
    toy,
    msix,
    fired,
    route,
    setMask,
    isPending,
    vectors: () => fired.map(([, vector]) => vector),
  };
}

let it: ReturnType<typeof machine>;
beforeEach(() => {
  it = machine(null);
  for (const vector of [0, 3, 69]) it.route(vector);
  it.toy.config.write(CONTROL, 2, ENABLE);
});

describe('table and pending bits', () => {
  test('the table is what was written, where the capability says', () => {
    it.msix.write32(1, TABLE + 16, 0xfee0_1003);
    it.msix.write32(1, TABLE + 20, 0x1234);
    it.msix.write32(1, TABLE + 24, 0xdead_beef);
    it.msix.write32(1, TABLE + 28, 0xffff_fffe);
    const words = [0, 4, 8, 12].map((offset) => it.msix.read32(1, TABLE + 16 + offset));
    expect(words).toEqual([0xfee0_1000, 0x1234, 0xdead_beef, 0]);
  });

  test.each([
    [1, TABLE, true],
    [1, TABLE + 16 * VECTORS - 4, true],
    [1, TABLE + 16 * VECTORS, false],
    [1, TABLE - 4, false],
    [1, PBA, true],
    [1, PBA + 12, true],
    [1, PBA + 16, false],
    [0, TABLE, false],
  ])('BAR%d offset %d belongs to it: %s', (index, offset, belongs) => {
    expect(it.msix.contains(index, offset)).toBe(belongs);
    if (!belongs) {
      it.msix.write32(index, offset, 0xffff_ffff);
      expect(it.msix.read32(index, offset)).toBe(0);
    }
  });

  test('every vector begins masked', () => {
    for (let vector = 0; vector < VECTORS; vector++)
      expect(it.msix.read32(1, TABLE + 16 * vector + 12)).toBe(1);
  });

  test('pending bits cannot be written', () => {
    it.msix.write32(1, PBA, 0xffff_ffff);
    expect(it.msix.read32(1, PBA)).toBe(0);
  });

  test('structures that leave their BAR are a bug of the device', () => {
    const parts = chassis();
    const layout = { table: { bar: 0, offset: 0 }, pba: { bar: 0, offset: 4088 } };
    const toy = new Toy('toy', parts, {
      capabilities: [{ kind: 'msix', offset: 0x40, vectors: 65, ...layout }],
    });
    expect(() => new Msix({ ...parts, config: toy.config, dma: toy.port })).toThrow('no room');
  });
});

describe('raise', () => {
  test('sends the message of an unmasked vector in this call when nothing takes time', () => {
    it.setMask(3, false);
    it.msix.raise(3);
    it.msix.raise(3);
    expect(it.vectors()).toEqual([3, 3]);
    expect(it.isPending(3)).toBe(false);
  });

  test.each([0, 3, 69])('a masked vector %d stays pending and fires once when unmasked', (vector) => {
    it.msix.raise(vector);
    it.msix.raise(vector);
    expect([it.vectors(), it.isPending(vector)]).toEqual([[], true]);
    it.setMask(vector, false);
    expect([it.vectors(), it.isPending(vector)]).toEqual([[vector], false]);
    it.setMask(vector, true);
    it.setMask(vector, false);
    expect(it.vectors()).toEqual([vector]);
  });

  test('the function mask holds all vectors back, and those that are unmasked fire when it goes', () => {
    it.setMask(0, false);
    it.setMask(69, false);
    it.toy.config.write(CONTROL, 2, ENABLE | FUNCTION_MASK);
    for (const vector of [69, 3, 0]) it.msix.raise(vector);
    it.setMask(0, true);
    it.setMask(0, false);
    expect(it.vectors()).toEqual([]);
    it.toy.config.write(CONTROL, 2, ENABLE);
    expect(it.vectors()).toEqual([0, 69]);
    expect([0, 3, 69].map(it.isPending)).toEqual([false, true, false]);
  });

  test('does nothing while software has not chosen MSI-X', () => {
    it.setMask(0, false);
    it.toy.config.write(CONTROL, 2, 0);
    expect(it.msix.isEnabled).toBe(false);
    it.msix.raise(0);
    it.toy.config.write(CONTROL, 2, ENABLE);
    expect([it.vectors(), it.isPending(0), it.msix.isEnabled]).toEqual([[], false, true]);
  });

  test('a reset masks every vector and forgets what was pending', () => {
    it.msix.raise(3);
    it.setMask(0, false);
    it.msix.reset();
    expect([it.isPending(3), it.msix.read32(1, TABLE + 12), it.msix.read32(1, TABLE)]).toEqual([false, 1, 0]);
  });
});

describe('messages that arrive nowhere', () => {
  test.each([
    ['an address above 4 GiB', TABLE + 4, 1],
    ['an address outside the interrupt window', TABLE, 0x0000_1000],
  ])('%s: dropped, counted and traced', (_name, offset, value) => {
    const points: number[] = [];
    it.trace.listen((_time, point) => points.push(point));
    it.msix.write32(1, offset, value);
    it.setMask(0, false);
    it.msix.raise(0);
    expect([it.vectors(), it.msix.lost, points.length]).toEqual([[], 1, 1]);
    expect(it.memory.u8.subarray(0, 8192).every((byte) => byte === 0)).toBe(true);
  });

  test('bus master off', () => {
    it.toy.config.write(CONFIG.COMMAND, 2, 2);
    it.setMask(0, false);
    it.msix.raise(0);
    expect([it.vectors(), it.msix.lost]).toEqual([[], 1]);
  });

  test('blocked by the IOMMU', () => {
    it.translator.isRemapping = false;
    it.setMask(0, false);
    it.msix.raise(0);
    expect([it.vectors(), it.msix.lost]).toEqual([[], 1]);
  });
});

describe('on a link that takes time', () => {
  beforeEach(() => {
    it = machine(GEN4_X4);
    for (const vector of [0, 1]) {
      it.route(vector);
      it.setMask(vector, false);
    }
    it.toy.config.write(CONTROL, 2, ENABLE);
  });

  test('a message takes wire, propagation and root complex time', () => {
    it.msix.raise(0);
    expect(it.vectors()).toEqual([]);
    it.clock.advance(10_000);
    const wire_ns = (24 + 4) / ((16 * 4 * (128 / 130) * 0.97) / 8);
    expect(it.fired[0]![0]).toBeCloseTo(wire_ns + GEN4_X4.propagation_ns + SERVER_HOST.rootComplex_ns, 6);
  });

  test('behind a write that becomes visible now it costs wire time only', () => {
    it.msix.raise(0, true);
    it.clock.advance(10_000);
    expect(it.fired[0]![0]).toBeCloseTo(28 / ((16 * 4 * (128 / 130) * 0.97) / 8), 6);
  });

  test('carries what the table held when it left', () => {
    it.msix.raise(0);
    it.msix.write32(1, TABLE + 8, it.msix.read32(1, TABLE + 16 + 8));
    it.clock.advance(10_000);
    expect(it.vectors()).toEqual([0]);
  });

  test('a flood waits in the pending bits and loses no vector', () => {
    for (let i = 0; i < 400; i++) it.msix.raise(0);
    it.msix.raise(1);
    expect([it.isPending(0), it.isPending(1)]).toEqual([true, true]);
    it.clock.advance(100_000);
    expect([it.isPending(0), it.isPending(1)]).toEqual([false, false]);
    expect(it.vectors().filter((vector) => vector === 0)).toHaveLength(257);
    expect(it.vectors().filter((vector) => vector === 1)).toHaveLength(1);
  });
});

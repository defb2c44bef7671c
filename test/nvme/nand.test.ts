/** NAND: what runs side by side and what waits, the write buffer, and a translation layer that loses nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Clock } from '../../machine/clock.ts';
import { Trace } from '../../machine/trace.ts';
import { Channel } from '../../nvme/media/channel.ts';
import { FlashMap, NOWHERE } from '../../nvme/media/flash-map.ts';
import { NandMedia } from '../../nvme/media/nand.ts';
import type { NandProfile } from '../../nvme/media/profile.ts';
import { random } from '../../support/random.ts';

const KIB = 1024;
const PROFILE: NandProfile = {
  kind: 'nand',
  channels: 2,
  diesPerChannel: 2,
  planesPerDie: 2,
  page_bytes: 8 * KIB,
  program_bytes: 16 * KIB,
  read4K_ns: 40_000,
  readPage_ns: 50_000,
  readSpread_ns: 0,
  jitter_ns: 0,
  program_ns: 400_000,
  erase_ns: 3_000_000,
  block_bytes: 1024 * KIB,
  channel_bytes_per_ns: 1,
  firmware4K_ns: 1000,
  firmwareRead_ns: 2000,
  firmwareWrite_ns: 3000,
  firmwareWrite4K_ns: 500,
  buffer_bytes: 64 * KIB,
  overProvisioning: 0.1,
  flush_ns: 700,
  capacitors: false,
};
const READ_4K = 1000 + 40_000 + 4096;
const WRITE_4K = 3000 + 500;

function rig(change: Partial<NandProfile> = {}, capacity_bytes = 4096 * KIB) {
  const clock = new Clock();
  const busy = { trace: new Trace(clock), dma: { requester: 0x100 } };
  const media = new NandMedia(
    { ...PROFILE, ...change },
    { clock, random: random(1, 'nand'), capacity_bytes, busy },
  );
  return { clock, media, trace: busy.trace };
}

describe('reads', () => {
  test('of 4 KiB take firmware, sensing and the channel', () => {
    expect(rig().media.read(0, 4096)).toBe(READ_4K);
    expect(rig().media.read(512, 512)).toBe(1000 + 40_000 + 512);
  });

  test('of one page are sensed once, of two pages side by side on two planes', () => {
    expect(rig().media.read(0, 8 * KIB)).toBe(2000 + 50_000 + 8192);
    // The two transfers share the channel; inside one of its slots they are not told apart.
    const both = rig().media.read(0, 16 * KIB) - 2000 - 50_000;
    expect(both).toBeLessThanOrEqual(2 * 8192);
    expect(both).toBeGreaterThan(2 * 8192 - 4096);
  });

  test('of other dies run side by side, of the same plane one after the other', () => {
    const { media } = rig();
    expect(media.read(0, 4096)).toBe(READ_4K);
    expect(media.read(16 * KIB, 4096)).toBe(READ_4K);
    expect(media.read(4096, 4096)).toBe(READ_4K + 40_000 + 4096);
  });

  test('every second page is slower, and jitter comes from the named stream', () => {
    const spread = rig({ readSpread_ns: 6000 });
    const rows = [0, 64, 128].map(
      (kib) => rig({ readSpread_ns: 6000 }).media.read(kib * KIB, 4096) - READ_4K,
    );
    expect(new Set(rows)).toEqual(new Set([-6000, 6000]));
    expect(spread.media.read(0, 4096)).toBe(READ_4K - 6000);
    const jittered = [1, 1].map(() => rig({ jitter_ns: 2000 }).media.read(0, 4096));
    expect(jittered[0]).toBe(jittered[1]);
    expect(Math.abs(jittered[0]! - READ_4K)).toBeLessThanOrEqual(1000);
  });
});

describe('writes', () => {
  test('are done when they are in the buffer, and read back from it', () => {
    const { media } = rig();
    expect(media.write(0, 4096)).toBe(WRITE_4K);
    expect(media.read(0, 4096)).toBe(1000);
  });

  test('wait for a program when the buffer is full', () => {
    const { media } = rig();
    for (let unit = 0; unit < 16; unit++) expect(media.write(unit * 4096, 4096)).toBe(WRITE_4K);
    // The first stripe is out of the buffer when its transfer and program are over.
    expect(media.write(16 * 4096, 4096)).toBe(WRITE_4K + 16 * KIB + 400_000);
  });

  test('a flush waits for programs, unless capacitors keep the buffer', () => {
    for (const [capacitors, expected] of [
      [false, 700 + WRITE_4K + 16 * KIB + 400_000],
      [true, 700],
    ] as const) {
      const { media } = rig({ capacitors });
      for (let unit = 0; unit < 4; unit++) media.write(unit * 4096, 4096);
      expect(media.flush()).toBe(expected);
    }
  });

  test('a read of a die that programs waits for it', () => {
    const { media } = rig();
    for (let unit = 0; unit < 4; unit++) media.write(unit * 4096, 4096);
    expect(media.read(0, 4096)).toBeGreaterThan(400_000);
  });
});

describe('garbage collection', () => {
  /** Writes at random until `units` are written; returns the simulated time. */
  function overwrite({ clock, media }: ReturnType<typeof rig>, units: number, range: number): number {
    const draw = random(5, 'overwrite');
    const start = clock.now;
    for (let done = 0; done < units; done++) {
      clock.now += media.write(draw.below(range) * 4096, 4096);
    }
    return clock.now - start;
  }

  test('costs nothing while a fresh drive fills, and then more the less over-provisioning there is', () => {
    const amplification = [0.1, 0.5].map((overProvisioning) => {
      const it = rig({ overProvisioning });
      const fresh_ns = overwrite(it, 1024, 1024);
      expect(it.media.map.moved).toBe(0);
      overwrite(it, 3000, 1024);
      const before = it.media.map.moved;
      const steady_ns = overwrite(it, 1024, 1024);
      expect(steady_ns).toBeGreaterThan(1.3 * fresh_ns);
      return 1 + (it.media.map.moved - before) / 1024;
    });
    expect(amplification[0]).toBeGreaterThan(2);
    expect(amplification[1]).toBeLessThan(1.5);
  });

  test('sequential overwrites and deallocated blocks leave nothing to move', () => {
    const { media } = rig();
    for (let round = 0; round < 4; round++)
      for (let unit = 0; unit < 1024; unit++) media.write(unit * 4096, 4096);
    expect(media.map.moved).toBeLessThan(16);
    const trimmed = rig();
    for (let round = 0; round < 6; round++) {
      overwrite(trimmed, 1024, 1024);
      trimmed.media.discard(0, 4096 * KIB);
    }
    expect(trimmed.media.map.moved).toBeLessThan(16);
  });

  test('planes are told busy without overlap', () => {
    const it = rig();
    const ends = new Map<number, number>();
    it.trace.listen((_time, _point, _bdf, plane, start, end) => {
      expect(start).toBeGreaterThanOrEqual(ends.get(plane) ?? 0);
      ends.set(plane, end);
    });
    overwrite(it, 4000, 1024);
    expect(ends.size).toBe(8);
  });
});

test('a channel lets a transfer that can begin now go before one reserved for later', () => {
  const channel = new Channel();
  expect(channel.transfer(1_000_000, 3000)).toBe(1_003_000);
  expect(channel.transfer(0, 3000)).toBe(3000);
  for (let turn = 0; turn < 9; turn++) channel.transfer(40_960, 4096);
  expect(channel.transfer(40_960, 4096)).toBe(40_960 + 10 * 4096);
});

test('every unit is where it was written last, whatever is written, discarded and collected', () => {
  const step = fc.record({ unit: fc.nat(63), isDiscard: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 600 }), (steps) => {
      const map = new FlashMap(64 * 4096, 0.1, 2 * 4096);
      const owner = new Map<number, number>();
      const alive = new Set<number>();
      for (const { unit, isDiscard } of steps) {
        if (isDiscard) map.discard(unit, unit + 1);
        else if (map.write(unit) !== NOWHERE && map.isCollecting) {
          map.demand();
          while (map.isBehind) {
            const place = map.nextToMove();
            if (place === NOWHERE) map.release();
            else map.move(place);
          }
        }
        if (isDiscard) alive.delete(unit);
        else alive.add(unit);
      }
      for (let unit = 0; unit < 64; unit++) {
        const place = map.place(unit);
        expect(place !== NOWHERE).toBe(alive.has(unit));
        if (place === NOWHERE) continue;
        expect(owner.has(place)).toBe(false);
        owner.set(place, unit);
      }
    }),
    { numRuns: 100 },
  );
});

import { describe, expect, test } from 'vitest';
import { Link, type LinkProfile } from '../../machine/timing/link.ts';
import { GEN4_X4 } from './toy.ts';

/** Usable bytes per nanosecond of generation and lanes: line code, and 3 % for DLLPs. Reference/numbers.md §3. */
const rate = (gigatransfers: number, coding: number, lanes: number) =>
  (gigatransfers * coding * lanes * 0.97) / 8;
const GEN4_X4_RATE = rate(16, 128 / 130, 4);

function link(profile: Partial<LinkProfile> = {}, parent: Link | null = null) {
  const clock = { now: 0 };
  return { clock, wire: new Link(clock, { ...GEN4_X4, ...profile }, parent) };
}

describe('Link', () => {
  test.each([
    [1, 1, rate(2.5, 0.8, 1)],
    [2, 2, rate(5, 0.8, 2)],
    [3, 4, rate(8, 128 / 130, 4)],
    [4, 4, GEN4_X4_RATE],
    [5, 16, rate(32, 128 / 130, 16)],
  ] as const)('generation %d with %d lanes carries its bytes in time', (generation, lanes, bytes_per_ns) => {
    const { wire } = link({ generation, lanes, propagation_ns: 0 });
    expect(wire.write(0, 232)).toBeCloseTo(256 / bytes_per_ns, 6);
  });

  test('every payload has a header, the last one even when it is short', () => {
    const { wire } = link({ propagation_ns: 0 });
    expect(wire.write(0, 513)).toBeCloseTo((513 + 3 * 24) / GEN4_X4_RATE, 6);
  });

  test('writes queue behind one another, and the wire is free again after a pause', () => {
    const { clock, wire } = link();
    const one_ns = wire.write(0, 256) - 100;
    expect(wire.write(0, 256)).toBeCloseTo(2 * one_ns + 100, 6);
    expect(wire.follow(256)).toBeCloseTo(one_ns, 6);
    clock.now = 10_000;
    expect(wire.write(0, 256)).toBeCloseTo(one_ns + 100, 6);
  });

  test('a stream of writes saturates at the payload share of the wire', () => {
    const { wire } = link();
    const bytes = 4096 * 1000;
    let arrival_ns = 0;
    for (let i = 0; i < 1000; i++) arrival_ns = wire.write(0, 4096);
    expect(bytes / arrival_ns / (GEN4_X4_RATE * (256 / 280))).toBeGreaterThan(0.999);
    expect(bytes / arrival_ns / (GEN4_X4_RATE * (256 / 280))).toBeLessThanOrEqual(1);
  });

  test('a read sends a request per read-request size and gets completions of the payload size', () => {
    const { wire } = link();
    const expected = (8 * 24 + 4096 + 16 * 20) / GEN4_X4_RATE + 2 * 100 + 500;
    expect(wire.read(0, 4096, 500)).toBeCloseTo(expected, 6);
  });

  test('reads and stores share the way down; writes do not', () => {
    const { wire } = link();
    const store_ns = wire.store();
    wire.write(0, 4096);
    const other = link().wire;
    other.read(0, 4096, 0);
    // The store goes between two packets of the completions: it waits for half of one, not for all of them.
    expect(other.store()).toBeCloseTo(store_ns + 280 / 2 / GEN4_X4_RATE, 6);
    expect(other.read(0, 4096, 0)).toBeGreaterThan((2 * 4096) / GEN4_X4_RATE);
    const third = link().wire;
    third.write(0, 4096);
    expect(third.store()).toBe(store_ns);
  });

  test('behind a switch both links are crossed, and their wires are shared with the neighbours', () => {
    const clock = { now: 0 };
    const above = new Link(clock, GEN4_X4);
    const [left, right] = [new Link(clock, GEN4_X4, above), new Link(clock, GEN4_X4, above)];
    const wire_ns = 280 / GEN4_X4_RATE;
    expect(left.write(0, 256)).toBeCloseTo(2 * wire_ns + 200, 6);
    expect(right.write(0, 256)).toBeCloseTo(3 * wire_ns + 200, 6);
    clock.now = 1e6;
    const store_ns = left.store();
    expect(store_ns).toBeCloseTo((2 * 28) / GEN4_X4_RATE + 200, 6);
  });

  test('a buffer that does not begin at a boundary takes one packet more, and no completion crosses one', () => {
    const { wire } = link({ propagation_ns: 0 });
    expect(wire.write(128, 512)).toBeCloseTo((512 + 3 * 24) / GEN4_X4_RATE, 6);
    const lines = link({ completion_bytes: 64 }).wire;
    const expected = (8 * 24 + 4096 + 64 * 20) / GEN4_X4_RATE + 2 * 100;
    expect(lines.read(0, 4096, 0)).toBeCloseTo(expected, 6);
  });

  test('a switch forwards packet by packet, after its own time', () => {
    const clock = { now: 0 };
    const above = new Link(clock, GEN4_X4);
    const below = new Link(clock, { ...GEN4_X4, hop_ns: 130 }, above);
    const packet_ns = 280 / GEN4_X4_RATE;
    expect(below.write(0, 4096)).toBeCloseTo(17 * packet_ns + 200 + 130, 6);
    clock.now = 1e6;
    expect(below.store()).toBeCloseTo((2 * 28) / GEN4_X4_RATE + 200 + 130, 6);
    clock.now = 2e6;
    const completion_ns = 276 / GEN4_X4_RATE;
    const requests_ns = (2 * 8 * 24) / GEN4_X4_RATE;
    const twice = 2 * (200 + 130) + requests_ns + 16 * completion_ns + packet_ns;
    expect(below.read(0, 4096, 0)).toBeCloseTo(twice, 6);
  });

  test.each([
    ['writes', { writeCredits: 8 }, (wire: Link) => wire.write(0, 4096), (8 * 256) / 300],
    ['reads', { readCredits: 4 }, (wire: Link) => wire.read(0, 4096, 300), (4 * 512) / 500],
  ] as const)('few credits limit %s to what the round trip lets through', (_, few, send, bytes_per_ns) => {
    const { wire } = link({ ...few, creditReturn_ns: 100 });
    let arrival_ns = 0;
    for (let i = 0; i < 200; i++) arrival_ns = send(wire);
    expect((200 * 4096) / arrival_ns / bytes_per_ns).toBeCloseTo(1, 1);
    // A short transfer after a pause meets all credits.
    const { clock, wire: idle } = link({ ...few, creditReturn_ns: 100 });
    clock.now = 1e6;
    const { wire: plain } = link();
    expect(idle.write(0, 1024)).toBeCloseTo(plain.write(0, 1024), 6);
  });

  test('a link that retrains is down for a while, and then as slow as its lanes', () => {
    const { clock, wire } = link();
    wire.retrain(4, 1, 5000);
    expect(wire.store()).toBeGreaterThan(5000);
    const first_ns = wire.write(0, 256);
    expect(first_ns).toBeCloseTo(5000 + (4 * 280) / GEN4_X4_RATE + 100, 6);
    clock.now = 20_000;
    expect(wire.write(0, 256)).toBeCloseTo((4 * 280) / GEN4_X4_RATE + 100, 6);
    const free = new Link({ now: 0 }, null);
    free.retrain(1, 1, 5000);
    expect(free.free).toBe(true);
  });

  test('a link without a profile is free', () => {
    expect([new Link({ now: 0 }, null).free, link().wire.free]).toEqual([true, false]);
  });
});

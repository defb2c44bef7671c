/**
 * That the ring of the event queue comes to rest: whatever lies in it, it seldom takes another shape.
 * Not here: the order of events (clock.test.ts), what they cost (bench/).
 */
import { expect, test } from 'vitest';
import { EventQueue } from '../../machine/event-queue.ts';
import { type Random, random } from '../../support/random.ts';

const EVENTS = 64 * 1024;
/** Down to the narrowest or up to the widest bucket, one attempt that was none, and another number of buckets. */
const MOST_SHAPES = 8;

/** How often the ring changes its shape while each of EVENTS events, when it is taken, is followed by another. */
function shapes(
  queue: EventQueue,
  delay: (draw: Random) => number,
  pending: (event: number) => number,
): number {
  const draw = random(1, 'shapes');
  let now = queue.size === 0 ? 0 : queue.nextTime;
  let changes = 0;
  let shape = '';
  for (let event = 0; event < EVENTS; event++) {
    for (let crowd = pending(event); queue.size < crowd; ) queue.add(now + delay(draw), 0, 0);
    const found = `${queue.buckets} of ${queue.bucket_ns} ns`;
    if (found !== shape) changes++;
    shape = found;
    if (queue.nextTime < now) expect.unreachable('an event is taken too late');
    now = queue.nextTime;
    queue.take();
  }
  return changes;
}

test.each([
  [32, 0],
  [32, 100],
  [32, 400],
  [32, 5000],
  [32, 20_000],
])('%i events of the next 10 µs and %i of much later', (near, far) => {
  const queue = new EventQueue();
  for (let i = 0; i < far; i++) queue.add(1e9 + ((i * 7919) % far) * 1000, 0, 0);
  const count = shapes(
    queue,
    (draw) => draw.below(10_000),
    () => near + far,
  );
  expect(count).toBeLessThanOrEqual(MOST_SHAPES);
});

test.each([0.1, 0.3])('256 events, %f of them a millisecond ahead, the others within 2 µs', (share) => {
  const delay = (draw: Random): number => (draw.unit() < share ? 1e6 + draw.below(1000) : draw.below(2000));
  expect(shapes(new EventQueue(), delay, () => 256)).toBeLessThanOrEqual(MOST_SHAPES);
});

test('a number of events that goes up and down', () => {
  const crowd = (event: number): number => ((event >>> 11) & 1 ? 600 : 400);
  expect(shapes(new EventQueue(), (draw) => draw.below(80_000), crowd)).toBeLessThanOrEqual(MOST_SHAPES);
});

test('a crowd after a time of few events gets narrow buckets nevertheless', () => {
  const queue = new EventQueue();
  shapes(
    queue,
    (draw) => draw.below(1e6),
    () => 4,
  );
  const wide_ns = queue.bucket_ns;
  shapes(
    queue,
    (draw) => draw.below(2000),
    () => 1000,
  );
  expect(wide_ns).toBeGreaterThan(64);
  expect(queue.bucket_ns).toBeLessThan(16);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Clock, type EventId } from '../../machine/clock.ts';
import { Archive } from '../../support/archive.ts';
import { random } from '../../support/random.ts';
import { runs } from '../runs.ts';

function recorder() {
  const clock = new Clock();
  const ran: [time: number, argument: number][] = [];
  const handler = clock.register((argument) => ran.push([clock.now, argument]));
  return { clock, ran, handler };
}

describe('Clock', () => {
  test('runs events in time order, and those of one instant in the order they were scheduled', () => {
    const { clock, ran, handler } = recorder();
    clock.at(20, handler, 1);
    clock.at(10, handler, 2);
    clock.at(20, handler, 3);
    clock.after(10, handler, 4);
    clock.runUntil(15);
    expect(ran).toEqual([
      [10, 2],
      [10, 4],
    ]);
    expect([clock.now, clock.nextTime, clock.pending]).toEqual([15, 20, 2]);
    clock.advance(5);
    expect(ran.slice(2)).toEqual([
      [20, 1],
      [20, 3],
    ]);
    expect([clock.now, clock.nextTime, clock.step()]).toEqual([20, Number.POSITIVE_INFINITY, false]);
  });

  test('an event that a handler schedules for this instant runs after those that were already due', () => {
    const clock = new Clock();
    const ran: number[] = [];
    const note = clock.register((argument) => ran.push(argument));
    const first = clock.register(() => {
      clock.after(0, note, 2);
      clock.run(0, note, 1);
    });
    clock.at(5, first, 0);
    clock.at(5, note, 3);
    clock.runUntil(5);
    expect(ran).toEqual([1, 3, 2]);
  });

  test('refuses the past', () => {
    const { clock, handler } = recorder();
    clock.advance(10);
    expect(() => clock.at(9, handler, 0)).toThrow('in the past');
  });

  test('an id is stale once its event has run, even when the slot is in use again', () => {
    const { clock, ran, handler } = recorder();
    const old = clock.after(1, handler, 1);
    clock.step();
    const fresh = clock.after(1, handler, 2);
    expect(clock.cancel(old)).toBe(false);
    expect(clock.cancel(fresh)).toBe(true);
    expect(clock.cancel(fresh)).toBe(false);
    expect([clock.step(), ran.length]).toEqual([false, 1]);
  });

  test('holds many more events than it began with', () => {
    const { clock, ran, handler } = recorder();
    for (let i = 0; i < 5000; i++) clock.at((i * 7919) % 5000, handler, i);
    clock.runUntil(5000);
    expect(ran.map(([time]) => time)).toEqual(Array.from({ length: 5000 }, (_, time) => time));
  });

  test('keeps the order while crowds come and go, near and far', () => {
    const { clock, ran, handler } = recorder();
    const draw = random(1, 'crowds');
    let scheduled = 0;
    for (const [crowd, span] of [
      [20, 1e6],
      [3000, 40],
      [5, 1e8],
      [700, 1],
      [40, 5000],
    ] as const) {
      for (let i = 0; i < 6000; i++) {
        while (clock.pending < crowd) clock.after(draw.below(span), handler, scheduled++);
        clock.step();
      }
    }
    while (clock.step());
    const isInOrder = ([time, argument]: readonly [number, number], index: number): boolean => {
      const [before, earlier] = ran[index - 1] ?? [-1, -1];
      return time > before || (time === before && argument > earlier);
    };
    expect(ran.length).toBe(scheduled);
    expect(ran.every(isInOrder)).toBe(true);
  });

  test('goes on from a saved state in the same order, after its queue has come to fit a crowd', () => {
    const crowd = () => {
      const { clock, ran, handler } = recorder();
      const draw = random(1, 'saved');
      const run = (events: number): void => {
        for (let i = 0; i < events; i++) {
          while (clock.pending < 1000) clock.after(draw.below(2000), handler, i);
          clock.step();
        }
      };
      return { clock, ran, run, draw };
    };
    const [one, other] = [crowd(), crowd()];
    one.run(8192);
    const saving = Archive.save();
    one.clock.archive(saving);
    one.draw.archive(saving);
    const loading = Archive.load(saving.finish());
    other.clock.archive(loading);
    other.draw.archive(loading);
    one.ran.length = 0;
    for (const { run } of [one, other]) run(4096);
    expect(other.ran).toEqual(one.ran);
    expect(one.ran.every(([time], index) => index === 0 || time >= one.ran[index - 1]![0])).toBe(true);
  });
});

// ---- against a sorted array -----------------------------------------------------------------------------------------

type Command =
  | { op: 'after'; delay: number }
  | { op: 'cancel'; which: number }
  | { op: 'step' | 'advance'; delay: number };

/** Many at one instant, many in one bucket of the queue, and some whole rounds of its ring apart. */
const delays = fc.oneof(
  fc.nat(20),
  fc.nat(200).map((eighths) => eighths / 8),
  fc.nat(5000),
  fc.constantFrom(4095, 4096, 8192, 1e6, 1e9),
);

const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constant('after' as const), delay: delays }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('cancel' as const), which: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        op: fc.constantFrom('step' as const, 'advance' as const),
        delay: fc.oneof(fc.nat(10), delays),
      }),
    },
  ),
  { maxLength: 300 },
);

/** The same queue, slow and obvious. */
class Model {
  now = 0;
  readonly ran: [number, number][] = [];
  queue: { time: number; argument: number }[] = [];

  add(delay: number, argument: number): void {
    const time = this.now + delay;
    const at = this.queue.findIndex((event) => event.time > time);
    this.queue.splice(at === -1 ? this.queue.length : at, 0, { time, argument });
  }

  cancel(argument: number): boolean {
    const before = this.queue.length;
    this.queue = this.queue.filter((event) => event.argument !== argument);
    return this.queue.length < before;
  }

  step(): boolean {
    const event = this.queue.shift();
    if (event === undefined) return false;
    this.now = event.time;
    this.ran.push([event.time, event.argument]);
    return true;
  }

  /** No time at all lets nothing happen, not even what is due now. */
  advance(delay: number): void {
    if (delay === 0) return;
    const until = this.now + delay;
    while (this.queue.length > 0 && this.queue[0]!.time <= until) this.step();
    this.now = until;
  }
}

test('Clock behaves like a sorted array under any mix of schedule, cancel, step and advance', () => {
  const play = (list: readonly Command[]): void => {
    const { clock, ran, handler } = recorder();
    const model = new Model();
    const ids: EventId[] = [];
    for (const command of list) {
      if (command.op === 'after') {
        model.add(command.delay, ids.length);
        ids.push(clock.after(command.delay, handler, ids.length));
      } else if (command.op === 'cancel') {
        if (ids.length === 0) continue;
        const which = command.which % ids.length;
        expect(clock.cancel(ids[which]!)).toBe(model.cancel(which));
      } else if (command.op === 'step') expect(clock.step()).toBe(model.step());
      else {
        clock.advance(command.delay);
        model.advance(command.delay);
      }
      const next = model.queue[0]?.time ?? Number.POSITIVE_INFINITY;
      expect([clock.now, clock.pending, clock.nextTime]).toEqual([model.now, model.queue.length, next]);
    }
    clock.runUntil(clock.now + 1e9);
    model.advance(1e9);
    expect(ran).toEqual(model.ran);
  };
  fc.assert(fc.property(commands, play), { numRuns: runs(300, 20_000) });
});

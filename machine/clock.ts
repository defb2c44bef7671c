/**
 * Simulated time: what is to happen runs in the order of time, and of its scheduling within one instant.
 * No allocation per event. Handlers are registered once; an event is a handler number and one integer argument.
 * Not here: the queue (event-queue.ts), what anything costs (timing/), wall clocks (never below boards/).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { type EventId, EventQueue } from './event-queue.ts';

export type { EventId };
export type HandlerId = number;
export type Handler = (argument: number) => void;

const NEVER = Number.POSITIVE_INFINITY;

export class Clock {
  /** Simulated nanoseconds since power-on. */
  now = 0;
  readonly #handlers: Handler[] = [];
  private readonly events = new EventQueue();

  /** Registers a handler for the life of the machine and returns its number. */
  register(handler: Handler): HandlerId {
    return this.#handlers.push(handler) - 1;
  }

  /** Events not yet run. */
  get pending(): number {
    return this.events.size;
  }

  /** Time of the next event, or Infinity. */
  get nextTime(): number {
    return this.events.nextTime;
  }

  /** Runs `handler(argument)` after `delay` ns. Events of one instant run in the order they were scheduled. */
  after(delay: number, handler: HandlerId, argument: number): EventId {
    return this.at(this.now + delay, handler, argument);
  }

  /** Runs `handler(argument)` at `time`, which is not in the past. */
  at(time: number, handler: HandlerId, argument: number): EventId {
    assert(time >= this.now, 'an event cannot be scheduled in the past');
    return this.events.add(time, handler, argument);
  }

  /** Runs `handler(argument)` after `delay` ns; a delay of zero means in this call, before anything else. */
  run(delay: number, handler: HandlerId, argument: number): void {
    if (delay > 0) this.at(this.now + delay, handler, argument);
    else this.#handlers[handler]!(argument);
  }

  /** Takes an event out of the queue. Returns false when it already ran or was cancelled. */
  cancel(event: EventId): boolean {
    return this.events.cancel(event);
  }

  /** Runs the next event, if there is one; time moves to it first. Returns false when the queue was empty. */
  step(): boolean {
    const events = this.events;
    const time = events.nextTime;
    if (time === NEVER) return false;
    this.now = time;
    const event = events.take();
    this.#handlers[events.handlerOf(event)]!(events.argumentOf(event));
    return true;
  }

  /** Runs every event up to and including `time`, then stands at `time`. */
  runUntil(time: number): void {
    while (this.events.nextTime <= time && this.step());
    if (time > this.now) this.now = time;
  }

  /** Lets `delay` ns pass. */
  advance(delay: number): void {
    if (delay > 0) this.runUntil(this.now + delay);
  }

  /** The time now. A clock that goes by itself moves `now` first. */
  observe(): number {
    return this.now;
  }

  /**
   * What a CPU with nothing to do waits for: the next event, or `deadline`. Returns false when the deadline is Infinity
   * and nothing is left to happen.
   */
  idle(deadline: number): boolean {
    if (this.events.nextTime <= deadline) return this.step();
    if (deadline === NEVER) return false;
    this.runUntil(deadline);
    return true;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.same(this.#handlers.length, 'the number of event handlers');
    this.now = a.value(this.now);
    this.events.archive(a);
  }
}

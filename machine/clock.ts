/**
 * Simulated time and the event queue: a binary heap on typed arrays, stable by (time, sequence), with cancel.
 * No allocation per event. Handlers are registered once; an event is a handler number and one integer argument.
 * Not here: what anything costs (timing/), wall clocks (never below boards/).
 */
import { assert } from '../support/assert.ts';

export type HandlerId = number;
/** Names one scheduled event; stale once it has run or was cancelled. */
export type EventId = number;
export type Handler = (argument: number) => void;

const FIRST_CAPACITY = 256;
/** An EventId is generation * SLOTS + slot, exact below 2^53. */
const SLOTS = 0x10_0000;
/**
 * Generations begin where an EventId no longer fits 32 bits: optimised code that has only seen small integers would be
 * thrown away when the first large one comes.
 */
const FIRST_GENERATION = 0x1000;
const LAST_GENERATION = 0x7fff_ffff;
const FREE = -1;

export class Clock {
  /** Simulated nanoseconds since power-on. */
  now = 0;
  readonly #handlers: Handler[] = [];
  /** The heap: position -> slot, with the keys beside it so that a comparison touches no slot. */
  #heapTime = new Float64Array(FIRST_CAPACITY);
  #heapSequence = new Float64Array(FIRST_CAPACITY);
  #heapSlot = new Int32Array(FIRST_CAPACITY);
  #size = 0;
  #sequence = 0;
  /** Slots: what to call, and where the event stands in the heap (FREE when it does not). */
  #slotHandler = new Int32Array(FIRST_CAPACITY);
  #slotArgument = new Int32Array(FIRST_CAPACITY);
  #slotPosition = new Int32Array(FIRST_CAPACITY).fill(FREE);
  #slotGeneration = new Int32Array(FIRST_CAPACITY).fill(FIRST_GENERATION);
  #free = Int32Array.from({ length: FIRST_CAPACITY }, (_, slot) => slot);
  #freeTop = FIRST_CAPACITY;

  /** Registers a handler for the life of the machine and returns its number. */
  register(handler: Handler): HandlerId {
    return this.#handlers.push(handler) - 1;
  }

  /** Events not yet run. */
  get pending(): number {
    return this.#size;
  }

  /** Time of the next event, or Infinity. */
  get nextTime(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#heapTime[0]!;
  }

  /** Runs `handler(argument)` after `delay` ns. Events of one instant run in the order they were scheduled. */
  after(delay: number, handler: HandlerId, argument: number): EventId {
    return this.at(this.now + delay, handler, argument);
  }

  /** Runs `handler(argument)` at `time`, which is not in the past. */
  at(time: number, handler: HandlerId, argument: number): EventId {
    assert(time >= this.now, 'an event cannot be scheduled in the past');
    if (this.#freeTop === 0) this.#grow();
    const slot = this.#free[--this.#freeTop]!;
    this.#slotHandler[slot] = handler;
    this.#slotArgument[slot] = argument;
    this.#siftUp(this.#size++, time, this.#sequence++, slot);
    return this.#slotGeneration[slot]! * SLOTS + slot;
  }

  /** Runs `handler(argument)` after `delay` ns; a delay of zero means in this call, before anything else. */
  run(delay: number, handler: HandlerId, argument: number): void {
    if (delay > 0) this.at(this.now + delay, handler, argument);
    else this.#handlers[handler]!(argument);
  }

  /** Takes an event out of the queue. Returns false when it already ran or was cancelled. */
  cancel(event: EventId): boolean {
    const slot = event & (SLOTS - 1);
    const position = this.#slotPosition[slot]!;
    if (position === FREE || this.#slotGeneration[slot] !== Math.floor(event / SLOTS)) return false;
    this.#remove(position);
    return true;
  }

  /** Runs the next event, if there is one; time moves to it first. Returns false when the queue was empty. */
  step(): boolean {
    if (this.#size === 0) return false;
    const slot = this.#heapSlot[0]!;
    const argument = this.#slotArgument[slot]!;
    const handler = this.#handlers[this.#slotHandler[slot]!]!;
    this.now = this.#heapTime[0]!;
    this.#remove(0);
    handler(argument);
    return true;
  }

  /** Runs every event up to and including `time`, then stands at `time`. */
  runUntil(time: number): void {
    while (this.#size > 0 && this.#heapTime[0]! <= time) this.step();
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
    if (this.#size > 0 && this.#heapTime[0]! <= deadline) return this.step();
    if (deadline === Number.POSITIVE_INFINITY) return false;
    this.runUntil(deadline);
    return true;
  }

  /** Takes the event at `position` out: the last one of the heap gets its place, or what follows from that. */
  #remove(position: number): void {
    const slot = this.#heapSlot[position]!;
    this.#slotPosition[slot] = FREE;
    const generation = this.#slotGeneration[slot]!;
    this.#slotGeneration[slot] = generation === LAST_GENERATION ? FIRST_GENERATION : generation + 1;
    this.#free[this.#freeTop++] = slot;
    const last = --this.#size;
    if (position === last) return;
    const hole = this.#sink(position);
    this.#siftUp(hole, this.#heapTime[last]!, this.#heapSequence[last]!, this.#heapSlot[last]!);
  }

  /**
   * Lets the hole at `position` sink to the bottom: below it the earlier child moves up each time. Returns where it is
   * then. The last event of the heap, which will fill it, belongs near the bottom in nearly every case, so that it is
   * not compared on the way down.
   */
  #sink(position: number): number {
    const size = this.#size;
    const times = this.#heapTime;
    const sequences = this.#heapSequence;
    const slots = this.#heapSlot;
    const positions = this.#slotPosition;
    let hole = position;
    let child = 2 * hole + 1;
    while (child < size) {
      let time = times[child]!;
      if (child + 1 < size) {
        const right = times[child + 1]!;
        if (right < time || (right === time && sequences[child + 1]! < sequences[child]!)) {
          child++;
          time = right;
        }
      }
      const slot = slots[child]!;
      times[hole] = time;
      sequences[hole] = sequences[child]!;
      slots[hole] = slot;
      positions[slot] = hole;
      hole = child;
      child = 2 * hole + 1;
    }
    return hole;
  }

  /** Puts an event into the hole at `from`, or where later ones above it have moved down for it. */
  #siftUp(from: number, time: number, sequence: number, slot: number): void {
    const times = this.#heapTime;
    const sequences = this.#heapSequence;
    const slots = this.#heapSlot;
    const positions = this.#slotPosition;
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const other = times[parent]!;
      if (other < time || (other === time && sequences[parent]! < sequence)) break;
      const moved = slots[parent]!;
      times[hole] = other;
      sequences[hole] = sequences[parent]!;
      slots[hole] = moved;
      positions[moved] = hole;
      hole = parent;
    }
    times[hole] = time;
    sequences[hole] = sequence;
    slots[hole] = slot;
    positions[slot] = hole;
  }

  #grow(): void {
    const old = this.#heapTime.length;
    const capacity = old * 2;
    assert(capacity <= SLOTS, `more than ${SLOTS} events are pending`);
    const grown = <Array extends Float64Array | Int32Array>(
      array: Array,
      make: (length: number) => Array,
    ): Array => {
      const result = make(capacity);
      result.set(array);
      return result;
    };
    const f64 = (length: number) => new Float64Array(length);
    const i32 = (length: number) => new Int32Array(length);
    this.#heapTime = grown(this.#heapTime, f64);
    this.#heapSequence = grown(this.#heapSequence, f64);
    this.#heapSlot = grown(this.#heapSlot, i32);
    this.#slotHandler = grown(this.#slotHandler, i32);
    this.#slotArgument = grown(this.#slotArgument, i32);
    this.#slotPosition = grown(this.#slotPosition, i32).fill(FREE, old);
    this.#slotGeneration = grown(this.#slotGeneration, i32).fill(FIRST_GENERATION, old);
    this.#free = grown(this.#free, i32);
    for (let slot = old; slot < capacity; slot++) this.#free[this.#freeTop++] = slot;
  }
}

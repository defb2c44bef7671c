/**
 * What is going to happen, in order of time; events of one instant in the order they were scheduled. A calendar queue
 * (Brown 1988): a ring of buckets, each a sorted list of the events of one stretch of time and of those whole rings later.
 * Nothing is allocated per event, and an event costs the same however many there are, as long as they lie apart.
 * Not here: what an event does, and what time it is (clock.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';

/** Names one scheduled event; stale once it was taken or cancelled. */
export type EventId = number;

const NONE = -1;
/** Stretch of a bucket and length of the ring: 32 words of `filled`, which one word sums up. */
const BUCKET_NS = 4;
const BUCKETS_PER_NS = 1 / BUCKET_NS;
const BUCKETS = 1024;
const FIRST_CAPACITY = 256;
/** An EventId is generation * SLOTS + slot, exact below 2^53. */
const SLOTS = 0x10_0000;
/**
 * Generations begin where an EventId no longer fits 32 bits: optimised code that has only seen small integers would be
 * thrown away when the first large one comes.
 */
const FIRST_GENERATION = 0x1000;
const LAST_GENERATION = 0x7fff_ffff;
/** A record in words; its time is a double, and the NEXT of a free one is another free one. */
const WORDS_SHIFT = 3;
const TIME = 0;
const HANDLER = 2;
const ARGUMENT = 3;
const NEXT = 4;
const PREVIOUS = 5;
const GENERATION = 6;
const BUCKET = 7;
/** BUCKET of a free record. */
const FREE = -1;

export class EventQueue {
  /** Events that are scheduled. */
  size = 0;
  /** Time of the earliest event, or Infinity. */
  nextTime = Number.POSITIVE_INFINITY;
  /** The earliest event; which one it is means nothing when there is none. */
  private first = NONE;
  private free = NONE;
  private words = new Int32Array(0);
  private doubles = new Float64Array(0);
  /** The earliest event of each bucket that is not empty; NEXT and PREVIOUS make a ring of its list. */
  private readonly heads = new Int32Array(BUCKETS);
  /** A bit for every bucket that is not empty, and a bit for every word of them that is not 0. */
  private readonly filled = new Int32Array(BUCKETS / 32);
  private filledWords = 0;

  constructor() {
    this.#grow(FIRST_CAPACITY);
  }

  /** Schedules an event behind those of the same time. */
  add(time: number, handler: number, argument: number): EventId {
    if (this.free === NONE) this.#grow(this.words.length >>> (WORDS_SHIFT - 1));
    const { words } = this;
    const event = this.free;
    const at = event << WORDS_SHIFT;
    this.free = words[at + NEXT]!;
    this.doubles[(at + TIME) >>> 1] = time;
    words[at + HANDLER] = handler;
    words[at + ARGUMENT] = argument;
    this.size++;
    if (time < this.nextTime) {
      this.nextTime = time;
      this.first = event;
    }
    this.#link(event, time, (time * BUCKETS_PER_NS) & (BUCKETS - 1));
    return words[at + GENERATION]! * SLOTS + event;
  }

  /** Takes the earliest event out; there must be one. `handlerOf` and `argumentOf` know it until the next `add`. */
  take(): number {
    const event = this.first;
    this.#remove(event);
    return event;
  }

  handlerOf(event: number): number {
    return this.words[(event << WORDS_SHIFT) + HANDLER]!;
  }

  argumentOf(event: number): number {
    return this.words[(event << WORDS_SHIFT) + ARGUMENT]!;
  }

  /** Takes an event out. Returns false when it was taken or cancelled before. */
  cancel(id: EventId): boolean {
    const event = id & (SLOTS - 1);
    const at = event << WORDS_SHIFT;
    const generation = Math.floor(id / SLOTS);
    if (this.words[at + BUCKET] === FREE || this.words[at + GENERATION] !== generation) return false;
    this.#remove(event);
    return true;
  }

  #time(event: number): number {
    return this.doubles[((event << WORDS_SHIFT) + TIME) >>> 1]!;
  }

  /** Puts an event into its bucket, behind those that are not later. */
  #link(event: number, time: number, bucket: number): void {
    const { words, heads, filled } = this;
    const at = event << WORDS_SHIFT;
    const word = bucket >>> 5;
    const bit = 1 << (bucket & 31);
    words[at + BUCKET] = bucket;
    if ((filled[word]! & bit) === 0) {
      filled[word] = filled[word]! | bit;
      this.filledWords |= 1 << word;
      heads[bucket] = event;
      words[at + NEXT] = event;
      words[at + PREVIOUS] = event;
      return;
    }
    const head = heads[bucket]!;
    let next = head;
    let previous = words[(head << WORDS_SHIFT) + PREVIOUS]!;
    while (this.#time(previous) > time) {
      next = previous;
      previous = words[(next << WORDS_SHIFT) + PREVIOUS]!;
      if (next !== head) continue;
      heads[bucket] = event;
      break;
    }
    words[at + NEXT] = next;
    words[at + PREVIOUS] = previous;
    words[(next << WORDS_SHIFT) + PREVIOUS] = event;
    words[(previous << WORDS_SHIFT) + NEXT] = event;
  }

  #remove(event: number): void {
    const { words, heads } = this;
    const at = event << WORDS_SHIFT;
    const bucket = words[at + BUCKET]!;
    const next = words[at + NEXT]!;
    if (next === event) this.#empty(bucket);
    else {
      const previous = words[at + PREVIOUS]!;
      words[(next << WORDS_SHIFT) + PREVIOUS] = previous;
      words[(previous << WORDS_SHIFT) + NEXT] = next;
      if (heads[bucket] === event) heads[bucket] = next;
    }
    words[at + BUCKET] = FREE;
    words[at + NEXT] = this.free;
    this.free = event;
    const generation = words[at + GENERATION]!;
    words[at + GENERATION] = generation === LAST_GENERATION ? FIRST_GENERATION : generation + 1;
    this.size--;
    if (event === this.first) this.#findFirst(this.nextTime, bucket);
  }

  #empty(bucket: number): void {
    const { filled } = this;
    const word = bucket >>> 5;
    const bits = filled[word]! & ~(1 << (bucket & 31));
    filled[word] = bits;
    if (bits === 0) this.filledWords &= ~(1 << word);
  }

  /**
   * Finds the earliest event, none of which is before `time`, in the bucket `from`. Once around the ring the events of the
   * next round of it are met in order, so the first of them ends the search; when there is none, it is the earliest of all.
   */
  #findFirst(time: number, from: number): void {
    const { filled, heads } = this;
    const horizon = time + (BUCKETS - 1) * BUCKET_NS;
    let start = from;
    this.nextTime = Number.POSITIVE_INFINITY;
    for (let half = 0; half < 2; half++) {
      for (let words = this.filledWords & (-1 << (start >>> 5)); words !== 0; words &= words - 1) {
        const word = lowest(words);
        let bits = filled[word]!;
        if (word === start >>> 5) bits &= -1 << (start & 31);
        for (; bits !== 0; bits &= bits - 1) {
          const head = heads[(word << 5) + lowest(bits)]!;
          const headTime = this.#time(head);
          if (headTime >= this.nextTime) continue;
          this.first = head;
          this.nextTime = headTime;
          if (headTime < horizon) return;
        }
      }
      start = 0;
    }
  }

  /** Makes room for `capacity` events. */
  #grow(capacity: number): void {
    assert(capacity <= SLOTS, `more than ${SLOTS} events are pending`);
    const words = new Int32Array(capacity << WORDS_SHIFT);
    words.set(this.words);
    for (let event = capacity - 1; event >= this.words.length >>> WORDS_SHIFT; event--) {
      const at = event << WORDS_SHIFT;
      words[at + BUCKET] = FREE;
      words[at + GENERATION] = FIRST_GENERATION;
      words[at + NEXT] = this.free;
      this.free = event;
    }
    this.words = words;
    this.doubles = new Float64Array(words.buffer);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.size = a.value(this.size);
    this.nextTime = a.value(this.nextTime);
    this.first = a.value(this.first);
    this.free = a.value(this.free);
    this.words = a.value(this.words);
    this.doubles = new Float64Array(this.words.buffer);
    a.contents(this.heads, this.filled);
    this.filledWords = a.value(this.filledWords);
  }
}

/** The number of the lowest bit that is set. */
const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

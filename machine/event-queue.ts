/**
 * What is going to happen, in order of time; events of one instant in the order they were scheduled. A calendar queue
 * (Brown 1988): a ring of buckets, each a sorted list of the events of one stretch of time and of those whole rings later.
 * The ring takes the width at which events seldom pass others of a bucket and the next one is seldom far, and more buckets
 * for many events; it is looked at once in LOOK events. An event allocates nothing; a ring of another size is allocated.
 * Not here: what an event does, and what time it is (clock.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';

/** Names one scheduled event; stale once it was taken or cancelled. */
export type EventId = number;

const NONE = -1;
/**
 * Buckets of the ring while there are few events and while there are many: powers of two, of 1024 at least, because 32
 * words of `filled` have one word of `summary`. Between few and many events it keeps what it has.
 */
const FEW_BUCKETS = 0x400;
const MANY_BUCKETS = 0x8000;
const FEW_EVENTS = 128;
const MANY_EVENTS = 512;
/** A bucket is narrowed or widened by this factor, between these ends. */
const STEP = 4;
const FIRST_BUCKET_NS = 64;
const NARROWEST_NS = 1 / 16;
const WIDEST_NS = 1024;
/** After so many events the ring is looked at: how often one passed a near one in its bucket, how often it was searched. */
const LOOK = 1024;
const MOST_PASSED = LOOK / 8;
const MOST_SEARCHES = 128;
/**
 * Looks for which a ring that was searched too often is not narrowed: it would be searched again. Every MANY_PASSED that
 * were passed are another look.
 */
const PATIENCE = 128;
const MANY_PASSED = 8 * LOOK;
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
  /** The stretch of a bucket; with `buckets` the shape of the ring. */
  bucket_ns = 0.5;
  private bucketsPerNs = 0.5;
  private horizon_ns = 0.5;
  private mask = 0;
  /** Since the last look: events, those less than a ring later that they passed in lists, and searches. */
  private added = 0;
  private passed = 0;
  private searches = 0;
  /** Looks until the ring may be narrowed. */
  private patience = 0;
  /** The earliest event of each bucket that is not empty; NEXT and PREVIOUS make a ring of its list. */
  private heads = new Int32Array(0);
  /** A bit for every bucket that is not empty, and a bit for every word of them that is not 0. */
  private filled = new Int32Array(0);
  private summary = new Int32Array(0);

  constructor() {
    this.#grow(FIRST_CAPACITY);
    this.#form(FEW_BUCKETS, FIRST_BUCKET_NS);
  }

  /** How many buckets the ring has. */
  get buckets(): number {
    return this.heads.length;
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
    this.#link(event, time);
    if (++this.added === LOOK) this.#adapt();
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
  #link(event: number, time: number): void {
    const { words, heads, filled } = this;
    const bucket = (time * this.bucketsPerNs) & this.mask;
    const at = event << WORDS_SHIFT;
    const word = bucket >>> 5;
    const bits = filled[word]!;
    const bit = 1 << (bucket & 31);
    words[at + BUCKET] = bucket;
    if ((bits & bit) === 0) {
      filled[word] = bits | bit;
      this.summary[word >>> 5] = this.summary[word >>> 5]! | (1 << (word & 31));
      heads[bucket] = event;
      words[at + NEXT] = event;
      words[at + PREVIOUS] = event;
      return;
    }
    const head = heads[bucket]!;
    let next = head;
    let previous = words[(head << WORDS_SHIFT) + PREVIOUS]!;
    const soon = time + this.horizon_ns;
    const headTime = this.#time(head);
    if (headTime > time) {
      heads[bucket] = event;
      if (headTime < soon) this.passed++;
    } else {
      while (this.#time(previous) > time) {
        next = previous;
        previous = words[(next << WORDS_SHIFT) + PREVIOUS]!;
        if (this.#time(next) < soon) this.passed++;
      }
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
    const { filled, summary } = this;
    const word = bucket >>> 5;
    const bits = filled[word]! & ~(1 << (bucket & 31));
    filled[word] = bits;
    if (bits === 0) summary[word >>> 5] = summary[word >>> 5]! & ~(1 << (word & 31));
  }

  /** Finds the earliest event, none of which is before `time`, in the bucket `from`. Mostly it is in the next filled one. */
  #findFirst(time: number, from: number): void {
    const { filled } = this;
    let word = from >>> 5;
    let bits = filled[word]! & (-1 << (from & 31));
    if (bits === 0) {
      const words = this.summary[word >>> 5]! & (-2 << (word & 31));
      if (words !== 0) {
        word = (word & ~31) + lowest(words);
        bits = filled[word]!;
      }
    }
    if (bits !== 0) {
      const head = this.heads[(word << 5) + lowest(bits)]!;
      const headTime = this.#time(head);
      if (headTime < time + this.horizon_ns) {
        this.first = head;
        this.nextTime = headTime;
        return;
      }
    }
    this.#search(time, from);
  }

  /**
   * The same, wherever it is. Once around the ring the events of the next round of it are met in order, so the first of
   * them ends the search; when there is none, it is the earliest of all.
   */
  #search(time: number, from: number): void {
    const { filled } = this;
    const horizon = time + this.horizon_ns;
    const count = filled.length;
    this.nextTime = Number.POSITIVE_INFINITY;
    if (this.size === 0) return;
    this.searches++;
    const start = from >>> 5;
    if (this.#look(start, filled[start]! & (-1 << (from & 31)), horizon)) return;
    for (let word = start + 1; word < count; word++) if (this.#look(word, filled[word]!, horizon)) return;
    for (let word = 0; word <= start; word++) if (this.#look(word, filled[word]!, horizon)) return;
  }

  /** Looks at the buckets whose `bits` are set in a word. True when one begins with an event before `horizon`. */
  #look(word: number, bits: number, horizon: number): boolean {
    for (let left = bits; left !== 0; left &= left - 1) {
      const head = this.heads[(word << 5) + lowest(left)]!;
      const headTime = this.#time(head);
      if (headTime >= this.nextTime) continue;
      this.first = head;
      this.nextTime = headTime;
      if (headTime < horizon) return true;
    }
    return false;
  }

  /** Gives the ring as many buckets, as wide, as the last events would have liked. Searches cost more than passing. */
  #adapt(): void {
    let { buckets } = this;
    if (this.size >= MANY_EVENTS) buckets = MANY_BUCKETS;
    else if (this.size < FEW_EVENTS) buckets = FEW_BUCKETS;
    let { bucket_ns } = this;
    this.patience = Math.max(0, this.patience - 1 - Math.floor(this.passed / MANY_PASSED));
    if (this.searches > MOST_SEARCHES) {
      if (bucket_ns < WIDEST_NS) bucket_ns *= STEP;
      this.patience = PATIENCE;
    } else if (this.passed > MOST_PASSED && this.patience === 0 && bucket_ns > NARROWEST_NS)
      bucket_ns /= STEP;
    if (buckets !== this.buckets || bucket_ns !== this.bucket_ns) this.#reform(buckets, bucket_ns);
    this.added = 0;
    this.passed = 0;
    this.searches = 0;
  }

  /** Gives the ring another shape: takes every event out, then puts each where it belongs now. */
  #reform(buckets: number, bucket_ns: number): void {
    let event = this.#chain();
    this.#form(buckets, bucket_ns);
    while (event !== NONE) {
      const next = this.words[(event << WORDS_SHIFT) + NEXT]!;
      this.#link(event, this.#time(event));
      event = next;
    }
  }

  /** Ties the lists of all buckets together by their NEXT and returns the first event. Those of one time keep their order. */
  #chain(): number {
    const { words, heads, filled } = this;
    let first = NONE;
    for (let word = 0; word < filled.length; word++) {
      for (let bits = filled[word]!; bits !== 0; bits &= bits - 1) {
        const head = heads[(word << 5) + lowest(bits)]!;
        const last = words[(head << WORDS_SHIFT) + PREVIOUS]!;
        words[(last << WORDS_SHIFT) + NEXT] = first;
        first = head;
      }
    }
    return first;
  }

  /** Makes the ring an empty one. */
  #form(buckets: number, bucket_ns: number): void {
    this.bucket_ns = bucket_ns;
    this.bucketsPerNs = 1 / bucket_ns;
    this.horizon_ns = (buckets - 1) * bucket_ns;
    this.mask = buckets - 1;
    if (buckets === this.buckets) {
      this.filled.fill(0);
      this.summary.fill(0);
      return;
    }
    this.heads = new Int32Array(buckets);
    this.filled = new Int32Array(buckets >>> 5);
    this.summary = new Int32Array(buckets >>> 10);
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
    this.added = a.value(this.added);
    this.passed = a.value(this.passed);
    this.searches = a.value(this.searches);
    this.patience = a.value(this.patience);
    const buckets = a.value(this.buckets);
    const bucket_ns = a.value(this.bucket_ns);
    if (buckets !== this.buckets || bucket_ns !== this.bucket_ns) this.#form(buckets, bucket_ns);
    a.contents(this.heads, this.filled, this.summary);
  }
}

/** The number of the lowest bit that is set. */
const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits);

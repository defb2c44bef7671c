/**
 * What happened when, as tracks of slices, instants and counter values: the form that the writers of trace files share.
 * Slices of one track nest or follow one another; whoever fills a timeline sees to that (`LanePool`).
 * Not here: where events come from (recorder.ts), file formats (perfetto.ts, chrome.ts).
 */
import { assert } from '../../support/assert.ts';

/** Facts beside an event. */
export type Details = Readonly<Record<string, number | string>>;

/** The values of a counter are what was told, those of a sum all that was added so far. */
export type TrackKind = 'process' | 'thread' | 'counter' | 'sum';

/** A line of the picture. Its `id` is its index plus one. */
export interface Track {
  readonly id: number;
  readonly kind: TrackKind;
  readonly name: string;
  /** The track that it belongs under; 0 for a process. */
  readonly parent: number;
}

interface Event {
  readonly start: number;
  readonly name: string;
  readonly details: Details;
  /** Connects the events of one command; 0: none. */
  readonly flow: number;
}

export interface Slice extends Event {
  readonly end: number;
}

export type Instant = Event;

/** One step along a track, in the order of time: the slices nest. */
export type Step =
  | { readonly kind: 'begin'; readonly time: number; readonly slice: Slice }
  | { readonly kind: 'end'; readonly time: number }
  | { readonly kind: 'instant'; readonly time: number; readonly instant: Instant };

/** Times are nanoseconds of simulated time, rounded: trace viewers know no fractions of them. */
const time = (ns: number): number => Math.round(ns);

export class Timeline {
  readonly tracks: Track[] = [];
  readonly #slices: Slice[][] = [];
  readonly #instants: Instant[][] = [];
  readonly #values: { readonly time: number; readonly value: number }[][] = [];

  /** A group of tracks. Returns its id. */
  process(name: string): number {
    return this.#add('process', name, 0);
  }

  /** A track for slices and instants. */
  thread(parent: number, name: string): number {
    return this.#add('thread', name, parent);
  }

  /** A track for values. */
  counter(parent: number, name: string): number {
    return this.#add('counter', name, parent);
  }

  /** A track for a value that is told by its changes, in any order. */
  sum(parent: number, name: string): number {
    return this.#add('sum', name, parent);
  }

  slice(track: number, start: number, end: number, name: string, details: Details = {}, flow = 0): void {
    this.#slices[track - 1]!.push({ start: time(start), end: time(end), name, details, flow });
  }

  instant(track: number, at: number, name: string, details: Details = {}, flow = 0): void {
    this.#instants[track - 1]!.push({ start: time(at), name, details, flow });
  }

  /** From `at` on the counter has this value, or the sum is larger by it. */
  value(track: number, at: number, value: number): void {
    this.#values[track - 1]!.push({ time: time(at), value });
  }

  /** Number of slices, instants and values. */
  get size(): number {
    return [this.#slices, this.#instants, this.#values].flat().reduce((sum, { length }) => sum + length, 0);
  }

  /** Values of a counter or sum in the order of time. */
  values(track: Track): { readonly time: number; readonly value: number }[] {
    const told = this.#values[track.id - 1]!.toSorted((one, other) => one.time - other.time);
    if (track.kind !== 'sum') return told;
    let sum = 0;
    return told.map(({ time, value }) => {
      sum += value;
      return { time, value: sum };
    });
  }

  /** Beginnings, ends and instants of a track in the order of time, every end where its beginning can be found. */
  steps(track: Track): Step[] {
    const slices = this.#slices[track.id - 1]!.toSorted((a, b) => a.start - b.start || b.end - a.end);
    const instants = this.#instants[track.id - 1]!.toSorted((a, b) => a.start - b.start);
    const steps: Step[] = [];
    const open: number[] = [];
    const closeUntil = (until: number): void => {
      while (open.length > 0 && open.at(-1)! <= until) steps.push({ kind: 'end', time: open.pop()! });
    };
    let next = 0;
    const instantsBefore = (before: number): void => {
      for (; next < instants.length && instants[next]!.start < before; next++) {
        const instant = instants[next]!;
        closeUntil(instant.start);
        steps.push({ kind: 'instant', time: instant.start, instant });
      }
    };
    for (const slice of slices) {
      instantsBefore(slice.start);
      closeUntil(slice.start);
      const isInside = open.length === 0 || slice.end <= open.at(-1)!;
      assert(isInside, `slices of track ${track.name} overlap at ${slice.start} ns`);
      steps.push({ kind: 'begin', time: slice.start, slice });
      open.push(slice.end);
    }
    instantsBefore(Number.POSITIVE_INFINITY);
    closeUntil(Number.POSITIVE_INFINITY);
    return steps;
  }

  #add(kind: TrackKind, name: string, parent: number): number {
    const id = this.tracks.length + 1;
    this.tracks.push({ id, kind, name, parent });
    this.#slices.push([]);
    this.#instants.push([]);
    this.#values.push([]);
    return id;
  }
}

/** Tracks for slices that overlap: each takes the first track that is free when it begins. */
export class LanePool {
  readonly #timeline: Timeline;
  readonly #parent: number;
  readonly #name: string;
  readonly #lanes: { readonly track: number; freeAt: number }[] = [];

  constructor(timeline: Timeline, parent: number, name: string) {
    this.#timeline = timeline;
    this.#parent = parent;
    this.#name = name;
  }

  /** The track for a slice from `start` to `end`. Slices come in the order of their ends. */
  take(start: number, end: number): number {
    let lane = this.#lanes.find(({ freeAt }) => freeAt <= start);
    if (lane === undefined) {
      const name = this.#lanes.length === 0 ? this.#name : `${this.#name} (${this.#lanes.length + 1})`;
      lane = { track: this.#timeline.thread(this.#parent, name), freeAt: 0 };
      this.#lanes.push(lane);
    }
    lane.freeAt = end;
    return lane.track;
  }
}

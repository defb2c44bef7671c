/**
 * A medium behind a mapping table that the controller has no room for: before anything is read or written, the page of
 * the table that tells where it is has to be in the controller. It may be there already, in host memory, or on the
 * medium, where reading it takes as long as reading anything else. Each page has one place; the one that was there goes to
 * host memory. Not here: host memory (host-map.ts), what the table says (the medium knows).
 */

import type { Memory } from '../../machine/memory.ts';
import type { Archive } from '../../support/archive.ts';
import type { Media } from '../media.ts';
import type { HostMap } from './host-map.ts';
import { type Lookups, MAP_PAGE_BYTES, MAPPED_BYTES, type MapProfile, UNITS_PER_PAGE } from './profile.ts';

const NOTHING = -1;

export interface MappedParts {
  readonly profile: MapProfile;
  readonly medium: Media;
  readonly host: HostMap;
  readonly memory: Memory;
  readonly lookups: Lookups;
  /** The table is on the medium behind these bytes. */
  readonly capacity_bytes: number;
  /** A page of the table is about to change: whoever keeps it has to know. */
  readonly changed: (page: number) => void;
}

export class MappedMedia implements Media {
  readonly free = false;
  readonly #medium: Media;
  readonly #host: HostMap;
  readonly #lookups: Lookups;
  readonly #changed: (page: number) => void;
  readonly #tableAt: number;
  /** By place: the page of the map. */
  readonly #cached: Int32Array;

  constructor({ profile, medium, host, memory, lookups, capacity_bytes, changed }: MappedParts) {
    this.#medium = medium;
    this.#host = host;
    this.#lookups = lookups;
    this.#changed = changed;
    this.#tableAt = Math.ceil(capacity_bytes / MAPPED_BYTES) * MAPPED_BYTES;
    // What the firmware reads while the drive gets ready: the first pages.
    this.#cached = Int32Array.from({ length: profile.cachedPages }, (_, page) => page);
    host.contents = (page, word) => {
      const first = page * UNITS_PER_PAGE;
      for (let unit = 0; unit < UNITS_PER_PAGE; unit++) memory.i32[word + unit] = medium.place(first + unit);
    };
  }

  read(offset: number, length: number): number {
    return this.#find(offset, length) + this.#medium.read(offset, length);
  }

  write(offset: number, length: number): number {
    const found = this.#find(offset, length);
    this.#change(offset, length);
    return found + this.#medium.write(offset, length);
  }

  update(): number {
    return this.#medium.update();
  }

  flush(): number {
    return this.#medium.flush();
  }

  discard(offset: number, length: number): void {
    this.#change(offset, length);
    this.#medium.discard(offset, length);
  }

  wear(): number {
    return this.#medium.wear();
  }

  place(unit: number): number {
    return this.#medium.place(unit);
  }

  /** Nanoseconds until every page of the map that `length` bytes at `offset` need has been in the controller. */
  #find(offset: number, length: number): number {
    let delay = 0;
    const end = offset + length;
    for (let page = Math.floor(offset / MAPPED_BYTES); page * MAPPED_BYTES < end; page++) {
      const place = page % this.#cached.length;
      if (this.#cached[place] === page) this.#lookups.controller++;
      else delay += this.#load(page, place);
    }
    return delay;
  }

  #load(page: number, place: number): number {
    this.#host.keep(this.#cached[place]!);
    this.#cached[place] = page;
    const delay = this.#host.fetch(page);
    if (delay !== NOTHING) {
      this.#lookups.host++;
      return delay;
    }
    this.#lookups.medium++;
    return this.#medium.read(this.#tableAt + page * MAP_PAGE_BYTES, MAP_PAGE_BYTES);
  }

  #change(offset: number, length: number): void {
    const end = offset + length;
    for (let page = Math.floor(offset / MAPPED_BYTES); page * MAPPED_BYTES < end; page++) this.#changed(page);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts), the medium aside (subsystem.ts). */
  archive(a: Archive): void {
    this.#host.archive(a);
    a.contents(this.#cached);
    Object.assign(this.#lookups, a.value(this.#lookups));
  }
}

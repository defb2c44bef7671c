/**
 * Which zone a write of one clone goes to with `zonemode=zbd`: the one that was drawn, as long as no more zones are open
 * than may be (`max_open_zones`, `job_max_open_zones`, the drive's own limit), else one that is open already.
 * Not here: where inside a zone, resets, reads (zone-walk.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Job } from './job-file.ts';
import type { Region } from './region.ts';
import { WRITE } from './stats.ts';
import type { ZoneMap } from './zone-map.ts';

/** No zone has room now, and none ever will. */
export const NONE_YET = -1;
export const NONE_EVER = -2;

export class OpenZones {
  /** Most open zones of all clones. */
  readonly limit: number;
  readonly #job: Job;
  readonly #map: ZoneMap;
  readonly #region: Region;
  readonly #first: number;
  /** One behind the last zone of the region. */
  readonly #last: number;

  constructor(job: Job, region: Region, map: ZoneMap) {
    this.#job = job;
    this.#map = map;
    this.#region = region;
    this.#first = map.zoneOf(region.start);
    this.#last = map.zoneOf(region.start + region.bytes);
    this.limit = job.max_open_zones || (job.ignore_zone_limits ? Number.POSITIVE_INFINITY : map.maxOpen);
  }

  isFull(zone: number): boolean {
    return this.#map.pointers[zone]! + this.#job.sizes[WRITE].min > this.#map.ends[zone]!;
  }

  /** The zone for a write that was drawn at byte `target` of the namespace; opens it. Or NONE_YET, NONE_EVER. */
  find(target: number): number {
    const { open } = this.#map;
    const zone = this.#map.zoneOf(target);
    if (open.includes(zone) && !this.#isSpent(zone)) return zone;
    if (this.#mayOpen() && !this.#isSpent(zone)) return this.#open(zone);
    const found = this.#among(target);
    if (found !== NONE_EVER || !this.#mayOpen()) return found;
    const zones = this.#last - this.#first;
    for (let step = 1; step < zones; step++) {
      const next = this.#first + ((zone - this.#first + step) % zones);
      if (!this.#isSpent(next) && !open.includes(next)) return this.#open(next);
    }
    return NONE_EVER;
  }

  /** A full zone whose data will be verified is not written again. */
  #isSpent(zone: number): boolean {
    return this.#job.verify !== 'none' && this.isFull(zone);
  }

  #mayOpen(): boolean {
    const { open, opener } = this.#map;
    const { job_max_open_zones } = this.#job;
    if (open.length >= this.limit) return false;
    if (job_max_open_zones === 0) return true;
    return open.filter((zone) => opener[zone] === this).length < job_max_open_zones;
  }

  #open(zone: number): number {
    this.#map.open.push(zone);
    this.#map.opener[zone] = this;
    return zone;
  }

  /** One of the open zones of the region that has room, as far along among them as the target is in the region. */
  #among(target: number): number {
    const { open, busy } = this.#map;
    const { start, bytes } = this.#region;
    const from = Math.floor(((target - start) / bytes) * open.length);
    let isAnyBusy = false;
    for (let index = 0; index < open.length; index++) {
      const zone = open[(from + index) % open.length]!;
      if (zone < this.#first || zone >= this.#last) continue;
      if (!this.isFull(zone)) return zone;
      isAnyBusy ||= busy[zone] === 1;
    }
    return isAnyBusy ? NONE_YET : NONE_EVER;
  }

  /** Saves or loads which zones this clone opened (support/archive.ts). */
  archive(a: Archive): void {
    const { opener } = this.#map;
    const mine = [...opener.keys()].filter((zone) => opener[zone] === this);
    for (const zone of mine) opener[zone] = null;
    for (const zone of a.value(mine)) opener[zone] = this;
  }
}

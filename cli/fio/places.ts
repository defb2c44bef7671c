/**
 * Where the I/Os of one direction go inside the region: one behind the other, at random, in runs, in zones.
 * Not here: the order of random blocks (order.ts), sizes and directions (workload.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { alignDown } from '../../support/numbers.ts';
import type { Random } from '../../support/random.ts';
import type { Job } from './job-file.ts';
import { type BlockOrder, orderOf } from './order.ts';
import type { Direction } from './stats.ts';

export class Places {
  /** The place that the last `choose` found, in bytes from the start of the region. */
  offset = 0;
  bytes = 0;
  readonly #min: number;
  readonly #skip: number;
  /** Bytes of the region, or of one zone. */
  readonly #span: number;
  readonly #align: number;
  readonly #order: BlockOrder | null;
  readonly #run: number;
  /** Draws whether an I/O of a random job goes to a random place; null: all do. */
  readonly #chance: Random | null;
  readonly #percentRandom: number;
  #runLeft = 0;
  /** Where the next I/O of a sequence begins, from the start of the zone. */
  private at: number;
  readonly #zone: ZoneWalk | null;

  constructor(job: Job, direction: Direction, regionBytes: number, mapped: boolean, random: Random) {
    const { min } = job.sizes[direction];
    this.#min = min;
    this.#skip = job.rw_skip_bytes;
    this.#zone = job.zonemode === 'strided' ? new ZoneWalk(job, regionBytes) : null;
    this.#span = this.#zone === null ? regionBytes : Math.min(regionBytes, this.#zone.range);
    this.#align = job.blockalign?.[direction] ?? min;
    this.#run = job.rw_run;
    this.#percentRandom = job.percentage_random[direction];
    this.#chance = job.random && this.#percentRandom < 100 ? random : null;
    this.at = this.#sequenceStart();
    const blocks = Math.max(1, Math.floor((this.#span - min) / this.#align) + 1);
    this.#order = job.random ? orderOf(blocks, job.distribution, mapped, random) : null;
  }

  /** A sequence that goes back begins at the end. */
  #sequenceStart(): number {
    return this.#skip >= 0
      ? 0
      : Math.max(0, alignDown(this.#span, this.#min) + Math.min(this.#skip, -this.#min));
  }

  /** Finds the place of the next I/O of up to `want` bytes. */
  choose(want: number): void {
    const zone = this.#zone;
    if (zone?.isOver()) {
      zone.advance();
      this.at = this.#sequenceStart();
    }
    let at = this.at;
    if (this.#order === null) {
      if (at < 0 || at + this.#min > this.#span) at = this.#sequenceStart();
    } else if (this.#runLeft > 0 && at + this.#min <= this.#span) this.#runLeft--;
    else if (!this.#isSequel(at)) {
      at = this.#order.next() * this.#align;
      this.#runLeft = this.#run - 1;
    }
    const room = this.#span - at;
    const bytes = want <= room ? want : room - (room % this.#min);
    this.at = at + bytes + this.#skip;
    this.offset = at;
    this.bytes = bytes;
    if (zone !== null) {
      this.offset += zone.start;
      zone.done += bytes;
    }
  }

  /** `percentage_random`: this I/O of a random job follows the one before. */
  #isSequel(at: number): boolean {
    if (this.#chance === null || at + this.#min > this.#span) return false;
    return this.#chance.unit() * 100 >= this.#percentRandom;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.offset = a.value(this.offset);
    this.bytes = a.value(this.bytes);
    this.#order?.archive(a);
    this.#runLeft = a.value(this.#runLeft);
    this.at = a.value(this.at);
    this.#zone?.archive(a);
  }
}

/** `zonemode=strided`: `zonesize` bytes are done in each zone of `zonerange` bytes, and `zoneskip` bytes left out. */
class ZoneWalk {
  start = 0;
  done = 0;
  readonly range: number;
  readonly #size: number;
  readonly #stride: number;
  readonly #regionBytes: number;

  constructor({ zonesize, zonerange, zoneskip }: Job, regionBytes: number) {
    this.#size = zonesize;
    this.range = zonerange === 0 ? zonesize : zonerange;
    this.#stride = this.range + zoneskip;
    this.#regionBytes = regionBytes;
  }

  isOver(): boolean {
    return this.done >= this.#size;
  }

  advance(): void {
    this.done = 0;
    const next = this.start + this.#stride;
    this.start = next + this.range > this.#regionBytes ? 0 : next;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.start = a.value(this.start);
    this.done = a.value(this.done);
  }
}

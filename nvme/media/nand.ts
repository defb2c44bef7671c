/**
 * NAND flash: planes that sense and dies that program and erase, channels between them and the controller, a write
 * buffer that drains to them, and a translation layer whose garbage collection takes its share of all of them.
 * A block that was never written is where a sequential fill would have put it. A unit is written whole, also for less.
 * Not here: suspending a program for a read, SLC caches, read retries, refresh; the mapping (flash-map.ts).
 */

import type { Clock } from '../../machine/clock.ts';
import { T } from '../../machine/trace.ts';
import type { Archive } from '../../support/archive.ts';
import type { Random } from '../../support/random.ts';
import type { Media, MediaParts } from '../media.ts';
import { Channel } from './channel.ts';
import { FlashMap, NOWHERE } from './flash-map.ts';
import { NAND_ENDURANCE, type NandProfile, UNIT_BYTES } from './profile.ts';

// A file constant folds where an imported one is loaded at every use.
const UNIT = UNIT_BYTES;
const NONE = NOWHERE;

export class NandMedia implements Media {
  readonly free = false;
  /** Where units are; its counts tell the write amplification. */
  readonly map: FlashMap;
  private readonly clock: Clock;
  private readonly profile: NandProfile;
  private readonly random: Random;
  private readonly busy: MediaParts['busy'];
  private readonly moved: (unit: number) => void;
  private readonly dies: number;
  private readonly channels: readonly Channel[];
  /** By die * planes + plane. */
  private readonly planeFreeAt: Float64Array;
  /** When each of the last stripes left the buffer, a ring: one stripe of the buffer is free again then. */
  private readonly drainedAt: Float64Array;
  private readonly unitsPerPage: number;
  private readonly erase_ns: number;
  #stripe = 0;
  #nextDie = 0;
  #lastProgramEnd = 0;

  constructor(profile: NandProfile, { clock, random, capacity_bytes, busy, moved }: MediaParts) {
    const { channels, diesPerChannel, planesPerDie, program_bytes, buffer_bytes } = profile;
    this.clock = clock;
    this.profile = profile;
    this.random = random;
    this.busy = busy;
    this.moved = moved ?? (() => {});
    this.dies = channels * diesPerChannel;
    this.channels = Array.from({ length: channels }, () => new Channel());
    this.planeFreeAt = new Float64Array(this.dies * planesPerDie);
    this.drainedAt = new Float64Array(Math.floor(buffer_bytes / program_bytes));
    this.unitsPerPage = profile.page_bytes / UNIT;
    this.map = new FlashMap(capacity_bytes, profile.overProvisioning, program_bytes);
    // Blocks of a small drive are small, and what erasing costs per byte is that of real ones.
    const share = program_bytes / (profile.block_bytes * planesPerDie);
    this.erase_ns = profile.erase_ns * share;
  }

  // ---- reads ----------------------------------------------------------------------------------------------------------

  read(offset: number, length: number): number {
    const { firmware4K_ns, firmwareRead_ns } = this.profile;
    const { now } = this.clock;
    const start = now + (length <= UNIT ? firmware4K_ns : firmwareRead_ns);
    const first = Math.floor(offset / UNIT);
    const end = Math.ceil((offset + length) / UNIT);
    let last = start;
    for (let unit = first; unit < end; ) {
      const place = this.map.place(unit);
      let next = unit + 1;
      while (next < end && this.#follows(place, unit, next)) next++;
      if (place === NONE || !this.map.isOpen(place)) {
        const bytes = Math.min((next - unit) * UNIT, length);
        last = Math.max(last, this.#sense(place === NONE ? unit : place, place === NONE, start, bytes));
      }
      unit = next;
    }
    return last - now;
  }

  wear(): number {
    return this.map.erased / this.map.segments / (this.profile.endurance ?? NAND_ENDURANCE);
  }

  place(unit: number): number {
    return this.map.place(unit);
  }

  /** Whether unit `next` is on the page that the units from `unit` on, at `place`, are read from. */
  #follows(place: number, unit: number, next: number): boolean {
    const distance = next - unit;
    const from = place === NONE ? unit : place;
    if ((from % this.unitsPerPage) + distance >= this.unitsPerPage) return false;
    return this.map.place(next) === (place === NONE ? NONE : place + distance);
  }

  /** When `bytes` of one page are in the controller, asked for at `time`. */
  #sense(place: number, isNeverWritten: boolean, time: number, bytes: number): number {
    const { planesPerDie, read4K_ns, readPage_ns, readSpread_ns, jitter_ns, channels } = this.profile;
    // A sequential fill puts a page on every plane of a die, then goes to the next die.
    const page = Math.floor(place / this.unitsPerPage);
    const row = Math.floor(page / planesPerDie);
    const die = isNeverWritten ? row % this.dies : this.map.dieOf(place);
    const plane = die * planesPerDie + (page % planesPerDie);
    const isSlow = ((row + Math.floor(row / this.dies)) & 1) === 1;
    const spread = isSlow ? readSpread_ns : -readSpread_ns;
    const jitter = jitter_ns === 0 ? 0 : (this.random.unit() - 0.5) * jitter_ns;
    const start = Math.max(time, this.planeFreeAt[plane]!);
    const sensed = start + (bytes <= UNIT ? read4K_ns : readPage_ns) + spread + jitter;
    const done = this.channels[die % channels]!.transfer(sensed, bytes / this.profile.channel_bytes_per_ns);
    if (this.busy.trace.on) this.#tell(plane, start, done);
    this.planeFreeAt[plane] = done;
    return done;
  }

  // ---- writes ---------------------------------------------------------------------------------------------------------

  write(offset: number, length: number): number {
    const { firmwareWrite_ns, firmwareWrite4K_ns } = this.profile;
    const { now } = this.clock;
    const first = Math.floor(offset / UNIT);
    const end = Math.ceil((offset + length) / UNIT);
    let done = now + firmwareWrite_ns + (end - first) * firmwareWrite4K_ns;
    for (let unit = first; unit < end; unit++) {
      // The stripe that is being filled took the place of one that has to be out of the buffer.
      done = Math.max(done, this.drainedAt[this.#stripe]!);
      const full = this.map.write(unit);
      if (full === NONE) continue;
      this.drainedAt[this.#stripe] = this.#program(full, done);
      this.#stripe = this.#stripe + 1 === this.drainedAt.length ? 0 : this.#stripe + 1;
      if (this.map.isCollecting) this.#collect(done);
    }
    return done - now;
  }

  update(): number {
    return this.profile.firmwareWrite_ns;
  }

  flush(): number {
    const { flush_ns, capacitors } = this.profile;
    return flush_ns + (capacitors ? 0 : Math.max(0, this.#lastProgramEnd - this.clock.now));
  }

  discard(offset: number, length: number): void {
    const first = Math.ceil(offset / UNIT);
    const end = Math.floor((offset + length) / UNIT);
    this.map.discard(first, end);
  }

  /** When the stripe of `place`, full at `time`, has been programmed on the die that is free first. */
  #program(place: number, time: number): number {
    const { program_bytes, program_ns, channel_bytes_per_ns, channels } = this.profile;
    const die = this.#firstFreeDie();
    this.map.setDie(place, die);
    const start = Math.max(time, this.#dieFreeAt(die));
    const loaded = this.channels[die % channels]!.transfer(start, program_bytes / channel_bytes_per_ns);
    const end = loaded + program_ns;
    this.#occupy(die, start, end);
    this.#lastProgramEnd = Math.max(this.#lastProgramEnd, end);
    return end;
  }

  /** Dies take turns where several are free. */
  #firstFreeDie(): number {
    const { dies } = this;
    const { now } = this.clock;
    let best = this.#nextDie;
    let bestAt = Number.POSITIVE_INFINITY;
    for (let turn = 0; turn < dies; turn++) {
      const die = this.#nextDie + turn < dies ? this.#nextDie + turn : this.#nextDie + turn - dies;
      const freeAt = this.#dieFreeAt(die);
      if (freeAt >= bestAt) continue;
      best = die;
      bestAt = freeAt;
      if (freeAt <= now) break;
    }
    this.#nextDie = best + 1 === dies ? 0 : best + 1;
    return best;
  }

  /** When the last plane of a die is free. */
  #dieFreeAt(die: number): number {
    const { planesPerDie } = this.profile;
    let last = 0;
    for (let plane = die * planesPerDie; plane < (die + 1) * planesPerDie; plane++)
      last = Math.max(last, this.planeFreeAt[plane]!);
    return last;
  }

  /** All planes of a die are busy from `start` to `end`. */
  #occupy(die: number, start: number, end: number): void {
    const { planesPerDie } = this.profile;
    const first = die * planesPerDie;
    if (this.busy.trace.on)
      for (let plane = first; plane < first + planesPerDie; plane++) this.#tell(plane, start, end);
    this.planeFreeAt.fill(end, first, first + planesPerDie);
  }

  #tell(plane: number, start: number, end: number): void {
    this.busy.trace.emit(T.MEDIA_BUSY, this.busy.dma.requester, plane, start, end);
  }

  // ---- garbage collection ---------------------------------------------------------------------------------------------

  /**
   * Gains what the host's last stripe took: moves units that count, a page at a time, and erases what is empty. It reads
   * ahead, so that no program waits for the page it moves.
   */
  #collect(time: number): void {
    const { map, unitsPerPage } = this;
    let page = NONE;
    for (map.demand(); map.isBehind; ) {
      const place = map.nextToMove();
      if (place === NONE) {
        this.#erase(map.release(), time);
        continue;
      }
      if (Math.floor(place / unitsPerPage) !== page) {
        page = Math.floor(place / unitsPerPage);
        this.#sense(place, false, time, unitsPerPage * UNIT);
      }
      this.moved(map.unitAt(place));
      const full = map.move(place);
      if (full !== NONE) this.#program(full, time);
    }
  }

  #erase(segment: number, time: number): void {
    for (const die of this.map.diesOf(segment)) {
      const start = Math.max(time, this.#dieFreeAt(die));
      this.#occupy(die, start, start + this.erase_ns);
    }
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.map.archive(a);
    this.random.archive(a);
    for (const channel of this.channels) channel.archive(a);
    a.contents(this.planeFreeAt, this.drainedAt);
    this.#stripe = a.value(this.#stripe);
    this.#nextDie = a.value(this.#nextDie);
    this.#lastProgramEnd = a.value(this.#lastProgramEnd);
  }
}

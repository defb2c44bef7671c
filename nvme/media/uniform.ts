/** Units that work in parallel behind one shared bus, with seeded jitter. Nothing is erased; what is written is durable. */

import type { Clock } from '../../machine/clock.ts';
import { T } from '../../machine/trace.ts';
import type { Archive } from '../../support/archive.ts';
import type { Random } from '../../support/random.ts';
import type { Media, MediaParts } from '../media.ts';
import { UNIFORM_ENDURANCE, type UniformProfile } from './profile.ts';

export class UniformMedia implements Media {
  readonly free = false;
  private readonly clock: Clock;
  private readonly profile: UniformProfile;
  private readonly random: Random;
  private readonly busy: MediaParts['busy'];
  private readonly unitFreeAt: Float64Array;
  private readonly life_bytes: number;
  private busFreeAt = 0;
  private written_bytes = 0;

  constructor(profile: UniformProfile, { clock, random, capacity_bytes, busy }: MediaParts) {
    this.clock = clock;
    this.profile = profile;
    this.random = random;
    this.busy = busy;
    this.unitFreeAt = new Float64Array(profile.channels);
    this.life_bytes = capacity_bytes * (profile.endurance ?? UNIFORM_ENDURANCE);
  }

  read(offset: number, length: number): number {
    return this.#access(this.profile.read_ns, this.profile.readBus_bytes_per_ns, offset, length);
  }

  write(offset: number, length: number): number {
    this.written_bytes += length;
    return this.#access(this.profile.write_ns, this.profile.writeBus_bytes_per_ns, offset, length);
  }

  update(): number {
    return this.write(0, 1);
  }

  flush(): number {
    return this.profile.flush_ns;
  }

  discard(): void {}

  wear(): number {
    return this.written_bytes / this.life_bytes;
  }

  place(unit: number): number {
    return unit;
  }

  /** Splits at stripes; each piece takes the unit that is free first, then the bus. The last one to arrive counts. */
  #access(access_ns: number, bus_bytes_per_ns: number, offset: number, length: number): number {
    const { stripe_bytes, jitter_ns } = this.profile;
    const { now } = this.clock;
    let last = now;
    let at = offset;
    while (at < offset + length) {
      const stripe = Math.floor(at / stripe_bytes);
      const piece = Math.min((stripe + 1) * stripe_bytes, offset + length) - at;
      const unit = this.#firstFree();
      const jitter = (this.random.unit() - 0.5) * jitter_ns;
      const start = Math.max(now, this.unitFreeAt[unit]!);
      const ready = start + access_ns + jitter;
      this.busFreeAt = Math.max(this.busFreeAt, ready) + piece / bus_bytes_per_ns;
      this.unitFreeAt[unit] = this.busFreeAt;
      const { trace, dma } = this.busy;
      if (trace.on) trace.emit(T.MEDIA_BUSY, dma.requester, unit, start, this.busFreeAt);
      last = Math.max(last, this.busFreeAt);
      at += piece;
    }
    return last - now;
  }

  #firstFree(): number {
    const free = this.unitFreeAt;
    let unit = 0;
    for (let other = 1; other < free.length; other++) if (free[other]! < free[unit]!) unit = other;
    return unit;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.random.archive(a);
    a.contents(this.unitFreeAt);
    this.busFreeAt = a.value(this.busFreeAt);
    this.written_bytes = a.value(this.written_bytes);
  }
}

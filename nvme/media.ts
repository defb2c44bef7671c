/**
 * When data are ready: units (channels) that work in parallel behind one shared bus, with seeded jitter.
 * Bytes are not here (the BlockStore moves them), nor pages, erase and garbage collection.
 */
import type { Clock } from '../machine/clock.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import { T, type Trace } from '../machine/trace.ts';
import type { Random } from '../support/random.ts';
import type { MediaProfile } from './profile.ts';

/** Where busy units are told, and whose they are. */
export interface MediaTrace {
  readonly trace: Trace;
  readonly dma: DmaPort;
}

export class Media {
  /** True when nothing takes time. */
  readonly free: boolean;
  private readonly clock: Clock;
  private readonly profile: MediaProfile | null;
  private readonly random: Random;
  private readonly told: MediaTrace;
  private readonly unitFreeAt: Float64Array;
  #busFreeAt = 0;

  /** `profile` null: everything is ready at once. */
  constructor(clock: Clock, profile: MediaProfile | null, random: Random, told: MediaTrace) {
    this.clock = clock;
    this.profile = profile;
    this.free = profile === null;
    this.random = random;
    this.told = told;
    this.unitFreeAt = new Float64Array(profile?.channels ?? 1);
  }

  /** Nanoseconds until `length` bytes at `offset`, asked for now, are in the controller. */
  read(offset: number, length: number): number {
    return this.profile === null ? 0 : this.#access(this.profile, this.profile.read_ns, offset, length);
  }

  /** Nanoseconds until `length` bytes at `offset`, given now, are safe in the controller or on the medium. */
  write(offset: number, length: number): number {
    return this.profile === null ? 0 : this.#access(this.profile, this.profile.write_ns, offset, length);
  }

  flush(): number {
    return this.profile?.flush_ns ?? 0;
  }

  /** Splits at stripes; each piece takes the unit that is free first, then the bus. The last one to arrive counts. */
  #access(profile: MediaProfile, access_ns: number, offset: number, length: number): number {
    const { now } = this.clock;
    let last = now;
    let at = offset;
    while (at < offset + length) {
      const stripe = Math.floor(at / profile.stripe_bytes);
      const piece = Math.min((stripe + 1) * profile.stripe_bytes, offset + length) - at;
      const unit = this.#firstFree();
      const jitter = (this.random.unit() - 0.5) * profile.jitter_ns;
      const start = Math.max(now, this.unitFreeAt[unit]!);
      const ready = start + access_ns + jitter;
      this.#busFreeAt = Math.max(this.#busFreeAt, ready) + piece / profile.bus_bytes_per_ns;
      this.unitFreeAt[unit] = this.#busFreeAt;
      const { trace, dma } = this.told;
      if (trace.on) trace.emit(T.MEDIA_BUSY, dma.requester, unit, start, this.#busFreeAt);
      last = Math.max(last, this.#busFreeAt);
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
}

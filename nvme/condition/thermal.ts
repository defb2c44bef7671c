/**
 * The composite temperature: one thermal resistance and one heat capacity, so that it approaches what the power of a
 * while would make it in the end. It is worked out when somebody looks, from what was moved since the last look.
 * Not here: who looks and what follows (condition.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { PowerProfile } from './profile.ts';

export class Thermal {
  kelvin: number;
  readonly #profile: PowerProfile;
  /** What the temperature would be in the end, at the power since the last look. */
  #target: number;
  #from: number;

  constructor(profile: PowerProfile) {
    this.#profile = profile;
    this.kelvin = this.settled(profile.states[0]!.idle_mW / 1000);
    this.#target = this.kelvin;
    this.#from = this.kelvin;
  }

  /** What the temperature would be in the end at so much power. */
  settled(power_W: number): number {
    return this.#profile.ambient_K + this.#profile.rise_K_per_W * power_W;
  }

  /** `elapsed_ns` have gone by at so much power. */
  pass(elapsed_ns: number, power_W: number): void {
    this.#from = this.kelvin;
    this.#target = this.settled(power_W);
    this.kelvin = this.after(elapsed_ns, power_W);
  }

  /** What it will be when `elapsed_ns` have gone by at so much power. */
  after(elapsed_ns: number, power_W: number): number {
    const target = this.settled(power_W);
    return target + (this.kelvin - target) * Math.exp(-elapsed_ns / this.#profile.settling_ns);
  }

  /** How many of the `elapsed_ns` that `pass` was told of last it was at `limit_K` or warmer. */
  above(limit_K: number, elapsed_ns: number): number {
    const isAbove = this.kelvin >= limit_K;
    if (isAbove === this.#from >= limit_K) return isAbove ? elapsed_ns : 0;
    const crossed_ns =
      this.#profile.settling_ns * Math.log((this.#from - this.#target) / (limit_K - this.#target));
    return isAbove ? elapsed_ns - crossed_ns : crossed_ns;
  }

  /** Nanoseconds until it is at `limit_K` if the power is `power_W` from now on; Infinity: never, or it was before. */
  until(limit_K: number, power_W: number): number {
    const target = this.settled(power_W);
    const share = (this.kelvin - target) / (limit_K - target);
    return share > 1 ? this.#profile.settling_ns * Math.log(share) : Number.POSITIVE_INFINITY;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.kelvin = a.value(this.kelvin);
    this.#target = a.value(this.#target);
    this.#from = a.value(this.#from);
  }
}

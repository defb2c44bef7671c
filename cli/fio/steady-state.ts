/**
 * `steadystate`: a job ends once its rate has settled, by fio's rule (HOWTO, "steadystate"): every second a sample, and over
 * the samples of a window either the largest distance from their mean or the slope of the line through them is within a
 * limit. With group_reporting the jobs of a group are one. Not here: its text (report.ts, json.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Job } from './job-file.ts';
import type { SteadyCriterion } from './steady-criterion.ts';

/** What a clone has done so far, by direction. */
interface Counted {
  readonly directions: readonly { readonly ios: number; readonly bytes: number }[];
}

const SECOND_NS = 1e9;

export class SteadyState {
  readonly criterion: SteadyCriterion;
  readonly duration_s: number;
  isAttained = false;
  /** Per second, I/Os and bytes, of the last window; oldest first. */
  readonly iops: number[] = [];
  readonly bw: number[] = [];
  /** What is compared with the limit, of the last full window; 0 before. */
  measured = 0;
  maxDeviation = 0;
  slope = 0;
  readonly #members: Counted[] = [];
  readonly #ramp_ns: number;
  #nextAt = Number.NaN;
  #lastAt = Number.NaN;
  #ios = 0;
  #bytes = 0;

  constructor({ steady, ss_dur_ns, ss_ramp_ns }: Job) {
    this.criterion = steady!;
    this.duration_s = Math.max(1, Math.round(ss_dur_ns / SECOND_NS));
    this.#ramp_ns = ss_ramp_ns;
  }

  /** One more clone whose I/Os count. */
  join(counted: Counted): void {
    this.#members.push(counted);
  }

  /** Takes a sample when it is time; to be asked now and then with the clock that measures. */
  look(now: number): void {
    if (Number.isNaN(this.#nextAt)) this.#nextAt = now + this.#ramp_ns;
    if (now < this.#nextAt || this.isAttained) return;
    const [ios, bytes, last] = [this.#ios, this.#bytes, this.#lastAt];
    this.#mark(now);
    if (Number.isNaN(last)) return; // the ramp is over, and the first second begins
    const seconds = (now - last) / SECOND_NS;
    this.#take((this.#ios - ios) / seconds, (this.#bytes - bytes) / seconds);
  }

  /** A second begins. */
  #mark(now: number): void {
    this.#lastAt = now;
    this.#nextAt = now + SECOND_NS;
    this.#ios = 0;
    this.#bytes = 0;
    for (const { directions } of this.#members) {
      for (const { ios, bytes } of directions) {
        this.#ios += ios;
        this.#bytes += bytes;
      }
    }
  }

  #take(iops: number, bw: number): void {
    for (const [samples, value] of [
      [this.iops, iops],
      [this.bw, bw],
    ] as const) {
      samples.push(value);
      if (samples.length > this.duration_s) samples.shift();
    }
    if (this.iops.length === this.duration_s) this.#judge();
  }

  #judge(): void {
    const { of, isSlope, isPercent, limit } = this.criterion;
    const samples = this[of];
    const mean = meanOf(samples);
    if (isSlope) this.slope = slopeOf(samples);
    else this.maxDeviation = Math.max(...samples.map((sample) => Math.abs(sample - mean)));
    const value = isSlope ? Math.abs(this.slope) : this.maxDeviation;
    this.measured = isPercent ? (mean === 0 ? 0 : (100 * value) / mean) : value;
    this.isAttained = this.measured < limit;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.isAttained = a.value(this.isAttained);
    a.contents(this.iops, this.bw);
    this.measured = a.value(this.measured);
    this.maxDeviation = a.value(this.maxDeviation);
    this.slope = a.value(this.slope);
    this.#nextAt = a.value(this.#nextAt);
    this.#lastAt = a.value(this.#lastAt);
    this.#ios = a.value(this.#ios);
    this.#bytes = a.value(this.#bytes);
  }
}

export const meanOf = (samples: readonly number[]): number =>
  samples.length === 0 ? 0 : samples.reduce((sum, sample) => sum + sample, 0) / samples.length;

/** Of the line of least squares through samples one unit apart. */
function slopeOf(samples: readonly number[]): number {
  const middle = (samples.length - 1) / 2;
  const mean = meanOf(samples);
  let products = 0;
  let squares = 0;
  for (const [index, sample] of samples.entries()) {
    products += (index - middle) * (sample - mean);
    squares += (index - middle) ** 2;
  }
  return squares === 0 ? 0 : products / squares;
}

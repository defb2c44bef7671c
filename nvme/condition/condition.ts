/**
 * The condition that SMART tells of besides counts of commands: temperature, spare, wear, power state; what they do to
 * the speed of commands, and the warnings that they raise (Base 2.1 §5.1.12.1.3, §8.1.17, §8.1.18). Nothing happens by
 * itself: whoever asks, and every now and then a command, brings it up to date.
 * Not here: counts and failures (health.ts), the features' values (features.ts).
 */

import type { Clock } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import type { Events } from '../events.ts';
import { ASYNC_EVENT, CRITICAL_WARNING, SMART_LOG } from '../spec/logs.ts';
import type { PowerProfile, PowerState } from './profile.ts';
import { Thermal } from './thermal.ts';

/** WCTEMP: the composite temperature in Kelvin where a warning begins. */
export const WARNING_K = 343;
const SPARE_THRESHOLD_PERCENT = 10;
/** Commands bring the temperature up to date so often. */
const LOOK_NS = 10_000_000;
const MINUTE_NS = 60_000_000_000;
const SECOND_NS = 1_000_000_000;
const MOST_WEAR = 255;
/** How much longer the medium takes while it has to cool: not, a little (TMT1), much (TMT2). */
const THROTTLE = [1, 2, 8] as const;

export interface Moved {
  readonly readCommands: number;
  readonly writeCommands: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
}

export interface ConditionParts {
  readonly clock: Clock;
  readonly profile: PowerProfile;
  /** CCTEMP. */
  readonly critical_K: number;
  /** What was read and written since power-on. */
  readonly moved: Moved;
}

export class Condition {
  /** Set once, before anything happens. */
  events!: Events;
  /** Share of the medium's life that is used up: 1 is all that was promised. */
  wear: () => number = () => 0;
  readonly #clock: Clock;
  readonly #profile: PowerProfile;
  readonly #critical_K: number;
  readonly #moved: Moved;
  readonly #thermal: Thermal;
  #lookedAt_ns = 0;
  #read_bytes = 0;
  #written_bytes = 0;
  #over_K = WARNING_K;
  #under_K = 0;
  #spare_percent = 100;
  /** Critical warning bits whose condition was true at the last look. */
  #warned = 0;
  #warning_ns = 0;
  #critical_ns = 0;
  /** Thresholds of thermal management, 0 for none, by level; how it throttles, how often and how long it did. */
  #limits_K = [0, 0, 0];
  #level = 0;
  readonly #transitions = [0, 0, 0];
  readonly #throttled_ns = [0, 0, 0];
  #state = 0;
  /** Of a state that sleeps: the one that a command wakes the controller into, when it began, and commands before it. */
  #isAsleep = false;
  #awake = 0;
  #entered_ns = 0;
  #commands = 0;
  #slowness = 1;

  constructor({ clock, profile, critical_K, moved }: ConditionParts) {
    this.#clock = clock;
    this.#profile = profile;
    this.#critical_K = critical_K;
    this.#moved = moved;
    this.#thermal = new Thermal(profile);
  }

  get #current(): PowerState {
    return this.#profile.states[this.#state]!;
  }

  // ---- what tests and features set ------------------------------------------------------------------------------------

  /** Composite temperature in Kelvin. Setting it is for tests: it goes on from there. */
  get temperature_K(): number {
    this.look();
    return Math.round(this.#thermal.kelvin);
  }

  set temperature_K(kelvin: number) {
    this.look();
    this.#thermal.kelvin = kelvin;
    this.#watch();
  }

  /** Spare capacity left, in percent. */
  get spare_percent(): number {
    return this.#spare_percent;
  }

  set spare_percent(percent: number) {
    this.#spare_percent = percent;
    this.#watch();
  }

  /** The thresholds of the Temperature Threshold feature, in Kelvin. */
  setThresholds(over_K: number, under_K: number): void {
    this.#over_K = over_K;
    this.#under_K = under_K;
    this.#watch();
  }

  /** The thresholds of Host Controlled Thermal Management, in Kelvin; 0 for none. */
  setManagement(light_K: number, heavy_K: number): void {
    this.look();
    this.#limits_K = [0, light_K, heavy_K];
    this.#watch();
  }

  /** The power state: the one that the host chose, until a command wakes the controller. */
  get state(): number {
    if (this.#isAsleep && this.#counted() > this.#commands) this.state = this.#awake;
    return this.#state;
  }

  set state(state: number) {
    this.look();
    if (!this.#isAsleep) this.#awake = this.#state;
    this.#state = state;
    this.#isAsleep = !this.#current.isOperational;
    this.#entered_ns = this.#clock.now;
    this.#commands = this.#counted();
    this.#setSlowness();
  }

  #counted(): number {
    return this.#moved.readCommands + this.#moved.writeCommands;
  }

  /** Controller level reset: conditions that are still true are reported again. */
  reset(): void {
    this.#warned = 0;
  }

  // ---- commands -----------------------------------------------------------------------------------------------------

  /** Nanoseconds that a command takes for which the medium would need `medium_ns`. */
  delay(medium_ns: number): number {
    if (this.#clock.now - this.#lookedAt_ns >= LOOK_NS) this.look();
    const slow_ns = this.#slowness === 1 ? medium_ns : medium_ns * this.#slowness;
    return this.#isAsleep ? slow_ns + this.#wake() : slow_ns;
  }

  /** The way into the state is finished, then the way out of it is taken. */
  #wake(): number {
    const { entry_us, exit_us } = this.#current;
    const left_ns = Math.max(0, this.#entered_ns + entry_us * 1000 - this.#clock.now);
    this.state = this.#awake;
    return left_ns + exit_us * 1000;
  }

  #setSlowness(): void {
    this.#slowness = this.#current.slowness * THROTTLE[this.#level]!;
  }

  // ---- as time goes by ------------------------------------------------------------------------------------------------

  /** Brings everything up to date. */
  look(): void {
    const elapsed_ns = this.#clock.now - this.#lookedAt_ns;
    if (elapsed_ns <= 0) return;
    this.#lookedAt_ns = this.#clock.now;
    this.#thermal.pass(elapsed_ns, this.#power_W(elapsed_ns));
    const critical_ns = this.#thermal.above(this.#critical_K, elapsed_ns);
    this.#critical_ns += critical_ns;
    this.#warning_ns += this.#thermal.above(WARNING_K, elapsed_ns) - critical_ns;
    this.#throttled_ns[this.#level]! += elapsed_ns;
    this.#watch();
  }

  /** Mean power of the last while. */
  #power_W(elapsed_ns: number): number {
    const { read_bytes, written_bytes } = this.#moved;
    const { read_nJ, write_nJ } = this.#profile;
    const energy_nJ =
      (read_bytes - this.#read_bytes) * read_nJ + (written_bytes - this.#written_bytes) * write_nJ;
    this.#read_bytes = read_bytes;
    this.#written_bytes = written_bytes;
    return this.#current.idle_mW / 1000 + energy_nJ / elapsed_ns;
  }

  #watch(): void {
    const kelvin = this.#thermal.kelvin;
    const [, light_K, heavy_K] = this.#limits_K as [number, number, number];
    const level = heavy_K > 0 && kelvin >= heavy_K ? 2 : light_K > 0 && kelvin >= light_K ? 1 : 0;
    if (level > this.#level) this.#transitions[level]!++;
    this.#level = level;
    this.#setSlowness();
    const now = this.#warnings();
    const risen = now & ~this.#warned;
    this.#warned = now;
    if (CRITICAL_WARNING.SPARE.get(risen) === 1) this.events.raise(ASYNC_EVENT.SPARE_BELOW_THRESHOLD);
    if (CRITICAL_WARNING.TEMPERATURE.get(risen) === 1) this.events.raise(ASYNC_EVENT.TEMPERATURE_THRESHOLD);
  }

  #warnings(): number {
    const kelvin = Math.round(this.#thermal.kelvin);
    return CRITICAL_WARNING.encode({
      SPARE: this.#spare_percent < SPARE_THRESHOLD_PERCENT ? 1 : 0,
      TEMPERATURE: kelvin >= this.#over_K || kelvin <= this.#under_K ? 1 : 0,
    });
  }

  /** Writes its fields of the SMART / Health Information page at byte `at` of `view`. */
  writeSmart(view: DataView, at: number): void {
    this.look();
    const set = (name: Parameters<typeof SMART_LOG.set>[2], value: number) =>
      SMART_LOG.set(view, at, name, value);
    set('CRITICAL_WARNING', this.#warnings());
    view.setUint16(at + SMART_LOG.TEMPERATURE, this.temperature_K, true);
    set('AVAILABLE_SPARE', this.#spare_percent);
    set('SPARE_THRESHOLD', SPARE_THRESHOLD_PERCENT);
    set('PERCENTAGE_USED', Math.min(MOST_WEAR, Math.floor(100 * this.wear())));
    set('WARNING_TEMPERATURE_TIME', Math.floor(this.#warning_ns / MINUTE_NS));
    set('CRITICAL_TEMPERATURE_TIME', Math.floor(this.#critical_ns / MINUTE_NS));
    set('TMT1_TRANSITIONS', this.#transitions[1]!);
    set('TMT2_TRANSITIONS', this.#transitions[2]!);
    set('TMT1_TIME', Math.floor(this.#throttled_ns[1]! / SECOND_NS));
    set('TMT2_TIME', Math.floor(this.#throttled_ns[2]! / SECOND_NS));
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#thermal.archive(a);
    this.#lookedAt_ns = a.value(this.#lookedAt_ns);
    this.#read_bytes = a.value(this.#read_bytes);
    this.#written_bytes = a.value(this.#written_bytes);
    this.#over_K = a.value(this.#over_K);
    this.#under_K = a.value(this.#under_K);
    this.#spare_percent = a.value(this.#spare_percent);
    this.#warned = a.value(this.#warned);
    this.#warning_ns = a.value(this.#warning_ns);
    this.#critical_ns = a.value(this.#critical_ns);
    this.#limits_K = a.value(this.#limits_K);
    this.#level = a.value(this.#level);
    this.#state = a.value(this.#state);
    this.#isAsleep = a.value(this.#isAsleep);
    this.#awake = a.value(this.#awake);
    this.#entered_ns = a.value(this.#entered_ns);
    this.#commands = a.value(this.#commands);
    this.#slowness = a.value(this.#slowness);
    a.contents(this.#transitions, this.#throttled_ns);
  }
}

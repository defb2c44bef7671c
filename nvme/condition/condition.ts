/**
 * The condition that SMART tells of besides counts of commands: temperature, spare, wear, power state; what they do to
 * the speed of commands, and the warnings that they raise (Base 2.1 §5.1.12.1.3, §8.1.17, §8.1.18). It is brought up to
 * date by whoever asks, every now and then by a command, and by the clock when the temperature crosses a threshold.
 * Not here: counts and failures (health.ts), the features' values (features.ts).
 */

import type { Clock, EventId, HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import type { Events } from '../events.ts';
import { ASYNC_EVENT, CRITICAL_WARNING, SMART_LOG } from '../spec/logs.ts';
import type { PowerProfile, PowerState } from './profile.ts';
import { Thermal } from './thermal.ts';

const SPARE_THRESHOLD_PERCENT = 10;
/** Commands bring the temperature up to date so often. */
const LOOK_NS = 10_000_000;
const MINUTE_NS = 60_000_000_000;
const SECOND_NS = 1_000_000_000;
const MOST_WEAR = 255;
const NO_EVENT = -1;
/** Temperatures are told in whole Kelvin. */
const ROUNDING_K = 0.5;
/** Later than the moment when a threshold is crossed, so that it is. */
const CROSSED_NS = 1;

export interface Moved {
  readonly read_bytes: number;
  readonly written_bytes: number;
}

export interface ConditionParts {
  readonly clock: Clock;
  readonly profile: PowerProfile;
  /** WCTEMP and CCTEMP. */
  readonly warning_K: number;
  readonly critical_K: number;
  /** What was read and written since power-on. */
  readonly moved: Moved;
}

export class Condition {
  /** Set once, before anything happens. */
  events!: Events;
  /** Share of the medium's life that is used up: 1 is all that was promised. */
  wear: () => number = () => 0;
  /** The controller falls asleep, or wakes. */
  onSleep: () => void = () => {};
  readonly #clock: Clock;
  readonly #profile: PowerProfile;
  readonly #warning_K: number;
  readonly #critical_K: number;
  readonly #moved: Moved;
  readonly #thermal: Thermal;
  #lookedAt_ns = 0;
  #read_bytes = 0;
  #written_bytes = 0;
  #over_K: number;
  #under_K = 0;
  #spare_percent = 100;
  /** Critical warning bits whose condition was true at the last look. */
  #warned = 0;
  readonly #onCrossed: HandlerId;
  /** When the temperature crosses a threshold if no command comes. */
  #crossing: EventId = NO_EVENT;
  #warning_ns = 0;
  #critical_ns = 0;
  /** Thresholds of thermal management, 0 for none, by level; how it throttles, how often and how long it did. */
  #limits_K = [0, 0, 0];
  #level = 0;
  readonly #transitions = [0, 0, 0];
  readonly #throttled_ns = [0, 0, 0];
  #state = 0;
  /** Of a state that sleeps: the one that a command wakes the controller into, and when it began. */
  #isAsleep = false;
  #awake = 0;
  #entered_ns = 0;
  /** When the controller is awake again. */
  #awakeAt_ns = 0;
  #slowness = 1;

  constructor({ clock, profile, warning_K, critical_K, moved }: ConditionParts) {
    this.#clock = clock;
    this.#profile = profile;
    this.#warning_K = warning_K;
    this.#critical_K = critical_K;
    this.#over_K = warning_K;
    this.#moved = moved;
    this.#thermal = new Thermal(profile);
    this.#onCrossed = clock.register(() => this.look());
  }

  get #current(): PowerState {
    return this.#profile.states[this.#state]!;
  }

  // ---- what tests and features set ------------------------------------------------------------------------------------

  /** Composite temperature in Kelvin. Setting it is for tests: it goes on from there. */
  get temperature_K(): number {
    const elapsed_ns = this.#clock.now - this.#lookedAt_ns;
    if (elapsed_ns <= 0) return Math.round(this.#thermal.kelvin);
    return Math.round(this.#thermal.after(elapsed_ns, this.#power_W(elapsed_ns)));
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
    this.look();
    this.#spare_percent = percent;
    this.#watch();
  }

  /** How much longer the medium takes now than in the fastest state at rest. */
  get slowness(): number {
    return this.#slowness;
  }

  /** The thresholds of the Temperature Threshold feature, in Kelvin. */
  setThresholds(over_K: number, under_K: number): void {
    this.look();
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
    return this.#state;
  }

  set state(state: number) {
    this.look();
    if (!this.#isAsleep) this.#awake = this.#state;
    this.#state = state;
    this.#isAsleep = !this.#current.isOperational;
    this.#entered_ns = this.#clock.now;
    this.#setSlowness();
    this.#await();
    this.onSleep();
  }

  /** In a state in which commands are not worked on. */
  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** Controller level reset: conditions that are still true are reported again. */
  reset(): void {
    this.#warned = 0;
  }

  // ---- commands -----------------------------------------------------------------------------------------------------

  /** An I/O command begins. Of a controller that sleeps, the way into the state is finished, then the one out is taken. */
  wake(): void {
    if (!this.#isAsleep) return;
    const { entry_us, exit_us } = this.#current;
    this.#awakeAt_ns = Math.max(this.#clock.now, this.#entered_ns + entry_us * 1000) + exit_us * 1000;
    this.state = this.#awake;
  }

  /** Nanoseconds that a command takes for which the medium would need `medium_ns`. */
  delay(medium_ns: number): number {
    const { now } = this.#clock;
    if (now - this.#lookedAt_ns >= LOOK_NS) this.look();
    const slow_ns = this.#slowness === 1 ? medium_ns : medium_ns * this.#slowness;
    return now < this.#awakeAt_ns ? slow_ns + (this.#awakeAt_ns - now) : slow_ns;
  }

  #setSlowness(): void {
    const throttle = this.#level === 0 ? 1 : this.#profile.throttle[this.#level - 1]!;
    this.#slowness = this.#current.slowness * throttle;
  }

  // ---- as time goes by ------------------------------------------------------------------------------------------------

  /** Brings everything up to date. */
  look(): void {
    const elapsed_ns = this.#clock.now - this.#lookedAt_ns;
    if (elapsed_ns <= 0) return;
    this.#lookedAt_ns = this.#clock.now;
    this.#thermal.pass(elapsed_ns, this.#power_W(elapsed_ns));
    this.#read_bytes = this.#moved.read_bytes;
    this.#written_bytes = this.#moved.written_bytes;
    const critical_ns = this.#thermal.above(this.#critical_K, elapsed_ns);
    this.#critical_ns += critical_ns;
    this.#warning_ns += this.#thermal.above(this.#warning_K, elapsed_ns) - critical_ns;
    this.#throttled_ns[this.#level]! += elapsed_ns;
    this.#watch();
  }

  /** Mean power of the last while: never more than the state allows, however little time the commands took. */
  #power_W(elapsed_ns: number): number {
    const { read_bytes, written_bytes } = this.#moved;
    const { read_nJ, write_nJ } = this.#profile;
    const energy_nJ =
      (read_bytes - this.#read_bytes) * read_nJ + (written_bytes - this.#written_bytes) * write_nJ;
    const { idle_mW, max_mW } = this.#current;
    return Math.min(max_mW / 1000, idle_mW / 1000 + energy_nJ / elapsed_ns);
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
    this.#await();
  }

  /** Has the clock look when a threshold is crossed although no command comes from now on; commands look themselves. */
  #await(): void {
    const idle_W = this.#current.idle_mW / 1000;
    const over_K = this.#over_K - ROUNDING_K;
    const under_K = this.#under_K + ROUNDING_K;
    // It either rises or falls from now on; leaving a range where a warning holds is no event.
    const next_K = this.#thermal.settled(idle_W) > this.#thermal.kelvin ? over_K : under_K;
    const delay_ns = this.#thermal.until(next_K, idle_W);
    this.#clock.cancel(this.#crossing);
    this.#crossing =
      delay_ns === Number.POSITIVE_INFINITY
        ? NO_EVENT
        : this.#clock.after(delay_ns + CROSSED_NS, this.#onCrossed, 0);
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
    this.#awakeAt_ns = a.value(this.#awakeAt_ns);
    this.#crossing = a.value(this.#crossing);
    this.#slowness = a.value(this.#slowness);
    a.contents(this.#transitions, this.#throttled_ns);
  }
}

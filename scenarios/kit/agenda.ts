/**
 * The events of one run of a scenario: what is to come, what happened and what never did. Not here: what an event does to
 * the machine (events.ts), judging what the program observed (run.ts).
 */
import type { Machine } from '../../boards/index.ts';
import type { ScenarioEvent } from './scenario.ts';

interface Planned {
  readonly event: ScenarioEvent;
  hasHappened: boolean;
}

export class Agenda {
  /** What happened, and when: nanoseconds since the machine was booted. */
  readonly happened: { readonly at_ns: number; readonly what: string }[] = [];
  /** What the events themselves threw: mistakes of the scenario, whatever its program makes of them. */
  readonly mistakes: unknown[] = [];
  readonly #machine: Machine;
  readonly #handler: number;
  readonly #planned: Planned[] = [];
  /** Null until the program calls `begin`. */
  #begun_ns: number | null = null;
  readonly #bootedAt: number;

  constructor(machine: Machine) {
    const { clock } = machine;
    this.#machine = machine;
    this.#bootedAt = clock.now;
    this.#handler = clock.register((index) => {
      const planned = this.#planned[index]!;
      const at_ns = clock.now;
      this.#noting(() => planned.event.happen(machine));
      planned.hasHappened = true;
      this.happened.push({ at_ns, what: planned.event.what });
    });
  }

  /** Simulated nanoseconds since `begin`. */
  get elapsed_ns(): number {
    return this.#machine.clock.now - (this.#begun_ns ?? this.#bootedAt);
  }

  /** The time of the events starts. Throws what is wrong with one of them, before any is planned. */
  begin(events: () => readonly ScenarioEvent[]): void {
    const { clock } = this.#machine;
    this.#begun_ns = clock.now;
    const made = this.#noting(events);
    for (const event of made) this.#noting(() => event.check?.(this.#machine));
    for (const event of made) {
      const index = this.#planned.push({ event, hasHappened: false }) - 1;
      clock.after(event.after_us * 1000, this.#handler, index);
    }
  }

  /**
   * Which events never happened, now that the program has ended: a sentence, empty when all did. `unplanned` are those of
   * a program that did not begin.
   */
  missed(unplanned: () => readonly ScenarioEvent[]): string {
    const events =
      this.#begun_ns === null
        ? unplanned()
        : this.#planned.filter(({ hasHappened }) => !hasHappened).map(({ event }) => event);
    if (events.length === 0) return '';
    const count = `${events.length} event${events.length === 1 ? '' : 's'} never happened`;
    const names = events.map(({ what, after_us }) => `"${what}" (after ${after_us} us)`).join(', ');
    return this.#begun_ns === null
      ? `${count}: the program did not call begin(), the start of ${names}`
      : `${count}: the program ended at ${(this.elapsed_ns / 1000).toFixed(1)} us after begin(), before ${names}`;
  }

  #noting<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.mistakes.push(error);
      throw error;
    }
  }
}

/**
 * I/Os over time in a bounded number of equal spans: when the last one is full, pairs become one and spans twice as wide.
 * Deterministic, whatever the length of the run.
 */

const SPANS = 64;

/** Completions per span of time since the first command was begun. */
export interface Rate {
  readonly width_ns: number;
  readonly ios: readonly number[];
}

export class RateRecorder {
  #width_ns = 50_000;
  #origin = -1;
  #ios: number[] = [];

  /** A command was begun at `created` and taken back at `taken`. */
  record(created: number, taken: number): void {
    if (this.#origin < 0) this.#origin = created;
    const since = Math.max(0, taken - this.#origin);
    while (since >= SPANS * this.#width_ns) this.#widen();
    const span = Math.floor(since / this.#width_ns);
    while (this.#ios.length <= span) this.#ios.push(0);
    this.#ios[span]!++;
  }

  get rate(): Rate {
    return { width_ns: this.#width_ns, ios: this.#ios };
  }

  #widen(): void {
    this.#width_ns *= 2;
    const pairs = Math.ceil(this.#ios.length / 2);
    this.#ios = Array.from(
      { length: pairs },
      (_, pair) => this.#ios[2 * pair]! + (this.#ios[2 * pair + 1] ?? 0),
    );
  }
}

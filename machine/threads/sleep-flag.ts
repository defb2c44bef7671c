/**
 * Sleeping without losing a wake-up: the sleeper raises its flag, looks once more, and only then waits; whoever has
 * stored something for it looks at the flag afterwards. All four are atomic, so one of the two sees the other.
 */

const AWAKE = 0;
const ASLEEP = 1;

export class SleepFlag {
  private readonly window: Int32Array;
  private readonly at: number;

  /** `at` is the word of the flag, which only sleepers and wakers of this flag use. */
  constructor(window: Int32Array, at: number) {
    this.window = window;
    this.at = at;
  }

  /** Sleeps until `wake`, at most `timeout_ms`, unless `isReady` holds by now. Returns false when the time was up. */
  sleep(isReady: () => boolean, timeout_ms: number): boolean {
    const { window, at } = this;
    Atomics.store(window, at, ASLEEP);
    const result = isReady() ? 'ok' : Atomics.wait(window, at, ASLEEP, timeout_ms);
    Atomics.store(window, at, AWAKE);
    return result !== 'timed-out';
  }

  /** Wakes the sleeper, if there is one. To be called after the atomic store of what it waits for. */
  wake(): void {
    const { window, at } = this;
    if (Atomics.load(window, at) === AWAKE) return;
    Atomics.store(window, at, AWAKE);
    Atomics.notify(window, at);
  }
}

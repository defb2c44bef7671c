/**
 * How a device and its users part: the driver holds one reference, every open file another. When the driver lets go,
 * nobody new comes in, and it waits for the last user (vfio_main.c). Not here: asking users to leave (removal.ts).
 */
import { assert } from '../support/assert.ts';

export class Registration {
  #references = 1;
  #onEnd: (() => void) | null = null;

  /** One more user. False once the last reference is gone: the caller answers ENODEV. */
  tryHold(): boolean {
    if (this.#references === 0) return false;
    this.#references++;
    return true;
  }

  drop(): void {
    assert(this.#references > 0, 'a registration is dropped twice');
    if (--this.#references === 0) this.#onEnd?.();
  }

  /** The driver lets go; `onEnd` runs when the last user has, which may be at once. */
  end(onEnd: () => void): void {
    assert(this.#onEnd === null, 'a device is unregistered twice');
    this.#onEnd = onEnd;
    this.drop();
  }
}

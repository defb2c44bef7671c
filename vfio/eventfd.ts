/**
 * eventfd(2): a 64-bit counter that user space waits for and the kernel adds to when an interrupt arrives.
 * Counts above 2^53 are rounded; nothing but a program that writes such values itself can get there.
 */

import type { Clock } from '../machine/clock.ts';
import type { Archive } from '../support/archive.ts';
import { highWord, lowWord, u64 } from '../support/numbers.ts';
import { OpenFile } from './file.ts';
import { EAGAIN, EINVAL } from './uapi/errno.ts';
import { EFD_NONBLOCK, EFD_SEMAPHORE, POLLERR, POLLIN, POLLOUT } from './uapi/mman.ts';

/** The largest value the counter may hold, 2^64 - 2, as a double. */
const COUNT_MAX = 2 ** 64;
const WORD = 8;

export class EventFd extends OpenFile {
  override readonly kind = 'eventfd';
  readonly #clock: Clock;
  readonly #semaphore: boolean;
  readonly #nonblock: boolean;
  #count: number;
  #listeners: (() => void)[] = [];

  /** `flags` are EFD_*, checked by the caller. */
  constructor(clock: Clock, initial: number, flags: number) {
    super();
    this.#clock = clock;
    this.#count = initial;
    this.#semaphore = (flags & EFD_SEMAPHORE) !== 0;
    this.#nonblock = (flags & EFD_NONBLOCK) !== 0;
  }

  override get positional(): boolean {
    return false;
  }

  /** Adds one, as the kernel does for every interrupt. */
  signal(): void {
    this.#add(1);
  }

  get signalled(): boolean {
    return this.#count > 0;
  }

  /** Empties the counter: a kernel listener that acts on the signal consumes it. */
  drain(): void {
    this.#count = 0;
  }

  /** Calls `listener` after every addition; the returned function takes it back. */
  listen(listener: () => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  /** Takes the count (or one of it, as a semaphore). Empty: -EAGAIN, after letting the machine run if it may block. */
  override read(target: Uint8Array): number {
    if (target.length < WORD) return -EINVAL;
    if (!this.#nonblock) while (this.#count === 0 && this.#clock.step());
    if (this.#count === 0) return -EAGAIN;
    const taken = this.#semaphore ? 1 : this.#count;
    this.#count -= taken;
    const view = new DataView(target.buffer, target.byteOffset, WORD);
    view.setUint32(0, lowWord(taken), true);
    view.setUint32(4, highWord(taken), true);
    return WORD;
  }

  override write(source: Uint8Array): number {
    if (source.length !== WORD) return -EINVAL;
    const view = new DataView(source.buffer, source.byteOffset, WORD);
    const low = view.getUint32(0, true);
    const high = view.getUint32(4, true);
    if (low === 0xffff_ffff && high === 0xffff_ffff) return -EINVAL;
    const value = u64(low, high);
    if (this.#count + value >= COUNT_MAX) return -EAGAIN;
    if (value > 0) this.#add(value);
    return WORD;
  }

  override poll(): number {
    const readable = this.#count > 0 ? POLLIN : 0;
    const writable = this.#count < COUNT_MAX - 1 ? POLLOUT : 0;
    return readable | writable | (this.#count >= COUNT_MAX ? POLLERR : 0);
  }

  #add(value: number): void {
    if (this.#count === 0) this.readyAt = this.#clock.now;
    this.#count += value;
    for (const listener of this.#listeners) listener();
  }

  override archive(a: Archive): void {
    super.archive(a);
    this.#count = a.value(this.#count);
  }
}

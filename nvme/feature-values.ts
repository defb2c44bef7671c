/**
 * The value of one feature: current, default and saved, one of each per namespace, vector or threshold where the
 * feature has several (Base 2.1 §4.4). Saved values outlive controller resets.
 * Not here: which values are allowed and what they do (features.ts), features with a data buffer (feature-data.ts).
 */
import type { Archive } from '../support/archive.ts';
import { FEATURE_SELECT } from './spec/features.ts';

export class FeatureValues {
  readonly isSaveable: boolean;
  /** The current value outlives resets although it cannot be saved. */
  readonly #isPersistent: boolean;
  readonly #defaults: readonly number[];
  readonly #current: Uint32Array;
  readonly #saved: Uint32Array;

  constructor(defaults: readonly number[], isSaveable: boolean, isPersistent = false) {
    this.isSaveable = isSaveable;
    this.#isPersistent = isPersistent;
    this.#defaults = defaults;
    this.#current = Uint32Array.from(defaults);
    this.#saved = Uint32Array.from(defaults);
  }

  get count(): number {
    return this.#defaults.length;
  }

  /** Value `index` by Get Features' SEL; what was never saved is the default. */
  get(index: number, select: number = FEATURE_SELECT.CURRENT): number {
    if (select === FEATURE_SELECT.DEFAULT) return this.#defaults[index]! >>> 0;
    return (select === FEATURE_SELECT.SAVED ? this.#saved : this.#current)[index]!;
  }

  set(index: number, value: number, isSaved = false): void {
    this.#current[index] = value;
    if (isSaved || this.#isPersistent) this.#saved[index] = value;
  }

  /** Value `index` is at its default again, saved or not: what it belonged to is gone. */
  forget(index: number): void {
    this.#current[index] = this.#defaults[index]!;
    this.#saved[index] = this.#defaults[index]!;
  }

  /** Controller level reset. */
  reset(): void {
    this.#current.set(this.#saved);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#current, this.#saved);
  }
}

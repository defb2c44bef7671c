/**
 * Zones whose descriptors the controller changed by itself: the Changed Zone List of each namespace (log page BFh, ZNS 1.2
 * §4.1), and which namespaces the host was told of. Not here: the event (events.ts), what changes a zone (zones.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { CHANGED_ZONES, CHANGED_ZONES_OVERFLOW, MOST_CHANGED_ZONES } from '../spec/zones.ts';

export class ChangedZones {
  /** By NSID: first blocks of zones. */
  readonly #zones = new Map<number, Set<number>>();
  /** Namespaces that no event has named yet, oldest first. */
  #untold: number[] = [];

  get isTold(): boolean {
    return this.#untold.length === 0;
  }

  /** The zone of namespace `nsid` that begins at `block` has changed. */
  add(nsid: number, block: number): void {
    const known = this.#zones.get(nsid);
    if (known === undefined) this.#zones.set(nsid, new Set([block]));
    else known.add(block);
    if (!this.#untold.includes(nsid)) this.#untold.push(nsid);
  }

  /** The namespace that an event is about, which is told with it; 0 when its list was read before. */
  tell(): number {
    return this.#untold.shift() ?? 0;
  }

  /** Writes the list of a namespace at byte `at` of `view`, which is zeroed. */
  write(view: DataView, at: number, nsid: number): void {
    const blocks = [...(this.#zones.get(nsid) ?? [])].sort((a, b) => a - b);
    const isOverflown = blocks.length > MOST_CHANGED_ZONES;
    CHANGED_ZONES.set(view, at, 'ZONES', isOverflown ? CHANGED_ZONES_OVERFLOW : blocks.length);
    for (const [index, block] of isOverflown ? [] : blocks.entries())
      view.setBigUint64(at + CHANGED_ZONES.IDENTIFIERS + 8 * index, BigInt(block), true);
  }

  /** The host has read the list of a namespace. */
  clear(nsid: number): void {
    this.#zones.delete(nsid);
    this.#untold = this.#untold.filter((other) => other !== nsid);
  }

  /** Controller level reset. */
  reset(): void {
    this.#zones.clear();
    this.#untold = [];
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#zones);
    this.#untold = a.value(this.#untold);
  }
}

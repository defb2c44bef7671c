/**
 * An NVM subsystem: a drive with its namespaces and its medium, and the controllers through which hosts reach them (Base
 * 2.1 §2.4). Here is what these have in common, and what happens to all of them at once: a subsystem reset, and a loss
 * of power. Not here: which namespaces a controller may use now (namespaces.ts), what one controller loses (controller.ts).
 */
import type { Archive } from '../support/archive.ts';
import { isOfNamespace } from './feature-rules.ts';
import type { FeatureValues } from './feature-values.ts';
import type { SubsystemPlace } from './limits.ts';
import type { Media } from './media.ts';
import type { Namespace } from './namespace.ts';
import type { Namespaces } from './namespaces.ts';

/** What a controller is to its subsystem. */
export interface Member {
  readonly namespaces: Namespaces;
  /** Enabled and not shut down. */
  readonly isAtWork: boolean;
  /** NSSR was written, here or at another controller. */
  resetWithSubsystem(): void;
  losePower(): void;
}

export interface SubsystemParts {
  /** Those of the board: attached to every controller from the beginning. */
  readonly namespaces: readonly Namespace[];
  /** NVM capacity of the drive; at least, and by default, what its namespaces take. */
  readonly capacity_bytes?: number;
}

export class Subsystem {
  readonly namespaces: readonly Namespace[];
  readonly capacity_bytes: number;
  readonly #members: Member[] = [];
  readonly #features: Record<number, FeatureValues> = {};
  readonly #mapListeners: ((page: number) => void)[] = [];
  #medium: Media | null = null;
  /** Every controller is being reset. */
  #isReset = false;

  constructor({ namespaces, capacity_bytes = 0 }: SubsystemParts) {
    this.namespaces = namespaces;
    this.capacity_bytes = capacity_bytes;
  }

  /** A controller is built. Returns its place; CNTLIDs count from 0. */
  join(member: Member): SubsystemPlace {
    const members = this.#members;
    const id = members.push(member) - 1;
    return {
      id,
      get count() {
        return members.length;
      },
    };
  }

  // ---- what controllers share ---------------------------------------------------------------------------------------

  /** The medium, which `create` makes for the first controller. */
  medium(create: () => Media): Media {
    this.#medium ??= create();
    return this.#medium;
  }

  /** `values` by FID, with those of features of namespaces replaced by the ones that the first controller brought. */
  share(values: Readonly<Record<number, FeatureValues>>): Record<number, FeatureValues> {
    const shared = { ...values };
    for (const fid of Object.keys(values).map(Number)) {
      if (!isOfNamespace(fid)) continue;
      this.#features[fid] ??= values[fid]!;
      shared[fid] = this.#features[fid];
    }
    return shared;
  }

  /** Whether a controller level reset of one controller is to reset what belongs to namespaces: not under its peers. */
  get resetsNamespaces(): boolean {
    return this.#members.length === 1 || this.#isReset;
  }

  /** A controller is told which pages of the mapping table change. */
  listenToMap(listener: (page: number) => void): void {
    this.#mapListeners.push(listener);
  }

  mapChanged(page: number): void {
    for (const listener of this.#mapListeners) listener(page);
  }

  // ---- what happens to all of them ----------------------------------------------------------------------------------

  /** NVM Subsystem Reset: every controller is reset, whichever NSSR was written (§3.7.1). */
  reset(): void {
    this.#forAll((member) => member.resetWithSubsystem());
    this.#closeZones();
  }

  /** The drive loses power and gets it back. */
  powerCut(): void {
    this.#forAll((member) => member.losePower());
    for (const namespace of this.#members[0]!.namespaces.list('allocated')) {
      namespace.reservations.losePower();
      namespace.noteReservation();
    }
    this.#closeZones();
  }

  /** A controller has shut down. Power may go when no other one is at work. */
  shutDown(): void {
    if (!this.#members.some(({ isAtWork }) => isAtWork)) this.#closeZones();
  }

  #forAll(body: (member: Member) => void): void {
    this.#isReset = true;
    this.#members.forEach(body);
    this.#isReset = false;
  }

  #closeZones(): void {
    this.#members[0]!.namespaces.closeZones();
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts); called by the first controller. */
  archive(a: Archive): void {
    for (const namespace of this.#members[0]!.namespaces.list('allocated')) namespace.archive(a);
    for (const values of Object.values(this.#features)) values.archive(a);
    this.#medium?.archive(a);
  }
}

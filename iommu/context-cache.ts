/**
 * The context cache: context entries by requester id, kept until software invalidates them (VT-d 4.1 §6.2.1).
 * Not here: reading an entry from memory (walk.ts), translations (iotlb.ts).
 */
import type { Archive } from '../support/archive.ts';
import type { Context } from './walk.ts';

const REQUESTERS = 0x1_0000;
/** Matches no IOTLB entry. */
export const NO_DOMAIN = -1;

export class ContextCache {
  /** Domain id by requester; NO_DOMAIN where nothing is cached. The hot path reads it. */
  readonly domainIds = new Int32Array(REQUESTERS).fill(NO_DOMAIN);
  readonly tables = new Float64Array(REQUESTERS);
  readonly ends = new Float64Array(REQUESTERS);
  /** Levels of the walk; 0 is pass-through. */
  readonly levels = new Uint8Array(REQUESTERS);
  readonly faultsDisabled = new Uint8Array(REQUESTERS);
  /** Requesters that have an entry. */
  #cached: number[] = [];

  insert(requester: number, context: Context): void {
    this.domainIds[requester] = context.domainId;
    this.tables[requester] = context.table;
    this.ends[requester] = context.end;
    this.levels[requester] = context.levels;
    this.faultsDisabled[requester] = Number(context.faultsDisabled);
    this.#cached.push(requester);
  }

  dropAll(): void {
    this.#drop(() => true);
  }

  dropDomain(domainId: number): void {
    this.#drop((requester) => this.domainIds[requester] === domainId);
  }

  /** Drops `requester` and those that differ from it only in function bits that the FM code 0 to 3 ignores. */
  dropDevice(requester: number, functionMask: number): void {
    const ignored = [0, 0b100, 0b110, 0b111][functionMask]!;
    this.#drop((other) => (other | ignored) === (requester | ignored));
  }

  #drop(matches: (requester: number) => boolean): void {
    this.#cached = this.#cached.filter((requester) => {
      const isDropped = matches(requester);
      if (isDropped) this.domainIds[requester] = NO_DOMAIN;
      return !isDropped;
    });
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.domainIds, this.tables, this.ends, this.levels, this.faultsDisabled);
    this.#cached = a.value(this.#cached);
  }
}

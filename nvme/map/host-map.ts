/**
 * Pages of the mapping table in the host memory buffer (Base 2.1 §8.1.12): each has one place in the pieces that the
 * host gave, and is written and read there by DMA. The controller keeps a checksum of every page it stored, so that
 * nothing in host memory vouches for itself. Memory that cannot be reached, or that the host changed, is given up and
 * told of; what was there is on the medium too.
 * Not here: the Set Features command (admin/host-memory.ts), which pages are worth it (cache.ts).
 */

import type { Memory } from '../../machine/memory.ts';
import { DMA_OK, DMA_SENTENCES, type DmaPort } from '../../machine/pcie/dma-port.ts';
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import type { Health } from '../health.ts';
import { MAP_PAGE_BYTES, UNITS_PER_PAGE } from './profile.ts';

const NOTHING = -1;
/** An odd factor: no change of one word leaves the sum as it was. */
const FACTOR = 0x0100_0193;

/** A contiguous piece of host memory. */
export interface HostPiece {
  /** I/O virtual address, a multiple of the page size. */
  readonly address: number;
  readonly bytes: number;
}

export interface HostMapParts {
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly health: Health;
}

export class HostMap {
  /** Writes a page of the map, as it is now, to a word of local memory. Set once by the cache. */
  contents: (page: number, word: number) => void = () => {};
  readonly #parts: HostMapParts;
  /** Local memory for two pages: the one that moves, and one to compare it with. */
  readonly #local: number;
  #pieces: readonly HostPiece[] = [];
  #isGiven = false;
  /** By place: its address, the page that is stored there, and its checksum. */
  #addresses = new Float64Array(0);
  #pages = new Int32Array(0);
  #sums = new Int32Array(0);

  constructor(parts: HostMapParts) {
    this.#parts = parts;
    this.#local = parts.memory.reserve(2 * MAP_PAGE_BYTES, MAP_PAGE_BYTES);
    assert(this.#local >= 0, 'device memory holds two pages of the map');
  }

  // ---- what the host does -------------------------------------------------------------------------------------------

  /** The host gives memory. What was stored is there still if it `returns` the very same pieces. */
  give(pieces: readonly HostPiece[], returns: boolean): void {
    this.#isGiven = true;
    if (returns && isSame(pieces, this.#pieces)) return;
    const addresses: number[] = [];
    for (const { address, bytes } of pieces)
      for (let at = 0; at + MAP_PAGE_BYTES <= bytes; at += MAP_PAGE_BYTES) addresses.push(address + at);
    this.#pieces = pieces;
    this.#addresses = Float64Array.from(addresses);
    this.#pages = new Int32Array(addresses.length).fill(NOTHING);
    this.#sums = new Int32Array(addresses.length);
  }

  /** The host wants its memory back: it is not touched any more. */
  takeBack(): void {
    this.#isGiven = false;
  }

  /** Power was lost, and with it what the controller knew of the memory. */
  forget(): void {
    this.#isGiven = false;
    this.#pieces = [];
  }

  // ---- what who looks sees ------------------------------------------------------------------------------------------

  /** The pieces that the host gave last. */
  get pieces(): readonly HostPiece[] {
    return this.#pieces;
  }

  /** Pages of the map that are in host memory now, and where. */
  get stored(): { readonly page: number; readonly address: number }[] {
    if (!this.#isGiven) return [];
    return [...this.#pages].flatMap((page, place) =>
      page === NOTHING ? [] : [{ page, address: this.#addresses[place]! }],
    );
  }

  // ---- what the controller does -------------------------------------------------------------------------------------

  /** Page `page` of the map has changed: what host memory has of it is old. */
  changed(page: number): void {
    const place = this.#placeOf(page);
    if (this.#pages[place] === page) this.#pages[place] = NOTHING;
  }

  /** Stores a page that the controller has no room for. The write is posted. */
  keep(page: number): void {
    const { dma, memory } = this.#parts;
    const place = this.#placeOf(page);
    if (!this.#isGiven || place === NOTHING || this.#pages[place] === page) return;
    this.contents(page, this.#local >>> 2);
    this.#sums[place] = checksum(memory.i32, this.#local >>> 2);
    this.#pages[place] = page;
    const address = this.#addresses[place]!;
    dma.writeDelay(address, MAP_PAGE_BYTES);
    const result = dma.write(address, this.#local, MAP_PAGE_BYTES);
    if (result !== DMA_OK) this.#giveUp(address, `it cannot be written: ${DMA_SENTENCES[result]}`);
  }

  /** Nanoseconds until a page is here again, or -1 when host memory does not have it. */
  fetch(page: number): number {
    const { dma, memory } = this.#parts;
    const place = this.#placeOf(page);
    if (!this.#isGiven || place === NOTHING || this.#pages[place] !== page) return NOTHING;
    const address = this.#addresses[place]!;
    const delay = dma.readDelay(address, MAP_PAGE_BYTES);
    const result = dma.read(address, this.#local, MAP_PAGE_BYTES);
    if (result !== DMA_OK) this.#giveUp(address, `it cannot be read: ${DMA_SENTENCES[result]}`);
    else if (checksum(memory.i32, this.#local >>> 2) !== this.#sums[place])
      this.#giveUp(address, 'its contents are not those that the controller stored');
    else {
      assert(this.#sumNow(page) === this.#sums[place], 'host memory holds an old page of the map');
      return delay;
    }
    return NOTHING;
  }

  /** The checksum of a page as the map is now. */
  #sumNow(page: number): number {
    const word = (this.#local + MAP_PAGE_BYTES) >>> 2;
    this.contents(page, word);
    return checksum(this.#parts.memory.i32, word);
  }

  /** Each page has one place, so that no list needs to be searched. */
  #placeOf(page: number): number {
    const places = this.#pages.length;
    return places === 0 ? NOTHING : page - Math.floor(page / places) * places;
  }

  /** Goes on without the memory until the host gives some anew. */
  #giveUp(address: number, rule: string): void {
    this.forget();
    this.#pages = new Int32Array(0);
    this.#parts.health.refuseAccess(
      'the host memory buffer',
      { rule, section: 'Base 2.1 §8.1.12', field: 'BADD', value: address },
      false,
    );
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#pieces = a.value(this.#pieces);
    this.#isGiven = a.value(this.#isGiven);
    this.#addresses = a.value(this.#addresses);
    this.#pages = a.value(this.#pages);
    this.#sums = a.value(this.#sums);
  }
}

const isSame = (some: readonly HostPiece[], others: readonly HostPiece[]): boolean =>
  some.length === others.length &&
  some.every(({ address, bytes }, at) => address === others[at]!.address && bytes === others[at]!.bytes);

function checksum(words: Int32Array, first: number): number {
  let sum = UNITS_PER_PAGE;
  for (let word = first; word < first + UNITS_PER_PAGE; word++) sum = Math.imul(sum ^ words[word]!, FACTOR);
  return sum;
}

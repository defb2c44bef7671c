/**
 * Random sequences of requests on two IOASes and two devices against a model that is two maps from page to page. After
 * every step the DMA of each device, through the tables in RAM and the caches of the unit, must reach exactly the pages
 * of the model, for reading and for writing.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as E from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { equal } from '../compare.ts';
import { runs } from '../runs.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;
const IOVA_PAGES = 10;
const BUFFER_PAGES = 8;
/** IOVAs of the model are pages from here on; the range crosses a table of 2 MiB. */
const BASE = 0x20_0000 - 5 * PAGE;
const REQUESTERS = [0x100, 0x208];

interface Entry {
  /** Pages of one mapping share it: UNMAP takes all or none. */
  readonly area: { readonly first: number; readonly pages: number };
  readonly physical: number;
  readonly writable: boolean;
  /** What MAP said; a copy shares the pages, so one made read-only may be copied on as writable. */
  readonly mappedWritable: boolean;
}

interface Step {
  readonly kind: 'map' | 'unmap' | 'copy' | 'attach' | 'detach' | 'destroy';
  readonly space: 0 | 1;
  readonly device: 0 | 1;
  readonly page: number;
  readonly pages: number;
  /** Page of the buffer, or of the other IOAS. */
  readonly from: number;
  readonly writable: boolean;
}

const bit = fc.constantFrom<(0 | 1)[]>(0, 1);
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('map', 'map', 'unmap', 'unmap', 'copy', 'attach', 'attach', 'detach', 'destroy'),
  space: bit,
  device: bit,
  page: fc.nat(IOVA_PAGES - 1),
  pages: fc.integer({ min: 1, max: 5 }),
  from: fc.nat(BUFFER_PAGES - 1),
  writable: fc.boolean(),
});

const machine = new Machine();
const clients = REQUESTERS.map((requester) => machine.device(requester));

/** A context with two devices, and what it should do. */
class Pair {
  readonly context = machine.open();
  readonly ids = [machine.ioas(this.context), machine.ioas(this.context)];
  readonly devids = clients.map((client) => this.context.bind(client));
  readonly buffer = machine.allocate(BUFFER_PAGES * PAGE);
  readonly physical = machine.physical(this.buffer);
  readonly spaces = [new Map<number, Entry>(), new Map<number, Entry>()];
  /** Which space each device sees. */
  readonly seen: (0 | 1 | null)[] = [null, null];

  /** Runs one request and compares its answer. */
  run(step: Step): void {
    if (this.#leavesTrap(step)) return;
    const expected = this.expect(step);
    equal(this.request(step), expected);
  }

  request(step: Step): number {
    const { context, ids, devids } = this;
    const { kind, space, device, page, pages, from, writable } = step;
    const flags = writable ? 7 : 5;
    const iova = BigInt(BASE + page * PAGE);
    const length = BigInt(pages * PAGE);
    if (kind === 'map') {
      const memory = { user_va: BigInt(this.buffer + from * PAGE), length, iova };
      return machine.call(
        U.IOMMU_IOAS_MAP,
        U.IommuIoasMap,
        { flags, ioas_id: ids[space]!, ...memory },
        context,
      ).ret;
    }
    if (kind === 'unmap') {
      const range = { ioas_id: ids[space]!, iova, length };
      return machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, range, context).ret;
    }
    if (kind === 'copy') {
      const ranges = { length, dst_iova: iova, src_iova: BigInt(BASE + from * PAGE) };
      const spaces = { dst_ioas_id: ids[space]!, src_ioas_id: ids[1 - space]! };
      return machine.call(U.IOMMU_IOAS_COPY, U.IommuIoasCopy, { flags, ...spaces, ...ranges }, context).ret;
    }
    if (kind === 'attach') return Math.min(context.attach(devids[device]!, ids[space]!), 0);
    if (kind === 'destroy') {
      const { ret } = machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: ids[space]! }, context);
      if (ret === 0) ids[space] = machine.ioas(context);
      return ret;
    }
    context.detach(devids[device]!);
    return 0;
  }

  /** Changes the model and returns what the request should. */
  expect({ kind, space, device, page, pages, from, writable }: Step): number {
    const here = this.spaces[space]!;
    const taken = Array.from({ length: pages }, (_, i) => here.has(page + i)).includes(true);
    const entry = (i: number, physical: number): Entry => ({
      area: { first: page + i, pages: 1 },
      physical,
      writable,
      mappedWritable: writable,
    });
    if (kind === 'map') {
      if (taken) return -E.EEXIST;
      if (from + pages > BUFFER_PAGES) return -E.EFAULT;
      const area = { first: page, pages };
      for (let i = 0; i < pages; i++)
        here.set(page + i, { ...entry(i, this.physical + (from + i) * PAGE), area });
      return 0;
    }
    if (kind === 'unmap') return this.#unmap(here, page, pages);
    if (kind === 'copy')
      return this.#copy(here, this.spaces[1 - space]!, { page, pages, from, writable, taken });
    if (kind === 'destroy') {
      if (this.seen.includes(space)) return -E.EBUSY;
      here.clear();
      return 0;
    }
    this.seen[device] = kind === 'attach' ? space : null;
    return 0;
  }

  #unmap(here: Map<number, Entry>, page: number, pages: number): number {
    let found = false;
    for (let at = page; at < page + pages; at++) {
      const area = here.get(at)?.area;
      if (area === undefined) continue;
      if (area.first < page || area.first + area.pages > page + pages) return -E.ENOENT;
      for (let i = 0; i < area.pages; i++) here.delete(area.first + i);
      found = true;
    }
    return found ? 0 : -E.ENOENT;
  }

  #copy(
    here: Map<number, Entry>,
    other: Map<number, Entry>,
    {
      page,
      pages,
      from,
      writable,
      taken,
    }: Pick<Step, 'page' | 'pages' | 'from' | 'writable'> & { taken: boolean },
  ): number {
    const sources: Entry[] = [];
    for (let i = 0; i < pages; i++) {
      const source = other.get(from + i);
      if (source === undefined) return -E.ENOENT;
      sources.push(source);
    }
    if (taken) return -E.EEXIST;
    if (writable && sources.some((source) => !source.mappedWritable)) return -E.EPERM;
    // Each source area becomes one area of the copy.
    for (let i = 0; i < pages; ) {
      let count = 1;
      while (i + count < pages && sources[i + count]!.area === sources[i]!.area) count++;
      const area = { first: page + i, pages: count };
      for (let end = i + count; i < end; i++) here.set(page + i, { ...sources[i]!, area, writable });
    }
    return 0;
  }

  /** Where a device reaches something else than the model says, or null. */
  difference(): string | null {
    for (const [device, requester] of REQUESTERS.entries()) {
      const space = this.seen[device] ?? null;
      for (let page = 0; page < IOVA_PAGES + 6; page++) {
        const entry = space === null ? undefined : this.spaces[space]!.get(page);
        const iova = BASE + page * PAGE;
        const read = machine.reach(requester, iova);
        if (read !== (entry?.physical ?? -1)) return `device ${device} reads page ${page} at ${read}`;
        if (entry === undefined) continue;
        const write = machine.reach(requester, iova, true);
        if (write !== (entry.writable ? read : -1)) return `device ${device} writes page ${page} at ${write}`;
      }
    }
    return null;
  }

  /** Everything goes away: requests first, then the devices, the context and the memory. */
  close(): void {
    for (const devid of this.devids) {
      this.context.detach(devid);
      this.context.unbind(devid);
    }
    this.context.drop();
    machine.process.unmap(this.buffer, BUFFER_PAGES * PAGE);
  }

  /** Missing memory maps where no device is attached, and makes every later attachment fail. */
  #leavesTrap({ kind, space, from, pages }: Step): boolean {
    return kind === 'map' && from + pages > BUFFER_PAGES && !this.seen.includes(space);
  }
}

test('the DMA of two devices reaches what the model says after every request', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const free = machine.pages.free_pages;
      const pair = new Pair();
      try {
        for (const step of steps) {
          pair.run(step);
          equal(pair.difference(), null);
        }
      } finally {
        pair.close();
      }
      pair.seen.fill(null);
      expect(pair.difference()).toBe(null);
      // Only the context tables of two buses stay, once they are made.
      expect(free - machine.pages.free_pages).toBeLessThanOrEqual(2);
    }),
    { numRuns: runs(2_000, 100_000) },
  );
});

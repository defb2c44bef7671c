/**
 * Random requests about two IOASes and two devices against the rules of linux-abi §4 written down as plainly as they
 * read: lists, searched from the front, byte by byte. Every answer must agree: result, chosen IOVA, bytes, object ids.
 * What the DMA of the devices then reaches is the business of iommufd-model.test.ts.
 */
import fc from 'fast-check';
import { test } from 'vitest';
import * as E from '../../vfio/uapi/errno.ts';
import * as U from '../../vfio/uapi/iommufd.ts';
import { equal } from '../compare.ts';
import { runs } from '../runs.ts';
import { Machine } from './iommufd-fixture.ts';

const PAGE = 4096;
const HUGE = 0x20_0000;
const BUFFER_PAGES = 1100;
const MSI = { start: 0xfee0_0000, end: 0xfef0_0000 };
const APERTURE_END = 2 ** 48;
/** No request here reaches the real end, 2^64 - 4096, which a Number cannot hold. */
const END = 2 ** 52;
const FIXED = 1;
const WRITE = 2;

interface Area {
  readonly start: number;
  readonly bytes: number;
  /** Offset in the buffer, behind whose end there is no memory. */
  readonly memory: number;
  /** The MAP that pinned it was for writing. */
  readonly writable: boolean;
}
interface Range {
  readonly start: number;
  readonly end: number;
}
interface Space {
  readonly id: number;
  alive: boolean;
  hugePages: boolean;
  areas: Area[];
  allowed: Range[];
  /** Id of its automatic page table; 0 without one. */
  hwpt: number;
}

const endOf = ({ start, bytes }: Area): number => start + bytes;
const meets = (area: Area, start: number, end: number): boolean => area.start < end && endOf(area) > start;
const isBad = ({ memory, bytes }: Area): boolean => memory + bytes > BUFFER_PAGES * PAGE;

/** What the kernel should answer. Negative results are errors. */
class Rules {
  readonly ids = new Set<number>();
  readonly spaces: Space[];
  /** Where each device is attached. */
  readonly places: (Space | null)[] = [null, null];
  readonly buffer: number;

  constructor(buffer: number) {
    this.buffer = buffer;
    this.spaces = [0, 0].map(() => this.space());
    for (const _ of this.places) this.newId();
  }

  space(): Space {
    return { id: this.newId(), alive: true, hugePages: true, areas: [], allowed: [], hwpt: 0 };
  }

  newId(): number {
    let id = 1;
    while (this.ids.has(id)) id++;
    this.ids.add(id);
    return id;
  }

  alignment = (space: Space): number => (space.hwpt !== 0 || !space.hugePages ? PAGE : 1);

  reserved(space: Space): Range[] {
    const windows = this.places.includes(space) ? [{ start: MSI.start, end: MSI.end }] : [];
    return space.hwpt === 0 ? windows : [...windows, { start: APERTURE_END, end: END }];
  }

  map(space: Space, memory: number, bytes: number, flags: number, iova: number): number {
    if (!space.alive) return -E.ENOENT;
    const isWritable = (flags & WRITE) !== 0;
    return this.enter(space, [{ start: 0, bytes, memory, writable: isWritable }], flags, iova);
  }

  copy(to: Space, from: Space, bytes: number, flags: number, target: number, source: number): number {
    if (!from.alive) return -E.ENOENT;
    const pieces: Area[] = [];
    for (let at = source; at < source + bytes; ) {
      const area = from.areas.find((one) => meets(one, at, at + 1));
      if (area === undefined) return -E.ENOENT;
      const end = Math.min(endOf(area), source + bytes);
      pieces.push({ ...area, start: 0, bytes: end - at, memory: area.memory + at - area.start });
      at = end;
    }
    return to.alive ? this.enter(to, pieces, flags, target) : -E.ENOENT;
  }

  /** Steps 6 to 9 of MAP. */
  enter(space: Space, pieces: readonly Area[], flags: number, wanted: number): number {
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    const alignment = this.alignment(space);
    if (bytes % alignment !== 0) return -E.EINVAL;
    let iova = wanted;
    if ((flags & FIXED) === 0) iova = this.allocate(space, this.buffer + pieces[0]!.memory, bytes);
    else {
      if (iova % alignment !== 0) return -E.EINVAL;
      if (this.reserved(space).some(({ start, end }) => start < iova + bytes && end > iova)) return -E.EINVAL;
      if (space.areas.some((area) => meets(area, iova, iova + bytes))) return -E.EEXIST;
    }
    if (iova < 0) return iova;
    const added: Area[] = [];
    for (const piece of pieces) {
      if ((flags & WRITE) !== 0 && !piece.writable) return -E.EPERM;
      if ((piece.memory % PAGE) % alignment !== 0) return -E.EINVAL;
      added.push({ ...piece, start: added.length === 0 ? iova : endOf(added.at(-1)!) });
    }
    if (space.hwpt !== 0 && added.some(isBad)) return -E.EFAULT;
    space.areas.push(...added);
    return iova;
  }

  /** §4.5. What is allowed, then holes between mappings, then between reserved ranges: each narrows the one before. */
  allocate(space: Space, address: number, bytes: number): number {
    let alignment = 1;
    while (alignment < bytes) alignment *= 2;
    while (address % alignment !== 0 || alignment > HUGE) alignment /= 2;
    if (alignment < this.alignment(space)) return -E.EINVAL;
    const fitting = (ranges: readonly Range[]): Range[] =>
      ranges.flatMap(({ start, end }) => {
        const aligned = Math.ceil(start / alignment) * alignment;
        const inPage = (aligned % PAGE) | (address % PAGE);
        const place = aligned - (aligned % PAGE) + inPage;
        return place < end - 1 && end - place >= bytes ? [{ start: place, end }] : [];
      });
    const allowed = space.allowed.length === 0 ? [{ start: PAGE, end: END }] : joined(space.allowed);
    const mapped = space.areas.map((area) => ({ start: area.start, end: endOf(area) }));
    for (const range of fitting(allowed.map(({ start, end }) => ({ start: Math.max(start, PAGE), end })))) {
      for (const hole of fitting(without(range, mapped))) {
        const found = fitting(without(hole, this.reserved(space)))[0];
        if (found !== undefined) return found.start;
      }
    }
    return -E.ENOSPC;
  }

  unmap(space: Space, start: number, bytes: number): number {
    if (!space.alive) return -E.ENOENT;
    const hit = space.areas.filter((area) => meets(area, start, start + bytes));
    hit.sort((a, b) => a.start - b.start);
    let total = 0;
    for (const area of hit) {
      if (area.start < start || endOf(area) > start + bytes) return -E.ENOENT;
      space.areas.splice(space.areas.indexOf(area), 1);
      total += area.bytes;
    }
    return total === 0 ? -E.ENOENT : total;
  }

  allow(space: Space, ranges: readonly Range[]): number {
    if (!space.alive) return -E.ENOENT;
    for (const [index, { start, end }] of ranges.entries()) {
      if (start >= end - 1) return -E.EINVAL;
      if (ranges.slice(0, index).some((other) => other.start < end && other.end > start)) return -E.EINVAL;
    }
    const reserved = this.reserved(space);
    for (const { start, end } of ranges) {
      if (reserved.some((other) => other.start < end && other.end > start)) return -E.EADDRINUSE;
    }
    space.allowed = [...ranges];
    return 0;
  }

  /** §4.9. Returns the id of the page table, which may have the id of an IOAS that is gone. */
  attach(device: number, { id }: Space): number {
    const from = this.places[device]!;
    const space = this.spaces.find((one) => (one.alive && one.id === id) || one.hwpt === id);
    if (space === undefined) return -E.ENOENT;
    if (from === space) return space.hwpt;
    const isFirst = space.hwpt === 0;
    const windowIsFree = this.#isFree(space, MSI);
    const filled = isFirst ? this.#canFill(space) : 0;
    // A device that moves must find everything mapped; one that comes reserves its window first.
    if (from !== null && filled < 0) return filled;
    if (!windowIsFree) return -E.EADDRINUSE;
    if (filled < 0) return filled;
    if (isFirst) space.hwpt = this.newId();
    this.places[device] = space;
    this.#leave(from);
    return space.hwpt;
  }

  detach(device: number): number {
    const from = this.places[device]!;
    this.places[device] = null;
    this.#leave(from);
    return 0;
  }

  destroy(space: Space): number {
    if (this.spaces.some(({ hwpt }) => hwpt === space.id)) return -E.EBUSY;
    if (!space.alive) return -E.ENOENT;
    if (space.hwpt !== 0) return -E.EBUSY;
    space.alive = false;
    this.ids.delete(space.id);
    return 0;
  }

  setHugePages(space: Space, on: boolean): number {
    if (!space.alive) return -E.ENOENT;
    if (!on && space.hugePages) {
      if (space.hwpt !== 0 && space.areas.length > 0) return -E.EINVAL;
      if (this.#isMisaligned(space)) return -E.EADDRINUSE;
    }
    space.hugePages = on;
    return 0;
  }

  #leave(space: Space | null): void {
    if (space === null || this.places.includes(space)) return;
    this.ids.delete(space.hwpt);
    space.hwpt = 0;
  }

  #isFree({ areas, allowed }: Space, { start, end }: Range): boolean {
    return (
      !areas.some((area) => meets(area, start, end)) && !allowed.some((r) => r.start < end && r.end > start)
    );
  }

  #canFill(space: Space): number {
    if (this.#isMisaligned(space) || !this.#isFree(space, { start: APERTURE_END, end: END }))
      return -E.EADDRINUSE;
    return space.areas.some(isBad) ? -E.EFAULT : 0;
  }

  #isMisaligned = ({ areas }: Space): boolean =>
    areas.some(({ start, bytes, memory }) => start % PAGE !== 0 || bytes % PAGE !== 0 || memory % PAGE !== 0);
}

const ascending = (ranges: readonly Range[]): Range[] => [...ranges].sort((a, b) => a.start - b.start);

/** Ranges that touch are one. */
function joined(ranges: readonly Range[]): Range[] {
  const list: Range[] = [];
  for (const range of ascending(ranges)) {
    if (list.at(-1)?.end === range.start) list.push({ start: list.pop()!.start, end: range.end });
    else list.push(range);
  }
  return list;
}

/** What is left of a range, ascending. */
function without({ start, end }: Range, taken: readonly Range[]): Range[] {
  const list: Range[] = [];
  let next = start;
  for (const one of ascending(taken)) {
    if (one.start > next) list.push({ start: next, end: Math.min(one.start, end) });
    next = Math.max(next, one.end);
  }
  return [...list, { start: next, end }].filter((hole) => hole.start < hole.end);
}

const pages = fc.nat(24).map((page) => page * PAGE);
const iova = fc
  .tuple(fc.constantFrom(0, 0, 0, MSI.start - 8 * PAGE, MSI.end - 8 * PAGE, APERTURE_END - 12 * PAGE), pages)
  .chain(([base, page]) => fc.constantFrom(0, 0, 0, 0x800, 1).map((byte) => base + page + byte));
const bytes = fc.constantFrom(
  PAGE,
  PAGE,
  2 * PAGE,
  3 * PAGE,
  4 * PAGE,
  0x1_0000,
  HUGE,
  1,
  0x400,
  0x800,
  0x1234,
);
const memory = fc
  .tuple(fc.nat(BUFFER_PAGES), fc.constantFrom(0, 0, 0, 0x800, 0x234))
  .map(([page, byte]) => page * PAGE + byte);
const range = fc.tuple(iova, bytes).map(([start, size]) => ({ start, end: start + size * 2 }));
const step = fc.record({
  kind: fc.constantFrom(
    ...(['map', 'map', 'map', 'place', 'place', 'unmap', 'unmap', 'copy', 'copyTo'] as const),
    ...(['allow', 'attach', 'attach', 'detach', 'destroy', 'option'] as const),
  ),
  space: fc.nat(1),
  device: fc.nat(1),
  iova,
  source: iova,
  bytes,
  memory,
  writable: fc.boolean(),
  ranges: fc.array(range, { maxLength: 3 }),
});
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const machine = new Machine();
const clients = [machine.device(0x100), machine.device(0x208)];
const table = machine.allocate(PAGE);
const buffer = machine.allocate(BUFFER_PAGES * PAGE);

/** One request to a context: its result, or what it answered when that is 0. */
function ask(context: ReturnType<Machine['open']>, rules: Rules, devids: readonly number[], s: Step): number {
  const ioas_id = rules.spaces[s.space]!.id;
  const other = rules.spaces[1 - s.space]!.id;
  const flags = (s.writable ? 6 : 4) | (s.kind === 'map' || s.kind === 'copyTo' ? FIXED : 0);
  const length = BigInt(s.bytes);
  switch (s.kind) {
    case 'map':
    case 'place': {
      const fields = { flags, ioas_id, user_va: BigInt(buffer + s.memory), length, iova: BigInt(s.iova) };
      const { ret, iova } = machine.call(U.IOMMU_IOAS_MAP, U.IommuIoasMap, fields, context);
      return ret < 0 ? ret : Number(iova);
    }
    case 'unmap': {
      const fields = { ioas_id, iova: BigInt(s.iova), length };
      const answer = machine.call(U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, fields, context);
      return answer.ret < 0 ? answer.ret : Number(answer.length);
    }
    case 'copy':
    case 'copyTo': {
      const ranges = { length, dst_iova: BigInt(s.iova), src_iova: BigInt(s.source) };
      const fields = { flags, dst_ioas_id: ioas_id, src_ioas_id: other, ...ranges };
      const { ret, dst_iova } = machine.call(U.IOMMU_IOAS_COPY, U.IommuIoasCopy, fields, context);
      return ret < 0 ? ret : Number(dst_iova);
    }
    case 'allow': {
      const words = s.ranges.flatMap(({ start, end }) => [BigInt(start), BigInt(end - 1)]);
      machine.process.copyOut(table, new Uint8Array(BigUint64Array.from(words).buffer));
      const fields = { ioas_id, num_iovas: s.ranges.length, allowed_iovas: BigInt(table) };
      return machine.call(U.IOMMU_IOAS_ALLOW_IOVAS, U.IommuIoasAllowIovas, fields, context).ret;
    }
    case 'attach':
      return context.attach(devids[s.device]!, ioas_id);
    case 'detach':
      context.detach(devids[s.device]!);
      return 0;
    case 'destroy':
      return machine.call(U.IOMMU_DESTROY, U.IommuDestroy, { id: ioas_id }, context).ret;
    case 'option': {
      const fields = {
        option_id: U.IOMMU_OPTION_HUGE_PAGES,
        object_id: ioas_id,
        val64: s.writable ? 1n : 0n,
      };
      return machine.call(U.IOMMU_OPTION, U.IommuOption, fields, context).ret;
    }
  }
}

function expected(rules: Rules, s: Step): number {
  const space = rules.spaces[s.space]!;
  const flags = (s.writable ? 6 : 4) | (s.kind === 'map' || s.kind === 'copyTo' ? FIXED : 0);
  switch (s.kind) {
    case 'map':
    case 'place':
      return rules.map(space, s.memory, s.bytes, flags, s.iova);
    case 'unmap':
      return rules.unmap(space, s.iova, s.bytes);
    case 'copy':
    case 'copyTo':
      return rules.copy(space, rules.spaces[1 - s.space]!, s.bytes, flags, s.iova, s.source);
    case 'allow':
      return rules.allow(space, s.ranges);
    case 'attach':
      return rules.attach(s.device, space);
    case 'detach':
      return rules.detach(s.device);
    case 'destroy':
      return rules.destroy(space);
    case 'option':
      return rules.setHugePages(space, s.writable);
  }
}

test('every answer about IO address spaces follows the rules', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const context = machine.open();
      const rules = new Rules(buffer);
      for (const space of rules.spaces) equal(machine.ioas(context), space.id);
      const devids = clients.map((client) => context.bind(client));
      try {
        for (const s of steps) {
          const wanted = expected(rules, s);
          equal(ask(context, rules, devids, s), wanted);
        }
      } finally {
        for (const devid of devids) {
          context.detach(devid);
          context.unbind(devid);
        }
        context.drop();
      }
    }),
    { numRuns: runs(500, 50_000) },
  );
});

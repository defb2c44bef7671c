/** The address space of the process: mappings, copies with faults, pins that outlive munmap. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { MIB, PAGE_SIZE } from '../../support/numbers.ts';
import { Process } from '../../vfio/process.ts';
import { E2BIG, EFAULT, EINVAL, ENOMEM } from '../../vfio/uapi/errno.ts';
import { PROT_NONE, PROT_READ, PROT_WRITE } from '../../vfio/uapi/mman.ts';
import { runs } from '../runs.ts';

const RW = PROT_READ | PROT_WRITE;

function build() {
  const memory = new Memory(32 * MIB, MIB);
  const pages = new Pages(memory);
  return { memory, pages, process: new Process(memory, pages) };
}

describe('anonymous memory', () => {
  test('reads as zero, keeps what is written, and is gone after munmap', () => {
    const { process, pages } = build();
    const before = pages.free_pages;
    const address = process.mapAnonymous(3 * PAGE_SIZE, RW);
    const vma = process.find(address)!;
    expect([...vma.bytes!].every((byte) => byte === 0)).toBe(true);
    vma.write32(4096, 0xdead_beef);
    expect(vma.read64(4096)).toBe(0xdead_beefn);
    expect(process.unmap(address, 3 * PAGE_SIZE)).toBe(0);
    expect(pages.free_pages).toBe(before);
    expect(() => vma.read32(0)).toThrow('SIGSEGV');
  });

  test('is aligned to 2 MiB in both spaces from 2 MiB on', () => {
    const { process } = build();
    process.mapAnonymous(PAGE_SIZE, RW);
    const address = process.mapAnonymous(4 * MIB, RW);
    const pinned = process.pin(address, 4 * MIB, true);
    if (typeof pinned === 'number') throw new Error('not pinned');
    expect(address % (2 * MIB)).toBe(0);
    expect(pinned.runs).toHaveLength(1);
    expect(pinned.runs[0]!.physical % (2 * MIB)).toBe(0);
  });

  test('munmap cuts at both ends and leaves the rest usable', () => {
    const { process, pages } = build();
    const before = pages.free_pages;
    const address = process.mapAnonymous(4 * PAGE_SIZE, RW);
    process.find(address)!.write8(3 * PAGE_SIZE, 7);
    expect(process.unmap(address + PAGE_SIZE, 2 * PAGE_SIZE)).toBe(0);
    expect(pages.free_pages).toBe(before - 2);
    expect(process.find(address)!.length).toBe(PAGE_SIZE);
    expect(process.find(address + PAGE_SIZE)).toBe(null);
    expect(process.find(address + 3 * PAGE_SIZE)!.read8(0)).toBe(7);
  });

  test.each([
    [1, PAGE_SIZE],
    [0, 0],
    [0, 2 ** 47],
  ])('munmap at +%i of %i bytes is EINVAL', (offset, length) => {
    const { process } = build();
    const address = process.mapAnonymous(PAGE_SIZE, RW);
    expect(process.unmap(address + offset, length)).toBe(-EINVAL);
  });

  test('more than there is of it is ENOMEM', () => {
    expect(build().process.mapAnonymous(64 * MIB, RW)).toBe(-ENOMEM);
  });
});

describe('copies', () => {
  test.each([
    ['NULL', 0, 4],
    ['a low address', 0x10, 4],
    ['beyond user space', 2 ** 63, 4],
  ])('%s is EFAULT in both directions', (_, address, length) => {
    const { process } = build();
    expect(process.copyIn(address, new Uint8Array(length))).toBe(-EFAULT);
    expect(process.copyOut(address, new Uint8Array(length))).toBe(-EFAULT);
    expect(process.read32(address)).toBe(-EFAULT);
  });

  test.each([
    ['read-only', PROT_READ, 0, -EFAULT],
    ['write-only', PROT_WRITE, -EFAULT, 0],
    ['inaccessible', PROT_NONE, -EFAULT, -EFAULT],
  ])('%s memory', (_, protection, read, write) => {
    const { process } = build();
    const address = process.mapAnonymous(PAGE_SIZE, protection);
    expect(process.copyIn(address, new Uint8Array(8))).toBe(read);
    expect(process.copyOut(address, new Uint8Array(8))).toBe(write);
  });

  test('a copy out that runs into a hole has written what is before it', () => {
    const { process } = build();
    const address = process.mapAnonymous(PAGE_SIZE, RW);
    expect(process.copyOut(address + PAGE_SIZE - 2, Uint8Array.of(1, 2, 3))).toBe(-EFAULT);
    expect(process.find(address)!.read16(PAGE_SIZE - 2)).toBe(0x0201);
  });

  test('a word that runs into a hole cannot be read', () => {
    const { process } = build();
    const address = process.mapAnonymous(2 * PAGE_SIZE, RW);
    process.write32(address + PAGE_SIZE - 2, 0x0403_0201);
    expect(process.read32(address + PAGE_SIZE - 2)).toBe(0x0403_0201);
    process.unmap(address + PAGE_SIZE, PAGE_SIZE);
    expect(process.read32(address + PAGE_SIZE - 2)).toBe(-EFAULT);
    expect(process.read32(address + PAGE_SIZE - 4)).toBe(0x0201_0000);
  });

  test('the tail of a structure must be zero', () => {
    const { process } = build();
    const address = process.mapAnonymous(PAGE_SIZE, RW);
    expect(process.checkZero(address, 64)).toBe(0);
    process.find(address)!.write8(63, 1);
    expect(process.checkZero(address, 64)).toBe(-E2BIG);
    expect(process.checkZero(address + PAGE_SIZE - 8, 16)).toBe(-EFAULT);
  });
});

describe('pins', () => {
  test('keep pages and content over munmap, also when only a part is unmapped', () => {
    const { process, pages, memory } = build();
    const before = pages.free_pages;
    const address = process.mapAnonymous(4 * PAGE_SIZE, RW);
    process.find(address)!.write8(PAGE_SIZE, 42);
    const pinned = process.pin(address + PAGE_SIZE + 5, 10, false);
    if (typeof pinned === 'number') throw new Error('not pinned');
    expect(pinned.runs).toEqual([{ physical: pinned.runs[0]!.physical, bytes: PAGE_SIZE }]);
    process.unmap(address, PAGE_SIZE);
    process.unmap(address + PAGE_SIZE, 3 * PAGE_SIZE);
    expect(memory.u8[pinned.runs[0]!.physical]).toBe(42);
    expect(pages.free_pages).toBeLessThan(before);
    pinned.release();
    expect(pages.free_pages).toBe(before);
  });

  test.each([
    ['a hole', RW, 2 * PAGE_SIZE, true],
    ['read-only memory for writing', PROT_READ, PAGE_SIZE, true],
    ['inaccessible memory', PROT_NONE, PAGE_SIZE, false],
  ])('%s cannot be pinned', (_, protection, length, writable) => {
    const { process } = build();
    const address = process.mapAnonymous(PAGE_SIZE, protection);
    expect(process.pin(address, length, writable)).toBe(-EFAULT);
  });
});

test('a mapping that is cut after a pinned neighbour has gone keeps its own pages', () => {
  const { process } = build();
  const address = process.mapAnonymous(3 * PAGE_SIZE, RW);
  process.write32(address + PAGE_SIZE, 42);
  const pinned = process.pin(address, PAGE_SIZE, true);
  if (typeof pinned === 'number') throw new Error('not pinned');
  process.unmap(address, PAGE_SIZE);
  pinned.release();
  process.unmap(address + 2 * PAGE_SIZE, PAGE_SIZE);
  process.mapAnonymous(3 * PAGE_SIZE, RW);
  expect(process.read32(address + PAGE_SIZE)).toBe(42);
});

test('any sequence of mmap, munmap, pin and unpin neither loses nor reuses a page in use', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('map' as const), pages: fc.integer({ min: 1, max: 6 }) }),
    fc.record({
      kind: fc.constant('unmap' as const),
      which: fc.nat(),
      from: fc.nat({ max: 5 }),
      pages: fc.integer({ min: 1, max: 6 }),
    }),
    fc.record({ kind: fc.constant('pin' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('unpin' as const), which: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const { process, pages, memory } = build();
      const before = pages.free_pages;
      /** What each mapped page holds, and each pinned one must keep. */
      const model = new Map<number, number>();
      const starts: number[] = [];
      const pins: { release: () => void; physical: number; mark: number }[] = [];
      let mark = 0;
      for (const operation of operations) {
        if (operation.kind === 'map') {
          const address = process.mapAnonymous(operation.pages * PAGE_SIZE, RW);
          starts.push(address);
          for (let page = 0; page < operation.pages; page++) {
            expect(process.read32(address + page * PAGE_SIZE)).toBe(0);
            model.set(address + page * PAGE_SIZE, ++mark);
            process.write32(address + page * PAGE_SIZE, mark);
          }
        } else if (operation.kind === 'unmap' && starts.length > 0) {
          const start = starts[operation.which % starts.length]! + operation.from * PAGE_SIZE;
          process.unmap(start, operation.pages * PAGE_SIZE);
          for (let page = 0; page < operation.pages; page++) model.delete(start + page * PAGE_SIZE);
        } else if (operation.kind === 'pin' && model.size > 0) {
          const address = [...model.keys()][operation.which % model.size]!;
          const pinned = process.pin(address, 1, true);
          if (typeof pinned === 'number') throw new Error('a mapped page cannot be pinned');
          pins.push({
            release: () => pinned.release(),
            physical: pinned.runs[0]!.physical,
            mark: model.get(address)!,
          });
        } else if (operation.kind === 'unpin' && pins.length > 0) {
          pins.splice(operation.which % pins.length, 1)[0]!.release();
        }
        for (const [address, value] of model) expect(process.read32(address)).toBe(value);
        for (const { physical, mark: value } of pins) expect(memory.u32[physical / 4]).toBe(value);
      }
      for (const { release } of pins) release();
      process.unmapAll();
      expect(pages.free_pages).toBe(before);
    }),
    { numRuns: runs(200, 20_000) },
  );
});

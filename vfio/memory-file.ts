/**
 * A file that is memory, as memfd_create(2) makes: pages that the process maps, writes through the descriptor, or hands
 * to an iommufd by MAP_FILE. All of them are physically contiguous and there from the start.
 * Not here: holes and pages past the end of the file (mapping them is refused, where Linux lets them be touched once
 * they exist), sealing, huge pages, growing while the pages are in use.
 */
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import { alignDown, alignUp, MIB, PAGE_SIZE } from '../support/numbers.ts';
import { type MmapRequest, OpenFile } from './file.ts';
import { Extent, MemoryVma } from './mapping.ts';
import { PinnedPages, type Process } from './process.ts';
import { EINVAL, ENOMEM } from './uapi/errno.ts';
import { MAP_PRIVATE, MAP_TYPE } from './uapi/mman.ts';

const HUGE_PAGE = 2 * MIB;

export class MemoryFile extends OpenFile {
  override readonly kind = 'memfd';
  readonly #process: Process;
  readonly #allocator: Pages;
  #extent: Extent | null = null;
  #size = 0;

  constructor(process: Process, allocator: Pages) {
    super();
    this.#process = process;
    this.#allocator = allocator;
  }

  /** ftruncate(2). New bytes are zero. Returns 0, or -ENOMEM without room, or to move pages that are mapped or pinned. */
  override truncate(size: number): number {
    const pages = alignUp(size, PAGE_SIZE) / PAGE_SIZE;
    if (pages > this.#pages) {
      const grown = this.#move(pages);
      if (grown < 0) return grown;
    } else if (size < this.#size) this.#memory.fill(this.#physical + size, 0, this.#size - size);
    this.#size = size;
    return 0;
  }

  override pread(target: Uint8Array, offset: number): number {
    const bytes = Math.max(0, Math.min(target.length, this.#size - offset));
    const from = this.#physical + offset;
    if (bytes > 0) target.set(this.#memory.u8.subarray(from, from + bytes));
    return bytes;
  }

  /** Writing past the end makes the file longer. */
  override pwrite(source: Uint8Array, offset: number): number {
    const end = offset + source.length;
    const grown = source.length > 0 && end > this.#size ? this.truncate(end) : 0;
    if (grown < 0) return grown;
    this.#memory.u8.set(source, this.#physical + offset);
    return source.length;
  }

  /** A private mapping gets a copy of what the file holds now. */
  override mmap({ length, protection, flags, offset }: MmapRequest): number {
    if (offset + length > this.#pages * PAGE_SIZE) return -EINVAL;
    const physical = this.#physical + offset;
    if ((flags & MAP_TYPE) === MAP_PRIVATE) {
      const address = this.#process.mapAnonymous(length, protection);
      if (address < 0) return address;
      this.#process.find(address)!.bytes!.set(this.#memory.u8.subarray(physical, physical + length));
      return address;
    }
    const extent = this.#extent!;
    return this.#process.mapObject(length, (address) => {
      extent.hold();
      return new MemoryVma(this.#memory, extent, { address, length, protection, physical });
    });
  }

  /** Pins the pages of a range for DMA; `offset` is a byte of the file. Returns -EINVAL past its end. */
  pin(offset: number, length: number): PinnedPages | number {
    if (offset + length > alignUp(this.#size, PAGE_SIZE)) return -EINVAL;
    const start = alignDown(offset, PAGE_SIZE);
    const bytes = alignUp(offset + length, PAGE_SIZE) - start;
    return new PinnedPages([{ physical: this.#physical + start, bytes }], [this.#extent!]);
  }

  protected override release(): void {
    this.#extent?.drop();
  }

  get #memory(): Memory {
    return this.#process.memory;
  }

  get #physical(): number {
    return this.#extent?.physical ?? 0;
  }

  get #pages(): number {
    return this.#extent?.pages ?? 0;
  }

  /** Puts the content into `pages` new pages. */
  #move(pages: number): number {
    const old = this.#extent;
    if (old !== null && !old.exclusive) return -ENOMEM;
    const align = pages * PAGE_SIZE >= HUGE_PAGE ? HUGE_PAGE / PAGE_SIZE : 1;
    const physical = this.#allocator.allocate(pages, align);
    if (physical < 0) return -ENOMEM;
    this.#memory.u8.copyWithin(physical, this.#physical, this.#physical + this.#size);
    old?.drop();
    this.#extent = new Extent(this.#allocator, physical, pages);
    return 0;
  }
}

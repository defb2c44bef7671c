/**
 * The machine's bytes: RAM and, behind it, the local memory of devices (media, controller SRAM) in one shared buffer.
 * RAM starts at offset 0, so a physical RAM address is its offset here. Devices reach RAM only through a DmaPort;
 * offsets at or above `ramBytes` belong to whoever reserved them and have no physical address.
 * Not here: which addresses are RAM for the CPU (root-complex.ts), page allocation (vfio/pages.ts).
 */
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { alignUp, hex } from '../support/numbers.ts';

const WASM_PAGE = 65_536;
/** A Uint8Array holds at most 2^32 - 1 bytes, so one page less than 4 GiB. */
const MAX_PAGES = 65_535;

/**
 * `memory.copy` and `memory.fill` as two functions. On shared memory they run at the speed of libc, where
 * `TypedArray.set` is a word-wise relaxed atomic copy, five times slower at 4 KiB where it was measured (Node 20).
 */
// prettier-ignore
const COPY_FILL_WASM = Uint8Array.of(
  0x00,
  0x61,
  0x73,
  0x6d,
  0x01,
  0x00,
  0x00,
  0x00, //  magic, version 1
  0x01,
  0x07,
  0x01,
  0x60,
  0x03,
  0x7f,
  0x7f,
  0x7f,
  0x00, //  types:     0: (i32, i32, i32) -> ()
  0x02,
  0x0b,
  0x01,
  0x01,
  0x6d,
  0x01,
  0x6d, //  imports:   "m" "m"
  0x02,
  0x03,
  0x01,
  0x80,
  0x80,
  0x04, //             memory, shared, 1..65536 pages
  0x03,
  0x03,
  0x02,
  0x00,
  0x00, //  functions: two of type 0
  0x07,
  0x0f,
  0x02, //  exports:   two
  0x04,
  0x63,
  0x6f,
  0x70,
  0x79,
  0x00,
  0x00, //             "copy" is function 0
  0x04,
  0x66,
  0x69,
  0x6c,
  0x6c,
  0x00,
  0x01, //             "fill" is function 1
  0x0a,
  0x1a,
  0x02, //  code:      two bodies
  0x0c,
  0x00,
  0x20,
  0x00,
  0x20,
  0x01,
  0x20,
  0x02, //             local.get 0, 1, 2
  0xfc,
  0x0a,
  0x00,
  0x00,
  0x0b, //             memory.copy, end
  0x0b,
  0x00,
  0x20,
  0x00,
  0x20,
  0x01,
  0x20,
  0x02, //             local.get 0, 1, 2
  0xfc,
  0x0b,
  0x00,
  0x0b, //             memory.fill, end
);

/** What another thread needs in order to see the same bytes; it can be cloned into one. */
export interface SharedBytes {
  readonly wasm: WebAssembly.Memory;
  /** One word: where the device-local memory that nobody has reserved yet begins. */
  readonly cursor: Uint32Array;
}

export class Memory {
  readonly buffer: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly view: DataView;
  /** Size of RAM in bytes; also the offset where device-local memory begins. */
  readonly ramBytes: number;
  /** Copies `length` bytes; the ranges may overlap. Offsets must have been checked: a bad one traps. */
  readonly copy: (to: number, from: number, length: number) => void;
  /** Fills `length` bytes with the byte `value`. */
  readonly fill: (at: number, value: number, length: number) => void;
  readonly shared: SharedBytes;
  /** Whether another thread looks at these bytes meanwhile. */
  private readonly isShared: boolean;

  /**
   * RAM of `ramBytes` and room for `localBytes` of device-local memory. Untouched bytes cost the host nothing.
   * `shared` is the memory of another thread whose bytes these are, of the same sizes.
   */
  constructor(ramBytes: number, localBytes: number, shared?: SharedBytes) {
    assert(ramBytes > 0 && ramBytes % WASM_PAGE === 0, `RAM must be a multiple of 64 KiB, got ${ramBytes}`);
    const pages = Math.ceil((ramBytes + localBytes) / WASM_PAGE);
    assert(
      pages <= MAX_PAGES,
      `RAM and device memory together must stay below 4 GiB, got ${pages} pages of 64 KiB`,
    );
    const memory = shared?.wasm ?? new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.isShared = shared !== undefined;
    this.shared = shared ?? { wasm: memory, cursor: cursorAt(ramBytes) };
    this.buffer = memory.buffer as unknown as SharedArrayBuffer;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.f64 = new Float64Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.ramBytes = ramBytes;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(COPY_FILL_WASM), {
      m: { m: memory },
    });
    this.copy = exports['copy'] as Memory['copy'];
    this.fill = exports['fill'] as Memory['fill'];
    if (shared === undefined) this.#check();
  }

  /** Bytes of device-local memory that are still free. */
  get localFree(): number {
    return this.buffer.byteLength - this.shared.cursor[0]!;
  }

  /**
   * Takes `length` bytes of zeroed device-local memory, aligned to `align` (a power of two).
   * Returns its offset, or -1 when there is not enough left. It is never given back.
   */
  reserve(length: number, align = 64): number {
    const { cursor } = this.shared;
    for (;;) {
      const free = Atomics.load(cursor, 0);
      const at = alignUp(free, align);
      if (at + length > this.buffer.byteLength) return -1;
      if (Atomics.compareExchange(cursor, 0, free, at + length) === free) return at;
    }
  }

  /**
   * Stores a dword that tells readers of everything this thread stored before it, such as the phase tag of a completion:
   * whoever sees it with an atomic load sees all of that too. Within one thread it is a plain store (docs/threads.md).
   */
  publish(word: number, value: number): void {
    if (this.isShared === true) Atomics.store(this.i32, word, value);
    else this.i32[word] = value;
  }

  /** Runs both wasm functions once on the first bytes, which are still zero, and leaves them zero. */
  #check(): void {
    this.fill(0, 0xa5, 3);
    this.copy(2, 0, 3);
    const got = [...this.u8.subarray(0, 6)].map((byte) => hex(byte)).join(' ');
    assert(got === '0xa5 0xa5 0xa5 0xa5 0xa5 0x0', `wasm copy and fill are wrong: ${got}`);
    this.fill(0, 0, 5);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.same(this.ramBytes, 'the size of RAM');
    a.same(this.buffer.byteLength, 'the size of RAM and device memory');
    const { cursor } = this.shared;
    const reserved = cursor[0]!;
    cursor[0] = a.value(reserved);
    a.pages(this.u8, Math.max(reserved, cursor[0]!));
  }
}

function cursorAt(offset: number): Uint32Array {
  const cursor = new Uint32Array(new SharedArrayBuffer(4));
  cursor[0] = offset;
  return cursor;
}

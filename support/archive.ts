/**
 * State as bytes, with one method for both directions: a class has `archive(a)`, which passes each of its fields through
 * `a`. Saving writes a field and gives it back; loading gives what was written. Fields are read back in the order in which
 * they were written, and each carries its kind, each section its name, version and length, so that state of another kind
 * of machine is told, never taken. Not here: compression and files (cli/fio/saved-run.ts).
 */
import { assert } from './assert.ts';
import { crc32c } from './crc32c.ts';

/** State cannot be saved, or what is loaded is no state of this machine: the message is one sentence. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

type TypedArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float64Array;
/** What `contents` overwrites in place. */
type Container = TypedArray | unknown[] | Map<unknown, unknown> | Set<unknown>;

const MAGIC = 0x4442_4c53;
/** Counts up whenever a class changes what it archives. */
const FORMAT = 1;
/** Magic, format, bytes behind the header and their CRC-32C. */
const HEADER_BYTES = 16;
const FIRST_BYTES = 1 << 16;
const PAGE_BYTES = 4096;
const NO_PAGE = 0xffff_ffff;

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const NUMBER = 4;
const TEXT = 5;
const BIGINT = 6;
const ARRAY = 7;
const MAP = 8;
const SET = 9;
const OBJECT = 10;
const TYPED = 11;
const SECTION = 12;
const PAGES = 13;

const ARRAYS = [
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float64Array,
] as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Archive {
  readonly isLoading: boolean;
  #bytes: Uint8Array;
  #view: DataView;
  #at = HEADER_BYTES;
  /** The section that is being worked on, for sentences. */
  #section = 'state';

  private constructor(bytes: Uint8Array, isLoading: boolean) {
    this.isLoading = isLoading;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** An archive to save into; `finish` gives its bytes. */
  static save(): Archive {
    return new Archive(new Uint8Array(FIRST_BYTES), false);
  }

  /** An archive to load from. Throws ArchiveError for bytes that are not those of `finish`, whole. */
  static load(bytes: Uint8Array): Archive {
    // A plain view, because a Buffer of Node has a `slice` that is no copy.
    const archive = new Archive(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), true);
    const word = (at: number): number => archive.#view.getUint32(at, true);
    if (bytes.length < HEADER_BYTES || word(0) !== MAGIC) throw new ArchiveError('it is no saved state');
    if (word(4) !== FORMAT)
      throw new ArchiveError(`it is state of format ${word(4)}, and this version reads format ${FORMAT}`);
    if (word(8) !== bytes.length - HEADER_BYTES)
      throw new ArchiveError(`it is cut off: ${bytes.length} of ${word(8) + HEADER_BYTES} bytes are there`);
    if (word(12) !== crc32c(bytes, HEADER_BYTES))
      throw new ArchiveError('it is damaged: its checksum does not fit its bytes');
    return archive;
  }

  /** The bytes of everything that was saved. */
  finish(): Uint8Array {
    assert(!this.isLoading, 'what is loaded has its bytes');
    const bytes = this.#bytes.subarray(0, this.#at);
    this.#view.setUint32(0, MAGIC, true);
    this.#view.setUint32(4, FORMAT, true);
    this.#view.setUint32(8, bytes.length - HEADER_BYTES, true);
    this.#view.setUint32(12, crc32c(bytes, HEADER_BYTES), true);
    return bytes;
  }

  // ---- what classes call ------------------------------------------------------------------------------------------

  /** A part of the machine: everything that `body` archives. */
  section(name: string, version: number, body: () => void): void {
    const outer = this.#section;
    this.#section = name;
    this.#tag(SECTION);
    const found = this.#text(name);
    if (found !== name) this.#wrong(`"${found}" is saved where "${name}" is expected`);
    const saved = this.#word(version);
    if (saved !== version)
      this.#wrong(`${name} is saved in version ${saved}, and this is version ${version}`);
    const lengthAt = this.#at;
    const length = this.#word(0);
    body();
    const done = this.#at - lengthAt - 4;
    if (!this.isLoading) this.#view.setUint32(lengthAt, done, true);
    else if (done !== length) this.#wrong(`${name} takes ${done} bytes of its ${length}`);
    this.#section = outer;
  }

  /** A field that holds plain data: numbers, texts, typed arrays, and arrays, maps, sets and objects of them. */
  value<T>(value: T): T {
    if (this.isLoading) return this.#read(value) as T;
    this.#write(value);
    return value;
  }

  /** The elements of containers that stay what they are: an array, map or set may change its size, a typed array not. */
  contents(...containers: Container[]): void {
    for (const container of containers) this.#contents(container);
  }

  #contents(container: Container): void {
    const saved = this.value(container);
    if (!this.isLoading) return;
    if (Array.isArray(container)) {
      container.length = 0;
      for (const element of saved as unknown[]) container.push(element);
    } else if (container instanceof Map) {
      container.clear();
      for (const [key, element] of saved as Map<unknown, unknown>) container.set(key, element);
    } else if (container instanceof Set) {
      container.clear();
      for (const element of saved as Set<unknown>) container.add(element);
    } else {
      const typed = saved as TypedArray;
      if (typed.length !== container.length)
        this.#wrong(`${typed.length} elements are saved where ${container.length} belong`);
      container.set(typed);
    }
  }

  /** Something that building the machine has made and that has to be alike: a size, a number of parts. */
  same(value: number | string | boolean | null, what: string): void {
    const saved = this.value(value);
    if (saved !== value) this.#wrong(`${what} is ${saved} there and ${value} here`);
  }

  /** What has to be so for state to be saved; `sentence` says why it is not. */
  require(isSo: boolean, sentence: string): void {
    if (!isSo && !this.isLoading) throw new ArchiveError(sentence);
  }

  /** The first `bytes` of a memory, as the pages that are not all zero. */
  pages(memory: Uint8Array, bytes: number): void {
    this.#tag(PAGES);
    const words = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >>> 2);
    const count = Math.ceil(bytes / PAGE_BYTES);
    let next = this.isLoading ? this.#word(0) : 0;
    for (let page = 0; page < count; page++) {
      const at = page * PAGE_BYTES;
      const isZero = isZeroPage(words, at >>> 2);
      if (this.isLoading && page === next) {
        memory.set(this.#take(PAGE_BYTES), at);
        next = this.#word(0);
      } else if (this.isLoading && !isZero) memory.fill(0, at, at + PAGE_BYTES);
      else if (!this.isLoading && !isZero) {
        this.#word(page);
        this.#give(memory.subarray(at, at + PAGE_BYTES));
      }
    }
    if (!this.isLoading) this.#word(NO_PAGE);
    else if (next !== NO_PAGE) this.#wrong('the memory saved is larger than the one here');
  }

  // ---- bytes ------------------------------------------------------------------------------------------------------

  #wrong(sentence: string): never {
    throw new ArchiveError(`it does not fit this machine (${this.#section}): ${sentence}`);
  }

  /** Bytes at `#at`, which moves behind them. */
  #room(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at <= this.#bytes.length) return at;
    if (this.isLoading) this.#wrong('it ends too early');
    const longer = new Uint8Array(Math.max(this.#at, 2 * this.#bytes.length));
    longer.set(this.#bytes);
    this.#bytes = longer;
    this.#view = new DataView(longer.buffer);
    return at;
  }

  #give(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  #take(bytes: number): Uint8Array {
    const at = this.#room(bytes);
    return this.#bytes.subarray(at, at + bytes);
  }

  #word(value: number): number {
    const at = this.#room(4);
    if (!this.isLoading) this.#view.setUint32(at, value, true);
    return this.#view.getUint32(at, true);
  }

  #byte(value: number): number {
    const at = this.#room(1);
    if (!this.isLoading) this.#bytes[at] = value;
    return this.#bytes[at]!;
  }

  #tag(kind: number): void {
    const found = this.#byte(kind);
    if (found !== kind) this.#wrong(`kind ${found} is saved where kind ${kind} is expected`);
  }

  #text(text: string): string {
    if (this.isLoading) return decoder.decode(this.#take(this.#word(0)));
    const bytes = encoder.encode(text);
    this.#word(bytes.length);
    this.#give(bytes);
    return text;
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  #write(value: unknown): void {
    const kind = kindOf(value);
    this.#byte(kind);
    switch (kind) {
      case NUMBER: {
        const at = this.#room(8);
        this.#view.setFloat64(at, value as number, true);
        return;
      }
      case TEXT:
        this.#text(value as string);
        return;
      case BIGINT:
        this.#text(String(value));
        return;
      case TYPED:
        return this.#writeTyped(value as TypedArray);
      case ARRAY:
      case SET:
      case MAP:
        return this.#writeAll(
          kind === MAP ? [...(value as Map<unknown, unknown>)].flat() : [...(value as [])],
        );
      case OBJECT:
        return this.#writeAll(Object.entries(value as object).flat());
    }
  }

  #writeAll(values: readonly unknown[]): void {
    this.#word(values.length);
    for (const value of values) this.#write(value);
  }

  #writeTyped(array: TypedArray): void {
    this.#byte(ARRAYS.findIndex((each) => array instanceof each));
    this.#word(array.length);
    this.#blocks(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }

  /** Bytes in blocks, each of them only where it is not the one before again: large tables are empty for the most part. */
  #blocks(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
      const end = Math.min(at + PAGE_BYTES, bytes.length);
      const isAgain = this.#byte(!this.isLoading && at > 0 && isRepeated(bytes, at, end) ? 1 : 0) === 1;
      if (!this.isLoading && !isAgain) this.#give(bytes.subarray(at, end));
      else if (this.isLoading && isAgain) bytes.copyWithin(at, at - PAGE_BYTES, end - PAGE_BYTES);
      else if (this.isLoading) bytes.set(this.#take(end - at), at);
    }
  }

  /** `expected` is what the field holds now: one of the same kind is to come, where it is no null or undefined. */
  #read(expected?: unknown): unknown {
    const kind = this.#byte(0);
    if (expected !== undefined && expected !== null && kind > TRUE) {
      const wanted = kindOf(expected);
      if (kind !== wanted) this.#wrong(`kind ${kind} is saved where kind ${wanted} is expected`);
    }
    switch (kind) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case FALSE:
      case TRUE:
        return kind === TRUE;
      case NUMBER:
        return this.#view.getFloat64(this.#room(8), true);
      case TEXT:
        return this.#text('');
      case BIGINT:
        return BigInt(this.#text(''));
      case TYPED:
        return this.#readTyped();
      default:
        return this.#readAll(kind);
    }
  }

  #readAll(kind: number): unknown {
    const values = Array.from({ length: this.#word(0) }, () => this.#read());
    const pairs = (): [unknown, unknown][] =>
      Array.from({ length: values.length / 2 }, (_, index) => [values[2 * index], values[2 * index + 1]]);
    if (kind === ARRAY) return values;
    if (kind === SET) return new Set(values);
    if (kind === MAP) return new Map(pairs());
    if (kind === OBJECT) return Object.fromEntries(pairs() as [string, unknown][]);
    return this.#wrong(`there is no kind ${kind}`);
  }

  #readTyped(): TypedArray {
    const type = ARRAYS[this.#byte(0)] ?? this.#wrong('there is no such array');
    const length = this.#word(0);
    const array = new type(length);
    this.#blocks(new Uint8Array(array.buffer));
    return array;
  }
}

function kindOf(value: unknown): number {
  if (value === undefined) return UNDEFINED;
  if (value === null) return NULL;
  if (typeof value === 'boolean') return value ? TRUE : FALSE;
  if (typeof value === 'number') return NUMBER;
  if (typeof value === 'string') return TEXT;
  if (typeof value === 'bigint') return BIGINT;
  if (Array.isArray(value)) return ARRAY;
  if (value instanceof Map) return MAP;
  if (value instanceof Set) return SET;
  if (ARRAYS.some((each) => value instanceof each)) return TYPED;
  assert(Object.getPrototypeOf(value) === Object.prototype, `${String(value)} is no plain data`);
  return OBJECT;
}

/** Whether bytes from `at` to `end` are those a page before. */
function isRepeated(bytes: Uint8Array, at: number, end: number): boolean {
  let index = at;
  while (index < end && bytes[index] === bytes[index - PAGE_BYTES]) index++;
  return index === end;
}

function isZeroPage(words: Int32Array, first: number): boolean {
  for (let word = first; word < first + PAGE_BYTES / 4; word += 4)
    if ((words[word]! | words[word + 1]! | words[word + 2]! | words[word + 3]!) !== 0) return false;
  return true;
}

/**
 * State as bytes, with one method for both directions: a class has `archive(a)`, which passes each of its fields through
 * `a`. Saving writes a field and gives it back; loading gives what was written. Fields are read back in the order in which
 * they were written, and each carries its kind, each section its name, version and length, so that state of another kind
 * of machine is told, never taken. Not here: compression and files (cli/fio/saved-run.ts).
 */
import { FORMAT } from './archive-format.ts';
import { assert } from './assert.ts';
import { ByteStream, PAGE_BYTES } from './byte-stream.ts';
import { crc32c } from './crc32c.ts';
import { hex } from './numbers.ts';

/** State cannot be saved, or what is loaded is no state of this machine: the message is one sentence. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

type TypedArray = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float64Array;
/** What `contents` overwrites in place. */
type Container = TypedArray | unknown[] | Map<unknown, unknown> | Set<unknown>;

const MAGIC = 0x4442_4c53;
/** Magic, format, bytes behind the header and their CRC-32C. */
const HEADER = { FORMAT: 4, LENGTH: 8, CHECKSUM: 12, SIZE: 16 } as const;
const NO_PAGE = 0xffff_ffff;

/** What stands before everything that is written. */
const KIND = {
  UNDEFINED: 0,
  NULL: 1,
  FALSE: 2,
  TRUE: 3,
  NUMBER: 4,
  TEXT: 5,
  BIGINT: 6,
  ARRAY: 7,
  MAP: 8,
  SET: 9,
  OBJECT: 10,
  TYPED: 11,
  SECTION: 12,
  PAGES: 13,
} as const;

const ARRAYS = [
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float64Array,
] as const;

export class Archive {
  readonly isLoading: boolean;
  readonly #stream: ByteStream;
  /** The section that is being worked on, for sentences. */
  #section = 'state';
  readonly #changes: { readonly name: string; readonly losesData: boolean; readonly change: () => void }[] =
    [];

  private constructor(bytes: Uint8Array | null) {
    this.isLoading = bytes !== null;
    this.#stream = new ByteStream(bytes, () => this.#wrong('it ends too early'));
    for (let word = 0; word < HEADER.SIZE / 4; word++) this.#stream.word(word === 0 ? MAGIC : 0);
  }

  /** An archive to save into; `finish` gives its bytes. */
  static save(): Archive {
    return new Archive(null);
  }

  /** An archive to load from, then to `complete`. Throws ArchiveError for bytes that are not those of `finish`, whole. */
  static load(bytes: Uint8Array): Archive {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const word = (at: number): number => view.getUint32(at, true);
    if (bytes.length < HEADER.SIZE || word(0) !== MAGIC) throw new ArchiveError('it is no saved state');
    const format = word(HEADER.FORMAT);
    if (format !== FORMAT)
      throw new ArchiveError(
        `it is state of format ${hex(format)}, and this version reads format ${hex(FORMAT)}`,
      );
    const length = word(HEADER.LENGTH) + HEADER.SIZE;
    if (length !== bytes.length)
      throw new ArchiveError(`it is cut off: ${bytes.length} of ${length} bytes are there`);
    if (word(HEADER.CHECKSUM) !== crc32c(bytes, HEADER.SIZE))
      throw new ArchiveError('it is damaged: its checksum does not fit its bytes');
    return new Archive(bytes);
  }

  /** The bytes of everything that was saved. */
  finish(): Uint8Array {
    assert(!this.isLoading, 'what is loaded has its bytes');
    const bytes = this.#stream.written;
    this.#stream.patch(HEADER.FORMAT, FORMAT);
    this.#stream.patch(HEADER.LENGTH, bytes.length - HEADER.SIZE);
    this.#stream.patch(HEADER.CHECKSUM, crc32c(bytes, HEADER.SIZE));
    return bytes;
  }

  /** What `complete` is going to overwrite outside of the machine: names of files whose data are lost then. */
  get losses(): readonly string[] {
    return [...new Set(this.#changes.filter(({ losesData }) => losesData).map(({ name }) => name))];
  }

  /** Ends loading. Throws ArchiveError when not all was loaded, and before anything outside of the machine is changed. */
  complete(): void {
    const { left } = this.#stream;
    if (left > 0) this.#wrong(`${left} bytes are left`);
    for (const { change } of this.#changes.splice(0)) change();
  }

  // ---- what classes call ------------------------------------------------------------------------------------------

  /** A part of the machine: everything that `body` archives. */
  section(name: string, version: number, body: () => void): void {
    const stream = this.#stream;
    const outer = this.#section;
    this.#section = name;
    this.#expect(KIND.SECTION);
    const found = stream.text(name);
    if (found !== name) this.#wrong(`"${found}" is there where "${name}" belongs`);
    const saved = stream.word(version);
    if (saved !== version) this.#wrong(`it is there in version ${saved}, and here in version ${version}`);
    const at = stream.length;
    const length = stream.word(0);
    body();
    const done = stream.length - at - 4;
    if (!this.isLoading) stream.patch(at, done);
    else if (done !== length) this.#wrong(`${length} bytes are there, and ${done} were read`);
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
    for (const container of containers) {
      const saved = this.value(container);
      if (this.isLoading) this.#refill(container, saved);
    }
  }

  #refill(container: Container, saved: Container): void {
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
      const { length } = saved as TypedArray;
      if (length !== container.length) this.#misfit('the length of a table', length, container.length);
      container.set(saved as TypedArray);
    }
  }

  /** Something that building the machine has made and that has to be alike: a size, a number of parts. */
  same(value: number | string | boolean | null, what: string): void {
    const saved = this.value(value);
    if (saved !== value) this.#misfit(what, saved, value);
  }

  /** What has to be so for state to be saved; `sentence` says why it is not. */
  require(isSo: boolean, sentence: string): void {
    if (!isSo && !this.isLoading) throw new ArchiveError(sentence);
  }

  /**
   * While loading: the file `name` is to be changed by `change`, which may throw ArchiveError. It is, in `complete`, where
   * nothing is left that could be refused. `losesData`: the file holds something that is overwritten.
   */
  changeLater(name: string, losesData: boolean, change: () => void): void {
    this.#changes.push({ name, losesData, change });
  }

  /** The first `bytes` of a memory, as the pages that are not all zero. */
  pages(memory: Uint8Array, bytes: number): void {
    const stream = this.#stream;
    this.#expect(KIND.PAGES);
    const words = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >>> 2);
    let next = this.isLoading ? stream.word(0) : 0;
    for (let page = 0; page * PAGE_BYTES < bytes; page++) {
      const at = page * PAGE_BYTES;
      const isNext = this.isLoading && page === next;
      if (!isNext && isZeroPage(words, at >>> 2)) continue;
      if (!this.isLoading) stream.word(page);
      if (this.isLoading && !isNext) memory.fill(0, at, at + PAGE_BYTES);
      else stream.raw(memory.subarray(at, at + PAGE_BYTES));
      if (isNext) next = stream.word(0);
    }
    if (!this.isLoading) stream.word(NO_PAGE);
    else if (next !== NO_PAGE) this.#wrong('the memory there is larger');
  }

  // ---- what does not fit ------------------------------------------------------------------------------------------

  #misfit(what: string, there: unknown, here: unknown): never {
    throw new ArchiveError(
      `it does not fit this machine (${this.#section}): ${what} is ${there} there and ${here} here`,
    );
  }

  #wrong(sentence: string): never {
    throw new ArchiveError(`it is state of another version or machine (${this.#section}): ${sentence}`);
  }

  #expect(kind: number): void {
    const found = this.#stream.byte(kind);
    if (found !== kind) this.#wrong(`${nameOf(found)} is there where ${nameOf(kind)} belongs`);
  }

  // ---- values -----------------------------------------------------------------------------------------------------

  #write(value: unknown): void {
    const stream = this.#stream;
    const kind = stream.byte(kindOf(value));
    switch (kind) {
      case KIND.NUMBER:
        stream.number(value as number);
        return;
      case KIND.TEXT:
      case KIND.BIGINT:
        stream.text(String(value));
        return;
      case KIND.TYPED:
        return this.#writeTyped(value as TypedArray);
      case KIND.ARRAY:
      case KIND.SET:
        return this.#writeAll([...(value as Iterable<unknown>)]);
      case KIND.MAP:
        return this.#writeAll([...(value as Map<unknown, unknown>)].flat());
      case KIND.OBJECT:
        return this.#writeAll(Object.entries(value as object).flat());
    }
  }

  #writeAll(values: readonly unknown[]): void {
    this.#stream.word(values.length);
    for (const value of values) this.#write(value);
  }

  #writeTyped(array: TypedArray): void {
    this.#stream.byte(ARRAYS.findIndex((each) => array instanceof each));
    this.#stream.word(array.length);
    this.#stream.pages(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }

  /** `here` is what the field holds now: one of the same kind is to come, where neither is null, undefined or a boolean. */
  #read(here?: unknown): unknown {
    const stream = this.#stream;
    const kind = stream.byte(0);
    const wanted = kindOf(here);
    if (kind > KIND.TRUE && wanted > KIND.NULL && kind !== wanted)
      this.#wrong(`${nameOf(kind)} is there where ${nameOf(wanted)} belongs`);
    switch (kind) {
      case KIND.UNDEFINED:
        return undefined;
      case KIND.NULL:
        return null;
      case KIND.FALSE:
      case KIND.TRUE:
        return kind === KIND.TRUE;
      case KIND.NUMBER:
        return stream.number(0);
      case KIND.TEXT:
        return stream.text('');
      case KIND.BIGINT:
        return BigInt(stream.text(''));
      case KIND.TYPED:
        return this.#readTyped();
      default:
        return this.#readAll(kind);
    }
  }

  #readAll(kind: number): unknown {
    const values = Array.from({ length: this.#stream.word(0) }, () => this.#read());
    const pairs = (): [unknown, unknown][] =>
      Array.from({ length: values.length / 2 }, (_, index) => [values[2 * index], values[2 * index + 1]]);
    if (kind === KIND.ARRAY) return values;
    if (kind === KIND.SET) return new Set(values);
    if (kind === KIND.MAP) return new Map(pairs());
    return Object.fromEntries(pairs() as [string, unknown][]);
  }

  #readTyped(): TypedArray {
    const type = ARRAYS[this.#stream.byte(0)]!;
    const array = new type(this.#stream.word(0));
    this.#stream.pages(new Uint8Array(array.buffer));
    return array;
  }
}

const nameOf = (kind: number): string =>
  Object.entries(KIND)
    .find(([, number]) => number === kind)?.[0]
    .toLowerCase() ?? `kind ${kind}`;

function kindOf(value: unknown): number {
  if (value === undefined) return KIND.UNDEFINED;
  if (value === null) return KIND.NULL;
  if (typeof value === 'boolean') return value ? KIND.TRUE : KIND.FALSE;
  if (typeof value === 'number') return KIND.NUMBER;
  if (typeof value === 'string') return KIND.TEXT;
  if (typeof value === 'bigint') return KIND.BIGINT;
  if (Array.isArray(value)) return KIND.ARRAY;
  if (value instanceof Map) return KIND.MAP;
  if (value instanceof Set) return KIND.SET;
  if (ARRAYS.some((each) => value instanceof each)) return KIND.TYPED;
  assert(Object.getPrototypeOf(value) === Object.prototype, `${String(value)} is no plain data`);
  return KIND.OBJECT;
}

/** Whether a page of zeroes begins at word `first`. */
function isZeroPage(words: Int32Array, first: number): boolean {
  for (let word = first; word < first + PAGE_BYTES / 4; word += 4)
    if ((words[word]! | words[word + 1]! | words[word + 2]! | words[word + 3]!) !== 0) return false;
  return true;
}

/** Images: what is written is in the file, what the host refuses is a failure with a sentence, never an exception. */
import fs, { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FileStore } from '../../bridge/file-store.ts';
import { openStore } from '../../bridge/host.ts';
import { Memory } from '../../machine/memory.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from '../../nvme/block-store.ts';
import { Archive, ArchiveError } from '../../support/archive.ts';
import { MIB } from '../../support/numbers.ts';

type Move = (fd: number, bytes: Uint8Array, at: number, length: number, offset: number) => number;

const folder = mkdtempSync(join(tmpdir(), 'doorbell-store-'));
beforeAll(() => {
  // As a host may: a call moves fewer bytes than it was asked for.
  const { readSync, writeSync } = fs as unknown as Record<'readSync' | 'writeSync', Move>;
  const shortly =
    (move: Move): Move =>
    (fd, bytes, at, length, offset) =>
      move(fd, bytes, at, Math.min(length, 300_000), offset);
  vi.spyOn(fs, 'readSync').mockImplementation(shortly(readSync) as typeof fs.readSync);
  vi.spyOn(fs, 'writeSync').mockImplementation(shortly(writeSync) as typeof fs.writeSync);
  syncBuiltinESMExports(); // so that what is imported by name is this too
});
afterAll(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  rmSync(folder, { recursive: true });
});
const memory = new Memory(MIB, 32 * MIB);
let files = 0;
const newPath = () => join(folder, `image-${files++}`);

function write(store: BlockStore, offset: number, bytes: Uint8Array): number {
  const at = store.stage(offset, bytes.length);
  memory.u8.set(bytes, at);
  return store.commit(offset, bytes.length);
}

const read = (store: BlockStore, offset: number, length: number): Uint8Array => {
  const at = store.load(offset, length);
  return memory.u8.slice(at, at + length);
};

describe('an image', () => {
  test('that does not exist is made, as one hole that reads as zeroes', () => {
    const path = newPath();
    const store = openStore(path, 64 * MIB, memory);
    expect([store.bytes, statSync(path).size]).toEqual([64 * MIB, 64 * MIB]);
    expect(statSync(path).blocks).toBeLessThan(64);
    expect(read(store, 63 * MIB, 4096)).toEqual(new Uint8Array(4096));
  });

  test('keeps what is written, and shows it to the next one who opens it', () => {
    const path = newPath();
    const store = openStore(path, 4 * MIB, memory);
    const bytes = Uint8Array.from({ length: 8192 }, (_, index) => index * 7);
    expect(write(store, 3 * MIB - 4096 * 2, bytes)).toBe(STORE_OK);
    expect(store.flush()).toBe(STORE_OK);
    expect(new Uint8Array(readFileSync(path).subarray(3 * MIB - 8192, 3 * MIB))).toEqual(bytes);
    expect(read(openStore(path, 4 * MIB, memory), 3 * MIB - 8192, 8192)).toEqual(bytes);
  });

  test('reads as zeroes where it was discarded, and nowhere else', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(4 * MIB, 0xaa));
    const store = openStore(path, 4 * MIB, memory);
    expect(store.discard(512, 2.5 * MIB)).toBe(STORE_OK);
    const file = readFileSync(path);
    const end = 512 + 2.5 * MIB;
    expect([file[511], file[512], file[end - 1], file[end]]).toEqual([0xaa, 0, 0, 0xaa]);
    expect(file.subarray(512, end).every((byte) => byte === 0)).toBe(true);
  });

  test('that may only be read serves reads and refuses writes with a sentence', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(MIB, 0x55));
    const store = openStore(path, MIB, memory, true);
    expect(read(store, 0, 512)).toEqual(new Uint8Array(512).fill(0x55));
    expect(write(store, 0, new Uint8Array(512))).toBe(STORE_FAILED);
    expect(store.failure).toBe(`cannot write ${path}: the file could only be opened for reading`);
    expect(readFileSync(path)[0]).toBe(0x55);
  });

  test('behind a closed descriptor fails in every operation with its path', () => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(MIB));
    const fd = openSync(path, 'r+');
    const store = new FileStore(fd, path, MIB, false, memory, memory.reserve(FileStore.WINDOW));
    closeSync(fd);
    for (const [verb, result] of [
      ['read', () => store.load(0, 512)],
      ['write', () => store.commit(0, 512)],
      ['flush', () => store.flush()],
    ] as const) {
      expect(result()).toBe(STORE_FAILED);
      expect(store.failure).toContain(`cannot ${verb} ${path}: EBADF`);
    }
  });

  test.each([
    ['a folder', () => folder],
    ['a path into nowhere', () => join(folder, 'no', 'such', 'folder')],
  ])('cannot be %s', (_, path) => {
    expect(() => openStore(path(), MIB, memory)).toThrow(/^cannot open image .*: (EISDIR|ENOENT)/);
  });

  test('needs a window in device memory', () => {
    expect(() => openStore(newPath(), MIB, new Memory(MIB, 65_536))).toThrow(
      'no device memory left for a window of 1MiB',
    );
  });
});

describe('saved state', () => {
  const BYTES = 3 * MIB + 8192;
  const opened = (path: string, readOnly = false) => openStore(path, BYTES, memory, readOnly);
  const filled = (byte: number): string => {
    const path = newPath();
    writeFileSync(path, Buffer.alloc(BYTES, byte));
    return path;
  };
  const saved = (...stores: BlockStore[]): Uint8Array => {
    const archive = Archive.save();
    for (const store of stores) store.archive(archive);
    return archive.finish();
  };
  /** Loads everything and returns which files have lost data. */
  const load = (bytes: Uint8Array, ...stores: BlockStore[]): readonly string[] => {
    const archive = Archive.load(bytes);
    for (const store of stores) store.archive(archive);
    const { losses } = archive;
    archive.complete();
    return losses;
  };

  test('has what an image holds, and gives that back to it, whatever was written since', () => {
    const path = newPath();
    const store = opened(path);
    write(store, MIB - 512, new Uint8Array(512).fill(0x11));
    write(store, BYTES - 512, new Uint8Array(512).fill(0x22));
    const before = readFileSync(path);
    const bytes = saved(store);
    expect(bytes.length).toBeLessThan(3 * 4096);
    write(store, MIB - 512, new Uint8Array(512).fill(0x33));
    write(store, 2 * MIB, new Uint8Array(4096).fill(0x44));
    expect(load(bytes, store)).toEqual([path]);
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
    const other = filled(0x77);
    expect(load(bytes, opened(other))).toEqual([other]);
    expect(Buffer.compare(readFileSync(other), before)).toBe(0);
    expect(load(bytes, opened(path, true))).toEqual([]);
    const blank = newPath();
    expect(load(bytes, opened(blank))).toEqual([]);
    expect(Buffer.compare(readFileSync(blank), before)).toBe(0);
  });

  test('of an empty image empties it', () => {
    const path = newPath();
    const store = opened(path);
    const bytes = saved(store);
    write(store, MIB, new Uint8Array(512).fill(0x33));
    load(bytes, store);
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
  });

  test.each<[string, (bytes: Uint8Array, first: BlockStore, second: string) => void, RegExp]>([
    [
      'another may only be read',
      (bytes, first, second) => load(bytes, first, opened(second, true)),
      /may only be read, and holds other data than when the run was saved$/,
    ],
    [
      'another has another size',
      (bytes, first) => load(bytes, first, openStore(newPath(), MIB, memory)),
      /the size of \S+ is 3153920 there and 1048576 here$/,
    ],
    ['there is more', (bytes, first) => load(bytes, first), /\d+ bytes are left/],
  ])('changes no image when %s', (_, attempt, sentence) => {
    const [one, two] = [filled(1), filled(2)];
    const first = opened(one);
    const bytes = saved(first, opened(two));
    for (const path of [one, two]) writeFileSync(path, Buffer.alloc(BYTES, 9));
    expect(() => attempt(bytes, first, two)).toThrow(sentence);
    for (const path of [one, two]) expect(readFileSync(path).every((byte) => byte === 9)).toBe(true);
  });

  test('that the host does not take says what that leaves', () => {
    const path = filled(1);
    const fd = openSync(path, 'r');
    const store = new FileStore(fd, path, BYTES, false, memory, memory.reserve(FileStore.WINDOW));
    const bytes = saved(store);
    writeFileSync(path, Buffer.alloc(BYTES, 9));
    expect(() => load(bytes, store)).toThrow(
      new ArchiveError(
        `cannot write ${path}: EBADF: bad file descriptor, write; only a part of it was put back`,
      ),
    );
  });
});

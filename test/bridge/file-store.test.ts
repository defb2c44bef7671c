/** Images: what is written is in the file, what the host refuses is a failure with a sentence, never an exception. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { FileStore } from '../../bridge/file-store.ts';
import { openStore } from '../../bridge/host.ts';
import { Memory } from '../../machine/memory.ts';
import { type BlockStore, STORE_FAILED, STORE_OK } from '../../nvme/block-store.ts';
import { Archive } from '../../support/archive.ts';
import { MIB } from '../../support/numbers.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-store-'));
afterAll(() => rmSync(folder, { recursive: true }));
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

  test('is saved with what it holds, and gets that back, whatever was written since', () => {
    const path = newPath();
    const store = openStore(path, 3 * MIB + 8192, memory);
    write(store, MIB - 512, new Uint8Array(512).fill(0x11));
    write(store, 3 * MIB + 8192 - 512, new Uint8Array(512).fill(0x22));
    const before = readFileSync(path);
    const archive = Archive.save();
    store.archive(archive);
    const bytes = archive.finish();
    expect(bytes.length).toBeLessThan(3 * 4096);
    write(store, MIB - 512, new Uint8Array(512).fill(0x33));
    write(store, 2 * MIB, new Uint8Array(4096).fill(0x44));
    store.archive(Archive.load(bytes));
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
    const other = newPath();
    openStore(other, 3 * MIB + 8192, memory).archive(Archive.load(bytes));
    expect(Buffer.compare(readFileSync(other), before)).toBe(0);
    expect(() => openStore(newPath(), MIB, memory).archive(Archive.load(bytes))).toThrow(
      /the size of \S+ is 3153920 there and 1048576 here$/,
    );
    expect(() => openStore(path, 3 * MIB + 8192, memory, true).archive(Archive.load(bytes))).not.toThrow();
    write(store, 0, new Uint8Array(512).fill(0x55));
    expect(() => openStore(path, 3 * MIB + 8192, memory, true).archive(Archive.load(bytes))).toThrow(
      /may only be read, and holds other data than when the run was saved$/,
    );
  });

  test('that was empty when it was saved is empty again', () => {
    const path = newPath();
    const store = openStore(path, 2 * MIB, memory);
    const archive = Archive.save();
    store.archive(archive);
    write(store, MIB, new Uint8Array(512).fill(0x33));
    store.archive(Archive.load(archive.finish()));
    expect(readFileSync(path).every((byte) => byte === 0)).toBe(true);
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

/** The ext4 image: both ways of making it give a file system that e2fsck calls clean and whose superblock we decode. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  EXT4_BYTES,
  EXT4_LABEL,
  makeExt4Image,
  mke2fsVersion,
  unpackExt4Image,
} from '../../bridge/ext4-image.ts';
import { readSuperblock } from '../../cli/ext4.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-image-'));
afterAll(() => rmSync(folder, { recursive: true }));

const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const tool = (name: string, ...arguments_: string[]) =>
  spawnSync(name, arguments_, { env: environment, encoding: 'utf8' });
const hasTools = mke2fsVersion() !== null && tool('debugfs', '-V').status === 0;

describe.each([
  ['made by mke2fs', !hasTools, makeExt4Image],
  ['unpacked', false, unpackExt4Image],
] as const)('image %s', (name, isMissing, make) => {
  const path = join(folder, name);

  describe.skipIf(isMissing)('as a file', () => {
    beforeAll(() => void make(path));

    test('has its size, and holes', () => {
      expect(statSync(path).size).toBe(EXT4_BYTES);
      expect(statSync(path).blocks * 512).toBeLessThan(EXT4_BYTES / 2);
    });

    test('has a superblock with label, UUID and size', () => {
      expect(readSuperblock(readFileSync(path))).toMatchObject({
        label: EXT4_LABEL,
        uuid: 'd007be11-0000-4000-8000-00000000f105',
        isClean: true,
      });
      const { blocks, blockSize } = readSuperblock(readFileSync(path))!;
      expect(blocks * blockSize).toBe(EXT4_BYTES);
    });

    test.skipIf(!hasTools)('is clean, and its files are there', () => {
      expect(tool('e2fsck', '-fn', path).status).toBe(0);
      expect(tool('debugfs', '-R', 'cat /etc/hostname', path).stdout).toBe('doorbell\n');
    });
  });
});

test('what is no file system has no superblock', () =>
  expect(readSuperblock(new Uint8Array(2048))).toBeNull());

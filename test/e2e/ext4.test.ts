/** A real file system on a namespace: read through every layer it is the file, byte for byte, and so it stays. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boot, type Pace } from '../../boards/index.ts';
import { EXT4_BYTES, makeExt4Image, mke2fsVersion, unpackExt4Image } from '../../bridge/ext4-image.ts';
import { openStore } from '../../bridge/host.ts';
import { readSuperblock } from '../../cli/ext4.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { MIB } from '../../support/numbers.ts';
import { isSame } from '../compare.ts';
import { pcWith } from './rig.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-ext4-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MADE = 'made by mke2fs';
const images = { [MADE]: makeExt4Image, 'unpacked from scenarios/': unpackExt4Image } as const;

describe.each(Object.entries(images))('an image %s', (origin, make) => {
  const path = join(folder, origin.replace(/\W/g, '-'));
  const isMissing = origin === MADE && mke2fsVersion() === null;
  beforeAll(() => void make(path));

  test.for<Pace>(['timed', 'functional'])('equals its file at the %s pace', async (pace, { skip }) => {
    if (isMissing) skip('this host has no mke2fs; the unpacked image is read instead');
    const board = pcWith({ namespaces: [{ size: EXT4_BYTES, image: path }] });
    const { kernel } = boot(board, { pace, openStore });
    const driver = await NvmeDriver.open(kernel, { interrupts: pace === 'timed' });
    const disk = driver.namespace(1);
    expect(disk.bytes).toBe(EXT4_BYTES);
    const file = readFileSync(path);
    const step = (4 * MIB) / disk.blockSize;
    for (let lba = 0; lba < disk.blocks; lba += step) {
      const at = lba * disk.blockSize;
      const read = await disk.read(lba, step);
      expect(isSame(read, file.subarray(at, at + read.length)), `bytes from ${at} on`).toBe(true);
    }
    expect(readSuperblock(await disk.read(0, 4))).toMatchObject({ label: 'first-light', isClean: true });
    await driver.close();
    expect(isSame(readFileSync(path), file), 'reading changed nothing').toBe(true);
  });
});

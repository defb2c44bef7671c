/**
 * A namespace on a file outlives the process that wrote it, which is a real one, killed without a farewell. Flush is
 * fdatasync of the file: the calls that the host gets are counted.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import { boot } from '../../boards/index.ts';
import { openStore } from '../../bridge/host.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { MIB } from '../../support/numbers.ts';
import { moduleOf, runModule } from '../built.ts';
import { isSame } from '../compare.ts';
import { pattern, pcWith } from './rig.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'doorbell-keep-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const BYTES = 4 * MIB;
const LBA = 4099;
const data = pattern(300 * 512);

const boardOn = (image: string) => pcWith({ namespaces: [{ size: BYTES, image }] });

async function open(image: string): Promise<NvmeDriver> {
  return NvmeDriver.open(boot(boardOn(image), { pace: 'functional', openStore }).kernel);
}

/** Given a board, a block and a file with data: writes them there, flushes, says so, and kills itself. */
const WRITER = `
  import { readFileSync, writeSync } from 'node:fs';
  import { boot } from '${moduleOf('boards/index')}';
  import { openStore } from '${moduleOf('bridge/host')}';
  import { NvmeDriver } from '${moduleOf('drivers/nvme/index')}';
  const [, board, lba, data] = process.argv;
  const driver = await NvmeDriver.open(boot(JSON.parse(board), { openStore }).kernel);
  const disk = driver.namespace(1);
  await disk.write(Number(lba), readFileSync(data));
  await disk.flush();
  writeSync(1, 'flushed\\n');
  process.kill(process.pid, 'SIGKILL');
`;

describe('a namespace on a file', () => {
  test('keeps what a killed process wrote and flushed', async () => {
    const image = join(folder, 'killed.img');
    const blocks = join(folder, 'blocks');
    fs.writeFileSync(blocks, data);
    const { stdout, stderr, signal } = runModule(WRITER, JSON.stringify(boardOn(image)), String(LBA), blocks);
    expect([stdout, stderr, signal]).toEqual(['flushed\n', '', 'SIGKILL']);
    expect(fs.statSync(image).size).toBe(BYTES);
    const driver = await open(image);
    expect(isSame(await driver.namespace(1).read(LBA, 300), data)).toBe(true);
    expect(isSame(await driver.namespace(1).read(LBA - 1, 1), new Uint8Array(512))).toBe(true);
    await driver.close();
  });

  test('keeps it through shutdown and reopening by another machine', async () => {
    const image = join(folder, 'reopened.img');
    for (const round of [1, 2, 3]) {
      const driver = await open(image);
      const disk = driver.namespace(1);
      if (round > 1) expect(isSame(await disk.read(0, 8), pattern(4096, round - 1))).toBe(true);
      await disk.write(0, pattern(4096, round));
      await driver.close();
    }
  });
});

describe('fdatasync', () => {
  let synced: MockInstance<typeof fs.fdatasyncSync>;
  beforeEach(() => {
    synced = vi.spyOn(fs, 'fdatasyncSync');
    syncBuiltinESMExports(); // so that `import { fdatasyncSync }` is the spy too
  });
  afterEach(() => {
    synced.mockRestore();
    syncBuiltinESMExports();
  });

  test('is what Flush, Force Unit Access and a shutdown mean, and a plain write does not', async () => {
    const driver = await open(join(folder, 'synced.img'));
    const disk = driver.namespace(1);
    await disk.write(0, data);
    expect(synced).toHaveBeenCalledTimes(0);
    await disk.flush();
    expect(synced).toHaveBeenCalledTimes(1);
    await disk.write(0, data.subarray(0, 512), { fua: true });
    expect(synced).toHaveBeenCalledTimes(2);
    await disk.write(8, data);
    await driver.close();
    expect(synced).toHaveBeenCalledTimes(3);
  });

  test('that fails is a Flush that fails', async () => {
    const driver = await open(join(folder, 'full.img'));
    synced.mockImplementationOnce(() => {
      throw new Error('EIO: i/o error, fdatasync');
    });
    await expect(driver.namespace(1).flush()).rejects.toThrow(/^Flush .* failed with WRITE_FAULT/);
    await driver.close();
  });
});

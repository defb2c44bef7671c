/**
 * A real ext4 file system in a file: made with mke2fs where there is one, elsewhere unpacked from the one that
 * mke2fs 1.47.0 made and scenarios/ keeps. Both have the same size, label, UUID and files.
 * Not here: reading it (cli/ext4.ts decodes the superblock). The packed image is `zlib.brotliCompressSync` of a made one.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { MIB } from '../support/numbers.ts';
import { packageFile } from './package-file.ts';

export const EXT4_BYTES = 64 * MIB;
export const EXT4_LABEL = 'first-light';
const UUID = 'd007be11-0000-4000-8000-00000000f105';
const PACKED = 'scenarios/first-light.ext4.br';
/** Debian keeps mke2fs where only root looks. */
const SEARCH_PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
/** Granularity of holes when unpacking. */
const HOLE = 65_536;

const FILES: Readonly<Record<string, string>> = {
  'README.txt': 'This file system was read through an emulated NVMe controller, an IOMMU and a PCIe link.\n',
  'etc/hostname': 'doorbell\n',
  'data/squares.txt': Array.from({ length: 1000 }, (_, n) => `${n} ${n * n}\n`).join(''),
};

export interface Ext4Image {
  /** Where it came from, for people: `mke2fs 1.47.0` or `the packed image`. */
  readonly origin: string;
}

/** Writes the image to `path`, over what was there. Throws when the host cannot. */
export function makeExt4Image(path: string): Ext4Image {
  mkdirSync(dirname(path), { recursive: true });
  const version = mke2fsVersion();
  if (version !== null && runMke2fs(path)) return { origin: `mke2fs ${version}` };
  unpackExt4Image(path);
  return { origin: 'the packed image' };
}

const run = (arguments_: readonly string[]) =>
  spawnSync('mke2fs', arguments_, { env: { ...process.env, PATH: SEARCH_PATH }, encoding: 'utf8' });

/** Version of the mke2fs of this host, or null when it has none. */
export function mke2fsVersion(): string | null {
  return /^mke2fs (\S+)/m.exec(run(['-V']).stderr ?? '')?.[1] ?? null;
}

function runMke2fs(path: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-ext4-'));
  try {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    rmSync(path, { force: true });
    const options = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-L', EXT4_LABEL, '-U', UUID, '-d', folder];
    return run([...options, path, `${EXT4_BYTES / 1024}k`]).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Unpacks the image that comes with the package; pages of zeroes become holes. */
export function unpackExt4Image(path: string): void {
  const image = brotliDecompressSync(readFileSync(packageFile(PACKED)));
  const zeroes = Buffer.alloc(HOLE);
  const fd = openSync(path, 'w');
  try {
    for (let at = 0; at < image.length; at += HOLE) {
      const page = image.subarray(at, at + HOLE);
      if (zeroes.compare(page, 0, page.length, 0, page.length) !== 0) writeSync(fd, page, 0, page.length, at);
    }
    ftruncateSync(fd, image.length);
  } finally {
    closeSync(fd);
  }
}

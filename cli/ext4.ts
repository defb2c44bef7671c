/**
 * The superblock of an ext2, ext3 or ext4 file system. Linux Documentation/filesystems/ext4, "The Super Block".
 * Not here: groups, inodes and files.
 */
import { layout } from '../support/layout.ts';

/** Where the superblock is in the file system, and how much of it is read here. */
export const SUPERBLOCK_OFFSET = 1024;
const MAGIC = 0xef53;

const SUPERBLOCK = layout(
  {
    s_inodes_count: 'u32',
    s_blocks_count_lo: 'u32',
    s_r_blocks_count_lo: 'u32',
    s_free_blocks_count_lo: 'u32',
    s_free_inodes_count: 'u32',
    s_first_data_block: 'u32',
    s_log_block_size: 'u32',
    reserved_1c: 28,
    s_magic: 'u16',
    s_state: 'u16',
    reserved_3c: 36,
    s_feature_incompat: 'u32',
    reserved_64: 4,
    s_uuid: 16,
    s_volume_name: 16,
    reserved_88: 200,
    s_blocks_count_hi: 'u32',
    reserved_154: 684,
  },
  1024,
);
/** s_feature_incompat: block numbers have 64 bits. */
const INCOMPAT_64BIT = 0x80;

export interface Superblock {
  readonly label: string;
  readonly uuid: string;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly blockSize: number;
  readonly inodes: number;
  /** Unmounted properly, or never mounted. */
  readonly isClean: boolean;
}

/** Decodes the superblock in `bytes`, the first 2048 or more of a file system. Returns null when there is none. */
export function readSuperblock(bytes: Uint8Array): Superblock | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + SUPERBLOCK_OFFSET, SUPERBLOCK.SIZE);
  const word = <Name extends keyof typeof SUPERBLOCK & `s_${string}`>(name: Name) =>
    Number(SUPERBLOCK.get(view, 0, name));
  if (word('s_magic') !== MAGIC) return null;
  const digits = [...SUPERBLOCK.get(view, 0, 's_uuid')]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  const high = (word('s_feature_incompat') & INCOMPAT_64BIT) === 0 ? 0 : word('s_blocks_count_hi');
  return {
    label: new TextDecoder().decode(SUPERBLOCK.get(view, 0, 's_volume_name')).replace(/\0.*$/s, ''),
    uuid: digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    blocks: high * 2 ** 32 + word('s_blocks_count_lo'),
    freeBlocks: word('s_free_blocks_count_lo'),
    blockSize: 1024 << word('s_log_block_size'),
    inodes: word('s_inodes_count'),
    isClean: (word('s_state') & 1) === 1,
  };
}

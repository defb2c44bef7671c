/**
 * Where the blocks of a namespace live, as the controller sees it: byte ranges moved to and from device-local memory.
 * Implementations: SparseStore (memory, below) in nvme/sparse-store.ts, FileStore in bridge/file-store.ts.
 * Not here: what media costs (media.ts), block sizes and limits (namespace.ts).
 */
import type { Archive } from '../support/archive.ts';

/** Moving bytes worked. */
export const STORE_OK = 0;
/** The host could not read or write the medium; the controller reports a media error. */
export const STORE_FAILED = -1;

export interface BlockStore {
  /** Size in bytes. */
  readonly bytes: number;
  /** What happened when a call returned STORE_FAILED, for the error log; empty otherwise. */
  readonly failure: string;
  /**
   * Makes `length` bytes at `offset` readable in device-local memory and returns their offset there, or STORE_FAILED.
   * The bytes may be the medium itself and are valid until the next call on this store.
   */
  load(offset: number, length: number): number;
  /**
   * Returns the offset in device-local memory where `length` bytes for `offset` are to be put, or STORE_FAILED;
   * `commit` then makes them part of the medium.
   */
  stage(offset: number, length: number): number;
  commit(offset: number, length: number): number;
  /** No load or stage may cross a multiple of this many bytes (a power of two). */
  readonly run: number;
  /** Makes every committed byte survive a loss of power. */
  flush(): number;
  /** Forgets `length` bytes at `offset`; they read as zeroes. */
  discard(offset: number, length: number): number;
  /** Saves or loads where the blocks are, and the blocks themselves where they are not in the machine's memory. */
  archive(a: Archive): void;
}

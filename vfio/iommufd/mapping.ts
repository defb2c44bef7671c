/**
 * Mapping and unmapping as both families of requests ask for it: iommufd's own and those of a container. Checks of the
 * user's range that come before the IOAS is asked (linux-abi §4.4, §4.7).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import { EINVAL, EOVERFLOW } from '../uapi/errno.ts';
import { U64_MAX } from '../uapi/iommufd.ts';
import type { Access } from './area.ts';
import type { Ioas } from './ioas.ts';
import type { ContextState } from './state.ts';
import { type PinSource, UserPages } from './user-pages.ts';

const LENGTH_MAX = U64_MAX - BigInt(PAGE_SIZE);

export interface UserRange {
  /** In the caller's memory, or in a file. */
  readonly address: bigint;
  readonly length: bigint;
  /** Where the device shall see it; null lets the IOAS choose. */
  readonly fixed: bigint | null;
  readonly access: Access;
  readonly source: PinSource;
}

/** Maps memory of the caller or of a file. Returns the IOVA, or -EINVAL, -EOVERFLOW, or what `Ioas.map` says. */
export function mapUser(state: ContextState, ioas: Ioas, range: UserRange): bigint | number {
  const { address, length, fixed, access, source } = range;
  if (length === 0n || length > LENGTH_MAX) return -EINVAL;
  if (address + length > U64_MAX) return -EOVERFLOW;
  const pages = new UserPages(state.host.process, source, address, access.writable, state.accounting);
  return ioas.map([{ pages, startByte: pages.offset, length }], fixed, access);
}

/** Unmaps the areas in a range of which nothing may be mapped at all. -EINVAL or -EOVERFLOW for a bad range. */
export function unmapRange(ioas: Ioas, iova: bigint, length: bigint): { result: number; bytes: bigint } {
  if (length === 0n) return { result: -EINVAL, bytes: 0n };
  const last = iova + length - 1n;
  return last > U64_MAX ? { result: -EOVERFLOW, bytes: 0n } : ioas.unmap(iova, last);
}

/**
 * What the IOMMU would read from memory for one address, entry by entry, decoded (VT-d 4.1 §3.4, §3.7, §9).
 * Reads RAM and changes nothing: no cache is asked or filled.
 */
import {
  CONTEXT,
  CONTEXT_DOMAIN,
  CONTEXT_ENTRY_BYTES,
  LEAF_BYTES,
  levelsOfWidth,
  PAGE_ENTRY_BYTES,
  PTE,
  ROOT,
  ROOT_ENTRY_BYTES,
  TABLE_ENTRIES,
} from '../../iommu/spec/structures.ts';
import type { Memory } from '../../machine/memory.ts';
import { hex, u64 } from '../../support/numbers.ts';

const HIGH = 0xf_ffff;

/** One line for each entry that is read, and a last one with the result. `root` is the root table's address. */
export function pageWalk(memory: Memory, root: number, sid: number, iova: number): Record<string, string> {
  const walk: Record<string, string> = {};
  const word = (address: number): number => memory.u32[address >>> 2]!;
  const pair = (address: number): string => `${hex(address)}: ${hex(u64(word(address), word(address + 4)))}`;

  const rootAt = root + (sid >>> 8) * ROOT_ENTRY_BYTES;
  if (ROOT.P.get(word(rootAt)) === 0) return { root: `${pair(rootAt)}  not present` };
  const contexts = u64(word(rootAt) & ROOT.CTP.mask, word(rootAt + 4));
  walk.root = `${pair(rootAt)}  context table ${hex(contexts)}`;

  const contextAt = contexts + (sid & 0xff) * CONTEXT_ENTRY_BYTES;
  if (CONTEXT.P.get(word(contextAt)) === 0) return { ...walk, context: `${pair(contextAt)}  not present` };
  const domain = word(contextAt + 8);
  const levels = levelsOfWidth(CONTEXT_DOMAIN.AW.get(domain));
  let table = u64(word(contextAt) & CONTEXT.SSPTPTR.mask, word(contextAt + 4) & HIGH);
  walk.context = `${pair(contextAt)}  domain ${CONTEXT_DOMAIN.DID.get(domain)}, ${levels} levels from ${hex(table)}`;

  for (let level = levels; level >= 1; level--) {
    const span = 2 ** (12 + 9 * (level - 1));
    const index = Math.floor(iova / span) % TABLE_ENTRIES;
    const at = table + index * PAGE_ENTRY_BYTES;
    const low = word(at);
    const access = `${PTE.R.get(low) === 1 ? 'r' : '-'}${PTE.W.get(low) === 1 ? 'w' : '-'}`;
    const name = `level ${level}`;
    if (access === '--') return { ...walk, [name]: `${pair(at)}  index ${index}: not present` };
    const next = u64(low & PTE.ADDR.mask, word(at + 4) & HIGH);
    const isLeaf = level === 1 || PTE.PS.get(low) === 1;
    walk[name] = `${pair(at)}  index ${index}: ${access} ${isLeaf ? 'page' : 'table'} ${hex(next)}`;
    if (!isLeaf) {
      table = next;
      continue;
    }
    const bytes = LEAF_BYTES[level]!;
    walk.result = `${hex(iova)} is physical ${hex(next + (iova % bytes))}, in a leaf of ${hex(bytes)} bytes`;
    return walk;
  }
  return walk;
}

/**
 * From the description of a namespace in a board to what makes it: its metadata and its zones, and whether they can be.
 * Not here: the store of its blocks (boot.ts), shapes of single keys (shapes.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { checkMetadata, type MetadataFormat, PROTECTION } from '../nvme/io/metadata.ts';
import { checkGeometry, type NamespaceOptions } from '../nvme/namespace.ts';
import { SparseStore } from '../nvme/sparse-store.ts';
import { checkZones, type ZoneOptions, Zones } from '../nvme/zones/zones.ts';
import { formatSize } from '../support/numbers.ts';
import type { NamespaceBoard } from './board.ts';
import { bytesOf } from './shapes.ts';

const BLOCK_BYTES = 512;
/** More than this has chunks that no media could hold (nvme/sparse-store.ts). */
const LARGEST_IN_MEMORY = 2 ** 44;

/** What a namespace is besides its number, place and blocks. */
export function namespaceOptions(
  board: NamespaceBoard,
  memory: Memory,
): Omit<NamespaceOptions, 'nsid' | 'store'> {
  const zones = zonesOf(board);
  return {
    block_bytes: board.block_bytes ?? BLOCK_BYTES,
    readOnly: board.readOnly ?? false,
    tracksBlocks: board.tracksBlocks ?? false,
    ...(board.eui64 === undefined ? {} : { eui64: board.eui64 }),
    ...(board.metadata === undefined ? {} : { metadata: metadataOf(board, memory) }),
    ...(zones === null ? {} : { zones: new Zones(zones) }),
  };
}

function metadataOf(
  { size, block_bytes = BLOCK_BYTES, metadata }: NamespaceBoard,
  memory: Memory,
): MetadataFormat {
  const { bytes, isExtended = false, protection = PROTECTION.NONE, isFirst = false, guard_bits } = metadata!;
  const store = new SparseStore(memory, (bytesOf(size) / block_bytes) * bytes);
  return { bytes, isExtended, protection, isFirst, guard_bits: guard_bits === 64 ? 64 : 16, store };
}

function zonesOf({ size, zones }: NamespaceBoard): ZoneOptions | null {
  if (zones === undefined) return null;
  const { zone, capacity, ...rest } = zones;
  const capacity_bytes = bytesOf(capacity ?? zone);
  return { ...rest, bytes: bytesOf(size), zone_bytes: bytesOf(zone), capacity_bytes };
}

/** One sentence naming what no namespace can be, or null. */
export function checkNamespace(board: NamespaceBoard): string | null {
  const { size, block_bytes = BLOCK_BYTES, image, metadata } = board;
  const bytes = bytesOf(size);
  if (image === undefined && bytes > LARGEST_IN_MEMORY)
    return `${formatSize(bytes)} are too many to keep in memory; ${formatSize(LARGEST_IN_MEMORY)} is the most`;
  const geometry = checkGeometry(bytes, block_bytes);
  if (geometry !== null) return geometry;
  const zones = zonesOf(board);
  if (image !== undefined && (metadata !== undefined || zones !== null))
    return 'an image keeps blocks alone: a namespace with metadata or zones is kept in memory';
  const misfit = zones === null ? null : checkZones(zones, block_bytes);
  if (misfit !== null || metadata === undefined) return misfit;
  return checkMetadata(metadata.bytes, metadata.guard_bits ?? 16, block_bytes);
}

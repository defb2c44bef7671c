/** Identify data of the Zoned Namespace Command Set: CNS 05h and 06h with CSI 2 (NVMe ZNS 1.2 §4.1.5). */
import type { LbaFormat } from '../lba-format.ts';
import { IDENTIFY_ZONED_NAMESPACE, OZCS, ZONE_EXTENSION_UNIT, ZONED_FORMAT } from '../spec/zones.ts';
import type { Zones } from './zones.ts';

/** MAR and MOR are 0's based; no limit is FFFFFFFFh. */
const limit = (zones = 0): number => (zones - 1) >>> 0;

/** Fills the structure at byte `at` of `view`, which is zeroed: limits, and the zones of every format that can have them. */
export function writeZonedNamespace(
  view: DataView,
  at: number,
  zones: Zones,
  formats: readonly LbaFormat[],
): void {
  const { maxActive, maxOpen, readsAcross, extension_bytes = 0, zone_bytes } = zones.options;
  IDENTIFY_ZONED_NAMESPACE.set(view, at, 'OZCS', OZCS.encode({ READ_ACROSS: readsAcross === true ? 1 : 0 }));
  IDENTIFY_ZONED_NAMESPACE.set(view, at, 'MAR', limit(maxActive));
  IDENTIFY_ZONED_NAMESPACE.set(view, at, 'MOR', limit(maxOpen));
  formats.forEach(({ block_bytes }, index) => {
    if (!zones.fits(block_bytes)) return;
    const entry = at + IDENTIFY_ZONED_NAMESPACE.LBAFE + index * ZONED_FORMAT.SIZE;
    ZONED_FORMAT.set(view, entry, 'ZSZE', zone_bytes / block_bytes);
    ZONED_FORMAT.set(view, entry, 'ZDES', extension_bytes / ZONE_EXTENSION_UNIT);
  });
}

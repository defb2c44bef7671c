/** What a report of zones is made of: which zones a host asks for, and their descriptors (NVMe ZNS 1.2 §3.4.2). */
import { ZONE, ZONE_ATTRIBUTES, ZONE_DESCRIPTOR, ZONE_STATE, ZONE_TYPE_SEQUENTIAL } from '../spec/zones.ts';
import type { Zones } from './zones.ts';

/** States without a write pointer, whose field is all ones. */
const WITHOUT_POINTER: readonly number[] = [ZONE.FULL, ZONE.READ_ONLY, ZONE.OFFLINE];
const NO_POINTER = 0xffff_ffff_ffff_ffffn;

const only = (wanted: number) => (state: number) => state === wanted;

/** By ZRASF, which states are listed. No zone has attributes that ask for attention, the last one. */
export const matches: ReadonlyMap<number, (state: number) => boolean> = new Map([
  [0, () => true],
  [1, only(ZONE.EMPTY)],
  [2, only(ZONE.IMPLICITLY_OPEN)],
  [3, only(ZONE.EXPLICITLY_OPEN)],
  [4, only(ZONE.CLOSED)],
  [5, only(ZONE.FULL)],
  [6, only(ZONE.READ_ONLY)],
  [7, only(ZONE.OFFLINE)],
  [9, () => false],
]);

/** Writes the descriptor of a zone at byte `at` of `view`, which is zeroed. */
export function writeDescriptor(view: DataView, at: number, zones: Zones, zone: number): void {
  const state = zones.state(zone);
  const isExtended = zones.extension(zone) !== undefined;
  ZONE_DESCRIPTOR.set(view, at, 'TYPE', ZONE_TYPE_SEQUENTIAL);
  ZONE_DESCRIPTOR.set(view, at, 'STATE', ZONE_STATE.encode({ ZS: state }));
  ZONE_DESCRIPTOR.set(
    view,
    at,
    'ATTRIBUTES',
    ZONE_ATTRIBUTES.encode({ EXTENSION_VALID: isExtended ? 1 : 0 }),
  );
  ZONE_DESCRIPTOR.set(view, at, 'ZCAP', zones.capacity);
  ZONE_DESCRIPTOR.set(view, at, 'ZSLBA', zones.start(zone));
  ZONE_DESCRIPTOR.set(
    view,
    at,
    'WP',
    WITHOUT_POINTER.includes(state) ? NO_POINTER : BigInt(zones.pointer(zone)),
  );
}

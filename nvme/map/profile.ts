/**
 * What a controller keeps of its mapping table, which says where on the medium each 4 KiB unit is: plain data inside a
 * controller's profile. The table itself is on the medium. Not here: the cache (cache.ts), host memory (host-map.ts).
 */

/** The map's pages: four bytes for each unit. */
export const MAP_PAGE_BYTES = 4096;
export const UNITS_PER_PAGE = MAP_PAGE_BYTES / 4;
/** Bytes of the medium that one page of the map describes: 4 MiB. */
export const MAPPED_BYTES = UNITS_PER_PAGE * 4096;

/** A controller without memory of its own for the whole map. */
export interface MapProfile {
  /** Pages of the map that the controller has room for; it reads others from the medium, or from host memory. */
  readonly cachedPages: number;
}

/** Where pages of the map were found. */
export interface Lookups {
  controller: number;
  host: number;
  medium: number;
}

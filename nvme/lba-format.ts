/**
 * What a namespace can be formatted with: sizes of a block and of its metadata, and the width of the guard that may
 * protect it (NVM Command Set 1.1 §4.1.5.1). Not here: where metadata live and how hosts send them (io/metadata.ts).
 */
export interface LbaFormat {
  readonly block_bytes: number;
  /** Metadata of a block (MS); 0: none. */
  readonly metadata_bytes: number;
  /** Protection information in these metadata has a guard of so many bits. */
  readonly guard_bits: 16 | 64;
}

/** A format without metadata. */
export const plainFormat = (block_bytes: number): LbaFormat => ({
  block_bytes,
  metadata_bytes: 0,
  guard_bits: 16,
});

/** Formats that a host must ask for before it may use them (Host Behavior Support, LBAFEE). */
export const isExtendedFormat = (format: LbaFormat): boolean => format.guard_bits !== 16;

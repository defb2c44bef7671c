/**
 * How long a medium takes, as plain data of two kinds: units that are all alike (3D XPoint), and NAND flash with
 * channels, dies, planes, a write buffer and garbage collection. Times are nanoseconds.
 * Not here: the models (uniform.ts, nand.ts), figures of devices and their sources (boards/devices/).
 */

/** Independent units behind one bus: any unit serves any block, nothing is erased. */
export interface UniformProfile {
  readonly kind: 'uniform';
  /** Units that work at one time; a read or write of up to `stripe_bytes` occupies one of them. */
  readonly channels: number;
  readonly stripe_bytes: number;
  /** From command to data at a unit, and the width of its uniform jitter. */
  readonly read_ns: number;
  readonly write_ns: number;
  readonly jitter_ns: number;
  /** All units share one bus to the controller, which carries so much each way. */
  readonly readBus_bytes_per_ns: number;
  readonly writeBus_bytes_per_ns: number;
  /** Making the volatile write cache durable. */
  readonly flush_ns: number;
  /** How often the whole of it can be written; UNIFORM_ENDURANCE when absent. */
  readonly endurance?: number;
}

/** NAND flash behind a translation layer that maps 4 KiB units. */
export interface NandProfile {
  readonly kind: 'nand';
  readonly channels: number;
  readonly diesPerChannel: number;
  /** Planes of a die read on their own; all of them program and erase together. */
  readonly planesPerDie: number;
  /** Bytes that a plane senses at once, and bytes that a die programs at once. */
  readonly page_bytes: number;
  readonly program_bytes: number;
  /** Sensing 4 KiB or less, and more. Every second page takes `readSpread_ns` more, the others less (LSB and MSB). */
  readonly read4K_ns: number;
  readonly readPage_ns: number;
  readonly readSpread_ns: number;
  /** Width of the uniform jitter of a read. */
  readonly jitter_ns: number;
  readonly program_ns: number;
  /** Erasing a block of `block_bytes` on every plane of a die. */
  readonly erase_ns: number;
  readonly block_bytes: number;
  readonly channel_bytes_per_ns: number;
  /** Firmware on the way of a read of 4 KiB or less, of more, and of a write; the last one per 4 KiB. */
  readonly firmware4K_ns: number;
  readonly firmwareRead_ns: number;
  readonly firmwareWrite_ns: number;
  readonly firmwareWrite4K_ns: number;
  /** Written data wait here until a die has programmed them. */
  readonly buffer_bytes: number;
  /** Flash beyond the capacity, as a share of it. */
  readonly overProvisioning: number;
  /** Flush; where capacitors do not keep the buffer, it also waits for the programs under way. */
  readonly flush_ns: number;
  readonly capacitors: boolean;
  /** How often each block can be erased; NAND_ENDURANCE when absent. */
  readonly endurance?: number;
}

/** 30 drive writes a day for five years (P4800X), and erases of a TLC block. */
export const UNIFORM_ENDURANCE = 30 * 365 * 5;
export const NAND_ENDURANCE = 3000;

/** null: data are there at once. */
export type MediaProfile = UniformProfile | NandProfile | null;

/** What the translation layer maps. */
export const UNIT_BYTES = 4096;

/** One sentence naming the first impossible combination, or null. */
export function checkMedia(profile: MediaProfile): string | null {
  if (profile === null) return null;
  return profile.kind === 'uniform' ? checkUniform(profile) : checkNand(profile);
}

function checkUniform({ jitter_ns, read_ns, write_ns }: UniformProfile): string | null {
  const least = Math.min(read_ns, write_ns);
  if (jitter_ns <= 2 * least) return null;
  return `timing.media.jitter_ns is ${jitter_ns}, wider than twice the ${least} of read_ns or write_ns: time would run back`;
}

function checkNand(profile: NandProfile): string | null {
  const { page_bytes, program_bytes, planesPerDie, read4K_ns, readSpread_ns, jitter_ns } = profile;
  const row_bytes = page_bytes * planesPerDie;
  if (program_bytes % row_bytes !== 0) {
    return (
      `timing.media.program_bytes is ${program_bytes}, not a multiple of the ${row_bytes} that ${planesPerDie} planes ` +
      `of ${page_bytes} bytes hold`
    );
  }
  if (profile.buffer_bytes < 2 * program_bytes) {
    return (
      `timing.media.buffer_bytes is ${profile.buffer_bytes}, too small: one ${program_bytes} byte program fills while ` +
      `another one runs`
    );
  }
  if (readSpread_ns + jitter_ns / 2 <= read4K_ns) return null;
  return (
    `timing.media.readSpread_ns is ${readSpread_ns} and jitter_ns ${jitter_ns}, more than the ${read4K_ns} of ` +
    `read4K_ns: time would run back`
  );
}

/**
 * Limits that are the same for every profile: Identify reports them, and those who keep to them take them from here.
 * Not here: what a profile chooses (profile.ts).
 */

/** Which controller of its subsystem one is, and how many there are. */
export interface SubsystemPlace {
  /** CNTLID. */
  readonly id: number;
  readonly count: number;
}

export const ALONE: SubsystemPlace = { id: 0, count: 1 };
/** CNTLID of a controller that is alone in its subsystem, as one must be that manages namespaces or resources. */
export const CONTROLLER_ID = ALONE.id;
/** Default arbitration burst, log2 of commands. */
export const ARBITRATION_BURST = 6;
/** Unit of PELS, and the largest Persistent Event log. */
export const PERSISTENT_EVENT_UNIT = 65_536;
export const PERSISTENT_EVENT_BYTES = 2 * PERSISTENT_EVENT_UNIT;
/** Firmware images are downloaded in pieces of this many bytes; FWUG counts 4096. */
export const FIRMWARE_GRANULE = 4096;

/**
 * What devices share: parts of their timing that nobody publishes figures of or that are usual for their kind, and the
 * sentences that say so. Not here: what makes a device what it is (its own file).
 */
import {
  type ControllerProfile,
  type ControllerTiming,
  GENERIC,
  USUAL_OPERATIONS,
} from '../../nvme/profile.ts';
import { KIB, MIB } from '../../support/numbers.ts';

/** Firmware that takes its time evenly; becoming ready, shutting down, and operations on the whole drive. */
export const USUAL_LIFE = {
  firmwareJitter_ns: 0,
  ready_ns: 500_000,
  mediaReady_ns: 1_500_000,
  shutdown_ns: 500_000,
  operations: USUAL_OPERATIONS,
} as const;

const LIFE_SOURCES = {
  firmwareJitter_ns: 'none: published figures are means and rates; set it to see what chance does',
  ready_ns: 'far below CAP.TO; none is published',
  mediaReady_ns: 'far below CRTO.CRWMT; none is published',
  shutdown_ns: 'far below RTD3E; none is published',
  operations: 'orders of magnitude of a few hundred GB; none is published',
} as const;

/** Sources of a controller's knobs: of fetching an entry, and of `cores` with what each does. */
export const controllerSources = (fetch_ns: string, cores: string) => ({
  fetch_ns,
  decode_ns: cores,
  complete_ns: cores,
  cores,
  ...LIFE_SOURCES,
});

/** TLC NAND of about 2023. */
export const TLC = {
  kind: 'nand',
  planesPerDie: 4,
  page_bytes: 16 * KIB,
  jitter_ns: 2000,
  erase_ns: 3_500_000,
  block_bytes: 24 * MIB,
  firmwareWrite4K_ns: 50,
} as const;

export const TLC_SOURCES = {
  page_bytes: 'usual for TLC',
  readPage_ns: 'a little more than 4 KiB, as in NVMeVirt',
  erase_ns: '3.5 ms (numbers.md §5, tlc-g4-consumer and tlc-g4-dc)',
  block_bytes: 'usual for TLC',
  firmwareRead_ns: 'as for 4 KiB, with more to look up',
  firmwareWrite4K_ns: 'copying into the buffer',
} as const;

/** Sentences about media that more than one device needs. */
export const MEDIA_SOURCES = {
  small: 'small beside the firmware times of the medium',
  noCapacitors: 'a consumer drive has none',
  keptByCapacitors: 'capacitors keep what is written; the command alone',
  flushIsWrite: 'as a write into the buffer',
} as const;

/** What `generic` draws and how warm that makes it, which devices leave as it is: nobody publishes all of it. */
export const POWER_SOURCES = {
  states: '25 W as server drives, slower and sleeping states as laptop drives have them; none is published',
  read_nJ: '9 W above idle at 2.4 GB/s; none is published',
  write_nJ: '9 W above idle at 2 GB/s; none is published',
  ambient_K: '25 degrees',
  rise_K_per_W: '37 degrees at rest, with 5 W; none is published',
  settling_ns: 'a minute, of the order of a drive with its heat sink; none is published',
  managed_K: '40 to 80 degrees: from a little above rest to CCTEMP',
  throttle: 'a little and much: what firmware does is not published',
  warningTemperature_K: '70 degrees, usual',
  criticalTemperature_K: '80 degrees, usual',
} as const;

/** The controller of a device: all that `generic` has, at the device's pace. `what` is in the model number. */
export const controllerOf = (name: string, what: string, timing: ControllerTiming): ControllerProfile => ({
  ...GENERIC,
  name,
  model: `Doorbell (${what})`,
  timing,
});

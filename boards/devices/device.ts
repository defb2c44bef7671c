/**
 * A device as a user picks it: controller, link, where every knob comes from, and what somebody has published about the
 * real one. `doorbell calibrate` measures the same on ours. One set of knobs serves all figures.
 * Not here: the devices (their own files), measuring (cli/calibrate/).
 */
import type { LinkProfile } from '../../machine/timing/link.ts';
import type { PowerProfile } from '../../nvme/condition/profile.ts';
import type { MapProfile } from '../../nvme/map/profile.ts';
import type { NandProfile, UniformProfile } from '../../nvme/media/profile.ts';
import type { ControllerProfile, ControllerTiming } from '../../nvme/profile.ts';

/** What is measured: 4 KiB random reads and writes, sequential 128 KiB. Latencies in µs, rates in kIOPS or MB/s. */
export const MEASURES = {
  'read-qd1': { label: '4 KiB random read, QD1, mean', unit: 'us' },
  'write-qd1': { label: '4 KiB random write, QD1, mean', unit: 'us' },
  'read-512-qd1': { label: '512 B random read, QD1, mean', unit: 'us' },
  'read-qd16': { label: '4 KiB random read, QD16', unit: 'kIOPS' },
  'read-qd32': { label: '4 KiB random read, QD32', unit: 'kIOPS' },
  'read-saturated': { label: '4 KiB random read, 8 x QD64', unit: 'kIOPS' },
  'read-512-saturated': { label: '512 B random read, 8 x QD64', unit: 'kIOPS' },
  'write-saturated': { label: '4 KiB random write, 8 x QD64, fresh', unit: 'kIOPS' },
  'write-steady': { label: '4 KiB random write, QD128, steady', unit: 'kIOPS' },
  'read-sequential': { label: '128 KiB sequential read, QD32', unit: 'MB/s' },
  'write-sequential': { label: '128 KiB sequential write, QD32', unit: 'MB/s' },
} as const;

export type Measure = keyof typeof MEASURES;

/** One published figure in the unit of its measure. */
export interface Published {
  readonly value: number;
  /** Who says so; `recalled` in it where no page was found that says so. */
  readonly source: string;
}

/** A sentence for each knob that devices set. */
type Sources<Part> = Readonly<Record<Exclude<keyof Part, 'kind' | 'endurance'>, string>>;

export type Temperatures = Pick<ControllerProfile, 'warningTemperature_K' | 'criticalTemperature_K'>;

export interface Device {
  readonly name: string;
  readonly description: string;
  readonly controller: ControllerProfile;
  readonly link: Required<LinkProfile>;
  readonly sources: {
    readonly link: Sources<LinkProfile>;
    readonly controller: Sources<Omit<ControllerTiming, 'media'>>;
    /** null: there is no medium. */
    readonly media: Sources<UniformProfile> | Sources<NandProfile> | null;
    readonly power: Sources<PowerProfile & Temperatures>;
    /** Absent: the controller keeps its whole mapping table. */
    readonly map?: Sources<MapProfile>;
  };
  readonly published: Readonly<Partial<Record<Measure, Published>>>;
}

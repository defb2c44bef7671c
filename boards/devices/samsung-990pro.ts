/** Samsung 990 PRO 2 TB as long as its SLC cache lasts: TLC NAND programmed one bit per cell. What comes after is not modelled. */
import type { ControllerTiming } from '../../nvme/profile.ts';
import { KIB, MIB } from '../../support/numbers.ts';
import { GEN4_X4, LINK_SOURCES } from '../links.ts';
import {
  controllerOf,
  controllerSources,
  MEDIA_SOURCES,
  POWER_SOURCES,
  TLC,
  TLC_SOURCES,
  USUAL_LIFE,
} from './common.ts';
import type { Device } from './device.ts';

const timing = {
  fetch_ns: 100,
  decode_ns: 1500,
  complete_ns: 400,
  cores: 3,
  ...USUAL_LIFE,
  media: {
    ...TLC,
    channels: 8,
    diesPerChannel: 2,
    program_bytes: 64 * KIB,
    read4K_ns: 37_500,
    readPage_ns: 39_000,
    readSpread_ns: 3000,
    program_ns: 115_000,
    channel_bytes_per_ns: 2,
    firmware4K_ns: 2200,
    firmwareRead_ns: 3000,
    firmwareWrite_ns: 7500,
    buffer_bytes: 4 * MIB,
    overProvisioning: 0.07,
    flush_ns: 5000,
    capacitors: false,
  },
} as const satisfies ControllerTiming;

const SHEET = 'specification of the 2 TB drive (digitec.ch, MZ-V9P2T0BW)';
const RECALLED = 'data sheet, recalled: no page was found';
const CORES = 'three cores take 1.58 M commands a second: random write of 1550 kIOPS (data sheet)';
const QD1 = 'QD1 read of 22 kIOPS (data sheet, recalled), less link, host and cores';

export const samsung990pro: Device = {
  name: '990pro',
  description: 'Samsung 990 PRO 2 TB, TLC NAND within its SLC cache, gen 4 x4',
  controller: controllerOf('990pro', '990 PRO timing', timing),
  link: GEN4_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: controllerSources(MEDIA_SOURCES.small, CORES),
    media: {
      ...TLC_SOURCES,
      channels: 'eight channels of the controller (numbers.md §5, tlc-g4-consumer)',
      diesPerChannel: '2 TB in dies of 1 Tbit',
      planesPerDie: 'four, as V-NAND of this generation',
      program_bytes: 'one 16 KiB page on each of four planes, one bit per cell',
      read4K_ns: QD1,
      readSpread_ns:
        'pages of a cell differ (numbers.md §2.1, FEMU TLC); small here to stay near the published mean',
      jitter_ns: 'none is published; 5 % of a read',
      program_ns: 'sequential write of 6900 MB/s into the SLC cache by 16 dies (data sheet)',
      channel_bytes_per_ns: '2000 MT/s, 8 bits wide',
      firmware4K_ns: QD1,
      firmwareWrite_ns: 'QD1 write of 80 kIOPS (data sheet, recalled), less link, host and cores',
      buffer_bytes: 'SRAM of the controller; none is published',
      overProvisioning: '2 TiB of flash for 2 TB (numbers.md §2.1)',
      flush_ns: MEDIA_SOURCES.flushIsWrite,
      capacitors: MEDIA_SOURCES.noCapacitors,
    },
  },
  published: {
    'read-qd1': { value: 45.5, source: `${RECALLED}; 22 kIOPS` },
    'write-qd1': { value: 12.5, source: `${RECALLED}; 80 kIOPS` },
    'read-saturated': { value: 1400, source: SHEET },
    'write-saturated': { value: 1550, source: SHEET },
    'read-sequential': { value: 7450, source: SHEET },
    'write-sequential': { value: 6900, source: SHEET },
  },
};

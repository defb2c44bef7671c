/** Kioxia CM7-R 3.84 TB, a data center drive: TLC NAND, capacitors, gen 5 x4. Its steady state is below its fresh one. */
import type { ControllerTiming } from '../../nvme/profile.ts';
import { KIB, MIB } from '../../support/numbers.ts';
import { GEN5_X4, LINK_SOURCES } from '../links.ts';
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
  decode_ns: 2200,
  complete_ns: 700,
  cores: 8,
  ...USUAL_LIFE,
  media: {
    ...TLC,
    channels: 16,
    diesPerChannel: 4,
    program_bytes: 192 * KIB,
    read4K_ns: 60_000,
    readPage_ns: 62_000,
    readSpread_ns: 8000,
    program_ns: 1_630_000,
    channel_bytes_per_ns: 1.2,
    firmware4K_ns: 1500,
    firmwareRead_ns: 2500,
    firmwareWrite_ns: 4700,
    buffer_bytes: 24 * MIB,
    overProvisioning: 0.12,
    flush_ns: 2000,
    capacitors: true,
  },
} as const satisfies ControllerTiming;

const SLIDES = "Kioxia's slides of the gen 5 prototype, CFMS 2021 (numbers.md §2)";
const PRESS = "Kioxia's slides of the gen 5 prototype, CFMS 2021 (generation-nt.com 1992798)";
const RECALLED = 'data sheet of the 3.84 TB drive, recalled: no page was found';
const CORES = 'eight cores take 2.76 M commands a second: random read of 2700 kIOPS';

export const kioxiaCm7: Device = {
  name: 'kioxia-cm7',
  description: 'Kioxia CM7-R 3.84 TB, TLC NAND with capacitors, gen 5 x4',
  controller: controllerOf('kioxia-cm7', 'CM7-R timing', timing),
  link: GEN5_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: controllerSources(MEDIA_SOURCES.small, CORES),
    media: {
      ...TLC_SOURCES,
      channels: 'sixteen channels (numbers.md §5, tlc-g4-dc)',
      diesPerChannel: '4 TiB in dies of 512 Gbit',
      planesPerDie: 'four; they read on their own',
      program_bytes: 'three pages of 16 KiB on each of four planes',
      read4K_ns: `QD1 read of 70 us (${SLIDES}), less link, host, cores and firmware`,
      readSpread_ns: 'pages of a cell differ (numbers.md §2.1, FEMU TLC)',
      jitter_ns: 'none is published; 3 % of a read',
      program_ns: `sequential write of 7000 MB/s by 64 dies (${SLIDES})`,
      channel_bytes_per_ns: '1200 MT/s, 8 bits wide',
      firmware4K_ns: `QD1 read of 70 us (${SLIDES})`,
      firmwareWrite_ns: `QD1 write of 10 us (${SLIDES}), less link, host and cores`,
      buffer_bytes: 'two programs for each die; none is published',
      overProvisioning:
        '4096 GiB of flash for 3.84 TB are 14.5 %, less parity and spares: steady random write (data sheet, recalled)',
      flush_ns: 'capacitors keep the buffer; the command alone',
      capacitors: 'power loss protection (data sheet)',
    },
  },
  published: {
    'read-qd1': { value: 70, source: PRESS },
    'write-qd1': { value: 10, source: PRESS },
    'read-saturated': { value: 2700, source: SLIDES },
    'write-steady': { value: 310, source: RECALLED },
    'read-sequential': { value: 14_000, source: PRESS },
    'write-sequential': { value: 7000, source: PRESS },
  },
};

/** Kioxia CM7-R 3.84 TB, a data center drive: TLC NAND, capacitors, gen 5 x4. Its steady state is below its fresh one. */
import { type ControllerTiming, GENERIC, USUAL_OPERATIONS } from '../../nvme/profile.ts';
import { KIB, MIB } from '../../support/numbers.ts';
import { GEN5_X4, LINK_SOURCES } from '../links.ts';
import type { Device } from './device.ts';
import { OPERATION_SOURCE, READY_SOURCES } from './sources.ts';

const timing = {
  fetch_ns: 100,
  decode_ns: 2200,
  complete_ns: 700,
  cores: 8,
  ready_ns: 500_000,
  mediaReady_ns: 1_500_000,
  shutdown_ns: 500_000,
  media: {
    kind: 'nand',
    channels: 16,
    diesPerChannel: 4,
    planesPerDie: 4,
    page_bytes: 16 * KIB,
    program_bytes: 192 * KIB,
    read4K_ns: 60_000,
    readPage_ns: 62_000,
    readSpread_ns: 8000,
    jitter_ns: 2000,
    program_ns: 1_630_000,
    erase_ns: 3_500_000,
    block_bytes: 24 * MIB,
    channel_bytes_per_ns: 1.2,
    firmware4K_ns: 1500,
    firmwareRead_ns: 2500,
    firmwareWrite_ns: 4700,
    firmwareWrite4K_ns: 50,
    buffer_bytes: 24 * MIB,
    overProvisioning: 0.12,
    flush_ns: 2000,
    capacitors: true,
  },
  operations: USUAL_OPERATIONS,
} as const satisfies ControllerTiming;

const SLIDES = "Kioxia's gen 5 slides (numbers.md §2)";
const RECALLED = 'data sheet of the 3.84 TB drive, recalled';
const CORES = 'eight cores take 2.76 M commands a second: random read of 2700 kIOPS';

export const kioxiaCm7: Device = {
  name: 'kioxia-cm7',
  description: 'Kioxia CM7-R 3.84 TB, TLC NAND with capacitors, gen 5 x4',
  controller: { ...GENERIC, name: 'kioxia-cm7', model: 'Doorbell (CM7-R timing)', timing },
  link: GEN5_X4,
  sources: {
    link: LINK_SOURCES,
    controller: {
      fetch_ns: 'small beside the firmware times of the medium',
      decode_ns: CORES,
      complete_ns: CORES,
      cores: CORES,
      ...READY_SOURCES,
      operations: OPERATION_SOURCE,
    },
    media: {
      channels: 'sixteen channels (numbers.md §5, tlc-g4-dc)',
      diesPerChannel: '4 TiB in dies of 512 Gbit',
      planesPerDie: 'four; they read on their own',
      page_bytes: 'usual for TLC',
      program_bytes: 'three pages of 16 KiB on each of four planes',
      read4K_ns: `QD1 read of 70 us (${SLIDES}), less link, host, cores and firmware`,
      readPage_ns: 'a little more than 4 KiB, as in NVMeVirt',
      readSpread_ns: 'pages of a cell differ (numbers.md §2.1, FEMU TLC)',
      jitter_ns: 'none is published; 3 % of a read',
      program_ns: `sequential write of 7000 MB/s by 64 dies (${SLIDES})`,
      erase_ns: '3.5 ms (numbers.md §5)',
      block_bytes: 'usual for TLC',
      channel_bytes_per_ns: '1200 MT/s, 8 bits wide',
      firmware4K_ns: `QD1 read of 70 us (${SLIDES})`,
      firmwareRead_ns: 'as for 4 KiB, with more to look up',
      firmwareWrite_ns: `QD1 write of 10 us (${SLIDES}), less link, host and cores`,
      firmwareWrite4K_ns: 'copying into the buffer',
      buffer_bytes: 'two programs for each die; none is published',
      overProvisioning:
        '4096 GiB of flash for 3.84 TB are 14.5 %, less parity and spares: steady random write (data sheet, recalled)',
      flush_ns: 'capacitors keep the buffer; the command alone',
      capacitors: 'power loss protection (data sheet)',
    },
  },
  published: {
    'read-qd1': { value: 70, source: SLIDES },
    'write-qd1': { value: 10, source: SLIDES },
    'read-saturated': { value: 2700, source: SLIDES },
    'write-steady': { value: 310, source: RECALLED },
    'read-sequential': { value: 14_000, source: SLIDES },
    'write-sequential': { value: 7000, source: SLIDES },
  },
};

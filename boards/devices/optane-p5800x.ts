/**
 * Intel Optane DC P5800X 800 GB: second generation 3D XPoint behind a gen 4 x4 link. Its published 1.5 M IOPS are 6.1 GB/s
 * and its published sequential rate is 7.2 GB/s: one bus cannot be both, so ours is between them.
 */
import type { ControllerTiming } from '../../nvme/profile.ts';
import { GEN4_X4, LINK_SOURCES } from '../links.ts';
import { controllerOf, controllerSources, MEDIA_SOURCES, POWER_SOURCES, USUAL_LIFE } from './common.ts';
import type { Device } from './device.ts';

const timing = {
  fetch_ns: 60,
  decode_ns: 400,
  complete_ns: 190,
  cores: 3,
  ...USUAL_LIFE,
  media: {
    kind: 'uniform',
    channels: 9,
    stripe_bytes: 4096,
    read_ns: 1300,
    write_ns: 1700,
    jitter_ns: 300,
    readBus_bytes_per_ns: 6.6,
    writeBus_bytes_per_ns: 5.8,
    flush_ns: 600,
  },
} as const satisfies ControllerTiming;

const CORES =
  'cores together take 5 M commands a second (SPDK: 80 M IOPS of 512 bytes on 16 drives, spdk.io 2021-05-06)';
const LAUNCH = 'Intel at the launch in 2020-12, as tomshw.it 2021-06 quotes it';
const RECALLED = 'data sheet, recalled: no page was found';

export const optaneP5800x: Device = {
  name: 'optane-p5800x',
  description: 'Intel Optane DC P5800X 800 GB, 3D XPoint, gen 4 x4',
  controller: controllerOf('optane-p5800x', 'Optane P5800X timing', timing),
  link: GEN4_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: controllerSources('part of the 3.4 us of a 512-byte read (linux-block msg57916)', CORES),
    media: {
      channels: 'more than 5 M IOPS of 512 bytes at read_ns: the cores are the limit, not the medium',
      stripe_bytes: 'a 4 KiB read is one access, as on the P4800X',
      read_ns: '3.4 us for 512 bytes at QD1, polled (linux-block msg57916), less link, host and controller',
      write_ns: 'about 0.4 us more than reads (data sheet, recalled)',
      jitter_ns: 'half of that of the P4800X, as its latency',
      readBus_bytes_per_ns: `between 1.5 M x 4 KiB and 7200 MB/s (${LAUNCH}): one bus cannot be both`,
      writeBus_bytes_per_ns: 'between 1.35 M x 4 KiB and 6100 MB/s (data sheet, recalled)',
      flush_ns: MEDIA_SOURCES.keptByCapacitors,
    },
  },
  published: {
    'read-512-qd1': { value: 3.4, source: 'linux-block msg57916: io_uring, polled, registered buffers' },
    'read-512-saturated': { value: 5000, source: 'spdk.io 2021-05-06: 80 M IOPS on 16 drives' },
    'read-saturated': { value: 1500, source: LAUNCH },
    'write-saturated': { value: 1350, source: RECALLED },
    'read-sequential': { value: 7200, source: LAUNCH },
    'write-sequential': { value: 6100, source: RECALLED },
  },
};

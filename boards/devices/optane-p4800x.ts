/** Intel Optane DC P4800X 375 GB: 3D XPoint behind a gen 3 x4 link. The default drive of the shipped boards. */
import { OPTANE_P4800X } from '../../nvme/profile.ts';
import { GEN3_X4, LINK_SOURCES } from '../links.ts';
import { controllerOf, controllerSources, MEDIA_SOURCES, POWER_SOURCES } from './common.ts';
import type { Device } from './device.ts';

const ANANDTECH = 'AnandTech 11209, "Checking Intel\'s Numbers"';
const TABLE = "AnandTech 11930, table of Intel's specifications (375 and 750 GB)";
const FIRMWARE = 'fetch and decode are 0.6 us together (numbers.md §5, optane-g3)';
const FIT = 'one set for 8.9 us at QD1 and 584.8 kIOPS at QD16 (AnandTech 11209)';

export const optaneP4800x: Device = {
  name: 'optane-p4800x',
  description: 'Intel Optane DC P4800X 375 GB, 3D XPoint, gen 3 x4',
  controller: controllerOf('optane-p4800x', 'Optane P4800X timing', OPTANE_P4800X),
  link: GEN3_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: { ...controllerSources(FIRMWARE, FIRMWARE), cores: 'enough not to limit 585 kIOPS' },
    media: {
      channels: 'seven channels of the controller (numbers.md §5, optane-g3)',
      stripe_bytes: 'a 4 KiB read is one access (numbers.md §5, optane-g3)',
      read_ns: FIT,
      write_ns: 'as reads: QD1 writes take 9-10 us (numbers.md §2)',
      jitter_ns: '+-0.4 us (numbers.md §5, optane-g3): p99 is 10 us where the median is 9 (AnandTech 11209)',
      readBus_bytes_per_ns: `sequential read of 2400 MB/s (${TABLE})`,
      writeBus_bytes_per_ns: `random write of 500 kIOPS and sequential write of 2000 MB/s (${TABLE})`,
      flush_ns: MEDIA_SOURCES.keptByCapacitors,
    },
  },
  published: {
    'read-qd1': { value: 8.9, source: ANANDTECH },
    'read-qd16': { value: 584.8, source: ANANDTECH },
    'read-saturated': { value: 550, source: "Intel's product brief, as AnandTech 11209 quotes it" },
    'write-saturated': { value: 500, source: `${TABLE}, QD16` },
    'read-sequential': { value: 2400, source: `${TABLE}, 64 kB` },
    'write-sequential': { value: 2000, source: `${TABLE}, 64 kB` },
  },
};

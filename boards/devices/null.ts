/** No medium and no firmware: what is left is the protocol, the link and the host. A check of all of those. */
import { type ControllerTiming, USUAL_OPERATIONS } from '../../nvme/profile.ts';
import { GEN4_X4, LINK_SOURCES } from '../links.ts';
import { controllerOf, POWER_SOURCES } from './common.ts';
import type { Device } from './device.ts';

const timing = {
  fetch_ns: 0,
  decode_ns: 0,
  firmwareJitter_ns: 0,
  complete_ns: 0,
  cores: 1,
  ready_ns: 0,
  mediaReady_ns: 0,
  shutdown_ns: 0,
  media: null,
  operations: USUAL_OPERATIONS,
} as const satisfies ControllerTiming;

const NOTHING = 'nothing, by definition';
const LINK = 'link arithmetic (numbers.md §3): 4096 of 4572 bytes at 7.877 GB/s less 3 % for DLLPs';

export const nullDevice: Device = {
  name: 'null',
  description: 'no medium and no firmware, gen 4 x4: protocol, link and host alone',
  controller: controllerOf('null', 'no medium', timing),
  link: GEN4_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: {
      fetch_ns: NOTHING,
      decode_ns: NOTHING,
      firmwareJitter_ns: NOTHING,
      complete_ns: NOTHING,
      cores: NOTHING,
      ready_ns: NOTHING,
      mediaReady_ns: NOTHING,
      shutdown_ns: NOTHING,
      operations: NOTHING,
    },
    media: null,
  },
  published: {
    'read-qd1': { value: 1.9, source: 'sum of the hops (numbers.md §5, null)' },
    'read-saturated': { value: 1671, source: LINK },
  },
};

/**
 * A PC with a zoned drive: nvme0n1 is 64 zones of 4 MiB, of which 3 MiB can be written, at most 8 of them open and 12
 * active; nvme0n2 beside it has no zones. Zones are small so that jobs fill them in milliseconds.
 */

import type { Board } from './board.ts';
import { samsung970pro } from './devices/samsung-970pro.ts';
import { pc } from './pc.ts';

export const zns: Board = {
  ...pc,
  name: 'zns',
  description: 'one root port, one zoned NVMe drive (970 PRO flash, gen 3 x4)',
  rootPorts: [
    {
      at: '04.0',
      link: samsung970pro.link,
      device: {
        kind: 'nvme',
        serial: 'ZONES0',
        profile: samsung970pro.controller,
        namespaces: [
          {
            size: '256m',
            block_bytes: 4096,
            zones: { zone: '4m', capacity: '3m', maxOpen: 8, maxActive: 12 },
          },
          { size: '64m' },
        ],
      },
    },
  ],
};

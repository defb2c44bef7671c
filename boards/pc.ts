/** A desktop PC: one root port, one NVMe drive with the speed of an Intel P4800X behind a gen 3 x4 link. */
import { SERVER_HOST } from '../machine/timing/host.ts';
import { GENERIC } from '../nvme/profile.ts';
import type { Board } from './board.ts';
import { GEN3_X4 } from './links.ts';

export const pc: Board = {
  name: 'pc',
  description: 'one root port, one NVMe drive (P4800X timing, gen 3 x4)',
  ram: '256m',
  media: '1g',
  host: SERVER_HOST,
  iommu: {},
  rootPorts: [
    {
      at: '04.0',
      link: GEN3_X4,
      device: {
        kind: 'nvme',
        serial: 'DOORBELL0',
        profile: GENERIC,
        namespaces: [{ size: '256m' }, { size: '64m' }],
      },
    },
  ],
};

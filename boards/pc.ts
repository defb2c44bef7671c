/** A desktop PC: one root port, one NVMe drive with the speed of an Intel P4800X behind a gen 3 x4 link. */
import { SERVER_HOST } from '../machine/timing/host.ts';
import type { LinkProfile } from '../machine/timing/link.ts';
import { GENERIC } from '../nvme/profile.ts';
import type { Board } from './board.ts';

export const GEN3_X4: LinkProfile = {
  generation: 3,
  lanes: 4,
  maxPayload_bytes: 256,
  readRequest_bytes: 512,
  propagation_ns: 150,
};

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

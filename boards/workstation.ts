/** A workstation: a drive of its own on one root port, and three more behind a switch on the other. */
import { SERVER_HOST } from '../machine/timing/host.ts';
import type { LinkProfile } from '../machine/timing/link.ts';
import { GENERIC } from '../nvme/profile.ts';
import type { Board, NvmeBoard } from './board.ts';
import { GEN3_X4 } from './links.ts';

/** A packet switch takes 100 to 150 ns from port to port. */
const BEHIND_SWITCH: LinkProfile = { ...GEN3_X4, hop_ns: 130 };

const drive = (number: number): NvmeBoard => ({
  kind: 'nvme',
  serial: `DOORBELL${number}`,
  profile: GENERIC,
  namespaces: [{ size: '256m' }],
});

export const workstation: Board = {
  name: 'workstation',
  description: 'two root ports, four NVMe drives: one alone, three behind a switch',
  ram: '512m',
  media: '2g',
  host: SERVER_HOST,
  iommu: {},
  rootPorts: [
    { at: '04.0', link: GEN3_X4, device: drive(0) },
    {
      at: '05.0',
      link: GEN3_X4,
      device: {
        kind: 'switch',
        ports: [
          { at: '00.0', link: BEHIND_SWITCH, device: drive(1) },
          { at: '01.0', link: BEHIND_SWITCH, device: drive(2) },
          { at: '02.0', link: BEHIND_SWITCH, device: drive(3) },
        ],
      },
    },
  ],
};

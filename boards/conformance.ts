/**
 * The machine whose kernel answered the recorded cases (conformance/README.md): two root ports, one NVMe controller of
 * QEMU's behind each, in iommu groups 7 and 8. Run it at the functional pace: the recordings say nothing about time.
 */
import { SERVER_HOST } from '../machine/timing/host.ts';
import type { LinkProfile } from '../machine/timing/link.ts';
import { QEMU } from '../nvme/profile-qemu.ts';
import type { Board, PortBoard } from './board.ts';

const GEN1_X1: LinkProfile = {
  generation: 1,
  lanes: 1,
  maxPayload_bytes: 128,
  readRequest_bytes: 128,
  propagation_ns: 150,
};

const port = (at: string, serial: string, group: number): PortBoard => ({
  at,
  link: GEN1_X1,
  device: { kind: 'nvme', serial, profile: QEMU, namespaces: [{ size: '64m', tracksBlocks: true }], group },
});

export const conformance: Board = {
  name: 'conformance',
  description: 'the machine of the recorded cases: two root ports with a QEMU NVMe controller each',
  ram: '2g',
  media: '256m',
  host: SERVER_HOST,
  iommu: {},
  rootPorts: [port('04.0', 'ORACLE0', 7), port('05.0', 'ORACLE1', 8)],
};

/** `doorbell boards`: what each shipped board is, with its PCI tree as firmware finds it. */
import { type Board, boot, drivesOf } from '../boards/index.ts';
import { tree } from './lspci.ts';

/** The lines for `boards`; each is booted to find its tree. */
export function describeBoards(boards: readonly Board[]): string[] {
  return boards.flatMap((board, index) => [
    ...(index === 0 ? [] : ['']),
    `${board.name}: ${board.description}`,
    `  ${board.ram} RAM, ${board.media} media, ${board.iommu === null ? 'no IOMMU' : 'VT-d'}`,
    ...drivesOf(board.rootPorts).flatMap(({ drive: { serial, profile }, namespaces }, drive) =>
      namespaces.map(({ size, image, zones }, nsid) => {
        const inZones = zones === undefined ? '' : ` in zones of ${zones.zone}`;
        const where = `${image === undefined ? 'in memory' : `in ${image}`}${inZones}`;
        return `  nvme${drive}n${nsid + 1}: ${size} ${where}, drive ${serial} (${profile.model})`;
      }),
    ),
    ...tree(boot(board, { pace: 'functional' }).topology, true).map((line) => `  ${line}`),
  ]);
}

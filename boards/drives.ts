/**
 * The NVMe controllers of a board, and which of them are of one drive (`joins`).
 * Not here: whether that is possible (check.ts).
 */
import type { NamespaceBoard, NvmeBoard, PortBoard } from './board.ts';

export interface PlacedDrive {
  /** Where in the board it is, such as `rootPorts[0].device`. */
  readonly path: string;
  readonly drive: NvmeBoard;
  /** Index of the controller that brings the namespaces: itself, the one that it joins, or -1 when there is none. */
  readonly owner: number;
  /** Those that it brings, or has of the one that it joins. */
  readonly namespaces: readonly NamespaceBoard[];
}

/** Every controller behind root ports, in bus order, in which `nvme0`, `nvme1` and so on are named. */
export function drivesOf(rootPorts: readonly PortBoard[]): PlacedDrive[] {
  const found = find('rootPorts', rootPorts);
  return found.map((one, index) => {
    const { serial, joins } = one.drive;
    const owner =
      joins === true
        ? found.slice(0, index).findLastIndex(({ drive }) => drive.serial === serial && drive.joins !== true)
        : index;
    return { ...one, owner, namespaces: found[owner]?.drive.namespaces ?? [] };
  });
}

const find = (path: string, ports: readonly PortBoard[]): Pick<PlacedDrive, 'path' | 'drive'>[] =>
  ports.flatMap(({ device }, index) => {
    const here = `${path}[${index}].device`;
    if (device?.kind === 'nvme') return [{ path: here, drive: device }];
    return device === null ? [] : find(`${here}.ports`, device.ports);
  });

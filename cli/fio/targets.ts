/**
 * What the file names of a job file are: `nvme0n1` and `/dev/nvme0n1` are namespaces of the board, anything else is an
 * image file that becomes one more namespace of the first drive before the machine boots.
 * Not here: opening the image (bridge/host.ts).
 */
import { existsSync, statSync } from 'node:fs';
import type { Board, NvmeBoard, PortBoard } from '../../boards/index.ts';
import { bytesOf } from '../../boards/shapes.ts';
import { suggestion } from '../../support/nearest.ts';
import { alignDown } from '../../support/numbers.ts';
import { UserError } from '../user-error.ts';
import type { Job } from './job-file.ts';
import type { Amount } from './options.ts';

/** A namespace by the number of its drive (in bus order, from 0) and its own (from 1). */
export interface Target {
  readonly drive: number;
  readonly nsid: number;
}

export interface Targets {
  /** The board, with the images attached. */
  readonly board: Board;
  readonly byFile: ReadonlyMap<string, Target>;
}

const SECTOR = 512;

/** Finds the namespace of every job's file. Throws UserError for a name that is neither. */
export function findTargets(board: Board, jobs: readonly Job[]): Targets {
  const drives = drivesOf(board.rootPorts);
  const byFile = new Map<string, Target>();
  const images: { readonly path: string; readonly size: number }[] = [];
  for (const job of jobs) {
    if (byFile.has(job.filename)) continue;
    const name = /^(?:\/dev\/)?nvme(\d+)n(\d+)$/.exec(job.filename);
    if (name !== null) {
      const target = { drive: Number(name[1]), nsid: Number(name[2]) };
      if (drives[target.drive]?.namespaces[target.nsid - 1] === undefined) refuseName(job, board, drives);
      byFile.set(job.filename, target);
      continue;
    }
    const first = drives[0];
    if (first === undefined)
      throw new UserError(`${job.where}: board ${board.name} has no drive for ${job.filename}`);
    images.push({ path: job.filename, size: imageBytes(job, board, drives) });
    byFile.set(job.filename, { drive: 0, nsid: first.namespaces.length + images.length });
  }
  return { board: withImages(board, images), byFile };
}

/** The drives of a board in bus order. */
export function drivesOf(ports: readonly PortBoard[]): NvmeBoard[] {
  return ports.flatMap(({ device }) =>
    device === null ? [] : device.kind === 'nvme' ? [device] : drivesOf(device.ports),
  );
}

const namesOf = (drives: readonly NvmeBoard[]): string[] =>
  drives.flatMap(({ namespaces }, drive) => namespaces.map((_, index) => `nvme${drive}n${index + 1}`));

function refuseName(job: Job, board: Board, drives: readonly NvmeBoard[]): never {
  const names = namesOf(drives);
  throw new UserError(
    `${job.where}: job "${job.name}": board ${board.name} has no ${job.filename}; it has ${names.join(' ') || 'no namespace'}`,
  );
}

/** Size of an image: the file's own, or that of the job when the file is yet to be made. */
function imageBytes(job: Job, board: Board, drives: readonly NvmeBoard[]): number {
  const { filename, where, name, size, offset } = job;
  if (existsSync(filename)) {
    const stat = statSync(filename);
    if (!stat.isFile()) throw new UserError(`${where}: job "${name}": ${filename} is not a regular file`);
    const bytes = alignDown(stat.size, SECTOR);
    if (bytes > 0) return bytes;
  }
  const bytesOf = (amount: Amount | null): number =>
    amount !== null && 'bytes' in amount ? amount.bytes : 0;
  if (size !== null && bytesOf(size) > 0 && job.writes)
    return alignDown(bytesOf(size) + bytesOf(offset), SECTOR);
  const names = namesOf(drives);
  throw new UserError(
    `${where}: job "${name}": ${filename} is neither a namespace of board ${board.name} (${names.join(' ')}) nor an ` +
      `image file with bytes in it${suggestion(filename, names)}`,
  );
}

/** The board with the images as further namespaces of its first drive. */
function withImages(
  board: Board,
  images: readonly { readonly path: string; readonly size: number }[],
): Board {
  let isAttached = images.length === 0;
  const attach = (port: PortBoard): PortBoard => {
    const { device } = port;
    if (isAttached || device === null) return port;
    if (device.kind === 'switch') return { ...port, device: { ...device, ports: device.ports.map(attach) } };
    isAttached = true;
    const added = images.map(({ path, size }) => ({ size, image: path }));
    return { ...port, device: { ...device, namespaces: [...device.namespaces, ...added] } };
  };
  return { ...board, rootPorts: board.rootPorts.map(attach) };
}

/** Size in bytes of a namespace as the board describes it. */
export const boardBytes = (board: Board, { drive, nsid }: Target): number => {
  const namespace = drivesOf(board.rootPorts)[drive]!.namespaces[nsid - 1]!;
  return bytesOf(namespace.size);
};

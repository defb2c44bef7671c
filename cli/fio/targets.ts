/**
 * What the file names of a job file are: `nvme0n1`, `/dev/nvme0n1` and `/dev/ng0n1` are namespaces of the board; another
 * device is an empty namespace in memory that stands for it; anything else is an image file that becomes one more
 * namespace of the first drive before the machine boots. Not here: opening the image (bridge/host.ts).
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  type Board,
  drivesOf,
  type NamespaceBoard,
  type PlacedDrive,
  type PortBoard,
} from '../../boards/index.ts';
import { suggestion } from '../../support/nearest.ts';
import { alignUp, formatSize, GIB } from '../../support/numbers.ts';
import { allOf, UserError } from '../../support/user-error.ts';
import { type Job, sentenceAbout } from './job-file.ts';
import type { Amount } from './options.ts';

/** A namespace by the number of its drive (in bus order, from 0) and its own (from 1). */
export interface Target {
  readonly drive: number;
  readonly nsid: number;
}

export interface Targets {
  /** The board, with images and stand-ins attached, and images by their whole paths: it may boot again elsewhere. */
  readonly board: Board;
  readonly byFile: ReadonlyMap<string, Target>;
  /** Sentences about names that the board does not have. */
  readonly notes: readonly string[];
}

const SECTOR = 512;
/** What a device or file has when no job says how large it is. */
const DEFAULT_BYTES = GIB;
const FIRST_NAMESPACE = 'nvme0n1';
/** Devices that are no drives. */
const NO_DRIVE = /^\/dev\/(full|u?random|tty.*|mem)$/;

/** True when a job names no file: it works on the first namespace. */
const isUnnamed = (job: Job): boolean => job.filename === null && job.directory === null;

/** The file of clone `clone` (from 0). In a directory, every clone has one of its own, named as fio does. */
export function fileOf(job: Job, clone: number): string {
  if (isUnnamed(job)) return FIRST_NAMESPACE;
  const name = job.filename ?? `${job.name}.${clone}.0`;
  return job.directory === null || name.startsWith('/') ? name : join(job.directory, name);
}

const filesOf = (job: Job): string[] =>
  Array.from({ length: job.filename === null ? job.numjobs : 1 }, (_, clone) => fileOf(job, clone));

/**
 * Finds the namespace of every job's file. With `inMemory`, files that do not exist are not made, but held in memory.
 * Throws UserError for names that are neither, a line for each job that has one.
 */
export function findTargets(board: Board, jobs: readonly Job[], inMemory = false): Targets {
  const drives = drivesOf(board.rootPorts);
  const byFile = new Map<string, Target>();
  const added: NamespaceBoard[] = [];
  const notes: string[] = [];
  const draft: Draft = { board, drives, inMemory, byFile, added, notes };
  allOf(
    jobs.map((job, index) => () => {
      const earlier = new Set(jobs.slice(0, index).flatMap(filesOf));
      for (const file of filesOf(job)) if (!earlier.has(file)) findFile(file, jobs, draft);
    }),
  );
  return { board: withNamespaces(board, added), byFile, notes };
}

/** What is found so far. */
interface Draft {
  readonly board: Board;
  readonly drives: readonly PlacedDrive[];
  readonly inMemory: boolean;
  readonly byFile: Map<string, Target>;
  readonly added: NamespaceBoard[];
  readonly notes: string[];
}

function findFile(file: string, jobs: readonly Job[], draft: Draft): void {
  const { board, drives, inMemory, byFile, added, notes } = draft;
  const users = jobs.filter((each) => filesOf(each).includes(file));
  const name = /^(?:\/dev\/)?(?:nvme|ng)(\d+)n(\d+)$/.exec(file);
  if (name === null) {
    added.push(newNamespace(file, users, inMemory, board, drives, notes));
    byFile.set(file, { drive: 0, nsid: drives[0]!.namespaces.length + added.length });
    return;
  }
  const target = { drive: Number(name[1]), nsid: Number(name[2]) };
  if (drives[target.drive]?.namespaces[target.nsid - 1] === undefined)
    refuseName(users[0]!, file, board, drives);
  byFile.set(file, target);
}

const namesOf = (drives: readonly PlacedDrive[]): string[] =>
  drives.flatMap(({ namespaces }, drive) => namespaces.map((_, index) => `nvme${drive}n${index + 1}`));

function refuse(job: Job, sentence: string): never {
  throw new UserError(sentenceAbout(job, sentence, ['filename', 'directory']));
}

function refuseName(job: Job, file: string, board: Board, drives: readonly PlacedDrive[]): never {
  const names = namesOf(drives).join(' ') || 'no namespace';
  refuse(job, `board ${board.name} has no ${file}; it has ${names}`);
}

/** The namespace for a device that the board does not have, or for an image file. */
function newNamespace(
  file: string,
  users: readonly Job[],
  inMemory: boolean,
  board: Board,
  drives: readonly PlacedDrive[],
  notes: string[],
): NamespaceBoard {
  const job = users[0]!;
  if (drives.length === 0) refuse(job, `board ${board.name} has no drive for ${file}`);
  const isDevice = file.startsWith('/dev/') && !file.startsWith('/dev/shm/');
  if (isDevice && NO_DRIVE.test(file)) refuse(job, `${file} is no drive`);
  if (!isDevice && (!inMemory || existsSync(file))) {
    return { size: imageBytes(file, users, board, drives), image: file };
  }
  const size = Math.max(...users.map((user) => reachOf(user) ?? DEFAULT_BYTES));
  const stands = `an empty namespace of ${formatSize(size)} in memory stands for it`;
  notes.push(
    isDevice ? `note: board ${board.name} has no ${file}: ${stands}` : `note: no ${file}: ${stands}`,
  );
  return { size };
}

/** Where the last clone of a job ends in its file, in bytes; null when that depends on the file. */
function reachOf(job: Job): number | null {
  const { offset, offset_increment, numjobs } = job;
  const size = job.filesize ?? job.size;
  const bytes = (amount: Amount): number => ('bytes' in amount ? amount.bytes : Number.NaN);
  if (size === null) return null;
  const reach = bytes(size) + bytes(offset) + (numjobs - 1) * bytes(offset_increment);
  return Number.isNaN(reach) || reach === 0 ? null : alignUp(reach, SECTOR);
}

/** Size of an image: the file's own, or more where a job says so; a file that does not exist is made as fio makes it. */
function imageBytes(
  file: string,
  users: readonly Job[],
  board: Board,
  drives: readonly PlacedDrive[],
): number {
  const job = users[0]!;
  let bytes = 0;
  if (existsSync(file)) {
    const stat = statSync(file);
    if (!stat.isFile()) refuse(job, `${file} is not a regular file`);
    bytes = stat.size - (stat.size % SECTOR);
  } else if (!existsSync(dirname(file)))
    refuse(job, `there is no directory ${dirname(file)} for ${file.slice(dirname(file).length + 1)}`);
  // A file with data keeps its size unless somebody writes behind its end.
  const growing = bytes === 0 ? users : users.filter((user) => user.writes);
  const reach = Math.max(bytes, ...growing.map((user) => reachOf(user) ?? 0));
  if (reach > 0) return reach;
  const names = namesOf(drives);
  return refuse(
    job,
    `${file} is neither a namespace of board ${board.name} (${names.join(' ')}) nor an image file with bytes in it` +
      `${suggestion(file, names)}; with a size it would be made`,
  );
}

/** The board with further namespaces on its first drive. */
function withNamespaces(board: Board, added: readonly NamespaceBoard[]): Board {
  let isAttached = added.length === 0;
  const attach = (port: PortBoard): PortBoard => {
    const { device } = port;
    if (isAttached || device === null) return port;
    if (device.kind === 'switch') return { ...port, device: { ...device, ports: device.ports.map(attach) } };
    isAttached = true;
    return { ...port, device: { ...device, namespaces: [...device.namespaces, ...added] } };
  };
  return { ...board, rootPorts: board.rootPorts.map((port) => withWholePaths(attach(port))) };
}

function withWholePaths(port: PortBoard): PortBoard {
  const { device } = port;
  if (device === null) return port;
  if (device.kind === 'switch')
    return { ...port, device: { ...device, ports: device.ports.map(withWholePaths) } };
  const namespaces = device.namespaces.map((namespace) =>
    namespace.image === undefined ? namespace : { ...namespace, image: resolve(namespace.image) },
  );
  return { ...port, device: { ...device, namespaces } };
}

/**
 * Finds what is impossible in a board before anything is built. The first problem is one sentence with its path in the
 * board, such as `rootPorts[0].device.namespaces[1].size`. Not here: resources, which firmware finds out (enumerate.ts).
 */

import { checkGeometry } from '../nvme/namespace.ts';
import { checkProfile } from '../nvme/profile.ts';
import { parseSize } from '../support/numbers.ts';
import type { Board, NvmeBoard, PortBoard } from './board.ts';

/** A board that cannot exist. The message names the board, the place in it and what would be possible. */
export class BoardError extends Error {
  override readonly name = 'BoardError';
  constructor(board: string, path: string, problem: string) {
    super(`board ${board}: ${path}: ${problem}`);
  }
}

const LIMIT = 4 * 1024 ** 3 - 65_536;

/** Bytes of a size that a board gives as a number or a text. Throws BoardError. */
export function sizeOf(board: string, path: string, size: number | string): number {
  const bytes = typeof size === 'number' ? size : parseSize(size);
  if (Number.isInteger(bytes) && bytes > 0) return bytes;
  throw new BoardError(
    board,
    path,
    `'${size}' is not a size; write a number of bytes or a text such as '64m'`,
  );
}

/** Device and function of a port's `at`, as devfn. Throws BoardError. */
export function devfnOf(board: string, path: string, at: string): number {
  const match = /^([0-9a-f]{2})\.([0-7])$/i.exec(at);
  const device = match === null ? 32 : Number.parseInt(match[1]!, 16);
  if (match !== null && device < 32) return (device << 3) | Number(match[2]);
  throw new BoardError(
    board,
    path,
    `'${at}' is not a place on a bus; write device and function such as '04.0'`,
  );
}

/** Throws BoardError for the first impossible thing in `board`. */
export function checkBoard(board: Board): void {
  const ram = sizeOf(board.name, 'ram', board.ram);
  const media = sizeOf(board.name, 'media', board.media);
  const fail = (path: string, problem: string): never => {
    throw new BoardError(board.name, path, problem);
  };
  if (ram % 65_536 !== 0) fail('ram', `${ram} bytes are not a multiple of 64 KiB`);
  if (ram < 16 * 1024 ** 2) fail('ram', `${ram} bytes are too few to boot; 16m is the least`);
  if (ram + media > LIMIT) fail('media', 'RAM and media together must stay below 4 GiB');
  for (const [name, value] of Object.entries(board.host)) {
    if (!(value >= 0)) fail(`host.${name}`, `a cost is zero or more nanoseconds, got ${String(value)}`);
  }
  checkPorts(board, 'rootPorts', board.rootPorts);
}

function checkPorts(board: Board, path: string, ports: readonly PortBoard[]): void {
  const places = new Map<number, string>();
  for (const [index, port] of ports.entries()) {
    const here = `${path}[${index}]`;
    const devfn = devfnOf(board.name, `${here}.at`, port.at);
    const other = places.get(devfn);
    if (other !== undefined)
      throw new BoardError(board.name, `${here}.at`, `'${port.at}' is already taken by ${other}`);
    places.set(devfn, here);
    if (port.device?.kind === 'nvme') checkDrive(board, `${here}.device`, port.device);
    else if (port.device !== null) checkPorts(board, `${here}.device.ports`, port.device.ports);
  }
}

function checkDrive(board: Board, path: string, drive: NvmeBoard): void {
  const problem = checkProfile(drive.profile);
  if (problem !== null) throw new BoardError(board.name, `${path}.profile (${drive.profile.name})`, problem);
  if (drive.serial.length > 20) {
    throw new BoardError(
      board.name,
      `${path}.serial`,
      `'${drive.serial}' is longer than the 20 characters of Identify`,
    );
  }
  for (const [index, namespace] of drive.namespaces.entries()) {
    const here = `${path}.namespaces[${index}]`;
    const bytes = sizeOf(board.name, `${here}.size`, namespace.size);
    const impossible = checkGeometry(bytes, namespace.block_bytes ?? 512);
    if (impossible !== null) throw new BoardError(board.name, here, impossible);
    if (namespace.eui64 !== undefined && !/^[0-9a-f]{16}$/i.test(namespace.eui64)) {
      throw new BoardError(board.name, `${here}.eui64`, `'${namespace.eui64}' is not 16 hexadecimal digits`);
    }
  }
}

/**
 * System calls as strace(1) prints them: names for requests, structures by field, errno by name. Arguments are read
 * from the process after the call, so that what the kernel filled in shows. Only while somebody listens.
 */
import { hex } from '../support/numbers.ts';
import type { FileKind } from './file.ts';
import type { Process } from './process.ts';
import { errnoName, errnoText } from './uapi/errno.ts';
import { type IoctlFdKind, type IoctlStruct, ioctlName } from './uapi/ioctl.ts';
import { IOMMUFD_COMMANDS } from './uapi/iommufd.ts';
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  O_CLOEXEC,
  O_NONBLOCK,
  O_RDWR,
  O_WRONLY,
  PROT_READ,
  PROT_WRITE,
} from './uapi/mman.ts';
import { VFIO_CONTAINER_COMMANDS, VFIO_DEVICE_COMMANDS, VFIO_GROUP_COMMANDS } from './uapi/vfio.ts';

const BYTES_SHOWN = 16;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const TILDE = 0x7e;

/** Request tables by kind of descriptor; an iommufd answers container requests too. */
const COMMANDS: Partial<Record<FileKind, readonly ReadonlyMap<number, IoctlStruct>[]>> = {
  device: [VFIO_DEVICE_COMMANDS],
  group: [VFIO_GROUP_COMMANDS],
  container: [VFIO_CONTAINER_COMMANDS],
  iommufd: [IOMMUFD_COMMANDS, VFIO_CONTAINER_COMMANDS],
};

/** `name(args) = ret`, with the error's name and sentence when there is one. */
export function straceLine(name: string, args: string, ret: number): string {
  const result = ret < 0 ? `-1 ${errnoName(ret)} (${errnoText(ret)})` : ret > 0xffff ? hex(ret) : String(ret);
  return `${name}(${args}) = ${result}`;
}

/** The arguments of an ioctl on a descriptor of this kind. */
export function ioctlArgs(
  process: Process,
  fd: number,
  kind: FileKind | null,
  request: number,
  argument: number,
): string {
  const struct = (kind === null ? [] : (COMMANDS[kind] ?? []))
    .map((table) => table.get(request))
    .find((found) => found !== undefined);
  const name = ioctlName(request, isIoctlKind(kind) ? kind : 'device');
  return `${fd}, ${name}, ${struct === undefined ? pointer(argument) : decode(process, struct, argument)}`;
}

/** The first bytes of a buffer as a C string literal: text as text, anything else as escapes. */
export function bytesText(bytes: Uint8Array): string {
  const shown = [...bytes.subarray(0, BYTES_SHOWN)];
  const isText = shown.every((byte) => byte === NEWLINE || (byte >= SPACE && byte <= TILDE));
  const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
  const text = shown.map((byte) => (isText ? character(byte) : escaped(byte))).join('');
  return `"${text}"${bytes.length > BYTES_SHOWN ? '...' : ''}`;
}

function character(byte: number): string {
  if (byte === NEWLINE) return '\\n';
  const text = String.fromCharCode(byte);
  return text === '"' || text === '\\' ? `\\${text}` : text;
}

export const openFlagsText = (flags: number): string => {
  const mode = (flags & O_RDWR) !== 0 ? 'O_RDWR' : (flags & O_WRONLY) !== 0 ? 'O_WRONLY' : 'O_RDONLY';
  return flagsText(
    flags,
    [
      [O_CLOEXEC, 'O_CLOEXEC'],
      [O_NONBLOCK, 'O_NONBLOCK'],
    ],
    mode,
  );
};

export const protectionText = (protection: number): string =>
  flagsText(
    protection,
    [
      [PROT_READ, 'PROT_READ'],
      [PROT_WRITE, 'PROT_WRITE'],
    ],
    '',
  ) || 'PROT_NONE';

export const mapFlagsText = (flags: number): string =>
  flagsText(
    flags,
    [
      [MAP_SHARED, 'MAP_SHARED'],
      [MAP_PRIVATE, 'MAP_PRIVATE'],
      [MAP_ANONYMOUS, 'MAP_ANONYMOUS'],
    ],
    '',
  );

export const pointer = (address: number): string => (address === 0 ? 'NULL' : hex(address));

function flagsText(value: number, names: readonly (readonly [number, string])[], first: string): string {
  const set = names.filter(([bit]) => (value & bit) !== 0).map(([, name]) => name);
  return [first, ...set].filter((name) => name !== '').join('|');
}

/** As much of the structure as the caller says it has, in its first word. */
function decode(process: Process, struct: IoctlStruct, argument: number): string {
  const size = process.read32(argument);
  if (size < 0) return pointer(argument);
  const view = new DataView(new ArrayBuffer(struct.size));
  const given = Math.min(Math.max(size, 4), struct.size);
  if (process.copyIn(argument, new Uint8Array(view.buffer, 0, given)) < 0) return pointer(argument);
  const offsets = struct.struct as unknown as Readonly<Record<string, number>>;
  const fields = Object.entries(struct.struct.decode(view, 0))
    .filter(([name]) => offsets[name]! < given)
    .map(([name, value]) => `${name}=${fieldText(name, value)}`);
  return `{${fields.join(', ')}}`;
}

/** Addresses and large numbers in hexadecimal, as they are easier to recognise. */
function fieldText(name: string, value: number | bigint | Uint8Array): string {
  if (value instanceof Uint8Array) return bytesText(value);
  const isAddress = /iova|offset|addr|uptr|user_va/.test(name) && name !== 'cap_offset';
  return isAddress && value !== 0n && value !== 0
    ? hex(value)
    : value > 0xffff_ffff
      ? hex(value)
      : String(value);
}

const isIoctlKind = (kind: FileKind | null): kind is IoctlFdKind =>
  kind !== null && kind !== 'eventfd' && kind !== 'null' && kind !== 'sysfs';

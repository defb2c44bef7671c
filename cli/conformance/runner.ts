/**
 * Runs recorded cases against a kernel, through the public boundary and with raw structures, and says at which step
 * the answer was another one. Knows nothing of the emulator: it would run on real Linux as well.
 * Not here: reading case files and building the machine (whoever calls).
 */
import { errnoName } from '../../vfio/uapi/errno.ts';
import type { Address, Fd, Kernel, Mapping } from '../../vfio/uapi/kernel.ts';
import {
  EFD_NONBLOCK,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  O_RDWR,
  POLLIN,
  PROT_READ,
  PROT_WRITE,
} from '../../vfio/uapi/mman.ts';
import type { Case, Field, Recorded, Step } from './cases.ts';
import { accessMemory, fromHex, type MemoryAnswer, toHex } from './memory.ts';

/** The first difference of a case. */
export interface Difference {
  readonly name: string;
  /** Index into the steps, from 0. */
  readonly step: number;
  /** The call, such as `ioctl dev VFIO_DEVICE_GET_INFO`. */
  readonly call: string;
  /** What differs: `ret`, or a field such as `out.argsz`. */
  readonly field: string;
  readonly expected: Recorded;
  readonly got: Recorded;
}

/** One line for a person. */
export const differenceText = ({ name, step, call, field, expected, got }: Difference): string =>
  `${name}: step ${step} ${call}: ${field} expected ${answerText(field, expected)}, got ${answerText(field, got)}`;

/** A failed call's result with the name of its error. */
const answerText = (field: string, value: Recorded): string =>
  field === 'ret' && typeof value === 'number' && value < 0
    ? `${value} (${errnoName(value)})`
    : String(value);

/**
 * Runs a case from nothing open to nothing open, all of it: the next case finds the device as the recorded one did.
 * Returns null when every answer is the recorded one.
 */
export async function runCase(kernel: Kernel, { name, steps }: Case): Promise<Difference | null> {
  const run = new CaseRun(kernel);
  let first: Difference | null = null;
  for (const [index, step] of steps.entries()) {
    const different = await attempt(run, step);
    if (different !== null) first ??= { name, step: index, call: callText(step), ...different };
  }
  run.end();
  return first;
}

/** Runs one step; an exception is no answer either, whether the step varies or not. */
async function attempt(
  run: CaseRun,
  step: Step,
): Promise<Pick<Difference, 'field' | 'expected' | 'got'> | null> {
  try {
    const got = await run.step(step);
    return step.vary === true ? null : compare(step, got);
  } catch (error) {
    return { field: 'ret', expected: step.ret, got: String(error) };
  }
}

/** What a step answered; the same names as in the recording. */
interface Got extends MemoryAnswer {
  readonly out?: Readonly<Record<string, bigint>>;
}

const BAD_POINTER = 0x10;
const HUGE_PAGE = 0x20_0000;
const PAGE = 0x1000;
/** Room for structures and strings: a page each, so that what follows one is zero. */
const ARGUMENT_BYTES = 0x4000;
const EVREAD_NS = 100_000_000;
/** Events that `wait` lets happen beyond its time before it takes them for endless. */
const DRAIN_STEPS = 100_000;
const WIDTHS = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 } as const;

class CaseRun {
  readonly #kernel: Kernel;
  readonly #fds = new Map<string, Fd>();
  readonly #opened: Fd[] = [];
  readonly #mapped = new Map<string, { address: Address; length: number }>();
  /** Where named memory is or was: a case may point to memory that it has unmapped. */
  readonly #addresses = new Map<string, Address>();
  readonly #variables = new Map<string, bigint>();
  readonly #argument: Address;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#argument = kernel.mmap(ARGUMENT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }

  async step(step: Step): Promise<Got> {
    const kernel = this.#kernel;
    switch (step.do) {
      case 'open':
        return this.#named(step.fd, kernel.open(step.path, O_RDWR));
      case 'opennull':
        return this.#named(step.fd, kernel.open('/dev/null', O_RDWR));
      case 'eventfd':
        return this.#named(step.fd, kernel.eventfd(0, EFD_NONBLOCK));
      case 'dup':
        return this.#named(step.to, kernel.dup(this.#fd(step.fd)));
      case 'badfd':
        this.#fds.set(step.fd, -1);
        return { ret: 0 };
      case 'close':
        return { ret: this.#close(this.#fd(step.fd)) };
      case 'evread':
        return this.#readEventfd(this.#fd(step.fd));
      case 'mem':
        return { ret: this.#allocate(step.name, step.size, step.kind === 'ro') };
      case 'mmap':
        return { ret: this.#map(step) };
      case 'munmap':
        return { ret: this.#unmap(step.name) };
      case 'peek':
      case 'poke':
      case 'fill':
      case 'pattern':
      case 'dump':
      case 'fnv':
        return accessMemory(this.#mapping(step.name), step);
      case 'wait':
        this.#wait(step.us * 1000);
        return { ret: 0 };
      case 'pread':
        return readInto(step.length, (target) => kernel.pread(this.#fd(step.fd), target, step.offset));
      case 'read':
        return readInto(step.length, (target) => kernel.read(this.#fd(step.fd), target));
      case 'pwrite':
        return { ret: kernel.pwrite(this.#fd(step.fd), fromHex(step.bytes), step.offset) };
      case 'ioctl':
        return this.#ioctl(step);
      case 'ioctl-int':
        return { ret: kernel.ioctl(this.#fd(step.fd), step.code, step.value) };
      case 'ioctl-getfd':
        return this.#named(step.to, this.#ioctlWithText(step));
    }
  }

  /** Closes and unmaps what the case left, oldest first, as the end of a process does. */
  end(): void {
    for (const fd of this.#opened.splice(0)) this.#kernel.close(fd);
    for (const name of [...this.#mapped.keys()]) this.#unmap(name);
    this.#kernel.munmap(this.#argument, ARGUMENT_BYTES);
  }

  #fd(name: string): Fd {
    const fd = this.#fds.get(name);
    if (fd === undefined) throw new Error(`the case names a descriptor "${name}" before it opens it`);
    return fd;
  }

  /** A recorded 0 stands for any descriptor. */
  #named(name: string, fd: Fd): Got {
    this.#fds.set(name, fd);
    if (fd >= 0) this.#opened.push(fd);
    return { ret: Math.min(fd, 0) };
  }

  #close(fd: Fd): number {
    const index = this.#opened.indexOf(fd);
    if (index >= 0) this.#opened.splice(index, 1);
    return this.#kernel.close(fd);
  }

  async #readEventfd(fd: Fd): Promise<Got> {
    await this.#kernel.wait(fd, POLLIN, this.#kernel.now() + EVREAD_NS);
    const count = new Uint8Array(8);
    const ret = this.#kernel.read(fd, count);
    if (ret < 0) return { ret };
    return { ret: 0, value_read: new DataView(count.buffer).getBigUint64(0, true) };
  }

  /** Anonymous memory at a 2 MiB boundary, and not a byte more than asked for. */
  #allocate(name: string, size: number, readOnly: boolean): number {
    const kernel = this.#kernel;
    const protection = readOnly ? PROT_READ : PROT_READ | PROT_WRITE;
    const length = Math.ceil(size / PAGE) * PAGE;
    const room = length + HUGE_PAGE;
    const first = kernel.mmap(room, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (first < 0) return first;
    const address = Math.ceil(first / HUGE_PAGE) * HUGE_PAGE;
    if (address > first) kernel.munmap(first, address - first);
    kernel.munmap(address + length, first + room - (address + length));
    return this.#remember(name, address, length);
  }

  #map(step: Extract<Step, { do: 'mmap' }>): number {
    const protection = (step.prot.includes('r') ? PROT_READ : 0) | (step.prot.includes('w') ? PROT_WRITE : 0);
    const flags = step.kind === 'private' ? MAP_PRIVATE : MAP_SHARED;
    const address = this.#kernel.mmap(step.length, protection, flags, this.#fd(step.fd), step.offset);
    if (address < 0) return address;
    return this.#remember(step.name, address, step.length);
  }

  #remember(name: string, address: Address, length: number): number {
    this.#mapped.set(name, { address, length });
    this.#addresses.set(name, address);
    return 0;
  }

  #unmap(name: string): number {
    const { address, length } = this.#mapped.get(name)!;
    this.#mapped.delete(name);
    return this.#kernel.munmap(address, length);
  }

  #mapping(name: string): Mapping {
    const place = this.#mapped.get(name);
    const mapping = place === undefined ? null : this.#kernel.mapping(place.address);
    if (mapping === null) throw new Error(`the case uses memory "${name}" that is not mapped`);
    return mapping;
  }

  /** Lets the machine run for a time, and on until nothing is under way. */
  #wait(duration_ns: number): void {
    const kernel = this.#kernel;
    const deadline = kernel.now() + duration_ns;
    while (kernel.now() < deadline) kernel.relax(deadline);
    for (let steps = 0; steps < DRAIN_STEPS && kernel.relax(Number.POSITIVE_INFINITY); steps++);
  }

  #ioctl(step: Extract<Step, { do: 'ioctl' }>): Got {
    const { arg = [], pointer, save = {} } = step;
    if (pointer !== undefined) {
      const address = pointer === 'null' ? 0 : BAD_POINTER;
      return { ret: this.#kernel.ioctl(this.#fd(step.fd), step.code, address) };
    }
    const memory = this.#clearedArgument();
    const view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
    let at = 0;
    for (const [type, , value] of arg) {
      writeField(view, at, type, this.#value(value));
      at += WIDTHS[type];
    }
    const ret = this.#kernel.ioctl(this.#fd(step.fd), step.code, this.#argument);
    const out = readFields(view, arg);
    for (const [variable, field] of Object.entries(save)) this.#variables.set(variable, out[field]!);
    return { ret, out };
  }

  #ioctlWithText(step: Extract<Step, { do: 'ioctl-getfd' }>): number {
    this.#clearedArgument().set(new TextEncoder().encode(step.text));
    return this.#kernel.ioctl(this.#fd(step.fd), step.code, this.#argument);
  }

  #clearedArgument(): Uint8Array {
    return this.#kernel.mapping(this.#argument)!.bytes!.fill(0);
  }

  /** A number, or `"0x…"`, `"$variable"`, `"fd(name)"`, `"ptr(name)"`, `"ptr(name+0xoffset)"`. */
  #value(value: Recorded): bigint {
    if (typeof value === 'number') return BigInt(value);
    if (value.startsWith('$')) return this.#variables.get(value.slice(1)) ?? 0n;
    const match = /^(fd|ptr)\((\w+)(?:\+(0x[0-9a-f]+|\d+))?\)$/.exec(value);
    if (match === null) return BigInt(value);
    const [, kind, name, offset = '0'] = match;
    if (kind === 'fd') return BigInt(this.#fd(name!));
    const address = this.#addresses.get(name!);
    if (address === undefined) throw new Error(`the case points to memory "${name}" before it maps it`);
    return BigInt(address) + BigInt(offset);
  }
}

function readInto(length: number, read: (target: Uint8Array) => number): Got {
  const target = new Uint8Array(length);
  const ret = read(target);
  return ret < 0 ? { ret } : { ret, bytes_read: toHex(target.subarray(0, ret)) };
}

function writeField(view: DataView, at: number, type: Field[0], value: bigint): void {
  if (type === 'u64') view.setBigUint64(at, BigInt.asUintN(64, value), true);
  else if (type === 'u8') view.setUint8(at, Number(value));
  else if (type === 'u16') view.setUint16(at, Number(value), true);
  else view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
}

function readFields(view: DataView, fields: readonly Field[]): Record<string, bigint> {
  const out: Record<string, bigint> = {};
  let at = 0;
  for (const [type, name] of fields) {
    if (type === 'u64') out[name] = view.getBigUint64(at, true);
    else if (type === 'u8') out[name] = BigInt(view.getUint8(at));
    else if (type === 'u16') out[name] = BigInt(view.getUint16(at, true));
    else out[name] = BigInt(type === 's32' ? view.getInt32(at, true) : view.getUint32(at, true));
    at += WIDTHS[type];
  }
  return out;
}

/** The first thing that was recorded and is not what came. */
function compare(step: Step, got: Got): Pick<Difference, 'field' | 'expected' | 'got'> | null {
  if (step.ret !== got.ret) return { field: 'ret', expected: step.ret, got: got.ret };
  if ('value_read' in step && got.value_read !== BigInt(step.value_read!)) {
    return { field: 'value_read', expected: step.value_read!, got: String(got.value_read) };
  }
  if ('bytes_read' in step && got.bytes_read !== step.bytes_read) {
    return { field: 'bytes_read', expected: step.bytes_read!, got: got.bytes_read ?? 'nothing' };
  }
  for (const [field, expected] of step.do === 'ioctl' ? Object.entries(step.out ?? {}) : []) {
    const value = got.out?.[field];
    if (value !== BigInt(expected)) return { field: `out.${field}`, expected, got: String(value) };
  }
  return null;
}

function callText(step: Step): string {
  const what = 'fd' in step ? step.fd : 'name' in step ? step.name : '';
  return [step.do, what, 'request' in step ? step.request : ''].filter((word) => word !== '').join(' ');
}

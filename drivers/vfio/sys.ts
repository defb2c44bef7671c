/**
 * System calls at the edge of a program: a negative errno becomes a SysError that says what was called, with
 * which arguments, and what usually causes that answer. Not here: which calls a driver makes (device.ts,
 * dma.ts, interrupts.ts).
 */
import type { FieldType, Layout } from '../../support/layout.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { type ErrnoName, errnoName, errnoText } from '../../vfio/uapi/errno.ts';
import { type IoctlFdKind, ioctlName } from '../../vfio/uapi/ioctl.ts';
import type { Address, Fd, Kernel } from '../../vfio/uapi/kernel.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../vfio/uapi/mman.ts';

/** What an answer of a call usually means, by error name: a clause without a full stop. */
export type Causes = Readonly<Partial<Record<ErrnoName, string>>>;

/** A system call that failed, written as strace writes it. */
export class SysError extends Error {
  override readonly name = 'SysError';
  readonly call: string;
  readonly errno: number;
  readonly code: ErrnoName;

  /** `errno` may be positive or as the kernel returns it. */
  constructor(call: string, errno: number, causes: Causes = {}) {
    const code = errnoName(errno);
    const likely = causes[code];
    super(`${call}: ${code} (${errnoText(errno)})${likely === undefined ? '' : `; ${likely}`}`);
    this.call = call;
    this.errno = Math.abs(errno);
    this.code = code;
  }
}

/** Returns `result` when it is not negative, else throws the SysError of `call`. */
export function check(result: number, call: string, causes?: Causes): number {
  if (result < 0) throw new SysError(call, result, causes);
  return result;
}

/** Private zeroed memory of whole pages. Throws SysError. */
export function mmapAnonymous(kernel: Kernel, length: number): Address {
  const address = kernel.mmap(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return check(address, `mmap(${length} bytes, anonymous)`, { ENOMEM: 'the machine is out of memory' });
}

type Values<Fields extends Record<string, FieldType>> = Partial<
  Record<keyof Fields & string, number | bigint>
>;

/** One page of process memory through which ioctl structures go, one call at a time. */
export class IoctlPage {
  readonly view: DataView;
  readonly address: Address;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.address = mmapAnonymous(kernel, PAGE_SIZE);
    const bytes = kernel.mapping(this.address)!.bytes!;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_SIZE);
  }

  /**
   * Fills a structure (fields that are not named are zero), makes the request and returns what the kernel
   * returned. Outputs are then read with `get`. Throws SysError.
   */
  call<Fields extends Record<string, FieldType>>(
    fd: Fd,
    kind: IoctlFdKind,
    request: number,
    struct: Layout<Fields>,
    values: Values<Fields>,
    causes?: Causes,
  ): number {
    for (let byte = 0; byte < struct.SIZE; byte++) this.view.setUint8(byte, 0);
    const words: string[] = [];
    for (const [name, value] of Object.entries<number | bigint | undefined>(values)) {
      if (value === undefined) continue;
      struct.set(this.view, 0, name, value as never);
      words.push(`${name}=${value > 0xffff ? `0x${value.toString(16)}` : value}`);
    }
    const result = this.#kernel.ioctl(fd, request, this.address);
    if (result >= 0) return result;
    throw new SysError(`ioctl(${fd}, ${ioctlName(request, kind)}, {${words.join(', ')}})`, result, causes);
  }

  /** A field of the structure that the last call left in the page. */
  get<Fields extends Record<string, FieldType>>(struct: Layout<Fields>, name: keyof Fields & string): number {
    return Number(struct.get(this.view, 0, name));
  }

  close(): void {
    this.#kernel.munmap(this.address, PAGE_SIZE);
  }
}

/**
 * A program for the lines of linux-cases: the machine of the recordings with toy functions, and a word for
 * every step that the lines are made of. Errors are negative, as the kernel returns them.
 */
import { test } from 'vitest';
import type { FieldType, Layout, ValueOf } from '../../../support/layout.ts';
import * as U from '../../../vfio/uapi/iommufd.ts';
import type { Fd, Mapping } from '../../../vfio/uapi/kernel.ts';
import { O_RDWR, PROT_READ } from '../../../vfio/uapi/mman.ts';
import * as V from '../../../vfio/uapi/vfio.ts';
import { type ToyMachine, type ToyMachineOptions, toyMachine } from '../toy-machine.ts';
import { ANONYMOUS, RW, User } from '../user.ts';

export const PAGE = 4096;
export const VFIO0 = '/dev/vfio/devices/vfio0';
export const VFIO1 = '/dev/vfio/devices/vfio1';

/** FIXED, WRITEABLE and READABLE. */
const FIXED_RW = 7;
const RW_ANYWHERE = 6;

/** Some fields of a structure; the others are 0. */
type Values<Fields extends Record<string, FieldType>> = Partial<Record<keyof Fields, number | bigint>>;
type ValuesOf<Struct> = Struct extends Layout<infer Fields> ? Values<Fields> : never;
type Answer<Fields extends Record<string, FieldType>> = { ret: number } & {
  [Name in keyof Fields]: ValueOf<Fields[Name]>;
};

export class Lab extends User {
  readonly machine: ToyMachine;

  constructor(options: ToyMachineOptions = {}) {
    const machine = toyMachine(options);
    super(machine.kernel);
    this.machine = machine;
  }

  /** An ioctl with a structure of its full size, or of `size`; the first word says so unless `fields` does. */
  call<Fields extends Record<string, FieldType>>(
    fd: Fd,
    request: number,
    struct: Layout<Fields>,
    fields: Values<Fields> = {},
    size: number = struct.SIZE,
  ): Answer<Fields> {
    const bytes = this.kernel.mapping(this.argument)!.bytes!.fill(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    view.setUint32(0, size, true);
    for (const [name, value] of Object.entries(fields)) struct.set(view, 0, name, value as number);
    const ret = this.kernel.ioctl(fd, request, this.argument);
    return { ret, ...struct.decode(view, 0) };
  }

  /** What the last call left behind its structure. */
  tail(offset: number): DataView {
    const bytes = this.kernel.mapping(this.argument)!.bytes!;
    return new DataView(bytes.buffer, bytes.byteOffset + offset);
  }

  iommu(): Fd {
    return this.kernel.open('/dev/iommu', O_RDWR);
  }

  /** A device bound to `iommufd` and attached to a new IOAS. */
  attached(iommufd: Fd, path = VFIO0): { device: Fd; ioas: number; hwpt: number } {
    const device = this.open(path);
    this.bind(device, iommufd);
    const ioas = this.ioas(iommufd);
    this.attach(device, ioas);
    return { device, ioas, hwpt: this.word(2) };
  }

  detach(device: Fd): number {
    return this.call(device, V.VFIO_DEVICE_DETACH_IOMMUFD_PT, V.VfioDeviceDetachIommufdPt).ret;
  }

  destroy(iommufd: Fd, id: number): number {
    return this.call(iommufd, U.IOMMU_DESTROY, U.IommuDestroy, { id }).ret;
  }

  /** Address of zeroed memory. */
  buffer(pages: number, protection = RW): number {
    return this.kernel.mmap(pages * PAGE, protection, ANONYMOUS, -1, 0);
  }

  readOnly(pages: number): number {
    return this.buffer(pages, PROT_READ);
  }

  /** Memory that begins at `address`, which `buffer` returned. */
  bytes(address: number): Uint8Array {
    return this.kernel.mapping(address)!.bytes!;
  }

  /** IOMMU_IOAS_MAP at a fixed IOVA. */
  map(
    iommufd: Fd,
    ioas_id: number,
    user_va: number,
    length: number | bigint,
    iova: number | bigint,
    flags = FIXED_RW,
  ): number {
    return this.call(iommufd, U.IOMMU_IOAS_MAP, U.IommuIoasMap, { flags, ioas_id, user_va, length, iova })
      .ret;
  }

  /** IOMMU_IOAS_MAP wherever there is room. Returns the IOVA or a negative errno. */
  place(iommufd: Fd, ioas_id: number, user_va: number, length: number | bigint): number {
    const fields = { flags: RW_ANYWHERE, ioas_id, user_va, length };
    const { ret, iova } = this.call(iommufd, U.IOMMU_IOAS_MAP, U.IommuIoasMap, fields);
    return ret < 0 ? ret : Number(iova);
  }

  /** Bytes unmapped, or a negative errno. */
  unmap(iommufd: Fd, ioas_id: number, iova: number | bigint, length: number | bigint): number {
    const { ret, length: bytes } = this.call(iommufd, U.IOMMU_IOAS_UNMAP, U.IommuIoasUnmap, {
      ioas_id,
      iova,
      length,
    });
    return ret < 0 ? ret : Number(bytes);
  }

  unmapAll(iommufd: Fd, ioas: number): number {
    return this.unmap(iommufd, ioas, 0, U.U64_MAX);
  }

  copy(iommufd: Fd, fields: ValuesOf<typeof U.IommuIoasCopy>): number {
    return this.call(iommufd, U.IOMMU_IOAS_COPY, U.IommuIoasCopy, { flags: FIXED_RW, ...fields }).ret;
  }

  option(iommufd: Fd, fields: ValuesOf<typeof U.IommuOption>) {
    const { ret, val64 } = this.call(iommufd, U.IOMMU_OPTION, U.IommuOption, fields);
    return [ret, Number(val64)];
  }

  /** Number of usable ranges, their alignment, and those of them for which `room` was given. */
  ranges(iommufd: Fd, ioas_id: number, room = 16) {
    const table = this.buffer(1);
    const fields = { ioas_id, num_iovas: room, allowed_iovas: table };
    const { ret, num_iovas, out_iova_alignment } = this.call(
      iommufd,
      U.IOMMU_IOAS_IOVA_RANGES,
      U.IommuIoasIovaRanges,
      fields,
    );
    const words = new BigUint64Array(this.bytes(table).slice(0, 16 * Math.min(room, num_iovas)).buffer);
    return { ret, num_iovas, alignment: Number(out_iova_alignment), words: [...words] };
  }

  allow(iommufd: Fd, ioas_id: number, ...ends: (number | bigint)[]): number {
    const table = this.buffer(1);
    this.bytes(table).set(new Uint8Array(BigUint64Array.from(ends, BigInt).buffer));
    const fields = { ioas_id, num_iovas: ends.length / 2, allowed_iovas: table };
    return this.call(iommufd, U.IOMMU_IOAS_ALLOW_IOVAS, U.IommuIoasAllowIovas, fields).ret;
  }

  hwpt(iommufd: Fd, dev_id: number, pt_id: number, flags = 0): number {
    const fields = { dev_id, pt_id, flags };
    const { ret, out_hwpt_id } = this.call(iommufd, U.IOMMU_HWPT_ALLOC, U.IommuHwptAlloc, fields);
    return ret < 0 ? ret : out_hwpt_id;
  }

  /** GROUP_GET_DEVICE_FD. */
  deviceOf(group: Fd, name: string): Fd {
    const bytes = this.kernel.mapping(this.argument)!.bytes!.fill(0);
    bytes.set(new TextEncoder().encode(name));
    return this.kernel.ioctl(group, V.VFIO_GROUP_GET_DEVICE_FD, this.argument);
  }

  /** A BAR of a device. */
  bar(device: Fd, length = PAGE, offset = 0): Mapping {
    return this.kernel.mapping(this.kernel.mmap(length, RW, 1, device, offset))!;
  }

  /** Turns bus mastering on or off, memory decoding stays on. */
  busMaster(device: Fd, on: boolean): void {
    this.configWrite(device, 4, 2, on ? 6 : 2);
  }

  /** One byte that function `index` reads by DMA, or the negated result of a request that did not succeed. */
  dmaRead(index: number, iova: number): number {
    const { port, local, memory } = this.machine.functions[index]!;
    const result = port.read(iova, local, 1);
    return result === 0 ? memory.u8[local]! : -result;
  }

  /** One byte that function `index` writes by DMA; 0, or the negated result of a request that did not succeed. */
  dmaWrite(index: number, iova: number, value: number): number {
    const { port, local, memory } = this.machine.functions[index]!;
    memory.u8[local] = value;
    return 0 - port.write(iova, local, 1);
  }
}

/** One line of the list: its number, what it says, and the program that shows it, on a machine of its own. */
export function line(number: number, says: string, run: (lab: Lab) => void | Promise<void>): void {
  test(`${number}: ${says}`, async () => {
    await run(new Lab());
  });
}

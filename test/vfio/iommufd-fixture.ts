/**
 * An iommufd context on a bare machine: RAM, one remapping unit, its driver and a process, without a kernel around
 * them. Devices are requester ids in groups of their own; `reach` asks the unit what their DMA would.
 */
import { IommuDriver } from '../../iommu/driver.ts';
import { IommuUnit } from '../../iommu/unit.ts';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { FREE_HOST } from '../../machine/timing/host.ts';
import { Trace } from '../../machine/trace.ts';
import type { FieldType, Layout, ValueOf } from '../../support/layout.ts';
import { MIB } from '../../support/numbers.ts';
import { FileTable } from '../../vfio/file-table.ts';
import { IommuGroup } from '../../vfio/iommu-group.ts';
import type { IommufdClient } from '../../vfio/iommufd/client.ts';
import { IommufdContext } from '../../vfio/iommufd/context.ts';
import type { AbiLevel } from '../../vfio/iommufd/state.ts';
import { Process } from '../../vfio/process.ts';
import { IOMMU_IOAS_ALLOC, IOMMU_IOAS_MAP, IommuIoasAlloc, IommuIoasMap } from '../../vfio/uapi/iommufd.ts';
import { PROT_READ, PROT_WRITE } from '../../vfio/uapi/mman.ts';

export class Machine {
  readonly memory = new Memory(64 * MIB, 0);
  readonly clock = new Clock();
  readonly pages = new Pages(this.memory);
  readonly process = new Process(this.memory, this.pages);
  readonly files = new FileTable();
  readonly unit: IommuUnit;
  readonly iommu: IommuDriver;
  readonly context: IommufdContext;
  /** Where arguments are put. */
  readonly argument = this.allocate(4096);

  constructor(abi: AbiLevel = '6.12') {
    const { memory, clock, pages } = this;
    const trace = new Trace(clock);
    const interrupts = new Interrupts(clock, trace, 0);
    this.unit = new IommuUnit({ memory, trace, interrupts, host: FREE_HOST });
    this.iommu = new IommuDriver({
      bus: this.unit,
      base: 0,
      clock,
      memory,
      pages,
      interrupts,
      dmesg: () => {},
    });
    this.iommu.boot();
    this.context = this.open(abi);
  }

  open(abi: AbiLevel = '6.12'): IommufdContext {
    return new IommufdContext({ process: this.process, files: this.files }, this.iommu, abi);
  }

  /** A user buffer of `bytes`. */
  allocate(bytes: number, protection = PROT_READ | PROT_WRITE): number {
    return this.process.mapAnonymous(bytes, protection);
  }

  /** A device that sits alone in its group, or in `group` with others. */
  device(requester: number, group = new IommuGroup(requester)): IommufdClient {
    group.requesters.push(requester);
    return { requester, group, coherent: true, isolatedMsi: true };
  }

  /** One ioctl with a structure; what comes back has `ret` and every field after the call. */
  call<Fields extends Record<string, FieldType>>(
    request: number,
    struct: Layout<Fields>,
    values: Partial<{ [Name in keyof Fields]: ValueOf<Fields[Name]> | number }>,
    context = this.context,
  ): { ret: number } & { [Name in keyof Fields]: ValueOf<Fields[Name]> } {
    const bytes = new Uint8Array(struct.SIZE);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, struct.SIZE, true);
    for (const [name, value] of Object.entries(values)) struct.set(view, 0, name, value as number);
    this.process.copyOut(this.argument, bytes);
    const ret = context.ioctl(request, this.argument);
    this.process.copyIn(this.argument, bytes);
    return { ret, ...struct.decode(view, 0) };
  }

  /** A new IOAS. */
  ioas(context = this.context): number {
    return this.call(IOMMU_IOAS_ALLOC, IommuIoasAlloc, {}, context).out_ioas_id;
  }

  /** MAP with the flags FIXED, WRITEABLE and READABLE. Returns what ioctl returns. */
  map(
    ioas_id: number,
    user_va: number | bigint,
    length: number | bigint,
    iova: number | bigint,
    flags = 7,
  ): number {
    const fields = { flags, ioas_id, user_va: BigInt(user_va), length: BigInt(length), iova: BigInt(iova) };
    return this.call(IOMMU_IOAS_MAP, IommuIoasMap, fields).ret;
  }

  /** The physical address that a read by `requester` reaches, or a negative number. */
  reach(requester: number, iova: number, isWrite = false): number {
    return this.unit.translate(requester, iova, isWrite);
  }

  /** The physical address behind a user address, looked up by pinning it. */
  physical(address: number): number {
    const pinned = this.process.pin(address, 1, false);
    if (typeof pinned === 'number') return pinned;
    pinned.release();
    return pinned.runs[0]!.physical;
  }
}

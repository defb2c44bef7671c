/**
 * What runs on the CPU of a machine before any program: firmware, the driver of the IOMMU, the kernel. It knows the
 * hardware by RAM, PCIe accesses and interrupts only.
 * Not here: the hardware (hardware.ts), programs (drivers/, cli/).
 */

import { INCLUDE_ALL, IommuDriver } from '../iommu/driver.ts';
import { IommuUnits } from '../iommu/units.ts';
import type { Clock } from '../machine/clock.ts';
import type { Interrupts } from '../machine/interrupts.ts';
import { ioApicOf } from '../machine/io-apic.ts';
import type { Memory } from '../machine/memory.ts';
import { Pages } from '../machine/pages.ts';
import { enumerate, type Topology } from '../machine/pcie/enumerate.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import type { Archive } from '../support/archive.ts';
import { Dmesg } from '../vfio/dmesg.ts';
import { EmulatedKernel } from '../vfio/kernel.ts';
import { type Complexes, iommuBase } from './complexes.ts';

export interface SoftwareParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly interrupts: Interrupts;
  /** How the CPU reaches configuration space and registers. */
  readonly rootComplex: PciHost;
  readonly host: HostProfile;
  /** Where firmware puts BARs. */
  readonly mmioBase: number | undefined;
  /** The kernel remaps interrupts. */
  readonly remapsInterrupts: boolean | undefined;
  /** The IOMMU group that the board gives to a function; asked after firmware has numbered the buses. */
  readonly groupOf: (bdf: number) => number | undefined;
  /** False when the hardware is in another thread; true when absent. */
  readonly ordersLoads?: boolean;
  /** Absent where one root complex has everything. */
  readonly complexes?: Complexes | undefined;
}

const ONE: Complexes = { count: 1, ownerOf: () => 0 };

/** Firmware, IOMMU driver and kernel, booted. */
export class Software {
  /** Frames of RAM: what the kernel has handed out and what is free. */
  readonly pages: Pages;
  readonly topology: Topology;
  readonly kernel: EmulatedKernel;
  readonly #iommu: IommuUnits;

  constructor({ mmioBase, complexes = ONE, ...parts }: SoftwareParts) {
    const { clock, rootComplex } = parts;
    const pages = new Pages(parts.memory);
    const dmesg = new Dmesg(() => clock.now);
    this.pages = pages;
    this.topology = enumerate(rootComplex, { mmioBase });
    const log = (line: string): void => dmesg.log(line);
    const { count, ownerOf } = complexes;
    const units = Array.from({ length: count }, (_, unit) => {
      const flags = unit === count - 1 ? INCLUDE_ALL : 0;
      return new IommuDriver({
        ...parts,
        pages,
        bus: rootComplex,
        base: iommuBase(unit),
        unit,
        flags,
        dmesg: log,
      });
    });
    this.#iommu = new IommuUnits(units, (requester) => ioApicOf(requester) ?? ownerOf(requester));
    this.#iommu.boot();
    this.kernel = new EmulatedKernel({ ...parts, pages, iommu: this.#iommu, dmesg, ioApicOf: ownerOf });
  }

  /** IOMMU faults as dmesg has them or will have them in a moment. */
  get faults(): string[] {
    return [
      ...this.kernel.dmesg.lines.filter((line) => line.includes('DMAR: [')),
      ...this.#iommu.pendingFaults,
    ];
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.section('page allocator', 1, () => this.pages.archive(a));
    a.section('IOMMU driver', 1, () => this.#iommu.archive(a));
    a.section('kernel', 1, () => this.kernel.archive(a));
  }
}

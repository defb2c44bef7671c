/**
 * The machine of the recordings with toy functions instead of NVMe controllers: two root ports with one function each,
 * same configuration space, same first registers, a working MSI-X table, and DMA that a test can ask for.
 */
import { IommuDriver } from '../../iommu/driver.ts';
import { IommuUnit } from '../../iommu/unit.ts';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { IO_APIC, IO_APIC_BASE, IoApic, PCI_INPUT } from '../../machine/io-apic.ts';
import { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { Bridge, portDescription } from '../../machine/pcie/bridge.ts';
import {
  configSpace,
  type FunctionDescription,
  type PcieDescription,
} from '../../machine/pcie/capabilities.ts';
import { DmaPort } from '../../machine/pcie/dma-port.ts';
import { enumerate } from '../../machine/pcie/enumerate.ts';
import { PcieFunction } from '../../machine/pcie/function.ts';
import { Msix } from '../../machine/pcie/msix.ts';
import { RootComplex } from '../../machine/pcie/root-complex.ts';
import { CLASS, devfn } from '../../machine/pcie/spec.ts';
import { FREE_HOST, type HostProfile } from '../../machine/timing/host.ts';
import { Link } from '../../machine/timing/link.ts';
import { Trace } from '../../machine/trace.ts';
import { MIB } from '../../support/numbers.ts';
import { Dmesg } from '../../vfio/dmesg.ts';
import type { AbiLevel } from '../../vfio/iommufd/state.ts';
import { EmulatedKernel } from '../../vfio/kernel.ts';

const LINK: PcieDescription['link'] = { generation: 1, lanes: 1 };
const IOMMU_BASE = 0xfed9_0000;
const LOCAL_BYTES = MIB;

/** The function of the recordings; lspci calls it a QEMU NVMe controller. */
export const RECORDED_FUNCTION: FunctionDescription = {
  vendor: 0x1b36,
  device: 0x0010,
  revision: 2,
  class: CLASS.NVME,
  subsystemVendor: 0x1af4,
  subsystem: 0x1100,
  interruptPin: 1,
  bars: [{ index: 0, bytes: 0x4000, is64: true, prefetchable: false }],
  capabilities: [
    {
      kind: 'msix',
      offset: 0x40,
      vectors: 65,
      table: { bar: 0, offset: 0x2000 },
      pba: { bar: 0, offset: 0x3000 },
    },
    {
      kind: 'pcie',
      offset: 0x80,
      port: 'ENDPOINT',
      link: LINK,
      flr: true,
      maxPayload_bytes: 128,
      aspm: 1,
      deviceControl: 0,
      deviceCapabilities2: 0x0030_0000,
    },
    { kind: 'powerManagement', offset: 0x60, noSoftReset: true },
  ],
};

/** Read-only registers at the start of BAR0: CAP and VS. */
const REGISTERS = [0x0f01_07ff, 0x0040_1820, 0x0001_0400];
/** A register that keeps what is written, until a reset. */
export const SCRATCH = 0x1000;

export class ToyFunction extends PcieFunction {
  readonly msix: Msix | null;
  readonly port: DmaPort;
  /** Device-local memory for `dmaRead` and `dmaWrite`. */
  readonly local: number;
  readonly memory: Memory;
  resets = 0;
  scratch = 0;

  constructor(name: string, parts: Chassis, description: FunctionDescription) {
    const port = new DmaPort(parts.rootComplex, new Link(parts.clock, null));
    const config = configSpace(description);
    super(name, config, port);
    const { clock, trace, memory } = parts;
    this.port = port;
    this.memory = memory;
    this.local = memory.reserve(4096);
    const hasMsix = description.capabilities.some(({ kind }) => kind === 'msix');
    this.msix = hasMsix ? new Msix({ clock, trace, config, dma: port }) : null;
  }

  override barRead32(bar: number, offset: number): number {
    if (this.msix?.contains(bar, offset)) return this.msix.read32(bar, offset);
    return offset === SCRATCH ? this.scratch : (REGISTERS[offset / 4] ?? 0);
  }

  override barWrite32(bar: number, offset: number, value: number): void {
    if (offset === SCRATCH) this.scratch = value;
    else this.msix?.write32(bar, offset, value);
  }

  override reset(): void {
    super.reset();
    this.resets++;
    this.scratch = 0;
    this.msix?.reset();
  }
}

interface Chassis {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly memory: Memory;
  readonly rootComplex: RootComplex;
}

export interface ToyMachineOptions {
  readonly host?: HostProfile;
  readonly ramBytes?: number;
  readonly abi?: AbiLevel;
  /** Functions behind each root port, by device and function number there; two ports with one each by default. */
  readonly ports?: readonly (readonly FunctionDescription[])[];
  readonly groupOf?: (bdf: number) => number | undefined;
  readonly driverOf?: (bdf: number) => string;
}

export interface ToyMachine {
  readonly kernel: EmulatedKernel;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly rootComplex: RootComplex;
  readonly interrupts: Interrupts;
  /** In the order of their ports. */
  readonly functions: readonly ToyFunction[];
}

/** Boots firmware, IOMMU and kernel. Root ports are at 00:04.0, 00:05.0 and so on. */
export function toyMachine(options: ToyMachineOptions = {}): ToyMachine {
  const {
    host = FREE_HOST,
    ramBytes = 64 * MIB,
    ports = [[RECORDED_FUNCTION], [RECORDED_FUNCTION]],
  } = options;
  const clock = new Clock();
  const trace = new Trace(clock);
  const memory = new Memory(ramBytes, LOCAL_BYTES);
  const pages = new Pages(memory);
  const interrupts = new Interrupts(clock, trace, host.interrupt_ns);
  const unit = new IommuUnit({ memory, trace, interrupts, host });
  const rootComplex = new RootComplex({ clock, memory, trace, translator: unit, host });
  rootComplex.mapBlock(IOMMU_BASE, unit.registerBytes, unit);
  const ioApic = new IoApic(interrupts);
  rootComplex.mapBlock(IO_APIC_BASE, IO_APIC.SIZE, ioApic);
  rootComplex.onWire = (pin, isAsserted) => ioApic.drive(PCI_INPUT + pin - 1, isAsserted);

  const functions: ToyFunction[] = [];
  ports.forEach((descriptions, index) => {
    const link = new Link(clock, null);
    const bridge = new Bridge(`port${index}`, portDescription('ROOT_PORT', LINK), link);
    descriptions.forEach((description, fn) => {
      const toy = new ToyFunction(
        `toy${functions.length}`,
        { clock, trace, memory, rootComplex },
        description,
      );
      bridge.plug(fn, toy);
      functions.push(toy);
    });
    rootComplex.plug(devfn(4 + index, 0), bridge);
  });
  enumerate(rootComplex);

  const dmesg = new Dmesg(() => clock.now);
  const log = (line: string): void => dmesg.log(line);
  const iommu = new IommuDriver({
    bus: rootComplex,
    base: IOMMU_BASE,
    clock,
    memory,
    pages,
    interrupts,
    dmesg: log,
  });
  iommu.boot();
  const groupOf = options.groupOf ?? ((bdf: number) => RECORDED_GROUPS[bdf]);
  const abi = options.abi ?? '6.12';
  const kernel = new EmulatedKernel({
    clock,
    memory,
    pages,
    rootComplex,
    iommu,
    host,
    groupOf,
    dmesg,
    abi,
    ...(options.driverOf === undefined ? {} : { driverOf: options.driverOf }),
  });
  return { kernel, clock, memory, pages, rootComplex, interrupts, functions };
}

const RECORDED_GROUPS: Readonly<Record<number, number>> = { 256: 7, 512: 8 };

/**
 * Builds and boots the machine that a board describes: chassis, IOMMU, ports, controllers, then firmware and kernel.
 * The pace is decided here and nowhere below: at the functional pace every cost in the board becomes zero.
 * Not here: running programs on it (drivers/, cli/), opening image files (bridge/, through `openStore`).
 */
import { IommuDriver } from '../iommu/driver.ts';
import { IommuUnit } from '../iommu/unit.ts';
import { Clock } from '../machine/clock.ts';
import { Interrupts } from '../machine/interrupts.ts';
import { Memory } from '../machine/memory.ts';
import { Pages } from '../machine/pages.ts';
import { Bridge, portDescription } from '../machine/pcie/bridge.ts';
import type { FunctionDescription } from '../machine/pcie/capabilities.ts';
import { DmaPort } from '../machine/pcie/dma-port.ts';
import { enumerate, type Topology } from '../machine/pcie/enumerate.ts';
import { RootComplex } from '../machine/pcie/root-complex.ts';
import { FREE_HOST, type HostProfile } from '../machine/timing/host.ts';
import { Link } from '../machine/timing/link.ts';
import { Trace } from '../machine/trace.ts';
import type { BlockStore } from '../nvme/block-store.ts';
import { NvmeController } from '../nvme/controller.ts';
import { Namespace } from '../nvme/namespace.ts';
import { CONTROLLER_BYTES } from '../nvme/profile.ts';
import { SparseStore } from '../nvme/sparse-store.ts';
import { alignUp } from '../support/numbers.ts';
import { random } from '../support/random.ts';
import { Dmesg } from '../vfio/dmesg.ts';
import { EmulatedKernel } from '../vfio/kernel.ts';
import type { Board, NamespaceBoard, NvmeBoard, PortBoard } from './board.ts';
import { BoardError, checkBoard, devfnOf } from './check.ts';
import { bytesOf } from './shapes.ts';

/** `timed`: every hop costs what the board says. `functional`: nothing costs anything; doorbells run to completion. */
export type Pace = 'timed' | 'functional';

export interface BootOptions {
  /** `timed` when absent. */
  readonly pace?: Pace;
  /** Seed of every random stream; 1 when absent. */
  readonly seed?: number;
  /** Opens the image of a namespace. Without it a board with images cannot boot. */
  readonly openStore?: (image: string, bytes: number, memory: Memory, readOnly: boolean) => BlockStore;
}

const IOMMU_BASE = 0xfed9_0000;

/** A booted machine. Programs use `kernel`; everything else is for looking inside. */
export class Machine {
  readonly board: Board;
  readonly pace: Pace;
  readonly host: HostProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  /** Frames of RAM: what the kernel has handed out and what is free. */
  readonly pages: Pages;
  readonly trace: Trace;
  readonly interrupts: Interrupts;
  readonly rootComplex: RootComplex;
  readonly iommu: IommuUnit;
  readonly controllers: readonly NvmeController[];
  readonly topology: Topology;
  readonly kernel: EmulatedKernel;
  readonly #iommuDriver: IommuDriver;

  constructor(board: Board, options: BootOptions) {
    checkBoard(board);
    const builder = new Builder(board, options);
    this.board = board;
    this.pace = options.pace ?? 'timed';
    this.host = builder.host;
    this.clock = builder.clock;
    this.memory = builder.memory;
    this.pages = builder.pages;
    this.trace = builder.trace;
    this.interrupts = builder.interrupts;
    this.iommu = builder.iommu;
    this.rootComplex = builder.rootComplex;
    builder.plugRootPorts();
    this.controllers = builder.controllers;
    this.topology = enumerate(this.rootComplex, { mmioBase: board.mmioBase });
    this.#iommuDriver = bootIommu(builder);
    this.kernel = bootKernel(builder, this.#iommuDriver);
  }

  /**
   * What went wrong lately: IOMMU faults as dmesg has them or will have them in a moment, then the commands that each
   * controller refused; newest last.
   */
  explain(): string[] {
    const faults = this.kernel.dmesg.lines.filter((line) => line.includes('DMAR: ['));
    const rejections = this.controllers.flatMap(({ name, health }) =>
      health.rejections.map((text) => `${name}: ${text}`),
    );
    return [...faults, ...this.#iommuDriver.pendingFaults, ...rejections];
  }
}

/** Boots `board`. Throws BoardError, one sentence, when the board cannot exist. */
export function boot(board: Board, options: BootOptions = {}): Machine {
  return new Machine(board, options);
}

type PortKind = Parameters<typeof portDescription>[0];

/** A port and where it sits on its bus. */
interface BusPlace {
  readonly devfn: number;
  readonly bridge: Bridge;
}

/** The parts while they are put together. */
class Builder {
  readonly board: Board;
  readonly options: BootOptions;
  readonly isFree: boolean;
  readonly host: HostProfile;
  readonly clock = new Clock();
  readonly trace = new Trace(this.clock);
  readonly dmesg = new Dmesg(() => this.clock.now);
  readonly memory: Memory;
  readonly pages: Pages;
  readonly interrupts: Interrupts;
  readonly iommu: IommuUnit;
  readonly rootComplex: RootComplex;
  readonly controllers: NvmeController[] = [];
  /** IOMMU groups that the board asks for, by controller. */
  readonly groups: (number | undefined)[] = [];

  constructor(board: Board, options: BootOptions) {
    const { clock, trace } = this;
    this.board = board;
    this.options = options;
    this.isFree = options.pace === 'functional';
    this.host = this.isFree ? FREE_HOST : board.host;
    const { host } = this;
    const drives = countDrives(board.rootPorts);
    const local = bytesOf(board.media) + drives * CONTROLLER_BYTES;
    this.memory = new Memory(bytesOf(board.ram), alignUp(local, 65_536));
    const { memory } = this;
    this.pages = new Pages(memory);
    this.interrupts = new Interrupts(clock, trace, host.interrupt_ns);
    const { interrupts } = this;
    this.iommu = new IommuUnit({ memory, trace, interrupts, host, options: board.iommu });
    this.rootComplex = new RootComplex({ clock, memory, trace, interrupts, translator: this.iommu, host });
    this.rootComplex.mapBlock(IOMMU_BASE, this.iommu.registerBytes, this.iommu);
  }

  /** Puts the root ports and everything below them on bus 0. */
  plugRootPorts(): void {
    for (const { devfn, bridge } of this.#ports('ROOT_PORT', this.board.rootPorts, null, 'rootPorts')) {
      this.rootComplex.plug(devfn, bridge);
    }
  }

  /** The ports of one bus with what is behind them. Ports that share a device number are its functions. */
  #ports(kind: PortKind, ports: readonly PortBoard[], parent: Link | null, path: string): BusPlace[] {
    const places = ports.map(({ at }) => devfnOf(at));
    return ports.map((port, index) => {
      const devfn = places[index]!;
      const multifunction = places.some((other) => other !== devfn && other >>> 3 === devfn >>> 3);
      const description = { ...portDescription(kind, port.link), multifunction };
      return { devfn, bridge: this.#port(description, port, parent, `${path}[${index}]`) };
    });
  }

  #port(description: FunctionDescription, port: PortBoard, parent: Link | null, path: string): Bridge {
    const link = new Link(this.clock, this.isFree ? null : port.link, parent);
    const bridge = new Bridge(path, description, link);
    const { device } = port;
    if (device?.kind === 'nvme') bridge.plug(0, this.#drive(device, link, port, `${path}.device`));
    else if (device !== null) {
      const upstream = new Bridge(`${path}.device`, portDescription('UPSTREAM', port.link), null);
      bridge.plug(0, upstream);
      const below = this.#ports('DOWNSTREAM', device.ports, link, `${path}.device.ports`);
      for (const place of below) upstream.plug(place.devfn, place.bridge);
    }
    return bridge;
  }

  #drive(drive: NvmeBoard, link: Link, port: PortBoard, path: string): NvmeController {
    const { clock, memory, trace, board, options } = this;
    const name = `nvme${this.controllers.length}`;
    const profile = this.isFree ? { ...drive.profile, timing: null } : drive.profile;
    const namespaces = drive.namespaces.map(
      (namespace, index) =>
        new Namespace({
          nsid: index + 1,
          block_bytes: namespace.block_bytes ?? 512,
          store: this.#store(namespace, `${path}.namespaces[${index}]`),
          readOnly: namespace.readOnly ?? false,
          ...(namespace.eui64 === undefined ? {} : { eui64: namespace.eui64 }),
        }),
    );
    const controller = new NvmeController({
      name,
      profile,
      serial: drive.serial,
      clock,
      memory,
      trace,
      dma: new DmaPort(this.rootComplex, link),
      link: port.link,
      random: random(options.seed ?? 1, `${board.name}.${name}.media`),
      namespaces,
      ...(drive.capacity === undefined ? {} : { capacity_bytes: bytesOf(drive.capacity) }),
    });
    this.controllers.push(controller);
    this.groups.push(drive.group);
    return controller;
  }

  #store(namespace: NamespaceBoard, path: string): BlockStore {
    const bytes = bytesOf(namespace.size);
    if (namespace.image === undefined) return new SparseStore(this.memory, bytes);
    if (this.options.openStore === undefined) {
      throw new BoardError(
        this.board.name,
        `${path}.image`,
        'this host cannot open image files (no openStore was given)',
      );
    }
    return this.options.openStore(namespace.image, bytes, this.memory, namespace.readOnly ?? false);
  }
}

/** Starts the driver of the IOMMU on a machine that firmware has set up. */
function bootIommu({ clock, memory, pages, interrupts, rootComplex, dmesg }: Builder): IommuDriver {
  const log = (line: string): void => dmesg.log(line);
  const driver = new IommuDriver({
    bus: rootComplex,
    base: IOMMU_BASE,
    clock,
    memory,
    pages,
    interrupts,
    dmesg: log,
  });
  driver.boot();
  return driver;
}

function bootKernel(builder: Builder, iommu: IommuDriver): EmulatedKernel {
  const { clock, memory, pages, interrupts, rootComplex, host, controllers, groups, dmesg } = builder;
  const groupOf = (bdf: number): number | undefined =>
    groups[controllers.findIndex((one) => one.bdf === bdf)];
  return new EmulatedKernel({ clock, memory, pages, rootComplex, interrupts, iommu, host, groupOf, dmesg });
}

function countDrives(ports: readonly PortBoard[]): number {
  return ports.reduce((sum, { device }) => {
    if (device === null) return sum;
    return sum + (device.kind === 'nvme' ? 1 : countDrives(device.ports));
  }, 0);
}

/**
 * The hardware of a board, or of one complex of it: root complex, IOMMU, ports, controllers, over a given memory, clock
 * and way for interrupts. It is the same at every pace; at a free one every cost in the board becomes zero.
 * Not here: who programs it (software.ts), which thread it runs in (boot.ts, threaded.ts).
 */

import { IommuUnit } from '../iommu/unit.ts';
import type { Clock } from '../machine/clock.ts';
import type { MessageTarget } from '../machine/interrupts.ts';
import { IO_APIC, IoApic, ioApicBase, ioApicSource, PCI_INPUT } from '../machine/io-apic.ts';
import { Memory, type SharedBytes } from '../machine/memory.ts';
import { Bridge, portDescription } from '../machine/pcie/bridge.ts';
import type { FunctionDescription } from '../machine/pcie/capabilities.ts';
import { DmaPort } from '../machine/pcie/dma-port.ts';
import { RootComplex } from '../machine/pcie/root-complex.ts';
import { FREE_HOST, type HostProfile } from '../machine/timing/host.ts';
import { jitterOf } from '../machine/timing/jitter.ts';
import { Link } from '../machine/timing/link.ts';
import type { Rejection, Trace } from '../machine/trace.ts';
import type { BlockStore } from '../nvme/block-store.ts';
import { NvmeController } from '../nvme/controller.ts';
import { Namespace } from '../nvme/namespace.ts';
import { CONTROLLER_BYTES } from '../nvme/profile.ts';
import { rejectionSentence } from '../nvme/rejection.ts';
import { SparseStore } from '../nvme/sparse-store.ts';
import { Subsystem } from '../nvme/subsystem.ts';
import type { Archive } from '../support/archive.ts';
import { alignUp } from '../support/numbers.ts';
import { random } from '../support/random.ts';
import type { Board, NamespaceBoard, NvmeBoard, PortBoard } from './board.ts';
import { BoardError, devfnOf } from './check.ts';
import { type Complex, iommuBase, wholeBoard } from './complexes.ts';
import { drivesOf, type PlacedDrive } from './drives.ts';
import { namespaceOptions } from './namespaces.ts';
import { bytesOf } from './shapes.ts';

/** Refusals that are kept for `explain`. */
const REJECTIONS_KEPT = 64;

/** Opens the image of a namespace. */
export type OpenStore = (image: string, bytes: number, memory: Memory, readOnly: boolean) => BlockStore;

export interface HardwareParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly interrupts: MessageTarget;
  /** Nothing costs simulated time. */
  readonly isFree: boolean;
  /** Seed of every random stream. */
  readonly seed: number;
  readonly openStore?: OpenStore | undefined;
  /** The part of the board that is built; all of it when absent. */
  readonly complex?: Complex;
}

/** RAM and device memory of a board. `shared` is that of another thread that already has it. */
export function memoryOf(board: Board, shared?: SharedBytes): Memory {
  const local = bytesOf(board.media) + drivesOf(board.rootPorts).length * CONTROLLER_BYTES;
  return new Memory(bytesOf(board.ram), alignUp(local, 65_536), shared);
}

/** What the host side of a board costs. */
export const hostOf = (board: Board, isFree: boolean): HostProfile => (isFree ? FREE_HOST : board.host);

type PortKind = Parameters<typeof portDescription>[0];

/** A port and where it sits on its bus. */
interface BusPlace {
  readonly devfn: number;
  readonly bridge: Bridge;
}

/** The hardware, plugged together; firmware has not run yet. */
export class Hardware {
  readonly rootComplex: RootComplex;
  readonly iommu: IommuUnit;
  readonly controllers: NvmeController[] = [];
  readonly #board: Board;
  readonly #parts: HardwareParts;
  readonly #ioApic: IoApic;
  readonly #rejections: string[] = [];
  readonly #drives: readonly PlacedDrive[];
  /** By the number of the first controller. */
  readonly #subsystems: Subsystem[] = [];
  /** IOMMU groups that the board asks for, by controller. */
  readonly #groups: (number | undefined)[] = [];

  /** Throws BoardError when an image cannot be opened here. `board` has been checked. */
  constructor(board: Board, parts: HardwareParts) {
    const { clock, memory, trace, interrupts, isFree, complex = wholeBoard(board) } = parts;
    const host = hostOf(board, isFree);
    this.#board = board;
    this.#parts = parts;
    this.#drives = drivesOf(board.rootPorts);
    trace.listenToRejections((_, bdf, rejection) => this.#rejected(bdf, rejection));
    this.iommu = new IommuUnit({ memory, trace, interrupts, host, options: board.iommu });
    this.rootComplex = new RootComplex({ clock, memory, trace, translator: this.iommu, host });
    this.rootComplex.mapBlock(iommuBase(complex.index), this.iommu.registerBytes, this.iommu);
    const source = ioApicSource(complex.index);
    const ioApic = new IoApic({
      deliver: (address, data) => void this.iommu.interrupt(source, address, data),
    });
    this.#ioApic = ioApic;
    this.rootComplex.mapBlock(ioApicBase(complex.index), IO_APIC.SIZE, ioApic);
    this.rootComplex.onWire = (pin, isAsserted) => ioApic.drive(PCI_INPUT + pin - 1, isAsserted);
    const { rootPorts } = board;
    for (const { devfn, bridge } of this.#ports('ROOT_PORT', rootPorts, null, 'rootPorts', complex.ports)) {
      this.rootComplex.plug(devfn, bridge);
    }
  }

  /** The IOMMU group that the board gives to a function, if any. */
  groupOf(bdf: number): number | undefined {
    return this.#groups[this.controllers.findIndex((controller) => controller.bdf === bdf)];
  }

  /** What controllers refused lately, one sentence each, oldest first. */
  get rejections(): readonly string[] {
    return this.#rejections;
  }

  #rejected(bdf: number, rejection: Rejection): void {
    const name = this.controllers.find((controller) => controller.bdf === bdf)?.name;
    if (this.#rejections.length === REJECTIONS_KEPT) this.#rejections.shift();
    this.#rejections.push(`${name}: ${rejectionSentence(rejection)}`);
  }

  /** Ports of one bus, all or some, with what is behind them. Those that share a device number are its functions. */
  #ports(
    kind: PortKind,
    ports: readonly PortBoard[],
    parent: Link | null,
    path: string,
    some: readonly number[] = [...ports.keys()],
  ): BusPlace[] {
    const places = ports.map(({ at }) => devfnOf(at));
    return some.map((index) => {
      const port = ports[index]!;
      const devfn = places[index]!;
      const multifunction = places.some((other) => other !== devfn && other >>> 3 === devfn >>> 3);
      const description = { ...portDescription(kind, port.link), multifunction };
      return { devfn, bridge: this.#port(description, port, parent, `${path}[${index}]`) };
    });
  }

  #port(description: FunctionDescription, port: PortBoard, parent: Link | null, path: string): Bridge {
    const { clock, isFree, seed } = this.#parts;
    const jitter = jitterOf(isFree ? 0 : port.link.jitter_ns, seed, `${this.#board.name}.${path}.link`);
    const link = new Link(clock, isFree ? null : port.link, parent, jitter);
    const bridge = new Bridge(path, description, link);
    link.tell(this.#parts.trace, bridge);
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
    const { clock, memory, trace, isFree, seed } = this.#parts;
    const number = this.#drives.findIndex((placed) => placed.path === path);
    const name = `nvme${number}`;
    const profile = isFree ? { ...drive.profile, timing: null } : drive.profile;
    const controller = new NvmeController({
      name,
      profile,
      serial: drive.serial,
      clock,
      memory,
      trace,
      dma: new DmaPort(this.rootComplex, link),
      link: port.link,
      random: random(seed, `${this.#board.name}.${name}.media`),
      firmware: jitterOf(profile.timing?.firmwareJitter_ns, seed, `${this.#board.name}.${name}.firmware`),
      subsystem: this.#subsystem(this.#drives[number]!),
    });
    this.controllers.push(controller);
    this.#groups.push(drive.group);
    return controller;
  }

  /** The drive that a controller is one of, made for the first of them. */
  #subsystem({ path, drive, owner }: PlacedDrive): Subsystem {
    const known = this.#subsystems[owner];
    if (known !== undefined) return known;
    const isShared = this.#drives.filter((other) => other.owner === owner).length > 1;
    const subsystem = new Subsystem({
      namespaces: this.#createNamespaces(drive, path, isShared),
      ...(drive.capacity === undefined ? {} : { capacity_bytes: bytesOf(drive.capacity) }),
    });
    this.#subsystems[owner] = subsystem;
    return subsystem;
  }

  #createNamespaces({ namespaces }: NvmeBoard, path: string, isShared: boolean): Namespace[] {
    return namespaces.map(
      (namespace, index) =>
        new Namespace({
          nsid: index + 1,
          store: this.#store(namespace, `${path}.namespaces[${index}]`),
          ...namespaceOptions(namespace, this.#parts.memory),
          isShared,
        }),
    );
  }

  #store(namespace: NamespaceBoard, path: string): BlockStore {
    const { memory, openStore } = this.#parts;
    const bytes = bytesOf(namespace.size);
    if (namespace.image === undefined) return new SparseStore(memory, bytes);
    if (openStore === undefined) {
      const problem = 'this host cannot open image files (no openStore was given)';
      throw new BoardError(this.#board.name, [{ path: `${path}.image`, problem }]);
    }
    return openStore(namespace.image, bytes, memory, namespace.readOnly ?? false);
  }

  /** Saves or loads what changes while the hardware runs, memory aside (support/archive.ts). */
  archive(a: Archive): void {
    a.section('IOMMU', 1, () => this.iommu.archive(a));
    a.section('PCI Express', 1, () => this.rootComplex.archive(a));
    a.section('I/O APIC', 1, () => this.#ioApic.archive(a));
    a.contents(this.#rejections);
  }
}

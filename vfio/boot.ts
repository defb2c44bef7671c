/**
 * What the kernel does before the first system call: finds the PCI functions, puts them into iommu groups, gives every
 * function that is not a bridge to vfio-pci, and fills /sys and /dev.
 */
import type { Iommu } from '../iommu/driver.ts';
import type { Clock } from '../machine/clock.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { BRIDGE } from '../machine/pcie/spec.ts';
import { readArrival } from './arrival.ts';
import { CdevFile } from './cdev.ts';
import type { Dmesg } from './dmesg.ts';
import type { FileTable } from './file-table.ts';
import { FileTree } from './file-tree.ts';
import { IommuGroup } from './iommu-group.ts';
import type { AbiLevel } from './iommufd/state.ts';
import { IrqLines } from './irq-lines.ts';
import { VfioGroup } from './legacy/group.ts';
import { GroupFile } from './legacy/group-file.ts';
import { VfioPciDevice } from './pci/device.ts';
import type { ResetMate } from './pci/hot-reset.ts';
import { scanPci } from './pci-bus.ts';
import type { PciDevice } from './pci-device.ts';
import { PciPower } from './pci-reset.ts';
import type { Process } from './process.ts';
import { addDriver, addGroup, addPciDevice, addVfioDevice } from './sysfs.ts';

export interface BootParts {
  readonly clock: Clock;
  readonly rootComplex: PciHost;
  readonly iommu: Pick<Iommu, 'messagesOf'>;
  readonly process: Process;
  readonly files: FileTable;
  readonly dmesg: Dmesg;
  readonly abi: AbiLevel;
  /** The number of a function's iommu group; undefined lets the kernel number it. */
  readonly groupOf: (bdf: number) => number | undefined;
  /** Number of the I/O APIC that the wires of a function on bus 0 reach. */
  readonly ioApicOf: (devfn: number) => number;
  /** The driver of a function that is not a bridge: `vfio-pci`, or another one that keeps user space out. */
  readonly driverOf: (bdf: number) => string;
}

/** A function that vfio-pci has. */
export interface VfioFunction {
  readonly pci: PciDevice;
  readonly vfio: VfioPciDevice;
  readonly group: VfioGroup;
}

/** The machine as the kernel knows it: as it found it, without what has left, with what has come. */
export interface Inventory {
  readonly tree: FileTree;
  readonly pci: readonly PciDevice[];
  readonly vfio: readonly VfioFunction[];
}

const BRIDGE_CLASS = 0x06;

/** Takes the inventory at boot, and keeps it. */
export class MachineInventory implements Inventory {
  readonly tree = new FileTree();
  readonly pci: PciDevice[];
  readonly vfio: VfioFunction[] = [];
  readonly #parts: BootParts;
  readonly #lines: IrqLines;
  readonly #groups: Map<PciDevice, IommuGroup>;
  /** Their nodes in /dev/vfio, while they have devices. */
  readonly #vfioGroups = new Map<IommuGroup, VfioGroup>();

  constructor(parts: BootParts) {
    this.#parts = parts;
    this.pci = scanPci(parts.rootComplex);
    this.#groups = groupDevices(this.pci, parts.groupOf);
    const { clock, rootComplex, iommu, ioApicOf } = parts;
    const messagesOf = (requester: number) => iommu.messagesOf(requester);
    this.#lines = new IrqLines({ clock, rootComplex, messagesOf, ioApicOf });
    this.tree.directory('/dev/vfio/devices');
    for (const device of this.pci) this.#add(device);
  }

  /** The function that has come to this slot, if there is one that can be used and that is not known; else null. */
  arrive(bus: number, devfn: number): PciDevice | null {
    const isKnown = this.pci.some((device) => device.bus === bus && device.devfn === devfn);
    const bridge = this.pci.find((device) => device.isBridge && device.read8(BRIDGE.SECONDARY) === bus);
    if (isKnown || bridge === undefined) return null;
    const neighbours = this.pci.filter((device) => device.bus === bus);
    const taken = neighbours.flatMap(({ resources }) => resources.filter((resource) => resource !== null));
    const device = readArrival(this.#parts.rootComplex, bridge, devfn, taken);
    if (device === null) return null;
    this.pci.push(device);
    this.#groups.set(device, this.#groupOf(device));
    this.#add(device);
    return device;
  }

  /** The function is gone, and with it all that was known of it. */
  forget(pci: PciDevice): void {
    this.pci.splice(this.pci.indexOf(pci), 1);
    const index = this.vfio.findIndex((one) => one.pci === pci);
    const [gone] = index === -1 ? [] : this.vfio.splice(index, 1);
    if (gone?.group.alive === false) this.#vfioGroups.delete(gone.group.iommuGroup);
    this.#groups.delete(pci);
  }

  /** The group that the board wants, or one of its own with the lowest number that is free. */
  #groupOf(device: PciDevice): IommuGroup {
    const groups = [...new Set(this.#groups.values())];
    let number = this.#parts.groupOf(device.bdf);
    if (number === undefined) for (number = 0; groups.some(({ id }) => id === number); ) number++;
    const group = groups.find(({ id }) => id === number) ?? new IommuGroup(number);
    group.requesters.push(device.bdf);
    return group;
  }

  #add(device: PciDevice): void {
    const { tree } = this;
    const iommuGroup = this.#groups.get(device)!;
    addPciDevice(tree, device);
    addGroup(tree, device, iommuGroup);
    if (device.class >>> 16 === BRIDGE_CLASS) return;
    const driver = this.#parts.driverOf(device.bdf);
    addDriver(tree, device, driver);
    if (driver === 'vfio-pci') this.#probe(device, iommuGroup);
    else iommuGroup.claim(KERNEL);
  }

  /** vfio-pci takes the function: it gets the lowest number that is free. */
  #probe(device: PciDevice, iommuGroup: IommuGroup): void {
    const { tree, vfio } = this;
    const neighbours = this.pci.filter((other) => other.bus === device.bus);
    const power = new PciPower(device, neighbours.length === 1);
    const mates = (): ResetMate[] =>
      neighbours.map((mate) => ({
        pci: mate,
        group: this.#groups.get(mate)!,
        vfio: vfio.find((one) => one.pci === mate)?.vfio ?? null,
      }));
    let index = 0;
    while (vfio.some((one) => one.vfio.index === index)) index++;
    const found = new VfioPciDevice(index, device, power, {
      ...this.#parts,
      lines: this.#lines,
      messages: this.#parts.iommu.messagesOf(device.bdf),
      group: iommuGroup,
      mates,
    });
    const group = this.#vfioGroups.get(iommuGroup) ?? this.#open(iommuGroup);
    group.add(found);
    vfio.push({ pci: device, vfio: found, group });
    addVfioDevice(tree, device, found.name, found.index);
    tree.device(`/dev/vfio/devices/${found.name}`, () => CdevFile.open(found, this.#parts));
  }

  #open(iommuGroup: IommuGroup): VfioGroup {
    const group = new VfioGroup(iommuGroup);
    this.#vfioGroups.set(iommuGroup, group);
    this.tree.device(`/dev/vfio/${iommuGroup.id}`, () => GroupFile.open(group, this.#parts));
    return group;
  }
}

/** The owner of DMA that drivers of the kernel do. */
const KERNEL = {};

/** Functions of one number share a group; those without get the lowest numbers that nobody asked for, in bus order. */
function groupDevices(
  pci: readonly PciDevice[],
  groupOf: (bdf: number) => number | undefined,
): Map<PciDevice, IommuGroup> {
  const byNumber = new Map<number, IommuGroup>();
  const wanted = new Set(pci.map((device) => groupOf(device.bdf)));
  const groups = new Map<PciDevice, IommuGroup>();
  let next = 0;
  for (const device of pci) {
    let number = groupOf(device.bdf);
    if (number === undefined) {
      while (wanted.has(next)) next++;
      number = next++;
    }
    const group = byNumber.get(number) ?? new IommuGroup(number);
    byNumber.set(number, group);
    group.requesters.push(device.bdf);
    groups.set(device, group);
  }
  return groups;
}

/**
 * What the kernel does before the first system call: finds the PCI functions, puts them into iommu groups, gives every
 * function that is not a bridge to vfio-pci, and fills /sys and /dev.
 */
import type { IommuDriver } from '../iommu/driver.ts';
import type { Clock } from '../machine/clock.ts';
import type { Interrupts } from '../machine/interrupts.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
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
  readonly interrupts: Interrupts;
  readonly iommu: Pick<IommuDriver, 'messagesOf'>;
  readonly process: Process;
  readonly files: FileTable;
  readonly dmesg: Dmesg;
  readonly abi: AbiLevel;
  /** The number of a function's iommu group; undefined lets the kernel number it. */
  readonly groupOf: (bdf: number) => number | undefined;
  /** The driver of a function that is not a bridge: `vfio-pci`, or another one that keeps user space out. */
  readonly driverOf: (bdf: number) => string;
}

/** A function that vfio-pci has. */
export interface VfioFunction {
  readonly pci: PciDevice;
  readonly vfio: VfioPciDevice;
  readonly group: VfioGroup;
}

/** The machine as the kernel found it. */
export interface Inventory {
  readonly tree: FileTree;
  readonly pci: readonly PciDevice[];
  readonly vfio: readonly VfioFunction[];
}

const BRIDGE_CLASS = 0x06;

export function takeInventory(parts: BootParts): Inventory {
  const tree = new FileTree();
  const pci = scanPci(parts.rootComplex);
  const groups = groupDevices(pci, parts.groupOf);
  const lines = new IrqLines(parts);
  const vfio: VfioFunction[] = [];
  const vfioGroups = new Map<IommuGroup, VfioGroup>();
  tree.directory('/dev/vfio/devices');
  for (const device of pci) {
    const iommuGroup = groups.get(device)!;
    addPciDevice(tree, device);
    addGroup(tree, device, iommuGroup);
    if (device.class >>> 16 === BRIDGE_CLASS) continue;
    const driver = parts.driverOf(device.bdf);
    addDriver(tree, device, driver);
    if (driver !== 'vfio-pci') {
      iommuGroup.claim(KERNEL);
      continue;
    }
    const neighbours = pci.filter((other) => other.bus === device.bus);
    const power = new PciPower(device, neighbours.length === 1);
    const mates = (): ResetMate[] =>
      neighbours.map((mate) => ({
        pci: mate,
        group: groups.get(mate)!,
        vfio: vfio.find((one) => one.pci === mate)?.vfio ?? null,
      }));
    const found = new VfioPciDevice(vfio.length, device, power, {
      ...parts,
      lines,
      messages: parts.iommu.messagesOf(device.bdf),
      group: iommuGroup,
      mates,
    });
    const group = vfioGroups.get(iommuGroup) ?? new VfioGroup(iommuGroup);
    vfioGroups.set(iommuGroup, group);
    group.add(found);
    vfio.push({ pci: device, vfio: found, group });
    addVfioDevice(tree, device, found.name, found.index);
    tree.device(`/dev/vfio/devices/${found.name}`, () => CdevFile.open(found, parts));
  }
  for (const group of vfioGroups.values()) {
    tree.device(`/dev/vfio/${group.iommuGroup.id}`, () => GroupFile.open(group, parts));
  }
  return { tree, pci, vfio };
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

/**
 * What the kernel does before the first system call: finds the PCI functions, puts them into iommu groups, gives every
 * function that is not a bridge to vfio-pci, and fills /sys and /dev.
 */
import type { Clock } from '../machine/clock.ts';
import type { Interrupts } from '../machine/interrupts.ts';
import type { RootComplex } from '../machine/pcie/root-complex.ts';
import { CdevFile } from './cdev.ts';
import type { Dmesg } from './dmesg.ts';
import type { FileTable } from './file-table.ts';
import { FileTree } from './file-tree.ts';
import { IommuGroup } from './iommu-group.ts';
import type { AbiLevel } from './iommufd/state.ts';
import { VfioPciDevice } from './pci/device.ts';
import { scanPci } from './pci-bus.ts';
import type { PciDevice } from './pci-device.ts';
import { PciPower } from './pci-reset.ts';
import type { Process } from './process.ts';
import { addDriver, addGroup, addPciDevice, addVfioDevice } from './sysfs.ts';

export interface BootParts {
  readonly clock: Clock;
  readonly rootComplex: RootComplex;
  readonly interrupts: Interrupts;
  readonly process: Process;
  readonly files: FileTable;
  readonly dmesg: Dmesg;
  readonly abi: AbiLevel;
  /** The number of a function's iommu group; undefined lets the kernel number it. */
  readonly groupOf: (bdf: number) => number | undefined;
}

/** The machine as the kernel found it. */
export interface Inventory {
  readonly tree: FileTree;
  readonly pci: readonly PciDevice[];
  readonly vfio: readonly VfioPciDevice[];
}

const BRIDGE_CLASS = 0x06;

export function takeInventory(parts: BootParts): Inventory {
  const tree = new FileTree();
  const pci = scanPci(parts.rootComplex);
  const groups = groupDevices(pci, parts.groupOf);
  const vfio: VfioPciDevice[] = [];
  const claimed = new Map<PciDevice, VfioPciDevice>();
  tree.directory('/dev/vfio/devices');
  for (const device of pci) {
    const group = groups.get(device)!;
    addPciDevice(tree, device);
    addGroup(tree, device, group);
    if (device.class >>> 16 === BRIDGE_CLASS) continue;
    const mates = pci.filter((other) => other.bus === device.bus);
    const power = new PciPower(device, mates.length === 1);
    const found = new VfioPciDevice(vfio.length, device, power, {
      ...parts,
      group,
      mates: () => mates.map((mate) => ({ pci: mate, vfio: claimed.get(mate) ?? null })),
    });
    vfio.push(found);
    claimed.set(device, found);
    addDriver(tree, device, 'vfio-pci');
    addVfioDevice(tree, device, found.name, found.index);
    tree.device(`/dev/vfio/devices/${found.name}`, () => new CdevFile(found, parts));
  }
  return { tree, pci, vfio };
}

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

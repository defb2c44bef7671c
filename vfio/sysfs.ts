/**
 * The parts of /sys and /dev that tools and drivers read to find a device: PCI functions, their driver, iommu groups,
 * and the node that VFIO made for each. Paths and texts as Linux 6.12 has them.
 */
import { CONFIG } from '../machine/pcie/spec.ts';
import { hex } from '../support/numbers.ts';
import type { FileTree } from './file-tree.ts';
import type { IommuGroup } from './iommu-group.ts';
import type { PciDevice, Resource } from './pci-device.ts';

/** The character device major that the kernel gave to vfio-dev; allocated at boot on a real machine. */
export const VFIO_DEV_MAJOR = 511;

const RESOURCE_IO = 0x100;
const RESOURCE_MEMORY = 0x200;
const RESOURCE_PREFETCH = 0x2000;
const RESOURCE_64 = 0x10_0000;
const RESOURCE_SIZE_ALIGN = 0x4_0000;
const RESOURCES = 13;

/** Directory of a function: its bridges' names lead to it. */
export const sysfsPath = (device: PciDevice): string =>
  device.bridge === null
    ? `/sys/devices/pci0000:00/${device.name}`
    : `${sysfsPath(device.bridge)}/${device.name}`;

/** Everything about a function that its configuration space tells. */
export function addPciDevice(tree: FileTree, device: PciDevice): void {
  const path = sysfsPath(device);
  const word = (offset: number) => hex(device.read16(offset), 4);
  tree.text(`${path}/vendor`, () => hex(device.vendor, 4));
  tree.text(`${path}/device`, () => hex(device.device, 4));
  tree.text(`${path}/class`, () => hex(device.class, 6));
  tree.text(`${path}/revision`, () => hex(device.read8(CONFIG.REVISION), 2));
  tree.text(`${path}/subsystem_vendor`, () => word(CONFIG.SUBSYSTEM_VENDOR));
  tree.text(`${path}/subsystem_device`, () => word(CONFIG.SUBSYSTEM));
  tree.text(`${path}/irq`, () => String(device.read8(CONFIG.INTERRUPT_LINE)));
  tree.text(`${path}/resource`, () => resourceLines(device));
  tree.attribute(`${path}/config`, () =>
    Uint8Array.from({ length: device.configBytes }, (_, at) => device.read8(at)),
  );
  tree.link(`/sys/bus/pci/devices/${device.name}`, path);
  tree.link(`${path}/subsystem`, '/sys/bus/pci');
}

/** A function bound to a driver of this name. */
export function addDriver(tree: FileTree, device: PciDevice, driver: string): void {
  const path = sysfsPath(device);
  tree.link(`${path}/driver`, `/sys/bus/pci/drivers/${driver}`);
  tree.link(`/sys/bus/pci/drivers/${driver}/${device.name}`, path);
}

export function addGroup(tree: FileTree, device: PciDevice, group: IommuGroup): void {
  const path = sysfsPath(device);
  const directory = `/sys/kernel/iommu_groups/${group.id}`;
  tree.link(`${path}/iommu_group`, directory);
  tree.link(`${directory}/devices/${device.name}`, path);
}

/** The class device of a vfio device, by which user space learns the name of the node. */
export function addVfioDevice(tree: FileTree, device: PciDevice, name: string, minor: number): void {
  const path = `${sysfsPath(device)}/vfio-dev/${name}`;
  tree.text(`${path}/dev`, () => `${VFIO_DEV_MAJOR}:${minor}`);
  tree.link(`${path}/device`, sysfsPath(device));
  tree.link(`${path}/subsystem`, '/sys/class/vfio-dev');
  tree.link(`/sys/class/vfio-dev/${name}`, path);
}

/** The device's node and class device, gone as soon as its driver begins to leave. */
export function removeVfioDevice(tree: FileTree, device: PciDevice, name: string): void {
  tree.remove(`/dev/vfio/devices/${name}`);
  tree.remove(`/sys/class/vfio-dev/${name}`);
  tree.remove(`${sysfsPath(device)}/vfio-dev`);
}

/** A function that is gone, with the links to it. */
export function removePciDevice(tree: FileTree, device: PciDevice, group: IommuGroup): void {
  tree.remove(`/sys/kernel/iommu_groups/${group.id}/devices/${device.name}`);
  const driver = tree.readlink(`${sysfsPath(device)}/driver`);
  if (typeof driver === 'string') tree.remove(`${driver}/${device.name}`);
  tree.remove(`/sys/bus/pci/devices/${device.name}`);
  tree.remove(sysfsPath(device));
}

/** One line each for the BARs, the ROM, and the bridge windows and virtual functions that are not listed here. */
function resourceLines(device: PciDevice): string {
  const lines = Array.from({ length: RESOURCES }, (_, index) =>
    resourceLine(device.resources[index] ?? null),
  );
  return lines.join('\n');
}

function resourceLine(resource: Resource | null): string {
  if (resource === null || resource.start === 0) return [0, 0, 0].map((value) => hex(value, 16)).join(' ');
  const { start, bytes, io, prefetchable, is64 } = resource;
  const kind = io ? RESOURCE_IO | 1 : RESOURCE_MEMORY | RESOURCE_SIZE_ALIGN;
  const flags = kind | (prefetchable ? RESOURCE_PREFETCH | 8 : 0) | (is64 ? RESOURCE_64 | 4 : 0);
  return [start, start + bytes - 1, flags].map((value) => hex(value, 16)).join(' ');
}

/**
 * Finding a device: which PCI functions there are, what drives each, and which character device VFIO made for
 * one. Reads /sys only. Not here: opening the device (device.ts), moving a function to vfio-pci (an
 * administrator's job).
 */
import type { Kernel } from '../../vfio/uapi/kernel.ts';
import { O_RDONLY } from '../../vfio/uapi/mman.ts';
import { check, SysError } from './sys.ts';

const DEVICES = '/sys/bus/pci/devices';
/** Attributes of sysfs are one page at most; those read here are a few characters. */
const ATTRIBUTE_BYTES = 64;
/** Base class 01h, subclass 08h: non-volatile memory. PCI Code and ID Assignment §1.2. */
const NVME_CLASS = 0x0108;

/** An attribute of a PCI function as text without the newline. Throws SysError. */
export function readAttribute(kernel: Kernel, bdf: string, name: string): string {
  const path = `${DEVICES}/${bdf}/${name}`;
  const fd = check(kernel.open(path, O_RDONLY), `open("${path}")`, {
    ENOENT: 'there is no such PCI function',
  });
  const bytes = new Uint8Array(ATTRIBUTE_BYTES);
  const length = kernel.read(fd, bytes);
  kernel.close(fd);
  check(length, `read("${path}")`);
  return String.fromCharCode(...bytes.subarray(0, length)).trim();
}

/** The kernel driver that a function is bound to, or an empty string. */
export function driverOf(kernel: Kernel, bdf: string): string {
  const target = kernel.readlink(`${DEVICES}/${bdf}/driver`);
  return typeof target === 'string' ? target.slice(target.lastIndexOf('/') + 1) : '';
}

function names(kernel: Kernel, path: string): string[] {
  const entries = kernel.readdir(path);
  if (typeof entries === 'number') throw new SysError(`opendir("${path}")`, entries);
  return entries;
}

const isNvme = (kernel: Kernel, bdf: string): boolean =>
  Number(readAttribute(kernel, bdf, 'class')) >>> 8 === NVME_CLASS;

/**
 * Addresses (`0000:01:00.0`) of the NVMe controllers that VFIO can hand out, in the order of their addresses.
 * Controllers bound to another driver are left out. Throws SysError.
 */
export const findNvme = (kernel: Kernel): string[] =>
  names(kernel, DEVICES).filter((bdf) => isNvme(kernel, bdf) && driverOf(kernel, bdf) === 'vfio-pci');

/** Throws an Error with advice when no NVMe controller can be used. */
export function firstNvme(kernel: Kernel): string {
  const first = findNvme(kernel)[0];
  if (first !== undefined) return first;
  const others = names(kernel, DEVICES).filter((bdf) => isNvme(kernel, bdf));
  if (others.length === 0) throw new Error(`no NVMe controller: no function in ${DEVICES} has class 0108xx`);
  throw new Error(
    `no NVMe controller is bound to vfio-pci: ${others.map((bdf) => notOurs(kernel, bdf)).join('; ')}`,
  );
}

const notOurs = (kernel: Kernel, bdf: string): string => {
  const driver = driverOf(kernel, bdf);
  return `${bdf} is ${driver === '' ? 'not bound to any driver' : `driven by ${driver}`}`;
};

/** Name of the VFIO character device of a function, such as `vfio0`; undefined when it has none, or is not there. */
export function cdevName(kernel: Kernel, bdf: string): string | undefined {
  const entries = kernel.readdir(`${DEVICES}/${bdf}/vfio-dev`);
  return typeof entries === 'number' ? undefined : entries.find((entry) => entry.startsWith('vfio'));
}

/** Path of the VFIO character device of a function. Throws an Error that says how to make one. */
export function cdevPath(kernel: Kernel, bdf: string): string {
  const name = cdevName(kernel, bdf);
  if (name !== undefined) return `/dev/vfio/devices/${name}`;
  readAttribute(kernel, bdf, 'class');
  throw new Error(
    `${bdf} has no VFIO device: ${notOurs(kernel, bdf)}; write "vfio-pci" to ${DEVICES}/${bdf}/driver_override, ` +
      `unbind it, and write ${bdf} to /sys/bus/pci/drivers_probe`,
  );
}

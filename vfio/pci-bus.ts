/**
 * Enumeration by the kernel: reads configuration space bus by bus, as firmware numbered them, and never changes numbers.
 * Not here: firmware (boards/), what a function is (pci-device.ts).
 */
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { BRIDGE, CONFIG, devfn, HEADER_TYPE } from '../machine/pcie/spec.ts';
import { PciDevice } from './pci-device.ts';

const NOBODY = 0xffff;

/** Every function that answers, parents before children, in ascending order of bus and devfn on each bus. */
export function scanPci(rc: PciHost): PciDevice[] {
  const found: PciDevice[] = [];
  scanBus(rc, 0, null, found);
  return found;
}

function scanBus(rc: PciHost, bus: number, bridge: PciDevice | null, found: PciDevice[]): void {
  const here: PciDevice[] = [];
  for (let slot = 0; slot < 32; slot++) {
    for (const fn of functionsOf(rc, bus, slot)) here.push(new PciDevice(rc, bus, devfn(slot, fn), bridge));
  }
  found.push(...here);
  for (const device of here) {
    const secondary = device.isBridge ? device.read8(BRIDGE.SECONDARY) : 0;
    if (secondary > bus) scanBus(rc, secondary, device, found);
  }
}

/** Function numbers present in a slot: the others are only probed when function 0 says it is not alone. */
function functionsOf(rc: PciHost, bus: number, slot: number): number[] {
  const present = (fn: number) => rc.configRead(bus, devfn(slot, fn), CONFIG.VENDOR, 2) !== NOBODY;
  if (!present(0)) return [];
  const header = rc.configRead(bus, devfn(slot, 0), CONFIG.HEADER_TYPE, 1);
  if (HEADER_TYPE.MULTIFUNCTION.get(header) === 0) return [0];
  return [0, 1, 2, 3, 4, 5, 6, 7].filter(present);
}
